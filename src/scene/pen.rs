//! The hand that draws: what a script says in one frame becomes a picture.

use super::colour::Colour;
use super::picture::{Align, Blend, Dot, Gradient, Item, Paint, Picture, Range, Shape, Trail, Transform};
use super::{CLIPS_MAX, DOTS_MAX, GRADIENTS_MAX, ITEMS_MAX, PARAMS_MAX, POINTS_MAX, SHADERS_MAX, TEXT_MAX};

/// Deepest nesting of `push`.
const DEPTH_MAX: usize = 64;
/// Larger than any canvas, from a little beyond its corner, in canvas units.
const EVERYWHERE: [f32; 3] = [-64.0, -64.0, 8_320.0];
const IDENTITY: Transform = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// `outer` after `inner`.
fn compose(outer: Transform, inner: Transform) -> Transform {
    let [a, b, c, d, e, f] = outer;
    let [g, h, i, j, k, l] = inner;
    [a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * l + e, b * k + d * l + f]
}

/// `transform`, backwards; nothing where it is flat.
fn inverse([a, b, c, d, e, f]: Transform) -> Transform {
    let area = a * d - b * c;
    if area.abs() < 1e-12 {
        return [0.0; 6];
    }
    let [a, b, c, d] = [d / area, -b / area, -c / area, a / area];
    [a, b, c, d, -(a * e + c * f), -(b * e + d * f)]
}

/// How a text is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letters {
    pub size: f32,
    pub align: Align,
    pub weight: u16,
    pub wrap: f32,
    pub leading: f32,
}

impl Default for Letters {
    fn default() -> Self {
        Self { size: 32.0, align: Align::Left, weight: 400, wrap: 0.0, leading: 1.3 }
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    transform: Transform,
    alpha: f32,
}

/// What is drawn so far, and how the next thing will be.
#[derive(Debug)]
pub(super) struct Pen {
    picture: Picture,
    state: State,
    stack: Vec<State>,
    layers: usize,
    clips: usize,
    /// Clips and trails that are open.
    open: Vec<Opened>,
    trails: Vec<u8>,
    /// What is not drawn on while something is drawn that is to be kept.
    aside: Option<Box<Pen>>,
}

/// What has begun and not ended, how the pen was when it did, and how many states were remembered.
#[derive(Debug)]
struct Opened {
    end: Item,
    state: State,
    depth: usize,
}

/// A bound was reached; the message says which, for the artist.
pub(super) type Full = String;

impl Pen {
    pub fn new() -> Self {
        Self {
            picture: Picture::default(),
            state: State { transform: IDENTITY, alpha: 1.0 },
            stack: Vec::new(),
            layers: 0,
            clips: 0,
            open: Vec::new(),
            trails: Vec::new(),
            aside: None,
        }
    }

    /// A pen that goes on with a picture that has been finished.
    pub fn over(picture: Picture) -> Self {
        Self { picture, ..Self::new() }
    }

    /// The finished picture; the pen is as new.
    pub fn finish(&mut self) -> Picture {
        std::mem::replace(self, Self::new()).picture
    }

    /// Things drawn so far in this frame.
    pub fn count(&self) -> usize {
        let Picture { items, dots, .. } = &self.picture;
        items.len() + dots.len() + self.aside.as_ref().map_or(0, |aside| aside.count())
    }

    fn item(&mut self, item: Item) -> Result<(), Full> {
        // What is open needs room for its end.
        if self.picture.items.len() + self.open.len() >= ITEMS_MAX {
            return Err(format!("more than {ITEMS_MAX} things in one frame; draw fewer"));
        }
        self.picture.items.push(item);
        Ok(())
    }

    fn faded(&self, mut paint: Paint) -> Paint {
        if self.state.alpha < 1.0 {
            paint.fill = paint.fill.faded(self.state.alpha);
            paint.stroke = paint.stroke.faded(self.state.alpha);
        }
        paint
    }

