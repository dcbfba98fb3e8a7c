//! Kernels of the net's two kinds of layer, for any vector width.
//!
//! They loop with `for`. The compiler may leave the closure of a `for_each` as a function of its own, which would be compiled
//! without the vector instructions: each of its operations becomes a call.

use pulp::{Simd, WithSimd};

/// Rows in one pass: with three vectors of sums per row, the registers of any processor suffice.
const ROWS: usize = 4;

/// Source of rows: consecutive ones, or the listed rows of a map.
#[derive(Clone, Copy)]
pub(super) enum RowSource<'a> {
    Packed(&'a [f32]),
    Map(&'a [f32], &'a [u32]),
}

/// Destination of rows: consecutive, or the listed rows of a map, where negative results become zero.
pub(super) enum RowTarget<'a> {
    Packed(&'a mut [f32]),
    /// Overwrites the rows of the map or adds to them.
    Map(&'a mut [f32], &'a [u32], WriteMode),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteMode {
    Overwrite,
    Accumulate,
}

/// Pointwise convolution of each row: `into` = `bias` + `from` × `weights`.
/// `rows` rows of `inputs` numbers become rows of `outputs` numbers.
pub(super) struct PointwiseConv<'a> {
    pub from: RowSource<'a>,
    pub into: RowTarget<'a>,
    pub rows: usize,
    /// `inputs` rows of `outputs` numbers.
    pub weights: &'a [f32],
    pub bias: &'a [f32],
    pub inputs: usize,
}

impl WithSimd for PointwiseConv<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let vectors = self.bias.len() / S::F32_LANES;
        match self.inputs {
            24 => self.run::<S, 24>(simd, vectors),
            32 => self.run::<S, 32>(simd, vectors),
            64 => self.run::<S, 64>(simd, vectors),
            96 => self.run::<S, 96>(simd, vectors),
            inputs => unreachable!("the net has no layer of {inputs} channels"),
        }
    }
}

impl PointwiseConv<'_> {
    #[inline(always)]
    fn run<S: Simd, const IN: usize>(self, simd: S, vectors: usize) {
        if vectors.is_multiple_of(3) {
            self.run_vectors::<S, IN, 3>(simd);
        } else if vectors.is_multiple_of(2) {
            self.run_vectors::<S, IN, 2>(simd);
        } else {
            self.run_vectors::<S, IN, 1>(simd);
        }
    }

    /// Runs with `N` vectors of sums for each row.
    #[inline(always)]
    fn run_vectors<S: Simd, const IN: usize, const N: usize>(mut self, simd: S) {
        let outputs = self.bias.len();
        let width = N * S::F32_LANES;
        for start in (0..self.rows).step_by(ROWS) {
            let count = (self.rows - start).min(ROWS);
            // The last pass may process one row several times.
            let rows: [&[f32; IN]; ROWS] = core::array::from_fn(|k| {
                let row = start + k.min(count - 1);
                match self.from {
                    RowSource::Packed(rows) => &rows.as_chunks::<IN>().0[row],
                    RowSource::Map(map, places) => &map.as_chunks::<IN>().0[places[row] as usize],
                }
            });
            for first in (0..outputs).step_by(width) {
                let bias = load_vectors::<S, N>(&self.bias[first..first + width]);
                let mut sums = [bias; ROWS];
                let columns = self.weights.chunks_exact(outputs);
                for (channel, weights) in columns.enumerate().take(IN) {
                    let weights = load_vectors::<S, N>(&weights[first..first + width]);
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        let value = simd.splat_f32s(row[channel]);
                        for (sum, weight) in sums.iter_mut().zip(weights) {
                            *sum = simd.mul_add_f32s(value, weight, *sum);
                        }
                    }
                }
                for (k, sums) in sums.into_iter().enumerate().take(count) {
                    self.into.store(simd, start + k, outputs, first, sums);
                }
            }
        }
    }
}

impl RowTarget<'_> {
    #[inline(always)]
    fn store<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        row: usize,
        outputs: usize,
        first: usize,
        sums: [S::f32s; N],
    ) {
        let width = N * S::F32_LANES;
        let zero = simd.splat_f32s(0.0);
        match self {
            Self::Packed(rows) => {
                let to = S::as_mut_simd_f32s(&mut rows[row * outputs + first..][..width]).0;
                for (to, sum) in to.iter_mut().zip(sums) {
                    *to = sum;
                }
            }
            Self::Map(map, places, put) => {
                let to = S::as_mut_simd_f32s(&mut map[places[row] as usize * outputs + first..][..width]).0;
                for (to, sum) in to.iter_mut().zip(sums) {
                    let sum = if *put == WriteMode::Accumulate { simd.add_f32s(*to, sum) } else { sum };
                    *to = simd.max_f32s(sum, zero);
                }
            }
        }
    }
}

