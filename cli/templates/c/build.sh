#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang and LLVM's linker, for wasm32. No C library is needed; with one (wasi-libc): --target=wasm32-wasi instead, -lc at
# the end, and -Wl,--export=__wasm_call_ctors, without which each call pays for constructors.
set -eu
cd "$(dirname "$0")"
fail() {
    echo "$*" >&2
    exit 1
}

clang=${CLANG:-clang}
command -v "$clang" >/dev/null || fail "no C compiler for wasm32: install clang and lld (Debian: apt-get install clang lld), or set CLANG"
"$clang" --target=wasm32 -std=c11 -O2 -Wall -Wextra -nostdlib \
    -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384 -o @name@.wasm @name@.c