    /// Paints all of the canvas, or all of the clip or trail. What is covered is not drawn.
    pub fn background(&mut self, colour: Colour) -> Result<(), Full> {
        if !self.open.is_empty() || self.aside.is_some() {
            let [x, y, side] = EVERYWHERE;
            let shape = Shape::Rect([side, side, 0.0]);
            let paint = Paint { fill: colour, ..Paint::default() };
            return self.item(Item::Shape { shape, transform: [1.0, 0.0, 0.0, 1.0, x, y], paint });
        }
        if colour.0[3] == 255 {
            self.picture.items.clear();
        }
        self.item(Item::Background(colour))
    }

    /// All of the canvas, or all of the clip, in a gradient.
    pub fn background_gradient(&mut self, gradient: u8) -> Result<(), Full> {
        let [x, y, side] = EVERYWHERE;
        let paint = Paint { fill: Colour([255; 4]), gradients: [gradient, 0], ..Paint::default() };
        self.item(Item::Shape { shape: Shape::Rect([side, side, 0.0]), transform: [1.0, 0.0, 0.0, 1.0, x, y], paint })
    }

    pub fn shape(&mut self, shape: Shape, at: [f32; 2], paint: Paint) -> Result<(), Full> {
        let transform = compose(self.state.transform, [1.0, 0.0, 0.0, 1.0, at[0], at[1]]);
        self.item(Item::Shape { shape, transform, paint: self.faded(paint) })
    }

    /// A straight line with round ends: a rectangle, turned.
    pub fn line(&mut self, from: [f32; 2], to: [f32; 2], paint: Paint) -> Result<(), Full> {
        let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
        let length = dx.hypot(dy);
        let half = paint.width / 2.0;
        let [x, y] = if length > 0.0 { [dx / length, dy / length] } else { [1.0, 0.0] };
        let place = [x, y, -y, x, from[0] - x * half + y * half, from[1] - y * half - x * half];
        let transform = compose(self.state.transform, place);
        let shape = Shape::Rect([length + paint.width, paint.width, half]);
        let gradients = [paint.gradients[1], 0];
        let paint = Paint { fill: paint.stroke, stroke: Colour::CLEAR, width: 0.0, gradients, ..paint };
        self.item(Item::Shape { shape, transform, paint: self.faded(paint) })
    }

    /// Puts points into the picture, in canvas units.
    fn keep(&mut self, points: &[[f32; 2]]) -> Result<Range, Full> {
        if self.picture.points.len() + points.len() > POINTS_MAX {
            return Err(format!("more than {POINTS_MAX} points in one frame; draw fewer"));
        }
        let range = Range { start: self.picture.points.len() as u32, count: points.len() as u32 };
        let [a, b, c, d, e, f] = self.state.transform;
        self.picture.points.extend(points.iter().map(|[x, y]| [a * x + c * y + e, b * x + d * y + f]));
        Ok(range)
    }

    pub fn points(&mut self, points: &[[f32; 2]], closed: bool, filled: bool, paint: Paint) -> Result<(), Full> {
        let range = self.keep(points)?;
        let [a, b, c, d, ..] = self.state.transform;
        // Widths follow the transform as areas do.
        let scale = (a * d - b * c).abs().sqrt();
        let paint = self.faded(Paint { width: paint.width * scale, soft: paint.soft * scale, ..paint });
        if filled {
            self.item(Item::Polygon { points: range, paint })
        } else {
            self.item(Item::Line { points: range, closed, paint })
        }
    }

    fn write(&mut self, text: &str) -> Result<Range, Full> {
        if self.picture.text.len() + text.len() > TEXT_MAX {
            return Err(format!("more than {} KiB of text in one frame; write less", TEXT_MAX >> 10));
        }
        let start = self.picture.text.len() as u32;
        self.picture.text.push_str(text);
        Ok(Range { start, count: text.len() as u32 })
    }

    pub fn text(
        &mut self,
        text: &str,
        at: [f32; 2],
        Letters { size, align, weight, wrap, leading }: Letters,
        language: &str,
        paint: Paint,
    ) -> Result<(), Full> {
        let text = self.write(text)?;
        let language = self.write(language)?;
        let transform = compose(self.state.transform, [1.0, 0.0, 0.0, 1.0, at[0], at[1]]);
        let paint = self.faded(paint);
        self.item(Item::Text { text, size, align, language, weight, wrap, leading, transform, paint })
    }

