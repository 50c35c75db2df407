//! `posy fit`: memory and MACs of a network, the boards that it fits, and the time of an answer there.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use posy_nn::model_file::ModelFile;
use posy_nn::zoo::Architecture;
use posy_nn::zoo::backbone::Backbone;
use serde_json::json;

use super::guard::{self, Door};
use super::output::{in_seconds, kib, millions, note, print_json, print_table};
use super::{Failure, usage};
use crate::device::{BOARDS, Board, Footprint, fits, fitting};

/// Prints flash, RAM and multiply-accumulates of networks, and the boards that they fit.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Names of architectures, or files: .posy, or pre-trained .tflite, .onnx and .pb; all MobileNet v1
    /// networks if none is given.
    #[arg(value_name = "ARCHITECTURE|FILE")]
    networks: Vec<String>,
    /// Number of labels for an architecture or a pre-trained network.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=4095))]
    labels: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut rows: Vec<(String, Footprint)> = Vec::new();
    if arguments.networks.is_empty() {
        for architecture in Architecture::all_v1() {
            let footprint = of_architecture(&architecture, arguments.labels)?;
            rows.push((architecture.to_string(), footprint));
        }
    }
    for name in &arguments.networks {
        let path = Path::new(name);
        let footprint = if has_ending(path, &["posy"]) || (path.is_file() && !is_network(path)) {
            Footprint::of_model(&ModelFile::open(path)?.model()?)
        } else if path.exists() || is_network(path) {
            guard::try_first(path, &Door::Backbone)?;
            let layers = Backbone::open(path, name)?.layers();
            Footprint::of_network(&layers, arguments.labels)
                .map_err(|error| format!("{name}: {error}; posy cannot run it"))?
        } else {
            of_architecture(&named(name)?, arguments.labels)?
        };
        rows.push((name.clone(), footprint));
    }
    if arguments.json {
        return print_json(&as_json(&rows)).map(|()| ExitCode::SUCCESS);
    }
    let mut heading = vec!["network", "flash KiB", "RAM KiB", "M products"];
    heading.extend(columns().map(|board| board.name));
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, footprint)| {
            let mut row = vec![
                name.clone(),
                kib(footprint.flash_bytes),
                kib(footprint.ram_bytes),
                millions(footprint.products),
            ];
            row.extend(columns().map(|board| match fits(footprint, board) {
                true => in_seconds(footprint.answer_ms(board)),
                false => "-".to_owned(),
            }));
            row
        })
        .collect();
    print_table(&heading, &table)?;
    note!();
    note!(
        "flash and RAM are the model's, beside a board's program; M products: millions of \
         multiply-accumulates (MACs) for a picture; a time: it fits, and an answer takes about so long, the \
         camera included (estimated, not measured on hardware); - does not fit"
    );
    if let Some(others) = others() {
        note!("{others}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The boards with a column: of those with the same chip the first.
fn columns() -> impl Iterator<Item = &'static Board> {
    let mut boards = BOARDS.iter().enumerate();
    std::iter::from_fn(move || {
        boards.find(|(index, board)| !BOARDS[..*index].iter().any(|other| other.is_like(board)))
    })
    .map(|(_, board)| board)
}

/// The boards without a column, and the flash that each has for a model; `None` if there are none.
fn others() -> Option<String> {
    let of = |first: &'static Board| {
        let alike = BOARDS
            .iter()
            .filter(move |board| board.is_like(first) && *board != first);
        alike.map(move |board| {
            let slot = board.slot_bytes() / 1024;
            format!("{} as {} ({slot} KiB)", board.name, first.name)
        })
    };
    let lines: Vec<String> = columns().flat_map(of).collect();
    (!lines.is_empty()).then(|| {
        format!(
            "the same chips, with less flash for a model: {}",
            lines.join(", ")
        )
    })
}

/// True if a file's extension is that of a pre-trained network, not of a model.
fn is_network(path: &Path) -> bool {
    has_ending(path, &["tflite", "onnx", "pb"])
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| endings.contains(&extension))
}

/// Parses the name of an architecture; the error for a board's name explains `posy fit`.
fn named(name: &str) -> Result<Architecture, Failure> {
    name.parse().map_err(
        |error| match BOARDS.iter().any(|board| board.name == name) {
            true => usage(format!(
                "{name} is a board, not a network; `posy fit` shows which boards each network fits"
            )),
            false => usage(error),
        },
    )
}

fn of_architecture(architecture: &Architecture, labels: u16) -> Result<Footprint, Failure> {
    Ok(Footprint::of_architecture(architecture, labels)?)
}

/// Estimated milliseconds for an answer on each board that the network fits.
fn answers_ms(footprint: &Footprint) -> serde_json::Map<String, serde_json::Value> {
    let boards = BOARDS.iter().filter(|board| fits(footprint, board));
    boards
        .map(|board| (board.name.to_owned(), footprint.answer_ms(board).into()))
        .collect()
}

fn as_json(rows: &[(String, Footprint)]) -> serde_json::Value {
    rows.iter()
        .map(|(name, footprint)| {
            json!({
                "network": name,
                "flash_bytes": footprint.flash_bytes,
                "ram_bytes": footprint.ram_bytes,
                "products": footprint.products,
                "fits": fitting(footprint),
                "answer_ms": answers_ms(footprint),
            })
        })
        .collect()
}
