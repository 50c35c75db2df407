#!/bin/sh
# Checks and tests, as continuous integration runs them.
#
#   tests/run.sh         every check and every test; of the slow matrices a seeded draw
#   tests/run.sh --all   the same with every matrix whole
#   tests/run.sh quick   while working: format, lints, unit tests and the command line; no boards, no
#                        other tools, nothing is installed
#
# Needs a Rust toolchain with rustfmt and clippy, and a C compiler. Real photos and networks are found by
# POSY_DATA (default: ../shared beside this project). The ARM targets, emulators and the tools that posy
# is held to are fetched where they are missing. What is left out, because something is missing, is said
# loudly where it happens, and counted at the end.
#
# POSY_TESTS_SEED   the draw: the same number draws the same cases (default: the commit's)
set -eu
cd "$(dirname "$0")/.."

case "$*" in
"") extent=default ;;
--all) extent=all ;;
quick) extent=quick ;;
*) echo "usage: $0 [quick|--all]" >&2 && exit 2 ;;
esac
if [ $extent = all ]; then export POSY_TESTS_ALL=1; fi
if [ -z "${POSY_TESTS_SEED:-}" ]; then
    commit=$(git rev-parse --short=7 HEAD 2>/dev/null || echo 0)
    POSY_TESTS_SEED=$(printf '%d' "0x$commit")
fi
export POSY_TESTS_SEED

# Runs the command it is given, and says when: in seconds from the start.
began=$(date +%s)
seconds() { echo $(($(date +%s) - began)); }
step() { printf '\n== %s s: %s\n' "$(seconds)" "$*" >&2; "$@"; }

# What is left out, a line each: parts of this run side by side, and all of it is said at the end.
logs=target/run
mkdir -p $logs
rm -f $logs/*
: >$logs/skipped
skip() { echo "$*" >>$logs/skipped; }

# Runs $1 beside what follows; `finished` waits for it.
beside() { "$1" >"$logs/$1" 2>&1 & }

# Waits for $1, the process $2, and prints what it printed.
finished() {
    code=0
    wait "$2" || code=$?
    cat "$logs/$1" >&2
    return $code
}

# Runs a command of cargo's that runs tests, keeps all that they say in the log $1, and prints one line a
# test; everything where one fails.
tests() {
    log=$logs/$1
    shift
    printf '\n== %s s: %s\n' "$(seconds)" "$*" >&2
    # Tests that pass say what they left out, which the harness would keep to itself.
    if "$@" -- --show-output >"$log" 2>&1; then
        grep -E '^ +Running|^test |^running|^SKIPPED' "$log"
    else
        cat "$log"
        return 1
    fi
}

lints() {
    step cargo fmt --all --check
    for manifest in boards/*/Cargo.toml host/web/Cargo.toml; do
        cargo fmt --check --manifest-path "$manifest"
    done
    # It is built by tests/fuzz.sh alone, which wants its lock file as it should be.
    cargo tree --locked --manifest-path tests/fuzz/Cargo.toml >/dev/null
    # Warnings are errors, and one profile for everything, so that dependencies are built once.
    step cargo clippy --release --workspace --all-targets --all-features --locked -- -D warnings
}

