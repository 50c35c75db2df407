//! Builds the images of the boards' programs that posy carries, and the records of their origin, into
//! `host/assets/boards`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use posy_tests::boards::Toolchain;
use posy_tests::images::{boards, build, images, record};

use crate::{Arguments, Failure};

pub fn run(_: Arguments) -> Result<(), Failure> {
    let toolchain = Toolchain::find()?;
    std::fs::create_dir_all(images())?;
    for board in boards() {
        let image = build(&toolchain, board);
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&image)?;
        let packed = packer.finish()?;
        println!(
            "{}: {} bytes, {} packed",
            board.name,
            image.len(),
            packed.len()
        );
        let file = images().join(board.name);
        std::fs::write(file.with_extension("bin.gz"), packed)?;
        let record = record(&toolchain, board, &image);
        std::fs::write(file.with_extension("txt"), record)?;
    }
    Ok(())
}
