//! Record of a scene's editions: those that crash the show are put aside, those that ran for long are worth keeping. Pure: the
//! caller owns the clock.

use std::collections::VecDeque;
use std::time::Duration;

/// An edition that crashes this often within this time is put aside.
const CRASHES: (usize, Duration) = (2, Duration::from_secs(5 * 60));
/// Most entries remembered in each list; beyond that the oldest is dropped.
const EDITIONS_MAX: usize = 16;

/// History of a scene's editions, by their digests.
#[derive(Debug)]
pub struct Ladder {
    times: Times,
    crashes: VecDeque<(Duration, String)>,
    aside: VecDeque<Aside>,
    /// Editions that were shown for long.
    proven: VecDeque<String>,
    living: Option<Living>,
}

/// Thresholds in time.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// An edition shown for this long without a crash is worth keeping.
    pub lived: Duration,
    /// Delay before such an edition is retried after it was put aside, as something else may have caused its crashes.
    pub again: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { lived: Duration::from_secs(10 * 60), again: Duration::from_secs(60 * 60) }
    }
}

/// An edition that must not be shown.
#[derive(Debug)]
struct Aside {
    edition: String,
    /// Time at which it is retried; none if it was never proven.
    until: Option<Duration>,
}

/// The edition that is shown.
#[derive(Debug)]
struct Living {
    edition: String,
    since: Duration,
    told: bool,
}

impl Ladder {
    /// Creates a ladder that knows which editions were proven in earlier runs.
    pub fn new(times: Times, proven: impl IntoIterator<Item = String>) -> Self {
        let proven = proven.into_iter().take(EDITIONS_MAX).collect();
        Self { times, crashes: VecDeque::new(), aside: VecDeque::new(), proven, living: None }
    }

    /// Returns the editions that must not be shown.
    pub fn aside(&self) -> impl Iterator<Item = &str> {
        self.aside.iter().map(|aside| aside.edition.as_str())
    }

    /// Notes a start of the show: the time of the edition shown counts from zero again.
    pub fn begins(&mut self) {
        self.living = None;
    }

    /// Notes the edition shown and if it is `well`. Returns true once, when it has been shown for long and is well.
    pub fn shows(&mut self, now: Duration, edition: Option<&str>, well: bool) -> bool {
        if self.living.as_ref().map(|living| living.edition.as_str()) != edition {
            self.living = edition.map(|edition| Living { edition: edition.into(), since: now, told: false });
        }
        let Some(living) = self.living.as_mut().filter(|living| !living.told && well) else { return false };
        living.told = now.saturating_sub(living.since) >= self.times.lived;
        if living.told && !self.proven.contains(&living.edition) {
            remember(&mut self.proven, living.edition.clone());
        }
        living.told
    }

    /// Notes a crash of the show while this edition was shown or read. Returns true if the edition is put aside for it.
    pub fn crashed(&mut self, now: Duration, edition: &str) -> bool {
        let (count, within) = CRASHES;
        self.crashes.retain(|(at, _)| now.saturating_sub(*at) <= within);
        remember(&mut self.crashes, (now, edition.to_owned()));
        let crashes = self.crashes.iter().filter(|(_, one)| one == edition).count();
        if crashes < count || self.aside().any(|one| one == edition) {
            return false;
        }
        self.crashes.retain(|(_, one)| one != edition);
        let until = self.proven.iter().any(|one| one == edition).then_some(now + self.times.again);
        remember(&mut self.aside, Aside { edition: edition.to_owned(), until });
        true
    }

    /// Returns the next edition that is due for a retry and takes it off the list.
    pub fn again(&mut self, now: Duration) -> Option<String> {
        let due = self.aside.iter().position(|aside| aside.until.is_some_and(|until| until <= now))?;
        self.aside.remove(due).map(|aside| aside.edition)
    }
}

