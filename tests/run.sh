#!/bin/sh
# Every check and every test, as continuous integration runs them. Needs a Rust toolchain with
# rustfmt and clippy. Real photos and networks are found by POSY_DATA (default: ../shared beside
# this project); tests that need them say SKIPPED where they are missing.
set -eu
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*" >&2; "$@"; }

step cargo fmt --all --check
# Warnings are errors, and one profile for everything, so that dependencies are built once.
step cargo clippy --release --workspace --all-targets --all-features --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --release --workspace --no-deps --locked
# Alone, so that no other crate's features hide a missing one.
step cargo check --release --locked -p posy-shared
step cargo check --release --locked -p posy-firmware
step cargo test --release --workspace --locked
