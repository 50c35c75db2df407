//! A node, what it reads, and its settings.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto};

use super::Problem;
use super::value::Value;

/// A node and the values that it reads.
pub(super) struct Node<'a> {
    pub(super) proto: &'a NodeProto,
    /// Inputs in order; `None` for an input that the node leaves out.
    pub(super) inputs: Vec<Option<&'a Value>>,
    /// Operator set of the file.
    pub(super) set: i64,
}

impl<'a> Node<'a> {
    /// Refuses a node that has fewer or more inputs than `inputs`, one left out where there must be one,
    /// or other than one output.
    pub(super) fn arity(&self, inputs: std::ops::RangeInclusive<usize>) -> Result<(), Problem> {
        let (count, outputs) = (self.inputs.len(), self.proto.output.len());
        let least = self.inputs.iter().take(*inputs.start());
        if inputs.contains(&count) && outputs == 1 && least.flatten().count() == *inputs.start() {
            Ok(())
        } else {
            Err(Problem::Arity(count, outputs))
        }
    }

    /// An input that may be left out.
    pub(super) fn optional(&self, place: usize) -> Option<&'a Value> {
        self.inputs.get(place).copied().flatten()
    }

    pub(super) fn input(&self, place: usize) -> Result<&'a Value, Problem> {
        let missing = || Problem::Arity(self.inputs.len(), self.proto.output.len());
        self.optional(place).ok_or_else(missing)
    }

    /// All inputs, none left out.
    pub(super) fn all(&self) -> Result<Vec<&'a Value>, Problem> {
        (0..self.inputs.len())
            .map(|place| self.input(place))
            .collect()
    }

    /// A setting of this type.
    fn find(
        &self,
        name: &'static str,
        kind: AttributeType,
    ) -> Result<Option<&'a AttributeProto>, Problem> {
        let mut settings = self.proto.attribute.iter();
        match settings.find(|setting| setting.name == name) {
            None => Ok(None),
            Some(setting) if setting.r#type == kind as i32 => Ok(Some(setting)),
            Some(_) => Err(Problem::Setting(name)),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let mut settings = self.proto.attribute.iter();
        settings.any(|setting| setting.name == name)
    }

    pub(super) fn whole(&self, name: &'static str, otherwise: i64) -> Result<i64, Problem> {
        let found = self.find(name, AttributeType::Int)?;
        Ok(found.map_or(otherwise, |setting| setting.i))
    }

    /// A setting that is 0 or 1.
    pub(super) fn flag(&self, name: &'static str, otherwise: bool) -> Result<bool, Problem> {
        match self.whole(name, otherwise.into())? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Problem::Setting(name)),
        }
    }

    pub(super) fn wholes(&self, name: &'static str) -> Result<Option<&'a [i64]>, Problem> {
        let found = self.find(name, AttributeType::Ints)?;
        Ok(found.map(|setting| setting.ints.as_slice()))
    }

    pub(super) fn real(&self, name: &'static str) -> Result<Option<f32>, Problem> {
        let found = self.find(name, AttributeType::Float)?;
        Ok(found.map(|setting| setting.f))
    }

    pub(super) fn reals(&self, name: &'static str) -> Result<Option<&'a [f32]>, Problem> {
        let found = self.find(name, AttributeType::Floats)?;
        Ok(found.map(|setting| setting.floats.as_slice()))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&'a [u8]>, Problem> {
        let found = self.find(name, AttributeType::String)?;
        Ok(found.map(|setting| setting.s.as_slice()))
    }

    /// The constant of a setting.
    pub(super) fn tensor(&self, name: &'static str) -> Result<Option<Value>, Problem> {
        match self.find(name, AttributeType::Tensor)? {
            None => Ok(None),
            Some(setting) => {
                let tensor = setting.t.as_ref().ok_or(Problem::Setting(name))?;
                Value::constant(tensor).map(Some)
            }
        }
    }

    /// A setting that later operator sets have as an input.
    pub(super) fn wholes_or_input(
        &self,
        name: &'static str,
        place: usize,
    ) -> Result<Option<Vec<i64>>, Problem> {
        if let Some(found) = self.wholes(name)? {
            return Ok(Some(found.to_vec()));
        }
        let input = self.optional(place);
        input
            .map(|input| Ok(input.wholes(name)?.to_vec()))
            .transpose()
    }
}

/// An axis that may be counted from the end.
pub(super) fn axis(found: i64, axes: usize) -> Result<usize, Problem> {
    let axes = axes as i64;
    let counted = if found < 0 {
        found.checked_add(axes)
    } else {
        Some(found)
    };
    match counted {
        Some(axis) if (0..axes).contains(&axis) => Ok(axis as usize),
        _ => Err(Problem::Setting("axis")),
    }
}

/// Axes that may be counted from the end, each named once.
pub(super) fn each_once(found: &[i64], axes: usize) -> Result<Vec<usize>, Problem> {
    let mut places = Vec::with_capacity(found.len());
    for place in found {
        let place = axis(*place, axes)?;
        if places.contains(&place) {
            return Err(Problem::Setting("axes"));
        }
        places.push(place);
    }
    Ok(places)
}
