//! Native functions of a script: the object that the prelude builds the module "moongate" from.

use super::args::{CallArgs, STRING_MAX, describe_type, list_available};
use super::native_registry::NativeRegistry;
use super::paint_natives::{make_gradient, mix_colours};
use super::state::SharedScriptState;
use super::{draw_natives, particle_natives};
use crate::protocol::bodies::{self, FlowField};
use crate::protocol::display_list::GradientKind;
use crate::protocol::message::SceneAction;
use moongate_core::config::closest_match;
use moongate_core::marks::NewMark;
use rquickjs::{Ctx, Object, Result, Value};

/// Built-in sounds, as `kit.js` names them.
pub const BUILTIN_SOUNDS: [&str; 2] = ["moongate:step", "moongate:bell"];

/// Creates all native functions, as properties of one object.
pub(super) fn install_natives<'js>(ctx: &Ctx<'js>, stage: &SharedScriptState) -> Result<Object<'js>> {
    let natives = NativeRegistry::new(ctx, stage)?;
    let all = Object::new(ctx.clone())?;
    draw_natives::install(&natives, &all)?;
    particle_natives::install(&natives, &all)?;
    install_numbers(&natives, &all)?;
    install_colours(&natives, &all)?;
    install_link(&natives, &all)?;
    install_presence(&natives, &all)?;
    install_output(&natives, &all)?;
    Ok(all)
}

/// Installs random numbers, noise, the seeds of marks and the length of texts.
fn install_numbers<'js>(natives: &NativeRegistry<'_, 'js>, all: &Object<'js>) -> Result<()> {
    natives.add(all, ("random", "random", "random(), random(max) or random(min, max)"), |call, stage| {
        let ends = (0..call.arguments.len().min(2)).map(|i| call.number(i, "an end")).collect::<Result<Vec<_>>>()?;
        let unit = stage.borrow_mut().random.f64();
        Ok(match ends[..] {
            [] => unit,
            [max] => unit * f64::from(max),
            [min, max, ..] => f64::from(min) + unit * f64::from(max - min),
        })
    })?;
    natives.add(all, ("noise", "noise", "noise(x), noise(x, y) or noise(x, y, z)"), |call, stage| {
        let mut point = [0.0; 3];
        for (axis, value) in point.iter_mut().zip(call.arguments) {
            *axis = value.as_number().ok_or_else(|| call.error(format!("an argument is {}", describe_type(value))))?;
        }
        Ok(stage.borrow().noise.at(point))
    })?;
    natives.add(all, ("seed", "seed", "seed()"), |_, stage| {
        // 31 bits: the script engine reads larger 32-bit numbers as negative.
        Ok(stage.borrow_mut().mark_seeds.u32(..1 << 31))
    })?;
    natives.add(all, ("bytes", "bytes", "bytes(text)"), |call, _| {
        let text = call.arguments.first().and_then(Value::as_string).map(|text| text.to_string()).transpose()?;
        Ok(text.map_or(0, |text| text.len()) as u32)
    })
}

/// Installs gradients and mixed colours.
fn install_colours<'js>(natives: &NativeRegistry<'_, 'js>, all: &Object<'js>) -> Result<()> {
    let gradients = Object::new(natives.ctx.clone())?;
    for (key, name, usage, along) in [
        ("linear", "gradient.linear", "gradient.linear(x1, y1, x2, y2, [\"gold\", \"red\"])", GradientKind::Line),
        ("radial", "gradient.radial", "gradient.radial(x, y, radius, [\"gold\", \"red\"])", GradientKind::Radius),
        ("conic", "gradient.conic", "gradient.conic(x, y, angle, [\"gold\", \"red\"])", GradientKind::Angle),
    ] {
        natives.add(&gradients, (key, name, usage), move |call, stage| make_gradient(call, stage, along))?;
    }
    all.set("gradient", gradients)?;
    natives.add(all, ("mix", "mix", "mix(\"gold\", \"red\", 0.5)"), mix_colours)
}

