//! The whole of it, frame by frame: light, shake, background, mask, people, outlines, motion.

use super::blob::Blobs;
use super::flow::Flow;
use super::ground::Ground;
use super::light::{CELL, Cells, Light};
use super::mask::{differ, dilate, vote};
use super::outline::Tracer;
use super::people::{PEOPLE_MAX, People, whole};
use super::person::Person;
use super::pose::pose;
use super::shade::Shade;
use super::shake::Shake;
use super::work::{Plane, factor, shrink};
use super::{Figure, Luma, Mask, Motion};
use crate::presence::Point;
use std::time::Duration;

/// A camera that was silent for longer begins anew.
const PAUSE: f32 = 5.0;
/// Before it is told of, a body is seen for this long, in seconds, and in at least so many frames.
const SURE: (f32, u32) = (0.2, 3);
/// How tall a usual grown-up is, in metres.
const STATURE: f32 = 1.7;
/// A body that is not seen any more is told of for this long, where it must be by now.
const SHOWN_ON: f32 = 0.7;

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
        let size = [luma.width(), luma.height()];
        let late = self.eye.as_ref().is_some_and(|eye| now.saturating_sub(eye.last).as_secs_f32() > PAUSE);
        if self.size != size || late {
            self.eye = None;
            self.size = size;
        }
        let shown = if shown.is_finite() { shown.clamp(0.0, 1.0) } else { 0.0 };
        let eye = self.eye.get_or_insert_with(|| Box::new(Eye::new(luma, now)));
        eye.see(now, luma, shown, &mut self.seen);
        &self.seen
    }
}

