//! What may leave a site and what may enter it. The link thread asks before anything is encoded and after anything is
//! decoded, so that it holds whatever the frame loop does.

use crate::link::SiteEvent;
use crate::presence::Presence;

/// How open a site is to its twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharingPolicy {
    /// Everything that the link carries.
    #[default]
    Open,
    /// Touches and bodies; nothing that a scene says or keeps.
    Shapes,
    /// Nothing: nobody of here is seen there, nobody of there is seen here.
    Closed,
}

impl SharingPolicy {
    /// All of them, with the words that people write.
    pub const WORDS: [(&str, Self); 3] = [("open", Self::Open), ("shapes", Self::Shapes), ("closed", Self::Closed)];

    /// Reads a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, openness)| openness)
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, known)| *known == self).map_or("open", |(word, _)| word)
    }

    /// Who may be seen at the other site.
    pub fn filter_presence(self, presence: Presence) -> Presence {
        if self == Self::Closed { Presence::default() } else { presence }
    }

    /// Whether this may be told, to the other site or of it. The end of a touch always may: it says nothing of anybody,
    /// and without it a touch from before would be held for ever.
    pub fn allows(self, what: &SiteEvent) -> bool {
        match what {
            SiteEvent::Up(_) => true,
            SiteEvent::Down(_) | SiteEvent::Meet { .. } | SiteEvent::Unknown => self != Self::Closed,
            SiteEvent::Signal { .. } => self == Self::Open,
        }
    }
}

/// Filter for what may leave a site now. People before a dark screen see nobody, so the other site is not told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingPolicy {
    /// Openness of the site.
    pub policy: SharingPolicy,
    /// True while a picture is in view.
    pub in_view: bool,
}

impl OutgoingPolicy {
    /// Returns the presence that may be shown at the other site.
    pub fn filter_presence(self, presence: Presence) -> Presence {
        if self.in_view { self.policy.filter_presence(presence) } else { Presence::default() }
    }

    /// Returns true if the other site may be told of this event.
    pub fn allows(self, what: &SiteEvent) -> bool {
        let is_of_people = matches!(what, SiteEvent::Down(_) | SiteEvent::Meet { .. });
        self.policy.allows(what) && (self.in_view || !is_of_people)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::{Body, Touch};

    #[test]
    fn the_less_open_the_less_goes() {
        let touch = Touch::default();
        let signal = SiteEvent::Signal { name: "bell".into(), data: "1".into() };
        let lets = |openness: SharingPolicy| {
            [SiteEvent::Down(touch), SiteEvent::Up(touch), signal.clone()].map(|what| openness.allows(&what))
        };
        assert_eq!(lets(SharingPolicy::Open), [true, true, true]);
        assert_eq!(lets(SharingPolicy::Shapes), [true, true, false]);
        assert_eq!(lets(SharingPolicy::Closed), [false, true, false]);
        let there = Presence { touches: vec![touch], bodies: vec![Body::default()] };
        assert_eq!(SharingPolicy::Shapes.filter_presence(there.clone()), there);
        assert!(SharingPolicy::Closed.filter_presence(there).is_empty());
    }

    #[test]
    fn nobody_is_told_of_while_no_picture_is_in_view() {
        let touch = Touch::default();
        let there = Presence { touches: vec![touch], bodies: vec![Body::default()] };
        let signal = SiteEvent::Signal { name: "bell".into(), data: "1".into() };
        for openness in SharingPolicy::WORDS.map(|(_, openness)| openness) {
            let [dark, lit] = [false, true].map(|in_view| OutgoingPolicy { policy: openness, in_view });
            assert!(dark.filter_presence(there.clone()).is_empty());
            assert_eq!(lit.filter_presence(there.clone()), openness.filter_presence(there.clone()));
            assert_eq!((dark.allows(&SiteEvent::Down(touch)), dark.allows(&SiteEvent::Up(touch))), (false, true));
            // A scene's messages are not about the people who see it.
            assert_eq!(dark.allows(&signal), openness.allows(&signal));
            assert_eq!(lit.allows(&SiteEvent::Down(touch)), openness.allows(&SiteEvent::Down(touch)));
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for (word, openness) in SharingPolicy::WORDS {
            assert_eq!((SharingPolicy::parse(word), openness.as_str()), (Some(openness), word));
        }
        assert_eq!(SharingPolicy::parse("ajar"), None);
    }
}
