//! Operations of a frozen graph.

use super::tensors::{Settings, constant};
use super::walk::{Step, Walk};
use crate::graph::builder::{Arithmetic, Axis, Constant, Pads, Problem, Value, Window, from_end};
use crate::graph::network::Scoring;

impl Walk<'_> {
    pub(super) fn operate(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let name = crate::graph::builder::shown(&step.node.name);
        if settings
            .text("data_format")
            .is_some_and(|format| format != "NHWC")
        {
            return Err(Problem::Setting {
                name: "data_format",
                found: settings.text("data_format").unwrap_or_default(),
                wanted: "posy reads graphs in NHWC",
            });
        }
        let combine = |walk: &mut Self, by| {
            let (a, b) = (step.input(0, "operand")?, step.input(1, "operand")?);
            walk.chain.combine(by, a, b, &name)
        };
        match step.node.op.as_str() {
            "Const" => {
                let constant = constant(step.node)?;
                // One stored number may be repeated for a whole tensor.
                self.chain.spend(constant.len().min(1 << 16))?;
                Ok(Value::Constant(constant))
            }
            "Identity" | "CheckNumerics" | "PlaceholderWithDefault" => {
                Ok(step.input(0, "input")?.clone())
            }
            "Softmax" | "Sigmoid" => {
                let scoring = match step.node.op.as_str() {
                    "Softmax" => Scoring::Softmax { beta: 1.0 },
                    _ => Scoring::Logistic,
                };
                Ok(Value::Map(self.chain.score(step.map()?, scoring)?))
            }
            "Conv2D" => self.convolution(step, &name, false),
            "DepthwiseConv2dNative" => self.convolution(step, &name, true),
            "FusedBatchNorm" | "FusedBatchNormV2" | "FusedBatchNormV3" => self.batch_norm(step),
            "BiasAdd" => {
                let map = step.map()?;
                Ok(Value::Map(
                    self.chain.shift(map, step.constant(1, "bias")?)?,
                ))
            }
            "Add" | "AddV2" => combine(self, Arithmetic::Add),
            "Sub" => combine(self, Arithmetic::Subtract),
            "Mul" => combine(self, Arithmetic::Multiply),
            "RealDiv" | "Div" => combine(self, Arithmetic::Divide),
            "Rsqrt" => {
                let numbers = step.constant(0, "input")?;
                self.chain.spend(numbers.len())?;
                Ok(Value::Constant(
                    numbers.each(|number| number.sqrt().recip())?,
                ))
            }
            "Relu" => Ok(Value::Map(self.chain.clamp(
                step.map()?,
                0.0,
                f32::INFINITY,
            )?)),
            "Relu6" => Ok(Value::Map(self.chain.clamp(step.map()?, 0.0, 6.0)?)),
            "Minimum" | "Maximum" => self.limit(step),
            "AvgPool" => self.average_pool(step, &name),
            "Mean" => {
                let map = step.map()?;
                let axes = step.constant(1, "axes")?.wholes("axes")?;
                let places = axes
                    .iter()
                    .map(|axis| from_end(*axis, map.axes.len()))
                    .collect::<Result<Vec<_>, _>>()?;
                let keep = settings.flag("keep_dims").unwrap_or(false);
                Ok(Value::Map(self.chain.mean(map, &places, keep, &name)?))
            }
            "MatMul" => self.matrix_product(step, &name),
            "Pad" => self.pad(step),
            "Squeeze" => {
                let axes = settings
                    .list("squeeze_dims")
                    .filter(|axes| !axes.is_empty());
                Ok(Value::Map(step.map()?.squeezed(axes)?))
            }
            "Reshape" => {
                let dims = step.constant(1, "shape")?.wholes("shape")?;
                let map = step.map()?;
                if map.axes == NHWC && map.is_spatial() && flattens(dims, map.shape.len()) {
                    let map = map.clone();
                    return Ok(Value::Map(self.chain.flatten(&map, &name)?));
                }
                Ok(Value::Map(map.reshaped(dims)?))
            }
            _ => Err(Problem::Operator),
        }
    }

    fn convolution(
        &mut self,
        step: &Step<'_>,
        name: &str,
        depthwise: bool,
    ) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let sides = |name: &'static str| match settings.list(name) {
            None | Some([]) => Ok(vec![1; 2]),
            Some(&[1, rows, columns, 1]) => [rows, columns]
                .iter()
                .map(|step| usize::try_from(*step).ok())
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| Problem::Stride(Vec::new())),
            Some(other) => Err(Problem::Setting {
                name,
                found: format!("{other:?}"),
                wanted: "posy moves windows in rows and columns",
            }),
        };
        let map = step.map()?;
        if map.axes != NHWC {
            return Err(Problem::Axes);
        }
        let weights = step.constant(1, "weights")?;
        // [H, W, I, O]; depthwise [H, W, C, multiplier].
        let order: &[usize] = if depthwise {
            &[2, 3, 0, 1]
        } else {
            &[3, 2, 0, 1]
        };
        self.chain.spend(weights.len())?;
        let weights = weights.transposed(order).ok_or_else(|| Problem::Shape {
            what: "weights",
            found: weights.dims.clone(),
            wanted: "weights are [H, W, I, O]",
        })?;
        // The channels that a depthwise layer makes of one lie side by side.
        let weights = match *weights.dims.as_slice() {
            [channels, of_each, height, width] if depthwise => {
                let dims = vec![channels * of_each, 1, height, width];
                weights.with_dims(dims).ok_or(Problem::Axes)?
            }
            _ => weights,
        };
        let window = Window {
            strides: sides("strides")?,
            dilations: sides("dilations")?,
            pads: match settings.text("padding").as_deref() {
                Some("SAME") => Pads::SameUpper,
                Some("VALID") => Pads::Explicit([0; 4]),
                other => {
                    return Err(Problem::Setting {
                        name: "padding",
                        found: other.unwrap_or("missing").into(),
                        wanted: "posy reads SAME and VALID",
                    });
                }
            },
            groups: if depthwise {
                map.shape.channels.into()
            } else {
                1
            },
        };
        let chain = &mut self.chain;
        Ok(Value::Map(
            chain.convolution(map, &weights, None, &window, name)?,
        ))
    }

    fn batch_norm(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        if settings.flag("is_training") != Some(false) {
            return Err(Problem::Setting {
                name: "is_training",
                found: "on".into(),
                wanted: "freeze the graph for inference",
            });
        }
        let numbers = [
            step.constant(1, "scale")?,
            step.constant(2, "offset")?,
            step.constant(3, "mean")?,
            step.constant(4, "variance")?,
        ];
        let epsilon = settings.real("epsilon").unwrap_or(1e-4);
        Ok(Value::Map(self.chain.batch_norm(
            step.map()?,
            numbers,
            epsilon,
        )?))
    }

    /// Minimum and Maximum of a map and a scalar.
    fn limit(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let [a, b] = step.inputs() else {
            return Err(Problem::Missing("operand"));
        };
        let (map, limit) = match (a, b) {
            (Value::Map(map), Value::Constant(limit))
            | (Value::Constant(limit), Value::Map(map)) => (map, limit),
            _ => return Err(Problem::Operator),
        };
        let [limit] = limit.reals("limit")? else {
            return Err(Problem::NotConstant("limit"));
        };
        let (least, greatest) = match step.node.op.as_str() {
            "Minimum" => (f32::NEG_INFINITY, *limit),
            _ => (*limit, f32::INFINITY),
        };
        Ok(Value::Map(self.chain.clamp(map, least, greatest)?))
    }

    fn average_pool(&mut self, step: &Step<'_>, name: &str) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let kernel: Vec<usize> = match settings.list("ksize") {
            Some(&[1, rows, columns, 1]) => [rows, columns]
                .iter()
                .filter_map(|extent| usize::try_from(*extent).ok())
                .collect(),
            _ => Vec::new(),
        };
        let map = step.map()?;
        if map.axes != NHWC {
            return Err(Problem::Axes);
        }
        let valid = settings.text("padding").as_deref() == Some("VALID");
        let whole_steps = settings.list("strides") == settings.list("ksize");
        let chain = &mut self.chain;
        Ok(Value::Map(chain.average_pool(
            map,
            &kernel,
            valid || whole_steps,
            name,
        )?))
    }

    fn matrix_product(&mut self, step: &Step<'_>, name: &str) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let map = step.map()?;
        if map.axes.last() != Some(&Axis::Channels) || settings.flag("transpose_a") == Some(true) {
            return Err(Problem::Axes);
        }
        let weights = step.constant(1, "weights")?;
        let turned: Constant = if settings.flag("transpose_b") == Some(true) {
            weights.clone()
        } else {
            self.chain.spend(weights.len())?;
            weights.transposed(&[1, 0]).ok_or(Problem::Axes)?
        };
        Ok(Value::Map(self.chain.dense(map, &turned, None, name)?))
    }

    fn pad(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let amounts = step.constant(1, "paddings")?.wholes("paddings")?;
        let (pairs, rest) = amounts.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Problem::Padding);
        }
        let amounts: Vec<(i64, i64)> = pairs.iter().map(|[a, b]| (*a, *b)).collect();
        self.chain.pad(step.map()?, &amounts)
    }
}

/// True for the extents of a vector of `len` values, the batch first.
fn flattens(dims: &[i64], len: usize) -> bool {
    let len = i64::try_from(len).unwrap_or(0);
    matches!(dims, [-1 | 1, own] if *own == len) || matches!(dims, [1, -1])
}

/// Layout of maps in a graph.
const NHWC: [Axis; 4] = [Axis::Batch, Axis::Height, Axis::Width, Axis::Channels];
