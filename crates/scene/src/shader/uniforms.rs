//! Uniforms of every artist's shader besides its own parameters: time, and the state of both cities.

use crate::protocol::colour::Colour;
use crate::protocol::message::{CityInfo, FrameInput, SiteState};

/// Maximum number of touches and of bodies per city in the uniforms.
const SHADER_TOUCHES_MAX: usize = 16;
const SHADER_BODIES_MAX: usize = 32;
/// Size of the uniforms in bytes, as `ENGINE_WGSL` declares them.
pub const ENGINE_UNIFORM_SIZE: usize = HEAD_SIZE + 2 * CITY_SIZE;
/// Size before the first city, in bytes.
const HEAD_SIZE: usize = 48;
const CITY_SIZE: usize = 48 + 16 * (SHADER_TOUCHES_MAX + SHADER_BODIES_MAX);
/// Seconds after which `now` wraps: a shader's floats lose their fractions after days.
const NOW_WRAP_SECONDS: f64 = 3_600.0;
/// Hours after which the count of hours wraps, for the same reason.
const HOURS_WRAP: f64 = 4_096.0;
/// Number of distinct frame numbers: a float is exact below it.
const FRAME_WRAP: u32 = 1 << 24;

/// State of one frame for shaders.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EngineUniforms {
    /// The shared clock, in seconds.
    pub now: f64,
    /// Seconds since the previous frame.
    pub dt: f64,
    /// The twin is connected.
    pub linked: bool,
    /// One-way delay to the twin, in seconds.
    pub delay: f64,
    /// This city, then the other one.
    pub cities: [CityUniforms; 2],
}

/// Size of a shader's target, and the number of times it was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShaderPass {
    /// Size of its target in pixels: the canvas, or one of its buffers.
    pub resolution: [u32; 2],
    /// Number of draws since its buffers were created.
    pub frame: u32,
}

impl ShaderPass {
    /// Returns the number of the next frame. A float holds each exactly, and 0 does not recur: counting resumes halfway.
    pub fn next_frame(frame: u32) -> u32 {
        if frame + 1 < FRAME_WRAP { frame + 1 } else { FRAME_WRAP / 2 }
    }
}

/// State of one city for shaders.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CityUniforms {
    colour: [f32; 4],
    sun: [f32; 2],
    stir: f32,
    hour: f32,
    touches: Vec<[f32; 4]>,
    bodies: Vec<[f32; 4]>,
}

