//! Vertex shader beside an ISF file: a scene has none, so the import reports the parts that are left out.

use super::lexer::{replace_words, without_comments};

/// Tokens of a plain vertex shader, without spaces.
const TRIVIAL_TOKENS: [&str; 4] = ["isf_vertShaderInit();", "vv_vertShaderInit();", "void", "main"];

/// Qualifiers that may come first in a declaration.
const QUALIFIERS: [&str; 6] = ["flat", "smooth", "centroid", "highp", "mediump", "lowp"];

/// Returns a notice of the vertex shader's work that a scene drops; none if it only covers the canvas.
pub(super) fn dropped_notice(file: &str, source: &str) -> Option<String> {
    let plain = without_comments(source);
    let body: String = plain.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let squeezed: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
    let left = TRIVIAL_TOKENS.iter().fold(squeezed, |left, word| left.replace(word, ""));
    if left.chars().all(|letter| "(){};".contains(letter)) {
        return None;
    }
    let does = match (assigns(&plain, "gl_Position"), varyings(&plain, ["varying", "out"])) {
        (true, names) if names.is_empty() => "moves the corners of the picture".to_owned(),
        (true, names) => format!("moves the corners of the picture, and hands on {}", names.join(", ")),
        (false, names) if names.is_empty() => "does more than to cover the picture".to_owned(),
        (false, names) => format!("hands on {}", names.join(", ")),
    };
    Some(format!("{file} is left out: it {does}, and a scene's shader has no vertices; do it in the fragment shader"))
}

/// True if the source assigns to the variable.
fn assigns(plain: &str, name: &str) -> bool {
    let mut found = false;
    replace_words(plain, |word, rest| {
        if word == name {
            let rest = rest.trim_start();
            let rest = rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches(char::is_alphanumeric));
            let rest = rest.trim_start().trim_start_matches(['+', '-', '*', '/']);
            found |= rest.starts_with('=') && !rest.starts_with("==");
        }
        None
    });
    found
}

/// Returns the names passed from one shader to the other, declared after one of these keywords.
pub(super) fn varyings(plain: &str, behind: [&str; 2]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for statement in plain.split([';', '{', '}']) {
        // A directive ends with its line.
        let words = statement.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| {
            line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
        });
        let mut words = words.filter(|word| !QUALIFIERS.contains(word));
        if words.next().is_none_or(|word| !behind.contains(&word)) {
            continue;
        }
        // Names follow the type; the number of an array's size is not a name.
        for name in words.skip(1).filter(|word| !word.starts_with(|letter: char| letter.is_ascii_digit())) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_more_is_told() {
        for plain in [
            "void main() { isf_vertShaderInit(); }",
            "#version 120\n// nothing\nvoid main(void)\n{\n\tvv_vertShaderInit();\n}\n",
            "",
        ] {
            assert_eq!(dropped_notice("a.vs", plain), None);
        }
        let moves = "void main() { isf_vertShaderInit(); gl_Position.xy *= 2.0; }";
        assert!(
            dropped_notice("a.vs", moves)
                .is_some_and(|said| said.starts_with("a.vs is left out: it moves the corners"))
        );
        let hands = "#if __VERSION__ <= 120\nvarying vec2 left, right;\nvarying vec2 offsets[5];\n#else\nout vec2 left;\n#endif\n\
                     void main() { isf_vertShaderInit(); left = isf_FragNormCoord - 0.1; }";
        assert!(dropped_notice("a.vs", hands).is_some_and(|said| said.contains("it hands on left, right, offsets,")));
    }
}
