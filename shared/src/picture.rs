//! Classification of one picture, row by row: preprocessing, then the engine.
//!
//! A photo on the laptop and a camera frame on the board both go through this code.

use core::fmt;

use crate::engine::{Engine, EngineError};
use crate::kernels::Kernels;
use crate::preprocess::{PreprocessError, Preprocessor, Size, scratch_len};

/// Reason that a picture could not be classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureError {
    /// Its rows could not be resized to the network's input.
    Preprocess(PreprocessError),
    /// The network could not be run.
    Engine(EngineError),
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preprocess(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PictureError {}

impl From<PreprocessError> for PictureError {
    fn from(error: PreprocessError) -> Self {
        Self::Preprocess(error)
    }
}

impl From<EngineError> for PictureError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// A picture whose rows are arriving.
#[derive(Debug)]
pub struct Picture<'e, 'r, 'm, K> {
    engine: &'e mut Engine<'r, 'm, K>,
    preprocessor: Preprocessor<'e>,
}

impl<'e, 'r: 'e, 'm: 'e, K: Kernels> Picture<'e, 'r, 'm, K> {
    /// Words of scratch that a picture for `engine` needs.
    pub fn scratch_len(engine: &Engine<'r, 'm, K>) -> usize {
        scratch_len(engine.model().input_shape().width)
    }

    /// Begins a picture of extent `source`; `scratch` has [`Picture::scratch_len`] words.
    ///
    /// # Errors
    /// If the extent is empty or the scratch is too small.
    pub fn begin(
        engine: &'e mut Engine<'r, 'm, K>,
        source: Size,
        scratch: &'e mut [u32],
    ) -> Result<Self, PictureError> {
        engine.begin()?;
        let model = engine.model();
        let contract = model.input_contract();
        let shape = model.input_shape();
        let output = Size {
            width: shape.width,
            height: shape.height,
        };
        let preprocessor = Preprocessor::new(
            source,
            contract.crop,
            contract.filter,
            output,
            model.pixel_map(),
            scratch,
        )?;
        Ok(Picture {
            engine,
            preprocessor,
        })
    }

    /// Returns true if the next row is needed; otherwise [`Picture::skip_row`] is enough.
    pub fn wants_row(&self) -> bool {
        self.preprocessor.wants_row()
    }

    /// Skips a row that is not needed.
    ///
    /// # Errors
    /// If the row is needed, or all have come.
    pub fn skip_row(&mut self) -> Result<(), PictureError> {
        Ok(self.preprocessor.skip_row()?)
    }

    /// Takes the next row, `[W, 3]` bytes of red, green and blue, and runs every layer row whose inputs
    /// are complete.
    ///
    /// # Errors
    /// If the row has another length, or all have come.
    pub fn push_rgb(&mut self, row: &[u8]) -> Result<(), PictureError> {
        self.push_rgb_seen(row, &mut |_| {})
    }

    /// [`Picture::push_rgb`]; `see` is shown each row of the network's input, `[W, 3]`.
    ///
    /// # Errors
    /// As [`Picture::push_rgb`].
    pub fn push_rgb_seen(
        &mut self,
        row: &[u8],
        see: &mut dyn FnMut(&[i8]),
    ) -> Result<(), PictureError> {
        let engine = &mut *self.engine;
        let mut ran = Ok(());
        self.preprocessor.push_row(row, |input| {
            see(input);
            if ran.is_ok() {
                ran = engine.push_row(input);
            }
        })?;
        Ok(ran?)
    }

    /// Returns the model's output, once every row has come.
    ///
    /// # Errors
    /// If rows are missing.
    pub fn finish(self) -> Result<&'e [i8], PictureError> {
        self.preprocessor.finish()?;
        Ok(self.engine.finish()?)
    }
}
