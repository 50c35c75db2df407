//! `posy verify`: compares a board's logits with the laptop's, byte for byte.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::Failure;
use super::output::{note, print_json};
use super::port::PortArguments;
use crate::dataset::files::files_below;
use crate::dataset::load;
use crate::dataset::{Limits, Rgb};
use crate::demo::{Flower, draw};
use crate::device::link::{MOST, fitted};
use posy_nn::model_file::ModelFile;
use posy_nn::run::Runner;

/// Pictures that are drawn where no photos are given, of each kind of flower.
const DRAWN: u64 = 2;

/// Proves that a board gives the laptop's answers: every logit of every picture, byte for byte.
///
/// Pictures are sent to the board over its cable, at most 320 x 240 pixels large, and go through its
/// preprocessing and its network; the laptop does the same. Exit code 0 if all are equal, 1 if not.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The .posy file that the board runs.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Photos, or folders of photos; drawings of flowers if none are given.
    #[arg(value_name = "PHOTOS")]
    photos: Vec<PathBuf>,
    /// Maximum number of photos that are compared.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    most: u32,
    #[command(flatten)]
    port: PortArguments,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// The board does not run the model.
#[derive(Debug, thiserror::Error)]
#[error("{board}: the board runs another model; first: posy push {model}")]
struct OtherModel {
    board: String,
    model: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = ModelFile::open(&arguments.model)?;
    let runner = Runner::new(file.classifier()?);
    let photos = photos(arguments)?;
    let mut connection = arguments.port.connect()?;
    let board = connection.info().board.clone();
    if !connection.has(file.bytes())? {
        return Err(Box::new(OtherModel {
            board,
            model: arguments.model.display().to_string(),
        }));
    }
    connection.pause(true)?;
    let (mut logits, mut differing) = (0, Vec::new());
    for (name, photo) in &photos {
        let ours = runner.output(photo)?;
        let theirs = connection.classify(photo)?;
        logits += ours.len();
        if ours != theirs {
            note!("{name}: the laptop has {ours:?}, the board {theirs:?}");
            differing.push(name);
        }
    }
    connection.pause(false)?;
    let equal = differing.is_empty();
    if arguments.json {
        print_json(&json!({
            "board": board, "photos": photos.len(), "logits": logits, "equal": equal, "differing": differing,
        }))?;
    } else {
        let verdict = match equal {
            true => format!("all {logits} logits of {} photos are equal", photos.len()),
            false => format!(
                "{} of {} photos differ; write program and model anew with `posy flash`",
                differing.len(),
                photos.len()
            ),
        };
        super::output::print_lines(&[format!("{board}: {verdict}")])?;
    }
    Ok(match equal {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The pictures, with their names, at a size that boards take.
fn photos(arguments: &Arguments) -> Result<Vec<(String, Rgb)>, Failure> {
    if arguments.photos.is_empty() {
        return drawn();
    }
    let mut paths = Vec::new();
    for path in &arguments.photos {
        match path.is_dir() {
            true => paths.extend(files_below(path).files),
            false => paths.push(path.clone()),
        }
    }
    let mut photos = Vec::new();
    for path in &paths {
        if photos.len() == arguments.most as usize {
            break;
        }
        match load(path, &Limits::default()) {
            Ok(decoded) => photos.push((name(path), fitted(&decoded, MOST))),
            // Named itself, it is to be compared; in a folder it may be anything.
            Err(error) if arguments.photos.contains(path) => return Err(error.into()),
            Err(error) => note!("skipped: {error}"),
        }
    }
    match photos.is_empty() {
        true => Err("there are no photos to compare with; give a folder of photos".into()),
        false => Ok(photos),
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn drawn() -> Result<Vec<(String, Rgb)>, Failure> {
    let mut photos = Vec::new();
    for flower in Flower::ALL {
        for number in 0..DRAWN {
            let drawing = draw(flower, 0, number);
            let rgb = Rgb {
                width: u16::try_from(drawing.width())?,
                height: u16::try_from(drawing.height())?,
                data: drawing.into_raw(),
            };
            photos.push((format!("{} {number}", flower.label()), fitted(&rgb, MOST)));
        }
    }
    Ok(photos)
}
