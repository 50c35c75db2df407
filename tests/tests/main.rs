//! All whole-system tests in one program: linking posy takes longer than most tests, and the
//! harness keeps all cores busy to the end. One subject a module; `cargo test -p posy-tests
//! emulated::` runs one.

mod aarch64;
mod any_networks;
mod board_sizes;
mod boards;
mod cli;
mod constant_channels;
mod emulated;
#[cfg(unix)]
mod emulated_link;
mod exports;
mod float_networks;
mod footprint;
mod fuzz;
mod kernels;
mod layering;
mod parity;
mod report;
mod rp_pico;
mod stored_frames;
mod tensorboard;
mod voice;
mod web;
