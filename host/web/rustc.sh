#!/bin/sh
# rustc as build.sh wants it called: cargo's hash of a crate outside its workspace has the crate's folder in it,
# and the order of functions in the program follows from the hash. posy's own crates get one of their name.
rustc=$1
shift
case " $* " in
*" --crate-name posy_"*)
    for argument; do
        shift
        case $argument in metadata=*) argument=metadata=posy ;; esac
        set -- "$@" "$argument"
    done
    ;;
esac
exec "$rustc" "$@"
