//! Jitter buffer for the twin's bodies: delays them slightly so that they move evenly despite network jitter.
//!
//! RFC 3550 and WebRTC do the same for voices.

use super::{Body, Point, Presence, Touch};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Most samples of one body; enough for the longest delay at a hundred camera frames per second.
const SAMPLES_MAX: usize = 64;
/// Longest delay of bodies, in seconds.
const DELAY_MAX: f64 = 0.3;
/// Shortest and longest interval between two camera frames, in seconds, that is interpolated evenly.
const FRAME_INTERVAL: [f64; 2] = [0.016, 0.1];
/// Seconds for which a body without updates keeps walking; then it fades away over `FADE_TIME`.
const EXTRAPOLATE_MAX: f64 = 0.1;
const FADE_TIME: f64 = 0.4;
/// Longer limit in seconds for a standing body, which sends no updates.
const STANDING_PATIENCE: f64 = 0.6;
/// Speed below which a body stands, in canvas units per second.
const STANDING_SPEED: f32 = 20.0;
/// Distance, in canvas units, beyond which a body has not walked to its new position.
const JUMP_DISTANCE: f32 = 400.0;
/// Time constant for forgetting a late arrival, in seconds.
const JITTER_MEMORY: f64 = 8.0;
/// Slew rates at which the delay grows and shrinks: bodies walk that much slower or faster meanwhile.
const DELAY_SLEW: [f64; 2] = [0.2, 0.05];
/// Rate at which a longer base delay is accepted, in seconds per second.
const BASE_DELAY_DRIFT: f64 = 1e-3;

/// Jitter buffer of the twin's bodies.
#[derive(Debug, Clone, Default)]
pub struct JitterBuffer {
    estimator: DelayEstimator,
    tracks: Vec<BodyTrack>,
    touches: Vec<Touch>,
}

/// Estimator of the jitter of arrivals.
#[derive(Debug, Clone, Default)]
struct DelayEstimator {
    /// Time of the last arrival, by our clock.
    last_arrival: Option<f64>,
    /// Difference of our clock from the sender's plus the shortest transit time, in seconds.
    base_delay: f64,
    /// Additional transit time of late arrivals.
    jitter: f64,
    /// Interval between two frames of the sender's cameras.
    frame_interval: f64,
    last_change: Option<f64>,
    delay: f64,
    /// Shortest transit time of late, and the start of that measurement.
    recent_min: (f64, f64),
}

/// Samples of one body.
#[derive(Debug, Clone)]
struct BodyTrack {
    id: u16,
    /// Samples with their times by the sender's clock, in seconds.
    samples: VecDeque<(f64, Arc<Body>)>,
    /// Time until which the last sample is known to hold.
    known_until: f64,
    gone_at: Option<f64>,
}

impl DelayEstimator {
    fn update(&mut self, now: f64, sent: f64, changed: bool) {
        let late = now - sent;
        let passed = match self.last_arrival.replace(now) {
            Some(last) => (now - last).clamp(0.0, 1.0),
            None => {
                (self.base_delay, self.frame_interval, self.recent_min) = (late, FRAME_INTERVAL[0], (late, now));
                0.0
            }
        };
        self.base_delay = (self.base_delay + passed * BASE_DELAY_DRIFT).min(late);
        self.recent_min.0 = self.recent_min.0.min(late);
        if now - self.recent_min.1 > 1.0 {
            // All arrivals take so much longer that a delay would not help: the path has changed.
            if self.recent_min.0 > self.base_delay + DELAY_MAX {
                self.base_delay = self.recent_min.0;
            }
            self.recent_min = (late, now);
        }
        let late = (late - self.base_delay).clamp(0.0, DELAY_MAX);
        let forgotten = 1.0 - (-passed / JITTER_MEMORY).exp();
        self.jitter = if late > self.jitter { late } else { self.jitter + (late - self.jitter) * forgotten };
        if changed && let Some(before) = self.last_change.replace(sent).filter(|before| sent - before < 0.5) {
            self.frame_interval += (sent - before - self.frame_interval) * 0.2;
        }
        let wanted = (self.jitter + self.frame_interval.clamp(FRAME_INTERVAL[0], FRAME_INTERVAL[1])).min(DELAY_MAX);
        self.delay += (wanted - self.delay).clamp(-passed * DELAY_SLEW[1], passed * DELAY_SLEW[0]);
    }
}

