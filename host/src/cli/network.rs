//! The pre-trained network that a command names, downloaded where it is not here, and quantised where
//! it is in floating point.

use std::path::Path;

use posy_shared::model::Shape;

use super::Failure;
use super::meter::Bytes;
use super::output::note;
use super::pixels::PixelArguments;
use crate::backbone::load::{Backbone, Opened, Places};
use crate::backbone::zoo::Architecture;
use crate::fetch::Patience;
use crate::retrain::Calibration;

/// The network in the file `backbone`; else that of `architecture`, from `model_dir` or the usual
/// places. A float network is quantised with the photos of `calibration`.
pub(super) fn network(
    architecture: &Architecture,
    backbone: Option<&Path>,
    model_dir: Option<&Path>,
    pixels: &PixelArguments,
    calibration: &Calibration,
) -> Result<Backbone, Failure> {
    let asked = pixels.normalisation()?;
    let opened = if let Some(path) = backbone {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Backbone::open(path, &name)?
    } else {
        let name = architecture.to_string();
        let meter = Bytes::new(name.clone());
        let places = Places::new(model_dir);
        let path = places.fetch(architecture, &Patience::default(), &meter)?;
        Backbone::open(&path, &name)?
    };
    let network = match opened {
        Opened::Ready(backbone) => {
            if pixels.given() {
                note!(
                    "--normalisation, --input-mean and --input-std are not needed: the network is quantised and says \
                     itself what a pixel is"
                );
            }
            return Ok(*backbone);
        }
        Opened::Float(network) => network,
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
