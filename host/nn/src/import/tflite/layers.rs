//! Converts one operator to one layer.

use posy_shared::model::{Op, Padding, Shape};

use super::error::Problem;
use super::schema::{Operator, Options};
use super::tensors::{Map, Tensors, Weights};
use crate::graph::network::{Activation, Common, TrainedLayer};
use crate::graph::padding::{same_padding, window_output};

/// Inputs and outputs of an operator.
pub(super) struct Site<'s, 'm, 'a> {
    pub(super) tensors: &'s Tensors<'m, 'a>,
    pub(super) operator: &'s Operator<'a>,
    /// Output of the layer before, as this operator sees it.
    pub(super) input: Map,
    /// Rows and columns added by a PAD before it.
    pub(super) padded: Padding,
    /// Name of the tensor that it writes.
    pub(super) name: String,
}

impl Site<'_, '_, '_> {
    /// CONV_2D with weights `[O, H, W, I]`. After the pool a map is one pixel, and its convolution
    /// is a fully connected layer.
    pub(super) fn convolution(&self, after_pool: bool) -> Result<TrainedLayer, Problem> {
        let weights = self.operand(1, "weights")?;
        let found = self.tensors.dimensions(weights)?;
        let [outputs, kernel_h, kernel_w, inputs] = found.as_slice() else {
            return Err(self.shape(weights, "convolution weights are [O, H, W, I]"));
        };
        self.settle_windows(*kernel_h, *outputs)?;
        let output = self.output()?;
        let channels = (*inputs, *outputs);
        if channels
            != (
                i32::from(self.input.shape.channels),
                i32::from(output.shape.channels),
            )
        {
            return Err(self.shape(
                weights,
                "it must be [O, H, W, I] with the channels of output and input",
            ));
        }
        let op = match (kernel_h, kernel_w) {
            (3, 3) => Op::Conv3x3,
            (1, 1) if after_pool && (self.input.shape.height, self.input.shape.width) == (1, 1) => {
                Op::Dense
            }
            (1, 1) => Op::Pointwise,
            (h, w) => return Err(Problem::Kernel(*h, *w, "3 x 3 and 1 x 1")),
        };
        let weights = self.tensors.weights(weights, output.shape.channels, 0)?;
        self.windowed(op, weights, output)
    }

    /// DEPTHWISE_CONV_2D with weights `[1, H, W, C]` in the file, `[C, H, W]` in the layer. A `first`
    /// layer that makes several channels of one is a convolution whose other weights are zero.
    pub(super) fn depthwise(&self, first: bool) -> Result<TrainedLayer, Problem> {
        let weights = self.operand(1, "weights")?;
        if let [_, kernel, _, outputs] = *self.tensors.dimensions(weights)?.as_slice() {
            self.settle_windows(kernel, outputs)?;
        }
        let output = self.output()?;
        let (inputs, outputs) = (self.input.shape.channels, output.shape.channels);
        let several = first && inputs > 0 && outputs.is_multiple_of(inputs);
        if inputs != outputs && !several {
            return Err(Problem::DepthMultiplier { inputs, outputs });
        }
        match self.tensors.dimensions(weights)?.as_slice() {
            [1, 3, 3, channels] if *channels == i32::from(outputs) => {}
            [1, h, w, channels] if *channels == i32::from(outputs) => {
                return Err(Problem::Kernel(*h, *w, "3 x 3"));
            }
            _ => return Err(self.shape(weights, "depthwise weights are [1, 3, 3, C]")),
        }
        let Weights { values, scales } = self.tensors.weights(weights, outputs, 3)?;
        let channels = usize::from(outputs);
        if inputs != outputs {
            let of_each = channels / usize::from(inputs);
            let values = crate::graph::builder::widened(&values, inputs.into(), of_each);
            return self.windowed(Op::Conv3x3, Weights { values, scales }, output);
        }
        let values = (0..values.len())
            .map(|i| values[i % 9 * channels + i / 9])
            .collect();
        self.windowed(Op::Depthwise3x3, Weights { values, scales }, output)
    }

    /// Settles an open output of a convolution with windows of `kernel` x `kernel` and `channels` outputs.
    fn settle_windows(&self, kernel: i32, channels: i32) -> Result<(), Problem> {
        let Options::Convolution {
            padding,
            stride: [step, _],
            ..
        } = self.operator.options
        else {
            return Ok(());
        };
        let kernel = u16::try_from(kernel)
            .ok()
            .filter(|kernel| matches!(kernel, 1 | 3));
        let step = u8::try_from(step).ok().filter(|step| *step > 0);
        if let (Some(kernel), Some(step), Ok(channels)) = (kernel, step, u16::try_from(channels)) {
            let padding = match padding {
                0 => same_padding(self.input.shape, kernel, step),
                _ => self.padded,
            };
            if let Some(shape) = window_output(self.input.shape, kernel, step, padding, channels) {
                self.tensors.settle(self.output_tensor()?, shape);
            }
        }
        Ok(())
    }

    /// Common part of convolutions: options, padding, bias.
    fn windowed(&self, op: Op, weights: Weights, output: Map) -> Result<TrainedLayer, Problem> {
        let Options::Convolution {
            padding,
            stride,
            activation,
            dilation,
        } = self.operator.options
        else {
            return Err(Problem::Options);
        };
        let kernel = if matches!(op, Op::Conv3x3 | Op::Depthwise3x3) {
            3
        } else {
            1
        };
        if dilation != [1, 1] && kernel > 1 {
            return Err(Problem::Dilation(dilation[0], dilation[1]));
        }
        let step = match stride {
            [h, w] if h == w && (kernel == 3 || h == 1) => u8::try_from(h).ok().filter(|s| *s > 0),
            _ => None,
        };
        let step = step.ok_or(Problem::Stride(stride[0], stride[1]))?;
        let (input, unpadded) = (self.input.shape, self.padded == Padding::default());
        let padding = match padding {
            0 if !unpadded => return Err(Problem::Padding),
            0 => same_padding(input, kernel, step),
            1 if kernel == 1 && !unpadded => return Err(Problem::Padding),
            1 => self.padded,
            other => return Err(Problem::PaddingMode(other)),
        };
        let expected = window_output(input, kernel, step, padding, output.shape.channels);
        if expected != Some(output.shape) {
            let nothing = Shape {
                height: 0,
                width: 0,
                channels: 0,
            };
            return Err(Problem::OutputShape {
                found: output.shape,
                expected: expected.unwrap_or(nothing),
            });
        }
        self.weighted(op, weights, output, (step, padding), activation)
    }

    /// FULLY_CONNECTED with weights `[O, I]`.
    pub(super) fn fully_connected(&self) -> Result<TrainedLayer, Problem> {
        let Options::FullyConnected {
            activation,
            weights_format,
            ..
        } = self.operator.options
        else {
            return Err(Problem::Options);
        };
        if weights_format != 0 {
            return Err(Problem::WeightsFormat(weights_format));
        }
        self.unpadded()?;
        let weights = self.operand(1, "weights")?;
        let read = self.input.shape;
        let dims = self.tensors.dimensions(weights)?;
        let outputs = match *dims.as_slice() {
            [outputs, inputs] if inputs == i32::from(read.channels) => u16::try_from(outputs).ok(),
            _ => None,
        };
        let Some(channels) = outputs.filter(|outputs| *outputs > 0) else {
            return Err(self.shape(weights, "fully connected weights are [O, I]"));
        };
        // The file may give the pixels of a map another shape.
        let shape = Shape { channels, ..read };
        let written = self.output_tensor()?;
        self.tensors.settle(written, shape);
        if self.tensors.len(written)? != shape.len() {
            return Err(self.shape(written, "it has a value for each output of each pixel"));
        }
        let output = Map {
            shape,
            quantisation: self.tensors.quantisation(written)?,
        };
        let op = match (read.height, read.width) {
            (1, 1) => Op::Dense,
            _ => Op::Pointwise,
        };
        let weights = self.tensors.weights(weights, channels, 0)?;
        let padding = (1, Padding::default());
        let layer = self.weighted(op, weights, output, padding, activation)?;
        Ok(TrainedLayer {
            fully_connected: true,
            ..layer
        })
    }

    fn weighted(
        &self,
        op: Op,
        weights: Weights,
        output: Map,
        (stride, padding): (u8, Padding),
        activation: i8,
    ) -> Result<TrainedLayer, Problem> {
        let (input_scale, output_scale) =
            (self.input.quantisation.scale, output.quantisation.scale);
        let bias = self.operator.inputs.get(2);
        let bias = self
            .tensors
            .bias(bias, input_scale, &weights.scales, output_scale)?;
        let common = Common {
            stride,
            padding,
            ..self.common(op, output, activation)?
        };
        Ok(TrainedLayer {
            common,
            weights: weights.values,
            weight_scales: weights.scales,
            bias,
            output: output.quantisation,
            fully_connected: false,
        })
    }

    /// AVERAGE_POOL_2D over the whole map.
    pub(super) fn average_pool(&self) -> Result<TrainedLayer, Problem> {
        let Options::Pool { filter, activation } = self.operator.options else {
            return Err(Problem::Options);
        };
        let Shape { height, width, .. } = self.input.shape;
        if filter != [i32::from(height), i32::from(width)] {
            return Err(Problem::Pool(filter[0], filter[1]));
        }
        self.pool(Op::GlobalAveragePool, activation)
    }

    /// MEAN over height and width. Unlike an average pool it has an output scale of its own, and rounds
    /// in another way even if both scales are equal.
    pub(super) fn mean(&self) -> Result<TrainedLayer, Problem> {
        let rank = self.tensors.dimensions(self.operand(0, "input")?)?.len();
        let mut axes = self.tensors.integers(self.operand(1, "axes")?)?;
        for axis in &mut axes {
            // Negative axes count from the end.
            *axis = if *axis < 0 {
                axis.saturating_add(4)
            } else {
                *axis
            };
        }
        axes.sort_unstable();
        if rank != 4 || axes != [1, 2] {
            return Err(Problem::Axes);
        }
        self.pool(Op::Mean, 0)
    }

    fn pool(&self, op: Op, activation: i8) -> Result<TrainedLayer, Problem> {
        self.unpadded()?;
        let expected = Shape {
            height: 1,
            width: 1,
            channels: self.input.shape.channels,
        };
        if op == Op::Mean {
            self.tensors.settle(self.output_tensor()?, expected);
        }
        let output = self.output()?;
        if output.shape != expected {
            return Err(Problem::OutputShape {
                found: output.shape,
                expected,
            });
        }
        if op != Op::Mean && output.quantisation != self.input.quantisation {
            return Err(Problem::Requantises);
        }
        Ok(unweighted(self.common(op, output, activation)?, output))
    }

    /// ADD of the layer before it and the layer `skip`, which wrote `other`.
    pub(super) fn add(&self, skip: usize, other: Map) -> Result<TrainedLayer, Problem> {
        let Options::Add { activation } = self.operator.options else {
            return Err(Problem::Options);
        };
        self.unpadded()?;
        self.tensors.settle(self.output_tensor()?, self.input.shape);
        let output = self.output()?;
        for shape in [self.input.shape, other.shape] {
            if shape != output.shape {
                return Err(Problem::OutputShape {
                    found: output.shape,
                    expected: shape,
                });
            }
        }
        let common = self.common(Op::Add, output, activation)?;
        Ok(unweighted(
            Common {
                skip: Some(skip),
                ..common
            },
            output,
        ))
    }

    /// PAD: the rows and columns that it adds, which the next layer absorbs.
    pub(super) fn pad(&self) -> Result<Padding, Problem> {
        self.unpadded()?;
        let amounts = self.tensors.integers(self.operand(1, "paddings")?)?;
        let [0, 0, top, bottom, left, right, 0, 0] = *amounts.as_slice() else {
            return Err(Problem::Padding);
        };
        let amount = |n: i32| {
            u8::try_from(n)
                .ok()
                .filter(|n| *n <= 2)
                .ok_or(Problem::Padding)
        };
        let padding = Padding {
            top: amount(top)?,
            bottom: amount(bottom)?,
            left: amount(left)?,
            right: amount(right)?,
        };
        let expected = window_output(self.input.shape, 1, 1, padding, self.input.shape.channels);
        if let Some(shape) = expected {
            self.tensors.settle(self.output_tensor()?, shape);
        }
        let output = self.output()?;
        if output.quantisation != self.input.quantisation {
            return Err(Problem::Requantises);
        }
        if expected != Some(output.shape) {
            return Err(Problem::Padding);
        }
        Ok(padding)
    }

    /// Refuses a PAD before a layer that cannot absorb it.
    pub(super) fn unpadded(&self) -> Result<(), Problem> {
        if self.padded == Padding::default() {
            Ok(())
        } else {
            Err(Problem::Padding)
        }
    }

    fn common(&self, op: Op, output: Map, activation: i8) -> Result<Common, Problem> {
        let activation = self::activation(activation)?;
        Ok(Common {
            name: self.name.clone(),
            op,
            input: self.input.shape,
            output: output.shape,
            stride: 1,
            padding: Padding::default(),
            activation,
            skip: None,
        })
    }

    fn operand(&self, place: usize, what: &'static str) -> Result<i32, Problem> {
        self.operator
            .inputs
            .get(place)
            .ok_or(Problem::Missing(what))
    }

    fn output_tensor(&self) -> Result<i32, Problem> {
        let output = self.operator.outputs.get(0);
        output.ok_or(Problem::Missing("output"))
    }

    fn output(&self) -> Result<Map, Problem> {
        self.tensors.map(self.output_tensor()?)
    }

    fn shape(&self, tensor: i32, wanted: &'static str) -> Problem {
        let found = self.tensors.dimensions(tensor).unwrap_or_default();
        Problem::Shape {
            tensor: self.tensors.name(tensor),
            found,
            wanted,
        }
    }
}

/// A fused activation, by its number in the enumeration `ActivationFunctionType`.
pub(super) fn activation(number: i8) -> Result<Activation, Problem> {
    match number {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Relu),
        3 => Ok(Activation::Relu6),
        other => Err(Problem::Activation(other)),
    }
}

fn unweighted(common: Common, output: Map) -> TrainedLayer {
    TrainedLayer {
        common,
        weights: Vec::new(),
        weight_scales: Vec::new(),
        bias: Vec::new(),
        output: output.quantisation,
        fully_connected: false,
    }
}
