//! A model made ready, and the picture on its way through it.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ptr::null;

use posy_shared::engine::{EngineError, Prepared};
use posy_shared::kernels::{self, scalar::Scalar};
use posy_shared::model::{Model, ReadError};
use posy_shared::preprocess::{PreprocessError, Preprocessor, Size, scratch_len};
use posy_shared::ranking::Ranking;

/// The kernels that this program was compiled for. Behind a pointer: they are compiled once, in
/// `posy-shared`, for speed, and the rest of the engine here, for size.
pub type Kernels = Box<dyn kernels::Kernels + Send + Sync>;

/// The fastest kernels.
pub fn kernels() -> Kernels {
    #[cfg(target_feature = "simd128")]
    for variant in kernels::simd::VARIANTS {
        if let Some(kernels) = (variant.kernels)() {
            return kernels;
        }
    }
    Box::new(Scalar)
}

/// Labels of an answer, likeliest first.
const MOST: usize = 32;

/// A problem with a model or a picture.
#[derive(Debug)]
pub enum SessionError {
    /// The file is not a sound model.
    Model(ReadError),
    /// The model could not be run.
    Engine(EngineError),
    /// The picture could not be taken.
    Picture(PreprocessError),
    /// The extent is not one of a picture.
    Extent {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Rows came, or an answer was asked for, before a picture had begun.
    NotBegun,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
            Self::Picture(error) => error.fmt(f),
            Self::Extent { width, height } => write!(
                f,
                "{width} x {height} pixels: each side must be 1 to 65535; cut or shrink the picture"
            ),
            Self::NotBegun => f.write_str("no picture has begun"),
        }
    }
}

impl core::error::Error for SessionError {}

impl From<ReadError> for SessionError {
    fn from(error: ReadError) -> Self {
        Self::Model(error)
    }
}

impl From<EngineError> for SessionError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<PreprocessError> for SessionError {
    fn from(error: PreprocessError) -> Self {
        Self::Picture(error)
    }
}

/// A label's place and its probability.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Ranked {
    /// Its place among the logits.
    pub index: u32,
    /// Probability in units of 1/65536.
    pub score: u32,
}

/// The answer, as a page reads it: five words of 32 bits.
#[derive(Debug)]
#[repr(C)]
pub struct Answer {
    /// The model's outputs: a logit for each label, and what its decision rule wants besides.
    pub outputs: *const i8,
    /// Number of outputs.
    pub output_count: usize,
    /// The first labels, likeliest first.
    pub ranked: *const Ranked,
    /// Number of ranked labels.
    pub ranked_count: usize,
    /// 1 where even the likeliest label is not to be believed.
    pub unknown: u32,
}

/// Memory that lies where it is until this goes, for parts of a session that refer to each other.
#[derive(Debug)]
struct Pinned<T>(*mut [T]);

impl<T> Pinned<T> {
    fn new(memory: Box<[T]>) -> Self {
        Pinned(Box::into_raw(memory))
    }

    /// The memory, for as long the caller guarantees it.
    ///
    /// # Safety
    /// The reference goes before `self`, and before another is asked for.
    #[allow(clippy::mut_from_ref, reason = "the caller holds one at a time")]
    unsafe fn get(&self) -> &'static mut [T] {
        // SAFETY: it came of a box; the caller guarantees it.
        unsafe { &mut *self.0 }
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // SAFETY: it came of a box, and no reference is left.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// A model and the picture that is arriving. Fields are dropped in order: borrowers first.
pub struct Session {
    preprocessor: Option<Preprocessor<'static>>,
    prepared: Prepared<'static, Kernels>,
    scratch: Pinned<u32>,
    _file: Pinned<u8>,
    arena: Vec<i8>,
    /// `[H, W, 3]`, as far as its rows have come.
    input: Vec<i8>,
    /// A row of the picture, `[W, 3]`.
    row: Vec<u8>,
    outputs: Vec<i8>,
    ranked: Vec<Ranked>,
    answer: Answer,
}

impl Session {
    /// Reads and makes ready the model in `file`, and runs its golden check.
    pub fn open(file: Box<[u8]>) -> Result<Box<Self>, SessionError> {
        let file = Pinned::new(file);
        // SAFETY: the model goes before the file, here and as a field of a session; nobody else asks.
        let model = Model::read(unsafe { file.get() })?;
        let shape = model.input_shape();
        let prepared = Prepared::new(model, kernels());
        let mut arena = vec![0; prepared.arena_len()];
        prepared
            .engine(&mut arena)?
            .golden_check(&mut vec![0; shape.row_len()])?;
        Ok(Box::new(Session {
            preprocessor: None,
            prepared,
            scratch: Pinned::new(vec![0; scratch_len(shape.width)].into_boxed_slice()),
            _file: file,
            arena,
            input: Vec::with_capacity(shape.len()),
            row: Vec::new(),
            outputs: Vec::new(),
            ranked: Vec::new(),
            answer: Answer {
                outputs: null(),
                output_count: 0,
                ranked: null(),
                ranked_count: 0,
                unknown: 1,
            },
        }))
    }

