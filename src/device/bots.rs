//! Simulated visitors for rehearsal and tests: they touch, on a thread of their own, through the same site as real
//! touches.

use super::site_handle::SiteHandle;
use crate::presence::{Phase, Point, PointerKind};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Device number of simulated visitors; windows count from 0.
pub const BOT_DEVICE: u32 = 1_000;
/// Interval between two moves of a dragging visitor.
const MOVE_INTERVAL: Duration = Duration::from_millis(16);

/// Preset of simulated visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotPreset {
    /// No visitors.
    Nobody,
    /// One visitor who tries things out.
    One,
    /// One hesitant visitor: rare, brief touches.
    Shy,
    /// Forty visitors.
    Forty,
    /// A visitor who hammers with all fingers.
    Vandal,
    /// A cleaner who wipes the whole screen with a cloth, row by row.
    Cleaner,
}

/// Presets by their names.
const PRESETS: [(&str, BotPreset); 6] = [
    ("nobody", BotPreset::Nobody),
    ("one", BotPreset::One),
    ("shy", BotPreset::Shy),
    ("forty", BotPreset::Forty),
    ("vandal", BotPreset::Vandal),
    ("cleaner", BotPreset::Cleaner),
];

impl std::fmt::Display for BotPreset {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let name = PRESETS.iter().find(|(_, cast)| cast == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for BotPreset {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        PRESETS.into_iter().find(|(known, _)| *known == word).map(|(_, cast)| cast).ok_or_else(|| {
            let known = PRESETS.map(|(known, _)| known);
            let meant = crate::config::closest_match(word, known).map(|meant| format!("; did you mean {meant}?"));
            format!(
                "there is no cast \"{word}\"{}",
                meant.unwrap_or_else(|| format!("; there are {}", known.join(", ")))
            )
        })
    }
}

impl BotPreset {
    /// Returns the number of visitors, the range of seconds between two touches of one, and of the seconds a touch
    /// lasts.
    fn timing(self) -> (usize, [f64; 2], [f64; 2]) {
        match self {
            Self::Nobody => (0, [1.0, 1.0], [1.0, 1.0]),
            Self::One => (1, [0.4, 2.0], [0.2, 1.6]),
            Self::Shy => (1, [3.0, 7.0], [0.1, 0.3]),
            Self::Forty => (40, [2.0, 9.0], [0.2, 2.0]),
            Self::Vandal => (10, [0.02, 0.2], [0.03, 0.3]),
            // These are the touches that a screen detects in a cloth, together.
            Self::Cleaner => (3, [0.3, 0.3], [1.8, 1.8]),
        }
    }
}

/// State of one visitor.
#[derive(Debug)]
struct Bot {
    /// Time of its next step, in seconds since the start.
    due: f64,
    /// Current touch: its start and end points, start and end times.
    touch: Option<(Point, Point, f64, f64)>,
    /// Number of touches so far.
    touches: u32,
}

/// Simulation of a preset from a seed; pure, so that it can run on any clock.
#[derive(Debug)]
pub struct BotSim {
    timing: (usize, [f64; 2], [f64; 2]),
    wiping: bool,
    canvas: Point,
    random: fastrand::Rng,
    bots: Vec<Bot>,
}

impl BotSim {
    /// Creates the visitors of a preset before a canvas of this size in units.
    pub fn new(cast: BotPreset, canvas: Point, seed: u64) -> Self {
        let habits = cast.timing();
        let mut random = fastrand::Rng::with_seed(seed);
        let wipes = cast == BotPreset::Cleaner;
        let due = |random: &mut _| if wipes { 0.5 } else { random_in(random, [0.2, habits.1[1]]) };
        let visitors = (0..habits.0).map(|_| Bot { due: due(&mut random), touch: None, touches: 0 }).collect();
        Self { timing: habits, wiping: wipes, canvas, random, bots: visitors }
    }

    /// Returns the time of the next step, in seconds since the start.
    pub fn next_due(&self) -> Option<f64> {
        self.bots.iter().map(|visitor| visitor.due).reduce(f64::min)
    }

