/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions out of any bytes: valid modules whose code uses all that a joiner renumbers or rewrites (locals, labels,
 * returns, branches with values, dead code, blocks with parameters, calls of each kind, segments), and which always
 * end. */
#ifndef QD_TESTS_WASM_RANDOM_H
#define QD_TESTS_WASM_RANDOM_H

#include "base/buf.h"

/* Writes a module that exports "f" and "memory". With `by_handle`, f takes an i64 and the module imports what reads
 * documents by handle, else f takes numbers. The same bytes, the same module. */
void qd_wasm_random(const uint8_t *data, size_t size, bool by_handle, qd_buf *out);

#endif
