//! Folds scales, shifts and clamps into the layer before them.

use posy_shared::model::Op;

use super::value::Writer;
use super::{Arithmetic, Axis, Chain, Constant, Map, Problem, Value};
use crate::graph::network::Activation;

impl Chain {
    /// Folds `map * scale + shift`, one pair per channel.
    fn affine(
        &mut self,
        map: &Map,
        pairs: &[(f64, f64)],
        what: &'static str,
    ) -> Result<Map, Problem> {
        self.newest(map)?;
        if let Some(before) = &map.scaled {
            let both = before.iter().zip(pairs);
            let both: Vec<_> = both
                .map(|((factor, added), (scale, shift))| (factor * scale, added * scale + shift))
                .collect();
            let whole = Map {
                scaled: None,
                ..map.clone()
            };
            return self.affine(&whole, &both, what);
        }
        map.plain()?;
        self.spend(pairs.len())?;
        let finite = |(scale, shift): &(f64, f64)| scale.is_finite() && shift.is_finite();
        if !pairs.iter().all(finite) {
            return Err(Problem::NotFinite("scales and shifts"));
        }
        match map.writer {
            Writer::Input => {
                for ((factor, added), (scale, shift)) in self.input.iter_mut().zip(pairs) {
                    (*factor, *added) = (*factor * scale, *added * scale + shift);
                }
            }
            Writer::Layer(index) => {
                let layer = self.layers.get_mut(index).ok_or(Problem::Branch)?;
                if !layer.common.op.has_weights() || layer.common.activation != Activation::None {
                    // The fully connected layer that reads a vector can take it.
                    return match map.is_spatial() {
                        true => Err(Problem::Affine(what)),
                        false => Ok(Map {
                            scaled: Some(pairs.into()),
                            ..self.changed(map)
                        }),
                    };
                }
                let of_channel = layer.weights.len() / pairs.len().max(1);
                let weights = layer.weights.chunks_exact_mut(of_channel.max(1));
                for ((weights, bias), (scale, shift)) in weights.zip(&mut layer.bias).zip(pairs) {
                    for weight in weights {
                        *weight = (f64::from(*weight) * scale) as f32;
                    }
                    *bias = (f64::from(*bias) * scale + shift) as f32;
                }
                let mut numbers = layer.weights.iter().chain(&layer.bias);
                if !numbers.all(|number| number.is_finite()) {
                    return Err(Problem::NotFinite("weights, scaled,"));
                }
            }
        }
        Ok(self.changed(map))
    }

    /// The input in grey levels less 128.
    pub(crate) fn less_128(&mut self, map: &Map) -> Map {
        for (_, added) in &mut self.input {
            *added -= 128.0;
        }
        self.changed(map)
    }

    /// Multiplies `map` by a constant.
    fn multiply(&mut self, map: &Map, by: &Constant) -> Result<Map, Problem> {
        let by = each_channel(map, by)?;
        let pairs: Vec<_> = by.into_iter().map(|scale| (scale, 0.0)).collect();
        self.affine(map, &pairs, "a constant")
    }

    /// Divides `map` by a constant.
    fn divide(&mut self, map: &Map, by: &Constant) -> Result<Map, Problem> {
        let by = each_channel(map, by)?;
        let pairs: Vec<_> = by.into_iter().map(|scale| (1.0 / scale, 0.0)).collect();
        self.affine(map, &pairs, "a constant")
    }

    /// Adds a constant to `map`.
    pub(crate) fn shift(&mut self, map: &Map, by: &Constant) -> Result<Map, Problem> {
        let by = each_channel(map, by)?;
        let pairs: Vec<_> = by.into_iter().map(|shift| (1.0, shift)).collect();
        self.affine(map, &pairs, "a constant")
    }

    /// Subtracts `map` from a constant, or a constant from `map`.
    fn subtract(
        &mut self,
        map: &Map,
        constant: &Constant,
        constant_first: bool,
    ) -> Result<Map, Problem> {
        let by = each_channel(map, constant)?;
        let pair = |by: f64| {
            if constant_first {
                (-1.0, by)
            } else {
                (1.0, -by)
            }
        };
        let pairs: Vec<_> = by.into_iter().map(pair).collect();
        self.affine(map, &pairs, "a constant")
    }

    /// Folds a batch norm in inference form: scale, shift, running mean, running variance.
    pub(crate) fn batch_norm(
        &mut self,
        map: &Map,
        [scale, shift, mean, variance]: [&Constant; 4],
        epsilon: f32,
    ) -> Result<Map, Problem> {
        let channels = usize::from(map.shape.channels);
        let numbers = [
            scale.reals("scale")?,
            shift.reals("shift")?,
            mean.reals("mean")?,
            variance.reals("variance")?,
        ];
        if let Some(wrong) = numbers.iter().find(|n| n.len() != channels) {
            return Err(Problem::Shape {
                what: "a batch norm's numbers",
                found: vec![wrong.len()],
                wanted: "they are one for each channel",
            });
        }
        if channels_of(map).is_none() {
            return Err(Problem::Axes);
        }
        let [scale, shift, mean, variance] = numbers;
        let pair = |c: usize| {
            let deviation = (f64::from(variance[c]) + f64::from(epsilon)).sqrt();
            let factor = f64::from(scale[c]) / deviation;
            (factor, f64::from(shift[c]) - f64::from(mean[c]) * factor)
        };
        let pairs: Vec<_> = (0..channels).map(pair).collect();
        self.affine(map, &pairs, "a batch norm")
    }

