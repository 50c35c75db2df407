#!/bin/sh
# Every check and every test, as continuous integration runs them. Needs a Rust toolchain with
# rustfmt and clippy. Real photos and networks are found by POSY_DATA (default: ../shared beside
# this project); tests that need them say SKIPPED where they are missing. The ARM targets and the
# emulator are fetched where they are missing; where that fails, boards are left out, loudly.
set -eu
cd "$(dirname "$0")/.."

# Runs the command it is given, and says when: in seconds from the start.
began=$(date +%s)
step() { printf '\n== %s s: %s\n' $(($(date +%s) - began)) "$*" >&2; "$@"; }

# What is left out, a line each: parts of this run side by side, and all of it is said at the end.
logs=target/run
mkdir -p $logs
: >$logs/skipped
skip() { echo "$*" >>$logs/skipped; }

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
            --target-dir ../../target/boards "$@" $deny) || return
    done
    if command -v size >/dev/null; then
        size "target/boards/$target/release/posy-$name"
    fi
}

boards() {
    if ! arm=$(step boards/arm-toolchain.sh); then
        skip "no board was built or emulated: see what boards/arm-toolchain.sh says above"
        return
    fi
    for target in thumbv6m-none-eabi thumbv7em-none-eabihf thumbv8m.main-none-eabihf; do
        # shellcheck disable=SC2086
        step cargo $arm clippy --release --locked -p posy-firmware --all-features \
            --target "$target" --target-dir target/boards -- -D warnings || return
    done
    board qemu-mps2 thumbv6m-none-eabi --features an385 || return
    board qemu-mps2 thumbv7em-none-eabihf --features an386,defmt || return
    board qemu-mps2 thumbv7em-none-eabihf --features an386 || return
    board qemu-mps2 thumbv7em-none-eabihf --features an500 || return
    board qemu-mps2 thumbv8m.main-none-eabihf --features an505 || return
    board rp-pico thumbv6m-none-eabi || return
    board rp-pico2 thumbv8m.main-none-eabihf || return
    board nucleo-h743zi thumbv7em-none-eabihf || return
    board nrf52840-dk thumbv7em-none-eabihf || return
    command -v qemu-system-arm >/dev/null ||
        skip "boards were built and not emulated: see what boards/arm-toolchain.sh says above"
}

# Debian's packages $1, or a failure.
debian() {
    # shellcheck disable=SC2086
    [ "$(id -u)" = 0 ] && step apt-get update -qq &&
        step apt-get install -y -qq --no-install-recommends $1 >&2
}

# Makes the virtual environment $1 with the other arguments, packages from PyPI.
environment() {
    folder=target/tools/$1
    shift
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$*" ]; then
        step python3 -m venv --clear "$folder" &&
            step "$folder/bin/pip" install --quiet --no-compile "$@" && echo "$*" >"$folder/installed"
    fi
}

# What tests hold posy to. A test whose tool is missing is left out, which is said.
tools() {
    # What builds and runs programs for 64-bit ARM laptops, for the tests of their kernels.
    step tests/aarch64-tools.sh >/dev/null ||
        skip "the kernels for aarch64 were not run: see what tests/aarch64-tools.sh says above"

    # Decodes the structured logs of boards in tests. The first line of its --version names that.
    decoder=1.2.0
    if [ "$(target/tools/bin/defmt-print --version 2>/dev/null | head -n 1)" != "defmt-print $decoder" ]; then
        step cargo install --quiet --locked --version "$decoder" defmt-print --root target/tools ||
            skip "boards' structured logs were not decoded: defmt-print could not be installed"
    fi

    # A real browser opens the report.
    if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
        debian "chromium fonts-dejavu-core" ||
            skip "the report was not opened in a browser: the package chromium could not be installed"
    fi

    # Makes videos, and cuts them up.
    if ! command -v ffmpeg >/dev/null; then
        debian ffmpeg || skip "no video was cut up: the package ffmpeg could not be installed"
    fi

    # The real TensorBoard reads event files back.
    environment tensorboard tensorboard==2.21.0 ||
        skip "event files were not read back: TensorBoard could not be installed from PyPI"

    # The real interpreters of files that posy writes for other tools. TensorFlow is 270 MB and takes
    # a minute or two to install.
    environment runtimes ai-edge-litert==2.3.0 onnxruntime==1.32.0 numpy==2.4.6 flatbuffers==25.12.19 ||
        skip "exported files were not run in LiteRT and ONNX Runtime: they could not be installed from PyPI"
    environment tensorflow tensorflow-cpu==2.21.0 ||
        skip "exported files were not run in TensorFlow: it could not be installed from PyPI"

    # ONNX Runtime computes what float networks should; PyTorch, Debian's package, exports some.
    environment onnx onnx==1.23.2 onnxruntime==1.32.0 ||
        skip "float networks were not held to ONNX Runtime: it could not be installed from PyPI"
    if ! { /usr/bin/python3 -c "import torch" || python3 -c "import torch"; } 2>/dev/null; then
        debian python3-torch ||
            skip "no network of PyTorch's exporter was read: the package python3-torch could not be installed"
    fi
}

# Runs $1 beside what follows; `finished` waits for it.
beside() { "$1" >"$logs/$1" 2>&1 & }

# Waits for $1, the process $2, and prints what it printed.
finished() {
    code=0
    wait "$2" || code=$?
    cat "$logs/$1" >&2
    return $code
}

step cargo fmt --all --check
for manifest in boards/*/Cargo.toml; do
    step cargo fmt --check --manifest-path "$manifest"
done
beside boards
boards=$!
# Warnings are errors, and one profile for everything, so that dependencies are built once.
step cargo clippy --release --workspace --all-targets --all-features --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --release --workspace --all-features --no-deps --locked
# Alone, so that no other crate's features hide a missing one.
step cargo check --release --locked -p posy-shared
step cargo check --release --locked -p posy-firmware
finished boards $boards

beside tools
tools=$!
step cargo test --release --workspace --locked --no-run
finished tools $tools

step cargo test --release --workspace --locked
# What runs on boards, the kernels left out, in an interpreter that finds undefined behaviour.
step tests/miri.sh || {
    [ $? -eq 3 ] || exit 1
    skip "nothing was run in Miri: see what tests/miri.sh says above"
}
while read -r what; do
    printf '\nSKIPPED: %s\n' "$what" >&2
done <$logs/skipped
