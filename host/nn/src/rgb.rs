//! A picture in 8-bit RGB.

use posy_shared::preprocess::Size;

/// A picture, upright.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Width in pixels, at least 1.
    pub width: u16,
    /// Height in pixels, at least 1.
    pub height: u16,
    /// `[H, W, 3]`: red, green, blue, 0 to 255.
    pub data: Vec<u8>,
}

impl Rgb {
    /// Size in pixels.
    pub fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    /// Rows from top to bottom, `[W, 3]` each.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.data.chunks_exact(3 * usize::from(self.width).max(1))
    }
}
