//! `posy page`: a model as one file for a browser.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use posy_nn::model_file::ModelFile;

use super::Failure;
use super::output::{kib, note};
use super::retrain::write;
use crate::eval::run_record::Record;
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

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = ModelFile::open(&arguments.model)?;
    file.classifier()?;
    // A model without a record of its run has a page too.
    let record = Record::read(&Record::path_beside(&arguments.model)).ok();
    let html = page(file.bytes(), &name_of(&arguments.model), record.as_ref())?;
    let beside = || arguments.model.with_extension("html");
    let path = arguments.output.clone().unwrap_or_else(beside);
    write(&path, html.as_bytes())?;
    note!(
        "wrote {} ({} KiB); open it in a browser",
        path.display(),
        kib(html.len() as u64)
    );
    Ok(ExitCode::SUCCESS)
}
