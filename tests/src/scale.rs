//! Large sets of small synthetic pictures from a seed, and time and memory of a command on them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use image::{DynamicImage, Rgb, RgbImage, imageops};
use posy::demo::{Flower, draw};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::kinds;
use crate::planted::jpeg;

/// Width and height of a picture, pixels.
const SIDE: u32 = 96;

/// A set of pictures.
#[derive(Clone, Copy, Debug)]
pub enum Set {
    /// Frames of a camera that does not move, in two labels: the light changes, the sensor is
    /// noisy, a small object is on the left or on the right.
    Frames(usize),
    /// Different pictures, with one label for each of the [kinds].
    Different(usize),
    /// Number of labels, and of pictures per label.
    Labels(usize, usize),
}

impl Set {
    /// Number of pictures in all.
    pub fn count(self) -> usize {
        match self {
            Set::Frames(count) | Set::Different(count) => count,
            Set::Labels(labels, each) => labels * each,
        }
    }

    /// Fills `folder` with the pictures, a folder for each label.
    pub fn make(self, folder: &Path) {
        let scene = imageops::thumbnail(&draw(Flower::ALL[0], 1, 1), SIDE, SIDE);
        (0..self.count()).into_par_iter().for_each(|number| {
            let mut random = ChaCha8Rng::seed_from_u64(number as u64);
            let (label, picture) = match self {
                Set::Frames(_) => {
                    let side = number % 2;
                    let name = ["left", "right"][side].to_owned();
                    (name, frame(&scene, side, &mut random))
                }
                Set::Different(_) => {
                    let kind = number % kinds::KINDS;
                    let picture = kinds::draw(kind, (number / kinds::KINDS) as u64, SIDE);
                    (format!("kind {kind:02}"), picture)
                }
                Set::Labels(labels, _) => {
                    let label = number % labels;
                    (format!("label {label:04}"), of_label(label, &mut random))
                }
            };
            let folder = folder.join(label);
            std::fs::create_dir_all(&folder).expect("a folder for the label");
            let bytes = jpeg(&DynamicImage::ImageRgb8(picture), 85);
            std::fs::write(folder.join(format!("{number:06}.jpg")), bytes).expect("room for it");
        });
    }
}

/// Draws an ellipse.
fn spot(picture: &mut RgbImage, at: [f32; 2], radii: [f32; 2], colour: [u8; 3]) {
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let [dx, dy] = [(x as f32 - at[0]) / radii[0], (y as f32 - at[1]) / radii[1]];
        if dx * dx + dy * dy < 1.0 {
            *pixel = Rgb(colour);
        }
    }
}

/// Applies a camera's exposure and noise.
fn expose(picture: &mut RgbImage, light: f32, noise: f32, random: &mut ChaCha8Rng) {
    for pixel in picture.pixels_mut() {
        for value in &mut pixel.0 {
            let noise = random.random_range(-noise..noise);
            *value = (f32::from(*value) * light + noise) as u8;
        }
    }
}

fn frame(scene: &RgbImage, side: usize, random: &mut ChaCha8Rng) -> RgbImage {
    let mut picture = scene.clone();
    let x = [12.0, 84.0][side] + random.random_range(-3.0..3.0);
    spot(&mut picture, [x, 84.0], [3.0, 3.0], [200, 30, 30]);
    let light = random.random_range(0.97..1.03);
    expose(&mut picture, light, 2.0, random);
    picture
}

/// A picture of a label: its own objects near fixed places, and as many random ones.
fn of_label(label: usize, random: &mut ChaCha8Rng) -> RgbImage {
    let mut own = ChaCha8Rng::seed_from_u64(1 << 32 | label as u64);
    let mut picture = RgbImage::from_pixel(SIDE, SIDE, Rgb(own.random()));
    for thing in 0..8 {
        let of_label = thing % 2 == 1;
        let draws = if of_label { &mut own } else { &mut *random };
        let mut place = || draws.random_range(0.0..SIDE as f32);
        let (mut at, mut radii) = ([place(), place()], [place(), place()]);
        radii = radii.map(|radius| 3.0 + radius / 5.0);
        let colour = draws.random();
        if of_label {
            at = at.map(|place| place + random.random_range(-6.0..6.0));
        }
        spot(&mut picture, at, radii, colour);
    }
    let light = random.random_range(0.8..1.1);
    expose(&mut picture, light, 6.0, random);
    picture
}

/// Time and memory of a command.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Wall time.
    pub wall: Duration,
    /// Peak memory, bytes; `None` if the system does not report it.
    pub peak_bytes: Option<u64>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.wall.as_secs_f64())?;
        match self.peak_bytes {
            Some(bytes) => write!(f, ", {} MB at most", bytes / 1_000_000),
            None => Ok(()),
        }
    }
}

/// Runs `command`, which must succeed. Its standard output is dropped, its standard error is shown.
pub fn measure(mut command: Command) -> Taken {
    let begun = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak_bytes = None;
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("the command can be waited for") {
            break ended;
        }
        // The system reports a running maximum; a peak in the last moment is missed.
        peak_bytes = high_water(&status).or(peak_bytes);
        thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{command:?}: {ended}");
    Taken {
        wall: begun.elapsed(),
        peak_bytes,
    }
}

/// `VmHWM` of Linux's `/proc/PID/status`.
fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
