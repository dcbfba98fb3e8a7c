//! Presence on the wire: self-contained parts of one instant, quantised to the canvas; the newest wins for each body.
//!
//! A point is two 16-bit fractions of the canvas with a quarter of it to spare on every side. An outline is a chain
//! of 7-bit steps that starts at the foot; each step is relative to the position that the receiver will decode, so
//! that errors do not add up. The first part carries all touches and the ids of all bodies; the bodies follow in as
//! many parts as they need.

use super::{BODIES_MAX, Body, OUTLINE_MAX, Point, PointerKind, Presence, TOUCHES_MAX, Touch};
use crate::wire::{WireError, WireReader, WireWrite};
use std::time::Duration;

/// Most bytes in one part; together with the link's own frames it fits in a datagram of 1,150.
const PART_MAX: usize = 1_000;
/// Smallest step of an outline, in canvas units; scales are powers of two of it.
const OUTLINE_STEP: f32 = 0.125;
/// Canvas units per second in one step of velocity.
const SPEED_STEP: f32 = 16.0;
/// Margin beyond each edge of the canvas that a point may lie in, as a fraction.
const MARGIN: f32 = 0.25;

/// Level of detail of an outline: its most points when sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutlineDetail {
    /// All 48 points.
    Full,
    /// 16 points: for a crowd, or a narrow path.
    Coarse,
}

impl OutlineDetail {
    /// Returns the level that fits the budget of 0.5 Mbit/s each way at 30 ticks: full for a few people, coarse for a
    /// crowd.
    pub fn for_bodies(count: usize) -> Self {
        if count <= 10 { Self::Full } else { Self::Coarse }
    }

    fn points(self) -> usize {
        match self {
            Self::Full => OUTLINE_MAX,
            Self::Coarse => 16,
        }
    }
}

/// Share of an instant in one received datagram.
#[derive(Debug, Clone, PartialEq)]
pub struct PresencePart {
    /// Sequence number of the sender's instant; a higher one is newer.
    pub seq: u64,
    /// Sender's monotonic clock at that instant.
    pub sent: Duration,
    first: Option<(Vec<Touch>, Vec<u16>)>,
    bodies: Vec<Body>,
}

/// Flags in the head of a part: it has the touches and the list of bodies; and the touches' ids are sent as
/// differences.
const FLAG_FIRST: u8 = 1;
const FLAG_DELTA_IDS: u8 = 2;
/// Bits for the kind of a touch.
const KIND_BITS: u32 = 3;

fn put_point(out: &mut Vec<u8>, canvas: Point, at: Point) {
    for axis in 0..2 {
        let unit = (at[axis] / canvas[axis] + MARGIN) / (1.0 + 2.0 * MARGIN);
        out.put_u16((unit.clamp(0.0, 1.0) * 65535.0).round() as u16);
    }
}

fn read_point(from: &mut WireReader, canvas: Point) -> Result<Point, WireError> {
    let mut at = [0.0; 2];
    for axis in 0..2 {
        let unit = f32::from(from.u16()?) / 65535.0;
        at[axis] = (unit * (1.0 + 2.0 * MARGIN) - MARGIN) * canvas[axis];
    }
    Ok(at)
}

/// Returns the smallest scale (a power of two of [`OUTLINE_STEP`]) at which `reach` fits into `limit` steps.
fn scale_for(reach: f32, limit: f32) -> u8 {
    (0..15).find(|&scale| reach <= limit * step_of(scale)).unwrap_or(15)
}

fn step_of(scale: u8) -> f32 {
    OUTLINE_STEP * f32::from(1_u16 << scale.min(15))
}

fn quantise(value: f32, step: f32, limit: f32) -> i8 {
    (value / step).round().clamp(-limit, limit) as i8
}

fn farthest(points: impl Iterator<Item = [f32; 2]>) -> f32 {
    points.fold(0.0, |far, [x, y]| far.max(x.abs()).max(y.abs()))
}

