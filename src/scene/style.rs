//! How a thing is to look, as a script says it: the keys of a style, what kind of thing has which, and what is meant.

use super::api::Shared;
use super::call::{ALIASES, BLENDS, Call, article};
use super::colour::Colour;
use super::pen::Letters;
use super::picture::{Align, Paint, Pattern};
use crate::manifest::nearest;
use rquickjs::{Atom, Error, Result, Value};

/// An em square that can be read from so far away, as a fraction of the distance: the small letters are then 16 minutes of arc
/// high, as DIN 1450 wants of what is read in passing.
const READABLE: f32 = 0.009;

/// What can be said of how a thing looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Fill,
    Stroke,
    Width,
    Alpha,
    Blend,
    Soft,
    Pattern,
    Radius,
    Size,
    Readable,
    Align,
    Bold,
    Weight,
    Wrap,
    Leading,
    Center,
    Part,
    Closed,
    Language,
}

pub(super) const KEYS: [(&str, Key); 19] = [
    ("fill", Key::Fill),
    ("stroke", Key::Stroke),
    ("width", Key::Width),
    ("alpha", Key::Alpha),
    ("blend", Key::Blend),
    ("soft", Key::Soft),
    ("pattern", Key::Pattern),
    ("radius", Key::Radius),
    ("size", Key::Size),
    ("readable", Key::Readable),
    ("align", Key::Align),
    ("bold", Key::Bold),
    ("weight", Key::Weight),
    ("wrap", Key::Wrap),
    ("leading", Key::Leading),
    ("center", Key::Center),
    ("part", Key::Part),
    ("closed", Key::Closed),
    ("language", Key::Language),
];

impl Key {
    /// As a script writes it.
    pub fn name(self) -> &'static str {
        KEYS[self as usize].0
    }
}

/// What a kind of thing can be told of how it looks.
pub(super) struct Kind {
    /// As messages call it.
    name: &'static str,
    keys: &'static [Key],
    /// Where nothing is said it is filled white; otherwise its stroke is white.
    filled: bool,
}

pub(super) const CIRCLE: Kind = Kind {
    name: "a circle",
    keys: &[Key::Fill, Key::Pattern, Key::Stroke, Key::Width, Key::Soft, Key::Alpha, Key::Blend],
    filled: true,
};
pub(super) const RECT: Kind = Kind {
    name: "a rect",
    keys: &[Key::Fill, Key::Pattern, Key::Stroke, Key::Width, Key::Soft, Key::Alpha, Key::Blend, Key::Radius],
    filled: true,
};
pub(super) const LINE: Kind =
    Kind { name: "a line", keys: &[Key::Stroke, Key::Width, Key::Soft, Key::Alpha, Key::Blend], filled: false };
pub(super) const POLYLINE: Kind = Kind {
    name: "a polyline",
    keys: &[Key::Stroke, Key::Width, Key::Soft, Key::Alpha, Key::Blend, Key::Closed],
    filled: false,
};
pub(super) const ELLIPSE: Kind = Kind { name: "an ellipse", ..CIRCLE };
pub(super) const ARC: Kind = Kind { name: "an arc", ..LINE };
pub(super) const CURVE: Kind = Kind {
    name: "a curve",
    keys: &[Key::Stroke, Key::Width, Key::Soft, Key::Alpha, Key::Blend, Key::Closed, Key::Fill, Key::Pattern],
    filled: false,
};
pub(super) const POLYGON: Kind = Kind { name: "a polygon", ..CIRCLE };
pub(super) const BODY: Kind = Kind { name: "a body", ..CIRCLE };
pub(super) const TEXT: Kind = Kind {
    name: "a text",
    keys: &[
        Key::Fill,
        Key::Alpha,
        Key::Blend,
        Key::Size,
        Key::Readable,
        Key::Align,
        Key::Bold,
        Key::Weight,
        Key::Wrap,
        Key::Leading,
        Key::Language,
    ],
    filled: true,
};
pub(super) const IMAGE: Kind =
    Kind { name: "an image", keys: &[Key::Fill, Key::Alpha, Key::Blend, Key::Part, Key::Center], filled: true };

/// A style as a script gives it.
pub(super) struct Style {
    pub paint: Paint,
    pub radius: f32,
    pub letters: Letters,
    pub language: Option<String>,
    pub closed: bool,
    /// Of an image: left, top, width, height in its pixels.
    pub part: Option<[f32; 4]>,
    /// Its place is its middle.
    pub center: bool,
}

