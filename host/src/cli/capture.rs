//! `posy capture`: photos from a board's own camera.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use posy_shared::link::View;
use serde_json::json;

use super::output::{note, print_json};
use super::port::PortArguments;
use super::{Failure, studio};
use crate::studio::folder::{Folder, new_burst};
use crate::studio::png;

/// Takes photos with a board's camera, into FOLDER/photos/LABEL.
///
/// Photos of one run are named as one burst, which stays on one side of the split; so move the thing, and
/// run the command several times. `posy retrain --image-dir FOLDER/photos` learns from them.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Label that the photos show; _unknown for anything that is none of the labels.
    #[arg(long, value_name = "LABEL")]
    label: String,
    /// Number of photos.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Minimum time between two photos, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 250)]
    interval: u64,
    /// Folder of the studio.
    #[arg(value_name = "FOLDER", default_value = studio::FOLDER)]
    folder: PathBuf,
    #[command(flatten)]
    port: PortArguments,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = Folder::open(&arguments.folder)?;
    folder.add_label(&arguments.label)?;
    let mut connection = arguments.port.connect()?;
    connection.pause(true)?;
    let burst = new_burst();
    let mut names = Vec::new();
    for number in 1..=arguments.count {
        let begun = Instant::now();
        let picture = connection.capture(View::Camera)?;
        names.push(folder.add(&arguments.label, &burst, &png(&picture.to_rgb())?)?);
        note!("{number} of {}", arguments.count);
        if number < arguments.count {
            let interval = Duration::from_millis(arguments.interval);
            sleep(interval.saturating_sub(begun.elapsed()));
        }
    }
    connection.pause(false)?;
    let path = folder.photos().join(&arguments.label);
    match arguments.json {
        true => print_json(&json!({"folder": path, "photos": names}))?,
        false => note!("wrote {} photos into {}", names.len(), path.display()),
    }
    Ok(ExitCode::SUCCESS)
}
