//! Luma plane of a camera's frame, borrowed.

/// Brightness of a frame, one byte per pixel, row by row from the top left.
#[derive(Clone, Copy)]
pub struct Luma<'a> {
    width: usize,
    height: usize,
    stride: usize,
    pixels: &'a [u8],
}

/// Shows the size only: pixels are never logged.
impl core::fmt::Debug for Luma<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(f, "Luma({} x {})", self.width, self.height)
    }
}

impl<'a> Luma<'a> {
    /// Supported lengths of a side.
    pub const SIDES: core::ops::RangeInclusive<usize> = 32..=8192;

    /// Creates a plane of `width` by `height`, with rows `stride` bytes apart.
    /// Returns `None` if there are too few bytes or a side is not within [`Self::SIDES`].
    pub fn new(width: usize, height: usize, stride: usize, pixels: &'a [u8]) -> Option<Self> {
        let fits = Self::SIDES.contains(&width)
            && Self::SIDES.contains(&height)
            && stride >= width
            && pixels.len() >= stride.checked_mul(height - 1)?.checked_add(width)?;
        fits.then_some(Self { width, height, stride, pixels })
    }

    /// Returns the number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns one row; `y` must be below the height.
    pub fn row(&self, y: usize) -> &'a [u8] {
        &self.pixels[y * self.stride..][..self.width]
    }
}
