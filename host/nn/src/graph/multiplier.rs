//! Integer multipliers of kernels from real scales, as TensorFlow Lite computes them.
//!
//! Every step has TensorFlow Lite's precision and order, so that every bit agrees. Sources, all
//! below `tensorflow/lite/kernels`: `QuantizeMultiplier` in `internal/quantization_util.cc`;
//! `PopulateConvolutionQuantizationParams`, `GetQuantizedConvolutionMultipler` and
//! `CalculateActivationRangeQuantized` in `kernel_util.cc`; `Prepare` in `add.cc`.

use posy_shared::model::Op;

use crate::graph::network::{Activation, IntLayer, Quantisation};

/// A real factor in fixed point: `multiplier * 2^(shift - 31)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier {
    /// Mantissa, in `2^30..2^31`, or 0.
    pub multiplier: i32,
    /// Shift: left if positive, right if negative.
    pub shift: i32,
}

/// Rescaling of an addition: both operands are shifted left by [`AddParams::LEFT_SHIFT`],
/// multiplied to a common scale and added, and the sum is multiplied to the output's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddParams {
    /// Multiplier of the operand from the layer before.
    pub first: Multiplier,
    /// Multiplier of the operand that [`skip`](crate::graph::network::Common::skip) names.
    pub second: Multiplier,
    /// Multiplier of the sum.
    pub output: Multiplier,
}

impl AddParams {
    /// Left shift of the operands, bits, for precision.
    pub const LEFT_SHIFT: u32 = 20;
}

/// Converts a factor to a 31-bit multiplier and a shift.
///
/// Factors below `2^-32` become 0, as do negative and non-finite ones, which no scale gives. The
/// shift of a factor above `2^31` is more than a kernel can use; such a factor means that the
/// scales are wrong.
pub fn quantise_multiplier(factor: f64) -> Multiplier {
    let zero = Multiplier {
        multiplier: 0,
        shift: 0,
    };
    // A subnormal factor is far below 2^-32.
    if !factor.is_normal() || factor < 0.0 {
        return zero;
    }
    // `factor = fraction * 2^shift` with the fraction in 0.5..1, as C's `frexp` returns it.
    let bits = factor.to_bits();
    let mut shift = (bits >> 52) as i32 - 1022;
    let fraction = f64::from_bits(bits & ((1 << 52) - 1) | 1022 << 52);
    let mut multiplier = (fraction * f64::from(1u32 << 31)).round() as i64;
    if multiplier == 1 << 31 {
        multiplier /= 2;
        shift += 1;
    }
    match i32::try_from(multiplier) {
        Ok(multiplier) if shift >= -31 => Multiplier { multiplier, shift },
        _ => zero,
    }
}

/// Factor from accumulator to output per output channel: input scale times weight scale, over
/// output scale.
///
/// Convolutions multiply in double precision. Fully connected layers with one scale for all weights
/// multiply the two scales in single precision first and continue in double; so does a uint8
/// convolution. A layer that is [`Op::Dense`] with one scale is therefore treated as fully
/// connected, and so is a 1 x 1 layer that was a fully connected operator over each pixel.
pub fn effective_scales(input: Quantisation, layer: &IntLayer) -> Vec<f64> {
    let single = is_fully_connected(layer);
    let product = |weight: f32| match single {
        true => f64::from(input.scale * weight),
        false => f64::from(input.scale) * f64::from(weight),
    };
    let scales = layer.weight_scales.iter();
    scales
        .map(|weight| product(*weight) / f64::from(layer.output.scale))
        .collect()
}

/// True if TensorFlow Lite treats a layer as fully connected with one scale for all weights; see
/// [`effective_scales`].
pub fn is_fully_connected(layer: &IntLayer) -> bool {
    let scales = &layer.weight_scales;
    (layer.common.op == Op::Dense || layer.fully_connected)
        && scales.windows(2).all(|pair| pair[0] == pair[1])
}