impl JitterBuffer {
    /// Adds a presence received at `now`; `sent` is its time by the sender's clock.
    pub fn push(&mut self, now: Duration, sent: Duration, presence: &Presence) {
        let (now, sent) = (now.as_secs_f64(), sent.as_secs_f64());
        self.touches.clone_from(&presence.touches);
        let mut changed = false;
        for body in &presence.bodies {
            match self.tracks.iter_mut().find(|track| track.id == body.id && track.gone_at.is_none()) {
                Some(track) => changed |= track.push(sent, body),
                None => {
                    changed = true;
                    let instants = VecDeque::from([(sent, Arc::new(body.clone()))]);
                    self.tracks.push(BodyTrack { id: body.id, samples: instants, known_until: sent, gone_at: None });
                }
            }
        }
        self.estimator.update(now, sent, changed);
        let shown = now - self.estimator.base_delay - self.estimator.delay;
        for track in &mut self.tracks {
            if track.gone_at.is_none() && presence.bodies.iter().all(|body| body.id != track.id) {
                track.gone_at = Some(sent);
            }
        }
        self.tracks.retain(|track| track.gone_at.is_none_or(|gone| gone > shown));
    }

    /// Returns the current delay of bodies beyond the shortest transit time.
    pub fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.estimator.delay.clamp(0.0, DELAY_MAX))
    }

    /// Returns the presence to be shown; touches are current, since no touch is delayed.
    pub fn sample(&self, now: Duration) -> Presence {
        let shown = now.as_secs_f64() - self.estimator.base_delay - self.estimator.delay;
        let bodies = self.tracks.iter().filter_map(|track| track.sample(shown)).collect();
        Presence { touches: self.touches.clone(), bodies }
    }
}

impl BodyTrack {
    /// Adds a sample; returns true if the body has changed.
    fn push(&mut self, sent: f64, body: &Body) -> bool {
        let Some((last, known)) = self.samples.back() else { return false };
        if sent <= *last {
            return false;
        }
        self.known_until = self.known_until.max(sent);
        if **known == *body {
            return false;
        }
        // This keeps all samples that may still be shown, and the one before.
        let over = |at: &(f64, Arc<Body>)| at.0 < sent - DELAY_MAX - FRAME_INTERVAL[1];
        while self.samples.len() == SAMPLES_MAX || self.samples.get(1).is_some_and(over) {
            self.samples.pop_front();
        }
        self.samples.push_back((sent, Arc::new(body.clone())));
        true
    }

    fn sample(&self, shown: f64) -> Option<Body> {
        let (first, _) = self.samples.front()?;
        if shown < *first || self.gone_at.is_some_and(|gone| shown >= gone) {
            return None;
        }
        let after = self.samples.partition_point(|(at, _)| *at <= shown);
        let (from, body) = &self.samples[after - 1];
        let Some((to, next)) = self.samples.get(after) else { return self.extrapolate(shown) };
        let step = (to - from).min(FRAME_INTERVAL[1]);
        let part = ((shown - (to - step)) / step).clamp(0.0, 1.0) as f32;
        let way = displacement(body, next);
        let walked = if length(way) > JUMP_DISTANCE { [0.0; 2] } else { way.map(|axis| axis * part) };
        Some(translated(body, walked, 0.0))
    }

    /// Returns the body after its last sample.
    fn extrapolate(&self, shown: f64) -> Option<Body> {
        let (last, body) = self.samples.back()?;
        let speed = self.velocity();
        let walks = length(speed) > STANDING_SPEED;
        let silent = (shown - self.known_until.max(*last)).max(0.0);
        let patience = if walks { EXTRAPOLATE_MAX } else { STANDING_PATIENCE };
        let faded = ((silent - patience) / FADE_TIME).clamp(0.0, 1.0) as f32;
        let on = silent.min(EXTRAPOLATE_MAX) as f32 * f32::from(u8::from(walks));
        (faded < 1.0).then(|| translated(body, speed.map(|axis| axis * on), faded))
    }

