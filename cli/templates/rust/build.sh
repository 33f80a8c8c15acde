#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Any rustc from 1.63 on that has the target wasm32-unknown-unknown, and LLVM's linker (rustup's own, else wasm-ld).
set -eu
cd "$(dirname "$0")"
target=wasm32-unknown-unknown
fail() {
    echo "$*" >&2
    exit 1
}

has_target() {
    sysroot=$("$1" --print sysroot 2>/dev/null) && ls "$sysroot/lib/rustlib/$target/lib"/libcore-*.rlib >/dev/null 2>&1
}

rustc=
for candidate in ${WASM32_RUSTC:-} rustc "${XDG_CACHE_HOME:-$HOME/.cache}/quidditch/rust-wasm32/rustc"; do
    if has_target "$candidate"; then
        rustc=$candidate
        break
    fi
done
[ -n "$rustc" ] || fail "no rustc with the target $target: rustup target add $target, or Debian's rustc with" \
    "libstd-rust-dev-wasm32; or set WASM32_RUSTC"
linker=
if command -v wasm-ld >/dev/null; then linker="-C linker=wasm-ld"; fi

mkdir -p .build
"$rustc" --edition 2021 --target $target --crate-type rlib --crate-name quidditch_udf \
    -C opt-level=3 -C panic=abort -C embed-bitcode=yes --out-dir .build quidditch-udf/src/lib.rs
# shellcheck disable=SC2086 # two words or none
"$rustc" --edition 2021 --target $target --crate-type cdylib --crate-name @name@ $linker \
    --extern quidditch_udf=.build/libquidditch_udf.rlib \
    -C opt-level=3 -C panic=abort -C lto=fat -C strip=symbols -C link-arg=-zstack-size=16384 \
    -o @name@.wasm src/lib.rs
