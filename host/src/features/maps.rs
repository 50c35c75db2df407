//! Feature maps before the last pointwise layer, of a photo and of its augmented variants.

use std::error::Error as StdError;

use posy_nn::run::Runner;
use posy_shared::model::{Model, ReadError};
use sha2::{Digest, Sha256};

use super::cache::{ContentHash, ExtractorKey};
use super::extract::Extractor;
use crate::dataset::augment::Recipe;
use crate::dataset::decode::decode;

/// Version of decoding, resizing and augmentation. Change it when they may give other pixels.
const PIXELS_VERSION: &str = "maps 2";

/// Output of the integer engine for a photo, then for each augmented variant of it.
pub struct MapExtractor<'m> {
    runner: Runner<'m>,
    recipe: Recipe,
    key: ExtractorKey,
}

impl<'m> MapExtractor<'m> {
    /// An extractor that runs the model in `bytes`, whose output is the map.
    ///
    /// # Errors
    /// Returns an error if `bytes` is not a model.
    pub fn new(bytes: &'m [u8], recipe: Recipe) -> Result<Self, ReadError> {
        let mut hash = Sha256::new();
        hash.update(format!("{PIXELS_VERSION}\0{recipe}\0"));
        hash.update(Sha256::digest(bytes));
        Ok(MapExtractor {
            runner: Runner::new(Model::read(bytes)?),
            recipe,
            key: hash.finalize().into(),
        })
    }
}

impl Extractor for MapExtractor<'_> {
    fn key(&self) -> ExtractorKey {
        self.key
    }

    fn kind(&self) -> &'static str {
        "maps"
    }

    fn value_len(&self) -> usize {
        (1 + usize::from(self.recipe.count)) * self.runner.model().output_len()
    }

    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let content: ContentHash = Sha256::digest(photo).into();
        let photo = decode(photo)?;
        let mut maps = Vec::with_capacity(self.value_len());
        let variants = self.recipe.variants(&photo, &content);
        for picture in std::iter::once(&*photo).chain(&variants) {
            let map = self.runner.output(picture)?;
            maps.extend(map.into_iter().map(|value| value as u8));
        }
        Ok(maps)
    }
}