    /// An image at a place, of a size, and which part of it.
    pub fn image(
        &mut self,
        (index, part): (u16, [f32; 4]),
        at: [f32; 2],
        size: [f32; 2],
        paint: Paint,
    ) -> Result<(), Full> {
        let transform = compose(self.state.transform, [1.0, 0.0, 0.0, 1.0, at[0], at[1]]);
        self.item(Item::Image { index, part, size, transform, paint: self.faded(paint) })
    }

    /// Takes a gradient, which lies as what is drawn does, and gives its number for a paint.
    pub fn gradient(&mut self, gradient: &Gradient) -> Result<u8, Full> {
        let place = compose(gradient.place, inverse(self.state.transform));
        let gradient = Gradient { place, ..gradient.clone() };
        let known = self.picture.gradients.iter().position(|known| *known == gradient);
        let index = match known {
            Some(index) => index,
            None if self.picture.gradients.len() >= GRADIENTS_MAX => {
                return Err(format!("more than {GRADIENTS_MAX} gradients in one frame; use one for many things"));
            }
            None => {
                self.picture.gradients.push(gradient);
                self.picture.gradients.len() - 1
            }
        };
        Ok(index as u8 + 1)
    }

    pub fn shader(&mut self, index: u16, params: &[u8], blend: Blend) -> Result<(), Full> {
        self.not_kept("a shader")?;
        self.layers += 1;
        if self.layers > SHADERS_MAX {
            return Err(format!("more than {SHADERS_MAX} shader layers in one frame; use fewer"));
        }
        if self.picture.params.len() + params.len() > PARAMS_MAX {
            return Err(format!("more than {} KiB of shader parameters in one frame", PARAMS_MAX >> 10));
        }
        let range = Range { start: self.picture.params.len() as u32, count: params.len() as u32 };
        self.picture.params.extend_from_slice(params);
        self.item(Item::Shader { index, params: range, blend })
    }

    /// From now on only what lies within these rings is drawn, or only what lies outside of them.
    pub fn clip(&mut self, rings: &[Vec<[f32; 2]>], inside: bool) -> Result<(), Full> {
        if self.clips_now() {
            return Err("it cannot stand within another draw.inside or draw.outside; write one after the other".into());
        }
        self.clips += 1;
        if self.clips > CLIPS_MAX {
            return Err(format!(
                "more than {CLIPS_MAX} of draw.inside and draw.outside in one frame; give many bodies to one"
            ));
        }
        if self.picture.items.len() + 2 > ITEMS_MAX {
            return Err(format!("more than {ITEMS_MAX} things in one frame; draw fewer"));
        }
        let rings = rings.iter().filter(|ring| ring.len() > 2).map(|ring| self.keep(ring)).collect::<Result<_, _>>()?;
        self.item(Item::Clip { rings, inside })?;
        self.opened(Item::Unclip);
        Ok(())
    }

    fn clips_now(&self) -> bool {
        self.open.iter().any(|opened| opened.end == Item::Unclip)
    }

    fn opened(&mut self, end: Item) {
        self.open.push(Opened { end, state: self.state, depth: self.stack.len() });
    }

    /// Ends the clip or trail that was begun last; what was moved, turned or faded within it is as it was before.
    pub fn end(&mut self) {
        if let Some(Opened { end, state, depth }) = self.open.pop() {
            self.state = state;
            self.stack.truncate(depth);
            self.picture.items.push(end);
        }
    }

