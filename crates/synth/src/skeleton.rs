//! Skeleton: builds bones in metres from a pose, with the swing of legs, elbows and clothes.

use super::appearance::{BagStyle, BottomCut, PersonAppearance};
use super::camera_model::{Vector2, Vector3, add, lerp, normalize, scale, sub};
use super::rasterizer::{FabricPattern, SurfaceMaterial};

/// Part of a body: a spine with widths, wider sideways than through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bone {
    pub(super) a: Vector3,
    pub(super) b: Vector3,
    /// Half widths at both ends, along `side`.
    pub(super) half_width: Vector2,
    pub(super) bulge: f32,
    /// Thickness relative to width.
    pub(super) flatness: f32,
    pub(super) side: Vector3,
    /// Radii of the rounded ends, in metres.
    pub(super) cap: Vector2,
    pub(super) material: SurfaceMaterial,
    /// Metres subtracted from its depth, so that a coat covers the legs in it.
    pub(super) depth_bias: f32,
    /// Opacity; 1 is opaque.
    pub(super) opacity: f32,
    /// True if its shadow is worth drawing: other shadows cover a hand's or a neck's.
    pub(super) casts_shadow: bool,
}

impl Bone {
    /// Creates a round bone with round ends.
    pub(super) fn round(a: Vector3, b: Vector3, wide: Vector2, cloth: SurfaceMaterial) -> Self {
        Self {
            a,
            b,
            half_width: wide,
            bulge: 0.0,
            flatness: 1.0,
            side: [1.0, 0.0, 0.0],
            cap: wide,
            material: cloth,
            depth_bias: 0.0,
            opacity: 1.0,
            casts_shadow: true,
        }
    }

    pub(super) fn flattened(self, side: Vector3, flat: f32, cap: Vector2) -> Self {
        Self { side, flatness: flat, cap, ..self }
    }

    pub(super) fn with_depth_bias(self, nearer: f32) -> Self {
        Self { depth_bias: nearer, ..self }
    }

    pub(super) fn without_shadow(self) -> Self {
        Self { casts_shadow: false, ..self }
    }

    fn with_bulge(self, bulge: f32) -> Self {
        Self { bulge, ..self }
    }
}

/// Pose of an arm: directions of its two halves (forward, outward and up), and their weight.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct ArmPose {
    pub(super) upper: Vector3,
    pub(super) fore: Vector3,
    /// 0: it swings with the gait; 1: it is held in this pose.
    pub(super) held: f32,
}

/// Pose of a person at one instant.
#[derive(Debug, Clone, Default)]
pub(super) struct FigurePose {
    pub(super) position: Vector2,
    /// Radians, from x towards y.
    pub(super) heading: f32,
    /// Phase of the gait, in turns.
    pub(super) phase: f32,
    /// Length of a step in metres; 0 when standing.
    pub(super) step: f32,
    /// Metres per second.
    pub(super) speed: f32,
    /// Radians forward.
    pub(super) lean: f32,
    /// Metres by which the hips are lower, and the feet higher.
    pub(super) crouch: f32,
    pub(super) hop: f32,
    /// Metres aside and forward, radians of twist.
    pub(super) sway: Vector3,
    /// Radians to the left.
    pub(super) head: f32,
    /// Left and right.
    pub(super) arms: [ArmPose; 2],
    /// Height of the seat above the ground in metres, for a seated person.
    pub(super) seat: Option<f32>,
    pub(super) cane: bool,
    pub(super) umbrella: bool,
}

/// Landmarks of a body for the ground truth.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Landmarks {
    pub(super) head: Vector3,
    pub(super) hands: [Vector3; 2],
}

/// Axes of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyAxes {
    pub(super) at: Vector2,
    pub(super) forward: Vector3,
    /// Direction to its right.
    pub(super) right: Vector3,
}

impl BodyAxes {
    pub(super) fn new(at: Vector2, heading: f32) -> Self {
        let (sin, cos) = heading.sin_cos();
        Self { at, forward: [cos, sin, 0.0], right: [sin, -cos, 0.0] }
    }

