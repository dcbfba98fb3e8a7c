//! Initial values of GLSL's global variables. naga's reader drops those that are not constant, so functions called before the
//! shader's own set them: each stands where its variable is declared, under the same `#if` and with the same macros.

use super::lexer::{change, word};
use super::texture::letters;
use std::collections::HashSet;

/// Qualifiers of declarations that are left unchanged, because the variable is set from outside.
const OUTSIDE: [&str; 11] =
    ["attribute", "buffer", "in", "inout", "invariant", "layout", "out", "precision", "shared", "uniform", "varying"];

/// A source whose variables are set by functions, and those functions' names in order. Under an `#if` some may be absent.
pub(super) struct Begun {
    pub source: String,
    pub functions: Vec<String>,
}

/// Rewrites a source without comments. `given` lists variables that have no value before a pixel is painted, `prefix` starts
/// the names of this file. Every line keeps its number.
pub(super) fn begun(source: &str, given: &[String], prefix: &str) -> Begun {
    let mut reader = Reader {
        runtime: given.iter().cloned().collect(),
        prefix,
        begun: Begun { source: String::with_capacity(source.len()), functions: Vec::new() },
    };
    // Start of the current statement, its bracket depth, and flags for a function and for a directive inside it.
    let (mut start, mut depth, mut function, mut directive) = (0, 0_usize, false, false);
    let mut letters = source.char_indices().peekable();
    let mut fresh = true;
    while let Some((at, letter)) = letters.next() {
        let first = fresh;
        fresh = letter == '\n' || first && letter.is_whitespace();
        match letter {
            '#' if first => {
                let end = at + directive_end(&source[at..]);
                reader.macro_of(&source[at..end]);
                while letters.next_if(|(next, _)| *next < end).is_some() {}
                fresh = true;
                if source[start..at].trim().is_empty() {
                    reader.begun.source.push_str(&source[start..end]);
                    start = end;
                } else {
                    directive = true;
                }
            }
            '{' | '(' | '[' => {
                function |= depth == 0 && letter == '{' && is_function(&source[start..at]);
                depth += 1;
            }
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && function && letter == '}' {
                    reader.function(&source[start..=at]);
                    (start, function, directive) = (at + 1, false, false);
                }
            }
            ';' if depth == 0 => {
                let statement = &source[start..=at];
                match reader.declaration(statement).filter(|_| !directive) {
                    Some(changed) => reader.begun.source.push_str(&changed),
                    None => reader.begun.source.push_str(statement),
                }
                (start, function, directive) = (at + 1, false, false);
            }
            _ => {}
        }
    }
    reader.begun.source.push_str(&source[start..]);
    reader.begun
}

/// Returns the end of a directive: the end of its line, continuation lines included.
fn directive_end(source: &str) -> usize {
    let mut end = 0;
    for line in source.split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        if !text.ends_with('\\') {
            return end + text.len();
        }
        end += line.len();
    }
    end
}

/// True if the brace opens a function body rather than a struct or a list. The head of a function may be a macro.
fn is_function(head: &str) -> bool {
    let first = word(head.trim_start()).unwrap_or_default();
    let holds = first == "struct" || first == "const" || OUTSIDE.contains(&first) || head.contains('=');
    head.trim_end().ends_with(')') || !holds
}

/// Splits a text at the commas that are outside brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Splits a declarator into the declared part and the initial value.
fn halves(part: &str) -> (&str, Option<&str>) {
    let mut depth = 0_usize;
    for (at, letter) in part.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '=' if depth == 0 => return (part[..at].trim(), Some(part[at + 1..].trim_start())),
            _ => {}
        }
    }
    (part.trim(), None)
}

/// Splits a declared name into the text before it, the name, and the dimensions of its array.
fn named(declared: &str) -> Option<(&str, &str, &str)> {
    let mut end = declared.len();
    while declared[..end].trim_end().ends_with(']') {
        end = declared[..end].rfind('[')?;
    }
    let before = declared[..end].trim_end();
    let start = before.rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').map_or(0, |at| at + 1);
    let name = &before[start..];
    word(name)?;
    Some((before[..start].trim(), name, declared[end..].trim()))
}

/// Counts the elements of an array constructor such as `float[](1.0, 2.0)`.
fn elements(value: &str) -> Option<usize> {
    let inner = value.trim().strip_suffix(')')?.split_once('(')?.1;
    Some(parts(inner).len())
}

/// True for a literal value: numbers, and vectors, matrices and arrays of numbers. naga's reader keeps those.
fn is_written_out(value: &str) -> bool {
    let mut plain = true;
    change(value, |word, _| {
        let ty = word.trim_start_matches(['i', 'u', 'b']).trim_end_matches(|letter: char| letter.is_ascii_digit());
        plain &= matches!(word, "float" | "int" | "uint" | "bool" | "true" | "false") || matches!(ty, "vec" | "mat");
        None
    });
    let mut before = '(';
    for letter in value.chars().filter(|letter| !letter.is_whitespace()) {
        plain &= match letter {
            '-' => "(,eE".contains(before),
            '+' => "eE".contains(before),
            letter => letter.is_ascii_alphanumeric() || "().,[]_".contains(letter),
        };
        before = letter;
    }
    plain
}

struct Reader<'a> {
    /// Names that have no value before a pixel is painted.
    runtime: HashSet<String>,
    prefix: &'a str,
    begun: Begun,
}

