//! Text from strangers, made safe for terminals, logs and names.
//!
//! Titles, names, file names and messages from other people and machines may contain control characters, which move a
//! cursor and erase or forge a line. They may also contain bidirectional controls, which make a line look different
//! from its real contents (Trojan Source, CVE-2021-42574).

use std::fmt::{self, Display, Write};

/// Returns true for a character that changes how the text around it is shown.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns true for text without control characters, which can be a name or a title.
pub fn is_plain(text: &str) -> bool {
    !text.contains(is_control)
}

/// Returns the text without its control characters, for names that another machine sends.
pub fn strip_controls(text: &str) -> String {
    text.chars().filter(|letter| !is_control(*letter)).collect()
}

/// Displays something on one line, with its control characters escaped, as in `\u{1b}`.
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(EscapeWriter { to: f, lines: false }, "{}", self.0)
    }
}

/// Displays something on as many lines as it has. Each but the first is indented, so that none of them can pass for a
/// separate line.
pub struct Indented<T>(pub T);

impl<T: Display> Display for Indented<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(EscapeWriter { to: f, lines: true }, "{}", self.0)
    }
}

struct EscapeWriter<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    lines: bool,
}

impl Write for EscapeWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_control) {
            let (before, after) = rest.split_at(at);
            self.to.write_str(before)?;
            let letter = after.chars().next().unwrap_or_default();
            if self.lines && letter == '\n' {
                self.to.write_str("\n    ")?;
            } else {
                write!(self.to, "{}", letter.escape_default())?;
            }
            rest = &after[letter.len_utf8()..];
        }
        self.to.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_moves_no_cursor_and_forges_no_line() {
        let title = "Night\u{1b}[2K\r✓ it can be shown\nkey 00ff\u{9b}1A\u{202e}gnp";
        let shown = Escaped(title).to_string();
        assert_eq!(shown, "Night\\u{1b}[2K\\r✓ it can be shown\\nkey 00ff\\u{9b}1A\\u{202e}gnp");
        assert!(is_plain(&shown) && !is_plain(title));
        assert_eq!(strip_controls(title), "Night[2K✓ it can be shownkey 00ff1Agnp");
        let log = Indented(title).to_string();
        assert_eq!(log.lines().count(), 2);
        assert!(log.lines().nth(1).is_some_and(|line| line.starts_with("    key")), "{log}");
    }

    #[test]
    fn names_in_all_scripts_stay_as_they_are() {
        for name in ["深圳", "Île-de-France", "می\u{200c}خواهم", "👩\u{200d}🎨", "Zażółć"] {
            assert!(is_plain(name), "{name}");
            assert_eq!(Escaped(name).to_string(), name);
        }
    }
}