    /// Clamps `map` to `least..=greatest`.
    pub(crate) fn clamp(&mut self, map: &Map, least: f32, greatest: f32) -> Result<Map, Problem> {
        self.newest(map)?;
        map.plain()?;
        let refused = Problem::Clamp(least, greatest);
        let Writer::Layer(index) = map.writer else {
            return Err(refused);
        };
        let layer = self.layers.get_mut(index).ok_or(Problem::Branch)?;
        let before = layer.common.activation;
        // After an activation values are at least 0, and a lower limit below 0 changes nothing.
        let positive = before != Activation::None || least == 0.0;
        let below_zero = least <= 0.0;
        let unlimited = greatest >= f32::MAX;
        layer.common.activation = match before {
            _ if !below_zero || greatest.is_nan() || least.is_nan() => return Err(refused),
            Activation::None if unlimited && least <= f32::MIN => Activation::None,
            _ if !positive => return Err(refused),
            Activation::Relu6 if greatest >= 6.0 => Activation::Relu6,
            Activation::None | Activation::Relu if unlimited => Activation::Relu,
            Activation::None | Activation::Relu if greatest == 6.0 => Activation::Relu6,
            _ => return Err(refused),
        };
        if layer.common.op == Op::GlobalAveragePool {
            // The mean of clamped values already lies in the range; a clamp would need an
            // activation that a pool does not have.
            layer.common.activation = before;
            let source = index.checked_sub(1).and_then(|i| self.layers.get(i));
            let source = source.map_or(Activation::None, |layer| layer.common.activation);
            let within = match source {
                Activation::None => false,
                Activation::Relu => unlimited,
                Activation::Relu6 => greatest >= 6.0,
            };
            return if within {
                Ok(map.clone())
            } else {
                Err(refused)
            };
        }
        Ok(self.changed(map))
    }
}

/// Index of the channel axis in a map's tensor.
fn channels_of(map: &Map) -> Option<usize> {
    map.place(Axis::Channels)
}

/// One value per channel of `map`, from a constant that broadcasts over it.
fn each_channel(map: &Map, constant: &Constant) -> Result<Vec<f64>, Problem> {
    let channels = usize::from(map.shape.channels);
    let numbers = constant.reals("constant")?;
    let misfit = || Problem::Shape {
        what: "a constant",
        found: constant.dims.clone(),
        wanted: "posy scales and shifts whole maps, or each channel by itself",
    };
    if let [number] = numbers {
        // A constant of one element may have more axes than the map, all of extent 1.
        return Ok(vec![f64::from(*number); channels]);
    }
    // Broadcasting matches extents from the last axis, as in NumPy.
    let from_last = channels_of(map).map(|place| map.axes.len() - 1 - place);
    let place = from_last.and_then(|back| constant.dims.len().checked_sub(back + 1));
    let along = place.and_then(|place| constant.dims.get(place));
    if numbers.len() != channels || along != Some(&channels) {
        return Err(misfit());
    }
    Ok(numbers.iter().map(|number| f64::from(*number)).collect())
}

impl Chain {
    /// Arithmetic on two values: constants are computed at once, a map becomes part of the network.
    pub(crate) fn combine(
        &mut self,
        by: Arithmetic,
        a: &Value,
        b: &Value,
        name: &str,
    ) -> Result<Value, Problem> {
        let map = match (by, a, b) {
            (_, Value::Constant(a), Value::Constant(b)) => {
                self.spend(a.len().max(b.len()))?;
                return Ok(Value::Constant(a.with(by, b)?));
            }
            (Arithmetic::Add, Value::Map(a), Value::Map(b)) => self.add(a, b, name)?,
            (_, Value::Map(_), Value::Map(_)) => return Err(Problem::Operator),
            (Arithmetic::Add, Value::Map(map), Value::Constant(by))
            | (Arithmetic::Add, Value::Constant(by), Value::Map(map)) => self.shift(map, by)?,
            (Arithmetic::Multiply, Value::Map(map), Value::Constant(by))
            | (Arithmetic::Multiply, Value::Constant(by), Value::Map(map)) => {
                self.multiply(map, by)?
            }
            (Arithmetic::Subtract, Value::Map(map), Value::Constant(by)) => {
                self.subtract(map, by, false)?
            }
            (Arithmetic::Subtract, Value::Constant(by), Value::Map(map)) => {
                self.subtract(map, by, true)?
            }
            (Arithmetic::Divide, Value::Map(map), Value::Constant(by)) => self.divide(map, by)?,
            (Arithmetic::Divide, Value::Constant(_), Value::Map(_)) => {
                return Err(Problem::Operator);
            }
        };
        Ok(Value::Map(map))
    }
}
