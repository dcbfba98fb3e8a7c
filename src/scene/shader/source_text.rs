//! A source as text, before any parser sees it: without comments, and not nested deeper than a parser's stack allows.

/// Most operators side by side in one expression.
const OPERATORS_MAX: usize = 256;
/// Most brackets, or blocks, within each other.
const DEPTH_MAX: usize = 64;
/// Most times `else`.
const ELSES_MAX: usize = 256;

/// A source with spaces in place of its comments: every letter that is left stands where it stood.
pub(super) fn without_comments(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    // How many of `/*` are open: in WGSL they stand within each other. And what ends a line there.
    let (mut depth, mut line) = (0_usize, false);
    let ends = |letter: char| matches!(letter, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    while let Some(letter) = letters.next() {
        let pair = letters.peek().map(|next| (letter, *next));
        line = !ends(letter) && (line || depth == 0 && pair == Some(('/', '/')));
        let bracket = match pair {
            Some(('/', '*')) if !line => {
                depth += 1;
                true
            }
            Some(('*', '/')) if depth > 0 => {
                depth -= 1;
                true
            }
            _ => false,
        };
        if bracket {
            letters.next();
            plain.push_str("  ");
        } else {
            plain.push(if !ends(letter) && (line || depth > 0) { ' ' } else { letter });
        }
    }
    plain
}

/// The line on which a source is too deep: whoever reads it goes as deep, and has no such stack.
pub(super) fn too_deep_line(source: &str) -> Option<u32> {
    // Operators on each level of brackets, and how many blocks are open.
    let mut levels = vec![0_usize];
    let (mut blocks, mut line) = (0_usize, 1);
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\n', _) => line += 1,
            (';', _) => levels = vec![0],
            ('{', _) => (levels, blocks) = (vec![0], blocks + 1),
            ('}', _) => (levels, blocks) = (vec![0], blocks.saturating_sub(1)),
            ('(' | '[', _) => levels.push(0),
            (')' | ']', _) if levels.len() > 1 => _ = levels.pop(),
            (',', _) => _ = levels.last_mut().map(|count| *count = 0),
            ('+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<' | '>' | '=' | '!' | '~' | '.', _) => {
                *levels.last_mut()? += 1;
            }
            _ => {}
        }
        if levels.last().is_some_and(|count| *count > OPERATORS_MAX) || levels.len() > DEPTH_MAX || blocks > DEPTH_MAX {
            return Some(line);
        }
    }
    // Each of a chain is within the one before.
    let elses = source.match_indices("else").nth(ELSES_MAX);
    elses.map(|(at, _)| source[..at].lines().count() as u32)
}

/// Returns the problem text for such a line.
pub(super) fn too_deep_problem() -> String {
    format!(
        "this is too deep: at most {OPERATORS_MAX} operators in a row, {DEPTH_MAX} brackets or blocks within each other, \
         {ELSES_MAX} times `else`; take it apart"
    )
}

/// Returns the line on which a function begins; in a rewritten source its name may end in `_`.
pub(super) fn line_of_function(source: &str, name: &str) -> Option<u32> {
    let begins = |line: &str, name: &str| {
        let rest = line.split_once("fn ").and_then(|(_, rest)| rest.trim_start().strip_prefix(name));
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    };
    let line = source.lines().position(|line| begins(line, name) || begins(line, name.trim_end_matches('_')));
    line.map(|line| line as u32 + 1)
}
