//! `posy photos`: collections of photos that can be fetched.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::meter::Bytes;
use super::output::{note, print_lines};
use super::{Failure, usage};
use crate::data::cache_dir;
use crate::fetch::archive::{Limits, Problem, unpack};
use crate::fetch::photos::{COLLECTIONS, Collection};
use crate::fetch::{Patience, download};

/// Fetches photos to train on.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Downloads a collection of photos, checks it, unpacks it, and prints where it is.
    Fetch(Fetch),
}

#[derive(Debug, Args)]
struct Fetch {
    /// Name of the collection: flowers.
    #[arg(value_name = "NAME", default_value = "flowers")]
    name: String,
    /// Folder in which the folder of photos is made.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    into: PathBuf,
    /// An archive that is here already, in place of downloading one.
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Command::Fetch(arguments) = &arguments.command;
    let collection = COLLECTIONS.iter().find(|c| c.name == arguments.name);
    let collection = collection.ok_or_else(|| {
        let known = COLLECTIONS.map(|c| format!("{} ({})", c.name, c.about));
        usage(format!(
            "no photos are called {:?}; there are: {}",
            arguments.name,
            known.join(", ")
        ))
    })?;
    let target = arguments.into.join(collection.folder);
    // Seen before a download, not after it.
    if target.exists() {
        return Err(Problem::Occupied(target).into());
    }
    match &arguments.archive {
        Some(archive) => unpack_to(collection, archive, &target)?,
        None => {
            let archive = cache_dir().join(format!("{}.tgz", collection.folder));
            let meter = Bytes::new(format!("{} ({})", collection.name, collection.about));
            download(&collection.archive, &archive, &Patience::default(), &meter)?;
            drop(meter);
            unpack_to(collection, &archive, &target)?;
            note!("the archive stays at {}", archive.display());
        }
    }
    print_lines(&[target.display().to_string()])?;
    Ok(ExitCode::SUCCESS)
}

fn unpack_to(collection: &Collection, archive: &Path, target: &Path) -> Result<(), Failure> {
    note!("unpacking {}", archive.display());
    Ok(unpack(
        archive,
        collection.folder,
        target,
        &Limits::default(),
    )?)
}
