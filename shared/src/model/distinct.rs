//! Whether labels are all different, without memory for all of them.
//!
//! Labels in order, as `posy retrain` writes them, are seen to be different in one pass. Others are taken
//! in the order of their hashes, so many in a pass as a small table holds; 4,095 of them take 32 passes
//! over the labels, where comparing each with each takes thousands. Which hashes they have changes nothing
//! about the number of passes: equal hashes are ordered by the labels themselves.

use heapless::binary_heap::{BinaryHeap, Max};

/// Labels that a pass takes.
const TABLE: usize = 128;

/// What labels are ordered by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    hash: u32,
    label: &'a [u8],
}

/// Whether the labels of `lines`, each of which ends with a line feed, are all different.
pub(super) fn distinct(lines: &str) -> bool {
    is_rising(labels(lines)) || distinct_by(lines, fnv)
}

fn labels(lines: &str) -> impl Iterator<Item = &[u8]> {
    let lines = lines.as_bytes();
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    lines.split(|&byte| byte == b'\n')
}

fn is_rising<'a>(labels: impl Iterator<Item = &'a [u8]>) -> bool {
    labels.is_sorted_by(|one, next| one < next)
}

/// FNV-1a in 32 bits: a step for each byte, and no table.
fn fnv(label: &[u8]) -> u32 {
    let step = |hash: u32, &byte: &u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    label.iter().fold(0x811c_9dc5, step)
}

// A table of this size should lie on a board's stack no longer than it is needed.
#[inline(never)]
fn distinct_by(lines: &str, hash: impl Fn(&[u8]) -> u32) -> bool {
    // The greatest that was taken.
    let mut taken: Option<Key<'_>> = None;
    loop {
        let mut table: BinaryHeap<Key<'_>, Max, TABLE> = BinaryHeap::new();
        let mut same_as_taken = 0;
        for label in labels(lines) {
            let key = Key {
                hash: hash(label),
                label,
            };
            if Some(key) <= taken {
                same_as_taken += usize::from(Some(key) == taken);
                continue;
            }
            // Full: the greatest makes room for a lesser one.
            if let Err(key) = table.push(key)
                && table.peek().is_some_and(|greatest| key < *greatest)
                && let Some(mut greatest) = table.peek_mut()
            {
                *greatest = key;
            }
        }
        // The same label as the last of a table may have had no room in it.
        if same_as_taken > 1 {
            return false;
        }
        let full = table.len() == TABLE;
        let greatest = table.peek().copied();
        let mut above = None;
        while let Some(key) = table.pop() {
            if above == Some(key) {
                return false;
            }
            above = Some(key);
        }
        if !full {
            return true;
        }
        taken = greatest;
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::cell::Cell;

    use super::*;
    use crate::model::MAX_LABELS;

    fn lines(labels: &[usize]) -> String {
        labels
            .iter()
            .map(|label| format!("label {label}\n"))
            .collect()
    }

    /// Numbers below `count`, each once, in no order.
    fn shuffled(count: usize) -> Vec<usize> {
        let step = (count * 5 / 8..)
            .find(|step| (2..count).all(|d| !count.is_multiple_of(d) || !step.is_multiple_of(d)));
        let step = step.unwrap_or(1);
        (0..count).map(|at| at * step % count).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "plain code, many times over")]
    fn different_labels_are_told_from_equal_ones() {
        for count in [0, 1, 2, 3, 127, 128, 129, 256, 257, 1000, MAX_LABELS] {
            let labels = shuffled(count);
            assert!(distinct(&lines(&labels)), "{count}");
            let sorted: Vec<usize> = (0..count).collect();
            assert!(distinct(&lines(&sorted)), "{count}");
            for (from, to) in [(0, 1), (0, count / 2), (count / 3, count - count.min(1))] {
                if to < count && from != to {
                    let mut labels = labels.clone();
                    labels[to] = labels[from];
                    assert!(!distinct(&lines(&labels)), "{count}: {from} {to}");
                }
            }
        }
    }

    /// Whichever two are equal, also those that a table's end parts.
    #[test]
    #[cfg_attr(miri, ignore = "plain code, many times over")]
    fn every_pair_is_found() {
        let labels = shuffled(300);
        for place in 1..300 {
            let mut labels = labels.clone();
            labels[place] = labels[place - 1];
            let lines = lines(&labels);
            assert!(!distinct(&lines) && !distinct_by(&lines, |_| 7), "{place}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "plain code, many times over")]
    fn passes_are_few_whatever_the_hashes() {
        let lines = lines(&shuffled(MAX_LABELS));
        for constant in [false, true] {
            let calls = Cell::new(0);
            let hash = |label: &[u8]| {
                calls.set(calls.get() + 1);
                if constant { 7 } else { fnv(label) }
            };
            assert!(distinct_by(&lines, hash));
            assert_eq!(calls.get(), MAX_LABELS * MAX_LABELS.div_ceil(TABLE));
        }
    }

    #[test]
    fn empty_lines_are_labels_too() {
        assert!(distinct("") && distinct("\n") && distinct("a\n\n"));
        assert!(!distinct("\n\n") && !distinct("a\n\nb\n\n"));
    }

    /// Test vectors of the algorithm's authors (Fowler, Noll and Vo).
    #[test]
    fn hashes_are_fnv_1a() {
        assert_eq!((fnv(b""), fnv(b"a")), (0x811c_9dc5, 0xe40c_292c));
    }
}
