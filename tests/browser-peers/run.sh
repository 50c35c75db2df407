#!/bin/sh
# Times posy, onnxruntime-web and TensorFlow.js' wasm backend in headless Chromium, one thread, on the same
# networks in one run. Continuous integration does not run it.
#
#   tests/browser-peers/run.sh [--rounds N]
#
# Needs Node.js, npm, Chromium, and the networks and photos of POSY_DATA.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export POSY_DATA="${POSY_DATA:-$root/../shared}"
models=$POSY_DATA/models
work=$root/target/browser-peers
mkdir -p "$work/networks"

npm install --prefix "$work" --no-audit --no-fund --silent \
    onnxruntime-web@1.30.0 @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 >&2
cargo build --release --locked --manifest-path "$root/Cargo.toml" >&2
posy=$root/target/release/posy

# The networks' own 1,001 classes need names to be called by.
seq 1001 >"$work/labels.txt"
network() {
    for file in "$1.posy" "$1.onnx"; do
        "$posy" convert "$2" "$work/networks/$file" -l "$work/labels.txt"
    done
    "$posy" convert --int8 "$2" "$work/networks/$1.int8.onnx" -l "$work/labels.txt"
}
network v1_0.25_128 "$models/mobilenet_v1_0.25_128_quant.tflite"
network v1_0.50_224 "$models/mobilenet_v1_0.5_224_quant.tflite"
network v2_0.5_224 "$models/mobilenet_v2_0.5_224_quant.tflite"
# There is 1.0_224 without classes alone: it gets those of the photos.
"$posy" retrain --architecture mobilenet_1.0_224 --no-float --no-report --force \
    -o "$work/networks/v1_1.0_224.posy"
"$posy" retrain --architecture mobilenet_1.0_224 --no-float --no-report --force \
    -o "$work/networks/v1_1.0_224.tflite"
tflite=$work/networks/v1_1.0_224.tflite
"$posy" convert "$tflite" "$work/networks/v1_1.0_224.onnx"
"$posy" convert --int8 "$tflite" "$work/networks/v1_1.0_224.int8.onnx"

node "$here/run.mjs" "$work" "$@"
