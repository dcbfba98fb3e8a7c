//! When the twin's bodies are shown: a little later than they could be, so that they go on evenly however unevenly word
//! of them comes. A jitter buffer, as RFC 3550 and WebRTC have for voices, for people who walk.

use super::{Body, Point, Presence, Touch};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Most instants of one body that are kept; enough for the longest delay at a hundred pictures a second.
const SAMPLES_MAX: usize = 64;
/// The longest that bodies are held back, in seconds.
const DELAY_MAX: f64 = 0.3;
/// Times between two pictures of a camera, in seconds, that a body is walked over evenly.
const FRAME_INTERVAL: [f64; 2] = [0.016, 0.1];
/// Without word, a body walks on for so long, in seconds, then fades away for so long.
const EXTRAPOLATE_MAX: f64 = 0.1;
const FADE_TIME: f64 = 0.4;
/// One that stands may be silent for longer: nothing has to be said of it.
const STANDING_PATIENCE: f64 = 0.6;
/// Slower than this, in canvas units a second, a body stands.
const STANDING_SPEED: f32 = 20.0;
/// One that is farther from where it was, in canvas units, has not walked there.
const JUMP_DISTANCE: f32 = 400.0;
/// What came late once is remembered for about so long, in seconds.
const JITTER_MEMORY: f64 = 8.0;
/// How fast the delay may grow and shrink: bodies walk so much slower or faster meanwhile.
const DELAY_SLEW: [f64; 2] = [0.2, 0.05];
/// How fast a way that has become longer is believed, in seconds a second.
const BASE_DELAY_DRIFT: f64 = 1e-3;

/// The twin's bodies in time.
#[derive(Debug, Clone, Default)]
pub struct JitterBuffer {
    estimator: DelayEstimator,
    tracks: Vec<BodyTrack>,
    touches: Vec<Touch>,
}

/// How unevenly word comes.
#[derive(Debug, Clone, Default)]
struct DelayEstimator {
    /// When word came last, by our clock.
    last_arrival: Option<f64>,
    /// Our clock minus the sender's, and the shortest way, in seconds.
    base_delay: f64,
    /// How much longer others were on their way.
    jitter: f64,
    /// Between two pictures of the sender's cameras.
    frame_interval: f64,
    last_change: Option<f64>,
    delay: f64,
    /// The shortest way of late, and since when.
    recent_min: (f64, f64),
}

/// One body.
#[derive(Debug, Clone)]
struct BodyTrack {
    id: u16,
    /// When it was so, by the sender's clock in seconds.
    samples: VecDeque<(f64, Arc<Body>)>,
    /// Until when it is known to have been so.
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
            // All of it takes so much longer that holding back would not help: it is another way.
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
    /// What was so at `sent`, by the sender's clock, and is known now.
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

    /// How long bodies are held back now, beyond the shortest way.
    pub fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.estimator.delay.clamp(0.0, DELAY_MAX))
    }

    /// Who is to be shown; touches as they are known, since nothing of a touch is held back.
    pub fn sample(&self, now: Duration) -> Presence {
        let shown = now.as_secs_f64() - self.estimator.base_delay - self.estimator.delay;
        let bodies = self.tracks.iter().filter_map(|track| track.sample(shown)).collect();
        Presence { touches: self.touches.clone(), bodies }
    }
}

impl BodyTrack {
    /// True when it is another than before.
    fn push(&mut self, sent: f64, body: &Body) -> bool {
        let Some((last, known)) = self.samples.back() else { return false };
        if sent <= *last {
            return false;
        }
        self.known_until = self.known_until.max(sent);
        if **known == *body {
            return false;
        }
        // All that may still be shown, and the one before.
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

    /// After the last that is known.
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

    /// How fast it went last.
    fn velocity(&self) -> Point {
        let newest = self.samples.len();
        let Some((last, body)) = self.samples.back() else { return [0.0; 2] };
        match newest.checked_sub(2).and_then(|before| self.samples.get(before)) {
            // What has not changed for longer stood.
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

/// How far one has gone: the middle of its outline, which trembles less than its foot.
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

    /// One who walks to the right, as a camera of 15 pictures a second has it at `at`.
    fn walker(at: Duration) -> Presence {
        let picture = (at.as_secs_f64() * 15.0).floor() / 15.0;
        let x = picture as f32 * SPEED;
        let outline = vec![[x, 0.0], [x + 40.0, 0.0], [x + 40.0, 200.0], [x, 200.0]];
        let body = Body { id: 3, people: 1, foot: [x, 200.0], velocity: [SPEED, 0.0], outline, ..Body::default() };
        Presence { touches: vec![], bodies: vec![body] }
    }

    /// Lets him walk for so long over a path; where he is shown at each frame, 60 a second, and how faded.
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
                // As the link has it: what is older than what is known is nothing.
                if sent >= newest {
                    newest = sent;
                    // The sender's clock is another one.
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
                // After the buffer has found its size.
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
        // Nobody is seen standing in mid-step, but for the time between two pictures: who does not walk fades.
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
            // For a quarter of a second nothing comes; then all of it at once.
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
