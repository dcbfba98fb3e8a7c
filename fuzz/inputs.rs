//! Composition of inputs for readers that take more than one chunk, and their outcomes.

/// Joins chunks, each with a byte before it, into one input.
pub fn join<'a>(pieces: impl IntoIterator<Item = (u8, &'a [u8])>) -> Vec<u8> {
    let mut input = Vec::new();
    for (beside, bytes) in pieces {
        let length = u16::try_from(bytes.len()).expect("seeds are short");
        input.push(beside);
        input.extend(length.to_le_bytes());
        input.extend_from_slice(bytes);
    }
    input
}

/// Splits an input into chunks again, whatever it has become.
pub fn pieces(input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut left = input;
    std::iter::from_fn(move || {
        let [beside, low, high, rest @ ..] = left else { return None };
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (bytes, after) = rest.split_at(length);
        left = after;
        Some((*beside, bytes))
    })
}

/// Outcome of an input as a hash; counts that differ only a little are equal.
#[derive(Default)]
pub struct Outcome(u64);

impl Outcome {
    pub fn add(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    pub fn count(&mut self, count: usize) {
        self.add(if count < 4 { count as u64 } else { 64 - u64::from((count as u64).leading_zeros()) + 4 });
    }

    /// Adds an error, but only its kind: neither its position nor its quotes of the input.
    pub fn fault(&mut self, fault: &dyn std::fmt::Display) {
        let words = fault.to_string();
        let words = words.bytes().take_while(|byte| !matches!(byte, b'"' | b'`')).filter(|byte| !byte.is_ascii_digit());
        words.take(80).for_each(|byte| self.add(u64::from(byte)));
    }

    pub fn end(self) -> u64 {
        self.0
    }
}
