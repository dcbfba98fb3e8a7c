//! Draw batches: a display list as vertices and draw commands, one run of triangles between two layers or clips.

use super::tessellate::{self, Triangles};
use super::text::{ParagraphStyle, TextShaper};
use crate::scene::{
    Affine, BasicShape, BlendMode, Colour, DisplayList, Dot, DrawItem, FillPattern, Gradient, IndexRange, Paint, Trail,
};
use bytemuck::{Pod, Zeroable};

/// Softness in canvas units above which an edge would show banding and is dithered.
const DITHER_WIDTH: f32 = 24.0;
/// Maximum number of vertices of a frame; further items are not drawn.
const VERTICES_MAX: usize = 2_000_000;
const IDENTITY: Affine = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// Kind of a vertex, as `shaders/canvas.wgsl` reads it.
const TRIANGLES: u32 = 0;
const SHAPE: u32 = 1;
const LETTER: u32 = 2;
const IMAGE: u32 = 3;
/// Flags added to the kind: blend mode and fill pattern.
const ADDS: u32 = 4;
const LINES: u32 = 8;
const DOTS: u32 = 16;
const DARKENS: u32 = 32;
/// Bit positions of the gradients of the fill and of the stroke, counted from 1.
const FILL_GRADIENT: u32 = 8;
const STROKE_GRADIENT: u32 = 16;

/// Vertex of any item.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Vertex {
    /// Position in canvas units.
    pub at: [f32; 2],
    /// Shape: units from its middle. Glyph or image: texture coordinates. Triangles: coverage.
    pub local: [f32; 2],
    /// Shape: half of its sides. Image: half of the sides of its part.
    pub half: [f32; 2],
    /// Shape: corner radius, stroke width and softness. Image: middle of its part.
    pub edge: [f32; 3],
    pub kind: u32,
    pub fill: [u8; 4],
    pub stroke: [u8; 4],
}

/// Clip of draw commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ClipState {
    /// No clip.
    #[default]
    All,
    /// Only where this number was stamped.
    Inside(u8),
    /// Only where this number was not stamped.
    Outside(u8),
}

/// State of a run of triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DrawState {
    pub clip: ClipState,
    /// True if some of it has a pattern or a gradient.
    pub patterned: bool,
    /// Blend mode; `Over` and `Add` are drawn in one run.
    pub blend: BlendMode,
    /// Index of the image, if one is drawn.
    pub image: Option<u16>,
}

/// Command for the GPU.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DrawCommand {
    /// Fills the whole canvas with a colour.
    Clear(Colour),
    /// Invisible run of indices that writes `mark` into the stencil.
    StencilWrite { run: std::ops::Range<u32>, mark: u8 },
    /// Run of indices.
    Triangles { run: std::ops::Range<u32>, how: DrawState },
    /// Shader over the whole canvas.
    Shader { index: usize, params: Vec<u8>, blend: BlendMode, through: ClipState },
    /// Trail: the commands drawn into it, and its compositing if it is visible.
    Trail { slot: usize, trail: Trail, steps: Vec<DrawCommand>, seen: Option<Compositing> },
    /// Retained layer.
    Retained { slot: usize, laid: Compositing },
}

/// Compositing of a layer onto its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Compositing {
    pub alpha: f32,
    pub blend: BlendMode,
    pub clip: ClipState,
}

/// Display list in the form that is drawn.
#[derive(Debug, Default)]
pub(super) struct DrawBatch {
    pub vertices: Vec<Vertex>,
    pub indices: Vec<u32>,
    pub commands: Vec<DrawCommand>,
    pub gradients: Vec<Gradient>,
    run: OpenRun,
    /// Last stamped number. The stencil begins with 0 everywhere.
    stencil_ref: u8,
}

/// Trail that is being drawn into, and the outer state.
struct OpenTrail {
    slot: usize,
    trail: Trail,
    seen: Option<Compositing>,
    steps: Vec<DrawCommand>,
    through: ClipState,
    shut: bool,
}

/// Indices that do not belong to a command yet.
#[derive(Debug, Default)]
struct OpenRun {
    start: u32,
    how: DrawState,
}

/// Returns true if one of these commands needs the stencil.
pub(super) fn needs_stencil(steps: &[DrawCommand]) -> bool {
    steps.iter().any(|step| matches!(step, DrawCommand::StencilWrite { .. }))
}

impl DrawBatch {
    /// Builds the batch of a display list. `pixel` is the number of texture pixels per canvas unit. `letters` has begun
    /// a new frame.
    pub fn build(picture: &DisplayList, canvas: [f32; 2], pixel: f32, letters: &mut TextShaper) -> Self {
        let mut batch = Self::default();
        batch.add(picture, canvas, pixel, letters);
        batch
    }

