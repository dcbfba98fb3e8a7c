//! Native functions of `gradient`, `mix` and `draw.image`.

use super::args::{CallArgs, GRADIENT_KEY, describe_type, list_available};
use super::state::SharedScriptState;
use super::style::IMAGE;
use crate::limits::GRADIENT_STOPS_MAX;
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{Affine, Gradient, GradientKind};
use moongate_core::config::closest_match;
use rquickjs::{Object, Result, Value};

/// Implements `gradient.linear`, `.radial` and `.conic`. Returns an object that a style accepts as a colour.
pub(super) fn make_gradient<'js>(
    call: &CallArgs<'_, 'js>,
    _: &SharedScriptState,
    along: GradientKind,
) -> Result<Object<'js>> {
    let [x, y] = [call.number(0, "x")?, call.number(1, "y")?];
    let (place, colours) = match along {
        GradientKind::Line => (linear_place([x, y], [call.number(2, "x2")?, call.number(3, "y2")?]), 4),
        GradientKind::Radius => (radial_place([x, y], call.number(2, "the radius")?), 3),
        GradientKind::Angle => (conic_place([x, y], call.number(2, "the angle")?), 3),
    };
    let stops = read_stops(call, colours)?;
    let said = serde_json::to_string(&Gradient { along, place, stops }).map_err(|why| call.error(why))?;
    let gradient = Object::new(call.ctx.clone())?;
    gradient.set(GRADIENT_KEY, said)?;
    Ok(gradient)
}

/// Returns the transform of a linear gradient: 0 at the first point, 1 at the second.
fn linear_place([x, y]: [f32; 2], [x2, y2]: [f32; 2]) -> Affine {
    let [dx, dy] = [x2 - x, y2 - y];
    let square = (dx * dx + dy * dy).max(1e-6);
    let [a, c] = [dx / square, dy / square];
    [a, 0.0, c, 0.0, -(a * x + c * y), 0.0]
}

/// Returns the transform of a radial gradient: 0 at the centre, 1 at the radius.
fn radial_place([x, y]: [f32; 2], radius: f32) -> Affine {
    let unit = 1.0 / radius.abs().max(1e-3);
    [unit, 0.0, 0.0, unit, -x * unit, -y * unit]
}

/// Returns the transform of a conic gradient, which begins at the angle.
fn conic_place([x, y]: [f32; 2], angle: f32) -> Affine {
    let (sin, cos) = angle.sin_cos();
    [cos, -sin, sin, cos, -(cos * x + sin * y), sin * x - cos * y]
}

/// Parses colours at even steps, or with positions: `["gold", "red"]`, `[[0, "gold"], [0.2, "red"], [1, "black"]]`.
fn read_stops<'js>(call: &CallArgs<'_, 'js>, index: usize) -> Result<Vec<(f32, Colour)>> {
    let value = call.arguments.get(index).ok_or_else(|| call.error("the colours are missing"))?;
    let Some(array) = value.as_array() else {
        return Err(call.error(format!("the colours are {}, not an array", describe_type(value))));
    };
    if !(1..=GRADIENT_STOPS_MAX).contains(&array.len()) {
        return Err(call.error(format!("{} colours cannot be used, 1 to {GRADIENT_STOPS_MAX} can", array.len())));
    }
    let last = (array.len() - 1).max(1) as f32;
    let mut stops = Vec::with_capacity(array.len());
    for (i, value) in array.iter::<Value>().enumerate() {
        let value = value?;
        let (at, colour) = match value.as_array() {
            Some(pair) => (call.as_number(&pair.get(0)?, "the place of a colour")?, pair.get(1)?),
            None => (i as f32 / last, value),
        };
        stops.push((at.clamp(0.0, 1.0), call.as_colour(&colour, "a colour")?));
    }
    stops.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(stops)
}

/// Implements `mix`: a colour between two, around the colour circle.
pub(super) fn mix_colours(call: &CallArgs, _: &SharedScriptState) -> Result<String> {
    let colour = |index, what| match call.arguments.get(index) {
        Some(value) => call.as_colour(value, what),
        None => Err(call.error(format!("{what} is missing"))),
    };
    let (from, to) = (colour(0, "the first colour")?, colour(1, "the second colour")?);
    Ok(from.mix_oklch(to, call.number(2, "how much of the second")?).to_css())
}

/// Implements `draw.image`.
pub(super) fn draw_image(call: &CallArgs, stage: &SharedScriptState) -> Result<()> {
    let name = call.text(0, "the file")?;
    let found = {
        let stage = stage.borrow();
        let found = stage.images.iter().position(|(known, _)| *known == name);
        found.map(|index| (index as u16, stage.images[index].1.map(|side| side as f32))).ok_or_else(|| {
            let known = stage.images.iter().map(|(name, _)| name.as_str());
            let meant = closest_match(&name, known.clone()).map(|meant| format!("did you mean \"{meant}\"?"));
            let meant = meant.unwrap_or_else(|| list_available(known, "a png, jpg or webp file"));
            call.error(format!("there is no image \"{name}\"; {meant}"))
        })
    };
    let (index, [full_width, full_height]) = found?;
    let at = [call.number(1, "x")?, call.number(2, "y")?];
    let given =
        |index| call.arguments.get(index).is_some_and(|value: &Value| !value.is_undefined() && !value.is_object());
    // A missing side follows from the image's aspect ratio.
    let last = call.arguments.iter().position(|value| value.is_object()).unwrap_or(5);
    let style = call.style(stage, last, &IMAGE)?;
    let [left, top, part_width, part_height] = style.source_rect.unwrap_or([0.0, 0.0, full_width, full_height]);
    let width = if given(3) { call.number(3, "the width")?.max(0.0) } else { part_width.abs() };
    let shape = part_height.abs() / part_width.abs().max(1e-3);
    let height = if given(4) { call.number(4, "the height")?.max(0.0) } else { width * shape };
    let edge = |at: f32, of: f32| (at / of.max(1.0)).clamp(0.0, 1.0);
    let part = [
        edge(left, full_width),
        edge(top, full_height),
        edge(left + part_width, full_width),
        edge(top + part_height, full_height),
    ];
    let at = if style.center { [at[0] - width / 2.0, at[1] - height / 2.0] } else { at };
    call.check_limit(stage.borrow_mut().builder.image((index, part), at, [width, height], style.paint))
}
