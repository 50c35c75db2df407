//! Conversion of rows of any pixel format to RGB, in integers.

use core::fmt;

use super::PixelFormat;

/// Length mismatch of [`unpack_row`]: source and destination do not hold the same number of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackError {
    /// Format of the source.
    pub format: PixelFormat,
    /// Bytes of the source.
    pub source_len: usize,
    /// Bytes of the destination, three a pixel.
    pub destination_len: usize,
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a row of {} bytes of {:?} does not fill {} bytes of RGB",
            self.source_len, self.format, self.destination_len
        )
    }
}

impl core::error::Error for UnpackError {}

/// Unpacks one row `[W]` of `format` into `[W, 3]` bytes: red, green, blue, 0 to 255.
///
/// - RGB565: a channel of n bits fills the low bits of its byte with its own high bits
///   (`r << 3 | r >> 2`, `g << 2 | g >> 4`), so that zero stays 0 and the largest value becomes 255.
/// - YUYV: full-range BT.601 as JFIF has it (ITU-T T.871, section 7); both pixels of a group share
///   its one chroma.
/// - Grey: red, green and blue alike.
///
/// # Errors
/// [`UnpackError`] when the destination is not three bytes for each pixel of the source.
pub fn unpack_row(
    format: PixelFormat,
    source: &[u8],
    destination: &mut [u8],
) -> Result<(), UnpackError> {
    let error = UnpackError {
        format,
        source_len: source.len(),
        destination_len: destination.len(),
    };
    let (pixels, rest) = destination.as_chunks_mut::<3>();
    let width = u16::try_from(pixels.len()).map_err(|_| error)?;
    if !rest.is_empty() || source.len() != format.row_len(width) {
        return Err(error);
    }
    match format {
        PixelFormat::Rgb888 => destination.copy_from_slice(source),
        PixelFormat::Grey8 => {
            for (pixel, &luma) in pixels.iter_mut().zip(source) {
                *pixel = [luma; 3];
            }
        }
        PixelFormat::Rgb565Be => {
            for (pixel, &bytes) in pixels.iter_mut().zip(source.as_chunks::<2>().0) {
                *pixel = rgb565_to_rgb(u16::from_be_bytes(bytes));
            }
        }
        PixelFormat::Rgb565Le => {
            for (pixel, &bytes) in pixels.iter_mut().zip(source.as_chunks::<2>().0) {
                *pixel = rgb565_to_rgb(u16::from_le_bytes(bytes));
            }
        }
        PixelFormat::Yuyv => {
            for (pair, &[y0, cb, y1, cr]) in pixels.chunks_mut(2).zip(source.as_chunks::<4>().0) {
                for (pixel, y) in pair.iter_mut().zip([y0, y1]) {
                    *pixel = ycbcr_to_rgb(y, cb, cr);
                }
            }
        }
    }
    Ok(())
}

/// `RRRRRGGGGGGBBBBB` to eight bits a channel, by bit replication.
const fn rgb565_to_rgb(pixel: u16) -> [u8; 3] {
    let red = (pixel >> 11) as u8;
    let green = (pixel >> 5 & 0x3f) as u8;
    let blue = (pixel & 0x1f) as u8;
    [
        red << 3 | red >> 2,
        green << 2 | green >> 4,
        blue << 3 | blue >> 2,
    ]
}

/// Full-range YCbCr to RGB with the constants of ITU-R BT.601, as JFIF specifies it (ITU-T T.871,
/// section 7):
///
/// ```text
/// R = Y                           + 1.402    (Cr - 128)
/// G = Y - 0.344136 (Cb - 128)     - 0.714136 (Cr - 128)
/// B = Y + 1.772    (Cb - 128)
/// ```
///
/// each rounded half up and clamped to 0..=255. The factors are held in 16 fractional bits, which moves
/// a result by less than 0.002 before it is rounded.
const fn ycbcr_to_rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const CR_TO_RED: i32 = 91_881; // 1.402 x 65536
    const CB_TO_GREEN: i32 = 22_553; // 0.344136 x 65536
    const CR_TO_GREEN: i32 = 46_802; // 0.714136 x 65536
    const CB_TO_BLUE: i32 = 116_130; // 1.772 x 65536
    const HALF: i32 = 1 << 15;
    let y = ((y as i32) << 16) + HALF;
    let cb = cb as i32 - 128;
    let cr = cr as i32 - 128;
    [
        clamp_to_u8((y + CR_TO_RED * cr) >> 16),
        clamp_to_u8((y - CB_TO_GREEN * cb - CR_TO_GREEN * cr) >> 16),
        clamp_to_u8((y + CB_TO_BLUE * cb) >> 16),
    ]
}

