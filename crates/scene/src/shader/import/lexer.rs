//! Minimal GLSL lexer: finds names, and calls with a texture as their first argument.

use crate::diagnostic::{find_word, line_and_column};

/// Returns the source with spaces in place of comments; lines keep their numbers.
pub(super) fn without_comments(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(letter) = rest.chars().next() {
        let comment = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(inner) = rest.strip_prefix("/*") {
            inner.find("*/").map_or(rest.len(), |at| at + 4)
        } else {
            plain.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        };
        plain.extend(rest[..comment].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        rest = &rest[comment..];
    }
    plain
}

/// Returns the word at the beginning of a text.
pub(super) fn leading_word(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    begins.then(|| &text[..end])
}

/// Replaces words. `change` gets a word and the text after it, and returns the replacement and the number of following
/// bytes to replace too.
pub(super) fn replace_words(source: &str, mut change: impl FnMut(&str, &str) -> Option<(String, usize)>) -> String {
    let mut changed = String::with_capacity(source.len());
    let mut rest = source;
    // Letters in a number are not words: 1e5, 0x1f, 2u.
    let mut number = false;
    while let Some(letter) = rest.chars().next() {
        let Some(word) = leading_word(rest).filter(|_| !number) else {
            number = letter.is_ascii_digit() || number && (letter.is_ascii_alphanumeric() || "_.".contains(letter));
            changed.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        };
        rest = &rest[word.len()..];
        match change(word, rest) {
            Some((text, bytes)) => {
                changed.push_str(&text);
                rest = &rest[bytes.min(rest.len())..];
            }
            None => changed.push_str(word),
        }
    }
    changed
}

/// Returns true if a source contains this word.
pub(super) fn has_word(source: &str, name: &str) -> bool {
    let mut found = false;
    replace_words(source, |word, _| {
        found |= word == name;
        None
    });
    found
}

/// Parses a bracket and a name after a function's name. Returns the name and the length of both in bytes.
///
/// A comma after the name is included; otherwise the closing bracket must follow, and is not included.
pub(super) fn first_argument(rest: &str) -> Option<(&str, usize)> {
    let open = rest.trim_start().strip_prefix('(')?.trim_start();
    let name = leading_word(open)?;
    let after = open[name.len()..].trim_start();
    let after = match after.strip_prefix(',') {
        Some(more) => more,
        None if after.starts_with(')') => after,
        None => return None,
    };
    Some((name, rest.len() - after.len()))
}

/// Returns the line and column, from 1, of a word's first occurrence.
pub(super) fn word_location(source: &str, name: &str) -> Option<(u32, u32)> {
    find_word(source, name, 0).map(|at| line_and_column(source, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_and_numbers_are_none() {
        let loud = |source: &str| replace_words(source, |word, _| (word == "e5").then(|| ("E".into(), 0)));
        assert_eq!(loud("1e5 + e5 - x_e5 * e5x + 0xe5 + 2.e5"), "1e5 + E - x_e5 * e5x + 0xe5 + 2.e5");
        assert!(has_word("texture(iChannel0, uv)", "iChannel0") && !has_word("iChannel01", "iChannel0"));
    }

    #[test]
    fn comments_are_spaces() {
        assert_eq!(without_comments("a // b\nc /* d\n e */ f"), "a     \nc     \n      f");
        assert_eq!(without_comments("a /* ä"), "a     ");
    }

    #[test]
    fn a_call_gives_its_first_argument() {
        assert_eq!(first_argument(" ( image , uv)"), Some(("image", 10)));
        assert_eq!(first_argument("(image)"), Some(("image", 6)));
        assert_eq!(first_argument("(f(x), uv)"), None);
        assert_eq!(first_argument(" = 3"), None);
    }
}