    pub(super) fn direction(&self, [forward, right, up]: Vector3) -> Vector3 {
        let flat = add(scale(self.forward, forward), scale(self.right, right));
        [flat[0], flat[1], up]
    }

    pub(super) fn point(&self, [forward, right, up]: Vector3) -> Vector3 {
        let by = self.direction([forward, right, up]);
        [self.at[0] + by[0], self.at[1] + by[1], up]
    }
}

/// Returns the swing of a leg at a phase: the thigh's angle forward and the knee's bend, in radians.
fn leg_swing(phase: f32, reach: f32, run: f32) -> Vector2 {
    let p = phase.rem_euclid(1.0);
    // The stance takes longer than the swing, and the leg pauses briefly before it lands.
    let turn = if p < 0.56 { p / 0.56 } else { 1.0 - ((p - 0.56) / 0.36).min(1.0) };
    let thigh = reach * ((std::f32::consts::PI * turn).cos() * 0.92 + 0.2);
    let bump = |from: f32, to: f32| {
        let t = (p - from) / (to - from);
        if (0.0..1.0).contains(&t) { (std::f32::consts::PI * t).sin().powi(2) } else { 0.0 }
    };
    let share = (reach / 0.42).min(1.0 + 0.3 * run);
    let knee = 0.06 + share * (0.22 * bump(0.0, 0.34) + (0.77 + 0.65 * run) * bump(0.42, 0.95));
    [thigh, knee]
}

/// Builds the bones of a person and replaces the content of `bones`.
pub(super) fn build_person(look: &PersonAppearance, pose: &FigurePose, bones: &mut Vec<Bone>) -> Landmarks {
    bones.clear();
    let tall = look.height;
    let child = tall < 1.4;
    let frame = BodyAxes::new(pose.position, pose.heading);
    let girth = look.girth;
    let head_size = if child { 0.092 } else { 0.0645 * tall.max(1.6) + 0.006 };
    let (thigh, shank, ankle) = (0.235 * tall, 0.235 * tall, 0.045 * tall);
    let run = ((pose.speed - 1.8) / 1.2).clamp(0.0, 1.0);
    let reach = (pose.step / (2.0 * (thigh + shank))).min(0.7).asin();
    let legs = [0.0, 0.5].map(|offset| leg_swing(pose.phase + offset, reach, run));

    // The standing leg sets the height of the hips; a seat carries a seated person.
    let lowest = legs.iter().map(|[hip, knee]| thigh * hip.cos() + shank * (hip - knee).cos()).fold(0.0, f32::max);
    let hips = match pose.seat {
        Some(seat) => seat + 0.05 * tall,
        None => lowest + ankle - pose.crouch + pose.hop,
    };
    let side = frame.right;
    let [aside, fore, twist] = pose.sway;
    let pelvis = frame.point([fore, aside, hips]);
    let long = 0.29 * tall;
    let up = frame.direction([pose.lean.sin(), -aside * 0.6, pose.lean.cos()]);
    let chest = add(pelvis, scale(up, long));
    let turned =
        BodyAxes::new(pose.position, pose.heading + twist - reach * 0.35 * (std::f32::consts::TAU * pose.phase).cos());
    let shoulders = turned.right;

    build_legs(look, pose, &frame, pelvis, &legs, [thigh, shank, ankle], bones);

    // Trousers up to the waist, then the upper garment.
    let hip_wide = 0.096 * tall * girth;
    let waist = add(pelvis, scale(up, 0.07 * tall));
    bones.push(
        Bone::round(add(pelvis, scale(up, -0.03 * tall)), waist, [hip_wide, hip_wide * 0.93], look.bottom).flattened(
            side,
            0.68,
            [0.05 * tall, 0.02],
        ),
    );
    let belly = girth.powf(1.3);
    bones.push(
        Bone::round(
            add(pelvis, scale(up, 0.045 * tall)),
            add(chest, scale(up, -0.065 * tall)),
            [0.09 * tall * belly, 0.104 * tall * girth.sqrt()],
            look.top,
        )
        .flattened(shoulders, 0.64, [0.02, 0.03 * tall])
        .with_bulge(0.003 * tall)
        .with_depth_bias(0.03),
    );
    // The shoulders slope up to the neck.
    let yoke = add(chest, scale(up, -0.042 * tall));
    let half = scale(shoulders, 0.082 * tall * girth.sqrt());
    let plain =
        if look.top.pattern == FabricPattern::Open { look.top.with_pattern(FabricPattern::Plain) } else { look.top };
    bones.push(
        Bone::round(sub(yoke, half), add(yoke, half), [0.036 * tall; 2], plain)
            .with_bulge(0.016 * tall)
            .with_depth_bias(0.035),
    );
    match look.cut {
        BottomCut::Skirt if pose.seat.is_none() => bones.push(
            Bone::round(
                waist,
                frame.point([fore * 0.5, aside * 0.5, 0.3 * tall]),
                [0.085 * tall * girth, 0.125 * tall * girth + pose.step * 0.06],
                look.bottom.with_roughness(look.bottom.roughness + 0.1),
            )
            .flattened(side, 0.85, [0.01, 0.02])
            .with_depth_bias(0.28),
        ),
        BottomCut::Coat if pose.seat.is_none() => bones.push(
            Bone::round(
                waist,
                frame.point([fore * 0.5, aside * 0.5, 0.36 * tall]),
                [0.098 * tall * girth, 0.115 * tall * girth + pose.step * 0.04],
                look.top,
            )
            .flattened(side, 0.75, [0.02, 0.02])
            .with_depth_bias(0.25),
        ),
        _ => {}
    }

    let hands = build_arms(look, pose, &turned, chest, tall, bones);
    let head = build_head(look, pose, chest, up, head_size, bones);
    build_carried(look, pose, &turned, chest, pelvis, &hands, bones);
    Landmarks { head, hands }
}

