//! Rescaling in floats, where that is proven to be the same.
//!
//! The reference rescales a sum with integers, and rounds twice. What comes of that is a staircase: for each output
//! number there is a least sum that gives it. `slope * sum + offset`, rounded to the nearest integer, is a staircase
//! too. If both have each of their steps between the same two sums, they are the same for every sum, since
//! neither ever falls; and there are no more than 255 steps, all of which can be looked at before any picture is
//! there. That is done with the very operations that vectors use, each of which IEEE 754-2019 defines to the last bit:
//! a conversion and a fused multiply-add (5.4.1; a multiplication and an addition in WebAssembly), and a rounding to the nearest, here on neither side of which a
//! half may lie.

use core::ops::RangeInclusive;

use super::lanes::{Job, Lanes};
use crate::kernels::requant::{Multiplier, rescale};

/// `slope * sum + offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f32,
    pub(super) offset: f32,
}

/// What a line must be the same as.
#[derive(Clone, Debug)]
pub(super) struct Stairs {
    pub(super) scale: Multiplier,
    /// Sums lie between this and its negative; at most [`MOST_SUM`].
    pub(super) most: i32,
    pub(super) zero_point: i32,
    /// The output numbers to which steps lead that a clamp does not hide; no more than 255.
    pub(super) numbers: RangeInclusive<i32>,
    /// Whether the offset has the sign of the sum, and leads from it to a number less the zero point; else it leads to the
    /// number.
    pub(super) signed: bool,
}

/// Larger sums are not rescaled by lines.
pub(super) const MOST_SUM: i32 = 1 << 30;

/// The least sum from which on a number is reached, one more than the most where there is none; and what lies half way
/// from the number before it.
type Step = (i32, f32);

/// By how many of the floats beside it the slope is moved, and by how many 2^-18 the offset, to be tried.
const TRIES: [i32; 5] = [0, 1, -1, 2, -2];

/// `a * b + c` as vectors compute it: rounded once, but in WebAssembly, which does not fuse, twice. Neither ever
/// falls where `a` rises.
#[inline(always)]
pub(super) fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(not(target_arch = "wasm32"))]
    return a.mul_add(b, c);
    #[cfg(target_arch = "wasm32")]
    return a * b + c;
}

/// Scaled sums must be less, for WebAssembly to round them by an addition.
const MOST_SCALED: f64 = match cfg!(target_arch = "wasm32") {
    true => (1 << 21) as f64,
    false => f64::INFINITY,
};

impl Line {
    #[inline(always)]
    fn at(self, sum: i32, signed: bool) -> f32 {
        let sum = sum as f32;
        let offset = match signed {
            true => self.offset.copysign(sum),
            false => self.offset,
        };
        multiply_add(sum, self.slope, offset)
    }

    /// Whether the line has its steps where they are.
    #[inline(always)]
    fn has(self, steps: &[Step], stairs: &Stairs) -> bool {
        let mut wrong = 0;
        for &(least, half) in steps {
            let reached = self.at(least, stairs.signed) > half;
            let before = self.at(least - 1, stairs.signed) < half;
            wrong += u32::from(!reached & (least <= stairs.most));
            wrong += u32::from(!before & (least > -stairs.most));
        }
        wrong == 0
    }

    /// The line that is the same; `None` where none is found.
    #[inline(always)]
    fn of(stairs: &Stairs) -> Option<Self> {
        let scaled = f64::from(stairs.most) * stairs.factor();
        if stairs.scale.shift > 0 || stairs.most > MOST_SUM || scaled >= MOST_SCALED {
            return None;
        }
        let (half, sums_a_unit) = (stairs.half(), stairs.sums_a_unit());
        let mut all = [(0, 0.0); 256];
        let mut len = 0;
        for (step, number) in all.iter_mut().zip(stairs.numbers.clone()) {
            let scaled = number - stairs.zero_point;
            let led_to = if stairs.signed { scaled } else { number };
            *step = (stairs.least(scaled, half, sums_a_unit), led_to as f32 - 0.5);
            len += 1;
        }
        let steps = &all[..len];
        let slope = stairs.factor() as f32;
        let offset = match stairs.signed {
            true => half,
            false => half + f64::from(stairs.zero_point),
        };
        for shift in TRIES {
            for ulps in TRIES {
                let line = Line {
                    slope: f32::from_bits(slope.to_bits().saturating_add_signed(ulps)),
                    offset: (offset + f64::from(shift) * power_of_two(-18)) as f32,
                };
                let signs = !stairs.signed || line.offset.is_sign_positive();
                if signs && line.has(steps, stairs) {
                    return Some(line);
                }
            }
        }
        None
    }
}

/// 2^`exponent`.
fn power_of_two(exponent: i8) -> f64 {
    f64::from_bits(((1023 + i64::from(exponent)) as u64) << 52)
}

impl Stairs {
    fn factor(&self) -> f64 {
        f64::from(self.scale.mantissa) * power_of_two(self.scale.shift) / f64::from(1_u32 << 31)
    }

    /// What the reference's first rounding adds to each sum, scaled: half of one, before a shift to the right.
    fn half(&self) -> f64 {
        match self.scale.shift {
            0 => 0.0,
            shift => 0.5 * power_of_two(shift),
        }
    }

