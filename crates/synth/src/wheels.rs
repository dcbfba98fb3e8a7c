//! Wheelchairs and prams, as bones.

use super::appearance::PersonAppearance;
use super::camera_model::{Vector2, Vector3, add, scale};
use super::rasterizer::{FabricPattern, SurfaceMaterial};
use super::skeleton::{BodyAxes, Bone};
use std::f32::consts::TAU;

/// Builds a wheel: its rim, and spokes that half hide the background.
fn build_wheel(
    middle: Vector3,
    radius: f32,
    forward: Vector3,
    thick: f32,
    bones: &mut Vec<Bone>,
    tyre: SurfaceMaterial,
) {
    const PARTS: usize = 14;
    let at = |i: usize| {
        let (sin, cos) = (i as f32 / PARTS as f32 * TAU).sin_cos();
        add(middle, add(scale(forward, radius * cos), [0.0, 0.0, radius * sin]))
    };
    let up = radius * 0.02;
    let disc = Bone::round(
        add(middle, [0.0, 0.0, -up]),
        add(middle, [0.0, 0.0, up]),
        [radius * 0.97; 2],
        tyre.with_pattern(FabricPattern::Spokes),
    )
    .flattened(forward, 0.06, [radius * 0.95; 2]);
    bones.push(Bone { opacity: 0.6, side: forward, ..disc });
    for i in 0..PARTS {
        bones.push(Bone::round(at(i), at(i + 1), [thick, thick], tyre));
    }
}

/// Builds the wheelchair under a seated person; `at` is the middle of the seat.
pub(super) fn build_wheelchair(look: &PersonAppearance, at: Vector2, heading: f32, bones: &mut Vec<Bone>) {
    let frame = BodyAxes::new(at, heading);
    let metal = SurfaceMaterial::new([0.42, 0.43, 0.45]).with_roughness(0.03);
    let tyre = SurfaceMaterial::new([0.12, 0.12, 0.12]).with_roughness(0.02);
    for side in [-0.30_f32, 0.30] {
        build_wheel(frame.point([-0.06, side, 0.31]), 0.30, frame.forward, 0.017, bones, tyre);
        let small = frame.point([0.42, side * 0.8, 0.09]);
        bones.push(Bone::round(add(small, [0.0, 0.0, -0.005]), small, [0.085; 2], tyre).flattened(
            frame.forward,
            0.3,
            [0.085; 2],
        ));
        let bar = |a: Vector3, b: Vector3| Bone::round(frame.point(a), frame.point(b), [0.016; 2], metal);
        let s = side * 0.75;
        bones.push(bar([-0.22, s, 0.45], [-0.30, s, 0.95]));
        bones.push(bar([-0.30, s, 0.95], [-0.42, s, 0.96]));
        bones.push(bar([-0.2, s, 0.70], [0.18, s, 0.70]));
        bones.push(bar([-0.2, s, 0.46], [0.36, s, 0.44]));
        bones.push(bar([0.36, s, 0.44], [0.48, s * 0.8, 0.12]));
    }
    let seat = Bone::round(frame.point([-0.2, 0.0, 0.46]), frame.point([0.22, 0.0, 0.47]), [0.22; 2], look.frame);
    bones.push(seat.flattened(frame.right, 0.14, [0.02; 2]));
    let back = Bone::round(frame.point([-0.23, 0.0, 0.5]), frame.point([-0.29, 0.0, 0.92]), [0.21; 2], look.frame);
    bones.push(back.flattened(frame.right, 0.14, [0.03; 2]));
    let rest = Bone::round(frame.point([0.46, 0.0, 0.11]), frame.point([0.60, 0.0, 0.10]), [0.17; 2], metal);
    bones.push(rest.flattened(frame.right, 0.1, [0.02; 2]));
}

/// Builds a pram in front of the person who pushes it.
pub(super) fn build_pram(look: &PersonAppearance, at: Vector2, heading: f32, bones: &mut Vec<Bone>) {
    let frame = BodyAxes::new(at, heading);
    let metal = SurfaceMaterial::new([0.38, 0.39, 0.4]).with_roughness(0.03);
    let tyre = SurfaceMaterial::new([0.13, 0.13, 0.13]).with_roughness(0.02);
    let cloth = look.frame.with_roughness(0.12);
    for side in [-0.25_f32, 0.25] {
        for (ahead, radius) in [(0.62, 0.14), (1.12, 0.11)] {
            let hub = frame.point([ahead, side, radius + 0.005]);
            let disc = Bone::round(add(hub, [0.0, 0.0, -0.003]), hub, [radius; 2], tyre);
            bones.push(disc.flattened(frame.forward, 0.2, [radius; 2]));
        }
        let bar = |a: Vector3, b: Vector3| Bone::round(frame.point(a), frame.point(b), [0.014; 2], metal);
        bones.push(bar([0.62, side, 0.14], [1.02, side * 0.9, 0.55]));
        bones.push(bar([1.12, side, 0.11], [0.70, side * 0.9, 0.58]));
        bones.push(bar([0.70, side * 0.9, 0.58], [0.42, side * 0.9, 1.0]));
    }
    let grip = Bone::round(frame.point([0.42, -0.23, 1.0]), frame.point([0.42, 0.23, 1.0]), [0.018; 2], metal);
    bones.push(grip);
    let tub = Bone::round(frame.point([0.58, 0.0, 0.60]), frame.point([1.22, 0.0, 0.60]), [0.21, 0.19], cloth);
    bones.push(tub.flattened(frame.right, 0.62, [0.06, 0.08]));
    let hood =
        Bone::round(frame.point([0.98, 0.0, 0.82]), frame.point([1.2, 0.0, 0.72]), [0.22, 0.2], cloth.scaled(0.8));
    bones.push(hood.flattened(frame.right, 0.75, [0.10, 0.08]));
    let blanket =
        Bone::round(frame.point([0.64, 0.0, 0.72]), frame.point([0.92, 0.0, 0.74]), [0.17; 2], look.top.scaled(1.2));
    bones.push(blanket.flattened(frame.right, 0.3, [0.05; 2]));
}
