//! Fine-tuning of the last pointwise layer, and its requantisation for the board.

use std::sync::Arc;

use posy_nn::graph::head::Head;
use posy_nn::graph::multiplier::activation_range;
use posy_nn::graph::network::{IntLayer, IntNetwork, Quantisation};
use posy_nn::run::Runner;
use posy_shared::model::{Model, Op, Shape};
use rayon::prelude::*;

use super::{Prepared, RetrainError, Settings};
use crate::dataset::augment::Recipe;
use crate::features::extract::{self, Counts};
use crate::features::maps::MapExtractor;
use crate::features::progress::Progress;
use crate::train::finetune::{self, Layer, Maps};
use crate::train::observer::{Meter, Metered};
use crate::train::rounding::round_by;
use crate::train::{Features, logistic};

/// Feature maps before the last pointwise layer, of all photos and their augmented variants.
#[derive(Clone, Debug)]
pub struct Variants {
    /// Entries by photo; see [`Maps::values`].
    values: Vec<Vec<u8>>,
    recipe: Recipe,
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
    let values = found.photos.into_iter().zip(&paths).map(|(found, path)| {
        let found = found.map_err(|fault| RetrainError::Variants {
            path: path.clone(),
            reason: fault.to_string(),
        })?;
        Ok(found.values)
    });
    Ok(Variants {
        values: values.collect::<Result<_, RetrainError>>()?,
        recipe,
        counts,
    })
}

/// Returns true if the network ends in a layer that can be fine-tuned.
pub fn can_adjust(prepared: &Prepared) -> bool {
    last(prepared).is_ok()
}

/// The last pointwise layer, and the quantisation of its input.
fn last(prepared: &Prepared) -> Result<(&IntLayer, Quantisation), RetrainError> {
    match prepared.backbone.int.layers.as_slice() {
        [.., before, layer, pool]
            if layer.common.op == Op::Pointwise && pool.common.op.is_mean() =>
        {
            Ok((layer, before.output))
        }
        _ => Err(RetrainError::NothingToAdjust),
    }
}

/// A network whose last pointwise layer has been fine-tuned, and its features of the photos.
#[derive(Clone, Debug)]
pub struct Adjusted {
    /// The network, up to its features.
    pub network: IntNetwork,
    /// Int8 features of all photos (not of variants), as the board computes them.
    pub int8: Vec<Vec<i8>>,
    /// Features of `int8`, dequantised.
    pub features: Features,
    /// The head that was trained with the layer.
    pub head: Head,
    /// Regularisation strength of the initial head.
    pub c: f64,
}

/// Fine-tunes the layer and the head on the photos `training`. The head starts as a logistic
/// regression with regularisation `strength`, which is chosen on `validation` where it is searched
/// for. Takes the head's solutions and [`finetune::ADJUSTING`] on `meter`.
///
/// # Errors
/// See [`RetrainError`].
pub fn adjust(
    prepared: &Prepared,
    training: &[usize],
    validation: &[usize],
    strength: logistic::Strength,
    options: &finetune::Options,
    meter: &Arc<dyn Meter>,
) -> Result<Adjusted, RetrainError> {
    let Some(variants) = &prepared.variants else {
        return Err(RetrainError::NothingToAdjust);
    };
    let labels = prepared.int8_features.labels();
    let (layer, input) = last(prepared)?;
    let part = |photos| prepared.int8_features.select(photos);
    let begun = logistic::train_watched(
        &part(training),
        &part(validation),
        prepared.dataset.labels.len(),
        strength,
        &mut Metered(Arc::clone(meter)),
    )?;
    let shape = layer.common.input;
    let maps = Maps {
        values: &variants.values,
        variants: 1 + usize::from(variants.recipe.count),
        pixels: usize::from(shape.height) * usize::from(shape.width),
        channels: shape.channels.into(),
        quantisation: input,
    };
    let real = real_layer(layer, input);
    let (real, head) = {
        let (begun, meter) = (&begun.head, &**meter);
        finetune::train(&maps, training, labels, &real, begun, options, meter)?
    };
    let mut network = prepared.backbone.int.clone();
    let index = network.layers.len() - 2;
    let read = read_by_layer(&maps, training)?;
    requantise(&mut network.layers[index], &real, input, &read);
    let int8 = features(prepared, &network, &variants.values, shape)?;
    let flat = int8.concat();
    let width = flat.len() / labels.len().max(1);
    let quantisation = prepared.backbone.features();
    Ok(Adjusted {
        network,
        features: Features::from_int8(width, &flat, labels.to_vec(), quantisation)?,
        int8,
        head,
        c: begun.c,
    })
}

