//! A float network as its file holds it, before it is known what a pixel is to it.

use posy_shared::model::{Op, Shape};

use super::network::{FloatLayer, FloatNetwork};
use super::pixels::{Normalisation, reading_pixels};

/// With what kind of tool a network was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// PyTorch, whose networks mostly want ImageNet's mean and deviation.
    PyTorch,
    /// TensorFlow or Keras, whose MobileNets want -1 to 1; also where the file does not say.
    TensorFlow,
}

/// A float network of MobileNet's kind, batch norms folded.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatFile {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Layers in running order.
    pub layers: Vec<FloatLayer>,
    /// What the file itself does with its input: for each channel a factor, and what is added then.
    pub input: Vec<(f64, f64)>,
    /// With what it was made.
    pub maker: Maker,
}

impl FloatFile {
    /// The network without what follows its pooled features; `None` if it never pools.
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

    /// What the network most probably wants for a pixel. Where the file itself scales its input, its
    /// factors say whether that is 0 to 255 or 0 to 1; elsewhere it is what the networks of its maker
    /// want.
    pub fn usual_normalisation(&self) -> Normalisation {
        if self.input.iter().all(|pair| *pair == (1.0, 0.0)) {
            return match self.maker {
                Maker::PyTorch => Normalisation::TORCH,
                Maker::TensorFlow => Normalisation::TENSORFLOW,
            };
        }
        let small = |(factor, added): &(f64, f64)| factor.abs() < 0.1 || added.abs() > 20.0;
        if self.input.iter().all(small) {
            Normalisation::RAW
        } else {
            Normalisation::UNIT
        }
    }

    /// The network, reading pixels.
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
