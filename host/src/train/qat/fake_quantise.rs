//! Fake quantisation: values in floating point that lie on the grid of int8.
//!
//! Outputs of layers are rounded as the engine rounds, to nearest with ties away from zero, and
//! clamped to the range of the layer's output and activation. Weights are rounded to 127 steps on
//! either side of zero, for each output channel by itself. Gradients pass straight through the
//! rounding (Bengio, Léonard and Courville 2013), and stop where an output is clamped (Jacob et al.
//! 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
//! Inference").

use posy_nn::graph::multiplier::activation_range;
use posy_nn::graph::network::{Activation, Quantisation};

/// Greatest magnitude of an int8 weight.
const WEIGHT_MAX: f32 = 127.0;

/// Values that a layer's output can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Size of a step.
    scale: f32,
    /// Least and greatest output, in steps from zero.
    steps: (f32, f32),
    /// Least and greatest output of the activation alone, in floating point.
    real: (f32, f32),
    /// Integer that is added for rounding: ties are away from where the sum is zero.
    offset: f32,
}

/// Arithmetic of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Fake quantisation of weights and outputs.
    Quantised,
    /// Floating point throughout.
    Float,
}

impl Grid {
    /// The outputs of a layer with this output quantisation and activation.
    pub fn new(activation: Activation, output: Quantisation) -> Self {
        let (least, greatest) = activation_range(activation, output);
        let steps = |q: i8| (i32::from(q) - output.zero_point) as f32;
        Grid {
            scale: output.scale,
            steps: (steps(least), steps(greatest)),
            real: match activation {
                Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
                Activation::Relu => (0.0, f32::INFINITY),
                Activation::Relu6 => (0.0, 6.0),
            },
            offset: 0.0,
        }
    }

    /// The outputs of TensorFlow Lite's average pool, which rounds the mean of the integers
    /// themselves, not of their distances from the zero point.
    pub fn of_pool(output: Quantisation) -> Self {
        Grid {
            offset: output.zero_point as f32,
            ..Self::new(Activation::None, output)
        }
    }

    /// Rounds and clamps outputs; in [`Arithmetic::Float`] applies the activation alone.
    pub fn apply(&self, values: &mut [f32], arithmetic: Arithmetic) {
        let Grid {
            scale,
            steps,
            real,
            offset,
        } = *self;
        match arithmetic {
            Arithmetic::Quantised => {
                let inverse = 1.0 / scale;
                for value in values {
                    let clamped = (*value * inverse).max(steps.0).min(steps.1);
                    *value = scale * (round(clamped + offset) - offset);
                }
            }
            Arithmetic::Float => {
                for value in values {
                    *value = value.max(real.0).min(real.1);
                }
            }
        }
    }

    /// Clears the gradients of `outputs` that are clamped.
    pub fn stop_clamped(&self, outputs: &[f32], slopes: &mut [f32], arithmetic: Arithmetic) {
        let (low, high) = match arithmetic {
            Arithmetic::Quantised => (self.scale * self.steps.0, self.scale * self.steps.1),
            Arithmetic::Float => self.real,
        };
        for (slope, &output) in slopes.iter_mut().zip(outputs) {
            *slope = if output > low && output < high {
                *slope
            } else {
                0.0
            };
        }
    }
}

/// Rounds a number below 2^22 to nearest, ties away from zero; unlike `f32::round` it needs no newer
/// instructions for being done in vectors.
fn round(value: f32) -> f32 {
    // Beside it the next f32 is one further, so that adding it rounds, ties to even.
    const WHOLE: f32 = 1.5 * (1 << 23) as f32;
    let nearest = (value + WHOLE) - WHOLE;
    let rest = value - nearest;
    let away = if rest.abs() == 0.5 && (rest > 0.0) == (value > 0.0) {
        2.0 * rest
    } else {
        0.0
    };
    nearest + away
}

/// Rounds the weights of one output channel.
pub fn round_weights(weights: &mut [f32]) {
    let greatest = weights
        .iter()
        .fold(0.0f32, |top, weight| top.max(weight.abs()));
    let scale = greatest / WEIGHT_MAX;
    // Weights so small make no difference.
    if !scale.is_normal() {
        weights.fill(0.0);
        return;
    }
    let inverse = 1.0 / scale;
    for weight in weights {
        *weight = scale * round(*weight * inverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_lie_on_the_grid_of_int8() {
        let output = Quantisation {
            scale: 0.5,
            zero_point: -128,
        };
        let grid = Grid::new(Activation::Relu6, output);
        let mut values = [-3.0, 0.2, 0.25, 0.74, 0.75, 5.9, 7.0];
        grid.apply(&mut values, Arithmetic::Quantised);
        assert_eq!(values, [0.0, 0.0, 0.5, 0.5, 1.0, 6.0, 6.0]);
        let mut slopes = [1.0; 7];
        grid.stop_clamped(&values, &mut slopes, Arithmetic::Quantised);
        assert_eq!(slopes, [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
        let mut values = [-3.0, 0.2, 7.0];
        grid.apply(&mut values, Arithmetic::Float);
        assert_eq!(values, [0.0, 0.2, 6.0]);

        let signed = Grid::new(
            Activation::None,
            Quantisation {
                scale: 0.5,
                zero_point: 0,
            },
        );
        let mut values = [-0.25, -0.24, -70.0, 70.0];
        signed.apply(&mut values, Arithmetic::Quantised);
        assert_eq!(values, [-0.5, 0.0, -64.0, 63.5]);
    }

    #[test]
    fn means_are_rounded_as_the_integers_they_are_of() {
        let output = Quantisation {
            scale: 1.0,
            zero_point: -100,
        };
        let mut values = [1.5, 99.5, 100.5, 101.49];
        Grid::of_pool(output).apply(&mut values, Arithmetic::Quantised);
        assert_eq!(values, [1.0, 99.0, 101.0, 101.0]);
    }

    #[test]
    fn numbers_are_rounded_as_the_engine_rounds() {
        for value in [
            0.0f32, 0.2, 0.5, 0.50001, 1.5, 2.5, 126.5, 254.49, 255.0, 0.49999997,
        ] {
            assert_eq!(round(value), value.round(), "{value}");
            assert_eq!(round(-value), (-value).round(), "-{value}");
        }
    }

    #[test]
    fn weights_lie_on_127_steps() {
        let mut weights = [-12.7, 0.04, 0.06, 3.13];
        round_weights(&mut weights);
        for (found, expected) in weights.iter().zip([-12.7, 0.0, 0.1, 3.1]) {
            assert!((found - expected).abs() < 1e-5, "{weights:?}");
        }
        let mut nothing = [0.0, -0.0];
        round_weights(&mut nothing);
        assert_eq!(nothing, [0.0, 0.0]);
    }
}
