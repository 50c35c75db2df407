//! The memory plan: offsets of all rows and the size of the arena, computed before anything runs.
//!
//! A network runs as a few *segments* one after another. Within a segment its layers form a pipeline of
//! rows: a 3 x 3 layer keeps the two rows before the newest, everything else keeps nothing, and the
//! newest row passes between two scratch rows. A whole feature map lies between two segments. The first
//! segment reads the rows of the picture as they arrive; each later one reads the map that the one
//! before it left, and writes its own map over the rows that it has already consumed. Nothing is
//! computed twice.
//!
//! Early maps are large and are never whole; late maps are small, so a segment there can be a single
//! layer. [`search`] chooses the cuts. Where there is memory enough, [`apart`] lays all maps beside
//! each other instead, and layers run on whole maps.
//!
//! ```text
//! arena of a segment:  [ output map .. input map | kept rows, per layer | scratch 0 | scratch 1 ]
//! ```

mod apart;
mod search;

use heapless::Vec;

use crate::kernels::Layout;
use crate::model::{Layer, MAX_LAYERS, Op};

pub use apart::apart;
pub use search::{search, streaming};

/// Rows that a 3 x 3 layer keeps besides the newest.
const KEPT_ROWS: u64 = 2;

/// Location of the rows of a map: row `y` at `offset + y * step`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Byte offset of row 0 in the arena.
    pub offset: u32,
    /// Bytes from a row to the next: zero for a scratch row, which holds one row at a time.
    pub step: u32,
}

impl Place {
    /// Offset of row `y`.
    pub const fn row(self, y: usize) -> usize {
        self.offset as usize + y * self.step as usize
    }
}

/// Arena layout of a layer. Small, because a board holds one for each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Location of its output rows.
    pub output: Place,
    /// Order of the values in its output rows.
    pub layout: Layout,
    /// Offset of its state: rows under its window; sums of a pool or mean; rows of a map to flatten; the
    /// other rows of an addition.
    pub state: u32,
    /// [`Op::Add`]: number of rows of its other operand that it keeps.
    pub delay: u8,
    /// The addition that has this layer's output as its other operand.
    pub saved_by: Option<u8>,
}

/// Memory plan of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Bytes that the engine needs.
    pub arena_len: usize,
    /// Arena layout of each layer.
    pub slots: Vec<Slot, MAX_LAYERS>,
    /// Ends of the segments: one past the last layer of each, rising; the last is the number of layers.
    pub cuts: Vec<u8, MAX_LAYERS>,
    /// True if each segment but the first is one layer, whose maps do not overlap.
    pub apart: bool,
}

/// Reason that layers cannot be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// There are no layers, or more than [`MAX_LAYERS`].
    LayerCount,
    /// The cuts do not rise to the number of layers.
    Cuts,
    /// A cut separates the addition at this index from its other operand.
    CutSkip(usize),
    /// Two additions read the rows of one layer. The index is the second addition's.
    SkipShared(usize),
    /// The maps are too large for 32-bit offsets.
    TooLarge,
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::LayerCount => write!(f, "the number of layers is not in 1..={MAX_LAYERS}"),
            Self::Cuts => write!(f, "the segments do not cover the layers"),
            Self::CutSkip(layer) => {
                write!(f, "layer {layer} is in another segment than its operand")
            }
            Self::SkipShared(layer) => write!(f, "layer {layer} shares its operand with another"),
            Self::TooLarge => write!(f, "the feature maps are too large"),
        }
    }
}

impl core::error::Error for PlanError {}

impl Plan {
    /// Lays out `layers` cut into segments at `cuts`.
    ///
    /// # Errors
    /// If the cuts do not fit the layers; see [`PlanError`].
    pub fn new(layers: &[Layer], cuts: &[u8]) -> Result<Self, PlanError> {
        let mut plan = Plan {
            arena_len: 0,
            slots: Vec::new(),
            cuts: Vec::from_slice(cuts).map_err(|_| PlanError::Cuts)?,
            apart: false,
        };
        fill_slots(layers, &mut plan.slots)?;
        if cuts.last().map(|&end| usize::from(end)) != Some(layers.len())
            || cuts.first() == Some(&0)
            || cuts.windows(2).any(|pair| pair[0] >= pair[1])
        {
            return Err(PlanError::Cuts);
        }
        // Backwards, from the last map, which lies at the arena's start.
        let mut output = 0;
        for index in (0..cuts.len()).rev() {
            let first = match index {
                0 => 0,
                _ => usize::from(cuts[index - 1]),
            };
            let end = usize::from(cuts[index]);
            let footprint = Footprint::of(layers, first, end, output)?;
            plan.arena_len = plan.arena_len.max(footprint.total);
            place_segment(layers, first, end, output, &footprint, &mut plan.slots);
            output = footprint.input;
        }
        Ok(plan)
    }
}

/// Fills slots with everything that does not depend on the cuts.
fn fill_slots(layers: &[Layer], slots: &mut Vec<Slot, MAX_LAYERS>) -> Result<(), PlanError> {
    if layers.is_empty() {
        return Err(PlanError::LayerCount);
    }
    for index in 0..layers.len() {
        let slot = Slot {
            output: Place::default(),
            layout: Layout::Interleaved,
            state: 0,
            delay: delay(layers, index),
            saved_by: None,
        };
        slots.push(slot).map_err(|_| PlanError::LayerCount)?;
    }
    for (index, layer) in layers.iter().enumerate() {
        if layer.op == Op::Add {
            let saved = slots
                .get_mut(usize::from(layer.skip))
                .ok_or(PlanError::CutSkip(index))?;
            if saved.saved_by.replace(index as u8).is_some() {
                return Err(PlanError::SkipShared(index));
            }
        }
    }
    // Only a depthwise layer reads planar rows; an addition's operands and sum have one order.
    for (slot, pair) in slots.iter_mut().zip(layers.windows(2)) {
        let planar = pair[1].op == Op::Depthwise3x3 && pair[0].op != Op::Add;
        if planar && slot.saved_by.is_none() {
            slot.layout = Layout::Planar;
        }
    }
    Ok(())
}

