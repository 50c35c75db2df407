//! Global average pooling.

use std::rc::Rc;

use posy_shared::model::{Op, Shape};

use super::{Axis, Chain, Constant, Map, Pads, Problem, Window};

impl Chain {
    /// Averages over the whole map, which leaves one pixel.
    pub(crate) fn global_pool(&mut self, map: &Map, name: &str) -> Result<Map, Problem> {
        self.newest(map)?;
        map.plain()?;
        let output = Shape {
            height: 1,
            width: 1,
            ..map.shape
        };
        let layer = self.unweighted(Op::GlobalAveragePool, map, output, name);
        Ok(self.push(layer, map))
    }

    /// The values of a map as one pixel, for a classifier that reads all of them.
    pub(crate) fn flatten(&mut self, map: &Map, name: &str) -> Result<Map, Problem> {
        self.newest(map)?;
        map.plain()?;
        let len = map.shape.len();
        let channels = u16::try_from(len).map_err(|_| Problem::Flat(map.shape))?;
        let output = Shape {
            height: 1,
            width: 1,
            channels,
        };
        self.head.get_or_insert(self.layers.len());
        let layer = self.unweighted(Op::Flatten, map, output, name);
        let flat = self.push(layer, map);
        Ok(Map {
            axes: vec![Axis::Batch, Axis::Channels],
            ..flat
        })
    }

    /// The values of a map in the file's order as a vector of these extents, of which one is not 1: -1 for
    /// whatever remains, 0 for the map's own.
    pub(crate) fn flatten_to(
        &mut self,
        map: &Map,
        dims: &[i64],
        name: &str,
    ) -> Result<Map, Problem> {
        let order = map.axes.iter().filter(|axis| map.extent(**axis) != 1);
        let order: Vec<Axis> = order.copied().collect();
        let len = i64::try_from(map.shape.len()).unwrap_or(i64::MAX);
        let whole = dims.contains(&len);
        let own = map.dims();
        let resolved = |(place, wanted): (usize, &i64)| match *wanted {
            0 => own.get(place).map_or(1, |own| *own as i64),
            // The open extent beside all values.
            -1 if whole => 1,
            wanted => wanted,
        };
        let dims: Vec<i64> = dims.iter().enumerate().map(resolved).collect();
        if dims.iter().filter(|wanted| **wanted != 1).count() > 1 {
            return Err(Problem::Flat(map.shape));
        }
        let flat = self.flatten(map, name)?.reshaped(&dims)?;
        let mut engine = order.clone();
        engine.sort_by_key(|axis| match axis {
            Axis::Height => 0,
            Axis::Width => 1,
            _ => 2,
        });
        let turned = (order != engine).then(|| Rc::new((map.shape, order)));
        Ok(Map { turned, ..flat })
    }

    /// A fully connected layer over each pixel of `map`, with weights `[O, I]`: a 1 x 1 convolution.
    pub(crate) fn dense_per_pixel(
        &mut self,
        map: &Map,
        weights: &Constant,
        bias: Option<&Constant>,
        name: &str,
    ) -> Result<Map, Problem> {
        let mut dims = weights.dims.clone();
        dims.extend([1, 1]);
        let kernel = weights.with_dims(dims).ok_or(Problem::Axes)?;
        let window = Window {
            strides: vec![1; 2],
            dilations: vec![1; 2],
            pads: Pads::Explicit([0; 4]),
            groups: 1,
        };
        self.head.get_or_insert(self.layers.len());
        self.convolution(map, &kernel, bias, &window, name)
    }

    /// An average pool with windows of `kernel`, which must cover the whole map.
    pub(crate) fn average_pool(
        &mut self,
        map: &Map,
        kernel: &[usize],
        unpadded: bool,
        name: &str,
    ) -> Result<Map, Problem> {
        let Shape { height, width, .. } = map.shape;
        if kernel != [usize::from(height), usize::from(width)] || !unpadded {
            return Err(Problem::Pool {
                found: kernel.to_vec(),
                height,
                width,
            });
        }
        self.global_pool(map, name)
    }

    /// Averages over the axes at `places`. Height and width may be averaged at once or one after
    /// the other; both give a global average pool.
    pub(crate) fn mean(
        &mut self,
        map: &Map,
        places: &[usize],
        keep: bool,
        name: &str,
    ) -> Result<Map, Problem> {
        self.newest(map)?;
        let mut over: Vec<Axis> = Vec::new();
        for place in places {
            over.push(*map.axes.get(*place).ok_or(Problem::Axes)?);
        }
        over.extend(map.averaged);
        let both = over.len() == 2 && over.contains(&Axis::Height) && over.contains(&Axis::Width);
        let remaining: Vec<Axis> = (map.axes.iter().enumerate())
            .filter(|(place, _)| keep || !places.contains(place))
            .map(|(_, axis)| *axis)
            .collect();
        if both {
            let whole = Map {
                averaged: None,
                ..map.clone()
            };
            let pooled = self.global_pool(&whole, name)?;
            return Ok(Map {
                axes: remaining,
                ..pooled
            });
        }
        match over.as_slice() {
            [axis @ (Axis::Height | Axis::Width)] if map.averaged.is_none() => {
                map.plain()?;
                Ok(Map {
                    averaged: Some(*axis),
                    axes: remaining,
                    ..map.clone()
                })
            }
            _ => Err(Problem::Axes),
        }
    }
}
