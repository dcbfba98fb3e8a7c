//! Styles in draw calls: the keys of each kind of item, their parsing, and suggestions for unknown keys.

use super::args::{ALIASES, BLENDS, CallArgs, describe_type};
use super::keys::StyleKey;
use super::state::SharedScriptState;
use crate::draw::display_list_builder::TextOptions;
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{FillPattern, Paint, TextAlign};
use moongate_core::config::closest_match;
use rquickjs::{Atom, Error, Result, Value};

/// Readable em size as a fraction of the reading distance: small letters are then 16 minutes of arc high, the DIN 1450
/// size for text read in passing.
const READABLE_SIZE: f32 = 0.009;

/// Style keys of one kind of item.
pub(super) struct StyleSchema {
    /// Name in error messages.
    name: &'static str,
    keys: &'static [StyleKey],
    /// True if the default is a white fill, false if it is a white stroke.
    filled: bool,
}

pub(super) const CIRCLE: StyleSchema = StyleSchema {
    name: "a circle",
    keys: &[
        StyleKey::Fill,
        StyleKey::Pattern,
        StyleKey::Stroke,
        StyleKey::Width,
        StyleKey::Soft,
        StyleKey::Alpha,
        StyleKey::Blend,
    ],
    filled: true,
};
pub(super) const RECT: StyleSchema = StyleSchema {
    name: "a rect",
    keys: &[
        StyleKey::Fill,
        StyleKey::Pattern,
        StyleKey::Stroke,
        StyleKey::Width,
        StyleKey::Soft,
        StyleKey::Alpha,
        StyleKey::Blend,
        StyleKey::Radius,
    ],
    filled: true,
};
pub(super) const LINE: StyleSchema = StyleSchema {
    name: "a line",
    keys: &[StyleKey::Stroke, StyleKey::Width, StyleKey::Soft, StyleKey::Alpha, StyleKey::Blend],
    filled: false,
};
pub(super) const POLYLINE: StyleSchema = StyleSchema {
    name: "a polyline",
    keys: &[StyleKey::Stroke, StyleKey::Width, StyleKey::Soft, StyleKey::Alpha, StyleKey::Blend, StyleKey::Closed],
    filled: false,
};
pub(super) const ELLIPSE: StyleSchema = StyleSchema { name: "an ellipse", ..CIRCLE };
pub(super) const ARC: StyleSchema = StyleSchema { name: "an arc", ..LINE };
pub(super) const CURVE: StyleSchema = StyleSchema {
    name: "a curve",
    keys: &[
        StyleKey::Stroke,
        StyleKey::Width,
        StyleKey::Soft,
        StyleKey::Alpha,
        StyleKey::Blend,
        StyleKey::Closed,
        StyleKey::Fill,
        StyleKey::Pattern,
    ],
    filled: false,
};
pub(super) const POLYGON: StyleSchema = StyleSchema { name: "a polygon", ..CIRCLE };
pub(super) const BODY: StyleSchema = StyleSchema { name: "a body", ..CIRCLE };
pub(super) const TEXT: StyleSchema = StyleSchema {
    name: "a text",
    keys: &[
        StyleKey::Fill,
        StyleKey::Alpha,
        StyleKey::Blend,
        StyleKey::Size,
        StyleKey::Readable,
        StyleKey::Align,
        StyleKey::Bold,
        StyleKey::Weight,
        StyleKey::Wrap,
        StyleKey::Leading,
        StyleKey::Language,
    ],
    filled: true,
};
pub(super) const IMAGE: StyleSchema = StyleSchema {
    name: "an image",
    keys: &[StyleKey::Fill, StyleKey::Alpha, StyleKey::Blend, StyleKey::Part, StyleKey::Center],
    filled: true,
};

/// A parsed style.
pub(super) struct Style {
    pub paint: Paint,
    pub radius: f32,
    pub text: TextOptions,
    pub language: Option<String>,
    pub closed: bool,
    /// Part of an image in its pixels: left, top, width, height.
    pub source_rect: Option<[f32; 4]>,
    /// Position is the centre.
    pub center: bool,
}

