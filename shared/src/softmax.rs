//! Integer softmax: scores from logits.
//!
//! TFLite's int8 softmax (`reference_ops/softmax`) on gemmlowp's fixed-point exponential and reciprocal
//! (`gemmlowp/fixedpoint`): the same polynomials, the same constants, the same roundings. Its output is
//! 8 bits wide; the scores that posy displays are the same sum to 16 bits.

use serde::{Deserialize, Serialize};

use crate::kernels::requant::{doubling_high_product, shift_right_rounding};

/// Integer bits of the scaled difference from the greatest logit.
const DIFFERENCE_BITS: u32 = 5;

/// Integer bits of the sum of exponentials.
const SUM_BITS: u32 = 12;

/// Largest number of logits of a softmax: the sum of one more exponential of zero might not fit 12
/// bits.
pub const MAX_LOGITS: usize = (1 << SUM_BITS) - 1;

/// Scale of the logits in the form that the softmax takes (`PreprocessSoftmaxScaling`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beta {
    /// Mantissa in units of 2^-31.
    pub multiplier: i32,
    /// Shift to the left.
    pub left_shift: u8,
    /// Threshold, negative: the exponential of a difference below it counts as zero.
    pub least_difference: i32,
}

impl Beta {
    /// Returns true if the scale is usable: no shift of a difference overflows.
    pub const fn is_valid(&self) -> bool {
        self.multiplier >= 0
            && self.left_shift <= 30
            && self.least_difference <= 0
            && (self.widest_difference() << self.left_shift) <= i32::MAX as i64
    }

    /// Magnitude of the largest difference that is scaled.
    const fn widest_difference(&self) -> i64 {
        if self.least_difference < -255 {
            255
        } else {
            -(self.least_difference as i64)
        }
    }

    /// Returns `logit - greatest`, scaled to 5 integer bits; `None` if its exponential counts as zero.
    fn difference(&self, logit: i8, greatest: i8) -> Option<i32> {
        let difference = i32::from(logit) - i32::from(greatest);
        (difference >= self.least_difference)
            .then(|| doubling_high_product(difference << self.left_shift, self.multiplier))
    }
}

/// Computes `exp(a)` for `a` in `-1/4..0`, both with no integer bits.
const fn exp_quarter(a: i32) -> i32 {
    // Taylor series around -1/8: exp(-1/8) * (1 + x + x^2/2 + x^3/6 + x^4/24).
    const EXP_MINUS_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x = a.wrapping_add(1 << 28);
    let x2 = doubling_high_product(x, x);
    let x3 = doubling_high_product(x2, x);
    let x4 = doubling_high_product(x2, x2);
    let x4_over_4 = shift_right_rounding(x4, 2);
    let higher = shift_right_rounding(
        doubling_high_product(x4_over_4.wrapping_add(x3), THIRD).wrapping_add(x2),
        1,
    );
    EXP_MINUS_EIGHTH.saturating_add(doubling_high_product(
        EXP_MINUS_EIGHTH,
        x.wrapping_add(higher),
    ))
}

/// Computes `exp(a)` for `a <= 0` with 5 integer bits; the result has none.
const fn exp_negative(a: i32) -> i32 {
    const FRACTION: u32 = 31 - DIFFERENCE_BITS;
    const QUARTER: i32 = 1 << (FRACTION - 2);
    if a == 0 {
        return i32::MAX;
    }
    // exp of the part below a quarter, times exp(-2^k) for each bit of the rest.
    let below = (a & (QUARTER - 1)) - QUARTER;
    let mut result = exp_quarter(below.wrapping_shl(DIFFERENCE_BITS));
    let rest = below.wrapping_sub(a);
    const FACTORS: [i32; 7] = [
        1_672_461_947, // exp(-1/4)
        1_302_514_674, // exp(-1/2)
        790_015_084,   // exp(-1)
        290_630_308,   // exp(-2)
        39_332_535,    // exp(-4)
        720_401,       // exp(-8)
        242,           // exp(-16)
    ];
    let mut bit = 0;
    while bit < FACTORS.len() {
        if rest & (QUARTER << bit) != 0 {
            result = doubling_high_product(result, FACTORS[bit]);
        }
        bit += 1;
    }
    result
}

/// Computes `1 / (1 + a)` for `a` in `0..1`, both with no integer bits: three Newton steps from the
/// minimax line.
const fn reciprocal_of_one_plus(a: i32) -> i32 {
    const C48_OVER_17: i32 = 1_515_870_810;
    const MINUS_32_OVER_17: i32 = -1_010_580_540;
    const ONE: i32 = 1 << 29;
    let sum = a as i64 + i32::MAX as i64;
    // Half the sum, rounded; both terms are positive.
    let half = ((sum + 1) / 2) as i32;
    let mut x = C48_OVER_17.wrapping_add(doubling_high_product(half, MINUS_32_OVER_17));
    let mut step = 0;
    while step < 3 {
        let error = ONE.wrapping_sub(doubling_high_product(half, x));
        // A product of two numbers with 2 integer bits has 4; two are shifted out again.
        x = x.wrapping_add(saturating_shift_left(doubling_high_product(x, error), 2));
        step += 1;
    }
    saturating_shift_left(x, 1)
}

