//! What the net was taught: numbers in a file that is part of the program.

use super::{CHANNELS, DOWN, PIXELS, SAYS, UP};
use std::sync::LazyLock;

/// Written by `teach/teach.py`: the upper halves of 32-bit floats, layer by layer, weights and then biases.
const TAUGHT: &[u8] = include_bytes!("taught.bf16");

/// Numbers of one layer.
#[derive(Debug)]
pub(super) struct Layer {
    pub weights: Vec<f32>,
    /// One for each output; as many as fill whole vectors.
    pub bias: Vec<f32>,
    pub inputs: usize,
}

/// Outputs are filled up to a multiple of this.
pub(super) const WHOLE: usize = 8;

/// All layers, in the order in which they are asked.
pub(super) fn layers() -> &'static [Layer] {
    static LAYERS: LazyLock<Vec<Layer>> = LazyLock::new(read);
    &LAYERS
}

fn read() -> Vec<Layer> {
    let mut numbers =
        TAUGHT.as_chunks::<2>().0.iter().map(|two| f32::from_bits(u32::from(u16::from_le_bytes(*two)) << 16));
    let mut layers = Vec::new();
    let mut layer = |inputs: usize, outputs: usize, looks: bool| {
        let whole = outputs.next_multiple_of(WHOLE);
        let mut weights = Vec::new();
        for _ in 0..if looks { 9 } else { inputs } {
            weights.extend(numbers.by_ref().take(outputs));
            weights.resize(weights.len().next_multiple_of(whole), 0.0);
        }
        let mut bias: Vec<f32> = numbers.by_ref().take(outputs).collect();
        bias.resize(whole, 0.0);
        layers.push(Layer { weights, bias, inputs });
    };
    layer(CHANNELS[0], CHANNELS[0], false);
    for level in 0..5 {
        let channels = CHANNELS[level];
        if level > 0 {
            layer(CHANNELS[level - 1], CHANNELS[level - 1], true);
            layer(CHANNELS[level - 1], channels, false);
        }
        for _ in 0..DOWN[level] {
            layer(channels, channels, true);
            layer(channels, channels, false);
        }
    }
    for level in (0..4).rev() {
        let channels = CHANNELS[level];
        layer(CHANNELS[level + 1], channels, false);
        for _ in 0..UP[level] {
            layer(channels, channels, true);
            layer(channels, channels, false);
        }
        if level == 1 {
            layer(channels, 4 * SAYS, false);
        }
    }
    layer(CHANNELS[0], PIXELS, false);
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_place() {
        let layers = layers();
        let counted: usize = layers.iter().map(|layer| layer.weights.len() + layer.bias.len()).sum();
        // One layer is filled up to whole vectors: 28 outputs to 32.
        let filled = 4 * (CHANNELS[1] + 1);
        assert_eq!((counted - filled) * 2, TAUGHT.len());
        assert!(layers.iter().all(|layer| layer.weights.iter().chain(&layer.bias).all(|number| number.is_finite())));
    }
}
