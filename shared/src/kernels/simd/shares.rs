//! Splits the weights of a few groups among turns that all vectors of a block share.
//!
//! A turn need not take the whole weight of a group: another turn with the same activations can take
//! the rest. Each pair of weights of each lane therefore fills the turns one after another, each up to
//! the limit of 16 bits, and a choice of turns is valid if nothing is left over in any lane.

#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "of what there is, AVX2 alone takes turns")
)]

use alloc::vec;
use alloc::vec::Vec;

use super::turns::{Group, LONG};

/// Choices of turns for one to two groups and for three to four, cheapest first; a turn lists its
/// groups by index.
const BOTH: &[usize] = &[0, 1];
const OF_TWO: [&[&[usize]]; 3] = [&[BOTH], &[BOTH; 2], &[BOTH; 3]];
const ALL: &[usize] = &[0, 1, 2, 3];
const OF_FOUR: [&[&[usize]]; 16] = [
    &[ALL],
    &[&[0, 1], &[2, 3]],
    &[&[0, 2], &[1, 3]],
    &[&[0, 3], &[1, 2]],
    &[&[0, 1], ALL],
    &[&[0, 2], ALL],
    &[&[0, 3], ALL],
    &[&[1, 2], ALL],
    &[&[1, 3], ALL],
    &[&[2, 3], ALL],
    &[&[0, 1], &[2, 3], &[0, 1]],
    &[&[0, 1], &[2, 3], &[2, 3]],
    &[&[0, 2], &[1, 3], &[0, 2]],
    &[&[0, 2], &[1, 3], &[1, 3]],
    &[&[0, 1], &[2, 3], ALL],
    &[&[0, 2], &[1, 3], ALL],
];

/// Splits up to four groups into turns, those of four groups first; `None` if that takes more turns
/// than there are kernels for. Weights of one sign add up to `limit` at most in each pair of a turn.
pub(super) fn share(groups: &[Group], limit: u16) -> Option<Vec<Vec<Group>>> {
    let ways: &[&[&[usize]]] = match groups.len() {
        1 | 2 => &OF_TWO,
        3 | LONG => &OF_FOUR,
        _ => return None,
    };
    let mut turns = ways.iter().find_map(|turns| fill(groups, turns, limit))?;
    turns.sort_by_key(|turn| core::cmp::Reverse(turn.len()));
    Some(turns)
}

/// Splits the groups into these turns; `None` if they do not fit.
fn fill(groups: &[Group], turns: &[&[usize]], limit: u16) -> Option<Vec<Vec<Group>>> {
    let bytes = groups.first()?.weights.len();
    let none = Group {
        offset: 0,
        weights: vec![0; bytes],
    };
    let mut left = groups.to_vec();
    left.resize(LONG, none);
    let filled = turns.iter().map(|turn| {
        let mut room = vec![[limit; 2]; bytes / 2];
        let part = |&group: &usize| take(&mut left[group], &mut room);
        turn.iter().map(part).collect()
    });
    let filled = filled.collect();
    let nothing_left = left
        .iter()
        .all(|group| group.weights.iter().all(|weight| *weight == 0));
    nothing_left.then_some(filled)
}

/// Takes as much of the weights as fits, positive and negative separately.
fn take(left: &mut Group, room: &mut [[u16; 2]]) -> Group {
    let take = |(index, left): (usize, &mut i8)| {
        let room = &mut room[index / 2][usize::from(*left < 0)];
        let taken = u16::from(left.unsigned_abs()).min(*room);
        *room -= taken;
        let taken = i16::from(left.signum()) * taken as i16;
        *left = (i16::from(*left) - taken) as i8;
        taken as i8
    };
    Group {
        offset: left.offset,
        weights: left.weights.iter_mut().enumerate().map(take).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn groups(weights: &[Vec<i8>]) -> Vec<Group> {
        let group = |(at, weights): (usize, &Vec<i8>)| Group {
            offset: 4 * at as u32,
            weights: weights.clone(),
        };
        weights.iter().enumerate().map(group).collect()
    }

    #[test]
    fn light_weights_take_one_turn() {
        for len in 1..=4 {
            let turns = share(&groups(&vec![vec![16; 32]; len]), 128).unwrap();
            assert_eq!(turns.len(), 1, "{len}");
        }
    }

    #[test]
    fn heavy_lanes_of_different_groups_share_two_turns() {
        let mut weights = vec![vec![10; 32]; 2];
        (weights[0][0], weights[0][1], weights[1][9]) = (127, 100, -128);
        assert_eq!(share(&groups(&weights), 128).unwrap().len(), 2);
    }

    proptest! {
        /// Every weight is covered by its parts, at its activations, and no sum of a turn exceeds 16
        /// bits.
        #[test]
        fn nothing_is_lost_and_nothing_overflows(
            weights in prop::collection::vec(prop::collection::vec(any::<i8>(), 8), 1..=4),
        ) {
            let groups = groups(&weights);
            if let Some(turns) = share(&groups, 128) {
                let mut left: Vec<Vec<i32>> = (weights.iter())
                    .map(|weights| weights.iter().copied().map(i32::from).collect())
                    .collect();
                for turn in &turns {
                    let mut sums = [[0; 2]; 4];
                    for group in turn {
                        for (index, weight) in group.weights.iter().enumerate() {
                            let weight = i32::from(*weight);
                            sums[index / 2][usize::from(weight < 0)] += 255 * weight;
                            if weight != 0 {
                                left[group.offset as usize / 4][index] -= weight;
                            }
                        }
                    }
                    for [above, below] in sums {
                        prop_assert!(above <= i16::MAX.into() && below >= i16::MIN.into());
                    }
                }
                prop_assert!(left.iter().flatten().all(|left| *left == 0));
            }
        }
    }
}
