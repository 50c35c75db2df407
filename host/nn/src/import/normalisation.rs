//! Pixel normalisation of float networks.
//!
//! Pixels are 0 to 255; a network was trained on `(pixel - mean) / std`, with a mean and a standard
//! deviation for each channel. posy's engine reads pixels in steps of one grey level, with one zero
//! point for all channels, so the rest becomes part of the network:
//!
//! - If zero is (nearly) the same grey level in all channels, as in TensorFlow's networks, scale and
//!   offset are folded into the first convolution. Its padding is then that level; 127.5 is rounded
//!   to 128, so only the padding is off, by half a grey level.
//! - Otherwise, as in torchvision's networks, zero padding is a different colour in each channel. A
//!   1 x 1 layer in front normalises pixels, and the first convolution pads with its own zero: this
//!   is exact.

use posy_shared::model::{Op, Padding, Shape};

use crate::graph::network::{Activation, Common, FloatLayer, FloatNetwork, Quantisation};

/// Per-channel normalisation `(pixel - mean) / std` for red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Mean: the grey level, 0 to 255, that maps to zero.
    pub mean: [f64; 3],
    /// Standard deviation, grey levels.
    pub std: [f64; 3],
}

impl Normalisation {
    /// -1 to 1, for TensorFlow's MobileNets.
    pub const TENSORFLOW: Self = Normalisation {
        mean: [127.5; 3],
        std: [127.5; 3],
    };
    /// ImageNet's mean and standard deviation, for torchvision's networks: 0.485, 0.456, 0.406 and
    /// 0.229, 0.224, 0.225 of 255.
    pub const TORCH: Self = Normalisation {
        mean: [123.675, 116.28, 103.53],
        std: [58.395, 57.12, 57.375],
    };
    /// 0 to 1.
    pub const UNIT: Self = Normalisation {
        mean: [0.0; 3],
        std: [255.0; 3],
    };
    /// 0 to 255.
    pub const RAW: Self = Normalisation {
        mean: [0.0; 3],
        std: [1.0; 3],
    };

    /// Creates a normalisation with one mean and one standard deviation for all channels.
    pub fn from_levels(mean: f32, std: f32) -> Self {
        Normalisation {
            mean: [mean.into(); 3],
            std: [std.into(); 3],
        }
    }

    /// Mean and standard deviation of a channel of `channels`; those of grey are the averages.
    pub fn of_channel(&self, channel: usize, channels: usize) -> (f64, f64) {
        let average = |numbers: &[f64; 3]| numbers.iter().sum::<f64>() / 3.0;
        match (channels, channel) {
            (3, 0..3) => (self.mean[channel], self.std[channel]),
            _ => (average(&self.mean), average(&self.std)),
        }
    }

    /// True if it is usable: finite, with no zero deviation.
    pub fn is_sound(&self) -> bool {
        let normal = |number: &f64| number.is_finite() && number.abs() < 1e6;
        self.mean.iter().all(normal) && self.std.iter().all(|std| normal(std) && std.abs() > 1e-6)
    }
}

/// Maximum distance between the padding's grey level and a channel's zero; a mean of 127.5 is this
/// far from the nearest level.
const NEARLY: f64 = 0.5;

/// Adds pixel input to a network. `pairs` are factor and offset per channel that turn a pixel into
/// the input of `layers`.
pub(super) fn reading_pixels(layers: Vec<FloatLayer>, pairs: &[(f64, f64)]) -> FloatNetwork {
    let channels = pairs.len().max(1) as f64;
    let step = pairs.iter().map(|(factor, _)| factor.abs()).sum::<f64>() / channels;
    // With all factors zero the network ignores the pixels.
    let step = if step > 0.0 { step } else { 1.0 };
    let zeros: Vec<f64> = pairs
        .iter()
        .map(|(factor, added)| -added / factor)
        .collect();
    let level = (zeros.iter().sum::<f64>() / channels).round_ties_even();
    let near = |zero: &f64| (zero - level).abs() <= NEARLY + 1e-9;
    let same_zero = (0.0..=255.0).contains(&level) && zeros.iter().all(near);
    let mut layers = layers;
    let first = layers.first_mut().filter(|first| {
        let folds = matches!(first.common.op, Op::Conv3x3 | Op::Pointwise);
        folds && (same_zero || first.common.padding == Padding::default())
    });
    // The middle of the range keeps magnitudes smallest.
    let level = if same_zero { level } else { 128.0 };
    // Factor and offset from steps around `level` to the network's input.
    let steps = |(factor, added): &(f64, f64)| (factor / step, added + factor * level);
    let pairs: Vec<_> = pairs.iter().map(steps).collect();
    if let Some(first) = first {
        fold(first, &pairs);
    } else if let Some(shape) = layers.first().map(|first| first.common.input) {
        layers.insert(0, normaliser(shape, &pairs));
        for layer in &mut layers {
            layer.common.skip = layer.common.skip.map(|skip| skip + 1);
        }
    }
    FloatNetwork {
        pixels: None,
        input: Quantisation {
            scale: step as f32,
            zero_point: level as i32 - 128,
        },
        layers,
    }
}