    /// The label of logit `index`.
    pub fn label(&self, index: usize) -> Option<&str> {
        self.prepared.model().labels().nth(index)
    }

    /// Bytes of a row of the picture, four a pixel.
    pub const fn row_len(&self) -> usize {
        self.row.len() / 3 * 4
    }

    /// Begins a picture.
    pub fn begin(&mut self, width: u32, height: u32) -> Result<(), SessionError> {
        self.preprocessor = None;
        let side = |side: u32| u16::try_from(side).ok().filter(|side| *side > 0);
        let (Some(columns), Some(rows)) = (side(width), side(height)) else {
            return Err(SessionError::Extent { width, height });
        };
        let model = self.prepared.model();
        let (contract, shape) = (model.input_contract(), model.input_shape());
        let preprocessor = Preprocessor::new(
            Size {
                width: columns,
                height: rows,
            },
            contract.crop,
            contract.filter,
            Size {
                width: shape.width,
                height: shape.height,
            },
            model.pixel_map(),
            // SAFETY: the preprocessor before this one is gone, and as a field this one goes first.
            unsafe { self.scratch.get() },
        )?;
        self.preprocessor = Some(preprocessor);
        self.input.clear();
        self.row.clear();
        self.row.resize(usize::from(columns) * 3, 0);
        Ok(())
    }

    /// Takes whole rows of the picture, four bytes a pixel.
    pub fn push(&mut self, pixels: &[u8]) -> Result<(), SessionError> {
        let preprocessor = self.preprocessor.as_mut().ok_or(SessionError::NotBegun)?;
        let row_len = (self.row.len() / 3 * 4).max(4);
        for pixels in pixels.chunks_exact(row_len) {
            if !preprocessor.wants_row() {
                preprocessor.skip_row()?;
                continue;
            }
            let (to, _) = self.row.as_chunks_mut::<3>();
            for (to, [red, green, blue, _]) in to.iter_mut().zip(pixels.as_chunks::<4>().0) {
                *to = [*red, *green, *blue];
            }
            preprocessor.push_row(&self.row, |row| self.input.extend_from_slice(row))?;
        }
        Ok(())
    }

    /// Runs the network on the picture, and ranks.
    pub fn finish(&mut self) -> Result<&Answer, SessionError> {
        let preprocessor = self.preprocessor.take().ok_or(SessionError::NotBegun)?;
        preprocessor.finish()?;
        let mut engine = self.prepared.engine(&mut self.arena)?;
        let model = self.prepared.model();
        for row in self
            .input
            .chunks_exact(model.input_shape().row_len().max(1))
        {
            engine.push_row(row)?;
        }
        self.outputs.clear();
        self.outputs.extend_from_slice(engine.finish()?);
        let ranking = Ranking::<MOST>::new(model, &self.outputs);
        self.ranked.clear();
        self.ranked.extend(ranking.iter().map(|ranked| Ranked {
            index: ranked.index as u32,
            score: ranked.score.fine(),
        }));
        self.answer = Answer {
            outputs: self.outputs.as_ptr(),
            output_count: self.outputs.len(),
            ranked: self.ranked.as_ptr(),
            ranked_count: self.ranked.len(),
            unknown: ranking.is_unknown().into(),
        };
        Ok(&self.answer)
    }
}
