//! Pictures of a board, put together from rows.

use posy_shared::image::{PixelFormat, unpack_row};
use posy_shared::link::{Frame, View};

use posy_nn::rgb::Rgb;

/// Maximum width and height of a picture in pixels: they bound the memory that a stranger's board may make
/// this laptop hold.
const MOST: u16 = 2048;

/// A whole picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its number; an answer has the number of its picture.
    pub number: u16,
    /// The camera's frame, or the network's input.
    pub view: View,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Pixel format of the camera's frame.
    pub pixels: PixelFormat,
    /// Rows from top to bottom, as the board sent them.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// The picture in red, green and blue. The network's input, `[H, W, 3]` int8, is moved by 128.
    pub fn to_rgb(&self) -> Rgb {
        let (width, height) = (self.width, self.height);
        let mut data = vec![0; 3 * usize::from(width) * usize::from(height)];
        match self.view {
            View::Input => {
                for (to, from) in data.iter_mut().zip(&self.bytes) {
                    *to = from ^ 0x80;
                }
            }
            View::Camera | View::Small => {
                let rows = self.bytes.chunks_exact(self.pixels.row_len(width).max(1));
                for (to, from) in data
                    .chunks_exact_mut(3 * usize::from(width).max(1))
                    .zip(rows)
                {
                    // Lengths were checked when the rows came.
                    let _ = unpack_row(self.pixels, from, to);
                }
            }
        }
        Rgb {
            width,
            height,
            data,
        }
    }
}

/// A picture whose rows are coming.
#[derive(Debug)]
pub(super) struct Assembly {
    frame: Frame,
    bytes: Vec<u8>,
    next: u16,
}

impl Assembly {
    /// Begins a picture; `None` if no camera has such pictures.
    pub(super) fn begin(frame: Frame) -> Option<Self> {
        let sane = |side: u16| (1..=MOST).contains(&side);
        (sane(frame.width) && sane(frame.height)).then(|| Assembly {
            frame,
            bytes: Vec::new(),
            next: 0,
        })
    }

    /// Takes a row. `None` if the picture is useless from now on: a row is missing, or has another length.
    pub(super) fn push(mut self, frame: u16, index: u16, bytes: &[u8]) -> Option<Self> {
        // Sent twice: it makes no difference.
        let fits = frame == self.frame.frame && index == self.next;
        if !fits || index >= self.frame.height || bytes.len() != self.frame.row_len() {
            return None;
        }
        self.bytes.extend_from_slice(bytes);
        self.next += 1;
        Some(self)
    }

    /// The picture, if it is whole.
    pub(super) fn finish(self) -> Result<Picture, Self> {
        if self.next < self.frame.height {
            return Err(self);
        }
        Ok(Picture {
            number: self.frame.frame,
            view: self.frame.view,
            width: self.frame.width,
            height: self.frame.height,
            pixels: self.frame.pixels,
            bytes: self.bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: u16, height: u16) -> Frame {
        Frame {
            frame: 7,
            view: View::Camera,
            width,
            height,
            pixels: PixelFormat::Rgb565Be,
        }
    }

    #[test]
    fn a_picture_needs_every_row_once_and_in_order() {
        let begun = || Assembly::begin(frame(2, 2)).unwrap();
        let row = [0xF8, 0, 0, 0x1F];
        assert!(begun().push(7, 1, &row).is_none());
        assert!(begun().push(6, 0, &row).is_none());
        assert!(begun().push(7, 0, &row[1..]).is_none());
        let half = begun().push(7, 0, &row).unwrap();
        let whole = half.finish().unwrap_err().push(7, 1, &row).unwrap();
        let picture = whole.finish().unwrap();
        let rgb = picture.to_rgb();
        assert_eq!((rgb.width, rgb.height), (2, 2));
        assert_eq!(rgb.data[..6], [255, 0, 0, 0, 0, 255]);
        assert_eq!(rgb.data[..6], rgb.data[6..]);
    }

    #[test]
    fn a_picture_of_a_stranger_is_bounded() {
        for (width, height) in [(0, 1), (1, 0), (u16::MAX, 1), (1, u16::MAX)] {
            assert!(Assembly::begin(frame(width, height)).is_none());
        }
    }
}
