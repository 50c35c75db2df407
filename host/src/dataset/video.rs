//! Extracts photos from a video, with the command `ffmpeg`.
//!
//! Pictures of one video are near-duplicates, so they must share a bucket of the split: a network
//! that is tested on a neighbour of a training photo looks better than it is. So their names share
//! a group, the part up to `_nohash_`: the video's name and the beginning of its SHA-256.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Rgb, RgbImage};
use posy_nn::atomic::{self, Room};
use posy_nn::bounded;
use sha2::{Digest, Sha256};

use super::decode::{DecodeError, decode};

/// Errors of extracting photos from a video.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// The video cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Read {
        /// The video.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// ffmpeg is missing.
    #[error(
        "the command ffmpeg cannot be run ({0}); install it: apt-get install ffmpeg (Debian, Ubuntu), \
         brew install ffmpeg (macOS), winget install ffmpeg (Windows)"
    )]
    Missing(io::Error),
    /// ffmpeg failed.
    #[error("{path}: ffmpeg cannot use it: {said}; give a video that plays")]
    Refused {
        /// The video.
        path: PathBuf,
        /// The end of ffmpeg's messages.
        said: String,
    },
    /// The video gave no picture.
    #[error("{0}: ffmpeg found no picture in it; give a video that plays")]
    Empty(PathBuf),
    /// A picture from ffmpeg cannot be decoded.
    #[error(
        "{path}: ffmpeg wrote a picture that does not read: {source}; try another version of it"
    )]
    Picture {
        /// The video.
        path: PathBuf,
        /// The decoding error.
        source: DecodeError,
    },
    /// A photo, or the folder for pictures, cannot be written.
    #[error("{path}: cannot be written: {source}; give another place with --image-dir")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Sampling rate of the pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Seconds between two pictures.
    Seconds(f64),
    /// Frames per picture.
    Frames(u32),
}

impl Pace {
    /// ffmpeg's filter.
    fn filter(self) -> String {
        match self {
            Pace::Seconds(seconds) => format!("fps=1/{seconds}"),
            Pace::Frames(count) => format!("framestep={count}"),
        }
    }

    /// Name of the picture with this index: its time in milliseconds, or its frame number.
    fn moment(self, index: usize) -> String {
        match self {
            Pace::Seconds(seconds) => format!("{:08}ms", (index as f64 * seconds * 1e3) as u64),
            Pace::Frames(count) => format!("{:08}", index as u64 * u64::from(count)),
        }
    }
}

/// Options for extracting photos.
#[derive(Clone, Copy, Debug)]
pub struct Cutting {
    /// Sampling rate.
    pub pace: Pace,
    /// Maximum number of sampled pictures.
    pub most: u32,
    /// Minimum difference from the last kept picture at which a picture is kept: the mean over all
    /// values, of 255.
    pub change: f32,
}

/// Photos from a video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The photos.
    pub photos: Vec<PathBuf>,
    /// Number of pictures dropped because they are nearly equal to the photo before.
    pub alike: usize,
    /// ffmpeg's warnings; empty without any.
    pub complaints: String,
}

/// Greatest width of a photo, pixels; no network's input is larger than 224.
const WIDTH: u32 = 1024;
/// Side of the thumbnails that are compared, pixels.
const SMALL: u32 = 16;
/// Maximum number of lines of ffmpeg's messages that are passed on.
const LINES: usize = 4;

/// Extracts photos from `video` into `folder`. A photo gets its name once it is complete, and none
/// is written if ffmpeg fails.
///
/// # Errors
/// [`VideoError`].
pub fn cut(video: &Path, folder: &Path, cutting: &Cutting) -> Result<Cut, VideoError> {
    let group = group(video)?;
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| VideoError::Write { path, source }
    };
    let temporary = std::env::temp_dir();
    let work = Room::new(&temporary).map_err(write(&temporary))?;
    let complaints = run_ffmpeg(video, work.path(), cutting)?;
    let mut cut = Cut {
        photos: Vec::new(),
        alike: 0,
        complaints,
    };
    let mut last: Option<RgbImage> = None;
    for index in 0..cutting.most as usize {
        let picture = work.path().join(format!("{:06}.jpg", index + 1));
        let bytes = match std::fs::read(&picture) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(write(&picture)(error)),
        };
        let small = small(&bytes).map_err(|source| VideoError::Picture {
            path: video.into(),
            source,
        })?;
        if last
            .as_ref()
            .is_some_and(|last| difference(last, &small) < cutting.change)
        {
            cut.alike += 1;
            continue;
        }
        let name = format!("{group}_nohash_{}.jpg", cutting.pace.moment(index));
        let photo = folder.join(name);
        atomic::write(&photo, &bytes).map_err(write(&photo))?;
        cut.photos.push(photo);
        last = Some(small);
    }
    match cut.photos.is_empty() {
        true => Err(VideoError::Empty(video.into())),
        false => Ok(cut),
    }
}

