//! Nodes of quantised ONNX models in QDQ form.
//!
//! In the real network that a model stands for, a `QuantizeLinear` and a `DequantizeLinear` between two layers
//! only round. At the input they say what a pixel is: an integer input by its scale and zero
//! point, a float one by the range that its first `QuantizeLinear` covers. Their integers go to the
//! [`Record`](super::exact::Record), which makes the quantised network of them.

use super::exact::Integers;
use super::tensors::Settings;
use super::walk::{Step, Walk};
use crate::graph::builder::{Arithmetic, Constant, Map, Problem, Value, from_end};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::Quantisation;

impl<'a> Walk<'a> {
    /// `DequantizeLinear`: weights become real; a map stays as it is.
    pub(super) fn dequantise(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
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
                let scales = scales.reals("scale")?;
                let real = constant.dequantised(scales, zeros, axis)?;
                let integers = Integers::of(constant, scales, zeros, axis);
                if let (Some(integers), Some(name)) = (integers, step.node.output.first()) {
                    self.record.constants.insert(name, integers);
                }
                Ok(Value::Constant(real))
            }
            Value::Map(map) if std::mem::take(&mut self.integer_input) => {
                let scale = scales.reals("scale")?.to_vec();
                let zeros = zeros.map(|zeros| zeros.wholes("zero point").map(<[i64]>::to_vec));
                let zero = zeros.transpose()?.and_then(|zeros| zeros.first().copied());
                let zero = Constant::real(Vec::new(), vec![zero.unwrap_or(0) as f32]);
                let scale = Constant::real(Vec::new(), scale);
                let map = Value::Map(map.clone());
                let by = Arithmetic::Subtract;
                let moved = self
                    .chain
                    .combine(by, &map, &Value::Constant(zero), "input")?;
                let by = Arithmetic::Multiply;
                let real = self
                    .chain
                    .combine(by, &moved, &Value::Constant(scale), "input")?;
                if let Some(quantisation) = self.quantisation(step)? {
                    self.record.reads(quantisation, self.chain.input(), true);
                }
                Ok(real)
            }
            Value::Map(map) => {
                let quantisation = self.quantisation(step)?;
                if !self.chain.is_scored() {
                    match quantisation {
                        Some(quantisation) => self.record.made_real(map.layer(), quantisation),
                        None => self.record.inexact("a map has several scales"),
                    }
                }
                Ok(Value::Map(map.clone()))
            }
        }
    }

    /// `QuantizeLinear`: a map stays as it is; that of the input tells what a pixel is.
    pub(super) fn quantise(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        let map = step.map()?.clone();
        let quantisation = self.quantisation(step)?;
        if self.chain.is_empty() && self.pixels.is_none() {
            self.pixels = quantisation.and_then(GreyLevels::range);
        }
        match (quantisation, map.layer()) {
            _ if self.chain.is_scored() => {}
            (None, _) => self.record.inexact("a map has several scales"),
            (Some(quantisation), None) => {
                self.record.reads(quantisation, self.chain.input(), false)
            }
            (Some(quantisation), Some(index)) => {
                if let Some(layer) = self.chain.layer(index) {
                    self.record.writes(index, layer, quantisation);
                }
            }
        }
        Ok(Value::Map(map))
    }

    /// Quantisation of the map that a node quantises or makes real, in the int8 convention; `None` if it has
    /// several scales or another type.
    fn quantisation(&self, step: &Step<'a>) -> Result<Option<Quantisation>, Problem> {
        let scales = step.constant(1, "scale")?.reals("scale")?;
        let zeros = match step.optional(2) {
            Some(zeros) => zeros.constant("zero point")?.wholes("zero point")?,
            None => &[0],
        };
        let (&[scale], &[zero]) = (scales, zeros) else {
            return Ok(None);
        };
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(Problem::Setting {
                name: "scale",
                found: scale.to_string(),
                wanted: "it must be above 0 and finite",
            });
        }
        // The type of the zero point is that of the integers; uint8 if there is none.
        let shift = if self.is_unsigned(step.node.input.get(2)) {
            128
        } else {
            0
        };
        let zero_point = i32::try_from(zero)
            .ok()
            .and_then(|zero| zero.checked_sub(shift));
        let zero_point = zero_point.filter(|zero| (-128..=127).contains(zero));
        Ok(zero_point.map(|zero_point| Quantisation { scale, zero_point }))
    }

    /// Tells the record of the layer with weights that writes `map`; `outputs` is the axis of its weights that has one
    /// index for each output.
    pub(super) fn weighted(
        &mut self,
        step: &Step<'a>,
        map: &Map,
        outputs: usize,
        fully_connected: bool,
    ) {
        if let Some(index) = map.layer() {
            let [weights, bias] = [1, 2].map(|place| step.node.input.get(place));
            self.record
                .weighted(index, (weights, outputs), bias, fully_connected);
        }
    }

    /// Bias of the layer that writes a value.
    pub(super) fn bias_of(&self, value: &Value) -> Option<Vec<f32>> {
        let index = value.map("operand").ok()?.layer()?;
        Some(self.chain.layer(index)?.bias.clone())
    }

    /// Tells the record of a constant that was combined with the output of a layer, whose bias was `before`.
    pub(super) fn combined(
        &mut self,
        step: &Step<'a>,
        by: Arithmetic,
        written: &Value,
        before: Option<Vec<f32>>,
    ) {
        let index = written.map("sum").ok().and_then(Map::layer);
        let (Some(index), Some(before)) = (index, before) else {
            return;
        };
        let mut names = step.node.input.iter().zip(step.inputs());
        let constant =
            names.find_map(|(name, value)| Some((name, value.constant("operand").ok()?)));
        let (Some((name, constant)), Some(layer)) = (constant, self.chain.layer(index)) else {
            return;
        };
        match (by, constant.reals("factor")) {
            (Arithmetic::Multiply, Ok(&[factor])) => self.record.multiplied(index, factor, layer),
            (Arithmetic::Add, _) => self.record.added(index, &before, Some(name)),
            _ => {}
        }
    }
}
