//! The int8 head, as the board computes it.
//!
//! A [`Head`] becomes the dense layer of the TFLite int8 specification: int8 weights, symmetric,
//! with one scale per label; int32 bias in steps of input scale x weight scale; int8 logits,
//! asymmetric.

use posy_nn::graph::head::{Head, IntHead};
use posy_nn::graph::network::Quantisation;

use super::rounding::round_by;
use super::{Features, HeadError};

/// Quantises `head`, whose input is int8 features of quantisation `input`, and preserves its logits
/// for the photos `training` as well as it can.
///
/// The scale and zero point of the logits come from the logits that the int8 weights give for these
/// photos and those of `others` (validation photos; their true labels are not used): the finest
/// quantisation that saturates none of them. A coarser one costs ranking: labels closer than half a
/// step become equal. There is no margin. An unseen photo whose logits exceed the range is one of
/// which the network is surer than of any seen photo, and clamping its highest or lowest logit
/// reduces confidence, not rank.
///
/// # Errors
/// [`HeadError::Width`].
pub fn quantise(
    head: &Head,
    input: Quantisation,
    training: &Features,
    others: &Features,
) -> Result<IntHead, HeadError> {
    for features in [training, others] {
        if features.width() != head.width() {
            return Err(HeadError::Width {
                expected: head.width(),
                found: features.width(),
            });
        }
    }
    let rounded = round_by(training, &head.weights, &head.bias, input.scale);
    let mut quantised = IntHead {
        weights: rounded.weights,
        weight_scales: rounded.scales,
        bias: rounded.bias,
        output: Quantisation {
            scale: 1.0,
            zero_point: 0,
        },
    };
    let real = quantised.as_real(input);
    let seen = training.rows().chain(others.rows());
    quantised.output = finest(seen.flat_map(|(row, _)| real.logits(row)));
    Ok(quantised)
}

/// The finest int8 quantisation whose range contains zero and all of `values`.
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

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::train::logistic::{self, Strength};
    use crate::train::metrics::argmax;

    const INPUT: Quantisation = Quantisation {
        scale: 0.0235,
        zero_point: -128,
    };

    /// Reference arithmetic of the dense layer: int32 sum, then a real factor, rounded.
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

    fn none(features: &Features) -> Features {
        features.select(&[])
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
        let quantised = quantise(&head, INPUT, &features, &none(&features)).unwrap();
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
        // Bound for weights rounded to nearest: half a step of the output, plus for each of 32
        // weights half a step times a feature of at most 4.4.
        let bound = 0.5 * quantised.output.scale + 32.0 * 0.5 * quantised.weight_scales[0] * 4.4;
        assert!(greatest < bound, "{greatest} {bound}");
        assert!(greatest < 2.0 * quantised.output.scale, "{greatest}");
    }

    #[test]
    fn weights_fill_int8_label_by_label() {
        let (_, features, head) = example();
        let quantised = quantise(&head, INPUT, &features, &none(&features)).unwrap();
        for row in quantised.weights.chunks_exact(32) {
            assert!(row.iter().any(|w| w.unsigned_abs() >= 120), "{row:?}");
        }
    }

    /// Photos with a plain background: features that vary little about their means and yet separate
    /// `labels` labels; a few causes drive every feature.
    fn plain_backgrounds(labels: usize, of_each: usize, seed: u64) -> (Vec<i8>, Features) {
        const WIDTH: usize = 256;
        const CAUSES: usize = 40;
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut some = |count: usize| -> Vec<f32> {
            (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
        };
        let (means, mixing) = (some(WIDTH), some(WIDTH * CAUSES));
        let of_labels = some(labels * CAUSES);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut values = Vec::new();
        let truths: Vec<usize> = (0..labels * of_each).map(|photo| photo % labels).collect();
        for &label in &truths {
            let causes = of_labels[label * CAUSES..][..CAUSES].iter();
            let causes: Vec<f32> = causes
                .map(|cause| 0.5 * cause + random.random_range(-1.0..1.0))
                .collect();
            for (mean, mix) in means.iter().zip(mixing.chunks_exact(CAUSES)) {
                let sum: f32 = mix
                    .iter()
                    .zip(&causes)
                    .map(|(mix, cause)| mix * cause)
                    .sum();
                let noise: f32 = random.random_range(-1.0..1.0);
                values.push((-40.0 + 60.0 * mean + 0.3 * (sum + noise)).round() as i8);
            }
        }
        let features = Features::from_int8(WIDTH, &values, truths, INPUT).unwrap();
        (values, features)
    }

    /// Rounds each weight to nearest, without any compensation.
    fn rounded_alone(head: &Head, photos: &Features) -> IntHead {
        let mut rounded = quantise(head, INPUT, photos, photos).unwrap();
        let rows = rounded.weights.chunks_exact_mut(head.width());
        for (label, (rounded_row, row)) in rows
            .zip(head.weights.chunks_exact(head.width()))
            .enumerate()
        {
            let scale = row.iter().fold(0.0f32, |top, w| top.max(w.abs())) / 127.0;
            for (to, from) in rounded_row.iter_mut().zip(row) {
                *to = (from / scale).round() as i8;
            }
            rounded.weight_scales[label] = scale;
            rounded.bias[label] = (head.bias[label] / (scale * INPUT.scale)).round() as i32;
        }
        let real = rounded.as_real(INPUT);
        rounded.output = finest(photos.rows().flat_map(|(row, _)| real.logits(row)));
        rounded
    }

    #[test]
    fn little_is_lost_where_features_vary_little() {
        for (labels, of_each) in [(12, 20), (30, 10)] {
            let (_, training) = plain_backgrounds(labels, of_each, 1);
            let (values, tested) = plain_backgrounds(labels, 1000 / labels, 2);
            let strength = Strength::Fixed(1.0);
            let head = logistic::train(&training, &none(&training), labels, strength)
                .unwrap()
                .head;
            let quantised = quantise(&head, INPUT, &training, &none(&training)).unwrap();
            let alone = rounded_alone(&head, &training);
            let (mut real, mut ours, mut theirs) = (0, 0, 0);
            for (photo, (row, truth)) in tested.rows().enumerate() {
                let values = &values[photo * row.len()..][..row.len()];
                real += usize::from(argmax(&head.logits(row)) == truth);
                ours += usize::from(argmax(&run(&quantised, values)) == truth);
                theirs += usize::from(argmax(&run(&alone, values)) == truth);
            }
            let count = tested.len();
            eprintln!(
                "{labels} labels: {real} of {count}, int8 {ours}, each weight alone {theirs}"
            );
            assert!(ours + count / 100 >= real, "{ours} against {real}");
            assert!(
                theirs + count / 50 < real,
                "{theirs}: too easy to show anything"
            );
        }
    }

    #[test]
    fn the_output_range_is_just_what_was_seen() {
        let (values, features, head) = example();
        let quantised = quantise(&head, INPUT, &features, &none(&features)).unwrap();
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
        let quantised = quantise(&head, INPUT, &features, &none(&features)).unwrap();
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
        let quantised = quantise(&zeros, INPUT, &features, &none(&features)).unwrap();
        assert_eq!(run(&quantised, &[5, 6]), [0, 0]);
        let narrow = Features::new(1, vec![0.0], vec![0]).unwrap();
        assert!(quantise(&zeros, INPUT, &narrow, &narrow).is_err());
    }
}
