//! Runs only the last pointwise layer and the pool after it: from a feature map to features.
//!
//! Fine-tuning changes that layer, so its integer output is computed again from maps that are cached.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

use super::layer::finish_pool;
use super::{EngineError, Prepared};
use crate::kernels::Kernels;
use crate::model::Op;

impl<K: Kernels> Prepared<'_, K> {
    /// Features that the model's last two layers, a pointwise one and a pool, compute from `map`, the
    /// `[H, W, C]` output of the layer before them. They are the same bytes as in a whole run.
    ///
    /// # Errors
    /// [`EngineError::Plan`] if the model does not end in these two layers; [`EngineError::RowLength`]
    /// if the map has another length.
    pub fn pooled(&self, map: &[i8]) -> Result<Vec<i8>, EngineError> {
        let layers = self.model.layers();
        let [.., pointwise, pool] = layers else {
            return Err(EngineError::Plan);
        };
        if pointwise.op != Op::Pointwise || !pool.op.is_mean() {
            return Err(EngineError::Plan);
        }
        let expected = pointwise.input.len();
        if map.len() != expected {
            let found = map.len();
            return Err(EngineError::RowLength { expected, found });
        }
        let depthwise = self.kernels.depthwise_layout();
        let params = self.model.pointwise_params(layers.len() - 2, depthwise);
        let mut scratch = vec![0; self.scratch_len];
        let mut row = vec![0; pointwise.output.row_len()];
        let mut sums = vec![0; 4 * usize::from(pool.input.channels)];
        for input in map.chunks_exact(pointwise.input.row_len()) {
            self.kernels
                .pointwise(&params, input, &mut scratch, &mut row);
            self.kernels.pool_row(&row, &mut sums);
        }
        let mut features = vec![0; pool.output.len()];
        finish_pool(
            &self.model,
            &self.kernels,
            layers.len() - 1,
            &sums,
            &mut features,
        );
        Ok(features)
    }
}
