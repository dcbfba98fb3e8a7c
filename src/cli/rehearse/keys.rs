//! What the keys of a rehearsal do: to the link, to the shows, to the hour.

use crate::manifest::City;
use crate::operator::Key;
use crate::scene::local_clock;
use std::io::BufRead;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Distances to try, besides that of the two cities: what they are called, and one way in milliseconds.
const DISTANCES: [(&str, u64); 4] =
    [("next door", 2), ("on one continent", 25), ("across an ocean", 75), ("at the antipodes", 150)];
/// Lines of a terminal that wait.
const LINES_MAX: usize = 16;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// The link is cut, or whole.
    Cut(bool),
    /// One way between the cities takes this long.
    Far(Duration),
    /// Both shows are told this.
    Tell(String),
    /// The show of a city sleeps, or does not.
    Sleep(usize, bool),
    /// A picture of both is kept.
    Picture,
}

/// What was asked for so far.
pub struct Keys {
    cities: [&'static City; 2],
    own: Duration,
    cut: bool,
    asleep: [bool; 2],
    far: usize,
    knows: bool,
    /// The hour that it is, in which city.
    hour: Option<(u8, usize)>,
    shift_s: i64,
}

impl Keys {
    /// For two cities that are `one_way` from each other.
    pub fn new(cities: [&'static City; 2], one_way: Duration) -> Self {
        let asleep = [false; 2];
        Self { cities, own: one_way, cut: false, asleep, far: 0, knows: false, hour: None, shift_s: 0 }
    }

    /// What a show has to be told that begins anew.
    pub fn state(&self) -> [String; 2] {
        [format!("shift {}", self.shift_s), format!("knows {}", if self.knows { "on" } else { "off" })]
    }

    /// A key is pressed in city `side`, when it is `unix` seconds since 1970: what is to be done, and what is to be said of it.
    pub fn press(&mut self, key: Key, side: usize, unix: f64) -> (Wish, String) {
        let other = 1 - side;
        match key {
            Key::Link => {
                self.cut = !self.cut;
                (Wish::Cut(self.cut), if self.cut { "the link is cut" } else { "the link is mended" }.into())
            }
            Key::Twin => {
                // Who wakes it may be anywhere.
                let which = if self.asleep[side] { side } else { other };
                self.asleep[which] = !self.asleep[which];
                let what = if self.asleep[which] { "sleeps" } else { "wakes up" };
                (Wish::Sleep(which, self.asleep[which]), format!("{} {what}", self.cities[which].latin))
            }
            Key::Noon => self.turn((12, side), unix),
            Key::Midnight => self.turn((0, side), unix),
            Key::Distance => {
                self.far = (self.far + 1) % (DISTANCES.len() + 1);
                let (name, one_way) = match self.far.checked_sub(1).and_then(|index| DISTANCES.get(index)) {
                    Some((name, ms)) => (*name, Duration::from_millis(*ms)),
                    None => ("where they are", self.own),
                };
                (Wish::Far(one_way), format!("{name}: {:.0} ms one way", one_way.as_secs_f64() * 1e3))
            }
            Key::Knows => {
                self.knows = !self.knows;
                let words = if self.knows { "what the engine knows" } else { "the scene alone" };
                (Wish::Tell(self.state()[1].clone()), words.into())
            }
            Key::Picture => (Wish::Picture, "a picture of both".into()),
        }
    }

    fn turn(&mut self, hour: (u8, usize), unix: f64) -> (Wish, String) {
        self.hour = if self.hour == Some(hour) { None } else { Some(hour) };
        let (shift, words) = match self.hour {
            None => (0, "it is now again".to_owned()),
            Some((hour, side)) => {
                let city = self.cities[side];
                let clock = local_clock(&city.zone, unix);
                let minutes = 60 * i64::from(hour) - 60 * i64::from(clock.hour) - i64::from(clock.minute);
                // The nearest one, before or behind.
                let minutes = (minutes + 720).rem_euclid(1_440) - 720;
                (60 * minutes, format!("it is {} in {}", if hour == 0 { "midnight" } else { "noon" }, city.latin))
            }
        };
        self.shift_s = shift;
        (Wish::Tell(self.state()[0].clone()), words)
    }
}

/// Lines that are typed into the terminal, or come through a pipe, from a thread of its own.
pub fn typed() -> std::io::Result<Receiver<String>> {
    let (tell, told) = sync_channel(LINES_MAX);
    if in_the_background() {
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

/// Who reads from a terminal in the background is stopped. Where it is not known it is not so.
fn in_the_background() -> bool {
    // Fields of proc(5) behind the name, which ends with a bracket: state, parent, group, session, terminal, its group.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<i64> = stat.rsplit(')').next().unwrap_or("").split_whitespace().flat_map(str::parse).collect();
    matches!(fields[..], [_, group, _, terminal, foreground, ..] if terminal != 0 && group != foreground)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::city;

    #[test]
    fn a_key_does_and_undoes() {
        let cities = ["shenzhen", "dublin"].map(|slug| city(slug).expect("it is one of ours"));
        let mut keys = Keys::new(cities, Duration::from_millis(73));
        // 2026-11-23 17:30 in Dublin, 1:30 in Shenzhen.
        let unix = 1_795_455_000.0;
        let mut press = |key, side| keys.press(key, side, unix);
        assert_eq!(press(Key::Link, 0), (Wish::Cut(true), "the link is cut".into()));
        assert_eq!(press(Key::Link, 1).0, Wish::Cut(false));
        assert_eq!(press(Key::Twin, 0).0, Wish::Sleep(1, true));
        assert_eq!(press(Key::Twin, 0), (Wish::Sleep(1, false), "Dublin wakes up".into()));
        assert_eq!(press(Key::Noon, 1).0, Wish::Tell(format!("shift {}", -(5 * 60 + 30) * 60)));
        assert_eq!(press(Key::Midnight, 0).0, Wish::Tell(format!("shift {}", -90 * 60)));
        assert_eq!(press(Key::Midnight, 0).0, Wish::Tell("shift 0".into()));
        assert_eq!(press(Key::Knows, 0).0, Wish::Tell("knows on".into()));
        let far: Vec<Wish> = (0..5).map(|_| press(Key::Distance, 0).0).collect();
        assert_eq!(far[4], Wish::Far(Duration::from_millis(73)));
        assert_eq!(far[0], Wish::Far(Duration::from_millis(2)));
    }
}
