//! Every reader of bytes from outside, one at a time: `POSY_FUZZ` names it, and `POSY_FUZZ_SEEDS` a folder that
//! its seeds are written into. One program for all, since each would be linked for minutes.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use posy_tests::fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

/// Finds the target and writes its seeds. Panics that posy catches are no crashes, so they are not said.
fn begin() {
    std::panic::set_hook(Box::new(|panic| {
        if std::env::var_os("POSY_FUZZ_PANICS").is_some() {
            eprintln!("{panic}");
        }
    }));
    let name = std::env::var("POSY_FUZZ").unwrap_or_default();
    let found = TARGETS.into_iter().find(|target| target.name == name);
    let Some(target) = found else {
        let names = TARGETS.map(|target| target.name).join(", ");
        eprintln!("POSY_FUZZ={name}: give one of {names}");
        std::process::exit(2);
    };
    if let Some(folder) = std::env::var_os("POSY_FUZZ_SEEDS") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::create_dir_all(&folder).expect("a folder for seeds");
        for (index, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index}")), seed).expect("a seed");
        }
    }
    TARGET.get_or_init(|| target);
}

fuzz_target!(init: begin(), |bytes: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.body)(bytes);
    }
});
