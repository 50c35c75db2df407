//! What a processor's vectors must do; one file beside this one for each kind of them.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::mem::MaybeUninit;

use super::matrix::Activations;
use super::ready::{Block, Ready, Runs};
use super::turns::Burden;

/// Most vectors of sums that a block of outputs has.
pub(super) const MOST_VECTORS: usize = 4;

/// Numbers of an output stage that all channels share.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The output number that stands for zero.
    pub zero_point: i8,
    /// Lower clamp.
    pub min: i8,
    /// Upper clamp.
    pub max: i8,
}

/// Where a block of [`Lanes::LANES`] * `V` outputs keeps its output `4 * V * (lane / 4) + 4 * v +
/// lane % 4`: in lane `lane` of vector `v`. It is the order that comes of interleaving bytes within
/// quarters of 16 bytes, and that packing sums to bytes takes back.
pub(super) const fn output_of(vectors: usize, vector: usize, lane: usize) -> usize {
    4 * vectors * (lane / 4) + 4 * vector + lane % 4
}

/// What runs in the vectors of `L`.
pub trait Job<L> {
    /// # Safety
    /// Only [`Lanes::run`] calls it.
    unsafe fn run(self);
}

/// Vectors of 32-bit sums, and of the bytes that are multiplied to make them.
///
/// Weights are signed. Activations are what the vectors multiply them with: numbers plus
/// [`Lanes::OFFSET`], as a byte.
///
/// # Safety of the methods
/// All but [`Lanes::detect`] and [`Lanes::run`] may only be called within a [`Job`], and with
/// pointers at as many numbers as they say, aligned or not.
pub trait Lanes: Copy + Debug + Send + Sync {
    /// Sums in a vector.
    const LANES: usize;
    /// Terms of a sum that are multiplied at once; four or two, together 32 bits.
    const GROUP: usize;
    /// A group may begin with a number whose index is a multiple of this.
    const GROUP_BEGINS: usize;
    /// What activations are more than the numbers that they stand for.
    const OFFSET: i32;
    /// Most vectors of sums of each pixel that are computed together: 2 or [`MOST_VECTORS`].
    const VECTORS: usize;
    /// Pixels that are computed together, at most [`MOST_PIXELS`](super::matrix::MOST_PIXELS).
    const PIXELS: usize;
    /// Where the products of a turn of groups are first added in 16 bits: what weights of one sign that go into
    /// the same sum may add up to, over all groups of the turn; see [`turns`](super::turns). `None` where any
    /// group can be multiplied with any weights, and groups are taken one by one, in their order.
    const TURN_LIMIT: Option<u16> = None;
    /// Up to so many terms, a multiple of four, [`Products::few`] may compute a row at once.
    const FEW_TERMS: usize = 0;

    /// Sums.
    type Sums: Copy;
    /// `4 * LANES` activations.
    type Bytes: Copy;
    /// Three activations for each lane of [`MOST_VECTORS`] vectors: those of a channel under a column
    /// of a window.
    type Columns: Copy;

    /// The value, which proves that this processor has the vectors.
    fn detect() -> Option<Self>;

    /// Runs `job`, compiled for the vectors.
    fn run<J: Job<Self>>(self, job: J);

    /// `LANES` numbers from `from`.
    unsafe fn load(from: *const i32) -> Self::Sums;

    /// The same number in each lane.
    unsafe fn splat(number: i32) -> Self::Sums;

    /// `LANES` bytes from `from`, as they are, sign extended.
    unsafe fn extend(from: *const i8) -> Self::Sums;

    /// Writes `LANES` numbers to `to`.
    unsafe fn store(to: *mut i32, sums: Self::Sums);

    /// Lane by lane, wrapping.
    unsafe fn add(a: Self::Sums, b: Self::Sums) -> Self::Sums;

    /// [`MOST_VECTORS`] vectors of the numbers from `from` on, times 2^20, in the order of [`output_of`].
    unsafe fn raise(from: *const i8) -> [Self::Sums; MOST_VECTORS];

