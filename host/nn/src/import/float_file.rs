//! A float network as its file holds it, before its pixel normalisation is chosen.

use std::collections::BTreeMap;

use posy_shared::model::Shape;

use super::normalisation::{Normalisation, reading_pixels};
use crate::graph::network::{Common, FloatLayer, FloatNetwork, Hybrid, Scoring, pool};

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
    /// Normalisation of pixels, if a quantised input states it.
    pub pixels: Option<Normalisation>,
    /// Index of the first layer of a classifier that reads a map without pooling it.
    pub head: Option<usize>,
    /// Scores at its end; `None` if the file is no whole classifier that posy can run.
    pub scoring: Option<Scoring>,
    /// Layers of a dynamic-range file, which quantise what they read as they run, by their index.
    pub hybrids: BTreeMap<usize, Hybrid>,
}

impl FloatFile {
    /// The network up to its pooled features. Where it has no pool, its last map before the classifier
    /// is averaged. `None` if there is no map.
    #[must_use]
    pub fn truncate_to_features(mut self) -> Option<Self> {
        self.scoring = None;
        let mut layers = self.layers.iter();
        let pooled = layers.position(|layer| layer.common.op.is_mean());
        let end = self.head.unwrap_or(self.layers.len());
        if let Some(pooled) = pooled.filter(|pooled| *pooled < end) {
            self.layers.truncate(pooled + 1);
            return Some(self);
        }
        self.layers.truncate(end);
        let map = self.layers.last()?.common.output;
        self.layers.push(FloatLayer {
            common: Common {
                name: "features".into(),
                ..pool(map)
            },
            weights: Vec::new(),
            bias: Vec::new(),
            range: None,
        });
        Some(self)
    }

    /// Shape of the input.
    pub fn input_shape(&self) -> Option<Shape> {
        self.layers.first().map(|layer| layer.common.input)
    }

    /// Guesses the pixel normalisation. If the file scales its input, its factors tell 0 to 255
    /// from 0 to 1; else it follows the framework.
    pub fn usual_normalisation(&self) -> Normalisation {
        if let Some(pixels) = self.pixels {
            return pixels;
        }
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
        let pair = |(channel, (factor, added)): (usize, &(f64, f64))| {
            let (mean, std) = normalisation.of_channel(channel, self.input.len());
            let scaled = factor / std;
            (scaled, added - scaled * mean)
        };
        let pairs: Vec<_> = self.input.iter().enumerate().map(pair).collect();
        reading_pixels(self.layers.clone(), &pairs)
    }
}
