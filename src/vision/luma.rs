//! A camera's picture as brightness: the Y plane, borrowed.

/// Brightness of a picture, one byte a pixel, row by row from the top left.
#[derive(Debug, Clone, Copy)]
pub struct Luma<'a> {
    width: usize,
    height: usize,
    stride: usize,
    pixels: &'a [u8],
}

impl<'a> Luma<'a> {
    /// Smallest and largest side that is taken.
    pub const SIDES: core::ops::RangeInclusive<usize> = 32..=8192;

    /// A picture of `width` by `height`, its rows `stride` bytes apart. `None` where the bytes are too few for that, or
    /// a side is not within [`Self::SIDES`].
    pub fn new(width: usize, height: usize, stride: usize, pixels: &'a [u8]) -> Option<Self> {
        let fits = Self::SIDES.contains(&width)
            && Self::SIDES.contains(&height)
            && stride >= width
            && pixels.len() >= stride.checked_mul(height - 1)?.checked_add(width)?;
        fits.then_some(Self { width, height, stride, pixels })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// One row; `y` is below the height.
    pub fn row(&self, y: usize) -> &'a [u8] {
        &self.pixels[y * self.stride..][..self.width]
    }
}
