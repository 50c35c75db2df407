//! A float network as its file holds it, before its pixel normalisation is chosen.

use posy_shared::model::{Op, Shape};

use super::normalisation::{Normalisation, reading_pixels};
use crate::graph::network::{FloatLayer, FloatNetwork};

/// Framework that a network was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// PyTorch; most of its networks expect ImageNet's mean and standard deviation.
    PyTorch,
    /// TensorFlow or Keras, whose MobileNets expect -1 to 1; also the default where the file does
    /// not say.
    TensorFlow,
}

/// A float network of MobileNet's kind with batch norms folded.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatFile {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Layers in running order.
    pub layers: Vec<FloatLayer>,
    /// Affine transform that the file itself applies to its input: factor and offset per channel.
    pub input: Vec<(f64, f64)>,
    /// Framework that made it.
    pub producer: Producer,
}

impl FloatFile {
    /// The network up to its pooled features; `None` if it never pools.
    #[must_use]
    pub fn truncate_to_features(mut self) -> Option<Self> {
        let pool = self
            .layers
            .iter()
            .position(|layer| layer.common.op == Op::GlobalAveragePool)?;
        self.layers.truncate(pool + 1);
        Some(self)
    }

    /// Shape of the input.
    pub fn input_shape(&self) -> Option<Shape> {
        self.layers.first().map(|layer| layer.common.input)
    }

    /// Guesses the pixel normalisation. If the file scales its input, its factors tell 0 to 255
    /// from 0 to 1; else it follows the framework.
    pub fn usual_normalisation(&self) -> Normalisation {
        if self.input.iter().all(|pair| *pair == (1.0, 0.0)) {
            return match self.producer {
                Producer::PyTorch => Normalisation::TORCH,
                Producer::TensorFlow => Normalisation::TENSORFLOW,
            };
        }
        let small = |(factor, added): &(f64, f64)| factor.abs() < 0.1 || added.abs() > 20.0;
        if self.input.iter().all(small) {
            Normalisation::RAW
        } else {
            Normalisation::UNIT
        }
    }

    /// The network with pixels as input.
    pub fn network(&self, normalisation: &Normalisation) -> FloatNetwork {
        let Normalisation { mean, std } = normalisation;
        let pair = |channel: usize| {
            let (factor, added) = self.input.get(channel).copied().unwrap_or((1.0, 0.0));
            let scaled = factor / std[channel];
            (scaled, added - scaled * mean[channel])
        };
        reading_pixels(self.layers.clone(), [pair(0), pair(1), pair(2)])
    }
}
