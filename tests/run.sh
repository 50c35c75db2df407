#!/bin/sh
# Every check and every test, as continuous integration runs them. Needs a Rust toolchain with
# rustfmt and clippy. Real photos and networks are found by POSY_DATA (default: ../shared beside
# this project); tests that need them say SKIPPED where they are missing. The ARM targets and the
# emulator are fetched where they are missing; where that fails, boards are left out, loudly.
set -eu
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*" >&2; "$@"; }

# Checks and builds the board crate $1 for the target $2 with further options, and prints what it
# takes of flash (text, data) and RAM (data, bss).
board() {
    name=$1 target=$2
    shift 2
    for job in clippy build; do
        deny=""
        if [ $job = clippy ]; then deny="-- -D warnings"; fi
        # From its folder, where its settings lie. No toolchain is named where the usual one will do.
        # shellcheck disable=SC2086
        (cd "boards/$name" && step cargo $arm $job --release --locked --target "$target" \
            --target-dir ../../target/boards "$@" $deny)
    done
    if command -v size >/dev/null; then
        size "target/boards/$target/release/posy-$name"
    fi
}

step cargo fmt --all --check
for manifest in boards/*/Cargo.toml; do
    step cargo fmt --check --manifest-path "$manifest"
done
# Warnings are errors, and one profile for everything, so that dependencies are built once.
step cargo clippy --release --workspace --all-targets --all-features --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --release --workspace --no-deps --locked
# Alone, so that no other crate's features hide a missing one.
step cargo check --release --locked -p posy-shared
step cargo check --release --locked -p posy-firmware

missing=""
if arm=$(step boards/arm-toolchain.sh); then
    for target in thumbv6m-none-eabi thumbv7em-none-eabihf thumbv8m.main-none-eabihf; do
        # shellcheck disable=SC2086
        step cargo $arm clippy --release --locked -p posy-firmware --all-features \
            --target "$target" --target-dir target/boards -- -D warnings
    done
    board qemu-mps2 thumbv6m-none-eabi --features an385
    board qemu-mps2 thumbv7em-none-eabihf --features an386,defmt
    board qemu-mps2 thumbv7em-none-eabihf --features an386
    board qemu-mps2 thumbv7em-none-eabihf --features an500
    board qemu-mps2 thumbv8m.main-none-eabihf --features an505
    board rp-pico thumbv6m-none-eabi
    board rp-pico2 thumbv8m.main-none-eabihf
    board nucleo-h743zi thumbv7em-none-eabihf
    board nrf52840-dk thumbv7em-none-eabihf
    command -v qemu-system-arm >/dev/null || missing="boards were built and not emulated"
else
    missing="no board was built or emulated"
fi

# What builds and runs programs for 64-bit ARM laptops, for the tests of their kernels.
elsewhere=""
step tests/aarch64-tools.sh >/dev/null ||
    elsewhere="the kernels for aarch64 were not run: see what tests/aarch64-tools.sh says above"

# Decodes the structured logs of boards in tests. The first line of its --version names that.
decoder=1.2.0 undecoded=""
if [ "$(target/tools/bin/defmt-print --version 2>/dev/null | head -n 1)" != "defmt-print $decoder" ]; then
    step cargo install --quiet --locked --version "$decoder" defmt-print --root target/tools ||
        undecoded="boards' structured logs were not decoded: defmt-print could not be installed"
fi

# A real browser opens the report.
unopened=""
if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
    { [ "$(id -u)" = 0 ] && step apt-get update -qq &&
        step apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >&2; } ||
        unopened="the report was not opened in a browser: the package chromium could not be installed"
fi

# Makes videos, and cuts them up.
uncut=""
if ! command -v ffmpeg >/dev/null; then
    { [ "$(id -u)" = 0 ] && step apt-get update -qq &&
        step apt-get install -y -qq --no-install-recommends ffmpeg >&2; } ||
        uncut="no video was cut up: the package ffmpeg could not be installed"
fi

# The real TensorBoard reads event files back.
unread=""
if ! target/tools/tensorboard/bin/python -c "import tensorboard" 2>/dev/null; then
    { step python3 -m venv --clear target/tools/tensorboard &&
        step target/tools/tensorboard/bin/pip install --quiet tensorboard==2.21.0; } ||
        unread="event files were not read back: TensorBoard could not be installed from PyPI"
fi

# Makes the virtual environment $1 with the other arguments, packages from PyPI.
environment() {
    folder=target/tools/$1
    shift
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$*" ]; then
        step python3 -m venv --clear "$folder" &&
            step "$folder/bin/pip" install --quiet --no-compile "$@" && echo "$*" >"$folder/installed"
    fi
}

# The real interpreters of files that posy writes for other tools. TensorFlow is 270 MB and takes
# a minute or two to install.
unrun=""
environment runtimes ai-edge-litert==2.3.0 onnxruntime==1.32.0 numpy==2.4.6 flatbuffers==25.12.19 ||
    unrun="LiteRT and ONNX Runtime"
environment tensorflow tensorflow-cpu==2.21.0 || unrun="${unrun:+$unrun, }TensorFlow"

# ONNX Runtime computes what float networks should; PyTorch, Debian's package, exports some.
unheld=""
if ! target/tools/onnx/bin/python -c "import onnx, onnxruntime" 2>/dev/null; then
    { step python3 -m venv --clear target/tools/onnx &&
        step target/tools/onnx/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0; } ||
        unheld="float networks were not held to ONNX Runtime: it could not be installed from PyPI"
fi
unexported=""
if ! { /usr/bin/python3 -c "import torch" || python3 -c "import torch"; } 2>/dev/null; then
    { [ "$(id -u)" = 0 ] && step apt-get update -qq &&
        step apt-get install -y -qq --no-install-recommends python3-torch >&2; } ||
        unexported="no network of PyTorch's exporter was read: the package python3-torch could not be installed"
fi

step cargo test --release --workspace --locked
# What runs on boards, the kernels left out, in an interpreter that finds undefined behaviour.
uninterpreted=""
step tests/miri.sh || {
    [ $? -eq 3 ] || exit 1
    uninterpreted="nothing was run in Miri: see what tests/miri.sh says above"
}
if [ -n "$uninterpreted" ]; then printf '\nSKIPPED: %s\n' "$uninterpreted" >&2; fi
if [ -n "$elsewhere" ]; then printf '\nSKIPPED: %s\n' "$elsewhere" >&2; fi
if [ -n "$unopened" ]; then printf '\nSKIPPED: %s\n' "$unopened" >&2; fi
if [ -n "$unheld" ]; then printf '\nSKIPPED: %s\n' "$unheld" >&2; fi
if [ -n "$unexported" ]; then printf '\nSKIPPED: %s\n' "$unexported" >&2; fi
if [ -n "$unrun" ]; then
    printf '\nSKIPPED: exported files were not run in %s: it could not be installed from PyPI\n' \
        "$unrun" >&2
fi
if [ -n "$uncut" ]; then printf '\nSKIPPED: %s\n' "$uncut" >&2; fi
if [ -n "$unread" ]; then printf '\nSKIPPED: %s\n' "$unread" >&2; fi
if [ -n "$undecoded" ]; then printf '\nSKIPPED: %s\n' "$undecoded" >&2; fi
if [ -n "$missing" ]; then
    printf '\nSKIPPED: %s: see what boards/arm-toolchain.sh says above\n' "$missing" >&2
fi
