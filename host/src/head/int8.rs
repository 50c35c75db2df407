//! A head in int8, as the board computes it.
//!
//! A [`Head`] becomes the dense layer of the TFLite int8 specification: weights int8, symmetric,
//! one scale for each label; bias int32 in steps of input scale x weight scale; logits int8,
//! asymmetric.

use super::{Features, Head, HeadError};
use crate::backbone::network::Quantisation;

/// Greatest weight in int8; -128 is not used.
const WEIGHT_MAX: f64 = 127.0;
/// Greatest bias in int32 steps. As much again is left for the sum of products, of which a
/// board's network cannot use a tenth: 4,096 features x 255 x 127 is below 2^27.
const BIAS_MAX: f64 = (1 << 30) as f64;

/// The last layer in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct IntHead {
    /// Row-major `[K, D]`, K labels by D features; `-127..=127`.
    pub weights: Vec<i8>,
    /// Real size of one weight step, `[K]`.
    pub weight_scales: Vec<f32>,
    /// `[K]`, in steps of input scale x weight scale.
    pub bias: Vec<i32>,
    /// Quantisation of the logits.
    pub output: Quantisation,
}

/// Quantises `head`, whose input is int8 features of quantisation `input`.
///
/// The quantisation of the logits comes from the logits that the int8 weights give for the
/// photos `seen` (training and validation photos; their true labels are not used): it is the
/// finest that none of these saturates, since what is lost here is ranking: labels closer than
/// half a step become equal. No margin is added. An unseen photo whose logits go beyond is one of
/// which the network is surer than of any seen, and clamping its highest or lowest logit takes
/// away confidence, not rank.
pub fn quantise(
    head: &Head,
    input: Quantisation,
    seen: &[&Features],
) -> Result<IntHead, HeadError> {
    for features in seen {
        if features.width() != head.width() {
            return Err(HeadError::Width {
                expected: head.width(),
                found: features.width(),
            });
        }
    }
    let step = f64::from(input.scale);
    let mut weights = Vec::with_capacity(head.weights.len());
    let mut weight_scales = Vec::with_capacity(head.labels());
    let mut bias = Vec::with_capacity(head.labels());
    for (row, &real_bias) in head
        .weights
        .chunks_exact(head.width().max(1))
        .zip(&head.bias)
    {
        let scale = weight_scale(row, real_bias, step);
        let real_scale = f64::from(scale);
        weights.extend(row.iter().map(|&weight| {
            let steps = (f64::from(weight) / real_scale).round_ties_even();
            steps.clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8
        }));
        let steps = (f64::from(real_bias) / (step * real_scale)).round_ties_even();
        bias.push(steps.clamp(-BIAS_MAX, BIAS_MAX) as i32);
        weight_scales.push(scale);
    }
    let mut quantised = IntHead {
        weights,
        weight_scales,
        bias,
        output: Quantisation {
            scale: 1.0,
            zero_point: 0,
        },
    };
    let real = quantised.as_real(input);
    quantised.output = finest(
        seen.iter()
            .flat_map(|features| features.rows())
            .flat_map(|(row, _)| real.logits(row)),
    );
    Ok(quantised)
}

/// The least scale at which a label's weights fit int8 and its bias `BIAS_MAX`, as f32.
fn weight_scale(weights: &[f32], bias: f32, input_scale: f64) -> f32 {
    let greatest = weights
        .iter()
        .fold(0.0f64, |top, &weight| top.max(f64::from(weight).abs()));
    let scale = (greatest / WEIGHT_MAX).max(f64::from(bias).abs() / (input_scale * BIAS_MAX));
    // A label without weights or bias: any scale will do.
    if scale > 0.0 {
        (scale as f32).max(f32::MIN_POSITIVE)
    } else {
        1.0
    }
}

