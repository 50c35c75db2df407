//! Calibration photos for the quantisation of a float network.

use std::path::PathBuf;

use posy_nn::run::{input_of, plain_map};
use posy_shared::model::{InputContract, Shape};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::RetrainError;
use crate::dataset::decode::Limits;
use crate::dataset::for_model::decode_to;
use crate::dataset::load::read_bytes;
use crate::dataset::split::{Bucket, Percentages, Rule, split};
use crate::dataset::{Layout, Photo, ScanOptions, scan};

/// Number of photos from which the ranges of activations are taken.
pub const PHOTOS: usize = 128;

/// Source of the calibration photos, and their preprocessing.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// The folder whose sub-folders are labels.
    pub image_dir: PathBuf,
    /// Preprocessing of pictures.
    pub input: InputContract,
    /// Split rule; only training photos are used.
    pub rule: Rule,
    /// Shares of the split.
    pub percentages: Percentages,
}

impl Calibration {
    /// Inputs `[H, W, 3]`, pixels less 128, of [`PHOTOS`] training photos, or of all if there are
    /// fewer. A hash of their names selects them, so that few change when photos are added.
    /// Unusable photos are skipped; preparation reports them.
    ///
    /// # Errors
    /// [`RetrainError::Scan`].
    pub fn inputs(&self, shape: Shape) -> Result<Vec<Vec<i8>>, RetrainError> {
        let dataset = scan(&self.image_dir, &ScanOptions::of(Layout::of(&self.rule)))?;
        let split = split(&dataset, &self.rule, self.percentages);
        let training = split.photos(Bucket::Training);
        let mut photos: Vec<&Photo> = training.map(|index| &dataset.photos[index]).collect();
        photos.sort_by_cached_key(|photo| {
            let name = format!("calibration\0{}", photo.relative);
            let hash: [u8; 32] = Sha256::digest(name).into();
            hash
        });
        let input = |photo: &&Photo| {
            let bytes = read_bytes(&photo.path, &Limits::default()).ok()?;
            let rgb = decode_to(shape, self.input, &bytes, &Limits::default()).ok()?;
            input_of(&rgb, shape, self.input, plain_map(shape)).ok()
        };
        let mut inputs = Vec::new();
        for photos in photos.chunks(PHOTOS) {
            let more: Vec<_> = photos.par_iter().filter_map(input).collect();
            inputs.extend(more);
            if inputs.len() >= PHOTOS {
                break;
            }
        }
        inputs.truncate(PHOTOS);
        Ok(inputs)
    }
}
