//! Prepacking: weights and tables of a layer in the order in which vectors read them.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::lanes::{Lanes, MOST_VECTORS, Place, Products, column_len, column_sets, output_of};
use super::line::{self, Fit, Line, Stairs};
use super::shares::share;
use super::turns::{Burden, Group, Schedule, halves};
use super::windows;
use crate::kernels::{OutputStage, Packed, requant::Multiplier};

/// Number of tables of a block of outputs: bias; slope and offset of a line, as floats; mantissa,
/// mantissa of the next lane, right shift, half of two to that shift, left shift, and all ones if there
/// is a right shift.
pub(super) const TABLES: usize = 9;
/// Bound of sums that can be rounded without overflow.
const MOST_SUM: i64 = line::MOST_SUM as i64;

/// Method of requantising the sums of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Rescaling {
    /// A line for each channel, which includes the zero point; outputs below it are clamped.
    Line,
    /// A line for each channel, whose offset has the sign of the sum; the zero point is added
    /// afterwards.
    SignedLine,
    /// Integer arithmetic, as in the reference.
    Integers,
}

/// A cache line of memory, aligned.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct CacheLine([i8; 64]);

/// Bytes that start at a cache line.
#[derive(Clone, Debug)]
struct CacheLines(Vec<CacheLine>);

impl CacheLines {
    fn new(bytes: &[i8]) -> Self {
        let mut lines = vec![CacheLine([0; 64]); bytes.len().div_ceil(64)];
        for (line, bytes) in lines.iter_mut().zip(bytes.chunks(64)) {
            line.0[..bytes.len()].copy_from_slice(bytes);
        }
        CacheLines(lines)
    }

    const fn as_ptr(&self) -> *const i8 {
        self.0.as_ptr().cast()
    }
}

/// Kernel that a layer is prepacked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// GEMM: each output is a sum over all terms.
    Matrix,
    /// GEMM over three runs of terms: the rows of a window of few channels.
    Windows,
    /// Depthwise: each output is a sum over the window of its own channel.
    Depthwise,
}

/// Kernel and extents that a layer was prepacked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// Terms of a sum; 9 of a depthwise layer.
    pub(super) terms: usize,
    pub(super) outputs: usize,
}

/// Prepacked layer.
#[derive(Clone, Debug)]
pub struct Ready {
    pub(super) shape: Shape,
    pub(super) rescaling: Rescaling,
    /// Zero point and clamps of rescaled sums; the zero point is 0 for [`Rescaling::Line`], which has
    /// already added it.
    pub(super) place: Place,
    /// Number of pixels that are computed together as one pixel with as many times the channels; above
    /// one only in a depthwise layer with few channels.
    pub(super) pixels: usize,
    /// True if [`Products::few`](super::lanes::Products::few) computes the layer.
    pub(super) few: bool,
    weights: CacheLines,
    tables: CacheLines,
    /// Turns of the groups, for vectors that add products in 16 bits.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        allow(dead_code, reason = "of what there is, AVX2 alone takes turns")
    )]
    pub(super) schedule: Schedule,
    /// Weight loads of the windows of each block of a depthwise layer.
    burdens: Vec<Burden>,
}

/// Outputs that are computed together.
#[derive(Clone, Copy)]
pub struct Block {
    /// First output. The last block ends with the last output if there are outputs enough, and then
    /// computes some of the block before once more, so that whole vectors are read and written.
    pub(super) first: usize,
    /// Outputs of the blocks before it, which give the position of its weights and tables.
    pub(super) at: usize,
    /// Number of vectors of sums that they fill.
    pub(super) vectors: usize,
}

/// Splits `outputs` outputs into blocks: of four vectors for a depthwise layer; otherwise of up to
/// [`Lanes::VECTORS`], but no more than the outputs need: four, two or one.
pub(super) fn blocks<L: Lanes>(kind: Kind, outputs: usize) -> impl Iterator<Item = Block> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let rest = outputs.checked_sub(at).filter(|rest| *rest > 0)?;
        let vectors = match kind {
            Kind::Depthwise => MOST_VECTORS,
            Kind::Matrix | Kind::Windows => match rest.div_ceil(L::LANES) {
                1 => 1,
                3.. if L::VECTORS == MOST_VECTORS => MOST_VECTORS,
                _ => 2,
            },
        };
        let lanes = vectors * L::LANES;
        let first = at.min(outputs.saturating_sub(lanes));
        let block = Block { first, at, vectors };
        at += lanes;
        Some(block)
    })
}

