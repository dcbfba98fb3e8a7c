//! The whole of it, frame by frame: light, shake, background, what differs, people, outlines, motion.

use super::flow::Flow;
use super::ghosts::{self, Ghosts, Looks};
use super::ground::{Ground, PERHAPS, PERSON};
use super::light::{CELL, Cells, Light};
use super::mask::{differ, dilate, vote};
use super::net::{Find, Net, View};
use super::outline::Tracer;
use super::owners::{self, BODY};
use super::people::{self, PEOPLE_MAX, People};
use super::person::whole;
use super::shake::Shake;
use super::work::{Plane, factor, shrink};
use super::{Figure, Luma, Mask, Motion};
use crate::presence::Point;
use std::time::Duration;

/// A camera that was silent for longer begins anew.
const PAUSE: f32 = 5.0;

/// What one frame says.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Everybody who is followed.
    pub figures: Vec<Figure>,
    /// How the picture moves.
    pub motion: Motion,
    /// Which pixels belong to somebody.
    pub mask: Mask,
    /// How far the camera has been pushed, in its pixels: add it to a place to find it in this very frame.
    pub shift: [i32; 2],
}

/// Watches one camera. It keeps a background without people, shapes, and never a frame.
#[derive(Debug)]
pub struct Sense {
    size: [usize; 2],
    eye: Option<Box<Eye>>,
    seen: Seen,
}

impl Default for Sense {
    fn default() -> Self {
        Self::new()
    }
}

impl Sense {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { size: [0; 2], eye: None, seen: Seen::default() }
    }

    /// Takes a frame in. `now` is when it was captured, on any monotonic clock; `shown` is the luminance that the site's
    /// screen shows, 0 to 1, or 0 where it is not known. A frame of another size begins anew.
    pub fn see(&mut self, now: Duration, luma: &Luma, shown: f32) -> &Seen {
        self.eye(now, luma);
        if let Some(eye) = &mut self.eye {
            eye.see(now, luma, shown, &mut self.seen);
        }
        &self.seen
    }

    /// What is known, anew where the frame is of another size or comes late.
    pub(super) fn eye(&mut self, now: Duration, luma: &Luma) -> &mut Eye {
        let size = [luma.width(), luma.height()];
        let late = self.eye.as_ref().is_some_and(|eye| now.saturating_sub(eye.last).as_secs_f32() > PAUSE);
        if self.size != size || late {
            self.eye = None;
            self.size = size;
        }
        self.eye.get_or_insert_with(|| Box::new(Eye::new(luma, now)))
    }
}

/// All that is known of one camera's square.
#[derive(Debug)]
pub(super) struct Eye {
    pub(super) factor: usize,
    last: Duration,
    shake: Shake,
    pub(super) work: Plane,
    before: Plane,
    pub(super) lit: Plane,
    /// Where something differs.
    pub(super) marks: Plane,
    /// How sure the net is of each pixel.
    pub(super) sure: Plane,
    pub(super) keep: Plane,
    pub(super) spare: Plane,
    pub(super) ground: Ground,
    light: Light,
    cells: [Cells; 2],
    held: Vec<bool>,
    pub(super) net: Net,
    finds: Vec<Find>,
    heat: Vec<f32>,
    pub(super) people: People,
    ghosts: Ghosts,
    /// For each pixel 0, or the index of the one to whom it belongs and 1.
    pub(super) owners: Vec<u8>,
    pub(super) flow: Flow,
    pub(super) tracer: Tracer,
    pub(super) rows: Vec<[f32; 4]>,
    pub(super) points: Vec<Point>,
    sums: Vec<i16>,
    /// For each one who is followed 0, or the index of its figure and 1.
    pub(super) told: [u8; PEOPLE_MAX],
}

impl Eye {
    fn new(luma: &Luma, now: Duration) -> Self {
        let factor = factor(luma.width());
        let (width, height) = (luma.width() / factor, luma.height() / factor);
        let plane = || Plane::new(width, height);
        let mut work = plane();
        shrink(luma, factor, [0, 0], &mut work);
        let cells = [Cells::new(width, height), Cells::new(width, height)];
        Self {
            factor,
            last: now,
            shake: Shake::default(),
            before: work.clone(),
            lit: plane(),
            marks: plane(),
            sure: plane(),
            keep: plane(),
            spare: plane(),
            ground: Ground::new(&work),
            light: Light::new(width, height, black(&work)),
            held: vec![false; cells[0].sums.len()],
            cells,
            net: Net::new(width, height),
            finds: Vec::new(),
            heat: Vec::new(),
            people: People::new(width, height),
            ghosts: Ghosts::new(width, height),
            owners: vec![0; width * height],
            flow: Flow::new(width, height),
            tracer: Tracer::default(),
            rows: Vec::new(),
            points: Vec::new(),
            sums: Vec::new(),
            told: [0; PEOPLE_MAX],
            work,
        }
    }

