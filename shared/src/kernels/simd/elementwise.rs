//! Additions, and the sums of pools.

use super::lanes::{Job, Lanes, Place};
use crate::kernels::{AddParams, requant::Multiplier};

/// Numbers of the largest vectors of sums.
const MOST_LANES: usize = 16;

/// An addition of rows of one length.
pub(super) struct Add<'a> {
    pub(super) params: &'a AddParams,
    pub(super) a: &'a [i8],
    pub(super) b: &'a [i8],
    pub(super) output: &'a mut [i8],
}

/// Each lane times the factor, whose shift is to the right.
///
/// # Safety
/// In a job; lanes are below 2^30.
#[inline(always)]
unsafe fn scaled<L: Lanes>(sums: L::Sums, factor: Multiplier) -> L::Sums {
    // SAFETY: as the caller vouches.
    unsafe {
        let mantissa = L::splat(factor.mantissa);
        let product = L::high_product(sums, mantissa, mantissa);
        match factor.shift {
            0 => product,
            shift => {
                let exponent = i32::from(-shift);
                let half = L::splat(1 << (exponent - 1));
                let product = L::add(product, L::negative(product));
                L::shift_right_each(product, half, L::splat(exponent))
            }
        }
    }
}

/// Numbers less their zero point, raised by 20 bits and scaled.
///
/// # Safety
/// In a job; there is a vector of numbers at `from`.
#[inline(always)]
unsafe fn raised<L: Lanes>(from: *const i8, zero_point: i8, factor: Multiplier) -> L::Sums {
    // SAFETY: as the caller vouches.
    unsafe {
        let minus = L::splat(-i32::from(zero_point));
        scaled::<L>(L::shift_left(L::add(L::extend(from), minus), 20), factor)
    }
}

impl<L: Lanes> Job<L> for Add<'_> {
    // SAFETY: as the trait says, `Lanes::run` alone calls it.
    #[inline(always)]
    unsafe fn run(self) {
        let params = self.params;
        let place = Place {
            zero_point: params.zero_point,
            min: params.min,
            max: params.max,
        };
        let pairs = self.a.chunks(L::LANES).zip(self.b.chunks(L::LANES));
        for (out, (a, b)) in self.output.chunks_mut(L::LANES).zip(pairs) {
            let mut numbers = [[0_i8; MOST_LANES]; 2];
            let [mut from_a, mut from_b] = [a.as_ptr(), b.as_ptr()];
            if a.len() < L::LANES {
                numbers[0][..a.len()].copy_from_slice(a);
                numbers[1][..b.len()].copy_from_slice(b);
                [from_a, from_b] = [numbers[0].as_ptr(), numbers[1].as_ptr()];
            }
            // SAFETY: in a job; both pointers are at a whole vector, and all of `out` is written. An
            // operand less its zero point has 9 bits, and 29 once raised; a sum of two has 30.
            unsafe {
                let sum = L::add(
                    raised::<L>(from_a, params.a_zero_point, params.a),
                    raised::<L>(from_b, params.b_zero_point, params.b),
                );
                let sum = scaled::<L>(sum, params.output);
                L::write(out.as_mut_ptr(), out.len(), [sum], &place);
            }
        }
    }
}

/// Adds pixels to sums, a whole number of vectors.
pub(super) struct Pool<'a> {
    /// `[W, C]`.
    pub(super) row: &'a [i8],
    /// `[C]`, i32 as bytes.
    pub(super) sums: &'a mut [i8],
}

impl<L: Lanes> Job<L> for Pool<'_> {
    // SAFETY: as the trait says, `Lanes::run` alone calls it.
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
