//! CSS colours.

use serde::{Deserialize, Serialize};

/// A colour in sRGB with straight alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Colour(pub [u8; 4]);

impl Colour {
    /// Fully transparent.
    pub const CLEAR: Self = Self([0; 4]);

    /// Parses a CSS colour: `#rrggbb`, a name, `rgb()`, `hsl()`, `oklch()` …
    pub fn parse(text: &str) -> Option<Self> {
        // The parser has no length limit; no colour is longer than this.
        let text = Some(text).filter(|text| text.len() <= 100)?;
        csscolorparser::parse(text).ok().map(|colour| Self(colour.to_rgba8()))
    }

    /// Mixes this colour with the fraction `t` of `other` in OKLab, which looks even to the eye.
    pub fn mix_oklab(self, other: Self, t: f32) -> Self {
        // A transparent colour takes the hue of the other.
        let [one, two] = match (self.0[3], other.0[3]) {
            (0, _) => [Self([other.0[0], other.0[1], other.0[2], 0]), other],
            (_, 0) => [self, Self([self.0[0], self.0[1], self.0[2], 0])],
            _ => [self, other],
        };
        Self(one.css().interpolate_oklab(&two.css(), t.clamp(0.0, 1.0)).to_rgba8())
    }

    /// Mixes this colour with the fraction `t` of `other` in OKLCH: around the colour circle, the shorter way.
    pub fn mix_oklch(self, other: Self, t: f32) -> Self {
        let t = t.clamp(0.0, 1.0);
        let [[l, c, h, a], [l2, c2, h2, a2]] = [self, other].map(|colour| colour.css().to_oklcha());
        // A grey takes the hue of the other.
        let (h, h2) = if c < 0.01 {
            (h2, h2)
        } else if c2 < 0.01 {
            (h, h)
        } else {
            (h, h2)
        };
        let turn = (h2 - h + std::f32::consts::PI).rem_euclid(std::f32::consts::TAU) - std::f32::consts::PI;
        let between = |from: f32, to: f32| from + (to - from) * t;
        let mixed = csscolorparser::Color::from_oklcha(between(l, l2), between(c, c2), h + turn * t, between(a, a2));
        Self(mixed.clamp().to_rgba8())
    }

    fn css(self) -> csscolorparser::Color {
        let [r, g, b, a] = self.0;
        csscolorparser::Color::from_rgba8(r, g, b, a)
    }

    /// Returns the colour in CSS hexadecimal notation.
    pub fn to_css(self) -> String {
        self.css().to_css_hex().to_string()
    }

    /// Returns the colour with its alpha multiplied.
    pub fn scale_alpha(self, alpha: f32) -> Self {
        let [r, g, b, a] = self.0;
        Self([r, g, b, (f32::from(a) * alpha.clamp(0.0, 1.0)).round() as u8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_mixed_as_they_are_seen() {
        let [red, blue, white, black] =
            ["red", "blue", "white", "black"].map(|name| Colour::parse(name).expect("it is one"));
        assert_eq!([red.mix_oklab(blue, 0.0), red.mix_oklab(blue, 1.0)], [red, blue]);
        assert_eq!([red.mix_oklch(blue, 0.0), red.mix_oklch(blue, 1.0)], [red, blue]);
        // CSS Color 4: color-mix(in oklab, white, black) is #636363, in sRGB it would be #808080.
        assert_eq!(white.mix_oklab(black, 0.5), Colour([99, 99, 99, 255]));
        // By the shorter way, red to blue passes magenta and not green.
        let Colour([r, g, b, _]) = red.mix_oklch(blue, 0.5);
        assert!(r > 150 && b > 150 && g < 80, "{r} {g} {b}");
        assert_eq!(red.mix_oklab(Colour::CLEAR, 0.5), Colour([255, 0, 0, 128]));
        assert_eq!(Colour([16, 32, 48, 255]).to_css(), "#102030");
    }

    #[test]
    fn css_is_understood() {
        assert_eq!(Colour::parse("#e8543f"), Some(Colour([0xe8, 0x54, 0x3f, 255])));
        assert_eq!(Colour::parse("rgb(255 0 0 / 50%)"), Some(Colour([255, 0, 0, 128])));
        assert_eq!(Colour::parse("white"), Some(Colour([255; 4])));
        assert_eq!(Colour::parse("whit"), None);
        assert_eq!(Colour::parse(&"(".repeat(100_000)), None);
    }
}
