//! History of a scene's editions: those that crash the show are excluded, those that ran for long are worth keeping.
//! Pure: the caller owns the clock.

use std::collections::VecDeque;
use std::time::Duration;

/// An edition that crashes this often within [`CRASH_WINDOW`] is excluded.
const CRASHES_MAX: usize = 2;
/// Time within which crashes of an edition count together.
const CRASH_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Most entries remembered in each list; beyond that the oldest is dropped.
const EDITIONS_MAX: usize = 16;

/// History of a scene's editions, by their digests.
#[derive(Debug)]
pub struct EditionHistory {
    thresholds: EditionThresholds,
    crashes: VecDeque<(Duration, String)>,
    excluded: VecDeque<ExcludedEdition>,
    /// Editions that were shown for long.
    proven: VecDeque<String>,
    current: Option<ShownEdition>,
}

/// Thresholds in time.
#[derive(Debug, Clone, Copy)]
pub struct EditionThresholds {
    /// An edition shown for this long without a crash is worth keeping.
    pub stable_after: Duration,
    /// Delay before such an edition is retried after it was excluded, as something else may have caused its crashes.
    pub retry_after: Duration,
}

impl Default for EditionThresholds {
    fn default() -> Self {
        Self { stable_after: Duration::from_secs(10 * 60), retry_after: Duration::from_secs(60 * 60) }
    }
}

/// An edition that must not be shown.
#[derive(Debug)]
struct ExcludedEdition {
    edition: String,
    /// Time at which it is retried; none if it was never proven.
    retry_at: Option<Duration>,
}

/// The edition that is shown.
#[derive(Debug)]
struct ShownEdition {
    edition: String,
    since: Duration,
    reported: bool,
}

impl EditionHistory {
    /// Creates a history with the editions that were proven in earlier runs.
    pub fn new(times: EditionThresholds, proven: impl IntoIterator<Item = String>) -> Self {
        let proven = proven.into_iter().take(EDITIONS_MAX).collect();
        Self { thresholds: times, crashes: VecDeque::new(), excluded: VecDeque::new(), proven, current: None }
    }

    /// Returns the editions that must not be shown.
    pub fn excluded(&self) -> impl Iterator<Item = &str> {
        self.excluded.iter().map(|aside| aside.edition.as_str())
    }

    /// Records a start of the show: the time of the edition shown counts from zero again.
    pub fn handle_start(&mut self) {
        self.current = None;
    }

    /// Records the edition shown and if it is `well`. Returns true once, when it has been shown for long and is well.
    pub fn handle_shown(&mut self, now: Duration, edition: Option<&str>, well: bool) -> bool {
        if self.current.as_ref().map(|living| living.edition.as_str()) != edition {
            self.current = edition.map(|edition| ShownEdition { edition: edition.into(), since: now, reported: false });
        }
        let Some(living) = self.current.as_mut().filter(|living| !living.reported && well) else { return false };
        living.reported = now.saturating_sub(living.since) >= self.thresholds.stable_after;
        if living.reported && !self.proven.contains(&living.edition) {
            push_bounded(&mut self.proven, living.edition.clone());
        }
        living.reported
    }

    /// Records a crash of the show while this edition was shown or read. Returns true if the edition is excluded as a
    /// result.
    pub fn handle_crash(&mut self, now: Duration, edition: &str) -> bool {
        self.crashes.retain(|(at, _)| now.saturating_sub(*at) <= CRASH_WINDOW);
        push_bounded(&mut self.crashes, (now, edition.to_owned()));
        let crashes = self.crashes.iter().filter(|(_, one)| one == edition).count();
        if crashes < CRASHES_MAX || self.excluded().any(|one| one == edition) {
            return false;
        }
        self.crashes.retain(|(_, one)| one != edition);
        let until = self.proven.iter().any(|one| one == edition).then_some(now + self.thresholds.retry_after);
        push_bounded(&mut self.excluded, ExcludedEdition { edition: edition.to_owned(), retry_at: until });
        true
    }

    /// Returns the next edition that is due for a retry and takes it off the list.
    pub fn take_retry(&mut self, now: Duration) -> Option<String> {
        let due = self.excluded.iter().position(|aside| aside.retry_at.is_some_and(|until| until <= now))?;
        self.excluded.remove(due).map(|aside| aside.edition)
    }
}

