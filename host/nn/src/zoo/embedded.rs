//! The network embedded in posy, used if no other can be had.
//!
//! `assets/CARD.md` describes its training data (drawings only) and its accuracy.

use std::path::{Path, PathBuf};

use super::backbone::{Backbone, BackboneError};
use crate::import::file::ReadError;
use crate::import::tflite;

/// Bytes of the network's `.tflite` file.
pub const BYTES: &[u8] = include_bytes!("../../assets/backbone.tflite");

/// Name of the network.
pub const NAME: &str = "drawings_0.25_128";

/// Origin shown in place of a path.
const ORIGIN: &str = "part of posy";

/// Environment variable with the path of a network to fall back on; empty for none.
pub const VARIABLE: &str = "POSY_LAST_RESORT";

/// The fallback network: the file named by [`VARIABLE`] if it is set, else the embedded one. `None`
/// if the variable is empty.
///
/// # Errors
/// As [`Backbone::read`], for the file that the variable names.
pub fn last_resort() -> Result<Option<Backbone>, BackboneError> {
    match std::env::var_os(VARIABLE).map(PathBuf::from) {
        None => carried().map(Some),
        Some(path) if path.as_os_str().is_empty() => Ok(None),
        Some(path) => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            Backbone::read(&path, &name).map(Some)
        }
    }
}

/// The embedded network.
fn carried() -> Result<Backbone, BackboneError> {
    let path = Path::new(ORIGIN);
    let network = tflite::read(BYTES).map_err(|source| ReadError::Tflite {
        path: path.into(),
        source,
    })?;
    Backbone::cut(network, path, NAME)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::zoo::Architecture;

    #[test]
    fn the_network_has_the_shapes_that_its_name_says() {
        let backbone = carried().unwrap();
        let architecture: Architecture = "mobilenet_v1_0.25_128".parse().unwrap();
        let layers = architecture.layers();
        assert_eq!(backbone.int.layers.len(), layers.len());
        for (ours, theirs) in layers.iter().zip(&backbone.int.layers) {
            assert_eq!(ours.op, theirs.common.op, "{}", ours.name);
            assert_eq!(ours.output, theirs.common.output, "{}", ours.name);
            assert_eq!(ours.stride, theirs.common.stride, "{}", ours.name);
        }
    }

    #[test]
    fn the_card_speaks_of_this_file() {
        let card = include_str!("../../assets/CARD.md");
        let sum: String = Sha256::digest(BYTES)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(card.contains(&sum), "{sum}");
        assert!(card.starts_with(&format!("# {NAME}\n")), "{card}");
    }
}
