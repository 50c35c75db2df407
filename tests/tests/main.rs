//! All whole-system tests in one program: linking posy takes longer than most tests, and the
//! harness keeps all cores busy to the end. One subject a module; `cargo test -p posy-tests
//! emulated::` runs one.

mod aarch64;
mod any_networks;
mod board_sizes;
mod boards;
mod cli;
mod constant_channels;
mod documents;
mod emulated;
#[cfg(unix)]
mod emulated_link;
mod exports;
mod float_networks;
mod footprint;
mod fuzz;
#[cfg(target_os = "linux")]
mod host_link;
mod images;
mod kernels;
mod layering;
mod parity;
mod report;
mod rp_pico;
mod silicon;
mod speed;
mod stored_frames;
#[cfg(target_os = "linux")]
mod studio;
mod tensorboard;
mod voice;
mod web;
mod wiring;
