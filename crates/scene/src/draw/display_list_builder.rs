//! Builds the display list of one frame from a script's draw calls.

use crate::limits::{CLIPS_MAX, DOTS_MAX, GRADIENTS_MAX, ITEMS_MAX, PARAMS_MAX, POINTS_MAX, SHADERS_MAX, TEXT_MAX};
use crate::protocol::colour::Colour;
use crate::protocol::display_list::{
    Affine, BasicShape, BlendMode, DisplayList, Dot, DrawItem, Gradient, IndexRange, Paint, TextAlign, Trail,
};

/// Maximum nesting of `push`.
const DEPTH_MAX: usize = 64;
/// Square larger than any canvas, in canvas units: x, y and side, from a little beyond the corner.
const COVERS_CANVAS: [f32; 3] = [-64.0, -64.0, 8_320.0];
const IDENTITY: Affine = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// Returns the transform that applies `inner`, then `outer`.
fn compose(outer: Affine, inner: Affine) -> Affine {
    let [a, b, c, d, e, f] = outer;
    let [g, h, i, j, k, l] = inner;
    [a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * l + e, b * k + d * l + f]
}

/// Returns the inverse transform; zero if there is none.
fn inverse([a, b, c, d, e, f]: Affine) -> Affine {
    let area = a * d - b * c;
    if area.abs() < 1e-12 {
        return [0.0; 6];
    }
    let [a, b, c, d] = [d / area, -b / area, -c / area, a / area];
    [a, b, c, d, -(a * e + c * f), -(b * e + d * f)]
}

/// Text layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextOptions {
    pub size: f32,
    pub align: TextAlign,
    pub weight: u16,
    pub wrap: f32,
    pub leading: f32,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { size: 32.0, align: TextAlign::Left, weight: 400, wrap: 0.0, leading: 1.3 }
    }
}

#[derive(Debug, Clone, Copy)]
struct GraphicsState {
    transform: Affine,
    alpha: f32,
}

/// Display list so far, and the state for the next item.
#[derive(Debug)]
pub(crate) struct DisplayListBuilder {
    list: DisplayList,
    state: GraphicsState,
    stack: Vec<GraphicsState>,
    shader_layers: usize,
    clips: usize,
    /// Open clips and trails.
    open_scopes: Vec<OpenScope>,
    trails: Vec<u8>,
    /// Display list that waits while retained items are drawn.
    suspended: Option<Box<DisplayListBuilder>>,
}

/// An open clip or trail: its end, and the state and stack depth at its beginning.
#[derive(Debug)]
struct OpenScope {
    end: DrawItem,
    state: GraphicsState,
    depth: usize,
}

/// Message for the artist that a limit was reached, naming the limit.
pub(crate) type LimitReached = String;

impl DisplayListBuilder {
    pub fn new() -> Self {
        Self {
            list: DisplayList::default(),
            state: GraphicsState { transform: IDENTITY, alpha: 1.0 },
            stack: Vec::new(),
            shader_layers: 0,
            clips: 0,
            open_scopes: Vec::new(),
            trails: Vec::new(),
            suspended: None,
        }
    }

    /// Creates a builder that continues a finished display list.
    pub fn from_list(picture: DisplayList) -> Self {
        Self { list: picture, ..Self::new() }
    }

    /// Returns the finished display list and resets the builder.
    pub fn finish(&mut self) -> DisplayList {
        std::mem::replace(self, Self::new()).list
    }

    /// Returns the number of items drawn so far in this frame.
    pub fn item_count(&self) -> usize {
        let DisplayList { items, dots, .. } = &self.list;
        items.len() + dots.len() + self.suspended.as_ref().map_or(0, |aside| aside.item_count())
    }

    fn push_item(&mut self, item: DrawItem) -> Result<(), LimitReached> {
        // Each open scope needs room for its end.
        if self.list.items.len() + self.open_scopes.len() >= ITEMS_MAX {
            return Err(format!("more than {ITEMS_MAX} things in one frame; draw fewer"));
        }
        self.list.items.push(item);
        Ok(())
    }

    fn apply_alpha(&self, mut paint: Paint) -> Paint {
        if self.state.alpha < 1.0 {
            paint.fill = paint.fill.scale_alpha(self.state.alpha);
            paint.stroke = paint.stroke.scale_alpha(self.state.alpha);
        }
        paint
    }

