//! What a file for other tools says besides its network.

use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

/// What a file for other tools says besides its network.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the numbers of the output stand for, in order.
    pub labels: &'a [String],
    /// What the softmax multiplies logits by.
    pub beta: f32,
    /// How pictures become the input.
    pub input: InputContract,
}

/// Names of the two entries that say how pictures become the input.
pub const CROP: &str = "crop";
/// See [`CROP`].
pub const RESIZE: &str = "resize";

/// How pictures become the input, in the words of `posy retrain`'s options `--crop` and `--resize`.
pub(super) fn in_words(input: &InputContract) -> [(&'static str, &'static str); 2] {
    let crop = match input.crop {
        Crop::Squash => "squash",
        Crop::Centre => "centre",
    };
    let resize = match input.filter {
        Filter::Area => "area",
        Filter::LegacyBilinear => "legacy-bilinear",
    };
    [(CROP, crop), (RESIZE, resize)]
}

/// The input that two words mean; the codelab's where a word is missing, none where it is unknown.
pub fn from_words(crop: Option<&str>, resize: Option<&str>) -> Option<InputContract> {
    Some(InputContract {
        crop: match crop {
            None | Some("squash") => Crop::Squash,
            Some("centre") => Crop::Centre,
            Some(_) => return None,
        },
        filter: match resize {
            None | Some("legacy-bilinear") => Filter::LegacyBilinear,
            Some("area") => Filter::Area,
            Some(_) => return None,
        },
        table: None,
    })
}
