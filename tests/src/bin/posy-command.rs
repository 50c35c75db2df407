//! The `posy` command under another name, for the tests of the command line: cargo builds a
//! package's own commands before its tests, so this one is always there and never stale.

use std::process::ExitCode;

fn main() -> ExitCode {
    posy::cli::main()
}
