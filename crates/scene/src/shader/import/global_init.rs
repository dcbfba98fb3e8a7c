//! Initial values of GLSL's global variables.
//!
//! naga's reader drops those that are not constant, so functions called before the shader's own set them. Each stands
//! where its variable is declared, under the same `#if` and with the same macros.

use super::lexer::{leading_word, replace_words};
use super::texture::to_letters;
use std::collections::HashSet;

/// Qualifiers of declarations that are left unchanged, because the variable is set from outside.
const EXTERNAL_QUALIFIERS: [&str; 11] =
    ["attribute", "buffer", "in", "inout", "invariant", "layout", "out", "precision", "shared", "uniform", "varying"];

/// A source whose variables are set by functions, and those functions' names in order.
///
/// Under an `#if` some may be absent.
pub(super) struct GlobalInit {
    pub source: String,
    pub init_functions: Vec<String>,
}

/// Rewrites a source without comments. Every line keeps its number.
///
/// `given` lists variables without a value before a pixel is painted; `prefix` starts the names of this file.
pub(super) fn extract_global_init(source: &str, given: &[String], prefix: &str) -> GlobalInit {
    let mut reader = InitRewriter {
        runtime_names: given.iter().cloned().collect(),
        prefix,
        output: GlobalInit { source: String::with_capacity(source.len()), init_functions: Vec::new() },
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
                reader.record_macro(&source[at..end]);
                while letters.next_if(|(next, _)| *next < end).is_some() {}
                fresh = true;
                if source[start..at].trim().is_empty() {
                    reader.output.source.push_str(&source[start..end]);
                    start = end;
                } else {
                    directive = true;
                }
            }
            '{' | '(' | '[' => {
                function |= depth == 0 && letter == '{' && opens_function(&source[start..at]);
                depth += 1;
            }
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && function && letter == '}' {
                    reader.record_function(&source[start..=at]);
                    (start, function, directive) = (at + 1, false, false);
                }
            }
            ';' if depth == 0 => {
                let statement = &source[start..=at];
                match reader.rewrite_declaration(statement).filter(|_| !directive) {
                    Some(changed) => reader.output.source.push_str(&changed),
                    None => reader.output.source.push_str(statement),
                }
                (start, function, directive) = (at + 1, false, false);
            }
            _ => {}
        }
    }
    reader.output.source.push_str(&source[start..]);
    reader.output
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
fn opens_function(head: &str) -> bool {
    let first = leading_word(head.trim_start()).unwrap_or_default();
    let holds = first == "struct" || first == "const" || EXTERNAL_QUALIFIERS.contains(&first) || head.contains('=');
    head.trim_end().ends_with(')') || !holds
}

/// Splits a text at the commas that are outside brackets.
fn split_at_commas(text: &str) -> Vec<&str> {
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
fn split_initializer(part: &str) -> (&str, Option<&str>) {
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
fn split_declared_name(declared: &str) -> Option<(&str, &str, &str)> {
    let mut end = declared.len();
    while declared[..end].trim_end().ends_with(']') {
        end = declared[..end].rfind('[')?;
    }
    let before = declared[..end].trim_end();
    let start = before.rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').map_or(0, |at| at + 1);
    let name = &before[start..];
    leading_word(name)?;
    Some((before[..start].trim(), name, declared[end..].trim()))
}

/// Counts the elements of an array constructor such as `float[](1.0, 2.0)`.
fn element_count(value: &str) -> Option<usize> {
    let inner = value.trim().strip_suffix(')')?.split_once('(')?.1;
    Some(split_at_commas(inner).len())
}

/// True for a literal value: numbers, and vectors, matrices and arrays of numbers. naga's reader keeps those.
fn is_literal(value: &str) -> bool {
    let mut plain = true;
    replace_words(value, |word, _| {
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

struct InitRewriter<'a> {
    /// Names without a value before a pixel is painted.
    runtime_names: HashSet<String>,
    prefix: &'a str,
    output: GlobalInit,
}

impl InitRewriter<'_> {
    fn uses_runtime_name(&self, text: &str) -> bool {
        let mut found = false;
        replace_words(text, |word, _| {
            found |= self.runtime_names.contains(word) || word.starts_with("moongate_");
            None
        });
        found
    }

    /// Records a macro as runtime if its body uses a name without a value before a pixel is painted.
    fn record_macro(&mut self, directive: &str) {
        let Some(rest) = directive.trim_start_matches(['#', ' ', '\t']).strip_prefix("define") else { return };
        let Some(name) = leading_word(rest.trim_start()) else { return };
        if self.uses_runtime_name(rest.trim_start().trim_start_matches(name)) {
            self.runtime_names.insert(name.into());
        }
    }

    /// Records a function's name as runtime: its result is not constant.
    fn record_function(&mut self, text: &str) {
        let name = text.split('(').next().and_then(split_declared_name).map(|(_, name, _)| name.to_owned());
        self.runtime_names.extend(name);
        self.output.source.push_str(text);
    }

    /// Returns the declaration without its values plus a function that sets them; none if the declaration stays unchanged.
    fn rewrite_declaration(&mut self, statement: &str) -> Option<String> {
        let text = statement.trim_end_matches(';');
        let lead = &text[..text.len() - text.trim_start().len()];
        let all: Vec<_> = split_at_commas(text).into_iter().map(split_initializer).collect();
        let values = || all.iter().filter_map(|(_, value)| *value);
        if values().next().is_none() || values().any(|value| value.starts_with('{')) {
            return None;
        }
        let (ty, ..) = split_declared_name(all.first()?.0)?;
        let mut words: Vec<&str> = ty.split_whitespace().collect();
        let is_outside = |word: &&str| EXTERNAL_QUALIFIERS.contains(&word.split('(').next().unwrap_or_default());
        if words.is_empty() || words.iter().any(is_outside) || ty.contains('{') {
            return None;
        }
        if words.contains(&"const") {
            if !values().any(|value| self.uses_runtime_name(value)) {
                return None;
            }
            words.retain(|word| *word != "const");
        }
        let written_out = values().all(is_literal);
        let ty = words.join(" ");
        let (mut declared, mut set, mut names) = (String::new(), String::new(), Vec::new());
        for (index, (left, value)) in all.iter().enumerate() {
            let (before, name, array) = split_declared_name(left)?;
            if index > 0 && !before.is_empty() {
                return None;
            }
            let (mut ty, mut array) = (ty.clone(), array.to_owned());
            // An array without a size takes the size of its value.
            if let Some(count) = value.and_then(element_count) {
                let sized = |text: &str| text.replacen("[]", &format!("[{count}]"), 1);
                (ty, array) = (sized(&ty), sized(&array));
            }
            declared += &format!("{ty} {name}{array}; ");
            if let Some(value) = value {
                set += &format!("{name} = {value}; ");
            }
            names.push(name.to_owned());
        }
        self.runtime_names.extend(names);
        if written_out {
            return None;
        }
        let function = format!("moongate_{}begin_{}", self.prefix, to_letters(self.output.init_functions.len()));
        let changed = format!("{lead}{declared}void {function}() {{ {set}}}");
        self.output.init_functions.push(function);
        let lines = |text: &str| text.matches('\n').count();
        Some(format!("{changed}{}", "\n".repeat(lines(statement).saturating_sub(lines(&changed)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> (String, usize) {
        let given = ["TIME", "RENDERSIZE"].map(str::to_owned);
        let begun = extract_global_init(source, &given, "");
        assert_eq!(begun.source.lines().count(), source.lines().count(), "{}", begun.source);
        (begun.source, begun.init_functions.len())
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
