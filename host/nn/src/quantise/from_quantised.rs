//! Conversion of a trained quantised network to the int8 specification.
//!
//! The int8 specification wants symmetric weights (zero point 0). Networks trained in uint8 have
//! weights with a zero point and one scale for the whole tensor. Less the zero point, the weights
//! of most channels fit int8 (-128 included, which posy's kernels allow), and are copied with their
//! scale: nothing changes. A channel that does not fit gets a larger scale of its own, so that its
//! largest weight becomes 127; that rounds its weights by at most half a step. Activation ranges,
//! learnt in training, stay the same in both cases.

use crate::graph::network::{IntLayer, IntNetwork, TrainedLayer, TrainedNetwork};

/// Number of channels by the way in which they were converted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Channels whose weights and scale are exactly the file's.
    pub copied: usize,
    /// Channels whose weights were rounded to a larger scale.
    pub rescaled: usize,
}

impl Carried {
    /// Number of channels in all.
    pub const fn channels(self) -> usize {
        self.copied + self.rescaled
    }
}

/// Converts a trained network to the int8 specification.
pub fn from_trained(network: &TrainedNetwork) -> (IntNetwork, Carried) {
    let mut carried = Carried::default();
    let layers = network
        .layers
        .iter()
        .map(|layer| carry(layer, &mut carried))
        .collect();
    (
        IntNetwork {
            pixels: network.pixels,
            input_table: network.input_table.clone(),
            input: network.input,
            layers,
        },
        carried,
    )
}

fn carry(layer: &TrainedLayer, carried: &mut Carried) -> IntLayer {
    let mut weights = Vec::with_capacity(layer.weights.len());
    let mut weight_scales = layer.weight_scales.clone();
    let mut bias = layer.bias.clone();
    let of_channel = layer.weights.len() / weight_scales.len().max(1);
    let channels = layer.weights.chunks_exact(of_channel.max(1));
    for ((channel, scale), bias) in channels.zip(&mut weight_scales).zip(&mut bias) {
        let before = weights.len();
        weights.extend(channel.iter().filter_map(|w| i8::try_from(*w).ok()));
        if weights.len() - before == channel.len() {
            carried.copied += 1;
            continue;
        }
        carried.rescaled += 1;
        weights.truncate(before);
        let largest = channel.iter().fold(0, |m, w| w.abs().max(m));
        let shrink = 127.0 / f64::from(largest);
        // Within -127..=127, because no weight exceeds `largest`.
        weights.extend(
            channel
                .iter()
                .map(|w| (f64::from(*w) * shrink).round_ties_even() as i8),
        );
        let (old, new) = (f64::from(*scale), (f64::from(*scale) / shrink) as f32);
        *scale = new;
        // The bias keeps its real value, to the nearest new step.
        *bias = (f64::from(*bias) * (old / f64::from(new))).round_ties_even() as i32;
    }
    IntLayer {
        common: layer.common.clone(),
        weights,
        weight_scales,
        bias,
        output: layer.output,
        fully_connected: layer.fully_connected,
    }
}

#[cfg(test)]
mod tests {
    use posy_shared::model::{Op, Padding, Shape};

    use super::*;
    use crate::graph::network::{Activation, Common, Quantisation};
    use crate::import::file::read_file;
    use crate::testing::data;

    /// The foreign files were made from the uint8 ones by the same rule with another program,
    /// except that it rescales a channel with a weight of -128. Here it is copied, which is exact.
    /// Every other channel must be equal.
    #[test]
    fn channels_are_those_of_the_foreign_int8_files() {
        let Some(folder) = data("comparing with int8 files", "models") else {
            return;
        };
        for (name, differing) in [("0.25_128", 0), ("0.5_128", 2), ("0.5_224", 1)] {
            let uint8 = folder.join(format!("mobilenet_v1_{name}_quant.tflite"));
            let (ours, carried) = from_trained(&read_file(&uint8).unwrap());
            let int8 = folder.join(format!("int8/mobilenet_v1_{name}_int8.tflite"));
            let (theirs, all) = from_trained(&read_file(&int8).unwrap());
            assert_eq!(all.rescaled, 0, "an int8 file is taken over exactly");
            let share = carried.copied as f64 / carried.channels() as f64;
            assert!(share > 0.98, "{name}: {carried:?}");
            assert_eq!(
                (ours.input, ours.layers.len()),
                (theirs.input, theirs.layers.len())
            );
            let mut apart = 0;
            for (a, b) in ours.layers.iter().zip(&theirs.layers) {
                assert_eq!((&a.common, a.output), (&b.common, b.output));
                let len = a.weights.len() / a.bias.len().max(1);
                for channel in 0..a.bias.len() {
                    let of = |l: &IntLayer| {
                        let weights = l.weights[channel * len..][..len].to_vec();
                        (weights, l.weight_scales[channel], l.bias[channel])
                    };
                    if of(a) != of(b) {
                        assert!(
                            of(a).0.contains(&-128),
                            "{}, channel {channel}",
                            a.common.name
                        );
                        apart += 1;
                    }
                }
            }
            assert_eq!(apart, differing, "{name}");
        }
    }

    #[test]
    fn nearly_all_channels_of_every_file_are_copied() {
        let Some(folder) = data("counting copied channels", "models") else {
            return;
        };
        let mut sum = Carried::default();
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
        for path in &files {
            let (_, carried) = from_trained(&read_file(path).unwrap());
            eprintln!("{}: {carried:?}", path.display());
            sum.copied += carried.copied;
            sum.rescaled += carried.rescaled;
        }
        eprintln!("all: {sum:?}");
        assert!(sum.copied as f64 > 0.98 * sum.channels() as f64, "{sum:?}");
    }

    /// A rescaled channel keeps its real values: weights to half a step, the bias to half a step.
    #[test]
    fn a_channel_that_does_not_fit_keeps_its_values() {
        let shape = Shape {
            height: 1,
            width: 1,
            channels: 3,
        };
        let layer = TrainedLayer {
            common: Common {
                name: "dense".into(),
                op: Op::Dense,
                input: shape,
                output: shape,
                stride: 1,
                padding: Padding::default(),
                activation: Activation::None,
                skip: None,
            },
            weights: vec![-128, 127, 0, 200, -100, 3, -255, 254, 1],
            weight_scales: vec![0.5; 3],
            bias: vec![1000, 1000, -1001],
            output: Quantisation {
                scale: 1.0,
                zero_point: 0,
            },
            fully_connected: true,
        };
        let network = TrainedNetwork {
            pixels: None,
            input_table: None,
            unread: None,
            scoring: None,
            sha256: [0; 32],
            input: layer.output,
            layers: vec![layer],
        };
        let (int, carried) = from_trained(&network);
        assert_eq!(
            carried,
            Carried {
                copied: 1,
                rescaled: 2
            }
        );
        let int = &int.layers[0];
        assert_eq!(int.weights, [-128, 127, 0, 127, -64, 2, -127, 127, 0]);
        assert_eq!(int.bias, [1000, 635, -499]);
        assert_eq!(
            int.weight_scales,
            [0.5, 0.5 * 200.0 / 127.0, 0.5 * 255.0 / 127.0]
        );
    }
}
