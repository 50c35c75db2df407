//! Errors for frozen graphs.

/// Defect of a frozen graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrozenError {
    /// The bytes are no `GraphDef` protocol buffer, or are cut short.
    #[error("this is no frozen TensorFlow graph, or it is damaged; write it again ({0})")]
    Damaged(String),
    /// Two nodes have the same name.
    #[error("two nodes are called {0:?}; write the graph again")]
    Twice(String),
    /// No node has this name.
    #[error(
        "there is no node {0:?}; name those that the graph has (--input-layer, --output-layer), or \
         write it again"
    )]
    Missing(String),
    /// The graph has a cycle.
    #[error("the nodes go round in circles; write the graph again")]
    Circle,
    /// The output is not a softmax.
    #[error("{name:?} is {op}; the output of a classifier is a Softmax, name it (--output-layer)")]
    Output {
        /// Name of the node.
        name: String,
        /// Type of the operation.
        op: String,
    },
    /// The graph has no layers.
    #[error("the graph has no layers")]
    Empty,
    /// A node that posy cannot run.
    #[error("node {name:?} ({op}): {problem}")]
    Node {
        /// Name of the node.
        name: String,
        /// Type of the operation.
        op: String,
        /// Defect of the node.
        problem: Problem,
    },
}

/// Defect of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An unsupported operation.
    #[error("posy runs only the operations that it writes itself; train with posy retrain")]
    Operation,
    /// A supported operation at an unsupported place.
    #[error("it stands where posy cannot run it; write the graph again")]
    Place,
    /// An input is missing.
    #[error("it has no input {0}; write the graph again")]
    Input(usize),
    /// An attribute is missing or of the wrong type.
    #[error("its attribute {0:?} is missing or not one that posy runs")]
    Attribute(&'static str),
    /// A constant is missing, or of the wrong type or length.
    #[error("its constant {0:?} is not one, or is damaged; write the graph again")]
    Constant(String),
    /// A value is infinite or NaN.
    #[error("its constant {0:?} has a number that is not finite; write the graph again")]
    NotFinite(String),
    /// Extents that do not match.
    #[error("its extents do not fit what it reads; write the graph again")]
    Shape,
}
