//! `posy photos`: collections of photos for download.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use posy_nn::dirs::{cache_dir, data_dir, data_dir_for, data_dirs, in_data_dir};
use posy_nn::download::archive::{Limits, Problem, unpack};
use posy_nn::download::photos::{COLLECTIONS, Collection};
use posy_nn::download::{RetryPolicy, download};
use posy_nn::near::meant;

use super::output::{note, print_lines};
use super::progress::Bytes;
use super::{Failure, usage};

/// Fetches training photos.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Downloads a collection of photos, verifies and unpacks it, and prints its path.
    Fetch(Fetch),
}

#[derive(Debug, Args)]
struct Fetch {
    /// Name of the collection: flowers.
    #[arg(value_name = "NAME", default_value = "flowers")]
    name: String,
    /// Folder in which the folder of photos is created [default: POSY_DATA, or posy in the user's
    /// data folder, where retrain and check look].
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// Archive on disk, used instead of a download.
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Command::Fetch(arguments) = &arguments.command;
    let collection = COLLECTIONS.iter().find(|c| c.name == arguments.name);
    let collection = collection.ok_or_else(|| {
        let known = COLLECTIONS.map(|c| format!("{} ({})", c.name, c.about));
        let meant = meant(&arguments.name, COLLECTIONS.map(|c| c.name));
        let meant = meant.map(|name| format!("; did you mean {name}?"));
        usage(format!(
            "no photos are called {:?}{} There are: {}",
            arguments.name,
            meant.as_deref().unwrap_or("."),
            known.join(", ")
        ))
    })?;
    let target = target(collection, arguments.into.as_deref());
    // Checked before the download, not after it.
    if target.exists() {
        return Err(Problem::Occupied(target).into());
    }
    match &arguments.archive {
        Some(archive) => unpack_to(collection, archive, &target)?,
        None => get(collection, &target)?,
    }
    print_lines(&[target.display().to_string()])?;
    Ok(ExitCode::SUCCESS)
}

/// Target folder of a collection.
fn target(collection: &Collection, into: Option<&Path>) -> PathBuf {
    let usual = || {
        let there = |folder: &PathBuf| folder.join(collection.folder).exists();
        let there = data_dirs().into_iter().find(there);
        there.unwrap_or_else(|| data_dir_for(collection.folder))
    };
    into.map_or_else(usual, Path::to_owned)
        .join(collection.folder)
}

/// Downloads and unpacks a collection.
fn get(collection: &Collection, target: &Path) -> Result<(), Failure> {
    let archive = cache_dir().join(format!("{}.tgz", collection.folder));
    let progress = Bytes::new(format!("{} ({})", collection.name, collection.about));
    download(
        &collection.archive,
        &archive,
        &RetryPolicy::default(),
        &progress,
    )?;
    drop(progress);
    unpack_to(collection, &archive, target)?;
    note!("the archive stays at {}", archive.display());
    Ok(())
}

/// Finds the folder of photos `path`, in the working folder or in a data folder. `given` is the
/// command line that names another folder, for error messages. A known collection that is missing
/// is fetched only if `fetch` is set.
pub(super) fn at_hand(path: &Path, fetch: bool, given: &str) -> Result<PathBuf, Failure> {
    let found = in_data_dir(path);
    if found.is_dir() {
        return Ok(found);
    }
    let shown = path.display();
    if found.exists() {
        return Err(format!("{shown}: a file, not a folder; {}", wanted(given)).into());
    }
    let known = COLLECTIONS.iter().find(|c| Path::new(c.folder) == path);
    match known {
        None => Err(format!("{shown}: no such folder; {}", wanted(given)).into()),
        Some(collection) if fetch => {
            let target = target(collection, None);
            get(collection, &target)?;
            Ok(target)
        }
        Some(Collection { name, about, .. }) => {
            let data = data_dir();
            Err(format!(
                "no photos: {shown} is neither here nor in {}; `posy photos fetch {name}` gets {about}; for \
                 photos of your own, {}",
                data.display(),
                wanted(given)
            )
            .into())
        }
    }
}

/// Request for a command's photos, as part of a message.
fn wanted(given: &str) -> String {
    format!("give {given} the folder that holds one folder of photos for each label")
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
