//! Arithmetic of a file on its integer input, folded into a lookup table.
//!
//! A Rescaling layer becomes MUL and ADD with constants, and a second QUANTIZE changes the scale. Each
//! maps one value of a channel to one value, so all of them together are a table. The values are those
//! of TensorFlow Lite's reference kernels (`Mul`, `AddElementwise`, `SubElementwise` in
//! `internal/reference/integer_ops`, `Requantize`).

use posy_shared::kernels::requant::{Multiplier, rescale};

use super::error::Problem;
use super::names;
use crate::graph::grey_levels::GreyLevels;
use crate::graph::input_table::InputTable;
use crate::graph::multiplier::{
    AddParams, Multiplier as RealMultiplier, activation_range, add_params, quantise_multiplier,
};
use crate::graph::network::{Activation, Quantisation};

/// The operators folded so far.
#[derive(Clone, Debug)]
pub(super) struct InputFold {
    /// Quantisation of the file's input.
    source: Quantisation,
    /// Quantisation of the values.
    pub(super) output: Quantisation,
    /// Values for each input from -128, one row per channel, or one for all.
    rows: Vec<[i8; 256]>,
    /// Real value in grey levels: `(level - mean) / std`.
    mean: f64,
    std: f64,
}

/// A constant operand: values of one scale.
pub(super) struct Operand {
    pub(super) values: Vec<i8>,
    pub(super) quantisation: Quantisation,
}

impl Operand {
    /// Real value for `channel`.
    pub(super) fn real(&self, channel: usize) -> f64 {
        let value = self.values.get(channel).or(self.values.first());
        let steps = i32::from(value.copied().unwrap_or(0)) - self.quantisation.zero_point;
        f64::from(self.quantisation.scale) * f64::from(steps)
    }
}

/// A weight, its scale and a bias by which a depthwise layer of one tap computes a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tap {
    pub(super) weight: i16,
    pub(super) scale: f32,
    pub(super) bias: i32,
}

/// Number of biases that are tried on each side of the exact one.
const NEAR: i32 = 8;

impl InputFold {
    /// The tap that maps each value of `channel` as the operators do, which add the real value `added`; `None` if
    /// there is none. A step of the bias is a small part of one of the output, so that 256 values leave it room.
    pub(super) fn tap(
        &self,
        channel: usize,
        added: f64,
        (before, after): (Quantisation, Quantisation),
        activation: Activation,
    ) -> Option<Tap> {
        let row = self.rows.get(channel).or(self.rows.first())?;
        let (least, greatest) = activation_range(activation, after);
        (96_i16..=127).rev().find_map(|weight| {
            let scale = 1.0 / f32::from(weight);
            let step = f64::from(before.scale) * f64::from(scale);
            let factor = multiplier(step / f64::from(after.scale)).ok()?;
            let exact = (added / step).round() as i32;
            let maps = |bias: i32| {
                (-128..).zip(row).all(|(q, value)| {
                    let sum = i32::from(weight) * (q - before.zero_point) + bias;
                    let placed = rescale(sum, factor).saturating_add(after.zero_point);
                    placed.clamp(least.into(), greatest.into()) == i32::from(*value)
                })
            };
            let bias = (exact - NEAR..=exact + NEAR).find(|bias| maps(*bias))?;
            Some(Tap {
                weight,
                scale,
                bias,
            })
        })
    }

    /// The input itself.
    pub(super) fn new(source: Quantisation) -> Self {
        let (mean, std) = GreyLevels::mean_and_std(GreyLevels::of(source), source);
        InputFold {
            source,
            output: source,
            rows: vec![std::array::from_fn(|place| (place as i16 - 128) as i8)],
            mean: mean.into(),
            std: std.into(),
        }
    }

    /// Applies `of`, from a value and a channel, to all values.
    fn apply(&mut self, channels: usize, of: impl Fn(i32, usize) -> i32) {
        if self.rows.len() < channels {
            self.rows = vec![self.rows[0]; channels];
        }
        for (channel, row) in self.rows.iter_mut().enumerate() {
            for value in row {
                *value = of((*value).into(), channel).clamp(-128, 127) as i8;
            }
        }
    }

