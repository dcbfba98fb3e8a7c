//! Neural net that tells people from other differences to the background.
//! It runs only near foreground pixels and was trained on the simulated street alone (`docs/sense.md`).

mod detections;
mod kernels;
mod levels;
mod weights;

pub(super) use detections::{CENTRE_HEIGHT, Detection, iou};

use super::plane::Plane;
use super::{Luma, plane};
use kernels::{DepthwiseConv, PointwiseConv, RowSource, RowTarget, WriteMode};
use levels::FeatureLevel;
use pulp::Arch;
use weights::ConvLayer;

/// Channels of each level.
/// The finest has cells of two by two downsampled pixels; each next one doubles the side.
const CHANNELS: [usize; 5] = [24, 32, 64, 96, 96];
/// Blocks of each level on the way to the coarsest, and on the way back.
const ENCODER_BLOCKS: [usize; 5] = [0, 2, 3, 3, 2];
const DECODER_BLOCKS: [usize; 4] = [1, 2, 2, 1];
/// Outputs of the net for each quarter of a second-level cell: see [`detections`].
const HEAD_OUTPUTS: usize = 7;
/// Fine pixels of a cell of the finest level.
const CELL_PIXELS: usize = 16;

/// Net of one camera.
#[derive(Debug)]
pub(super) struct PersonNet {
    arch: Arch,
    levels: [FeatureLevel; 5],
    /// Logarithmic brightness table, and the black level for which it was computed.
    log_luma: ([f32; 256], u8),
    /// Rows of numbers for the active cells.
    depthwise_out: Vec<f32>,
    pointwise_out: Vec<f32>,
    /// Output of the detection head.
    /// It has a row of `4 × HEAD_OUTPUTS` numbers per second-level cell, padded to whole vectors.
    head_out: Vec<f32>,
    /// Person confidence of each pixel, 0 to 255, at twice the resolution of the downsampled image.
    pub fine_confidence: Plane,
}

/// Input planes of the net; all but the camera's frame have one size.
pub(super) struct NetInput<'a> {
    /// Camera's frame, the downsampling factor and the camera's shift.
    pub luma: &'a Luma<'a>,
    pub factor: usize,
    pub shift: [i32; 2],
    pub image: &'a Plane,
    /// Background in the current light.
    pub relit: &'a Plane,
    /// Noise threshold of each pixel.
    pub threshold: &'a Plane,
    /// Foreground mask.
    pub foreground: &'a Plane,
    /// Brightness without light.
    pub black: u8,
}

impl PersonNet {
    /// Creates a net for downsampled images of this size.
    pub fn new(width: usize, height: usize) -> Self {
        let fine = Plane::new(2 * width, 2 * height);
        let [mut width, mut height] = [width.div_ceil(4), height.div_ceil(4)];
        let mut sizes = [[2 * width, 2 * height]; 5];
        for size in &mut sizes[1..] {
            *size = [width, height];
            (width, height) = (width.div_ceil(2), height.div_ceil(2));
        }
        let levels = core::array::from_fn(|level| FeatureLevel::new(sizes[level], CHANNELS[level]));
        Self {
            arch: Arch::new(),
            levels,
            log_luma: (log_luma_table(16), 16),
            depthwise_out: Vec::new(),
            pointwise_out: Vec::new(),
            head_out: Vec::new(),
            fine_confidence: fine,
        }
    }

    /// Runs the net and writes the person confidence of each downsampled pixel, 0 to 255.
    /// Also writes `fine_confidence`.
    pub fn infer(&mut self, view: &NetInput, sure: &mut Plane) {
        if self.log_luma.1 != view.black {
            self.log_luma = (log_luma_table(view.black), view.black);
        }
        levels::activate_near(&mut self.levels, view.foreground);
        let mut layers = weights::layers().iter();
        self.load_input(view);
        self.pointwise_to_map(layers.next(), 0, WriteMode::Overwrite);
        for (level, count) in ENCODER_BLOCKS.into_iter().enumerate() {
            if level > 0 {
                self.depthwise(layers.next(), level - 1, level);
                self.pointwise_to_map(layers.next(), level, WriteMode::Overwrite);
            }
            self.run_blocks(&mut layers, level, count);
        }
        for level in (0..4).rev() {
            self.pointwise_from_map(layers.next(), level + 1);
            let [fine, coarse] = self.levels.get_disjoint_mut([level, level + 1]).expect("two levels");
            fine.add_upsampled(coarse, &self.pointwise_out);
            self.run_blocks(&mut layers, level, DECODER_BLOCKS[level]);
            if level == 1 {
                self.pointwise_from_map(layers.next(), level);
                core::mem::swap(&mut self.pointwise_out, &mut self.head_out);
            }
        }
        self.pointwise_from_map(layers.next(), 0);
        self.levels[0].write_confidence(&self.pointwise_out, &mut self.fine_confidence, sure);
    }

