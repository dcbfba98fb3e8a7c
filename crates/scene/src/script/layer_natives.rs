//! Native functions of `draw.trail` and `draw.kept`: images beside the canvas that persist.

use super::args::{BLENDS, CallArgs, describe_type};
use super::state::SharedScriptState;
use crate::limits::TRAILS_MAX;
use crate::protocol::display_list::{BlendMode, DisplayList, Trail};
use crate::protocol::retained::{LayerUsage, RetainedUpdate};
use rquickjs::{Function, Result, Value};

/// Default fade time of a trail, in seconds.
const DEFAULT_FADE: f32 = 1.0;

/// Implements `draw.trail(name, options, paint)`.
pub(super) fn draw_trail(call: &CallArgs, stage: &SharedScriptState) -> Result<()> {
    let name = call.arguments.first().ok_or_else(|| call.error("the name is missing"))?;
    let name = call.as_text(name, "the name")?;
    let paint = callback_argument(call, if call.arguments.len() > 2 { 2 } else { 1 })?;
    let [width, height] = stage.borrow().canvas;
    let mut trail =
        Trail { fade: DEFAULT_FADE, drift: [0.0; 2], grow: 1.0, turn: 0.0, round: [width / 2.0, height / 2.0] };
    let (mut alpha, mut blend) = (1.0, BlendMode::Over);
    if call.arguments.len() > 2 {
        let keys = ["fade", "drift", "grow", "turn", "round", "alpha", "blend"];
        call.for_each_option(1, "a trail", &keys, |key, value| {
            match key {
                "fade" => trail.fade = call.as_number(value, key)?.max(0.05),
                "drift" => trail.drift = call.as_pair(value, key)?,
                "grow" => trail.grow = call.as_number(value, key)?.clamp(0.01, 100.0),
                "turn" => trail.turn = call.as_number(value, key)?,
                "round" => trail.round = call.as_pair(value, key)?,
                "alpha" => alpha = call.as_number(value, key)?,
                _ => blend = call.as_keyword(value, key, BLENDS)?,
            }
            Ok(())
        })?;
    }
    let slot = {
        let trails = &mut stage.borrow_mut().trail_names;
        let known = trails.iter().position(|known| *known == name);
        if known.is_none() && trails.len() >= TRAILS_MAX {
            return Err(call.error(format!("more than {TRAILS_MAX} trails; draw more into one")));
        }
        known.unwrap_or_else(|| {
            trails.push(name);
            trails.len() - 1
        })
    };
    call.check_limit(stage.borrow_mut().builder.trail(slot as u8, trail, (alpha, blend)))?;
    // The trail ends even if the function throws.
    let drawn = paint.call::<_, Value>(());
    stage.borrow_mut().builder.end_scope();
    drawn.map(|_| ())
}

/// Share of a retained layer's limits that one frame may add to it, as a divisor; the rest follows in the next frames.
const FRAME_SHARE: usize = 4;

/// Implements drawing in `draw.kept`: adds new items to a layer.
///
/// `layers.js` passes the slot, whether the layer restarts, and a function that draws and returns whether that was
/// everything. Returns false if the layer is full and the items were dropped.
pub(super) fn draw_retained(call: &CallArgs, stage: &SharedScriptState) -> Result<bool> {
    let slot = call.number(0, "the slot")? as u8;
    let anew = call.arguments.get(1).and_then(Value::as_bool).unwrap_or_default();
    let paint = callback_argument(call, 2)?;
    call.check_limit(stage.borrow_mut().builder.begin_retained())?;
    let drawn = paint.call::<_, Value>(());
    let mut stage = stage.borrow_mut();
    let strokes = stage.builder.end_retained();
    let whole = drawn?.as_bool().unwrap_or_default();
    let keeping = &mut stage.retained;
    let Some(load) = keeping.usage.get_mut(usize::from(slot)) else { return Ok(false) };
    if anew {
        *load = LayerUsage::default();
    }
    let came = LayerUsage::of(&strokes);
    let fits = !load.plus(came).exceeds(1);
    if fits {
        *load = load.plus(came);
        keeping.added[usize::from(slot)] = keeping.added[usize::from(slot)].plus(came);
    }
    let strokes = if fits { strokes } else { DisplayList::default() };
    keeping.updates.push(RetainedUpdate { slot, anew, whole, strokes });
    Ok(fits)
}

/// Returns whether a retained layer can take one more item in this frame.
///
/// Each layer has its share; all layers together may add as much as one of them can hold.
pub(super) fn has_room(call: &CallArgs, stage: &SharedScriptState) -> Result<bool> {
    let slot = call.number(0, "the slot")? as usize;
    let stage = stage.borrow();
    let (now, came) = (LayerUsage::of_own(stage.builder.current_list()), &stage.retained.added);
    let own = came.get(slot).map_or(now, |came| came.plus(now));
    let all = came.iter().fold(now, |all, came| all.plus(*came));
    Ok(!own.exceeds(FRAME_SHARE) && !all.exceeds(1))
}

/// Implements the end of `draw.kept`: shows the layer.
pub(super) fn show_retained(call: &CallArgs, stage: &SharedScriptState) -> Result<()> {
    let slot = call.number(0, "the slot")? as u8;
    let (mut alpha, mut blend) = (1.0, BlendMode::Over);
    call.for_each_option(1, "a kept layer", &["alpha", "blend"], |key, value| {
        match key {
            "alpha" => alpha = call.as_number(value, key)?,
            _ => blend = call.as_keyword(value, key, BLENDS)?,
        }
        Ok(())
    })?;
    call.check_limit(stage.borrow_mut().builder.retained_layer(slot, alpha, blend))
}

pub(super) fn callback_argument<'a, 'js>(call: &CallArgs<'a, 'js>, index: usize) -> Result<&'a Function<'js>> {
    let value = call.arguments.get(index).ok_or_else(|| call.error("the function that draws is missing"))?;
    value.as_function().ok_or_else(|| call.error(format!("what draws is {}, not a function", describe_type(value))))
}
