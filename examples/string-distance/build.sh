#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Any rustc with the target wasm32-unknown-unknown does (scripts/setup-rust-wasm32 finds or unpacks one); the linker is LLVM's.
set -euo pipefail
rustc=${WASM32_RUSTC:-$(../../scripts/setup-rust-wasm32)}
"$rustc" --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib --crate-name string_distance -C linker=wasm-ld \
    -C opt-level=3 -C panic=abort -C lto=fat -C strip=symbols -C link-arg=-zstack-size=16384 \
    -o string-distance.wasm string_distance.rs
