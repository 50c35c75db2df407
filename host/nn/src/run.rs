//! Runs a model on pictures, exactly as a board would.

use posy_shared::engine::{EngineError, Prepared, run_head};
use posy_shared::kernels::scalar::Scalar;
pub use posy_shared::kernels::simd::{AnyKernels, VARIANTS, Variant};
use posy_shared::model::{InputContract, Model, Shape};
use posy_shared::picture::{Picture, PictureError};
use posy_shared::preprocess::{PixelMap, Preprocessor, Size, scratch_len};

use crate::rgb::Rgb;

/// The fastest kernels that this processor supports.
pub fn kernels() -> AnyKernels {
    let mut found = VARIANTS.iter().filter_map(|variant| (variant.kernels)());
    found.next().unwrap_or_else(|| Box::new(Scalar))
}

/// A model prepared with the fastest kernels for it, for any number of photos and threads.
pub struct Runner<'m>(Prepared<'m, AnyKernels>);

impl<'m> Runner<'m> {
    /// Prepares `model`.
    pub fn new(model: Model<'m>) -> Self {
        Runner(Prepared::new(model, kernels()))
    }

    /// The model.
    pub const fn model(&self) -> &Model<'m> {
        self.0.model()
    }

    /// Output of the model for `photo`: logits or features, equal to a board's byte for byte.
    ///
    /// # Errors
    /// If the photo is empty.
    pub fn output(&self, photo: &Rgb) -> Result<Vec<i8>, PictureError> {
        let mut arena = vec![0; self.0.arena_len()];
        let mut engine = self.0.engine(&mut arena)?;
        let mut scratch = vec![0; scratch_len(self.model().input_shape().width)];
        let mut picture = Picture::begin(&mut engine, photo.size(), &mut scratch)?;
        for row in photo.rows() {
            picture.push_rgb(row)?;
        }
        Ok(picture.finish()?.to_vec())
    }

    /// Output of the model for an input `[H, W, C]`, such as [`input`] makes.
    ///
    /// # Errors
    /// If the input has another length.
    pub fn output_of(&self, input: &[i8]) -> Result<Vec<i8>, EngineError> {
        let mut arena = vec![0; self.0.arena_len()];
        let mut engine = self.0.engine(&mut arena)?;
        engine.begin()?;
        for row in input.chunks(self.model().input_shape().row_len().max(1)) {
            engine.push_row(row)?;
        }
        Ok(engine.finish()?.to_vec())
    }

    /// Features from the input map of the last pointwise layer; see [`Prepared::pooled`].
    ///
    /// # Errors
    /// If the model does not end in a pointwise layer and a pool, or the map has another length.
    pub fn pooled(&self, map: &[i8]) -> Result<Vec<i8>, EngineError> {
        self.0.pooled(map)
    }
}

/// Input of `model` for `photo`, `[H, W, C]`.
///
/// # Errors
/// If the photo is empty.
pub fn input(model: &Model<'_>, photo: &Rgb) -> Result<Vec<i8>, PictureError> {
    input_of(
        photo,
        model.input_shape(),
        *model.input_contract(),
        model.pixel_map(),
    )
}

/// Mapping of pixels to an input of this shape in steps of one grey level.
pub const fn plain_map(shape: Shape) -> PixelMap<'static> {
    match shape.channels {
        1 => PixelMap::Grey,
        _ => PixelMap::Centred,
    }
}

/// Input `[H, W, C]` of this shape and preparation for `photo`.
///
/// # Errors
/// If the photo or the shape is empty.
pub fn input_of(
    photo: &Rgb,
    shape: Shape,
    contract: InputContract,
    map: PixelMap<'_>,
) -> Result<Vec<i8>, PictureError> {
    let output = Size {
        width: shape.width,
        height: shape.height,
    };
    let mut scratch = vec![0; scratch_len(shape.width)];
    let mut preprocessor = Preprocessor::new(
        photo.size(),
        contract.crop,
        contract.filter,
        output,
        map,
        &mut scratch,
    )?;
    let mut input = Vec::with_capacity(shape.len());
    for row in photo.rows() {
        preprocessor.push_row(row, |row| input.extend_from_slice(row))?;
    }
    preprocessor.finish()?;
    Ok(input)
}

/// Logits of a classifier's last layer for features of its own backbone.
///
/// # Errors
/// If the number of features differs from the last layer's inputs, or that is not a dense layer.
pub fn head(model: &Model<'_>, features: &[i8]) -> Result<Vec<i8>, EngineError> {
    let mut logits = vec![0; model.output_len()];
    run_head(model, features, &mut logits)?;
    Ok(logits)
}
