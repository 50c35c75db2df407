//! Runs a model on decoded photos, as a board would.

use posy_shared::engine::{Engine, EngineError, run_head};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::picture::{Picture, PictureError};
use posy_shared::preprocess::{Preprocessor, Size, scratch_len};

use crate::photos::decode::Rgb;

/// The output of `model` for `photo`: logits, or features. In exactly the memory that the model's
/// plan says.
///
/// # Errors
/// Where the photo is empty.
pub fn output(model: &Model<'_>, photo: &Rgb) -> Result<Vec<i8>, PictureError> {
    let mut arena = vec![0; model.plan().arena_len];
    let mut engine = Engine::new(model, &mut arena, Scalar)?;
    let mut scratch = vec![0; scratch_len(model.input_shape().width)];
    let mut picture = Picture::begin(&mut engine, photo.size(), &mut scratch)?;
    for row in photo.rows() {
        picture.push_rgb(row)?;
    }
    Ok(picture.finish()?.to_vec())
}

/// The input of `model` for `photo`, `[H, W, 3]`.
///
/// # Errors
/// Where the photo is empty.
pub fn input(model: &Model<'_>, photo: &Rgb) -> Result<Vec<i8>, PictureError> {
    let shape = model.input_shape();
    let output = Size {
        width: shape.width,
        height: shape.height,
    };
    let contract = model.input_contract();
    let mut scratch = vec![0; scratch_len(shape.width)];
    let mut preprocessor = Preprocessor::new(
        photo.size(),
        contract.crop,
        contract.filter,
        output,
        model.pixel_map(),
        &mut scratch,
    )?;
    let mut input = Vec::with_capacity(shape.len());
    for row in photo.rows() {
        preprocessor.push_row(row, |row| input.extend_from_slice(row))?;
    }
    preprocessor.finish()?;
    Ok(input)
}

/// The logits that a classifier's last layer gives for features of its own backbone.
///
/// # Errors
/// Where the features are not as many as the last layer reads, or it is not a dense one.
pub fn head(model: &Model<'_>, features: &[i8]) -> Result<Vec<i8>, EngineError> {
    let mut logits = vec![0; model.output_len()];
    run_head(model, features, &mut logits)?;
    Ok(logits)
}
