//! Memory of every network on a board: flash against its weights, RAM against bounds that follow
//! from its shapes.

use posy::device::Footprint;
use posy_nn::export::{compact_extractor, extractor};
use posy_shared::model::Model;
use posy_tests::data;
use posy_tests::networks::{files, metadata, network};

/// Bounds of RAM in bytes, by a part of the network file's name: line buffers for the early layers
/// and the map at their end, or the rest layer by layer, whichever is larger (without a camera
/// frame).
const BOUNDS: [(&str, u64); 9] = [
    ("v1_0.25_128", 24 << 10),
    ("v1_0.25_224", 49 << 10),
    ("v1_0.5_128", 46 << 10),
    ("v1_0.5_224", 98 << 10),
    ("v1_0.75_192", 112 << 10),
    ("v1_1.0_224", 196 << 10),
    ("vww_96", 15_072),
    // With additions: half of a residual block's expanded map and input, as whole maps.
    ("v2_0.5_224", 112 * 112 * (8 + 48) / 2),
    ("v2_1.0_96", 48 * 48 * (16 + 96) / 2),
];

#[test]
fn every_network_is_within_its_bounds() {
    let test = "every_network_is_within_its_bounds";
    let Some(models) = data(test, "models") else {
        return;
    };
    let mut met = [false; BOUNDS.len()];
    for path in files(&models) {
        let name = path.file_stem().unwrap().to_string_lossy();
        let network = network(&path).unwrap();
        let whole = extractor(&network, &metadata()).unwrap();
        let compact = compact_extractor(&network, &metadata()).unwrap();
        let [whole, compact] = [&whole, &compact].map(|file| Model::read(file).unwrap());
        // The least flash of a network: its weights, and bias, multiplier and shift for each
        // channel.
        let layers = whole.layers().iter();
        let numbers = layers.map(|layer| layer.weight_count() + layer.table_len());
        let numbers = numbers.sum::<usize>() as u64;
        let known = BOUNDS.iter().position(|(part, _)| name.contains(part));
        let known = known.unwrap_or_else(|| panic!("{name}: no bound"));
        met[known] = true;
        let bound = BOUNDS[known].1;
        for model in [&whole, &compact] {
            let Footprint {
                flash_bytes,
                ram_bytes,
                ..
            } = Footprint::of_model(model);
            eprintln!("{name}: {flash_bytes} of {numbers} bytes, RAM {ram_bytes} of {bound}");
            assert!(100 * flash_bytes <= 103 * numbers, "{name}: {flash_bytes}");
            // Includes the scratch memory of the kernels.
            assert!(ram_bytes <= bound * 115 / 100, "{name}: {ram_bytes}");
        }
    }
    assert!(met.iter().filter(|met| **met).count() >= 6, "{met:?}");
}
