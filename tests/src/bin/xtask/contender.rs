//! posy's part in the comparison with other programs (`tests/peers`), driven through pipes:
//!
//! ```text
//! xtask contender forward|features NETWORK.tflite PHOTOS
//! ```
//!
//! It prints `ready`, then answers each line `run SECONDS` with the number of images and the
//! elapsed seconds, as JSON, on two threads. `forward` runs the network on prepared inputs for that
//! time. `features` takes every photo once from file to features and to a new cache file, as `posy
//! retrain` does, however long it takes.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use posy::dataset::load::load;
use posy::dataset::{ScanOptions, scan};
use posy::features::cache::Cache;
use posy::features::extract::{Options, extract};
use posy::features::extractors::IntExtractor;
use posy::features::progress::Silent;
use posy_nn::run;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::engine::Prepared;
use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};

use crate::{Arguments, Failure};

const THREADS: usize = 2;
/// Number of prepared inputs that forward passes cycle through.
const INPUTS: usize = 32;

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let arguments: Vec<String> = arguments.collect();
    let [what, network, photos] = &arguments[..] else {
        return Err("usage: xtask contender forward|features NETWORK.tflite PHOTOS".into());
    };
    let name = Path::new(network).file_stem().unwrap_or_default();
    let backbone = Backbone::read(Path::new(network), &name.to_string_lossy())?;
    let model = backbone.extractor(InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    })?;
    let dataset = scan(Path::new(photos), &ScanOptions::default())?;
    let paths: Vec<PathBuf> = dataset.photos.into_iter().map(|photo| photo.path).collect();
    match what.as_str() {
        "forward" => {
            let model = Model::read(&model)?;
            let step = paths.len().div_ceil(INPUTS).max(1);
            let inputs = paths
                .iter()
                .step_by(step)
                .map(|path| {
                    let photo = load(path, &Default::default())?;
                    Ok(run::input(&model, &photo)?)
                })
                .collect::<Result<Vec<_>, Failure>>()?;
            let prepared = Prepared::new(model, run::kernels());
            serve(|seconds| {
                let images = AtomicUsize::new(0);
                let end = Instant::now() + seconds;
                thread::scope(|scope| {
                    for _ in 0..THREADS {
                        scope.spawn(|| {
                            let mut arena = vec![0; prepared.arena_len()];
                            let mut engine =
                                prepared.engine(&mut arena).expect("the arena is enough");
                            let row = prepared.model().input_shape().row_len();
                            for input in inputs.iter().cycle() {
                                if Instant::now() >= end {
                                    break;
                                }
                                for row in input.chunks_exact(row) {
                                    engine.push_row(row).expect("the row fits");
                                }
                                engine.finish().expect("every row has come");
                                images.fetch_add(1, Ordering::Relaxed);
                            }
                        });
                    }
                });
                Ok(images.into_inner())
            })
        }
        "features" => {
            rayon::ThreadPoolBuilder::new()
                .num_threads(THREADS)
                .build_global()?;
            let extractor = IntExtractor::new(&model)?;
            let folder = tempfile::tempdir()?;
            let mut run = 0;
            serve(|_| {
                run += 1;
                let folder = folder.path().join(run.to_string());
                let cache = Cache::open(&folder, u64::MAX, |text| eprintln!("{text}"));
                let options = Options::default();
                let made = extract(&paths, &extractor, Some(&cache), &options, &Silent);
                Ok(made.counts().computed)
            })
        }
        other => Err(format!("{other}: neither forward nor features").into()),
    }
}

/// Answers lines on stdin until it is closed.
fn serve(mut run: impl FnMut(Duration) -> Result<usize, Failure>) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let seconds = line.strip_prefix("run ").ok_or("expected `run SECONDS`")?;
        let seconds = Duration::from_secs_f64(seconds.parse()?);
        let started = Instant::now();
        let images = run(seconds)?;
        let seconds = started.elapsed().as_secs_f64();
        writeln!(out, "{{\"images\": {images}, \"seconds\": {seconds}}}")?;
        out.flush()?;
    }
    Ok(())
}
