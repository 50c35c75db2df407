//! Runs a float network with tract.

use std::fmt;
use std::sync::Arc;

use posy_shared::model::Shape;
use tract_onnx::prelude::*;

use crate::graph::cost::{CostError, check_cost};
use crate::graph::network::{FloatNetwork, Quantisation};
use crate::graph::to_onnx::{Outputs, onnx_model};

/// Failure to run a float network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FloatError {
    /// The network has no layers.
    #[error("the float network has no layers")]
    Empty,
    /// The input has another length.
    #[error("the input has {found} numbers, the float network reads {expected}")]
    InputLength {
        /// Length of the given input.
        found: usize,
        /// Height x width x channels.
        expected: usize,
    },
    /// More than a picture is worth.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// tract refuses the network, or fails while it runs.
    #[error("the float network cannot be run: {0}")]
    Tract(String),
}

/// A float network prepared to run. Threads may share it.
#[derive(Clone)]
pub struct FloatRunner {
    plan: Arc<TypedRunnableModel>,
    shape: Shape,
    input: Quantisation,
    /// Shape of each output.
    outputs: Vec<Shape>,
}

impl FloatRunner {
    /// A runner whose output is that of the last layer.
    ///
    /// # Errors
    /// If the network is empty, or its shapes contradict each other.
    pub fn new(network: &FloatNetwork) -> Result<Self, FloatError> {
        Self::with_outputs(network, Outputs::Last)
    }

    /// A runner whose outputs are those of every layer, for calibration and comparison.
    ///
    /// # Errors
    /// As [`FloatRunner::new`].
    pub fn of_every_layer(network: &FloatNetwork) -> Result<Self, FloatError> {
        Self::with_outputs(network, Outputs::All)
    }

    fn with_outputs(network: &FloatNetwork, outputs: Outputs) -> Result<Self, FloatError> {
        let layers: Vec<_> = network.layers.iter().map(|layer| &layer.common).collect();
        check_cost(&layers)?;
        let shape = network
            .layers
            .first()
            .ok_or(FloatError::Empty)?
            .common
            .input;
        let plan = tract_onnx::onnx()
            .model_for_proto_model(&onnx_model(network, outputs))
            .and_then(InferenceModelExt::into_optimized)
            .and_then(IntoRunnable::into_runnable)
            .map_err(|e| FloatError::Tract(format!("{e:#}")))?;
        let all = network.layers.iter().map(|l| l.common.output);
        let outputs = match outputs {
            Outputs::Last => all.rev().take(1).collect(),
            Outputs::All => all.collect(),
        };
        Ok(Self {
            plan,
            shape,
            input: network.input,
            outputs,
        })
    }

    /// Output of the last layer for `input`, `[H, W, C]` in the network's input quantisation. The
    /// output is `[H, W, C]` too; pooled features are one number per channel.
    ///
    /// # Errors
    /// If `input` has another length, or tract fails.
    pub fn features(&self, input: &[i8]) -> Result<Vec<f32>, FloatError> {
        self.run(input)?.pop().ok_or(FloatError::Empty)
    }

    /// All outputs of the runner for `input`: those of every layer if it was made by
    /// [`FloatRunner::of_every_layer`]. Inputs and outputs are `[H, W, C]`.
    ///
    /// # Errors
    /// As [`FloatRunner::features`].
    pub fn run(&self, input: &[i8]) -> Result<Vec<Vec<f32>>, FloatError> {
        let Quantisation { scale, zero_point } = self.input;
        let real = |q: &i8| scale * (i32::from(*q) - zero_point) as f32;
        self.run_real(&input.iter().map(real).collect::<Vec<f32>>())
    }

    /// As [`FloatRunner::run`], for an input in real values.
    ///
    /// # Errors
    /// As [`FloatRunner::features`].
    pub fn run_real(&self, input: &[f32]) -> Result<Vec<Vec<f32>>, FloatError> {
        if input.len() != self.shape.len() {
            return Err(FloatError::InputLength {
                found: input.len(),
                expected: self.shape.len(),
            });
        }
        self.run_planar(input)
            .map_err(|e| FloatError::Tract(format!("{e:#}")))
    }

    fn run_planar(&self, input: &[f32]) -> TractResult<Vec<Vec<f32>>> {
        let [height, width, channels] = extents(self.shape);
        let planar = transpose(input, height * width, channels);
        let input = Tensor::from_shape(&[1, channels, height, width], &planar)?;
        let values = self.plan.run(tvec!(input.into()))?;
        let interleave = |(value, shape): (&TValue, &Shape)| {
            let view = value.try_as_plain_ram()?;
            let [height, width, channels] = extents(*shape);
            Ok(transpose(view.as_slice::<f32>()?, channels, height * width))
        };
        values.iter().zip(&self.outputs).map(interleave).collect()
    }
}

impl fmt::Debug for FloatRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FloatRunner")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

fn extents(shape: Shape) -> [usize; 3] {
    [shape.height, shape.width, shape.channels].map(usize::from)
}

/// Transposes `[rows, columns]` to `[columns, rows]`.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    if rows == 1 || columns == 1 {
        return values.to_vec();
    }
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
