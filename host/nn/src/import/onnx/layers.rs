//! Nodes that become layers or are folded into one.

use super::tensors::Settings;
use super::walk::{Step, Walk};
use crate::graph::builder::{Arithmetic, Axis, Constant, Pads, Problem, Value, Window, from_end};

impl<'a> Walk<'a> {
    pub(super) fn convolution(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let groups = settings.whole("group", 1);
        let window = Window {
            strides: settings.extents("strides")?,
            dilations: settings.extents("dilations")?,
            pads: pads(settings)?,
            groups: usize::try_from(groups).map_err(|_| Problem::Setting {
                name: "group",
                found: groups.to_string(),
                wanted: "it must be positive",
            })?,
        };
        let weights = step.constant(1, "weights")?;
        let bias = step.optional(2).map(|bias| bias.constant("bias"));
        let bias = bias.transpose()?;
        require_planar(step)?;
        let map = step.map()?;
        let chain = &mut self.chain;
        let written = chain.convolution(map, weights, bias, &window, &step.name())?;
        self.weighted(step, &written, 0, false);
        Ok(Value::Map(written))
    }

    pub(super) fn batch_norm(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        if settings.whole("training_mode", 0) != 0 {
            return Err(Problem::Setting {
                name: "training_mode",
                found: "on".into(),
                wanted: "export the network for inference (in PyTorch: model.eval())",
            });
        }
        let numbers = [
            step.constant(1, "scale")?,
            step.constant(2, "bias")?,
            step.constant(3, "mean")?,
            step.constant(4, "variance")?,
        ];
        let epsilon = settings.real("epsilon").unwrap_or(1e-5);
        let map = step.map()?;
        if map.axes.len() > 2 {
            require_planar(step)?;
        }
        Ok(Value::Map(self.chain.batch_norm(map, numbers, epsilon)?))
    }

    /// Relu, Relu6, Clip with limits as attributes or inputs, Min and Max with a scalar.
    pub(super) fn clamp(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let limit = |place: usize, name: &str, otherwise: f32| match step.optional(place) {
            Some(value) => number(value.constant("limit")?),
            None => Ok(settings.real(name).unwrap_or(otherwise)),
        };
        let unlimited = (f32::NEG_INFINITY, f32::INFINITY);
        // Min and Max take their operands in any order.
        let other = || {
            let constant = step.inputs().find_map(|value| value.constant("limit").ok());
            constant
                .ok_or(Problem::NotConstant("limit"))
                .and_then(number)
        };
        let (least, greatest) = match step.node.op_type.as_str() {
            "Relu" => (0.0, unlimited.1),
            "Relu6" => (0.0, 6.0),
            "Min" => (unlimited.0, other()?),
            "Max" => (other()?, unlimited.1),
            _ => (limit(1, "min", unlimited.0)?, limit(2, "max", unlimited.1)?),
        };
        let map = step.inputs().find_map(|value| value.map("input").ok());
        let map = map.ok_or(Problem::OnlyConstants("input"))?;
        Ok(Value::Map(self.chain.clamp(map, least, greatest)?))
    }

    /// Add, Sub, Mul and Div of two maps, a map and a constant, or two constants.
    pub(super) fn arithmetic(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let by = match step.node.op_type.as_str() {
            "Add" | "Sum" => Arithmetic::Add,
            "Sub" => Arithmetic::Subtract,
            "Mul" => Arithmetic::Multiply,
            _ => Arithmetic::Divide,
        };
        if step.inputs().count() != 2 {
            return Err(Problem::Operands);
        }
        let (a, b) = (step.input(0, "operand")?, step.input(1, "operand")?);
        let bias = self.bias_of(a).or_else(|| self.bias_of(b));
        let b = placed(step, b)?;
        let written = self.chain.combine(by, a, &b, &step.name())?;
        self.combined(step, by, &written, bias);
        Ok(written)
    }

    pub(super) fn pool(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let (map, name) = (step.map()?, step.name());
        let pooled = match step.node.op_type.as_str() {
            "ReduceMean" => {
                let axes = match step.optional(1) {
                    Some(axes) => axes.constant("axes")?.wholes("axes")?.to_vec(),
                    None => settings.wholes("axes").unwrap_or_default().to_vec(),
                };
                let keep = settings.whole("keepdims", 1) != 0;
                let places = axes
                    .iter()
                    .map(|axis| from_end(*axis, map.axes.len()))
                    .collect::<Result<Vec<_>, _>>()?;
                let pooled = self.chain.mean(map, &places, keep, &name)?;
                if let Some(index) = pooled.layer() {
                    self.record.mean(index);
                }
                pooled
            }
            "AveragePool" => {
                require_planar(step)?;
                let unpadded = match pads(settings)? {
                    Pads::Explicit(pads) => pads == [0; 4],
                    // A window as large as the map, with a stride of its own size, needs no
                    // padding; with another stride it does.
                    Pads::SameUpper | Pads::SameLower => {
                        settings.extents("strides")? == settings.extents("kernel_shape")?
                    }
                };
                let kernel = settings.extents("kernel_shape")?;
                self.chain.average_pool(map, &kernel, unpadded, &name)?
            }
            _ => {
                require_planar(step)?;
                self.chain.global_pool(map, &name)?
            }
        };
        Ok(Value::Map(pooled))
    }