/// Installs signals, shared state and marks, which reach the other city.
fn install_link<'js>(natives: &NativeRegistry<'_, 'js>, all: &Object<'js>) -> Result<()> {
    natives.add(all, ("signal", "signal", "signal(\"name\", { any: \"data\" })"), |call, stage| {
        let name = call.text(0, "the name")?;
        let data = match call.arguments.get(1) {
            Some(value) if !value.is_undefined() => call.ctx.json_stringify(value.clone())?,
            _ => None,
        };
        let data = data.map(|data| data.to_string()).transpose()?.unwrap_or_else(|| "null".into());
        if name.is_empty() || name.len() > moongate_core::limits::NAME_MAX {
            return Err(call.error(format!("a name has 1 to {} bytes", moongate_core::limits::NAME_MAX)));
        }
        if data.len() > moongate_core::limits::DATA_MAX {
            return Err(call.error(format!(
                "{} bytes of data are more than {}",
                data.len(),
                moongate_core::limits::DATA_MAX
            )));
        }
        call.check_limit(stage.borrow_mut().queue_action(SceneAction::Signal { name, data }))
    })?;
    natives.add(all, ("share", "here.share", "here.share = { any: \"thing\" }"), |call, stage| {
        let data = call.text(0, "what this city says")?;
        if data.len() > moongate_core::limits::DATA_MAX {
            return Err(call.error(format!("{} bytes are more than {}", data.len(), moongate_core::limits::DATA_MAX)));
        }
        // Happens once a frame, so it does not count as an action.
        stage.borrow_mut().actions.push(SceneAction::Share(data));
        Ok(())
    })?;
    natives.add(all, ("mark", "ours", "ours.NAME.add({ x, y })"), |call, stage| {
        let name = call.text(0, "the name")?;
        let at = match call.arguments.get(1).and_then(Value::as_number) {
            Some(_) => Some([call.number(1, "x")?, call.number(2, "y")?]),
            None => None,
        };
        let seed = call.arguments.get(3).and_then(Value::as_number).unwrap_or_default() as u32;
        let said = call.arguments.get(4).and_then(Value::as_string).map(|text| text.to_string()).transpose()?;
        let draft = NewMark { name, at, seed, said: said.unwrap_or_default() };
        call.check_limit(stage.borrow_mut().queue_action(SceneAction::Mark(draft)))
    })
}

/// Installs the outlines of bodies and the motion that the camera sees.
fn install_presence<'js>(natives: &NativeRegistry<'_, 'js>, all: &Object<'js>) -> Result<()> {
    natives.add(all, ("points", "outline", "body.outline"), |call, _| {
        let points = bodies::unpack_outline(&call.text(0, "the outline")?);
        Ok(points.into_iter().map(|point| point.map(|axis| f64::from(axis) / 10.0).to_vec()).collect::<Vec<_>>())
    })?;
    natives.add(all, ("setFlow", "flow", "here.flow"), |call, stage| {
        let text = call.arguments.first().and_then(Value::as_string).map(|text| text.to_string()).transpose()?;
        stage.borrow_mut().flow = text.and_then(|text| FlowField::decode(&text));
        Ok(())
    })?;
    natives.add(all, ("flowAt", "here.flow.at", "here.flow.at(x, y)"), |call, stage| {
        let (x, y) = (call.number(0, "x")?, call.number(1, "y")?);
        let stage = stage.borrow();
        let [width, height] = stage.canvas;
        let [x, y] = stage.flow.as_ref().map_or([0.0; 2], |field| field.sample([x / width, y / height]));
        let place = Object::new(call.ctx.clone())?;
        place.set("x", x)?;
        place.set("y", y)?;
        Ok(place)
    })
}

/// Installs sounds and the log.
fn install_output<'js>(natives: &NativeRegistry<'_, 'js>, all: &Object<'js>) -> Result<()> {
    natives.add(all, ("play", "sound.play", "sound.play(\"bell.wav\", { volume, pan, rate })"), play_sound)?;
    natives.add(all, ("log", "console.log", "console.log(…)"), |call, stage| {
        let words = (0..call.arguments.len()).map(|i| match call.arguments[i].as_object() {
            Some(object) => {
                Ok(call.ctx.json_stringify(object.clone())?.map(|t| t.to_string()).transpose()?.unwrap_or_default())
            }
            None if call.arguments[i].is_undefined() => Ok("undefined".into()),
            None if call.arguments[i].is_null() => Ok("null".into()),
            None => call.text(i, "a word"),
        });
        let line = words.collect::<Result<Vec<String>>>()?.join(" ");
        // Excess log lines are dropped: a log never stops a scene.
        let _ =
            stage.borrow_mut().queue_action(SceneAction::Log(line[..line.floor_char_boundary(STRING_MAX)].to_owned()));
        Ok(())
    })
}

fn play_sound<'js>(call: &CallArgs<'_, 'js>, stage: &SharedScriptState) -> Result<()> {
    let name = call.text(0, "the file")?;
    let own = BUILTIN_SOUNDS.contains(&name.as_str());
    if !own && !stage.borrow().sounds.contains(&name) {
        let stage = stage.borrow();
        let known = stage.sounds.iter().map(String::as_str);
        let meant = closest_match(&name, known.clone()).map(|meant| format!("did you mean \"{meant}\"?"));
        let meant = meant.unwrap_or_else(|| list_available(known, "a wav, ogg, flac or mp3 file"));
        return Err(call.error(format!("there is no sound \"{name}\"; {meant}")));
    }
    let [mut volume, mut pan, mut rate] = [1.0, 0.0, 1.0];
    call.for_each_option(1, "a sound", &["volume", "pan", "rate"], |key, value| {
        let number = call.as_number(value, key)?;
        match key {
            "volume" => volume = number.clamp(0.0, 1.0),
            "pan" => pan = number.clamp(-1.0, 1.0),
            _ => rate = number.clamp(0.05, 8.0),
        }
        Ok(())
    })?;
    call.check_limit(stage.borrow_mut().queue_action(SceneAction::Play { name, volume, pan, rate }))
}
