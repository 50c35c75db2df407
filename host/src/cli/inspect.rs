//! `posy inspect`: what is inside a model file.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use posy_shared::model::{Layer, Model, Shape};
use serde_json::json;

use super::Failure;
use super::output::{hex, kib, millions, print_json, print_table};
use crate::device::{BOARDS, Footprint, fits};
use crate::model_file::ModelFile;

/// Shows what is inside a .posy file.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file.
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
    let mut out = io::stdout().lock();
    for (name, value) in facts(&model) {
        writeln!(out, "{name:<16}{value}")?;
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
    share.map_or("not measured".into(), |share| {
        format!("{:.1}%", share * 100.0)
    })
}

fn facts(model: &Model<'_>) -> Vec<(&'static str, String)> {
    let provenance = model.provenance();
    let footprint = Footprint::of_model(model);
    let contract = model.input_contract();
    let split = provenance.split;
    let labels: Vec<&str> = model.labels().collect();
    let boards = BOARDS.iter().filter(|board| fits(&footprint, board));
    let boards: Vec<&str> = boards.map(|board| board.name).collect();
    vec![
        ("architecture", provenance.architecture.to_owned()),
        ("backbone", hex(&provenance.backbone_sha256)),
        (
            "input",
            format!(
                "{} ({:?}, {:?})",
                shape(model.input_shape()),
                contract.crop,
                contract.filter
            ),
        ),
        (
            "labels",
            match labels.len() {
                0 => format!("none: it gives {} features", model.output_len()),
                count => format!("{count}: {}", labels.join(", ")),
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
        ("fits", boards.join(", ")),
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

/// When the model gives no label.
fn unknown(model: &Model<'_>) -> String {
    let verdict = model.verdict();
    let mut reasons = Vec::new();
    if verdict.unknown_logit {
        reasons.push("its own logit is the greatest".to_owned());
    }
    if verdict.unknown_below > 0 {
        let percent = 100.0 * f64::from(verdict.unknown_below) / 65536.0;
        reasons.push(format!("the score is below {percent:.1}%"));
    }
    if let Some(acceptance) = verdict.acceptance {
        reasons.push(format!(
            "{} x logit + {} x familiarity is below {} ({} prototypes)",
            acceptance.logit_weight,
            acceptance.familiarity_weight,
            acceptance.accepted_from,
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
