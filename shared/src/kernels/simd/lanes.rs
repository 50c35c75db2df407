//! Interface to a processor's vectors; each instruction set implements it in a file beside this one.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::mem::MaybeUninit;

use super::matrix::Activations;
use super::ready::{Block, Ready, Runs};
use super::turns::Burden;

/// Largest number of vectors of sums in a block of outputs.
pub(super) const MOST_VECTORS: usize = 4;

/// Constants of an output stage that all channels share.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Zero point of the output.
    pub zero_point: i8,
    /// Lower clamp.
    pub min: i8,
    /// Upper clamp.
    pub max: i8,
}

/// Index in a block of [`Lanes::LANES`] * `V` outputs of the output in lane `lane` of vector `v`:
/// `4 * V * (lane / 4) + 4 * v + lane % 4`. This order results from interleaving bytes within quarters
/// of 16 bytes, and packing sums to bytes reverses it.
pub(super) const fn output_of(vectors: usize, vector: usize, lane: usize) -> usize {
    4 * vectors * (lane / 4) + 4 * vector + lane % 4
}

/// Code that runs with the vectors of `L`.
pub trait Job<L> {
    /// # Safety
    /// Only [`Lanes::run`] calls it.
    unsafe fn run(self);
}

/// Vectors of 32-bit sums, and of the bytes whose products are summed.
///
/// Weights are signed. Activations are bytes in the form that the multiplication takes: int8 values
/// plus [`Lanes::OFFSET`].
///
/// # Safety of the methods
/// All but [`Lanes::detect`] and [`Lanes::run`] may only be called within a [`Job`], and with pointers
/// to as many values as documented, aligned or not.
pub trait Lanes: Copy + Debug + Send + Sync {
    /// Sums in a vector.
    const LANES: usize;
    /// Terms of a sum that one lane multiplies at once; four or two, together 32 bits.
    const GROUP: usize;
    /// Alignment of groups, in terms: a group may begin at any index that is a multiple of this.
    const GROUP_BEGINS: usize;
    /// Offset added to an int8 value to make an activation.
    const OFFSET: i32;
    /// Bytes of a prepacked weight: 1, or 2 for vectors that multiply 16-bit values and would have to
    /// sign-extend every weight each time that they load it.
    const WEIGHT: usize = 1;
    /// Largest number of vectors of sums that are computed together for each pixel: 2 or
    /// [`MOST_VECTORS`].
    const VECTORS: usize;
    /// Number of pixels that are computed together, at most
    /// [`MOST_PIXELS`](super::matrix::MOST_PIXELS).
    const PIXELS: usize;
    /// Largest sum of weights of one sign, over all groups of a turn, that go into the same 16-bit sum;
    /// for vectors that first add products in 16 bits (see [`turns`](super::turns)). `None` for vectors
    /// that multiply any group with any weights: groups are then processed one by one, in their order.
    const TURN_LIMIT: Option<u16> = None;
    /// Largest number of terms, a multiple of four, for which [`Products::few`] may compute a row at
    /// once.
    const FEW_TERMS: usize = 0;

    /// Vector of `LANES` 32-bit sums.
    type Sums: Copy;
    /// Vector of `4 * LANES` activations.
    type Bytes: Copy;
    /// Three activations for each lane of [`MOST_VECTORS`] vectors: those of a channel under a column
    /// of a window.
    type Columns: Copy;

    /// Returns the value that proves that this processor has the vectors, or `None`.
    fn detect() -> Option<Self>;

    /// Runs `job`, compiled for the vectors.
    fn run<J: Job<Self>>(self, job: J);

    /// Loads `LANES` 32-bit values from `from`.
    unsafe fn load(from: *const i32) -> Self::Sums;

    /// Copies a value to each lane.
    unsafe fn splat(number: i32) -> Self::Sums;

    /// Loads `LANES` bytes from `from` without adding [`Lanes::OFFSET`], sign-extended.
    unsafe fn extend(from: *const i8) -> Self::Sums;

    /// Writes `LANES` 32-bit values to `to`.
    unsafe fn store(to: *mut i32, sums: Self::Sums);

    /// Adds lane by lane, wrapping.
    unsafe fn add(a: Self::Sums, b: Self::Sums) -> Self::Sums;

