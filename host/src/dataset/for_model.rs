//! Decodes photos at the size that a model needs.

use posy_shared::model::{InputContract, Model, Shape};
use posy_shared::preprocess::{Filter, Size};

use super::decode::{DecodeError, Decoded, Limits, decode_to_average, decode_within};

/// Decodes a photo for `model`. A photo much larger than the model's input may be decoded at
/// reduced size.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_for(
    model: &Model<'_>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Decoded, DecodeError> {
    decode_to(model.input_shape(), *model.input_contract(), bytes, limits)
}

/// As [`decode_for`], for an input of this shape and preparation.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_to(
    shape: Shape,
    contract: InputContract,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Decoded, DecodeError> {
    let (width, height) = (shape.width, shape.height);
    match contract.filter {
        Filter::Area => decode_to_average(bytes, limits, Size { width, height }),
        // This filter samples single pixels of the full-size photo.
        Filter::LegacyBilinear => decode_within(bytes, limits),
    }
}
