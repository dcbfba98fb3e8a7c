//! Mutation of valid inputs into damaged ones, from one seed.

/// Numbers at which readers break, as bytes.
const EDGES: [u64; 14] =
    [0, 1, 2, 0x7e, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
/// Numbers at which readers break, as text.
const NUMBERS: [&str; 20] = [
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "9",
    "0.5",
    "1e9",
    "1e-45",
    "-1e308",
    "1e309",
    "nan",
    "inf",
    "4096",
    "4097",
    "65536",
    "2147483648",
    "4294967296",
    "18446744073709551616",
    "99999999999999999999999999",
];

/// Generator of damaged inputs.
pub struct Mutator {
    random: fastrand::Rng,
    words: &'static [&'static str],
    most: usize,
}

impl Mutator {
    pub fn new(seed: u64, words: &'static [&'static str], most: usize) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), words, most }
    }

    /// Returns the next input: one of `corpus` (not empty), damaged; occasionally noise.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        if self.random.u8(..) < 4 {
            let length = self.random.usize(..=self.most.min(2_048));
            return (0..length).map(|_| self.random.u8(..)).collect();
        }
        // The newest are chosen more often, because the least is known of where they lead.
        let recent = corpus.len() - 1 - self.random.usize(..corpus.len().min(64));
        let at = if self.random.bool() { recent } else { self.random.usize(..corpus.len()) };
        let mut input = corpus[at].clone();
        // Most inputs get little damage, so that the bytes after it are still read.
        for _ in 0..1_u32 << self.random.u32(..5) {
            let other = &corpus[self.random.usize(..corpus.len())];
            self.damage(&mut input, other);
        }
        input.truncate(self.most);
        input
    }

    fn damage(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        if input.is_empty() {
            input.extend_from_slice(other);
            return;
        }
        let at = self.random.usize(..input.len());
        match self.random.u8(..15) {
            0 | 1 => input[at] ^= 1 << self.random.u8(..8),
            2 => input[at] = self.random.u8(..),
            3 => input[at] = input[at].wrapping_add(self.random.u8(1..4)).wrapping_sub(2),
            4 | 5 => self.edge(input, at),
            6 => input.truncate(at),
            7 => {
                let end = self.range(at, input.len());
                input.drain(at..end);
            }
            8 => {
                let end = self.range(at, input.len());
                let again = input[at..end].to_vec();
                for _ in 0..self.random.usize(1..4) {
                    if input.len() < self.most {
                        input.splice(at..at, again.iter().copied());
                    }
                }
            }
            9 => {
                let from = self.random.usize(..=other.len());
                let end = self.range(from, other.len());
                let to = if self.random.bool() { at } else { (at + end - from).min(input.len()) };
                input.splice(at..to, other[from..end].iter().copied());
            }
            10 => {
                // This joins the head of one and the tail of the other.
                let from = self.random.usize(..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            11 | 12 => self.number(input, at),
            13 => {
                if let Some(word) = self.random.choice(self.words) {
                    let end = if self.random.bool() { at } else { (at + word.len()).min(input.len()) };
                    input.splice(at..end, word.bytes());
                }
            }
            _ => {
                let end = self.range(at, input.len());
                let random = &mut self.random;
                input[at..end].iter_mut().for_each(|byte| *byte = random.u8(..));
            }
        }
    }

    /// Returns the end of a range that begins at `from`; most are short.
    fn range(&mut self, from: usize, end: usize) -> usize {
        let longest = if self.random.u8(..) < 32 { end - from } else { (end - from).min(24) };
        from + self.random.usize(..=longest)
    }

    /// Writes a number at which readers break, in one of the common widths and byte orders.
    fn edge(&mut self, input: &mut [u8], at: usize) {
        let mut number = EDGES[self.random.usize(..EDGES.len())];
        if self.random.u8(..) < 64 {
            // The number is about the length of the rest.
            number = (input.len() as u64).wrapping_add(self.random.u64(..8)).wrapping_sub(4);
        }
        let width = 1 << self.random.u32(..4);
        let (little, big) = (number.to_le_bytes(), number.to_be_bytes());
        let bytes = if self.random.bool() { &little[..width] } else { &big[8 - width..] };
        input[at..].iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    }

    /// Replaces the next decimal number from `at` on, if there is one.
    fn number(&mut self, input: &mut Vec<u8>, at: usize) {
        let Some(from) = input[at..].iter().position(u8::is_ascii_digit).map(|digit| at + digit) else { return };
        let digits = input[from..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let word = NUMBERS[self.random.usize(..NUMBERS.len())];
        input.splice(from..from + digits, word.bytes());
    }
}
