//! A model prepacked once for many pictures, for hosts with plenty of memory.

use super::maps::pixels_together;
use super::{Engine, EngineError, prepare, scratch_len, with_scratch};
use crate::kernels::Kernels;
use crate::model::Model;
use crate::plan::{Plan, apart};

/// A model whose weights the kernels have prepacked. Any number of engines share it, on several threads
/// at once, so that the weights are not prepacked again for each picture.
///
/// Its engines give the same bytes as one of [`Engine::new`], but in more memory: they run by a plan of
/// [`apart`].
#[derive(Clone, Debug)]
pub struct Prepared<'m, K> {
    pub(super) model: Model<'m>,
    pub(super) kernels: K,
    plan: Plan,
    /// Words of scratch for the kernels.
    pub(super) scratch_len: usize,
}

impl<'m, K: Kernels> Prepared<'m, K> {
    /// Prepacks the weights of `model` for `kernels`.
    pub fn new(model: Model<'m>, mut kernels: K) -> Self {
        prepare(&model, &mut kernels);
        // Maps too large to lie apart fall back to the plan with the smallest arena.
        let plan = apart(model.layers()).unwrap_or_else(|_| model.plan().clone());
        let scratch_len = scratch_len(&model, &kernels, pixels_together);
        Prepared {
            model,
            kernels,
            plan,
            scratch_len,
        }
    }

    /// The model.
    pub const fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Bytes that an engine needs.
    pub fn arena_len(&self) -> usize {
        with_scratch(&self.plan, self.scratch_len)
    }

    /// Creates an engine in `arena`, of which it uses the first [`Prepared::arena_len`] bytes.
    ///
    /// # Errors
    /// [`EngineError::Arena`] if the memory is too small.
    pub fn engine<'r>(&'r self, arena: &'r mut [i8]) -> Result<Engine<'r, 'm, &'r K>, EngineError> {
        Engine::assemble(
            &self.model,
            &self.plan,
            self.scratch_len,
            arena,
            &self.kernels,
        )
    }
}
