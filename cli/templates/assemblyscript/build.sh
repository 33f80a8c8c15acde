#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The AssemblyScript compiler of package-lock.json, by npm, in node_modules; or the one that ASC names.
set -eu
cd "$(dirname "$0")"
fail() {
    echo "$*" >&2
    exit 1
}

asc=${ASC:-node_modules/.bin/asc}
if [ ! -x "$asc" ]; then
    command -v npm >/dev/null || fail "no AssemblyScript compiler: install node and npm (Debian: apt-get install nodejs npm), or set ASC"
    npm ci --no-audit --no-fund || fail "npm could not install the AssemblyScript compiler: see above, or set ASC to an asc of your own"
fi
# --runtime incremental collects the strings that a function makes; one that makes none is smaller with `stub`.
"$asc" assembly/index.ts -O3 --noAssert --runtime incremental --use abort=assembly/quidditch/abort -o @name@.wasm
