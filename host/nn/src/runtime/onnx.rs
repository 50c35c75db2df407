//! Runs models that take pixels, with tract.

use std::fmt;
use std::sync::Arc;

use posy_shared::model::Shape;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::guarded::guarded;
use crate::runtime::vet::{VetError, vet};

/// Name of the input of every model that posy writes: pixels, float32 `[1, 3, H, W]`.
pub const INPUT: &str = "input";

/// Failure to run a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RunError {
    /// The graph is not given to tract.
    #[error(transparent)]
    Vet(#[from] VetError),
    /// tract refuses the model, or fails while it runs.
    #[error("it does not run: {0}")]
    Tract(String),
    /// The input or output does not have the shape that posy expects.
    #[error("its input is not float32 [1, 3, H, W], or its output not one list of numbers")]
    Shapes,
    /// The image has another size.
    #[error("the picture has {found} numbers, the network reads {expected}")]
    Length {
        /// Length of the given image.
        found: usize,
        /// Height x width x channels.
        expected: usize,
    },
}

impl From<String> for RunError {
    fn from(panic: String) -> Self {
        RunError::Tract(panic)
    }
}

impl From<TractError> for RunError {
    fn from(error: TractError) -> Self {
        RunError::Tract(format!("{error:#}"))
    }
}

/// A prepared model from [`INPUT`], float32 `[1, 3, H, W]`, to one output, float32 `[1, D]`.
/// Threads may share it.
#[derive(Clone)]
pub struct PixelRunner {
    plan: Arc<TypedRunnableModel>,
    shape: Shape,
    outputs: usize,
}

impl PixelRunner {
    /// Prepares `model` to compute the value `output`.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn new(model: &ModelProto, output: &str) -> Result<Self, RunError> {
        vet(model)?;
        let model = guarded(|| between(model, output)?.into_optimized())??;
        let input = extents(model.input_fact(0)?).ok_or(RunError::Shapes)?;
        let &[1, 3, height, width] = input.as_slice() else {
            return Err(RunError::Shapes);
        };
        let (Ok(height), Ok(width)) = (u16::try_from(height), u16::try_from(width)) else {
            return Err(RunError::Shapes);
        };
        let outputs = match extents(model.output_fact(0)?).as_deref() {
            Some(&[1, outputs]) => outputs,
            _ => return Err(RunError::Shapes),
        };
        Ok(PixelRunner {
            plan: guarded(|| model.into_runnable())??,
            shape: Shape {
                height,
                width,
                channels: 3,
            },
            outputs,
        })
    }

    /// Extents of the value `output`.
    ///
    /// # Errors
    /// [`RunError`], also if an extent is open or the type is not float32.
    pub(crate) fn extents(model: &ModelProto, output: &str) -> Result<Vec<usize>, RunError> {
        vet(model)?;
        let model = guarded(|| between(model, output)?.into_typed())??;
        extents(model.output_fact(0)?).ok_or(RunError::Shapes)
    }

    /// Shape of the input image, `[H, W, 3]`.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Length of the output, D.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Output for `pixels`, `[H, W, 3]`, each less 128. The network reads `(pixel - mean) / std`.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn run(&self, pixels: &[i8], mean: f32, std: f32) -> Result<Vec<f32>, RunError> {
        if pixels.len() != self.shape.len() {
            return Err(RunError::Length {
                found: pixels.len(),
                expected: self.shape.len(),
            });
        }
        let [height, width] = [self.shape.height, self.shape.width].map(usize::from);
        let real = |pixel: &i8| (f32::from(*pixel) + 128.0 - mean) / std;
        let planar = (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).map(real));
        let planar: Vec<f32> = planar.collect();
        let input = Tensor::from_shape(&[1, 3, height, width], &planar)?;
        let outputs = guarded(|| self.plan.run(tvec!(input.into())))??;
        let output = outputs.first().ok_or(RunError::Shapes)?;
        Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}

impl fmt::Debug for PixelRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PixelRunner")
            .field("shape", &self.shape)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// The part of the model between [`INPUT`] and `output`.
fn between(model: &ModelProto, output: &str) -> TractResult<InferenceModel> {
    let model = tract_onnx::onnx().model_for_proto_model(model)?;
    model
        .with_input_names([INPUT])?
        .with_outputs_by_name([output])
}

/// Extents of a float32 value; `None` if one is open.
fn extents(fact: &TypedFact) -> Option<Vec<usize>> {
    let concrete = fact.shape.as_concrete();
    let concrete = concrete.filter(|_| fact.datum_type == f32::datum_type());
    concrete.map(<[usize]>::to_vec)
}
