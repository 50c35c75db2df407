//! Widens weights to words, and activations of two pixels to a word, both in the order of the
//! [packed](crate::kernels::Packed) weights: terms 0, 2, 1, 3 of each four.

use crate::kernels::params::ConvParams;

use super::TERMS;

/// Text of one function; `check` is the code that checks the sum of each two neighbours.
macro_rules! widen_blocks {
    ($name:ident, $check:tt) => {
        /// Widens `count` blocks of packed weights of a pair of channels: those of the first from
        /// `even` on, those of the second from `odd` on. Adds up each channel's into `sums`. Returns
        /// zero on success.
        ///
        /// The checking version adds 255 for every two weights, and stops at two neighbours of a
        /// channel that are both -128, whose sum with 255 is the only negative one.
        ///
        /// # Safety
        /// At least one block; `8 * count` bytes from `packed` on, aligned to a word; room for
        /// `4 * count` words at `even` and at `odd`, and two at `sums`, from which `count` and `odd`
        /// are read.
        #[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            packed: *const i8,
            even: *mut i32,
            sums: *mut [i32; 2],
        ) -> usize {
            core::arch::naked_asm!(
                "push {{r4, r5, r6, r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "push {{r2, r4, r5}}",
                "ldmia r2!, {{r4, r7}}",
                "lsls r4, r4, #3",
                "adds r4, r4, r0",
                "mov r12, r4",
                "movs r2, #0",
                "mov r8, r2",
                "mov r9, r2",
                "2:",
                ".rept 2",
                "ldmia r0!, {{r2}}",
                "sxtb r3, r2",
                "asrs r2, r2, #8",
                "sxtb r5, r2",
                "asrs r2, r2, #8",
                "sxtb r4, r2",
                "asrs r6, r2, #8",
                "stmia r1!, {{r3, r4}}",
                "stmia r7!, {{r5, r6}}",
                "adds r3, r3, r4",
                widen_blocks!(@check $check "r3"),
                "add r8, r3",
                "adds r5, r5, r6",
                widen_blocks!(@check $check "r5"),
                "add r9, r5",
                ".endr",
                "cmp r0, r12",
                "bne 2b",
                "movs r0, #0",
                "3:",
                "pop {{r2}}",
                "mov r3, r8",
                "mov r4, r9",
                "stmia r2!, {{r3, r4}}",
                "pop {{r4, r5}}",
                "mov r8, r4",
                "mov r9, r5",
                "pop {{r4, r5, r6, r7, pc}}",
            )
        }
    };
    (@check checked $sum:literal) => { concat!("adds ", $sum, ", #255\nbmi 3f") };
    (@check tame $sum:literal) => { "" };
}

type WidenBlocks = unsafe extern "C" fn(*const i8, *mut i32, *mut [i32; 2]) -> usize;

widen_blocks!(widen_checked_blocks, checked);
widen_blocks!(widen_tame_blocks, tame);

/// Widens the packed weights of a pair of channels: first those of one, then those of the other.
/// Returns the sum of each channel's weights. `wide` has a word for each byte; the bytes are
/// word-aligned. `None` if two neighbours in a channel are both -128: their products may not fit their
/// lanes. A layer that is `tame` has none.
pub(super) fn widen_weights(packed: &[i8], wide: &mut [i32], tame: bool) -> Option<[i32; 2]> {
    let count = packed.len() / (2 * TERMS);
    let (even, odd) = wide.split_at_mut_checked(count * TERMS)?;
    if count == 0 || odd.len() < count * TERMS {
        return None;
    }
    let mut sums = [count as i32, odd.as_mut_ptr() as i32];
    let mut widen: WidenBlocks = widen_tame_blocks;
    let mut beyond = 0;
    if !tame {
        (widen, beyond) = (widen_checked_blocks, 255 * 2 * count as i32);
    }
    // SAFETY: all blocks are in `packed`, and both halves have room for theirs.
    let left = unsafe { widen(packed.as_ptr(), even.as_mut_ptr(), &raw mut sums) };
    (left == 0).then(|| sums.map(|sum| sum - beyond))
}

/// Packs two pixels' activations of a term into a word: both negated, the second in the upper half.
const fn word(first: i8, second: i8) -> u32 {
    (-(first as i32) - ((second as i32) << 16)) as u32
}

/// Words from a pair of terms to the next, for four pixels.
const STEP: usize = 4;

/// Unpacks the activations that [`word`] packed.
const fn numbers(word: u32) -> [i32; 2] {
    let first = word as i16;
    [-(first as i32), -(((word as i32) - first as i32) >> 16)]
}

/// Dot products of a block's four pixels, with the zero point subtracted.
pub(super) fn block_sums(
    weights: impl Iterator<Item = i8>,
    zero_point: i8,
    block: &[u32],
) -> [i32; STEP] {
    let mut sums = [0; STEP];
    let places = block.as_chunks::<STEP>().0.as_chunks::<2>().0;
    for (term, weight) in weights.enumerate() {
        let Some(place) = places.get(term / TERMS).map(|place| place[term % 2]) else {
            break;
        };
        let pairs = [0, 2].map(|pair| numbers(place[pair + term % TERMS / 2]));
        for (sum, &number) in sums.iter_mut().zip(pairs.as_flattened()) {
            *sum += (number - i32::from(zero_point)) * i32::from(weight);
        }
    }
    sums
}

/// Assembly that widens one of four terms into the words of a pair of pixels, at byte offset `place`.
macro_rules! widen_term {
    ($term:literal $place:literal) => {
        concat!(
            "movs r4, #",
            $term,
            "\n",
            "ldrsb r5, [r0, r4]\n",
            "ldrsb r6, [r1, r4]\n",
            "lsls r6, r6, #16\n",
            "adds r5, r5, r6\n",
            "rsbs r5, r5, #0\n",
            "str r5, [r3, #",
            $place,
            "]\n",
        )
    };
}

