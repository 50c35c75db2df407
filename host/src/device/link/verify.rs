//! The board's logits of the laptop's pictures.

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Rgb as Pixel};
use posy_shared::image::PixelFormat;
use posy_shared::link::Ask;

use super::LinkError;
use super::connection::{Connection, Replied};
use posy_nn::rgb::Rgb;

/// Largest picture that every board takes, pixels.
pub const MOST: (u16, u16) = (320, 240);

impl Connection {
    /// Logits of the board's model for `photo`, a picture of at most 320 pixels in a row, sent row by
    /// row: the same road as the camera's, behind the camera.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn classify(&mut self, photo: &Rgb) -> Result<Vec<i8>, LinkError> {
        self.done(Ask::Begin {
            width: photo.width,
            height: photo.height,
            pixels: PixelFormat::Rgb888,
        })?;
        for (index, bytes) in (0..).zip(photo.rows()) {
            self.done(Ask::Row { index, bytes })?;
        }
        match self.ask(Ask::Finish)? {
            Replied::Logits(logits) => Ok(logits),
            _ => Err(self.nonsense()),
        }
    }
}

/// The photo in its own shape, at most `most` pixels wide and high; boards take [`MOST`].
pub fn fitted(photo: &Rgb, most: (u16, u16)) -> Rgb {
    let (width, height) = (u32::from(photo.width), u32::from(photo.height));
    let (most_width, most_height) = (u32::from(most.0), u32::from(most.1));
    if width <= most_width && height <= most_height {
        return photo.clone();
    }
    // The side that is too long by more decides.
    let (to_width, to_height) = match width * most_height > height * most_width {
        true => (most_width, (height * most_width / width).max(1)),
        false => ((width * most_height / height).max(1), most_height),
    };
    let Some(whole) = ImageBuffer::<Pixel<u8>, _>::from_raw(width, height, &photo.data[..]) else {
        return Rgb {
            width: 1,
            height: 1,
            data: vec![0; 3],
        };
    };
    Rgb {
        width: to_width as u16,
        height: to_height as u16,
        data: resize(&whole, to_width, to_height, FilterType::Triangle).into_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_keep_their_shape_and_fit_a_board() {
        for ((width, height), expected) in [
            ((640, 480), (320, 240)),
            ((100, 50), (100, 50)),
            ((1000, 100), (320, 32)),
            ((100, 1000), (24, 240)),
            ((2000, 1), (320, 1)),
        ] {
            let data = vec![7; 3 * usize::from(width) * usize::from(height)];
            let photo = Rgb {
                width,
                height,
                data,
            };
            let photo = fitted(&photo, MOST);
            assert_eq!((photo.width, photo.height), expected);
            assert!(photo.data.iter().all(|&value| value == 7));
            let (width, height) = expected;
            assert_eq!(
                photo.data.len(),
                3 * usize::from(width) * usize::from(height)
            );
        }
    }
}