    /// Fills the canvas, or the open clip or trail. Covered items are dropped.
    pub fn background(&mut self, colour: Colour) -> Result<(), LimitReached> {
        if !self.open_scopes.is_empty() || self.suspended.is_some() {
            let [x, y, side] = COVERS_CANVAS;
            let shape = BasicShape::Rect([side, side, 0.0]);
            let paint = Paint { fill: colour, ..Paint::default() };
            return self.push_item(DrawItem::Shape { shape, transform: [1.0, 0.0, 0.0, 1.0, x, y], paint });
        }
        if colour.0[3] == 255 {
            self.list.items.clear();
        }
        self.push_item(DrawItem::Background(colour))
    }

    /// Fills the canvas, or the open clip or trail, with a gradient.
    pub fn background_gradient(&mut self, gradient: u8) -> Result<(), LimitReached> {
        let [x, y, side] = COVERS_CANVAS;
        let paint = Paint { fill: Colour([255; 4]), gradients: [gradient, 0], ..Paint::default() };
        self.push_item(DrawItem::Shape {
            shape: BasicShape::Rect([side, side, 0.0]),
            transform: [1.0, 0.0, 0.0, 1.0, x, y],
            paint,
        })
    }

    pub fn shape(&mut self, shape: BasicShape, at: [f32; 2], paint: Paint) -> Result<(), LimitReached> {
        let transform = compose(self.state.transform, [1.0, 0.0, 0.0, 1.0, at[0], at[1]]);
        self.push_item(DrawItem::Shape { shape, transform, paint: self.apply_alpha(paint) })
    }

    /// Draws a straight line with round ends, as a rotated rectangle.
    pub fn line(&mut self, from: [f32; 2], to: [f32; 2], paint: Paint) -> Result<(), LimitReached> {
        let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
        let length = dx.hypot(dy);
        let half = paint.width / 2.0;
        let [x, y] = if length > 0.0 { [dx / length, dy / length] } else { [1.0, 0.0] };
        let place = [x, y, -y, x, from[0] - x * half + y * half, from[1] - y * half - x * half];
        let transform = compose(self.state.transform, place);
        let shape = BasicShape::Rect([length + paint.width, paint.width, half]);
        let gradients = [paint.gradients[1], 0];
        let paint = Paint { fill: paint.stroke, stroke: Colour::CLEAR, width: 0.0, gradients, ..paint };
        self.push_item(DrawItem::Shape { shape, transform, paint: self.apply_alpha(paint) })
    }

    /// Adds points to the display list, in canvas units.
    fn push_points(&mut self, points: &[[f32; 2]]) -> Result<IndexRange, LimitReached> {
        if self.list.points.len() + points.len() > POINTS_MAX {
            return Err(format!("more than {POINTS_MAX} points in one frame; draw fewer"));
        }
        let range = IndexRange { start: self.list.points.len() as u32, count: points.len() as u32 };
        let [a, b, c, d, e, f] = self.state.transform;
        self.list.points.extend(points.iter().map(|[x, y]| [a * x + c * y + e, b * x + d * y + f]));
        Ok(range)
    }

    pub fn path(&mut self, points: &[[f32; 2]], closed: bool, filled: bool, paint: Paint) -> Result<(), LimitReached> {
        let range = self.push_points(points)?;
        let [a, b, c, d, ..] = self.state.transform;
        // Widths scale with the square root of the area.
        let scale = (a * d - b * c).abs().sqrt();
        let paint = self.apply_alpha(Paint { width: paint.width * scale, soft: paint.soft * scale, ..paint });
        if filled {
            self.push_item(DrawItem::Polygon { points: range, paint })
        } else {
            self.push_item(DrawItem::Line { points: range, closed, paint })
        }
    }

    fn push_text(&mut self, text: &str) -> Result<IndexRange, LimitReached> {
        if self.list.text.len() + text.len() > TEXT_MAX {
            return Err(format!("more than {} KiB of text in one frame; write less", TEXT_MAX >> 10));
        }
        let start = self.list.text.len() as u32;
        self.list.text.push_str(text);
        Ok(IndexRange { start, count: text.len() as u32 })
    }

    pub fn text(
        &mut self,
        text: &str,
        at: [f32; 2],
        TextOptions { size, align, weight, wrap, leading }: TextOptions,
        language: &str,
        paint: Paint,
    ) -> Result<(), LimitReached> {
        let text = self.push_text(text)?;
        let language = self.push_text(language)?;
        let transform = compose(self.state.transform, [1.0, 0.0, 0.0, 1.0, at[0], at[1]]);
        let paint = self.apply_alpha(paint);
        self.push_item(DrawItem::Text { text, size, align, language, weight, wrap, leading, transform, paint })
    }

