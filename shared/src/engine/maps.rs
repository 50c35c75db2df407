//! Runs one layer on a whole feature map, whose output does not overlap its input.

use core::ops::Range;

use super::layer::{each_pixel, finish_pool, rows_under};
use super::{Engine, EngineError, Observer};
use crate::kernels::{Kernels, Layout};
use crate::model::{Layer, Op};

/// Number of rows of `layer` that one kernel call covers: tens of pixels, so that the activations stay
/// in the first-level cache.
fn rows_together(layer: &Layer) -> usize {
    const PIXELS: u16 = 64;
    let rows = PIXELS / layer.output.width.clamp(1, PIXELS);
    rows.min(layer.output.height).max(1).into()
}

/// Largest number of pixels of `layer` that one kernel call covers.
pub(super) fn pixels_together(layer: &Layer) -> usize {
    usize::from(layer.output.width) * rows_together(layer)
}

impl<K: Kernels> Engine<'_, '_, K> {
    /// Arena range of the whole output of layer `index`.
    fn map(&self, index: usize) -> Range<usize> {
        let start = self.plan.slots[index].output.row(0);
        start..start + self.layer(index).output.len()
    }

    /// Computes the whole output of layer `index`, which is not the first.
    pub(super) fn run_map(
        &mut self,
        index: usize,
        observer: &mut impl Observer,
    ) -> Result<(), EngineError> {
        let layer = self.layer(index);
        let other = match layer.op {
            Op::Add if usize::from(layer.skip) + 1 != index => self.map(layer.skip.into()),
            Op::GlobalAveragePool | Op::Mean => self.sums(index),
            _ => 0..0,
        };
        let (input, output) = (self.map(index - 1), self.map(index));
        let [input, other, output] = self
            .arena
            .get_disjoint_mut([input, other, output])
            .map_err(|_| EngineError::Plan)?;
        let (model, kernels, scratch) = (self.model, &self.kernels, &mut *self.scratch);
        let depthwise = kernels.depthwise_layout();
        let (row_in, row_out) = (layer.input.row_len(), layer.output.row_len());
        match layer.op {
            Op::Conv3x3 => {
                let params = model.conv_params(index, depthwise);
                for (y, output) in output.chunks_exact_mut(row_out).enumerate() {
                    let rows = rows_under(layer, y).map(|row| Some(row_of(input, row?, row_in)));
                    kernels.conv3x3(&params, rows, scratch, output);
                }
            }
            Op::Depthwise3x3 => {
                let params = model.depthwise_params(index, depthwise);
                for (y, output) in output.chunks_exact_mut(row_out).enumerate() {
                    let rows = rows_under(layer, y).map(|row| Some(row_of(input, row?, row_in)));
                    kernels.depthwise3x3(&params, rows, output);
                }
            }
            Op::GlobalAveragePool | Op::Mean => {
                other.fill(0);
                kernels.pool_row(input, other);
                finish_pool(model, kernels, index, other, output);
            }
            Op::Flatten => output.copy_from_slice(input),
            Op::Pointwise => {
                let planar = model.output_layout(index, depthwise) == Layout::Planar;
                let rows = if planar { 1 } else { rows_together(layer) };
                let inputs = input.chunks(rows * row_in);
                for (input, output) in inputs.zip(output.chunks_mut(rows * row_out)) {
                    let pixels = input.len() / usize::from(layer.input.channels);
                    each_pixel(model, kernels, index, pixels, [input, &[]], scratch, output);
                }
            }
            Op::Dense | Op::Add => {
                let other = if other.is_empty() { &*input } else { &*other };
                each_pixel(model, kernels, index, 1, [input, other], scratch, output);
            }
        }
        for y in 0..layer.output.height.into() {
            self.observe(index, y, observer)?;
        }
        Ok(())
    }
}

fn row_of(map: &[i8], y: usize, len: usize) -> &[i8] {
    &map[y * len..][..len]
}