fn build_legs(
    look: &PersonAppearance,
    pose: &FigurePose,
    frame: &BodyAxes,
    pelvis: Vector3,
    legs: &[Vector2; 2],
    long: Vector3,
    bones: &mut Vec<Bone>,
) {
    let tall = look.height;
    let [thigh, shank, ankle] = long;
    let girth = look.girth;
    let lower = if matches!(look.cut, BottomCut::Shorts | BottomCut::Skirt) { look.skin } else { look.bottom };
    for (leg, out) in legs.iter().zip([-1.0_f32, 1.0]) {
        let [mut hip, mut knee] = *leg;
        if pose.seat.is_some() {
            (hip, knee) = (1.45, 1.35);
        } else if pose.crouch > 0.01 {
            let bend = (1.0 - pose.crouch / (thigh + shank)).clamp(0.3, 1.0).acos();
            (hip, knee) = (hip + bend, knee + bend * 2.0);
        }
        let joint = add(pelvis, frame.direction([0.0, out * 0.048 * tall, -0.01 * tall]));
        let lean = out * 0.02 - pose.sway[0] * 0.8;
        let k = add(joint, scale(normalize(frame.direction([hip.sin(), lean, -hip.cos()])), thigh));
        let calf = hip - knee;
        let foot = add(k, scale(normalize(frame.direction([calf.sin(), lean, -calf.cos()])), shank));
        let thick = 0.053 * tall * girth;
        bones.push(Bone::round(joint, k, [thick, thick * 0.72], look.bottom));
        bones.push(Bone::round(k, foot, [thick * 0.70, thick * 0.46], lower).with_bulge(0.004 * tall));
        // The heel lifts before the leg swings, the toe before it lands.
        let tip = (calf * 0.9).clamp(-1.1, 0.35);
        let heel = add(foot, frame.direction([-0.02 * tall, 0.0, -ankle * 0.55]));
        let toe = add(heel, frame.direction([0.115 * tall * tip.cos(), out * 0.012, 0.115 * tall * tip.sin()]));
        let sole = 0.022 * tall;
        bones.push(
            Bone::round(heel, toe, [sole, sole * 0.9], look.shoes)
                .flattened(frame.right, 0.8, [sole, sole])
                .without_shadow(),
        );
    }
}

