//! Built-in effects that the engine adds to a scene, and the artist's switches for them: `[kit]`.

use serde::{Deserialize, Serialize};

/// Effects that the engine adds on top of a scene.
///
/// They convince visitors that the people on the other side are real, over there, right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuiltinEffects {
    /// An arrival at the other city: that place grows warm, and a step is heard from that side.
    pub arrival: bool,
    /// A meeting of people of both cities: a glow in both, and a bell.
    pub meeting: bool,
    /// Name, sky and clock of the other city, in a corner.
    pub sky: bool,
    /// A visible trail of a touch for as long as it travels between the cities.
    pub touch: bool,
}

impl Default for BuiltinEffects {
    fn default() -> Self {
        Self { arrival: true, meeting: true, sky: true, touch: true }
    }
}

impl BuiltinEffects {
    /// No effects.
    pub const NONE: Self = Self { arrival: false, meeting: false, sky: false, touch: false };
}
