//! Native functions of `draw`.

use super::args::{BLENDS, CallArgs, describe_type, list_available};
use super::layer_natives::{callback_argument, draw_retained, draw_trail, has_room, show_retained};
use super::native_registry::NativeRegistry;
use super::paint_natives::draw_image;
use super::state::SharedScriptState;
use super::style::{ARC, BODY, CIRCLE, CURVE, ELLIPSE, LINE, POLYGON, POLYLINE, RECT, TEXT};
use crate::draw::curves::smooth_curve;
use crate::protocol::display_list::{BasicShape, BlendMode};
use moongate_core::config::closest_match;
use rquickjs::{Object, Result, Value};

/// Installs `draw` and the functions that only the prelude calls for it.
pub(super) fn install<'js>(natives: &NativeRegistry<'_, 'js>, all: &Object<'js>) -> Result<()> {
    let draw = Object::new(natives.ctx.clone())?;
    install_shapes(natives, &draw)?;
    install_paths(natives, &draw)?;
    install_scopes(natives, &draw)?;
    install_content(natives, &draw)?;
    install_transforms(natives, &draw)?;
    all.set("draw", draw)?;
    natives.add(all, ("home", "home", "home()"), |_, stage| {
        stage.borrow_mut().builder.reset_transform();
        Ok(())
    })?;
    let usage = "draw.kept(\"cloth\", ours.rows.all(), (row) => { … }, { alpha: 1 })";
    natives.add(all, ("keep", "draw.kept", usage), draw_retained)?;
    natives.add(all, ("keepsMore", "draw.kept", usage), has_room)?;
    natives.add(all, ("kept", "draw.kept", usage), show_retained)
}

/// Installs the background and the shapes that have a size.
fn install_shapes<'js>(natives: &NativeRegistry<'_, 'js>, draw: &Object<'js>) -> Result<()> {
    natives.add(draw, ("background", "draw.background", "draw.background(\"#102030\")"), |call, stage| {
        let Some(value) = call.arguments.first() else { return Err(call.error("the colour is missing")) };
        if let Some(gradient) = call.as_gradient(stage, value)? {
            return call.check_limit(stage.borrow_mut().builder.background_gradient(gradient));
        }
        let colour = call.as_colour(value, "the colour")?;
        call.check_limit(stage.borrow_mut().builder.background(colour))
    })?;
    natives.add(
        draw,
        ("circle", "draw.circle", "draw.circle(x, y, radius, { fill, stroke, width })"),
        |call, stage| {
            let [x, y, r] = [call.number(0, "x")?, call.number(1, "y")?, call.number(2, "the radius")?];
            let style = call.style(stage, 3, &CIRCLE)?;
            call.check_limit(stage.borrow_mut().builder.shape(
                BasicShape::Ellipse([r.max(0.0); 2]),
                [x, y],
                style.paint,
            ))
        },
    )?;
    let usage = "draw.ellipse(x, y, radiusX, radiusY, { fill, stroke, width })";
    natives.add(draw, ("ellipse", "draw.ellipse", usage), |call, stage| {
        let [x, y] = [call.number(0, "x")?, call.number(1, "y")?];
        let radii = [call.number(2, "the radius to the side")?, call.number(3, "the radius down")?];
        let style = call.style(stage, 4, &ELLIPSE)?;
        call.check_limit(stage.borrow_mut().builder.shape(
            BasicShape::Ellipse(radii.map(|r| r.max(0.0))),
            [x, y],
            style.paint,
        ))
    })?;
    natives.add(
        draw,
        ("rect", "draw.rect", "draw.rect(x, y, width, height, { fill, stroke, width, radius })"),
        |call, stage| {
            let [x, y] = [call.number(0, "x")?, call.number(1, "y")?];
            let [w, h] = [call.number(2, "the width")?, call.number(3, "the height")?];
            let style = call.style(stage, 4, &RECT)?;
            let (x, y) = (x + w.min(0.0), y + h.min(0.0));
            let shape = BasicShape::Rect([w.abs(), h.abs(), style.radius]);
            call.check_limit(stage.borrow_mut().builder.shape(shape, [x, y], style.paint))
        },
    )
}