fn build_arms(
    look: &PersonAppearance,
    pose: &FigurePose,
    frame: &BodyAxes,
    chest: Vector3,
    tall: f32,
    bones: &mut Vec<Bone>,
) -> [Vector3; 2] {
    let girth = look.girth;
    let mut hands = [[0.0; 3]; 2];
    let sleeve =
        if look.top.pattern == FabricPattern::Open { look.top.with_pattern(FabricPattern::Plain) } else { look.top };
    let lower = if look.long_sleeves { sleeve } else { look.skin };
    // Across the shoulders, over the top of the chest.
    let wide = 0.108 * tall * girth.sqrt();
    for (i, out) in [-1.0_f32, 1.0].into_iter().enumerate() {
        let arm = pose.arms[i];
        // An arm swings with the opposite leg.
        let turn = (pose.phase + if i == 0 { 0.5 } else { 0.0 }) * std::f32::consts::TAU;
        let amount = (pose.step * 0.62).min(0.75);
        let angle = amount * turn.cos();
        let bend = 0.18 + amount * (0.35 + 0.3 * turn.cos()) + if pose.speed > 1.8 { 1.1 } else { 0.0 };
        let upper = normalize([angle.sin(), 0.13, -angle.cos()]);
        let fore = normalize([(angle + bend).sin(), 0.05, -(angle + bend).cos()]);
        let upper = normalize(lerp(upper, arm.upper, arm.held));
        let fore = normalize(lerp(fore, arm.fore, arm.held));
        let [upper, fore] = [upper, fore].map(|[f, o, u]| frame.direction([f, o * out, u]));
        let lift = 0.03 * tall * upper[2].max(0.0);
        let joint = add(chest, frame.direction([0.0, out * (wide - 0.014 * tall), lift - 0.046 * tall]));
        let elbow = add(joint, scale(upper, 0.172 * tall));
        let wrist = add(elbow, scale(fore, 0.145 * tall));
        let hand = add(wrist, scale(fore, 0.045 * tall));
        let thick = 0.031 * tall * girth.sqrt();
        bones.push(Bone::round(joint, elbow, [thick * 1.12, thick * 0.88], sleeve));
        bones.push(Bone::round(elbow, wrist, [thick * 0.86, thick * 0.62], lower));
        bones.push(Bone::round(wrist, hand, [thick * 0.55, thick * 0.62], look.skin).without_shadow());
        hands[i] = hand;
    }
    hands
}

