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
        let output = self.output()?;
        let found = self.tensors.dimensions(weights)?;
        let [outputs, kernel_h, kernel_w, inputs] = found.as_slice() else {
            return Err(self.shape(weights, "convolution weights are [O, H, W, I]"));
        };
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

    /// DEPTHWISE_CONV_2D with weights `[1, H, W, C]` in the file, `[C, H, W]` in the layer.
    pub(super) fn depthwise(&self) -> Result<TrainedLayer, Problem> {
        let weights = self.operand(1, "weights")?;
        let output = self.output()?;
        let (inputs, outputs) = (self.input.shape.channels, output.shape.channels);
        if inputs != outputs {
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
        let values = (0..values.len())
            .map(|i| values[i % 9 * channels + i / 9])
            .collect();
        self.windowed(Op::Depthwise3x3, Weights { values, scales }, output)
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
        } = self.operator.options
        else {
            return Err(Problem::Options);
        };
        if weights_format != 0 {
            return Err(Problem::WeightsFormat(weights_format));
        }
        self.unpadded()?;
        let weights = self.operand(1, "weights")?;
        let output = self.output()?;
        let (read, written) = (self.input.shape, output.shape);
        if [read.height, read.width, written.height, written.width] != [1; 4] {
            return Err(Problem::Shape {
                tensor: self.name.clone(),
                found: self.tensors.dimensions(weights)?,
                wanted: "a fully connected layer reads and writes one pixel; pool the map first",
            });
        }
        if self.tensors.dimensions(weights)?
            != [i32::from(written.channels), i32::from(read.channels)]
        {
            return Err(self.shape(weights, "fully connected weights are [O, I]"));
        }
        let weights = self.tensors.weights(weights, written.channels, 0)?;
        self.weighted(
            Op::Dense,
            weights,
            output,
            (1, Padding::default()),
            activation,
        )
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
        self.pool(activation)
    }

    /// MEAN over height and width, run as an average pool.
    ///
    /// TensorFlow Lite rounds the two differently: in LiteRT 2.3.0's reference kernels one number
    /// in nine of a 3 x 3 map differs by one step. It is the only operator that does not agree bit
    /// for bit.
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
        self.pool(0)
    }

    fn pool(&self, activation: i8) -> Result<TrainedLayer, Problem> {
        self.unpadded()?;
        let output = self.output()?;
        let expected = Shape {
            height: 1,
            width: 1,
            channels: self.input.shape.channels,
        };
        if output.shape != expected {
            return Err(Problem::OutputShape {
                found: output.shape,
                expected,
            });
        }
        if output.quantisation != self.input.quantisation {
            return Err(Problem::Requantises);
        }
        Ok(unweighted(
            self.common(Op::GlobalAveragePool, output, activation)?,
            output,
        ))
    }

    /// ADD of the layer before it and the layer `skip`, which wrote `other`.
    pub(super) fn add(&self, skip: usize, other: Map) -> Result<TrainedLayer, Problem> {
        let Options::Add { activation } = self.operator.options else {
            return Err(Problem::Options);
        };
        self.unpadded()?;
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
        let output = self.output()?;
        if output.quantisation != self.input.quantisation {
            return Err(Problem::Requantises);
        }
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
        let activation = match activation {
            0 => Activation::None,
            1 => Activation::Relu,
            3 => Activation::Relu6,
            other => return Err(Problem::Activation(other)),
        };
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

    fn output(&self) -> Result<Map, Problem> {
        self.tensors.map(
            self.operator
                .outputs
                .get(0)
                .ok_or(Problem::Missing("output"))?,
        )
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

fn unweighted(common: Common, output: Map) -> TrainedLayer {
    TrainedLayer {
        common,
        weights: Vec::new(),
        weight_scales: Vec::new(),
        bias: Vec::new(),
        output: output.quantisation,
    }
}
