//! Runs a checked model in the caller's memory: rows in, logits out.
//!
//! This file schedules the rows; `layer.rs` runs one layer.

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

/// Reason that inference failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The arena is smaller than the memory plan requires.
    Arena {
        /// Bytes that the plan requires.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// A row's length differs from that of the model's input.
    RowLength {
        /// Values in a row of the input.
        expected: usize,
        /// Values in the pushed row.
        found: usize,
    },
    /// A row was pushed after the last.
    TooManyRows,
    /// The output was requested before the last row.
    MissingRows {
        /// Rows of the input.
        expected: usize,
        /// Rows pushed so far.
        found: usize,
    },
    /// The golden check gave another output than on the laptop.
    Golden,
    /// The plan contradicts the model; a bug in posy.
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

/// Callback for each row that a layer writes; for tests and profiles.
pub trait Observer {
    /// Row `row` of the output of layer `layer`, in `layout`.
    fn row(&mut self, layer: usize, row: usize, layout: Layout, numbers: &[i8]);
}

impl Observer for () {
    fn row(&mut self, _: usize, _: usize, _: Layout, _: &[i8]) {}
}

/// Progress of a layer in the current picture.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Input rows that have arrived.
    received: u16,
    /// Output rows that have been written.
    written: u16,
    /// True while the newest input row lies only in its scratch row.
    fresh: bool,
}

impl Progress {
    /// Index of the newest input row, once one has arrived.
    const fn newest(&self) -> usize {
        (self.received as usize).saturating_sub(1)
    }
}

/// Words of scratch that `kernels` need for the layers of `model`, where `pixels` gives the number of
/// pixels that one call covers.
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

/// Words of scratch for kernels that are called for one row at a time.
fn scratch_of_rows(model: &Model<'_>, kernels: &impl Kernels) -> usize {
    scratch_len(model, kernels, |layer| layer.output.width.into())
}

/// Bytes that `model` needs to run with `kernels`: the plan's arena, then the kernels' scratch,
/// including the slack to align it to words wherever the memory begins.
pub fn arena_len(model: &Model<'_>, kernels: &impl Kernels) -> usize {
    with_scratch(model.plan(), scratch_of_rows(model, kernels))
}

/// Bytes of the arena of `plan` and `words` words of scratch.
fn with_scratch(plan: &Plan, words: usize) -> usize {
    match words {
        0 => plan.arena_len,
        _ => plan
            .arena_len
            .saturating_add(words.saturating_mul(4))
            .saturating_add(3),
    }
}

/// Prepacks the weights of every layer.
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
    /// True while the arena still holds the output of a whole picture.
    finished: bool,
}

impl<'r, 'm, K: Kernels> Engine<'r, 'm, K> {
    /// Creates an engine for `model` in `arena`, of which it uses the first [`arena_len`] bytes.
    ///
    /// # Errors
    /// [`EngineError::Arena`] if the memory is too small.
    pub fn new(
        model: &'r Model<'m>,
        arena: &'r mut [i8],
        mut kernels: K,
    ) -> Result<Self, EngineError> {
        prepare(model, &mut kernels);
        let words = scratch_of_rows(model, &kernels);
        Self::assemble(model, model.plan(), words, arena, kernels)
    }

    /// Creates an engine from kernels that have prepacked the weights, a plan of the model's layers and
    /// the number of words of scratch.
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

    /// The model that the engine runs.
    pub const fn model(&self) -> &'r Model<'m> {
        self.model
    }

    /// Begins a picture and discards the rows of an unfinished one.
    ///
    /// # Errors
    /// [`EngineError::Plan`], which a checked model never causes.
    pub fn begin(&mut self) -> Result<(), EngineError> {
        self.finished = false;
        self.progress.clear();
        self.progress
            .resize_default(self.model.layers().len())
            .map_err(|_| EngineError::Plan)?;
        Ok(())
    }

    /// Takes the next row of the picture, `[W, C]`, and runs every layer row whose inputs are complete.
    ///
    /// # Errors
    /// [`EngineError::RowLength`] or [`EngineError::TooManyRows`]; the state of the picture is
    /// unchanged.
    pub fn push_row(&mut self, row: &[i8]) -> Result<(), EngineError> {
        self.push_row_observed(row, &mut ())
    }

    /// Same as [`Engine::push_row`], and reports each row that is written to `observer`.
    ///
    /// # Errors
    /// Same as [`Engine::push_row`].
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

    /// Returns the model's output once every row has been pushed: logits, or features. The next picture
    /// can then begin.
    ///
    /// # Errors
    /// [`EngineError::MissingRows`]; the state of the picture is unchanged.
    pub fn finish(&mut self) -> Result<&[i8], EngineError> {
        self.finish_observed(&mut ())
    }

    /// Same as [`Engine::finish`], and reports each row that is written to `observer`.
    ///
    /// # Errors
    /// Same as [`Engine::finish`].
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

    /// Output that [`Engine::finish`] returned last; `None` once another picture has begun.
    pub fn last_output(&self) -> Option<&[i8]> {
        let last = self.plan.slots.last().filter(|_| self.finished)?;
        let start = last.output.offset as usize;
        self.arena.get(start..start + self.model.output_len())
    }

    /// Runs the model's golden input and compares the output; `row` is a buffer for one row of the
    /// input.
    ///
    /// # Errors
    /// [`EngineError::Golden`] if the output differs from the one in the model;
    /// [`EngineError::RowLength`] if `row` has not the length of an input row.
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

    /// Pushes the next row into layer `first` and runs the layers behind it depth first, as far as the
    /// row allows. Each row is consumed before the next is written, so one scratch row is enough.
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

/// Runs the last layer of `model` alone with the reference kernels, from the features that the layer
/// before it wrote to logits.
///
/// # Errors
/// [`EngineError::RowLength`] if the number of features or logits differs from the layer's, or if the
/// last layer is not dense.
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
