//! Requantisation: the only definition of rounding.
//!
//! TFLite's reference kernels rescale sums with gemmlowp's fixed-point arithmetic and round twice: once
//! in the doubling high product, once in the shift right (`gemmlowp/fixedpoint`,
//! `SaturatingRoundingDoublingHighMul` and `RoundingDivideByPOT`; `MultiplyByQuantizedMultiplier` in
//! TFLite's `kernels/internal/common`, built without single rounding). Equal results need the same two
//! roundings.

/// A positive real factor below 2^30: `mantissa * 2^(shift - 31)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier {
    /// Mantissa, `0..2^31`; TFLite's lie in `2^30..2^31`, or are zero.
    pub mantissa: i32,
    /// Exponent, `-31..=30`; positive shifts left.
    pub shift: i8,
}

/// Computes `a * b / 2^31`, rounded to nearest, ties away from zero; `-2^31 * -2^31` saturates.
pub const fn doubling_high_product(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    let product = a as i64 * b as i64;
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    // Division, not a shift: it truncates towards zero, as the nudge expects.
    ((product + nudge) / (1 << 31)) as i32
}

/// Computes `x / 2^exponent`, rounded to nearest, ties away from zero; `exponent` in `0..=31`.
pub const fn shift_right_rounding(x: i32, exponent: u32) -> i32 {
    let mask = ((1_i64 << exponent) - 1) as i32;
    let remainder = x & mask;
    let threshold = (mask >> 1) + (x < 0) as i32;
    // An i64 because `i32 >> 31` then behaves as every other shift.
    ((x as i64 >> exponent) as i32) + (remainder > threshold) as i32
}

/// Computes `x * scale`. The model's reader has checked that `x << shift` fits for left shifts.
pub const fn rescale(x: i32, scale: Multiplier) -> i32 {
    let (left, right) = if scale.shift > 0 {
        (scale.shift as u32, 0)
    } else {
        (0, scale.shift.unsigned_abs() as u32)
    };
    shift_right_rounding(
        doubling_high_product(x.wrapping_shl(left), scale.mantissa),
        right,
    )
}

/// Adds the zero point to a rescaled sum and clamps it.
pub const fn place(scaled: i32, zero_point: i8, min: i8, max: i8) -> i8 {
    let moved = scaled.saturating_add(zero_point as i32);
    if moved < min as i32 {
        min
    } else if moved > max as i32 {
        max
    } else {
        moved as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Direct definition in exact integer arithmetic: nearest, ties away from zero.
    fn divide_rounding(numerator: i128, denominator: i128) -> i128 {
        let half = denominator / 2;
        if numerator >= 0 {
            (numerator + half) / denominator
        } else {
            -((-numerator + half) / denominator)
        }
    }

    #[test]
    fn the_one_saturating_product_saturates() {
        assert_eq!(doubling_high_product(i32::MIN, i32::MIN), i32::MAX);
        assert_eq!(doubling_high_product(i32::MIN, i32::MAX), -i32::MAX);
    }

    #[test]
    fn ties_in_the_product_round_up_as_in_gemmlowp() {
        // 2^30 * 1 * 2 / 2^32 is exactly one half: gemmlowp's nudge takes +1/2 to 1 and -1/2 to 0.
        assert_eq!(doubling_high_product(1 << 30, 1), 1);
        assert_eq!(doubling_high_product(-(1 << 30), 1), 0);
    }

    proptest! {
        #[test]
        fn shifts_round_to_nearest_ties_away(x: i32, exponent in 0_u32..=31) {
            let exact = divide_rounding(i128::from(x), 1 << exponent);
            prop_assert_eq!(i128::from(shift_right_rounding(x, exponent)), exact);
        }

        #[test]
        fn products_are_within_half_of_exact(a: i32, b in 0..=i32::MAX) {
            let twice_error = 2 * (i128::from(a) * i128::from(b)
                - (i128::from(doubling_high_product(a, b)) << 31));
            prop_assert!(twice_error.abs() <= 1 << 31);
        }
    }
}