    /// From now on what is drawn goes into a picture that stays and fades.
    pub fn trail(&mut self, slot: u8, mut trail: Trail, (alpha, blend): (f32, Blend)) -> Result<(), Full> {
        self.not_kept("a trail")?;
        if self.open.iter().any(|opened| opened.end == Item::Untrail) {
            return Err("it cannot stand within another draw.trail; write one after the other".into());
        }
        if self.trails.contains(&slot) {
            return Err("this trail is drawn already; give each a name of its own".into());
        }
        if self.picture.items.len() + self.open.len() + 2 > ITEMS_MAX {
            return Err(format!("more than {ITEMS_MAX} things in one frame; draw fewer"));
        }
        let [a, b, c, d, e, f] = self.state.transform;
        let [x, y] = trail.round;
        trail.round = [a * x + c * y + e, b * x + d * y + f];
        self.item(Item::Trail { slot, trail, alpha: (alpha * self.state.alpha).clamp(0.0, 1.0), blend })?;
        self.trails.push(slot);
        self.opened(Item::Untrail);
        // How the trail is seen was said; what goes into it is whole.
        self.state.alpha = 1.0;
        Ok(())
    }

    /// Round dots, in canvas units.
    pub fn dots(&mut self, dots: impl Iterator<Item = Dot>, soft: f32, blend: Blend) -> Result<(), Full> {
        self.not_kept("a particle")?;
        let [a, b, c, d, e, f] = self.state.transform;
        let (scale, alpha) = ((a * d - b * c).abs().sqrt(), self.state.alpha);
        let start = self.picture.dots.len();
        self.picture.dots.extend(dots.take(DOTS_MAX - start.min(DOTS_MAX)).map(
            |Dot { at: [x, y], radius, colour }| Dot {
                at: [a * x + c * y + e, b * x + d * y + f],
                radius: radius * scale,
                colour: colour.faded(alpha),
            },
        ));
        let dots = Range { start: start as u32, count: (self.picture.dots.len() - start) as u32 };
        if dots.count == 0 { Ok(()) } else { self.item(Item::Dots { dots, soft, blend }) }
    }

    /// What was kept is seen here.
    pub fn kept(&mut self, slot: u8, alpha: f32, blend: Blend) -> Result<(), Full> {
        self.not_kept("a kept layer")?;
        if self.picture.items.iter().any(|item| matches!(item, Item::Kept { slot: known, .. } if *known == slot)) {
            return Err("this layer is drawn already; give each a name of its own".into());
        }
        self.item(Item::Kept { slot, alpha: (alpha * self.state.alpha).clamp(0.0, 1.0), blend })
    }

    /// From now on what is drawn is to be kept; until `put_back` the picture is not drawn on.
    pub fn put_aside(&mut self) -> Result<(), Full> {
        self.not_kept("a kept layer")?;
        let state = State { alpha: 1.0, ..self.state };
        let aside = std::mem::replace(self, Self { state, ..Self::new() });
        self.aside = Some(Box::new(aside));
        Ok(())
    }

    /// What is drawn so far.
    pub fn drawn(&self) -> &Picture {
        &self.picture
    }

    /// Goes on with the picture; gives what was drawn since `put_aside`.
    pub fn put_back(&mut self) -> Picture {
        let aside = self.aside.take().map_or_else(Self::new, |aside| *aside);
        std::mem::replace(self, aside).picture
    }

    fn not_kept(&self, what: &str) -> Result<(), Full> {
        match &self.aside {
            Some(_) => Err(format!("{what} changes, and cannot be drawn into what is kept")),
            None => Ok(()),
        }
    }

    pub fn push(&mut self) -> Result<(), Full> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(format!("draw.push {DEPTH_MAX} times without a draw.pop; add the missing draw.pop"));
        }
        self.stack.push(self.state);
        Ok(())
    }

    pub fn pop(&mut self) -> Result<(), Full> {
        // What was remembered before a clip or trail is not taken back within it.
        let floor = self.open.last().map_or(0, |opened| opened.depth);
        let last = if self.stack.len() > floor { self.stack.pop() } else { None };
        self.state = last.ok_or("draw.pop without a draw.push before it")?;
        Ok(())
    }

    /// Nothing is moved, turned or faded any more.
    pub fn home(&mut self) {
        self.state = State { transform: IDENTITY, alpha: 1.0 };
        self.stack.clear();
    }

    pub fn transform(&mut self, inner: Transform) {
        self.state.transform = compose(self.state.transform, inner);
    }

    pub fn alpha(&mut self, alpha: f32) {
        self.state.alpha = (self.state.alpha * alpha).clamp(0.0, 1.0);
    }
}