fn put_body(out: &mut Vec<u8>, canvas: Point, body: &Body, detail: OutlineDetail) {
    out.put_u16(body.id);
    out.put_u8((body.people.clamp(1, 127) << 1) | u8::from(body.reach.is_some()));
    out.put_u8((body.still * 10.0).clamp(0.0, 255.0) as u8);
    let start = out.len();
    put_point(out, canvas, body.foot);
    // This is the foot that the receiver will decode; a round trip through four bytes cannot fail.
    let foot = read_point(&mut WireReader::new(&out[start..]), canvas).unwrap_or(body.foot);

    let points = thinned(&body.outline, detail.points());
    let limbs = [Some(body.head), body.reach];
    let limb_scale = scale_for(farthest(limbs.iter().flatten().map(|p| [p[0] - foot[0], p[1] - foot[1]])), 127.0);
    // A step is at most the farthest hop between neighbours, plus half a step for the previous rounding.
    let mut last = foot;
    let hop = farthest(points.clone().map(|p| {
        let hop = [p[0] - last[0], p[1] - last[1]];
        last = p;
        hop
    }));
    let hop_scale = scale_for(hop, 62.0);
    out.put_u8((limb_scale << 4) | hop_scale);
    for limb in limbs.iter().flatten() {
        for axis in 0..2 {
            out.put_u8(quantise(limb[axis] - foot[axis], step_of(limb_scale), 127.0) as u8);
        }
    }
    for axis in 0..2 {
        out.put_u8(quantise(body.velocity[axis], SPEED_STEP, 127.0) as u8);
    }
    let count = points.clone().count();
    out.put_u8(count as u8);
    let step = step_of(hop_scale);
    let (mut at, mut held, mut bits) = (foot, 0_u32, 0);
    for point in points {
        for axis in 0..2 {
            let hop = quantise(point[axis] - at[axis], step, 63.0);
            at[axis] += f32::from(hop) * step;
            held |= u32::from(hop as u8 & 0x7f) << bits;
            bits += 7;
            while bits >= 8 {
                out.put_u8(held as u8);
                held >>= 8;
                bits -= 8;
            }
        }
    }
    if bits > 0 {
        out.put_u8(held as u8);
    }
}

/// Returns at most `limit` points of an outline, evenly chosen.
fn thinned(outline: &[Point], limit: usize) -> impl Iterator<Item = Point> + Clone {
    let count = outline.len().min(limit);
    (0..count).map(move |i| outline[i * outline.len() / count])
}

fn read_body(from: &mut WireReader, canvas: Point) -> Result<Body, WireError> {
    let id = from.u16()?;
    let flags = from.u8()?;
    let still = f32::from(from.u8()?) / 10.0;
    let foot = read_point(from, canvas)?;
    let scales = from.u8()?;
    let limb = |from: &mut WireReader| -> Result<Point, WireError> {
        let step = step_of(scales >> 4);
        Ok([foot[0] + f32::from(from.u8()? as i8) * step, foot[1] + f32::from(from.u8()? as i8) * step])
    };
    let head = limb(from)?;
    let reach = if flags & 1 == 1 { Some(limb(from)?) } else { None };
    let velocity = [f32::from(from.u8()? as i8) * SPEED_STEP, f32::from(from.u8()? as i8) * SPEED_STEP];
    let count = from.count(OUTLINE_MAX)?;
    let packed = from.bytes((count * 14).div_ceil(8))?;
    let hop = |index: usize| {
        let bit = index * 7;
        let low = u16::from(packed[bit / 8]);
        let high = u16::from(packed.get(bit / 8 + 1).copied().unwrap_or(0));
        let seven = ((low | (high << 8)) >> (bit % 8)) as u8 & 0x7f;
        f32::from((seven << 1) as i8 >> 1)
    };
    let step = step_of(scales & 15);
    let mut at = foot;
    let outline = (0..count)
        .map(|i| {
            at = [at[0] + hop(2 * i) * step, at[1] + hop(2 * i + 1) * step];
            at
        })
        .collect();
    Ok(Body { id, people: (flags >> 1).max(1), still, foot, head, reach, velocity, outline, faded: 0.0 })
}

/// Encodes one instant as parts of at most 1,000 bytes each; there is at least one. Items beyond the bounds are left
/// out.
///
/// `canvas` is the size of the canvas in its units, the same at both sites.
pub fn encode_presence(
    presence: &Presence,
    canvas: Point,
    seq: u64,
    sent: Duration,
    detail: OutlineDetail,
) -> Vec<Vec<u8>> {
    let head = |first: bool| {
        let mut out = Vec::with_capacity(PART_MAX);
        out.put_varint(seq);
        out.put_varint(sent.as_micros() as u64);
        out.put_u8(if first { FLAG_FIRST | FLAG_DELTA_IDS } else { 0 });
        out
    };
    let mut out = head(true);
    let touches = &presence.touches[..presence.touches.len().min(TOUCHES_MAX)];
    out.put_varint(touches.len() as u64);
    let mut before = 0;
    for touch in touches {
        put_touch(&mut out, canvas, touch, &mut before);
    }
    let bodies = &presence.bodies[..presence.bodies.len().min(BODIES_MAX)];
    out.put_varint(bodies.len() as u64);
    for body in bodies {
        out.put_u16(body.id);
    }
    let mut parts = Vec::new();
    let mut one = Vec::new();
    for body in bodies {
        one.clear();
        put_body(&mut one, canvas, body, detail);
        if out.len() + one.len() > PART_MAX {
            parts.push(std::mem::replace(&mut out, head(false)));
        }
        out.extend_from_slice(&one);
    }
    parts.push(out);
    parts
}

