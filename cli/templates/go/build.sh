#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The standard Go compiler from 1.24 on, which knows //go:wasmexport; or the one that GO names.
set -eu
cd "$(dirname "$0")"
fail() {
    echo "$*" >&2
    exit 1
}

go=${GO:-go}
command -v "$go" >/dev/null || fail "no Go compiler: install Go 1.24 or newer (https://go.dev/dl, Debian: golang-go), or set GO"
version=$("$go" env GOVERSION)
minor=$(echo "$version" | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ "${minor:-0}" -ge 24 ] || fail "$version does not know //go:wasmexport: install Go 1.24 or newer, or set GO"
GOOS=wasip1 GOARCH=wasm "$go" build -trimpath -buildvcs=false -buildmode=c-shared -ldflags='-s -w' -o @name@.wasm .
