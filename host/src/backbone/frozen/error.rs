//! Why a frozen graph cannot be used.

/// What is wrong with a frozen graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrozenError {
    /// It is no protocol buffer of a graph, or cut short.
    #[error("this is no frozen TensorFlow graph, or it is damaged; write it again ({0})")]
    Damaged(String),
    /// Two nodes have one name.
    #[error("two nodes are called {0:?}; write the graph again")]
    Twice(String),
    /// There is no node of a name.
    #[error(
        "there is no node {0:?}; name those that the graph has (--input-layer, --output-layer), or \
         write it again"
    )]
    Missing(String),
    /// The nodes go round in circles.
    #[error("the nodes go round in circles; write the graph again")]
    Circle,
    /// The output is not a softmax.
    #[error("{name:?} is {op}; the output of a classifier is a Softmax, name it (--output-layer)")]
    Output {
        /// Name of the node.
        name: String,
        /// What it does.
        op: String,
    },
    /// There is no layer.
    #[error("the graph has no layers")]
    Empty,
    /// A node that posy cannot run.
    #[error("node {name:?} ({op}): {problem}")]
    Node {
        /// Its name.
        name: String,
        /// What it does.
        op: String,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Another operation.
    #[error("posy runs only the operations that it writes itself; train with posy retrain")]
    Operation,
    /// An operation at a place where posy has none.
    #[error("it stands where posy cannot run it; write the graph again")]
    Place,
    /// An input is missing.
    #[error("it has no input {0}; write the graph again")]
    Input(usize),
    /// An attribute is missing or of another kind.
    #[error("its attribute {0:?} is missing or not one that posy runs")]
    Attribute(&'static str),
    /// A constant is missing or of another kind or length.
    #[error("its constant {0:?} is not one, or is damaged; write the graph again")]
    Constant(String),
    /// Numbers that no network has.
    #[error("its constant {0:?} has a number that is not finite; write the graph again")]
    NotFinite(String),
    /// Extents that do not fit.
    #[error("its extents do not fit what it reads; write the graph again")]
    Shape,
}
