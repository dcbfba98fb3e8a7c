//! Native functions of particles. `draw/particle_system.rs` moves them.

use super::args::{BLENDS, CallArgs, describe_type};
use super::native_registry::NativeRegistry;
use super::state::SharedScriptState;
use crate::draw::particle_system::{Collider, Emitter, EmitterConfig, ParticleContext, SpawnParams};
use crate::limits::DOTS_MAX;
use crate::protocol::bodies::unpack_outline;
use crate::protocol::colour::Colour;
use crate::protocol::display_list::BlendMode;
use moongate_core::presence::BODIES_MAX;
use rquickjs::{Array, Object, Result, Value};
use std::f32::consts::TAU;

/// Maximum number of kinds of particles in a scene.
const EMITTERS_MAX: usize = 16;
/// Default capacity of one kind.
const DEFAULT_CAPACITY: usize = 1_000;
/// Maximum number of sizes or colours over a lifetime.
const CURVE_VALUES_MAX: usize = 16;

/// Installs the functions that `layers.js` calls.
pub(super) fn install<'js>(natives: &NativeRegistry<'_, 'js>, all: &Object<'js>) -> Result<()> {
    let usage = "particles({ life: 4, size: 6, colour: \"white\", gravity: 100 })";
    natives.add(all, ("swarm", "particles", usage), |call, stage| {
        let plan = emitter_config(call)?;
        let swarms = &mut stage.borrow_mut().emitters;
        if swarms.all.len() >= EMITTERS_MAX {
            return Err(call.error(format!("more than {EMITTERS_MAX} kinds; make each once, not in `frame`")));
        }
        if swarms.all.iter().map(Emitter::capacity).sum::<usize>() + plan.capacity > DOTS_MAX {
            return Err(call.error(format!("more than {DOTS_MAX} in all; say a smaller `most`")));
        }
        let random = swarms.random.fork();
        swarms.all.push(Emitter::new(plan, random));
        Ok(swarms.all.len() as u32 - 1)
    })?;
    let usage = "snow.emit({ x: 100, y: 50 }, { count: 20, speed: [20, 80] })";
    natives.add(all, ("swarmEmit", "emit", usage), emit)?;
    natives.add(all, ("swarmCount", "count", "snow.count"), |call, stage| {
        Ok(stage.borrow().emitters.all.get(emitter_index(call)?).map_or(0, Emitter::len) as u32)
    })?;
    natives.add(all, ("swarmClear", "clear", "snow.clear()"), |call, stage| {
        if let Some(swarm) = stage.borrow_mut().emitters.all.get_mut(emitter_index(call)?) {
            swarm.clear();
        }
        Ok(())
    })?;
    natives.add(all, ("swarmSeen", "draw.particles", "draw.particles(snow)"), |call, stage| {
        let index = emitter_index(call)?;
        let mut stage = stage.borrow_mut();
        let stage = &mut *stage;
        let Some(swarm) = stage.emitters.all.get(index) else { return Ok(()) };
        let (soft, blend) = swarm.soft_and_blend();
        call.check_limit(stage.builder.dots(swarm.dots(), soft, blend))
    })?;
    natives.add(all, ("drift", "particles", "particles({ … })"), step_all)
}

fn emitter_index(call: &CallArgs) -> Result<usize> {
    Ok(call.number(0, "its number")? as usize)
}

fn emitter_config(call: &CallArgs) -> Result<EmitterConfig> {
    let mut plan = EmitterConfig {
        capacity: DEFAULT_CAPACITY,
        life: [3.0; 2],
        sizes: vec![6.0],
        colours: vec![Colour([255; 4])],
        soft: 0.0,
        blend: BlendMode::Over,
        gravity: [0.0; 2],
        drag: 0.0,
        wander: 0.0,
        flow: 0.0,
        attract: 0.0,
        lands_on: [false; 2],
    };
    let keys =
        ["most", "life", "size", "colour", "soft", "blend", "gravity", "drag", "wander", "flow", "attract", "lands"];
    call.for_each_option(0, "a kind of particles", &keys, |key, value| {
        match key {
            "most" => plan.capacity = call.as_number(value, key)?.clamp(1.0, DOTS_MAX as f32) as usize,
            "life" => plan.life = call.as_pair(value, key)?,
            "size" => {
                plan.sizes = one_or_many(call, value, key, |value| Ok(call.as_number(value, key)?.clamp(0.0, 4_000.0)))?
            }
            "colour" => plan.colours = one_or_many(call, value, key, |value| call.as_colour(value, key))?,
            "soft" => plan.soft = call.as_number(value, key)?.clamp(0.0, 1.0),
            "blend" => plan.blend = call.as_keyword(value, key, BLENDS)?,
            // A single number points downwards.
            "gravity" if value.is_number() => plan.gravity = [0.0, call.as_number(value, key)?],
            "gravity" => plan.gravity = call.as_pair(value, key)?,
            "drag" => plan.drag = call.as_number(value, key)?.max(0.0),
            "wander" => plan.wander = call.as_number(value, key)?.max(0.0),
            "flow" => plan.flow = call.as_number(value, key)?,
            "attract" => plan.attract = call.as_number(value, key)?,
            _ => {
                let sides = [("here", [true, false]), ("there", [false, true]), ("both", [true; 2])];
                plan.lands_on = match value.as_bool() {
                    Some(lands) => [lands; 2],
                    None => call.as_keyword(value, key, sides)?,
                };
            }
        }
        Ok(())
    })?;
    Ok(plan)
}