    /// Loads [`MOST_VECTORS`] vectors of bytes from `from` on, times 2^20, in the order of
    /// [`output_of`].
    unsafe fn raise(from: *const i8) -> [Self::Sums; MOST_VECTORS];

    /// [`doubling_high_product`](crate::kernels::requant::doubling_high_product) of each lane by a
    /// mantissa of at least zero; `odd` has in each even lane the mantissa of the lane after it.
    unsafe fn high_product(sums: Self::Sums, mantissa: Self::Sums, odd: Self::Sums) -> Self::Sums;

    /// Returns all ones in the negative lanes, zero in the others. Adding a half and this before a
    /// right shift rounds to the nearest, ties away from zero.
    unsafe fn negative(sums: Self::Sums) -> Self::Sums;

    /// Bitwise and.
    unsafe fn and(a: Self::Sums, b: Self::Sums) -> Self::Sums;

    /// Shifts each lane left by its own number of bits, 0 to 31.
    unsafe fn shift_left_each(sums: Self::Sums, bits: Self::Sums) -> Self::Sums;

    /// Adds to each lane its `half` and shifts it right by its own number of bits, 0 to 31, copying the
    /// sign; `half` is half of two to the bits, rounded down.
    unsafe fn shift_right_each(sums: Self::Sums, half: Self::Sums, bits: Self::Sums) -> Self::Sums;

    /// [`Lanes::shift_right_each`] for `half` and `bits` that are the same in all lanes.
    #[inline(always)]
    unsafe fn shift_right_all(sums: Self::Sums, half: Self::Sums, bits: Self::Sums) -> Self::Sums {
        // SAFETY: the caller guarantees it.
        unsafe { Self::shift_right_each(sums, half, bits) }
    }

    /// Computes each lane times its `slope` plus its `offset`, both floats, the offset with the sign of
    /// the lane if `signed`, by [`line::multiply_add`](super::line::multiply_add), and rounded to the
    /// nearest; see [`line`](super::line).
    unsafe fn line(
        sums: Self::Sums,
        slope: Self::Sums,
        offset: Self::Sums,
        signed: bool,
    ) -> Self::Sums;

    /// Adds the zero point to `V` (1, 2 or 4) vectors of sums, clamps them, and writes the first
    /// `count` outputs of the block to `to`.
    unsafe fn write<const V: usize>(
        to: *mut i8,
        count: usize,
        sums: [Self::Sums; V],
        place: &Place,
    );

    /// Converts `len` values, a multiple of four, to activations in groups. `to` may end where `from`
    /// ends.
    unsafe fn widen(from: *const i8, len: usize, to: *mut u32);

    /// Loads the first `count` activations at `from`, at most `4 * LANES`; the other bytes are
    /// arbitrary.
    unsafe fn bytes(from: *const i8, count: usize) -> Self::Bytes;

    /// Copies a value, converted to an activation, to every byte.
    unsafe fn splat_byte(number: i8) -> Self::Bytes;

    /// Transposes three rows of activations to columns, in the order of [`output_of`].
    unsafe fn columns(rows: [Self::Bytes; 3]) -> Self::Columns;

    /// Packs the [`column_len`] bytes of weights of a column in the order of [`Lanes::dot_columns`];
    /// `taps` returns the weights of a vector's lane, top first.
    fn column_weights(taps: impl Fn(usize, usize) -> [i8; 3]) -> Vec<i8> {
        column_words::<Self>(|vector, lane| {
            let [top, middle, bottom] = taps(vector, lane);
            [top, middle, bottom, 0]
        })
    }

    /// Adds the products of a column with its weights. With a [`Lanes::TURN_LIMIT`] the column must fit
    /// one turn.
    unsafe fn dot_columns(
        sums: [Self::Sums; MOST_VECTORS],
        columns: Self::Columns,
        weights: *const i8,
    ) -> [Self::Sums; MOST_VECTORS];

    /// Adds the products of a window with the weights of its columns; with a [`Lanes::TURN_LIMIT`], of
    /// as many sets of them as the load requires.
    #[inline(always)]
    unsafe fn dot_window(
        mut sums: [Self::Sums; MOST_VECTORS],
        window: [&Self::Columns; 3],
        weights: *const i8,
        _: Burden,
    ) -> [Self::Sums; MOST_VECTORS] {
        for (kx, column) in window.into_iter().enumerate() {
            // SAFETY: the caller guarantees it.
            unsafe {
                sums = Self::dot_columns(sums, *column, weights.add(kx * column_len::<Self>()));
            }
        }
        sums
    }
}

