//! Runs a checked model in the caller's memory: rows in, logits out.
//!
//! Here is the flow of rows; `layer.rs` runs one layer.

mod layer;
#[cfg(feature = "alloc")]
mod maps;
#[cfg(feature = "alloc")]
mod prepared;
#[cfg(feature = "alloc")]
mod tail;

use core::fmt;

use heapless::Vec;

use crate::kernels::scalar::Scalar;
use crate::kernels::{Kernels, Layout};
use crate::model::{GoldenRows, Layer, MAX_LAYERS, Model, Op};
use crate::plan::Plan;

#[cfg(feature = "alloc")]
pub use prepared::Prepared;

/// Why a picture could not be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The memory is smaller than the plan.
    Arena {
        /// Bytes that the plan takes.
        needed: usize,
        /// Bytes that were given.
        given: usize,
    },
    /// A row has another length than the model's input.
    RowLength {
        /// Numbers in a row of the input.
        expected: usize,
        /// Numbers in the row.
        found: usize,
    },
    /// A row was pushed after the last.
    TooManyRows,
    /// The answer was asked for before the last row.
    MissingRows {
        /// Rows of the input.
        expected: usize,
        /// Rows that were pushed.
        found: usize,
    },
    /// The golden check gave another answer than it did on the laptop.
    Golden,
    /// The plan does not hold what it promises; a fault in posy.
    Plan,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arena { needed, given } => {
                write!(
                    f,
                    "the model needs {needed} bytes of memory and has {given}"
                )
            }
            Self::RowLength { expected, found } => {
                write!(f, "a row should hold {expected} numbers and holds {found}")
            }
            Self::TooManyRows => write!(f, "a row came after the last one of the picture"),
            Self::MissingRows { expected, found } => {
                write!(f, "the picture has {found} of its {expected} rows")
            }
            Self::Golden => write!(f, "the golden check gave another answer than the laptop"),
            Self::Plan => write!(f, "the memory plan is not what it promises"),
        }
    }
}

impl core::error::Error for EngineError {}

/// Sees each row that a layer writes; for tests and profiles.
pub trait Observer {
    /// Row `row` of layer `layer`, in `layout`.
    fn row(&mut self, layer: usize, row: usize, layout: Layout, numbers: &[i8]);
}

impl Observer for () {
    fn row(&mut self, _: usize, _: usize, _: Layout, _: &[i8]) {}
}

/// How far a layer has come in the current picture.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Input rows that have arrived.
    received: u16,
    /// Output rows that have been written.
    written: u16,
    /// Whether the newest input row is still only in its scratch row.
    fresh: bool,
}

impl Progress {
    /// Index of the newest input row, once one has arrived.
    const fn newest(&self) -> usize {
        (self.received as usize).saturating_sub(1)
    }
}

/// Words of scratch that `kernels` want for the layers of `model`, when they are given as many pixels
/// together as `pixels` says.
fn scratch_len(
    model: &Model<'_>,
    kernels: &impl Kernels,
    pixels: impl Fn(&Layer) -> usize,
) -> usize {
    let layers = model.layers().iter();
    let packed = layers.filter(|layer| layer.op != Op::Depthwise3x3);
    packed
        .map(|layer| kernels.scratch_len(layer.terms(), pixels(layer)))
        .max()
        .unwrap_or(0)
}

/// Words of scratch where kernels are given a row at a time.
fn scratch_of_rows(model: &Model<'_>, kernels: &impl Kernels) -> usize {
    scratch_len(model, kernels, |layer| layer.output.width.into())
}

/// Bytes that `model` needs to run with `kernels`: those of its plan, and scratch for the kernels
/// behind them, with what it takes to align it to words wherever the memory begins.
pub fn arena_len(model: &Model<'_>, kernels: &impl Kernels) -> usize {
    with_scratch(model.plan(), scratch_of_rows(model, kernels))
}

/// Bytes of the arena of `plan` and so many words of scratch.
fn with_scratch(plan: &Plan, words: usize) -> usize {
    match words {
        0 => plan.arena_len,
        _ => plan
            .arena_len
            .saturating_add(words.saturating_mul(4))
            .saturating_add(3),
    }
}

