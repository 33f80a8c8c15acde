#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The standard Go compiler, 1.24 or newer, as a WASI reactor. scripts/setup fetches one where it can; without one this example
# is left out (status 77).
set -euo pipefail
go=$(../../scripts/setup-go --print) || exit 77
GOOS=wasip1 GOARCH=wasm "$go" build -trimpath -buildvcs=false -buildmode=c-shared -ldflags='-s -w' -o regexp-filter.wasm .
