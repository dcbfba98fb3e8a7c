//! Random appearance of people: height, hair, clothes and bags.

use super::archetypes::Archetype;
use super::rasterizer::{FabricPattern, SurfaceMaterial};

/// Garment over the legs, or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BottomCut {
    Trousers,
    Shorts,
    Skirt,
    Coat,
}

/// Carried bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BagStyle {
    Back,
    Shoulder,
    Hand,
}

/// Appearance of a person; it never changes.
#[derive(Debug, Clone)]
pub(super) struct PersonAppearance {
    /// In metres.
    pub(super) height: f32,
    /// Relative girth; 1 is average.
    pub(super) girth: f32,
    pub(super) skin: SurfaceMaterial,
    pub(super) hair: SurfaceMaterial,
    pub(super) long_hair: bool,
    pub(super) hat: Option<SurfaceMaterial>,
    pub(super) top: SurfaceMaterial,
    pub(super) long_sleeves: bool,
    pub(super) bottom: SurfaceMaterial,
    pub(super) cut: BottomCut,
    pub(super) shoes: SurfaceMaterial,
    pub(super) bag: Option<(BagStyle, SurfaceMaterial)>,
    pub(super) umbrella: Option<SurfaceMaterial>,
    pub(super) frame: SurfaceMaterial,
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

fn pick<T: Copy>(of: &[T], random: &mut fastrand::Rng) -> T {
    of[random.usize(..of.len())]
}

fn chance(share: f32, random: &mut fastrand::Rng) -> bool {
    random.f32() < share
}

fn between(from: f32, to: f32, random: &mut fastrand::Rng) -> f32 {
    from + (to - from) * random.f32()
}

/// Returns a random appearance for this archetype.
/// `paving` is the ground's reflectance: much clothing is as bright as the ground.
pub(super) fn random_appearance(
    kind: Archetype,
    paving: f32,
    rain: bool,
    random: &mut fastrand::Rng,
) -> PersonAppearance {
    let child = kind == Archetype::Child;
    let old = kind == Archetype::Cane || chance(0.12, random);
    let woman = chance(0.5, random);
    let height = match kind {
        Archetype::Child => between(1.0, 1.3, random),
        // To its shoulders.
        Archetype::Dog => between(0.35, 0.65, random),
        _ if woman => between(1.55, 1.76, random),
        _ => between(1.66, 1.95, random),
    };
    let garment = |of: &[[f32; 3]], near: f32, random: &mut fastrand::Rng| {
        let cloth = SurfaceMaterial::new(pick(of, random)).with_roughness(between(0.14, 0.36, random));
        if chance(near, random) {
            SurfaceMaterial { reflectance: paving * between(0.75, 1.3, random), ..cloth }
        } else {
            cloth.scaled(between(0.75, 1.25, random))
        }
    };
    let mut top = garment(&TOPS, 0.34, random);
    let pattern = random.f32();
    top = top.with_pattern(match pattern {
        p if p < 0.11 => FabricPattern::Stripes,
        p if p < 0.18 => FabricPattern::Check,
        p if p < 0.30 => FabricPattern::Open,
        _ => FabricPattern::Plain,
    });
    let cut = match random.f32() {
        c if c < 0.22 && woman => BottomCut::Skirt,
        c if c < 0.40 && !child => BottomCut::Coat,
        c if c < 0.52 && !rain => BottomCut::Shorts,
        _ => BottomCut::Trousers,
    };
    let bag = match random.f32() {
        b if b < 0.16 => Some(BagStyle::Back),
        b if b < 0.26 && !child => Some(BagStyle::Shoulder),
        b if b < 0.36 && !child => Some(BagStyle::Hand),
        _ => None,
    };
    let hair = if old { pick(&HAIRS[5..], random) } else { pick(&HAIRS[..6], random) };
    PersonAppearance {
        height,
        girth: if child { between(0.9, 1.05, random) } else { between(0.88, 1.25, random) },
        skin: SurfaceMaterial::new(pick(&SKINS, random)).with_roughness(0.05),
        hair: SurfaceMaterial::new(hair).with_roughness(0.2),
        long_hair: woman && chance(0.6, random),
        hat: chance(0.14, random).then(|| garment(&TOPS, 0.2, random)),
        top,
        long_sleeves: rain || cut == BottomCut::Coat || chance(0.6, random),
        bottom: garment(&BOTTOMS, 0.25, random),
        cut,
        shoes: SurfaceMaterial::new(if chance(0.25, random) { [0.8, 0.8, 0.8] } else { [0.14, 0.12, 0.11] })
            .with_roughness(0.05),
        bag: bag.map(|bag| (bag, garment(&TOPS, 0.2, random))),
        umbrella: (rain && kind == Archetype::Adult && chance(0.5, random))
            .then(|| garment(&TOPS, 0.15, random).with_roughness(0.05)),
        frame: SurfaceMaterial::new(pick(&[[0.13, 0.13, 0.14], [0.2, 0.22, 0.3], [0.45, 0.45, 0.47]], random))
            .with_roughness(0.05),
    }
}
