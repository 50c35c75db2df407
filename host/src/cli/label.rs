//! `posy label`: ranks the labels of photos.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use serde_json::json;

use super::Failure;
use super::output::note;
use crate::model_file::ModelFile;
use crate::photos::decode::Limits;
use crate::photos::files::files_below;
use crate::photos::load::read_bytes;
use crate::run::{Runner, decode_for};

/// Most labels that are ranked; a board prints fewer.
const MOST: usize = 32;

/// Prints the ranked labels of photos, as a board running the same model would.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The .posy file that `posy retrain` wrote.
    #[arg(long, visible_alias = "graph", value_name = "FILE")]
    model: PathBuf,
    /// How many labels to print for a photo, likeliest first.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=MOST as i64))]
    top: u8,
    /// Print one JSON object a line for each photo.
    #[arg(long)]
    json: bool,
    /// Photos, folders of photos, or - for one photo on standard input.
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = ModelFile::open(&arguments.model)?;
    let runner = Runner::new(file.classifier()?);
    let mut files = Vec::new();
    let mut failed = 0;
    for path in &arguments.photos {
        if path.is_dir() {
            match files_below(path) {
                Ok(found) if found.is_empty() => {
                    failed += 1;
                    note!("{}: there are no files in this folder", path.display());
                }
                Ok(found) => files.extend(found),
                Err(error) => {
                    failed += 1;
                    note!("{error}");
                }
            }
        } else {
            files.push(path.clone());
        }
    }
    let name_each = files.len() > 1;
    for path in &files {
        match logits(&runner, path) {
            Ok(logits) => print(arguments, runner.model(), path, &logits, name_each)?,
            Err(reason) => {
                failed += 1;
                note!("{reason}");
            }
        }
    }
    if failed > 0 {
        note!("{failed} of the photos could not be labelled");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The logits of one photo; an error names it.
fn logits(runner: &Runner<'_>, path: &Path) -> Result<Vec<i8>, Failure> {
    let limits = Limits::default();
    let photo = if path == Path::new("-") {
        let mut bytes = Vec::new();
        // One byte more than is allowed, so that a longer stream is seen to be too long.
        let bound = limits.max_bytes.saturating_add(1);
        let read = io::stdin().lock().take(bound).read_to_end(&mut bytes);
        read.map_err(|error| format!("standard input: cannot be read: {error}"))?;
        let photo = decode_for(runner.model(), &bytes, &limits);
        photo.map_err(|error| format!("standard input: {error}"))?
    } else {
        let bytes = read_bytes(path, &limits)?;
        let photo = decode_for(runner.model(), &bytes, &limits);
        photo.map_err(|error| format!("{}: {error}", path.display()))?
    };
    let logits = runner.output(&photo);
    Ok(logits.map_err(|error| format!("{}: {error}", path.display()))?)
}

fn print(
    arguments: &Arguments,
    model: &Model<'_>,
    path: &Path,
    logits: &[i8],
    name_each: bool,
) -> Result<(), Failure> {
    let ranking = Ranking::<MOST>::new(model, logits);
    let top = ranking.iter().take(arguments.top.into());
    let mut out = io::stdout().lock();
    if arguments.json {
        let labels: Vec<_> = top
            .map(|ranked| json!({"label": ranked.label, "score": ranked.score.to_f32()}))
            .collect();
        let line = json!({
            "photo": path.to_string_lossy(),
            "unknown": ranking.is_unknown(),
            "labels": labels,
            "logits": logits,
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    if name_each {
        writeln!(out, "{}:", path.display())?;
    }
    if ranking.is_unknown() {
        writeln!(out, "unknown")?;
    }
    for ranked in top {
        writeln!(out, "{} (score = {})", ranked.label, ranked.score)?;
    }
    if name_each {
        writeln!(out)?;
    }
    Ok(())
}
