//! The smallest real network, for tests of features and of their users.

use std::path::PathBuf;

use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

/// The folder or file `name` of the data that `POSY_DATA` points to (default: `shared` beside the
/// workspace). Prints that `test` is skipped if it is missing.
pub(crate) fn data(test: &str, name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: {test}: no data at {}; set POSY_DATA",
        path.display()
    );
    None
}

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
