//! The pre-trained network that a command names, downloaded where it is not here.

use std::path::Path;

use super::Failure;
use super::meter::Bytes;
use super::output::note;
use crate::backbone::carried::last_resort;
use crate::backbone::load::{Backbone, BackboneError, Places};
use crate::backbone::zoo::{Architecture, Version};
use crate::fetch::Patience;

/// The network that is taken where none is named, as the options' help says it.
pub(super) const DEFAULT: Architecture = Architecture {
    version: Version::V1,
    width_percent: 50,
    size: 224,
};

/// The network in the file `backbone`; else that of `architecture`, from `model_dir` or the usual
/// places, or fetched. Where no network is named and the usual one cannot be had, the network that
/// posy carries, which is said.
pub(super) fn network(
    architecture: Option<&Architecture>,
    backbone: Option<&Path>,
    model_dir: Option<&Path>,
) -> Result<Backbone, Failure> {
    if let Some(path) = backbone {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(Backbone::read(path, &name)?);
    }
    let named = architecture.is_some() || model_dir.is_some();
    let architecture = architecture.unwrap_or(&DEFAULT);
    let name = architecture.to_string();
    let meter = Bytes::new(name.clone());
    // The codelab names an empty folder: what is here already need not be fetched into it.
    let places = Places::new(model_dir).and_usual();
    match places.fetch(architecture, &Patience::default(), &meter) {
        Ok(path) => Ok(Backbone::read(&path, &name)?),
        Err(error @ (BackboneError::Fetch { .. } | BackboneError::Missing { .. })) if !named => {
            drop(meter);
            let Some(backbone) = last_resort()? else {
                return Err(error.into());
            };
            note!("warning: {error}");
            note!(
                "warning: going on with {} ({}), a last resort: photos are told apart far worse with \
                 it",
                backbone.name,
                backbone.path.display()
            );
            Ok(backbone)
        }
        Err(error) => Err(error.into()),
    }
}
