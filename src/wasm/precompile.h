/* SPDX-License-Identifier: Apache-2.0
 *
 * Native code made ahead of time, perhaps on and for another machine. Nothing can check machine code: whoever loads it
 * (qd_wasm_module_options) has to know where it comes from. */
#ifndef QD_WASM_PRECOMPILE_H
#define QD_WASM_PRECOMPILE_H

#include "base/buf.h"
#include "wasm/module.h"

/* "x86_64", "aarch64"; NULL past the end. */
const char *qd_precompile_target_at(size_t i);

/* Inspects and compiles for a target (NULL: this machine's architecture). The processor is taken to be of the x86-64-v3
 * level (2013), or an ARMv8.0. All permissions are taken for granted; functions with dependencies are left to the
 * server, which knows them. `entry` (qd_wasm_module_options) must say what the server will hear from the manifest, or
 * the server will not take the code; NULL: it is not known, and the code serves any, a little slower. *out: owned by
 * caller. Errors: QD_EINVAL (unknown target), QD_EUDF_WASM, QD_EUDF_COMPILE. */
qd_status qd_wasm_precompile(const uint8_t *bytes, size_t n, qd_wasm_entry_fn *entry, void *entry_arg,
                             const char *target, qd_buf *out, qd_error *err);

#endif
