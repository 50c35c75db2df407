//! Global average pooling.

use posy_shared::model::{Op, Shape};

use super::{Axis, Chain, Map, Problem};

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
