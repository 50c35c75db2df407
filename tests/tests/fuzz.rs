//! The bodies of fuzzing on their seeds and on a few thousand mutants, so that they stay sound; `tests/fuzz.sh`
//! runs them for hours.

use posy_tests::draw::extent;
use posy_tests::fuzz::{TARGETS, mutants, sealed};

#[test]
fn every_reader_takes_any_bytes() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        seeds.iter().for_each(|seed| (target.body)(seed));
        let count = match target.name {
            // Each runs a network by tract.
            "guard" => extent(400, 20_000),
            _ => extent(2_000, 100_000),
        };
        for input in mutants(&seeds, count, 1) {
            (target.body)(&input);
        }
    }
}

/// Mutants get behind the checksums of a file only as long as this puts them where they belong.
#[test]
fn a_sound_model_is_sealed_as_it_is() {
    let target = TARGETS.iter().find(|target| target.name == "posy");
    for file in (target.expect("its target").seeds)() {
        assert_eq!(sealed(&file), Some(file));
    }
}
