//! Walks the operations of a frozen graph and computes the value of each.

use std::collections::{HashMap, HashSet};

use posy_shared::model::Shape;

use super::tensors::Settings;
use super::{FrozenError, Part};
use crate::graph::builder::{
    Assembled, Axis, Chain, Links, Map, Problem, Value, running_order, shown,
};
use crate::import::tensorflow::proto::{DT_FLOAT, GraphDef, NodeDef};

/// A graph being read.
pub(super) struct Walk<'a> {
    pub(super) chain: Chain,
    values: HashMap<&'a str, Value>,
}

/// An operation and its input values.
pub(super) struct Step<'a> {
    pub(super) node: &'a NodeDef,
    inputs: Vec<Value>,
}

impl Step<'_> {
    pub(super) fn input(&self, place: usize, what: &'static str) -> Result<&Value, Problem> {
        self.inputs.get(place).ok_or(Problem::Missing(what))
    }

    pub(super) fn map(&self) -> Result<&Map, Problem> {
        self.input(0, "input")?.map("input")
    }

    pub(super) fn constant(
        &self,
        place: usize,
        what: &'static str,
    ) -> Result<&crate::graph::builder::Constant, Problem> {
        self.input(place, what)?.constant(what)
    }

    pub(super) fn inputs(&self) -> &[Value] {
        &self.inputs
    }
}

/// Reads the operations between the placeholder and the graph's ends.
pub(super) fn walk(
    graph: &GraphDef,
    file_len: usize,
    part: &Part<'_>,
) -> Result<Assembled, FrozenError> {
    let variables = ["Variable", "VariableV2", "VarHandleOp"];
    let mut nodes = graph.node.iter();
    if let Some(node) = nodes.find(|node| variables.contains(&node.op.as_str())) {
        return Err(FrozenError::Variables(shown(&node.name)));
    }
    let (name, shape) = input(graph, part)?;
    let links: Vec<Links<'_>> = graph.node.iter().map(links).collect();
    let ends = match part.output {
        Some(output) => vec![scores(graph, output)?],
        None => ends(&links, name),
    };
    let order = running_order(&links, &ends)?;
    use Axis::{Batch, Channels, Height, Width};
    let (chain, map) = Chain::new(shape, vec![Batch, Height, Width, Channels], file_len);
    let mut walk = Walk {
        chain,
        values: HashMap::from([(name, Value::Map(map))]),
    };
    for (place, &index) in order.iter().enumerate() {
        let node = &graph.node[index];
        if node.name == name {
            continue;
        }
        let Err(problem) = walk.step(node, &links[index]) else {
            continue;
        };
        // A new head replaces everything after the features, unless a map is still in use.
        let mut rest = order[place..].iter().flat_map(|index| &links[*index].reads);
        let in_use = rest.any(|name| match walk.values.get(name) {
            Some(Value::Map(map)) => map.is_spatial(),
            _ => false,
        });
        if part.output.is_none() && walk.chain.has_pooled() && problem.is_foreign() && !in_use {
            walk.chain.unscored();
            break;
        }
        return Err(FrozenError::Operation {
            name: shown(&node.name),
            operation: shown(&node.op),
            problem: Box::new(problem),
        });
    }
    Ok(walk.chain.finish())
}

impl<'a> Walk<'a> {
    fn step(&mut self, node: &'a NodeDef, links: &Links<'a>) -> Result<(), Problem> {
        let inputs = links.reads.iter().map(|name| {
            let value = self.values.get(name);
            value
                .cloned()
                .ok_or_else(|| Problem::Unwritten(shown(name)))
        });
        let inputs = inputs.collect::<Result<_, _>>()?;
        let value = self.operate(&Step { node, inputs })?;
        self.values.insert(&node.name, value);
        Ok(())
    }
}

/// Names that an operation reads and writes. Its first output has the operation's name, with or
/// without `:0`; a caret marks a control dependency.
fn links(node: &NodeDef) -> Links<'_> {
    let reads = node.input.iter().filter(|name| !name.starts_with('^'));
    Links {
        reads: reads
            .map(|name| name.strip_suffix(":0").unwrap_or(name))
            .collect(),
        writes: vec![&node.name],
    }
}

/// Names of operations that depend on the placeholder and that no other operation reads.
fn ends<'a>(links: &[Links<'a>], input: &'a str) -> Vec<&'a str> {
    let mut readers: HashMap<&str, Vec<&'a str>> = HashMap::new();
    for node in links {
        for name in &node.reads {
            readers.entry(name).or_default().extend(&node.writes);
        }
    }
    let mut reached = HashSet::new();
    let mut ahead = vec![input];
    let mut ends = Vec::new();
    while let Some(name) = ahead.pop() {
        if reached.insert(name) {
            match readers.get(name) {
                Some(readers) => ahead.extend(readers),
                None => ends.push(name),
            }
        }
    }
    // A cyclic graph has no ends; ordering it reports the cycle.
    if ends.is_empty() {
        ends.push(input);
    }
    ends
}

/// The node called `name`, with or without `:0`.
fn named<'g>(graph: &'g GraphDef, name: &str) -> Result<&'g NodeDef, FrozenError> {
    let name = name.strip_suffix(":0").unwrap_or(name);
    let node = graph.node.iter().find(|node| node.name == name);
    node.ok_or_else(|| FrozenError::Missing(shown(name)))
}

/// Name of the output, which is scores.
fn scores<'g>(graph: &'g GraphDef, name: &str) -> Result<&'g str, FrozenError> {
    let node = named(graph, name)?;
    match node.op.as_str() {
        "Softmax" | "Sigmoid" => Ok(&node.name),
        operation => Err(FrozenError::Output {
            name: shown(name),
            operation: shown(operation),
        }),
    }
}

/// The named placeholder, or the only one.
fn input<'g>(graph: &'g GraphDef, part: &Part<'_>) -> Result<(&'g str, Shape), FrozenError> {
    let placeholders = graph.node.iter().filter(|node| node.op == "Placeholder");
    let placeholders: Vec<&NodeDef> = placeholders.collect();
    let node = match (part.input, placeholders.as_slice()) {
        (Some(name), _) => named(graph, name)?,
        (None, [node]) => node,
        (None, other) => return Err(FrozenError::Inputs(other.len())),
    };
    let settings = Settings(node);
    let shape = settings.shape("shape");
    let extent = |extent: i64| u16::try_from(extent).ok().filter(|extent| *extent > 0);
    let sides = match shape.as_deref() {
        Some(&[-1 | 1, height, width, channels @ (1 | 3)]) => {
            let given = match part.size {
                Some((height, width)) => [height, width],
                None if height < 0 || width < 0 => {
                    return Err(FrozenError::Size(shown(&node.name)));
                }
                None => [0; 2],
            };
            // A size that is given fills in extents that are open.
            let side = |own: i64, given: u16| match own {
                -1 => Some(given),
                own => extent(own),
            };
            let sides = side(height, given[0]).zip(side(width, given[1]));
            sides.map(|(height, width)| (height, width, channels as u16))
        }
        _ => None,
    };
    match sides {
        Some((height, width, channels))
            if settings.number_type("dtype") == Some(DT_FLOAT) && height > 0 && width > 0 =>
        {
            let shape = Shape {
                height,
                width,
                channels,
            };
            Ok((&node.name, shape))
        }
        _ => Err(FrozenError::Input {
            name: shown(&node.name),
            shape: shape.unwrap_or_default().into_iter().take(8).collect(),
        }),
    }
}
