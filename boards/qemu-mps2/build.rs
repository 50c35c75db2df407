//! Puts the memory map of the chosen machine where the linker finds it.

use std::env;
use std::path::PathBuf;

const MACHINES: [&str; 4] = ["an385", "an386", "an500", "an505"];

fn main() {
    let chosen =
        |machine: &&str| env::var_os(format!("CARGO_FEATURE_{}", machine.to_uppercase())).is_some();
    let machines: Vec<&str> = MACHINES.into_iter().filter(chosen).collect();
    let [machine] = machines[..] else {
        panic!("choose one machine, e.g. --features an386; there are {MACHINES:?}");
    };
    let map = PathBuf::from("memory").join(format!("{machine}.x"));
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::copy(&map, folder.join("memory.x"))
        .unwrap_or_else(|error| panic!("{}: {error}", map.display()));
    println!("cargo::rerun-if-changed=memory");
    println!("cargo::rustc-link-search={}", folder.display());
    // cortex-m-rt's linker script; no padding of sections to pages.
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
}
