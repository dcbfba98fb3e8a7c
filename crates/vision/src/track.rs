//! Track of one person: position, size, appearance and age.

use super::net::CENTRE_HEIGHT;
use super::plane::Plane;
use moongate_core::presence::Point;

/// Cells of an appearance, across and down.
pub(super) const APPEARANCE_GRID: [usize; 2] = [4, 8];
/// Area of an average body with coat and bag, relative to its squared height.
const BODY_AREA: f32 = 0.3;
/// Filter gains: the part of a new box that is adopted at once, for position, size and velocity.
const FILTER_GAINS: [f32; 3] = [0.6, 0.3, 0.1];

/// Brightness of a body in a grid over its box: enough to re-identify it among its neighbours.
pub(super) type Appearance = [f32; APPEARANCE_GRID[0] * APPEARANCE_GRID[1]];

/// Left, top, right, bottom in downsampled pixels; right and bottom are exclusive.
pub(super) type BBox = [f32; 4];

/// Tracked person; lengths in downsampled pixels, times in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct PersonTrack {
    pub id: u16,
    /// Box of the whole body including hidden parts, as far as it lies within the image.
    pub bounds: BBox,
    /// Box of the last detection.
    pub detected: BBox,
    /// Pixels per second.
    pub velocity: Point,
    pub appearance: Appearance,
    /// Recent confidence of the net, 0 to 1.
    pub confidence: f32,
    /// Sum of the confidence over all frames.
    pub evidence: f32,
    /// Time since the first detection.
    pub age: f32,
    /// Number of frames with a detection.
    pub hits: u32,
    /// Time since the last detection.
    pub missed: f32,
    /// True once the track is reported.
    pub confirmed: bool,
    /// Position of the first detection.
    pub origin: Point,
    /// True once the person has left `origin` by more than their own width.
    pub moved: bool,
    /// Consecutive checks in which the background looked more like a person than the image did.
    pub ghost_checks: u8,
    /// Position while standing still, and the time spent there.
    pub anchor: Point,
    pub still: f32,
    /// Time away from `anchor`, in seconds.
    pub away: f32,
    /// Pixels labelled with this track in this frame.
    pub pixel_count: u32,
    /// Position at the last sample for the height model.
    pub height_learned_at: Point,
    /// Change within the person relative to the background's own noise: a living body is never quite still.
    pub motion_energy: f32,
    /// Time without any motion within the person, in seconds.
    pub motionless: f32,
    /// Pixels relative to an average body of this height, smoothed; 0 before the first measurement.
    pub relative_area: f32,
}

impl PersonTrack {
    /// Returns the middle of the box's lower edge.
    pub fn foot(&self) -> Point {
        [(self.bounds[0] + self.bounds[2]) / 2.0, self.bounds[3]]
    }

    pub fn height(&self) -> f32 {
        self.bounds[3] - self.bounds[1]
    }

    /// Returns the body's centre as the net defines it.
    pub fn centre(&self) -> Point {
        box_centre(self.bounds)
    }

    /// Returns the estimated number of people.
    /// Two people who walk arm in arm and were never seen apart are one track of two.
    pub fn people_count(&self) -> u8 {
        self.relative_area.round().clamp(1.0, 9.0) as u8
    }

    /// Predicts the box by the current velocity.
    pub fn predict(&mut self, dt: f32) {
        if self.missed > 0.0 {
            let slower = (-1.5 * dt).exp();
            self.velocity = self.velocity.map(|axis| axis * slower);
        }
        for (side, velocity) in self.bounds.iter_mut().zip([self.velocity, self.velocity].as_flattened()) {
            *side += velocity * dt;
        }
        self.age += dt;
        self.missed += dt;
    }

    /// Corrects the track by a detection.
    pub fn correct(&mut self, found: BBox, sure: f32, dt: f32) {
        let height = self.height().max(8.0);
        // Nobody runs faster than four times their height per second.
        let most = 4.0 * height;
        let [place, size, speed] = match self.hits {
            0..3 => [0.8, 0.6, 0.6],
            _ => FILTER_GAINS,
        };
        let off = |axis: usize| ((found[axis] - self.bounds[axis]) + (found[axis + 2] - self.bounds[axis + 2])) / 2.0;
        let off = [off(0), off(1)];
        for axis in 0..2 {
            let grown = (found[axis + 2] - found[axis]) - (self.bounds[axis + 2] - self.bounds[axis]);
            self.bounds[axis] += off[axis] * place - grown * size / 2.0;
            self.bounds[axis + 2] += off[axis] * place + grown * size / 2.0;
            if dt > 0.0 {
                self.velocity[axis] = (self.velocity[axis] + speed * off[axis] / dt).clamp(-most, most);
            }
        }
        self.detected = found;
        self.confidence += (sure - self.confidence) * 0.3;
        self.evidence += sure;
        self.hits += 1;
        self.missed = 0.0;
    }

    pub fn update_appearance(&mut self, now: &Appearance, rate: f32) {
        for (known, now) in self.appearance.iter_mut().zip(now) {
            *known += (now - *known) * rate;
        }
    }

