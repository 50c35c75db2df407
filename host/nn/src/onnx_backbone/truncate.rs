//! Cuts a classifier's graph before its last layer and gives it raw pixels as input.

use std::collections::HashSet;

use posy_shared::model::Shape;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};

use super::features::find;
use super::input::Picture;
use super::names::{prefix, prefixed, reads};
use super::{AnyError, FEATURES};
use crate::graph::builder::{Links, running_order, shown};
use crate::graph::to_onnx::{described, integers, node, tensor, unshaped, value, vector};
use crate::import::normalisation::Normalisation;
use crate::import::onnx;
use crate::runtime::onnx::{INPUT, PixelRunner, RunError};
use crate::runtime::vet::vet;

/// Maximum number of features per image; AlexNet and VGG have 4,096.
const MOST_FEATURES: usize = 1 << 15;
/// First ONNX operator set in which arithmetic broadcasts its operands.
const OPERATOR_SET: i64 = 7;

/// A network cut at its features, run on the laptop.
#[derive(Clone, Debug)]
pub struct Network {
    /// SHA-256 of the file that it was read from.
    pub sha256: [u8; 32],
    /// Shape of the input image, `[H, W, 3]`.
    pub shape: Shape,
    /// The model: `input` is pixels of 0 to 255 in float32 `[1, 3, H, W]`, `features` is float32
    /// `[1, D]`.
    pub model: ModelProto,
    /// Name in the file of the value that becomes the features.
    pub cut_at: String,
    runner: PixelRunner,
}

/// An ONNX file that is located and runnable, but whose pixel normalisation is not chosen yet.
#[derive(Clone, Debug)]
pub struct Opened {
    sha256: [u8; 32],
    model: ModelProto,
    picture: Picture,
}

impl Network {
    /// Number of features, D.
    pub fn width(&self) -> usize {
        self.runner.outputs()
    }

    /// Runs it once, on a grey picture.
    ///
    /// # Errors
    /// [`AnyError::Run`].
    pub fn try_out(&self) -> Result<(), AnyError> {
        self.runner.run(&vec![0; self.shape.len()], 0.0, 1.0)?;
        Ok(())
    }

    /// The runner of the graph, without normalisation.
    pub fn runner(&self) -> &PixelRunner {
        &self.runner
    }
}

impl Opened {
    /// Finds the features of the model in `file` and prepares it to run; `side` is the image size
    /// where the file leaves it open.
    ///
    /// # Errors
    /// [`AnyError`].
    pub fn new(file: onnx::File, side: Option<u16>) -> Result<Self, AnyError> {
        let onnx::File { sha256, model, .. } = file;
        let mut opsets = model.opset_import.iter();
        let opset = opsets.find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
        let version = opset.map_or(0, |set| set.version);
        if version < OPERATOR_SET {
            return Err(AnyError::OperatorSet(version));
        }
        let graph = model.graph.as_ref().ok_or(AnyError::Nothing)?;
        let picture = Picture::of(graph, side)?;
        Ok(Opened {
            sha256,
            model,
            picture,
        })
    }

    /// Guesses the pixel normalisation: from the first node where that is arithmetic, else from the
    /// framework that wrote the file.
    pub fn usual_normalisation(&self) -> Normalisation {
        match scaling(self.model.graph.as_ref(), &self.picture.name) {
            Some(normalisation) => normalisation,
            None if self.model.producer_name == "pytorch" => Normalisation::TORCH,
            None => Normalisation::TENSORFLOW,
        }
    }

    /// The network up to its features, with `normalisation` put before its first node.
    ///
    /// # Errors
    /// [`AnyError`], also if tract cannot run the result.
    pub fn cut(self, normalisation: &Normalisation) -> Result<Network, AnyError> {
        let Opened {
            sha256,
            mut model,
            picture,
        } = self;
        let mut graph = model.graph.take().ok_or(AnyError::Nothing)?;
        let cut_at = find(&graph).ok_or(AnyError::Nothing)?.to_owned();
        if cut_at == picture.name {
            return Err(AnyError::Nothing);
        }
        keep_what_it_needs(&mut graph, &cut_at)?;
        // By the file's own names; what is added below is looked at before it runs.
        graph.value_info.clear();
        graph.input = vec![described(&picture.name, &picture.extents())];
        graph.output = vec![unshaped(&cut_at)];
        model.graph = Some(graph);
        vet(&model).map_err(RunError::Vet)?;
        let mut graph = model.graph.take().ok_or(AnyError::Nothing)?;
        prefix(&mut graph);
        let mut nodes = first_nodes(&mut graph, &picture, normalisation);
        nodes.append(&mut graph.node);
        graph.node = nodes;
        graph.name = "posy".into();
        graph.input = vec![value(INPUT, picture.shape)];
        let last = prefixed(&cut_at);
        graph.output = vec![unshaped(&last)];
        model.metadata_props.clear();
        model.training_info.clear();
        model.graph = Some(graph);

        let extents = PixelRunner::extents(&model, &last)?;
        let width = match *extents.as_slice() {
            [1, .., channels] if is_map(&extents) && channels_last(&extents) => channels,
            [1, channels, ..] if is_map(&extents) => channels,
            [1, ref rest @ ..] => rest.iter().product(),
            _ => 0,
        };
        if width == 0 || width > MOST_FEATURES {
            return Err(AnyError::Features {
                name: shown(&cut_at),
                shape: extents,
                most: MOST_FEATURES,
            });
        }
        if let Some(graph) = &mut model.graph {
            graph.node.extend(last_nodes(&last, &extents));
            graph.output = vec![vector(FEATURES, width)];
        }
        let runner = PixelRunner::new(&model, FEATURES)?;
        Ok(Network {
            sha256,
            shape: picture.shape,
            model,
            cut_at,
            runner,
        })
    }
}

