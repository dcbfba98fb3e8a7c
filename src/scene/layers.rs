//! What `draw.trail` and `draw.kept` do: pictures besides the canvas, which stay.

use super::api::Shared;
use super::call::{BLENDS, Call, article};
use super::kept::{KeptNews, Load};
use super::picture::{Blend, Picture, Trail};
use super::{KEPT_MAX, TRAILS_MAX};
use rquickjs::{Function, Result, Value};

/// Seconds in which a trail fades, if nothing is said of it.
const FADE: f32 = 1.0;

/// `draw.trail(name, options, paint)`.
pub(super) fn trail(call: &Call, stage: &Shared) -> Result<()> {
    let name = call.arguments.first().ok_or_else(|| call.wrong("the name is missing"))?;
    let name = call.words(name, "the name")?;
    let paint = function(call, if call.arguments.len() > 2 { 2 } else { 1 })?;
    let [width, height] = stage.borrow().canvas;
    let mut trail = Trail { fade: FADE, drift: [0.0; 2], grow: 1.0, turn: 0.0, round: [width / 2.0, height / 2.0] };
    let (mut alpha, mut blend) = (1.0, Blend::Over);
    if call.arguments.len() > 2 {
        let keys = ["fade", "drift", "grow", "turn", "round", "alpha", "blend"];
        call.options(1, "a trail", &keys, |key, value| {
            match key {
                "fade" => trail.fade = call.as_number(value, key)?.max(0.05),
                "drift" => trail.drift = call.span(value, key)?,
                "grow" => trail.grow = call.as_number(value, key)?.clamp(0.01, 100.0),
                "turn" => trail.turn = call.as_number(value, key)?,
                "round" => trail.round = call.span(value, key)?,
                "alpha" => alpha = call.as_number(value, key)?,
                _ => blend = call.word(value, key, BLENDS)?,
            }
            Ok(())
        })?;
    }
    let slot = {
        let trails = &mut stage.borrow_mut().trails;
        let known = trails.iter().position(|known| *known == name);
        if known.is_none() && trails.len() >= TRAILS_MAX {
            return Err(call.wrong(format!("more than {TRAILS_MAX} trails; draw more into one")));
        }
        known.unwrap_or_else(|| {
            trails.push(name);
            trails.len() - 1
        })
    };
    call.full(stage.borrow_mut().pen.trail(slot as u8, trail, (alpha, blend)))?;
    // Whatever becomes of it, the trail ends with it.
    let drawn = paint.call::<_, Value>(());
    stage.borrow_mut().pen.end();
    drawn.map(|_| ())
}

/// A frame brings no more onto kept layers than this part of what one holds; what is left comes with the next.
const PARTS: usize = 4;

/// What is on kept layers, and what is new there.
#[derive(Default)]
pub(super) struct Keeping {
    pub news: Vec<KeptNews>,
    loads: [Load; KEPT_MAX],
    /// What came to each in this frame.
    came: [Load; KEPT_MAX],
}

impl Keeping {
    /// The frame is over.
    pub fn take(&mut self) -> Vec<KeptNews> {
        self.came = Default::default();
        std::mem::take(&mut self.news)
    }
}

/// Of `draw.kept`: draws what is new onto a layer. `layers.js` calls it with slot, anew, and what draws, which says whether
/// that was all. False if the layer is full and does not hold it.
pub(super) fn keep(call: &Call, stage: &Shared) -> Result<bool> {
    let slot = call.number(0, "the slot")? as u8;
    let anew = call.arguments.get(1).and_then(Value::as_bool).unwrap_or_default();
    let paint = function(call, 2)?;
    call.full(stage.borrow_mut().pen.put_aside())?;
    let drawn = paint.call::<_, Value>(());
    let mut stage = stage.borrow_mut();
    let strokes = stage.pen.put_back();
    let whole = drawn?.as_bool().unwrap_or_default();
    let keeping = &mut stage.keeping;
    let Some(load) = keeping.loads.get_mut(usize::from(slot)) else { return Ok(false) };
    if anew {
        *load = Load::default();
    }
    let came = Load::of(&strokes);
    let fits = !load.and(came).is_over(1);
    if fits {
        *load = load.and(came);
        keeping.came[usize::from(slot)] = keeping.came[usize::from(slot)].and(came);
    }
    let strokes = if fits { strokes } else { Picture::default() };
    keeping.news.push(KeptNews { slot, anew, whole, strokes });
    Ok(fits)
}

/// Of `draw.kept`: whether this frame has room for one thing more on a layer. Each has its share, and all together no more than
/// one of them holds.
pub(super) fn keeps_more(call: &Call, stage: &Shared) -> Result<bool> {
    let slot = call.number(0, "the slot")? as usize;
    let stage = stage.borrow();
    let (now, came) = (Load::plain(stage.pen.drawn()), &stage.keeping.came);
    let own = came.get(slot).map_or(now, |came| came.and(now));
    let all = came.iter().fold(now, |all, came| all.and(*came));
    Ok(!own.is_over(PARTS) && !all.is_over(1))
}

/// Of `draw.kept`: what is on a layer is seen here.
pub(super) fn kept(call: &Call, stage: &Shared) -> Result<()> {
    let slot = call.number(0, "the slot")? as u8;
    let (mut alpha, mut blend) = (1.0, Blend::Over);
    call.options(1, "a kept layer", &["alpha", "blend"], |key, value| {
        match key {
            "alpha" => alpha = call.as_number(value, key)?,
            _ => blend = call.word(value, key, BLENDS)?,
        }
        Ok(())
    })?;
    call.full(stage.borrow_mut().pen.kept(slot, alpha, blend))
}

pub(super) fn function<'a, 'js>(call: &Call<'a, 'js>, index: usize) -> Result<&'a Function<'js>> {
    let value = call.arguments.get(index).ok_or_else(|| call.wrong("the function that draws is missing"))?;
    value.as_function().ok_or_else(|| call.wrong(format!("what draws is {}, not a function", article(value))))
}
