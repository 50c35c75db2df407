//! Time from a photo file to features: decoding, preprocessing, and the forward pass of each
//! network with each kernel variant that the processor supports.
//!
//! Reads photos and networks from `POSY_DATA` (default: `shared` beside the workspace).

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use posy::dataset::decode::decode;
use posy_nn::rgb::Rgb;
use posy_nn::run;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::engine::Prepared;
use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter, PixelMap, Preprocessor, Size, scratch_len};

fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let path = root.join(name);
    if !path.exists() {
        eprintln!("SKIPPED: no data at {}; set POSY_DATA", path.display());
        return None;
    }
    Some(path)
}

const PHOTO: &str = "flower_photos/daisy/21652746_cc379e0eea_m.jpg";

fn contract(filter: Filter) -> InputContract {
    InputContract {
        crop: Crop::Squash,
        filter,
        table: None,
    }
}

fn preprocess(photo: &Rgb, filter: Filter, side: u16, scratch: &mut [u32]) -> i32 {
    let output = Size {
        width: side,
        height: side,
    };
    let source = photo.size();
    let map = PixelMap::Centred;
    let mut sum = 0;
    if let Ok(mut rows) = Preprocessor::new(source, Crop::Squash, filter, output, map, scratch) {
        for row in photo.rows() {
            let _ = rows.push_row(row, |row| sum += i32::from(row[0]));
        }
    }
    sum
}

fn photos(criterion: &mut Criterion) {
    let Some(path) = data(PHOTO) else { return };
    let bytes = std::fs::read(path).expect("the photo reads");
    criterion.bench_function("decode 231x240 jpeg", |bench| {
        bench.iter(|| decode(black_box(&bytes)));
    });
    let photo = decode(&bytes).expect("the photo decodes");
    for (name, filter) in [
        ("area", Filter::Area),
        ("legacy bilinear", Filter::LegacyBilinear),
    ] {
        for side in [128, 224] {
            let mut scratch = vec![0; scratch_len(side)];
            criterion.bench_function(&format!("preprocess {name} to {side}"), |bench| {
                bench.iter(|| preprocess(black_box(&photo), filter, side, &mut scratch));
            });
        }
    }
}

fn forward(criterion: &mut Criterion) {
    let (Some(folder), Some(photo)) = (data("models"), data(PHOTO)) else {
        return;
    };
    let bytes = std::fs::read(photo).expect("the photo reads");
    let photo = decode(&bytes).expect("the photo decodes");
    let mut files: Vec<PathBuf> = folder
        .read_dir()
        .expect("the folder reads")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "tflite")
        })
        .collect();
    files.sort();
    let mut group = criterion.benchmark_group("forward");
    group.sample_size(10);
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let backbone = Backbone::read(&path, &name).expect("the network reads");
        let file = backbone
            .extractor(contract(Filter::Area))
            .expect("the network is a model");
        let model = Model::read(&file).expect("the model reads");
        let input = run::input(&model, &photo).expect("the photo is an input");
        for run::Variant {
            name: variant,
            kernels,
        } in run::VARIANTS
        {
            let Some(kernels) = kernels() else { continue };
            let prepared = Prepared::new(model.clone(), kernels);
            let mut arena = vec![0; prepared.arena_len()];
            let mut engine = prepared.engine(&mut arena).expect("the arena is enough");
            group.bench_function(format!("{name} {variant}"), |bench| {
                bench.iter(|| {
                    for row in input.chunks_exact(model.input_shape().row_len()) {
                        engine.push_row(row).expect("the row fits");
                    }
                    engine.finish().map(|features| features[0])
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, photos, forward);
criterion_main!(benches);
