//! The real networks as models, and inputs for them.

use std::path::{Path, PathBuf};

use posy::backbone::load::Backbone;
use posy_shared::model::{GoldenRows, InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};

/// Every TFLite network in the folder `models` and in `int8` there, with its name, as a `.posy` file
/// that gives features.
pub fn extractors(models: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> = [models.to_owned(), models.join("int8")]
        .iter()
        .flat_map(|folder| folder.read_dir().expect("a folder of networks"))
        .map(|entry| entry.expect("a file in the folder of networks").path())
        .filter(|path| path.extension().is_some_and(|name| name == "tflite"))
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    let contract = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let extractor = |path: PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let extractor = Backbone::read(&path, &name)
            .map_err(|error| error.to_string())
            .and_then(|backbone| {
                let extractor = backbone.extractor(contract);
                extractor.map_err(|error| error.to_string())
            });
        let file = extractor.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (name.into_owned(), file)
    };
    files.into_iter().map(extractor).collect()
}

/// A seeded input of `model`, `[H, W, C]`, that reaches numbers that photos do not.
pub fn noise(model: &Model<'_>) -> Vec<i8> {
    let mut noise = vec![0; model.input_shape().len()];
    let mut rows = GoldenRows::new(0x5EED);
    for row in noise.chunks_exact_mut(model.input_shape().row_len()) {
        rows.fill(row);
    }
    noise
}