    /// Ends a frame: updates the relative area and the time standing still.
    pub fn end_frame(&mut self, dt: f32) {
        if self.missed == 0.0 && self.pixel_count > 0 {
            let bulk = self.pixel_count as f32 / (BODY_AREA * self.height() * self.height()).max(1.0);
            let rate = if self.relative_area == 0.0 { 1.0 } else { dt / (dt + 1.0) };
            self.relative_area += (bulk - self.relative_area) * rate;
        }
        let own = (0.5 * (self.bounds[2] - self.bounds[0])).max(0.2 * self.height()).max(3.0);
        let foot = self.foot();
        self.moved |= (foot[0] - self.origin[0]).hypot(foot[1] - self.origin[1]) > 2.0 * own;
        // A person who passes in front pulls at the box for a moment.
        let far = (foot[0] - self.anchor[0]).hypot(foot[1] - self.anchor[1]) / own;
        self.away = if far > 1.0 { self.away + dt } else { 0.0 };
        if self.away > 0.6 || far > 2.0 {
            (self.anchor, self.still, self.away) = (foot, 0.0, 0.0);
        } else {
            self.still += dt;
            // A standing person sways: the anchor follows slowly.
            let follow = dt / (dt + 5.0);
            self.anchor = core::array::from_fn(|k| self.anchor[k] + (foot[k] - self.anchor[k]) * follow);
        }
    }
}

/// Returns the centre that the net assigns to a body with this box.
pub(super) fn box_centre(bounds: BBox) -> Point {
    [(bounds[0] + bounds[2]) / 2.0, bounds[1] + CENTRE_HEIGHT * (bounds[3] - bounds[1])]
}

/// Returns the fraction of the first box that lies in the second.
pub(super) fn contained_fraction(a: BBox, b: BBox) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = (a[2] - a[0]) * (a[3] - a[1]);
    if area > 0.0 { width * height / area } else { 0.0 }
}

/// Clamps bounds to whole pixels of the image.
pub(super) fn pixel_bounds(bounds: BBox, picture: [usize; 2]) -> [usize; 4] {
    let clamp = |value: f32, size: usize| (value.max(0.0) as usize).min(size);
    let [left, top] = [clamp(bounds[0].floor(), picture[0]), clamp(bounds[1].floor(), picture[1])];
    let [right, bottom] = [clamp(bounds[2].ceil(), picture[0]), clamp(bounds[3].ceil(), picture[1])];
    [left, top, right.max(left), bottom.max(top)]
}

/// Samples the appearance of a box; a few samples per cell suffice.
pub(super) fn sample_appearance(seen: &Plane, at: BBox) -> Appearance {
    let mut look = [0.0; APPEARANCE_GRID[0] * APPEARANCE_GRID[1]];
    let [width, height] = [at[2] - at[0], at[3] - at[1]];
    for (i, cell) in look.iter_mut().enumerate() {
        let [u, v] = [(i % APPEARANCE_GRID[0]) as f32, (i / APPEARANCE_GRID[0]) as f32];
        let mut sum = 0.0;
        // The outermost fifth on both sides is mostly background.
        for k in 0..4 {
            let [du, dv] = [0.25 + 0.5 * (k % 2) as f32, 0.25 + 0.5 * (k / 2) as f32];
            let x = at[0] + width * (0.2 + 0.6 * (u + du) / APPEARANCE_GRID[0] as f32);
            let y = at[1] + height * (0.02 + 0.96 * (v + dv) / APPEARANCE_GRID[1] as f32);
            let x = (x.max(0.0) as usize).min(seen.width - 1);
            let y = (y.max(0.0) as usize).min(seen.height - 1);
            sum += f32::from(seen.at(x, y));
        }
        *cell = sum / 4.0;
    }
    look
}

/// Returns the difference of two appearances: 0 if equal, about 1 for two strangers.
pub(super) fn appearance_distance(a: &Appearance, b: &Appearance) -> f32 {
    let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b).abs().min(60.0)).sum();
    sum / a.len() as f32 / 30.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_was_never_seen_apart_is_two() {
        let mut one = PersonTrack { pixel_count: 280, bounds: [0.0, 0.0, 12.0, 30.0], ..PersonTrack::default() };
        (0..60).for_each(|_| one.end_frame(0.05));
        assert_eq!(one.people_count(), 1);
        one.pixel_count = 520;
        one.end_frame(0.05);
        assert_eq!(one.people_count(), 1, "for a moment an arm, or a shadow");
        (0..60).for_each(|_| one.end_frame(0.05));
        assert_eq!(one.people_count(), 2);
    }

    #[test]
    fn who_walks_on_is_where_he_must_be() {
        let mut walker = PersonTrack { bounds: [10.0, 10.0, 20.0, 40.0], ..PersonTrack::default() };
        for step in 1..30 {
            walker.predict(0.1);
            let x = step as f32 * 2.0;
            walker.correct([10.0 + x, 10.0, 20.0 + x, 40.0], 0.9, 0.1);
        }
        assert!((walker.velocity[0] - 20.0).abs() < 2.0, "{:?}", walker.velocity);
        walker.predict(0.1);
        assert!((walker.foot()[0] - 75.0).abs() < 1.5, "{:?}", walker.foot());
        assert!((walker.height() - 30.0).abs() < 0.1);
    }
}