fn real_layer(layer: &IntLayer, input: Quantisation) -> Layer {
    let channel = usize::from(layer.common.input.channels);
    let rows = layer.weights.chunks_exact(channel);
    let weights = rows.zip(&layer.weight_scales);
    let bias = layer.bias.iter().zip(&layer.weight_scales);
    let Quantisation { scale, zero_point } = layer.output;
    let (least, greatest) = activation_range(layer.common.activation, layer.output);
    let output = |q: i8| scale * (i32::from(q) - zero_point) as f32;
    Layer {
        weights: weights
            .flat_map(|(row, scale)| row.iter().map(move |&w| f32::from(w) * scale))
            .collect(),
        bias: bias
            .map(|(&b, &s)| (f64::from(b) * f64::from(s) * f64::from(input.scale)) as f32)
            .collect(),
        clamp: (output(least), output(greatest)),
    }
}

/// Number of pixels on which the rounding of the layer's weights is based.
const ROUNDED_BY: usize = 4096;

/// Inputs of the layer for the photos `training`: [`ROUNDED_BY`] pixels of their maps, at even
/// intervals.
fn read_by_layer(maps: &Maps<'_>, training: &[usize]) -> Result<Features, RetrainError> {
    let all = training.len() * maps.pixels;
    let step = all.div_ceil(ROUNDED_BY).max(1);
    // A step of a whole number of maps would always hit the same pixel.
    let step = match step > 1 && step.is_multiple_of(maps.pixels) {
        true => step + 1,
        false => step,
    };
    let pixels = (0..all).step_by(step).flat_map(|place| {
        let photo = training[place / maps.pixels];
        let first = place % maps.pixels * maps.channels;
        &maps.values[photo][first..][..maps.channels]
    });
    let values: Vec<i8> = pixels.map(|&byte| byte as i8).collect();
    let labels = vec![0; values.len() / maps.channels.max(1)];
    Ok(Features::from_int8(
        maps.channels,
        &values,
        labels,
        maps.quantisation,
    )?)
}

/// Quantises the trained weights into the layer, with a scale per channel, and preserves its
/// outputs for the inputs `read`.
fn requantise(layer: &mut IntLayer, real: &Layer, input: Quantisation, read: &Features) {
    let channel = usize::from(layer.common.input.channels);
    let rounded = round_by(read, &real.weights, &real.bias, input.scale);
    layer.weights = rounded.weights;
    for (output, weights) in layer.weights.chunks_exact(channel).enumerate() {
        // A channel of zero weights keeps its scale.
        if weights.iter().all(|&weight| weight == 0) {
            let step = f64::from(input.scale) * f64::from(layer.weight_scales[output]);
            let limit = f64::from(1 << 30);
            layer.bias[output] = (f64::from(real.bias[output]) / step)
                .round_ties_even()
                .clamp(-limit, limit) as i32;
            continue;
        }
        layer.weight_scales[output] = rounded.scales[output];
        layer.bias[output] = rounded.bias[output];
    }
}

/// Features of the photos (not of variants) by `network` in integers.
fn features(
    prepared: &Prepared,
    network: &IntNetwork,
    maps: &[Vec<u8>],
    shape: Shape,
) -> Result<Vec<Vec<i8>>, RetrainError> {
    let first: Vec<&[u8]> = maps.iter().map(|maps| &maps[..shape.len()]).collect();
    pooled(prepared, network, &first)
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
    let (layer, _) = last(prepared)?;
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

#[cfg(test)]
#[path = "finetune_tests.rs"]
mod tests;
