#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang for wasm32, without a C library.
set -euo pipefail
clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -nostdlib -I../../sdk/c \
    -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=8192 \
    -o slugify.wasm slugify.c
