//! Memory plan for hosts with plenty of memory: whole maps that do not overlap.
//!
//! A layer then runs on a whole map at once: no row is copied to be kept, and a kernel's vectors are
//! filled with pixels of several rows.

use core::ops::Range;

use heapless::Vec;

use super::{Footprint, Place, Plan, PlanError, fill_slots, place_segment};
use crate::model::{Layer, MAX_LAYERS, Op};

/// A map in the arena that is still to be read.
struct Live {
    bytes: Range<u32>,
    /// The last layer that reads it.
    until: usize,
}

/// Plans each layer as a segment of its own. Its output overlaps no map that is still to be read, its
/// own input included. The first layer reads rows as they arrive.
///
/// # Errors
/// Same as [`Plan::new`].
pub fn apart(layers: &[Layer]) -> Result<Plan, PlanError> {
    let mut plan = Plan {
        apart: true,
        ..Plan::default()
    };
    fill_slots(layers, &mut plan.slots)?;
    plan.cuts.extend(1..=layers.len() as u8);
    let footprint = Footprint::of(layers, 0, 1, 0)?;
    plan.arena_len = footprint.total;
    place_segment(layers, 0, 1, 0, &footprint, &mut plan.slots);

    // The rows that the first layer keeps beside its output are free once it is done.
    let mut live: Vec<Live, { MAX_LAYERS + 1 }> = Vec::new();
    let mut place = |index: usize, len: usize, until: usize| {
        live.retain(|live| live.until >= index);
        let offset = lowest(&live, len)?;
        let bytes = offset..offset + len as u32;
        plan.arena_len = plan.arena_len.max(bytes.end as usize);
        live.push(Live { bytes, until })
            .map_err(|_| PlanError::LayerCount)?;
        Ok(offset)
    };
    for (index, layer) in layers.iter().enumerate() {
        let slot = &mut plan.slots[index];
        slot.output = Place {
            offset: place(index, layer.output.len(), last_reader(layers, index))?,
            step: layer.output.row_len() as u32,
        };
        if layer.op.is_mean() && index > 0 {
            slot.state = place(index, 4 * usize::from(layer.output.channels), index)?;
        }
    }
    Ok(plan)
}

/// Index of the last layer that reads the output of layer `index`.
fn last_reader(layers: &[Layer], index: usize) -> usize {
    let adds = |layer: &Layer| layer.op == Op::Add && usize::from(layer.skip) == index;
    layers.iter().rposition(adds).unwrap_or(0).max(index + 1)
}

/// The lowest offset of `len` bytes that overlap no live map.
fn lowest(live: &[Live], len: usize) -> Result<u32, PlanError> {
    let end = |start: u32| u64::from(start) + len as u64;
    let is_free = |start: &u32| {
        live.iter()
            .all(|live| end(*start) <= live.bytes.start.into() || live.bytes.end <= *start)
    };
    live.iter()
        .map(|live| live.bytes.end)
        .chain([0])
        .filter(is_free)
        .min()
        .filter(|start| end(*start) <= i32::MAX as u64)
        .ok_or(PlanError::TooLarge)
}
