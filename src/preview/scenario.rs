//! Who comes, and what becomes of the link: the situations that a scene is looked at in.

use crate::config::closest_match;
use crate::device::bots::BotPreset;
use crate::synth::{CrowdType, Weather};
use std::str::FromStr;
use std::time::Duration;

/// A cast in front of a site: who touches, and who is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimVisitors {
    /// On the screen.
    pub touch: BotPreset,
    /// On the street.
    pub seen: CrowdType,
}

impl SimVisitors {
    /// An empty square.
    pub const NOBODY: Self = Self { touch: BotPreset::Nobody, seen: CrowdType::Nobody };
}

impl Default for SimVisitors {
    /// A few who walk, and one of them tries it out.
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
            // Who is only seen touches nothing, but for a hand held out.
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

/// One situation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// As a command line and a file name say it.
    pub name: &'static str,
    /// Who comes, here and there.
    pub visitors: [SimVisitors; 2],
    /// What the sky does.
    pub weather: Weather,
    /// When the link is cut, and when it is mended again.
    pub cut: Option<[Duration; 2]>,
    /// The twin's site is not there at all.
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
    /// Those that every scene has to stand.
    pub const ALL: [Self; 7] = [
        plain("nobody", [NOBODY, NOBODY]),
        plain("one", [ONE, NOBODY]),
        plain("meeting", [FEW, FEW]),
        plain("forty", [FORTY, FORTY]),
        plain("vandal", [VANDAL, ONE]),
        Self { asleep: true, ..plain("asleep", [ONE, NOBODY]) },
        Self { cut: Some([Duration::from_secs(4), Duration::from_secs(8)]), ..plain("cut", [FEW, FEW]) },
    ];

    /// People who walk by and stand, and no hand that touches; the twin's site is not there.
    pub const BODIES: Self = Self {
        asleep: true,
        ..plain("bodies", [SimVisitors { touch: BotPreset::Nobody, seen: CrowdType::Few }, NOBODY])
    };
    /// Hands, and nobody whom a camera sees; the twin's site is not there.
    pub const HANDS: Self = Self {
        asleep: true,
        ..plain("hands", [SimVisitors { touch: BotPreset::One, seen: CrowdType::Nobody }, NOBODY])
    };
    /// Nobody, and the twin's site is not there: what the two above are compared with.
    pub const EMPTY: Self = Self { asleep: true, ..plain("empty", [NOBODY, NOBODY]) };

    /// All that a check looks at: those of every scene, and what tells whether it answers bodies and hands.
    pub fn checked() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain([Self::EMPTY, Self::BODIES, Self::HANDS])
    }

    /// By its name.
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
        // Whoever touches can be seen too.
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