/// Computation of the sums of a block.
///
/// # Safety of the methods
/// Same as those of [`Lanes`].
pub trait Products: Lanes {
    /// Writes the sums of a block of `V` vectors for each of `P` pixels, at most
    /// [`MOST_PIXELS`](super::matrix::MOST_PIXELS): bias and products. The layer was prepacked for
    /// these lanes, `block` is one of its blocks, and there are activations of as many pixels.
    unsafe fn sums<const P: usize, const V: usize>(
        ready: &Ready,
        block: Block,
        activations: Activations,
        to: &mut MaybeUninit<[[Self::Sums; V]; P]>,
    );

    /// Computes all outputs of a row, if the layer was prepacked for few terms.
    unsafe fn few(_: &Ready, _: Activations, _pixels: usize, _output: &mut [i8]) {}
}

/// Lanes that multiply any group of activations with any weights, and so process groups one by one.
///
/// # Safety of the methods
/// Same as those of [`Lanes`].
pub(super) trait InOrder: Lanes {
    /// Vector of `LANES` groups of weights.
    type Weights: Copy;

    /// Loads `LANES * GROUP` weights, each of [`Lanes::WEIGHT`] bytes.
    unsafe fn weights(from: *const i8) -> Self::Weights;

    /// Adds the products of a group of activations with the group of weights of each lane.
    unsafe fn dot(sums: Self::Sums, group: u32, weights: Self::Weights) -> Self::Sums;
}

impl<L: InOrder> Products for L {
    // SAFETY: the caller guarantees it.
    #[inline(always)]
    unsafe fn sums<const P: usize, const V: usize>(
        ready: &Ready,
        block: Block,
        activations: Activations,
        to: &mut MaybeUninit<[[L::Sums; V]; P]>,
    ) {
        let Runs { count, groups } = Runs::new::<L>(ready.shape.kind, ready.shape.terms);
        let mut weights = ready.weights(block.at * count * groups * L::GROUP * L::WEIGHT);
        let tables = ready.tables(block);
        // SAFETY: the caller guarantees it; a block has `count * groups * V` vectors of weights and
        // `TABLES * V` of tables.
        unsafe {
            let mut bias = [L::splat(0); V];
            for (v, bias) in bias.iter_mut().enumerate() {
                *bias = L::load(tables.add(v * L::LANES));
            }
            let mut sums = [bias; P];
            let len = L::LANES * L::GROUP * L::WEIGHT;
            for run in 0..count {
                let first = activations.first.byte_add(run * activations.run);
                for group in 0..groups {
                    let mut vectors = [L::weights(weights.add(group * V * len)); V];
                    for (v, vector) in vectors.iter_mut().enumerate().skip(1) {
                        *vector = L::weights(weights.add((group * V + v) * len));
                    }
                    for (pixel, sums) in sums.iter_mut().enumerate() {
                        let group = first.byte_add(pixel * activations.pixel).add(group);
                        let group = group.read_unaligned();
                        for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                            *sum = L::dot(*sum, group, vector);
                        }
                    }
                }
                weights = weights.add(groups * V * len);
            }
            to.write(sums);
        }
    }
}

/// Number of sets of weights of each column of a window: two if the weights may be split in halves.
pub(super) const fn column_sets<L: Lanes>() -> usize {
    match L::TURN_LIMIT {
        Some(_) => 2,
        None => 1,
    }
}

/// Number of bytes of the weights of a column.
pub(super) const fn column_len<L: Lanes>() -> usize {
    MOST_VECTORS * L::LANES * 4 * L::WEIGHT
}

/// Packs the weights of a column whose lanes each have a `word` of their own, vector by vector; for
/// [`Lanes::column_weights`].
pub(super) fn column_words<L: Lanes>(word: impl Fn(usize, usize) -> [i8; 4]) -> Vec<i8> {
    let lanes = (0..MOST_VECTORS).flat_map(|vector| (0..L::LANES).map(move |lane| (vector, lane)));
    lanes
        .flat_map(|(vector, lane)| word(vector, lane))
        .collect()
}
