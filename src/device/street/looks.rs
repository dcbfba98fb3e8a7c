//! What people wear, drawn by lot: heights, hair, clothes, what they carry.

use super::kinds::Kind;
use super::paint::{Cloth, Pattern};

/// What covers the legs, or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Trousers,
    Shorts,
    Skirt,
    Coat,
}

/// What someone carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bag {
    Back,
    Shoulder,
    Hand,
}

/// How someone looks, for as long as he is there.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// In metres.
    pub(super) height: f32,
    /// 1 is average.
    pub(super) girth: f32,
    pub(super) skin: Cloth,
    pub(super) hair: Cloth,
    pub(super) long_hair: bool,
    pub(super) hat: Option<Cloth>,
    pub(super) top: Cloth,
    pub(super) long_sleeves: bool,
    pub(super) bottom: Cloth,
    pub(super) cut: Cut,
    pub(super) shoes: Cloth,
    pub(super) bag: Option<(Bag, Cloth)>,
    pub(super) umbrella: Option<Cloth>,
    pub(super) frame: Cloth,
}

const SKINS: [[f32; 3]; 6] = [
    [0.87, 0.72, 0.63],
    [0.82, 0.66, 0.54],
    [0.74, 0.57, 0.45],
    [0.62, 0.46, 0.36],
    [0.47, 0.34, 0.27],
    [0.36, 0.26, 0.21],
];

const HAIRS: [[f32; 3]; 7] = [
    [0.10, 0.09, 0.09],
    [0.14, 0.11, 0.09],
    [0.22, 0.16, 0.12],
    [0.33, 0.24, 0.17],
    [0.55, 0.44, 0.30],
    [0.60, 0.58, 0.55],
    [0.80, 0.79, 0.77],
];

const TOPS: [[f32; 3]; 16] = [
    [0.12, 0.12, 0.14],
    [0.16, 0.18, 0.26],
    [0.28, 0.29, 0.31],
    [0.45, 0.46, 0.48],
    [0.60, 0.60, 0.60],
    [0.86, 0.86, 0.85],
    [0.93, 0.92, 0.88],
    [0.55, 0.15, 0.17],
    [0.70, 0.32, 0.24],
    [0.30, 0.38, 0.27],
    [0.42, 0.40, 0.28],
    [0.24, 0.34, 0.52],
    [0.48, 0.60, 0.75],
    [0.72, 0.62, 0.47],
    [0.80, 0.68, 0.30],
    [0.55, 0.42, 0.52],
];

const BOTTOMS: [[f32; 3]; 8] = [
    [0.11, 0.11, 0.13],
    [0.17, 0.19, 0.27],
    [0.23, 0.28, 0.40],
    [0.36, 0.43, 0.56],
    [0.34, 0.33, 0.32],
    [0.50, 0.46, 0.39],
    [0.64, 0.59, 0.50],
    [0.78, 0.77, 0.74],
];

fn one<T: Copy>(of: &[T], random: &mut fastrand::Rng) -> T {
    of[random.usize(..of.len())]
}

fn chance(share: f32, random: &mut fastrand::Rng) -> bool {
    random.f32() < share
}

fn between(from: f32, to: f32, random: &mut fastrand::Rng) -> f32 {
    from + (to - from) * random.f32()
}

/// Someone of a kind. `paving` is the ground's reflectance: much that people wear is as bright as what they walk on.
pub(super) fn draw_look(kind: Kind, paving: f32, rain: bool, random: &mut fastrand::Rng) -> Look {
    let child = kind == Kind::Child;
    let old = kind == Kind::Cane || chance(0.12, random);
    let woman = chance(0.5, random);
    let height = match kind {
        Kind::Child => between(1.0, 1.3, random),
        // To its shoulders.
        Kind::Dog => between(0.35, 0.65, random),
        _ if woman => between(1.55, 1.76, random),
        _ => between(1.66, 1.95, random),
    };
    let garment = |of: &[[f32; 3]], near: f32, random: &mut fastrand::Rng| {
        let cloth = Cloth::new(one(of, random)).rough(between(0.14, 0.36, random));
        if chance(near, random) {
            Cloth { y: paving * between(0.75, 1.3, random), ..cloth }
        } else {
            cloth.shade(between(0.75, 1.25, random))
        }
    };
    let mut top = garment(&TOPS, 0.34, random);
    let pattern = random.f32();
    top = top.pattern(match pattern {
        p if p < 0.11 => Pattern::Stripes,
        p if p < 0.18 => Pattern::Check,
        p if p < 0.30 => Pattern::Open,
        _ => Pattern::Plain,
    });
    let cut = match random.f32() {
        c if c < 0.22 && woman => Cut::Skirt,
        c if c < 0.40 && !child => Cut::Coat,
        c if c < 0.52 && !rain => Cut::Shorts,
        _ => Cut::Trousers,
    };
    let bag = match random.f32() {
        b if b < 0.16 => Some(Bag::Back),
        b if b < 0.26 && !child => Some(Bag::Shoulder),
        b if b < 0.36 && !child => Some(Bag::Hand),
        _ => None,
    };
    let hair = if old { one(&HAIRS[5..], random) } else { one(&HAIRS[..6], random) };
    Look {
        height,
        girth: if child { between(0.9, 1.05, random) } else { between(0.88, 1.25, random) },
        skin: Cloth::new(one(&SKINS, random)).rough(0.05),
        hair: Cloth::new(hair).rough(0.2),
        long_hair: woman && chance(0.6, random),
        hat: chance(0.14, random).then(|| garment(&TOPS, 0.2, random)),
        top,
        long_sleeves: rain || cut == Cut::Coat || chance(0.6, random),
        bottom: garment(&BOTTOMS, 0.25, random),
        cut,
        shoes: Cloth::new(if chance(0.25, random) { [0.8, 0.8, 0.8] } else { [0.14, 0.12, 0.11] }).rough(0.05),
        bag: bag.map(|bag| (bag, garment(&TOPS, 0.2, random))),
        umbrella: (rain && kind == Kind::Adult && chance(0.5, random))
            .then(|| garment(&TOPS, 0.15, random).rough(0.05)),
        frame: Cloth::new(one(&[[0.13, 0.13, 0.14], [0.2, 0.22, 0.3], [0.45, 0.45, 0.47]], random)).rough(0.05),
    }
}