impl EngineUniforms {
    /// Creates uniforms with only a time on the shared clock, in seconds.
    pub fn at_time(now: f64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Creates uniforms from a frame input.
    pub fn from_input(sees: &FrameInput, cards: [&CityInfo; 2]) -> Self {
        let city = |site: &SiteState, card: &CityInfo| CityUniforms::from_site(site, card, sees.now);
        Self {
            now: sees.now,
            dt: sees.dt,
            linked: sees.linked,
            delay: sees.delay,
            cities: [city(&sees.here, cards[0]), city(&sees.there, cards[1])],
        }
    }

    /// Returns the bytes as a shader reads them. `canvas` is the size in units, `pixel` the number of pixels per unit.
    pub fn to_bytes(&self, canvas: [f32; 2], pixel: f32, pass: ShaderPass) -> Vec<u8> {
        let mut words: Vec<[u8; 4]> = Vec::with_capacity(ENGINE_UNIFORM_SIZE / 4);
        let mut put = |numbers: &[f32]| words.extend(numbers.iter().map(|number| number.to_le_bytes()));
        let now = self.now.max(0.0);
        put(&[canvas[0], canvas[1], (now % NOW_WRAP_SECONDS) as f32, pixel]);
        let hours = (now / NOW_WRAP_SECONDS).floor() % HOURS_WRAP;
        put(&[self.dt as f32, hours as f32, f32::from(u8::from(self.linked)), self.delay as f32]);
        let [width, height] = pass.resolution.map(|side| side as f32);
        // The shader reads the frame as an integer.
        put(&[width, height, f32::from_bits(pass.frame), 0.0]);
        for city in &self.cities {
            put(&city.colour);
            put(&[city.sun[0], city.sun[1], city.stir, city.hour]);
            // The shader reads counts as integers.
            let counts = [city.touches.len(), city.bodies.len(), 0, 0].map(|count| f32::from_bits(count as u32));
            put(&counts);
            for (list, most) in [(&city.touches, SHADER_TOUCHES_MAX), (&city.bodies, SHADER_BODIES_MAX)] {
                for i in 0..most {
                    put(list.get(i).unwrap_or(&[0.0; 4]));
                }
            }
        }
        words.concat()
    }
}

impl CityUniforms {
    fn from_site(site: &SiteState, card: &CityInfo, now: f64) -> Self {
        let Colour(colour) = Colour::parse(&card.colour).unwrap_or_default();
        let touches = site.touches.iter().take(SHADER_TOUCHES_MAX);
        let touches = touches.map(|touch| [touch.x, touch.y, (now - touch.began).max(0.0) as f32, touch.id as f32]);
        let bodies = site.bodies.iter().take(SHADER_BODIES_MAX);
        let bodies = bodies.map(|body| [0, 1, 2, 3].map(|i| body.at[i] as f32 / 10.0));
        Self {
            colour: colour.map(|part| f32::from(part) / 255.0),
            sun: [site.sun.altitude as f32, site.sun.azimuth as f32],
            stir: site.stir,
            hour: site.clock.hour as f32 + site.clock.minute as f32 / 60.0 + site.clock.second as f32 / 3_600.0,
            touches: touches.collect(),
            bodies: bodies.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TouchState;
    use crate::shader::prelude::ENGINE_WGSL;

    fn card(colour: &str) -> CityInfo {
        let text = || String::from("x");
        CityInfo { name: text(), latin: text(), domain: text(), colour: colour.into(), language: text() }
    }

    #[test]
    fn they_lie_as_the_shader_reads_them() {
        let module = naga::front::wgsl::parse_str(ENGINE_WGSL).expect("it is WGSL");
        let of =
            |name: &str| module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).map(|(_, ty)| &ty.inner);
        let Some(naga::TypeInner::Struct { span, .. }) = of("Engine") else { panic!("it is declared") };
        assert_eq!(*span as usize, ENGINE_UNIFORM_SIZE);
        let Some(naga::TypeInner::Struct { span, members }) = of("City") else { panic!("it is declared") };
        assert_eq!(*span as usize, CITY_SIZE);
        let place = |name: &str| members.iter().find(|m| m.name.as_deref() == Some(name)).map(|m| m.offset);
        assert_eq!(["stir", "touches", "touch", "body"].map(place), [Some(24), Some(32), Some(48), Some(48 + 256)]);

        let mut sees = FrameInput { now: 2.0 * 3_600.0 + 5.0, linked: true, ..FrameInput::default() };
        sees.there.touches = vec![TouchState { id: 7, x: 10.0, y: 20.0, by: "finger", began: 7_204.0 }];
        let pass = ShaderPass { resolution: [640, 360], frame: 3 };
        let bytes = EngineUniforms::from_input(&sees, [&card("#ff0000"), &card("#0000ff")]).to_bytes(
            [1_920.0, 1_080.0],
            2.0,
            pass,
        );
        assert_eq!(bytes.len(), ENGINE_UNIFORM_SIZE);
        let word = |at: usize| bytes[at..at + 4].try_into().expect("four");
        let number = |at: usize| f32::from_le_bytes(word(at));
        assert_eq!([8, 20, 24, 32, 36].map(number), [5.0, 2.0, 1.0, 640.0, 360.0]);
        assert_eq!(u32::from_le_bytes(word(40)), 3);
        let there = HEAD_SIZE + CITY_SIZE;
        assert_eq!([there, there + 8].map(number), [0.0, 1.0]);
        assert_eq!(u32::from_le_bytes(word(there + 32)), 1);
        assert_eq!([there + 48, there + 52, there + 56].map(number), [10.0, 20.0, 1.0]);
    }

    #[test]
    fn a_float_holds_every_frame_and_the_first_does_not_come_again() {
        assert_eq!([0, 1, FRAME_WRAP - 2].map(ShaderPass::next_frame), [1, 2, FRAME_WRAP - 1]);
        assert_eq!(ShaderPass::next_frame(FRAME_WRAP - 1), FRAME_WRAP / 2);
        assert_eq!((FRAME_WRAP - 1) as f32 as u32, FRAME_WRAP - 1);
    }
}