    /// Draws a part of an image at a position, with a size.
    pub fn image(
        &mut self,
        (index, part): (u16, [f32; 4]),
        at: [f32; 2],
        size: [f32; 2],
        paint: Paint,
    ) -> Result<(), LimitReached> {
        let transform = compose(self.state.transform, [1.0, 0.0, 0.0, 1.0, at[0], at[1]]);
        self.push_item(DrawItem::Image { index, part, size, transform, paint: self.apply_alpha(paint) })
    }

    /// Adds a gradient under the current transform and returns its number for a paint.
    pub fn gradient(&mut self, gradient: &Gradient) -> Result<u8, LimitReached> {
        let place = compose(gradient.place, inverse(self.state.transform));
        let gradient = Gradient { place, ..gradient.clone() };
        let known = self.list.gradients.iter().position(|known| *known == gradient);
        let index = match known {
            Some(index) => index,
            None if self.list.gradients.len() >= GRADIENTS_MAX => {
                return Err(format!("more than {GRADIENTS_MAX} gradients in one frame; use one for many things"));
            }
            None => {
                self.list.gradients.push(gradient);
                self.list.gradients.len() - 1
            }
        };
        Ok(index as u8 + 1)
    }

    pub fn shader(&mut self, index: u16, params: &[u8], blend: BlendMode) -> Result<(), LimitReached> {
        self.reject_in_retained("a shader")?;
        self.shader_layers += 1;
        if self.shader_layers > SHADERS_MAX {
            return Err(format!("more than {SHADERS_MAX} shader layers in one frame; use fewer"));
        }
        if self.list.params.len() + params.len() > PARAMS_MAX {
            return Err(format!("more than {} KiB of shader parameters in one frame", PARAMS_MAX >> 10));
        }
        let range = IndexRange { start: self.list.params.len() as u32, count: params.len() as u32 };
        self.list.params.extend_from_slice(params);
        self.push_item(DrawItem::Shader { index, params: range, blend })
    }

    /// Begins a clip: draws only inside these rings, or only outside of them.
    pub fn clip(&mut self, rings: &[Vec<[f32; 2]>], inside: bool) -> Result<(), LimitReached> {
        if self.is_clipping() {
            return Err("it cannot stand within another draw.inside or draw.outside; write one after the other".into());
        }
        self.clips += 1;
        if self.clips > CLIPS_MAX {
            return Err(format!(
                "more than {CLIPS_MAX} of draw.inside and draw.outside in one frame; give many bodies to one"
            ));
        }
        if self.list.items.len() + 2 > ITEMS_MAX {
            return Err(format!("more than {ITEMS_MAX} things in one frame; draw fewer"));
        }
        let rings =
            rings.iter().filter(|ring| ring.len() > 2).map(|ring| self.push_points(ring)).collect::<Result<_, _>>()?;
        self.push_item(DrawItem::Clip { rings, inside })?;
        self.open_scope(DrawItem::Unclip);
        Ok(())
    }

    fn is_clipping(&self) -> bool {
        self.open_scopes.iter().any(|opened| opened.end == DrawItem::Unclip)
    }

    fn open_scope(&mut self, end: DrawItem) {
        self.open_scopes.push(OpenScope { end, state: self.state, depth: self.stack.len() });
    }

    /// Ends the clip or trail that was begun last and restores transform and alpha from its beginning.
    pub fn end_scope(&mut self) {
        if let Some(OpenScope { end, state, depth }) = self.open_scopes.pop() {
            self.state = state;
            self.stack.truncate(depth);
            self.list.items.push(end);
        }
    }

