#!/bin/sh
# Builds the engine for browsers into host/assets, for the page that `posy page` writes.
#
#   host/web/build.sh            host/assets/posy-simd128.wasm, posy-plain.wasm and posy.wasm.txt
#   host/web/build.sh FOLDER     the same into FOLDER
#   host/web/build.sh --check F  with the exports of tests, into F
#
# Needs rustup, which serves the target. The bytes depend on the sources, the compiler and the lock file,
# and on no folder. posy.wasm.txt says which compiler and which lock file (SHA-256) made them.
set -eu

features="" kind=engine
if [ "${1:-}" = --check ]; then
    features="--features check" kind=check
    shift
fi
web=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$web/../.." && pwd)
out=${1:-$root/host/assets}
target=wasm32-unknown-unknown
home=${CARGO_HOME:-$HOME/.cargo}

# rustup names what is there; a toolchain of another origin may have the target too.
if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx "$target"; then
    rustup target add "$target" >&2
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)

# One variant: with these features of the target, by this profile.
build() {
    name=$1 target_features=$2 profile=$3
    # shellcheck disable=SC2086 # no word where there are no features
    (cd "$web" && RUSTC_WRAPPER="$web/rustc.sh" RUSTFLAGS="-C target-feature=$target_features --remap-path-prefix=$root=/posy --remap-path-prefix=$home=/cargo" \
        cargo build --quiet --profile "$profile" --locked --target "$target" \
        --target-dir "$root/target/web/$kind-$name" $features >&2)
    cp "$root/target/web/$kind-$name/$target/$profile/posy_web.wasm" "$out/posy-$name.wasm"
}

build simd128 +simd128 release
# For browsers without vectors: the plain reference, small rather than fast.
build plain -simd128 plain

if [ -z "$features" ]; then
    cat >"$out/posy.wasm.txt" <<END
rustc: $(cd "$web" && rustc --version)
lock: $(sha256sum "$web/Cargo.lock" | cut -d' ' -f1)
END
fi
