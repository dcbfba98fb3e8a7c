//! What a script says of particles; how they move is in `swarm.rs`.

use super::DOTS_MAX;
use super::api::{Natives, Shared};
use super::bodies::points;
use super::call::{BLENDS, Call, article};
use super::colour::Colour;
use super::picture::Blend;
use super::swarm::{Air, Obstacle, Plan, Source, Swarm};
use crate::presence::BODIES_MAX;
use rquickjs::{Array, Object, Result, Value};
use std::f32::consts::TAU;

/// Most kinds of particles in a scene.
const SWARMS_MAX: usize = 16;
/// How many there are of a kind, if nothing is said of it.
const MOST: usize = 1_000;
/// Most sizes and colours over a life.
const COURSE_MAX: usize = 16;

/// All particles of a scene.
#[derive(Debug)]
pub(super) struct Swarms {
    all: Vec<Swarm>,
    random: fastrand::Rng,
    /// Seconds since the frame before.
    dt: f32,
}

impl Swarms {
    pub fn new(seed: u64) -> Self {
        Self { all: Vec::new(), random: fastrand::Rng::with_seed(seed), dt: 0.0 }
    }
}

/// What `layers.js` calls.
pub(super) fn install<'js>(natives: &Natives<'_, 'js>, all: &Object<'js>) -> Result<()> {
    let usage = "particles({ life: 4, size: 6, colour: \"white\", gravity: 100 })";
    natives.add(all, ("swarm", "particles", usage), |call, stage| {
        let plan = plan(call)?;
        let swarms = &mut stage.borrow_mut().swarms;
        if swarms.all.len() >= SWARMS_MAX {
            return Err(call.wrong(format!("more than {SWARMS_MAX} kinds; make each once, not in `frame`")));
        }
        if swarms.all.iter().map(Swarm::most).sum::<usize>() + plan.most > DOTS_MAX {
            return Err(call.wrong(format!("more than {DOTS_MAX} in all; say a smaller `most`")));
        }
        let random = swarms.random.fork();
        swarms.all.push(Swarm::new(plan, random));
        Ok(swarms.all.len() as u32 - 1)
    })?;
    let usage = "snow.emit({ x: 100, y: 50 }, { count: 20, speed: [20, 80] })";
    natives.add(all, ("swarmEmit", "emit", usage), emit)?;
    natives.add(all, ("swarmCount", "count", "snow.count"), |call, stage| {
        Ok(stage.borrow().swarms.all.get(index(call)?).map_or(0, Swarm::len) as u32)
    })?;
    natives.add(all, ("swarmClear", "clear", "snow.clear()"), |call, stage| {
        if let Some(swarm) = stage.borrow_mut().swarms.all.get_mut(index(call)?) {
            swarm.clear();
        }
        Ok(())
    })?;
    natives.add(all, ("swarmSeen", "draw.particles", "draw.particles(snow)"), |call, stage| {
        let index = index(call)?;
        let mut stage = stage.borrow_mut();
        let stage = &mut *stage;
        let Some(swarm) = stage.swarms.all.get(index) else { return Ok(()) };
        let (soft, blend) = swarm.look();
        call.full(stage.pen.dots(swarm.dots(), soft, blend))
    })?;
    natives.add(all, ("drift", "particles", "particles({ … })"), drift)
}

fn index(call: &Call) -> Result<usize> {
    Ok(call.number(0, "its number")? as usize)
}

fn plan(call: &Call) -> Result<Plan> {
    let mut plan = Plan {
        most: MOST,
        life: [3.0; 2],
        sizes: vec![6.0],
        colours: vec![Colour([255; 4])],
        soft: 0.0,
        blend: Blend::Over,
        gravity: [0.0; 2],
        drag: 0.0,
        wander: 0.0,
        flow: 0.0,
        attract: 0.0,
        lands: [false; 2],
    };
    let keys =
        ["most", "life", "size", "colour", "soft", "blend", "gravity", "drag", "wander", "flow", "attract", "lands"];
    call.options(0, "a kind of particles", &keys, |key, value| {
        match key {
            "most" => plan.most = call.as_number(value, key)?.clamp(1.0, DOTS_MAX as f32) as usize,
            "life" => plan.life = call.span(value, key)?,
            "size" => {
                plan.sizes = several(call, value, key, |value| Ok(call.as_number(value, key)?.clamp(0.0, 4_000.0)))?
            }
            "colour" => plan.colours = several(call, value, key, |value| call.colour(value, key))?,
            "soft" => plan.soft = call.as_number(value, key)?.clamp(0.0, 1.0),
            "blend" => plan.blend = call.word(value, key, BLENDS)?,
            // One number is downwards.
            "gravity" if value.is_number() => plan.gravity = [0.0, call.as_number(value, key)?],
            "gravity" => plan.gravity = call.span(value, key)?,
            "drag" => plan.drag = call.as_number(value, key)?.max(0.0),
            "wander" => plan.wander = call.as_number(value, key)?.max(0.0),
            "flow" => plan.flow = call.as_number(value, key)?,
            "attract" => plan.attract = call.as_number(value, key)?,
            _ => {
                let sides = [("here", [true, false]), ("there", [false, true]), ("both", [true; 2])];
                plan.lands = match value.as_bool() {
                    Some(lands) => [lands; 2],
                    None => call.word(value, key, sides)?,
                };
            }
        }
        Ok(())
    })?;
    Ok(plan)
}

