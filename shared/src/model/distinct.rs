//! Duplicate check for labels in little memory.
//!
//! Labels in sorted order, as `posy retrain` writes them, are checked in one pass. Unsorted labels are
//! visited in the order of their hashes, as many in a pass as a small table holds. 4,095 of them take
//! 32 passes over the labels, where comparing all pairs takes thousands. Hash collisions do not change
//! the number of passes: equal hashes are ordered by the labels themselves.

use heapless::binary_heap::{BinaryHeap, Max};

/// Labels per pass.
const TABLE: usize = 128;

/// Sort key of a label: its hash, then the label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    hash: u32,
    label: &'a [u8],
}

/// Returns true if no two labels in `lines` are equal; each line ends with a line feed.
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

// Not inlined: a table of this size should leave a board's stack as soon as the check is done.
#[inline(never)]
fn distinct_by(lines: &str, hash: impl Fn(&[u8]) -> u32) -> bool {
    // The greatest key of the passes so far.
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
            // The table is full: a smaller key replaces the greatest.
            if let Err(key) = table.push(key)
                && table.peek().is_some_and(|greatest| key < *greatest)
                && let Some(mut greatest) = table.peek_mut()
            {
                *greatest = key;
            }
        }
        // A duplicate of a table's last label may not have fitted into that table.
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

    /// The integers below `count`, shuffled.
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

    /// Every pair is found, including one that the end of a table separates.
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
