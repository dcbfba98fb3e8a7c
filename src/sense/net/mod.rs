//! The net that tells people from whatever else differs from the empty square. It works only where something differs,
//! and was taught on the built-in street alone (`docs/sense.md`).

mod cells;
mod finds;
mod kernel;
mod weights;

pub(super) use finds::{Find, MIDDLE, overlap};

use super::work::Plane;
use super::{Luma, work};
use cells::Level;
use kernel::{Look, Mix, Put, Source, Target};
use pulp::Arch;
use weights::Layer;

/// Channels of each level. The finest has cells of two by two work pixels, each next one of twice as many.
const CHANNELS: [usize; 5] = [24, 32, 64, 96, 96];
/// How often each level looks round on the way to the coarsest, and on the way back.
const DOWN: [usize; 5] = [0, 2, 3, 3, 2];
const UP: [usize; 4] = [1, 2, 2, 1];
/// What the net says of each quarter of a cell of the second level: see [`finds`].
const SAYS: usize = 7;
/// Fine pixels of a cell of the finest level.
const PIXELS: usize = 16;

/// One camera's net.
#[derive(Debug)]
pub(super) struct Net {
    arch: Arch,
    levels: [Level; 5],
    /// Brightness as the net takes it, for the darkest brightness that is told of.
    tones: ([f32; 256], u8),
    /// Rows of numbers for the cells at work.
    near: Vec<f32>,
    mixed: Vec<f32>,
    /// What is said of people, for each cell of the second level a row of `4 × SAYS` numbers, filled up to whole
    /// vectors.
    said: Vec<f32>,
    /// How sure it is that each pixel is a person, 0 to 255, at twice the resolution of the work picture.
    pub fine: Plane,
}

/// What the net looks at; all of one size but the camera's picture.
pub(super) struct View<'a> {
    /// The camera's picture and how many of its pixels make one of the others, and where it has been pushed to.
    pub luma: &'a Luma<'a>,
    pub factor: usize,
    pub shift: [i32; 2],
    pub seen: &'a Plane,
    /// The empty square in this light.
    pub lit: &'a Plane,
    /// How far each pixel trembles by itself.
    pub bound: &'a Plane,
    /// Where something differs.
    pub marks: &'a Plane,
    /// Brightness without light.
    pub black: u8,
}

impl Net {
    /// For work pictures of this size.
    pub fn new(width: usize, height: usize) -> Self {
        let fine = Plane::new(2 * width, 2 * height);
        let [mut width, mut height] = [width.div_ceil(4), height.div_ceil(4)];
        let mut sizes = [[2 * width, 2 * height]; 5];
        for size in &mut sizes[1..] {
            *size = [width, height];
            (width, height) = (width.div_ceil(2), height.div_ceil(2));
        }
        let levels = core::array::from_fn(|level| Level::new(sizes[level], CHANNELS[level]));
        Self {
            arch: Arch::new(),
            levels,
            tones: (tones(16), 16),
            near: Vec::new(),
            mixed: Vec::new(),
            said: Vec::new(),
            fine,
        }
    }

    /// Looks, and writes how sure it is that each work pixel is a person, 0 to 255, also into `fine`.
    pub fn see(&mut self, view: &View, sure: &mut Plane) {
        if self.tones.1 != view.black {
            self.tones = (tones(view.black), view.black);
        }
        cells::light(&mut self.levels, view.marks);
        let mut layers = weights::layers().iter();
        self.take_in(view);
        self.mix(layers.next(), 0, Put::Instead);
        for (level, count) in DOWN.into_iter().enumerate() {
            if level > 0 {
                self.look(layers.next(), level - 1, level);
                self.mix(layers.next(), level, Put::Instead);
            }
            self.blocks(&mut layers, level, count);
        }
        for level in (0..4).rev() {
            self.tell(layers.next(), level + 1);
            let [fine, coarse] = self.levels.get_disjoint_mut([level, level + 1]).expect("two levels");
            fine.add(coarse, &self.mixed);
            self.blocks(&mut layers, level, UP[level]);
            if level == 1 {
                self.tell(layers.next(), level);
                core::mem::swap(&mut self.mixed, &mut self.said);
            }
        }
        self.tell(layers.next(), 0);
        self.levels[0].draw(&self.mixed, &mut self.fine, sure);
    }

