//! Position of the sun over a city, and local time.

use serde::Serialize;

/// Position of the sun as seen from a place, in radians.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct SunPosition {
    /// Altitude above the horizon; negative below it.
    pub altitude: f64,
    /// Azimuth from north through east.
    pub azimuth: f64,
}

/// The time of day in a city.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// Returns the sun's position at a place (degrees north and east) at a Unix time in seconds.
///
/// Uses the low-precision formulas of the Astronomical Almanac (section C), accurate to 0.01 degrees between 1950 and
/// 2050; refraction is ignored.
pub fn sun_position(latitude: f64, longitude: f64, unix: f64) -> SunPosition {
    let days = unix / 86_400.0 - 10_957.5; // since 2000-01-01 12:00
    let mean = (280.460 + 0.985_647_4 * days).to_radians();
    let anomaly = (357.528 + 0.985_600_3 * days).to_radians();
    let ecliptic = mean + (1.915 * anomaly.sin() + 0.020 * (2.0 * anomaly).sin()).to_radians();
    let tilt = (23.439 - 0.000_000_4 * days).to_radians();
    let ascension = (tilt.cos() * ecliptic.sin()).atan2(ecliptic.cos());
    let declination = (tilt.sin() * ecliptic.sin()).asin();
    let sidereal = (280.460_618_37 + 360.985_647_366_29 * days + longitude).to_radians();
    let hour = sidereal - ascension;
    let latitude = latitude.to_radians();
    let altitude = (latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * hour.cos()).asin();
    let azimuth = (-hour.sin()).atan2(declination.tan() * latitude.cos() - latitude.sin() * hour.cos());
    SunPosition { altitude, azimuth: azimuth.rem_euclid(std::f64::consts::TAU) }
}

/// Returns the time of day in an IANA time zone at a Unix time in seconds; midnight for an unknown zone.
pub fn time_of_day(zone: &str, unix: f64) -> TimeOfDay {
    let Ok(zone) = jiff::tz::TimeZone::get(zone) else { return TimeOfDay::default() };
    let Ok(time) = jiff::Timestamp::from_second(unix as i64) else { return TimeOfDay::default() };
    let time = time.to_zoned(zone);
    TimeOfDay { hour: time.hour() as u8, minute: time.minute() as u8, second: time.second() as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sun_stands_where_almanacs_say() {
        // Greenwich, equinox of 2026 (20 March 14:46 UTC): declination 0; local solar time 14:46 less 7 min 26 s.
        let at = sun_position(51.4779, 0.0, 1_774_017_960.0);
        let hour = ((14.0 + 46.0 / 60.0 - 7.43 / 60.0 - 12.0) * 15.0_f64).to_radians();
        let expected = (51.4779_f64.to_radians().cos() * hour.cos()).asin();
        assert!((at.altitude - expected).abs() < 0.003, "{} is not {expected}", at.altitude);
        // Noon on the tropic at the June solstice: overhead.
        let at = sun_position(23.437, 0.0, 1_782_043_310.0);
        assert!(at.altitude > 1.54, "{}", at.altitude);
        // Midnight in Shenzhen: below; the same instant in Dublin is afternoon.
        let midnight = 1_782_057_600.0;
        assert!(sun_position(22.543, 114.057, midnight).altitude < 0.0);
        assert!(sun_position(53.35, -6.26, midnight).altitude > 0.5);
    }

    #[test]
    fn each_city_has_its_own_hour() {
        let unix = 1_782_057_600.0; // 2026-06-21 16:00 UTC
        assert_eq!(time_of_day("Asia/Shanghai", unix).hour, 0);
        assert_eq!(time_of_day("Europe/Dublin", unix).hour, 17);
        assert_eq!(time_of_day("nowhere", unix), TimeOfDay::default());
    }
}
