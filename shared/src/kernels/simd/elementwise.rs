//! Additions, and the sums of average pools.

use super::lanes::{Job, Lanes, MOST_VECTORS, Place};
use crate::kernels::{AddParams, requant::Multiplier};

/// Values in a block of the largest vectors.
const MOST_NUMBERS: usize = 64;

/// An addition of rows of equal length.
pub(super) struct Add<'a> {
    pub(super) params: &'a AddParams,
    pub(super) a: &'a [i8],
    pub(super) b: &'a [i8],
    pub(super) output: &'a mut [i8],
}

/// A factor with a right shift, in each lane.
#[derive(Clone, Copy)]
struct Factor<L: Lanes> {
    mantissa: L::Sums,
    right: L::Sums,
    half: L::Sums,
    /// All ones if the shift is not zero.
    shifted: L::Sums,
}

impl<L: Lanes> Factor<L> {
    /// # Safety
    /// In a job.
    #[inline(always)]
    unsafe fn new(factor: Multiplier) -> Self {
        let right = i32::from(-factor.shift);
        // SAFETY: the caller guarantees it.
        unsafe {
            Factor {
                mantissa: L::splat(factor.mantissa),
                right: L::splat(right),
                half: L::splat((1_i64 << right >> 1) as i32),
                shifted: L::splat(-i32::from(right > 0)),
            }
        }
    }

    /// Multiplies each lane by the factor. Each step runs on all vectors before the next, because
    /// within a vector each step waits for the one before.
    ///
    /// # Safety
    /// In a job; lanes are below 2^30.
    #[inline(always)]
    unsafe fn times(&self, mut sums: [L::Sums; MOST_VECTORS]) -> [L::Sums; MOST_VECTORS] {
        // SAFETY: the caller guarantees it.
        unsafe {
            for sum in &mut sums {
                *sum = L::high_product(*sum, self.mantissa, self.mantissa);
            }
            for sum in &mut sums {
                *sum = L::add(*sum, L::and(L::negative(*sum), self.shifted));
            }
            for sum in &mut sums {
                *sum = L::shift_right_all(*sum, self.half, self.right);
            }
            sums
        }
    }
}

/// Constants of an operand of the addition.
#[derive(Clone, Copy)]
struct Operand<L: Lanes> {
    /// The zero point, negated and raised by 20 bits.
    minus: L::Sums,
    factor: Factor<L>,
    /// True if the factor is a half, as that of the operand with the larger scale is; raised values are
    /// even.
    halved: bool,
}

impl<L: Lanes> Operand<L> {
    /// # Safety
    /// In a job.
    #[inline(always)]
    unsafe fn new(zero_point: i8, factor: Multiplier) -> Self {
        // SAFETY: the caller guarantees it.
        unsafe {
            Operand {
                minus: L::splat(-(i32::from(zero_point) << 20)),
                factor: Factor::new(factor),
                halved: factor.mantissa == 1 << 30 && factor.shift == 0,
            }
        }
    }

    /// Loads values, subtracts their zero point, raises them by 20 bits and scales them, in the order
    /// of [`output_of`](super::lanes::output_of).
    ///
    /// # Safety
    /// In a job; there are [`MOST_VECTORS`] vectors of values at `from`.
    #[inline(always)]
    unsafe fn raised(&self, from: *const i8) -> [L::Sums; MOST_VECTORS] {
        // SAFETY: the caller guarantees it. A value minus its zero point has 9 bits, and 29 once
        // raised.
        unsafe {
            let mut numbers = L::raise(from);
            for numbers in &mut numbers {
                *numbers = L::add(*numbers, self.minus);
            }
            if self.halved {
                for numbers in &mut numbers {
                    *numbers = L::shift_right_all(*numbers, L::splat(0), L::splat(1));
                }
                return numbers;
            }
            self.factor.times(numbers)
        }
    }
}

/// Constants of an addition of vectors.
struct Sum<L: Lanes> {
    a: Operand<L>,
    b: Operand<L>,
    factor: Factor<L>,
    place: Place,
}

impl<L: Lanes> Sum<L> {
    /// Computes a block and writes its first `count` values.
    ///
    /// # Safety
    /// In a job; there is a block of values at `a` and at `b`, and room for `count` at `to`.
    #[inline(always)]
    unsafe fn block(&self, a: *const i8, b: *const i8, to: *mut i8, count: usize) {
        // SAFETY: the caller guarantees it. A sum of two values of 29 bits has 30.
        unsafe {
            let mut sums = self.a.raised(a);
            for (sum, b) in sums.iter_mut().zip(self.b.raised(b)) {
                *sum = L::add(*sum, b);
            }
            L::write(to, count, self.factor.times(sums), &self.place);
        }
    }
}

impl<L: Lanes> Job<L> for Add<'_> {
    // SAFETY: as the trait requires, only `Lanes::run` calls it.
    #[inline(always)]
    unsafe fn run(self) {
        let params = self.params;
        let len = MOST_VECTORS * L::LANES;
        // SAFETY: in a job; pointers are at a whole block, and all of `to` is written.
        unsafe {
            let sum = Sum::<L> {
                a: Operand::new(params.a_zero_point, params.a),
                b: Operand::new(params.b_zero_point, params.b),
                factor: Factor::new(params.output),
                place: Place {
                    zero_point: params.zero_point,
                    min: params.min,
                    max: params.max,
                },
            };
            let (a, b) = (self.a.chunks_exact(len), self.b.chunks_exact(len));
            let (rest_a, rest_b) = (a.remainder(), b.remainder());
            let mut to = self.output.chunks_exact_mut(len);
            for (to, (a, b)) in to.by_ref().zip(a.zip(b)) {
                sum.block(a.as_ptr(), b.as_ptr(), to.as_mut_ptr(), len);
            }
            let rest = to.into_remainder();
            if !rest.is_empty() {
                let mut numbers = [[0_i8; MOST_NUMBERS]; 2];
                numbers[0][..rest_a.len()].copy_from_slice(rest_a);
                numbers[1][..rest_b.len()].copy_from_slice(rest_b);
                let [a, b] = numbers.each_ref().map(|numbers| numbers.as_ptr());
                sum.block(a, b, rest.as_mut_ptr(), rest.len());
            }
        }
    }
}

/// Adds pixels to sums that fill a whole number of vectors.
pub(super) struct Pool<'a> {
    /// Input row, `[W, C]`.
    pub(super) row: &'a [i8],
    /// Sums, `[C]`, i32 as bytes.
    pub(super) sums: &'a mut [i8],
}

impl<L: Lanes> Job<L> for Pool<'_> {
    // SAFETY: as the trait requires, only `Lanes::run` calls it.
    #[inline(always)]
    unsafe fn run(self) {
        let channels = self.sums.len() / 4;
        for (vector, sums) in self.sums.chunks_exact_mut(4 * L::LANES).enumerate() {
            let to: *mut i32 = sums.as_mut_ptr().cast();
            // SAFETY: in a job; `sums` is a vector, and each pixel has as many channels as there
            // are sums.
            unsafe {
                let mut total = L::load(to);
                for pixel in self.row.chunks_exact(channels) {
                    total = L::add(total, L::extend(pixel.as_ptr().add(vector * L::LANES)));
                }
                L::store(to, total);
            }
        }
    }
}
