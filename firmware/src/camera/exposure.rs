//! Exposure and white balance: when a sensor's have come to rest, by the mean colours of its frames.

use posy_shared::image::{PixelFormat, UnpackError, unpack_row};

/// Frames that are looked at, at most.
const FRAMES: u8 = 20;
/// Frames in a row whose mean colours must agree. White balance moves by less than exposure from one
/// frame to the next, so that two alike prove nothing.
const ALIKE: usize = 4;
/// Difference of the mean colours of [`ALIKE`] frames, in 1/255, that counts as none.
const CHANGE: u8 = 3;
/// Pixels that are unpacked together.
const PIXELS: usize = 32;

/// Exposure at the end of settling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Frames that were taken.
    pub frames: u8,
    /// Mean red, green and blue of the last whole one, 0 to 255.
    pub mean: [u8; 3],
    /// True if exposure and white balance came to rest before the frames ran out; they do not under
    /// flicker, and the pictures are then as good as they get.
    pub steady: bool,
}

/// Follows the mean colours of frame after frame until they no longer change, for at most [`FRAMES`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ExposureWatch {
    /// The last means, the newest last.
    means: [[u8; 3]; ALIKE],
    /// Number of them that belong to whole frames in a row.
    whole: usize,
    frames: u8,
}

impl ExposureWatch {
    /// Takes the mean colours of the next frame; `None` is a torn one, as they come while a sensor
    /// starts. Gives the exposure once it rests, or when the frames have run out.
    pub(super) fn add(&mut self, mean: Option<[u8; 3]>) -> Option<Exposure> {
        self.frames = self.frames.saturating_add(1);
        match mean {
            None => self.whole = 0,
            Some(mean) => {
                self.means.rotate_left(1);
                if let Some(last) = self.means.last_mut() {
                    *last = mean;
                }
                self.whole = (self.whole + 1).min(ALIKE);
            }
        }
        let steady = self.whole == ALIKE && self.rests();
        (steady || self.is_over()).then_some(Exposure {
            frames: self.frames,
            mean: self.means[ALIKE - 1],
            steady,
        })
    }

    /// Returns true if no more frames are looked at.
    pub(super) const fn is_over(&self) -> bool {
        self.frames >= FRAMES
    }

    fn rests(&self) -> bool {
        (0..3).all(|channel| {
            let levels = self.means.iter().map(|mean| mean[channel]);
            let (least, most) = levels.fold((u8::MAX, 0), |(least, most), level| {
                (level.min(least), level.max(most))
            });
            most - least <= CHANGE
        })
    }
}

/// Adds up the colours of a frame's pixels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MeanColour {
    sums: [u32; 3],
    pixels: u32,
}

impl MeanColour {
    /// Adds the RGB565 pixels in `raw`, high byte first.
    ///
    /// # Errors
    /// An error if `raw` ends within a pixel.
    pub(super) fn add(&mut self, raw: &[u8]) -> Result<(), UnpackError> {
        let mut rgb = [0; 3 * PIXELS];
        for part in raw.chunks(2 * PIXELS) {
            let rgb = rgb.get_mut(..part.len() / 2 * 3).unwrap_or_default();
            unpack_row(PixelFormat::Rgb565Be, part, rgb)?;
            for pixel in rgb.chunks_exact(3) {
                for (sum, &level) in self.sums.iter_mut().zip(pixel) {
                    *sum = sum.wrapping_add(u32::from(level));
                }
                self.pixels += 1;
            }
        }
        Ok(())
    }

    /// The means of all pixels, 0 to 255; 0 where there were none.
    pub(super) fn mean(&self) -> [u8; 3] {
        self.sums.map(|sum| (sum / self.pixels.max(1)) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames until rest, of a scene whose means follow `mean`.
    fn settled(mut mean: impl FnMut(u8) -> Option<[u8; 3]>) -> Exposure {
        let mut watch = ExposureWatch::default();
        (0..).find_map(|frame| watch.add(mean(frame))).unwrap()
    }

    #[test]
    fn white_balance_is_waited_for_behind_brightness() {
        // Red and blue drift in opposite directions over 15 frames: their luma hardly moves.
        let drift = |frame: u8| {
            let by = 3 * frame.min(15);
            Some([90 + by, 120, 150 - by])
        };
        let exposure = settled(drift);
        assert!(exposure.steady);
        assert!((16..=19).contains(&exposure.frames), "{exposure:?}");
        assert_eq!(settled(|_| Some([9, 8, 7])).frames, 4);
    }

    #[test]
    fn torn_frames_begin_the_watch_anew_and_flicker_ends_it() {
        let torn = settled(|frame| (frame != 2).then_some([50; 3]));
        assert_eq!((torn.frames, torn.steady), (7, true));
        let flicker = settled(|frame| Some([20 * (frame % 2); 3]));
        assert_eq!((flicker.frames, flicker.steady), (FRAMES, false));
    }
}