impl<'js> CallArgs<'_, 'js> {
    pub fn style(&self, stage: &SharedScriptState, index: usize, kind: &StyleSchema) -> Result<Style> {
        let mut style = Style {
            paint: Paint { width: 1.0, ..Paint::default() },
            radius: 0.0,
            text: TextOptions::default(),
            language: None,
            closed: false,
            source_rect: None,
            center: false,
        };
        let white = Colour([255; 4]);
        let Some(value) = self.arguments.get(index).filter(|value| !value.is_undefined()) else {
            *(if kind.filled { &mut style.paint.fill } else { &mut style.paint.stroke }) = white;
            return Ok(style);
        };
        let Some(object) = value.as_object().filter(|object| !object.is_array() && !object.is_function()) else {
            return Err(self
                .error(format!("the style is {}, not an object such as {{ fill: \"white\" }}", describe_type(value))));
        };
        let mut alpha = 1.0;
        let mut coloured = false;
        for atom in object.keys::<Atom>() {
            let atom = atom?;
            let Some(key) = self.atoms.key(&atom).filter(|key| kind.keys.contains(key)) else {
                // An object spread into a style may have undefined members.
                let name = atom.to_string()?;
                let value: Value = object.get(atom)?;
                if value.is_undefined() {
                    continue;
                }
                return Err(self.unknown_key(&name, kind));
            };
            let value: Value = object.get(atom)?;
            if value.is_undefined() {
                continue;
            }
            let paint = &mut style.paint;
            match key {
                StyleKey::Fill => {
                    (paint.fill, paint.gradients[0]) = self.as_fill(stage, &value, "fill")?;
                    coloured = true;
                }
                StyleKey::Stroke => {
                    (paint.stroke, paint.gradients[1]) = self.as_fill(stage, &value, "stroke")?;
                    coloured = true;
                }
                StyleKey::Width => paint.width = self.as_number(&value, "width")?.max(0.0),
                StyleKey::Soft => paint.soft = self.as_number(&value, "soft")?.max(0.0),
                StyleKey::Alpha => alpha = self.as_number(&value, "alpha")?,
                StyleKey::Blend => paint.blend = self.as_keyword(&value, "blend", BLENDS)?,
                StyleKey::Pattern => {
                    let words =
                        [("plain", FillPattern::Plain), ("lines", FillPattern::Lines), ("dots", FillPattern::Dots)];
                    paint.pattern = self.as_keyword(&value, "pattern", words)?;
                }
                StyleKey::Radius => style.radius = self.as_number(&value, "radius")?.max(0.0),
                StyleKey::Size => style.text.size = self.as_number(&value, "size")?.clamp(0.5, 4_000.0),
                StyleKey::Readable => {
                    let metres = self.as_number(&value, "readable")?;
                    style.text.size = (metres * READABLE_SIZE * stage.borrow().metre).clamp(0.5, 4_000.0);
                }
                StyleKey::Align => {
                    let words = [("left", TextAlign::Left), ("center", TextAlign::Center), ("right", TextAlign::Right)];
                    style.text.align = self.as_keyword(&value, "align", words)?;
                }
                StyleKey::Bold => style.text.weight = if self.as_bool(&value, "bold")? { 700 } else { 400 },
                StyleKey::Weight => style.text.weight = self.as_number(&value, "weight")?.clamp(1.0, 1_000.0) as u16,
                StyleKey::Wrap => style.text.wrap = self.as_number(&value, "wrap")?.max(0.0),
                StyleKey::Leading => style.text.leading = self.as_number(&value, "leading")?.clamp(0.2, 10.0),
                StyleKey::Center => style.center = self.as_bool(&value, "center")?,
                StyleKey::Part => style.source_rect = Some(self.as_source_rect(&value)?),
                StyleKey::Closed => style.closed = self.as_bool(&value, "closed")?,
                StyleKey::Language => style.language = Some(self.as_text(&value, "language")?),
            }
        }
        if !coloured {
            *(if kind.filled { &mut style.paint.fill } else { &mut style.paint.stroke }) = white;
        }
        style.paint.fill = style.paint.fill.scale_alpha(alpha);
        style.paint.stroke = style.paint.stroke.scale_alpha(alpha);
        Ok(style)
    }

    /// Returns the error for a key that this kind of item does not have.
    fn unknown_key(&self, key: &str, kind: &StyleSchema) -> Error {
        let has = |name: &str| kind.keys.iter().any(|key| key.name() == name);
        let other = match key {
            "fill" if !kind.filled => Some("stroke"),
            "stroke" if kind.filled => Some("fill"),
            "width" if has("wrap") => Some("wrap"),
            _ => None,
        };
        let alias = || ALIASES.iter().find(|(alias, ours)| *alias == key && has(ours)).map(|(_, ours)| *ours);
        let meant = other.or_else(alias).or_else(|| closest_match(key, kind.keys.iter().map(|key| key.name())));
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        self.error(format!("{} has no `{key}`{meant}", kind.name))
    }

    /// Parses a fill: a colour, or white and the number of a gradient.
    fn as_fill(&self, stage: &SharedScriptState, value: &Value<'js>, key: &str) -> Result<(Colour, u8)> {
        match self.as_gradient(stage, value)? {
            Some(gradient) => Ok((Colour([255; 4]), gradient)),
            None => Ok((self.as_colour(value, key)?, 0)),
        }
    }

    fn as_source_rect(&self, value: &Value<'js>) -> Result<[f32; 4]> {
        let wrong = || self.error("the part is no [left, top, width, height] in the image's pixels");
        let array = value.as_array().filter(|array| array.len() == 4).ok_or_else(wrong)?;
        let mut part = [0.0; 4];
        for (side, value) in part.iter_mut().zip(array.iter::<Value>()) {
            *side = self.as_number(&value?, "a side of the part")?;
        }
        Ok(part)
    }
}