    /// Begins a trail: draws into an image that persists and fades.
    pub fn trail(&mut self, slot: u8, mut trail: Trail, (alpha, blend): (f32, BlendMode)) -> Result<(), LimitReached> {
        self.reject_in_retained("a trail")?;
        if self.open_scopes.iter().any(|opened| opened.end == DrawItem::Untrail) {
            return Err("it cannot stand within another draw.trail; write one after the other".into());
        }
        if self.trails.contains(&slot) {
            return Err("this trail is drawn already; give each a name of its own".into());
        }
        if self.list.items.len() + self.open_scopes.len() + 2 > ITEMS_MAX {
            return Err(format!("more than {ITEMS_MAX} things in one frame; draw fewer"));
        }
        let [a, b, c, d, e, f] = self.state.transform;
        let [x, y] = trail.round;
        trail.round = [a * x + c * y + e, b * x + d * y + f];
        self.push_item(DrawItem::Trail { slot, trail, alpha: (alpha * self.state.alpha).clamp(0.0, 1.0), blend })?;
        self.trails.push(slot);
        self.open_scope(DrawItem::Untrail);
        // The trail's opacity is set above; its content is drawn at full alpha.
        self.state.alpha = 1.0;
        Ok(())
    }

    /// Draws round dots, in canvas units.
    pub fn dots(&mut self, dots: impl Iterator<Item = Dot>, soft: f32, blend: BlendMode) -> Result<(), LimitReached> {
        self.reject_in_retained("a particle")?;
        let [a, b, c, d, e, f] = self.state.transform;
        let (scale, alpha) = ((a * d - b * c).abs().sqrt(), self.state.alpha);
        let start = self.list.dots.len();
        self.list.dots.extend(dots.take(DOTS_MAX - start.min(DOTS_MAX)).map(|Dot { at: [x, y], radius, colour }| {
            Dot {
                at: [a * x + c * y + e, b * x + d * y + f],
                radius: radius * scale,
                colour: colour.scale_alpha(alpha),
            }
        }));
        let dots = IndexRange { start: start as u32, count: (self.list.dots.len() - start) as u32 };
        if dots.count == 0 { Ok(()) } else { self.push_item(DrawItem::Dots { dots, soft, blend }) }
    }

    /// Shows a retained layer.
    pub fn retained_layer(&mut self, slot: u8, alpha: f32, blend: BlendMode) -> Result<(), LimitReached> {
        self.reject_in_retained("a kept layer")?;
        if self.list.items.iter().any(|item| matches!(item, DrawItem::Kept { slot: known, .. } if *known == slot)) {
            return Err("this layer is drawn already; give each a name of its own".into());
        }
        self.push_item(DrawItem::Kept { slot, alpha: (alpha * self.state.alpha).clamp(0.0, 1.0), blend })
    }

    /// Begins a retained layer: suspends the frame's display list until `end_retained`.
    pub fn begin_retained(&mut self) -> Result<(), LimitReached> {
        self.reject_in_retained("a kept layer")?;
        let state = GraphicsState { alpha: 1.0, ..self.state };
        let aside = std::mem::replace(self, Self { state, ..Self::new() });
        self.suspended = Some(Box::new(aside));
        Ok(())
    }

    /// Returns the current display list.
    pub fn current_list(&self) -> &DisplayList {
        &self.list
    }

    /// Resumes the frame's display list and returns the items drawn since `begin_retained`.
    pub fn end_retained(&mut self) -> DisplayList {
        let aside = self.suspended.take().map_or_else(Self::new, |aside| *aside);
        std::mem::replace(self, aside).list
    }

    fn reject_in_retained(&self, what: &str) -> Result<(), LimitReached> {
        match &self.suspended {
            Some(_) => Err(format!("{what} changes, and cannot be drawn into what is kept")),
            None => Ok(()),
        }
    }

    pub fn push(&mut self) -> Result<(), LimitReached> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(format!("draw.push {DEPTH_MAX} times without a draw.pop; add the missing draw.pop"));
        }
        self.stack.push(self.state);
        Ok(())
    }

    pub fn pop(&mut self) -> Result<(), LimitReached> {
        // `pop` does not go back beyond the start of the open clip or trail.
        let floor = self.open_scopes.last().map_or(0, |opened| opened.depth);
        let last = if self.stack.len() > floor { self.stack.pop() } else { None };
        self.state = last.ok_or("draw.pop without a draw.push before it")?;
        Ok(())
    }

    /// Resets transform, alpha and the stack.
    pub fn reset_transform(&mut self) {
        self.state = GraphicsState { transform: IDENTITY, alpha: 1.0 };
        self.stack.clear();
    }

    pub fn multiply_transform(&mut self, inner: Affine) {
        self.state.transform = compose(self.state.transform, inner);
    }

    pub fn multiply_alpha(&mut self, alpha: f32) {
        self.state.alpha = (self.state.alpha * alpha).clamp(0.0, 1.0);
    }
}