/// True for a map of more than one pixel.
fn is_map(extents: &[usize]) -> bool {
    let area = if channels_last(extents) { 1..3 } else { 2..4 };
    extents.len() == 4 && extents[area].iter().product::<usize>() > 1
}

/// True if a map `[1, a, b, c]` has its channels last. A map's height and width are nearly always
/// equal.
fn channels_last(extents: &[usize]) -> bool {
    matches!(*extents, [_, a, b, c] if a == b && b != c)
}

/// Drops the nodes and constants that `output` does not need, and sorts the rest in running order.
fn keep_what_it_needs(graph: &mut GraphProto, output: &str) -> Result<(), AnyError> {
    let links = graph.node.iter().map(|node| Links {
        reads: reads(node),
        writes: node
            .output
            .iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty())
            .collect(),
    });
    let order = running_order(&links.collect::<Vec<_>>(), &[output])?;
    let nodes: Vec<NodeProto> = order
        .iter()
        .map(|&index| graph.node[index].clone())
        .collect();
    let read: HashSet<&str> = nodes.iter().flat_map(reads).collect();
    graph
        .initializer
        .retain(|tensor| read.contains(tensor.name.as_str()));
    graph.node = nodes;
    Ok(())
}

/// Nodes that convert pixels to the input of the file's first node: normalisation and layout.
fn first_nodes(
    graph: &mut GraphProto,
    picture: &Picture,
    normalisation: &Normalisation,
) -> Vec<NodeProto> {
    let mut nodes = Vec::new();
    let mut read = INPUT;
    let of_channels = |name: &str, numbers: [f64; 3]| {
        tensor(name, &[1, 3, 1, 1], &numbers.map(|number| number as f32))
    };
    if normalisation.mean != [0.0; 3] {
        graph
            .initializer
            .push(of_channels("mean", normalisation.mean));
        nodes.push(node("Sub", &[read, "mean"], "centred"));
        read = "centred";
    }
    if normalisation.std != [1.0; 3] {
        graph
            .initializer
            .push(of_channels("std", normalisation.std));
        nodes.push(node("Div", &[read, "std"], "normalised"));
        read = "normalised";
    }
    let first = prefixed(&picture.name);
    nodes.push(match picture.channels_last {
        true => transpose(read, &first, &[0, 2, 3, 1]),
        false => node("Identity", &[read], &first),
    });
    nodes
}

/// Nodes that turn `last`, of these extents, into features: a global average pool for a map.
fn last_nodes(last: &str, extents: &[usize]) -> Vec<NodeProto> {
    let mut nodes = Vec::new();
    let mut read = last;
    if is_map(extents) {
        if channels_last(extents) {
            nodes.push(transpose(read, "planes", &[0, 3, 1, 2]));
            read = "planes";
        }
        nodes.push(node("GlobalAveragePool", &[read], "averages"));
        read = "averages";
    }
    // The default axis of Flatten is 1.
    nodes.push(node("Flatten", &[read], FEATURES));
    nodes
}

pub(super) fn transpose(from: &str, to: &str, axes: &[i64]) -> NodeProto {
    NodeProto {
        attribute: vec![integers("perm", axes)],
        ..node("Transpose", &[from], to)
    }
}

/// Guesses the pixel range from the first node: a large constant that is subtracted or divided by
/// means pixels of 0 to 255.
fn scaling(graph: Option<&GraphProto>, input: &str) -> Option<Normalisation> {
    let graph = graph?;
    let mut name = input;
    for node in &graph.node {
        if node.input.first().map(String::as_str) != Some(name) {
            continue;
        }
        let first_number = || {
            let constant = node.input.get(1)?;
            let tensor = graph
                .initializer
                .iter()
                .find(|tensor| tensor.name == *constant)?;
            let raw = tensor
                .raw_data
                .first_chunk::<4>()
                .map(|bytes| f32::from_le_bytes(*bytes));
            raw.or(tensor.float_data.first().copied())
        };
        let of_255 = match node.op_type.as_str() {
            "Transpose" | "Identity" | "Cast" => {
                name = node.output.first()?;
                continue;
            }
            "Sub" | "Add" => first_number()?.abs() > 2.5,
            "Div" => first_number()?.abs() > 2.5,
            "Mul" => first_number()?.abs() < 0.1,
            _ => return None,
        };
        return Some(match of_255 {
            true => Normalisation::RAW,
            false => Normalisation::UNIT,
        });
    }
    None
}
