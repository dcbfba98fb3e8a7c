//! Font of 3 × 5 dots, enough for numbers on a frame that is written to a file.

/// Columns and rows of a glyph.
pub(super) const GLYPH_SIZE: [usize; 2] = [3, 5];

/// Five rows of three dots each, from top to bottom; a box for unknown characters.
const GLYPHS: &[(char, [u8; 5])] = &[
    ('0', [0b111, 0b101, 0b101, 0b101, 0b111]),
    ('1', [0b010, 0b110, 0b010, 0b010, 0b111]),
    ('2', [0b111, 0b001, 0b111, 0b100, 0b111]),
    ('3', [0b111, 0b001, 0b011, 0b001, 0b111]),
    ('4', [0b101, 0b101, 0b111, 0b001, 0b001]),
    ('5', [0b111, 0b100, 0b111, 0b001, 0b111]),
    ('6', [0b111, 0b100, 0b111, 0b101, 0b111]),
    ('7', [0b111, 0b001, 0b010, 0b010, 0b010]),
    ('8', [0b111, 0b101, 0b111, 0b101, 0b111]),
    ('9', [0b111, 0b101, 0b111, 0b001, 0b111]),
    ('.', [0, 0, 0, 0, 0b010]),
    (':', [0, 0b010, 0, 0b010, 0]),
    ('×', [0, 0b101, 0b010, 0b101, 0]),
    (' ', [0; 5]),
    ('m', [0, 0, 0b111, 0b111, 0b101]),
    ('s', [0b011, 0b100, 0b010, 0b001, 0b110]),
];

/// Returns the dots of a character, row by row.
pub(super) fn glyph_dots(letter: char) -> [u8; 5] {
    let known = GLYPHS.iter().find(|(known, _)| *known == letter);
    known.map_or([0b111, 0b101, 0b101, 0b101, 0b111], |(_, dots)| *dots)
}
