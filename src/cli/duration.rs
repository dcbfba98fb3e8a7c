//! Parses the durations of all command-line options: `250ms`, `90s`, `10m`, `1.5h`, `2d`.

use std::time::Duration;

/// Units, with their length in seconds. `min` is another word for `m`.
const UNITS: [(&str, f64); 6] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
/// Longest duration; it can be added to any clock reading.
const DURATION_MAX: Duration = Duration::from_secs(u32::MAX as u64 * 86_400);

/// Parses a duration. A number without a unit means seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let (duration, _) = parse_with_unit(text)?;
    Ok(duration)
}

/// Parses a duration that is not zero and has a unit.
/// Options whose usual values are hours or days use it, because seconds are not what a plain number means there.
pub fn parse_explicit(text: &str) -> Result<Duration, String> {
    match parse_with_unit(text)? {
        (_, "") => Err(format!("\"{text}\" has no unit; write a number and ms, s, m, h or d, such as 90s or 1.5h")),
        (Duration::ZERO, _) => Err(format!("\"{text}\" is too short; write a longer time, such as 90s or 1.5h")),
        (duration, _) => Ok(duration),
    }
}

/// Returns the duration and its unit, which is empty if there is none.
fn parse_with_unit(text: &str) -> Result<(Duration, &str), String> {
    let number = text.trim_end_matches(char::is_alphabetic);
    let unit = &text[number.len()..];
    let seconds = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, seconds)) => *seconds,
        None if !unit.is_empty() && number.trim_end().parse::<f64>().is_ok() => {
            return Err(format!("\"{text}\": \"{unit}\" is not a unit; use ms, s, m, h or d"));
        }
        None => 1.0,
    };
    let number: f64 = number.parse().ok().filter(|number| *number >= 0.0).ok_or_else(|| {
        format!("\"{text}\" is not a duration; write a number and ms, s, m, h or d, such as 90s or 1.5h")
    })?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| *duration <= DURATION_MAX)
        .map(|duration| (duration, unit))
        .ok_or_else(|| format!("\"{text}\" is too long; write a shorter one, such as 90s or 30d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, ms) in [
            ("250ms", 250),
            ("0.5ms", 0),
            ("90s", 90_000),
            ("2.5s", 2_500),
            (".5s", 500),
            ("10m", 600_000),
            ("10min", 600_000),
            ("1.5h", 5_400_000),
            ("2d", 172_800_000),
            ("30d", 2_592_000_000),
            ("1e3s", 1_000_000),
        ] {
            assert_eq!(parse(text).map(|time| time.as_millis()), Ok(ms), "{text}");
            assert_eq!(parse_explicit(text), parse(text), "{text}");
        }
    }

    #[test]
    fn a_plain_number_means_seconds_where_it_may_stand() {
        for (text, ms) in [("0", 0), ("20", 20_000), ("2.5", 2_500), ("1e6", 1_000_000_000)] {
            assert_eq!(parse(text).map(|time| time.as_millis()), Ok(ms), "{text}");
            let why = parse_explicit(text).expect_err("it has no unit");
            assert!(why.contains(&format!("\"{text}\" has no unit; write a number and")), "{why}");
        }
    }

    #[test]
    fn an_error_names_the_text_and_its_remedy() {
        for (text, remedy) in [
            ("", "write a number and"),
            ("s", "write a number and"),
            ("h1", "write a number and"),
            ("-1h", "write a number and"),
            ("1 h", "write a number and"),
            ("1,5h", "write a number and"),
            ("1h30m", "write a number and"),
            ("nan", "write a number and"),
            ("inf", "write a number and"),
            ("一", "write a number and"),
            ("3weeks", "use ms, s, m, h or d"),
            ("3 weeks", "use ms, s, m, h or d"),
            ("5S", "use ms, s, m, h or d"),
            ("5µs", "use ms, s, m, h or d"),
            ("4294967296d", "write a shorter one"),
            ("1e300d", "write a shorter one"),
        ] {
            for why in [parse(text), parse_explicit(text)].map(|parsed| parsed.expect_err(text)) {
                assert!(why.starts_with(&format!("\"{text}\"")) && why.contains(remedy), "{why}");
            }
        }
        let why = parse_explicit("0m").expect_err("it is zero");
        assert!(why.starts_with("\"0m\"") && why.contains("write a longer time"), "{why}");
    }
}