/// Depthwise 3 × 3 convolution: `into` = max(0, `bias` + the nine rows × `weights`), channel by channel.
pub(super) struct DepthwiseConv<'a> {
    /// Rows of `bias.len()` numbers.
    pub from: &'a [f32],
    pub into: &'a mut [f32],
    /// Nine rows, from the top left.
    pub weights: &'a [f32],
    pub bias: &'a [f32],
    /// Central row in `from`, for each row of `into`.
    pub places: &'a [u32],
    /// Rows of `from` in one line of the map.
    pub stride: usize,
}

impl WithSimd for DepthwiseConv<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.bias.len() {
            24 => self.run::<S, 24>(simd),
            32 => self.run::<S, 32>(simd),
            64 => self.run::<S, 64>(simd),
            96 => self.run::<S, 96>(simd),
            channels => unreachable!("the net has no layer of {channels} channels"),
        }
    }
}

impl DepthwiseConv<'_> {
    #[inline(always)]
    fn run<S: Simd, const C: usize>(self, simd: S) {
        let from = self.from.as_chunks::<C>().0;
        let weights = self.weights.as_chunks::<C>().0;
        let bias = S::as_simd_f32s(self.bias).0;
        let zero = simd.splat_f32s(0.0);
        let weights: [&[S::f32s]; 9] = core::array::from_fn(|tap| S::as_simd_f32s(&weights[tap]).0);
        for (place, into) in self.places.iter().zip(self.into.as_chunks_mut::<C>().0) {
            let first = *place as usize - self.stride - 1;
            let near: [&[S::f32s]; 9] =
                core::array::from_fn(|tap| S::as_simd_f32s(&from[first + tap / 3 * self.stride + tap % 3]).0);
            let into = S::as_mut_simd_f32s(into.as_mut_slice()).0;
            for (k, (to, bias)) in into.iter_mut().zip(bias).enumerate() {
                let mut sum = *bias;
                for (near, weights) in near.iter().zip(&weights) {
                    sum = simd.mul_add_f32s(near[k], weights[k], sum);
                }
                *to = simd.max_f32s(sum, zero);
            }
        }
    }
}

#[inline(always)]
fn load_vectors<S: Simd, const N: usize>(numbers: &[f32]) -> [S::f32s; N] {
    let vectors = S::as_simd_f32s(numbers).0;
    core::array::from_fn(|i| vectors[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Arch;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| random.f32() - 0.5).collect()
    }

    fn near(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
    }

    #[test]
    fn mixing_is_a_matrix_product() {
        for (inputs, outputs) in [(24, 24), (24, 8), (32, 64), (64, 32), (64, 96), (96, 96)] {
            let rows = 2 * ROWS + 1;
            let (from, weights) = (numbers(rows * inputs, 1), numbers(inputs * outputs, 2));
            let (bias, mut into) = (numbers(outputs, 3), vec![9.0; rows * outputs]);
            let mix = |from: RowSource, into: RowTarget, rows| {
                Arch::new().dispatch(PointwiseConv { from, into, rows, weights: &weights, bias: &bias, inputs });
            };
            mix(RowSource::Packed(&from), RowTarget::Packed(&mut into), rows);
            let plain = (0..rows * outputs).map(|at| {
                let (row, out) = (at / outputs, at % outputs);
                bias[out] + (0..inputs).map(|k| from[row * inputs + k] * weights[k * outputs + out]).sum::<f32>()
            });
            let plain: Vec<f32> = plain.collect();
            assert!(near(&into, &plain), "{inputs} to {outputs}");
            // From some rows of a map to others: 3 to 5, then 7 is added to it.
            let row = |row: usize| &plain[row * outputs..][..outputs];
            mix(RowSource::Map(&from, &[3]), RowTarget::Map(&mut into, &[5], WriteMode::Overwrite), 1);
            mix(RowSource::Map(&from, &[7]), RowTarget::Map(&mut into, &[5], WriteMode::Accumulate), 1);
            let sums = row(3).iter().zip(row(7)).map(|(a, b)| (a.max(0.0) + b).max(0.0));
            assert!(near(&into[5 * outputs..][..outputs], &sums.collect::<Vec<_>>()), "{inputs} onto {outputs}");
        }
    }

    #[test]
    fn looking_is_a_sum_over_nine_places() {
        for channels in [24, 32, 64, 96] {
            let (line, places) = (6, [7_u32, 10, 14]);
            let (from, weights) = (numbers(4 * line * channels, 4), numbers(9 * channels, 5));
            let (bias, mut into) = (numbers(channels, 6), vec![9.0; 3 * channels]);
            let (from, into_rows) = (&from[..], &mut into[..]);
            Arch::new().dispatch(DepthwiseConv {
                from,
                into: into_rows,
                weights: &weights,
                bias: &bias,
                places: &places,
                stride: line,
            });
            let plain = (0..3 * channels).map(|at| {
                let (place, channel) = (places[at / channels] as usize, at % channels);
                let tap = |k: usize| {
                    let row = place + k / 3 * line + k % 3 - line - 1;
                    from[row * channels + channel] * weights[k * channels + channel]
                };
                (bias[channel] + (0..9).map(tap).sum::<f32>()).max(0.0)
            });
            assert!(near(&into, &plain.collect::<Vec<_>>()), "{channels}");
        }
    }
}
