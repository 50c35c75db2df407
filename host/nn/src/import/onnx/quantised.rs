//! Quantised ONNX models in QDQ form, read as the float networks that they stand for.
//!
//! Between its layers a `QuantizeLinear` and a `DequantizeLinear` only round; posy quantises the network
//! anew with photos. At the input they say what a pixel is: an integer input by its scale and zero
//! point, a float one by the range that its first `QuantizeLinear` covers.

use super::tensors::Settings;
use super::walk::{Step, Walk};
use crate::graph::builder::{Arithmetic, Constant, Problem, Value, from_end};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::Quantisation;

impl Walk<'_> {
    /// `DequantizeLinear`: weights become real; a map stays as it is.
    pub(super) fn dequantise(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let scales = step.constant(1, "scale")?.clone();
        let zeros = match step.optional(2) {
            Some(zeros) => Some(zeros.constant("zero point")?.clone()),
            None => None,
        };
        match step.input(0, "input")? {
            Value::Constant(constant) => {
                self.chain.spend(constant.len())?;
                let axis = Settings(step.node).whole("axis", 1);
                let axis = match scales.len() {
                    1 => 0,
                    _ => from_end(axis, constant.dims.len())?,
                };
                let zeros = zeros.as_ref().map(|zeros| zeros.wholes("zero point"));
                let zeros = zeros.transpose()?.unwrap_or_default();
                let real = constant.dequantised(scales.reals("scale")?, zeros, axis)?;
                Ok(Value::Constant(real))
            }
            map if std::mem::take(&mut self.integer_input) => {
                let scale = scales.reals("scale")?.to_vec();
                let zeros = zeros.map(|zeros| zeros.wholes("zero point").map(<[i64]>::to_vec));
                let zero = zeros.transpose()?.and_then(|zeros| zeros.first().copied());
                let zero = Constant::real(Vec::new(), vec![zero.unwrap_or(0) as f32]);
                let scale = Constant::real(Vec::new(), scale);
                let by = Arithmetic::Subtract;
                let moved = self
                    .chain
                    .combine(by, map, &Value::Constant(zero), "input")?;
                let by = Arithmetic::Multiply;
                self.chain
                    .combine(by, &moved, &Value::Constant(scale), "input")
            }
            map => Ok(map.clone()),
        }
    }

    /// `QuantizeLinear`: a map stays as it is; that of the input tells what a pixel is.
    pub(super) fn quantise(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let map = step.map()?;
        if self.chain.is_empty() && self.pixels.is_none() {
            let scale = step.constant(1, "scale")?.reals("scale")?.first().copied();
            let zero = match step.optional(2) {
                Some(zeros) => zeros
                    .constant("zero point")?
                    .wholes("zero point")?
                    .first()
                    .copied(),
                None => None,
            };
            let zero_point = zero.unwrap_or(0);
            // The type of the zero point is that of the integers; uint8 if there is none.
            let shift = if self.is_unsigned(step.node.input.get(2)) {
                128
            } else {
                0
            };
            let zero_point = i32::try_from(zero_point).unwrap_or(0) - shift;
            let scale = scale.unwrap_or(1.0);
            self.pixels = GreyLevels::range(Quantisation { scale, zero_point });
        }
        Ok(Value::Map(map.clone()))
    }
}
