//! The functions that a script calls, and what they say when they are called wrongly.

use super::colour::Colour;
use super::message::Act;
use super::noise::Noise;
use super::pen::{Full, Pen};
use super::picture::{Align, Blend, Paint, Shape};
use super::shader::Shader;
use super::{ACTS_MAX, POINTS_MAX};
use crate::manifest::nearest;
use rquickjs::function::Rest;
use rquickjs::{Coerced, Ctx, Error, Exception, Function, Object, Result, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Noise is the same in both cities, so that what drifts by it drifts alike.
const NOISE_SEED: u64 = 2010;
/// Longest text of one call, in bytes.
const STRING_MAX: usize = 4_000;
/// Colours remembered by the words they were written in.
const COLOURS_MAX: usize = 1_000;

/// What the functions work on.
pub(super) struct Stage {
    pub pen: Pen,
    pub acts: Vec<Act>,
    pub random: fastrand::Rng,
    pub noise: Noise,
    pub shaders: Vec<Shader>,
    pub sounds: Vec<String>,
    pub language: String,
    colours: HashMap<String, Colour>,
}

impl Stage {
    pub fn new(seed: u64, shaders: Vec<Shader>, sounds: Vec<String>, language: String) -> Self {
        Self {
            pen: Pen::new(),
            acts: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            noise: Noise::new(NOISE_SEED),
            shaders,
            sounds,
            language,
            colours: HashMap::new(),
        }
    }

    fn act(&mut self, act: Act) -> std::result::Result<(), Full> {
        if self.acts.len() >= ACTS_MAX {
            return Err(format!("more than {ACTS_MAX} sounds, signals and logs in one frame"));
        }
        self.acts.push(act);
        Ok(())
    }
}

type Shared = Rc<RefCell<Stage>>;

/// The arguments of one call, with the name that it was called by.
struct Call<'a, 'js> {
    ctx: &'a Ctx<'js>,
    name: &'static str,
    usage: &'static str,
    arguments: &'a [Value<'js>],
}

/// What can be said of how a thing looks.
struct Kind {
    /// As messages call it.
    name: &'static str,
    keys: &'static [&'static str],
    /// Where nothing is said it is filled white; otherwise its stroke is white.
    filled: bool,
}

const CIRCLE: Kind =
    Kind { name: "a circle", keys: &["fill", "stroke", "width", "soft", "alpha", "blend"], filled: true };
const RECT: Kind =
    Kind { name: "a rect", keys: &["fill", "stroke", "width", "soft", "alpha", "blend", "radius"], filled: true };
const LINE: Kind = Kind { name: "a line", keys: &["stroke", "width", "soft", "alpha", "blend"], filled: false };
const POLYLINE: Kind =
    Kind { name: "a polyline", keys: &["stroke", "width", "soft", "alpha", "blend", "closed"], filled: false };
const POLYGON: Kind = Kind { name: "a polygon", ..CIRCLE };
const TEXT: Kind =
    Kind { name: "a text", keys: &["fill", "alpha", "blend", "size", "align", "bold", "language"], filled: true };

/// What other tools call something, and what it is called here.
const ALIASES: [(&str, &str); 7] = [
    ("color", "fill"),
    ("colour", "fill"),
    ("strokeWidth", "width"),
    ("lineWidth", "width"),
    ("strokeWeight", "width"),
    ("weight", "width"),
    ("opacity", "alpha"),
];

/// A style as a script gives it.
struct Style {
    paint: Paint,
    radius: f32,
    size: f32,
    align: Align,
    bold: bool,
    language: Option<String>,
    closed: bool,
}

