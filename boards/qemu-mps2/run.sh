#!/bin/sh
# Builds the program for MACHINE, with FEATURES if there are any, and runs MODEL on FRAMES in QEMU;
# see README.md.
set -eu
[ $# = 3 ] || { echo "usage: $0 an385|an386|an500|an505 MODEL FRAMES" >&2; exit 2; }
machine=$1 model=$(realpath "$2") frames=$(realpath "$3")
case $machine in
an385) target=thumbv6m-none-eabi ;;
an386 | an500) target=thumbv7em-none-eabihf ;;
an505) target=thumbv8m.main-none-eabihf ;;
*) echo "no machine $machine: there are an385, an386, an500 and an505" >&2; exit 2 ;;
esac
cd "$(dirname "$0")"
toolchain=$(../arm-toolchain.sh)
# No argument at all where the usual toolchain will do.
# shellcheck disable=SC2086
cargo $toolchain build --release --locked --quiet --target $target --target-dir ../../target/boards \
    --features "$machine,${FEATURES:-}"
exec qemu-system-arm -machine "mps2-$machine" -nographic -monitor none -serial none \
    -semihosting-config "enable=on,target=native,arg=posy,arg=$model,arg=$frames" \
    -kernel "../../target/boards/$target/release/posy-qemu-mps2"