impl Reader<'_> {
    fn is_runtime(&self, text: &str) -> bool {
        let mut found = false;
        change(text, |word, _| {
            found |= self.runtime.contains(word) || word.starts_with("moongate_");
            None
        });
        found
    }

    /// Records a macro as runtime if its body uses a name that has no value before a pixel is painted.
    fn macro_of(&mut self, directive: &str) {
        let Some(rest) = directive.trim_start_matches(['#', ' ', '\t']).strip_prefix("define") else { return };
        let Some(name) = word(rest.trim_start()) else { return };
        if self.is_runtime(rest.trim_start().trim_start_matches(name)) {
            self.runtime.insert(name.into());
        }
    }

    /// Records a function's name as runtime: its result is not constant.
    fn function(&mut self, text: &str) {
        let name = text.split('(').next().and_then(named).map(|(_, name, _)| name.to_owned());
        self.runtime.extend(name);
        self.begun.source.push_str(text);
    }

    /// Returns the declaration without its values plus a function that sets them; none if the declaration stays unchanged.
    fn declaration(&mut self, statement: &str) -> Option<String> {
        let text = statement.trim_end_matches(';');
        let lead = &text[..text.len() - text.trim_start().len()];
        let all: Vec<_> = parts(text).into_iter().map(halves).collect();
        let values = || all.iter().filter_map(|(_, value)| *value);
        if values().next().is_none() || values().any(|value| value.starts_with('{')) {
            return None;
        }
        let (ty, ..) = named(all.first()?.0)?;
        let mut words: Vec<&str> = ty.split_whitespace().collect();
        let is_outside = |word: &&str| OUTSIDE.contains(&word.split('(').next().unwrap_or_default());
        if words.is_empty() || words.iter().any(is_outside) || ty.contains('{') {
            return None;
        }
        if words.contains(&"const") {
            if !values().any(|value| self.is_runtime(value)) {
                return None;
            }
            words.retain(|word| *word != "const");
        }
        let written_out = values().all(is_written_out);
        let ty = words.join(" ");
        let (mut declared, mut set, mut names) = (String::new(), String::new(), Vec::new());
        for (index, (left, value)) in all.iter().enumerate() {
            let (before, name, array) = named(left)?;
            if index > 0 && !before.is_empty() {
                return None;
            }
            let (mut ty, mut array) = (ty.clone(), array.to_owned());
            // An array without a size takes the size of its value.
            if let Some(count) = value.and_then(elements) {
                let sized = |text: &str| text.replacen("[]", &format!("[{count}]"), 1);
                (ty, array) = (sized(&ty), sized(&array));
            }
            declared += &format!("{ty} {name}{array}; ");
            if let Some(value) = value {
                set += &format!("{name} = {value}; ");
            }
            names.push(name.to_owned());
        }
        self.runtime.extend(names);
        if written_out {
            return None;
        }
        let function = format!("moongate_{}begin_{}", self.prefix, letters(self.begun.functions.len()));
        let changed = format!("{lead}{declared}void {function}() {{ {set}}}");
        self.begun.functions.push(function);
        let lines = |text: &str| text.matches('\n').count();
        Some(format!("{changed}{}", "\n".repeat(lines(statement).saturating_sub(lines(&changed)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> (String, usize) {
        let given = ["TIME", "RENDERSIZE"].map(str::to_owned);
        let begun = begun(source, &given, "");
        assert_eq!(begun.source.lines().count(), source.lines().count(), "{}", begun.source);
        (begun.source, begun.functions.len())
    }

    #[test]
    fn values_are_set_in_order_where_they_were_declared() {
        assert_eq!(of("float a = 1., b = TIME;").0, "float a; float b; void moongate_begin_a() { a = 1.; b = TIME; }");
        assert_eq!(
            of("\n  vec2 p = vec2(1, TIME),\n q[2] = vec2[2](p, p),\n r; float z;"),
            (
                "\n  vec2 p; vec2 q[2]; vec2 r; void moongate_begin_a() { p = vec2(1, TIME); q = vec2[2](p, p); }\n\n float z;"
                    .into(),
                1
            )
        );
        assert_eq!(
            of("float[] k = float[](1., max(2., 3.));").0,
            "float[2] k; void moongate_begin_a() { k = float[](1., max(2., 3.)); }"
        );
        let (source, count) = of("#if A\nint n = 3;\n#else\nint n = int(TIME);\n#endif\nint m = n;");
        assert!(count == 2 && source.contains("#else\nint n; void moongate_begin_a()"), "{source}");
    }

    #[test]
    fn constants_stay_unless_they_are_none() {
        for same in [
            "const float PI = 3.14, TAU = 2. * PI;",
            "uniform float x = 1.;",
            "float f(float a) { float b = a; if (b == a) { return TIME; } return b; }",
            "struct S { float x; };",
            "#define F float f()\nF { float a = TIME; return a; }",
            "layout(location = 0) out vec4 c;",
            "float f(float a);",
            "#define X(a) float a = TIME; \\\n  float b = 1.;\n",
            "const int w[2] = int[2](1, 2);",
            "float k[2] = {1., 2.};",
            "float k[2] = float[2](1., -2e-3), x = -.5;",
            "vec3 v = vec3(1, 2., 0x3);",
        ] {
            assert_eq!(of(same), (same.to_owned(), 0));
        }
        let none = "const highp float r = RENDERSIZE.x;";
        assert_eq!(of(none).0, "highp float r; void moongate_begin_a() { r = RENDERSIZE.x; }");
        // A value derived from a runtime constant, a macro or a function is not constant either.
        let (source, count) = of(
            "#define R RENDERSIZE.xy\nfloat f() { return 1.; }\nconst vec2 a = R;\nconst float b = a.x;\nconst float c = f();\nconst float d = 1.;",
        );
        assert!(count == 3 && source.ends_with("const float d = 1.;"), "{source}");
    }
}
