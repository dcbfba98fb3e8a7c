//! What lights the square: sky, sun, lamps and the wall's own screen, and how they change over time.

use super::grain::drift;
use super::kinds::Weather;
use super::view::{V3, dot, smooth, sub, unit};

/// A lamp on a post.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lamp {
    pub(super) at: V3,
    /// Light on the ground right below.
    pub(super) power: f32,
}

impl Lamp {
    /// Light on a surface at `place` that looks up.
    pub(super) fn on(&self, place: V3) -> f32 {
        let to = sub(self.at, place);
        let far = dot(to, to).sqrt().max(0.5);
        let high = to[2].max(0.0);
        // Down to the ground at the cosine, less the wider it spreads.
        self.power * (self.at[2] / far).powi(2).min(2.5) * (high / far)
    }
}

/// What throws the shadows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caster {
    /// Towards the sun.
    Sun(V3),
    /// Where a lamp hangs.
    Lamp(V3),
}

/// What lights the square besides what never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Second {
    /// Nothing.
    None,
    Sun,
    Flood,
    Screen,
}

/// The light over one city's square, in one weather.
#[derive(Debug, Clone)]
pub(super) struct Light {
    weather: Weather,
    seed: u32,
    /// Towards the sun.
    pub(super) sun: V3,
    /// Lamps that never change.
    pub(super) lamps: Vec<Lamp>,
    /// Where the floodlight hangs, and what it is turned to.
    pub(super) flood: [V3; 2],
    /// The wall's screen.
    pub(super) screen: V3,
    /// Light from everywhere that never changes but by `State::ambient`.
    pub(super) ambient: f32,
    pub(super) second: Second,
    /// Deviation of the sensor's noise, in steps of brightness.
    pub(super) noise: f32,
    /// How much of a place 20 m off is mist, and how bright mist is.
    pub(super) mist: [f32; 2],
    /// The screen's program: from when, of which kind, from and to which level.
    program: Vec<(f32, Change, f32, f32)>,
}

/// How the screen's brightness goes on.
#[derive(Debug, Clone, Copy)]
enum Change {
    Step,
    Fade,
    Pulse,
}

/// The light at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// Of the light that is always there, 1 is usual.
    pub(super) ambient: f32,
    /// Of the second light, 1 is full.
    pub(super) second: f32,
    /// What the sensor makes of it.
    pub(super) gain: f32,
    /// What the screen shows, 0 to 1.
    pub(super) shown: f32,
}