/// Folds the affine input transform into a convolution.
fn fold(layer: &mut FloatLayer, pairs: &[(f64, f64)]) {
    let of_channel = layer.weights.len() / layer.bias.len().max(1);
    let weights = layer.weights.chunks_exact_mut(of_channel.max(1));
    for (weights, bias) in weights.zip(&mut layer.bias) {
        let mut sum = f64::from(*bias);
        // The input channel is the last axis of the weights.
        for (weight, (factor, added)) in weights.iter_mut().zip(pairs.iter().cycle()) {
            sum += f64::from(*weight) * added;
            *weight = (f64::from(*weight) * factor) as f32;
        }
        *bias = sum as f32;
    }
}

/// A 1 x 1 layer that only applies factors and offsets.
fn normaliser(input: Shape, pairs: &[(f64, f64)]) -> FloatLayer {
    let channels = pairs.len();
    let weight = |place: usize| match (place / channels, place % channels) {
        (to, from) if to == from => pairs[to].0 as f32,
        _ => 0.0,
    };
    FloatLayer {
        common: Common {
            name: "normalised pixels".into(),
            op: Op::Pointwise,
            input,
            output: input,
            stride: 1,
            padding: Padding::default(),
            activation: Activation::None,
            skip: None,
        },
        weights: (0..channels * channels).map(weight).collect(),
        bias: pairs.iter().map(|(_, added)| *added as f32).collect(),
        range: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::import::float_file::{FloatFile, Producer};
    use crate::runtime::float::FloatRunner;
    use crate::testing::{relative_error, small_float};

    fn file(input: Vec<(f64, f64)>) -> FloatFile {
        FloatFile {
            sha256: [0; 32],
            layers: small_float().layers,
            input,
            producer: Producer::PyTorch,
            pixels: None,
            head: None,
            scoring: None,
            hybrids: BTreeMap::new(),
        }
    }

    /// Largest difference between the network on pixels and the file's network on normalised
    /// pixels.
    fn error(file: &FloatFile, normalisation: &Normalisation) -> f64 {
        let len = file.input_shape().unwrap().len();
        let pixels: Vec<u8> = (0..len).map(|place| (place * 89 % 256) as u8).collect();
        let real = |(place, pixel): (usize, &u8)| {
            let c = place % 3;
            ((f64::from(*pixel) - normalisation.mean[c]) / normalisation.std[c]) as f32
        };
        let real: Vec<f32> = pixels.iter().enumerate().map(real).collect();
        let centred: Vec<i8> = pixels.iter().map(|pixel| (pixel ^ 0x80) as i8).collect();
        let plain = FloatRunner::new(&file.network(&Normalisation::RAW)).unwrap();
        let reading = FloatRunner::new(&file.network(normalisation)).unwrap();
        let theirs = plain.run_real(&real).unwrap().pop().unwrap();
        relative_error(&reading.features(&centred).unwrap(), &theirs)
    }

    #[test]
    fn networks_that_read_pixels_compute_the_same() {
        let identity = file(vec![(1.0, 0.0); 3]);
        // Padding matches no common grey level: a layer in front makes it exact.
        let network = identity.network(&Normalisation::TORCH);
        assert_eq!(network.layers.len(), identity.layers.len() + 1);
        assert_eq!(network.layers[4].common.skip, Some(1));
        assert!(error(&identity, &Normalisation::TORCH) < 1e-5);
        for normalisation in [Normalisation::UNIT, Normalisation::RAW] {
            let network = identity.network(&normalisation);
            assert_eq!(network.layers.len(), identity.layers.len());
            assert_eq!(network.input.zero_point, -128);
            assert!(error(&identity, &normalisation) < 1e-5);
        }
        // The padding of a 9 x 9 map is off by half a grey level.
        let network = identity.network(&Normalisation::TENSORFLOW);
        assert_eq!(network.layers.len(), identity.layers.len());
        assert_eq!(network.input.zero_point, 0);
        let error = error(&identity, &Normalisation::TENSORFLOW);
        assert!(error > 1e-6 && error < 2e-3, "{error}");
    }

    #[test]
    fn without_padding_everything_is_folded_exactly() {
        let mut file = file(vec![(1.0, 0.0); 3]);
        let first = &mut file.layers[0].common;
        first.padding = Padding::default();
        first.stride = 1;
        first.output.height = 7;
        first.output.width = 7;
        file.layers.truncate(1);
        let network = file.network(&Normalisation::TORCH);
        assert_eq!(network.layers.len(), 1);
        assert!(error(&file, &Normalisation::TORCH) < 1e-5);
    }

    #[test]
    fn what_a_file_does_itself_says_what_it_is_given() {
        let usual = |pairs: [(f64, f64); 3]| file(pairs.to_vec()).usual_normalisation();
        assert_eq!(usual([(1.0, 0.0); 3]), Normalisation::TORCH);
        assert_eq!(usual([(1.0 / 127.5, -1.0); 3]), Normalisation::RAW);
        assert_eq!(usual([(1.0, -127.5); 3]), Normalisation::RAW);
        assert_eq!(usual([(2.0, -1.0); 3]), Normalisation::UNIT);
        assert_eq!(usual([(4.367, -2.118); 3]), Normalisation::UNIT);
    }
}
