#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# wat2wasm is WABT's. The server assembles text itself as well: `qctl udf deploy custom_score.wat --manifest manifest.json`.
set -euo pipefail
wat2wasm custom_score.wat -o custom-score.wasm
