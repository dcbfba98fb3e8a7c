//! Scenarios in which a scene is judged: the visitors of both sites, and link failures.

use crate::config::closest_match;
use crate::device::bots::BotPreset;
use crate::synth::{CrowdType, Weather};
use std::str::FromStr;
use std::time::Duration;

/// Visitors in front of a site: touches and bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimVisitors {
    /// Touches on the screen.
    pub touch: BotPreset,
    /// People on the street.
    pub seen: CrowdType,
}

impl SimVisitors {
    /// Empty square.
    pub const NOBODY: Self = Self { touch: BotPreset::Nobody, seen: CrowdType::Nobody };
}

impl Default for SimVisitors {
    /// A few people who walk, and one who tries the screen.
    fn default() -> Self {
        Self { touch: BotPreset::One, seen: CrowdType::Few }
    }
}

impl FromStr for SimVisitors {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match (word.parse(), word.parse()) {
            (Ok(touch), Ok(seen)) => Ok(Self { touch, seen }),
            (Err(_), Ok(CrowdType::Few)) => Ok(Self::default()),
            // Preset of bodies only: they do not touch, except with a hand held out.
            (Err(_), Ok(seen)) => Ok(Self { touch: BotPreset::Nobody, seen }),
            (_, Err(_)) => {
                let known = CrowdType::ALL.map(|crowd| crowd.to_string());
                let meant = closest_match(word, known.iter().map(String::as_str));
                let help = meant.map_or_else(
                    || format!("there are {}", known.join(", ")),
                    |meant| format!("did you mean {meant}?"),
                );
                Err(format!("there is no cast \"{word}\"; {help}"))
            }
        }
    }
}

/// Situation that a scene is played in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// Name, for command lines and file names.
    pub name: &'static str,
    /// Visitors at this site and at the twin.
    pub visitors: [SimVisitors; 2],
    /// Weather.
    pub weather: Weather,
    /// Times at which the link is cut and restored.
    pub cut: Option<[Duration; 2]>,
    /// True if the twin's site is off.
    pub asleep: bool,
}

const NOBODY: SimVisitors = SimVisitors::NOBODY;
const ONE: SimVisitors = SimVisitors { touch: BotPreset::One, seen: CrowdType::One };
const FEW: SimVisitors = SimVisitors { touch: BotPreset::One, seen: CrowdType::Few };
const FORTY: SimVisitors = SimVisitors { touch: BotPreset::Forty, seen: CrowdType::Forty };
const VANDAL: SimVisitors = SimVisitors { touch: BotPreset::Vandal, seen: CrowdType::Vandal };

const fn plain(name: &'static str, guests: [SimVisitors; 2]) -> Scenario {
    Scenario { name, visitors: guests, weather: Weather::Day, cut: None, asleep: false }
}

impl Scenario {
    /// Scenarios that every scene has to pass.
    pub const ALL: [Self; 7] = [
        plain("nobody", [NOBODY, NOBODY]),
        plain("one", [ONE, NOBODY]),
        plain("meeting", [FEW, FEW]),
        plain("forty", [FORTY, FORTY]),
        plain("vandal", [VANDAL, ONE]),
        Self { asleep: true, ..plain("asleep", [ONE, NOBODY]) },
        Self { cut: Some([Duration::from_secs(4), Duration::from_secs(8)]), ..plain("cut", [FEW, FEW]) },
    ];

    /// Bodies without touches; the twin's site is off.
    pub const BODIES: Self = Self {
        asleep: true,
        ..plain("bodies", [SimVisitors { touch: BotPreset::Nobody, seen: CrowdType::Few }, NOBODY])
    };
    /// Touches without bodies; the twin's site is off.
    pub const HANDS: Self = Self {
        asleep: true,
        ..plain("hands", [SimVisitors { touch: BotPreset::One, seen: CrowdType::Nobody }, NOBODY])
    };
    /// Empty, with the twin's site off: the reference for the two above.
    pub const EMPTY: Self = Self { asleep: true, ..plain("empty", [NOBODY, NOBODY]) };

    /// Returns all scenarios of a check: those of every scene, and those that show whether it reacts to bodies and
    /// touches.
    pub fn checked() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain([Self::EMPTY, Self::BODIES, Self::HANDS])
    }

    /// Returns the scenario with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::checked().find(|scenario| scenario.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_says_who_touches_and_who_is_seen() {
        let guests = |word: &str| word.parse::<SimVisitors>();
        assert_eq!(guests("nobody"), Ok(SimVisitors::NOBODY));
        assert_eq!(guests("few"), Ok(SimVisitors::default()));
        assert_eq!(guests("forty"), Ok(SimVisitors { touch: BotPreset::Forty, seen: CrowdType::Forty }));
        assert_eq!(guests("wheelchair"), Ok(SimVisitors { touch: BotPreset::Nobody, seen: CrowdType::Wheelchair }));
        assert!(guests("fourty").is_err_and(|why| why.contains("did you mean forty?")));
        // Visitors of touch presets can be seen too.
        for cast in ["nobody", "one", "shy", "forty", "vandal"] {
            assert_eq!(guests(cast).map(|guests| guests.touch), cast.parse());
        }
    }

    #[test]
    fn situations_have_names() {
        assert_eq!(Scenario::named("forty").map(|scenario| scenario.visitors[1].seen), Some(CrowdType::Forty));
        assert_eq!(Scenario::named("hands"), Some(Scenario::HANDS));
        assert_eq!(Scenario::named("fourty"), None);
    }
}
