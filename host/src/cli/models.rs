//! `posy models`: named networks, and downloads of their files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use posy_nn::download::RetryPolicy;
use posy_nn::zoo::backbone::{BackboneError, ModelDirs};
use posy_nn::zoo::{Architecture, Version};
use serde_json::json;

use super::output::{kib, millions, note, print_json, print_lines, print_table};
use super::progress::Bytes;
use super::{Failure, usage};
use crate::device::{BOARDS, Footprint, fitting};

/// Lists the pre-trained networks that posy knows by name, and fetches their files.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Folder searched first for networks [default: models in POSY_DATA, or in posy in the user's
    /// data folder].
    #[arg(long, alias = "model_dir", value_name = "FOLDER")]
    model_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Downloads network files, verifies them, and prints their paths.
    Fetch {
        /// Names of architectures, e.g. mobilenet_0.50_224.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Output folder [default: models in POSY_DATA, or in posy in the user's data folder].
        #[arg(long, alias = "model_dir", value_name = "FOLDER")]
        model_dir: Option<PathBuf>,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        None => list(arguments),
        Some(Command::Fetch { names, model_dir }) => fetch(names, model_dir.as_deref()),
    }
}

/// Fetches each file; the failure of one does not stop the others.
fn fetch(names: &[String], folder: Option<&Path>) -> Result<ExitCode, Failure> {
    let mut architectures = Vec::new();
    for name in names {
        architectures.push(name.parse::<Architecture>().map_err(usage)?);
    }
    let model_dirs = ModelDirs::new(folder);
    let mut failed = false;
    for architecture in architectures {
        let retries = RetryPolicy::default();
        match model_dirs.fetch(
            &architecture,
            &retries,
            &Bytes::new(architecture.to_string()),
        ) {
            Ok(path) => print_lines(&[path.display().to_string()])?,
            Err(error) => {
                failed = true;
                note!("error: {}", why(&error));
            }
        }
    }
    Ok(match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Cause of a failed fetch, without advice.
fn why(error: &BackboneError) -> String {
    match error {
        BackboneError::Fetch { source, .. } => source.to_string(),
        BackboneError::Missing { name, .. } => format!(
            "{name}: nobody publishes it quantised; `posy models` says which networks can be fetched"
        ),
        error => error.to_string(),
    }
}

struct Row {
    architecture: Architecture,
    footprint: Footprint,
    file: Option<PathBuf>,
}

impl Row {
    fn state(&self) -> &'static str {
        match (&self.file, self.architecture.source()) {
            (Some(_), _) => "here",
            (None, Some(_)) => "can be fetched",
            (None, None) => "-",
        }
    }
}

fn list(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let model_dirs = ModelDirs::new(arguments.model_dir.as_deref());
    let mut rows = Vec::new();
    let mut all = Architecture::all_v1();
    all.extend(Architecture::family(Version::V2));
    for architecture in all {
        // Widths 0.25, 1.3 and 1.4 of version 2 are not published in every size.
        let file = model_dirs.find(&architecture);
        let known = architecture.source().is_some() || architecture.imagenet_top1().is_some();
        if known || file.is_some() {
            rows.push(Row {
                footprint: Footprint::of_architecture(&architecture, 5)?,
                architecture,
                file,
            });
        }
    }
    if arguments.json {
        let rows = rows.iter().map(|row| {
            json!({
                "network": row.architecture.to_string(),
                "imagenet_top1_percent": row.architecture.imagenet_top1(),
                "products": row.footprint.products,
                "flash_bytes": row.footprint.flash_bytes,
                "ram_bytes": row.footprint.ram_bytes,
                "fits": fitting(&row.footprint),
                "file": row.file.as_ref().map(|path| path.to_string_lossy()),
                "url": row.architecture.source().map(|source| source.file.url),
                "sha256": row.architecture.source().map(|source| source.file.sha256),
            })
        });
        print_json(&rows.collect())?;
        return Ok(ExitCode::SUCCESS);
    }
    let heading = [
        "network",
        "ImageNet %",
        "M products",
        "flash KiB",
        "RAM KiB",
        "boards",
        "file",
    ];
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let percent = row.architecture.imagenet_top1();
            let boards = fitting(&row.footprint);
            vec![
                row.architecture.to_string(),
                percent.map_or_else(|| "-".into(), |percent| format!("{percent:.1}")),
                millions(row.footprint.products),
                kib(row.footprint.flash_bytes),
                kib(row.footprint.ram_bytes),
                match boards.len() {
                    0 => "none".into(),
                    count if count == BOARDS.len() => "all".into(),
                    _ => boards.join(", "),
                },
                row.state().into(),
            ]
        })
        .collect();
    print_table(&heading, &table)?;
    note!();
    note!(
        "flash and RAM are for five labels; ImageNet accuracy is that of the float network, as published"
    );
    note!("get one with: posy models fetch NAME (posy retrain does so by itself)");
    Ok(ExitCode::SUCCESS)
}
