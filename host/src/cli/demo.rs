//! `posy demo`: the whole road, from pictures to an answer, on drawings that it makes itself.

use std::ffi::OsString;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;

use super::demo_board::ask_board;
use super::output::note;
use super::retrain::write;
use super::{Failure, run_line, usage};
use crate::backbone::carried;
use crate::drawings::{Flower, draw};
use crate::shell::quoted;

/// Drawings of each kind that are trained on.
const EACH: u64 = 100;
/// The number of the first drawing that nothing is trained on.
const UNSEEN: u64 = 1000;
/// Which are labelled at the end.
const ASKED: [Flower; 3] = [Flower::Daisy, Flower::Rose, Flower::Tulip];

/// Shows the whole road in a minute, without photos and without a network: draws flowers, retrains
/// on the drawings, labels new ones, and asks an emulated board where there is one.
///
/// They are drawings, made by rule, and easier to tell apart than photos are: that it gets them
/// right says nothing about photos. Each step is a command that can be typed, and is shown. The
/// network that it starts from is one that posy carries, which has seen drawings of other things
/// only.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Another number gives other drawings; the same number always the same.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// New folder for everything that is made [default: a temporary one, removed at the end].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Some(folder) = &arguments.out else {
        let folder = tempfile::Builder::new().prefix("posy-demo-").tempdir();
        let folder = folder.map_err(|error| {
            format!("a temporary folder cannot be made: {error}; name a folder with --out")
        })?;
        let done = show(folder.path(), arguments.seed)?;
        note!("to keep what was made, give a folder: posy demo --out FOLDER");
        return Ok(done);
    };
    let shown = folder.display();
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(usage(format!("{shown}: is not empty; name a new folder"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("{shown}: cannot be read: {error}").into()),
    }
    show(folder, arguments.seed)
}

/// All steps, in `folder`.
fn show(folder: &Path, seed: u64) -> Result<ExitCode, Failure> {
    let drawings = folder.join("drawings");
    let count = EACH * Flower::ALL.len() as u64;
    note!(
        "drawing {count} pictures of {} kinds of flowers into {}",
        Flower::ALL.len(),
        drawings.display()
    );
    note!("(drawings, not photos: real photos are much harder)");
    let each = |flower: Flower| (0..EACH).map(move |number| (flower, number));
    let all: Vec<(Flower, u64)> = Flower::ALL.into_iter().flat_map(each).collect();
    all.into_par_iter().try_for_each(|(flower, number)| {
        let label = drawings.join(flower.label());
        let path = label.join(format!("drawing_{number:03}.jpg"));
        write(&path, &jpeg(&draw(flower, seed, number))?)
    })?;
    let backbone = folder.join(format!("{}.tflite", carried::NAME));
    write(&backbone, carried::BYTES)?;

    let model = folder.join("flowers.posy");
    let cache = folder.join("cache");
    step(&[
        Path::new("retrain"),
        // It looks for wrong labels, and finds drawings that are alike by chance.
        Path::new("--no-check"),
        // With so few drawings to measure on, the difference would be chance.
        Path::new("--no-float"),
        Path::new("--image-dir"),
        &drawings,
        Path::new("--backbone"),
        &backbone,
        Path::new("--bottleneck-dir"),
        &cache,
        Path::new("--output-graph"),
        &model,
    ])?;

    let mut asked = Vec::new();
    for flower in ASKED {
        let drawing = draw(flower, seed, UNSEEN);
        let path = folder.join(format!("unseen/{}.jpg", flower.label()));
        write(&path, &jpeg(&drawing)?)?;
        asked.push((path, drawing));
    }
    note!();
    note!("three drawings that nothing was trained on, each called what it is:");
    let paths = asked.iter().map(|(path, _)| path.as_path());
    let words = [Path::new("label"), Path::new("--model"), &model];
    let done = step(&words.into_iter().chain(paths).collect::<Vec<_>>())?;

    note!();
    ask_board(folder, &model, &asked[0].1)?;
    Ok(done)
}

/// Shows a command, and runs it.
fn step(words: &[&Path]) -> Result<ExitCode, Failure> {
    let line: Vec<OsString> = words.iter().map(|word| word.as_os_str().into()).collect();
    let shown = line.iter().map(|word| quoted(&word.to_string_lossy()));
    let shown: Vec<_> = shown.collect();
    note!("$ posy {}", shown.join(" "));
    run_line(&line)
}

fn jpeg(picture: &RgbImage) -> Result<Vec<u8>, Failure> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 92))?;
    Ok(bytes.into_inner())
}
