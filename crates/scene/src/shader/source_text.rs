//! Source text before any parser sees it: removes comments and bounds the nesting to a parser's stack.

/// Maximum number of operators in one expression.
const OPERATORS_MAX: usize = 256;
/// Maximum nesting of brackets or of blocks.
const DEPTH_MAX: usize = 64;
/// Maximum length of an `else` chain.
const ELSES_MAX: usize = 256;

/// Returns the source with spaces in place of comments, so that every other character keeps its position.
pub(super) fn without_comments(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    // Number of open `/*`, which nest in WGSL, and the characters that end a line there.
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

/// Returns the line on which a source is nested too deeply for a recursive parser's stack.
pub(super) fn too_deep_line(source: &str) -> Option<u32> {
    // Operators at each bracket level, and the number of open blocks.
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
    // Each `else` is nested in the one before.
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