    /// [`doubling_high_product`](crate::kernels::requant::doubling_high_product) of each lane by a
    /// mantissa of at least zero; `odd` has in each even lane the mantissa of the lane after it.
    unsafe fn high_product(sums: Self::Sums, mantissa: Self::Sums, odd: Self::Sums) -> Self::Sums;

    /// All ones in the lanes that are negative, zero in the others. Rounding to the nearest, ties away
    /// from zero, is adding half and this, and then shifting to the right.
    unsafe fn negative(sums: Self::Sums) -> Self::Sums;

    /// Bit by bit.
    unsafe fn and(a: Self::Sums, b: Self::Sums) -> Self::Sums;

    /// Each lane by its own bits, 0 to 31, to the left.
    unsafe fn shift_left_each(sums: Self::Sums, bits: Self::Sums) -> Self::Sums;

    /// Each lane plus its `half`, by its own bits, 0 to 31, to the right, copying the sign; `half` is
    /// half of two to the bits, rounded down.
    unsafe fn shift_right_each(sums: Self::Sums, half: Self::Sums, bits: Self::Sums) -> Self::Sums;

    /// [`Lanes::shift_right_each`] where `half` and `bits` are the same in all lanes.
    #[inline(always)]
    unsafe fn shift_right_all(sums: Self::Sums, half: Self::Sums, bits: Self::Sums) -> Self::Sums {
        // SAFETY: as the caller vouches.
        unsafe { Self::shift_right_each(sums, half, bits) }
    }

    /// Each lane times its `slope` plus its `offset`, both floats, the offset with the sign of the lane if `signed`, as
    /// [`line::multiply_add`](super::line::multiply_add) has it, and rounded to the nearest.
    unsafe fn line(
        sums: Self::Sums,
        slope: Self::Sums,
        offset: Self::Sums,
        signed: bool,
    ) -> Self::Sums;

    /// Moves `V` (1, 2 or 4) vectors of sums to the zero point, clamps them, and writes the first
    /// `count` outputs of the block to `to`.
    unsafe fn write<const V: usize>(
        to: *mut i8,
        count: usize,
        sums: [Self::Sums; V],
        place: &Place,
    );

    /// Makes `len` numbers, a multiple of four, activations in groups. `to` may end where `from` ends.
    unsafe fn widen(from: *const i8, len: usize, to: *mut u32);

    /// The first `count` activations at `from`, of at most `4 * LANES`; then anything.
    unsafe fn bytes(from: *const i8, count: usize) -> Self::Bytes;

    /// The same number as an activation everywhere.
    unsafe fn splat_byte(number: i8) -> Self::Bytes;

    /// Three rows of activations as columns, in the order of [`output_of`].
    unsafe fn columns(rows: [Self::Bytes; 3]) -> Self::Columns;

    /// The [`column_len`] bytes of weights of a column, as [`Lanes::dot_columns`] reads them; `taps` has those of a
    /// vector's lane, top first.
    fn column_weights(taps: impl Fn(usize, usize) -> [i8; 3]) -> Vec<i8> {
        column_words::<Self>(|vector, lane| {
            let [top, middle, bottom] = taps(vector, lane);
            [top, middle, bottom, 0]
        })
    }

    /// Adds the products of a column with its weights; where there are turns, of a column that is one.
    unsafe fn dot_columns(
        sums: [Self::Sums; MOST_VECTORS],
        columns: Self::Columns,
        weights: *const i8,
    ) -> [Self::Sums; MOST_VECTORS];

    /// Adds the products of a window with the weights of its columns; where there are turns, of as many sets of them
    /// as the burden says.
    #[inline(always)]
    unsafe fn dot_window(
        mut sums: [Self::Sums; MOST_VECTORS],
        window: [&Self::Columns; 3],
        weights: *const i8,
        _: Burden,
    ) -> [Self::Sums; MOST_VECTORS] {
        for (kx, column) in window.into_iter().enumerate() {
            // SAFETY: as the caller vouches.
            unsafe {
                sums = Self::dot_columns(sums, *column, weights.add(kx * column_len::<Self>()));
            }
        }
        sums
    }
}

