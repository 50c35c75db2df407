//! A scene before the camera of an emulated board: photos of a folder, one after another.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

use crate::dataset::files::files_below;
use crate::dataset::{Limits, load};
use crate::demo::{Flower, draw};
use crate::device::emulator::{EmulatedBoard, HEIGHT, WIDTH, frame};

/// Time for which the camera sees one photo.
const HOLD: Duration = Duration::from_secs(2);

/// Interval of looks at whether the scene is to end.
const LOOK: Duration = Duration::from_millis(50);

/// Seed of the drawings that are seen where there are no photos.
const SEED: u64 = 2;

/// A scene that is played to a board, until this value is dropped. The board is ended with it.
#[derive(Debug)]
pub struct Scene {
    port: String,
    ended: Arc<AtomicBool>,
    player: Option<JoinHandle<()>>,
}

impl Scene {
    /// Plays the photos in `folder`, in the order of their names, or drawings of flowers, over and over. The
    /// folder is read again for each photo: what is put there is seen.
    pub fn play(board: EmulatedBoard, folder: Option<PathBuf>) -> Self {
        let port = board.port().to_owned();
        let ended = Arc::new(AtomicBool::new(false));
        let flag = ended.clone();
        let play = move || {
            for index in 0.. {
                let picture = match &folder {
                    Some(folder) => photo(folder, index),
                    None => Some(drawing(index)),
                };
                if let Some(picture) = picture {
                    // Where the disk is full, the camera goes on seeing the last one.
                    let _ = board.show(&frame(&picture));
                }
                let end = Instant::now() + HOLD;
                while Instant::now() < end {
                    if flag.load(Ordering::Relaxed) || board.has_ended() {
                        return;
                    }
                    sleep(LOOK);
                }
            }
        };
        Scene {
            port,
            ended,
            player: Some(thread::spawn(play)),
        }
    }

    /// Waits until the board has ended.
    pub fn wait(mut self) {
        if let Some(player) = self.player.take() {
            let _ = player.join();
        }
    }

    /// The board's serial port.
    pub fn port(&self) -> &str {
        &self.port
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(player) = self.player.take() {
            let _ = player.join();
        }
    }
}

/// The photo whose turn it is, cut to the camera's shape; `None` if there is none that can be read.
fn photo(folder: &Path, index: usize) -> Option<RgbImage> {
    let files = files_below(folder).files;
    let path = files.get(index.checked_rem(files.len())?)?;
    let photo = load(path, &Limits::default()).ok()?;
    let (width, height) = (photo.width.into(), photo.height.into());
    let whole = RgbImage::from_raw(width, height, photo.data.clone())?;
    let (width, height) = (WIDTH.into(), HEIGHT.into());
    let cut = DynamicImage::from(whole).resize_to_fill(width, height, FilterType::Triangle);
    Some(cut.into_rgb8())
}

fn drawing(index: usize) -> RgbImage {
    let kinds = Flower::ALL.len();
    draw(Flower::ALL[index % kinds], SEED, (index / kinds) as u64)
}