impl PresencePart {
    /// Reads one part; for any bytes, the result is within the bounds or an error.
    pub fn decode(from: &mut WireReader, canvas: Point) -> Result<Self, WireError> {
        let seq = from.varint()?;
        let sent = Duration::from_micros(from.varint()?);
        let flags = from.u8()?;
        let first = match flags & FLAG_FIRST {
            FLAG_FIRST => {
                let count = from.count(TOUCHES_MAX)?;
                let mut before = (flags & FLAG_DELTA_IDS != 0).then_some(0);
                let touches = (0..count).map(|_| read_touch(from, canvas, &mut before)).collect::<Result<_, _>>()?;
                let count = from.count(BODIES_MAX)?;
                Some((touches, (0..count).map(|_| from.u16()).collect::<Result<_, _>>()?))
            }
            _ => None,
        };
        let mut bodies = Vec::new();
        while from.remaining() > 0 {
            if bodies.len() == BODIES_MAX {
                return Err(WireError::OutOfRange);
            }
            bodies.push(read_body(from, canvas)?);
        }
        Ok(Self { seq, sent, first, bodies })
    }
}

/// Appends a touch; its id is sent as the difference from the previous one, with its kind in the lowest bits.
///
/// If touches began one after the other, an id takes a byte and a position four.
fn put_touch(out: &mut Vec<u8>, canvas: Point, touch: &Touch, before: &mut u32) {
    let apart = i64::from(touch.id) - i64::from(std::mem::replace(before, touch.id));
    let apart = ((apart << 1) ^ (apart >> 63)) as u64;
    out.put_varint(apart << KIND_BITS | u64::from(touch.kind as u8));
    put_point(out, canvas, touch.at);
}

/// Reads a touch; `before` is none in older recordings, in which ids are not differences.
fn read_touch(from: &mut WireReader, canvas: Point, before: &mut Option<u32>) -> Result<Touch, WireError> {
    let Some(before) = before else {
        let id = u32::try_from(from.varint()?).map_err(|_| WireError::OutOfRange)?;
        let at = read_point(from, canvas)?;
        return Ok(Touch { id, at, kind: PointerKind::from_code(from.u8()?) });
    };
    let said = from.varint()?;
    let apart = said >> KIND_BITS;
    let apart = (apart >> 1) as i64 ^ -((apart & 1) as i64);
    let id =
        i64::from(*before).checked_add(apart).and_then(|id| u32::try_from(id).ok()).ok_or(WireError::OutOfRange)?;
    *before = id;
    Ok(Touch { id, at: read_point(from, canvas)?, kind: PointerKind::from_code(said as u8 & ((1 << KIND_BITS) - 1)) })
}

/// Twin's presence, assembled from parts that come late, twice or never.
#[derive(Debug, Default)]
pub struct PresenceAssembler {
    presence: Presence,
    /// Sequence number of the newest first part, which touches and the list of bodies are from.
    list_seq: Option<u64>,
    listed_ids: Vec<u16>,
    /// Sequence number of each body in `presence`.
    seqs: Vec<u64>,
}

impl PresenceAssembler {
    /// Adds a part; returns true if it contained something newer.
    pub fn push(&mut self, part: PresencePart) -> bool {
        let mut newer = false;
        if let Some((touches, ids)) = part.first
            && self.list_seq.is_none_or(|seq| part.seq > seq)
        {
            self.list_seq = Some(part.seq);
            self.presence.touches = touches;
            let mut kept = self.presence.bodies.iter().zip(&self.seqs).map(|(body, seq)| {
                // A body that appeared after this list was made stays.
                ids.contains(&body.id) || *seq > part.seq
            });
            let kept: Vec<bool> = kept.by_ref().collect();
            let mut keep = kept.iter();
            self.presence.bodies.retain(|_| keep.next().copied().unwrap_or(false));
            let mut keep = kept.iter();
            self.seqs.retain(|_| keep.next().copied().unwrap_or(false));
            self.listed_ids = ids;
            newer = true;
        }
        for body in part.bodies {
            let listed_without =
                self.list_seq.is_some_and(|seq| seq >= part.seq) && !self.listed_ids.contains(&body.id);
            if listed_without {
                continue;
            }
            match self.presence.bodies.iter().position(|b| b.id == body.id) {
                Some(i) if part.seq > self.seqs[i] => {
                    self.presence.bodies[i] = body;
                    self.seqs[i] = part.seq;
                    newer = true;
                }
                None if self.presence.bodies.len() < BODIES_MAX => {
                    self.presence.bodies.push(body);
                    self.seqs.push(part.seq);
                    newer = true;
                }
                _ => {}
            }
        }
        newer
    }

