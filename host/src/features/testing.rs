//! The smallest real network, for tests of features and of their users.

use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

use crate::backbone::load::Backbone;
pub(crate) use crate::backbone::testing::data;

/// MobileNet v1 0.25_128, and the model whose output is its features. If the file is missing, says
/// loudly that `test` is skipped.
pub(crate) fn smallest(test: &str) -> Option<(Backbone, Vec<u8>)> {
    let path = data(test, "models/mobilenet_v1_0.25_128_quant.tflite")?;
    let backbone = Backbone::read(&path, "mobilenet_v1_0.25_128").expect("the network reads");
    let contract = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let extractor = backbone.extractor(contract).expect("a model");
    Some((backbone, extractor))
}
