//! Who is invented in a rehearsal: a cast by one word, which touches and is seen on a street.

use crate::device::cast::Cast;
use crate::device::street::Crowd;
use crate::manifest::{City, cities, nearest};
use std::str::FromStr;

/// Size and rate of a street's pictures: two are drawn, seen and shown on one machine.
const SIZE: [usize; 2] = [320, 240];
const RATE: u32 = 15;
/// Width of the wall that they walk by, in metres; it stands on the ground.
const WALL: f32 = 8.0;

/// A cast in front of a site: who touches, and who is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guests {
    /// On the screen.
    pub touch: Cast,
    /// On the street.
    pub seen: Crowd,
}

impl Guests {
    /// An empty square.
    pub const NOBODY: Self = Self { touch: Cast::Nobody, seen: Crowd::Nobody };
}

impl Default for Guests {
    /// A few who walk, and one of them tries it out.
    fn default() -> Self {
        Self { touch: Cast::One, seen: Crowd::Few }
    }
}

impl FromStr for Guests {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match (word.parse(), word.parse()) {
            (Ok(touch), Ok(seen)) => Ok(Self { touch, seen }),
            (Err(_), Ok(Crowd::Few)) => Ok(Self::default()),
            // Who is only seen touches nothing, but for a hand held out.
            (Err(_), Ok(seen)) => Ok(Self { touch: Cast::Nobody, seen }),
            (_, Err(_)) => {
                let known = Crowd::ALL.map(|crowd| crowd.to_string());
                let meant = nearest(word, known.iter().map(String::as_str));
                let help = meant.map_or_else(
                    || format!("there are {}", known.join(", ")),
                    |meant| format!("did you mean {meant}?"),
                );
                Err(format!("there is no cast \"{word}\"; {help}"))
            }
        }
    }
}

/// A street as a camera, for a manifest; each city has a square of its own, and people are life-size on its wall.
pub fn street(crowd: Crowd, seed: u64, city: &City) -> String {
    let number = cities().iter().position(|known| known.slug == city.slug).unwrap_or_default();
    let [width, height] = SIZE;
    let command = format!(
        "moongate camera --street --cast {crowd} --seed {seed} --city {number} --size {width}x{height} --rate {RATE}"
    );
    format!("\n[[camera]]\nname = \"street\"\ncommand = \"{command}\"\n\n[ground]\nwidth = {WALL:.1}\nheight = 0.0\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Site;
    use std::path::Path;

    #[test]
    fn one_word_says_who_touches_and_who_is_seen() {
        let guests = |word: &str| word.parse::<Guests>();
        assert_eq!(guests("nobody"), Ok(Guests::NOBODY));
        assert_eq!(guests("few"), Ok(Guests::default()));
        assert_eq!(guests("forty"), Ok(Guests { touch: Cast::Forty, seen: Crowd::Forty }));
        assert_eq!(guests("wheelchair"), Ok(Guests { touch: Cast::Nobody, seen: Crowd::Wheelchair }));
        assert!(guests("fourty").is_err_and(|why| why.contains("did you mean forty?")));
        // Whoever touches can be seen too.
        for cast in ["nobody", "one", "shy", "forty", "vandal"] {
            assert_eq!(guests(cast).map(|guests| guests.touch), cast.parse());
        }
    }

    #[test]
    fn each_city_has_a_street_of_its_own() {
        let [first, second] = [&cities()[0], &cities()[1]].map(|city| street(Crowd::Few, 3, city));
        assert_ne!(first, second);
        let site = "api = 1\ncity = \"dublin\"\ninstallation = \"x\"\nlisten = \"127.0.0.1:0\"\n";
        let site = Site::parse(Path::new("x"), &format!("{site}{first}")).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(site.cameras[0].command.contains("--street") && site.ground.is_some(), "{first}");
    }
}
