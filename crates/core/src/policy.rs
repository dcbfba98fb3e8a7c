//! Sharing policy of a site: the data that may leave it and that may enter it. The session of the link enforces it.

use crate::presence::Presence;

/// Openness of a site to its twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharingPolicy {
    /// Everything that the link carries.
    #[default]
    Open,
    /// Touches and bodies; no signals, shared state or marks of a scene.
    Shapes,
    /// Nothing: nobody here is seen there, and nobody there is seen here.
    Closed,
}

impl SharingPolicy {
    /// All policies, with their keywords in `site.toml`.
    pub const WORDS: [(&str, Self); 3] = [("open", Self::Open), ("shapes", Self::Shapes), ("closed", Self::Closed)];

    /// Returns the policy of a keyword.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, policy)| policy)
    }

    /// Returns the keyword.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, known)| *known == self).map_or("open", |(word, _)| word)
    }

    /// Returns the presence that may pass the border of the site.
    pub fn filter_presence(self, presence: Presence) -> Presence {
        if self.allows_people() { presence } else { Presence::default() }
    }

    /// Returns true if touches, bodies and meetings may pass.
    pub fn allows_people(self) -> bool {
        self != Self::Closed
    }

    /// Returns true if signals, shared state and marks of a scene may pass.
    pub fn allows_scene_data(self) -> bool {
        self == Self::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::{Body, Touch};

    #[test]
    fn a_closed_site_lets_nobody_pass() {
        let there = Presence { touches: vec![Touch::default()], bodies: vec![Body::default()] };
        assert_eq!(SharingPolicy::Shapes.filter_presence(there.clone()), there);
        assert!(SharingPolicy::Closed.filter_presence(there).is_empty());
        let allowed = SharingPolicy::WORDS.map(|(_, policy)| (policy.allows_people(), policy.allows_scene_data()));
        assert_eq!(allowed, [(true, true), (true, false), (false, false)]);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for (word, policy) in SharingPolicy::WORDS {
            assert_eq!((SharingPolicy::parse(word), policy.as_str()), (Some(policy), word));
        }
        assert_eq!(SharingPolicy::parse("ajar"), None);
    }
}
