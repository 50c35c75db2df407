#!/bin/sh
# Makes what builds and runs programs for 64-bit ARM laptops on another Linux machine available: Rust's
# target, a linker, an emulator. Prints what cargo must be told to use the target: nothing where the
# usual toolchain has it, else `+arm`.
#
# 1. On Debian and its kin, as root, packages that are missing are installed: qemu-user,
#    gcc-aarch64-linux-gnu and the C library for it.
# 2. `rustup target add` gets the target.
# 3. Where that cannot be had: Debian's own build of Rust's library for arm64, in the toolchain of
#    Debian's Rust packages that boards/arm-toolchain.sh makes.
#
# With --check nothing is fetched or installed: it fails where something is not there. Failing means that
# nothing for aarch64 can be tested; the message says why. Everything but the answer goes to standard
# error.
set -eu

case "$*" in
"") check=false ;;
--check) check=true ;;
*) echo "usage: $0 [--check]" >&2 && exit 2 ;;
esac

target=aarch64-unknown-linux-gnu
arm=${POSY_ARM_TOOLCHAIN:-arm}
boards=$(cd "$(dirname "$0")/../boards" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "aarch64-tools: $*" >&2; }
fail() { say "$*"; exit 1; }

echo 'fn main() { print!("{}", std::env::consts::ARCH) }' >"$work/main.rs"

# Whether `rustc $1` (nothing, or +toolchain) builds a program that the emulator runs.
works() {
    # shellcheck disable=SC2086 # no argument at all where there is none
    rustc ${1:-} --target "$target" --edition 2024 -C linker=aarch64-linux-gnu-gcc \
        -o "$work/program" "$work/main.rs" >"$work/rustc.log" 2>&1 &&
        [ "$(qemu-aarch64 -L /usr/aarch64-linux-gnu "$work/program" 2>&1)" = aarch64 ]
}

done_with() {
    if [ -n "$1" ]; then echo "$1"; fi
    exit 0
}

# Installs packages. Debian and its kin, as root.
install() {
    command -v apt-get >/dev/null || fail "there is no apt-get to install $*"
    [ "$(id -u)" = 0 ] || fail "install these packages and try again: apt-get install $*"
    say "installing $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"; } >"$work/apt.log" 2>&1 ||
        { tail -n 5 "$work/apt.log" >&2; fail "the packages $* could not be installed"; }
}

command -v rustc >/dev/null || fail "no rustc: install Rust from https://rustup.rs"
if works; then done_with ""; fi
if works "+$arm"; then done_with "+$arm"; fi
if $check; then fail "something is missing; to get it, run tests/aarch64-tools.sh"; fi

[ "$(uname -s)" = Linux ] || fail "programs for aarch64 Linux are emulated on Linux alone"
if ! { command -v qemu-aarch64 && command -v aarch64-linux-gnu-gcc &&
    [ -e /usr/aarch64-linux-gnu/lib/crt1.o ]; } >/dev/null; then
    install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
fi
if works; then done_with ""; fi

# Without a limit a network that swallows packets would hold everything up.
limit=""
if command -v timeout >/dev/null; then limit="timeout 300"; fi
if $limit rustup target add "$target" >"$work/rustup.log" 2>&1 && works; then done_with ""; fi
say "rustup target add did not work: $(grep -h -m 1 error "$work/rustup.log" || true)"

# Both of one version: the library fits the compiler that built it.
has_arm() { rustup toolchain list | grep -q "^$arm\( \|\$\)"; }
has_arm || "$boards/arm-toolchain.sh" >/dev/null || true
has_arm || fail "there is no toolchain $arm of Debian's packages to add the target to"
dpkg --add-architecture arm64
install libstd-rust-web-dev:arm64
ln -sfn "/usr/lib/rustlib/$target" "$(rustc "+$arm" --print sysroot)/lib/rustlib/$target"
works "+$arm" || { cat "$work/rustc.log" >&2; fail "the toolchain $arm does not build for $target"; }
done_with "+$arm"