/// All that is known of one camera's square.
#[derive(Debug)]
struct Eye {
    factor: usize,
    last: Duration,
    shake: Shake,
    work: Plane,
    lit: Plane,
    mask: Plane,
    keep: Plane,
    spare: Plane,
    wide: Plane,
    ground: Ground,
    light: Light,
    cells: [Cells; 2],
    held: Vec<bool>,
    blobs: Blobs,
    shade: Shade,
    people: People,
    flow: Flow,
    tracer: Tracer,
    rows: Vec<[f32; 4]>,
    points: Vec<Point>,
    /// For each one who is followed 0, or the index of its figure and 1.
    told: [u8; PEOPLE_MAX],
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
            lit: plane(),
            mask: plane(),
            keep: plane(),
            spare: plane(),
            wide: plane(),
            ground: Ground::new(&work),
            light: Light::new(width, height),
            held: vec![false; cells[0].sums.len()],
            cells,
            blobs: Blobs::default(),
            shade: Shade::default(),
            people: People::new(width, height),
            flow: Flow::new(width, height),
            tracer: Tracer::default(),
            rows: Vec::new(),
            points: Vec::new(),
            told: [0; PEOPLE_MAX],
            work,
        }
    }

    fn see(&mut self, now: Duration, luma: &Luma, shown: f32, seen: &mut Seen) {
        let dt = now.saturating_sub(self.last).as_secs_f32().min(PAUSE);
        self.last = now;
        seen.shift = self.shake.see(luma);
        shrink(luma, self.factor, seen.shift, &mut self.work);
        self.cells[0].sum(&self.work);
        self.cells[1].sum(&self.ground.plain);
        self.light.measure(&self.cells[0], &self.cells[1], &self.held, shown);
        self.light.shine(&self.ground.deep, &mut self.lit);
        differ(&self.work, &self.lit, &self.ground.bound, &mut self.mask);
        vote(&mut self.mask, &mut self.spare, |count| count >= 5);
        vote(&mut self.mask, &mut self.spare, |count| count >= 3);
        self.blobs.find(&self.mask, 12);
        self.unshade();
        self.blobs.find(&self.mask, 12);
        self.people.follow(&self.work, &self.blobs, dt);
        self.ghosts();
        self.hold();
        self.ground.follow(&self.work, &self.lit, &self.keep, dt);
        self.flow.see(&self.work, self.factor as f32, dt);
        self.tell(dt, seen);
    }

    /// Takes shadows out of the mask.
    fn unshade(&mut self) {
        let Blobs { list, labels, .. } = &mut self.blobs;
        for (index, blob) in list.iter().enumerate() {
            self.shade.part(&self.work, &self.lit, &self.ground.bound, blob, index as u16 + 1, labels);
        }
        for (mark, label) in self.mask.pixels.iter_mut().zip(labels) {
            *mark = u8::from(*label != 0);
        }
        vote(&mut self.mask, &mut self.spare, |count| count >= 5);
    }

    /// Who has never moved and whose edges are the background's is a hole that someone left: it becomes background.
    fn ghosts(&mut self) {
        let mut index = 0;
        while index < self.people.list.len() {
            let person = &self.people.list[index];
            let asks = !person.moved && person.age > 0.5 && person.alone && person.hits.is_multiple_of(4);
            if asks && self.is_ghost(index) {
                let [left, top, right, bottom] = whole(person.bounds(), [self.work.width, self.work.height]);
                for y in top..bottom {
                    for x in left..right {
                        let at = y * self.work.width + x;
                        if usize::from(self.people.owner[at]) == index + 1 {
                            self.ground.adopt(at, self.work.pixels[at]);
                        }
                    }
                }
                self.people.forget(index);
            } else {
                index += 1;
            }
        }
    }

    /// Compares the edges of picture and background along the border of one's pixels.
    fn is_ghost(&self, index: usize) -> bool {
        let width = self.work.width;
        let [left, top, right, bottom] = whole(self.people.list[index].bounds(), [width, self.work.height]);
        let (mut now, mut before) = (0_u32, 0_u32);
        let mine = |at: usize| usize::from(self.people.owner[at]) == index + 1;
        for y in top.max(2)..bottom.min(self.work.height - 2) {
            for x in left.max(2)..right.min(width - 2) {
                let at = y * width + x;
                for (beside, step) in [(at + 1, 1), (at + width, width)] {
                    if mine(at) != mine(beside) {
                        let across = |pixels: &[u8]| u32::from(pixels[at - step].abs_diff(pixels[beside + step]));
                        now += across(&self.work.pixels);
                        before += across(&self.lit.pixels);
                    }
                }
            }
        }
        before * 4 > now * 5
    }

    /// Marks where people are, with a margin: there the background learns nothing.
    fn hold(&mut self) {
        for (mark, owner) in self.mask.pixels.iter_mut().zip(&self.people.owner) {
            *mark = u8::from(*owner != 0);
        }
        dilate(&self.mask, &mut self.keep, &mut self.spare, 2);
        let across = self.cells[0].across;
        for (y, held) in self.held.chunks_exact_mut(across).enumerate() {
            let row = self.keep.row(y * CELL + CELL / 2);
            let other = self.keep.row(y * CELL);
            for (x, held) in held.iter_mut().enumerate() {
                *held = row[x * CELL + CELL / 2] | other[x * CELL] | row[x * CELL] != 0;
            }
        }
    }

    fn tell(&mut self, _dt: f32, seen: &mut Seen) {
        let picture = [self.work.width, self.work.height];
        let scale = self.factor as f32;
        let mut count = 0;
        self.told = [0; PEOPLE_MAX];
        for index in 0..self.people.list.len() {
            let person = &mut self.people.list[index];
            person.told |= person.age >= SURE.0 && person.hits >= SURE.1 && person.owned > 0;
            if !person.told || person.missed > SHOWN_ON {
                continue;
            }
            if seen.figures.len() <= count {
                seen.figures.push(Figure::default());
            }
            let figure = &mut seen.figures[count];
            count += 1;
            let at = self.extent(index);
            let person = &self.people.list[index];
            let mine = |x: usize, y: usize| usize::from(self.people.owner[y * picture[0] + x]) == index + 1;
            let pose = at.and_then(|at| pose(at, &mut self.rows, mine));
            match (at, pose) {
                (Some(at), Some(pose)) => {
                    self.tracer.trace(at, |x, y| if mine(x, y) { 255 } else { 0 }, &mut self.points);
                    figure.foot = pose.foot.map(|axis| axis * scale);
                    figure.head = pose.head.map(|axis| axis * scale);
                    figure.reach = pose.reach.map(|reach| reach.map(|axis| axis * scale));
                }
                _ => {
                    self.points.clear();
                    figure.foot = person.foot.map(|axis| axis * scale);
                    figure.head = [person.foot[0] * scale, (person.foot[1] - 0.93 * person.size[1]) * scale];
                    figure.reach = None;
                }
            }
            let bounds = box_of(person, at);
            figure.id = person.id;
            figure.bounds = [bounds[0], bounds[1], bounds[2] - bounds[0], bounds[3] - bounds[1]].map(|side| side * scale);
            figure.outline.clear();
            figure.outline.extend(self.points.iter().map(|point| point.map(|axis| axis * scale)));
            figure.velocity = person.velocity.map(|axis| axis * scale);
            (figure.still, figure.age, figure.people) = (person.still, person.age, person.people);
            figure.metre = self.people.stature.at(person.foot[1]) * scale / STATURE;
            self.told[index] = count as u8;
        }
        seen.figures.truncate(count);
        seen.motion.clone_from(&self.flow.motion);
        let mask = &mut seen.mask;
        (mask.width, mask.height) = (picture[0], picture[1]);
        mask.pixels.clear();
        mask.pixels.extend(self.people.owner.iter().map(|owner| match owner.checked_sub(1) {
            Some(index) => self.told[usize::from(index)],
            None => 0,
        }));
    }

    /// The box round one's own pixels.
    fn extent(&self, index: usize) -> Option<[usize; 4]> {
        let person = &self.people.list[index];
        let [width, height] = person.size;
        let around = person.bounds();
        let around = [around[0] - width, around[1] - 0.5 * height, around[2] + width, around[3] + 0.5 * height];
        let [left, top, right, bottom] = whole(around, [self.work.width, self.work.height]);
        let mut all: Option<[usize; 4]> = None;
        for y in top..bottom {
            let row = &self.people.owner[y * self.work.width..];
            let mine = |owner: &u8| usize::from(*owner) == index + 1;
            if let Some(first) = row[left..right].iter().position(mine) {
                let last = row[left..right].iter().rposition(mine).unwrap_or(first);
                let this = [left + first, y, left + last + 1, y + 1];
                all = Some(all.map_or(this, |all| {
                    [all[0].min(this[0]), all[1], all[2].max(this[2]), this[3]]
                }));
            }
        }
        all
    }
}

/// The box to tell: what is seen where someone stands alone, else what is known of the size.
fn box_of(person: &Person, seen: Option<[usize; 4]>) -> super::person::Bounds {
    match seen {
        Some(seen) if person.alone => seen.map(|side| side as f32),
        _ => person.bounds(),
    }
}
