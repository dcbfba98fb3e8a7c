//! Levels of the net: sparse feature maps that are computed only near foreground pixels.

use super::super::plane::Plane;
use super::CELL_PIXELS;
use std::sync::LazyLock;

/// Margin around foreground pixels, across and down.
/// It is in cells of the second level (four downsampled pixels).
/// A coat that looks like the ground leaves a gap. `teach/teach.py` trains with the same margin.
const ACTIVE_MARGIN: [usize; 2] = [1, 1];

/// Quantization steps per unit of a logit.
const LOGIT_STEPS: f32 = 20.0;

/// One level: cells row by row, with a border of one empty cell on all sides.
#[derive(Debug)]
pub(super) struct FeatureLevel {
    pub size: [usize; 2],
    channels: usize,
    active: Vec<bool>,
    /// Active cells, as rows of `features`.
    pub active_rows: Vec<u32>,
    /// The same cells as rows of the next finer level's `features`, at the middle of four of its cells.
    pub finer_rows: Vec<u32>,
    /// Index into `active_rows` of each active row of `features`.
    active_index: Vec<u32>,
    pub features: Vec<f32>,
}

impl FeatureLevel {
    pub fn new(size: [usize; 2], channels: usize) -> Self {
        let cells = (size[0] + 2) * (size[1] + 2);
        let on = vec![false; size[0] * size[1]];
        let (order, map) = (vec![0; cells], vec![0.0; cells * channels]);
        Self {
            size,
            channels,
            active: on,
            active_rows: Vec::new(),
            finer_rows: Vec::new(),
            active_index: order,
            features: map,
        }
    }

    /// Returns the number of rows of `features` in one line of cells.
    pub fn stride(&self) -> usize {
        self.size[0] + 2
    }

    /// Returns column and row of each active cell.
    pub fn active_cells(&self) -> impl Iterator<Item = [usize; 2]> {
        let line = self.stride();
        self.active_rows.iter().map(move |place| [*place as usize % line - 1, *place as usize / line - 1])
    }

    /// Activates the marked cells and clears those that are no longer active.
    /// The features of the other cells will be overwritten.
    fn update_active(&mut self, finer: usize) {
        let line = self.stride();
        for place in self.active_rows.drain(..) {
            let place = place as usize;
            if !self.active[(place / line - 1) * self.size[0] + place % line - 1] {
                self.features[place * self.channels..][..self.channels].fill(0.0);
            }
        }
        self.finer_rows.clear();
        for (y, row) in self.active.chunks_exact(self.size[0]).enumerate() {
            // Most cells are inactive: eight are tested at once.
            let eights =
                row.chunks(8).zip((0..).step_by(8)).filter(|(eight, _)| eight.iter().fold(false, |any, on| any | on));
            for (x, _) in eights.flat_map(|(eight, first)| (first..).zip(eight)).filter(|(_, on)| **on) {
                let place = (y + 1) * line + x + 1;
                self.active_index[place] = self.active_rows.len() as u32;
                self.active_rows.push(place as u32);
                self.finer_rows.push(((2 * y + 1) * finer + 2 * x + 1) as u32);
            }
        }
    }

    /// Adds to each cell the row of `news` of its coarser cell; negative sums become zero.
    pub fn add_upsampled(&mut self, coarser: &Self, news: &[f32]) {
        let (line, coarse) = (self.stride(), coarser.stride());
        for place in &self.active_rows {
            let place = *place as usize;
            let above = ((place / line - 1) / 2 + 1) * coarse + (place % line - 1) / 2 + 1;
            let new = &news[coarser.active_index[above] as usize * self.channels..][..self.channels];
            let row = &mut self.features[place * self.channels..][..self.channels];
            row.iter_mut().zip(new).for_each(|(old, new)| *old = (*old + new).max(0.0));
        }
    }

