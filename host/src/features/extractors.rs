//! Feature extractors: the integer engine, the float reference, and any network that a laptop runs.

use std::error::Error as StdError;

use posy_nn::onnx_backbone::Network;
use posy_nn::run::{self, Runner};
use posy_nn::runtime::float::FloatRunner;
use posy_shared::model::{InputContract, Model, ReadError};
use posy_shared::preprocess::{Crop, Filter, PixelMap};
use prost::Message;
use sha2::{Digest, Sha256};

use super::cache::ExtractorKey;
use super::extract::Extractor;
use crate::dataset::decode::Limits;
use crate::dataset::for_model::{decode_for, decode_to};

/// Version of decoding and resizing. Change it when they may give other pixels for the same photo,
/// so that cached features are not reused.
const PIXELS_VERSION: &str = "pixels 3";

/// Features from the integer engine, as a board computes them.
pub struct IntExtractor<'m> {
    runner: Runner<'m>,
    key: ExtractorKey,
}

/// Cache key: a hash over the kind, the model (which holds the preprocessing) and anything else
/// that affects the features.
fn key(kind: &str, model_bytes: &[u8], more: &[u8]) -> ExtractorKey {
    let mut hash = Sha256::new();
    hash.update(kind);
    hash.update([0]);
    hash.update(PIXELS_VERSION);
    hash.update([0]);
    hash.update(Sha256::digest(model_bytes));
    hash.update(more);
    hash.finalize().into()
}

impl<'m> IntExtractor<'m> {
    /// An extractor that runs the model in `bytes`, whose output is features.
    ///
    /// # Errors
    /// Returns an error if `bytes` is not a model.
    pub fn new(bytes: &'m [u8]) -> Result<Self, ReadError> {
        Ok(IntExtractor {
            runner: Runner::new(Model::read(bytes)?),
            key: key("int8", bytes, &[]),
        })
    }
}

impl IntExtractor<'_> {
    /// The network's input `[H, W, C]` for a photo.
    pub(super) fn input(&self, photo: &[u8]) -> Result<Vec<i8>, Box<dyn StdError + Send + Sync>> {
        let model = self.runner.model();
        let photo = decode_for(model, photo, &Limits::default())?;
        Ok(run::input(model, &photo)?)
    }

    /// The features of an input.
    pub(super) fn of_input(
        &self,
        input: &[i8],
    ) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let features = self.runner.output_of(input)?;
        Ok(features.into_iter().map(|feature| feature as u8).collect())
    }
}

impl Extractor for IntExtractor<'_> {
    fn key(&self) -> ExtractorKey {
        self.key
    }

    fn kind(&self) -> &'static str {
        "int8"
    }

    fn value_len(&self) -> usize {
        self.runner.model().output_len()
    }

    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        self.of_input(&self.input(photo)?)
    }
}

/// Features from the float network: the reference.
pub struct FloatExtractor<'m> {
    model: Model<'m>,
    runner: FloatRunner,
    key: ExtractorKey,
}

impl<'m> FloatExtractor<'m> {
    /// An extractor that preprocesses pictures as the model in `bytes` says, and runs `runner`,
    /// whose network was read from a file with this SHA-256.
    ///
    /// # Errors
    /// Returns an error if `bytes` is not a model.
    pub fn new(bytes: &'m [u8], runner: FloatRunner, sha256: &[u8; 32]) -> Result<Self, ReadError> {
        Ok(FloatExtractor {
            model: Model::read(bytes)?,
            runner,
            key: key("float", bytes, sha256),
        })
    }
}

impl FloatExtractor<'_> {
    /// The features of an input.
    pub(super) fn of_input(
        &self,
        input: &[i8],
    ) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let features = self.runner.features(input)?;
        Ok(features.into_iter().flat_map(f32::to_le_bytes).collect())
    }
}

impl Extractor for FloatExtractor<'_> {
    fn key(&self) -> ExtractorKey {
        self.key
    }

    fn kind(&self) -> &'static str {
        "float"
    }

    fn value_len(&self) -> usize {
        4 * self.model.output_len()
    }

    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let input = {
            let photo = decode_for(&self.model, photo, &Limits::default())?;
            run::input(&self.model, &photo)?
        };
        self.of_input(&input)
    }
}

/// Features from a network that only the laptop runs.
pub struct AnyExtractor<'n> {
    network: &'n Network,
    input: InputContract,
    key: ExtractorKey,
}

impl<'n> AnyExtractor<'n> {
    /// An extractor that preprocesses pictures by `input` and runs `network`.
    pub fn new(network: &'n Network, input: InputContract) -> Self {
        let crop = match input.crop {
            Crop::Squash => 0,
            Crop::Centre => 1,
        };
        let filter = match input.filter {
            Filter::Area => 0,
            Filter::LegacyBilinear => 1,
        };
        // The model includes everything that happens to pixels.
        let bytes = network.model.encode_to_vec();
        AnyExtractor {
            network,
            input,
            key: key("any float", &bytes, &[crop, filter]),
        }
    }
}

impl Extractor for AnyExtractor<'_> {
    fn key(&self) -> ExtractorKey {
        self.key
    }

    fn kind(&self) -> &'static str {
        "float"
    }

    fn value_len(&self) -> usize {
        4 * self.network.width()
    }

    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let shape = self.network.shape;
        let pixels = {
            let photo = decode_to(shape, self.input, photo, &Limits::default())?;
            run::input_of(&photo, shape, self.input, PixelMap::Centred)?
        };
        let features = self.network.runner().run(&pixels, 0.0, 1.0)?;
        Ok(features.into_iter().flat_map(f32::to_le_bytes).collect())
    }
}
