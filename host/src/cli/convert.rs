//! `posy convert`: a quantised classifier to another format.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use posy_nn::export::Format;
use posy_nn::export::convert::Source;
use posy_nn::labels;

use super::guard::{self, Door};
use super::output::{kib, note};
use super::retrain::write;
use super::{Failure, backbone, usage};

/// Converts a quantised TensorFlow Lite classifier, with its own classes, to another format.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The classifier: a .tflite file, int8 or uint8.
    #[arg(value_name = "IN")]
    source: PathBuf,
    /// Output file; the extension selects the format: .posy for boards, .tflite (int8), .onnx or
    /// .pb (float).
    #[arg(value_name = "OUT")]
    target: PathBuf,
    /// File with one label a line, for classifiers that do not carry their labels.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Write an .onnx file in int8 (QuantizeLinear and DequantizeLinear).
    #[arg(long)]
    int8: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let format = Format::of(&arguments.target, arguments.int8).map_err(usage)?;
    let labels = arguments.labels.as_deref().map(labels::read).transpose()?;
    guard::try_first(&arguments.source, &Door::Backbone)?;
    let source = Source::read(&arguments.source, labels)?;
    if source.labels.is_none() {
        let from = arguments.source.display();
        let last = source.classes.saturating_sub(1);
        note!("{from} does not name its classes: class 0 to class {last} (--labels names them)");
    }
    if let Some(levels) = source.grey_levels() {
        note!("{}", backbone::told(levels));
    }
    let bytes = source.write(format)?;
    write(&arguments.target, &bytes)?;
    let target = arguments.target.display();
    note!("wrote {target} ({} KiB)", kib(bytes.len() as u64));
    Ok(ExitCode::SUCCESS)
}