/// Installs lines, polygons and outlines of bodies.
fn install_paths<'js>(natives: &NativeRegistry<'_, 'js>, draw: &Object<'js>) -> Result<()> {
    natives.add(draw, ("line", "draw.line", "draw.line(x1, y1, x2, y2, { stroke, width })"), |call, stage| {
        let from = [call.number(0, "x1")?, call.number(1, "y1")?];
        let to = [call.number(2, "x2")?, call.number(3, "y2")?];
        let style = call.style(stage, 4, &LINE)?;
        call.check_limit(stage.borrow_mut().builder.line(from, to, style.paint))
    })?;
    let usage = "draw.polyline([[x, y], …], { stroke, width, closed })";
    natives.add(draw, ("polyline", "draw.polyline", usage), |call, stage| {
        let points = call.points(0)?;
        let style = call.style(stage, 1, &POLYLINE)?;
        call.check_limit(stage.borrow_mut().builder.path(&points, style.closed, false, style.paint))
    })?;
    let usage = "draw.arc(x, y, radius, from, to, { stroke, width })";
    natives.add(draw, ("arc", "draw.arc", usage), |call, stage| {
        let [x, y, r] = [call.number(0, "x")?, call.number(1, "y")?, call.number(2, "the radius")?];
        let [from, to] = [call.number(3, "the angle from")?, call.number(4, "the angle to")?];
        let style = call.style(stage, 5, &ARC)?;
        let turn = (to - from).clamp(-std::f32::consts::TAU, std::f32::consts::TAU);
        let steps = ((turn * r).abs() / stage.borrow().min_step * 2.0).clamp(8.0, 128.0) as u16;
        let point = |i: u16| {
            let (sin, cos) = (from + turn * f32::from(i) / f32::from(steps)).sin_cos();
            [x + r * cos, y + r * sin]
        };
        let points: Vec<[f32; 2]> = (0..=steps).map(point).collect();
        call.check_limit(stage.borrow_mut().builder.path(&points, false, false, style.paint))
    })?;
    let usage = "draw.curve([[x, y], …], { stroke, width, closed, fill })";
    natives.add(draw, ("curve", "draw.curve", usage), |call, stage| {
        let points = call.points(0)?;
        let style = call.style(stage, 1, &CURVE)?;
        let filled = style.paint.fill.0[3] > 0;
        let points = smooth_curve(&points, style.closed || filled, stage.borrow().min_step);
        call.check_limit(stage.borrow_mut().builder.path(&points, style.closed, filled, style.paint))
    })?;
    let usage = "draw.polygon([[x, y], …], { fill, stroke, width })";
    natives.add(draw, ("polygon", "draw.polygon", usage), |call, stage| {
        let points = call.points(0)?;
        let style = call.style(stage, 1, &POLYGON)?;
        call.check_limit(stage.borrow_mut().builder.path(&points, true, true, style.paint))
    })?;
    natives.add(draw, ("body", "draw.body", "draw.body(body, { fill, pattern })"), |call, stage| {
        let points = call.body(stage, 0)?;
        let mut style = call.style(stage, 1, &BODY)?;
        let faded = call.body_fade(0);
        for colour in [&mut style.paint.fill, &mut style.paint.stroke] {
            *colour = colour.scale_alpha(1.0 - faded);
        }
        call.check_limit(stage.borrow_mut().builder.path(&points, true, true, style.paint))
    })
}

/// Installs clips and trails, which run a function of the script.
fn install_scopes<'js>(natives: &NativeRegistry<'_, 'js>, draw: &Object<'js>) -> Result<()> {
    let usage = "draw.inside(here.bodies, () => { … })";
    natives.add(draw, ("inside", "draw.inside", usage), |call, stage| draw_clip(call, stage, true))?;
    let usage = "draw.outside(here.bodies, () => { … })";
    natives.add(draw, ("outside", "draw.outside", usage), |call, stage| draw_clip(call, stage, false))?;
    let usage = "draw.trail(\"glow\", { fade: 2 }, () => { … })";
    natives.add(draw, ("trail", "draw.trail", usage), draw_trail)
}

/// Installs images, texts and shaders.
fn install_content<'js>(natives: &NativeRegistry<'_, 'js>, draw: &Object<'js>) -> Result<()> {
    let usage = "draw.image(\"moon.png\", x, y, width, height, { alpha })";
    natives.add(draw, ("image", "draw.image", usage), draw_image)?;
    let usage = "draw.text(\"text\", x, y, { size, fill, align })";
    natives.add(draw, ("text", "draw.text", usage), |call, stage| {
        let text = call.text(0, "the text")?;
        let at = [call.number(1, "x")?, call.number(2, "y")?];
        let style = call.style(stage, 3, &TEXT)?;
        let mut stage = stage.borrow_mut();
        let stage = &mut *stage;
        let language = style.language.as_deref().unwrap_or(&stage.language);
        call.check_limit(stage.builder.text(&text, at, style.text, language, style.paint))
    })?;
    natives.add(draw, ("shader", "draw.shader", "draw.shader(\"night.wgsl\", { sun: 1 })"), draw_shader)
}

