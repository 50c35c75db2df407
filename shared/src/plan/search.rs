//! Choosing the cuts.

use heapless::Vec;

use super::{Footprint, Plan, PlanError};
use crate::model::{Layer, MAX_LAYERS};

/// One segment: the whole network as a pipeline of rows.
///
/// # Errors
/// As [`Plan::new`].
pub fn streaming(layers: &[Layer]) -> Result<Plan, PlanError> {
    Plan::new(layers, &[layers.len() as u8])
}

/// The plan with the smallest arena; among those, one with short segments, because a layer that
/// works on a whole map reads its weights once.
///
/// # Errors
/// As [`Plan::new`].
pub fn search(layers: &[Layer]) -> Result<Plan, PlanError> {
    let mut most = streaming(layers)?.arena_len;
    let mut cuts = cuts_within(layers, most)?;
    // Bisection: whatever fits a budget fits every larger one.
    let mut least = 0;
    while least < most {
        let budget = least + (most - least) / 2;
        match cuts_within(layers, budget) {
            Ok(found) => {
                cuts = found;
                most = budget;
            }
            Err(_) => least = budget + 1,
        }
    }
    Plan::new(layers, &cuts)
}

/// What is best for the layers from some layer to the end.
#[derive(Clone, Copy)]
struct Best {
    /// Offset of the map that its first segment reads.
    input: usize,
    /// End of its first segment.
    end: usize,
}

/// Cuts of which no segment takes more than `budget` bytes.
///
/// Dynamic programming from the last layer back. Both a segment's footprint and the offset of the
/// map that it reads grow with the offset of the map that it writes, so the lowest offset is best
/// for everything before; of equal ones, the nearest end.
fn cuts_within(layers: &[Layer], budget: usize) -> Result<Vec<u8, MAX_LAYERS>, PlanError> {
    let count = layers.len();
    let mut best: [Option<Best>; MAX_LAYERS + 1] = [None; MAX_LAYERS + 1];
    let last = best.get_mut(count).ok_or(PlanError::LayerCount)?;
    *last = Some(Best {
        input: 0,
        end: count,
    });
    for first in (0..count).rev() {
        for end in first + 1..=count {
            let Some(rest) = best[end] else { continue };
            let Ok(footprint) = Footprint::of(layers, first, end, rest.input) else {
                continue;
            };
            let lower = best[first].is_none_or(|known| footprint.input < known.input);
            if footprint.total <= budget && lower {
                best[first] = Some(Best {
                    input: footprint.input,
                    end,
                });
            }
        }
    }
    let mut cuts = Vec::new();
    let mut first = 0;
    while first < count {
        first = best[first].ok_or(PlanError::TooLarge)?.end;
        cuts.push(first as u8).map_err(|_| PlanError::LayerCount)?;
    }
    Ok(cuts)
}
