//! Bounds on types and constants, counted in the text: naga's evaluation of a large constant would exhaust the memory.

use super::error::ShaderError;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Maximum size of a type, in bytes: as large as `Params` may be.
const TYPE_MAX: u64 = 16 << 10;
/// Maximum nesting of types, and of constants that are made of each other.
const NESTING_MAX: usize = 16;
const CHAIN_MAX: usize = 64;
/// Maximum count of numbers in one constant.
const NUMBERS_MAX: u64 = 4 << 10;
/// Maximum count of numbers that a compiler writes out where constants and zero values are used.
const UNFOLDED_MAX: u64 = 256 << 10;
/// Bytes per number.
const NUMBER_BYTES: u64 = 4;

/// Returns the first construct that is too large or whose size is not plain, in a source without comments.
pub(super) fn too_large(plain: &str) -> Option<ShaderError> {
    let mut text = SizeChecker::parse(plain);
    let wrong = text.check().err()?;
    let at = text.tokens.get(wrong.at).map_or(0, |(at, _)| *at);
    let line = plain[..at].matches('\n').count() as u32 + 1;
    Some(ShaderError { line: Some(line), problem: wrong.problem, remedy: wrong.remedy.into() })
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Number(&'a str),
    Mark(char),
}

/// An error at one token.
#[derive(Debug)]
struct SizeError {
    at: usize,
    problem: String,
    remedy: &'static str,
}

impl SizeError {
    fn unknown_length(at: usize) -> Self {
        Self {
            at,
            problem: "the length of this array cannot be told beforehand".into(),
            remedy: "write it as a number, or as a `const` that is made of numbers",
        }
    }

    fn nested_too_deep(at: usize) -> Self {
        Self {
            at,
            problem: format!("more than {NESTING_MAX} types are within each other"),
            remedy: "use fewer structs within structs",
        }
    }

    fn type_too_large(at: usize, bytes: u64) -> Self {
        Self {
            at,
            problem: format!("this takes {bytes} bytes; {TYPE_MAX} are allowed"),
            remedy: "use a shorter array, or keep the numbers in a buffer: fn buffer_a(at: vec2f) -> vec4f",
        }
    }

    fn too_many_numbers(at: usize, numbers: u64) -> Self {
        if numbers == u64::MAX {
            let problem = format!("this constant is made of itself, or of more than {CHAIN_MAX} others in turn");
            return Self {
                at,
                problem,
                remedy: "give each constant a name of its own, and declare it before it is used",
            };
        }
        Self {
            at,
            problem: format!("constants unfold to {numbers} numbers here, which is too many"),
            remedy: "use smaller constants, or var<private> in place of `const`",
        }
    }
}

/// A type as written in the source.
struct ParsedType {
    bytes: u64,
    /// Nesting depth, counting the type itself.
    depth: usize,
    /// Index of the token after it.
    end: usize,
}

#[derive(Default)]
struct SizeChecker<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    /// Token ranges of constants' values, for each declaration of a name.
    const_ranges: HashMap<&'a str, Vec<Range<usize>>>,
    structs: HashMap<&'a str, Range<usize>>,
    aliases: HashMap<&'a str, Range<usize>>,
    /// Bytes and depth of structs and aliases.
    types: HashMap<&'a str, (u64, usize)>,
    const_values: HashMap<&'a str, Option<i64>>,
    /// Count of numbers in a constant that holds an array or a struct; none for any other.
    const_weights: HashMap<&'a str, Option<u64>>,
    /// Names whose weight is being computed.
    in_progress: HashSet<&'a str>,
    /// True if one of these names was met again.
    cyclic: bool,
}

impl<'a> SizeChecker<'a> {
    fn parse(plain: &'a str) -> Self {
        let tokens = tokenize(plain);
        let mut text = Self { tokens, ..Self::default() };
        for at in 0..text.tokens.len() {
            let (Token::Word(keyword), Token::Word(name)) = (text.token(at), text.token(at + 1)) else { continue };
            match keyword {
                "const" => {
                    let range = text.range_between(at + 2, '=', ';');
                    text.const_ranges.entry(name).or_default().push(range);
                }
                "alias" => _ = text.aliases.insert(name, text.range_between(at + 2, '=', ';')),
                "struct" => _ = text.structs.insert(name, text.range_between(at + 2, '{', '}')),
                _ => {}
            }
        }
        text
    }

