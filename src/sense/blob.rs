//! Connected areas of a mask, by runs of rows and union-find.

use super::work::Plane;

/// Most areas that are told apart in one frame; more is rain on the lens.
const BLOBS_MAX: usize = 1_024;

/// One connected area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Blob {
    /// Left, top, right, bottom; right and bottom lie outside.
    pub bounds: [usize; 4],
    /// Pixels.
    pub area: u32,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    y: u32,
    from: u32,
    to: u32,
    root: u32,
}

/// All areas of a mask. The buffers are kept from frame to frame.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    /// The areas.
    pub list: Vec<Blob>,
    /// For each pixel 0, or the index of its area and 1.
    pub labels: Vec<u16>,
    runs: Vec<Run>,
    slots: Vec<u16>,
    names: Vec<u16>,
}

impl Blobs {
    /// Finds all areas of at least `least` pixels, diagonal neighbours joined.
    pub fn find(&mut self, mask: &Plane, least: u32) {
        self.list.clear();
        self.runs.clear();
        self.labels.clear();
        self.labels.resize(mask.pixels.len(), 0);
        let (mut above, mut this) = (0..0, 0);
        for y in 0..mask.height {
            let row = mask.row(y);
            let mut x = 0;
            let mut before = above.start;
            while let Some(from) = row[x..].iter().position(|p| *p != 0).map(|skip| x + skip) {
                let to = row[from..].iter().position(|p| *p == 0).map_or(row.len(), |length| from + length);
                let index = self.runs.len() as u32;
                self.runs.push(Run { y: y as u32, from: from as u32, to: to as u32, root: index });
                while before < above.end && (self.runs[before].to as usize) < from {
                    before += 1;
                }
                let mut touching = before;
                while touching < above.end && self.runs[touching].from as usize <= to {
                    self.join(touching as u32, index);
                    touching += 1;
                }
                x = to;
            }
            (above, this) = (this..self.runs.len(), self.runs.len());
        }
        self.measure();
        self.name(least);
        for index in 0..self.runs.len() {
            let root = self.root(index as u32) as usize;
            let name = self.slots[root].checked_sub(1).map_or(0, |slot| self.names[usize::from(slot)]);
            if name != 0 {
                let run = self.runs[index];
                let row = run.y as usize * mask.width;
                self.labels[row + run.from as usize..row + run.to as usize].fill(name);
            }
        }
    }

    /// Bounds and area of each, small ones too.
    fn measure(&mut self) {
        self.slots.clear();
        self.slots.resize(self.runs.len(), 0);
        for index in 0..self.runs.len() {
            let root = self.root(index as u32) as usize;
            let run = self.runs[index];
            if self.slots[root] == 0 {
                // More than can be told apart: what comes first stays.
                if self.list.len() == 16 * BLOBS_MAX {
                    continue;
                }
                self.list.push(Blob { bounds: [usize::MAX, usize::MAX, 0, 0], area: 0 });
                self.slots[root] = self.list.len() as u16;
            }
            let blob = &mut self.list[usize::from(self.slots[root]) - 1];
            blob.area += run.to - run.from;
            let [left, top, right, bottom] = &mut blob.bounds;
            (*left, *top) = ((*left).min(run.from as usize), (*top).min(run.y as usize));
            (*right, *bottom) = ((*right).max(run.to as usize), (*bottom).max(run.y as usize + 1));
        }
    }

    /// Numbers those that are large enough from 1; the others go.
    fn name(&mut self, least: u32) {
        self.names.clear();
        let Self { list, names, .. } = self;
        let mut next = 0;
        list.retain(|blob| {
            let stays = blob.area >= least && next < BLOBS_MAX as u16;
            next += u16::from(stays);
            names.push(if stays { next } else { 0 });
            stays
        });
    }

    fn root(&mut self, index: u32) -> u32 {
        let mut at = index;
        while self.runs[at as usize].root != at {
            // Halving the path keeps it short.
            let up = self.runs[at as usize].root;
            self.runs[at as usize].root = self.runs[up as usize].root;
            at = up;
        }
        at
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.runs[high as usize].root = low;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_told_apart_and_arms_joined() {
        let picture = ["....#.....", ".##...#.#.", ".#....#.#.", "......###.", "#........#", ".#........"];
        let pixels = picture.concat().bytes().map(|c| u8::from(c == b'#')).collect();
        let mask = Plane { width: 10, height: 6, pixels };
        let mut blobs = Blobs::default();
        blobs.find(&mask, 2);
        let found: Vec<_> = blobs.list.iter().map(|blob| (blob.bounds, blob.area)).collect();
        assert_eq!(found, [([1, 1, 3, 3], 3), ([6, 1, 10, 5], 8), ([0, 4, 2, 6], 2)]);
        assert_eq!(blobs.labels[3 * 10 + 7], 2);
        assert_eq!(blobs.labels[4], 0, "too small");
    }
}
