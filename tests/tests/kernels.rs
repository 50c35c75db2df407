//! Every variant of the kernels against the plain reference, on the real networks, row by row.

use std::path::PathBuf;

use posy::backbone::load::Backbone;
use posy::photos::decode::decode;
use posy::run;
use posy_shared::engine::Prepared;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{GoldenRows, InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};
use posy_tests::{Maps, data, run_prepared};

#[test]
fn every_row_of_the_real_networks_is_equal() {
    let test = "every_row_of_the_real_networks_is_equal";
    let (Some(models), Some(photo)) = (
        data(test, "models"),
        data(test, "flower_photos/daisy/21652746_cc379e0eea_m.jpg"),
    ) else {
        return;
    };
    let photo = decode(&std::fs::read(photo).unwrap()).unwrap();
    let mut files: Vec<PathBuf> = [models.clone(), models.join("int8")]
        .iter()
        .flat_map(|folder| folder.read_dir().unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|name| name == "tflite"))
        .collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy();
        let contract = InputContract {
            crop: Crop::Squash,
            filter: Filter::Area,
            table: None,
        };
        let backbone = Backbone::read(&path, &name).unwrap();
        let file = backbone.extractor(contract).unwrap();
        let model = Model::read(&file).unwrap();
        // A photo, and noise, which reaches numbers that photos do not.
        let mut noise = vec![0; model.input_shape().len()];
        let mut rows = GoldenRows::new(0x5EED);
        noise
            .chunks_exact_mut(model.input_shape().row_len())
            .for_each(|row| rows.fill(row));
        let inputs = [run::input(&model, &photo).unwrap(), noise];
        let reference = Prepared::new(model.clone(), Scalar);
        let expected = inputs.each_ref().map(|input| {
            let mut maps = Maps::new(&model);
            run_prepared(&reference, input, &mut maps);
            maps.maps
        });
        for run::Variant {
            name: variant,
            kernels,
        } in run::VARIANTS
        {
            let Some(kernels) = kernels() else {
                eprintln!("SKIPPED: {test}: {variant}: not on this processor");
                continue;
            };
            if *variant == "scalar" {
                continue;
            }
            let prepared = Prepared::new(model.clone(), kernels);
            for (input, expected) in inputs.iter().zip(&expected) {
                let mut maps = Maps::new(&model);
                let output = run_prepared(&prepared, input, &mut maps);
                for (layer, (actual, expected)) in maps.maps.iter().zip(expected).enumerate() {
                    let op = model.layers()[layer].op;
                    assert!(
                        actual == expected,
                        "{name}: {variant}: layer {layer} ({op:?}) differs"
                    );
                }
                assert_eq!(Some(&output), expected.last(), "{name}: {variant}");
            }
        }
    }
}
