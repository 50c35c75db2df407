//! Runs frozen TensorFlow graphs as the codelab's `label_image.py` does.

use std::path::{Path, PathBuf};

use posy_nn::import::tensorflow::classifier::{self, Frozen};
use posy_nn::rgb::Rgb;
use posy_nn::runtime::float::FloatRunner;
use posy_shared::model::Shape;

use super::pixels::bilinear;
use super::{ClassifyError, Reading};

/// A frozen graph, ready to run. It does not carry its labels.
#[derive(Clone, Debug)]
pub struct FrozenGraph {
    path: PathBuf,
    runner: FloatRunner,
    shape: Shape,
    classes: usize,
    /// Affine transform from pixels to the input of the first layer: factor, then offset.
    factor: f32,
    shift: f32,
    beta: f32,
}

impl FrozenGraph {
    /// Reads the graph in `bytes`, the content of `path`.
    ///
    /// # Errors
    /// [`ClassifyError::Frozen`], [`ClassifyError::Float`].
    pub fn read(path: &Path, bytes: &[u8], reading: &Reading<'_>) -> Result<Self, ClassifyError> {
        let graph = classifier::read(bytes, reading.input, reading.output);
        let Frozen {
            network,
            scale,
            offset,
            beta,
        } = graph.map_err(|source| ClassifyError::Frozen {
            path: path.into(),
            source,
        })?;
        let runner = FloatRunner::new(&network).map_err(|source| ClassifyError::Float {
            path: path.into(),
            source,
        })?;
        let common = |layer: &posy_nn::graph::network::FloatLayer| layer.common.clone();
        let (first, last) = (network.layers.first(), network.layers.last());
        let Some((first, last)) = first.map(common).zip(last.map(common)) else {
            return Err(ClassifyError::Frozen {
                path: path.into(),
                source: classifier::FrozenError::Empty,
            });
        };
        Ok(FrozenGraph {
            path: path.into(),
            runner,
            shape: first.input,
            classes: last.output.len(),
            factor: scale / reading.std,
            shift: offset - scale * reading.mean / reading.std,
            beta,
        })
    }

    /// Shape of the input image, `[H, W, 3]`.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of scores.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Scores of `photo`, one per label, with sum 1. The whole photo is stretched to the graph's
    /// input size with TensorFlow 1's resizing.
    ///
    /// # Errors
    /// [`ClassifyError::Float`].
    pub fn scores(&self, photo: &Rgb) -> Result<Vec<f32>, ClassifyError> {
        let mut numbers = bilinear(photo, self.shape);
        for number in &mut numbers {
            *number = *number * self.factor + self.shift;
        }
        let logits = self
            .runner
            .run_real(&numbers)
            .map(|outputs| outputs.concat());
        let logits = logits.map_err(|source| ClassifyError::Float {
            path: self.path.clone(),
            source,
        })?;
        Ok(softmax(&logits, self.beta))
    }
}

/// Softmax of logits multiplied by `beta`.
fn softmax(logits: &[f32], beta: f32) -> Vec<f32> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.iter().map(|logit| ((logit - greatest) * beta).exp());
    let powers: Vec<f32> = powers.collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