/// Parses one value, or several in an array.
fn one_or_many<'js, T>(
    call: &CallArgs<'_, 'js>,
    value: &Value<'js>,
    what: &str,
    read: impl Fn(&Value<'js>) -> Result<T>,
) -> Result<Vec<T>> {
    let Some(array) = value.as_array() else { return Ok(vec![read(value)?]) };
    if !(1..=CURVE_VALUES_MAX).contains(&array.len()) {
        return Err(call.error(format!("{what} has {} values, 1 to {CURVE_VALUES_MAX} can be used", array.len())));
    }
    array.iter::<Value>().map(|value| read(&value?)).collect()
}

fn emit(call: &CallArgs, stage: &SharedScriptState) -> Result<()> {
    let index = emitter_index(call)?;
    let place = call.arguments.get(1).ok_or_else(|| call.error("the place is missing"))?;
    let Some(place) = place.as_object().filter(|place| !place.is_array()) else {
        return Err(call.error(format!("the place is {}, not an object with x and y", describe_type(place))));
    };
    let axis = |key: &str| call.as_pair(&place.get(key)?, key);
    let mut source =
        SpawnParams { x: axis("x")?, y: axis("y")?, spread: 0.0, speed: [0.0; 2], angle: 0.0, fan: TAU, colour: None };
    let (mut count, mut rate) = (None, None);
    let keys = ["count", "rate", "spread", "speed", "angle", "fan", "colour"];
    call.for_each_option(2, "emit", &keys, |key, value| {
        match key {
            "count" => count = Some(call.as_number(value, key)?.clamp(0.0, DOTS_MAX as f32)),
            "rate" => rate = Some(call.as_number(value, key)?.max(0.0)),
            "spread" => source.spread = call.as_number(value, key)?.max(0.0),
            "speed" => source.speed = call.as_pair(value, key)?,
            "angle" => source.angle = call.as_number(value, key)?,
            "fan" => source.fan = call.as_number(value, key)?,
            _ => source.colour = Some(call.as_colour(value, key)?),
        }
        Ok(())
    })?;
    // An angle without a fan is an exact direction.
    if call.arguments.get(2).and_then(Value::as_object).is_some_and(|said| {
        said.contains_key("angle").unwrap_or_default() && !said.contains_key("fan").unwrap_or_default()
    }) {
        source.fan = 0.0;
    }
    let swarms = &mut stage.borrow_mut().emitters;
    let dt = swarms.dt.min(0.1);
    let Some(swarm) = swarms.all.get_mut(index) else { return Ok(()) };
    let mut born = count.unwrap_or(if rate.is_some() { 0.0 } else { 1.0 }) as usize;
    if let Some(rate) = rate {
        swarm.spawn_accumulator += rate * dt;
        born += swarm.spawn_accumulator as usize;
        swarm.spawn_accumulator = swarm.spawn_accumulator.fract();
    }
    swarm.emit(&source, born);
    Ok(())
}

/// Advances all particles, before anything else in a frame. The arguments are dt, now, and the bodies here and there.
fn step_all(call: &CallArgs, stage: &SharedScriptState) -> Result<()> {
    let mut stage = stage.borrow_mut();
    let stage = &mut *stage;
    let [dt, now] = [0, 1].map(|i| call.arguments.get(i).and_then(Value::as_number).unwrap_or_default());
    stage.emitters.dt = dt as f32;
    if stage.emitters.all.iter().all(|swarm| swarm.len() == 0) {
        return Ok(());
    }
    let mut bodies = Vec::new();
    for side in 0..2 {
        let Some(seen) = call.arguments.get(2 + side).and_then(Value::as_array) else { continue };
        for body in seen.iter::<Object>().take(BODIES_MAX) {
            bodies.push(collider(&body?, side)?);
        }
    }
    let air = ParticleContext {
        dt: dt as f32,
        now,
        canvas: stage.canvas,
        noise: &stage.noise,
        flow: stage.flow.as_ref(),
        bodies: &bodies,
    };
    for swarm in &mut stage.emitters.all {
        swarm.step(&air);
    }
    Ok(())
}

/// Creates a collider from a body as scripts receive it, see [`BodyState`](crate::BodyState).
fn collider(body: &Object, side: usize) -> Result<Collider> {
    let at: Array = body.get("at")?;
    let tenth = |i: usize| -> Result<f32> { Ok(at.get::<f64>(i)? as f32 / 10.0) };
    let outline = unpack_outline(&body.get::<_, String>("outline")?);
    let outline = outline.into_iter().map(|point| point.map(|axis| axis as f32 / 10.0)).collect();
    Ok(Collider::new(body.get("id")?, side, [tenth(0)?, tenth(1)?], [tenth(4)?, tenth(5)?], outline))
}
