//! Trained weights of the net, from a file that is embedded in the program.

use super::{CELL_PIXELS, CHANNELS, DECODER_BLOCKS, ENCODER_BLOCKS, HEAD_OUTPUTS};
use std::sync::LazyLock;

/// Weights as bfloat16, written by `teach/teach.py`: layer by layer, weights and then biases.
const TRAINED: &[u8] = include_bytes!("taught.bf16");

/// Weights of one layer.
#[derive(Debug)]
pub(super) struct ConvLayer {
    pub weights: Vec<f32>,
    /// One bias per output, padded to whole vectors.
    pub bias: Vec<f32>,
    pub inputs: usize,
}

/// Multiple to which outputs are padded.
pub(super) const OUTPUT_ALIGN: usize = 8;

/// Returns all layers, in the order of evaluation.
pub(super) fn layers() -> &'static [ConvLayer] {
    static LAYERS: LazyLock<Vec<ConvLayer>> = LazyLock::new(parse_layers);
    &LAYERS
}

fn parse_layers() -> Vec<ConvLayer> {
    let mut numbers =
        TRAINED.as_chunks::<2>().0.iter().map(|two| f32::from_bits(u32::from(u16::from_le_bytes(*two)) << 16));
    let mut layers = Vec::new();
    let mut layer = |inputs: usize, outputs: usize, looks: bool| {
        let whole = outputs.next_multiple_of(OUTPUT_ALIGN);
        let mut weights = Vec::new();
        for _ in 0..if looks { 9 } else { inputs } {
            weights.extend(numbers.by_ref().take(outputs));
            weights.resize(weights.len().next_multiple_of(whole), 0.0);
        }
        let mut bias: Vec<f32> = numbers.by_ref().take(outputs).collect();
        bias.resize(whole, 0.0);
        layers.push(ConvLayer { weights, bias, inputs });
    };
    layer(CHANNELS[0], CHANNELS[0], false);
    for level in 0..5 {
        let channels = CHANNELS[level];
        if level > 0 {
            layer(CHANNELS[level - 1], CHANNELS[level - 1], true);
            layer(CHANNELS[level - 1], channels, false);
        }
        for _ in 0..ENCODER_BLOCKS[level] {
            layer(channels, channels, true);
            layer(channels, channels, false);
        }
    }
    for level in (0..4).rev() {
        let channels = CHANNELS[level];
        layer(CHANNELS[level + 1], channels, false);
        for _ in 0..DECODER_BLOCKS[level] {
            layer(channels, channels, true);
            layer(channels, channels, false);
        }
        if level == 1 {
            layer(channels, 4 * HEAD_OUTPUTS, false);
        }
    }
    layer(CHANNELS[0], CELL_PIXELS, false);
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_place() {
        let layers = layers();
        let counted: usize = layers.iter().map(|layer| layer.weights.len() + layer.bias.len()).sum();
        // One layer is padded to whole vectors: 28 outputs to 32.
        let filled = 4 * (CHANNELS[1] + 1);
        assert_eq!((counted - filled) * 2, TRAINED.len());
        assert!(layers.iter().all(|layer| layer.weights.iter().chain(&layer.bias).all(|number| number.is_finite())));
    }
}
