//! Waiting for a sensor's exposure to rest, and how bright a frame is.

use posy_shared::image::{PixelFormat, UnpackError, unpack_row};

/// Frames that are looked at, at most.
const FRAMES: u8 = 20;
/// Change of the mean brightness, in 1/255, that counts as none.
const CHANGE: u8 = 2;
/// Frames in a row that must be as bright as the one before.
const ALIKE: u8 = 2;
/// Pixels that are unpacked together.
const PIXELS: usize = 32;

/// What settling saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Frames that were taken.
    pub frames: u8,
    /// Mean brightness of the last whole one, 0 to 255.
    pub brightness: u8,
    /// Whether brightness came to rest before the frames ran out; it does not under flicker, and
    /// the pictures are then as good as they get.
    pub steady: bool,
}

/// One frame while settling; `E` is the camera's error.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look<E> {
    /// It is whole, and this bright.
    Whole(u8),
    /// It is torn, as frames are while a sensor starts: passed over.
    Torn(E),
}

/// Takes frames with `look` until the mean brightness of successive ones no longer changes, and at
/// most [`FRAMES`].
///
/// # Errors
/// The first error of `look`; the last torn frame's if every frame was torn.
pub(super) fn settle<E>(mut look: impl FnMut() -> Result<Look<E>, E>) -> Result<Settled, E> {
    let mut last = None;
    let mut alike = 0;
    let mut frames = 0;
    loop {
        frames += 1;
        let ended = frames >= FRAMES;
        let brightness = match (look()?, last) {
            (Look::Whole(brightness), _) => {
                let rests = last.is_some_and(|last| brightness.abs_diff(last) <= CHANGE);
                alike = if rests { alike + 1 } else { 0 };
                brightness
            }
            (Look::Torn(error), None) if ended => return Err(error),
            (Look::Torn(_), None) => continue,
            (Look::Torn(_), Some(brightness)) => {
                alike = 0;
                brightness
            }
        };
        let steady = alike >= ALIKE;
        if steady || ended {
            return Ok(Settled {
                frames,
                brightness,
                steady,
            });
        }
        last = Some(brightness);
    }
}

/// Adds up the brightness of a frame's pixels: luma by ITU-R BT.601 in 1/256.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Brightness {
    sum: u64,
    pixels: u64,
}

impl Brightness {
    /// Adds the RGB565 pixels in `raw`, high byte first.
    ///
    /// # Errors
    /// Where `raw` ends within a pixel.
    pub(super) fn add(&mut self, raw: &[u8]) -> Result<(), UnpackError> {
        let mut rgb = [0; 3 * PIXELS];
        for part in raw.chunks(2 * PIXELS) {
            let rgb = rgb.get_mut(..part.len() / 2 * 3).unwrap_or_default();
            unpack_row(PixelFormat::Rgb565Be, part, rgb)?;
            for pixel in rgb.chunks_exact(3) {
                let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
                self.sum += u64::from((77 * red + 150 * green + 29 * blue) >> 8);
                self.pixels += 1;
            }
        }
        Ok(())
    }

    /// The mean of all pixels, 0 to 255; 0 where there were none.
    pub(super) fn mean(&self) -> u8 {
        (self.sum / self.pixels.max(1)) as u8
    }
}
