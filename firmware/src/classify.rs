//! From a camera to logits: capture, rows, engine; and past the engine, where only the picture is wanted.

use core::fmt;

use posy_shared::engine::Engine;
use posy_shared::image::{PixelFormat, unpack_row};
use posy_shared::kernels::Kernels;
use posy_shared::model::Model;
use posy_shared::picture::{Picture, PictureError};
use posy_shared::preprocess::{Preprocessor, Size};

use crate::camera::{Camera, FrameFormat};

/// Reasons for which a capture got no answer. A failed capture is never classified.
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
    /// Scratch memory of the resize: [`scratch_len`](posy_shared::preprocess::scratch_len) words.
    pub scratch: &'b mut [u32],
}

/// Sees the rows of a picture on their way.
pub trait Eye {
    /// The camera has a frame, whose rows follow.
    fn begin(&mut self, format: FrameFormat) {
        let _ = format;
    }

    /// The next row of the camera.
    fn camera_row(&mut self, row: &[u8]) {
        let _ = row;
    }

    /// The next row of the network's input, `[W, 3]`.
    fn input_row(&mut self, row: &[i8]) {
        let _ = row;
    }
}

/// Looks away.
impl Eye for () {}

/// Room for a row of the camera as it comes, for the row unpacked, and for resizing.
type RowRoom<'b> = (&'b mut [u8], &'b mut [u8], &'b mut [u32]);

/// Room for rows of this format.
fn row_room<'b, E>(
    buffers: &'b mut RowBuffers<'_>,
    format: FrameFormat,
) -> Result<RowRoom<'b>, ClassifyError<E>> {
    let raw = buffers.raw.get_mut(..format.row_len());
    let rgb = buffers.rgb.get_mut(..3 * usize::from(format.width));
    match (raw, rgb) {
        (Some(raw), Some(rgb)) => Ok((raw, rgb, buffers.scratch)),
        _ => Err(ClassifyError::RowBuffers),
    }
}

/// A row as red, green and blue: unpacked into `rgb`, unless it is so already.
pub(crate) fn unpacked<'r, E>(
    pixels: PixelFormat,
    raw: &'r [u8],
    rgb: &'r mut [u8],
) -> Result<&'r [u8], ClassifyError<E>> {
    if pixels == PixelFormat::Rgb888 {
        return Ok(raw);
    }
    unpack_row(pixels, raw, rgb).map_err(|_| ClassifyError::RowBuffers)?;
    Ok(rgb)
}

/// Takes one picture with `camera` and gives the model's logits for it; `eye` sees its rows. With `ahead`
/// the camera begins its next frame once the last row is read, before the network's last layers run.
///
/// What a model needs and buffers lack is found before the camera is asked. After an error of the
/// camera, in the middle of a frame too, nothing of that frame is left: the engine begins anew
/// with the next call, and so must the camera with its next capture.
///
/// # Errors
/// See [`ClassifyError`]. The engine is ready for the next picture all the same.
pub fn classify_seen<'e, 'r: 'e, 'm: 'e, C: Camera, K: Kernels>(
    camera: &mut C,
    engine: &'e mut Engine<'r, 'm, K>,
    buffers: &'e mut RowBuffers<'_>,
    eye: &mut dyn Eye,
    ahead: bool,
) -> Result<&'e [i8], ClassifyError<C::Error>> {
    let format = camera.format();
    let FrameFormat {
        width,
        height,
        pixels,
    } = format;
    let (raw, rgb, scratch) = row_room(buffers, format)?;
    let mut picture = Picture::begin(engine, Size { width, height }, scratch)?;
    camera.capture().map_err(ClassifyError::Camera)?;
    eye.begin(format);
    for _ in 0..height {
        camera.read_row(raw).map_err(ClassifyError::Camera)?;
        eye.camera_row(raw);
        if !picture.wants_row() {
            picture.skip_row()?;
        } else {
            let row = unpacked(pixels, raw, rgb)?;
            picture.push_rgb_seen(row, &mut |input| eye.input_row(input))?;
        }
    }
    if ahead {
        camera.begin_next();
    }
    Ok(picture.finish()?)
}

/// [`classify_seen`], unseen, and without a frame ahead.
///
/// # Errors
/// As [`classify_seen`].
pub fn classify<'e, 'r: 'e, 'm: 'e, C: Camera, K: Kernels>(
    camera: &mut C,
    engine: &'e mut Engine<'r, 'm, K>,
    buffers: &'e mut RowBuffers<'_>,
) -> Result<&'e [i8], ClassifyError<C::Error>> {
    classify_seen(camera, engine, buffers, &mut (), false)
}

/// Takes one picture with `camera` for `eye`, past the network. The rows of the network's input are
/// made only where a `model` says how.
///
/// # Errors
/// See [`ClassifyError`].
pub fn look<C: Camera>(
    camera: &mut C,
    model: Option<&Model<'_>>,
    buffers: &mut RowBuffers<'_>,
    eye: &mut dyn Eye,
) -> Result<(), ClassifyError<C::Error>> {
    let format = camera.format();
    let FrameFormat {
        width,
        height,
        pixels,
    } = format;
    let (raw, rgb, scratch) = row_room(buffers, format)?;
    let mut preprocessor = match model {
        Some(model) => {
            let (contract, shape) = (model.input_contract(), model.input_shape());
            let output = Size {
                width: shape.width,
                height: shape.height,
            };
            let begun = Preprocessor::new(
                Size { width, height },
                contract.crop,
                contract.filter,
                output,
                model.pixel_map(),
                scratch,
            );
            Some(begun.map_err(PictureError::from)?)
        }
        None => None,
    };
    camera.capture().map_err(ClassifyError::Camera)?;
    eye.begin(format);
    for _ in 0..height {
        camera.read_row(raw).map_err(ClassifyError::Camera)?;
        eye.camera_row(raw);
        if let Some(preprocessor) = &mut preprocessor {
            let row = unpacked(pixels, raw, rgb)?;
            let pushed = preprocessor.push_row(row, |input| eye.input_row(input));
            pushed.map_err(PictureError::from)?;
        }
    }
    Ok(())
}