    pub(super) fn gemm(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let scaled = |constant: &Constant, name: &str| match settings.real(name) {
            Some(factor) if factor != 1.0 => constant.each(|number| number * factor),
            _ => Ok(constant.clone()),
        };
        if settings.whole("transA", 0) != 0 {
            return Err(Problem::Setting {
                name: "transA",
                found: "on".into(),
                wanted: "posy multiplies one vector by a matrix",
            });
        }
        let mut weights = scaled(step.constant(1, "weights")?, "alpha")?;
        let turns = settings.whole("transB", 0) == 0;
        if turns {
            weights = turned(&weights)?;
        }
        let bias = step.optional(2).map(|bias| bias.constant("bias"));
        let bias = bias.transpose()?.map(|bias| scaled(bias, "beta"));
        let bias = bias.transpose()?;
        self.dense(step, &weights, bias.as_ref(), usize::from(turns))
    }

    pub(super) fn matrix_product(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let weights = turned(step.constant(1, "weights")?)?;
        self.dense(step, &weights, None, 1)
    }

    /// A fully connected layer; `outputs` is the axis of the file's weights that has one index for each output.
    fn dense(
        &mut self,
        step: &Step<'a>,
        weights: &Constant,
        bias: Option<&Constant>,
        outputs: usize,
    ) -> Result<Value, Problem> {
        let map = step.map()?;
        if map.axes.last() != Some(&Axis::Channels) {
            return Err(Problem::Axes);
        }
        let written = self.chain.dense(map, weights, bias, &step.name())?;
        self.weighted(step, &written, outputs, true);
        Ok(Value::Map(written))
    }

    pub(super) fn pad(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let mode = settings.text("mode");
        if !matches!(mode.as_str(), "" | "constant") {
            return Err(Problem::Setting {
                name: "mode",
                found: mode,
                wanted: "posy pads with zeros",
            });
        }
        let value = match step.optional(2) {
            Some(value) => number(value.constant("value")?)?,
            None => settings.real("value").unwrap_or(0.0),
        };
        if value != 0.0 || step.optional(3).is_some() {
            return Err(Problem::Padding);
        }
        let amounts = match step.optional(1) {
            Some(amounts) => amounts.constant("pads")?.wholes("pads")?.to_vec(),
            // Operator set 1 names the attribute `paddings`.
            None => ["pads", "paddings"]
                .iter()
                .find_map(|name| settings.wholes(name))
                .unwrap_or_default()
                .to_vec(),
        };
        let map = step.map()?;
        if amounts.len() != 2 * map.axes.len() {
            return Err(Problem::Padding);
        }
        let (before, after) = amounts.split_at(map.axes.len());
        let amounts: Vec<(i64, i64)> = before.iter().copied().zip(after.iter().copied()).collect();
        if amounts.iter().all(|amounts| *amounts == (0, 0)) {
            return Ok(Value::Map(map.clone()));
        }
        self.chain.pad(map, &amounts)
    }
}

/// Refuses a map that is not `[1, C, H, W]`, the layout for convolutions and pools.
fn require_planar(step: &Step<'_>) -> Result<(), Problem> {
    let axes = &step.map()?.axes;
    if axes[..] == [Axis::Batch, Axis::Channels, Axis::Height, Axis::Width] {
        Ok(())
    } else {
        Err(Problem::Axes)
    }
}

fn pads(settings: Settings<'_>) -> Result<Pads, Problem> {
    let mode = settings.text("auto_pad");
    match mode.as_str() {
        "" | "NOTSET" => match settings.wholes("pads") {
            None => Ok(Pads::Explicit([0; 4])),
            Some(&[top, left, bottom, right]) => Ok(Pads::Explicit([top, left, bottom, right])),
            Some(other) => Err(Problem::Setting {
                name: "pads",
                found: format!("{other:?}"),
                wanted: "four amounts of rows and columns are needed",
            }),
        },
        "VALID" => Ok(Pads::Explicit([0; 4])),
        "SAME_UPPER" => Ok(Pads::SameUpper),
        "SAME_LOWER" => Ok(Pads::SameLower),
        _ => Err(Problem::Setting {
            name: "auto_pad",
            found: mode,
            wanted: "posy knows NOTSET, VALID, SAME_UPPER and SAME_LOWER",
        }),
    }
}

/// The value of a one-element constant.
fn number(constant: &Constant) -> Result<f32, Problem> {
    match constant.reals("limit")? {
        [number] => Ok(*number),
        _ => Err(Problem::Shape {
            what: "a limit",
            found: constant.dims.clone(),
            wanted: "posy runs one limit for all numbers",
        }),
    }
}

fn turned(matrix: &Constant) -> Result<Constant, Problem> {
    matrix.transposed(&[1, 0]).ok_or_else(|| Problem::Shape {
        what: "weights",
        found: matrix.dims.clone(),
        wanted: "they must be a matrix",
    })
}

/// The second operand, broadcast as the operator set says: before set 7 the attribute `axis` names
/// the place of its first axis.
fn placed(step: &Step<'_>, operand: &Value) -> Result<Value, Problem> {
    let settings = Settings(step.node);
    let (Value::Constant(constant), true) = (operand, settings.has("axis")) else {
        return Ok(operand.clone());
    };
    let rank = step.map()?.axes.len();
    let place = from_end(settings.whole("axis", 0), rank)?;
    let after = rank.saturating_sub(place + constant.dims.len());
    let dims = constant.dims.iter().copied().chain(vec![1; after]);
    let placed = constant.with_dims(dims.collect());
    Ok(Value::Constant(placed.unwrap_or_else(|| constant.clone())))
}
