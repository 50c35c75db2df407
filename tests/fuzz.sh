#!/bin/sh
# Fuzzes every reader of bytes from outside with libFuzzer and the address sanitiser.
#
#   tests/fuzz.sh [SECONDS [TARGET...]]     an hour each of all targets, where nothing is named
#
# Targets: posy, tflite, onnx, guard, graph_def, photo, serial, files. Corpora grow in target/fuzz; what crashes
# lies there too, and becomes a test. Needs a C++ compiler and nightly Rust, or a stable one that is taken for it.
# The flags are cargo-fuzz's, whose layout tests/fuzz has, so `cargo fuzz` works there too.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-3600}
if [ $# -gt 0 ]; then shift; fi
if [ $# -eq 0 ]; then set -- posy tflite onnx guard graph_def photo serial files; fi

# Instrumentation is not for stable programs; the compiler has it all the same.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
work=$PWD/target/fuzz
# With a target named, build scripts and macros are built without the flags.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --locked --manifest-path tests/fuzz/Cargo.toml --target "$host" --target-dir "$work/build"
program=$work/build/$host/release/readers

mkdir -p "$work/crashes"
failed=0
for target in "$@"; do
    echo "== $target, $seconds s" >&2
    corpus=$work/corpus/$target
    mkdir -p "$corpus"
    POSY_FUZZ=$target POSY_FUZZ_SEEDS=$corpus "$program" "$corpus" -max_total_time="$seconds" -timeout=20 \
        -rss_limit_mb=4096 -malloc_limit_mb=2048 -max_len=16384 -artifact_prefix="$work/crashes/$target-" \
        -print_final_stats=1 || failed=1
done
exit $failed
