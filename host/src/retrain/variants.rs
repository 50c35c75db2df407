//! Augmented variants of photos, for training the head alone on more of them.

use std::path::PathBuf;

use posy_nn::graph::network::{IntLayer, IntNetwork};
use posy_nn::run::Runner;
use posy_shared::model::{Model, Op};
use rayon::prelude::*;

use super::{Prepared, RetrainError, Settings};
use crate::dataset::augment::Recipe;
use crate::features::extract::{self, Counts, Extracted, Extraction};
use crate::features::maps::MapExtractor;
use crate::features::progress::Progress;
use crate::train::Features;

/// Feature maps before the last pointwise layer, of all photos and their augmented variants.
#[derive(Clone, Debug)]
pub struct Variants {
    /// Entries by photo: its variants, each `[H, W, C]`, int8 as bytes; the first is the photo as it
    /// is.
    values: Vec<Vec<u8>>,
    /// Numbers of computed and cached photos.
    pub counts: Counts,
}

/// Computes the feature maps of all variants by `recipe`, or reads them from the cache.
///
/// # Errors
/// See [`RetrainError`]. [`RetrainError::NothingToAdjust`] if the network does not end in a
/// pointwise layer and a pool.
pub fn prepare_variants(
    prepared: &Prepared,
    settings: &Settings,
    recipe: Recipe,
    progress: &dyn Progress,
) -> Result<Variants, RetrainError> {
    last(prepared)?;
    let photos = prepared.dataset.photos.iter();
    let paths: Vec<_> = photos.map(|photo| photo.path.clone()).collect();
    let mut backbone = prepared.backbone.clone();
    let kept = backbone.int.layers.len() - 2;
    backbone.int.layers.truncate(kept);
    let bytes = backbone.extractor(prepared.input)?;
    let extractor = MapExtractor::new(&bytes, recipe)?;
    let options = extract::Options::default();
    let found = extract::extract(
        &paths,
        &extractor,
        settings.cache.as_deref(),
        &options,
        progress,
    );
    let counts = found.counts();
    let found = sound(found, paths)?.into_iter();
    Ok(Variants {
        values: found.map(|found| found.values).collect(),
        counts,
    })
}

/// Results of an extraction for the photos at `paths`, all of which have been read before.
///
/// # Errors
/// [`RetrainError::Variants`] for the first that cannot be read any more.
pub(super) fn sound(
    found: Extraction,
    paths: Vec<PathBuf>,
) -> Result<Vec<Extracted>, RetrainError> {
    let photos = found.photos.into_iter().zip(paths);
    let photos = photos.map(|(found, path)| {
        found.map_err(|fault| RetrainError::Variants {
            path,
            reason: fault.to_string(),
        })
    });
    photos.collect()
}

/// The last pointwise layer.
fn last(prepared: &Prepared) -> Result<&IntLayer, RetrainError> {
    match prepared.backbone.int.layers.as_slice() {
        [.., layer, pool] if layer.common.op == Op::Pointwise && pool.common.op.is_mean() => {
            Ok(layer)
        }
        _ => Err(RetrainError::NothingToAdjust),
    }
}

/// Pooled features by `network` in integers, from maps before its last pointwise layer.
fn pooled(
    prepared: &Prepared,
    network: &IntNetwork,
    maps: &[&[u8]],
) -> Result<Vec<Vec<i8>>, RetrainError> {
    let mut backbone = prepared.backbone.clone();
    backbone.int = network.clone();
    let bytes = backbone.extractor(prepared.input)?;
    let runner = Runner::new(Model::read(&bytes)?);
    let one = |map: &&[u8]| {
        let map: Vec<i8> = map.iter().map(|&byte| byte as i8).collect();
        Ok(runner.pooled(&map)?)
    };
    maps.par_iter().map(one).collect()
}

/// Features of `photos` and of all their variants by the original network, for training only a
/// head.
///
/// # Errors
/// See [`RetrainError`].
pub fn features_of_variants(
    prepared: &Prepared,
    variants: &Variants,
    photos: &[usize],
) -> Result<Features, RetrainError> {
    let layer = last(prepared)?;
    let len = layer.common.input.len();
    let maps: Vec<&[u8]> = photos
        .iter()
        .flat_map(|&photo| variants.values[photo].chunks_exact(len))
        .collect();
    let labels = photos.iter().flat_map(|&photo| {
        let label = prepared.dataset.photos[photo].label;
        std::iter::repeat_n(label, variants.values[photo].len() / len)
    });
    let labels: Vec<usize> = labels.collect();
    let flat = pooled(prepared, &prepared.backbone.int, &maps)?.concat();
    let width = flat.len() / labels.len().max(1);
    let quantisation = prepared.backbone.features();
    Ok(Features::from_int8(width, &flat, labels, quantisation)?)
}
