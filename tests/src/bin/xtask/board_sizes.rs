//! Prints the rows of the table of sizes in `boards/README.md`: builds the program of each board and
//! measures it.

use posy_tests::boards::Toolchain;
use posy_tests::sizes::{measure, programs, row};

use crate::{Arguments, Failure};

pub fn run(_: Arguments) -> Result<(), Failure> {
    let toolchain = Toolchain::find()?;
    for board in programs() {
        println!("{}", row(board, measure(&toolchain, board)));
    }
    Ok(())
}