/// Output range after an activation.
pub fn activation_range(activation: Activation, output: Quantisation) -> (i8, i8) {
    // TensorFlow Lite divides in single precision here.
    let quantise = |real: f32| {
        let steps = (real / output.scale).round() as i32;
        output.zero_point.saturating_add(steps).clamp(-128, 127) as i8
    };
    match activation {
        Activation::None => (i8::MIN, i8::MAX),
        Activation::Relu => (quantise(0.0), i8::MAX),
        Activation::Relu6 => (quantise(0.0), quantise(6.0)),
    }
}

/// Multiplier of a mean over `pixels` pixels, from the sum of `input - zero_point`.
///
/// TensorFlow Lite divides the multiplier of the scales' ratio by the number of pixels, with as many
/// more bits as fit (`QuantizedMeanOrSum` in `internal/reference/reduce.h`).
pub fn mean_multiplier(input: Quantisation, pixels: u32, output: Quantisation) -> Multiplier {
    let ratio = f64::from(input.scale) / f64::from(output.scale);
    let Multiplier { multiplier, shift } = quantise_multiplier(ratio);
    let pixels = pixels.max(1);
    // `31 + shift` is not negative.
    let bits = (pixels.ilog2() as i32).min(32).min(31 + shift);
    let scaled = (i64::from(multiplier) << bits) / i64::from(pixels);
    Multiplier {
        // At most the multiplier, because the number of pixels is at least `2^bits`.
        multiplier: scaled as i32,
        shift: shift - bits,
    }
}

/// Multipliers of the addition of `first` and `second`.
pub fn add_params(first: Quantisation, second: Quantisation, output: Quantisation) -> AddParams {
    let (first, second) = (f64::from(first.scale), f64::from(second.scale));
    let twice_greater = 2.0 * first.max(second);
    let left = f64::from(1u32 << AddParams::LEFT_SHIFT);
    AddParams {
        first: quantise_multiplier(first / twice_greater),
        second: quantise_multiplier(second / twice_greater),
        output: quantise_multiplier(twice_greater / (left * f64::from(output.scale))),
    }
}

#[cfg(test)]
mod tests {
    use posy_shared::model::{Padding, Shape};

    use super::*;
    use crate::graph::network::Common;

    fn pair(factor: f64) -> (i32, i32) {
        let Multiplier { multiplier, shift } = quantise_multiplier(factor);
        (multiplier, shift)
    }

    fn quantisation(scale: f32, zero_point: i32) -> Quantisation {
        Quantisation { scale, zero_point }
    }

    /// Expected values: Python's `math.frexp` with rounding half away from zero.
    #[test]
    fn multipliers_are_those_of_frexp() {
        let cases = [
            (1.0, (1073741824, 1)),
            (0.5, (1073741824, 0)),
            (0.25, (1073741824, -1)),
            (0.1, (1717986918, -3)),
            (3.7, (1986422374, 2)),
            (1.0 / 3.0, (1431655765, -1)),
            (2f64.powi(-31), (1073741824, -30)),
            (2f64.powi(-32), (1073741824, -31)),
            (2f64.powi(-33), (0, 0)),
            // Rounds up to the next power of two.
            (1.0 - 2f64.powi(-40), (1073741824, 1)),
            (0.00123456789, (1357421750, -9)),
            (123456.789, (2022716031, 17)),
            (1e-8, (1441151881, -26)),
            (1e-300, (0, 0)),
            (0.0, (0, 0)),
        ];
        for (factor, expected) in cases {
            assert_eq!(pair(factor), expected, "{factor}");
        }
        for wrong in [f64::NAN, f64::INFINITY, -1.0, f64::from_bits(1)] {
            assert_eq!(pair(wrong), (0, 0), "{wrong}");
        }
    }

