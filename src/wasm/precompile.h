/* SPDX-License-Identifier: Apache-2.0
 *
 * Native code made ahead of time, perhaps on and for another machine. Nothing can check machine code: whoever loads it
 * (qd_wasm_module_options) has to know where it comes from. */
#ifndef QD_WASM_PRECOMPILE_H
#define QD_WASM_PRECOMPILE_H

#include "base/buf.h"
#include "base/error.h"

/* "x86_64", "aarch64"; NULL past the end. */
const char *qd_precompile_target_at(size_t i);

/* Inspects and compiles for a target (NULL: this machine's architecture). The processor is taken to be of the x86-64-v3
 * level (2013), or an ARMv8.0. All permissions are taken for granted; functions with dependencies are left to the
 * server, which knows them. *out: owned by caller.
 * Errors: QD_EINVAL (unknown target), QD_EUDF_WASM, QD_EUDF_COMPILE. */
qd_status qd_wasm_precompile(const uint8_t *bytes, size_t n, const char *target, qd_buf *out, qd_error *err);

#endif
