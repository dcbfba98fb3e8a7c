//! Random layout of a city's square: paving, props, lamps and the sun.

use super::archetypes::Weather;
use super::camera_model::{PinholeCamera, Vector2, Vector3, normalize};
use super::facade::Facade;
use super::foliage::TreeCrown;
use super::lighting::LampLight;
use super::paving::{Paving, PavingBond, StreetGeometry};
use super::props::{Prop, PropMaterial, PropShape, add_bench, add_lamp_post};
use super::rasterizer::SurfaceMaterial;

/// All static parts of a square.
#[derive(Debug, Clone)]
pub(super) struct SquareLayout {
    pub(super) camera: PinholeCamera,
    pub(super) street: StreetGeometry,
    pub(super) paving: Paving,
    pub(super) facade: Facade,
    pub(super) props: Vec<Prop>,
    pub(super) crowns: Vec<TreeCrown>,
    pub(super) lamps: Vec<LampLight>,
    /// Position of the floodlight, and the point at which it is aimed.
    pub(super) flood: [Vector3; 2],
    pub(super) sun: Vector3,
    pub(super) seed: u32,
}

const PAVING_COLOURS: [[f32; 3]; 7] = [
    [0.56, 0.55, 0.54],
    [0.50, 0.49, 0.47],
    [0.62, 0.59, 0.54],
    [0.58, 0.50, 0.45],
    [0.46, 0.47, 0.49],
    [0.66, 0.64, 0.60],
    [0.53, 0.46, 0.42],
];

const FACADE_COLOURS: [[f32; 3]; 6] = [
    [0.60, 0.42, 0.34],
    [0.72, 0.66, 0.56],
    [0.55, 0.54, 0.53],
    [0.78, 0.75, 0.70],
    [0.50, 0.36, 0.30],
    [0.64, 0.60, 0.48],
];

impl SquareLayout {
    pub(super) fn new(city: u64, size: [usize; 2], weather: Weather) -> Self {
        let mut random = fastrand::Rng::with_seed(city.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5_9a2e);
        let mut between = |from: f32, to: f32| from + (to - from) * random.f32();
        let height = between(3.5, 3.9);
        let view = PinholeCamera::new(size, height, between(25.0, 27.5_f32).to_radians(), between(1.09, 1.16));
        let street = StreetGeometry {
            rotation: between(-7.0, 7.0_f32).to_radians(),
            kerb: between(21.0, 22.0),
            road: between(5.2, 6.2),
            walk: between(1.6, 2.4),
        };
        // The sun comes from one side, and slightly from behind the camera or the houses.
        let side = if between(0.0, 1.0) < 0.5 { 1.0 } else { -1.0 };
        let [rise, way] = match weather {
            Weather::LowSun => [between(13.0, 17.0_f32), between(-25.0, 30.0_f32)],
            _ => [between(34.0, 50.0_f32), between(-40.0, 25.0_f32)],
        };
        let (rise, way) = (rise.to_radians(), way.to_radians());
        let sun = normalize([side * way.cos() * rise.cos(), way.sin() * rise.cos(), rise.sin()]);
        let seed = random.u32(..);

        let paving = random_paving(&mut random);
        let facade = random_facade(&mut random);
        let mut things = vec![];
        let mut crowns = vec![];
        let lamps = place_props(&view, &street, &mut random, &mut things, &mut crowns);
        let mut between = |from: f32, to: f32| from + (to - from) * random.f32();
        let at = street.square_coordinates([-side * between(7.5, 8.5), between(14.5, 16.0)]);
        let to = [-side * between(1.6, 2.4), between(8.5, 9.5)];
        let flood = [[at[0] + side * 0.5, at[1] - 0.6, 7.0], [to[0], to[1], 0.0]];
        things.push(Prop {
            at: [at[0], at[1], 3.5],
            shape: PropShape::Post { radius: 0.09, half: 3.5 },
            material: PropMaterial::Metal,
        });
        Self { camera: view, street, paving, facade, props: things, crowns, lamps, flood, sun, seed }
    }

    /// Returns the largest walkable distance from the camera, `aside` metres from its middle.
    pub(super) fn walkable_depth(&self, aside: f32) -> f32 {
        let (sin, cos) = self.street.rotation.sin_cos();
        (self.street.kerb - 0.6 + aside * sin) / cos
    }
}