    fn layer(op: Op, weight_scales: Vec<f32>, output: f32) -> IntLayer {
        let shape = Shape {
            height: 1,
            width: 1,
            channels: 1,
        };
        IntLayer {
            common: Common {
                name: String::new(),
                op,
                input: shape,
                output: shape,
                stride: 1,
                padding: Padding::default(),
                activation: Activation::None,
                skip: None,
            },
            weights: Vec::new(),
            weight_scales,
            bias: Vec::new(),
            output: quantisation(output, 0),
            fully_connected: false,
        }
    }

    /// Expected values: numpy's float32 scales, Python's doubles, for the first layer of
    /// `mobilenet_v1_0.25_128_quant` and the last of `vww_96_int8`, whose multipliers differ
    /// between the two precisions.
    #[test]
    fn effective_scales_are_in_double_but_for_one_scale_fully_connected_layers() {
        let conv = layer(Op::Conv3x3, vec![0.008882409], 0.023528477);
        let scale = effective_scales(quantisation(0.0078125, 0), &conv)[0];
        assert_eq!(scale, 0.0029493544988404225);
        assert_eq!(pair(scale), (1621424783, -8));

        let input = quantisation(0.015656913, -128);
        let dense = layer(Op::Dense, vec![0.0047202893; 2], 0.014636219);
        assert_eq!(pair(effective_scales(input, &dense)[1]), (1387987883, -7));
        let per_channel = layer(Op::Dense, vec![0.0047202893, 0.1], 0.014636219);
        assert_eq!(
            pair(effective_scales(input, &per_channel)[0]),
            (1387987940, -7)
        );
        let pointwise = layer(Op::Pointwise, vec![0.0047202893; 2], 0.014636219);
        assert_eq!(
            pair(effective_scales(input, &pointwise)[1]),
            (1387987940, -7)
        );
    }

    /// Expected values: numpy's float32 division and Python's rounding, half away from zero.
    #[test]
    fn activations_become_clamps() {
        let cases = [
            ((0.023528477, -128), (-128, 127)),
            ((0.05, -3), (-3, 117)),
            ((0.01, 5), (5, 127)),
            ((0.046875, 0), (0, 127)),
            // 6 / 0.1 + -128.
            ((0.1, -128), (-128, -68)),
        ];
        for ((scale, zero_point), expected) in cases {
            let output = quantisation(scale, zero_point);
            assert_eq!(
                activation_range(Activation::Relu6, output),
                expected,
                "{output:?}"
            );
            assert_eq!(
                activation_range(Activation::Relu, output),
                (expected.0, 127)
            );
            assert_eq!(activation_range(Activation::None, output), (-128, 127));
        }
        assert_eq!(
            activation_range(Activation::Relu6, quantisation(1e-30, 100)),
            (100, 127)
        );
    }

    /// Expected values: LiteRT 2.3.0's reference kernels, whose outputs are equal with this multiplier.
    #[test]
    fn means_divide_the_multiplier() {
        let mean = mean_multiplier(quantisation(0.02, -128), 9, quantisation(0.0075, -128));
        assert_eq!((mean.multiplier, mean.shift), (1_272_582_902, -1));
        let alone = mean_multiplier(quantisation(0.5, 3), 1, quantisation(0.25, 0));
        assert_eq!((alone.multiplier, alone.shift), (1 << 30, 2));
    }

    /// Expected values: Python's doubles, for the first addition of `mobilenet_v2_1.0_96_quant`.
    #[test]
    fn additions_share_twice_the_greater_scale() {
        let first = quantisation(0.511_451_1, 11);
        let second = quantisation(0.336_072_47, -5);
        let output = quantisation(0.498_415_05, 3);
        let params = add_params(first, second, output);
        let expected = AddParams {
            first: Multiplier {
                multiplier: 1073741824,
                shift: 0,
            },
            second: Multiplier {
                multiplier: 1411102857,
                shift: -1,
            },
            output: Multiplier {
                multiplier: 1101825599,
                shift: -18,
            },
        };
        assert_eq!(params, expected);
        let swapped = add_params(second, first, output);
        assert_eq!(
            (swapped.first, swapped.second),
            (expected.second, expected.first)
        );
    }
}
