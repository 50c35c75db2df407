//! `posy demo`: all steps from drawings to a board's answer; it makes the drawings itself.

use std::ffi::OsString;
use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use posy_nn::model_file::ModelFile;
use posy_nn::run::Runner;
use posy_nn::shell::quoted;
use posy_nn::zoo::embedded;
use posy_shared::ranking::Ranking;
use rayon::prelude::*;

use super::demo_board::ask_board;
use super::output::note;
use super::retrain::write;
use super::{Failure, run_line, usage};
use crate::dataset::decode::Limits;
use crate::dataset::for_model::decode_for;
use crate::demo::{Flower, draw};

/// Number of training drawings of each kind.
const EACH: u64 = 100;
/// Number of the first drawing that is not used in training.
const UNSEEN: u64 = 1000;
/// Flowers labelled at the end.
const ASKED: [Flower; 3] = [Flower::Daisy, Flower::Rose, Flower::Tulip];

/// Default output folder.
const FOLDER: &str = "posy-demo";
/// Marker file of a demo's folder, and its text.
const MARK: &str = "posy-demo.txt";
const MARK_TEXT: &str =
    "posy demo made what lies here. The next one that is run here overwrites it.\n";
/// Folders and files that a demo creates, besides its network and the marker.
const FOLDERS: [&str; 3] = ["drawings", "unseen", "cache"];
const FILES: [&str; 5] = [
    "flowers.posy",
    "flowers.split.json",
    "flowers.run.json",
    "flowers.report.html",
    "frame.rgb565",
];

/// Commands to go on with after a demo.
const NEXT: [&str; 2] = [
    "posy retrain --image-dir PHOTOS",
    "posy label --model PHOTOS.posy PHOTO.jpg",
];

/// Shows all steps in a minute, without photos and without a network: draws flowers, retrains on
/// the drawings, labels new ones, and asks an emulated board if there is one.
///
/// Drawings made by rule are easier to tell apart than photos, so the accuracy here says nothing
/// about photos. Each step is a command that you can type, and is shown. It starts from the network
/// that is part of posy, which has seen only drawings of other things.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Seed of the drawings.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Output folder: a new one, or that of an earlier demo, which is overwritten.
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = &arguments.out;
    make_room(folder)?;
    write(&folder.join(MARK), MARK_TEXT.as_bytes())?;
    let done = show(folder, arguments.seed)?;
    note!();
    note!(
        "all of it stays in {}; open {} in a browser to see what was learnt and what was not",
        folder.display(),
        folder.join("flowers.report.html").display()
    );
    note!();
    note!("next, with your own photos, one folder of them for each label:");
    for command in NEXT {
        note!("  {command}");
    }
    Ok(done)
}

/// Removes the output of an earlier demo from `folder`, and nothing else.
fn make_room(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{shown}: cannot be read: {error}").into()),
    }
    if !folder.join(MARK).is_file() {
        return Err(usage(format!(
            "{shown}: is not empty, and not of an earlier demo; name a new folder with --out"
        )));
    }
    let files = FILES.map(|name| folder.join(name));
    let removed = FOLDERS.map(|name| folder.join(name));
    let removed = removed.iter().map(|path| (path, fs::remove_dir_all(path)));
    let removed = removed.chain(files.iter().map(|path| (path, fs::remove_file(path))));
    for (path, result) in removed {
        match result {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(format!("{}: cannot be removed: {error}", path.display()).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Runs all steps in `folder`.
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
    let backbone = folder.join(format!("{}.tflite", embedded::NAME));
    write(&backbone, embedded::BYTES)?;

    let model = folder.join("flowers.posy");
    let cache = folder.join("cache");
    let trained = step(&[
        Path::new("retrain"),
        // It looks for wrong labels, and finds drawings that are alike by chance.
        Path::new("--no-check"),
        // With so few test drawings, the difference would be chance.
        Path::new("--no-float"),
        // Seconds are enough for drawings.
        Path::new("--head-only"),
        Path::new("--image-dir"),
        &drawings,
        Path::new("--backbone"),
        &backbone,
        Path::new("--bottleneck-dir"),
        &cache,
        Path::new("--output-graph"),
        &model,
    ])?;
    if trained != ExitCode::SUCCESS {
        return Ok(trained);
    }

    let mut asked = Vec::new();
    for flower in ASKED {
        let drawing = draw(flower, seed, UNSEEN);
        let path = folder.join(format!("unseen/{}.jpg", flower.label()));
        let bytes = jpeg(&drawing)?;
        write(&path, &bytes)?;
        asked.push((path, flower, bytes, drawing));
    }
    note!();
    note!("three drawings that nothing was trained on:");
    let paths = asked.iter().map(|(path, ..)| path.as_path());
    let words = [Path::new("label"), Path::new("--model"), &model];
    let done = step(&words.into_iter().chain(paths).collect::<Vec<_>>())?;
    let drawings = asked
        .iter()
        .map(|(_, flower, bytes, _)| (*flower, &**bytes));
    judge(&model, drawings)?;

    note!();
    ask_board(folder, &model, &asked[0].3)?;
    Ok(done)
}

/// Prints which of the drawings are labelled correctly.
fn judge<'a>(
    model: &Path,
    drawings: impl Iterator<Item = (Flower, &'a [u8])>,
) -> Result<(), Failure> {
    let file = ModelFile::open(model)?;
    let runner = Runner::new(file.classifier()?);
    let limits = Limits::default();
    for (flower, bytes) in drawings {
        let photo = decode_for(runner.model(), bytes, &limits)?;
        let logits = runner.output(&photo)?;
        let ranking = Ranking::<1>::new(runner.model(), &logits);
        let answer = ranking.top().map(|top| top.label);
        note!("{}", verdict(flower.label(), answer));
    }
    Ok(())
}

/// Verdict on a label: right, wrong, or unknown if there is no answer.
fn verdict(truth: &str, answer: Option<&str>) -> String {
    let called = answer.unwrap_or("unknown");
    let right = match answer == Some(truth) {
        true => "right",
        false => "wrong",
    };
    format!("{truth}.jpg: called {called}, which is {right}")
}

/// Prints a command and runs it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_and_missing_answers_are_said_to_be_wrong() {
        let said = |answer| verdict("roses", answer);
        assert_eq!(
            said(Some("roses")),
            "roses.jpg: called roses, which is right"
        );
        assert_eq!(
            said(Some("tulips")),
            "roses.jpg: called tulips, which is wrong"
        );
        assert_eq!(said(None), "roses.jpg: called unknown, which is wrong");
    }
}