/// Number of pixels of `channels` channels that fill the vectors of a depthwise block together; at
/// least one.
fn pixels_together<L: Lanes>(channels: usize) -> usize {
    (MOST_VECTORS * L::LANES / channels.max(1)).max(1)
}

/// Stores a weight as it is prepacked: in [`Lanes::WEIGHT`] bytes, least significant first.
pub(super) fn store<L: Lanes>(weight: i8, to: &mut Vec<i8>) {
    let bytes = i16::from(weight).to_le_bytes();
    for byte in &bytes[..L::WEIGHT] {
        to.push(byte.cast_signed());
    }
}

/// Stored terms of a sum: rounded up to a multiple of four.
pub(super) const fn stored(terms: usize) -> usize {
    terms.next_multiple_of(4)
}

/// Contiguous runs of terms, and the number of groups in each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs {
    pub(super) count: usize,
    pub(super) groups: usize,
}

impl Runs {
    pub(super) const fn new<L: Lanes>(kind: Kind, terms: usize) -> Self {
        match kind {
            Kind::Windows => Runs {
                count: 3,
                groups: (terms / 3).div_ceil(L::GROUP),
            },
            _ => Runs {
                count: 1,
                groups: stored(terms) / L::GROUP,
            },
        }
    }
}

impl Ready {
    /// Prepacks a layer with packed weights, each output a sum over `weights.terms()` terms; `None` if
    /// a sum could be too large.
    pub(super) fn matrix<L: Products>(
        lanes: L,
        kind: Kind,
        weights: Packed<'_>,
        zero_point: i8,
        output: &OutputStage<'_>,
    ) -> Option<Self> {
        let outputs = output.channels.shift.len();
        let terms = weights.terms();
        let at = move |channel: usize, term: usize| match channel < outputs && term < terms {
            true => weights.at(channel, term),
            false => 0,
        };
        let runs = Runs::new::<L>(kind, terms);
        let run_terms = terms / runs.count;
        // Weights of a vector for a group of a run of terms.
        let vector = move |block: Block, vector, run, group| {
            (0..L::LANES * L::GROUP).map(move |byte| {
                let lane = byte / L::GROUP;
                let channel = block.first + output_of(block.vectors, vector, lane);
                match group * L::GROUP + byte % L::GROUP {
                    term if term < run_terms => at(channel, run * run_terms + term),
                    _ => 0,
                }
            })
        };
        let groups = move || {
            (0..runs.count).flat_map(move |run| (0..runs.groups).map(move |group| (run, group)))
        };
        let weights = |channel| (0..terms).map(move |term| at(channel, term));
        let shape = Shape {
            kind,
            terms,
            outputs,
        };
        let (tables, rescaling) = tables(lanes, &shape, 1, zero_point, output, weights)?;
        let group = move |block, vectors: Range<usize>, (run, group)| {
            // Loops, here and below: what adapters of iterators come to is a fiftieth of the browsers' engine.
            let mut weights = Vec::new();
            for v in vectors {
                weights.extend(vector(block, v, run, group));
            }
            Group {
                offset: (run * windows::RUN + group * L::GROUP) as u32,
                weights,
            }
        };
        let (mut schedule, mut bytes) = (Schedule::default(), Vec::new());
        let mut few = false;
        if let Some(limit) = L::TURN_LIMIT {
            // Vectors share turns where few turns are enough.
            if kind == Kind::Matrix && terms <= L::FEW_TERMS && rescaling != Rescaling::Integers {
                let shares: Option<Vec<_>> = blocks::<L>(kind, outputs)
                    .map(|block| {
                        let groups = groups().map(|at| group(block, 0..block.vectors, at));
                        share(&groups.collect::<Vec<_>>(), limit)
                    })
                    .collect();
                few = shares.is_some();
                for turns in shares.into_iter().flatten() {
                    schedule.push_turns(turns, &mut bytes);
                }
            }
            if !few {
                for block in blocks::<L>(kind, outputs) {
                    for v in 0..block.vectors {
                        let groups = groups().map(|at| group(block, v..v + 1, at));
                        schedule.push(groups, limit, &mut bytes);
                    }
                }
            }
        } else {
            for block in blocks::<L>(kind, outputs) {
                for at in groups() {
                    for weight in group(block, 0..block.vectors, at).weights {
                        store::<L>(weight, &mut bytes);
                    }
                }
            }
        }
        Some(Ready {
            tables,
            pixels: 1,
            few,
            weights: CacheLines::new(&bytes),
            schedule,
            burdens: Vec::new(),
            rescaling,
            place: place(output, rescaling),
            shape,
        })
    }

