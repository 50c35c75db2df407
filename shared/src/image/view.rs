//! A frame in borrowed memory.

use core::fmt;

use super::PixelFormat;

/// Reason that bytes and extents do not make an [`ImageView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// Width or height is zero.
    Empty {
        /// Pixels in a row.
        width: u16,
        /// Number of rows.
        height: u16,
    },
    /// The stride is shorter than a row.
    StrideTooShort {
        /// Bytes from one row to the next, as given.
        stride: usize,
        /// Bytes in a row of this width and format.
        row_len: usize,
    },
    /// The data ends before the last row does.
    DataTooShort {
        /// Bytes that the extents require; `usize::MAX` if the count does not fit a `usize`.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageError::Empty { width, height } => {
                write!(f, "an image of {width} x {height} pixels holds nothing")
            }
            ImageError::StrideTooShort { stride, row_len } => {
                write!(f, "stride of {stride} bytes, but a row has {row_len}")
            }
            ImageError::DataTooShort { needed, given } => {
                write!(f, "image needs {needed} bytes, but there are {given}")
            }
        }
    }
}

impl core::error::Error for ImageError {}

/// A frame `[H, W]` of pixels in borrowed bytes, rows from top to bottom.
///
/// The extents are checked once, in [`ImageView::new`]; afterwards no row can be out of bounds.
#[derive(Clone, Copy, Debug)]
pub struct ImageView<'a> {
    width: u16,
    height: u16,
    stride: usize,
    format: PixelFormat,
    data: &'a [u8],
}

impl<'a> ImageView<'a> {
    /// Creates a view of `height` rows of `width` pixels, each row `stride` bytes after the one before.
    ///
    /// The last row need not be followed by padding. Bytes after it are ignored.
    ///
    /// # Errors
    /// [`ImageError`] if an extent is zero, the stride shorter than a row, or `data` too short.
    pub fn new(
        width: u16,
        height: u16,
        stride: usize,
        format: PixelFormat,
        data: &'a [u8],
    ) -> Result<Self, ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Empty { width, height });
        }
        let row_len = format.row_len(width);
        if stride < row_len {
            return Err(ImageError::StrideTooShort { stride, row_len });
        }
        let needed = stride
            .checked_mul(height as usize - 1)
            .and_then(|before_last| before_last.checked_add(row_len))
            .unwrap_or(usize::MAX);
        if data.len() < needed {
            return Err(ImageError::DataTooShort {
                needed,
                given: data.len(),
            });
        }
        Ok(ImageView {
            width,
            height,
            stride,
            format,
            data,
        })
    }

    /// Creates a view whose rows follow one another without padding.
    ///
    /// # Errors
    /// Same as [`ImageView::new`].
    pub fn packed(
        width: u16,
        height: u16,
        format: PixelFormat,
        data: &'a [u8],
    ) -> Result<Self, ImageError> {
        Self::new(width, height, format.row_len(width), format, data)
    }

    /// Pixels in a row.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Number of rows.
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// Bytes from the start of one row to the start of the next.
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Encoding of the pixels.
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// The bytes of row `y`, counted from the top, without padding; `None` below the last row.
    pub fn row(&self, y: u16) -> Option<&'a [u8]> {
        if y >= self.height {
            return None;
        }
        let start = self.stride * y as usize;
        self.data
            .get(start..start + self.format.row_len(self.width))
    }

    /// Iterates over the rows from top to bottom, each without padding.
    pub const fn rows(&self) -> Rows<'a> {
        Rows {
            view: *self,
            next: 0,
        }
    }
}

/// Iterator over the rows of an [`ImageView`] from top to bottom; see [`ImageView::rows`].
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    view: ImageView<'a>,
    next: u16,
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let row = self.view.row(self.next)?;
        self.next += 1;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.view.height - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn rows_skip_padding_and_the_last_row_needs_none() {
        let data: Vec<u8> = (0..11).collect();
        let view = ImageView::new(3, 3, 4, PixelFormat::Grey8, &data).unwrap();
        let rows: Vec<&[u8]> = view.rows().collect();
        assert_eq!(rows, [&[0, 1, 2][..], &[4, 5, 6], &[8, 9, 10]]);
        assert_eq!(view.rows().len(), 3);
        assert_eq!(view.row(2), Some(&[8, 9, 10][..]));
        assert_eq!(view.row(3), None);
    }

    #[test]
    fn extents_are_checked() {
        let data = [0; 16];
        let new = |w, h, stride| ImageView::new(w, h, stride, PixelFormat::Rgb565Le, &data).err();
        assert_eq!(new(4, 2, 8), None);
        assert_eq!(
            new(0, 2, 8),
            Some(ImageError::Empty {
                width: 0,
                height: 2
            })
        );
        assert_eq!(
            new(4, 0, 8),
            Some(ImageError::Empty {
                width: 4,
                height: 0
            })
        );
        assert_eq!(
            new(4, 2, 7),
            Some(ImageError::StrideTooShort {
                stride: 7,
                row_len: 8
            })
        );
        assert_eq!(
            new(4, 2, 9),
            Some(ImageError::DataTooShort {
                needed: 17,
                given: 16
            })
        );
        assert_eq!(
            new(4, 3, usize::MAX),
            Some(ImageError::DataTooShort {
                needed: usize::MAX,
                given: 16
            })
        );
    }

    #[test]
    fn a_full_height_view_ends() {
        let data = [7; u16::MAX as usize];
        let view = ImageView::packed(1, u16::MAX, PixelFormat::Grey8, &data).unwrap();
        assert_eq!(view.rows().count(), u16::MAX as usize);
    }
}
