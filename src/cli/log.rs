//! The log on standard error: a time, a level, the site and its twin, and a message that untrusted text cannot forge.

use crate::escape::Indented;
use std::fmt::{self, Debug};
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Site and twin named on every line; unset in commands without a site.
static SITE_NAMES: OnceLock<String> = OnceLock::new();

/// Starts the log. `MOONGATE_LOG` filters it.
pub fn start() {
    let filter = EnvFilter::try_from_env("MOONGATE_LOG").unwrap_or_else(|_| EnvFilter::new("error,moongate=info"));
    // Standard output is reserved for the status of a show and the frames of a scene.
    let ansi = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    // A failure to write the log must not end the process: reporting it on standard error, the log itself, would panic.
    log.log_internal_errors(false).event_format(LogFormat).init();
}

/// Names the site and its twin on every line from now on.
#[cfg(feature = "show")]
pub fn set_site_names(site: &str, twin: Option<&str>) {
    // A show has one site and one twin; it is restarted for another twin.
    let _ = SITE_NAMES.set(match twin {
        Some(twin) => format!("[{site}, twin {twin}] "),
        None => format!("[{site}, no twin] "),
    });
}

struct LogFormat;

impl<S, N> FormatEvent<S, N> for LogFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let now = jiff::Timestamp::now();
        let level = *event.metadata().level();
        if to.has_ansi_escapes() {
            write!(to, "\x1b[2m{now:.0}\x1b[0m \x1b[{}m{level:>5}\x1b[0m ", ansi_colour(level))?;
        } else {
            write!(to, "{now:.0} {level:>5} ")?;
        }
        let between = SITE_NAMES.get().map_or("", String::as_str);
        writeln!(to, "{}", Indented(format_args!("{between}{}", EventMessage(event))))
    }
}

/// Returns the ANSI colour of a level.
fn ansi_colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 34,
    }
}

/// Displays the message of an event, then its other fields.
struct EventMessage<'a, 'b>(&'a Event<'b>);

impl fmt::Display for EventMessage<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        struct Fields<'a, 'b>(&'a mut fmt::Formatter<'b>, fmt::Result);
        impl Visit for Fields<'_, '_> {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                let written = match field.name() {
                    "message" => write!(self.0, "{value:?}"),
                    name if name.starts_with("log.") => Ok(()),
                    name => write!(self.0, " {name}={value:?}"),
                };
                self.1 = self.1.and(written);
            }
        }
        let mut fields = Fields(f, Ok(()));
        self.0.record(&mut fields);
        fields.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_a_time_and_a_stranger_forges_none() {
        let kept = Kept::default();
        let to = kept.clone();
        let log = tracing_subscriber::fmt().with_writer(move || to.clone()).with_ansi(false).event_format(LogFormat);
        tracing::subscriber::with_default(log.finish(), || {
            tracing::warn!("scene: {}", "a\u{1b}[1Ab\n2026-11-30T18:00:00Z  INFO key 00ff");
        });
        let kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(kept).expect("it is text");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() == 2 && lines[1].starts_with("    2026"), "{text}");
        let (time, rest) = lines[0].split_once(' ').expect("a time");
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(rest, " WARN scene: a\\u{1b}[1Ab");
    }
}