fn remember<T>(list: &mut VecDeque<T>, what: T) {
    if list.len() >= EDITIONS_MAX {
        list.pop_front();
    }
    list.push_back(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn aside(ladder: &Ladder) -> Vec<&str> {
        ladder.aside().collect()
    }

    #[test]
    fn two_crashes_within_five_minutes_put_an_edition_aside() {
        let mut ladder = Ladder::new(Times::default(), []);
        assert!(!ladder.crashed(MINUTE, "a"));
        assert!(ladder.crashed(6 * MINUTE, "a"));
        assert_eq!(aside(&ladder), ["a"]);
    }

    #[test]
    fn crashes_that_are_further_apart_do_not() {
        let mut ladder = Ladder::new(Times::default(), []);
        for hour in 0..100_u32 {
            assert!(!ladder.crashed(hour * 6 * MINUTE, "a"), "{hour}");
        }
        assert_eq!(ladder.crashes.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn each_edition_has_its_own_account() {
        let mut ladder = Ladder::new(Times::default(), []);
        assert!(!ladder.crashed(MINUTE, "a") && !ladder.crashed(MINUTE, "b"));
        assert!(ladder.crashed(2 * MINUTE, "b"));
        assert!(ladder.crashed(3 * MINUTE, "a"));
        assert!(!ladder.crashed(3 * MINUTE, "a"), "it is told once");
        assert_eq!(aside(&ladder), ["b", "a"]);
    }

    #[test]
    fn editions_beyond_the_bound_are_tried_again() {
        let mut ladder = Ladder::new(Times::default(), []);
        for edition in 0..100 {
            ladder.crashed(MINUTE, &edition.to_string());
            assert!(ladder.crashed(MINUTE, &edition.to_string()));
        }
        assert_eq!((ladder.aside.len(), &*ladder.aside[0].edition), (EDITIONS_MAX, "84"));
    }

    #[test]
    fn an_edition_that_lived_for_ten_minutes_is_told_of_once() {
        let mut ladder = Ladder::new(Times::default(), []);
        assert!(!ladder.shows(MINUTE, Some("a"), true));
        assert!(!ladder.shows(10 * MINUTE, Some("a"), true));
        assert!(!ladder.shows(11 * MINUTE, Some("a"), false), "it is not well");
        assert!(ladder.shows(12 * MINUTE, Some("a"), true));
        assert!(!ladder.shows(13 * MINUTE, Some("a"), true));
    }

    #[test]
    fn another_edition_and_another_start_begin_to_live_again() {
        let mut ladder = Ladder::new(Times::default(), []);
        ladder.shows(Duration::ZERO, Some("a"), true);
        ladder.shows(9 * MINUTE, Some("b"), true);
        assert!(!ladder.shows(18 * MINUTE, Some("b"), true));
        ladder.begins();
        assert!(!ladder.shows(20 * MINUTE, Some("b"), true));
        assert!(!ladder.shows(29 * MINUTE, Some("b"), true));
        assert!(!ladder.shows(30 * MINUTE, None, true), "the gate of light is not an edition");
    }

    #[test]
    fn one_that_had_lived_is_tried_again_after_an_hour_and_others_are_not() {
        let mut ladder = Ladder::new(Times::default(), ["good".to_owned()]);
        ladder.shows(Duration::ZERO, Some("also good"), true);
        ladder.shows(10 * MINUTE, Some("also good"), true);
        for edition in ["good", "bad", "also good"] {
            assert!(!ladder.crashed(10 * MINUTE, edition) && ladder.crashed(10 * MINUTE, edition));
        }
        assert_eq!(ladder.again(69 * MINUTE), None);
        assert_eq!(ladder.again(70 * MINUTE).as_deref(), Some("good"));
        assert_eq!(ladder.again(70 * MINUTE).as_deref(), Some("also good"));
        assert_eq!((ladder.again(10_000 * MINUTE), aside(&ladder)), (None, vec!["bad"]));
        assert!(!ladder.crashed(71 * MINUTE, "good") && ladder.crashed(72 * MINUTE, "good"), "it begins with nothing");
    }
}