    /// Finds where the frame differs from the empty square; how far the camera has been pushed, and the seconds since the
    /// frame before.
    pub(super) fn compare(&mut self, now: Duration, luma: &Luma, shown: f32) -> ([i32; 2], f32) {
        let shown = if shown.is_finite() { shown.clamp(0.0, 1.0) } else { 0.0 };
        let dt = now.saturating_sub(self.last).as_secs_f32().min(PAUSE);
        self.last = now;
        let shift = self.shake.see(luma);
        core::mem::swap(&mut self.work, &mut self.before);
        shrink(luma, self.factor, shift, &mut self.work);
        self.cells[0].sum(&self.work);
        self.cells[1].sum(&self.ground.plain);
        self.light.measure(&self.cells[0], &self.cells[1], &self.held, shown, dt);
        self.light.shine(&self.ground.deep, &mut self.lit);
        differ(&self.work, &self.lit, &self.ground.bound, &mut self.marks, &mut self.sums);
        vote(&mut self.marks, &mut self.spare, |count| count >= 5);
        (shift, dt)
    }

    fn see(&mut self, now: Duration, luma: &Luma, shown: f32, seen: &mut Seen) {
        let (shift, dt) = self.compare(now, luma, shown);
        seen.shift = shift;
        let view = View {
            luma,
            factor: self.factor,
            shift,
            seen: &self.work,
            lit: &self.lit,
            bound: &self.ground.bound,
            marks: &self.marks,
            black: self.light.black,
        };
        self.net.see(&view, &mut self.sure);
        self.net.finds(people::PERHAPS, &mut self.heat, &mut self.finds);
        self.people.follow(&self.finds, &self.work, dt);
        owners::assign(&self.net, &self.finds, &self.sure, &mut self.people, &mut self.owners);
        for person in &mut self.people.list {
            person.settle(dt);
        }
        self.flow.see(&self.work, self.factor as f32, dt);
        self.tell(seen);
        self.ghosts(dt);
        self.hold();
        self.ground.follow(&self.work, &self.lit, &self.keep, dt);
    }

    /// Who is nobody, or a thing, becomes background.
    fn ghosts(&mut self, dt: f32) {
        let arounds: [[usize; 4]; PEOPLE_MAX] =
            core::array::from_fn(|index| if index < self.people.list.len() { self.around(index) } else { [0; 4] });
        let looks = Looks {
            seen: &self.work,
            lit: &self.lit,
            bound: &self.ground.bound,
            marks: &self.marks,
            light: &self.light,
            sure: &self.sure,
            owners: &self.owners,
        };
        for (index, (person, around)) in self.people.list.iter_mut().zip(arounds).enumerate() {
            ghosts::stir(&looks, &self.before, person, index, around, dt);
        }
        // From here on `owners` says only where somebody is: the numbers of those who stay have changed.
        self.ghosts.lay(&looks, &arounds, &mut self.net, &mut self.people, dt);
        for &at in &self.ghosts.found {
            let [seen, lit] = [self.work.pixels[at], self.lit.pixels[at]];
            self.ground.adopt(at, seen, lit, self.light.black);
            (self.owners[at], self.sure.pixels[at]) = (0, 0);
        }
    }

    /// One's box with some margin, in whole pixels.
    fn around(&self, index: usize) -> [usize; 4] {
        let [left, top, right, bottom] = self.people.list[index].bounds;
        let (width, height) = (0.25 * (right - left), 0.1 * (bottom - top));
        let bounds = [left - width, top - height, right + width, bottom + height];
        whole(bounds, [self.work.width, self.work.height])
    }

    /// Marks where people are, with a margin: there the background learns nothing.
    pub(super) fn hold(&mut self) {
        for ((mark, owner), sure) in self.marks.pixels.iter_mut().zip(&self.owners).zip(&self.sure.pixels) {
            let kind = if *owner == 0 { PERHAPS } else { PERSON };
            *mark = if *sure < BODY / 2 { 0 } else { kind };
        }
        dilate(&self.marks, &mut self.keep, &mut self.spare, 2);
        let across = self.cells[0].across;
        for (y, held) in self.held.chunks_exact_mut(across).enumerate() {
            let row = self.keep.row(y * CELL + CELL / 2);
            let other = self.keep.row(y * CELL);
            for (x, held) in held.iter_mut().enumerate() {
                *held = [row[x * CELL + CELL / 2], other[x * CELL], row[x * CELL]].contains(&PERSON);
            }
        }
    }
}

/// The darkest brightness of a picture, a few specks left out, at most that of video's black.
fn black(plane: &Plane) -> u8 {
    let mut counts = [0; 256];
    plane.pixels.iter().for_each(|pixel| counts[usize::from(*pixel)] += 1);
    let specks = plane.pixels.len() / 500;
    let mut sum = 0;
    let darkest = counts.iter().position(|count| {
        sum += count;
        sum > specks
    });
    darkest.unwrap_or(0).min(16) as u8
}
