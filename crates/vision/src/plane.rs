//! Downsampled image: the camera's frame, shrunk by an integer factor.
//! So any camera has about the same cost.

use super::Luma;

/// Largest width of a downsampled image, in pixels.
const WIDTH_MAX: usize = 420;

/// Image of one byte per pixel, row by row from the top left.
#[derive(Clone, Default)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

/// Shows the size only: pixels are never logged.
impl core::fmt::Debug for Plane {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(f, "Plane({} x {})", self.width, self.height)
    }
}

impl Plane {
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height] }
    }

    pub fn row(&self, y: usize) -> &[u8] {
        &self.pixels[y * self.width..][..self.width]
    }

    pub fn row_mut(&mut self, y: usize) -> &mut [u8] {
        &mut self.pixels[y * self.width..][..self.width]
    }

    pub fn at(&self, x: usize, y: usize) -> u8 {
        self.pixels[y * self.width + x]
    }
}

/// Returns the number of camera pixels per downsampled pixel, on each side.
pub(super) fn downsample_factor(width: usize) -> usize {
    width.div_ceil(WIDTH_MAX).max(1)
}

/// Downsamples `from` into `into` by `factor`, and compensates the camera's shift.
/// `shift` (in camera pixels) is the image's movement since it was learned. Pixels outside repeat the edge.
pub(super) fn downsample(from: &Luma, factor: usize, shift: [i32; 2], into: &mut Plane) {
    let [width, height] = [from.width() as i32, from.height() as i32];
    let rows = |y: usize, k: usize| from.row(((y * factor + k) as i32 + shift[1]).clamp(0, height - 1) as usize);
    let columns = into.width;
    for y in 0..into.height {
        let to = into.row_mut(y);
        // Columns whose sources all lie within the frame; the few others are clamped one by one.
        let first = ((-shift[0]).max(0) as usize).div_ceil(factor).min(columns);
        let end = (((width - shift[0]).max(0) as usize) / factor).clamp(first, columns);
        let from_x = (first * factor) as i32 + shift[0];
        let from_x = from_x.max(0) as usize;
        match factor {
            _ if first == end => {}
            1 => {
                let source = &rows(y, 0)[from_x..][..end - first];
                to[first..end].copy_from_slice(source);
            }
            2 => {
                let count = end - first;
                let (a, b) = (&rows(y, 0)[from_x..][..2 * count], &rows(y, 1)[from_x..][..2 * count]);
                for ((to, a), b) in to[first..end].iter_mut().zip(a.as_chunks::<2>().0).zip(b.as_chunks::<2>().0) {
                    let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
                    *to = ((sum + 2) >> 2) as u8;
                }
            }
            _ => {
                let area = (factor * factor) as u32;
                for (i, to) in to[first..end].iter_mut().enumerate() {
                    let left = from_x + i * factor;
                    let sum: u32 = (0..factor)
                        .map(|k| rows(y, k)[left..left + factor].iter().map(|p| u32::from(*p)).sum::<u32>())
                        .sum();
                    *to = ((sum + area / 2) / area) as u8;
                }
            }
        }
        for x in (0..first).chain(end..columns) {
            let source = ((x * factor) as i32 + shift[0]).clamp(0, width - 1) as usize;
            to[x] = rows(y, 0)[source];
        }
    }
}

/// Sampler of the camera's frame at twice the downsampled resolution, shifted as in [`downsample`].
/// Pixels are read only where they are needed.
pub(super) struct FineSampler<'a> {
    luma: &'a Luma<'a>,
    factor: usize,
    shift: [i32; 2],
}

impl<'a> FineSampler<'a> {
    pub fn new(luma: &'a Luma<'a>, factor: usize, shift: [i32; 2]) -> Self {
        Self { luma, factor, shift }
    }

    /// Reads four by four fine pixels from `at` on, row by row; pixels outside repeat the edge.
    pub fn read(&self, at: [usize; 2], mut to: impl FnMut(usize, u8)) {
        let sides = [self.luma.width(), self.luma.height()];
        // One fine pixel is the mean of `side` camera pixels on each side; with an odd factor neighbours overlap.
        let side = self.factor.div_ceil(2);
        let place = |axis: usize, k: usize| {
            let fine = at[axis] + k;
            ((fine / 2 * self.factor + fine % 2 * (self.factor / 2)) as i32) + self.shift[axis]
        };
        let clamp = |axis: usize, place: i32| place.clamp(0, sides[axis] as i32 - 1) as usize;
        if self.factor == 2 && place(0, 0) >= 0 && place(0, 0) as usize + 4 <= sides[0] {
            let left = place(0, 0) as usize;
            for y in 0..4 {
                let row = &self.luma.row(clamp(1, place(1, y)))[left..left + 4];
                row.iter().enumerate().for_each(|(x, value)| to(4 * y + x, *value));
            }
            return;
        }
        for k in 0..16 {
            let [left, top] = [place(0, k % 4), place(1, k / 4)];
            let mut sum = 0;
            for y in 0..side as i32 {
                let row = self.luma.row(clamp(1, top + y));
                sum += (0..side as i32).map(|x| u32::from(row[clamp(0, left + x)])).sum::<u32>();
            }
            let area = (side * side) as u32;
            to(k, ((sum + area / 2) / area) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_taken_back_for_every_factor() {
        let (width, height) = (96, 64);
        let picture = |dx: usize, dy: usize| -> Vec<u8> {
            (0..width * height)
                .map(|i| (((i % width + 50 - dx) / 8 * 31 + (i / width + 50 - dy) / 8 * 17) % 200) as u8)
                .collect()
        };
        for factor in [1, 2, 3, 4] {
            let mut planes = [Plane::new(width / factor, height / factor), Plane::new(width / factor, height / factor)];
            for (plane, shift) in planes.iter_mut().zip([[0, 0], [5, 3]]) {
                let pixels = picture(shift[0] as usize, shift[1] as usize);
                let luma = Luma::new(width, height, width, &pixels).expect("the sizes agree");
                downsample(&luma, factor, shift, plane);
            }
            for y in 2..height / factor - 4 {
                let inside = 2..width / factor - 6;
                assert_eq!(planes[0].row(y)[inside.clone()], planes[1].row(y)[inside], "factor {factor}, row {y}");
            }
        }
    }

    #[test]
    fn a_far_shift_is_no_panic() {
        let pixels = vec![7; 40 * 33];
        let luma = Luma::new(40, 33, 40, &pixels).expect("the sizes agree");
        for shift in [[500, 500], [-500, -500], [39, -33]] {
            let mut plane = Plane::new(20, 16);
            downsample(&luma, 2, shift, &mut plane);
            assert!(plane.pixels.iter().all(|p| *p == 7));
        }
    }
}