    /// How many sums lead to one number.
    fn sums_a_unit(&self) -> f64 {
        1.0 / self.factor()
    }

    /// The least sum that the reference takes to `number` or above, counted from the zero point; of
    /// [`Stairs::half`] and [`Stairs::sums_a_unit`].
    #[inline]
    fn least(&self, number: i32, half: f64, sums_a_unit: f64) -> i32 {
        let reaches = |sum: i32| sum > self.most || rescale(sum, self.scale) >= number;
        let half_way = f64::from(number) - 0.5;
        // Half of one away from zero, as ties go.
        let guess = (half_way - half.copysign(half_way)) * sums_a_unit;
        // Up to the next whole number; what is beyond an i32 stays at its end.
        let whole = guess as i32;
        let guess = whole.saturating_add(i32::from(f64::from(whole) < guess));
        let guess = guess.clamp(-self.most, self.most + 1);
        if reaches(guess) && (guess == -self.most || !reaches(guess - 1)) {
            return guess;
        }
        let (mut below, mut least) = (-self.most - 1, self.most + 1);
        while below + 1 < least {
            let middle = below.midpoint(least);
            match reaches(middle) {
                true => least = middle,
                false => below = middle,
            }
        }
        least
    }
}

/// Finds the lines of some channels; stops at one that has none.
pub(super) struct Fit<'a, S> {
    pub(super) stairs: S,
    pub(super) lines: &'a mut alloc::vec::Vec<Line>,
}

impl<L: Lanes, S: Iterator<Item = Stairs>> Job<L> for Fit<'_, S> {
    // SAFETY: as the trait says, `Lanes::run` alone calls it. It runs there because the processor of vectors
    // has an instruction for a fused multiply-add.
    #[inline(always)]
    unsafe fn run(self) {
        for stairs in self.stairs {
            match Line::of(&stairs) {
                Some(line) => self.lines.push(line),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The output number, halves to even as vectors round.
    fn output(line: Line, stairs: &Stairs, sum: i32) -> i32 {
        let led_to = line.at(sum, stairs.signed).round_ties_even() as i32;
        let moved = if stairs.signed {
            led_to + stairs.zero_point
        } else {
            led_to
        };
        moved.clamp(stairs.numbers.start() - 1, 127)
    }

    fn stairs(mantissa: i32, shift: i8, zero_point: i32, signed: bool) -> Stairs {
        let first = if signed { -127 } else { zero_point + 1 };
        Stairs {
            scale: Multiplier { mantissa, shift },
            most: 1 << 20,
            zero_point,
            numbers: first..=127,
            signed,
        }
    }

    #[test]
    fn usual_factors_have_lines() {
        let found = (0..200).filter(|at| {
            let mantissa = (1 << 30) + at * 5_000_011;
            let shift = -(at % 5) as i8 - 3;
            Line::of(&stairs(mantissa, shift, -128, false)).is_some()
        });
        assert!(found.count() >= 195);
    }

    #[test]
    fn a_line_beside_the_steps_is_refused() {
        let stairs = stairs(1_500_000_000, -6, -128, false);
        let line = Line::of(&stairs).unwrap();
        let (half, sums_a_unit) = (stairs.half(), stairs.sums_a_unit());
        let steps: alloc::vec::Vec<Step> = (stairs.numbers.clone())
            .map(|number| {
                (
                    stairs.least(number + 128, half, sums_a_unit),
                    number as f32 - 0.5,
                )
            })
            .collect();
        assert!(line.has(&steps, &stairs));
        for other in [
            Line {
                slope: line.slope * 1.0001,
                ..line
            },
            Line {
                offset: line.offset + 0.01,
                ..line
            },
        ] {
            assert!(!other.has(&steps, &stairs));
        }
    }

    #[test]
    fn a_factor_of_zero_has_a_line() {
        let stairs = stairs(0, -3, 5, true);
        let line = Line::of(&stairs).unwrap();
        for sum in [-1 << 20, 0, 1 << 20] {
            assert_eq!(output(line, &stairs, sum), 5);
        }
    }

    #[test]
    fn shifts_to_the_left_have_none() {
        assert_eq!(Line::of(&stairs(1 << 30, 1, 0, true)), None);
    }

    proptest! {
        /// Where there is a line, it is the reference, clamped.
        #[test]
        fn lines_are_the_reference(
            mantissa in 1 << 30..=i32::MAX,
            shift in -12..=0_i8,
            zero_point in -128..=126,
            signed: bool,
            sums in prop::collection::vec(-(1 << 20)..=1 << 20, 200),
            near in prop::collection::vec(-3000..=3000, 200),
        ) {
            let stairs = stairs(mantissa, shift, zero_point, signed);
            if let Some(line) = Line::of(&stairs) {
                let lowest = stairs.numbers.start() - 1;
                for sum in sums.into_iter().chain(near) {
                    let expected = (rescale(sum, stairs.scale) + zero_point).clamp(lowest, 127);
                    prop_assert_eq!(output(line, &stairs, sum), expected, "sum {}", sum);
                }
            }
        }
    }
}