summary() {
    grep -h '^SKIPPED' $logs/*.tests | sed 's/^SKIPPED: //' >>$logs/skipped || true
    sort -u $logs/skipped | while read -r what; do
        printf 'SKIPPED: %s\n' "$what" >&2
    done
    printf '\n%s s; %s left out; seed %s\n' \
        "$(seconds)" "$(sort -u $logs/skipped | wc -l)" "$POSY_TESTS_SEED" >&2
}

if [ $extent = quick ]; then
    lints
    tests units.tests cargo test --release --locked -p posy-shared -p posy-firmware -p posy-nn -p posy --lib --tests
    tests system.tests cargo test --release --locked -p posy-tests --test system cli::
    summary
    exit
fi

# Builds the board crate $1 for the target $2 with further options, and prints what it takes of flash (text,
# data) and RAM (data, bss). Lints it first, or by default one board in three, drawn: what boards share is linted
# with the firmware, and lints of the chips' own crates are most of the time.
turn=$((POSY_TESTS_SEED % 3))
board() {
    name=$1 target=$2
    shift 2
    turn=$(((turn + 1) % 3))
    # What posy carries is built as the task board-images does: see boards/rustc.sh.
    folder=target/programs wrapper=$PWD/boards/rustc.sh
    if [ "$name" = qemu-mps2 ]; then folder=target/boards wrapper=""; fi
    jobs="build"
    if [ $extent = all ] || [ $turn = 0 ]; then jobs="clippy build"; fi
    for job in $jobs; do
        deny=""
        if [ $job = clippy ]; then deny="-- -D warnings"; fi
        # From its folder, where its settings lie. No toolchain is named where the usual one will do.
        # shellcheck disable=SC2086
        (cd "boards/$name" && RUSTC_WRAPPER=$wrapper step cargo $arm $job --release --locked --target "$target" \
            --target-dir "../../$folder" "$@" $deny) || return
    done
    if command -v size >/dev/null; then
        size "$folder/$target/release/posy-$name"
    fi
}

# Waits for the ARM toolchain that `packages` gets, then checks and builds every board.
boards() {
    until [ -e $logs/arm ]; do
        kill -0 "$packages" || return
        sleep 1
    done
    arm=$(cat $logs/arm)
    if [ "$arm" = none ]; then return; fi
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
    # What posy carries is built last, and stays.
    board rp-pico thumbv6m-none-eabi --features bare-camera || return
    board rp-pico thumbv6m-none-eabi || return
    board rp-pico2 thumbv8m.main-none-eabihf --features bare-camera || return
    board rp-pico2 thumbv8m.main-none-eabihf || return
    for name in nucleo-h743zi nrf52840-dk weact-h743vi nano-33-ble xiao-nrf52840 feather-nrf52840; do
        board $name thumbv7em-none-eabihf || return
    done
    command -v qemu-system-arm >/dev/null ||
        skip "boards were built and not emulated: see what boards/arm-toolchain.sh says above"
}

# Debian's packages $1, or a failure.
debian() {
    # shellcheck disable=SC2086
    [ "$(id -u)" = 0 ] && step apt-get update -qq &&
        step apt-get install -y -qq --no-install-recommends $1 >&2
}

# Toolchains and Debian's packages, one after another, since apt runs alone. A test whose tool is missing
# is left out, which is said.
packages() {
    if step boards/arm-toolchain.sh >$logs/arm.new; then
        mv $logs/arm.new $logs/arm
    else
        skip "no board was built or emulated: see what boards/arm-toolchain.sh says above"
        echo none >$logs/arm
    fi
    # What builds and runs programs for 64-bit ARM laptops, for the tests of their kernels.
    step tests/aarch64-tools.sh >/dev/null ||
        skip "the kernels for aarch64 were not run: see what tests/aarch64-tools.sh says above"

    # A real browser opens the report; ffmpeg makes videos and cuts them up.
    wanted=""
    if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
        wanted="chromium fonts-dejavu-core"
    fi
    if ! command -v ffmpeg >/dev/null; then wanted="$wanted ffmpeg"; fi
    if [ $extent = all ] && ! { /usr/bin/python3 -c "import torch" || python3 -c "import torch"; } 2>/dev/null; then
        wanted="$wanted python3-torch"
    fi
    if [ -n "$wanted" ]; then
        debian "$wanted" || skip "tests that need them were left out: could not install $wanted"
    fi
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

# Installs the program $1 at version $2 from crates.io, with further options of the installation.
program() {
    name=$1 version=$2
    shift 2
    # The first line of its --version ends with that.
    case $("target/tools/bin/$name" --version 2>/dev/null | head -n 1) in
    *" $version" | *" v$version") ;;
    *) step cargo install --quiet --locked --version "$version" "$name" --root target/tools "$@" ;;
    esac
}

# The programs that posy's files are held to, from PyPI.
environments() {
    # The interpreters of files that posy writes for other tools.
    environment runtimes ai-edge-litert==2.3.0 onnxruntime==1.32.0 numpy==2.4.6 flatbuffers==25.12.19 ||
        skip "exported files were not run in LiteRT and ONNX Runtime: they could not be installed from PyPI"
    # ONNX Runtime computes what float networks should.
    environment onnx onnx==1.23.2 onnxruntime==1.32.0 ||
        skip "float networks were not held to ONNX Runtime: it could not be installed from PyPI"
    # The real TensorBoard reads event files back.
    environment tensorboard tensorboard==2.21.0 ||
        skip "event files were not read back: TensorBoard could not be installed from PyPI"
    # axe-core looks for what keeps people from using a page.
    axe=4.14.1
    if ! grep -qs "\"version\": \"$axe\"" target/tools/axe/node_modules/axe-core/package.json; then
        command -v npm >/dev/null &&
            step npm install --silent --no-audit --no-fund --prefix target/tools/axe "axe-core@$axe" >&2 ||
            skip "pages were not looked at by axe-core: it could not be installed from npm"
    fi
    # TensorFlow is 270 MB and takes a minute or two to install; each of the programs compiles a hundred crates or more.
    if [ $extent = all ]; then
        environment tensorflow tensorflow-cpu==2.21.0 ||
            skip "exported files were not run in TensorFlow: it could not be installed from PyPI"
        program defmt-print 1.2.0 ||
            skip "boards' structured logs were not decoded: defmt-print could not be installed"
        program cargo-deny 0.20.2 ||
            skip "dependencies were not checked by cargo-deny: it could not be installed"
        program mdbook 0.5.4 --no-default-features --features search ||
            skip "the book was not built: mdbook could not be installed"
    fi
}

# Checks the engine for browsers, for its own target.
browser_engine() {
    target=wasm32-unknown-unknown
    if ! { command -v rustup && rustup target add $target; } >/dev/null 2>&1; then
        skip "the engine for browsers was not checked: rustup has no target $target"
        return
    fi
    RUSTFLAGS="-C target-feature=+simd128" step cargo clippy --release --locked --all-features \
        --manifest-path host/web/Cargo.toml --target $target --target-dir target/web/clippy -- -D warnings
}

# What runs on boards, the kernels left out, in an interpreter that finds undefined behaviour.
miri() {
    step tests/miri.sh || {
        [ $? -eq 3 ] || return 1
        skip "nothing was run in Miri: see what tests/miri.sh says above"
    }
}

# Packages come over the network while compilers keep the processor busy.
beside packages
packages=$!
beside environments
environments=$!
lints
RUSTDOCFLAGS="-D warnings" step cargo doc --release --workspace --all-features --no-deps --locked
# Alone, so that no other crate's features hide a missing one.
step cargo check --release --locked -p posy-shared
step cargo check --release --locked -p posy-firmware
browser_engine
beside boards
boards=$!
step cargo test --release --workspace --locked --no-run
finished packages $packages
finished environments $environments
finished boards $boards
beside miri
miri=$!
failed=0
tests all.tests cargo test --release --workspace --locked --no-fail-fast || failed=1
finished miri $miri || failed=1
summary
exit $failed