/// Shows `kernels` the weights of all layers.
fn prepare(model: &Model<'_>, kernels: &mut impl Kernels) {
    let depthwise = kernels.depthwise_layout();
    for index in 0..model.layers().len() {
        if let Some(layer) = model.weighted(index, depthwise) {
            kernels.prepare(layer);
        }
    }
}

/// A model, the memory that it runs in, and the state of the current picture.
#[derive(Debug)]
pub struct Engine<'r, 'm, K> {
    model: &'r Model<'m>,
    plan: &'r Plan,
    arena: &'r mut [i8],
    scratch: &'r mut [u32],
    kernels: K,
    progress: Vec<Progress, MAX_LAYERS>,
    /// Whether the arena still holds the output of a whole picture.
    finished: bool,
}

impl<'r, 'm, K: Kernels> Engine<'r, 'm, K> {
    /// An engine for `model` in `arena`, of which it uses the first [`arena_len`] bytes.
    ///
    /// # Errors
    /// [`EngineError::Arena`] where the memory is too small.
    pub fn new(
        model: &'r Model<'m>,
        arena: &'r mut [i8],
        mut kernels: K,
    ) -> Result<Self, EngineError> {
        prepare(model, &mut kernels);
        let words = scratch_of_rows(model, &kernels);
        Self::assemble(model, model.plan(), words, arena, kernels)
    }

    /// An engine whose kernels have been shown the weights, by a plan of the model's layers and with
    /// so many words of scratch.
    fn assemble(
        model: &'r Model<'m>,
        plan: &'r Plan,
        words: usize,
        arena: &'r mut [i8],
        kernels: K,
    ) -> Result<Self, EngineError> {
        let (needed, given) = (with_scratch(plan, words), arena.len());
        let too_small = EngineError::Arena { needed, given };
        let (arena, rest) = arena
            .split_at_mut_checked(plan.arena_len)
            .ok_or(too_small)?;
        let (_, scratch, _) = bytemuck::pod_align_to_mut::<i8, u32>(rest);
        let scratch = scratch.get_mut(..words).ok_or(too_small)?;
        let mut engine = Engine {
            model,
            plan,
            arena,
            scratch,
            kernels,
            progress: Vec::new(),
            finished: false,
        };
        engine.begin()?;
        Ok(engine)
    }

    /// The model that it runs.
    pub const fn model(&self) -> &'r Model<'m> {
        self.model
    }

    /// Begins a picture; what was pushed of another is forgotten.
    ///
    /// # Errors
    /// None for a checked model.
    pub fn begin(&mut self) -> Result<(), EngineError> {
        self.finished = false;
        self.progress.clear();
        self.progress
            .resize_default(self.model.layers().len())
            .map_err(|_| EngineError::Plan)?;
        Ok(())
    }

    /// Takes the next row of the picture, `[W, C]`, and runs whatever can be run with it.
    ///
    /// # Errors
    /// [`EngineError::RowLength`] or [`EngineError::TooManyRows`]; the picture is as it was.
    pub fn push_row(&mut self, row: &[i8]) -> Result<(), EngineError> {
        self.push_row_observed(row, &mut ())
    }

    /// [`Engine::push_row`], showing each row that is written.
    ///
    /// # Errors
    /// As [`Engine::push_row`].
    pub fn push_row_observed(
        &mut self,
        row: &[i8],
        observer: &mut impl Observer,
    ) -> Result<(), EngineError> {
        let input = self.model.input_shape();
        if row.len() != input.row_len() {
            return Err(EngineError::RowLength {
                expected: input.row_len(),
                found: row.len(),
            });
        }
        if self.progress[0].received == input.height {
            return Err(EngineError::TooManyRows);
        }
        self.finished = false;
        let end = usize::from(self.plan.cuts[0]);
        self.run_row(0, end, row, observer)
    }

    /// The model's output once every row has been pushed: logits, or features. The next picture
    /// can begin.
    ///
    /// # Errors
    /// [`EngineError::MissingRows`]; the picture is as it was.
    pub fn finish(&mut self) -> Result<&[i8], EngineError> {
        self.finish_observed(&mut ())
    }

