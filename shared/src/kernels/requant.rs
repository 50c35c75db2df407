//! Requantisation: the only definition of rounding.
//!
//! TFLite's reference kernels rescale sums with gemmlowp's fixed-point arithmetic and round twice: once
//! in the doubling high product, once in the shift right (`gemmlowp/fixedpoint`,
//! `SaturatingRoundingDoublingHighMul` and `RoundingDivideByPOT`; `MultiplyByQuantizedMultiplier` in
//! TFLite's `kernels/internal/common`, built without single rounding). Equal results need the same two
//! roundings. Its `FULLY_CONNECTED` rounds once: [`rescale_once`].

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

/// Computes `x * scale` with one rounding: to nearest, ties up. TFLite's `FULLY_CONNECTED` rescales so
/// (`MultiplyByQuantizedMultiplier` in `kernels/internal/common`, built with single rounding). The
/// model's reader has checked that `x << shift` fits for left shifts.
pub const fn rescale_once(x: i32, scale: Multiplier) -> i32 {
    // 1 to 62 for the shifts of a multiplier, so that neither the half nor the sum overflows.
    let bits = 31 - scale.shift as i32;
    let half = 1_i64 << (bits - 1);
    ((x as i64 * scale.mantissa as i64 + half) >> bits) as i32
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

    #[test]
    fn ties_of_one_rounding_go_up() {
        // A half of each.
        let scale = Multiplier {
            mantissa: 1 << 30,
            shift: 0,
        };
        for (x, half) in [(-3, -1), (-1, 0), (1, 1), (3, 2)] {
            assert_eq!(rescale_once(x, scale), half);
        }
        // A quarter is nothing at once; by way of a half, it would be one.
        let quarter = Multiplier {
            mantissa: 1 << 30,
            shift: -1,
        };
        assert_eq!((rescale_once(1, quarter), rescale(1, quarter)), (0, 1));
    }

    proptest! {
        #[test]
        fn shifts_round_to_nearest_ties_away(x: i32, exponent in 0_u32..=31) {
            let exact = divide_rounding(i128::from(x), 1 << exponent);
            prop_assert_eq!(i128::from(shift_right_rounding(x, exponent)), exact);
        }

        #[test]
        fn one_rounding_is_to_nearest_ties_up(x: i32, mantissa in 0..=i32::MAX, shift in -31_i8..=0) {
            // Twice the exact value plus one, over two, rounded down.
            let exact = i128::from(x) * i128::from(mantissa);
            let unit = 1_i128 << (31 - shift);
            let nearest = (2 * exact + unit).div_euclid(2 * unit);
            prop_assert_eq!(i128::from(rescale_once(x, Multiplier { mantissa, shift })), nearest);
        }

        #[test]
        fn products_are_within_half_of_exact(a: i32, b in 0..=i32::MAX) {
            let twice_error = 2 * (i128::from(a) * i128::from(b)
                - (i128::from(doubling_high_product(a, b)) << 31));
            prop_assert!(twice_error.abs() <= 1 << 31);
        }
    }
}
