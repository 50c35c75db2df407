//! Schedules groups of terms in *turns*, for vectors that first add products in 16 bits.
//!
//! Two products of an activation (0 to 255) and a weight fit into 16 bits only if the weights are
//! small, and so do the sums of several such pairs. This can be decided from the weights alone. The
//! weights of one sign, over all pairs that go into the same 16-bit sum, must add up to at most
//! [`Lanes::TURN_LIMIT`](super::lanes::Lanes::TURN_LIMIT): then no intermediate sum can exceed 16 bits,
//! whatever the activations are. Groups may be added in any order, so each turn combines groups that
//! fit together, large weights with small ones. A group that is too large by itself is split in two,
//! with half of its weights each.

#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "of what there is, AVX2 alone takes turns")
)]

use alloc::vec;
use alloc::vec::Vec;

/// Groups of a long turn.
pub(super) const LONG: usize = 4;
/// Groups of a short one.
pub(super) const SHORT: usize = 2;

/// A group of terms of a block of outputs: four activations of each pixel, and the weights of all lanes
/// for them.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Byte offset of its activations from the first of a pixel.
    pub(super) offset: u32,
    /// Weights, four for each lane, vector by vector.
    pub(super) weights: Vec<i8>,
}

/// Turns of a vector of a block of outputs; or of all vectors of the block, if they share turns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// Number of groups before its first.
    pub(super) first: usize,
    /// Number of bytes of weights before its first.
    pub(super) weights: usize,
    /// Number of turns with [`LONG`] groups, which come first.
    pub(super) long: usize,
    /// Number of turns with [`SHORT`] groups.
    pub(super) short: usize,
}

/// Accumulation schedule: the turns of a layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Turns of each vector of each block, or of each block.
    blocks: Vec<Turns>,
    /// Byte offsets of the activations of all groups from the first of a pixel.
    offsets: Vec<u32>,
}

/// Sums of the weights of each pair: of the positive ones, and of the magnitudes of the negative ones.
type Loads = Vec<[u16; 2]>;

fn loads(weights: &[i8]) -> Loads {
    let (pairs, _) = weights.as_chunks::<2>();
    let of = |[a, b]: [i8; 2]| {
        let above = a.max(0).unsigned_abs();
        let below = a.min(0).unsigned_abs();
        [
            u16::from(above) + u16::from(b.max(0).unsigned_abs()),
            u16::from(below) + u16::from(b.min(0).unsigned_abs()),
        ]
    };
    pairs.iter().map(|pair| of(*pair)).collect()
}

fn heaviest(loads: &Loads) -> u16 {
    loads.iter().flatten().copied().max().unwrap_or(0)
}

/// A turn that is being filled.
struct Open {
    groups: Vec<Group>,
    loads: Loads,
}

impl Open {
    fn has_room(&self, loads: &Loads, limit: u16) -> bool {
        let fits = |(a, b): (&[u16; 2], &[u16; 2])| a[0] + b[0] <= limit && a[1] + b[1] <= limit;
        self.groups.len() < LONG && self.loads.iter().zip(loads).all(fits)
    }

    fn take(&mut self, group: Group, loads: &Loads) {
        self.groups.push(group);
        for (sum, load) in self.loads.iter_mut().zip(loads) {
            *sum = [sum[0] + load[0], sum[1] + load[1]];
        }
    }
}

/// Fills turns with groups: the largest weights first, each group into the first turn that it fits.
fn fill(groups: impl Iterator<Item = Group>, limit: u16) -> Vec<Vec<Group>> {
    let mut all = Vec::new();
    for group in groups {
        let whole = loads(&group.weights);
        if heaviest(&whole) <= limit {
            all.push((whole, group));
            continue;
        }
        let offset = group.offset;
        let halves = halves(&group.weights);
        all.extend(halves.map(|weights| (loads(&weights), Group { offset, weights })));
    }
    all.sort_by_key(|(loads, _)| core::cmp::Reverse(heaviest(loads)));
    let mut turns: Vec<Open> = Vec::new();
    // All turns before this index are full.
    let mut first = 0;
    for (loads, group) in all {
        while turns
            .get(first)
            .is_some_and(|turn| turn.groups.len() == LONG)
        {
            first += 1;
        }
        match turns[first..]
            .iter_mut()
            .find(|turn| turn.has_room(&loads, limit))
        {
            Some(turn) => turn.take(group, &loads),
            None => turns.push(Open {
                groups: vec![group],
                loads,
            }),
        }
    }
    turns.into_iter().map(|turn| turn.groups).collect()
}

/// Weight load of windows of three columns of three values: the number of turns that a column needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Burden {
    /// All columns together fit one turn.
    #[default]
    Light,
    /// Each column fits a turn.
    Medium,
    /// Each column takes two turns, with half of its weights each.
    Heavy,
}

impl Burden {
    /// Load of the weights of three `columns`, of any number of windows, in pairs.
    pub(super) fn of(columns: &[Vec<i8>; 3], limit: u16) -> Self {
        let [a, b, c] = columns.each_ref().map(|column| loads(column));
        let most = |loads: &Loads| heaviest(loads) <= limit;
        let sum = |at: usize, sign: usize| a[at][sign] + b[at][sign] + c[at][sign];
        if (0..a.len()).all(|at| sum(at, 0) <= limit && sum(at, 1) <= limit) {
            Burden::Light
        } else if [&a, &b, &c].into_iter().all(most) {
            Burden::Medium
        } else {
            Burden::Heavy
        }
    }
}

