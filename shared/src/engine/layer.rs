//! Runs one layer: locates its input and output rows and calls the kernel.

use core::ops::Range;

use super::{Engine, EngineError, Observer, Progress};
use crate::kernels::{Kernels, mean_finish};
use crate::model::{Layer, Model, Op};
use crate::plan::newest_row;

/// Location of an input row: in the arena, or the row that the caller pushed.
#[derive(Clone, PartialEq, Eq)]
enum Source {
    Nothing,
    Pushed,
    Arena(Range<usize>),
}

impl Source {
    #[inline]
    fn range(&self) -> Range<usize> {
        match self {
            Source::Arena(range) => range.clone(),
            Source::Nothing | Source::Pushed => 0..0,
        }
    }

    #[inline]
    fn pick<'a>(&self, arena: &'a [i8], pushed: &'a [i8]) -> Option<&'a [i8]> {
        match self {
            Source::Nothing => None,
            Source::Pushed => Some(pushed),
            Source::Arena(_) => Some(arena),
        }
    }
}

/// Input rows under the window of output row `y` of a 3 x 3 layer, top first; `None` is padding.
#[inline]
pub(super) fn rows_under(layer: &Layer, y: usize) -> [Option<usize>; 3] {
    let top = y * usize::from(layer.stride);
    core::array::from_fn(|tap| {
        (top + tap)
            .checked_sub(layer.padding.top.into())
            .filter(|&row| row < usize::from(layer.input.height))
    })
}

/// Turns the sums of the pool or mean `index` over its whole input into its output.
pub(super) fn finish_pool(
    model: &Model<'_>,
    kernels: &impl Kernels,
    index: usize,
    sums: &[i8],
    output: &mut [i8],
) {
    let layer = &model.layers()[index];
    if layer.op == Op::Mean {
        return mean_finish(&model.mean_params(index), sums, output);
    }
    let pixels = i32::from(layer.input.height) * i32::from(layer.input.width);
    let clamp = (layer.output_min, layer.output_max);
    kernels.pool_finish(sums, pixels, clamp, output);
}

/// Runs layer `index` on adjacent pixels. The layer is an addition, a dense layer or a 1 x 1
/// convolution; `other` is the second operand of an addition.
#[inline]
pub(super) fn each_pixel(
    model: &Model<'_>,
    kernels: &impl Kernels,
    index: usize,
    pixels: usize,
    [input, other]: [&[i8]; 2],
    scratch: &mut [u32],
    output: &mut [i8],
) {
    match model.layers()[index].op {
        Op::Add => kernels.add(&model.add_params(index), input, other, output),
        Op::Dense => {
            kernels.dense(&model.dense_params(index), input, scratch, output);
            if index + 1 == model.layers().len() {
                model.complete(input, output);
            }
        }
        _ => {
            let mut params = model.pointwise_params(index, kernels.depthwise_layout());
            params.width = pixels;
            kernels.pointwise(&params, input, scratch, output);
        }
    }
}