/// One value, or several in an array.
fn several<'js, T>(
    call: &Call<'_, 'js>,
    value: &Value<'js>,
    what: &str,
    read: impl Fn(&Value<'js>) -> Result<T>,
) -> Result<Vec<T>> {
    let Some(array) = value.as_array() else { return Ok(vec![read(value)?]) };
    if !(1..=COURSE_MAX).contains(&array.len()) {
        return Err(call.wrong(format!("{what} has {} values, 1 to {COURSE_MAX} can be used", array.len())));
    }
    array.iter::<Value>().map(|value| read(&value?)).collect()
}

fn emit(call: &Call, stage: &Shared) -> Result<()> {
    let index = index(call)?;
    let place = call.arguments.get(1).ok_or_else(|| call.wrong("the place is missing"))?;
    let Some(place) = place.as_object().filter(|place| !place.is_array()) else {
        return Err(call.wrong(format!("the place is {}, not an object with x and y", article(place))));
    };
    let axis = |key: &str| call.span(&place.get(key)?, key);
    let mut source =
        Source { x: axis("x")?, y: axis("y")?, spread: 0.0, speed: [0.0; 2], angle: 0.0, fan: TAU, colour: None };
    let (mut count, mut rate) = (None, None);
    let keys = ["count", "rate", "spread", "speed", "angle", "fan", "colour"];
    call.options(2, "emit", &keys, |key, value| {
        match key {
            "count" => count = Some(call.as_number(value, key)?.clamp(0.0, DOTS_MAX as f32)),
            "rate" => rate = Some(call.as_number(value, key)?.max(0.0)),
            "spread" => source.spread = call.as_number(value, key)?.max(0.0),
            "speed" => source.speed = call.span(value, key)?,
            "angle" => source.angle = call.as_number(value, key)?,
            "fan" => source.fan = call.as_number(value, key)?,
            _ => source.colour = Some(call.colour(value, key)?),
        }
        Ok(())
    })?;
    // One that has an angle and no fan goes just there.
    if call.arguments.get(2).and_then(Value::as_object).is_some_and(|said| {
        said.contains_key("angle").unwrap_or_default() && !said.contains_key("fan").unwrap_or_default()
    }) {
        source.fan = 0.0;
    }
    let swarms = &mut stage.borrow_mut().swarms;
    let dt = swarms.dt.min(0.1);
    let Some(swarm) = swarms.all.get_mut(index) else { return Ok(()) };
    let mut born = count.unwrap_or(if rate.is_some() { 0.0 } else { 1.0 }) as usize;
    if let Some(rate) = rate {
        swarm.owed += rate * dt;
        born += swarm.owed as usize;
        swarm.owed = swarm.owed.fract();
    }
    swarm.emit(&source, born);
    Ok(())
}

/// Before anything else of a frame: all particles go on. Its arguments are dt, now, and the bodies of here and of there.
fn drift(call: &Call, stage: &Shared) -> Result<()> {
    let mut stage = stage.borrow_mut();
    let stage = &mut *stage;
    let [dt, now] = [0, 1].map(|i| call.arguments.get(i).and_then(Value::as_number).unwrap_or_default());
    stage.swarms.dt = dt as f32;
    if stage.swarms.all.iter().all(|swarm| swarm.len() == 0) {
        return Ok(());
    }
    let mut bodies = Vec::new();
    for side in 0..2 {
        let Some(seen) = call.arguments.get(2 + side).and_then(Value::as_array) else { continue };
        for body in seen.iter::<Object>().take(BODIES_MAX) {
            bodies.push(obstacle(&body?, side)?);
        }
    }
    let air = Air {
        dt: dt as f32,
        now,
        canvas: stage.canvas,
        noise: &stage.noise,
        field: stage.field.as_ref(),
        bodies: &bodies,
    };
    for swarm in &mut stage.swarms.all {
        swarm.step(&air);
    }
    Ok(())
}

/// A body as the engine tells scripts of it, see [`BodySeen`](super::BodySeen).
fn obstacle(body: &Object, side: usize) -> Result<Obstacle> {
    let at: Array = body.get("at")?;
    let tenth = |i: usize| -> Result<f32> { Ok(at.get::<f64>(i)? as f32 / 10.0) };
    let outline = points(&body.get::<_, String>("outline")?);
    let outline = outline.into_iter().map(|point| point.map(|axis| axis as f32 / 10.0)).collect();
    Ok(Obstacle::new(body.get("id")?, side, [tenth(0)?, tenth(1)?], [tenth(4)?, tenth(5)?], outline))
}