    /// [`Engine::finish`], showing each row that is written.
    ///
    /// # Errors
    /// As [`Engine::finish`].
    pub fn finish_observed(&mut self, observer: &mut impl Observer) -> Result<&[i8], EngineError> {
        let expected = usize::from(self.model.input_shape().height);
        let found = usize::from(self.progress[0].received);
        if found < expected {
            return Err(EngineError::MissingRows { expected, found });
        }
        let (model, plan) = (self.model, self.plan);
        for pair in plan.cuts.windows(2) {
            let (first, end) = (usize::from(pair[0]), usize::from(pair[1]));
            #[cfg(feature = "alloc")]
            if plan.apart {
                self.run_map(first, observer)?;
                continue;
            }
            for _ in 0..model.layers()[first].input.height {
                self.run_row(first, end, &[], observer)?;
            }
        }
        self.begin()?;
        self.finished = true;
        self.last_output().ok_or(EngineError::Plan)
    }

    /// What [`Engine::finish`] gave last; none once another picture has begun.
    pub fn last_output(&self) -> Option<&[i8]> {
        let last = self.plan.slots.last().filter(|_| self.finished)?;
        let start = last.output.offset as usize;
        self.arena.get(start..start + self.model.output_len())
    }

    /// Runs the model's golden input and compares; `row` is room for one row of the input.
    ///
    /// # Errors
    /// [`EngineError::Golden`] where the answer is not the one in the model;
    /// [`EngineError::RowLength`] where `row` has not the length of an input row.
    pub fn golden_check(&mut self, row: &mut [i8]) -> Result<(), EngineError> {
        let model = self.model;
        let golden = model.golden();
        let mut rows = GoldenRows::new(golden.seed);
        self.begin()?;
        for _ in 0..model.input_shape().height {
            rows.fill(row);
            self.push_row(row)?;
        }
        let logits = self.finish()?;
        let equal = logits.len() == golden.logits.len()
            && logits
                .iter()
                .zip(golden.logits)
                .all(|(&logit, &expected)| logit == expected as i8);
        if equal {
            Ok(())
        } else {
            Err(EngineError::Golden)
        }
    }

    /// Gives the next row to layer `first` and follows what comes of it as far as it goes, depth
    /// first: a row written is read before the next is written, so that one scratch row does.
    fn run_row(
        &mut self,
        first: usize,
        end: usize,
        pushed: &[i8],
        observer: &mut impl Observer,
    ) -> Result<(), EngineError> {
        let mut index = first;
        self.receive(index, pushed)?;
        loop {
            if let Some(y) = self.writable(index) {
                self.write(index, y, pushed)?;
                self.observe(index, y, observer)?;
                self.keep(index, pushed)?;
                if index + 1 < end {
                    index += 1;
                    self.receive(index, pushed)?;
                }
            } else {
                self.keep(index, pushed)?;
                if index == first {
                    return Ok(());
                }
                index -= 1;
            }
        }
    }
}

/// Runs the last layer of `model` alone, by the plain reference: `features` as the layer before it gives them, to logits.
///
/// # Errors
/// [`EngineError::RowLength`] where features or logits are not as many as the layer has, or where
/// the last layer is not a dense one.
pub fn run_head(model: &Model<'_>, features: &[i8], logits: &mut [i8]) -> Result<(), EngineError> {
    let index = model.layers().len().saturating_sub(1);
    let dense = model
        .layers()
        .get(index)
        .filter(|layer| layer.op == Op::Dense);
    let expected = dense.map_or((0, 0), |layer| (layer.input.len(), layer.output.len()));
    let lengths = [(expected.0, features.len()), (expected.1, logits.len())];
    for (expected, found) in lengths {
        if expected != found || dense.is_none() {
            return Err(EngineError::RowLength { expected, found });
        }
    }
    Scalar.dense(&model.dense_params(index), features, &mut [], logits);
    model.complete(features, logits);
    Ok(())
}
