//! Typed access to the arguments of one call of a script, with error messages for the artist.

use super::atoms::AtomCache;
use super::state::SharedScriptState;
use crate::draw::curves::smooth_ring;
use crate::draw::display_list_builder::LimitReached;
use crate::limits::POINTS_MAX;
use crate::protocol::bodies::unpack_outline;
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{BlendMode, Gradient};
use moongate_core::config::closest_match;
use rquickjs::{Array, Coerced, Ctx, Error, Exception, Result, Value};

/// Maximum length of a text argument, in bytes.
pub(super) const STRING_MAX: usize = 4_000;
/// Property of a body that holds its packed outline; `prelude.js` uses the same name.
const OUTLINE_KEY: &str = "__outline";

/// Arguments of one call, and the name and usage of the called function.
pub(super) struct CallArgs<'a, 'js> {
    pub ctx: &'a Ctx<'js>,
    pub name: &'static str,
    pub usage: &'static str,
    pub arguments: &'a [Value<'js>],
    pub atoms: &'a AtomCache<'js>,
}

/// Keywords of blend modes.
pub(super) const BLENDS: [(&str, BlendMode); 6] = [
    ("over", BlendMode::Over),
    ("add", BlendMode::Add),
    ("multiply", BlendMode::Multiply),
    ("screen", BlendMode::Screen),
    ("lighten", BlendMode::Lighten),
    ("darken", BlendMode::Darken),
];
/// Property that holds a gradient as JSON; `make_gradient` writes it.
pub(super) const GRADIENT_KEY: &str = "__gradient";
/// Maximum number of cached gradients, by their JSON.
const GRADIENT_CACHE_MAX: usize = 500;
/// Names in other tools, and their equivalents here.
pub(super) const ALIASES: [(&str, &str); 15] = [
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

impl<'js> CallArgs<'_, 'js> {
    pub fn error(&self, problem: impl std::fmt::Display) -> Error {
        Exception::throw_message(self.ctx, &format!("{}: {problem}; use {}", self.name, self.usage))
    }

    pub fn check_limit<T>(&self, result: std::result::Result<T, LimitReached>) -> Result<T> {
        result.map_err(|full| Exception::throw_message(self.ctx, &format!("{}: {full}", self.name)))
    }

    pub fn number(&self, index: usize, what: &str) -> Result<f32> {
        match self.arguments.get(index) {
            Some(value) => self.as_number(value, what),
            None => Err(self.error(format!("{what} is missing"))),
        }
    }

    pub fn as_number(&self, value: &Value<'js>, what: &str) -> Result<f32> {
        match value.as_number() {
            Some(number) if number.is_finite() && number.abs() <= 1e6 => Ok(number as f32),
            Some(number) if number.is_infinite() => Err(self.error(format!("{what} is Infinity"))),
            Some(number) => Err(self.error(format!("{what} is {number}"))),
            None => Err(self.error(format!("{what} is {}, not a number", describe_type(value)))),
        }
    }

    pub fn text(&self, index: usize, what: &str) -> Result<String> {
        let value = self.arguments.get(index).ok_or_else(|| self.error(format!("{what} is missing")))?;
        if value.is_undefined() || value.is_null() {
            return Err(self.error(format!("{what} is {}", value.type_name())));
        }
        let Coerced(text) = value.get::<Coerced<String>>()?;
        Ok(text[..text.floor_char_boundary(STRING_MAX)].to_owned())
    }

    pub fn as_colour(&self, value: &Value<'js>, key: &str) -> Result<Colour> {
        let Some(text) = value.as_string() else {
            let grey = value.as_number().map(|n| format!(" (a grey is \"rgb({n} {n} {n})\")")).unwrap_or_default();
            return Err(
                self.error(format!("{key} is {}, not a colour such as \"#e8543f\"{grey}", describe_type(value)))
            );
        };
        self.atoms.colour(text, |text| {
            Colour::parse(text).ok_or_else(|| {
                let named = ["white", "black", "red", "green", "blue", "gold", "orange", "purple", "transparent"];
                let meant =
                    closest_match(text, named).map(|meant| format!(" (did you mean \"{meant}\"?)")).unwrap_or_default();
                self.error(format!("\"{text}\" is no colour{meant}"))
            })
        })
    }

    /// Returns the number of the gradient if the value is a gradient.
    pub fn as_gradient(&self, stage: &SharedScriptState, value: &Value<'js>) -> Result<Option<u8>> {
        let Some(object) = value.as_object() else { return Ok(None) };
        let said: Value = object.get(GRADIENT_KEY)?;
        let Some(said) = said.as_string() else { return Ok(None) };
        let said = said.to_string()?;
        let mut stage = stage.borrow_mut();
        let stage = &mut *stage;
        if !stage.gradients.contains_key(&said) {
            let read = serde_json::from_str::<Gradient>(&said).map_err(|_| self.error("this is no gradient"))?;
            if stage.gradients.len() >= GRADIENT_CACHE_MAX {
                stage.gradients.clear();
            }
            stage.gradients.insert(said.clone(), read);
        }
        let gradient = &stage.gradients[&said];
        self.check_limit(stage.builder.gradient(gradient)).map(Some)
    }

    /// Calls `take` for each option of an optional object argument. An unknown key is an error with a suggestion.
    pub fn for_each_option(
        &self,
        index: usize,
        name: &str,
        keys: &[&str],
        mut take: impl FnMut(&str, &Value<'js>) -> Result<()>,
    ) -> Result<()> {
        let Some(value) = self.arguments.get(index).filter(|value| !value.is_undefined()) else { return Ok(()) };
        let Some(object) = value.as_object().filter(|object| !object.is_array() && !object.is_function()) else {
            return Err(self.error(format!("what is said of {name} is {}, not an object", describe_type(value))));
        };
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            if value.is_undefined() {
                continue;
            }
            if !keys.contains(&key.as_str()) {
                let alias = ALIASES.iter().find(|(alias, ours)| *alias == key && keys.contains(ours));
                let meant = alias.map(|(_, ours)| *ours).or_else(|| closest_match(&key, keys.iter().copied()));
                let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                return Err(self.error(format!("{name} has no `{key}`{meant}")));
            }
            take(&key, &value)?;
        }
        Ok(())
    }

    /// Parses a number or `[from, to]`; a single number is both.
    pub fn as_pair(&self, value: &Value<'js>, what: &str) -> Result<[f32; 2]> {
        let Some(pair) = value.as_array() else { return self.as_number(value, what).map(|number| [number; 2]) };
        if pair.len() != 2 {
            return Err(self.error(format!("{what} has {} numbers, not [from, to]", pair.len())));
        }
        Ok([self.as_number(&pair.get(0)?, what)?, self.as_number(&pair.get(1)?, what)?])
    }

    pub fn as_bool(&self, value: &Value<'js>, key: &str) -> Result<bool> {
        value.as_bool().ok_or_else(|| self.error(format!("{key} is {}, not true or false", describe_type(value))))
    }

    pub fn as_text(&self, value: &Value<'js>, key: &str) -> Result<String> {
        match value.as_string() {
            Some(text) => text.to_string(),
            None => Err(self.error(format!("{key} is {}, not a text", describe_type(value)))),
        }
    }

    pub fn as_keyword<T: Copy, const N: usize>(
        &self,
        value: &Value<'js>,
        key: &str,
        words: [(&str, T); N],
    ) -> Result<T> {
        let word = value.as_string().map(|text| text.to_string()).transpose()?.unwrap_or_default();
        let found = words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
        let known = words.map(|(known, _)| format!("\"{known}\"")).join(" or ");
        found.ok_or_else(|| self.error(format!("{key} is \"{word}\", not {known}")))
    }

    /// Parses points as `[[x, y], …]`, `[x, y, x, y, …]`, or objects with `x` and `y`.
    pub fn points(&self, index: usize) -> Result<Vec<[f32; 2]>> {
        let value = self.arguments.get(index).ok_or_else(|| self.error("the points are missing"))?;
        let Some(array) = value.as_array() else {
            return Err(self.error(format!("the points are {}, not an array", describe_type(value))));
        };
        self.as_points(array)
    }

    fn as_points(&self, array: &Array<'js>) -> Result<Vec<[f32; 2]>> {
        if array.len() > POINTS_MAX {
            return Err(self.error(format!("{} points are too many", array.len())));
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
                return Err(self.error(format!("a point is {}", describe_type(&value))));
            }
        }
        if left.is_some() {
            return Err(self.error("the last point has an x and no y"));
        }
        Ok(points)
    }

    /// Returns the outline of a detected body or of a copy of one; `None` if the value is not a body.
    fn as_outline(&self, value: &Value<'js>) -> Result<Option<Vec<[f32; 2]>>> {
        let Some(object) = value.as_object().filter(|object| !object.is_array()) else { return Ok(None) };
        let packed: Value = object.get(OUTLINE_KEY)?;
        let Some(packed) = packed.as_string() else {
            let outline: Value = object.get("outline")?;
            return outline.as_array().map(|outline| self.as_points(outline)).transpose();
        };
        Ok(Some(
            unpack_outline(&packed.to_string()?)
                .into_iter()
                .map(|point| point.map(|axis| axis as f32 / 10.0))
                .collect(),
        ))
    }

    /// Returns the fade-out progress of a body, 0 to 1; 0 if the argument is not a body.
    pub fn body_fade(&self, index: usize) -> f32 {
        let object = self.arguments.get(index).and_then(|value| value.as_object());
        object.and_then(|body| body.get("faded").ok()).map_or(0.0, |faded: f64| faded.clamp(0.0, 1.0) as f32)
    }

    /// Parses a body, or a stored outline of one, as a smoothed ring of points.
    pub fn body(&self, stage: &SharedScriptState, index: usize) -> Result<Vec<[f32; 2]>> {
        let value = self.arguments.get(index).ok_or_else(|| self.error("the body is missing"))?;
        let finest = stage.borrow().min_step;
        if let Some(outline) = self.as_outline(value)? {
            return Ok(smooth_ring(&outline, finest));
        }
        let Some(array) = value.as_array() else { return Err(self.not_a_body(value)) };
        if let Some(first) = array.iter::<Value>().next()
            && self.as_outline(&first?)?.is_some()
        {
            return Err(self.error("these are several bodies; draw one at a time: for (const body of here.bodies) …"));
        }
        Ok(smooth_ring(&self.as_points(array)?, finest))
    }

    /// Parses a circle `{ x, y, radius }` or a rectangle `{ x, y, width, height }` as a ring; `None` for any other
    /// value.
    fn as_shape_ring(&self, value: &Value<'js>) -> Result<Option<Vec<[f32; 2]>>> {
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

    /// Parses the outline of a clip: a body, a circle, a rectangle, bodies, a polygon, or polygons.
    pub fn clip_rings(&self, stage: &SharedScriptState, index: usize) -> Result<Vec<Vec<[f32; 2]>>> {
        let value = self.arguments.get(index).ok_or_else(|| self.error("the bodies are missing"))?;
        let finest = stage.borrow().min_step;
        if let Some(outline) = self.as_outline(value)? {
            return Ok(vec![smooth_ring(&outline, finest)]);
        }
        if let Some(ring) = self.as_shape_ring(value)? {
            return Ok(vec![ring]);
        }
        let Some(array) = value.as_array() else { return Err(self.not_a_body(value)) };
        let mut rings = Vec::new();
        for value in array.iter::<Value>() {
            let value = value?;
            if let Some(outline) = self.as_outline(&value)? {
                rings.push(smooth_ring(&outline, finest));
                continue;
            }
            if let Some(ring) = self.as_shape_ring(&value)? {
                rings.push(ring);
                continue;
            }
            // A pair, a number or an object with x and y is a point of one polygon.
            let Some(ring) = value.as_array().filter(|ring| ring.len() > 2) else {
                return if rings.is_empty() { Ok(vec![self.as_points(array)?]) } else { Err(self.not_a_body(&value)) };
            };
            rings.push(self.as_points(ring)?);
        }
        Ok(rings)
    }

    fn not_a_body(&self, value: &Value<'js>) -> Error {
        let object = value.as_object();
        let has = |key| object.is_some_and(|object| object.contains_key(key).unwrap_or(false));
        let what = if has("by") && has("began") {
            "a touch is no body, it has no outline: draw.circle(touch.x, touch.y, 20)".into()
        } else if has("bodies") {
            "a city is no body; it has `bodies`".into()
        } else {
            format!("{} is no body", describe_type(value))
        };
        self.error(what)
    }

    /// Parses a number for a shader, which takes any 32-bit float.
    fn shader_number(&self, value: &Value<'js>, what: &str) -> Result<f32> {
        match value.as_number() {
            Some(number) if (number as f32).is_finite() => Ok(number as f32),
            _ => self.as_number(value, what),
        }
    }

    /// Parses the numbers of a shader parameter: one, a flat array, or arrays in an array.
    pub fn shader_numbers(&self, value: &Value<'js>, what: &str, out: &mut Vec<f32>) -> Result<()> {
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
                        out.push(self.shader_number(&number?, what)?);
                    }
                } else {
                    out.push(self.shader_number(&value, what)?);
                }
            }
        } else {
            out.push(self.shader_number(value, what)?);
        }
        Ok(())
    }
}

pub(super) fn describe_type(value: &Value) -> String {
    match value.type_name() {
        name @ ("undefined" | "null") => name.into(),
        name @ ("array" | "object" | "int") => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// Returns the available names for an error message.
pub(super) fn list_available<'a>(known: impl Iterator<Item = &'a str>, wanted: &str) -> String {
    match known.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => format!("the folder has none: put {wanted} there"),
        some => format!("the folder has {some}"),
    }
}