fn random_paving(random: &mut fastrand::Rng) -> Paving {
    let bonds = [
        PavingBond::Grid,
        PavingBond::Running,
        PavingBond::Herringbone,
        PavingBond::Setts,
        PavingBond::Bands,
        PavingBond::Poured,
    ];
    let bond = bonds[random.usize(..bonds.len())];
    let mut between = |from: f32, to: f32| from + (to - from) * random.f32();
    let (stone, joint, deep) = match bond {
        PavingBond::Grid => (between(0.4, 0.7), 0.012, 0.42),
        PavingBond::Running => (between(0.5, 0.9), 0.012, 0.4),
        PavingBond::Herringbone => (0.2, 0.008, 0.4),
        PavingBond::Setts => (between(0.14, 0.2), 0.02, 0.4),
        PavingBond::Bands => (between(0.5, 0.75), 0.012, 0.35),
        PavingBond::Poured => (between(2.4, 3.4), 0.022, 0.5),
    };
    let sides = match bond {
        PavingBond::Running => [stone, stone * 0.5],
        PavingBond::Herringbone => [0.2, 0.1],
        PavingBond::Setts => [stone * 1.1, stone * 0.9],
        _ => [stone, stone],
    };
    let turn = [0.0, 45.0, between(-20.0, 20.0)][(between(0.0, 2.99)) as usize] + between(-6.0, 6.0);
    let cloth = SurfaceMaterial::new(PAVING_COLOURS[between(0.0, PAVING_COLOURS.len() as f32 - 0.01) as usize]);
    let lids = [[between(-4.0, 4.0), between(4.5, 8.0)], [between(-7.0, 7.0), between(11.0, 17.0)]];
    let ring = (between(0.0, 1.0) < 0.4).then(|| ([between(-1.5, 1.5), between(8.0, 11.0)], between(2.2, 3.6)));
    let drain = (between(0.0, 1.0) < 0.5).then(|| between(5.0, 13.0));
    Paving {
        bond,
        stone: sides,
        rotation: turn.to_radians(),
        material: cloth,
        joint,
        seed: random.u32(..),
        joint_darkness: deep,
        ring,
        manholes: lids,
        drain,
    }
}

fn random_facade(random: &mut fastrand::Rng) -> Facade {
    let brick = random.bool();
    let shops = random.bool();
    let wall = FACADE_COLOURS[random.usize(..FACADE_COLOURS.len())];
    let mut between = |from: f32, to: f32| from + (to - from) * random.f32();
    let grid = [between(2.2, 3.6), between(3.2, 3.8)];
    let window = [between(0.4, 0.62), between(0.45, 0.6)];
    Facade { material: SurfaceMaterial::new(wall), grid, window, brick, shops, seed: random.u32(..) }
}

/// Places posts, benches, trees and bins where they are visible but leave the middle free.
fn place_props(
    view: &PinholeCamera,
    street: &StreetGeometry,
    random: &mut fastrand::Rng,
    things: &mut Vec<Prop>,
    crowns: &mut Vec<TreeCrown>,
) -> Vec<LampLight> {
    let side = if random.bool() { 1.0 } else { -1.0 };
    let mut between = |from: f32, to: f32| from + (to - from) * random.f32();
    let spot = |share: f32, y: f32| -> Vector2 { [share * view.half_width(y), y] };
    let mut lamps = vec![];
    // One lamp at medium distance, one far away on the other side.
    for (at, high) in
        [(spot(side * between(0.45, 0.62), between(9.0, 11.5)), 4.6), (spot(-side * between(0.5, 0.75), 19.0), 4.8)]
    {
        let toward = (between(7.0, 11.0) - at[1]).atan2(-at[0]);
        let glow = add_lamp_post(at, high, toward, things);
        lamps.push(LampLight { at: glow, power: between(0.55, 0.75) });
    }
    // One over the camera's own wall.
    lamps.push(LampLight { at: [-side * 1.5, 1.5, 5.2], power: 0.09 });
    let at = spot(-side * between(0.72, 0.88), between(12.0, 16.0));
    add_bench(at, -side * between(1.2, 1.7), things);
    let at = spot(side * between(0.8, 0.9), between(13.0, 17.0));
    add_bench(at, side * between(1.2, 1.8), things);
    let at = spot(side * between(0.30, 0.45), 18.5 + between(0.0, 1.0));
    things.push(Prop {
        at: [at[0], at[1], 0.45],
        shape: PropShape::Post { radius: 0.24, half: 0.45 },
        material: PropMaterial::Metal,
    });
    let first = between(-10.0, -8.5);
    let step = between(1.8, 2.4);
    for i in 0..9 {
        let at = street.square_coordinates([first + step * i as f32, street.kerb - 0.35]);
        let shape = PropShape::Post { radius: 0.07, half: 0.45 };
        things.push(Prop { at: [at[0], at[1], 0.45], shape, material: PropMaterial::Stone });
    }
    // A tree or two, and a tub with a shrub.
    let at = spot(-side * between(0.60, 0.78), between(17.0, 19.5));
    add_tree(at, between(3.6, 4.4), between(1.4, 1.9), random.u32(..), things, crowns);
    if random.bool() {
        let at = street.square_coordinates([side * 5.0, street.facade_distance() - 0.8]);
        add_tree(at, 4.6, 1.8, random.u32(..), things, crowns);
    }
    let mut between = |from: f32, to: f32| from + (to - from) * random.f32();
    let at = spot(side * between(0.84, 0.95), between(9.0, 10.5));
    let turn = between(-0.3, 0.3);
    things.push(Prop {
        at: [at[0], at[1], 0.28],
        shape: PropShape::Block { half: [0.5, 0.5, 0.28], turn },
        material: PropMaterial::Stone,
    });
    crowns.push(TreeCrown::new([at[0], at[1], 0.85], [0.55, 0.55, 0.42], 190, 0.055, random.u32(..)));
    lamps
}

fn add_tree(at: Vector2, high: f32, wide: f32, seed: u32, things: &mut Vec<Prop>, crowns: &mut Vec<TreeCrown>) {
    let half = (high - 0.6 * wide) / 2.0;
    things.push(Prop {
        at: [at[0], at[1], half],
        shape: PropShape::Post { radius: 0.11, half },
        material: PropMaterial::Bark,
    });
    crowns.push(TreeCrown::new([at[0], at[1], high], [wide, wide, wide * 0.8], 420, 0.14, seed));
}