    /// QUANTIZE from integers to integers of another scale.
    pub(super) fn requantise(&mut self, output: Quantisation) -> Result<(), Problem> {
        let input = self.output;
        let scale = multiplier(f64::from(input.scale) / f64::from(output.scale))?;
        self.apply(1, |value, _| {
            rescale(value - input.zero_point, scale) + output.zero_point
        });
        self.output = output;
        Ok(())
    }

    /// MUL, ADD or SUB of the values and a constant, one value or one per channel.
    pub(super) fn combine(
        &mut self,
        number: i32,
        constant: &Operand,
        output: Quantisation,
        activation: Activation,
    ) -> Result<(), Problem> {
        let (a, b) = (self.output, constant.quantisation);
        let (least, greatest) = activation_range(activation, output);
        let channels = constant.values.len();
        let operand = |channel: usize| {
            let value = constant.values.get(channel).or(constant.values.first());
            i32::from(value.copied().unwrap_or(0)) - b.zero_point
        };
        let place = |steps: i32| {
            let value = steps.saturating_add(output.zero_point);
            value.clamp(least.into(), greatest.into())
        };
        let real = f64::from(b.scale) * f64::from(operand(0));
        if number == names::MUL {
            // In single precision, as TensorFlow Lite's `mul.cc` multiplies the scales.
            let scale = multiplier(f64::from(a.scale * b.scale / output.scale))?;
            self.apply(channels, |value, channel| {
                place(rescale((value - a.zero_point) * operand(channel), scale))
            });
            if real <= 0.0 {
                return Err(Problem::Operand);
            }
            self.std /= real;
        } else {
            let params = add_params(a, b, output);
            let [first, second, sum] =
                [params.first, params.second, params.output].map(right_shift);
            let (first, second, sum) = (first?, second?, sum?);
            let sign = if number == names::SUB { -1 } else { 1 };
            let raise = |steps: i32, scale| rescale(steps << AddParams::LEFT_SHIFT, scale);
            self.apply(channels, |value, channel| {
                let (a, b) = (value - a.zero_point, operand(channel));
                place(rescale(raise(a, first) + sign * raise(b, second), sum))
            });
            self.mean -= f64::from(sign) * real * self.std;
        }
        self.output = output;
        Ok(())
    }

    /// The table from grey levels, and the real line that it stands for.
    pub(super) fn table(&self, channels: usize) -> (InputTable, GreyLevels) {
        let levels = GreyLevels::of(self.source).map(|levels| levels.table(self.source));
        let row = |channel: usize| {
            let row = self.rows.get(channel).unwrap_or(&self.rows[0]);
            std::array::from_fn(|level| {
                let value = levels.map_or(level as i16 - 128, |levels| levels[level].into());
                row[(value + 128) as usize]
            })
        };
        let levels = GreyLevels {
            mean: self.mean as f32,
            std: self.std as f32,
        };
        let rows = (0..channels).map(row).collect();
        (InputTable { rows }, levels)
    }
}

/// The multiplier in the form of the kernels; 16 bits of a product have room for its left shift.
fn multiplier(factor: f64) -> Result<Multiplier, Problem> {
    let RealMultiplier { multiplier, shift } = quantise_multiplier(factor);
    match i8::try_from(shift) {
        Ok(shift) if (-31..=14).contains(&shift) => Ok(Multiplier {
            mantissa: multiplier,
            shift,
        }),
        _ => Err(Problem::Requantises),
    }
}

/// A multiplier of an addition, which never shifts to the left.
fn right_shift(scale: RealMultiplier) -> Result<Multiplier, Problem> {
    match i8::try_from(scale.shift) {
        Ok(shift) if (-31..=0).contains(&shift) => Ok(Multiplier {
            mantissa: scale.multiplier,
            shift,
        }),
        _ => Err(Problem::Requantises),
    }
}
