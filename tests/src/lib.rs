//! What whole-system tests share: the real data, recorded arrays, running a model, running the
//! command.

pub mod aarch64;
pub mod answers;
pub mod boards;
pub mod browser;
pub mod draw;
pub mod emulator;
pub mod exports;
pub mod frames;
pub mod kinds;
pub mod logs;
pub mod networks;
pub mod onnx;
pub mod pico;
pub mod plain;
pub mod planted;
pub mod scale;
pub mod scratch;
pub mod server;
pub mod sizes;
mod small;
pub mod tensorboard;
pub mod wiring;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use posy::data::cache_dir;
use posy::features::cache::{Cache, DEFAULT_LIMIT};
use posy::retrain::Settings;
use posy_shared::engine::{Engine, Observer, Prepared, arena_len};
use posy_shared::kernels::{Kernels, Layout, scalar::Scalar};
use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};

pub use networks::{extractors, noise};
pub use small::{classifier, large_classifier, named_classifier, small_classifier};

/// The folder of real photos, networks and recorded outputs: `POSY_DATA`, by default `shared`
/// beside the workspace.
pub fn data_root() -> PathBuf {
    let workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    std::env::var_os("POSY_DATA").map_or_else(workspace, PathBuf::from)
}

/// The path of `name` in the folder of real data. Where it is missing, says loudly that `test` is
/// skipped.
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

/// Settings for measuring on the photos in `image_dir`, squashed by `filter`: features come from the cache
/// of `posy retrain`, those of the `float` network too where they are wanted.
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

/// The arrays of an `.npz` file in order of their names, with their shapes; one byte an element.
pub fn npz_arrays(path: &Path) -> Vec<(String, Vec<u64>, Vec<u8>)> {
    let file = std::fs::File::open(path);
    let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    names.sort();
    let array = |name: String| {
        let npy = npyz::NpyFile::new(archive.by_name(&name).unwrap()).unwrap();
        let name = name.trim_end_matches(".npy").to_string();
        let shape = npy.shape().to_vec();
        let bytes = match npy.dtype().descr().as_str() {
            descr if descr.contains("i1") => {
                let numbers: Vec<i8> = npy.into_vec().unwrap();
                numbers.into_iter().map(|number| number as u8).collect()
            }
            _ => npy.into_vec().unwrap(),
        };
        (name, shape, bytes)
    };
    names.into_iter().map(array).collect()
}

/// Every row that layers write, put together into maps `[H, W, C]`.
pub struct Maps<'m> {
    model: &'m Model<'m>,
    /// One per layer.
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

/// Runs `model` on `input`, `[H, W, C]`, by the plain reference and as a board does: in exactly the bytes
/// of its plan.
pub fn run(model: &Model<'_>, input: &[i8], observer: &mut impl Observer) -> Vec<i8> {
    let mut arena = vec![0; arena_len(model, &Scalar)];
    run_engine(
        Engine::new(model, &mut arena, Scalar).unwrap(),
        input,
        observer,
    )
}

/// Runs a model on `input`, `[H, W, C]`, in exactly the bytes that it and its kernels ask for.
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
