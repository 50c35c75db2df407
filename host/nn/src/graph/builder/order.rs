//! Topological order of the nodes that a graph's outputs need.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Names that a node reads and writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links<'a> {
    pub(crate) reads: Vec<&'a str>,
    pub(crate) writes: Vec<&'a str>,
}

/// Reason why a graph's nodes cannot be ordered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OrderError {
    /// The graph has a cycle.
    #[error("\"{0}\" is computed, by way of others, from itself; the file is damaged")]
    Cycle(String),
    /// Two nodes write the same name.
    #[error("\"{0}\" is written by two nodes; the file is damaged")]
    Twice(String),
}

/// Indices of the nodes that `outputs` need, in running order. The file's own order is kept where
/// it is valid.
pub(crate) fn running_order(
    nodes: &[Links<'_>],
    outputs: &[&str],
) -> Result<Vec<usize>, OrderError> {
    let mut writers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for name in &node.writes {
            if writers.insert(name, index).is_some() {
                return Err(OrderError::Twice((*name).to_owned()));
            }
        }
    }
    let sources = |index: usize| {
        let reads = nodes[index].reads.iter();
        reads.filter_map(|name| writers.get(name).copied())
    };
    let mut needed = vec![false; nodes.len()];
    let outputs = outputs.iter();
    let mut ahead: Vec<usize> = outputs
        .filter_map(|name| writers.get(name).copied())
        .collect();
    while let Some(index) = ahead.pop() {
        if !std::mem::replace(&mut needed[index], true) {
            ahead.extend(sources(index));
        }
    }
    let mut waiting = vec![0_usize; nodes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut ready = BinaryHeap::new();
    for index in (0..nodes.len()).filter(|index| needed[*index]) {
        for source in sources(index) {
            waiting[index] += 1;
            readers[source].push(index);
        }
        if waiting[index] == 0 {
            ready.push(Reverse(index));
        }
    }
    let mut order = Vec::new();
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for reader in &readers[index] {
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                ready.push(Reverse(*reader));
            }
        }
    }
    match (0..nodes.len()).find(|index| needed[*index] && waiting[*index] > 0) {
        Some(index) => {
            let name = nodes[index].writes.first().copied();
            Err(OrderError::Cycle(name.unwrap_or_default().to_owned()))
        }
        None => Ok(order),
    }
}
