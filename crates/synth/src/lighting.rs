//! Lighting of the square over time: sky, sun, lamps and the wall's own screen.

use super::archetypes::Weather;
use super::camera_model::{Vector3, dot, normalize, smoothstep, sub};
use super::noise::time_noise;

/// Lamp on a post.
#[derive(Debug, Clone, Copy)]
pub(super) struct LampLight {
    pub(super) at: Vector3,
    /// Light on the ground directly below.
    pub(super) power: f32,
}

impl LampLight {
    /// Returns the light on a horizontal surface at `place`.
    pub(super) fn incident(&self, place: Vector3) -> f32 {
        let to = sub(self.at, place);
        let far = dot(to, to).sqrt().max(0.5);
        let high = to[2].max(0.0);
        // Multiplied by the cosine to the ground, and weaker the wider it spreads.
        self.power * (self.at[2] / far).powi(2).min(2.5) * (high / far)
    }
}

/// Light source that casts the shadows.
#[derive(Debug, Clone, Copy)]
pub(super) enum ShadowCaster {
    /// Direction to the sun.
    Sun(Vector3),
    /// Position of a lamp.
    Lamp(Vector3),
}

/// Changing light source, besides the ambient light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyLight {
    /// No key light.
    None,
    Sun,
    Flood,
    Screen,
}

/// Lighting of one city's square, in one weather.
#[derive(Debug, Clone)]
pub(super) struct Lighting {
    weather: Weather,
    seed: u32,
    /// Direction to the sun.
    pub(super) sun: Vector3,
    /// Lamps that never change.
    pub(super) lamps: Vec<LampLight>,
    /// Position of the floodlight, and the point at which it is aimed.
    pub(super) flood: [Vector3; 2],
    /// Position of the wall's screen.
    pub(super) screen: Vector3,
    /// Light from all directions, which is scaled only by `LightState::ambient`.
    pub(super) ambient: f32,
    pub(super) key_light: KeyLight,
    /// Standard deviation of the sensor's noise, in steps of brightness.
    pub(super) noise: f32,
    /// Fraction of mist over a point 20 m away, and the mist's brightness.
    pub(super) fog: [f32; 2],
    /// Program of the screen: start time, kind of change, first and last level.
    screen_program: Vec<(f32, ScreenChange, f32, f32)>,
}

/// Change of the screen's brightness.
#[derive(Debug, Clone, Copy)]
enum ScreenChange {
    Step,
    Fade,
    Pulse,
}

/// Lighting at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct LightState {
    /// Factor of the ambient light; 1 is normal.
    pub(super) ambient: f32,
    /// Level of the key light; 1 is full.
    pub(super) key: f32,
    /// Gain of the sensor.
    pub(super) gain: f32,
    /// Luminance of the screen, 0 to 1.
    pub(super) screen_luminance: f32,
}