    /// Returns its last velocity.
    fn velocity(&self) -> Point {
        let newest = self.samples.len();
        let Some((last, body)) = self.samples.back() else { return [0.0; 2] };
        match newest.checked_sub(2).and_then(|before| self.samples.get(before)) {
            // A body that has not changed for longer stood.
            _ if self.known_until - last > FRAME_INTERVAL[1] => [0.0; 2],
            Some((from, before))
                if last - from < 2.0 * FRAME_INTERVAL[1] && length(displacement(before, body)) < JUMP_DISTANCE =>
            {
                displacement(before, body).map(|axis| axis / (last - from) as f32)
            }
            _ => body.velocity,
        }
    }
}

/// Returns the distance between two samples: of the middle of the outline, which has less noise than the foot.
fn displacement(from: &Body, to: &Body) -> Point {
    let [a, b] = [from, to].map(|body| {
        let count = body.outline.len().max(1) as f32;
        let sum = body.outline.iter().fold([0.0; 2], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
        if body.outline.is_empty() { body.foot } else { sum.map(|axis| axis / count) }
    });
    [b[0] - a[0], b[1] - a[1]]
}

fn length([x, y]: Point) -> f32 {
    x.hypot(y)
}

fn translated(body: &Body, [x, y]: Point, faded: f32) -> Body {
    let shift = |point: &Point| [point[0] + x, point[1] + y];
    Body {
        foot: shift(&body.foot),
        head: shift(&body.head),
        reach: body.reach.as_ref().map(shift),
        outline: body.outline.iter().map(shift).collect(),
        faded,
        ..*body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED: f32 = 300.0;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Returns a person who walks to the right, as a camera of 15 frames per second sees it at `at`.
    fn walker(at: Duration) -> Presence {
        let picture = (at.as_secs_f64() * 15.0).floor() / 15.0;
        let x = picture as f32 * SPEED;
        let outline = vec![[x, 0.0], [x + 40.0, 0.0], [x + 40.0, 200.0], [x, 200.0]];
        let body = Body { id: 3, people: 1, foot: [x, 200.0], velocity: [SPEED, 0.0], outline, ..Body::default() };
        Presence { touches: vec![], bodies: vec![body] }
    }

    /// Plays the walker over a path until `end`; returns the shown position and fading of each frame, 60 per second.
    fn watch(seed: u64, jitter: u64, loss: f64, silent_from: u64, end: u64) -> Vec<(f32, f32)> {
        let mut random = fastrand::Rng::with_seed(seed);
        let sent = (0..end * 60 / 1000).map(|tick| Duration::from_micros(tick * 16_667));
        let mut flying: Vec<(Duration, Duration)> = sent
            .filter(|sent| *sent < ms(silent_from))
            .filter_map(|sent| {
                let late = ms(74) + ms(jitter).mul_f64(random.f64());
                (random.f64() >= loss).then_some((sent + late, sent))
            })
            .collect();
        flying.sort();
        let (mut playout, mut next, mut shown, mut newest) = (JitterBuffer::default(), 0, vec![], Duration::ZERO);
        for frame in 0..end * 60 / 1000 {
            let now = Duration::from_micros(frame * 16_667 + 3_000);
            while let Some((arrives, sent)) = flying.get(next).copied().filter(|(arrives, _)| *arrives <= now) {
                next += 1;
                // The link discards updates that are older than the newest.
                if sent >= newest {
                    newest = sent;
                    // The sender's clock has another origin.
                    playout.push(arrives, sent + ms(500_000), &walker(sent));
                }
            }
            shown.push(playout.sample(now).bodies.first().map_or((f32::NAN, 1.0), |body| (body.foot[0], body.faded)));
        }
        shown
    }

    #[test]
    fn who_walks_evenly_is_shown_walking_evenly() {
        for seed in 0..50 {
            for (jitter, loss) in [(0, 0.0), (10, 0.01), (30, 0.05)] {
                let shown = watch(seed, jitter, loss, u64::MAX, 12_000);
                // The buffer has found its size by then.
                let steps: Vec<f32> = shown[300..].windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
                let even = SPEED / 60.0;
                for step in &steps {
                    assert!(*step >= -0.1, "he walks back by {step}, jitter {jitter}, seed {seed}");
                    assert!(*step < 4.0 * even, "he jumps by {step}, jitter {jitter}, seed {seed}");
                }
                let uneven = steps.iter().filter(|step| (**step - even).abs() > 0.6 * even).count();
                assert!(uneven * 20 <= steps.len(), "{uneven} of {} steps, jitter {jitter}, seed {seed}", steps.len());
            }
        }
    }

    #[test]
    fn bodies_are_held_back_by_what_differs_and_not_by_the_way() {
        let delay = |one_way: u64, jitter: u64| {
            let (mut playout, mut random) = (JitterBuffer::default(), fastrand::Rng::with_seed(1));
            for tick in 0..1_200 {
                let sent = Duration::from_micros(tick * 16_667);
                let late = ms(one_way) + ms(jitter).mul_f64(random.f64());
                playout.push(sent + late, sent, &walker(sent));
            }
            playout.delay()
        };
        assert!(delay(8, 0) < ms(75), "{:?}", delay(8, 0));
        let differ = delay(200, 0).abs_diff(delay(8, 0));
        assert!(differ < ms(1), "{differ:?}");
        let more = delay(74, 40) - delay(74, 0);
        assert!((ms(30)..ms(45)).contains(&more), "{more:?}");
    }

    #[test]
    fn who_is_not_heard_of_walks_on_for_a_tenth_of_a_second_and_fades() {
        let shown = watch(1, 5, 0.0, 5_000, 7_000);
        let last: Vec<_> = shown.iter().filter(|(x, _)| x.is_finite()).collect();
        let (end, faded) = last[last.len() - 1];
        // A body never stands in mid-step for longer than a camera interval: one that stops walking fades.
        let stands = last.windows(2).filter(|pair| pair[0].0 > 1_000.0 && pair[1].0 == pair[0].0 && pair[1].1 == 0.0);
        assert!(stands.count() <= 5);
        let fading = last.iter().position(|(_, faded)| *faded > 0.0).expect("he fades");
        assert!(last[fading..].windows(2).all(|pair| pair[1].1 >= pair[0].1) && *faded > 0.9);
        assert!((5.0 * SPEED..5.12 * SPEED).contains(end), "{end}");
        assert!(shown[shown.len() - 30..].iter().all(|(x, _)| x.is_nan()), "he is gone");
    }

    #[test]
    fn who_stands_is_not_faded_between_two_heartbeats() {
        let mut playout = JitterBuffer::default();
        let standing = walker(Duration::ZERO);
        for beat in 0..40 {
            let sent = ms(125 * beat);
            playout.push(sent + ms(80), sent, &standing);
            for later in [0, 60, 120, 300] {
                let there = playout.sample(sent + ms(80 + later));
                assert!(beat < 2 || there.bodies[0].faded == 0.0, "beat {beat}, {later} ms later");
            }
        }
    }

    #[test]
    fn a_way_that_has_become_much_longer_is_believed_within_seconds() {
        let mut playout = JitterBuffer::default();
        for tick in 0..1_200_u64 {
            let sent = Duration::from_micros(tick * 16_667);
            let one_way = if tick < 300 { ms(50) } else { ms(1_050) };
            playout.push(sent + one_way, sent, &walker(sent));
            if tick > 300 + 60 * 3 {
                let there = playout.sample(sent + one_way);
                assert!(there.bodies.first().is_some_and(|body| body.faded == 0.0), "tick {tick}");
            }
        }
    }

    #[test]
    fn a_stall_hides_nobody_who_is_seen_sixty_times_a_second() {
        let fine = |at: Duration| {
            let mut there = walker(at);
            let x = at.as_secs_f32() * SPEED;
            there.bodies[0].outline.iter_mut().for_each(|point| point[0] += x);
            there
        };
        let mut playout = JitterBuffer::default();
        for tick in 0..900_u64 {
            let sent = Duration::from_micros(tick * 16_667);
            // Nothing arrives for a quarter of a second; then everything at once.
            let late =
                if (300..315).contains(&tick) { ms(250) - Duration::from_micros((tick - 300) * 16_667) } else { ms(0) };
            playout.push(sent + ms(50) + late, sent, &fine(sent));
            if tick > 320 {
                assert_eq!(playout.sample(sent + ms(50)).bodies.len(), 1, "tick {tick}");
            }
        }
    }

    #[test]
    fn who_leaves_and_who_comes_does_so_once() {
        let mut playout = JitterBuffer::default();
        for tick in 0..200 {
            let sent = ms(16 * tick);
            let there = if (50..100).contains(&tick) { walker(sent) } else { Presence::default() };
            playout.push(sent + ms(50), sent, &there);
        }
        assert!(playout.tracks.is_empty() && playout.sample(ms(4_000)).bodies.is_empty());
    }
}
