//! `posy page`: a model as one file for a browser.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use posy_nn::atomic::same_place;
use posy_nn::model_file::ModelFile;

use super::output::{kib, note};
use super::retrain::write;
use super::{Failure, usage};
use crate::eval::run_record::{Record, RecordError};
use crate::page::page;

/// Writes a model as one HTML file that runs it in a browser, offline: on the camera's picture and on
/// photos.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The model, a .posy file.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Path of the page [default: beside the model, with the ending .html].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The model's file name, as the page shows it.
pub(super) fn name_of(model: &Path) -> String {
    let name = model.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The record of the run that wrote the model in `bytes`. A model without one has a page too, and
/// one that does not help is named.
fn record_beside(path: &Path, bytes: &[u8]) -> Option<Record> {
    let why = match Record::read(path) {
        Ok(record) if record.is_of(bytes) => return Some(record),
        Ok(_) => format!("{}: is of another model", path.display()),
        Err(RecordError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return None;
        }
        Err(error) => error.to_string(),
    };
    note!("warning: {why}; the page has no figures of labels");
    None
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let beside = || arguments.model.with_extension("html");
    let path = arguments.output.clone().unwrap_or_else(beside);
    let record_path = Record::path_beside(&arguments.model);
    for input in [&arguments.model, &record_path] {
        if same_place(&path, input) {
            return Err(usage(format!(
                "{}: the page would overwrite what it is made of; give another file with --output",
                path.display()
            )));
        }
    }
    let file = ModelFile::open(&arguments.model)?;
    file.classifier()?;
    let record = record_beside(&record_path, file.bytes());
    let html = page(file.bytes(), &name_of(&arguments.model), record.as_ref())?;
    write(&path, html.as_bytes())?;
    note!(
        "wrote {} ({} KiB); open it in a browser",
        path.display(),
        kib(html.len() as u64)
    );
    Ok(ExitCode::SUCCESS)
}