/// Splits weights into halves, of which every pair is within the limit.
pub(super) fn halves(weights: &[i8]) -> [Vec<i8>; 2] {
    [
        weights.iter().map(|weight| weight >> 1).collect(),
        weights
            .iter()
            .map(|weight| weight - (weight >> 1))
            .collect(),
    ]
}

impl Schedule {
    /// Turns at `index`, which counts the vectors, or the blocks, of all blocks.
    pub(super) fn turns(&self, index: usize) -> Turns {
        self.blocks.get(index).copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> &[Turns] {
        &self.blocks
    }

    /// Pointer to the offsets of the groups of `turns`.
    pub(super) fn offsets(&self, turns: Turns) -> *const u32 {
        self.offsets.as_ptr().wrapping_add(turns.first)
    }

    /// Adds the turns of a vector or a block of outputs, and appends its groups' weights to `weights`
    /// in their order. Pairs of weights of one sign add up to no more than `limit`, at least 128, in
    /// each turn.
    pub(super) fn push(
        &mut self,
        groups: impl Iterator<Item = Group>,
        limit: u16,
        weights: &mut Vec<i8>,
    ) {
        self.push_turns(fill(groups, limit), weights);
    }

    /// Adds these turns of a vector or a block.
    pub(super) fn push_turns(&mut self, turns: Vec<Vec<Group>>, weights: &mut Vec<i8>) {
        let (short, long): (Vec<_>, Vec<_>) =
            turns.into_iter().partition(|turn| turn.len() <= SHORT);
        self.blocks.push(Turns {
            first: self.offsets.len(),
            weights: weights.len(),
            long: long.len(),
            short: short.len(),
        });
        for (turns, len) in [(long, LONG), (short, SHORT)] {
            for turn in turns {
                let bytes = turn.first().map_or(0, |group| group.weights.len());
                for group in &turn {
                    self.offsets.push(group.offset);
                    weights.extend(&group.weights);
                }
                // Missing groups have weights of zero.
                let missing = len - turn.len();
                self.offsets.resize(self.offsets.len() + missing, 0);
                weights.resize(weights.len() + missing * bytes, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u16 = 128;

    /// Groups with the weights `weight(group, byte)`.
    fn groups(count: u32, weight: impl Fn(u32, u32) -> i8) -> Vec<Group> {
        let group = |at| Group {
            offset: 4 * at,
            weights: (0..32).map(|byte| weight(at, byte)).collect(),
        };
        (0..count).map(group).collect()
    }

    /// The turns of a block of `groups`. Checks a schedule's guarantees: each activation is multiplied
    /// by its weight, and no sum of a turn can exceed 16 bits.
    fn turns_of(groups: Vec<Group>) -> Turns {
        let mut schedule = Schedule::default();
        let mut stored = Vec::new();
        schedule.push(groups.iter().cloned(), LIMIT, &mut stored);
        let [turns] = schedule.blocks[..] else {
            panic!("one block");
        };
        let lens = [LONG].repeat(turns.long).into_iter();
        let lens: Vec<usize> = lens.chain([SHORT].repeat(turns.short)).collect();
        assert_eq!(lens.iter().sum::<usize>(), schedule.offsets.len());
        assert_eq!(32 * schedule.offsets.len(), stored.len());

        let mut left: Vec<Vec<i32>> = (groups.iter())
            .map(|group| group.weights.iter().copied().map(i32::from).collect())
            .collect();
        let mut steps = schedule.offsets.iter().zip(stored.chunks(32));
        for len in lens {
            let mut sums = [[0_i32; 2]; 16];
            for (offset, weights) in steps.by_ref().take(len) {
                for (left, weight) in left[*offset as usize / 4].iter_mut().zip(weights) {
                    *left -= i32::from(*weight);
                }
                for (sums, pair) in sums.iter_mut().zip(weights.chunks(2)) {
                    for weight in pair {
                        sums[usize::from(*weight < 0)] += 255 * i32::from(*weight);
                    }
                }
            }
            for [above, below] in sums {
                assert!(above <= i16::MAX.into() && below >= i16::MIN.into());
            }
        }
        assert!(left.iter().flatten().all(|left| *left == 0));
        turns
    }

    #[test]
    fn light_groups_fill_long_turns() {
        let turns = turns_of(groups(64, |group, byte| (group + byte) as i8 % 16));
        assert_eq!((turns.long, turns.short), (16, 0));
        let turns = turns_of(groups(6, |_, _| -16));
        assert_eq!((turns.long, turns.short), (1, 1));
    }

    #[test]
    fn heavy_groups_share_turns_with_light_ones() {
        let heavy_or_light = |group: u32, _| if group < 6 { 60 } else { 3 };
        let turns = turns_of(groups(12, heavy_or_light));
        // Six turns with a heavy group each, and no more.
        assert_eq!(turns.long + turns.short, 6);
    }

    #[test]
    fn groups_of_other_signs_share_a_turn() {
        let turns = turns_of(groups(2, |group, _| [64, -64][group as usize]));
        assert_eq!((turns.long, turns.short), (0, 1));
    }

    #[test]
    fn a_group_too_heavy_is_taken_in_halves() {
        for weight in [i8::MIN, -127, 65, 127] {
            let turns = turns_of(groups(1, |_, _| weight));
            assert!(turns.short >= 1, "{weight}");
        }
        // In a pair, one weight alone may have the largest magnitude.
        let turns = turns_of(groups(1, |_, byte| [-128, 127][byte as usize % 2]));
        assert_eq!((turns.long, turns.short), (0, 1));
    }
}
