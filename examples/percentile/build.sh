#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang for wasm32, with wasi-libc for its mathematics only: what is used of it needs no system interface.
set -euo pipefail
# Exporting __wasm_call_ctors keeps the linker from wrapping each export in calls of constructors and destructors.
clang --target=wasm32-wasi -std=c11 -O2 -Wall -Wextra -nostdlib -I../../sdk/c \
    -Wl,--no-entry -Wl,--export=__wasm_call_ctors -Wl,--strip-all -Wl,-z,stack-size=8192 \
    -o percentile.wasm percentile.c -lc
