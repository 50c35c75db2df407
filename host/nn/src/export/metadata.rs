//! Metadata of files for other tools.

use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

/// Metadata of a file for other tools.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Labels, in the order of the outputs.
    pub labels: &'a [String],
    /// The softmax's beta, the factor of its logits.
    pub beta: f32,
    /// True if scores are a logistic function of each logit, false if they are a softmax.
    pub logistic: bool,
    /// Preparation of images: crop, resize, normalisation.
    pub input: InputContract,
}

/// Names of the two metadata entries for image preparation.
pub const CROP: &str = "crop";
/// See [`CROP`].
pub const RESIZE: &str = "resize";

/// Image preparation in the words of `posy retrain`'s options `--crop` and `--resize`.
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

/// Parses the two words. A missing word means the codelab's preparation; `None` if one is unknown.
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
