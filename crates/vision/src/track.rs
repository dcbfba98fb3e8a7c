//! Track of one person: position, size, appearance and age.

use super::net::CENTRE_HEIGHT;
use super::plane::Plane;
use super::space::{WorkBox, WorkPoint, WorkVector};

/// Cells of an appearance, across and down.
pub(super) const APPEARANCE_GRID: [usize; 2] = [4, 8];
/// Area of an average body with coat and bag, relative to its squared height.
const BODY_AREA: f32 = 0.3;
/// Filter gains: the part of a new box that is adopted at once, for position, size and velocity.
const FILTER_GAINS: [f32; 3] = [0.6, 0.3, 0.1];

/// Brightness of a body in a grid over its box: enough to re-identify it among its neighbours.
pub(super) type Appearance = [f32; APPEARANCE_GRID[0] * APPEARANCE_GRID[1]];

/// Tracked person; lengths in downsampled pixels, times in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct PersonTrack {
    pub id: u16,
    /// Box of the whole body including hidden parts, as far as it lies within the image.
    pub bounds: WorkBox,
    /// Box of the last detection.
    pub detected: WorkBox,
    /// Pixels per second.
    pub velocity: WorkVector,
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
    pub origin: WorkPoint,
    /// True once the person has left `origin` by more than their own width.
    pub moved: bool,
    /// Consecutive checks in which the background looked more like a person than the image did.
    pub ghost_checks: u8,
    /// Position while standing still, and the time spent there.
    pub anchor: WorkPoint,
    pub still: f32,
    /// Time away from `anchor`, in seconds.
    pub away: f32,
    /// Pixels labelled with this track in this frame.
    pub pixel_count: u32,
    /// Position at the last sample for the height model.
    pub height_learned_at: WorkPoint,
    /// Change within the person relative to the background's own noise: a living body is never quite still.
    pub motion_energy: f32,
    /// Time without any motion within the person, in seconds.
    pub motionless: f32,
    /// Pixels relative to an average body of this height, smoothed; 0 before the first measurement.
    pub relative_area: f32,
}

impl PersonTrack {
    /// Returns the middle of the box's lower edge.
    pub fn foot(&self) -> WorkPoint {
        WorkPoint::new((self.bounds.min.x + self.bounds.max.x) / 2.0, self.bounds.max.y)
    }

    pub fn height(&self) -> f32 {
        self.bounds.height()
    }

    /// Returns the body's centre as the net defines it.
    pub fn centre(&self) -> WorkPoint {
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
            self.velocity *= slower;
        }
        self.bounds = self.bounds.translate(self.velocity * dt);
        self.age += dt;
        self.missed += dt;
    }

    /// Corrects the track by a detection.
    pub fn correct(&mut self, found: WorkBox, sure: f32, dt: f32) {
        let height = self.height().max(8.0);
        // Nobody runs faster than four times their height per second.
        let most = 4.0 * height;
        let [place, size, speed] = match self.hits {
            0..3 => [0.8, 0.6, 0.6],
            _ => FILTER_GAINS,
        };
        let off = ((found.min - self.bounds.min) + (found.max - self.bounds.max)) / 2.0;
        let grown = (found.size() - self.bounds.size()).to_vector();
        self.bounds.min += off * place - grown * size / 2.0;
        self.bounds.max += off * place + grown * size / 2.0;
        if dt > 0.0 {
            let most = WorkVector::splat(most);
            self.velocity = (self.velocity + off * speed / dt).clamp(-most, most);
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
        let own = (0.5 * self.bounds.width()).max(0.2 * self.height()).max(3.0);
        let foot = self.foot();
        self.moved |= foot.distance_to(self.origin) > 2.0 * own;
        // A person who passes in front pulls at the box for a moment.
        let far = foot.distance_to(self.anchor) / own;
        self.away = if far > 1.0 { self.away + dt } else { 0.0 };
        if self.away > 0.6 || far > 2.0 {
            (self.anchor, self.still, self.away) = (foot, 0.0, 0.0);
        } else {
            self.still += dt;
            // A standing person sways: the anchor follows slowly.
            let follow = dt / (dt + 5.0);
            self.anchor += (foot - self.anchor) * follow;
        }
    }
}

/// Returns the centre that the net assigns to a body with this box.
pub(super) fn box_centre(bounds: WorkBox) -> WorkPoint {
    WorkPoint::new((bounds.min.x + bounds.max.x) / 2.0, bounds.min.y + CENTRE_HEIGHT * bounds.height())
}

/// Returns the fraction of the first box that lies in the second.
pub(super) fn contained_fraction(a: WorkBox, b: WorkBox) -> f32 {
    let area = a.area();
    if area > 0.0 { shared_area(a, b) / area } else { 0.0 }
}

/// Returns the area that two boxes share.
pub(super) fn shared_area(a: WorkBox, b: WorkBox) -> f32 {
    let shared = a.intersection_unchecked(&b).size();
    shared.width.max(0.0) * shared.height.max(0.0)
}

/// Clamps bounds to whole pixels of the image.
pub(super) fn pixel_bounds(bounds: WorkBox, picture: [usize; 2]) -> [usize; 4] {
    let clamp = |value: f32, size: usize| (value.max(0.0) as usize).min(size);
    let [left, top] = [clamp(bounds.min.x.floor(), picture[0]), clamp(bounds.min.y.floor(), picture[1])];
    let [right, bottom] = [clamp(bounds.max.x.ceil(), picture[0]), clamp(bounds.max.y.ceil(), picture[1])];
    [left, top, right.max(left), bottom.max(top)]
}

/// Samples the appearance of a box; a few samples per cell suffice.
pub(super) fn sample_appearance(seen: &Plane, at: WorkBox) -> Appearance {
    let mut look = [0.0; APPEARANCE_GRID[0] * APPEARANCE_GRID[1]];
    for (i, cell) in look.iter_mut().enumerate() {
        let [u, v] = [(i % APPEARANCE_GRID[0]) as f32, (i / APPEARANCE_GRID[0]) as f32];
        let mut sum = 0.0;
        // The outermost fifth on both sides is mostly background.
        for k in 0..4 {
            let [du, dv] = [0.25 + 0.5 * (k % 2) as f32, 0.25 + 0.5 * (k / 2) as f32];
            let x = at.min.x + at.width() * (0.2 + 0.6 * (u + du) / APPEARANCE_GRID[0] as f32);
            let y = at.min.y + at.height() * (0.02 + 0.96 * (v + dv) / APPEARANCE_GRID[1] as f32);
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

    fn bounds(left: f32, top: f32, right: f32, bottom: f32) -> WorkBox {
        WorkBox::new(WorkPoint::new(left, top), WorkPoint::new(right, bottom))
    }

    #[test]
    fn a_pair_that_was_never_seen_apart_is_two() {
        let mut one = PersonTrack { pixel_count: 280, bounds: bounds(0.0, 0.0, 12.0, 30.0), ..PersonTrack::default() };
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
        let mut walker = PersonTrack { bounds: bounds(10.0, 10.0, 20.0, 40.0), ..PersonTrack::default() };
        for step in 1..30 {
            walker.predict(0.1);
            let x = step as f32 * 2.0;
            walker.correct(bounds(10.0 + x, 10.0, 20.0 + x, 40.0), 0.9, 0.1);
        }
        assert!((walker.velocity.x - 20.0).abs() < 2.0, "{:?}", walker.velocity);
        walker.predict(0.1);
        assert!((walker.foot().x - 75.0).abs() < 1.5, "{:?}", walker.foot());
        assert!((walker.height() - 30.0).abs() < 0.1);
    }
}