/// Widens `count` fours of terms of two pixels, at least one, to the words of their pair from `to` on.
///
/// # Safety
/// As many activations can be read from `first` and from `second` on; a block of as many terms can be
/// written, whose words of the pair begin at `to`.
#[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
#[unsafe(naked)]
unsafe extern "C" fn widen_fours(first: *const i8, second: *const i8, count: usize, to: *mut u32) {
    core::arch::naked_asm!(
        "push {{r4, r5, r6, lr}}",
        "2:",
        widen_term!(0 0),
        widen_term!(2 4),
        widen_term!(1 16),
        widen_term!(3 20),
        "adds r0, r0, #4",
        "adds r1, r1, #4",
        "adds r3, r3, #32",
        "subs r2, r2, #1",
        "bne 2b",
        "pop {{r4, r5, r6, pc}}",
    )
}

/// Widens the activations of two pixels, the pair `pair` of a block of four, into the words of `block`.
/// Terms beyond the last are zero points, which add nothing whatever their weights are.
pub(super) fn widen_pixels(
    [first, second]: [&[i8]; 2],
    zero_point: i8,
    pair: usize,
    block: &mut [u32],
) {
    let places = block.as_chunks_mut::<STEP>().0.as_chunks_mut::<2>().0;
    let (firsts, first_rest) = first.as_chunks::<TERMS>();
    let (seconds, second_rest) = second.as_chunks::<TERMS>();
    let count = firsts.len().min(seconds.len()).min(places.len());
    if count > 0 && pair < 2 {
        // SAFETY: both pixels have `count` fours of terms, and the block twice as many steps.
        unsafe {
            let to = places.as_mut_ptr().cast::<u32>().add(2 * pair);
            widen_fours(first.as_ptr(), second.as_ptr(), count, to);
        }
    }
    if let Some(place) = places.get_mut(count) {
        for term in 0..TERMS {
            let [first, second] =
                [first_rest, second_rest].map(|rest| *rest.get(term).unwrap_or(&zero_point));
            place[term % 2][2 * pair + term / 2] = word(first, second);
        }
    }
}

/// Terms of a window of three channels.
const RGB_TERMS: usize = 27;

/// Assembly that widens row `row` of two windows of three channels, at r3 and r4; the term
/// `9 * row + tap` goes to its position in r2, minus 64 bytes a row.
macro_rules! widen_rgb {
    ($row:literal) => {
        concat!(
            ".irp tap, 0, 1, 2, 3, 4, 5, 6, 7, 8\n",
            "movs r5, #\\tap\n",
            "ldrsb r6, [r3, r5]\n",
            "ldrsb r7, [r4, r5]\n",
            "lsls r7, r7, #16\n",
            "adds r6, r6, r7\n",
            "rsbs r6, r6, #0\n",
            widen_rgb!(@store "(9*" $row "+\\tap)"),
            ".endr\n",
            "adds r2, r2, #64\n",
        )
    };
    (@store $nine:literal $row:literal $tap:literal) => {
        concat!(
            "str r6, [r2, #(", $nine, $row, $tap, "/4*32+", $nine, $row, $tap, "%2*16+",
            $nine, $row, $tap, "%4/2*4-64*", $row, ")]\n",
        )
    };
}

/// Widens two windows of three channels.
///
/// # Safety
/// Nine bytes can be read from each of `rows` on, and `apart` further on; `to` has the words of 27
/// terms of a block.
#[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
#[unsafe(naked)]
unsafe extern "C" fn widen_windows(rows: &[*const i8; 3], apart: usize, to: *mut u32) {
    core::arch::naked_asm!(
        "push {{r4, r5, r6, r7, lr}}",
        "ldmia r0!, {{r3}}",
        "adds r4, r3, r1",
        widen_rgb!(0),
        "ldmia r0!, {{r3}}",
        "adds r4, r3, r1",
        widen_rgb!(1),
        "ldmia r0!, {{r3}}",
        "adds r4, r3, r1",
        widen_rgb!(2),
        "pop {{r4, r5, r6, r7, pc}}",
    )
}

/// Widens the windows of a picture's three channels at two output columns, the second not left of the
/// first; returns false if a window reaches beyond the picture or has other channels.
pub(super) fn widen_rgb(
    params: &ConvParams<'_>,
    rows: [Option<&[i8]>; 3],
    columns: [usize; 2],
    pair: usize,
    block: &mut [u32],
) -> bool {
    let [first, second] = columns.map(|x| (3 * x * params.stride).checked_sub(3 * params.pad_left));
    let (Some(first), Some(second)) = (first, second) else {
        return false;
    };
    let part = |row: Option<&[i8]>| Some(row?.get(first..second + 9)?.as_ptr());
    let [Some(top), Some(middle), Some(bottom)] = rows.map(part) else {
        return false;
    };
    let places = RGB_TERMS.next_multiple_of(TERMS) * 2;
    if params.input_channels != 3 || pair > 1 || block.len() < places {
        return false;
    }
    let zero_point = params.input_zero_point;
    // The term after the last, which is the fourth of its block.
    block[places - STEP + 2 * pair + 1] = word(zero_point, zero_point);
    // SAFETY: the bytes are in the rows, and the words of all terms in the block.
    unsafe {
        let to = block.as_mut_ptr().add(2 * pair);
        widen_windows(&[top, middle, bottom], second - first, to);
    }
    true
}
