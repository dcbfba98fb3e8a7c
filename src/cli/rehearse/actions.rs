//! Actions of a rehearsal's keys: on the link, on the shows and on the time of day.

use crate::config::City;
use crate::scene::time_of_day;
use crate::show::RehearsalKey;
use std::io::BufRead;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Distances to try besides that of the two cities: name, and one-way delay in milliseconds.
const DISTANCES: [(&str, u64); 4] =
    [("next door", 2), ("on one continent", 25), ("across an ocean", 75), ("at the antipodes", 150)];
/// Most terminal lines that wait to be handled.
const LINES_MAX: usize = 16;

/// Action that a key asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum RehearsalAction {
    /// Cut the link (true) or restore it.
    Cut(bool),
    /// Set the one-way delay between the cities.
    OneWayDelay(Duration),
    /// Send this command to both shows.
    Broadcast(String),
    /// Put the show of a city to sleep (true) or wake it.
    Sleep(usize, bool),
    /// Save a screenshot of both cities.
    Picture,
}

/// State set by the keys pressed so far.
pub struct RehearsalState {
    cities: [&'static City; 2],
    own_delay: Duration,
    cut: bool,
    asleep: [bool; 2],
    distance: usize,
    debug_overlay: bool,
    /// Hour of day that is simulated, and the city for which it holds.
    hour: Option<(u8, usize)>,
    shift_s: i64,
}

impl RehearsalState {
    /// Creates the state for two cities with a one-way delay of `one_way`.
    pub fn new(cities: [&'static City; 2], one_way: Duration) -> Self {
        let asleep = [false; 2];
        Self {
            cities,
            own_delay: one_way,
            cut: false,
            asleep,
            distance: 0,
            debug_overlay: false,
            hour: None,
            shift_s: 0,
        }
    }

    /// Returns the commands that restore this state in a show that restarts.
    pub fn startup_commands(&self) -> [String; 2] {
        [format!("shift {}", self.shift_s), format!("knows {}", if self.debug_overlay { "on" } else { "off" })]
    }

    /// Handles a key pressed in city `side` at `unix` seconds since 1970. Returns the action and a line for the user.
    pub fn handle_key(&mut self, key: RehearsalKey, side: usize, unix: f64) -> (RehearsalAction, String) {
        let other = 1 - side;
        match key {
            RehearsalKey::Link => {
                self.cut = !self.cut;
                (RehearsalAction::Cut(self.cut), if self.cut { "the link is cut" } else { "the link is mended" }.into())
            }
            RehearsalKey::Twin => {
                // A sleeping city can be woken from either side.
                let which = if self.asleep[side] { side } else { other };
                self.asleep[which] = !self.asleep[which];
                let what = if self.asleep[which] { "sleeps" } else { "wakes up" };
                (RehearsalAction::Sleep(which, self.asleep[which]), format!("{} {what}", self.cities[which].latin))
            }
            RehearsalKey::Noon => self.set_hour((12, side), unix),
            RehearsalKey::Midnight => self.set_hour((0, side), unix),
            RehearsalKey::Distance => {
                self.distance = (self.distance + 1) % (DISTANCES.len() + 1);
                let (name, one_way) = match self.distance.checked_sub(1).and_then(|index| DISTANCES.get(index)) {
                    Some((name, ms)) => (*name, Duration::from_millis(*ms)),
                    None => ("where they are", self.own_delay),
                };
                (
                    RehearsalAction::OneWayDelay(one_way),
                    format!("{name}: {:.0} ms one way", one_way.as_secs_f64() * 1e3),
                )
            }
            RehearsalKey::DebugOverlay => {
                self.debug_overlay = !self.debug_overlay;
                let words = if self.debug_overlay { "what the engine knows" } else { "the scene alone" };
                (RehearsalAction::Broadcast(self.startup_commands()[1].clone()), words.into())
            }
            RehearsalKey::Picture => (RehearsalAction::Picture, "a picture of both".into()),
        }
    }

    fn set_hour(&mut self, hour: (u8, usize), unix: f64) -> (RehearsalAction, String) {
        self.hour = if self.hour == Some(hour) { None } else { Some(hour) };
        let (shift, words) = match self.hour {
            None => (0, "it is now again".to_owned()),
            Some((hour, side)) => {
                let city = self.cities[side];
                let clock = time_of_day(&city.zone, unix);
                let minutes = 60 * i64::from(hour) - 60 * i64::from(clock.hour) - i64::from(clock.minute);
                // The nearest shift, forwards or backwards.
                let minutes = (minutes + 720).rem_euclid(1_440) - 720;
                (60 * minutes, format!("it is {} in {}", if hour == 0 { "midnight" } else { "noon" }, city.latin))
            }
        };
        self.shift_s = shift;
        (RehearsalAction::Broadcast(self.startup_commands()[0].clone()), words)
    }
}

/// Reads lines from the terminal or a pipe, on a thread of its own.
pub fn spawn_line_reader() -> std::io::Result<Receiver<String>> {
    let (tell, told) = sync_channel(LINES_MAX);
    if is_background_job() {
        return Ok(told);
    }
    std::thread::Builder::new().name("keys".into()).spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(told)
}

/// Returns true if this is a background job of a terminal; reading from the terminal would stop it.
/// Returns false where that is not known.
fn is_background_job() -> bool {
    // Fields of proc(5) after the name in brackets: state, parent, group, session, terminal, foreground group.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<i64> = stat.rsplit(')').next().unwrap_or("").split_whitespace().flat_map(str::parse).collect();
    matches!(fields[..], [_, group, _, terminal, foreground, ..] if terminal != 0 && group != foreground)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::city_by_slug;

    #[test]
    fn a_key_does_and_undoes() {
        let cities = ["shenzhen", "dublin"].map(|slug| city_by_slug(slug).expect("it is one of ours"));
        let mut keys = RehearsalState::new(cities, Duration::from_millis(73));
        // 2026-11-23 17:30 in Dublin, 1:30 in Shenzhen.
        let unix = 1_795_455_000.0;
        let mut press = |key, side| keys.handle_key(key, side, unix);
        assert_eq!(press(RehearsalKey::Link, 0), (RehearsalAction::Cut(true), "the link is cut".into()));
        assert_eq!(press(RehearsalKey::Link, 1).0, RehearsalAction::Cut(false));
        assert_eq!(press(RehearsalKey::Twin, 0).0, RehearsalAction::Sleep(1, true));
        assert_eq!(press(RehearsalKey::Twin, 0), (RehearsalAction::Sleep(1, false), "Dublin wakes up".into()));
        assert_eq!(
            press(RehearsalKey::Noon, 1).0,
            RehearsalAction::Broadcast(format!("shift {}", -(5 * 60 + 30) * 60))
        );
        assert_eq!(press(RehearsalKey::Midnight, 0).0, RehearsalAction::Broadcast(format!("shift {}", -90 * 60)));
        assert_eq!(press(RehearsalKey::Midnight, 0).0, RehearsalAction::Broadcast("shift 0".into()));
        assert_eq!(press(RehearsalKey::DebugOverlay, 0).0, RehearsalAction::Broadcast("knows on".into()));
        let far: Vec<RehearsalAction> = (0..5).map(|_| press(RehearsalKey::Distance, 0).0).collect();
        assert_eq!(far[4], RehearsalAction::OneWayDelay(Duration::from_millis(73)));
        assert_eq!(far[0], RehearsalAction::OneWayDelay(Duration::from_millis(2)));
    }
}
