//! Shared code of the whole-system tests: real data, recorded arrays, and running models and the
//! command.

pub mod aarch64;
pub mod answers;
pub mod axe;
pub mod boards;
pub mod browser;
pub mod documents;
pub mod draw;
pub mod emulator;
pub mod exports;
#[cfg(target_os = "linux")]
pub mod fake_board;
pub mod frames;
pub mod fuzz;
pub mod graphs;
pub mod images;
pub mod kinds;
#[cfg(target_os = "linux")]
pub mod live_pico;
pub mod logs;
pub mod networks;
pub mod npm;
pub mod onnx;
pub mod pico;
pub mod plain;
pub mod planted;
#[cfg(target_os = "linux")]
pub mod pty;
pub mod scale;
pub mod scratch;
pub mod server;
pub mod sizes;
mod small;
pub mod studio;
pub mod tensorboard;
pub mod web;
pub mod wiring;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use posy::features::cache::{Cache, DEFAULT_LIMIT};
use posy::retrain::Settings;
use posy_nn::dirs::cache_dir;
use posy_shared::engine::{Engine, Observer, Prepared, arena_len};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::kernels::{Kernels, Layout};
use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};

pub use networks::{extractors, noise};
pub use small::{
    classifier, heavy_classifier, labelled_classifier, large_classifier, named_classifier,
    small_classifier,
};

/// Folder of real photos, networks and recorded outputs: `POSY_DATA`, by default `shared` beside
/// the workspace.
pub fn data_root() -> PathBuf {
    let workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    std::env::var_os("POSY_DATA").map_or_else(workspace, PathBuf::from)
}

/// Path of `name` in the data folder. Prints that `test` is skipped if it is missing.
pub fn data(test: &str, name: &str) -> Option<PathBuf> {
    let path = data_root().join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: {test}: no data at {}; set POSY_DATA",
        path.display()
    );
    None
}

/// Settings for an evaluation on the photos in `image_dir`, stretched by `filter`. Features come
/// from the cache of `posy retrain`, with `float` those of the float network too.
pub fn settings(image_dir: PathBuf, filter: Filter, float: bool) -> Settings {
    let warn = |text: &str| eprintln!("{text}");
    Settings {
        layout: Default::default(),
        image_dir,
        input: InputContract {
            crop: Crop::Squash,
            filter,
            table: None,
        },
        cache: Some(Arc::new(Cache::open(&cache_dir(), DEFAULT_LIMIT, warn))),
        float,
        strict: true,
    }
}

/// Bytes of a recorded file, as int8.
pub fn int8_file(path: &Path) -> Vec<i8> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes.into_iter().map(|byte| byte as i8).collect()
}

/// An observer that collects every row that layers write into maps `[H, W, C]`.
pub struct Maps<'m> {
    model: &'m Model<'m>,
    /// One map per layer.
    pub maps: Vec<Vec<i8>>,
}

impl<'m> Maps<'m> {
    /// Empty maps for the layers of `model`.
    pub fn new(model: &'m Model<'m>) -> Self {
        let layers = model.layers().iter();
        Maps {
            model,
            maps: layers.map(|layer| vec![0; layer.output.len()]).collect(),
        }
    }
}

impl Observer for Maps<'_> {
    fn row(&mut self, layer: usize, row: usize, layout: Layout, numbers: &[i8]) {
        let shape = self.model.layers()[layer].output;
        let (width, channels) = (usize::from(shape.width), usize::from(shape.channels));
        let (x_step, c_step) = layout.steps(width, channels);
        let map = &mut self.maps[layer][row * shape.row_len()..][..shape.row_len()];
        for (x, pixel) in map.chunks_exact_mut(channels).enumerate() {
            for (c, number) in pixel.iter_mut().enumerate() {
                *number = numbers[x * x_step + c * c_step];
            }
        }
    }
}

/// Runs `model` on `input`, `[H, W, C]`, with the plain reference in exactly the memory of its
/// plan, as on a board.
pub fn run(model: &Model<'_>, input: &[i8], observer: &mut impl Observer) -> Vec<i8> {
    let mut arena = vec![0; arena_len(model, &Scalar)];
    run_engine(
        Engine::new(model, &mut arena, Scalar).unwrap(),
        input,
        observer,
    )
}

/// Runs a model on `input`, `[H, W, C]`, in exactly the memory that it and its kernels need.
pub fn run_prepared<K: Kernels>(
    prepared: &Prepared<'_, K>,
    input: &[i8],
    observer: &mut impl Observer,
) -> Vec<i8> {
    let mut arena = vec![0; prepared.arena_len()];
    run_engine(prepared.engine(&mut arena).unwrap(), input, observer)
}

fn run_engine<K: Kernels>(
    mut engine: Engine<'_, '_, K>,
    input: &[i8],
    observer: &mut impl Observer,
) -> Vec<i8> {
    for row in input.chunks_exact(engine.model().input_shape().row_len()) {
        engine.push_row_observed(row, observer).unwrap();
    }
    engine.finish_observed(observer).unwrap().to_vec()
}
