//! Commands that go on from a run, for whoever reads of it.

/// A command and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it does, in words.
    pub what: String,
    /// The line to type, quoted for a shell.
    pub line: String,
}

/// Commands that go on from a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// What to do with the model.
    pub using: Vec<Command>,
    /// What may make it better.
    pub improving: Vec<Command>,
}