/// Rows of its other operand that the addition at `index` keeps: one more than the number of rows that
/// the layers between, all of stride 1, lag behind. At most 1 + 2 * [`MAX_LAYERS`].
fn delay(layers: &[Layer], index: usize) -> u8 {
    if layers[index].op != Op::Add {
        return 0;
    }
    let between = layers[..index]
        .iter()
        .skip(usize::from(layers[index].skip) + 1);
    1 + between
        .filter(|layer| layer.op.is_window())
        .map(|layer| 2_u8.saturating_sub(layer.padding.top))
        .sum::<u8>()
}

/// Bytes that the layer at `index` keeps between rows.
fn state_len(layers: &[Layer], index: usize) -> u64 {
    let layer = &layers[index];
    match layer.op {
        Op::Conv3x3 | Op::Depthwise3x3 => KEPT_ROWS * layer.input.row_len() as u64,
        Op::Add => u64::from(delay(layers, index)) * layer.output.row_len() as u64,
        Op::GlobalAveragePool | Op::Mean => 4 * u64::from(layer.output.channels),
        Op::Flatten => layer.input.len() as u64,
        Op::Pointwise | Op::Dense => 0,
    }
}

/// Arena layout of one segment.
struct Footprint {
    /// Offset of its input map.
    input: usize,
    /// End of the maps.
    maps: usize,
    /// Sizes of the two scratch rows.
    scratch: [usize; 2],
    /// Bytes in all.
    total: usize,
}

impl Footprint {
    /// Computes the footprint of the layers `first..end`, whose output map lies at `output`.
    fn of(layers: &[Layer], first: usize, end: usize, output: usize) -> Result<Self, PlanError> {
        // Sums are in 64 bits on every target: at most MAX_LAYERS terms of 50 bits.
        let mut maps = output as u64 + layers[end - 1].output.len() as u64;
        let mut input = output as u64;
        if first > 0 {
            input += read_ahead(&layers[first..end]);
            maps = maps.max(input + layers[first].input.len() as u64);
        }
        let mut scratch = [0; 2];
        let mut state = 0_u64;
        for index in first..end {
            let skip = usize::from(layers[index].skip);
            if layers[index].op == Op::Add && skip + 1 < first {
                return Err(PlanError::CutSkip(index));
            }
            state += state_len(layers, index);
            if index + 1 < end {
                let row = &mut scratch[(index - first) % 2];
                *row = layers[index].output.row_len().max(*row);
            }
        }
        let total = maps + state + scratch[0] as u64 + scratch[1] as u64;
        if total > i32::MAX as u64 {
            return Err(PlanError::TooLarge);
        }
        Ok(Footprint {
            input: input as usize,
            maps: maps as usize,
            scratch,
            total: total as usize,
        })
    }
}

/// Bytes by which a segment's input map must begin after its output map, so that no output row
/// overwrites an input row that is still to be read.
fn read_ahead(segment: &[Layer]) -> u64 {
    let (Some(first), Some(last)) = (segment.first(), segment.last()) else {
        return 0;
    };
    let rows = usize::from(first.input.height);
    let (row_in, row_out) = (first.input.row_len() as u64, last.output.row_len() as u64);
    let mut ahead = 0;
    for y in 0..usize::from(last.output.height) {
        // Newest input row when output row `y` is written.
        let newest = segment.iter().rev().fold(y, newest_row);
        // A single layer still reads the newest row while it writes.
        let consumed = match segment.len() {
            1 => newest,
            _ => newest + 1,
        };
        if consumed < rows {
            let (written, read) = ((y as u64 + 1) * row_out, consumed as u64 * row_in);
            ahead = ahead.max(written.saturating_sub(read));
        }
    }
    ahead
}

/// Index of the newest input row that output row `y` of `layer` needs.
#[inline]
pub(crate) fn newest_row(y: usize, layer: &Layer) -> usize {
    let bottom = usize::from(layer.input.height).saturating_sub(1);
    match layer.op {
        Op::Conv3x3 | Op::Depthwise3x3 => (y * usize::from(layer.stride) + 2)
            .saturating_sub(usize::from(layer.padding.top))
            .min(bottom),
        Op::Pointwise | Op::Add => y,
        Op::GlobalAveragePool | Op::Mean | Op::Flatten | Op::Dense => bottom,
    }
}

/// Writes the offsets of the layers `first..end` into their slots. The footprint is at most `i32::MAX`
/// bytes, so 32 bits hold each of them.
fn place_segment(
    layers: &[Layer],
    first: usize,
    end: usize,
    output: usize,
    footprint: &Footprint,
    slots: &mut [Slot],
) {
    let mut state = footprint.maps as u32;
    for (index, slot) in slots.iter_mut().enumerate().take(end).skip(first) {
        slot.state = state;
        state += state_len(layers, index) as u32;
    }
    let scratch = [state, state + footprint.scratch[0] as u32];
    let segment = slots.iter_mut().zip(layers).take(end).skip(first);
    for (index, (slot, layer)) in segment.enumerate() {
        slot.output = if first + index + 1 == end {
            Place {
                offset: output as u32,
                step: layer.output.row_len() as u32,
            }
        } else {
            Place {
                offset: scratch[index % 2],
                step: 0,
            }
        };
    }
}
