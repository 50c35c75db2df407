#!/usr/bin/env bash
# posy against TensorFlow, LiteRT and ONNX Runtime. Not part of continuous integration.
#
#   tests/peers/run.sh [--rounds N] [--only forward,features,retrain] [--retrain-py FILE] ...
#
# The peers are installed from PyPI into target/peers (or the folder PEERS). Photos and networks are
# where POSY_DATA says (default ../shared). Options go to compare.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${PEERS:-target/peers}
data=$(realpath "${POSY_DATA:-../shared}")
mkdir -p "$folder"
if [ ! -e "$folder/installed" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet tensorflow-cpu ai-edge-litert onnxruntime onnx tf2onnx \
        pillow opencv-python-headless simplejpeg
    touch "$folder/installed"
fi
cargo build --release --locked -p posy -p posy-tests --bin posy --bin xtask
"$folder/venv/bin/python" tests/peers/networks.py "$folder/networks" "$data" \
    >"$folder/networks.log" 2>&1 || { tail -20 "$folder/networks.log" >&2; exit 1; }
exec "$folder/venv/bin/python" tests/peers/compare.py --data "$data" \
    --networks "$folder/networks" --xtask "$(realpath target/release/xtask)" \
    --posy "$(realpath target/release/posy)" "$@"