    /// Returns true if a display list can be added: gradients are referred to by number.
    pub fn accepts(&self, picture: &DisplayList) -> bool {
        picture.gradients.is_empty() || self.gradients.is_empty() || self.gradients == picture.gradients
    }

    /// Adds a display list on top; the gradients of both are the same, or one has none.
    pub fn add(&mut self, picture: &DisplayList, canvas: [f32; 2], pixel: f32, letters: &mut TextShaper) {
        let batch = self;
        if batch.gradients.is_empty() {
            batch.gradients.clone_from(&picture.gradients);
        }
        // A clip is stamped once something is drawn in it. If it encloses nothing, nothing is drawn.
        let mut clip: Option<(&[IndexRange], bool)> = None;
        let mut shut = false;
        let mut around: Option<OpenTrail> = None;
        for item in &picture.items {
            if batch.vertices.len() > VERTICES_MAX {
                break;
            }
            match item {
                DrawItem::Clip { rings, inside } => {
                    clip = Some((rings.as_slice(), *inside));
                    continue;
                }
                DrawItem::Unclip => {
                    (clip, shut) = (None, false);
                    batch.set_clip(ClipState::All);
                    continue;
                }
                DrawItem::Untrail => {
                    if let Some(before) = around.take() {
                        (clip, shut) = (None, before.shut);
                        batch.end_trail(before);
                    }
                    continue;
                }
                _ => {}
            }
            if let Some((rings, inside)) = clip.take() {
                let through = batch.stamp_polygons(rings, inside, &picture.points, canvas);
                shut = through.is_none();
                batch.set_clip(through.unwrap_or_default());
            }
            if let DrawItem::Trail { slot, trail, alpha, blend } = item {
                batch.end_run();
                let through = batch.run.how.clip;
                let seen = (!shut).then_some(Compositing { alpha: *alpha, blend: *blend, clip: through });
                let (slot, steps) = (usize::from(*slot), std::mem::take(&mut batch.commands));
                around = Some(OpenTrail { slot, trail: *trail, seen, steps, through, shut });
                // A trail takes all of its items, wherever it is visible.
                shut = false;
                batch.set_clip(ClipState::All);
                continue;
            }
            if !shut {
                batch.draw_item(item, picture, canvas, pixel, letters);
            }
        }
        // The loop may have ended early, inside a trail.
        if let Some(before) = around.take() {
            batch.end_trail(before);
        }
        batch.end_run();
    }

    fn end_trail(&mut self, OpenTrail { slot, trail, seen, steps, through, .. }: OpenTrail) {
        self.end_run();
        let steps = std::mem::replace(&mut self.commands, steps);
        self.commands.push(DrawCommand::Trail { slot, trail, steps, seen });
        self.run.how.clip = through;
    }