    /// Reads the picture where the net is at work.
    fn take_in(&mut self, view: &View) {
        let level = &self.levels[0];
        let [columns, rows] = [view.seen.width, view.seen.height];
        let tones = &self.tones.0;
        let fine = work::Fine::new(view.luma, view.factor, view.shift);
        let inputs = grown(&mut self.near, level.places.len() * CHANNELS[0]).as_chunks_mut::<{ CHANNELS[0] }>().0;
        for ([x, y], into) in level.cells().zip(inputs) {
            fine.read([4 * x, 4 * y], |at, value| into[at] = tones[usize::from(value)]);
            for k in 0..4 {
                let [x, y] = [(2 * x + k % 2).min(columns - 1), (2 * y + k / 2).min(rows - 1)];
                let [seen, lit] = [view.seen, view.lit].map(|plane| plane.at(x, y));
                into[16 + k] = (tones[usize::from(seen)] - tones[usize::from(lit)]) * 2.0;
                let off = (f32::from(seen) - f32::from(lit)) / f32::from(view.bound.at(x, y).max(1));
                into[20 + k] = off.clamp(-4.0, 4.0) / 2.0;
            }
        }
    }

    /// Mixes what is near, for the map of a level.
    fn mix(&mut self, layer: Option<&Layer>, level: usize, put: Put) {
        let Some(Layer { weights, bias, inputs }) = layer else { return };
        let Level { map, places, .. } = &mut self.levels[level];
        let (from, into) = (Source::Packed(&self.near), Target::Map(map, places, put));
        self.arch.dispatch(Mix { from, into, rows: places.len(), weights, bias, inputs: *inputs });
    }

    /// Mixes the map of a level into `mixed`.
    fn tell(&mut self, layer: Option<&Layer>, level: usize) {
        let Some(Layer { weights, bias, inputs }) = layer else { return };
        let Level { map, places, .. } = &self.levels[level];
        let (from, into) =
            (Source::Map(map, places), Target::Packed(grown(&mut self.mixed, places.len() * bias.len())));
        self.arch.dispatch(Mix { from, into, rows: places.len(), weights, bias, inputs: *inputs });
    }

    /// Looks round each cell of `to` on the level `from`, which is the same or the next finer one.
    fn look(&mut self, layer: Option<&Layer>, from: usize, to: usize) {
        let Some(layer) = layer else { return };
        let (finer, level) = (&self.levels[from], &self.levels[to]);
        let into = grown(&mut self.near, level.places.len() * layer.bias.len());
        let (places, line) = (if from == to { &level.places } else { &level.middles }, finer.line());
        let (weights, bias) = (&layer.weights[..], &layer.bias[..]);
        self.arch.dispatch(Look { from: &finer.map, into, weights, bias, places, line });
    }

    fn blocks<'a>(&mut self, layers: &mut impl Iterator<Item = &'a Layer>, level: usize, count: usize) {
        for _ in 0..count {
            self.look(layers.next(), level, level);
            self.mix(layers.next(), level, Put::Added);
        }
    }
}

/// So many numbers, whatever they were.
fn grown(numbers: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if numbers.len() < count {
        numbers.resize(count, 0.0);
    }
    &mut numbers[..count]
}

/// The logarithm of brightness, which makes of more light a number that is added.
fn tones(black: u8) -> [f32; 256] {
    core::array::from_fn(|value| ((value as f32 - f32::from(black)).max(0.0) + 8.0).ln() - 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_differs_nobody_is() {
        for [width, height] in [[320, 240], [37, 32], [33, 40]] {
            let pixels = vec![90; width * height];
            let luma = Luma::new(width, height, width, &pixels).expect("the sizes agree");
            let seen = Plane { width, height, pixels: pixels.clone() };
            let (bound, mut sure) =
                (Plane { width, height, pixels: vec![6; width * height] }, Plane::new(width, height));
            let mut net = Net::new(width, height);
            let (mut heat, mut finds) = (Vec::new(), Vec::new());
            for mark in [1, 0] {
                let marks = Plane { width, height, pixels: vec![mark; width * height] };
                let (seen, bound) = (&seen, &bound);
                let view =
                    View { luma: &luma, factor: 1, shift: [3, -2], seen, lit: seen, bound, marks: &marks, black: 16 };
                net.see(&view, &mut sure);
                net.finds(0.5, &mut heat, &mut finds);
                assert!(finds.is_empty(), "{width}×{height}, marks {mark}: {finds:?}");
            }
            assert!(sure.pixels.iter().all(|sure| *sure == 0));
            assert_eq!(net.middles().count(), 0);
        }
    }
}