impl Lighting {
    pub(super) fn new(weather: Weather, seed: u64, sun: Vector3, lamps: Vec<LampLight>, flood: [Vector3; 2]) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x11f7);
        let mut program = vec![(0.0, ScreenChange::Step, 0.35, 0.35)];
        let (mut at, mut level) = (2.0 + 2.0 * random.f32(), 0.35);
        for _ in 0..200 {
            let to = if level > 0.45 { 0.03 + 0.37 * random.f32() } else { 0.5 + 0.5 * random.f32() };
            let change = [ScreenChange::Step, ScreenChange::Fade, ScreenChange::Pulse][random.usize(..3)];
            program.push((at, change, level, to));
            at += 2.5 + 4.0 * random.f32();
            level = to;
        }
        program.push((at, ScreenChange::Fade, level, 0.35));
        let (ambient, second, noise, mist) = match weather {
            Weather::Day | Weather::Shake | Weather::Bus => (0.66, KeyLight::Sun, 1.5, [0.03, 0.6]),
            Weather::LowSun => (0.25, KeyLight::Sun, 1.6, [0.05, 0.5]),
            Weather::Rain => (0.80, KeyLight::None, 2.0, [0.13, 0.36]),
            Weather::Dusk => (0.10, KeyLight::None, 4.0, [0.0, 0.0]),
            Weather::Lamp => (0.10, KeyLight::Flood, 3.6, [0.0, 0.0]),
            Weather::OwnLight => (0.05, KeyLight::Screen, 3.6, [0.0, 0.0]),
        };
        // Where the screen is the main light, lamps are weak.
        let burn = match weather {
            Weather::Dusk | Weather::Lamp => 1.0,
            Weather::OwnLight => 0.22,
            _ => 0.0,
        };
        let lamps = lamps
            .into_iter()
            .map(|lamp| LampLight { power: lamp.power * burn, ..lamp })
            .filter(|_| burn > 0.0)
            .collect();
        Self {
            weather,
            seed: (seed ^ (seed >> 32)) as u32,
            sun,
            lamps,
            flood,
            screen: [0.0, -0.6, 3.2],
            ambient,
            key_light: second,
            noise,
            fog: mist,
            screen_program: program,
        }
    }

    /// Returns the light of the full key light on a horizontal surface at `place`.
    pub(super) fn key_on_ground(&self, place: Vector3) -> f32 {
        match self.key_light {
            KeyLight::None => 0.0,
            KeyLight::Sun => self.sun_strength() * self.sun[2],
            KeyLight::Flood => {
                let [at, to] = self.flood;
                let beam = normalize(sub(to, at));
                let ray = normalize(sub(place, at));
                let cone = smoothstep(0.897, 0.917, dot(beam, ray));
                cone * 0.9 * LampLight { at, power: 1.0 }.incident(place).sqrt()
            }
            KeyLight::Screen => {
                let to = sub(self.screen, place);
                let far = dot(to, to).sqrt().max(0.8);
                // A large screen: nearby its light decreases more slowly than that of a point.
                let falls = 16.0 / (far * far + 6.0);
                1.8 * falls * (to[2].max(0.0) / far + 0.18)
            }
        }
    }

    /// Returns the direction of the key light at `place`, and its light on a surface that faces it.
    pub(super) fn key_from(&self, place: Vector3) -> (Vector3, f32) {
        match self.key_light {
            KeyLight::None => ([0.0, 0.0, 1.0], 0.0),
            KeyLight::Sun => (self.sun, self.sun_strength()),
            KeyLight::Flood => {
                let dir = normalize(sub(self.flood[0], place));
                (dir, (self.key_on_ground(place) / dir[2].max(0.25)).min(1.6))
            }
            KeyLight::Screen => {
                let dir = normalize(sub(self.screen, place));
                (dir, self.key_on_ground(place) / (dir[2].max(0.0) + 0.18))
            }
        }
    }

    /// Returns the sun's light on a surface that faces it, on a clear day.
    fn sun_strength(&self) -> f32 {
        match self.weather {
            Weather::LowSun => (1.02 / self.sun[2]).min(4.2),
            _ => 0.85 / self.sun[2].max(0.3),
        }
    }

    /// Returns the source that casts shadows, if there is one.
    pub(super) fn shadow_caster(&self) -> Option<ShadowCaster> {
        match self.key_light {
            KeyLight::Sun => Some(ShadowCaster::Sun(self.sun)),
            KeyLight::Flood => Some(ShadowCaster::Lamp(self.flood[0])),
            KeyLight::None | KeyLight::Screen => None,
        }
    }

    /// Returns the lighting at a time in seconds.
    pub(super) fn state_at(&self, time: f64) -> LightState {
        let slow = 1.0 + 0.025 * time_noise(time, 0.05, self.seed) + 0.012 * time_noise(time, 0.21, self.seed ^ 5);
        let mut state = LightState { ambient: 1.0, key: 1.0, gain: slow, screen_luminance: 0.0 };
        match self.weather {
            Weather::Day | Weather::Shake | Weather::Bus => {
                let clouds =
                    time_noise(time, 0.085, self.seed ^ 9) * 0.75 + time_noise(time, 0.33, self.seed ^ 10) * 0.35;
                state.key = smoothstep(-0.45, 0.5, clouds);
                state.ambient = 1.0 + 0.1 * time_noise(time, 0.12, self.seed ^ 11) + 0.08 * state.key;
                // The camera's exposure compensates with a delay and only in part.
                let before = time_noise(time - 1.5, 0.085, self.seed ^ 9) * 0.75;
                state.gain *= 1.06 - 0.14 * smoothstep(-0.45, 0.5, before);
            }
            Weather::LowSun => state.key = 1.0 - 0.12 * smoothstep(0.1, 0.9, time_noise(time, 0.07, self.seed ^ 9)),
            Weather::Rain => state.ambient = 1.0 + 0.06 * time_noise(time, 0.15, self.seed ^ 9),
            Weather::Dusk => state.gain *= 1.0 + 0.01 * time_noise(time, 0.5, self.seed ^ 9),
            Weather::Lamp => {
                let t = time.rem_euclid(30.0) as f32;
                let on = (8.0..16.0).contains(&t) || (17.0..17.15).contains(&t) || (17.4..17.6).contains(&t);
                // The lamp brightens and dies within a frame or two.
                let ramp = if t < 12.0 { smoothstep(8.0, 8.12, t) } else { 1.0 };
                state.key = if on { ramp } else { 0.0 };
                let met = smoothstep(8.4, 11.0, t) * (1.0 - smoothstep(16.3, 19.0, t));
                state.gain *= 1.0 - 0.10 * met;
            }
            Weather::OwnLight => {
                state.screen_luminance = self.screen_luminance(time);
                state.key = state.screen_luminance;
                let before = self.screen_luminance(time - 0.8);
                state.gain *= 1.05 - 0.12 * before;
            }
        }
        state
    }

    fn screen_luminance(&self, time: f64) -> f32 {
        let (Some(first), Some(last)) = (self.screen_program.first(), self.screen_program.last()) else { return 0.0 };
        let t = if time <= 0.0 { first.0 } else { (time % f64::from(last.0)) as f32 };
        let next = self.screen_program.partition_point(|part| part.0 <= t).max(1);
        let (from, change, a, b) = self.screen_program[next - 1];
        let until = self.screen_program.get(next).map_or(from + 1.0, |part| part.0);
        match change {
            ScreenChange::Step => b,
            ScreenChange::Fade => a + (b - a) * smoothstep(from, until, t),
            ScreenChange::Pulse => {
                let to = smoothstep(from, from + 0.6, t);
                let wave = (std::f32::consts::TAU * 0.55 * (t - from)).sin() * smoothstep(until, until - 0.7, t);
                (a + (b - a) * to + 0.16 * wave).clamp(0.02, 1.0)
            }
        }
    }

    pub(super) fn seed(&self) -> u32 {
        self.seed
    }

    /// Returns the saturation that the sensor still records.
    pub(super) fn saturation(&self) -> f32 {
        match self.weather {
            Weather::Day | Weather::Shake | Weather::Bus => 0.85,
            Weather::LowSun => 0.95,
            Weather::Rain => 0.6,
            Weather::Dusk | Weather::Lamp | Weather::OwnLight => 0.55,
        }
    }

    /// Returns the colour in which white appears, as fractions of brightness.
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