impl<'r, K: Kernels> Engine<'r, '_, K> {
    #[inline]
    pub(super) fn layer(&self, index: usize) -> &'r Layer {
        &self.model.layers()[index]
    }

    /// Arena range of the sums of the pool at `index`.
    pub(super) fn sums(&self, index: usize) -> Range<usize> {
        let start = self.plan.slots[index].state as usize;
        start..start + 4 * usize::from(self.layer(index).output.channels)
    }

    /// Index of the next output row of layer `index`, if its input has arrived.
    #[inline]
    pub(super) fn writable(&self, index: usize) -> Option<usize> {
        let Progress {
            received, written, ..
        } = self.progress[index];
        let layer = self.layer(index);
        let y = usize::from(written);
        let more = written < layer.output.height;
        (more && newest_row(y, layer) < usize::from(received)).then_some(y)
    }

    /// Location of input row `y` of layer `index` as it arrives.
    #[inline]
    fn arrival(&self, index: usize, y: usize) -> Source {
        if index == 0 {
            return Source::Pushed;
        }
        let start = self.plan.slots[index - 1].output.row(y);
        Source::Arena(start..start + self.layer(index).input.row_len())
    }

    /// Arena range where a 3 x 3 layer keeps input row `y`.
    #[inline]
    fn kept(&self, index: usize, y: usize) -> Range<usize> {
        let len = self.layer(index).input.row_len();
        let start = self.plan.slots[index].state as usize + (y % 2) * len;
        start..start + len
    }

    /// Arena range where the addition at `index` keeps row `y` of its other operand.
    fn delayed(&self, index: usize, y: usize) -> Range<usize> {
        let slot = &self.plan.slots[index];
        let len = self.layer(index).output.row_len();
        let start = slot.state as usize + (y % usize::from(slot.delay.max(1))) * len;
        start..start + len
    }

    /// Records that a row has arrived at layer `index`, and saves it for the addition that needs it
    /// later.
    #[inline]
    pub(super) fn receive(&mut self, index: usize, pushed: &[i8]) -> Result<(), EngineError> {
        let y = usize::from(self.progress[index].received);
        self.progress[index].received += 1;
        self.progress[index].fresh = true;
        let previous = index.checked_sub(1);
        let saved_by = previous.and_then(|layer| self.plan.slots[layer].saved_by);
        match saved_by {
            Some(add) => {
                let to = self.delayed(add.into(), y);
                self.copy(self.arrival(index, y), to, pushed)
            }
            None => Ok(()),
        }
    }

    /// Copies the newest row of layer `index` out of its scratch row, which the next row overwrites.
    pub(super) fn keep(&mut self, index: usize, pushed: &[i8]) -> Result<(), EngineError> {
        if !core::mem::take(&mut self.progress[index].fresh) {
            return Ok(());
        }
        let y = self.progress[index].newest();
        match self.layer(index).op {
            Op::Conv3x3 | Op::Depthwise3x3 => {
                let to = self.kept(index, y);
                self.copy(self.arrival(index, y), to, pushed)
            }
            // Once the output is written, the sums already include the last row.
            Op::GlobalAveragePool | Op::Mean if self.progress[index].written == 0 => {
                self.pool(index, y, pushed)
            }
            Op::Flatten if self.progress[index].written == 0 => self.collect(index, y, pushed),
            _ => Ok(()),
        }
    }

    fn copy(&mut self, from: Source, to: Range<usize>, pushed: &[i8]) -> Result<(), EngineError> {
        let [arena, to] = self
            .arena
            .get_disjoint_mut([from.range(), to])
            .map_err(|_| EngineError::Plan)?;
        match from.pick(arena, pushed) {
            Some(row) if row.len() == to.len() => to.copy_from_slice(row),
            _ => return Err(EngineError::Plan),
        }
        Ok(())
    }

    /// Adds row `y` to the sums of the pool at `index`.
    fn pool(&mut self, index: usize, y: usize, pushed: &[i8]) -> Result<(), EngineError> {
        let from = self.arrival(index, y);
        let [arena, sums] = self
            .arena
            .get_disjoint_mut([from.range(), self.sums(index)])
            .map_err(|_| EngineError::Plan)?;
        if y == 0 {
            sums.fill(0);
        }
        let row = from.pick(arena, pushed).ok_or(EngineError::Plan)?;
        self.kernels.pool_row(row, sums);
        Ok(())
    }

    /// Arena range where the layer `index` collects the rows of a map that it flattens.
    fn collected(&self, index: usize) -> Range<usize> {
        let start = self.plan.slots[index].state as usize;
        start..start + self.layer(index).input.len()
    }

    /// Adds row `y` to the map that the layer `index` collects.
    fn collect(&mut self, index: usize, y: usize, pushed: &[i8]) -> Result<(), EngineError> {
        let len = self.layer(index).input.row_len();
        let start = self.collected(index).start + y * len;
        self.copy(self.arrival(index, y), start..start + len, pushed)
    }

    /// Arena range of output row `y` of layer `index`.
    #[inline]
    fn output(&self, index: usize, y: usize) -> Range<usize> {
        let start = self.plan.slots[index].output.row(y);
        start..start + self.layer(index).output.row_len()
    }

    pub(super) fn observe(
        &self,
        index: usize,
        y: usize,
        observer: &mut impl Observer,
    ) -> Result<(), EngineError> {
        let row = self.arena.get(self.output(index, y));
        let layout = self
            .model
            .output_layout(index, self.kernels.depthwise_layout());
        observer.row(index, y, layout, row.ok_or(EngineError::Plan)?);
        Ok(())
    }

    /// Computes output row `y` of layer `index`.
    pub(super) fn write(
        &mut self,
        index: usize,
        y: usize,
        pushed: &[i8],
    ) -> Result<(), EngineError> {
        self.progress[index].written += 1;
        let output = self.output(index, y);
        let layer = self.layer(index);
        match layer.op {
            Op::Conv3x3 | Op::Depthwise3x3 => self.write_window(index, y, output, pushed),
            Op::GlobalAveragePool | Op::Mean => {
                self.pool(index, self.progress[index].newest(), pushed)?;
                let [sums, output] = self
                    .arena
                    .get_disjoint_mut([self.sums(index), output])
                    .map_err(|_| EngineError::Plan)?;
                finish_pool(self.model, &self.kernels, index, sums, output);
                Ok(())
            }
            Op::Flatten => {
                self.collect(index, self.progress[index].newest(), pushed)?;
                self.copy(Source::Arena(self.collected(index)), output, &[])
            }
            Op::Pointwise | Op::Dense | Op::Add => {
                let from = self.arrival(index, y);
                let other = match layer.op {
                    Op::Add => self.delayed(index, y),
                    _ => 0..0,
                };
                let [arena, other, output] = self
                    .arena
                    .get_disjoint_mut([from.range(), other, output])
                    .map_err(|_| EngineError::Plan)?;
                let row = from.pick(arena, pushed).ok_or(EngineError::Plan)?;
                let scratch = &mut *self.scratch;
                let pixels = layer.output.width.into();
                let inputs = [row, other];
                each_pixel(
                    self.model,
                    &self.kernels,
                    index,
                    pixels,
                    inputs,
                    scratch,
                    output,
                );
                Ok(())
            }
        }
    }

    fn write_window(
        &mut self,
        index: usize,
        y: usize,
        output: Range<usize>,
        pushed: &[i8],
    ) -> Result<(), EngineError> {
        let layer = self.layer(index);
        let Progress { fresh, .. } = self.progress[index];
        let newest = self.progress[index].newest();
        let sources = rows_under(layer, y).map(|row| match row {
            None => Source::Nothing,
            Some(row) if row == newest && fresh => self.arrival(index, row),
            Some(row) => Source::Arena(self.kept(index, row)),
        });
        let [top, middle, bottom, output] = self
            .arena
            .get_disjoint_mut([
                sources[0].range(),
                sources[1].range(),
                sources[2].range(),
                output,
            ])
            .map_err(|_| EngineError::Plan)?;
        let rows = [
            sources[0].pick(top, pushed),
            sources[1].pick(middle, pushed),
            sources[2].pick(bottom, pushed),
        ];
        let depthwise = self.kernels.depthwise_layout();
        match layer.op {
            Op::Conv3x3 => {
                let params = self.model.conv_params(index, depthwise);
                self.kernels.conv3x3(&params, rows, self.scratch, output);
            }
            _ => {
                let params = self.model.depthwise_params(index, depthwise);
                self.kernels.depthwise3x3(&params, rows, output);
            }
        }
        Ok(())
    }
}
