//! Puts a board's memory map where the linker finds it; the build script of every board that needs no more.

use std::env;
use std::path::PathBuf;

fn main() {
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::copy("memory.x", folder.join("memory.x"))
        .unwrap_or_else(|error| panic!("memory.x: {error}"));
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rustc-link-search={}", folder.display());
    // cortex-m-rt's linker script; no padding of sections to pages.
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
}
