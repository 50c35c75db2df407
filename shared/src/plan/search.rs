//! Search for the cuts that give the smallest arena.

use heapless::Vec;

use super::{Footprint, Plan, PlanError};
use crate::model::{Layer, MAX_LAYERS};

/// Plan with one segment: the whole network as a pipeline of rows.
///
/// # Errors
/// Same as [`Plan::new`].
pub fn streaming(layers: &[Layer]) -> Result<Plan, PlanError> {
    Plan::new(layers, &[layers.len() as u8])
}

/// Plan with the smallest arena and, among those, short segments: a layer that works on a whole map
/// reads its weights once.
///
/// # Errors
/// Same as [`Plan::new`].
pub fn search(layers: &[Layer]) -> Result<Plan, PlanError> {
    let mut most = streaming(layers)?.arena_len;
    let mut cuts = cuts_within(layers, most)?;
    // Bisection: cuts that fit a budget fit every larger one.
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

/// Best solution for the layers from one layer to the end.
#[derive(Clone, Copy)]
struct Best {
    /// Offset of the input map of its first segment.
    input: usize,
    /// End of its first segment.
    end: usize,
}

/// Finds cuts so that no segment takes more than `budget` bytes.
///
/// Dynamic programming from the last layer back. Both a segment's footprint and the offset of its input
/// map grow with the offset of its output map, so the lowest offset is best for everything before; ties
/// take the nearest end.
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