    /// Returns the known presence of the twin.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CANVAS: Point = [1920.0, 1080.0];

    /// Checks recordings of version 1 from before ids were sent as differences.
    #[test]
    fn touches_are_read_as_they_were_written_before() {
        let mut bytes = Vec::new();
        bytes.put_varint(7);
        bytes.put_varint(1_000);
        bytes.put_u8(FLAG_FIRST);
        bytes.put_varint(1);
        bytes.put_varint(300);
        put_point(&mut bytes, CANVAS, [960.0, 540.0]);
        bytes.put_u8(2);
        bytes.put_varint(0);
        let part = PresencePart::decode(&mut WireReader::new(&bytes), CANVAS).expect("version 1");
        let mut there = PresenceAssembler::default();
        assert!(there.push(part));
        let touch = there.presence().touches[0];
        assert_eq!((touch.id, touch.kind), (300, PointerKind::Reach));
        assert!((touch.at[0] - 960.0).abs() < 0.1);
    }

    #[test]
    fn a_tracked_point_takes_six_bytes_a_tick_at_most() {
        let bytes = |presence: &Presence| -> usize {
            encode_presence(presence, CANVAS, 1 << 20, Duration::from_secs(86_400), OutlineDetail::Full)
                .iter()
                .map(Vec::len)
                .sum()
        };
        // Touches of a long day have high ids.
        let touches = |count: u32| {
            let touch = |id| Touch {
                id: 12_000 + id,
                at: [900.5 + id as f32, 300.25],
                kind: crate::presence::PointerKind::Finger,
            };
            Presence { touches: (0..count).map(touch).collect(), bodies: vec![] }
        };
        let touch = (bytes(&touches(41)) - bytes(&touches(1))) as f64 / 40.0;
        let bodies = |points: usize| {
            let outline = (0..points).map(|i| i as f32 / points as f32 * std::f32::consts::TAU);
            let outline = outline.map(|a| [900.0 + 80.0 * a.cos(), 600.0 + 300.0 * a.sin()]).collect();
            Presence { touches: vec![], bodies: vec![Body { id: 300, people: 1, outline, ..Body::default() }] }
        };
        let outline = (bytes(&bodies(48)) - bytes(&bodies(8))) as f64 / 40.0;
        println!("a touch {touch:.2} bytes a tick, a point of an outline {outline:.2}, a body {}", bytes(&bodies(48)));
        assert!(touch <= 6.0 && outline <= 6.0, "{touch} {outline}");
    }

    fn point() -> impl Strategy<Value = Point> {
        [-400.0_f32..2300.0, -200.0_f32..1300.0]
    }

    fn body(id: u16) -> impl Strategy<Value = Body> {
        (
            1_u8..40,
            0.0_f32..25.0,
            point(),
            prop::option::of([-100.0_f32..100.0, -100.0_f32..100.0]),
            0..=OUTLINE_MAX,
            4.0_f32..300.0,
        )
            .prop_map(move |(people, still, foot, reach, count, size)| Body {
                id,
                people,
                still,
                foot,
                head: [foot[0], foot[1] - size],
                reach: reach.map(|r| [foot[0] + r[0], foot[1] + r[1]]),
                velocity: [size, -size],
                outline: (0..count)
                    .map(|i| {
                        let turn = i as f32 / count as f32 * std::f32::consts::TAU;
                        [foot[0] + size * turn.sin() / 2.0, foot[1] - size / 2.0 + size * turn.cos() / 2.0]
                    })
                    .collect(),
                faded: 0.0,
            })
    }

    fn near(a: Point, b: Point, tolerance: f32) -> bool {
        (a[0] - b[0]).abs() <= tolerance && (a[1] - b[1]).abs() <= tolerance
    }

