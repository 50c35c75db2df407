//! Every kernel variant against the plain reference, on the real networks, row by row.

use posy::dataset::decode::decode;
use posy_nn::run;
use posy_shared::engine::Prepared;
use posy_shared::model::Model;
use posy_tests::{Maps, data, extractors, noise, run_prepared};

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
    for (name, file) in extractors(&models) {
        let model = Model::read(&file).unwrap();
        // A photo, and noise, which reaches values that photos do not.
        let inputs = [run::input(&model, &photo).unwrap(), noise(&model)];
        let expected = inputs.each_ref().map(|input| {
            let mut maps = Maps::new(&model);
            posy_tests::run(&model, input, &mut maps);
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