/// Installs the transform and alpha of the next items.
fn install_transforms<'js>(natives: &NativeRegistry<'_, 'js>, draw: &Object<'js>) -> Result<()> {
    natives.add(draw, ("push", "draw.push", "draw.push()"), |call, stage| {
        call.check_limit(stage.borrow_mut().builder.push())
    })?;
    natives.add(draw, ("pop", "draw.pop", "draw.pop()"), |call, stage| {
        call.check_limit(stage.borrow_mut().builder.pop())
    })?;
    natives.add(draw, ("translate", "draw.translate", "draw.translate(x, y)"), |call, stage| {
        let inner = [1.0, 0.0, 0.0, 1.0, call.number(0, "x")?, call.number(1, "y")?];
        stage.borrow_mut().builder.multiply_transform(inner);
        Ok(())
    })?;
    natives.add(draw, ("rotate", "draw.rotate", "draw.rotate(radians)"), |call, stage| {
        let (sin, cos) = call.number(0, "the angle")?.sin_cos();
        stage.borrow_mut().builder.multiply_transform([cos, sin, -sin, cos, 0.0, 0.0]);
        Ok(())
    })?;
    natives.add(draw, ("scale", "draw.scale", "draw.scale(x, y)"), |call, stage| {
        let x = call.number(0, "x")?;
        let y = if call.arguments.len() > 1 { call.number(1, "y")? } else { x };
        stage.borrow_mut().builder.multiply_transform([x, 0.0, 0.0, y, 0.0, 0.0]);
        Ok(())
    })?;
    natives.add(draw, ("alpha", "draw.alpha", "draw.alpha(0.5)"), |call, stage| {
        let alpha = call.number(0, "alpha")?;
        stage.borrow_mut().builder.multiply_alpha(alpha);
        Ok(())
    })
}

/// Runs the script's function, clipped to the inside or the outside of the given outlines.
fn draw_clip<'js>(call: &CallArgs<'_, 'js>, stage: &SharedScriptState, inside: bool) -> Result<()> {
    let rings = call.clip_rings(stage, 0)?;
    let draws = callback_argument(call, 1)?;
    call.check_limit(stage.borrow_mut().builder.clip(&rings, inside))?;
    // The clip ends even if the function throws.
    let drawn = draws.call::<_, Value>(());
    stage.borrow_mut().builder.end_scope();
    drawn.map(|_| ())
}

fn draw_shader<'js>(call: &CallArgs<'_, 'js>, stage: &SharedScriptState) -> Result<()> {
    let name = call.text(0, "the file")?;
    let found = {
        let stage = stage.borrow();
        let index = stage.shaders.iter().position(|shader| shader.name == name);
        let Some(index) = index else {
            let known = stage.shaders.iter().map(|shader| shader.name.as_str());
            let meant = closest_match(&name, known.clone()).map(|meant| format!("did you mean \"{meant}\"?"));
            let meant = meant.unwrap_or_else(|| list_available(known, "a .wgsl file"));
            return Err(call.error(format!("there is no shader \"{name}\"; {meant}")));
        };
        (index, stage.shaders[index].clone())
    };
    let (index, shader) = found;
    let mut params = vec![0; shader.size];
    let mut blend = BlendMode::Over;
    if let Some(value) = call.arguments.get(1).filter(|value| !value.is_undefined()) {
        let Some(object) = value.as_object() else {
            return Err(call.error(format!("the parameters are {}", describe_type(value))));
        };
        let mut numbers = Vec::new();
        for entry in object.props::<String, Value>() {
            let (key, value) = entry?;
            if key == "blend" && value.is_string() {
                blend = call.as_keyword(&value, "blend", BLENDS)?;
                continue;
            }
            let Some(slot) = shader.slots.iter().find(|slot| slot.name == key) else {
                let known = shader.slots.iter().map(|slot| slot.name.as_str());
                let meant =
                    closest_match(&key, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                return Err(call.error(format!("`Params` of {name} has no `{key}`{meant}")));
            };
            numbers.clear();
            call.shader_numbers(&value, &key, &mut numbers)?;
            if numbers.len() > slot.number_count() {
                return Err(call.error(format!(
                    "`{key}` has {} numbers; {name} takes {}",
                    numbers.len(),
                    slot.number_count()
                )));
            }
            slot.write_numbers(&mut params, &numbers);
        }
    }
    call.check_limit(stage.borrow_mut().builder.shader(index as u16, &params, blend))
}
