//! `posy profile`.

use posy_nn::run::VARIANTS;
use posy_tests::scratch::Scratch;
use posy_tests::small_classifier;
use serde_json::Value;

#[test]
fn every_layer_has_a_share() {
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    let command = [
        "profile",
        "model.posy",
        "--json",
        "--seconds",
        "0.01",
        "--threads",
        "2",
    ];
    let said: Value = scratch.posy(command).succeeds().json();
    let layers = said["layers"].as_array().unwrap();
    let ops: Vec<&str> = layers
        .iter()
        .map(|layer| layer["op"].as_str().unwrap())
        .collect();
    assert_eq!(
        ops,
        [
            "Conv3x3",
            "Depthwise3x3",
            "Pointwise",
            "GlobalAveragePool",
            "Dense"
        ]
    );
    let sum = |name: &str| -> f64 {
        let numbers = layers.iter().map(|layer| layer[name].as_f64().unwrap());
        numbers.sum()
    };
    assert!((sum("share") - 1.0).abs() < 1e-6);
    assert_eq!(sum("products"), said["products"].as_f64().unwrap());
    let total = said["microseconds"].as_f64().unwrap();
    assert!((sum("microseconds") - total).abs() < 1e-6 * total);
    assert!(said["passes"].as_u64().unwrap() >= 6);
    assert!(said["passes_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(said["threads"], 2);
}

#[test]
fn kernels_are_chosen_by_name() {
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    let run = |name: &str| {
        let command = ["profile", "model.posy", "--kernels", name, "--seconds", "0"];
        scratch.posy(command)
    };
    let outcome = run("scalar").succeeds().says(&["kernels scalar"]);
    // Heading, five layers, total.
    assert_eq!(outcome.stdout.lines().count(), 7, "{outcome}");
    let names: Vec<&str> = VARIANTS.iter().map(|variant| variant.name).collect();
    run("abacus").fails(2, &names);
}