fn push_bounded<T>(list: &mut VecDeque<T>, what: T) {
    if list.len() >= EDITIONS_MAX {
        list.pop_front();
    }
    list.push_back(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn aside(ladder: &EditionHistory) -> Vec<&str> {
        ladder.excluded().collect()
    }

    #[test]
    fn two_crashes_within_five_minutes_put_an_edition_aside() {
        let mut ladder = EditionHistory::new(EditionThresholds::default(), []);
        assert!(!ladder.handle_crash(MINUTE, "a"));
        assert!(ladder.handle_crash(6 * MINUTE, "a"));
        assert_eq!(aside(&ladder), ["a"]);
    }

    #[test]
    fn crashes_that_are_further_apart_do_not() {
        let mut ladder = EditionHistory::new(EditionThresholds::default(), []);
        for hour in 0..100_u32 {
            assert!(!ladder.handle_crash(hour * 6 * MINUTE, "a"), "{hour}");
        }
        assert_eq!(ladder.crashes.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn each_edition_has_its_own_account() {
        let mut ladder = EditionHistory::new(EditionThresholds::default(), []);
        assert!(!ladder.handle_crash(MINUTE, "a") && !ladder.handle_crash(MINUTE, "b"));
        assert!(ladder.handle_crash(2 * MINUTE, "b"));
        assert!(ladder.handle_crash(3 * MINUTE, "a"));
        assert!(!ladder.handle_crash(3 * MINUTE, "a"), "it is told once");
        assert_eq!(aside(&ladder), ["b", "a"]);
    }

    #[test]
    fn editions_beyond_the_bound_are_tried_again() {
        let mut ladder = EditionHistory::new(EditionThresholds::default(), []);
        for edition in 0..100 {
            ladder.handle_crash(MINUTE, &edition.to_string());
            assert!(ladder.handle_crash(MINUTE, &edition.to_string()));
        }
        assert_eq!((ladder.excluded.len(), &*ladder.excluded[0].edition), (EDITIONS_MAX, "84"));
    }

    #[test]
    fn an_edition_that_lived_for_ten_minutes_is_told_of_once() {
        let mut ladder = EditionHistory::new(EditionThresholds::default(), []);
        assert!(!ladder.handle_shown(MINUTE, Some("a"), true));
        assert!(!ladder.handle_shown(10 * MINUTE, Some("a"), true));
        assert!(!ladder.handle_shown(11 * MINUTE, Some("a"), false), "it is not well");
        assert!(ladder.handle_shown(12 * MINUTE, Some("a"), true));
        assert!(!ladder.handle_shown(13 * MINUTE, Some("a"), true));
    }

    #[test]
    fn another_edition_and_another_start_begin_to_live_again() {
        let mut ladder = EditionHistory::new(EditionThresholds::default(), []);
        ladder.handle_shown(Duration::ZERO, Some("a"), true);
        ladder.handle_shown(9 * MINUTE, Some("b"), true);
        assert!(!ladder.handle_shown(18 * MINUTE, Some("b"), true));
        ladder.handle_start();
        assert!(!ladder.handle_shown(20 * MINUTE, Some("b"), true));
        assert!(!ladder.handle_shown(29 * MINUTE, Some("b"), true));
        assert!(!ladder.handle_shown(30 * MINUTE, None, true), "the gate of light is not an edition");
    }

    #[test]
    fn one_that_had_lived_is_tried_again_after_an_hour_and_others_are_not() {
        let mut ladder = EditionHistory::new(EditionThresholds::default(), ["good".to_owned()]);
        ladder.handle_shown(Duration::ZERO, Some("also good"), true);
        ladder.handle_shown(10 * MINUTE, Some("also good"), true);
        for edition in ["good", "bad", "also good"] {
            assert!(!ladder.handle_crash(10 * MINUTE, edition) && ladder.handle_crash(10 * MINUTE, edition));
        }
        assert_eq!(ladder.take_retry(69 * MINUTE), None);
        assert_eq!(ladder.take_retry(70 * MINUTE).as_deref(), Some("good"));
        assert_eq!(ladder.take_retry(70 * MINUTE).as_deref(), Some("also good"));
        assert_eq!((ladder.take_retry(10_000 * MINUTE), aside(&ladder)), (None, vec!["bad"]));
        assert!(
            !ladder.handle_crash(71 * MINUTE, "good") && ladder.handle_crash(72 * MINUTE, "good"),
            "it begins with nothing"
        );
    }
}