impl Light {
    pub(super) fn new(weather: Weather, seed: u64, sun: V3, lamps: Vec<Lamp>, flood: [V3; 2]) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x11f7);
        let mut program = vec![(0.0, Change::Step, 0.35, 0.35)];
        let (mut at, mut level) = (2.0 + 2.0 * random.f32(), 0.35);
        for _ in 0..200 {
            let to = if level > 0.45 { 0.03 + 0.37 * random.f32() } else { 0.5 + 0.5 * random.f32() };
            let change = [Change::Step, Change::Fade, Change::Pulse][random.usize(..3)];
            program.push((at, change, level, to));
            at += 2.5 + 4.0 * random.f32();
            level = to;
        }
        program.push((at, Change::Fade, level, 0.35));
        let (ambient, second, noise, mist) = match weather {
            Weather::Day | Weather::Shake | Weather::Bus => (0.66, Second::Sun, 1.5, [0.03, 0.6]),
            Weather::LowSun => (0.25, Second::Sun, 1.6, [0.05, 0.5]),
            Weather::Rain => (0.80, Second::None, 2.0, [0.13, 0.36]),
            Weather::Dusk => (0.10, Second::None, 4.0, [0.0, 0.0]),
            Weather::Lamp => (0.10, Second::Flood, 3.6, [0.0, 0.0]),
            Weather::OwnLight => (0.05, Second::Screen, 3.6, [0.0, 0.0]),
        };
        // Where the screen is the light to see by, lamps are few.
        let burn = match weather {
            Weather::Dusk | Weather::Lamp => 1.0,
            Weather::OwnLight => 0.22,
            _ => 0.0,
        };
        let lamps =
            lamps.into_iter().map(|lamp| Lamp { power: lamp.power * burn, ..lamp }).filter(|_| burn > 0.0).collect();
        Self {
            weather,
            seed: (seed ^ (seed >> 32)) as u32,
            sun,
            lamps,
            flood,
            screen: [0.0, -0.6, 3.2],
            ambient,
            second,
            noise,
            mist,
            program,
        }
    }

    /// The second light at full, on a surface at `place` that looks up.
    pub(super) fn second_on(&self, place: V3) -> f32 {
        match self.second {
            Second::None => 0.0,
            Second::Sun => self.sun_strength() * self.sun[2],
            Second::Flood => {
                let [at, to] = self.flood;
                let beam = unit(sub(to, at));
                let ray = unit(sub(place, at));
                let cone = smooth(0.897, 0.917, dot(beam, ray));
                cone * 0.9 * Lamp { at, power: 1.0 }.on(place).sqrt()
            }
            Second::Screen => {
                let to = sub(self.screen, place);
                let far = dot(to, to).sqrt().max(0.8);
                // A large screen: it falls off slower than a point at first.
                let falls = 16.0 / (far * far + 6.0);
                1.8 * falls * (to[2].max(0.0) / far + 0.18)
            }
        }
    }

    /// Where the second light comes from at `place`, and how strong it is on what faces it.
    pub(super) fn second_from(&self, place: V3) -> (V3, f32) {
        match self.second {
            Second::None => ([0.0, 0.0, 1.0], 0.0),
            Second::Sun => (self.sun, self.sun_strength()),
            Second::Flood => {
                let dir = unit(sub(self.flood[0], place));
                (dir, (self.second_on(place) / dir[2].max(0.25)).min(1.6))
            }
            Second::Screen => {
                let dir = unit(sub(self.screen, place));
                (dir, self.second_on(place) / (dir[2].max(0.0) + 0.18))
            }
        }
    }

    /// The sun's strength on what faces it, on a clear day.
    fn sun_strength(&self) -> f32 {
        match self.weather {
            Weather::LowSun => (1.02 / self.sun[2]).min(4.2),
            _ => 0.85 / self.sun[2].max(0.3),
        }
    }

    /// What throws shadows, if anything does.
    pub(super) fn caster(&self) -> Option<Caster> {
        match self.second {
            Second::Sun => Some(Caster::Sun(self.sun)),
            Second::Flood => Some(Caster::Lamp(self.flood[0])),
            Second::None | Second::Screen => None,
        }
    }

    /// The light at a time in seconds.
    pub(super) fn at(&self, time: f64) -> State {
        let slow = 1.0 + 0.025 * drift(time, 0.05, self.seed) + 0.012 * drift(time, 0.21, self.seed ^ 5);
        let mut state = State { ambient: 1.0, second: 1.0, gain: slow, shown: 0.0 };
        match self.weather {
            Weather::Day | Weather::Shake | Weather::Bus => {
                let clouds = drift(time, 0.085, self.seed ^ 9) * 0.75 + drift(time, 0.33, self.seed ^ 10) * 0.35;
                state.second = smooth(-0.45, 0.5, clouds);
                state.ambient = 1.0 + 0.1 * drift(time, 0.12, self.seed ^ 11) + 0.08 * state.second;
                // The camera answers, late and not wholly.
                let before = drift(time - 1.5, 0.085, self.seed ^ 9) * 0.75;
                state.gain *= 1.06 - 0.14 * smooth(-0.45, 0.5, before);
            }
            Weather::LowSun => state.second = 1.0 - 0.12 * smooth(0.1, 0.9, drift(time, 0.07, self.seed ^ 9)),
            Weather::Rain => state.ambient = 1.0 + 0.06 * drift(time, 0.15, self.seed ^ 9),
            Weather::Dusk => state.gain *= 1.0 + 0.01 * drift(time, 0.5, self.seed ^ 9),
            Weather::Lamp => {
                let t = time.rem_euclid(30.0) as f32;
                let on = (8.0..16.0).contains(&t) || (17.0..17.15).contains(&t) || (17.4..17.6).contains(&t);
                // It glows up and dies within a frame or two.
                let ramp = if t < 12.0 { smooth(8.0, 8.12, t) } else { 1.0 };
                state.second = if on { ramp } else { 0.0 };
                let met = smooth(8.4, 11.0, t) * (1.0 - smooth(16.3, 19.0, t));
                state.gain *= 1.0 - 0.10 * met;
            }
            Weather::OwnLight => {
                state.shown = self.shown(time);
                state.second = state.shown;
                let before = self.shown(time - 0.8);
                state.gain *= 1.05 - 0.12 * before;
            }
        }
        state
    }

    fn shown(&self, time: f64) -> f32 {
        let (Some(first), Some(last)) = (self.program.first(), self.program.last()) else { return 0.0 };
        let t = if time <= 0.0 { first.0 } else { (time % f64::from(last.0)) as f32 };
        let next = self.program.partition_point(|part| part.0 <= t).max(1);
        let (from, change, a, b) = self.program[next - 1];
        let until = self.program.get(next).map_or(from + 1.0, |part| part.0);
        match change {
            Change::Step => b,
            Change::Fade => a + (b - a) * smooth(from, until, t),
            Change::Pulse => {
                let to = smooth(from, from + 0.6, t);
                let wave = (std::f32::consts::TAU * 0.55 * (t - from)).sin() * smooth(until, until - 0.7, t);
                (a + (b - a) * to + 0.16 * wave).clamp(0.02, 1.0)
            }
        }
    }

    pub(super) fn seed(&self) -> u32 {
        self.seed
    }

    /// How much colour the sensor still sees.
    pub(super) fn saturation(&self) -> f32 {
        match self.weather {
            Weather::Day | Weather::Shake | Weather::Bus => 0.85,
            Weather::LowSun => 0.95,
            Weather::Rain => 0.6,
            Weather::Dusk | Weather::Lamp | Weather::OwnLight => 0.55,
        }
    }

    /// What colour white is seen in, as shares of brightness.
    pub(super) fn tint(&self) -> [f32; 2] {
        match self.weather {
            Weather::Day | Weather::Shake | Weather::Bus => [0.0, 0.0],
            Weather::LowSun => [-0.06, 0.04],
            Weather::Rain => [0.02, -0.015],
            Weather::Dusk | Weather::Lamp => [-0.08, 0.05],
            Weather::OwnLight => [0.04, -0.01],
        }
    }
}
