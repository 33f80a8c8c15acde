#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh [DIR]: builds the benchmark's functions into DIR (default: here).
set -euo pipefail
out=$(readlink -f "${1:-$(dirname "$0")}")
cd "$(dirname "$0")"
mkdir -p "$out"
# Exporting __wasm_call_ctors: see examples/popularity/build.sh.
wasm() {
    local name=$1
    shift
    clang --target=wasm32-wasi -std=c11 -O2 -nostdlib -I../../sdk/c -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=8192 \
        -Wl,--export=__wasm_call_ctors \
        "${@/#/-Wl,--export=}" -o "$out/$name.wasm" "$name.c" -lc
}
wasm scorer score score_alone score_plain filter
wasm row score
wasm large score
wasm soak score
