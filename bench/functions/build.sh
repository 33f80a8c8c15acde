#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh [DIR]: builds the benchmark's functions into DIR (default: here).
set -euo pipefail
out=$(readlink -f "${1:-$(dirname "$0")}")
cd "$(dirname "$0")"
mkdir -p "$out"
# Exporting __wasm_call_ctors: see examples/popularity/build.sh.
wasm() {
    local name=$1 source=$2
    shift 2
    clang --target=wasm32-wasi -std=c11 -O2 -nostdlib ${flags:-} -I../../sdk/c -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=8192 \
        -Wl,--export=__wasm_call_ctors \
        "${@/#/-Wl,--export=}" -o "$out/$name.wasm" "$source.c" -lc
}
wasm scorer scorer score score_alone score_plain score_fields filter
flags=-DHAS_LOOP wasm scorer_checked scorer score_plain
wasm row row score two_reads
wasm handle handle score
flags="-O3 -msimd128" wasm batch batch score
wasm large large score
wasm soak soak score
