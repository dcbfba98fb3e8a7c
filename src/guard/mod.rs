//! What may leave a site and what may enter it. The link thread asks before anything is encoded and after anything is
//! decoded, so that it holds whatever the frame loop does.

use crate::link::Happening;
use crate::presence::Presence;

/// How open a site is to its twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Openness {
    /// Everything that the link carries.
    #[default]
    Open,
    /// Touches and bodies; nothing that a scene says or keeps.
    Shapes,
    /// Nothing: nobody of here is seen there, nobody of there is seen here.
    Closed,
}

impl Openness {
    /// All of them, with the words that people write.
    pub const WORDS: [(&str, Self); 3] = [("open", Self::Open), ("shapes", Self::Shapes), ("closed", Self::Closed)];

    /// Reads a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, openness)| openness)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, known)| *known == self).map_or("open", |(word, _)| word)
    }

    /// Who may be seen at the other site.
    pub fn presence(self, presence: Presence) -> Presence {
        if self == Self::Closed { Presence::default() } else { presence }
    }

    /// Whether this may be told, to the other site or of it. The end of a touch always may: it says nothing of anybody,
    /// and without it a touch from before would be held for ever.
    pub fn lets(self, what: &Happening) -> bool {
        match what {
            Happening::Up(_) => true,
            Happening::Down(_) | Happening::Meet { .. } | Happening::Unknown => self != Self::Closed,
            Happening::Signal { .. } => self == Self::Open,
        }
    }
}

/// Filter for what may leave a site now. People before a dark screen see nobody, so the other site is not told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// Openness of the site.
    pub openness: Openness,
    /// True while a picture is in view.
    pub in_view: bool,
}

impl Outgoing {
    /// Returns the presence that may be shown at the other site.
    pub fn presence(self, presence: Presence) -> Presence {
        if self.in_view { self.openness.presence(presence) } else { Presence::default() }
    }

    /// Returns true if the other site may be told of this event.
    pub fn lets(self, what: &Happening) -> bool {
        let is_of_people = matches!(what, Happening::Down(_) | Happening::Meet { .. });
        self.openness.lets(what) && (self.in_view || !is_of_people)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::{Body, Touch};

    #[test]
    fn the_less_open_the_less_goes() {
        let touch = Touch::default();
        let signal = Happening::Signal { name: "bell".into(), data: "1".into() };
        let lets = |openness: Openness| {
            [Happening::Down(touch), Happening::Up(touch), signal.clone()].map(|what| openness.lets(&what))
        };
        assert_eq!(lets(Openness::Open), [true, true, true]);
        assert_eq!(lets(Openness::Shapes), [true, true, false]);
        assert_eq!(lets(Openness::Closed), [false, true, false]);
        let there = Presence { touches: vec![touch], bodies: vec![Body::default()] };
        assert_eq!(Openness::Shapes.presence(there.clone()), there);
        assert!(Openness::Closed.presence(there).is_empty());
    }

    #[test]
    fn nobody_is_told_of_while_no_picture_is_in_view() {
        let touch = Touch::default();
        let there = Presence { touches: vec![touch], bodies: vec![Body::default()] };
        let signal = Happening::Signal { name: "bell".into(), data: "1".into() };
        for openness in Openness::WORDS.map(|(_, openness)| openness) {
            let [dark, lit] = [false, true].map(|in_view| Outgoing { openness, in_view });
            assert!(dark.presence(there.clone()).is_empty());
            assert_eq!(lit.presence(there.clone()), openness.presence(there.clone()));
            assert_eq!((dark.lets(&Happening::Down(touch)), dark.lets(&Happening::Up(touch))), (false, true));
            // A scene's messages are not about the people who see it.
            assert_eq!(dark.lets(&signal), openness.lets(&signal));
            assert_eq!(lit.lets(&Happening::Down(touch)), openness.lets(&Happening::Down(touch)));
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for (word, openness) in Openness::WORDS {
            assert_eq!((Openness::parse(word), openness.word()), (Some(openness), word));
        }
        assert_eq!(Openness::parse("ajar"), None);
    }
}
