#!/bin/sh
# rustc as the boards' programs are compiled by, so that their bytes depend on no folder: paths are written as
# /posy and /cargo. To be named in RUSTC_WRAPPER, with a target folder that no other rustc has written to.
root=$(cd "$(dirname "$0")/.." && pwd)
home=${CARGO_HOME:-$HOME/.cargo}
exec "$root/host/web/rustc.sh" "$@" "--remap-path-prefix=$root=/posy" "--remap-path-prefix=$home=/cargo"
