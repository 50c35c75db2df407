//! Draws the wiring pictures of the boards' READMEs from the tables of pins that the boards' programs are
//! compiled from.

use posy_tests::wiring::{DRAWN, draw, table};

use crate::{Arguments, Failure};

pub fn run(_: Arguments) -> Result<(), Failure> {
    for drawn in &DRAWN {
        let path = drawn.path();
        std::fs::write(&path, draw(drawn, &table(&drawn.pins_text())))?;
        println!("{}", path.display());
    }
    Ok(())
}
