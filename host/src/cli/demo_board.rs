//! What an emulated board says in `posy demo`, and whether it is what the laptop says.

use std::path::Path;

use image::RgbImage;
use image::imageops::{FilterType, resize};
use posy_shared::image::unpack_row;

use super::Failure;
use super::output::{note, print_lines};
use super::retrain::write;
use crate::device::emulator::{CORE, Emulator, HEIGHT, PIXELS, WIDTH};
use crate::model_file::ModelFile;
use crate::photos::decode::Rgb;
use crate::run::Runner;

/// Shows the picture to the emulated board's camera, prints its answer, and holds all its logits to
/// the laptop's. Where there is no emulated board, says why.
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

/// The camera's frame of a picture.
fn frame(picture: &RgbImage) -> Vec<u8> {
    let seen = resize(picture, WIDTH.into(), HEIGHT.into(), FilterType::Triangle);
    let pack = |pixel: &image::Rgb<u8>| {
        let [red, green, blue] = pixel.0.map(u16::from);
        ((red >> 3 << 11) | (green >> 2 << 5) | (blue >> 3)).to_be_bytes()
    };
    seen.pixels().flat_map(pack).collect()
}

/// The pixels that a frame stands for.
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
