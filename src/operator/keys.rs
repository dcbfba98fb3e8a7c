//! The keys of a rehearsal: what an artist can ask for while it runs. The show tells them; `rehearse` does what they ask.

use bevy::prelude::*;
use std::sync::mpsc::SyncSender;

/// What an artist can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RehearsalKey {
    /// Cuts the link, or mends it.
    Link,
    /// Puts the other city's show to sleep, or wakes it.
    Twin,
    /// It is noon here, or now again.
    Noon,
    /// It is midnight here, or now again.
    Midnight,
    /// The next distance between the cities.
    Distance,
    /// What the engine knows is drawn over the picture, or not.
    DebugOverlay,
    /// Keeps a picture of both cities.
    Picture,
}

impl RehearsalKey {
    /// All of them: which key, its letter, its word, what it does.
    pub const ALL: [(Self, KeyCode, char, &'static str, &'static str); 7] = [
        (Self::Link, KeyCode::KeyL, 'l', "link", "cuts and mends the link"),
        (Self::Twin, KeyCode::KeyT, 't', "twin", "puts the twin to sleep and wakes it"),
        (Self::Noon, KeyCode::KeyN, 'n', "noon", "noon here, and now again"),
        (Self::Midnight, KeyCode::KeyM, 'm', "midnight", "midnight here, and now again"),
        (Self::Distance, KeyCode::KeyD, 'd', "distance", "another distance"),
        (Self::DebugOverlay, KeyCode::KeyK, 'k', "knows", "what the engine knows"),
        (Self::Picture, KeyCode::KeyP, 'p', "picture", "a picture of both"),
    ];

    /// As the lines of a show have it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(key, ..)| *key == self).map_or("", |(_, _, _, word, _)| word)
    }

    /// The key of a word, or of a letter.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let is = |letter: char, word: &str| word == text || text.chars().eq([letter]);
        Self::ALL.iter().find(|(_, _, letter, word, _)| is(*letter, word)).map(|(key, ..)| *key)
    }

    /// All of them in a line, for people.
    pub fn help() -> String {
        let each = Self::ALL.map(|(_, _, letter, word, _)| format!("{} {word}", letter.to_uppercase()));
        format!("{}, F1 panel", each.join(", "))
    }
}

/// Where keys are told.
#[derive(Resource)]
pub(super) struct KeySender(pub SyncSender<RehearsalKey>);

/// Tells what was pressed. A rehearsal that does not keep up is not waited for.
pub(super) fn send_keys(keys: Res<ButtonInput<KeyCode>>, told: Res<KeySender>) {
    for (key, code, ..) in RehearsalKey::ALL {
        if keys.just_pressed(code) {
            let _ = told.0.try_send(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_word_and_a_letter_of_its_own() {
        for (key, _, letter, word, _) in RehearsalKey::ALL {
            assert_eq!(
                (RehearsalKey::parse(word), RehearsalKey::parse(&letter.to_uppercase().to_string())),
                (Some(key), Some(key))
            );
        }
        assert_eq!(RehearsalKey::parse("x"), None);
    }
}