    /// Prepacks a depthwise layer, its weights `[C, 3, 3]`; `None` if a sum could be too large.
    pub(super) fn depthwise<L: Lanes>(
        lanes: L,
        weights: &[i8],
        zero_point: i8,
        output: &OutputStage<'_>,
    ) -> Option<Self> {
        let outputs = output.channels.shift.len();
        let (taps, _) = weights.as_chunks::<9>();
        let taps = |channel: usize| taps.get(channel).copied().unwrap_or_default();
        let pixels = pixels_together::<L>(outputs);
        let (mut bytes, mut burdens) = (Vec::new(), Vec::new());
        for block in blocks::<L>(Kind::Depthwise, pixels * outputs) {
            let columns = [0, 1, 2].map(|column| {
                L::column_weights(|vector, lane| {
                    let channel = block.first + output_of(block.vectors, vector, lane);
                    let taps = match channel < pixels * outputs {
                        true => taps(channel % outputs),
                        false => [0; 9],
                    };
                    [taps[column], taps[column + 3], taps[column + 6]]
                })
            });
            let burden = match L::TURN_LIMIT {
                Some(limit) => Burden::of(&columns, limit),
                None => Burden::default(),
            };
            let len = bytes.len() + Self::windows_len::<L>();
            if burden == Burden::Heavy {
                let halves = columns.map(|column| halves(&column));
                for half in 0..2 {
                    bytes.extend(halves.iter().flat_map(|halves| &halves[half]));
                }
            } else {
                bytes.extend(columns.iter().flatten());
            }
            bytes.resize(len, 0);
            burdens.push(burden);
        }
        let shape = Shape {
            kind: Kind::Depthwise,
            terms: 9,
            outputs,
        };
        let weights = |channel| taps(channel).into_iter();
        let (tables, rescaling) = tables(lanes, &shape, pixels, zero_point, output, weights)?;
        Some(Ready {
            tables,
            pixels,
            weights: CacheLines::new(&bytes),
            few: false,
            schedule: Schedule::default(),
            burdens,
            rescaling,
            place: place(output, rescaling),
            shape,
        })
    }

    /// Pointer to the weights from this byte on.
    pub(super) fn weights(&self, byte: usize) -> *const i8 {
        self.weights.as_ptr().wrapping_add(byte)
    }

    /// Bytes of the weights of a depthwise block.
    const fn windows_len<L: Lanes>() -> usize {
        3 * column_len::<L>() * column_sets::<L>()
    }

    /// Weight load of the windows of a `block` of a depthwise layer, and a pointer to their weights.
    pub(super) fn window_weights<L: Lanes>(&self, block: Block) -> (Burden, *const i8) {
        let index = block.at / (MOST_VECTORS * L::LANES);
        let burden = self.burdens.get(index).copied().unwrap_or_default();
        (burden, self.weights(index * Self::windows_len::<L>()))
    }

    /// Pointer to the tables of the `block`.
    pub(super) fn tables(&self, block: Block) -> *const i32 {
        let tables: *const i32 = self.tables.as_ptr().cast();
        tables.wrapping_add(block.at * TABLES)
    }
}