    fn draw_item(
        &mut self,
        item: &DrawItem,
        picture: &DisplayList,
        canvas: [f32; 2],
        pixel: f32,
        letters: &mut TextShaper,
    ) {
        match item {
            DrawItem::Background(colour) => {
                if self.indices.is_empty() && self.commands.is_empty() {
                    self.commands.push(DrawCommand::Clear(*colour));
                } else {
                    let shape = BasicShape::Rect([canvas[0], canvas[1], 0.0]);
                    let paint = Paint { fill: *colour, ..Paint::default() };
                    self.push_shape(shape, IDENTITY, paint, pixel);
                }
            }
            DrawItem::Shape { shape, transform, paint } => self.push_shape(*shape, *transform, *paint, pixel),
            DrawItem::Line { points, closed, paint } => {
                let paint = stroke_as_fill(*paint);
                let mut triangles = Triangles::default();
                let soft = paint.soft.max(1.0 / pixel);
                tessellate::tessellate_stroke(
                    points.slice(&picture.points),
                    *closed,
                    paint.width,
                    soft,
                    &mut triangles,
                );
                self.push_triangles(&triangles, paint);
            }
            DrawItem::Polygon { points, paint } => {
                let points = points.slice(&picture.points);
                let soft = paint.soft.max(1.0 / pixel);
                if paint.fill.0[3] > 0 {
                    let mut triangles = Triangles::default();
                    tessellate::tessellate_fill(points, soft, &mut triangles);
                    self.push_triangles(&triangles, *paint);
                }
                if paint.stroke.0[3] > 0 {
                    let mut triangles = Triangles::default();
                    tessellate::tessellate_stroke(points, true, paint.width, soft, &mut triangles);
                    self.push_triangles(&triangles, stroke_as_fill(*paint));
                }
            }
            DrawItem::Text { text, size, align, language, weight, wrap, leading, transform, paint } => {
                let [a, b, c, d, ..] = *transform;
                let pixels = size * (a * d - b * c).abs().sqrt() * pixel;
                let (text, language) = (picture.text_slice(*text), picture.text_slice(*language));
                // Text with a pattern cannot be read.
                let paint = Paint { pattern: FillPattern::Plain, ..*paint };
                let hand = ParagraphStyle { align: *align, weight: *weight, wrap: wrap / size, line_height: *leading };
                for glyph in letters.shape(text, language, hand, pixels) {
                    let [left, top, right, bottom] = glyph.place.map(|at| at * size);
                    let [u0, v0, u1, v1] = glyph.atlas;
                    let corners = [
                        ([left, top], [u0, v0]),
                        ([right, top], [u1, v0]),
                        ([right, bottom], [u1, v1]),
                        ([left, bottom], [u0, v1]),
                    ];
                    self.push_quad(*transform, corners, [0.0; 2], [0.0; 3], LETTER, paint);
                }
            }
            DrawItem::Image { index, part: [u0, v0, u1, v1], size: [width, height], transform, paint } => {
                if self.run.how.image.is_some_and(|image| image != *index) {
                    self.end_run();
                }
                let half = [(u1 - u0) / 2.0, (v1 - v0) / 2.0];
                // One more pixel on each side, for the fading edge.
                let [a, b, c, d, ..] = *transform;
                let more = [1.0 / (pixel * a.hypot(b).max(1e-3)), 1.0 / (pixel * c.hypot(d).max(1e-3))];
                let beyond = [more[0] / width.max(1e-3) * 2.0 * half[0], more[1] / height.max(1e-3) * 2.0 * half[1]];
                let sides = |from: f32, to: f32, more: f32| [from - more, to + more];
                let ([x0, x1], [y0, y1]) = (sides(0.0, *width, more[0]), sides(0.0, *height, more[1]));
                let ([u0, u1], [v0, v1]) = (sides(*u0, *u1, beyond[0]), sides(*v0, *v1, beyond[1]));
                let corners = [([x0, y0], [u0, v0]), ([x1, y0], [u1, v0]), ([x1, y1], [u1, v1]), ([x0, y1], [u0, v1])];
                let middle = [(u0 + u1) / 2.0, (v0 + v1) / 2.0, 0.0];
                let paint = Paint { pattern: FillPattern::Plain, ..*paint };
                self.push_quad(*transform, corners, half.map(f32::abs), middle, IMAGE, paint);
                self.run.how.image = Some(*index);
            }
            DrawItem::Shader { index, params, blend } => {
                self.end_run();
                let params = params.slice(&picture.params).to_vec();
                let through = self.run.how.clip;
                self.commands.push(DrawCommand::Shader { index: usize::from(*index), params, blend: *blend, through });
            }
            DrawItem::Kept { slot, alpha, blend } => {
                self.end_run();
                let laid = Compositing { alpha: *alpha, blend: *blend, clip: self.run.how.clip };
                self.commands.push(DrawCommand::Retained { slot: usize::from(*slot), laid });
            }
            DrawItem::Dots { dots, soft, blend } => {
                for Dot { at: [x, y], radius, colour } in dots.slice(&picture.dots) {
                    // A dot's edge fades inwards.
                    let (radius, soft) = (radius * (1.0 - soft / 2.0), radius * soft);
                    let paint = Paint { fill: *colour, soft, blend: *blend, ..Paint::default() };
                    self.push_shape(BasicShape::Ellipse([radius; 2]), [1.0, 0.0, 0.0, 1.0, *x, *y], paint, pixel);
                }
            }
            // Handled by `add`.
            DrawItem::Clip { .. } | DrawItem::Unclip | DrawItem::Trail { .. } | DrawItem::Untrail => {}
        }
    }

    /// Ends a run of triangles, which is one draw call.
    fn end_run(&mut self) {
        let end = self.indices.len() as u32;
        let OpenRun { start, how } = std::mem::take(&mut self.run);
        if end > start {
            self.commands.push(DrawCommand::Triangles { run: start..end, how });
        }
        self.run = OpenRun { start: end, how: DrawState { clip: how.clip, ..DrawState::default() } };
    }

    /// Sets the clip of the following items.
    fn set_clip(&mut self, through: ClipState) {
        if self.run.how.clip != through {
            self.end_run();
            self.run.how.clip = through;
        }
    }

