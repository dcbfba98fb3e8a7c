//! Keys of a rehearsal. A show reports them in its output, and `rehearse` performs their actions.

use bevy::prelude::KeyCode;

/// Action of a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RehearsalKey {
    /// Cuts the link, or restores it.
    Link,
    /// Stops the other city's show, or starts it again.
    Twin,
    /// Sets the time to noon here, or back to now.
    Noon,
    /// Sets the time to midnight here, or back to now.
    Midnight,
    /// Selects the next distance between the cities.
    Distance,
    /// Turns the debug overlay on or off.
    DebugOverlay,
    /// Saves a frame of both cities.
    Picture,
}

impl RehearsalKey {
    /// All keys: action, letter, word, and description.
    pub const ALL: [(Self, KeyCode, char, &'static str, &'static str); 7] = [
        (Self::Link, KeyCode::KeyL, 'l', "link", "cuts and mends the link"),
        (Self::Twin, KeyCode::KeyT, 't', "twin", "puts the twin to sleep and wakes it"),
        (Self::Noon, KeyCode::KeyN, 'n', "noon", "noon here, and now again"),
        (Self::Midnight, KeyCode::KeyM, 'm', "midnight", "midnight here, and now again"),
        (Self::Distance, KeyCode::KeyD, 'd', "distance", "another distance"),
        (Self::DebugOverlay, KeyCode::KeyK, 'k', "knows", "what the engine knows"),
        (Self::Picture, KeyCode::KeyP, 'p', "picture", "a picture of both"),
    ];

    /// Returns the word for the output lines of a show.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(key, ..)| *key == self).map_or("", |(_, _, _, word, _)| word)
    }

    /// Returns the key for a word or a letter.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let is = |letter: char, word: &str| word == text || text.chars().eq([letter]);
        Self::ALL.iter().find(|(_, _, letter, word, _)| is(*letter, word)).map(|(key, ..)| *key)
    }

    /// Returns all keys in one line, for people.
    pub fn help() -> String {
        let each = Self::ALL.map(|(_, _, letter, word, _)| format!("{} {word}", letter.to_uppercase()));
        format!("{}, F1 panel", each.join(", "))
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
