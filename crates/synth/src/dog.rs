//! Skeleton of a dog that trots and wags; it does not count as a person.

use super::appearance::PersonAppearance;
use super::camera_model::{Vector3, add, scale};
use super::rasterizer::SurfaceMaterial;
use super::skeleton::{BodyAxes, Bone, FigurePose, Landmarks};
use std::f32::consts::TAU;

/// Builds the bones of a dog and replaces the content of `bones`.
/// The height in its appearance is that of its shoulders, in metres.
pub(super) fn build_dog(look: &PersonAppearance, pose: &FigurePose, time: f64, bones: &mut Vec<Bone>) -> Landmarks {
    bones.clear();
    let tall = look.height;
    let frame = BodyAxes::new(pose.position, pose.heading);
    let coat = SurfaceMaterial { reflectance: look.hair.reflectance.max(0.05), ..look.hair }.with_roughness(0.3);
    let place = |forward: f32, aside: f32, up: f32| frame.point([forward * tall, aside * tall, up * tall + pose.hop]);
    let part = |a: Vector3, b: Vector3, from: f32, to: f32| Bone::round(a, b, [from * tall, to * tall], coat);

    let (hips, chest) = (place(-0.42, 0.0, 0.86), place(0.40, 0.0, 0.84));
    bones.push(part(hips, chest, 0.16, 0.21));
    let swing = (pose.step / (1.6 * tall)).min(0.7);
    for (ahead, aside, turn) in [(0.36, -0.11, 0.0), (0.36, 0.11, 0.5), (-0.40, -0.10, 0.5), (-0.40, 0.10, 0.0)] {
        // Diagonally opposite legs move together.
        let angle = swing * (TAU * (pose.phase + turn)).sin();
        let lift = 0.12 * (swing / 0.3).min(1.0) * (TAU * (pose.phase + turn)).cos().max(0.0);
        let joint = place(ahead, aside, 0.78);
        let knee = add(joint, scale(frame.direction([angle.sin() + 0.1, 0.0, -angle.cos()]), 0.38 * tall));
        let paw = add(knee, scale(frame.direction([1.2 * angle.sin() - 0.1, 0.0, -angle.cos() + lift]), 0.38 * tall));
        bones.push(part(joint, knee, 0.10, 0.055));
        bones.push(part(knee, paw, 0.05, 0.04));
    }
    let nod = 0.05 * (TAU * 2.0 * pose.phase).sin() * (swing / 0.3).min(1.0);
    let head = place(0.68, 0.3 * pose.head * 0.2, 1.16 + nod);
    bones.push(part(chest, head, 0.15, 0.11));
    bones.push(part(head, add(head, frame.direction([0.12 * tall, 0.0, 0.02 * tall])), 0.13, 0.12));
    bones.push(
        part(head, add(head, frame.direction([0.30 * tall, 0.0, -0.06 * tall])), 0.09, 0.06).with_depth_bias(0.02),
    );
    for aside in [-0.1, 0.1] {
        let ear = add(head, frame.direction([-0.02 * tall, aside * tall, 0.1 * tall]));
        bones.push(part(ear, add(ear, [0.0, 0.0, 0.08 * tall]), 0.05, 0.02).without_shadow());
    }
    let wag = 0.5 * (time * 14.0).sin() as f32;
    let tail = add(hips, frame.direction([-0.30 * tall, wag * 0.22 * tall, 0.26 * tall]));
    bones.push(part(add(hips, frame.direction([-0.1 * tall, 0.0, 0.05 * tall])), tail, 0.05, 0.025).without_shadow());
    Landmarks { head, ..Landmarks::default() }
}
