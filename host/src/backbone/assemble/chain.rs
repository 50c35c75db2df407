//! The layers that have been read, one reading what the one before it writes.

use posy_shared::model::{Op, Padding, Shape};

use super::value::Writer;
use super::{Axis, Map, Problem};
use crate::backbone::network::{Activation, Common, FloatLayer};

/// How often, on average, a byte of a file may become a number of a network. Layers may share
/// constants, but not so much that a small file makes a huge network.
const NUMBERS_PER_BYTE: usize = 8;

/// What a file's operators make.
#[derive(Clone, Debug)]
pub(crate) struct Assembled {
    /// Layers in running order.
    pub(crate) layers: Vec<FloatLayer>,
    /// What the file itself does with its input before the first layer reads it: for each channel
    /// a factor, and what is added then.
    pub(crate) input: Vec<(f64, f64)>,
}

/// A chain of layers being read.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(super) layers: Vec<FloatLayer>,
    /// How often something has been folded into each layer.
    pub(super) versions: Vec<u32>,
    /// See [`Assembled::input`], and how often it has changed.
    pub(super) input: Vec<(f64, f64)>,
    pub(super) input_version: u32,
    /// Numbers that may still be read.
    budget: usize,
}

impl Chain {
    /// Nothing but an input of this shape, from a file of so many bytes; and the input's value, whose
    /// axes are given.
    pub(crate) fn new(shape: Shape, axes: Vec<Axis>, file_len: usize) -> (Self, Map) {
        let chain = Chain {
            layers: Vec::new(),
            versions: Vec::new(),
            input: vec![(1.0, 0.0); usize::from(shape.channels)],
            input_version: 0,
            budget: file_len.saturating_mul(NUMBERS_PER_BYTE),
        };
        let map = Map {
            writer: Writer::Input,
            version: 0,
            shape,
            axes,
            padded: Padding::default(),
            averaged: None,
        };
        (chain, map)
    }

    /// What has been read.
    pub(crate) fn finish(self) -> Assembled {
        Assembled {
            layers: self.layers,
            input: self.input,
        }
    }

    /// Whether the network has pooled its map: whatever follows, there are features.
    pub(crate) fn has_pooled(&self) -> bool {
        let mut layers = self.layers.iter();
        layers.any(|layer| layer.common.op == Op::GlobalAveragePool)
    }

    /// Counts numbers that are read, and refuses more than a file can hold.
    pub(crate) fn spend(&mut self, numbers: usize) -> Result<(), Problem> {
        self.budget = self.budget.checked_sub(numbers).ok_or(Problem::Shared)?;
        Ok(())
    }

    /// Who writes at the end of the chain.
    pub(super) fn end(&self) -> Writer {
        let last = self.layers.len().checked_sub(1);
        last.map_or(Writer::Input, Writer::Layer)
    }

    /// How often something has been folded into what `writer` writes.
    pub(super) fn version(&self, writer: Writer) -> u32 {
        match writer {
            Writer::Input => self.input_version,
            Writer::Layer(index) => self.versions.get(index).copied().unwrap_or(0),
        }
    }

    /// Refuses a map that is not what the chain's end writes now.
    pub(super) fn newest(&self, map: &Map) -> Result<(), Problem> {
        if map.writer == self.end() && map.version == self.version(map.writer) {
            Ok(())
        } else {
            Err(Problem::Branch)
        }
    }

    /// Adds a layer that reads the chain's end; its value has the axes of `like`.
    pub(super) fn push(&mut self, layer: FloatLayer, like: &Map) -> Map {
        let map = Map {
            writer: Writer::Layer(self.layers.len()),
            version: 0,
            shape: layer.common.output,
            axes: like.axes.clone(),
            padded: Padding::default(),
            averaged: None,
        };
        self.layers.push(layer);
        self.versions.push(0);
        map
    }

    /// The value of `map` after something has been folded into its writer.
    pub(super) fn changed(&mut self, map: &Map) -> Map {
        match map.writer {
            Writer::Input => self.input_version += 1,
            Writer::Layer(index) => {
                if let Some(version) = self.versions.get_mut(index) {
                    *version += 1;
                }
            }
        }
        Map {
            version: self.version(map.writer),
            ..map.clone()
        }
    }

    /// A layer without weights that reads `map`.
    pub(super) fn unweighted(&self, op: Op, map: &Map, output: Shape, name: &str) -> FloatLayer {
        FloatLayer {
            common: Common {
                name: name.into(),
                op,
                input: map.shape,
                output,
                stride: 1,
                padding: Padding::default(),
                activation: Activation::None,
                skip: None,
            },
            weights: Vec::new(),
            bias: Vec::new(),
            range: None,
        }
    }

    /// The sum of two maps: the chain's end, and an earlier layer's.
    pub(crate) fn add(&mut self, a: &Map, b: &Map, name: &str) -> Result<Map, Problem> {
        let (last, earlier) = match (self.newest(a), self.newest(b)) {
            (Ok(()), Err(_)) => (a, b),
            (Err(_), Ok(())) => (b, a),
            (Ok(()), Ok(())) => return Err(Problem::Operands),
            (Err(problem), Err(_)) => return Err(problem),
        };
        last.plain()?;
        earlier.plain()?;
        let Writer::Layer(skip) = earlier.writer else {
            return Err(Problem::Operands);
        };
        if earlier.version != self.version(earlier.writer) {
            return Err(Problem::Branch);
        }
        if last.shape != earlier.shape || last.axes != earlier.axes {
            return Err(Problem::Operands);
        }
        let mut layer = self.unweighted(Op::Add, last, last.shape, name);
        layer.common.skip = Some(skip);
        let last = last.clone();
        Ok(self.push(layer, &last))
    }
}
