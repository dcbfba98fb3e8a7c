//! One call of a script: its arguments as what they should be, and what is said when they are not.

use super::POINTS_MAX;
use super::api::Shared;
use super::bodies::points;
use super::colour::Colour;
use super::pen::Full;
use super::pen::Letters;
use super::picture::{Align, Blend, Gradient, Paint, Pattern};
use super::smooth::smooth;
use super::words::Words;
use crate::manifest::nearest;
use rquickjs::{Array, Atom, Coerced, Ctx, Error, Exception, Result, Value};

/// Longest text of one call, in bytes.
pub(super) const STRING_MAX: usize = 4_000;
/// What a body calls its outline as a packed text; `prelude.js` has it so.
const OUTLINE: &str = "__outline";

/// The arguments of one call, with the name that it was called by.
pub(super) struct Call<'a, 'js> {
    pub ctx: &'a Ctx<'js>,
    pub name: &'static str,
    pub usage: &'static str,
    pub arguments: &'a [Value<'js>],
    pub words: &'a Words<'js>,
}

/// What can be said of how a thing looks.
pub(super) struct Kind {
    /// As messages call it.
    name: &'static str,
    keys: &'static [&'static str],
    /// Where nothing is said it is filled white; otherwise its stroke is white.
    filled: bool,
}

pub(super) const CIRCLE: Kind =
    Kind { name: "a circle", keys: &["fill", "pattern", "stroke", "width", "soft", "alpha", "blend"], filled: true };
pub(super) const RECT: Kind = Kind {
    name: "a rect",
    keys: &["fill", "pattern", "stroke", "width", "soft", "alpha", "blend", "radius"],
    filled: true,
};
pub(super) const LINE: Kind =
    Kind { name: "a line", keys: &["stroke", "width", "soft", "alpha", "blend"], filled: false };
pub(super) const POLYLINE: Kind =
    Kind { name: "a polyline", keys: &["stroke", "width", "soft", "alpha", "blend", "closed"], filled: false };
pub(super) const ELLIPSE: Kind = Kind { name: "an ellipse", ..CIRCLE };
pub(super) const ARC: Kind = Kind { name: "an arc", ..LINE };
pub(super) const CURVE: Kind = Kind {
    name: "a curve",
    keys: &["stroke", "width", "soft", "alpha", "blend", "closed", "fill", "pattern"],
    filled: false,
};
pub(super) const POLYGON: Kind = Kind { name: "a polygon", ..CIRCLE };
pub(super) const BODY: Kind = Kind { name: "a body", ..CIRCLE };
pub(super) const TEXT: Kind = Kind {
    name: "a text",
    keys: &["fill", "alpha", "blend", "size", "readable", "align", "bold", "weight", "wrap", "leading", "language"],
    filled: true,
};
pub(super) const IMAGE: Kind =
    Kind { name: "an image", keys: &["fill", "alpha", "blend", "part", "center"], filled: true };

/// How things can meet what is below.
pub(super) const BLENDS: [(&str, Blend); 6] = [
    ("over", Blend::Over),
    ("add", Blend::Add),
    ("multiply", Blend::Multiply),
    ("screen", Blend::Screen),
    ("lighten", Blend::Lighten),
    ("darken", Blend::Darken),
];
/// What a gradient calls itself as a text; `prelude.js` has it so.
pub(super) const GRADIENT: &str = "__gradient";
/// Gradients remembered by their texts.
const GRADIENTS_MAX: usize = 500;
/// An em square that can be read from so far away, as a fraction of the distance: the small letters are then 16 minutes of arc
/// high, as DIN 1450 wants of what is read in passing.
const READABLE: f32 = 0.009;

