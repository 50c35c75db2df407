//! `posy convert`: a classifier to another format, with its own classes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use posy_nn::export::Format;
use posy_nn::export::convert::{ConvertError, FloatSource, Opened, Source};
use posy_nn::labels;

use super::guard::{self, Door};
use super::normalisation::PixelArguments;
use super::output::{kib, note};
use super::retrain::write;
use super::{Failure, backbone, usage};
use crate::retrain::conversion::{Calibrated, Photos};

/// Converts a classifier, with its own classes, to another format; a float one is quantised with photos.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The classifier: a .tflite or .onnx file, or the codelab's retrained_graph.pb.
    #[arg(value_name = "IN")]
    source: PathBuf,
    /// Output file; the extension selects the format: .posy for boards, .tflite (int8), .onnx or
    /// .pb (float).
    #[arg(value_name = "OUT")]
    target: PathBuf,
    /// File with one label a line, for classifiers that do not carry their labels.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Folder with photos of what a float classifier tells apart: they decide how it is quantised. Where
    /// folders are named as labels, the accuracy before and after is printed.
    #[arg(long, value_name = "FOLDER")]
    photos: Option<PathBuf>,
    #[command(flatten)]
    pixels: PixelArguments,
    /// Write an .onnx file in int8 (QuantizeLinear and DequantizeLinear).
    #[arg(long)]
    int8: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let format = Format::of(&arguments.target, arguments.int8).map_err(usage)?;
    let labels = arguments.labels.as_deref().map(labels::read).transpose()?;
    guard::try_first(&arguments.source, &Door::Backbone)?;
    let size = arguments.pixels.input_size();
    let (source, rest) = match Opened::read(&arguments.source, labels, size)? {
        Opened::Ready(source) => {
            if arguments.photos.is_some() {
                note!(
                    "--photos is not needed: the network is quantised already, and stays as it is"
                );
            }
            (*source, None)
        }
        Opened::Float(float) => {
            let (source, rest) = quantised(arguments, *float)?;
            (source, Some(rest))
        }
    };
    if source.labels.is_none() {
        let from = arguments.source.display();
        let last = source.classes.saturating_sub(1);
        note!("{from} does not name its classes: class 0 to class {last} (--labels names them)");
    }
    if let Some(levels) = source.grey_levels() {
        note!("{}", backbone::told(levels));
    }
    if let Some(rest) = rest {
        let model = source.write(Format::Posy)?;
        let labels = source.labels.as_deref().unwrap_or_default();
        if let Some(right) = rest.right(source.float(), &model, labels)? {
            let percent = |count: usize| 100.0 * count as f64 / right.photos as f64;
            note!(
                "accuracy on {} photos in folders named as labels: {:.1}% in floating point, {:.1}% in int8",
                right.photos,
                percent(right.float),
                percent(right.int8)
            );
        }
    }
    let bytes = source.write(format)?;
    write(&arguments.target, &bytes)?;
    let target = arguments.target.display();
    note!("wrote {target} ({} KiB)", kib(bytes.len() as u64));
    Ok(ExitCode::SUCCESS)
}

/// Quantises a float classifier with the photos that are given. Returns it and the photos that are left.
fn quantised(arguments: &Arguments, float: FloatSource) -> Result<(Source, Photos), Failure> {
    let path = &arguments.source;
    let Some(folder) = &arguments.photos else {
        return Err(ConvertError::Float(path.clone()).into());
    };
    let asked = arguments.pixels.normalisation()?;
    let normalisation = asked.unwrap_or_else(|| float.usual_normalisation());
    let Some(shape) = float.input_shape() else {
        return Err(ConvertError::Features(path.clone()).into());
    };
    let Calibrated { inputs, rest } = Photos::below(folder).calibrate(shape, float.input());
    if inputs.is_empty() {
        let shown = folder.display();
        return Err(format!("{shown}: there are no photos in this folder (--photos)").into());
    }
    note!(
        "a float network: it is quantised with {} of the photos; a pixel is (pixel - mean) / std, mean {:?}, std {:?} \
         (--normalisation, --input-mean, --input-std)",
        inputs.len(),
        normalisation.mean,
        normalisation.std
    );
    Ok((float.quantise(&normalisation, &inputs)?, rest))
}