impl<'js> Call<'_, 'js> {
    fn wrong(&self, problem: impl std::fmt::Display) -> Error {
        Exception::throw_message(self.ctx, &format!("{}: {problem}; use {}", self.name, self.usage))
    }

    fn full<T>(&self, result: std::result::Result<T, Full>) -> Result<T> {
        result.map_err(|full| Exception::throw_message(self.ctx, &format!("{}: {full}", self.name)))
    }

    fn number(&self, index: usize, what: &str) -> Result<f32> {
        match self.arguments.get(index) {
            Some(value) => self.as_number(value, what),
            None => Err(self.wrong(format!("{what} is missing"))),
        }
    }

    fn as_number(&self, value: &Value<'js>, what: &str) -> Result<f32> {
        match value.as_number() {
            Some(number) if number.is_finite() && number.abs() <= 1e6 => Ok(number as f32),
            Some(number) if number.is_infinite() => Err(self.wrong(format!("{what} is Infinity"))),
            Some(number) => Err(self.wrong(format!("{what} is {number}"))),
            None => Err(self.wrong(format!("{what} is {}, not a number", article(value)))),
        }
    }

    fn text(&self, index: usize, what: &str) -> Result<String> {
        let value = self.arguments.get(index).ok_or_else(|| self.wrong(format!("{what} is missing")))?;
        if value.is_undefined() || value.is_null() {
            return Err(self.wrong(format!("{what} is {}", value.type_name())));
        }
        let Coerced(text) = value.get::<Coerced<String>>()?;
        Ok(text[..text.floor_char_boundary(STRING_MAX)].to_owned())
    }

    fn colour(&self, stage: &Shared, value: &Value<'js>, key: &str) -> Result<Colour> {
        let Some(text) = value.as_string() else {
            let grey = value.as_number().map(|n| format!(" (a grey is \"rgb({n} {n} {n})\")")).unwrap_or_default();
            return Err(self.wrong(format!("{key} is {}, not a colour such as \"#e8543f\"{grey}", article(value))));
        };
        let text = text.to_string()?;
        if let Some(colour) = stage.borrow().colours.get(&text) {
            return Ok(*colour);
        }
        let Some(colour) = Colour::parse(&text) else {
            let named = ["white", "black", "red", "green", "blue", "gold", "orange", "purple", "transparent"];
            let meant = nearest(&text, named).map(|meant| format!(" (did you mean \"{meant}\"?)")).unwrap_or_default();
            return Err(self.wrong(format!("\"{text}\" is no colour{meant}")));
        };
        let mut stage = stage.borrow_mut();
        if stage.colours.len() < COLOURS_MAX {
            stage.colours.insert(text, colour);
        }
        Ok(colour)
    }

    fn style(&self, stage: &Shared, index: usize, kind: &Kind) -> Result<Style> {
        let mut style = Style {
            paint: Paint { width: 1.0, ..Paint::default() },
            radius: 0.0,
            size: 32.0,
            align: Align::Left,
            bold: false,
            language: None,
            closed: false,
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
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            if value.is_undefined() {
                continue;
            }
            if !kind.keys.contains(&key.as_str()) {
                let alias = ALIASES.iter().find(|(alias, _)| *alias == key).map(|(_, ours)| *ours);
                let other = match key.as_str() {
                    "fill" if !kind.filled => Some("stroke"),
                    "stroke" if kind.filled => Some("fill"),
                    _ => None,
                };
                let meant = other.or(alias.filter(|ours| kind.keys.contains(ours)));
                let meant = meant.or_else(|| nearest(&key, kind.keys.iter().copied()));
                let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                return Err(self.wrong(format!("{} has no `{key}`{meant}", kind.name)));
            }
            let paint = &mut style.paint;
            match key.as_str() {
                "fill" => (paint.fill, coloured) = (self.colour(stage, &value, "fill")?, true),
                "stroke" => (paint.stroke, coloured) = (self.colour(stage, &value, "stroke")?, true),
                "width" => paint.width = self.as_number(&value, "width")?.max(0.0),
                "soft" => paint.soft = self.as_number(&value, "soft")?.max(0.0),
                "alpha" => alpha = self.as_number(&value, "alpha")?,
                "blend" => paint.blend = self.word(&value, "blend", [("over", Blend::Over), ("add", Blend::Add)])?,
                "radius" => style.radius = self.as_number(&value, "radius")?.max(0.0),
                "size" => style.size = self.as_number(&value, "size")?.clamp(0.5, 4_000.0),
                "align" => {
                    let words = [("left", Align::Left), ("center", Align::Center), ("right", Align::Right)];
                    style.align = self.word(&value, "align", words)?;
                }
                "bold" => style.bold = self.truth(&value, "bold")?,
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

    fn truth(&self, value: &Value<'js>, key: &str) -> Result<bool> {
        value.as_bool().ok_or_else(|| self.wrong(format!("{key} is {}, not true or false", article(value))))
    }

    fn words(&self, value: &Value<'js>, key: &str) -> Result<String> {
        match value.as_string() {
            Some(text) => text.to_string(),
            None => Err(self.wrong(format!("{key} is {}, not a text", article(value)))),
        }
    }

    fn word<T: Copy, const N: usize>(&self, value: &Value<'js>, key: &str, words: [(&str, T); N]) -> Result<T> {
        let word = value.as_string().map(|text| text.to_string()).transpose()?.unwrap_or_default();
        let found = words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning);
        let known = words.map(|(known, _)| format!("\"{known}\"")).join(" or ");
        found.ok_or_else(|| self.wrong(format!("{key} is \"{word}\", not {known}")))
    }

    /// Points as `[[x, y], …]`, `[x, y, x, y, …]`, or things with `x` and `y`.
    fn points(&self, index: usize) -> Result<Vec<[f32; 2]>> {
        let value = self.arguments.get(index).ok_or_else(|| self.wrong("the points are missing"))?;
        let Some(array) = value.as_array() else {
            return Err(self.wrong(format!("the points are {}, not an array", article(value))));
        };
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

    /// A shader takes any number that 32 bits can hold.
    fn parameter(&self, value: &Value<'js>, what: &str) -> Result<f32> {
        match value.as_number() {
            Some(number) if (number as f32).is_finite() => Ok(number as f32),
            _ => self.as_number(value, what),
        }
    }

    /// Numbers for a shader's parameter: one, a flat array, or arrays in an array.
    fn numbers(&self, value: &Value<'js>, what: &str, out: &mut Vec<f32>) -> Result<()> {
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

fn article(value: &Value) -> String {
    match value.type_name() {
        name @ ("undefined" | "null") => name.into(),
        name @ ("array" | "object" | "int") => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// A native function under a name, with what its messages say.
fn add<'js, R: rquickjs::IntoJs<'js> + 'js>(
    ctx: &Ctx<'js>,
    to: &Object<'js>,
    (key, name, usage): (&str, &'static str, &'static str),
    stage: &Shared,
    body: impl Fn(&Call<'_, 'js>, &Shared) -> Result<R> + 'js,
) -> Result<()> {
    let stage = stage.clone();
    let function = Function::new(ctx.clone(), move |ctx: Ctx<'js>, arguments: Rest<Value<'js>>| {
        body(&Call { ctx: &ctx, name, usage, arguments: &arguments.0 }, &stage)
    })?;
    to.set(key, function.with_name(key)?)
}

/// Everything that a script can call, as properties of one object.
pub(super) fn install<'js>(ctx: &Ctx<'js>, stage: &Shared) -> Result<Object<'js>> {
    let draw = Object::new(ctx.clone())?;
    add(ctx, &draw, ("background", "draw.background", "draw.background(\"#102030\")"), stage, |call, stage| {
        let Some(value) = call.arguments.first() else { return Err(call.wrong("the colour is missing")) };
        let colour = call.colour(stage, value, "the colour")?;
        call.full(stage.borrow_mut().pen.background(colour))
    })?;
    add(ctx, &draw, ("circle", "draw.circle", "draw.circle(x, y, radius, { fill })"), stage, |call, stage| {
        let [x, y, r] = [call.number(0, "x")?, call.number(1, "y")?, call.number(2, "the radius")?];
        let style = call.style(stage, 3, &CIRCLE)?;
        call.full(stage.borrow_mut().pen.shape(Shape::Ellipse([r.max(0.0); 2]), [x, y], style.paint))
    })?;
    add(
        ctx,
        &draw,
        ("rect", "draw.rect", "draw.rect(x, y, width, height, { fill, radius })"),
        stage,
        |call, stage| {
            let [x, y] = [call.number(0, "x")?, call.number(1, "y")?];
            let [w, h] = [call.number(2, "the width")?, call.number(3, "the height")?];
            let style = call.style(stage, 4, &RECT)?;
            let (x, y) = (x + w.min(0.0), y + h.min(0.0));
            let shape = Shape::Rect([w.abs(), h.abs(), style.radius]);
            call.full(stage.borrow_mut().pen.shape(shape, [x, y], style.paint))
        },
    )?;
    add(ctx, &draw, ("line", "draw.line", "draw.line(x1, y1, x2, y2, { stroke, width })"), stage, |call, stage| {
        let from = [call.number(0, "x1")?, call.number(1, "y1")?];
        let to = [call.number(2, "x2")?, call.number(3, "y2")?];
        let style = call.style(stage, 4, &LINE)?;
        call.full(stage.borrow_mut().pen.line(from, to, style.paint))
    })?;
    let usage = "draw.polyline([[x, y], …], { stroke, width, closed })";
    add(ctx, &draw, ("polyline", "draw.polyline", usage), stage, |call, stage| {
        let points = call.points(0)?;
        let style = call.style(stage, 1, &POLYLINE)?;
        call.full(stage.borrow_mut().pen.points(&points, style.closed, false, style.paint))
    })?;
    let usage = "draw.polygon([[x, y], …], { fill, stroke, width })";
    add(ctx, &draw, ("polygon", "draw.polygon", usage), stage, |call, stage| {
        let points = call.points(0)?;
        let style = call.style(stage, 1, &POLYGON)?;
        call.full(stage.borrow_mut().pen.points(&points, true, true, style.paint))
    })?;
    let usage = "draw.text(\"text\", x, y, { size, fill, align })";
    add(ctx, &draw, ("text", "draw.text", usage), stage, |call, stage| {
        let text = call.text(0, "the text")?;
        let at = [call.number(1, "x")?, call.number(2, "y")?];
        let style = call.style(stage, 3, &TEXT)?;
        let mut stage = stage.borrow_mut();
        let stage = &mut *stage;
        let language = style.language.as_deref().unwrap_or(&stage.language);
        call.full(stage.pen.text(&text, at, (style.size, style.align, style.bold), language, style.paint))
    })?;
    add(ctx, &draw, ("shader", "draw.shader", "draw.shader(\"night.wgsl\", { sun: 1 })"), stage, shader)?;
    add(ctx, &draw, ("push", "draw.push", "draw.push()"), stage, |call, stage| {
        call.full(stage.borrow_mut().pen.push())
    })?;
    add(ctx, &draw, ("pop", "draw.pop", "draw.pop()"), stage, |call, stage| call.full(stage.borrow_mut().pen.pop()))?;
    add(ctx, &draw, ("translate", "draw.translate", "draw.translate(x, y)"), stage, |call, stage| {
        let inner = [1.0, 0.0, 0.0, 1.0, call.number(0, "x")?, call.number(1, "y")?];
        stage.borrow_mut().pen.transform(inner);
        Ok(())
    })?;
    add(ctx, &draw, ("rotate", "draw.rotate", "draw.rotate(radians)"), stage, |call, stage| {
        let (sin, cos) = call.number(0, "the angle")?.sin_cos();
        stage.borrow_mut().pen.transform([cos, sin, -sin, cos, 0.0, 0.0]);
        Ok(())
    })?;
    add(ctx, &draw, ("scale", "draw.scale", "draw.scale(x, y)"), stage, |call, stage| {
        let x = call.number(0, "x")?;
        let y = if call.arguments.len() > 1 { call.number(1, "y")? } else { x };
        stage.borrow_mut().pen.transform([x, 0.0, 0.0, y, 0.0, 0.0]);
        Ok(())
    })?;
    add(ctx, &draw, ("alpha", "draw.alpha", "draw.alpha(0.5)"), stage, |call, stage| {
        let alpha = call.number(0, "alpha")?;
        stage.borrow_mut().pen.alpha(alpha);
        Ok(())
    })?;

    let all = Object::new(ctx.clone())?;
    all.set("draw", draw)?;
    add(ctx, &all, ("random", "random", "random(), random(max) or random(min, max)"), stage, |call, stage| {
        let ends = (0..call.arguments.len().min(2)).map(|i| call.number(i, "an end")).collect::<Result<Vec<_>>>()?;
        let unit = stage.borrow_mut().random.f64();
        Ok(match ends[..] {
            [] => unit,
            [max] => unit * f64::from(max),
            [min, max, ..] => f64::from(min) + unit * f64::from(max - min),
        })
    })?;
    add(ctx, &all, ("noise", "noise", "noise(x), noise(x, y) or noise(x, y, z)"), stage, |call, stage| {
        let mut point = [0.0; 3];
        for (axis, value) in point.iter_mut().zip(call.arguments) {
            *axis = value.as_number().ok_or_else(|| call.wrong(format!("an argument is {}", article(value))))?;
        }
        Ok(stage.borrow().noise.at(point))
    })?;
    add(ctx, &all, ("signal", "signal", "signal(\"name\", { any: \"data\" })"), stage, |call, stage| {
        let name = call.text(0, "the name")?;
        let data = match call.arguments.get(1) {
            Some(value) if !value.is_undefined() => call.ctx.json_stringify(value.clone())?,
            _ => None,
        };
        let data = data.map(|data| data.to_string()).transpose()?.unwrap_or_else(|| "null".into());
        if name.is_empty() || name.len() > crate::link::NAME_MAX {
            return Err(call.wrong(format!("a name has 1 to {} bytes", crate::link::NAME_MAX)));
        }
        if data.len() > crate::link::DATA_MAX {
            return Err(call.wrong(format!("{} bytes of data are more than {}", data.len(), crate::link::DATA_MAX)));
        }
        call.full(stage.borrow_mut().act(Act::Signal { name, data }))
    })?;
    add(ctx, &all, ("play", "sound.play", "sound.play(\"bell.wav\", { volume, pan, rate })"), stage, play)?;
    add(ctx, &all, ("log", "console.log", "console.log(…)"), stage, |call, stage| {
        let words = (0..call.arguments.len()).map(|i| match call.arguments[i].as_object() {
            Some(object) => {
                Ok(call.ctx.json_stringify(object.clone())?.map(|t| t.to_string()).transpose()?.unwrap_or_default())
            }
            None if call.arguments[i].is_undefined() => Ok("undefined".into()),
            None if call.arguments[i].is_null() => Ok("null".into()),
            None => call.text(i, "a word"),
        });
        let line = words.collect::<Result<Vec<String>>>()?.join(" ");
        // Too many lines a frame are left out: a log never stops a scene.
        let _ = stage.borrow_mut().act(Act::Log(line[..line.floor_char_boundary(STRING_MAX)].to_owned()));
        Ok(())
    })?;
    Ok(all)
}

/// What there is to choose from.
fn folder_has<'a>(known: impl Iterator<Item = &'a str>, wanted: &str) -> String {
    match known.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => format!("the folder has none: put {wanted} there"),
        some => format!("the folder has {some}"),
    }
}

fn shader<'js>(call: &Call<'_, 'js>, stage: &Shared) -> Result<()> {
    let name = call.text(0, "the file")?;
    let found = {
        let stage = stage.borrow();
        let index = stage.shaders.iter().position(|shader| shader.name == name);
        let Some(index) = index else {
            let known = stage.shaders.iter().map(|shader| shader.name.as_str());
            let meant = nearest(&name, known.clone()).map(|meant| format!("did you mean \"{meant}\"?"));
            let meant = meant.unwrap_or_else(|| folder_has(known, "a .wgsl file"));
            return Err(call.wrong(format!("there is no shader \"{name}\"; {meant}")));
        };
        (index, stage.shaders[index].clone())
    };
    let (index, shader) = found;
    let mut params = vec![0; shader.size];
    let mut blend = Blend::Over;
    if let Some(value) = call.arguments.get(1).filter(|value| !value.is_undefined()) {
        let Some(object) = value.as_object() else {
            return Err(call.wrong(format!("the parameters are {}", article(value))));
        };
        let mut numbers = Vec::new();
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            if key == "blend" && value.is_string() {
                blend = call.word(&value, "blend", [("over", Blend::Over), ("add", Blend::Add)])?;
                continue;
            }
            let Some(slot) = shader.slots().iter().find(|slot| slot.name == key) else {
                let known = shader.slots().iter().map(|slot| slot.name.as_str());
                let meant = nearest(&key, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                return Err(call.wrong(format!("`Params` of {name} has no `{key}`{meant}")));
            };
            numbers.clear();
            call.numbers(&value, &key, &mut numbers)?;
            if numbers.len() > slot.numbers() {
                return Err(call.wrong(format!(
                    "`{key}` has {} numbers; {name} takes {}",
                    numbers.len(),
                    slot.numbers()
                )));
            }
            slot.fill(&mut params, &numbers);
        }
    }
    call.full(stage.borrow_mut().pen.shader(index as u16, &params, blend))
}

fn play<'js>(call: &Call<'_, 'js>, stage: &Shared) -> Result<()> {
    let name = call.text(0, "the file")?;
    if !stage.borrow().sounds.contains(&name) {
        let stage = stage.borrow();
        let known = stage.sounds.iter().map(String::as_str);
        let meant = nearest(&name, known.clone()).map(|meant| format!("did you mean \"{meant}\"?"));
        let meant = meant.unwrap_or_else(|| folder_has(known, "a wav, ogg, flac or mp3 file"));
        return Err(call.wrong(format!("there is no sound \"{name}\"; {meant}")));
    }
    let [mut volume, mut pan, mut rate] = [1.0, 0.0, 1.0];
    if let Some(object) = call.arguments.get(1).and_then(Value::as_object) {
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            let number = call.as_number(&value, &key)?;
            match key.as_str() {
                "volume" => volume = number.clamp(0.0, 1.0),
                "pan" => pan = number.clamp(-1.0, 1.0),
                "rate" => rate = number.clamp(0.05, 8.0),
                other => return Err(call.wrong(format!("a sound has no `{other}`"))),
            }
        }
    }
    call.full(stage.borrow_mut().act(Act::Play { name, volume, pan, rate }))
}
