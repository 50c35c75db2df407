//! `posy inspect`: content of a model file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use posy_nn::model_file::ModelFile;
use posy_shared::model::{Layer, Model, Shape};
use posy_shared::preprocess::{Crop, Filter, PixelMap};
use posy_shared::shown::Shown;
use serde_json::json;

use super::Failure;
use super::output::{Out, hex, kib, millions, print_json, print_table};
use crate::device::{BOARDS, Footprint, fits};
use crate::eval::stats;

/// Maximum width of a value, characters.
const WIDTH: usize = 64;
/// Maximum number of labels listed.
const LABELS: usize = 50;

/// Shows the content of a .posy file.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The .posy file that `posy retrain` wrote.
    #[arg(value_name = "FILE")]
    model: PathBuf,
    /// List the layers too.
    #[arg(long)]
    layers: bool,
    /// Print JSON, layers included.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = ModelFile::open(&arguments.model)?;
    let model = file.model()?;
    if arguments.json {
        print_json(&as_json(&model))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = Out::lock();
    for (name, value) in facts(&model) {
        for (number, line) in wrapped(&value).iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            writeln!(out, "{name:<16}{line}")?;
        }
    }
    if arguments.layers {
        writeln!(out)?;
        let heading = ["layer", "reads", "writes", "stride", "K products"];
        let rows: Vec<Vec<String>> = model.layers().iter().enumerate().map(row).collect();
        print_table(&heading, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shape(shape: Shape) -> String {
    format!("{} x {} x {}", shape.height, shape.width, shape.channels)
}

fn row((index, layer): (usize, &Layer)) -> Vec<String> {
    vec![
        format!("{index:>3} {:?}", layer.op),
        shape(layer.input),
        shape(layer.output),
        layer.stride.to_string(),
        format!("{:.1}", layer.products() as f64 / 1e3),
    ]
}

fn percent(share: Option<f32>) -> String {
    share.map_or("not measured".into(), |share| stats::percent(share.into()))
}

/// Breaks a value into lines of at most [`WIDTH`] characters, between words where possible.
fn wrapped(value: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in value.split(' ') {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= WIDTH
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The first labels, and the number of the others.
fn listed(labels: &[&str]) -> String {
    let shown = labels.iter().take(LABELS);
    let shown: Vec<String> = shown.map(|label| Shown::name(label).to_string()).collect();
    let more = match labels.len().saturating_sub(LABELS) {
        0 => String::new(),
        more => format!(" and {more} more, which --json lists"),
    };
    format!("{}: {}{more}", labels.len(), shown.join(", "))
}

/// Description of image preparation.
fn pictures(model: &Model<'_>) -> String {
    let contract = model.input_contract();
    let part = match contract.crop {
        Crop::Squash => "the whole photo, squashed to this shape",
        Crop::Centre => "the largest centred part of a photo that has this shape",
    };
    let way = match contract.filter {
        Filter::Area => "each pixel the mean of what it covers",
        Filter::LegacyBilinear => "sampled bilinearly as TensorFlow 1 does",
    };
    let at = |table: &[u8]| {
        let value = |level: usize| table.get(level).map_or(0, |byte| byte.cast_signed());
        let [black, middle, white] = [0, 128, 255].map(value);
        format!(
            "; grey levels go through a table of its own (0 becomes {black}, 128 {middle}, 255 {white})"
        )
    };
    let levels = match model.pixel_map() {
        PixelMap::Centred => String::new(),
        PixelMap::Table(table) => at(table),
        PixelMap::Grey => "; grey, the luma of each pixel".into(),
        PixelMap::GreyTable(table) => format!("; grey, the luma of each pixel{}", at(table)),
    };
    format!("{part}, {way}{levels}")
}

fn facts(model: &Model<'_>) -> Vec<(&'static str, String)> {
    let provenance = model.provenance();
    let footprint = Footprint::of_model(model);
    let split = provenance.split;
    let labels: Vec<&str> = model.labels().collect();
    let boards = BOARDS.iter().filter(|board| fits(&footprint, board));
    let boards: Vec<&str> = boards.map(|board| board.name).collect();
    vec![
        (
            "architecture",
            Shown::name(provenance.architecture).to_string(),
        ),
        ("backbone", hex(&provenance.backbone_sha256)),
        (
            "input",
            format!("{}: {}", shape(model.input_shape()), pictures(model)),
        ),
        (
            "labels",
            match labels.len() {
                0 => format!("none: it gives {} features", model.output_len()),
                _ => listed(&labels),
            },
        ),
        ("unknown", unknown(model)),
        ("layers", model.layers().len().to_string()),
        ("flash", format!("{} KiB", kib(footprint.flash_bytes))),
        (
            "RAM",
            format!(
                "{} KiB in {} segments",
                kib(footprint.ram_bytes),
                model.plan().cuts.len()
            ),
        ),
        ("products", format!("{} M", millions(footprint.products))),
        (
            "fits",
            if boards.is_empty() {
                "no board".into()
            } else {
                boards.join(", ")
            },
        ),
        ("int8 accuracy", percent(provenance.int8_accuracy)),
        ("float accuracy", percent(provenance.float_accuracy)),
        (
            "split",
            format!(
                "{} (seed {}): {} training, {} validation, {} testing",
                split.rule, split.seed, split.training, split.validation, split.testing
            ),
        ),
        ("written by", format!("posy {}", provenance.posy_version)),
    ]
}

/// Description of the conditions under which the model gives no label.
fn unknown(model: &Model<'_>) -> String {
    let verdict = model.verdict();
    let mut reasons = Vec::new();
    if verdict.unknown_logit {
        reasons.push("\"none of these\" is likelier than any label".to_owned());
    }
    if verdict.unknown_below > 0 {
        let percent = 100.0 * f64::from(verdict.unknown_below) / 65536.0;
        reasons.push(format!(
            "the likeliest label's score is below {percent:.1}%"
        ));
    }
    if let Some(acceptance) = verdict.acceptance {
        reasons.push(format!(
            "the photo is too little like the training photos ({} prototypes of them) for the score of its label",
            acceptance.prototypes
        ));
    }
    match reasons.is_empty() {
        true => "never".into(),
        false => format!("where {}", reasons.join(", or ")),
    }
}

fn as_json(model: &Model<'_>) -> serde_json::Value {
    let provenance = model.provenance();
    let footprint = Footprint::of_model(model);
    let contract = model.input_contract();
    let layers: Vec<_> = model
        .layers()
        .iter()
        .map(|layer| {
            let triple = |shape: Shape| [shape.height, shape.width, shape.channels];
            json!({
                "op": format!("{:?}", layer.op),
                "input": triple(layer.input),
                "output": triple(layer.output),
                "stride": layer.stride,
                "products": layer.products(),
            })
        })
        .collect();
    let input = model.input_shape();
    json!({
        "architecture": provenance.architecture,
        "backbone_sha256": hex(&provenance.backbone_sha256),
        "posy_version": provenance.posy_version,
        "input": [input.height, input.width, input.channels],
        "crop": contract.crop,
        "filter": contract.filter,
        "labels": model.labels().collect::<Vec<_>>(),
        "outputs": model.output_len(),
        "unknown": model.verdict(),
        "flash_bytes": footprint.flash_bytes,
        "ram_bytes": footprint.ram_bytes,
        "products": footprint.products,
        "int8_accuracy": provenance.int8_accuracy,
        "float_accuracy": provenance.float_accuracy,
        "split": {
            "rule": provenance.split.rule,
            "seed": provenance.split.seed,
            "training": provenance.split.training,
            "validation": provenance.split.validation,
            "testing": provenance.split.testing,
        },
        "layers": layers,
    })
}
