#!/bin/sh
# Makes the ARM targets of the boards available, and prints what cargo must be told to use them:
# nothing where the usual toolchain has them, else `+arm`. So, from any folder:
#
#     cargo $(boards/arm-toolchain.sh) build --release --target thumbv6m-none-eabi
#
# 1. The usual toolchain has the targets: done.
# 2. The toolchain `arm`, made by an earlier run, has them: done.
# 3. `rustup target add` gets them.
# 4. Where that cannot be had: on Debian, its own Rust packages (compiler and library sources of one
#    version) build the core library for each target, and are linked into rustup as toolchain `arm`.
#
# With --check nothing is fetched or installed: it fails where the targets are not there.
# Packages are installed only as root; otherwise it says what is to be installed. Failing means that no
# board can be built; the message says why. Everything but the answer goes to standard error.
#
# POSY_ARM_TOOLCHAIN         name of the toolchain of step 4 (arm)
# POSY_ARM_TOOLCHAIN_FOLDER  where it is made (posy/<name>-toolchain in the user's data folder)
set -eu

case "$*" in
"") check=false ;;
--check) check=true ;;
*) echo "usage: $0 [--check]" >&2 && exit 2 ;;
esac

targets="thumbv6m-none-eabi thumbv7em-none-eabihf thumbv8m.main-none-eabihf"
name=${POSY_ARM_TOOLCHAIN:-arm}
folder=${POSY_ARM_TOOLCHAIN_FOLDER:-${XDG_DATA_HOME:-$HOME/.local/share}/posy/$name-toolchain}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "arm-toolchain: $*" >&2; }
fail() { say "$*"; exit 1; }

# An empty program. That it links shows compiler, core library and linker to fit one another.
mkdir "$work/empty"
cat >"$work/empty/main.rs" <<'RUST'
#![no_std]
#![no_main]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
RUST

# Whether `rustc $1` (nothing, or +toolchain) builds for every target.
builds() {
    for target in $targets; do
        # shellcheck disable=SC2086 # no argument at all where there is none
        rustc ${1:-} --target "$target" --edition 2024 -C panic=abort -o "$work/empty/program" \
            "$work/empty/main.rs" >"$work/rustc.log" 2>&1 || return 1
    done
}

# Installs those of the packages that are missing. Debian and its kin, as root.
install() {
    missing=""
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        say "install these packages and try again: apt-get install$missing"
        return 1
    fi
    say "installing$missing"
    # shellcheck disable=SC2086 # one argument for each package
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing; } >"$work/apt.log" 2>&1 ||
        { tail -n 5 "$work/apt.log" >&2; return 1; }
}

# The emulator is wanted by tests alone: without it boards still build.
emulator() {
    command -v qemu-system-arm >/dev/null && return
    if ! $check && command -v apt-get >/dev/null && install qemu-system-arm; then return; fi
    say "qemu-system-arm is missing: boards are built and not emulated"
}

done_with() {
    emulator
    if [ -n "$1" ]; then echo "$1"; fi
    exit 0
}

command -v rustc >/dev/null || fail "no rustc: install Rust from https://rustup.rs"
if builds; then done_with ""; fi
command -v rustup >/dev/null || fail "this Rust lacks the targets $targets and there is no rustup \
to get them: install them as your Rust was installed, or Rust from https://rustup.rs"
if rustup toolchain list | grep -q "^$name\( \|\$\)" && builds "+$name"; then done_with "+$name"; fi
if $check; then fail "the targets are missing; to get them, run boards/arm-toolchain.sh"; fi

# Without a limit a network that swallows packets would hold everything up.
limit=""
if command -v timeout >/dev/null; then limit="timeout 300"; fi
# shellcheck disable=SC2086 # one argument for each target
if $limit rustup target add $targets >"$work/rustup.log" 2>&1 && builds; then done_with ""; fi
say "rustup target add did not work: $(grep -h -m 1 error "$work/rustup.log" || true)"

command -v apt-get >/dev/null ||
    fail "get the targets with: rustup target add $targets"
say "making the toolchain $name of Debian's packages in $folder; takes a minute or two, once"
missing_packages="without these packages there are no ARM targets"
install rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web || fail "$missing_packages"
debian_rustc=/usr/bin/rustc
# The linker of the compiler's own LLVM.
llvm=$($debian_rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
install "lld-$llvm" || fail "$missing_packages"

host=$($debian_rustc -vV | sed -n 's/^host: //p')
library=/usr/lib/rustlib
mkdir -p "$folder/bin" "$folder/lib/rustlib/$host/bin"
for program in rustc cargo rustdoc cargo-clippy clippy-driver cargo-fmt rustfmt; do
    if [ -x "/usr/bin/$program" ]; then ln -sfn "/usr/bin/$program" "$folder/bin/$program"; fi
done
# rustc takes the folder above its driver library, links resolved, for its home: so that one is a
# file of its own here, and the rest can be links.
rm -f "$folder"/lib/librustc_driver-*.so
for driver in /usr/lib/*/librustc_driver-*.so; do
    [ -e "$driver" ] || fail "rustc-web has no driver library in /usr/lib"
    ln "$driver" "$folder/lib/" 2>/dev/null || cp "$driver" "$folder/lib/"
done
ln -sfn "$library/$host/lib" "$folder/lib/rustlib/$host/lib"
ln -sfn "$library/src" "$folder/lib/rustlib/src"
ln -sfn "/usr/lib/llvm-$llvm/bin/lld" "$folder/lib/rustlib/$host/bin/rust-lld"

mkdir -p "$work/sysroot/src"
echo '#![no_std]' >"$work/sysroot/src/lib.rs"
cat >"$work/sysroot/Cargo.toml" <<'TOML'
[package]
name = "sysroot"
version = "0.0.0"
edition = "2024"

[profile.release]
panic = "abort"
TOML
for target in $targets; do
    # Bitcode, without which a program with link-time optimisation does not link.
    (cd "$work/sysroot" && unset RUSTUP_TOOLCHAIN CARGO_TARGET_DIR RUSTC_WRAPPER &&
        RUSTC=$debian_rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
            /usr/bin/cargo build -q --release -Zbuild-std=core,alloc --target "$target") \
        >"$work/core.log" 2>&1 ||
        { tail -n 20 "$work/core.log" >&2; fail "the core library does not build for $target"; }
    rm -rf "$folder/lib/rustlib/$target"
    mkdir -p "$folder/lib/rustlib/$target/lib"
    for crate in core alloc compiler_builtins; do
        cp "$work/sysroot/target/$target/release/deps/lib$crate"-*.rlib \
            "$folder/lib/rustlib/$target/lib/"
    done
done
rustup toolchain link "$name" "$folder"
builds "+$name" || { cat "$work/rustc.log" >&2; fail "the toolchain $name does not build"; }
done_with "+$name"