/// Builds the tables of all blocks for `pixels` adjacent pixels; `None` if a sum over the weights of an
/// output could be too large. Activations are offset and include their zero point; the bias corrects
/// for both.
fn tables<L: Lanes, W: Iterator<Item = i8>>(
    lanes: L,
    shape: &Shape,
    pixels: usize,
    zero_point: i8,
    output: &OutputStage<'_>,
    weights: impl Fn(usize) -> W,
) -> Option<(CacheLines, Rescaling)> {
    let channels = output.channels;
    let zero_point = i32::from(zero_point);
    let largest = i64::from((127 - zero_point).max(128 + zero_point));
    let (mut biases, mut greatest) = (Vec::new(), Vec::new());
    for channel in 0..shape.outputs {
        let bias = channels.bias.at(channel);
        let (mut sum, mut most) = (0_i32, i64::from(bias).abs());
        for weight in weights(channel) {
            sum += i32::from(weight);
            most += largest * i64::from(weight.unsigned_abs());
        }
        if channels.shift[channel] < 0 && most >= MOST_SUM {
            return None;
        }
        greatest.push(most);
        biases.push(bias.wrapping_sub((L::OFFSET + zero_point).wrapping_mul(sum)));
    }
    let (lines, rescaling) = lines(lanes, output, &greatest);
    let mut numbers: Vec<i32> = Vec::new();
    for block in blocks::<L>(shape.kind, pixels * shape.outputs) {
        let lanes = block.vectors * L::LANES;
        // `of` maps a lane to the lane whose value it holds.
        let mut table = |number: &dyn Fn(usize) -> i32, of: fn(usize) -> usize| {
            numbers.extend((0..lanes).map(|at| {
                let (vector, lane) = (of(at) / L::LANES, of(at) % L::LANES);
                let channel = block.first + output_of(block.vectors, vector, lane);
                match channel < pixels * shape.outputs {
                    true => number(channel % shape.outputs),
                    false => 0,
                }
            }));
        };
        let shift = |channel: usize| i32::from(channels.shift[channel]);
        let right = |channel| (-shift(channel)).max(0);
        let half = |channel| 1_i64 << right(channel) >> 1;
        table(&|channel| biases[channel], |at| at);
        table(&|channel| lines[channel].slope.to_bits() as i32, |at| at);
        table(&|channel| lines[channel].offset.to_bits() as i32, |at| at);
        table(&|channel| channels.multiplier.at(channel), |at| at);
        table(&|channel| channels.multiplier.at(channel), |at| at | 1);
        table(&|channel| right(channel), |at| at);
        table(&|channel| half(channel) as i32, |at| at);
        table(&|channel| shift(channel).max(0), |at| at);
        table(&|channel| -i32::from(right(channel) > 0), |at| at);
    }
    Some((CacheLines::new(bytemuck::cast_slice(&numbers)), rescaling))
}

/// Zero point and clamps to apply after the rescaling.
const fn place(output: &OutputStage<'_>, rescaling: Rescaling) -> Place {
    Place {
        zero_point: match rescaling {
            Rescaling::Line => 0,
            Rescaling::SignedLine | Rescaling::Integers => output.zero_point,
        },
        min: output.min,
        max: output.max,
    }
}

/// Finds a line for each channel, whose sums are bounded by `greatest`, and the rescaling that they
/// allow.
fn lines<L: Lanes>(lanes: L, output: &OutputStage<'_>, greatest: &[i64]) -> (Vec<Line>, Rescaling) {
    let channels = output.channels;
    let zero_point = i32::from(output.zero_point);
    let (min, max) = (i32::from(output.min), i32::from(output.max));
    let signed = min < zero_point;
    let stairs = greatest
        .iter()
        .enumerate()
        .map(|(channel, greatest)| Stairs {
            scale: Multiplier {
                mantissa: channels.multiplier.at(channel),
                shift: channels.shift[channel],
            },
            // A bound beyond i32 has no line.
            most: i32::try_from(*greatest).unwrap_or(i32::MAX),
            zero_point,
            numbers: min + 1..=max,
            signed,
        });
    let mut lines = Vec::new();
    lanes.run(Fit {
        stairs,
        lines: &mut lines,
    });
    let rescaling = match (lines.len() == greatest.len(), signed) {
        (true, false) => Rescaling::Line,
        (true, true) => Rescaling::SignedLine,
        (false, _) => Rescaling::Integers,
    };
    lines.resize(greatest.len(), Line::default());
    (lines, rescaling)
}

/// Combination that a layer was prepacked for: kernel, rescaling, and the kernel's loop.
#[cfg(test)]
pub(super) type Way = (Kind, Rescaling, Loop);

/// Special loop of a block.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loop {
    Any,
    /// Numbers of long and short turns that all vectors share.
    Few(usize, usize),
    /// The windows of a depthwise layer.
    Burden(Burden),
}

#[cfg(test)]
impl Ready {
    /// Combinations of the layer, or of its blocks.
    pub(super) fn ways(&self) -> Vec<Way> {
        let way = |of| (self.shape.kind, self.rescaling, of);
        let blocks = self.schedule.all().iter();
        let few = blocks.filter(|_| self.few);
        let few = few.map(|turns| way(Loop::Few(turns.long, turns.short)));
        let burdens = self.burdens.iter();
        let burdens = burdens.map(|burden| way(Loop::Burden(*burden)));
        let mut ways: Vec<Way> = few.chain(burdens).collect();
        if ways.is_empty() {
            ways.push(way(Loop::Any));
        }
        ways
    }
}
