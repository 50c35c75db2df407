//! Real networks from files as models, and inputs for them.

use std::path::{Path, PathBuf};

use posy_nn::export::{ModelMetadata, ScoreParams};
use posy_nn::graph::network::IntNetwork;
use posy_nn::import::file::{ReadError, read_file};
use posy_nn::quantise::from_quantised::from_trained;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::{GoldenRows, InputContract, Model, Provenance, SplitFacts};
use posy_shared::preprocess::{Crop, Filter};

/// The network in `path`, in integers.
///
/// # Errors
/// If the file cannot be read.
pub fn network(path: &Path) -> Result<IntNetwork, ReadError> {
    Ok(from_trained(&read_file(path)?).0)
}

/// ModelMetadata of a model that was never trained.
pub fn metadata() -> ModelMetadata<'static> {
    ModelMetadata {
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::LegacyBilinear,
            table: None,
        },
        labels: Vec::new(),
        score_params: ScoreParams::default(),
        provenance: Provenance {
            architecture: "its own classes",
            backbone_sha256: [0; 32],
            posy_version: "",
            split: SplitFacts::default(),
            float_accuracy: None,
            int8_accuracy: None,
        },
    }
}

/// All network files in the folder `models` and its folder `int8`, by name.
pub fn files(models: &Path) -> Vec<PathBuf> {
    let folders = [models.to_owned(), models.join("int8")];
    let entries = folders.iter().flat_map(|folder| {
        let entries = folder.read_dir();
        entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    });
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder's entry").path())
        .filter(|path| path.extension().is_some_and(|name| name == "tflite"))
        .collect();
    files.sort();
    files
}

/// Every TFLite network in the folder `models` and its folder `int8`, with its name, as a `.posy`
/// file whose outputs are features.
pub fn extractors(models: &Path) -> Vec<(String, Vec<u8>)> {
    let files = files(models);
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

/// A seeded noise input of `model`, `[H, W, C]`, with values that photos do not reach.
pub fn noise(model: &Model<'_>) -> Vec<i8> {
    let mut noise = vec![0; model.input_shape().len()];
    let mut rows = GoldenRows::new(0x5EED);
    for row in noise.chunks_exact_mut(model.input_shape().row_len()) {
        rows.fill(row);
    }
    noise
}
