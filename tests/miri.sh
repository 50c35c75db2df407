#!/bin/sh
# Runs the tests of what a board and a laptop share in Miri, Rust's interpreter that finds undefined
# behaviour. It is part of nightly Rust: `rustup component add miri rust-src --toolchain nightly` gets it.
#
# Kernel variants in assembly cannot be interpreted. Tests that go through everything take a few cases
# under `cfg(miri)`, and tests of properties PROPTEST_CASES of them. A test that fails fails this; a
# machine without Miri does too, with exit code 3.
set -eu
cd "$(dirname "$0")/.."

say() { echo "miri: $*" >&2; exit 3; }

command -v rustup >/dev/null || say "no rustup, which gets nightly Rust and Miri: https://rustup.rs"
rustup toolchain list | grep -q '^nightly' ||
    say "no nightly Rust: rustup toolchain install nightly --component miri,rust-src"
has_miri() { cargo +nightly miri --version >/dev/null 2>&1; }
if ! has_miri; then
    # Without a limit a network that swallows packets would hold everything up.
    limit=""
    if command -v timeout >/dev/null; then limit="timeout 300"; fi
    $limit rustup component add miri rust-src --toolchain nightly >&2 || true
    has_miri || say "rustup component add miri rust-src --toolchain nightly did not work"
fi
cargo +nightly miri setup >/dev/null 2>&1 || say "the standard library does not build for Miri"

# Tests read the clock and their own folder. Those of acceptance run whole networks, and those of limits
# write layers of extreme extents, minutes each.
export PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation
miri() {
    tests=$1
    shift
    # Unquoted: the choice of tests is words.
    # shellcheck disable=SC2086
    cargo +nightly miri test --locked -p posy-shared --features alloc $tests -- "$@"
}
miri "--lib --test pipeline" --list >/dev/null

# Miri runs a program on one core: two programs side by side take the time of the longer.
log=target/miri/lib.log
miri --lib >$log 2>&1 &
lib=$!
failed=0
miri "--test pipeline" --skip acceptance --skip limits:: || failed=1
wait $lib || failed=1
cat $log
exit $failed
