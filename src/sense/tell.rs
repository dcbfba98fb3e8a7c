//! What a frame tells: everybody who is followed, with outline and pose, the mask, and how the picture moves.

use super::Figure;
use super::owners::BODY;
use super::people::PEOPLE_MAX;
use super::person::whole;
use super::pose::pose;
use super::watch::{Eye, Seen};

/// How tall a usual grown-up is, in metres.
const STATURE: f32 = 1.7;
/// A body that is not seen any more is told of for this long, in seconds: who is hidden by others, and who is not.
const SHOWN_ON: [f32; 2] = [0.3, 0.1];

impl Eye {
    pub(super) fn tell(&mut self, seen: &mut Seen) {
        let picture = [self.work.width, self.work.height];
        let scale = self.factor as f32;
        let mut count = 0;
        self.told = [0; PEOPLE_MAX];
        for index in 0..self.people.list.len() {
            let person = &self.people.list[index];
            let shown_on = SHOWN_ON[usize::from(!self.people.is_hidden(index))];
            if !person.told || person.missed > shown_on {
                continue;
            }
            if seen.figures.len() <= count {
                seen.figures.push(Figure::default());
            }
            let figure = &mut seen.figures[count];
            count += 1;
            self.told[index] = count as u8;
            let [left, top, right, bottom] = person.bounds;
            let foot = person.foot();
            figure.foot = foot.map(|axis| axis * scale);
            figure.head = [foot[0] * scale, (bottom - 0.93 * (bottom - top)) * scale];
            figure.reach = None;
            figure.outline.clear();
            if let Some(at) = self.extent(index) {
                let own = |x: usize, y: usize| usize::from(self.owners[y * picture[0] + x]) == index + 1;
                let sure = |x: usize, y: usize| if own(x, y) { self.sure.at(x, y) } else { 0 };
                let fine = |x: usize, y: usize| if own(x / 2, y / 2) { self.net.fine.at(x, y) } else { 0 };
                self.tracer.trace(at.map(|side| 2 * side), fine, &mut self.points);
                figure.outline.extend(self.points.iter().map(|point| point.map(|axis| axis * scale / 2.0)));
                if let Some(pose) = pose(at, &mut self.rows, |x, y| sure(x, y) >= BODY) {
                    // Head and feet that others hide are where the box says.
                    let near = |a: f32, b: f32| (a - b).abs() < 0.12 * (bottom - top);
                    if near(pose.foot[1], bottom) {
                        figure.foot = pose.foot.map(|axis| axis * scale);
                    }
                    if near(at[1] as f32, top) {
                        figure.head = pose.head.map(|axis| axis * scale);
                    }
                    figure.reach = pose.reach.map(|reach| reach.map(|axis| axis * scale));
                }
            }
            let [columns, rows] = picture.map(|side| side as f32);
            let [left, top] = [left.clamp(0.0, columns), top.clamp(0.0, rows)];
            let [right, bottom] = [right.clamp(0.0, columns), bottom.clamp(0.0, rows)];
            figure.id = person.id;
            figure.bounds = [left, top, right - left, bottom - top].map(|side| side * scale);
            figure.velocity = person.velocity.map(|axis| axis * scale);
            (figure.still, figure.age, figure.people) = (person.still, person.age, person.people());
            figure.metre = self.people.stature.at(foot[1]) * scale / STATURE;
        }
        seen.figures.truncate(count);
        seen.motion.clone_from(&self.flow.motion);
        let mask = &mut seen.mask;
        (mask.width, mask.height) = (picture[0], picture[1]);
        mask.pixels.clear();
        mask.pixels.extend(self.owners.iter().zip(&self.sure.pixels).map(|(owner, sure)| match owner.checked_sub(1) {
            Some(index) if *sure >= BODY => self.told[usize::from(index)],
            _ => 0,
        }));
    }

    /// The box round one's own pixels.
    fn extent(&self, index: usize) -> Option<[usize; 4]> {
        let [left, top, right, bottom] = self.people.list[index].bounds;
        let [width, height] = [right - left, bottom - top];
        let around = [left - width, top - 0.3 * height, right + width, bottom + 0.3 * height];
        let [left, top, right, bottom] = whole(around, [self.work.width, self.work.height]);
        let mut all: Option<[usize; 4]> = None;
        for y in top..bottom {
            let row = &self.owners[y * self.work.width..];
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
