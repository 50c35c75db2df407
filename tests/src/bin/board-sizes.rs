//! Prints the rows of the size table in `boards/README.md`: builds and measures each board's
//! program.

use std::process::ExitCode;

use posy_tests::boards::Toolchain;
use posy_tests::sizes::{measure, programs, row};

fn main() -> ExitCode {
    match Toolchain::find() {
        Ok(toolchain) => {
            for board in programs() {
                println!("{}", row(board, measure(&toolchain, board)));
            }
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}