    /// Returns all touch events due at `now`: visitor, phase, position.
    pub fn poll_touches(&mut self, now: f64) -> Vec<(usize, Phase, Point)> {
        let mut acts = Vec::new();
        let Self { timing: (_, pause, length), wiping: wipes, canvas, random, bots: visitors } = self;
        for (i, visitor) in visitors.iter_mut().enumerate().filter(|(_, visitor)| visitor.due <= now) {
            match visitor.touch {
                None => {
                    let (from, drift) = if *wipes {
                        wipe_stroke(visitor.touches, i)
                    } else {
                        // People reach for the middle of a wall, not for its corners.
                        let from = [random_in(random, [0.08, 0.92]), random_in(random, [0.38, 0.9])];
                        (from, [random_in(random, [-0.2, 0.2]), random_in(random, [-0.12, 0.12])])
                    };
                    visitor.touches = visitor.touches.wrapping_add(1);
                    let point = |x: f64, y: f64| {
                        [x.clamp(0.02, 0.98) as f32 * canvas[0], y.clamp(0.02, 0.98) as f32 * canvas[1]]
                    };
                    let ends = (point(from[0], from[1]), point(from[0] + drift[0], from[1] + drift[1]));
                    visitor.touch = Some((ends.0, ends.1, now, now + random_in(random, *length)));
                    visitor.due = now + MOVE_INTERVAL.as_secs_f64();
                    acts.push((i, Phase::Down, ends.0));
                }
                Some((from, to, since, until)) => {
                    let t = ((now - since) / (until - since)).clamp(0.0, 1.0) as f32;
                    let t = t * t * (3.0 - 2.0 * t);
                    let at = [from[0] + (to[0] - from[0]) * t, from[1] + (to[1] - from[1]) * t];
                    if now >= until {
                        visitor.touch = None;
                        visitor.due = now + random_in(random, *pause);
                        acts.push((i, Phase::Up, at));
                    } else {
                        visitor.due = now + MOVE_INTERVAL.as_secs_f64();
                        acts.push((i, Phase::Move, at));
                    }
                }
            }
        }
        acts
    }
}

/// Returns the `n`th stroke of a cloth, in fractions of the canvas: its start and its extent.
///
/// Strokes go from the top down, to and fro, then again.
fn wipe_stroke(n: u32, finger: usize) -> ([f64; 2], [f64; 2]) {
    const ROWS: u32 = 6;
    let down = 0.12 + 0.8 * f64::from(n % ROWS) / f64::from(ROWS - 1) - 0.04 * finger as f64;
    let side = if n.is_multiple_of(2) { 1.0 } else { -1.0 };
    ([0.5 - 0.45 * side, down], [0.9 * side, 0.02])
}

fn random_in(random: &mut fastrand::Rng, [from, to]: [f64; 2]) -> f64 {
    from + (to - from) * random.f64()
}

/// Starts the visitors of a preset on a thread of their own, for as long as the process lives. `canvas` is in its
/// units.
pub fn spawn_bots(cast: BotPreset, canvas: Point, seed: u64, site: SiteHandle) -> std::io::Result<()> {
    let mut play = BotSim::new(cast, canvas, seed);
    std::thread::Builder::new().name("cast".into()).spawn(move || {
        let began = Instant::now();
        while let Some(next) = play.next_due() {
            std::thread::sleep(Duration::from_secs_f64(next).saturating_sub(began.elapsed()));
            for (visitor, phase, at) in play.poll_touches(began.elapsed().as_secs_f64()) {
                site.handle_touch((BOT_DEVICE, visitor as u64), phase, at, PointerKind::Cast);
            }
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_plays_the_same_and_stays_on_the_canvas() {
        let run = |seed| {
            let mut play = BotSim::new(BotPreset::Forty, [1920.0, 1080.0], seed);
            let mut all = Vec::new();
            while let Some(next) = play.next_due().filter(|next| *next < 30.0) {
                all.extend(play.poll_touches(next));
            }
            all
        };
        let acts = run(4);
        assert_eq!(acts, run(4));
        assert_ne!(acts, run(5));
        assert!(acts.iter().all(|(_, _, [x, y])| (0.0..1920.0).contains(x) && (0.0..1080.0).contains(y)));
        let count = |phase| acts.iter().filter(|act| act.1 == phase).count();
        assert!(count(Phase::Down) > 100 && count(Phase::Down) - count(Phase::Up) <= 40);
    }

    #[test]
    fn a_cleaner_leaves_nothing_out() {
        let mut play = BotSim::new(BotPreset::Cleaner, [100.0, 100.0], 1);
        let mut wiped = [[false; 10]; 10];
        while let Some(next) = play.next_due().filter(|next| *next < 15.0) {
            for (_, _, [x, y]) in play.poll_touches(next) {
                wiped[(y / 10.0) as usize][(x / 10.0) as usize] = true;
            }
        }
        let left = wiped.iter().flatten().filter(|wiped| !**wiped).count();
        assert!(left <= 20, "{left} of 100 parts: {wiped:?}");
    }

    #[test]
    fn casts_have_names() {
        assert_eq!("shy".parse(), Ok(BotPreset::Shy));
        assert!("fourty".parse::<BotPreset>().expect_err("a slip").contains("did you mean forty?"));
        assert_eq!(BotSim::new(BotPreset::Nobody, [1.0, 1.0], 1).next_due(), None);
    }
}
