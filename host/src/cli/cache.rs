//! `posy cache`: size of the caches, and clearing them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use posy_nn::dirs::cache_dir;
use serde_json::json;

use super::output::{note, print_json, print_lines, print_table};
use super::{Failure, trials, usage};
use crate::features::cache::{Cache, DEFAULT_LIMIT, LIMIT_VARIABLE};
use crate::features::usage::{SetUsage, clear, megabytes, sets};

/// Shows how much disk space posy's caches take, and clears them.
///
/// The features of photos are kept so that the next run is quicker. When they exceed a limit, the
/// least recently used ones are removed automatically.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Environment: POSY_CACHE_LIMIT is the size limit of features, e.g. 500M or 4G [default: 1G]; 0 keeps \
none."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Place {
    /// Folder of the cache, as it was given to posy retrain [default: posy in the user's cache folder].
    #[arg(long, alias = "bottleneck_dir", value_name = "FOLDER")]
    bottleneck_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Removes the features; the next run computes them again.
    Clear {
        #[command(flatten)]
        place: Place,
        /// Remove downloaded networks and photo archives too.
        #[arg(long, conflicts_with = "bottleneck_dir")]
        downloads: bool,
    },
}

/// Opens the cache in the given folder, or in the user's cache folder.
pub(super) fn open(folder: Option<&Path>) -> Result<Arc<Cache>, Failure> {
    let folder = folder.map_or_else(cache_dir, Path::to_owned);
    let warn = |text: &str| note!("warning: {text}");
    Ok(Arc::new(Cache::open(&folder, limit()?, warn)))
}

/// True if anything is kept at all.
pub(super) fn keeps() -> bool {
    limit().is_ok_and(|limit| limit > 0)
}

/// Size limit from the environment, bytes.
fn limit() -> Result<u64, Failure> {
    let Some(text) = std::env::var_os(LIMIT_VARIABLE) else {
        return Ok(DEFAULT_LIMIT);
    };
    let text = text.to_string_lossy();
    bytes_of(&text).ok_or_else(|| {
        usage(format!(
            "{LIMIT_VARIABLE}={text:?} is no number of bytes; write 500M, 4G or 0"
        ))
    })
}

/// Parses a size such as `500M` into bytes.
fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['B', 'b']);
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text[number.len()..].to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => return None,
    };
    number.trim().parse::<u64>().ok()?.checked_mul(unit)
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        None => show(arguments)?,
        Some(Command::Clear { place, downloads }) => clear_all(place, *downloads)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Description of a kind of features.
fn in_words(set: &SetUsage) -> &'static str {
    match set.name.split('-').next() {
        Some("int8") => "features, as boards compute them",
        Some("float") => "features of a float network",
        Some("maps") => "variants of photos (augmentation)",
        Some("thumbnails") => "small pictures for reports",
        Some("looks") => "pictures that posy check compares",
        Some("files") => "which photos are known",
        _ => "features",
    }
}

fn show(arguments: &Arguments) -> Result<(), Failure> {
    let named = arguments.place.bottleneck_dir.as_deref();
    let folder = Cache::folder_in(&named.map_or_else(cache_dir, Path::to_owned));
    let sets = sets(&folder);
    let total: u64 = sets.iter().map(|set| set.bytes).sum();
    let limit = limit()?;
    let downloads = match named {
        Some(_) => Vec::new(),
        None => downloads(),
    };
    if arguments.json {
        let seconds =
            |time: Option<SystemTime>| Some(time?.duration_since(UNIX_EPOCH).ok()?.as_secs());
        let sets = sets.iter().map(|set| {
            json!({"name": set.name, "what": in_words(set), "files": set.files, "bytes": set.bytes,
                "last_used": seconds(set.used)})
        });
        let downloads = downloads
            .iter()
            .map(|(path, bytes)| json!({"file": path.to_string_lossy(), "bytes": bytes}));
        print_json(&json!({
            "folder": folder.to_string_lossy(),
            "features": sets.collect::<Vec<_>>(),
            "bytes": total,
            "limit_bytes": limit,
            "downloads": downloads.collect::<Vec<_>>(),
        }))?;
        return Ok(());
    }
    let age = |set: &SetUsage| set.used.and_then(|used| used.elapsed().ok());
    let ago = |set: &SetUsage| match age(set).map(|age| age.as_secs()) {
        None => "-".to_owned(),
        Some(seconds @ 0..172_800) if seconds < 7200 => format!("{} min", seconds / 60),
        Some(seconds @ 0..172_800) => format!("{} h", seconds / 3600),
        Some(seconds) => format!("{} days", seconds / 86_400),
    };
    let mut rows: Vec<Vec<String>> = sets
        .iter()
        .map(|set| {
            vec![
                set.name.clone(),
                megabytes(set.bytes),
                ago(set),
                in_words(set).into(),
            ]
        })
        .collect();
    rows.extend(downloads.iter().map(|(path, bytes)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        vec![
            name.into_owned(),
            megabytes(*bytes),
            "-".into(),
            "a download".into(),
        ]
    }));
    if !rows.is_empty() {
        print_table(&["what", "size", "last used", ""], &rows)?;
    }
    print_lines(&[format!(
        "{} of features in {}, of {} at most ({LIMIT_VARIABLE})",
        megabytes(total),
        folder.display(),
        megabytes(limit)
    )])?;
    if !rows.is_empty() {
        note!("posy cache clear removes the features, with --downloads all of it");
    }
    Ok(())
}

/// Downloads in the user's cache folder, with their sizes in bytes.
fn downloads() -> Vec<(PathBuf, u64)> {
    let folder = cache_dir();
    let mut found = Vec::new();
    for folder in [&folder, &folder.join("models")] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let endings = ["tflite", "tgz", "part", "lock"];
            let ending = path.extension().and_then(|ending| ending.to_str());
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_file() && ending.is_some_and(|ending| endings.contains(&ending)) {
                found.push((path, metadata.len()));
            }
        }
    }
    found.sort();
    // A lock file is empty, and of no interest to users.
    found.retain(|(_, bytes)| *bytes > 0);
    found
}

fn clear_all(place: &Place, with_downloads: bool) -> Result<(), Failure> {
    let folder = place.bottleneck_dir.clone().unwrap_or_else(cache_dir);
    let folder = Cache::folder_in(&folder);
    let failed = |path: &Path, error: &std::io::Error| -> Failure {
        format!("{}: cannot be removed: {error}", path.display()).into()
    };
    let cleared = clear(&folder).map_err(|(path, error)| failed(&path, &error))?;
    let mut freed = cleared.bytes;
    if place.bottleneck_dir.is_none() {
        trials::forget();
    }
    if with_downloads {
        for (path, bytes) in downloads() {
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
            freed += bytes;
        }
    }
    note!("{} freed", megabytes(freed));
    if cleared.in_use > 0 {
        note!(
            "{} files stay: another posy is writing them",
            cleared.in_use
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let cases = [
            ("0", Some(0)),
            ("500M", Some(500_000_000)),
            ("4G", Some(4_000_000_000)),
            (" 20 kb ", Some(20_000)),
            ("1T", Some(1_000_000_000_000)),
            ("", None),
            ("M", None),
            ("-1", None),
            ("1.5G", None),
            ("3X", None),
            ("99999999999T", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(bytes_of(text), bytes, "{text:?}");
        }
    }
}
