//! Backbone selection: finds, or downloads, the network that a command names, and quantises a float
//! network.

use std::path::{Path, PathBuf};

use posy_nn::download::RetryPolicy;
use posy_nn::graph::grey_levels::GreyLevels;
use posy_nn::zoo::backbone::{Backbone, BackboneError, ModelDirs, Opened};
use posy_nn::zoo::embedded::last_resort;
use posy_nn::zoo::{Architecture, Version};
use posy_shared::model::Shape;

use super::Failure;
use super::guard::{self, Door};
use super::normalisation::PixelArguments;
use super::output::note;
use super::progress::Bytes;
use crate::retrain::Calibration;

/// The default network, as stated in the options' help.
pub(super) const DEFAULT: Architecture = Architecture {
    version: Version::V1,
    width_percent: 50,
    size: 224,
};

/// The network in the file `backbone`; else that of `architecture`, from `model_dir`, the default
/// folders, or by download. If neither is named and the default cannot be had, the embedded network
/// is used with a note. A float network is quantised with the photos of `calibration`.
pub(super) fn network(
    architecture: Option<&Architecture>,
    backbone: Option<&Path>,
    model_dir: Option<&Path>,
    pixels: &PixelArguments,
    calibration: &Calibration,
) -> Result<Backbone, Failure> {
    let asked = pixels.normalisation()?;
    let opened = if let Some(path) = backbone {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        guard::try_first(path, &Door::Backbone)?;
        Backbone::open_sized(path, &name, pixels.input_size())?
    } else {
        let named = architecture.is_some() || model_dir.is_some();
        let architecture = architecture.unwrap_or(&DEFAULT);
        let name = architecture.to_string();
        match placed(architecture, model_dir) {
            Ok(path) => {
                guard::try_first(&path, &Door::Backbone)?;
                Backbone::open(&path, &name)?
            }
            Err(error @ (BackboneError::Fetch { .. } | BackboneError::Missing { .. }))
                if !named =>
            {
                return carried(error);
            }
            Err(error) => return Err(error.into()),
        }
    };
    let network = match opened {
        Opened::Ready(backbone) => {
            if let Some(levels) = backbone.int.pixels {
                note!("{}", told(levels));
            }
            if pixels.given() {
                note!(
                    "--normalisation, --input-mean and --input-std are not needed: the network is quantised and says \
                     itself what a pixel is"
                );
            }
            return Ok(*backbone);
        }
        Opened::Float(network) => *network,
    };
    let normalisation = asked.unwrap_or_else(|| network.usual_normalisation());
    let nothing = Shape {
        height: 1,
        width: 1,
        channels: 3,
    };
    let photos = calibration.inputs(network.input_shape().unwrap_or(nothing))?;
    note!(
        "a float network: it is quantised with {} of the training photos; a pixel is (pixel - mean) / std, mean \
         {:?}, std {:?} (--normalisation, --input-mean, --input-std)",
        photos.len(),
        normalisation.mean,
        normalisation.std
    );
    Ok(network.quantise(&normalisation, &photos)?)
}

/// Note on a quantised network whose input has a scale of its own.
pub(super) fn told(GreyLevels { mean, std }: GreyLevels) -> String {
    format!(
        "its input has a scale of its own: a pixel is taken for (pixel - {mean}) / {std}, by the range of that scale"
    )
}

/// File of `architecture`, downloaded if it is not on disk.
fn placed(architecture: &Architecture, model_dir: Option<&Path>) -> Result<PathBuf, BackboneError> {
    let progress = Bytes::new(architecture.to_string());
    // The codelab names an empty folder; a file already on disk is not fetched into it.
    let model_dirs = ModelDirs::new(model_dir).and_usual();
    model_dirs.fetch(architecture, &RetryPolicy::default(), &progress)
}

/// Cause of a missing network, without the search path and advice.
fn in_short(error: &BackboneError) -> String {
    match error {
        BackboneError::Fetch { name, source, .. } => match source.download_error() {
            Some(cause) => format!("{name} is not here, and {cause}"),
            None => format!("{name} is not here, and did not come"),
        },
        error => error.to_string(),
    }
}

/// The embedded network, in place of one that could not be had because of `error`.
fn carried(error: BackboneError) -> Result<Backbone, Failure> {
    let Some(backbone) = last_resort()? else {
        return Err(error.into());
    };
    note!(
        "warning: {}; going on with {} ({}), a last resort: photos are told apart far worse with it; `posy models \
         fetch {DEFAULT}` gets the usual network",
        in_short(&error),
        backbone.name,
        backbone.path.display()
    );
    Ok(backbone)
}