/// The finest int8 quantisation that holds zero and all of `values`.
fn finest(values: impl Iterator<Item = f32>) -> Quantisation {
    let (low, high) = values.fold((0.0f32, 0.0f32), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let scale = (high - low) / 255.0;
    if !(scale > 0.0 && scale.is_finite()) {
        return Quantisation {
            scale: 1.0 / 128.0,
            zero_point: 0,
        };
    }
    Quantisation {
        scale,
        zero_point: (-128.0 - low / scale)
            .round_ties_even()
            .clamp(-128.0, 127.0) as i32,
    }
}

impl IntHead {
    /// The head that these integers stand for, logits not yet quantised.
    pub fn as_real(&self, input: Quantisation) -> Head {
        let width = self.weights.len() / self.bias.len().max(1);
        Head {
            weights: self
                .weights
                .chunks_exact(width.max(1))
                .zip(&self.weight_scales)
                .flat_map(|(row, &scale)| row.iter().map(move |&weight| f32::from(weight) * scale))
                .collect(),
            bias: self
                .bias
                .iter()
                .zip(&self.weight_scales)
                .map(|(&bias, &scale)| {
                    (f64::from(bias) * f64::from(scale) * f64::from(input.scale)) as f32
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::metrics::argmax;

    const INPUT: Quantisation = Quantisation {
        scale: 0.0235,
        zero_point: -128,
    };

    /// Plain arithmetic of the dense layer: int32 sum, then a real factor, rounded.
    fn run(head: &IntHead, features: &[i8]) -> Vec<i8> {
        head.weights
            .chunks_exact(features.len())
            .zip(&head.weight_scales)
            .zip(&head.bias)
            .map(|((row, &scale), &bias)| {
                let sum: i32 = row
                    .iter()
                    .zip(features)
                    .map(|(&w, &q)| i32::from(w) * (i32::from(q) - INPUT.zero_point))
                    .sum();
                let factor = INPUT.scale * scale / head.output.scale;
                let steps = (f64::from(sum + bias) * f64::from(factor)).round() as i32;
                (steps + head.output.zero_point).clamp(-128, 127) as i8
            })
            .collect()
    }

    /// 64 photos of 32 int8 features, and a head of 3 labels whose weights differ in size.
    fn example() -> (Vec<i8>, Features, Head) {
        let values: Vec<i8> = (0..64 * 32)
            .map(|i: i32| ((i * 7919 % 251) - 128).clamp(-128, 60) as i8)
            .collect();
        let features = Features::from_int8(32, &values, vec![0; 64], INPUT).unwrap();
        let weights = (0..96)
            .map(|i| ((i * 37 % 41) as f32 - 20.0) * [0.05, 0.01, 0.002][i / 32])
            .collect();
        let head = Head {
            weights,
            bias: vec![1.5, -0.75, 0.2],
        };
        (values, features, head)
    }

    #[test]
    fn int8_logits_are_near_the_real_ones() {
        let (values, features, head) = example();
        let quantised = quantise(&head, INPUT, &[&features]).unwrap();
        let mut greatest = 0.0f32;
        for (photo, (row, _)) in features.rows().enumerate() {
            let real = head.logits(row);
            let logits = run(&quantised, &values[photo * 32..][..32]);
            for (real, q) in real.iter().zip(&logits) {
                let output = quantised.output;
                let value = output.scale * (i32::from(*q) - output.zero_point) as f32;
                greatest = greatest.max((value - real).abs());
            }
        }
        // Half a step of the output and the rounding of 32 weights, each half a step times a
        // feature of at most 4.4.
        let bound = 0.5 * quantised.output.scale + 32.0 * 0.5 * quantised.weight_scales[0] * 4.4;
        assert!(greatest < bound, "{greatest} {bound}");
        assert!(greatest < 2.0 * quantised.output.scale, "{greatest}");
    }

    #[test]
    fn weights_fill_int8_label_by_label() {
        let (_, features, head) = example();
        let quantised = quantise(&head, INPUT, &[&features]).unwrap();
        for row in quantised.weights.chunks_exact(32) {
            assert_eq!(row.iter().map(|w| w.unsigned_abs()).max(), Some(127));
        }
    }

    #[test]
    fn the_output_range_is_just_what_was_seen() {
        let (values, features, head) = example();
        let quantised = quantise(&head, INPUT, &[&features]).unwrap();
        let all: Vec<i8> = values
            .chunks_exact(32)
            .flat_map(|row| run(&quantised, row))
            .collect();
        assert!(*all.iter().max().unwrap() >= 126);
        assert!(*all.iter().min().unwrap() <= -127);
    }

    #[test]
    fn a_great_bias_with_small_weights_still_fits() {
        let features = Features::from_int8(2, &[1, 2], vec![0], INPUT).unwrap();
        let head = Head {
            weights: vec![1e-12, -1e-12, 0.0, 0.0],
            bias: vec![5.0, -5.0],
        };
        let quantised = quantise(&head, INPUT, &[&features]).unwrap();
        assert!(quantised.bias.iter().all(|b| b.unsigned_abs() <= 1 << 30));
        assert_eq!(argmax(&run(&quantised, &[1, 2])), 0);
    }

    #[test]
    fn a_head_of_zeros_and_foreign_features_do_no_harm() {
        let features = Features::from_int8(2, &[1, 2], vec![0], INPUT).unwrap();
        let zeros = Head {
            weights: vec![0.0; 4],
            bias: vec![0.0; 2],
        };
        let quantised = quantise(&zeros, INPUT, &[&features]).unwrap();
        assert_eq!(run(&quantised, &[5, 6]), [0, 0]);
        let narrow = Features::new(1, vec![0.0], vec![0]).unwrap();
        assert!(quantise(&zeros, INPUT, &[&narrow]).is_err());
    }
}
