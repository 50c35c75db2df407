//! Cross-layer equalisation: balances the ranges of channels before quantisation.
//!
//! Activations have one scale for all channels of a map, so a channel that stays a hundred times
//! below the largest one is left with two or three integers. Scaling a channel of one layer by `f`
//! and its weights in the next layer by `1 / f` changes nothing in floating point, because ReLU and
//! the sums are homogeneous (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization
//! and Bias Correction", section 4.1). The paper balances the weights of the two layers. Here
//! weights have a scale per output channel, so the channel's activations are balanced with the
//! weights that read them:
//!
//! - `a`: the greatest magnitude observed in the channel;
//! - `r`: the greatest magnitude of the next layer's weights that read it. A depthwise layer has a
//!   scale per input channel, so for it `r` does not matter and counts as `1 / a`.
//!
//! The product of their precisions is greatest when both are in the same proportion for every
//! channel (the paper's equation 9): `f = sqrt(r / a)`, up to a factor common to the layer, which
//! is chosen so that the median channel does not change.
//!
//! A channel is scaled only if `f` is at least [`NEED`] or at most its inverse. ReLU6 is
//! homogeneous only below six: a channel of a ReLU6 layer is scaled only if it was observed to stay
//! below three, and is scaled so that it still does. No channel is scaled beyond half of the
//! layer's own greatest magnitude, so that a photo brighter than the calibration photos does not
//! leave the range.

use posy_shared::model::Op;

use super::observe::RangeObserver;
use crate::graph::network::{Activation, FloatLayer, FloatNetwork};

/// Minimum factor by which a channel is scaled; a smaller one is not worth a rounding.
pub const NEED: f32 = 1.5;

/// Maximum factor by which a channel is scaled; one that would need more is as good as constant.
const MOST: f32 = 4096.0;

/// Scales channels of `network` by its activations in `observed`. Returns the number of scaled
/// channels. Activation ranges carried by the network are removed for changed layers, where they no
/// longer hold; calibrate again.
pub fn equalise(network: &mut FloatNetwork, observed: &RangeObserver) -> usize {
    let mut scaled = 0;
    for index in 1..network.layers.len() {
        let branches = network
            .layers
            .iter()
            .any(|l| l.common.skip == Some(index - 1));
        let Some(seen) = observed.channels.get(index - 1).filter(|_| !branches) else {
            continue;
        };
        let (before, after) = network.layers.split_at_mut(index);
        let (Some(first), Some(second)) = (before.last_mut(), after.first_mut()) else {
            continue;
        };
        if is_weighted(first) && is_weighted(second) {
            let factors = factors(first, second, seen);
            let changed = factors.iter().filter(|f| **f != 1.0).count();
            if changed > 0 {
                scale_outputs(first, &factors);
                scale_inputs(second, &factors);
                first.range = None;
                scaled += changed;
            }
        }
    }
    scaled
}

fn is_weighted(layer: &FloatLayer) -> bool {
    layer.common.op.has_weights()
}

/// Scale factor of each channel between `first` and `second`.
fn factors(first: &FloatLayer, second: &FloatLayer, seen: &[(f32, f32)]) -> Vec<f32> {
    let reach: Vec<f32> = seen
        .iter()
        .map(|(least, greatest)| least.abs().max(greatest.abs()))
        .collect();
    let greatest = reach.iter().copied().fold(0.0, f32::max);
    let clip = match first.common.activation {
        Activation::Relu6 => 6.0,
        Activation::None | Activation::Relu => f32::INFINITY,
    };
    let limit = greatest.min(clip) / 2.0;
    let wanted: Vec<f32> = reach
        .iter()
        .zip(readers(second))
        .map(|(a, r)| {
            let r = r.unwrap_or(1.0 / a);
            (r / a).sqrt()
        })
        .collect();
    let usable = |f: f32| f.is_normal() && f > 0.0;
    let mut sorted: Vec<f32> = wanted.iter().copied().filter(|f| usable(*f)).collect();
    sorted.sort_by(f32::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2).copied() else {
        return vec![1.0; reach.len()];
    };
    let factor = |(wanted, reach): (&f32, &f32)| {
        if !usable(*wanted) || *reach > clip / 2.0 {
            return 1.0;
        }
        let factor = (wanted / median).clamp(1.0 / MOST, MOST);
        // Scale up only as far as the limit.
        let factor = if factor > 1.0 {
            factor.min(limit / reach).max(1.0)
        } else {
            factor
        };
        if factor >= NEED || factor <= 1.0 / NEED {
            factor
        } else {
            1.0
        }
    };
    wanted.iter().zip(&reach).map(factor).collect()
}

