//! Exact division of many dividends by one divisor, without a divide instruction (Cortex-M0+ has none).

/// A divisor and its reciprocal in 32 fractional bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reciprocal {
    divisor: u32,
    /// `floor((2^32 - 1) / divisor)`.
    inverse: u32,
}

impl Reciprocal {
    /// Creates the reciprocal; a `divisor` of zero is replaced by one.
    pub(super) const fn new(divisor: u32) -> Self {
        let divisor = if divisor == 0 { 1 } else { divisor };
        Reciprocal {
            divisor,
            inverse: u32::MAX / divisor,
        }
    }

    /// `floor(dividend / divisor)`, exact for every dividend.
    ///
    /// The inverse falls short of `2^32 / divisor` by a gap of more than 0 and at most 1, so
    /// `dividend * inverse / 2^32` falls short of the quotient by `dividend * gap / 2^32`, which is
    /// less than 1. Rounded down it is the quotient's floor or one below, and the remainder tells
    /// which.
    #[inline(always)]
    pub(super) const fn floor(self, dividend: u32) -> u32 {
        if cfg!(all(target_arch = "arm", feature = "armv6m")) {
            return self.floor_by_halves(dividend);
        }
        let quotient = ((dividend as u64 * self.inverse as u64) >> 32) as u32;
        let remainder = dividend - quotient * self.divisor;
        quotient + (remainder >= self.divisor) as u32
    }

    /// As [`Reciprocal::floor`], for a processor that would call a function for a product of 64 bits: from
    /// three products of halves. Each of the two that are shifted, and the fourth, which is left out, lacks
    /// less than 1, so that this quotient may be three below its floor.
    #[inline(always)]
    const fn floor_by_halves(self, dividend: u32) -> u32 {
        let (high, low) = (dividend >> 16, dividend & 0xFFFF);
        let (inverse_high, inverse_low) = (self.inverse >> 16, self.inverse & 0xFFFF);
        let mut quotient =
            high * inverse_high + ((high * inverse_low) >> 16) + ((low * inverse_high) >> 16);
        let mut remainder = dividend - quotient * self.divisor;
        while remainder >= self.divisor {
            remainder -= self.divisor;
            quotient += 1;
        }
        quotient
    }

    /// Rounds `dividend / divisor` to the nearest integer, a half upwards. The dividend must leave
    /// headroom: at most `2^32 - 1 - divisor / 2`.
    #[inline(always)]
    pub(super) const fn round(self, dividend: u32) -> u32 {
        self.floor(dividend + self.divisor / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::Reciprocal;
    use proptest::prelude::*;

    /// Checks around each multiple of the divisor, where a wrong quotient would show first.
    fn check_around(divisor: u32, quotient: u32) {
        let reciprocal = Reciprocal::new(divisor);
        let multiple = quotient.wrapping_mul(divisor);
        for dividend in [multiple.wrapping_sub(1), multiple, multiple.wrapping_add(1)] {
            assert_eq!(reciprocal.floor(dividend), dividend / divisor);
            assert_eq!(reciprocal.floor_by_halves(dividend), dividend / divisor);
        }
    }

    /// Distance between the values tested: Miri is about a thousand times slower.
    const STEP: usize = if cfg!(miri) { 20_011 } else { 1 };

    #[test]
    fn exact_for_every_divisor_of_a_side() {
        for divisor in (1..=65_535u32).step_by(STEP) {
            for quotient in [0, 1, 2, 127, 128, 255, 256, 65_279, u32::MAX / divisor] {
                check_around(divisor, quotient);
                check_around(divisor * 256, quotient);
            }
            assert_eq!(Reciprocal::new(divisor).floor(u32::MAX), u32::MAX / divisor);
        }
    }

    #[test]
    fn exact_for_every_dividend_of_some_divisors() {
        for divisor in [1, 3, 224 * 192] {
            let reciprocal = Reciprocal::new(divisor);
            for dividend in (0..=255 * divisor + divisor / 2).step_by(STEP) {
                assert_eq!(reciprocal.floor(dividend), dividend / divisor);
                assert_eq!(reciprocal.floor_by_halves(dividend), dividend / divisor);
            }
        }
    }

    proptest! {
        #[test]
        fn exact(dividend: u32, divisor in 1..=u32::MAX) {
            let reciprocal = Reciprocal::new(divisor);
            prop_assert_eq!(reciprocal.floor(dividend), dividend / divisor);
            prop_assert_eq!(reciprocal.floor_by_halves(dividend), dividend / divisor);
        }

        #[test]
        fn rounds_to_nearest(dividend in 0..1u32 << 31, divisor in 1..1u32 << 24) {
            let exact = (dividend as f64 / divisor as f64 + 0.5).floor();
            prop_assert_eq!(Reciprocal::new(divisor).round(dividend) as f64, exact);
        }
    }
}
