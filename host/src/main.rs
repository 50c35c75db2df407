//! The `posy` command.
fn main() {}
