//! Requantisation in floats, where it is proven equal to the integer reference.
//!
//! The reference rescales a sum with integers, and rounds twice. As a function of the sum the result is
//! a staircase: each output value is first reached at a least sum, its step. `slope * sum + offset`,
//! rounded to the nearest integer, is a staircase too. Neither ever falls, so the two are equal for
//! every sum if all their steps lie between the same two sums. There are no more than 255 steps, and
//! all of them are checked when the weights are prepacked. The check uses the same operations as the
//! vectors, each of which IEEE 754-2019 defines to the last bit: a conversion, a multiplication and an
//! addition (5.4.1; fused, but for WebAssembly), and a rounding to the nearest. The values on either
//! side of a step must not be ties.

use core::ops::RangeInclusive;

use super::lanes::{Job, Lanes};
use crate::kernels::requant::{Multiplier, rescale};

/// Float requantisation of a channel: `slope * sum + offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f32,
    pub(super) offset: f32,
}

/// Integer requantisation of a channel, which a line must reproduce.
#[derive(Clone, Debug)]
pub(super) struct Stairs {
    pub(super) scale: Multiplier,
    /// Bound of the sums' magnitude; at most [`MOST_SUM`].
    pub(super) most: i32,
    pub(super) zero_point: i32,
    /// Output values whose steps the clamps do not hide; no more than 255.
    pub(super) numbers: RangeInclusive<i32>,
    /// True if the offset has the sign of the sum and the result excludes the zero point; otherwise the
    /// result includes it.
    pub(super) signed: bool,
}

/// Largest sum that is rescaled in floats.
pub(super) const MOST_SUM: i32 = 1 << 30;

/// The least sum that reaches an output value (one more than the largest sum if none does), and the
/// value halfway from the output value before it.
type Step = (i32, f32);

/// Candidate corrections of the slope, in units in the last place, and of the offset, in 2^-18.
const TRIES: [i32; 5] = [0, 1, -1, 2, -2];

/// `a * b + c`, rounded as the vectors round: once, or twice in WebAssembly, which has no fused
/// multiply-add. Either is monotone in `a`.
#[inline(always)]
pub(super) fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(not(target_arch = "wasm32"))]
    return a.mul_add(b, c);
    #[cfg(target_arch = "wasm32")]
    return a * b + c;
}

/// Upper bound of scaled sums: WebAssembly rounds them by an addition.
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

    /// Returns true if the line has every step at the right sum.
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

    /// Finds the equal line; `None` if no candidate is equal.
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

    /// Half a unit before a right shift, scaled to outputs: the amount that the reference's first
    /// rounding adds to each sum.
    fn half(&self) -> f64 {
        match self.scale.shift {
            0 => 0.0,
            shift => 0.5 * power_of_two(shift),
        }
    }

    /// Number of sums for each output value.
    fn sums_a_unit(&self) -> f64 {
        1.0 / self.factor()
    }

    /// The least sum that the reference takes to `number` or above, counted from the zero point; `half`
    /// and `sums_a_unit` are the results of [`Stairs::half`] and [`Stairs::sums_a_unit`].
    #[inline]
    fn least(&self, number: i32, half: f64, sums_a_unit: f64) -> i32 {
        let reaches = |sum: i32| sum > self.most || rescale(sum, self.scale) >= number;
        let half_way = f64::from(number) - 0.5;
        // A half away from zero, as ties round.
        let guess = (half_way - half.copysign(half_way)) * sums_a_unit;
        // Up to the next integer; the cast saturates at the ends of i32.
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

/// Finds the lines of some channels; stops at the first channel without one.
pub(super) struct Fit<'a, S> {
    pub(super) stairs: S,
    pub(super) lines: &'a mut alloc::vec::Vec<Line>,
}

impl<L: Lanes, S: Iterator<Item = Stairs>> Job<L> for Fit<'_, S> {
    // SAFETY: as the trait requires, only `Lanes::run` calls it. It runs in a job because processors
    // with these vectors have an instruction for a fused multiply-add.
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

    /// Output value with ties to even, as vectors round.
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
        /// A line, if there is one, equals the clamped reference.
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
