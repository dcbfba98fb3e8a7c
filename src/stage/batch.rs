//! A picture as what a GPU draws: one run of vertices between two shader layers, each run one draw call.

use super::outline::{self, Triangles};
use super::text::Letters;
use crate::scene::{Blend, Colour, Item, Paint, Picture, Shape, Transform};
use bytemuck::{Pod, Zeroable};

/// Most corners of one picture; what comes after them is not drawn.
const VERTICES_MAX: usize = 2_000_000;

/// A corner of something. What it is stands in `kind`, as `shaders/canvas.wgsl` reads it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Vertex {
    /// Canvas units.
    pub at: [f32; 2],
    /// Of a shape: units from its middle. Of a letter: its place in the atlas. Of triangles: how much is seen.
    pub local: [f32; 2],
    /// Half of a shape's sides.
    pub half: [f32; 2],
    /// Radius of its corners, width of its stroke, softness of its edge.
    pub edge: [f32; 3],
    /// 0 triangles, 1 a shape, 2 a letter; 4 more when it adds light.
    pub kind: f32,
    pub fill: [u8; 4],
    pub stroke: [u8; 4],
}

/// One thing for the GPU to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// All of the canvas in one colour.
    Clear(Colour),
    /// A run of indices.
    Triangles(std::ops::Range<u32>),
    /// A shader over all of the canvas.
    Shader { index: usize, params: Vec<u8>, blend: Blend },
}

/// A picture, ready to be drawn.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub vertices: Vec<Vertex>,
    pub indices: Vec<u32>,
    pub steps: Vec<Step>,
}

impl Batch {
    /// Makes a picture ready. `pixel` is how many pixels of the texture one canvas unit is.
    pub fn build(picture: &Picture, canvas: [f32; 2], pixel: f32, letters: &mut Letters) -> Self {
        let mut batch = Self::default();
        let mut run = 0;
        letters.begin();
        for item in &picture.items {
            if batch.vertices.len() > VERTICES_MAX {
                break;
            }
            match item {
                Item::Background(colour) => {
                    if batch.indices.is_empty() && batch.steps.is_empty() {
                        batch.steps.push(Step::Clear(*colour));
                    } else {
                        let shape = Shape::Rect([canvas[0], canvas[1], 0.0]);
                        let paint = Paint { fill: *colour, ..Paint::default() };
                        batch.shape(shape, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0], paint, pixel);
                    }
                }
                Item::Shape { shape, transform, paint } => batch.shape(*shape, *transform, *paint, pixel),
                Item::Line { points, closed, paint } => {
                    let mut triangles = Triangles::default();
                    let soft = paint.soft.max(1.0 / pixel);
                    outline::stroke(points.of(&picture.points), *closed, paint.width, soft, &mut triangles);
                    batch.triangles(&triangles, paint.stroke, paint.blend);
                }
                Item::Polygon { points, paint } => {
                    let points = points.of(&picture.points);
                    let soft = paint.soft.max(1.0 / pixel);
                    if paint.fill.0[3] > 0 {
                        let mut triangles = Triangles::default();
                        outline::fill(points, soft, &mut triangles);
                        batch.triangles(&triangles, paint.fill, paint.blend);
                    }
                    if paint.stroke.0[3] > 0 {
                        let mut triangles = Triangles::default();
                        outline::stroke(points, true, paint.width, soft, &mut triangles);
                        batch.triangles(&triangles, paint.stroke, paint.blend);
                    }
                }
                Item::Text { text, size, align, language, bold, transform, paint } => {
                    let [a, b, c, d, ..] = *transform;
                    let pixels = size * (a * d - b * c).abs().sqrt() * pixel;
                    let (text, language) = (picture.text(*text), picture.text(*language));
                    for glyph in letters.letters(text, language, (*align, *bold), pixels) {
                        let [left, top, right, bottom] = glyph.place.map(|at| at * size);
                        let [u0, v0, u1, v1] = glyph.atlas;
                        let corners = [
                            ([left, top], [u0, v0]),
                            ([right, top], [u1, v0]),
                            ([right, bottom], [u1, v1]),
                            ([left, bottom], [u0, v1]),
                        ];
                        batch.quad(*transform, corners, [0.0; 2], [0.0; 3], 2.0, *paint);
                    }
                }
                Item::Shader { index, params, blend } => {
                    batch.close(&mut run);
                    let params = params.of(&picture.params).to_vec();
                    batch.steps.push(Step::Shader { index: usize::from(*index), params, blend: *blend });
                }
            }
        }
        batch.close(&mut run);
        batch
    }

    /// Ends a run of triangles: one draw call.
    fn close(&mut self, run: &mut u32) {
        let end = self.indices.len() as u32;
        if end > *run {
            self.steps.push(Step::Triangles(*run..end));
            *run = end;
        }
    }

    fn shape(&mut self, shape: Shape, transform: Transform, paint: Paint, pixel: f32) {
        let [a, b, c, d, e, f] = transform;
        let (transform, half, radius) = match shape {
            // An ellipse is a circle, stretched.
            Shape::Ellipse([x, y]) => {
                let stretch = if x > 0.0 { y / x } else { 0.0 };
                ([a, b, c * stretch, d * stretch, e, f], [x, x], x)
            }
            Shape::Rect([w, h, radius]) => {
                let half = [w / 2.0, h / 2.0];
                let middle = [a * half[0] + c * half[1] + e, b * half[0] + d * half[1] + f];
                ([a, b, c, d, middle[0], middle[1]], half, radius.clamp(0.0, half[0].min(half[1])))
            }
        };
        let [a, b, c, d, ..] = transform;
        let thinnest = a.hypot(b).min(c.hypot(d)).max(1e-3);
        let stroked = paint.stroke.0[3] > 0;
        let pad = if stroked { paint.width / 2.0 } else { 0.0 } + paint.soft / 2.0 + 1.0 / (pixel * thinnest);
        let [x, y] = [half[0] + pad, half[1] + pad];
        let corners = [[-x, -y], [x, -y], [x, y], [-x, y]].map(|at| (at, at));
        let width = if stroked { paint.width } else { 0.0 };
        self.quad(transform, corners, half, [radius, width, paint.soft], 1.0, paint);
    }

    fn quad(
        &mut self,
        transform: Transform,
        corners: [([f32; 2], [f32; 2]); 4],
        half: [f32; 2],
        edge: [f32; 3],
        kind: f32,
        paint: Paint,
    ) {
        let [a, b, c, d, e, f] = transform;
        let first = self.vertices.len() as u32;
        self.vertices.extend(corners.map(|([x, y], local)| Vertex {
            at: [a * x + c * y + e, b * x + d * y + f],
            local,
            half,
            edge,
            kind: kind + if paint.blend == Blend::Add { 4.0 } else { 0.0 },
            fill: paint.fill.0,
            stroke: paint.stroke.0,
        }));
        self.indices.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
    }

    fn triangles(&mut self, triangles: &Triangles, colour: Colour, blend: Blend) {
        let first = self.vertices.len() as u32;
        let kind = if blend == Blend::Add { 4.0 } else { 0.0 };
        self.vertices.extend(triangles.points.iter().map(|(at, seen)| Vertex {
            at: *at,
            local: [*seen, 0.0],
            half: [0.0; 2],
            edge: [0.0; 3],
            kind,
            fill: colour.0,
            stroke: [0; 4],
        }));
        self.indices.extend(triangles.indices.iter().map(|index| first + index));
    }
}
