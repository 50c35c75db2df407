//! Commands that go on from a run, for whoever reads of it.

/// A command and its purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its purpose, in words.
    pub what: String,
    /// The line to type, quoted for a shell.
    pub line: String,
}

/// Commands that go on from a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Commands that use the model.
    pub using: Vec<Command>,
    /// Commands that may improve it.
    pub improving: Vec<Command>,
}
