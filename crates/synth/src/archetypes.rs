//! Named crowds, weathers and kinds of people.

use std::fmt;
use std::str::FromStr;

/// Crowd on the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CrowdType {
    /// An empty square.
    Nobody,
    /// A person who comes, looks at the wall, waves and walks about.
    One,
    /// A person who stays at the edges, stops far away and leaves again.
    Shy,
    /// About six people at once.
    Few,
    /// About forty people at once, some in groups of two to four.
    Forty,
    /// Children who run, with an adult or two.
    Child,
    /// People in wheelchairs, some of them pushed.
    Wheelchair,
    /// People with prams.
    Pram,
    /// People with canes.
    Cane,
    /// Dancers who keep their places.
    Dancers,
    /// Two people who stop for more than a minute, beside others who walk.
    Still,
    /// A person who repeatedly holds an arm out and keeps it still.
    Reach,
    /// People whose paths cross so that they hide each other.
    Crossing,
    /// A person who runs, jumps and flails.
    Vandal,
    /// People with dogs, and one dog that runs alone.
    Dog,
    /// A cleaner who wipes the whole length of the wall and back.
    Cleaner,
}

/// Weather, with the lamps and the camera's mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weather {
    /// Daylight under passing clouds.
    Day,
    /// Dark, low in contrast, with warm pools of lamplight.
    Dusk,
    /// Wet paving that mirrors people, streaks of rain, umbrellas.
    Rain,
    /// Long hard shadows.
    LowSun,
    /// Daylight, and a mount that shakes in the wind.
    Shake,
    /// Dusk; every 30 s a lamp comes on at 8 s, goes out at 16 s and flickers once.
    Lamp,
    /// Night; the wall's own screen lights people and ground.
    OwnLight,
    /// Daylight; a distant bus passes every 6 s, and its reflection runs over the facade.
    Bus,
}

/// Kind of a person as an observer would see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Archetype {
    /// An adult on foot.
    Adult,
    /// A child on foot.
    Child,
    /// A person in a wheelchair, including the wheelchair.
    Wheelchair,
    /// A person with a pram, including the pram.
    Pram,
    /// A person with a cane, including the cane.
    Cane,
    /// A dog, which does not count as a person.
    Dog,
}

impl CrowdType {
    /// All crowds, in the order of their names in messages.
    pub const ALL: [Self; 16] = [
        Self::Nobody,
        Self::One,
        Self::Shy,
        Self::Few,
        Self::Forty,
        Self::Child,
        Self::Wheelchair,
        Self::Pram,
        Self::Cane,
        Self::Dancers,
        Self::Still,
        Self::Reach,
        Self::Crossing,
        Self::Vandal,
        Self::Dog,
        Self::Cleaner,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::One => "one",
            Self::Shy => "shy",
            Self::Few => "few",
            Self::Forty => "forty",
            Self::Child => "child",
            Self::Wheelchair => "wheelchair",
            Self::Pram => "pram",
            Self::Cane => "cane",
            Self::Dancers => "dancers",
            Self::Still => "still",
            Self::Reach => "reach",
            Self::Crossing => "crossing",
            Self::Vandal => "vandal",
            Self::Dog => "dog",
            Self::Cleaner => "cleaner",
        }
    }
}

impl Weather {
    /// All weathers, in the order of their names in messages.
    pub const ALL: [Self; 8] =
        [Self::Day, Self::Dusk, Self::Rain, Self::LowSun, Self::Shake, Self::Lamp, Self::OwnLight, Self::Bus];

    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Dusk => "dusk",
            Self::Rain => "rain",
            Self::LowSun => "low-sun",
            Self::Shake => "shake",
            Self::Lamp => "lamp",
            Self::OwnLight => "own-light",
            Self::Bus => "bus",
        }
    }
}

impl Archetype {
    /// All archetypes; the position in this list, from 1, is the class in a truth file.
    pub const ALL: [Self; 6] = [Self::Adult, Self::Child, Self::Wheelchair, Self::Pram, Self::Cane, Self::Dog];

    /// Returns the class in a truth file, from 1.
    pub fn class(self) -> u8 {
        match self {
            Self::Adult => 1,
            Self::Child => 2,
            Self::Wheelchair => 3,
            Self::Pram => 4,
            Self::Cane => 5,
            Self::Dog => 6,
        }
    }

    /// Returns the archetype of a class in a truth file, or `None` for an unknown class.
    pub fn from_class(class: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.class() == class)
    }
}

impl fmt::Display for CrowdType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Archetype {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Adult => "adult",
            Self::Child => "child",
            Self::Wheelchair => "wheelchair",
            Self::Pram => "pram",
            Self::Cane => "cane",
            Self::Dog => "dog",
        })
    }
}

impl FromStr for CrowdType {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|crowd| crowd.name() == word)
            .ok_or_else(|| unknown_name("crowd", word, &Self::ALL.map(Self::name)))
    }
}

impl FromStr for Weather {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|weather| weather.name() == word)
            .ok_or_else(|| unknown_name("weather", word, &Self::ALL.map(Self::name)))
    }
}

fn unknown_name(what: &str, word: &str, known: &[&str]) -> String {
    let meant = moongate_core::config::closest_match(word, known.iter().copied())
        .map(|meant| format!("; did you mean {meant}?"));
    format!("there is no {what} \"{word}\"{}", meant.unwrap_or_else(|| format!("; there are {}", known.join(", "))))
}