    /// Writes the finest level's logits `said` as confidence, for fine pixels and for downsampled pixels.
    /// A downsampled pixel is the mean of four fine ones.
    pub fn write_confidence(&self, said: &[f32], fine: &mut Plane, into: &mut Plane) {
        static SURE: LazyLock<[u8; 256]> =
            LazyLock::new(|| core::array::from_fn(|step| (255.0 * sigmoid((step as f32 - 128.0) / LOGIT_STEPS)) as u8));
        into.pixels.fill(0);
        fine.pixels.fill(0);
        let sure: &[u8; 256] = &SURE;
        for ([x, y], said) in self.active_cells().zip(said.as_chunks::<CELL_PIXELS>().0) {
            let sure = said.map(|said| sure[usize::from((said * LOGIT_STEPS + 128.5) as u8)]);
            for (y, four) in (4 * y..fine.height).zip(sure.as_chunks::<4>().0) {
                let Some(row) = fine.row_mut(y).get_mut(4 * x..) else { break };
                match row.first_chunk_mut() {
                    Some(whole) => *whole = *four,
                    None => row.iter_mut().zip(four).for_each(|(to, sure)| *to = *sure),
                }
            }
            for (k, four) in [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]].into_iter().enumerate() {
                let [x, y] = [2 * x + k % 2, 2 * y + k / 2];
                if x < into.width && y < into.height {
                    let sum: u16 = four.into_iter().map(|at| u16::from(sure[at])).sum();
                    into.row_mut(y)[x] = (sum / 4) as u8;
                }
            }
        }
    }
}

/// Returns the likelihood of a logit, 0 to 1.
pub(super) fn sigmoid(said: f32) -> f32 {
    1.0 / (1.0 + (-said).exp())
}

/// Activates the cells of all levels near foreground pixels.
pub(super) fn activate_near(levels: &mut [FeatureLevel; 5], marks: &Plane) {
    let [columns, rows] = levels[1].size;
    let mut near = vec![false; columns * rows];
    let mut four = vec![0; marks.width];
    for (near, lines) in near.chunks_exact_mut(columns).zip(marks.pixels.chunks(4 * marks.width)) {
        four.fill(0);
        for line in lines.chunks_exact(marks.width) {
            four.iter_mut().zip(line).for_each(|(four, mark)| *four |= mark);
        }
        near.iter_mut().zip(four.chunks(4)).for_each(|(near, marks)| *near = marks.iter().any(|mark| *mark != 0));
    }
    let on = &mut levels[1].active;
    on.fill(false);
    for (y, line) in near.chunks_exact(columns).enumerate() {
        for (x, _) in line.iter().enumerate().filter(|(_, near)| **near) {
            let [left, right] = [x.saturating_sub(ACTIVE_MARGIN[0]), (x + ACTIVE_MARGIN[0] + 1).min(columns)];
            for row in y.saturating_sub(ACTIVE_MARGIN[1])..(y + ACTIVE_MARGIN[1] + 1).min(rows) {
                on[row * columns + left..row * columns + right].fill(true);
            }
        }
    }
    let [finest, second, ..] = levels;
    for (y, line) in finest.active.chunks_exact_mut(2 * columns).enumerate() {
        let from = &second.active[y / 2 * columns..][..columns];
        line.as_chunks_mut::<2>().0.iter_mut().zip(from).for_each(|(two, on)| *two = [*on; 2]);
    }
    for coarse in 2..5 {
        let [fine, coarse] = levels.get_disjoint_mut([coarse - 1, coarse]).expect("two levels");
        coarse.active.fill(false);
        for (y, line) in fine.active.chunks_exact(fine.size[0]).enumerate() {
            let to = &mut coarse.active[y / 2 * coarse.size[0]..][..coarse.size[0]];
            line.chunks(2).zip(to).for_each(|(two, to)| *to |= two.iter().any(|on| *on));
        }
    }
    let mut finer = 0;
    for level in levels {
        level.update_active(finer);
        finer = level.stride();
    }
}