fn build_head(
    look: &PersonAppearance,
    pose: &FigurePose,
    chest: Vector3,
    up: Vector3,
    size: f32,
    bones: &mut Vec<Bone>,
) -> Vector3 {
    let frame = BodyAxes::new(pose.position, pose.heading + pose.head);
    let tall = look.height;
    let nod = pose.lean * 0.4;
    let head = add(add(chest, scale(up, 0.026 * tall + size)), frame.direction([0.02 + nod * 0.06, 0.0, 0.0]));
    let neck = 0.028 * tall;
    bones.push(
        Bone::round(add(chest, scale(up, -0.01)), lerp(chest, head, 0.7), [neck * 1.15, neck], look.skin)
            .without_shadow(),
    );
    let covering = look.hat.unwrap_or(look.hair);
    let half = size * 0.38;
    let wide = size * 0.70;
    let spine = |by: Vector3, wide: f32, half: f32, cloth: SurfaceMaterial| {
        let middle = add(head, frame.direction(by));
        Bone::round(add(middle, [0.0, 0.0, -half]), add(middle, [0.0, 0.0, half]), [wide * 0.92, wide], cloth)
    };
    bones.push(spine([-0.012, 0.0, 0.012], wide * 1.04, half * 0.9, covering));
    bones.push(
        spine([wide * 0.42, 0.0, -size * 0.2], wide * 0.78, half * 0.75, look.skin)
            .with_depth_bias(0.01)
            .without_shadow(),
    );
    if look.long_hair {
        let top = add(head, frame.direction([-wide * 0.5, 0.0, 0.0]));
        let end = add(top, frame.direction([-0.02, 0.0, -size * 2.1]));
        bones.push(Bone::round(top, end, [wide * 0.95, wide * 0.8], look.hair).flattened(
            frame.right,
            0.6,
            [wide * 0.8; 2],
        ));
    }
    if let Some(hat) = look.hat {
        // A brim.
        let rim = add(head, frame.direction([wide * 0.35, 0.0, size * 0.42]));
        let front = add(rim, frame.direction([wide * 0.5, 0.0, -0.01]));
        bones.push(
            Bone::round(rim, front, [wide * 0.95, wide * 0.8], hat.scaled(0.85))
                .flattened(frame.right, 0.25, [wide * 0.3; 2])
                .with_depth_bias(0.03),
        );
    }
    head
}

fn build_carried(
    look: &PersonAppearance,
    pose: &FigurePose,
    frame: &BodyAxes,
    chest: Vector3,
    pelvis: Vector3,
    hands: &[Vector3; 2],
    bones: &mut Vec<Bone>,
) {
    let tall = look.height;
    match look.bag {
        Some((BagStyle::Back, cloth)) if pose.seat.is_none() => {
            let back = frame.direction([-0.085 * tall, 0.0, 0.0]);
            let (top, bottom) = (add(lerp(pelvis, chest, 0.88), back), add(lerp(pelvis, chest, 0.25), back));
            let wide = 0.082 * tall;
            bones.push(Bone::round(top, bottom, [wide, wide * 1.1], cloth).flattened(frame.right, 0.55, [0.05, 0.05]));
        }
        Some((BagStyle::Shoulder, cloth)) if pose.seat.is_none() => {
            let hung = add(pelvis, frame.direction([0.0, 0.115 * tall * look.girth, 0.03]));
            let (top, bottom) = (add(hung, [0.0, 0.0, 0.1]), add(hung, [0.0, 0.0, -0.12]));
            bones.push(Bone::round(top, bottom, [0.13, 0.15], cloth).flattened(frame.forward, 0.35, [0.03, 0.04]));
        }
        Some((BagStyle::Hand, cloth)) if pose.seat.is_none() && pose.arms[1].held < 0.3 => {
            let hung = hands[1];
            let (top, bottom) = (add(hung, [0.0, 0.0, -0.06]), add(hung, [0.0, 0.0, -0.34]));
            bones.push(Bone::round(top, bottom, [0.10, 0.13], cloth).flattened(frame.forward, 0.45, [0.02, 0.03]));
        }
        _ => {}
    }
    let stick = SurfaceMaterial::new([0.2, 0.15, 0.12]);
    if pose.cane {
        let hand = hands[1];
        let tip = [hand[0] + frame.forward[0] * 0.06, hand[1] + frame.forward[1] * 0.06, 0.01];
        bones.push(Bone::round(add(hand, [0.0, 0.0, 0.02]), tip, [0.014, 0.011], stick));
    }
    if let Some(cloth) = look.umbrella.filter(|_| pose.umbrella) {
        let grip = hands[1];
        let top = add(chest, frame.direction([0.08, 0.08, 0.36 * tall]));
        bones.push(Bone::round(grip, top, [0.01, 0.01], stick));
        let rim = add(top, [0.0, 0.0, -0.17]);
        bones.push(
            Bone::round(top, rim, [0.30, 0.53], cloth.with_pattern(FabricPattern::Plain))
                .flattened(frame.right, 1.0, [0.04, 0.03])
                .with_depth_bias(0.4),
        );
    }
}