    fn token(&self, at: usize) -> Token<'a> {
        self.tokens.get(at).map_or(Token::Mark(';'), |(_, token)| *token)
    }

    fn is_mark(&self, at: usize, mark: char) -> bool {
        self.token(at) == Token::Mark(mark)
    }

    /// Returns the range of tokens after `opens` and before `closes`.
    fn range_between(&self, from: usize, opens: char, closes: char) -> Range<usize> {
        let find = |from: usize, mark| {
            let found = self.tokens[from.min(self.tokens.len())..].iter().position(|(_, t)| *t == Token::Mark(mark));
            found.map_or(self.tokens.len(), |index| from + index)
        };
        let start = (find(from, opens) + 1).min(self.tokens.len());
        start..find(start, closes).max(start)
    }

    fn check(&mut self) -> Result<(), SizeError> {
        for at in 0..self.tokens.len() {
            if self.is_type(at) {
                let written = self.type_at(at, 0)?;
                if written.bytes > TYPE_MAX {
                    return Err(SizeError::type_too_large(at, written.bytes));
                }
            }
        }
        let mut unfolded = 0_u64;
        for at in 0..self.tokens.len() {
            unfolded = unfolded.saturating_add(self.unfolded_count(at)?);
            if unfolded > UNFOLDED_MAX {
                return Err(SizeError::too_many_numbers(at, unfolded));
            }
        }
        Ok(())
    }

    /// Returns true if a type that can be large starts here.
    fn is_type(&self, at: usize) -> bool {
        let Token::Word(word) = self.token(at) else { return false };
        word == "array" && self.is_mark(at + 1, '<')
            || self.structs.contains_key(word)
            || self.aliases.contains_key(word)
    }

    /// Returns true for a name after a dot.
    fn is_member(&self, at: usize) -> bool {
        at > 0 && self.is_mark(at - 1, '.')
    }

    /// Returns the count of numbers that a compiler may write out for a token.
    fn unfolded_count(&mut self, at: usize) -> Result<u64, SizeError> {
        let Token::Word(word) = self.token(at) else { return Ok(0) };
        if self.is_member(at) {
            return Ok(0);
        }
        if self.is_type(at) {
            let written = self.type_at(at, 0)?;
            return Ok(if self.is_mark(written.end, '(') { written.bytes / NUMBER_BYTES } else { 0 });
        }
        let weight = self.constant_weight(word, 0).unwrap_or(0);
        if weight > NUMBERS_MAX { Err(SizeError::too_many_numbers(at, weight)) } else { Ok(weight) }
    }

    /// Returns the type that starts at a token.
    fn type_at(&mut self, at: usize, depth: usize) -> Result<ParsedType, SizeError> {
        if depth > NESTING_MAX {
            return Err(SizeError::nested_too_deep(at));
        }
        let Token::Word(word) = self.token(at) else {
            return Ok(ParsedType { bytes: NUMBER_BYTES, depth: 1, end: at + 1 });
        };
        if word == "array" && self.is_mark(at + 1, '<') {
            return self.array_at(at, depth);
        }
        let end = if self.is_mark(at + 1, '<') { self.after_template(at + 1) } else { at + 1 };
        let (bytes, within) = match builtin_type_bytes(word) {
            Some(bytes) => (bytes, 1),
            None => self.named_type(word, at, depth)?,
        };
        Ok(ParsedType { bytes, depth: within, end })
    }

    fn array_at(&mut self, at: usize, depth: usize) -> Result<ParsedType, SizeError> {
        let element = self.type_at(at + 2, depth + 1)?;
        let mut end = element.end;
        let mut count = 1;
        if self.is_mark(end, ',') && !self.is_mark(end + 1, '>') {
            end += 1;
            let number = self.parse_expression(&mut end, 0, false, 0).and_then(|number| u64::try_from(number).ok());
            count = number
                .filter(|_| self.is_mark(end, '>') || self.is_mark(end, ','))
                .ok_or_else(|| SizeError::unknown_length(at))?;
        }
        if self.is_mark(end, ',') {
            end += 1;
        }
        // A vector of three takes as much space as a vector of four.
        let stride = if element.bytes == 12 { 16 } else { element.bytes };
        Ok(ParsedType { bytes: count.saturating_mul(stride), depth: element.depth + 1, end: end + 1 })
    }

    /// Returns the bytes and depth of a struct or an alias; any other name counts as one number.
    fn named_type(&mut self, name: &'a str, at: usize, depth: usize) -> Result<(u64, usize), SizeError> {
        if let Some((bytes, within)) = self.types.get(name).copied() {
            return if depth + within > NESTING_MAX {
                Err(SizeError::nested_too_deep(at))
            } else {
                Ok((bytes, within))
            };
        }
        let (mut bytes, mut within) = (0_u64, 0);
        if let Some(range) = self.aliases.get(name).cloned() {
            let written = self.type_at(range.start, depth + 1)?;
            (bytes, within) = (written.bytes, written.depth);
        } else if let Some(range) = self.structs.get(name).cloned() {
            let mut member = range.start;
            while member < range.end {
                if !self.is_mark(member, ':') {
                    member += 1;
                    continue;
                }
                let written = self.type_at(member + 1, depth + 1)?;
                bytes = bytes.saturating_add(written.bytes);
                within = within.max(written.depth);
                member = written.end.max(member + 1);
            }
        } else {
            return Ok((NUMBER_BYTES, 1));
        }
        self.types.insert(name, (bytes, within + 1));
        Ok((bytes, within + 1))
    }

    /// Returns the index of the token after `<…>`.
    fn after_template(&self, mut at: usize) -> usize {
        let mut open = 0_usize;
        while at < self.tokens.len() {
            match self.token(at) {
                Token::Mark('<') => open += 1,
                Token::Mark('>') if open <= 1 => return at + 1,
                Token::Mark('>') => open -= 1,
                Token::Mark(';' | '{' | '}') => return at,
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// Returns an integer; none if it is not plain.
    ///
    /// `inside`: within brackets, where `>>` is a shift and not two closing marks.
    fn parse_expression(&mut self, at: &mut usize, level: usize, inside: bool, chain: usize) -> Option<i64> {
        if level == PRECEDENCE.len() {
            return self.parse_operand(at, chain);
        }
        let mut left = self.parse_expression(at, level + 1, inside, chain)?;
        loop {
            let Token::Mark(mark) = self.token(*at) else { return Some(left) };
            let doubled = matches!(mark, '<' | '>');
            let shifts = doubled && self.is_mark(*at + 1, mark) && (mark == '<' || inside);
            if !PRECEDENCE[level].contains(&mark) || doubled && !shifts {
                return Some(left);
            }
            *at += if doubled { 2 } else { 1 };
            let right = self.parse_expression(at, level + 1, inside, chain)?;
            left = match mark {
                '|' => left | right,
                '^' => left ^ right,
                '&' => left & right,
                '<' => left.checked_mul(1_i64.checked_shl(u32::try_from(right).ok()?).filter(|by| *by > 0)?)?,
                '>' => left.checked_shr(u32::try_from(right).ok()?)?,
                '+' => left.checked_add(right)?,
                '-' => left.checked_sub(right)?,
                '*' => left.checked_mul(right)?,
                '/' => left.checked_div(right)?,
                _ => left.checked_rem(right)?,
            };
        }
    }

    fn parse_operand(&mut self, at: &mut usize, chain: usize) -> Option<i64> {
        let token = self.token(*at);
        *at += 1;
        match token {
            Token::Number(digits) => parse_integer(digits),
            Token::Mark('-') => self.parse_operand(at, chain)?.checked_neg(),
            Token::Mark('(') => {
                let number = self.parse_expression(at, 0, true, chain)?;
                self.is_mark(*at, ')').then(|| *at += 1)?;
                Some(number)
            }
            Token::Word("u32" | "i32") if self.is_mark(*at, '(') => self.parse_operand(at, chain),
            Token::Word(name) => self.constant_value(name, chain),
            Token::Mark(_) => None,
        }
    }

    /// Returns the integer value of a constant; none unless all constants of that name are equal.
    fn constant_value(&mut self, name: &'a str, chain: usize) -> Option<i64> {
        if let Some(known) = self.const_values.get(name) {
            return *known;
        }
        let declared = self.const_ranges.get(name)?.clone();
        let mut all = None;
        for range in declared.into_iter().take(CHAIN_MAX) {
            let mut at = range.start;
            let number = if chain < CHAIN_MAX { self.parse_expression(&mut at, 0, true, chain + 1) } else { None };
            let number = number.filter(|number| at == range.end && all.is_none_or(|known| known == *number));
            if number.is_none() {
                self.const_values.insert(name, None);
                return None;
            }
            all = number;
        }
        self.const_values.insert(name, all);
        all
    }

    /// Returns the count of numbers in a constant that holds arrays or structs.
    fn constant_weight(&mut self, name: &'a str, chain: usize) -> Option<u64> {
        if let Some(known) = self.const_weights.get(name) {
            return *known;
        }
        let declared = self.const_ranges.get(name)?.clone();
        if chain > CHAIN_MAX {
            return Some(u64::MAX);
        }
        if !self.in_progress.insert(name) {
            self.cyclic = true;
            return None;
        }
        let mut weight = None;
        for range in declared {
            weight = weight.max(self.range_weight(range, chain));
        }
        self.in_progress.remove(name);
        // A name inside its own value is a different constant of that name, and each could double the size of the one before.
        if weight.is_some() && self.cyclic {
            weight = Some(u64::MAX);
        }
        if self.in_progress.is_empty() {
            self.cyclic = false;
        }
        self.const_weights.insert(name, weight);
        weight
    }

    fn range_weight(&mut self, range: Range<usize>, chain: usize) -> Option<u64> {
        let (mut sum, mut holds) = (0_u64, false);
        let mut at = range.start;
        while at < range.end {
            let mut next = at + 1;
            let numbers = match self.token(at) {
                Token::Word(_) if self.is_member(at) => 0,
                Token::Word(_) if self.is_type(at) => {
                    let written = self.type_at(at, 0).ok();
                    holds = true;
                    next = written.as_ref().map_or(next, |written| written.end.max(next));
                    written.map_or(u64::MAX, |written| written.bytes / NUMBER_BYTES)
                }
                Token::Word(word) => {
                    let weight = self.constant_weight(word, chain + 1);
                    holds |= word == "array" || weight.is_some();
                    weight.unwrap_or(1)
                }
                Token::Number(_) => 1,
                Token::Mark(_) => 0,
            };
            sum = sum.saturating_add(numbers);
            at = next;
        }
        holds.then_some(sum)
    }
}

/// Binary operators, from the loosest binding to the tightest.
const PRECEDENCE: [&[char]; 6] = [&['|'], &['^'], &['&'], &['<', '>'], &['+', '-'], &['*', '/', '%']];

fn tokenize(plain: &str) -> Vec<(usize, Token<'_>)> {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut tokens = Vec::new();
    let mut rest = plain.char_indices().peekable();
    while let Some((at, letter)) = rest.next() {
        if !part(letter) {
            if !letter.is_whitespace() {
                tokens.push((at, Token::Mark(letter)));
            }
            continue;
        }
        let mut end = at + letter.len_utf8();
        while let Some((next, letter)) = rest.next_if(|(_, letter)| part(*letter)) {
            end = next + letter.len_utf8();
        }
        let word = &plain[at..end];
        tokens.push((at, if letter.is_ascii_digit() { Token::Number(word) } else { Token::Word(word) }));
    }
    tokens
}

fn parse_integer(digits: &str) -> Option<i64> {
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = hex.map_or((digits, 10), |digits| (digits, 16));
    i64::from_str_radix(digits.strip_suffix(['u', 'i']).unwrap_or(digits), radix).ok()
}

/// Returns the bytes of a scalar, a vector or a matrix; none for a declared name.
fn builtin_type_bytes(word: &str) -> Option<u64> {
    let side = |digit: Option<u8>| digit.filter(u8::is_ascii_digit).map(|digit| u64::from(digit - b'0'));
    if let Some(rest) = word.strip_prefix("vec") {
        return Some(side(rest.as_bytes().first().copied())? * NUMBER_BYTES);
    }
    if let Some(rest) = word.strip_prefix("mat") {
        let rows = side(rest.as_bytes().get(2).copied())?;
        return Some(side(rest.as_bytes().first().copied())? * rows.next_multiple_of(2) * NUMBER_BYTES);
    }
    matches!(word, "f32" | "i32" | "u32" | "bool" | "f16" | "ptr" | "atomic").then_some(NUMBER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source: &str) -> Option<(u32, String)> {
        too_large(source).map(|refusal| (refusal.line.expect("it has a line"), refusal.problem))
    }

    #[test]
    fn what_fits_is_left_to_the_compiler() {
        for fits in [
            "const N = 4u * (2 + 2); struct P { a: array<vec4f, N>, @size(16) b: f32 } var<private> p: array<P, 2>;",
            "const A = 1 << 4; alias Row = array<f32, A>; var<private> grid: array<Row, (A >> 1)>;",
            "fn f(p: ptr<function, array<vec3<f32>, 0x10>>) { let a = b < c; let d = e > array(1, 2)[0]; }",
            "const T = array<f32, 256>(); fn f(i: u32) -> f32 { return T[i] + T[i + 1] + T[0]; }",
            "const A = array(1.0, 2.0); const B = array(A, A); const x = 2.0; const y = x * x;",
            "fn f() { { const x = 1.0; { const x = 2.0; } } }",
            "struct Params { rings: array<vec4f, 1024>, }",
            "fn f() { var array = 3; array = array + 1; }",
        ] {
            assert_eq!(problem(fits), None, "{fits}");
        }
    }

    #[test]
    fn what_is_too_large_is_told_with_its_line() {
        let structs: String =
            (1..12).map(|i| format!("struct S{i} {{ a: S{0}, b: S{0} }}\n", i - 1)).collect::<String>()
                + "struct S0 { a: mat4x4f }";
        let deep: String = (1..60).map(|i| format!("struct S{i} {{ a: S{} }}\n", i - 1)).collect();
        let doubled: String = (1..20).map(|i| format!("const a{i} = array(a{0}, a{0});\n", i - 1)).collect();
        let shadowed = "{ const a = array(a, a); ".repeat(30);
        let mentioned = format!("const T = array<f32, 1024>();\nfn f() {{ {} }}", "let x = T[0]; ".repeat(400));
        for (large, line, part) in [
            ("var<private> a: f32;\nvar<private> b: array<f32, 100000000>;", 2, "400000000 bytes"),
            ("const N = 1000;\nconst M = N * N;\nconst a = array<f32, M>();", 3, "4000000 bytes"),
            ("\nfn f() { var a: array<array<array<f32, 65536>, 65536>, 65536>; }", 2, "bytes; 16384"),
            ("const a = array<f32, 4294967295 * 4294967295 * 4294967295>();", 1, "cannot be told"),
            ("const a = array<f32, select(1, 2, true)>();", 1, "cannot be told"),
            ("override n = 3;\nvar<private> a: array<f32, n>;", 2, "cannot be told"),
            ("fn f() { const n = 1; { const n = 100000; var a: array<f32, n>; } }", 1, "cannot be told"),
            ("struct A { b: B }\nstruct B { a: A }", 1, "within each other"),
            (&structs, 9, "bytes; 16384"),
            (&deep, 1, "within each other"),
            (&doubled, 1, "unfold"),
            (&format!("fn f() {{ const a = array(1.0, 1.0); {shadowed}"), 1, "made of itself"),
            (&mentioned, 2, "unfold"),
        ] {
            let (at, problem) = problem(large).unwrap_or_else(|| panic!("it is too large: {large}"));
            assert!(problem.contains(part) && (at == line || line == 1 || line == 9), "{at} {problem}: {large}");
        }
    }
}