/// What other tools call something, and what it is called here.
const ALIASES: [(&str, &str); 15] = [
    ("color", "fill"),
    ("colour", "fill"),
    ("strokeWidth", "width"),
    ("lineWidth", "width"),
    ("strokeWeight", "width"),
    ("weight", "width"),
    ("opacity", "alpha"),
    ("texture", "pattern"),
    ("tint", "fill"),
    ("lineHeight", "leading"),
    ("maxWidth", "wrap"),
    ("fontSize", "size"),
    ("color", "colour"),
    ("lifetime", "life"),
    ("lifespan", "life"),
];

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
    pub fn wrong(&self, problem: impl std::fmt::Display) -> Error {
        Exception::throw_message(self.ctx, &format!("{}: {problem}; use {}", self.name, self.usage))
    }

    pub fn full<T>(&self, result: std::result::Result<T, Full>) -> Result<T> {
        result.map_err(|full| Exception::throw_message(self.ctx, &format!("{}: {full}", self.name)))
    }

    pub fn number(&self, index: usize, what: &str) -> Result<f32> {
        match self.arguments.get(index) {
            Some(value) => self.as_number(value, what),
            None => Err(self.wrong(format!("{what} is missing"))),
        }
    }

    pub fn as_number(&self, value: &Value<'js>, what: &str) -> Result<f32> {
        match value.as_number() {
            Some(number) if number.is_finite() && number.abs() <= 1e6 => Ok(number as f32),
            Some(number) if number.is_infinite() => Err(self.wrong(format!("{what} is Infinity"))),
            Some(number) => Err(self.wrong(format!("{what} is {number}"))),
            None => Err(self.wrong(format!("{what} is {}, not a number", article(value)))),
        }
    }

    pub fn text(&self, index: usize, what: &str) -> Result<String> {
        let value = self.arguments.get(index).ok_or_else(|| self.wrong(format!("{what} is missing")))?;
        if value.is_undefined() || value.is_null() {
            return Err(self.wrong(format!("{what} is {}", value.type_name())));
        }
        let Coerced(text) = value.get::<Coerced<String>>()?;
        Ok(text[..text.floor_char_boundary(STRING_MAX)].to_owned())
    }

    pub fn colour(&self, value: &Value<'js>, key: &str) -> Result<Colour> {
        let Some(text) = value.as_string() else {
            let grey = value.as_number().map(|n| format!(" (a grey is \"rgb({n} {n} {n})\")")).unwrap_or_default();
            return Err(self.wrong(format!("{key} is {}, not a colour such as \"#e8543f\"{grey}", article(value))));
        };
        self.words.colour(text, |text| {
            Colour::parse(text).ok_or_else(|| {
                let named = ["white", "black", "red", "green", "blue", "gold", "orange", "purple", "transparent"];
                let meant =
                    nearest(text, named).map(|meant| format!(" (did you mean \"{meant}\"?)")).unwrap_or_default();
                self.wrong(format!("\"{text}\" is no colour{meant}"))
            })
        })
    }

    /// The number of the gradient that this value is, if it is one.
    pub fn gradient(&self, stage: &Shared, value: &Value<'js>) -> Result<Option<u8>> {
        let Some(object) = value.as_object() else { return Ok(None) };
        let said: Value = object.get(GRADIENT)?;
        let Some(said) = said.as_string() else { return Ok(None) };
        let said = said.to_string()?;
        let mut stage = stage.borrow_mut();
        let stage = &mut *stage;
        if !stage.gradients.contains_key(&said) {
            let read = serde_json::from_str::<Gradient>(&said).map_err(|_| self.wrong("this is no gradient"))?;
            if stage.gradients.len() >= GRADIENTS_MAX {
                stage.gradients.clear();
            }
            stage.gradients.insert(said.clone(), read);
        }
        let gradient = &stage.gradients[&said];
        self.full(stage.pen.gradient(gradient)).map(Some)
    }

    /// A colour, or white and a gradient.
    fn fill(&self, stage: &Shared, value: &Value<'js>, key: &str) -> Result<(Colour, u8)> {
        match self.gradient(stage, value)? {
            Some(gradient) => Ok((Colour([255; 4]), gradient)),
            None => Ok((self.colour(value, key)?, 0)),
        }
    }

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
        for entry in object.props::<Atom, Value>() {
            let (atom, value) = entry?;
            if value.is_undefined() {
                continue;
            }
            let key = self.words.key(&atom)?;
            if !kind.keys.contains(&&*key) {
                let alias = ALIASES.iter().find(|(alias, _)| *alias == key).map(|(_, ours)| *ours);
                let other = match &*key {
                    "fill" if !kind.filled => Some("stroke"),
                    "stroke" if kind.filled => Some("fill"),
                    "width" if kind.keys.contains(&"wrap") => Some("wrap"),
                    _ => None,
                };
                let meant = other.or(alias.filter(|ours| kind.keys.contains(ours)));
                let meant = meant.or_else(|| nearest(&key, kind.keys.iter().copied()));
                let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                return Err(self.wrong(format!("{} has no `{key}`{meant}", kind.name)));
            }
            let paint = &mut style.paint;
            match &*key {
                "fill" => {
                    (paint.fill, paint.gradients[0]) = self.fill(stage, &value, "fill")?;
                    coloured = true;
                }
                "stroke" => {
                    (paint.stroke, paint.gradients[1]) = self.fill(stage, &value, "stroke")?;
                    coloured = true;
                }
                "width" => paint.width = self.as_number(&value, "width")?.max(0.0),
                "soft" => paint.soft = self.as_number(&value, "soft")?.max(0.0),
                "alpha" => alpha = self.as_number(&value, "alpha")?,
                "blend" => paint.blend = self.word(&value, "blend", BLENDS)?,
                "pattern" => {
                    let words = [("plain", Pattern::Plain), ("lines", Pattern::Lines), ("dots", Pattern::Dots)];
                    paint.pattern = self.word(&value, "pattern", words)?;
                }
                "radius" => style.radius = self.as_number(&value, "radius")?.max(0.0),
                "size" => style.letters.size = self.as_number(&value, "size")?.clamp(0.5, 4_000.0),
                "readable" => {
                    let metres = self.as_number(&value, "readable")?;
                    style.letters.size = (metres * READABLE * stage.borrow().metre).clamp(0.5, 4_000.0);
                }
                "align" => {
                    let words = [("left", Align::Left), ("center", Align::Center), ("right", Align::Right)];
                    style.letters.align = self.word(&value, "align", words)?;
                }
                "bold" => style.letters.weight = if self.truth(&value, "bold")? { 700 } else { 400 },
                "weight" => style.letters.weight = self.as_number(&value, "weight")?.clamp(1.0, 1_000.0) as u16,
                "wrap" => style.letters.wrap = self.as_number(&value, "wrap")?.max(0.0),
                "leading" => style.letters.leading = self.as_number(&value, "leading")?.clamp(0.2, 10.0),
                "center" => style.center = self.truth(&value, "center")?,
                "part" => style.part = Some(self.part(&value)?),
                "closed" => style.closed = self.truth(&value, "closed")?,
                _ => style.language = Some(self.words(&value, "language")?),
            }
        }
        if !coloured {
            *(if kind.filled { &mut style.paint.fill } else { &mut style.paint.stroke }) = white;
        }
        style.paint.fill = style.paint.fill.faded(alpha);
        style.paint.stroke = style.paint.stroke.faded(alpha);
        Ok(style)
    }

    /// Goes through what is said of something, if anything is; a key that it has not is an error, with what was meant.
    pub fn options(
        &self,
        index: usize,
        name: &str,
        keys: &[&str],
        mut take: impl FnMut(&str, &Value<'js>) -> Result<()>,
    ) -> Result<()> {
        let Some(value) = self.arguments.get(index).filter(|value| !value.is_undefined()) else { return Ok(()) };
        let Some(object) = value.as_object().filter(|object| !object.is_array() && !object.is_function()) else {
            return Err(self.wrong(format!("what is said of {name} is {}, not an object", article(value))));
        };
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            if value.is_undefined() {
                continue;
            }
            if !keys.contains(&key.as_str()) {
                let alias = ALIASES.iter().find(|(alias, ours)| *alias == key && keys.contains(ours));
                let meant = alias.map(|(_, ours)| *ours).or_else(|| nearest(&key, keys.iter().copied()));
                let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                return Err(self.wrong(format!("{name} has no `{key}`{meant}")));
            }
            take(&key, &value)?;
        }
        Ok(())
    }

    /// A number, or `[from, to]`; one number is both.
    pub fn span(&self, value: &Value<'js>, what: &str) -> Result<[f32; 2]> {
        let Some(pair) = value.as_array() else { return self.as_number(value, what).map(|number| [number; 2]) };
        if pair.len() != 2 {
            return Err(self.wrong(format!("{what} has {} numbers, not [from, to]", pair.len())));
        }
        Ok([self.as_number(&pair.get(0)?, what)?, self.as_number(&pair.get(1)?, what)?])
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

    pub fn truth(&self, value: &Value<'js>, key: &str) -> Result<bool> {
        value.as_bool().ok_or_else(|| self.wrong(format!("{key} is {}, not true or false", article(value))))
    }

    pub fn words(&self, value: &Value<'js>, key: &str) -> Result<String> {
        match value.as_string() {
            Some(text) => text.to_string(),
            None => Err(self.wrong(format!("{key} is {}, not a text", article(value)))),
        }
    }

    pub fn word<T: Copy, const N: usize>(&self, value: &Value<'js>, key: &str, words: [(&str, T); N]) -> Result<T> {
        let word = value.as_string().map(|text| text.to_string()).transpose()?.unwrap_or_default();
        let found = words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
        let known = words.map(|(known, _)| format!("\"{known}\"")).join(" or ");
        found.ok_or_else(|| self.wrong(format!("{key} is \"{word}\", not {known}")))
    }

    /// Points as `[[x, y], …]`, `[x, y, x, y, …]`, or things with `x` and `y`.
    pub fn points(&self, index: usize) -> Result<Vec<[f32; 2]>> {
        let value = self.arguments.get(index).ok_or_else(|| self.wrong("the points are missing"))?;
        let Some(array) = value.as_array() else {
            return Err(self.wrong(format!("the points are {}, not an array", article(value))));
        };
        self.as_points(array)
    }

    fn as_points(&self, array: &Array<'js>) -> Result<Vec<[f32; 2]>> {
        if array.len() > POINTS_MAX {
            return Err(self.wrong(format!("{} points are too many", array.len())));
        }
        let mut points = Vec::with_capacity(array.len());
        let mut left = None;
        for value in array.iter::<Value>() {
            let value = value?;
            if value.is_number() {
                let number = self.as_number(&value, "a point's number")?;
                match left.take() {
                    Some(x) => points.push([x, number]),
                    None => left = Some(number),
                }
            } else if let Some(pair) = value.as_array() {
                points.push([
                    self.as_number(&pair.get(0)?, "a point's x")?,
                    self.as_number(&pair.get(1)?, "a point's y")?,
                ]);
            } else if let Some(object) = value.as_object() {
                points.push([
                    self.as_number(&object.get("x")?, "a point's x")?,
                    self.as_number(&object.get("y")?, "a point's y")?,
                ]);
            } else {
                return Err(self.wrong(format!("a point is {}", article(&value))));
            }
        }
        if left.is_some() {
            return Err(self.wrong("the last point has an x and no y"));
        }
        Ok(points)
    }

    /// The outline of a body as the camera has it, or of a copy of one; none for what is no body.
    fn outline_of(&self, value: &Value<'js>) -> Result<Option<Vec<[f32; 2]>>> {
        let Some(object) = value.as_object().filter(|object| !object.is_array()) else { return Ok(None) };
        let packed: Value = object.get(OUTLINE)?;
        let Some(packed) = packed.as_string() else {
            let outline: Value = object.get("outline")?;
            return outline.as_array().map(|outline| self.as_points(outline)).transpose();
        };
        Ok(Some(points(&packed.to_string()?).into_iter().map(|point| point.map(|axis| axis as f32 / 10.0)).collect()))
    }

    /// How far a body has faded away, 0 to 1; what is no body has not.
    pub fn faded(&self, index: usize) -> f32 {
        let object = self.arguments.get(index).and_then(|value| value.as_object());
        object.and_then(|body| body.get("faded").ok()).map_or(0.0, |faded: f64| faded.clamp(0.0, 1.0) as f32)
    }

    /// A body, or the outline of one that was kept: a ring of points, round as people are.
    pub fn body(&self, stage: &Shared, index: usize) -> Result<Vec<[f32; 2]>> {
        let value = self.arguments.get(index).ok_or_else(|| self.wrong("the body is missing"))?;
        let finest = stage.borrow().finest;
        if let Some(outline) = self.outline_of(value)? {
            return Ok(smooth(&outline, finest));
        }
        let Some(array) = value.as_array() else { return Err(self.no_body(value)) };
        if let Some(first) = array.iter::<Value>().next()
            && self.outline_of(&first?)?.is_some()
        {
            return Err(self.wrong("these are several bodies; draw one at a time: for (const body of here.bodies) …"));
        }
        Ok(smooth(&self.as_points(array)?, finest))
    }

    /// A circle `{ x, y, radius }` or a rectangle `{ x, y, width, height }` as a ring; none for what is neither.
    fn shape_of(&self, value: &Value<'js>) -> Result<Option<Vec<[f32; 2]>>> {
        let Some(object) = value.as_object().filter(|object| !object.is_array()) else { return Ok(None) };
        let side = |key: &str| -> Result<Option<f32>> {
            let value: Value = object.get(key)?;
            if value.is_undefined() { Ok(None) } else { self.as_number(&value, key).map(Some) }
        };
        let (Some(x), Some(y)) = (side("x")?, side("y")?) else { return Ok(None) };
        if let Some(radius) = side("radius")? {
            let point = |i: u8| {
                let (sin, cos) = (f32::from(i) / 64.0 * std::f32::consts::TAU).sin_cos();
                [x + radius * cos, y + radius * sin]
            };
            return Ok(Some((0..64).map(point).collect()));
        }
        let (Some(width), Some(height)) = (side("width")?, side("height")?) else { return Ok(None) };
        Ok(Some(vec![[x, y], [x + width, y], [x + width, y + height], [x, y + height]]))
    }

    /// What a clip is made of: a body, a circle, a rectangle, bodies, a polygon, or polygons.
    pub fn rings(&self, stage: &Shared, index: usize) -> Result<Vec<Vec<[f32; 2]>>> {
        let value = self.arguments.get(index).ok_or_else(|| self.wrong("the bodies are missing"))?;
        let finest = stage.borrow().finest;
        if let Some(outline) = self.outline_of(value)? {
            return Ok(vec![smooth(&outline, finest)]);
        }
        if let Some(ring) = self.shape_of(value)? {
            return Ok(vec![ring]);
        }
        let Some(array) = value.as_array() else { return Err(self.no_body(value)) };
        let mut rings = Vec::new();
        for value in array.iter::<Value>() {
            let value = value?;
            if let Some(outline) = self.outline_of(&value)? {
                rings.push(smooth(&outline, finest));
                continue;
            }
            if let Some(ring) = self.shape_of(&value)? {
                rings.push(ring);
                continue;
            }
            // A pair is a point of one polygon, and so is a number, or a thing with x and y.
            let Some(ring) = value.as_array().filter(|ring| ring.len() > 2) else {
                return if rings.is_empty() { Ok(vec![self.as_points(array)?]) } else { Err(self.no_body(&value)) };
            };
            rings.push(self.as_points(ring)?);
        }
        Ok(rings)
    }

    fn no_body(&self, value: &Value<'js>) -> Error {
        let object = value.as_object();
        let has = |key| object.is_some_and(|object| object.contains_key(key).unwrap_or(false));
        let what = if has("by") && has("began") {
            "a touch is no body, it has no outline: draw.circle(touch.x, touch.y, 20)".into()
        } else if has("bodies") {
            "a city is no body; it has `bodies`".into()
        } else {
            format!("{} is no body", article(value))
        };
        self.wrong(what)
    }

    /// A shader takes any number that 32 bits can hold.
    fn parameter(&self, value: &Value<'js>, what: &str) -> Result<f32> {
        match value.as_number() {
            Some(number) if (number as f32).is_finite() => Ok(number as f32),
            _ => self.as_number(value, what),
        }
    }

    /// Numbers for a shader's parameter: one, a flat array, or arrays in an array.
    pub fn numbers(&self, value: &Value<'js>, what: &str, out: &mut Vec<f32>) -> Result<()> {
        if let Some(on) = value.as_bool() {
            out.push(f32::from(u8::from(on)));
        } else if let Some(array) = value.as_array() {
            for value in array.iter::<Value>() {
                if out.len() > 8_192 {
                    break;
                }
                let value = value?;
                if let Some(inner) = value.as_array() {
                    for number in inner.iter::<Value>().take(4) {
                        out.push(self.parameter(&number?, what)?);
                    }
                } else {
                    out.push(self.parameter(&value, what)?);
                }
            }
        } else {
            out.push(self.parameter(value, what)?);
        }
        Ok(())
    }
}

pub(super) fn article(value: &Value) -> String {
    match value.type_name() {
        name @ ("undefined" | "null") => name.into(),
        name @ ("array" | "object" | "int") => format!("an {name}"),
        name => format!("a {name}"),
    }
}
