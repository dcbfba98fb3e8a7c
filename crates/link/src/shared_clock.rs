//! Shared clock of both cities (`now` in scenes). The younger site follows the elder's clock smoothly.

use std::time::Duration;

/// Maximum slew of the shared clock, as a fraction of time.
const SLEW: f64 = 0.02;
/// Difference in seconds above which the correction waits for the next start of a scene.
const SLEW_LIMIT: f64 = 2.0;
/// Maximum age of a show, in seconds (ten years). A twin that reports more is wrong.
const AGE_MAX: f64 = 3.2e8;
/// Difference in seconds below which the clock exchange cannot measure.
const DEAD_BAND: f64 = 0.001;

/// Shared clock of one site: its own age, slewed towards the elder's.
#[derive(Debug)]
pub(super) struct SharedClock {
    last: Duration,
    /// Shared clock at `last`, in seconds.
    value: f64,
    /// Lead of the elder over `value`, in seconds; zero at the elder itself.
    behind: f64,
}

impl SharedClock {
    pub fn new(now: Duration) -> Self {
        Self { last: now, value: 0.0, behind: 0.0 }
    }

    /// Returns the shared clock, in seconds since the elder site started. It never goes back.
    pub fn now(&mut self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.last).as_secs_f64();
        self.last = self.last.max(now);
        let gained = if self.behind <= SLEW_LIMIT { (passed * SLEW).min(self.behind) } else { 0.0 };
        self.behind -= gained;
        self.value += passed + gained;
        self.value
    }

    /// Records the twin's shared clock at `now`. The clock of a younger twin is ignored.
    pub fn observe(&mut self, now: Duration, theirs: f64) {
        let ahead = theirs - self.now(now);
        if ahead.is_finite() && theirs < AGE_MAX {
            self.behind = if ahead > DEAD_BAND { ahead } else { 0.0 };
        }
    }

    /// Jumps by the whole of a large difference. A scene starts, so nothing on the screen depends on the clock.
    pub fn jump(&mut self, now: Duration) {
        self.now(now);
        self.value += std::mem::take(&mut self.behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_younger_catches_up_smoothly() {
        let mut younger = SharedClock::new(ms(10_000));
        younger.observe(ms(10_000), 1.0);
        let mut last = 0.0;
        for step in 1..=6_000 {
            let now = younger.now(ms(10_000 + step * 10));
            let speed = (now - last) / 0.010;
            assert!((0.999..=1.0201).contains(&speed), "{speed}");
            last = now;
        }
        assert!((last - 61.0).abs() < 1e-6, "{last}");
    }

    #[test]
    fn a_large_difference_waits_for_a_scene() {
        let mut younger = SharedClock::new(ms(0));
        younger.observe(ms(0), 5_000.0);
        assert!((younger.now(ms(1_000)) - 1.0).abs() < 1e-9);
        younger.jump(ms(1_000));
        assert!((younger.now(ms(1_000)) - 5_001.0).abs() < 1e-9);
    }

    #[test]
    fn the_elder_keeps_its_own_time() {
        let mut elder = SharedClock::new(ms(0));
        elder.now(ms(9_000));
        elder.observe(ms(9_000), 2.0);
        elder.jump(ms(9_000));
        assert!((elder.now(ms(9_500)) - 9.5).abs() < 1e-9);
    }

    /// A 32-bit clock would show a frame late by then, and one that only adds up frames would have lost minutes.
    #[test]
    fn after_60_days_it_is_exact() {
        let (mut elder, mut younger) = (SharedClock::new(ms(5)), SharedClock::new(ms(7_000_000)));
        let day = 86_400_000_u64;
        // The younger site started 10 s later. Its clock is read sixty times a second for an hour of each day. Now
        // and then it observes the elder's clock, by an exchange that is 0.3 ms wrong.
        let at = |since: u64| (ms(5 + since), ms(7_000_000 - 10_000 + since));
        younger.observe(at(10_000).1, elder.now(at(10_000).0));
        younger.jump(at(10_000).1);
        for today in 0..60 {
            for frame in 0..3_600 * 60 {
                let (there, here) = at(today * day + 20_000 + frame * 50 / 3);
                younger.now(here);
                if frame % 480 == 0 {
                    let wrong = if frame % 960 == 0 { 0.0003 } else { -0.0003 };
                    younger.observe(here, elder.now(there) + wrong);
                }
            }
        }
        let (there, here) = at(60 * day);
        let (elder, younger) = (elder.now(there), younger.now(here));
        assert!((elder - 60.0 * 86_400.0).abs() < 1e-5, "{elder}");
        assert!((younger - elder).abs() < 0.002, "{younger} {elder}");
        let next = (ms(5 + 60 * day + 17) - ms(5 + 60 * day)).as_secs_f64();
        assert!((next - 0.017).abs() < 1e-9);
    }
}