/// Per input channel of `layer`, the greatest magnitude of the weights that read it; `None` for a
/// depthwise layer, where each channel has its own scale.
fn readers(layer: &FloatLayer) -> Vec<Option<f32>> {
    let inputs = usize::from(layer.common.input.channels);
    if layer.common.op == Op::Depthwise3x3 {
        return vec![None; inputs];
    }
    let mut greatest = vec![0.0f32; inputs];
    for weights in layer.weights.chunks_exact(inputs.max(1)) {
        greatest
            .iter_mut()
            .zip(weights)
            .for_each(|(g, w)| *g = g.max(w.abs()));
    }
    greatest.into_iter().map(Some).collect()
}

/// Multiplies a layer's outputs per channel.
fn scale_outputs(layer: &mut FloatLayer, factors: &[f32]) {
    let of_channel = layer.weights.len() / factors.len().max(1);
    for (weights, factor) in layer
        .weights
        .chunks_exact_mut(of_channel.max(1))
        .zip(factors)
    {
        weights.iter_mut().for_each(|w| *w *= factor);
    }
    layer
        .bias
        .iter_mut()
        .zip(factors)
        .for_each(|(b, factor)| *b *= factor);
}

/// Divides a layer's weights per input channel.
fn scale_inputs(layer: &mut FloatLayer, factors: &[f32]) {
    if layer.common.op == Op::Depthwise3x3 {
        for (weights, factor) in layer.weights.chunks_exact_mut(9).zip(factors) {
            weights.iter_mut().for_each(|w| *w /= factor);
        }
        return;
    }
    // The input channel is the last axis of every other weight layout.
    for weights in layer.weights.chunks_exact_mut(factors.len().max(1)) {
        weights
            .iter_mut()
            .zip(factors)
            .for_each(|(w, factor)| *w /= factor);
    }
}

#[cfg(test)]
pub(super) mod damage {
    //! Inverse of equalisation: scales channels apart without changing the float network.

    use rand::Rng;

    use super::*;

    /// Scales channels between every two layers by random powers of two from 1/64 to 64 where ReLU6
    /// allows it. Returns the number of scaled channels.
    pub fn scale_apart(
        network: &mut FloatNetwork,
        observed: &RangeObserver,
        rng: &mut impl Rng,
    ) -> usize {
        let mut scaled = 0;
        for index in 1..network.layers.len() {
            let branches = network
                .layers
                .iter()
                .any(|l| l.common.skip == Some(index - 1));
            let (before, after) = network.layers.split_at_mut(index);
            let (first, second) = (before.last_mut().unwrap(), &mut after[0]);
            if branches || !is_weighted(first) || !is_weighted(second) {
                continue;
            }
            let clip = if first.common.activation == Activation::Relu6 {
                3.0
            } else {
                f32::INFINITY
            };
            let factors: Vec<f32> = observed.channels[index - 1]
                .iter()
                .map(|(_, greatest)| {
                    let factor = 2f32.powi(rng.random_range(-6..=6));
                    if greatest.max(greatest * factor) < clip {
                        factor
                    } else {
                        1.0
                    }
                })
                .collect();
            scale_outputs(first, &factors);
            scale_inputs(second, &factors);
            scaled += factors.iter().filter(|f| **f != 1.0).count();
        }
        scaled
    }
}
