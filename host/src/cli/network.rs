//! The pre-trained network that a command names, downloaded where it is not here.

use std::path::Path;

use super::Failure;
use super::meter::Bytes;
use crate::backbone::load::{Backbone, Places};
use crate::backbone::zoo::Architecture;
use crate::fetch::Patience;

/// The network in the file `backbone`; else that of `architecture`, from `model_dir` or the usual
/// places.
pub(super) fn network(
    architecture: &Architecture,
    backbone: Option<&Path>,
    model_dir: Option<&Path>,
) -> Result<Backbone, Failure> {
    if let Some(path) = backbone {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(Backbone::read(path, &name)?);
    }
    let name = architecture.to_string();
    let meter = Bytes::new(name.clone());
    let places = Places::new(model_dir);
    let path = places.fetch(architecture, &Patience::default(), &meter)?;
    Ok(Backbone::read(&path, &name)?)
}
