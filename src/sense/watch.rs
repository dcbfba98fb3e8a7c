//! The whole of it, frame by frame: light, shake, background, mask, people, outlines, motion.

use super::blob::Blobs;
use super::flow::Flow;
use super::ground::{Ground, PERSON, THING};
use super::holes::Holes;
use super::light::{CELL, Cells, Light};
use super::mask::{differ, dilate, sharpen, vote};
use super::outline::Tracer;
use super::people::{PEOPLE_MAX, People, Scene, whole};
use super::person::{Bounds, Person, within};
use super::pose::{bridge, pose};
use super::shade::{PERHAPS, SURE, Shade};
use super::shake::Shake;
use super::work::{Plane, factor, shrink};
use super::{Figure, Luma, Mask, Motion};
use crate::presence::Point;
use std::time::Duration;

/// A camera that was silent for longer begins anew.
const PAUSE: f32 = 5.0;
/// Before it is told of, a body is seen for this long, in seconds, and in at least so many frames.
const CONFIRMED: (f32, u32) = (0.25, 4);
/// How tall a usual grown-up is, in metres.
const STATURE: f32 = 1.7;
/// What has not left the place where it appeared for so long, and does not stir, is a thing: in seconds.
const DEAD: f32 = 3.0;
/// What came from somewhere and does not stir is somebody who looks; after so long it is a thing that was put there, in
/// seconds.
const PARKED: f32 = 240.0;
/// How long a place is left alone after a vehicle was there, in seconds.
const VEHICLE: f32 = 0.5;
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
    before: Plane,
    lit: Plane,
    mask: Plane,
    keep: Plane,
    spare: Plane,
    kinds: Plane,
    /// Where vehicles are, or were a moment ago: for how many frames yet.
    large: Plane,
    /// Marks before cracks were closed, which makes them a little wider than what is there.
    tight: Plane,
    /// The marks of the frame before.
    marked: Plane,
    ground: Ground,
    light: Light,
    cells: [Cells; 2],
    held: Vec<bool>,
    blobs: Blobs,
    shade: Shade,
    people: People,
    holes: Holes,
    found: Vec<(usize, u8)>,
    flow: Flow,
    tracer: Tracer,
    rows: Vec<[f32; 4]>,
    points: Vec<Point>,
    sums: Vec<i16>,
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
            before: work.clone(),
            lit: plane(),
            mask: plane(),
            keep: plane(),
            spare: plane(),
            kinds: plane(),
            large: plane(),
            tight: plane(),
            marked: plane(),
            ground: Ground::new(&work),
            light: Light::new(width, height, black(&work)),
            held: vec![false; cells[0].sums.len()],
            cells,
            blobs: Blobs::default(),
            shade: Shade::default(),
            people: People::new(width, height),
            holes: Holes::new(width * height),
            found: Vec::new(),
            flow: Flow::new(width, height),
            tracer: Tracer::default(),
            rows: Vec::new(),
            points: Vec::new(),
            sums: Vec::new(),
            told: [0; PEOPLE_MAX],
            work,
        }
    }

    fn see(&mut self, now: Duration, luma: &Luma, shown: f32, seen: &mut Seen) {
        let dt = now.saturating_sub(self.last).as_secs_f32().min(PAUSE);
        self.last = now;
        seen.shift = self.shake.see(luma);
        core::mem::swap(&mut self.work, &mut self.before);
        shrink(luma, self.factor, seen.shift, &mut self.work);
        self.cells[0].sum(&self.work);
        self.cells[1].sum(&self.ground.plain);
        self.light.measure(&self.cells[0], &self.cells[1], &self.held, shown, dt);
        self.light.shine(&self.ground.deep, &mut self.lit);
        differ(&self.work, &self.lit, &self.ground.bound, &mut self.mask, &mut self.sums);
        vote(&mut self.mask, &mut self.spare, |count| count >= 5);
        self.tight.pixels.copy_from_slice(&self.mask.pixels);
        vote(&mut self.mask, &mut self.spare, |count| count >= 3);
        self.blobs.find(&self.mask, 12);
        self.flashes();
        self.things(dt);
        self.holes(dt);
        self.marked.pixels.copy_from_slice(&self.mask.pixels);
        self.unshade();
        self.blobs.find(&self.mask, 6);
        let scene = Scene { seen: &self.work, kinds: &self.kinds, blobs: &self.blobs, large: &self.large };
        self.people.follow(&scene, dt);
        self.ghosts(dt);
        self.hold();
        self.ground.follow(&self.work, &self.lit, &self.keep, dt);
        for (owner, tight) in self.people.owner.iter_mut().zip(&self.tight.pixels) {
            *owner *= *tight;
        }
        sharpen(&mut self.people.owner, &self.work, &self.lit, &mut self.spare);
        self.flow.see(&self.work, self.factor as f32, dt);
        self.tell(dt, seen);
    }

    /// What is much larger than a person, and solid, is a vehicle and no crowd: it is taken out of the mask, and for a
    /// moment nothing is learned round it.
    fn things(&mut self, dt: f32) {
        for large in &mut self.large.pixels {
            *large = large.saturating_sub(1);
        }
        let moment = (VEHICLE / dt.max(0.001)).clamp(1.0, 60.0) as u8;
        for (index, blob) in self.blobs.list.iter().enumerate() {
            let [left, top, right, bottom] = blob.bounds;
            let bodies = blob.area as f32 / self.people.area_of_one(bottom);
            let full = blob.area as f32 / ((right - left) * (bottom - top)) as f32;
            let tall = (bottom - top) as f32 / self.people.stature.at(bottom as f32);
            let wide = (right - left) as f32 / self.people.stature.at(bottom as f32);
            // People side by side leave gaps between heads and legs.
            let tall = bodies > 5.0 && full > 0.5 && tall > 1.3 && wide > 1.2;
            let solid = bodies > 6.0 && full > 0.62 && wide > 2.2;
            // What is larger than any vehicle is light.
            let light = (bottom - top) * 2 > self.work.height || blob.area as usize * 6 > self.work.pixels.len();
            if light || !(self.people.stature.well_known() && tall || solid) {
                continue;
            }
            // Light does not move, a vehicle's sides and windows do.
            let mut moving = 0;
            for y in top..bottom {
                let row = y * self.work.width;
                for at in row + left..row + right {
                    let moved = self.work.pixels[at].abs_diff(self.before.pixels[at]) > self.ground.bound.pixels[at];
                    moving += u32::from(moved && usize::from(self.blobs.labels[at]) == index + 1);
                }
            }
            if moving * 12 < blob.area {
                continue;
            }
            let margin = (bottom - top) / 2;
            for y in top..bottom {
                let row = y * self.work.width;
                let labels = &mut self.blobs.labels[row + left..row + right];
                for (label, mark) in labels.iter_mut().zip(&mut self.mask.pixels[row + left..row + right]) {
                    if usize::from(*label) == index + 1 {
                        (*label, *mark) = (0, 0);
                    }
                }
                let from = left.saturating_sub(margin);
                let to = (right + margin).min(self.work.width);
                self.large.pixels[row + from..row + to].fill(moment);
            }
            // Before all of it could be seen, parts of it looked like people.
            let around = [left, top, right, bottom].map(|side| side as f32);
            let mut index = 0;
            while index < self.people.list.len() {
                let person = &self.people.list[index];
                if person.age < 2.0 && within(person.bounds(), around) > 0.6 {
                    self.people.forget(index);
                } else {
                    index += 1;
                }
            }
        }
    }

    fn adopt(&mut self, at: usize) {
        self.ground.adopt(at, self.work.pixels[at], self.lit.pixels[at], self.light.black);
    }

    /// Where someone was is ground again.
    fn holes(&mut self, dt: f32) {
        let planes = [&self.work, &self.before, &self.ground.bound];
        let mut found = core::mem::take(&mut self.found);
        found.clear();
        self.holes.close(&mut self.mask, planes, &mut self.lit, dt, |at, lit| found.push((at, lit)));
        for &(at, lit) in &found {
            if self.large.pixels[at] > 0 {
                continue;
            }
            self.blobs.labels[at] = 0;
            self.ground.adopt(at, self.work.pixels[at], lit, self.light.black);
        }
        self.found = found;
    }

    /// What is larger than a person and was not there at all a frame ago is light: it becomes background.
    fn flashes(&mut self) {
        for index in 0..self.blobs.list.len() {
            let blob = self.blobs.list[index];
            let [left, top, right, bottom] = blob.bounds;
            let narrow = (right - left) * 3 < self.work.width;
            let enters = narrow && (left < 3 || right + 3 > self.work.width);
            if enters || (blob.area as f32) < 1.5 * self.people.area_of_one(bottom) {
                continue;
            }
            let label = index as u16 + 1;
            let mut new = 0;
            for y in top..bottom {
                for at in y * self.work.width + left..y * self.work.width + right {
                    let untouched = self.marked.pixels[at] == 0 && self.keep.pixels[at] == 0;
                    new += u32::from(self.blobs.labels[at] == label && untouched);
                }
            }
            if (new as f32) < 0.7 * blob.area as f32 {
                continue;
            }
            for y in top..bottom {
                for at in y * self.work.width + left..y * self.work.width + right {
                    if self.blobs.labels[at] == label && self.keep.pixels[at] == 0 {
                        self.adopt(at);
                        self.lit.pixels[at] = self.work.pixels[at];
                        self.mask.pixels[at] = 0;
                        self.blobs.labels[at] = 0;
                    }
                }
            }
        }
    }

    /// Tells what may be shadow from what is somebody for sure; only the latter stays in the mask.
    fn unshade(&mut self) {
        self.kinds.pixels.fill(0);
        let Blobs { list, labels, .. } = &self.blobs;
        let planes = [&self.work, &self.lit, &self.ground.bound];
        for (index, blob) in list.iter().enumerate() {
            let label = index as u16 + 1;
            self.shade.tell(planes, self.light.black, blob, label, labels, &mut self.kinds);
            if self.people.is_upright(blob.bounds) {
                // What stands there alone, in the shape of a person, is one, but for the shadow at the feet.
                let [left, top, right, bottom] = blob.bounds;
                for y in top..bottom - (bottom - top) / 5 {
                    let row = y * self.work.width;
                    let labels = &labels[row + left..row + right];
                    for (kind, of) in self.kinds.pixels[row + left..row + right].iter_mut().zip(labels) {
                        *kind = if *of == label { SURE } else { *kind };
                    }
                }
            }
        }
        for (mark, kind) in self.mask.pixels.iter_mut().zip(&self.kinds.pixels) {
            *mark = u8::from(*kind == SURE);
        }
        // The edges of shadows look like somebody, but are thin.
        vote(&mut self.mask, &mut self.spare, |count| count >= 6);
        vote(&mut self.mask, &mut self.spare, |count| count >= 3);
        for (mark, kind) in self.mask.pixels.iter_mut().zip(&mut self.kinds.pixels) {
            *mark &= u8::from(*kind != 0);
            if *kind == SURE && *mark == 0 {
                *kind = PERHAPS;
            } else if *mark != 0 {
                *kind = SURE;
            }
        }
    }

    /// Who has never moved and looks like the background in another light, or like a hole that someone left in it,
    /// is nobody: it becomes background.
    fn ghosts(&mut self, dt: f32) {
        let mut index = 0;
        while index < self.people.list.len() {
            self.stir(index, dt);
            let person = &self.people.list[index];
            let asks = !person.moved && person.age < 8.0 && person.hits > 2 && person.hits.is_multiple_of(3);
            let usual = self.people.stature.at(person.foot[1]);
            let patient = person.moved || person.is_upright(usual);
            let dead = person.calm > if patient { PARKED } else { DEAD };
            // Who has stood for long was alive when he came.
            let stood = (1.0..8.0).contains(&person.still) && person.stir < 1.0;
            let hole = person.moved && stood && person.hits.is_multiple_of(3);
            let more = if patient { 2.0 } else { 1.25 };
            if !(dead || asks && self.is_ghost(index, more) || hole && self.is_ghost(index, 2.0)) {
                index += 1;
                continue;
            }
            let [left, top, right, bottom] = self.around(index);
            for y in top..bottom {
                for x in left..right {
                    let at = y * self.work.width + x;
                    let owner = usize::from(self.people.owner[at]);
                    let own = owner == index + 1 || owner == 0 && self.blobs.labels[at] != 0;
                    if own && self.large.pixels[at] == 0 {
                        self.adopt(at);
                    }
                }
            }
            self.people.forget(index);
        }
    }

    /// Notes how much changes within one's pixels, in units of what the ground trembles by itself.
    fn stir(&mut self, index: usize, dt: f32) {
        let [left, top, right, bottom] = self.around(index);
        let (mut changed, mut usual) = (0_u32, 0_u32);
        for y in top..bottom {
            for x in left..right {
                let at = y * self.work.width + x;
                if usize::from(self.people.owner[at]) == index + 1 {
                    changed += u32::from(self.work.pixels[at].abs_diff(self.before.pixels[at]));
                    usual += u32::from(self.ground.bound.pixels[at]);
                }
            }
        }
        let person = &mut self.people.list[index];
        let now = changed as f32 * 3.0 / (usual as f32).max(1.0);
        person.stir += (now - person.stir) * (dt / (dt + 0.7));
        person.calm = if person.stir < 1.0 && person.owned > 0 { person.calm + dt } else { 0.0 };
    }

    /// One's box with some margin, in whole pixels.
    fn around(&self, index: usize) -> [usize; 4] {
        let [left, top, right, bottom] = self.people.list[index].bounds();
        let (width, height) = (0.25 * (right - left), 0.1 * (bottom - top));
        let bounds = [left - width, top - height, right + width, bottom + height];
        whole(bounds, [self.work.width, self.work.height])
    }

    /// Compares picture and background: their edges along the border of one's pixels (the background must have `more`
    /// times those of the picture), and their texture within.
    fn is_ghost(&self, index: usize, more: f32) -> bool {
        let width = self.work.width;
        let [left, top, right, bottom] = self.around(index);
        let (mut now, mut before) = (0_u32, 0_u32);
        let mut sums = [0.0_f32; 6];
        let mine = |at: usize| usize::from(self.people.owner[at]) == index + 1;
        for y in top.max(2)..bottom.min(self.work.height - 2) {
            for x in left.max(2)..right.min(width - 2) {
                let at = y * width + x;
                for (beside, step) in [(at + 1, 1), (at + width, width)] {
                    if mine(at) != mine(beside) {
                        // What noise alone would do is no edge.
                        let noise = self.ground.bound.pixels[at] / 2;
                        let across = |pixels: &[u8]| {
                            u32::from(pixels[at - step].abs_diff(pixels[beside + step]).saturating_sub(noise))
                        };
                        now += across(&self.work.pixels);
                        before += across(&self.lit.pixels);
                    }
                }
                if mine(at) {
                    let (i, p) = (f32::from(self.work.pixels[at]), f32::from(self.lit.pixels[at]));
                    let new = [1.0, i, p, i * i, i * p, p * p];
                    sums.iter_mut().zip(new).for_each(|(sum, new)| *sum += new);
                }
            }
        }
        let [n, i, p, ii, ip, pp] = sums;
        if n < 12.0 {
            return false;
        }
        let (vi, vp, cov) = (ii / n - i * i / (n * n), pp / n - p * p / (n * n), ip / n - i * p / (n * n));
        let textured = vi.min(vp) > 20.0;
        before as f32 > now as f32 * more || textured && cov > 0.75 * (vi * vp).sqrt()
    }

    /// Marks where people are, with a margin: there the background learns nothing.
    fn hold(&mut self) {
        for (mark, owner) in self.mask.pixels.iter_mut().zip(&self.people.owner) {
            *mark = u8::from(*owner != 0);
        }
        dilate(&self.mask, &mut self.keep, &mut self.spare, 2);
        for (keep, large) in self.keep.pixels.iter_mut().zip(&self.large.pixels) {
            *keep = match (*keep, *large) {
                (0, 0) => 0,
                (0, _) => THING,
                _ => PERSON,
            };
        }
        let across = self.cells[0].across;
        for (y, held) in self.held.chunks_exact_mut(across).enumerate() {
            let row = self.keep.row(y * CELL + CELL / 2);
            let other = self.keep.row(y * CELL);
            for (x, held) in held.iter_mut().enumerate() {
                *held = [row[x * CELL + CELL / 2], other[x * CELL], row[x * CELL]].contains(&PERSON);
            }
        }
    }

    fn tell(&mut self, _dt: f32, seen: &mut Seen) {
        let picture = [self.work.width, self.work.height];
        let scale = self.factor as f32;
        let mut count = 0;
        self.told = [0; PEOPLE_MAX];
        for index in 0..self.people.list.len() {
            let usual = self.people.stature.at(self.people.list[index].foot[1]);
            let person = &mut self.people.list[index];
            person.told |= person.age >= CONFIRMED.0
                && person.hits >= CONFIRMED.1
                && person.owned > 0
                && person.is_likely(usual)
                && person.echo == 0.0;
            let shown_on = if self.people.is_hidden(index) { SHOWN_ON } else { SHOWN_ON / 4.0 };
            let person = &mut self.people.list[index];
            if !person.told || person.missed > shown_on || person.echo > 0.4 {
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
                    bridge(&mut self.rows);
                    let ([x, y], height) = (person.foot, person.size[1]);
                    let trunk = [x - 0.16 * height, y - 0.85 * height, x + 0.16 * height, y - 0.42 * height];
                    let joined = |x: usize, y: usize| {
                        // A trunk has no gaps, though a coat may look like the ground.
                        let [count, _, first, last] = self.rows[y - at[1]];
                        let trunk = y as f32 > trunk[1]
                            && (y as f32) < trunk[3]
                            && trunk[0] < x as f32
                            && (x as f32) < trunk[2];
                        (count == 0.0 || trunk) && first < x as f32 && (x as f32) < last
                    };
                    let inside = |x: usize, y: usize| if mine(x, y) || joined(x, y) { 255 } else { 0 };
                    self.tracer.trace(at, inside, &mut self.points);
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
            let bounds = box_of(person, picture);
            figure.id = person.id;
            figure.bounds =
                [bounds[0], bounds[1], bounds[2] - bounds[0], bounds[3] - bounds[1]].map(|side| side * scale);
            figure.outline.clear();
            figure.outline.extend(self.points.iter().map(|point| point.map(|axis| axis * scale)));
            figure.velocity = person.velocity.map(|axis| axis * scale);
            (figure.still, figure.age, figure.people) = (person.still, person.age, person.people());
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
                all = Some(all.map_or(this, |all| [all[0].min(this[0]), all[1], all[2].max(this[2]), this[3]]));
            }
        }
        all
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

/// The box to tell: what is seen, and where that is too little or too much, what is known of the size.
fn box_of(person: &Person, picture: [usize; 2]) -> Bounds {
    let [left, top, right, bottom] = person.bounds();
    let seen = person.measured;
    let height = bottom - top;
    let ratio = (seen[3] - seen[1]) / height;
    let whole = person.missed == 0.0 && (0.88..1.15).contains(&ratio);
    let across = person.missed == 0.0 && (0.15..0.95).contains(&((seen[2] - seen[0]) / height));
    let (top, bottom) = if whole { (seen[1], seen[3]) } else { (top, bottom) };
    let (left, right) = if across { (seen[0], seen[2]) } else { (left, right) };
    let [columns, rows] = picture.map(|side| side as f32);
    [left.clamp(0.0, columns), top.clamp(0.0, rows), right.clamp(0.0, columns), bottom.clamp(0.0, rows)]
}
