//! In-place interleaving of the halves of a row.

/// Largest number of blocks of both halves.
pub(super) const MAX_BLOCKS: usize = 512;

/// Largest number of values that [`append`] buffers.
pub(super) const MAX_REST: usize = 512;

/// Items of a block that are moved at once.
const HELD: usize = 32;

/// Bits in a word.
const WORD: usize = u32::BITS as usize;

/// Interleaves `a0 a1 ... b0 b1 ...` to `a0 b0 a1 b1 ...`: `count` blocks of each half, of `len`
/// values; at most [`MAX_BLOCKS`] in all.
pub(super) fn weave(numbers: &mut [i8], count: usize, len: usize) {
    // By words if possible: four values at a time.
    if len.is_multiple_of(4)
        && let Ok(words) = bytemuck::try_cast_slice_mut::<i8, u32>(numbers)
    {
        return move_blocks(words, count, len / 4);
    }
    move_blocks(numbers, count, len);
}

fn move_blocks<T: Copy + Default>(items: &mut [T], count: usize, len: usize) {
    let mut start = 0;
    while start < len {
        let held = HELD.min(len - start);
        move_parts(items, count, len, start..start + held);
        start += held;
    }
}

/// Moves the items `part` of every block. The block that belongs at an even position `p` comes from
/// `p / 2` of the first half, at an odd one of the second: a permutation, whose cycles are followed one
/// by one.
fn move_parts<T: Copy + Default>(
    items: &mut [T],
    count: usize,
    len: usize,
    part: core::ops::Range<usize>,
) {
    let held = part.len();
    let mut hand = [T::default(); HELD];
    let mut done = [0_u32; MAX_BLOCKS / WORD];
    let from = |place: usize| place / 2 + place % 2 * count;
    let at = |place: usize| place * len + part.start;
    for first in 0..2 * count {
        let is_done = |done: &[u32], place: usize| {
            let word = done.get(place / WORD).copied().unwrap_or(u32::MAX);
            word >> (place % WORD) & 1 != 0
        };
        if is_done(&done, first) {
            continue;
        }
        hand[..held].copy_from_slice(&items[at(first)..][..held]);
        let mut place = first;
        loop {
            if let Some(word) = done.get_mut(place / WORD) {
                *word |= 1 << (place % WORD);
            }
            let source = from(place);
            if source == first {
                items[at(place)..][..held].copy_from_slice(&hand[..held]);
                break;
            }
            items.copy_within(at(source)..at(source) + held, at(place));
            place = source;
        }
    }
}

/// Appends `more` values to each of `count` blocks of `len` values, taken from those that follow all
/// blocks; at most [`MAX_REST`] in all.
pub(super) fn append(numbers: &mut [i8], count: usize, len: usize, more: usize) {
    let mut hand = [0; MAX_REST];
    let total = count * more;
    if more == 0 || total > MAX_REST {
        return;
    }
    hand[..total].copy_from_slice(&numbers[count * len..][..total]);
    for block in (0..count).rev() {
        let to = block * (len + more);
        numbers.copy_within(block * len..(block + 1) * len, to);
        numbers[to + len..][..more].copy_from_slice(&hand[block * more..][..more]);
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn blocks_of_every_size_come_in_turn() {
        for (count, len) in [
            (1, 1),
            (2, 3),
            (3, 4),
            (5, 8),
            (7, 40),
            (9, 160),
            (28, 33),
            (256, 2),
        ] {
            let number =
                |half: usize, block: usize, item: usize| (half * 101 + block * 31 + item * 7) as i8;
            let half = |half| (0..count * len).map(move |at| number(half, at / len, at % len));
            let mut numbers: Vec<i8> = half(0).chain(half(1)).collect();
            weave(&mut numbers, count, len);
            let expected = (0..2 * count)
                .flat_map(|place| (0..len).map(move |item| number(place % 2, place / 2, item)));
            assert!(numbers.iter().copied().eq(expected), "{count} of {len}");
        }
    }

    #[test]
    fn what_is_left_over_follows_each_block() {
        let mut numbers = [1, 2, 3, 4, 5, 6, 70, 71, 80, 81, 90, 91];
        append(&mut numbers, 3, 2, 2);
        assert_eq!(numbers, [1, 2, 70, 71, 3, 4, 80, 81, 5, 6, 90, 91]);
        let mut numbers = [1, 2, 3];
        append(&mut numbers, 3, 1, 0);
        assert_eq!(numbers, [1, 2, 3]);
    }
}
