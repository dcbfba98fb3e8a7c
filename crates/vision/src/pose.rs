//! Pose of a body: its foot, its head and an arm held out.

use super::space::WorkPoint;

/// Distance from the body's axis at which a hand is held out, relative to the body's height.
const HELD_OUT: f32 = 0.3;

/// Pose of one body, in downsampled pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct BodyPose {
    pub foot: WorkPoint,
    pub head: WorkPoint,
    pub reach: Option<WorkPoint>,
}

/// Extent of a body in one row of the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BodyRow {
    /// Number of its pixels.
    count: f32,
    /// Their mean position.
    mean: f32,
    /// Leftmost and rightmost of them.
    first: f32,
    last: f32,
}

impl BodyRow {
    /// Returns how far it reaches from a body's axis.
    fn reach_from(&self, axis: f32) -> f32 {
        if self.count == 0.0 { 0.0 } else { (axis - self.first).max(self.last - axis) }
    }
}

/// Estimates the pose from the pixels that `of` selects within `at` (left, top, right, bottom).
/// `rows` is a buffer.
pub(super) fn estimate_pose(
    at: [usize; 4],
    rows: &mut Vec<BodyRow>,
    of: impl Fn(usize, usize) -> bool,
) -> Option<BodyPose> {
    let [left, top, right, bottom] = at;
    rows.clear();
    for y in top..bottom {
        let (mut count, mut sum, mut first, mut last) = (0.0, 0.0, f32::MAX, f32::MIN);
        for x in (left..right).filter(|x| of(*x, y)) {
            let x = x as f32 + 0.5;
            (count, sum, first, last) = (count + 1.0, sum + x, first.min(x), last.max(x));
        }
        rows.push(BodyRow { count, mean: if count > 0.0 { sum / count } else { 0.0 }, first, last });
    }
    let filled = |row: &BodyRow| row.count > 0.0;
    let (first, last) = (rows.iter().position(filled)?, rows.iter().rposition(filled)?);
    let body = &rows[first..=last];
    let height = body.len() as f32;
    let mean = |from: f32, to: f32| {
        let part = &body[(height * from) as usize..((height * to).ceil() as usize).min(body.len())];
        let (count, sum) = part.iter().fold((0.0, 0.0), |(c, s), row| (c + row.count, s + row.count * row.mean));
        (count > 0.0).then(|| sum / count)
    };
    let (top, bottom) = ((top + first) as f32, (top + last + 1) as f32);
    let axis = mean(0.15, 0.9)?;
    let head = mean(0.0, 0.13).unwrap_or(axis);
    let foot = mean(0.92, 1.0).unwrap_or(axis);
    let reach = find_held_out_hand(body, axis, height).map(|[x, y]| WorkPoint::new(x, y + top));
    let (foot, head) = (WorkPoint::new(foot, bottom), WorkPoint::new(head, top + 0.07 * height));
    Some(BodyPose { foot, head, reach })
}

/// Returns the end of the part that sticks out farthest between eyes and hips.
fn find_held_out_hand(body: &[BodyRow], axis: f32, height: f32) -> Option<[f32; 2]> {
    let part = (height * 0.06) as usize..(height * 0.6) as usize;
    let most = body.get(part.clone())?.iter().map(|row| row.reach_from(axis)).fold(0.0, f32::max);
    if most < HELD_OUT * height || height < 16.0 {
        return None;
    }
    // A hand is small: a part that is as far out over a longer height is a coat, a pram or two people.
    let rows = || part.clone().map(|y| (y, &body[y])).filter(|(_, row)| row.reach_from(axis) > most - 0.05 * height);
    let count = rows().count() as f32;
    if count > 0.22 * height {
        return None;
    }
    let y = rows().map(|(y, _)| y as f32 + 0.5).sum::<f32>() / count;
    let (_, row) = rows().next()?;
    let side = if axis - row.first > row.last - axis { -1.0 } else { 1.0 };
    Some([axis + side * (most - 0.01 * height), y])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(arm: bool) -> Option<BodyPose> {
        let of = |x: usize, y: usize| {
            let (x, y) = (x as f32 - 50.0, y as f32 - 10.0);
            let head = x.hypot(y - 6.0) < 6.0;
            let trunk = x.abs() < 9.0 && (12.0..80.0).contains(&y);
            let arm = arm && (0.0..36.0).contains(&x) && (y - 24.0).abs() < 3.0;
            head || trunk || arm
        };
        estimate_pose([0, 0, 100, 100], &mut Vec::new(), of)
    }

    #[test]
    fn an_arm_held_out_is_a_reach_and_a_trunk_is_none() {
        let pose = figure(false).expect("a body");
        assert_eq!(pose.reach, None);
        assert!((pose.foot.x - 50.0).abs() < 1.0 && (pose.foot.y - 90.0).abs() <= 1.0, "{pose:?}");
        assert!((pose.head.x - 50.0).abs() < 1.0 && (pose.head.y - 16.0).abs() < 2.0, "{pose:?}");
        let hand = figure(true).and_then(|pose| pose.reach).expect("an arm");
        assert!((hand.x - 85.0).abs() < 2.0 && (hand.y - 34.5).abs() < 2.0, "{hand:?}");
        assert_eq!(super::estimate_pose([0, 0, 9, 9], &mut Vec::new(), |_, _| false), None);
    }
}
