//! Writes the licences of the crates in `posy` into a file, which goes with a built program:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- notices FILE
//! ```

use posy_tests::documents::notices::{dependencies, notices};

use crate::{Arguments, Failure};

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let path = arguments.next().ok_or("usage: xtask notices FILE")?;
    std::fs::write(path, notices(&dependencies()?))?;
    Ok(())
}