/// How vectors come to the sums of a block.
///
/// # Safety of the methods
/// As those of [`Lanes`].
pub trait Products: Lanes {
    /// Writes the sums of a block of `V` vectors for each of `P` pixels, at most
    /// [`MOST_PIXELS`](super::matrix::MOST_PIXELS): bias and products. The layer was made ready for these lanes,
    /// `block` is one of its, and there are activations of as many pixels.
    unsafe fn sums<const P: usize, const V: usize>(
        ready: &Ready,
        block: Block,
        activations: Activations,
        to: &mut MaybeUninit<[[Self::Sums; V]; P]>,
    );

    /// All outputs of a row, where the layer was made ready for few terms.
    unsafe fn few(_: &Ready, _: Activations, _pixels: usize, _output: &mut [i8]) {}
}

/// Lanes that multiply any group of activations with any weights, and so take groups one by one.
///
/// # Safety of the methods
/// As those of [`Lanes`].
pub(super) trait InOrder: Lanes {
    /// `LANES` groups of weights.
    type Weights: Copy;

    /// `LANES * GROUP` weights.
    unsafe fn weights(from: *const i8) -> Self::Weights;

    /// Adds the products of a group of activations with the group of weights of each lane.
    unsafe fn dot(sums: Self::Sums, group: u32, weights: Self::Weights) -> Self::Sums;
}

impl<L: InOrder> Products for L {
    // SAFETY: as the caller vouches.
    #[inline(always)]
    unsafe fn sums<const P: usize, const V: usize>(
        ready: &Ready,
        block: Block,
        activations: Activations,
        to: &mut MaybeUninit<[[L::Sums; V]; P]>,
    ) {
        let Runs { count, groups } = Runs::new::<L>(ready.shape.kind, ready.shape.terms);
        let mut weights = ready.weights(block.at * count * groups * L::GROUP);
        let tables = ready.tables(block);
        // SAFETY: as the caller vouches, a block has `count * groups * V` vectors of weights and `TABLES * V` of
        // tables.
        unsafe {
            let mut bias = [L::splat(0); V];
            for (v, bias) in bias.iter_mut().enumerate() {
                *bias = L::load(tables.add(v * L::LANES));
            }
            let mut sums = [bias; P];
            for run in 0..count {
                let first = activations.first.byte_add(run * activations.run);
                for group in 0..groups {
                    let mut vectors = [L::weights(weights.add(group * V * L::LANES * L::GROUP)); V];
                    for (v, vector) in vectors.iter_mut().enumerate().skip(1) {
                        *vector = L::weights(weights.add((group * V + v) * L::LANES * L::GROUP));
                    }
                    for (pixel, sums) in sums.iter_mut().enumerate() {
                        let group = first.byte_add(pixel * activations.pixel).add(group);
                        let group = group.read_unaligned();
                        for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                            *sum = L::dot(*sum, group, vector);
                        }
                    }
                }
                weights = weights.add(groups * V * L::LANES * L::GROUP);
            }
            to.write(sums);
        }
    }
}

/// Sets of weights that each column of a window has: two where it may be taken in halves.
pub(super) const fn column_sets<L: Lanes>() -> usize {
    match L::TURN_LIMIT {
        Some(_) => 2,
        None => 1,
    }
}

/// Bytes of the weights of a column.
pub(super) const fn column_len<L: Lanes>() -> usize {
    MOST_VECTORS * L::LANES * 4
}

/// Weights of a column whose lanes each have a `word` of their own, vector by vector; for
/// [`Lanes::column_weights`].
pub(super) fn column_words<L: Lanes>(word: impl Fn(usize, usize) -> [i8; 4]) -> Vec<i8> {
    let lanes = (0..MOST_VECTORS).flat_map(|vector| (0..L::LANES).map(move |lane| (vector, lane)));
    lanes
        .flat_map(|(vector, lane)| word(vector, lane))
        .collect()
}
