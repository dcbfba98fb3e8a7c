//! Colours as CSS writes them.

use serde::{Deserialize, Serialize};

/// A colour in sRGB with straight alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Colour(pub [u8; 4]);

impl Colour {
    /// Nothing at all.
    pub const CLEAR: Self = Self([0; 4]);

    /// Reads a CSS colour: `#rrggbb`, a name, `rgb()`, `hsl()`, `oklch()` …
    pub fn parse(text: &str) -> Option<Self> {
        // The parser has no bound of its own; no colour is longer than this.
        let text = Some(text).filter(|text| text.len() <= 100)?;
        csscolorparser::parse(text).ok().map(|colour| Self(colour.to_rgba8()))
    }

    /// The same with its alpha multiplied.
    pub fn faded(self, alpha: f32) -> Self {
        let [r, g, b, a] = self.0;
        Self([r, g, b, (f32::from(a) * alpha.clamp(0.0, 1.0)).round() as u8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn css_is_understood() {
        assert_eq!(Colour::parse("#e8543f"), Some(Colour([0xe8, 0x54, 0x3f, 255])));
        assert_eq!(Colour::parse("rgb(255 0 0 / 50%)"), Some(Colour([255, 0, 0, 128])));
        assert_eq!(Colour::parse("white"), Some(Colour([255; 4])));
        assert_eq!(Colour::parse("whit"), None);
        assert_eq!(Colour::parse(&"(".repeat(100_000)), None);
    }
}
