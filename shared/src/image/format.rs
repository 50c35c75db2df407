//! Pixel formats: the bytes of a row of pixels.

use serde::{Deserialize, Serialize};

/// Encoding of the pixels of a row in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PixelFormat {
    /// Two bytes a pixel, `RRRRRGGG GGGBBBBB`: the high byte first, as OmniVision sensors send it.
    Rgb565Be,
    /// RGB565 as in [`PixelFormat::Rgb565Be`], but the low byte first.
    Rgb565Le,
    /// Three bytes a pixel: red, green, blue.
    Rgb888,
    /// Four bytes for two neighbouring pixels: `Y0 Cb Y1 Cr` (also called YUY2 and YUV422), full range.
    /// A row of odd width ends in a whole group of four, whose second luma is ignored.
    Yuyv,
    /// One byte a pixel: luma, 0 black to 255 white.
    Grey8,
}

impl PixelFormat {
    /// Bytes that a row of `width` pixels takes, without any padding behind it.
    pub const fn row_len(self, width: u16) -> usize {
        let width = width as usize;
        match self {
            PixelFormat::Rgb565Be | PixelFormat::Rgb565Le => 2 * width,
            PixelFormat::Rgb888 => 3 * width,
            PixelFormat::Yuyv => 4 * width.div_ceil(2),
            PixelFormat::Grey8 => width,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PixelFormat::*;

    #[test]
    fn row_lengths() {
        assert_eq!(Rgb565Be.row_len(320), 640);
        assert_eq!(Rgb565Le.row_len(3), 6);
        assert_eq!(Rgb888.row_len(u16::MAX), 196_605);
        assert_eq!(Yuyv.row_len(4), 8);
        assert_eq!(Yuyv.row_len(5), 12);
        assert_eq!(Grey8.row_len(0), 0);
    }
}