impl<'js> Call<'_, 'js> {
    pub fn style(&self, stage: &Shared, index: usize, kind: &Kind) -> Result<Style> {
        let mut style = Style {
            paint: Paint { width: 1.0, ..Paint::default() },
            radius: 0.0,
            letters: Letters::default(),
            language: None,
            closed: false,
            part: None,
            center: false,
        };
        let white = Colour([255; 4]);
        let Some(value) = self.arguments.get(index).filter(|value| !value.is_undefined()) else {
            *(if kind.filled { &mut style.paint.fill } else { &mut style.paint.stroke }) = white;
            return Ok(style);
        };
        let Some(object) = value.as_object().filter(|object| !object.is_array() && !object.is_function()) else {
            return Err(
                self.wrong(format!("the style is {}, not an object such as {{ fill: \"white\" }}", article(value)))
            );
        };
        let mut alpha = 1.0;
        let mut coloured = false;
        for atom in object.keys::<Atom>() {
            let atom = atom?;
            let Some(key) = self.words.key(&atom).filter(|key| kind.keys.contains(key)) else {
                // What is spread into a style may have more names than values.
                let name = atom.to_string()?;
                let value: Value = object.get(atom)?;
                if value.is_undefined() {
                    continue;
                }
                return Err(self.no_key(&name, kind));
            };
            let value: Value = object.get(atom)?;
            if value.is_undefined() {
                continue;
            }
            let paint = &mut style.paint;
            match key {
                Key::Fill => {
                    (paint.fill, paint.gradients[0]) = self.fill(stage, &value, "fill")?;
                    coloured = true;
                }
                Key::Stroke => {
                    (paint.stroke, paint.gradients[1]) = self.fill(stage, &value, "stroke")?;
                    coloured = true;
                }
                Key::Width => paint.width = self.as_number(&value, "width")?.max(0.0),
                Key::Soft => paint.soft = self.as_number(&value, "soft")?.max(0.0),
                Key::Alpha => alpha = self.as_number(&value, "alpha")?,
                Key::Blend => paint.blend = self.word(&value, "blend", BLENDS)?,
                Key::Pattern => {
                    let words = [("plain", Pattern::Plain), ("lines", Pattern::Lines), ("dots", Pattern::Dots)];
                    paint.pattern = self.word(&value, "pattern", words)?;
                }
                Key::Radius => style.radius = self.as_number(&value, "radius")?.max(0.0),
                Key::Size => style.letters.size = self.as_number(&value, "size")?.clamp(0.5, 4_000.0),
                Key::Readable => {
                    let metres = self.as_number(&value, "readable")?;
                    style.letters.size = (metres * READABLE * stage.borrow().metre).clamp(0.5, 4_000.0);
                }
                Key::Align => {
                    let words = [("left", Align::Left), ("center", Align::Center), ("right", Align::Right)];
                    style.letters.align = self.word(&value, "align", words)?;
                }
                Key::Bold => style.letters.weight = if self.truth(&value, "bold")? { 700 } else { 400 },
                Key::Weight => style.letters.weight = self.as_number(&value, "weight")?.clamp(1.0, 1_000.0) as u16,
                Key::Wrap => style.letters.wrap = self.as_number(&value, "wrap")?.max(0.0),
                Key::Leading => style.letters.leading = self.as_number(&value, "leading")?.clamp(0.2, 10.0),
                Key::Center => style.center = self.truth(&value, "center")?,
                Key::Part => style.part = Some(self.part(&value)?),
                Key::Closed => style.closed = self.truth(&value, "closed")?,
                Key::Language => style.language = Some(self.words(&value, "language")?),
            }
        }
        if !coloured {
            *(if kind.filled { &mut style.paint.fill } else { &mut style.paint.stroke }) = white;
        }
        style.paint.fill = style.paint.fill.faded(alpha);
        style.paint.stroke = style.paint.stroke.faded(alpha);
        Ok(style)
    }

    /// What is said of a key that a kind of thing has not.
    fn no_key(&self, key: &str, kind: &Kind) -> Error {
        let has = |name: &str| kind.keys.iter().any(|key| key.name() == name);
        let other = match key {
            "fill" if !kind.filled => Some("stroke"),
            "stroke" if kind.filled => Some("fill"),
            "width" if has("wrap") => Some("wrap"),
            _ => None,
        };
        let alias = || ALIASES.iter().find(|(alias, ours)| *alias == key && has(ours)).map(|(_, ours)| *ours);
        let meant = other.or_else(alias).or_else(|| nearest(key, kind.keys.iter().map(|key| key.name())));
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        self.wrong(format!("{} has no `{key}`{meant}", kind.name))
    }

    /// A colour, or white and a gradient.
    fn fill(&self, stage: &Shared, value: &Value<'js>, key: &str) -> Result<(Colour, u8)> {
        match self.gradient(stage, value)? {
            Some(gradient) => Ok((Colour([255; 4]), gradient)),
            None => Ok((self.colour(value, key)?, 0)),
        }
    }

    fn part(&self, value: &Value<'js>) -> Result<[f32; 4]> {
        let wrong = || self.wrong("the part is no [left, top, width, height] in the image's pixels");
        let array = value.as_array().filter(|array| array.len() == 4).ok_or_else(wrong)?;
        let mut part = [0.0; 4];
        for (side, value) in part.iter_mut().zip(array.iter::<Value>()) {
            *side = self.as_number(&value?, "a side of the part")?;
        }
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use super::KEYS;

    #[test]
    fn every_key_stands_at_its_number() {
        assert!(KEYS.iter().enumerate().all(|(index, (name, key))| *key as usize == index && key.name() == *name));
    }
}
