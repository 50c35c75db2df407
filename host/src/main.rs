//! The `posy` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    posy::cli::main()
}
