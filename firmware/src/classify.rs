//! From a camera to logits: capture, rows, engine.

use core::fmt;

use posy_shared::engine::Engine;
use posy_shared::image::{PixelFormat, unpack_row};
use posy_shared::kernels::Kernels;
use posy_shared::picture::{Picture, PictureError};
use posy_shared::preprocess::Size;

use crate::camera::Camera;

/// Why a capture got no answer. A failed capture is never classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifyError<E> {
    /// The camera failed.
    Camera(E),
    /// The picture could not be run.
    Picture(PictureError),
    /// A row of the camera does not unpack into the row buffers: one of them is too short.
    RowBuffers,
}

impl<E: fmt::Display> fmt::Display for ClassifyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera(error) => error.fmt(f),
            Self::Picture(error) => error.fmt(f),
            Self::RowBuffers => f.write_str("the row buffers are too short for the camera's rows"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for ClassifyError<E> {}

impl<E> From<PictureError> for ClassifyError<E> {
    fn from(error: PictureError) -> Self {
        Self::Picture(error)
    }
}

/// The memory of one row on its way; all that a board holds of a frame.
#[derive(Debug)]
pub struct RowBuffers<'b> {
    /// As the camera writes it: at least [`FrameFormat::row_len`](crate::camera::FrameFormat)
    /// bytes.
    pub raw: &'b mut [u8],
    /// Unpacked, `[W, 3]`: at least three bytes a pixel.
    pub rgb: &'b mut [u8],
    /// Of the resize: [`scratch_len`](posy_shared::preprocess::scratch_len) words.
    pub scratch: &'b mut [u32],
}

/// Takes one picture with `camera` and gives the model's logits for it.
///
/// What a model needs and buffers lack is found before the camera is asked. After an error of the
/// camera, in the middle of a frame too, nothing of that frame is left: the engine begins anew
/// with the next call, and so must the camera with its next capture.
///
/// # Errors
/// See [`ClassifyError`]. The engine is ready for the next picture all the same.
pub fn classify<'e, 'r: 'e, 'm: 'e, C: Camera, K: Kernels>(
    camera: &mut C,
    engine: &'e mut Engine<'r, 'm, K>,
    buffers: &'e mut RowBuffers<'_>,
) -> Result<&'e [i8], ClassifyError<C::Error>> {
    classify_then(camera, engine, buffers, |_| {})
}

/// [`classify`] that hands the camera to `after_rows` once its last row is read, before the network's
/// last layers run: time in which the camera can begin its next frame.
///
/// # Errors
/// As [`classify`].
pub fn classify_then<'e, 'r: 'e, 'm: 'e, C: Camera, K: Kernels>(
    camera: &mut C,
    engine: &'e mut Engine<'r, 'm, K>,
    buffers: &'e mut RowBuffers<'_>,
    after_rows: impl FnOnce(&mut C),
) -> Result<&'e [i8], ClassifyError<C::Error>> {
    let format = camera.format();
    let (width, height) = (format.width, format.height);
    let raw = buffers.raw.get_mut(..format.row_len());
    let rgb = buffers.rgb.get_mut(..3 * usize::from(width));
    let (Some(raw), Some(rgb)) = (raw, rgb) else {
        return Err(ClassifyError::RowBuffers);
    };
    let mut picture = Picture::begin(engine, Size { width, height }, buffers.scratch)?;
    camera.capture().map_err(ClassifyError::Camera)?;
    for _ in 0..height {
        camera.read_row(raw).map_err(ClassifyError::Camera)?;
        if !picture.wants_row() {
            picture.skip_row()?;
        } else if format.pixels == PixelFormat::Rgb888 {
            picture.push_rgb(raw)?;
        } else {
            unpack_row(format.pixels, raw, rgb).map_err(|_| ClassifyError::RowBuffers)?;
            picture.push_rgb(rgb)?;
        }
    }
    after_rows(camera);
    Ok(picture.finish()?)
}