    /// Stamps all that polygons enclose with a new number. Returns the clip of the following items, or `None` if it
    /// hides everything.
    fn stamp_polygons(
        &mut self,
        rings: &[IndexRange],
        inside: bool,
        points: &[[f32; 2]],
        canvas: [f32; 2],
    ) -> Option<ClipState> {
        let mut triangles = Triangles::default();
        for ring in rings {
            if self.vertices.len() + triangles.points.len() > VERTICES_MAX {
                break;
            }
            tessellate::tessellate_nonzero(ring.slice(points), &mut triangles);
        }
        if triangles.indices.is_empty() {
            return (!inside).then_some(ClipState::All);
        }
        self.end_run();
        if self.stencil_ref == u8::MAX {
            // All numbers are used: the stencil is cleared and they restart.
            let [width, height] = canvas;
            let corners = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]].map(|at| (at, [0.0; 2]));
            self.push_quad(IDENTITY, corners, [0.0; 2], [0.0; 3], TRIANGLES, Paint::default());
            self.end_stamp(0);
        }
        self.push_triangles(&triangles, Paint::default());
        self.end_stamp(self.stencil_ref + 1);
        Some(if inside { ClipState::Inside(self.stencil_ref) } else { ClipState::Outside(self.stencil_ref) })
    }

    fn end_stamp(&mut self, mark: u8) {
        let end = self.indices.len() as u32;
        self.commands.push(DrawCommand::StencilWrite { run: self.run.start..end, mark });
        self.run.start = end;
        self.stencil_ref = mark;
    }

    fn push_shape(&mut self, shape: BasicShape, transform: Affine, paint: Paint, pixel: f32) {
        let [a, b, c, d, e, f] = transform;
        let (transform, half, radius) = match shape {
            // An ellipse is a stretched circle.
            BasicShape::Ellipse([x, y]) => {
                let stretch = if x > 0.0 { y / x } else { 0.0 };
                ([a, b, c * stretch, d * stretch, e, f], [x, x], x)
            }
            BasicShape::Rect([w, h, radius]) => {
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
        self.push_quad(transform, corners, half, [radius, width, paint.soft], SHAPE, paint);
    }

    fn push_quad(
        &mut self,
        transform: Affine,
        corners: [([f32; 2], [f32; 2]); 4],
        half: [f32; 2],
        edge: [f32; 3],
        what: u32,
        paint: Paint,
    ) {
        let [a, b, c, d, e, f] = transform;
        let kind = self.vertex_kind(what, &paint);
        let first = self.vertices.len() as u32;
        self.vertices.extend(corners.map(|([x, y], local)| Vertex {
            at: [a * x + c * y + e, b * x + d * y + f],
            local,
            half,
            edge,
            kind,
            fill: paint.fill.0,
            stroke: paint.stroke.0,
        }));
        self.indices.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
    }

    fn push_triangles(&mut self, triangles: &Triangles, paint: Paint) {
        let kind = self.vertex_kind(TRIANGLES, &Paint { gradients: [paint.gradients[0], 0], ..paint });
        let first = self.vertices.len() as u32;
        self.vertices.extend(triangles.points.iter().map(|(at, seen)| Vertex {
            at: *at,
            local: [*seen, 0.0],
            half: [0.0; 2],
            edge: [0.0; 3],
            kind,
            fill: paint.fill.0,
            stroke: [0; 4],
        }));
        self.indices.extend(triangles.indices.iter().map(|index| first + index));
    }

    fn vertex_kind(&mut self, what: u32, paint: &Paint) -> u32 {
        let pattern = match paint.pattern {
            // An invisible fill has an invisible pattern.
            _ if paint.fill.0[3] == 0 => 0,
            FillPattern::Plain => 0,
            FillPattern::Lines => LINES,
            FillPattern::Dots => DOTS,
        };
        let [fill, stroke] = paint.gradients.map(u32::from);
        let together = if paint.blend == BlendMode::Add { BlendMode::Over } else { paint.blend };
        if self.run.how.blend != together {
            self.end_run();
            self.run.how.blend = together;
        }
        self.run.how.patterned |= pattern + fill + stroke != 0 || paint.soft > DITHER_WIDTH;
        let blend = match paint.blend {
            BlendMode::Add => ADDS,
            BlendMode::Darken => DARKENS,
            _ => 0,
        };
        what + pattern + blend + (fill << FILL_GRADIENT) + (stroke << STROKE_GRADIENT)
    }
}

/// Returns the paint that fills a stroke's triangles.
fn stroke_as_fill(paint: Paint) -> Paint {
    let gradients = [paint.gradients[1], 0];
    Paint { fill: paint.stroke, pattern: FillPattern::Plain, gradients, ..paint }
}

#[cfg(test)]
mod tests;
