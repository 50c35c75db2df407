//! Answer of an emulated board in `posy demo`, compared with the laptop's.

use std::path::Path;

use image::RgbImage;
use posy_nn::model_file::ModelFile;
use posy_nn::rgb::Rgb;
use posy_nn::run::Runner;
use posy_shared::image::unpack_row;

use super::Failure;
use super::output::{note, print_lines};
use super::retrain::write;
use crate::device::emulator::{CORE, Emulator, HEIGHT, PIXELS, WIDTH, frame};

/// Shows the picture to the emulated board's camera, prints its answer, and compares all its logits
/// with the laptop's. Without an emulated board, prints the reason.
pub(super) fn ask_board(folder: &Path, model: &Path, picture: &RgbImage) -> Result<(), Failure> {
    note!("an emulated {CORE} whose camera sees the first of them (its program is built first):");
    let board = match Emulator::find(&std::env::current_dir()?) {
        Ok(board) => board,
        Err(error) => {
            note!("left out: {error}");
            return Ok(());
        }
    };
    let frame = frame(picture);
    write(&folder.join("frame.rgb565"), &frame)?;
    let answers = board.answers(folder, "flowers.posy", "frame.rgb565")?;

    let file = ModelFile::open(model)?;
    let runner = Runner::new(file.classifier()?);
    let logits = runner.output(&seen(&frame)?)?;
    for answer in answers {
        print_lines(&[answer.line])?;
        if answer.logits != logits {
            return Err(format!(
                "the board's logits are {:?} and the laptop's {logits:?}: they must be the same",
                answer.logits
            )
            .into());
        }
    }
    note!("all {} logits are the laptop's, bit for bit", logits.len());
    Ok(())
}

/// Pixels of a frame.
fn seen(frame: &[u8]) -> Result<Rgb, Failure> {
    let width = usize::from(WIDTH);
    let mut data = vec![0; 3 * width * usize::from(HEIGHT)];
    for (row, rgb) in frame.chunks(2 * width).zip(data.chunks_mut(3 * width)) {
        unpack_row(PIXELS, row, rgb).map_err(|error| format!("{error:?}"))?;
    }
    Ok(Rgb {
        width: WIDTH,
        height: HEIGHT,
        data,
    })
}
