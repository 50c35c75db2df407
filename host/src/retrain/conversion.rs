//! Photos for the conversion of a float classifier: calibration inputs, and accuracies where folders
//! are labels.

use std::path::{Path, PathBuf};

use posy_shared::engine::EngineError;
use posy_shared::model::{InputContract, Model, Shape};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::CALIBRATION_PHOTOS;
use crate::dataset::decode::Limits;
use crate::dataset::files::files_below;
use crate::dataset::for_model::decode_to;
use crate::dataset::load::read_bytes;
use posy_nn::graph::network::FloatNetwork;
use posy_nn::run::{Runner, input_of, plain_map};
use posy_nn::runtime::float::{FloatError, FloatRunner};

/// Number of photos that accuracies are measured on at most.
const MEASURED: usize = 2000;

/// Failure to run a network on the photos.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The float network failed.
    #[error(transparent)]
    Float(#[from] FloatError),
    /// The integer network failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The model cannot be read back.
    #[error(transparent)]
    Model(#[from] posy_shared::model::ReadError),
}

/// Photos below a folder, in an order of their own that does not depend on the file system.
#[derive(Clone, Debug)]
pub struct Photos {
    paths: Vec<PathBuf>,
}

/// Inputs that calibrate a network, and the photos that are left.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// Inputs `[H, W, C]`, pixels less 128.
    pub inputs: Vec<Vec<i8>>,
    /// Photos that did not calibrate; all of them if none is left.
    pub rest: Photos,
}

/// Number of photos that a network labels as their folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Right {
    /// Number that the float network labels as their folder.
    pub float: usize,
    /// Number that the integer network labels as their folder.
    pub int8: usize,
    /// Number of photos in folders that are labels.
    pub photos: usize,
}

impl Photos {
    /// Files below `folder`. A hash of their names orders them, so that few of the first change when
    /// photos are added.
    pub fn below(folder: &Path) -> Self {
        let mut paths = files_below(folder).files;
        paths.sort_by_cached_key(|path| {
            let relative = path.strip_prefix(folder).unwrap_or(path);
            let hash: [u8; 32] = Sha256::digest(relative.to_string_lossy().as_bytes()).into();
            hash
        });
        Photos { paths }
    }

    /// Inputs of the first photos for a network that reads `shape`; files that are no photos are
    /// skipped.
    pub fn calibrate(&self, shape: Shape, contract: InputContract) -> Calibrated {
        let mut inputs = Vec::new();
        let mut read = 0;
        for paths in self.paths.chunks(CALIBRATION_PHOTOS) {
            let more = paths.par_iter();
            let more: Vec<_> = more.map(|path| input(path, shape, contract)).collect();
            for input in more {
                read += 1;
                inputs.extend(input);
                if inputs.len() == CALIBRATION_PHOTOS {
                    break;
                }
            }
            if inputs.len() == CALIBRATION_PHOTOS {
                break;
            }
        }
        let rest = match &self.paths[read..] {
            [] => &self.paths,
            rest => rest,
        };
        let paths = rest.to_vec();
        Calibrated {
            inputs,
            rest: Photos { paths },
        }
    }

    /// Photos in folders named as one of `labels`, with the label's index; case does not matter.
    fn labelled(&self, labels: &[String]) -> Vec<(&Path, usize)> {
        let label = |path: &PathBuf| {
            let folder = path.parent()?.file_name()?.to_string_lossy().to_lowercase();
            labels
                .iter()
                .position(|label| label.to_lowercase() == folder)
        };
        let photos = self.paths.iter();
        let photos = photos.filter_map(|path| Some((path.as_path(), label(path)?)));
        photos.take(MEASURED).collect()
    }

    /// Photos that `float` and the model in `bytes`, made of it, label as their folder; `None` if no
    /// folder is a label, or there is one label only.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn right(
        &self,
        float: &FloatNetwork,
        bytes: &[u8],
        labels: &[String],
    ) -> Result<Option<Right>, MeasureError> {
        let photos = self.labelled(labels);
        let runner = Runner::new(Model::read(bytes)?);
        let float = FloatRunner::new(float)?;
        let (shape, contract) = {
            let model = runner.model();
            (model.input_shape(), *model.input_contract())
        };
        let one = |(path, label): &(&Path, usize)| {
            let Some(input) = input(path, shape, contract) else {
                return Ok(Right::default());
            };
            let real = float.features(&input)?;
            let int8 = runner.output_of(&input)?;
            let best = |scores: &[f32]| {
                let pairs = scores.iter().enumerate();
                let best = pairs.reduce(|best, one| if one.1 > best.1 { one } else { best });
                best.map_or(0, |(index, _)| index)
            };
            let int8: Vec<f32> = int8.iter().map(|logit| f32::from(*logit)).collect();
            Ok::<Right, MeasureError>(Right {
                float: usize::from(best(&real) == *label),
                int8: usize::from(best(&int8) == *label),
                photos: 1,
            })
        };
        let parts: Vec<Right> = photos.par_iter().map(one).collect::<Result<_, _>>()?;
        let sum = parts.iter().fold(Right::default(), |sum, one| Right {
            float: sum.float + one.float,
            int8: sum.int8 + one.int8,
            photos: sum.photos + one.photos,
        });
        Ok((sum.photos > 0 && labels.len() > 1).then_some(sum))
    }
}

/// Input of a photo, pixels less 128; `None` if the file is no photo.
fn input(path: &Path, shape: Shape, contract: InputContract) -> Option<Vec<i8>> {
    let limits = Limits::default();
    let bytes = read_bytes(path, &limits).ok()?;
    let photo = decode_to(shape, contract, &bytes, &limits).ok()?;
    input_of(&photo, shape, contract, plain_map(shape)).ok()
}
