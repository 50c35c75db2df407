//! Kernels for aarch64 on emulated processors with and without the dot product: the seeded cases of
//! all variants, and every layer of the real networks against the plain reference on this machine.

use std::sync::Mutex;

use crc::{CRC_32_ISO_HDLC, Crc};
use posy::dataset::decode::decode;
use posy_nn::run;
use posy_shared::model::Model;
use posy_tests::aarch64::{self, Cpu, Tools};
use posy_tests::draw::draw;
use posy_tests::scratch::Scratch;
use posy_tests::{Maps, data, extractors, noise, small_classifier};

/// Serialises the tests: they build in one folder and would wait for it silently.
static ALONE: Mutex<()> = Mutex::new(());

/// Fastest variant for each processor, and the number of variants that it does not support.
const CPUS: [(Cpu, &str, usize); 2] = [(Cpu::Max, "neon-dotprod", 0), (Cpu::CortexA53, "neon", 1)];

#[test]
fn kernels_conform_on_processors_with_and_without_the_dot_product() {
    let test = "kernels_conform_on_processors_with_and_without_the_dot_product";
    let Some(tools) = Tools::find(test) else {
        return;
    };
    let _alone = ALONE.lock();
    for (cpu, _, left_out) in draw(test, CPUS, 1) {
        let said = tools.unit_tests(cpu, "kernels::simd::tests");
        let said = said.unwrap_or_else(|said| panic!("{cpu:?}: {said}"));
        assert!(said.contains("4 passed"), "{cpu:?}: {said}");
        // The tests themselves skip variants that the processor does not support.
        let skipped = said.matches("SKIPPED: this processor has no").count();
        assert_eq!(skipped, left_out, "{cpu:?}: {said}");
    }
}

#[test]
fn every_layer_of_the_real_networks_is_equal() {
    let test = "every_layer_of_the_real_networks_is_equal";
    let (Some(tools), Some(models), Some(photo)) = (
        Tools::find(test),
        data(test, "models"),
        data(test, "flower_photos/daisy/21652746_cc379e0eea_m.jpg"),
    ) else {
        return;
    };
    let photo = decode(&std::fs::read(photo).unwrap()).unwrap();
    let scratch = Scratch::new();
    let program = {
        let _alone = ALONE.lock();
        tools.example("layers")
    };
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    // A classifier as well, for its dense layer.
    let mut networks = extractors(&models);
    networks.push(("classifier".into(), small_classifier(3)));
    for (name, file) in draw(test, networks, 2) {
        let model = Model::read(&file).unwrap();
        let inputs = [run::input(&model, &photo).unwrap(), noise(&model)];
        let mut expected = Vec::new();
        let mut arguments = vec![scratch.write("model.posy", &file)];
        for (index, input) in inputs.iter().enumerate() {
            let mut maps = Maps::new(&model);
            posy_tests::run(&model, input, &mut maps);
            for (layer, map) in maps.maps.iter().enumerate() {
                let bytes: Vec<u8> = map.iter().map(|number| *number as u8).collect();
                expected.push(format!("{index} {layer} {:08x}", crc.checksum(&bytes)));
            }
            let bytes: Vec<u8> = input.iter().map(|number| *number as u8).collect();
            arguments.push(scratch.write(format!("input{index}"), bytes));
        }
        for (cpu, variant, _) in CPUS {
            let said = aarch64::run(cpu, &program, variant, &arguments);
            let said: Vec<&str> = said.lines().collect();
            for (said, expected) in said.iter().zip(&expected) {
                assert_eq!(said, expected, "{name}: {variant}");
            }
            assert_eq!(said.len(), expected.len(), "{name}: {variant}");
        }
    }
}
