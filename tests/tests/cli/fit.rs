//! `posy fit`: memory of every network, against bounds that follow from its shapes.

use posy_nn::zoo::backbone::Backbone;
use posy_shared::engine::Engine;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};
use posy_tests::scratch::{ARCHITECTURE, Scratch};
use posy_tests::{data, small_classifier};
use serde_json::Value;

/// Bounds in KiB for MobileNet v1, from the shapes of its layers alone: line buffers for the early
/// layers and the map at their end, or the rest layer by layer, whichever is larger. One row per
/// width; sizes 128, 160, 192, 224.
const BOUNDS_KIB: [(&str, [f64; 4]); 4] = [
    ("0.25", [24.0, 31.0, 38.0, 49.0]),
    ("0.50", [46.0, 60.0, 75.0, 98.0]),
    ("0.75", [69.0, 90.0, 112.0, 147.0]),
    ("1.0", [91.0, 119.0, 149.0, 196.0]),
];

/// Names and bounds in KiB of the 16 networks.
fn bounds() -> Vec<(String, f64)> {
    let with = |(width, row): &(&str, [f64; 4])| {
        let name = |size: u16| format!("mobilenet_v1_{width}_{size}");
        let row = [128, 160, 192, 224].map(name).into_iter().zip(*row);
        row.collect::<Vec<_>>()
    };
    BOUNDS_KIB.iter().flat_map(with).collect()
}

#[test]
fn every_v1_network_is_within_its_bound() {
    let scratch = Scratch::new();
    let table = scratch.posy(["fit"]).succeeds().stdout;
    let json = scratch.posy(["fit", "--json"]).succeeds().json();
    let mut lines = table.lines();
    let heading = lines.next().unwrap();
    for column in ["network", "flash KiB", "RAM KiB", "M products", "rp-pico"] {
        assert!(heading.contains(column), "{heading}");
    }
    let rows: Vec<Vec<&str>> = lines.map(|row| row.split_whitespace().collect()).collect();
    let json = json.as_array().unwrap();
    assert_eq!((rows.len(), json.len()), (16, 16));
    for ((name, bound), (row, entry)) in bounds().iter().zip(rows.iter().zip(json)) {
        assert_eq!(
            (row[0], &entry["network"]),
            (&**name, &Value::from(&**name))
        );
        let ram_kib: f64 = row[2].parse().unwrap();
        assert!(
            ram_kib > 0.0 && ram_kib <= bound * 1.10,
            "{name}: {ram_kib}"
        );
        let ram_bytes = entry["ram_bytes"].as_f64().unwrap();
        assert!(ram_bytes <= bound * 1.10 * 1024.0, "{name}: {ram_bytes}");
        assert!((ram_bytes / 1024.0 - ram_kib).abs() < 0.051, "{name}");
        let fits = entry["fits"].as_array().unwrap();
        // Where it fits, a time; for boards with the same chip once.
        let times = row.iter().filter(|cell| matches!(**cell, "ms" | "s"));
        let shown = fits
            .iter()
            .filter(|name| heading.contains(name.as_str().unwrap()));
        assert_eq!(times.count(), shown.count());
        let fits = fits.len();
        assert_eq!(entry["answer_ms"].as_object().unwrap().len(), fits);
    }
}

/// Howard et al. 2017, "MobileNets", tables 6 and 7: million mult-adds with a classifier of 1,000
/// classes.
#[test]
fn products_are_those_of_the_paper() {
    let scratch = Scratch::new();
    let labels = ["--json", "--labels", "1000"];
    let json = scratch
        .posy(["fit"].iter().chain(&labels))
        .succeeds()
        .json();
    let published = [
        ("mobilenet_v1_1.0_224", 569.0),
        ("mobilenet_v1_0.75_224", 325.0),
        ("mobilenet_v1_0.50_224", 149.0),
        ("mobilenet_v1_0.25_224", 41.0),
        ("mobilenet_v1_1.0_192", 418.0),
        ("mobilenet_v1_1.0_160", 290.0),
        ("mobilenet_v1_1.0_128", 186.0),
    ];
    for (name, millions) in published {
        let rows = json.as_array().unwrap();
        let row = rows.iter().find(|row| row["network"] == name).unwrap();
        let products = row["products"].as_f64().unwrap() / 1e6;
        assert!((products - millions).abs() < 1.0, "{name}: {products}");
    }
}

#[test]
fn a_file_has_what_inspect_says() {
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    assert_same_facts(&scratch, "model.posy");
}

fn assert_same_facts(scratch: &Scratch, file: &str) {
    let fit = scratch.posy(["fit", "--json", file]).succeeds().json();
    let inspect = scratch.posy(["inspect", "--json", file]).succeeds().json();
    for fact in ["flash_bytes", "ram_bytes", "products"] {
        assert!(fit[0][fact].is_u64(), "{fit}");
        assert_eq!(fit[0][fact], inspect[fact], "{fact}");
    }
    assert_eq!(fit[0]["flash_bytes"], scratch.read(file).len());
    let text = scratch.posy(["inspect", file]).succeeds().stdout;
    let kib = fit[0]["ram_bytes"].as_f64().unwrap() / 1024.0;
    assert!(text.contains(&format!("{kib:.1} KiB in ")), "{text}");
}

#[test]
fn a_trained_model_takes_what_its_architecture_was_said_to() {
    let Some(flowers) = data("a_trained_model_takes", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses", "tulips"], 5);
    scratch.retrain("flowers", &[]).succeeds();
    assert_same_facts(&scratch, "flowers.posy");
    let networks = ["fit", "--json", "--labels=3", "flowers.posy", ARCHITECTURE];
    let json = scratch.posy(networks).succeeds().json();
    assert_eq!(json[0]["fits"], json[1]["fits"], "{json}");
    // A trained network has no constant channels.
    for fact in ["flash_bytes", "ram_bytes", "products"] {
        let [trained, said] = [0, 1].map(|row| json[row][fact].as_f64().unwrap());
        assert!((0.9..=1.0).contains(&(trained / said)), "{fact}: {json}");
    }
}

/// The plan is exact: the engine runs in that many bytes and fails with one fewer.
#[test]
fn every_network_runs_in_exactly_the_planned_bytes() {
    let Some(folder) = data("every_network_runs_in_the_planned_bytes", "models") else {
        return;
    };
    let mut ran = 0;
    for folder in [folder.clone(), folder.join("int8")] {
        let Ok(entries) = folder.read_dir() else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_none_or(|extension| extension != "tflite")
            {
                continue;
            }
            let name = path.file_stem().unwrap().to_string_lossy();
            let backbone = Backbone::read(&path, &name).unwrap();
            let input = InputContract {
                crop: Crop::Squash,
                filter: Filter::Area,
                table: None,
            };
            let bytes = backbone.extractor(input).unwrap();
            let model = Model::read(&bytes).unwrap();
            runs_in_exactly(&model, &name);
            ran += 1;
        }
    }
    assert!(ran > 0);
}

fn runs_in_exactly(model: &Model<'_>, name: &str) {
    let planned = model.plan().arena_len;
    let mut arena = vec![0; planned];
    assert!(
        Engine::new(model, &mut arena[1..], Scalar).is_err(),
        "{name}: runs in less than {planned} bytes"
    );
    let mut engine = Engine::new(model, &mut arena, Scalar).unwrap();
    let shape = model.input_shape();
    let row: Vec<i8> = (0..shape.row_len()).map(|at| at as i8).collect();
    for _ in 0..shape.height {
        engine.push_row(&row).unwrap();
    }
    assert_eq!(engine.finish().unwrap().len(), model.output_len(), "{name}");
}
