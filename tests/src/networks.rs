//! Networks out of their files as models, with their own classes for a last layer.

use std::path::{Path, PathBuf};

use posy::backbone::file::{ReadError, read_file};
use posy::backbone::network::IntNetwork;
use posy::export::Heading;
use posy::quantise::trained::from_trained;
use posy_shared::model::{InputContract, Provenance, SplitFacts};
use posy_shared::preprocess::{Crop, Filter};

/// The network in `path`, in integers.
///
/// # Errors
/// Where the file does not read.
pub fn network(path: &Path) -> Result<IntNetwork, ReadError> {
    Ok(from_trained(&read_file(path)?).0)
}

/// What a model says of itself that was never trained.
pub fn heading() -> Heading<'static> {
    Heading {
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::LegacyBilinear,
            table: None,
        },
        labels: Vec::new(),
        unknown_below: 0,
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