/// The name prefix that a video's photos share.
fn group(video: &Path) -> Result<String, VideoError> {
    let sum = sha256(video).map_err(|source| VideoError::Read {
        path: video.into(),
        source,
    })?;
    let stem = video.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |letter: char| match letter {
        letter if letter.is_alphanumeric() || letter == '-' => letter,
        _ => '_',
    };
    // Short enough for every file system, even in letters of four bytes.
    let stem: String = stem.chars().take(40).map(plain).collect();
    // A `_nohash_` in the video's own name would end the group too early.
    let stem = stem.replace("_nohash_", "_");
    let sum: String = sum[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{stem}_{sum}"))
}

fn sha256(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = bounded::open(path, u64::MAX)?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(sha.finalize().into()),
            Ok(count) => sha.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Runs ffmpeg, which writes `000001.jpg` and so on into `folder`; returns its warnings.
fn run_ffmpeg(video: &Path, folder: &Path, cutting: &Cutting) -> Result<String, VideoError> {
    // ffmpeg runs in the folder, since it might interpret characters of a path.
    let video_path = std::path::absolute(video).map_err(|source| VideoError::Read {
        path: video.into(),
        source,
    })?;
    let mut input = OsString::from("file:");
    input.push(video_path);
    let filters = format!("{},scale=w='min(iw,{WIDTH})':h=-2", cutting.pace.filter());
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-hide_banner", "-loglevel", "error"])
        // A playlist must not open other protocols.
        .args(["-protocol_whitelist", "file", "-i"])
        .arg(input)
        .args(["-an", "-sn", "-vf", &filters])
        .args(["-frames:v", &cutting.most.to_string()])
        .args(["-q:v", "2", "-f", "image2", "%06d.jpg"])
        .current_dir(folder)
        .stdin(Stdio::null());
    let output = command.output().map_err(VideoError::Missing)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let said = lines[lines.len().saturating_sub(LINES)..].join("; ");
    match output.status.success() {
        true => Ok(said),
        false => Err(VideoError::Refused {
            path: video.into(),
            said: if said.is_empty() {
                output.status.to_string()
            } else {
                said
            },
        }),
    }
}

/// The picture as [`SMALL`] x [`SMALL`] pixels.
fn small(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let picture = decode(bytes)?;
    let (width, height) = (picture.width.into(), picture.height.into());
    let view = ImageBuffer::<Rgb<u8>, _>::from_raw(width, height, &picture.data[..]);
    Ok(view.map_or_else(RgbImage::default, |view| {
        resize(&view, SMALL, SMALL, FilterType::Triangle)
    }))
}

/// Mean difference of two pictures, of 255.
fn difference(one: &RgbImage, other: &RgbImage) -> f32 {
    let apart = one.iter().zip(other.iter());
    let sum: u32 = apart.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    sum as f32 / one.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_alike_for_one_video_alone() {
        let folder = tempfile::tempdir().unwrap();
        let named = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            group(&path).unwrap()
        };
        // The beginnings of the SHA-256 of "abc" and of nothing, from FIPS 180.
        assert_eq!(named("my rose.mp4", b"abc"), "my_rose_ba7816bf");
        assert_eq!(named("my rose.mov", b""), "my_rose_e3b0c442");
        assert_eq!(named("a_nohash_b.mp4", b"abc"), "a_b_ba7816bf");
        let long = named(&format!("{}.mp4", "\u{82b1}".repeat(60)), b"abc");
        assert_eq!(long.chars().count(), 49);
        let missing = group(&folder.path().join("none.mp4")).unwrap_err();
        assert!(missing.to_string().contains("none.mp4"), "{missing}");
    }

    #[test]
    fn moments_are_times_or_frames() {
        assert_eq!(Pace::Seconds(0.5).moment(3), "00001500ms");
        assert_eq!(Pace::Frames(15).moment(3), "00000045");
        assert_eq!(Pace::Frames(15).filter(), "framestep=15");
        assert_eq!(Pace::Seconds(0.5).filter(), "fps=1/0.5");
    }

    #[test]
    fn differences_are_averages() {
        let plain = |value| RgbImage::from_pixel(SMALL, SMALL, image::Rgb([value; 3]));
        assert_eq!(difference(&plain(10), &plain(17)), 7.0);
        let mut half = plain(10);
        half.pixels_mut()
            .step_by(2)
            .for_each(|pixel| pixel.0 = [30; 3]);
        assert_eq!(difference(&plain(10), &half), 10.0);
    }
}
