//! `posy frames`: training photos from a video.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use posy_nn::shell::quoted_path;

use super::output::{note, print_lines};
use super::{Failure, usage};
use crate::dataset::video::{Cutting, Pace, cut};

/// Minimum number of videos per label, so that every part of the split gets one.
const VIDEOS: usize = 3;

/// Cuts training photos out of a video, with ffmpeg.
///
/// Walk around the object for half a minute, in the light and before the backgrounds in which it
/// will be seen. Make at least three videos of each label: the photos of one video stay in the same
/// part of the split, because near-duplicates of training photos would make the test too easy.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The video, in any form that ffmpeg plays.
    #[arg(value_name = "VIDEO")]
    video: PathBuf,
    /// Label of the video, and name of its folder of photos.
    #[arg(long, value_name = "NAME")]
    label: String,
    /// Folder of photos that contains the label's folder.
    #[arg(
        long,
        alias = "image_dir",
        value_name = "FOLDER",
        default_value = "photos"
    )]
    image_dir: PathBuf,
    /// Look at one picture in this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    every: f64,
    /// Look at one of this many frames instead.
    #[arg(long, alias = "frame_step", value_name = "COUNT", conflicts_with = "every",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frame_step: Option<u32>,
    /// Look at this many pictures at most.
    #[arg(long, value_name = "COUNT", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    most: u32,
    /// Keep a picture if its colours differ from the previous photo's by this much on average, of
    /// 255; 0 keeps every one.
    #[arg(
        long,
        alias = "least_change",
        value_name = "NUMBER",
        default_value_t = 4.0
    )]
    least_change: f32,
}

impl Arguments {
    fn cutting(&self) -> Result<Cutting, Failure> {
        let pace = match self.frame_step {
            Some(count) => Pace::Frames(count),
            None if (0.001..=86_400.0).contains(&self.every) => Pace::Seconds(self.every),
            None => {
                return Err(usage(format!(
                    "--every {}: give a number of seconds from 0.001 to 86400",
                    self.every
                )));
            }
        };
        if !(0.0..=255.0).contains(&self.least_change) {
            return Err(usage(format!(
                "--least-change {}: give a number from 0 to 255",
                self.least_change
            )));
        }
        Ok(Cutting {
            pace,
            most: self.most,
            change: self.least_change,
        })
    }

    /// The label's folder of photos.
    fn folder(&self) -> Result<PathBuf, Failure> {
        let mut parts = Path::new(&self.label).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(name)), None)
                if name.to_str() == Some(&self.label) && !self.label.starts_with('.') =>
            {
                Ok(self.image_dir.join(name))
            }
            _ => Err(usage(format!(
                "--label {:?} is no name for a folder; give a word such as roses",
                self.label
            ))),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (cutting, folder) = (arguments.cutting()?, arguments.folder()?);
    let cut = cut(&arguments.video, &folder, &cutting)?;
    if !cut.complaints.is_empty() {
        note!("warning: ffmpeg says: {}", cut.complaints);
    }
    let (kept, alike) = (cut.photos.len(), cut.alike);
    note!(
        "{kept} photos in {}, {alike} pictures left out that hardly differ from the one before",
        folder.display()
    );
    if kept + alike == cutting.most as usize {
        note!(
            "stopped after {} pictures; --most raises that",
            cutting.most
        );
    }
    note!(
        "they stay together in the split, so make at least {VIDEOS} videos of {}; then: \
         posy retrain --image-dir {}",
        arguments.label,
        quoted_path(&arguments.image_dir)
    );
    let paths = cut.photos.iter().map(|path| path.display().to_string());
    print_lines(&paths.collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}
