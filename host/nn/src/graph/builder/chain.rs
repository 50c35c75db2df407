//! The chain of layers read so far: each layer reads the output of the previous one.

use posy_shared::model::{Op, Padding, Shape};

use super::value::Writer;
use super::{Axis, Map, Problem};
use crate::graph::network::{Activation, Common, FloatLayer, Scoring};

/// Limit on the weights of a network, as an average number of times that each byte of the file is
/// read. Layers may share constants, but a small file must not make a huge network.
const NUMBERS_PER_BYTE: usize = 8;

/// A float network built from a file's operators.
#[derive(Clone, Debug)]
pub(crate) struct Assembled {
    /// Layers in running order.
    pub(crate) layers: Vec<FloatLayer>,
    /// Affine transform that the file applies to its input before the first layer: factor and
    /// offset per channel.
    pub(crate) input: Vec<(f64, f64)>,
    /// Index of the first layer of a classifier that reads a map without pooling it.
    pub(crate) head: Option<usize>,
    /// Scores of the network's end, if all of it has been read.
    pub(crate) scoring: Option<Scoring>,
}

/// A chain of layers under construction.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(super) layers: Vec<FloatLayer>,
    /// Number of operators folded into each layer.
    pub(super) versions: Vec<u32>,
    /// As [`Assembled::input`], and the number of times that it has changed.
    pub(super) input: Vec<(f64, f64)>,
    pub(super) input_version: u32,
    /// As [`Assembled::head`].
    pub(super) head: Option<usize>,
    /// As [`Assembled::scoring`].
    scoring: Option<Scoring>,
    /// True if the file goes on behind what was read.
    is_cut: bool,
    /// Remaining number of weights that may be read.
    budget: usize,
}

impl Chain {
    /// An empty chain with an input of this shape, for a file of `file_len` bytes. Also returns the
    /// input's value, whose axes are `axes`.
    pub(crate) fn new(shape: Shape, axes: Vec<Axis>, file_len: usize) -> (Self, Map) {
        let chain = Chain {
            layers: Vec::new(),
            versions: Vec::new(),
            input: vec![(1.0, 0.0); usize::from(shape.channels)],
            input_version: 0,
            head: None,
            scoring: None,
            is_cut: false,
            budget: file_len.saturating_mul(NUMBERS_PER_BYTE),
        };
        let map = Map {
            writer: Writer::Input,
            version: 0,
            shape,
            axes,
            padded: Padding::default(),
            averaged: None,
            scaled: None,
            turned: None,
        };
        (chain, map)
    }

    /// The finished network.
    pub(crate) fn finish(self) -> Assembled {
        // A classifier may leave its softmax to whoever runs it.
        let ends_in_logits = self.layers.last().is_some_and(|layer| {
            layer.common.op == Op::Dense && layer.common.activation == Activation::None
        });
        let unwritten = Scoring::Softmax { beta: 1.0 };
        let scoring = self
            .scoring
            .or((ends_in_logits && !self.is_cut).then_some(unwritten));
        Assembled {
            layers: self.layers,
            input: self.input,
            head: self.head,
            scoring,
        }
    }

    /// The layer `index` as read so far.
    pub(crate) fn layer(&self, index: usize) -> Option<&FloatLayer> {
        self.layers.get(index)
    }

    /// As [`Assembled::input`], so far.
    pub(crate) fn input(&self) -> &[(f64, f64)] {
        &self.input
    }

    /// True as long as there is no layer.
    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// True once the network has pooled its map, or a classifier reads it: features exist, whatever
    /// follows.
    pub(crate) fn has_pooled(&self) -> bool {
        let mut layers = self.layers.iter();
        self.head.is_some() || layers.any(|layer| layer.common.op.is_global())
    }

    /// Ends the network with the scores of `map`, its logits.
    pub(crate) fn score(&mut self, map: &Map, scoring: Scoring) -> Result<Map, Problem> {
        self.newest(map)?;
        map.plain()?;
        if map.is_spatial() {
            return Err(Problem::Flat(map.shape));
        }
        self.scoring = Some(scoring);
        Ok(map.clone())
    }

    /// True behind the scores.
    pub(crate) fn is_scored(&self) -> bool {
        self.scoring.is_some()
    }

    /// Forgets the scores, because something else follows them.
    pub(crate) fn unscored(&mut self) {
        self.scoring = None;
        self.is_cut = true;
    }

    /// Counts numbers read from the file against its budget.
    pub(crate) fn spend(&mut self, numbers: usize) -> Result<(), Problem> {
        self.budget = self.budget.checked_sub(numbers).ok_or(Problem::Shared)?;
        Ok(())
    }

    /// Writer at the end of the chain.
    pub(super) fn end(&self) -> Writer {
        let last = self.layers.len().checked_sub(1);
        last.map_or(Writer::Input, Writer::Layer)
    }

    /// Number of operators folded into the output of `writer`.
    pub(super) fn version(&self, writer: Writer) -> u32 {
        match writer {
            Writer::Input => self.input_version,
            Writer::Layer(index) => self.versions.get(index).copied().unwrap_or(0),
        }
    }

    /// Refuses a map that is not the chain's current output, and anything behind scores.
    pub(super) fn newest(&self, map: &Map) -> Result<(), Problem> {
        if self.scoring.is_some() {
            return Err(Problem::Branch);
        }
        if map.writer == self.end() && map.version == self.version(map.writer) {
            Ok(())
        } else {
            Err(Problem::Branch)
        }
    }

    /// Appends a layer and returns its value, with the axes of `like`.
    pub(super) fn push(&mut self, layer: FloatLayer, like: &Map) -> Map {
        let map = Map {
            writer: Writer::Layer(self.layers.len()),
            version: 0,
            shape: layer.common.output,
            axes: like.axes.clone(),
            padded: Padding::default(),
            averaged: None,
            scaled: None,
            turned: None,
        };
        self.layers.push(layer);
        self.versions.push(0);
        map
    }

    /// The value of `map` after an operator was folded into its writer.
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

    /// Adds two maps: the end of the chain and the output of an earlier layer.
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