const fn saturating_shift_left(x: i32, exponent: u32) -> i32 {
    let shifted = (x as i64) << exponent;
    if shifted > i32::MAX as i64 {
        i32::MAX
    } else if shifted < i32::MIN as i64 {
        i32::MIN
    } else {
        shifted as i32
    }
}

/// Denominator of a softmax, from which the score of each logit is computed.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    beta: Beta,
    greatest: i8,
    /// Reciprocal of the sum, no integer bits.
    scale: i32,
    /// Bits by which the sum exceeds one.
    bits_over_unit: i32,
}

impl Softmax {
    /// Sums the exponentials of at most [`MAX_LOGITS`] logits; of more, the sum saturates and the
    /// scores come out too high.
    pub fn new(beta: Beta, logits: &[i8]) -> Self {
        let greatest = logits.iter().copied().max().unwrap_or(0);
        let mut sum = 0_i32;
        for difference in logits
            .iter()
            .filter_map(|&logit| beta.difference(logit, greatest))
        {
            sum = sum.saturating_add(shift_right_rounding(exp_negative(difference), SUM_BITS));
        }
        // The sum includes at least the greatest logit's own exponential.
        let sum = sum.max(1);
        let headroom = sum.leading_zeros();
        let fraction = ((sum as u32) << headroom).wrapping_sub(1 << 31) as i32;
        Softmax {
            beta,
            greatest,
            scale: reciprocal_of_one_plus(fraction),
            bits_over_unit: SUM_BITS as i32 - headroom as i32,
        }
    }

    /// Score in units of `2^-bits`, for `bits` up to 16; may round up to one.
    fn score(&self, logit: i8, bits: i32) -> i32 {
        let Some(difference) = self.beta.difference(logit, self.greatest) else {
            return 0;
        };
        let product = doubling_high_product(self.scale, exp_negative(difference));
        let exponent = (self.bits_over_unit + 31 - bits).clamp(0, 31);
        shift_right_rounding(product, exponent as u32)
    }

    /// The output of TFLite's int8 softmax: scale 1/256, zero point -128.
    pub fn int8(&self, logit: i8) -> i8 {
        (self.score(logit, 8) - 128).clamp(-128, 127) as i8
    }

    /// Score in units of 1/65536, `0..=65536`.
    pub fn fine(&self, logit: i8) -> u32 {
        self.score(logit, 16).clamp(0, 1 << 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beta of logits in sixteenths: 2^-4 * 2^26 is 2^22, which is 2^31 * 2^-1 shifted by 23.
    const SIXTEENTHS: Beta = Beta {
        multiplier: 1 << 30,
        left_shift: 23,
        least_difference: -248,
    };

    #[test]
    fn exponentials_are_those_of_the_real_function() {
        for step in 0..2_000 {
            let a = -step * 1_000_003;
            let real = libm_exp(f64::from(a) / f64::from(1 << 26));
            let ours = f64::from(exp_negative(a)) / 2_147_483_648.0;
            assert!((ours - real).abs() < 1e-6, "exp({a}): {ours} for {real}");
        }
    }

    /// A series for exp, so that the test needs no library on any target.
    fn libm_exp(x: f64) -> f64 {
        let (mut term, mut sum) = (1.0, 1.0);
        for n in 1..40 {
            term *= x / 64.0 / f64::from(n);
            sum += term;
        }
        (0..6).fold(sum, |power: f64, _| power * power)
    }

    #[test]
    fn scores_add_up_and_keep_order() {
        let logits = [16, 0, -16, 40, -128];
        let softmax = Softmax::new(SIXTEENTHS, &logits);
        let total: u32 = logits.iter().map(|&logit| softmax.fine(logit)).sum();
        assert!(total.abs_diff(1 << 16) < 4, "{total}");
        assert!(softmax.fine(40) > softmax.fine(16));
        let expected =
            65536.0 / (1.0 + libm_exp(-1.5) + libm_exp(-2.5) + libm_exp(-3.5) + libm_exp(-10.5));
        assert!((f64::from(softmax.fine(40)) - expected).abs() < 2.0);
    }

    #[test]
    fn odd_inputs_have_answers() {
        assert_eq!(Softmax::new(SIXTEENTHS, &[-128]).int8(-128), 127);
        assert_eq!(Softmax::new(SIXTEENTHS, &[7; MAX_LOGITS]).fine(7), 16);
        assert_eq!(Softmax::new(SIXTEENTHS, &[]).fine(0), 1 << 16);
        // More logits than the sum can hold: the scores do not add up to one, but remain in range.
        assert!(Softmax::new(SIXTEENTHS, &[7; 2 * MAX_LOGITS]).fine(7) >= 8);
    }

    #[test]
    fn every_logit_of_every_valid_scale_has_a_score() {
        // Miri is about a thousand times slower.
        for left_shift in (0..=30).step_by(if cfg!(miri) { 15 } else { 1 }) {
            for least_difference in [0, -1, -248, -255, -256, i32::MIN] {
                for multiplier in [0, 1, 1 << 30, i32::MAX] {
                    let beta = Beta {
                        multiplier,
                        left_shift,
                        least_difference,
                    };
                    if !beta.is_valid() {
                        continue;
                    }
                    for greatest in [-128, 0, 127] {
                        let softmax = Softmax::new(beta, &[greatest, -128]);
                        let scores = (i8::MIN..=greatest).map(|logit| softmax.fine(logit));
                        assert!(scores.is_sorted(), "{beta:?}");
                    }
                }
            }
        }
    }
}