    /// Loads the input of the active cells.
    fn load_input(&mut self, view: &NetInput) {
        let level = &self.levels[0];
        let [columns, rows] = [view.image.width, view.image.height];
        let tones = &self.log_luma.0;
        let fine = plane::FineSampler::new(view.luma, view.factor, view.shift);
        let inputs = grow_to(&mut self.depthwise_out, level.active_rows.len() * CHANNELS[0])
            .as_chunks_mut::<{ CHANNELS[0] }>()
            .0;
        for ([x, y], into) in level.active_cells().zip(inputs) {
            fine.read([4 * x, 4 * y], |at, value| into[at] = tones[usize::from(value)]);
            for k in 0..4 {
                let [x, y] = [(2 * x + k % 2).min(columns - 1), (2 * y + k / 2).min(rows - 1)];
                let [seen, lit] = [view.image, view.relit].map(|plane| plane.at(x, y));
                into[16 + k] = (tones[usize::from(seen)] - tones[usize::from(lit)]) * 2.0;
                let off = (f32::from(seen) - f32::from(lit)) / f32::from(view.threshold.at(x, y).max(1));
                into[20 + k] = off.clamp(-4.0, 4.0) / 2.0;
            }
        }
    }

    /// Runs a pointwise convolution into the map of a level.
    fn pointwise_to_map(&mut self, layer: Option<&ConvLayer>, level: usize, put: WriteMode) {
        let Some(ConvLayer { weights, bias, inputs }) = layer else { return };
        let FeatureLevel { features: map, active_rows: places, .. } = &mut self.levels[level];
        let (from, into) = (RowSource::Packed(&self.depthwise_out), RowTarget::Map(map, places, put));
        self.arch.dispatch(PointwiseConv { from, into, rows: places.len(), weights, bias, inputs: *inputs });
    }

    /// Runs a pointwise convolution from the map of a level into `pointwise_out`.
    fn pointwise_from_map(&mut self, layer: Option<&ConvLayer>, level: usize) {
        let Some(ConvLayer { weights, bias, inputs }) = layer else { return };
        let FeatureLevel { features: map, active_rows: places, .. } = &self.levels[level];
        let (from, into) = (
            RowSource::Map(map, places),
            RowTarget::Packed(grow_to(&mut self.pointwise_out, places.len() * bias.len())),
        );
        self.arch.dispatch(PointwiseConv { from, into, rows: places.len(), weights, bias, inputs: *inputs });
    }

    /// Runs a depthwise convolution on each active cell of `to`; `from` is the same or the next finer level.
    fn depthwise(&mut self, layer: Option<&ConvLayer>, from: usize, to: usize) {
        let Some(layer) = layer else { return };
        let (finer, level) = (&self.levels[from], &self.levels[to]);
        let into = grow_to(&mut self.depthwise_out, level.active_rows.len() * layer.bias.len());
        let (places, line) = (if from == to { &level.active_rows } else { &level.finer_rows }, finer.stride());
        let (weights, bias) = (&layer.weights[..], &layer.bias[..]);
        self.arch.dispatch(DepthwiseConv { from: &finer.features, into, weights, bias, places, stride: line });
    }

    fn run_blocks<'a>(&mut self, layers: &mut impl Iterator<Item = &'a ConvLayer>, level: usize, count: usize) {
        for _ in 0..count {
            self.depthwise(layers.next(), level, level);
            self.pointwise_to_map(layers.next(), level, WriteMode::Accumulate);
        }
    }
}

/// Returns the first `count` numbers, with unspecified content, and grows the buffer if needed.
fn grow_to(numbers: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if numbers.len() < count {
        numbers.resize(count, 0.0);
    }
    &mut numbers[..count]
}

/// Returns the logarithm of each brightness, so that a change of light becomes an offset.
fn log_luma_table(black: u8) -> [f32; 256] {
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
            let mut net = PersonNet::new(width, height);
            let (mut heat, mut finds) = (Vec::new(), Vec::new());
            for mark in [1, 0] {
                let marks = Plane { width, height, pixels: vec![mark; width * height] };
                let (seen, bound) = (&seen, &bound);
                let view = NetInput {
                    luma: &luma,
                    factor: 1,
                    shift: [3, -2],
                    image: seen,
                    relit: seen,
                    threshold: bound,
                    foreground: &marks,
                    black: 16,
                };
                net.infer(&view, &mut sure);
                net.detect(0.5, &mut heat, &mut finds);
                assert!(finds.is_empty(), "{width}×{height}, marks {mark}: {finds:?}");
            }
            assert!(sure.pixels.iter().all(|sure| *sure == 0));
            assert_eq!(net.centre_votes().count(), 0);
        }
    }
}