    proptest! {
        // Shrinking stops after five seconds: simplifying crowds could take minutes.
        #![proptest_config(ProptestConfig { max_shrink_time: 5_000, ..ProptestConfig::default() })]

        #[test]
        fn what_goes_in_comes_out(
            bodies in (0_u16..40).prop_flat_map(|n| (0..n).map(body).collect::<Vec<_>>()),
            touches in prop::collection::vec((any::<u32>(), point()), 0..TOUCHES_MAX),
        ) {
            let touches: Vec<Touch> = touches.into_iter().map(|(id, at)| Touch { id, at, kind: PointerKind::Cast }).collect();
            let before = Presence { touches, bodies };
            let mut there = PresenceAssembler::default();
            for part in encode_presence(&before, CANVAS, 7, Duration::from_micros(5), OutlineDetail::Full) {
                prop_assert!(part.len() <= PART_MAX);
                there.push(PresencePart::decode(&mut WireReader::new(&part), CANVAS)?);
            }
            let after = there.presence();
            prop_assert_eq!(after.touches.len(), before.touches.len());
            for (a, b) in after.touches.iter().zip(&before.touches) {
                prop_assert_eq!((a.id, a.kind), (b.id, b.kind));
                prop_assert!(near(a.at, b.at, 0.05));
            }
            prop_assert_eq!(after.bodies.len(), before.bodies.len());
            for (a, b) in after.bodies.iter().zip(&before.bodies) {
                prop_assert_eq!((a.id, a.people, a.reach.is_some()), (b.id, b.people, b.reach.is_some()));
                prop_assert!(near(a.foot, b.foot, 0.05));
                prop_assert!((a.still - b.still).abs() <= 0.11);
                prop_assert!(near(a.head, b.head, 3.0));
                prop_assert_eq!(a.outline.len(), b.outline.len());
                // This is a 62nd of the longest hop: half a step, and steps are powers of two.
                let hops = b.outline.iter().zip(std::iter::once(&b.foot).chain(&b.outline));
                let longest = farthest(hops.map(|(p, before)| [p[0] - before[0], p[1] - before[1]]));
                for (a, b) in a.outline.iter().zip(&b.outline) {
                    prop_assert!(near(*a, *b, longest / 62.0 + 0.15), "{a:?} is not {b:?}");
                }
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            if let Ok(part) = PresencePart::decode(&mut WireReader::new(&bytes), CANVAS) {
                PresenceAssembler::default().push(part);
            }
        }
    }

    fn crowd(count: u16) -> Presence {
        let bodies = (0..count)
            .map(|id| Body {
                id,
                people: 1,
                foot: [f32::from(id) * 45.0, 900.0],
                head: [f32::from(id) * 45.0, 500.0],
                outline: (0..48).map(|i| [f32::from(id) * 45.0 + (i % 9) as f32, 900.0 - i as f32 * 8.0]).collect(),
                ..Body::default()
            })
            .collect();
        let touches =
            (0..10).map(|id| Touch { id, at: [id as f32 * 100.0, 400.0], kind: PointerKind::Finger }).collect();
        Presence { touches, bodies }
    }

    #[test]
    fn forty_bodies_and_ten_touches_fit_both_ways_in_a_megabit() {
        let crowd = crowd(40);
        let parts =
            encode_presence(&crowd, CANVAS, 1_000_000, Duration::from_secs(5_000_000), OutlineDetail::for_bodies(40));
        // IPv6 and UDP take 48 bytes, QUIC short header and tag 30, the link's frame header and acknowledgements 40.
        let bytes: usize = parts.iter().map(|part| part.len() + 48 + 30 + 40).sum();
        let both_ways = 2 * bytes * 8 * 30;
        assert!(both_ways <= 1_000_000, "{both_ways} bit/s");
    }

    #[test]
    fn an_older_part_changes_nothing() {
        let part = |seq, presence: &Presence| {
            let parts = encode_presence(presence, CANVAS, seq, Duration::ZERO, OutlineDetail::Full);
            PresencePart::decode(&mut WireReader::new(&parts[0]), CANVAS).expect("our own bytes")
        };
        let (new, old) = (crowd(2), crowd(3));
        let mut there = PresenceAssembler::default();
        assert!(there.push(part(9, &new)));
        assert!(!there.push(part(8, &old)));
        assert!(!there.push(part(9, &new)));
        assert_eq!(there.presence().bodies.len(), 2);
        assert!(there.push(part(10, &Presence::default())));
        assert!(there.presence().is_empty());
    }
}
