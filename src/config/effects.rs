//! What the engine adds to a scene, and which of it an artist has switched off: `[kit]`.

use serde::Deserialize;

/// What the engine adds on top of a scene, so that those there are believed to be people, there, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuiltinEffects {
    /// Somebody comes there: their place grows warm, and a step is heard from that side.
    pub arrival: bool,
    /// People of both cities meet: a glow in both, and a bell.
    pub meeting: bool,
    /// The other city's name, sky and clock, in a corner.
    pub sky: bool,
    /// A touch that is seen to travel, for as long as it does.
    pub touch: bool,
}

impl Default for BuiltinEffects {
    fn default() -> Self {
        Self { arrival: true, meeting: true, sky: true, touch: true }
    }
}

impl BuiltinEffects {
    /// Nothing is added.
    pub const NONE: Self = Self { arrival: false, meeting: false, sky: false, touch: false };
}
