/* SPDX-License-Identifier: Apache-2.0
 *
 * The form of code made ahead of time, for this room only:
 *
 *     0  "QDAOT\0\0\1"
 *     8  1: with epoch checks, 2: without (qd_backend_kind)
 *     9  1: joined with its driver (join.h), else 0; 6 bytes of 0
 *    16  SHA-256 of the module, or of what was joined (qd_join.hash): 64 hexadecimal digits
 *    80  the target, "x86_64" or "aarch64", filled up with 0 to 16 bytes
 *    96  the engine's version, filled up with 0 to 32 bytes
 *   128  code as the engine takes it */
#ifndef QD_WASM_PRECOMPILE_IMPL_H
#define QD_WASM_PRECOMPILE_IMPL_H

#include "wasm/backend.h"
#include "wasm/precompile.h"

typedef struct qd_precompiled {
    qd_backend_kind kind;
    bool is_joined;
    char hash[QD_SHA256_HEX_SIZE];
    char target[17], engine[33];
    qd_str code; /* view */
} qd_precompiled;

/* Errors: QD_EUDF_COMPILE. */
qd_status qd_precompiled_parse(const uint8_t *bytes, size_t n, qd_precompiled *out, qd_error *err);
/* Is it for this module, machine and engine, and with the checks that the module needs? Errors: QD_EUDF_COMPILE. */
qd_status qd_precompiled_check(const qd_precompiled *p, const qd_wasm_module *m, qd_error *err);

#endif