const fn clamp_to_u8(value: i32) -> u8 {
    if value < 0 {
        0
    } else if value > 255 {
        255
    } else {
        value as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn rgb565_fills_the_range_in_both_byte_orders() {
        let cases: [(u16, [u8; 3]); 5] = [
            (0x0000, [0, 0, 0]),
            (0xffff, [255, 255, 255]),
            (0xf800, [255, 0, 0]),
            (0x07e0, [0, 255, 0]),
            (0b1000_0100_0000_0001, [132, 130, 8]),
        ];
        for (pixel, rgb) in cases {
            let mut out = [0; 3];
            unpack_row(PixelFormat::Rgb565Be, &pixel.to_be_bytes(), &mut out).unwrap();
            assert_eq!(out, rgb);
            unpack_row(PixelFormat::Rgb565Le, &pixel.to_le_bytes(), &mut out).unwrap();
            assert_eq!(out, rgb);
        }
    }

    #[test]
    fn rgb565_stays_within_one_of_the_exact_scale() {
        for bits in 0..32u16 {
            let exact = bits as f64 * 255.0 / 31.0;
            assert!((rgb565_to_rgb(bits << 11)[0] as f64 - exact).abs() < 1.0);
        }
        for bits in 0..64u16 {
            let exact = bits as f64 * 255.0 / 63.0;
            assert!((rgb565_to_rgb(bits << 5)[1] as f64 - exact).abs() < 1.0);
        }
    }

    /// Every colour against the formula of T.871 in f64.
    #[test]
    fn ycbcr_is_the_formula() {
        let mut differing = 0;
        // Miri is about a thousand times slower, and is not here to check arithmetic.
        let step = if cfg!(miri) { 65_537 } else { 1 };
        for colour in (0..1u32 << 24).step_by(step) {
            let [_, y, cb, cr] = colour.to_be_bytes();
            let (fy, fcb, fcr) = (y as f64, cb as f64 - 128.0, cr as f64 - 128.0);
            let exact = [
                fy + 1.402 * fcr,
                fy - (0.114 * 1.772 * fcb + 0.299 * 1.402 * fcr) / 0.587,
                fy + 1.772 * fcb,
            ]
            .map(|v| v.clamp(0.0, 255.0));
            for (got, exact) in ycbcr_to_rgb(y, cb, cr).into_iter().zip(exact) {
                assert!((got as f64 - exact).abs() < 0.502, "{y} {cb} {cr}");
                differing += (got as f64 != (exact + 0.5).floor()) as u32;
            }
        }
        // The two differ only where the exact value lies beside a half.
        assert!(differing < (1 << 24) / 100, "{differing}");
    }

    /// Pillow: `Image.frombytes("YCbCr", (1, 1), bytes([y, cb, cr])).convert("RGB")`. Its tables
    /// have fewer bits, so a difference of one is allowed.
    #[test]
    fn ycbcr_agrees_with_pillow() {
        let cases: [([u8; 3], [u8; 3]); 10] = [
            ([0, 0, 0], [0, 135, 0]),
            ([255, 255, 255], [255, 120, 255]),
            ([16, 128, 128], [16, 16, 16]),
            ([81, 90, 240], [238, 14, 13]),
            ([145, 54, 34], [13, 237, 13]),
            ([41, 240, 110], [15, 15, 239]),
            ([100, 200, 30], [0, 145, 227]),
            ([200, 20, 140], [216, 228, 8]),
            ([128, 0, 255], [255, 81, 0]),
            ([77, 131, 121], [67, 80, 82]),
        ];
        for ([y, cb, cr], expected) in cases {
            for (got, expected) in ycbcr_to_rgb(y, cb, cr).into_iter().zip(expected) {
                assert!(got.abs_diff(expected) <= 1, "{y} {cb} {cr}");
            }
        }
    }

    #[test]
    fn yuyv_shares_chroma_and_takes_odd_widths() {
        let source = [10, 90, 200, 240, 77, 128, 99, 128];
        let mut out = [0; 9];
        unpack_row(PixelFormat::Yuyv, &source, &mut out).unwrap();
        assert_eq!(out[0..3], ycbcr_to_rgb(10, 90, 240));
        assert_eq!(out[3..6], ycbcr_to_rgb(200, 90, 240));
        assert_eq!(out[6..9], [77, 77, 77]);
    }

    #[test]
    fn grey_and_rgb() {
        let mut out = [0; 6];
        unpack_row(PixelFormat::Grey8, &[3, 250], &mut out).unwrap();
        assert_eq!(out, [3, 3, 3, 250, 250, 250]);
        unpack_row(PixelFormat::Rgb888, &[1, 2, 3, 4, 5, 6], &mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn lengths_must_agree() {
        let mut out = [0; 6];
        assert!(unpack_row(PixelFormat::Rgb888, &[0; 5], &mut out).is_err());
        assert!(unpack_row(PixelFormat::Rgb888, &[0; 5], &mut out[..5]).is_err());
        assert!(unpack_row(PixelFormat::Yuyv, &[0; 8], &mut out).is_err());
        assert!(unpack_row(PixelFormat::Grey8, &[0; 70_000], &mut vec![0; 210_000]).is_err());
        assert!(unpack_row(PixelFormat::Grey8, &[], &mut []).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(
            kind in 0..5usize, source: [u8; 40], source_len in 0..40usize, out_len in 0..60usize,
        ) {
            use PixelFormat::*;
            let format = [Rgb565Be, Rgb565Le, Rgb888, Yuyv, Grey8][kind];
            let mut out = [0; 60];
            let fits = out_len % 3 == 0 && format.row_len(out_len as u16 / 3) == source_len;
            let result = unpack_row(format, &source[..source_len], &mut out[..out_len]);
            prop_assert_eq!(result.is_ok(), fits);
        }
    }
}
