/* SPDX-License-Identifier: Apache-2.0
 *
 * Making the code of a module, joined with its driver (join.h) where the backend inlines and they can be, else alone.
 */
#ifndef QD_WASM_MAKE_H
#define QD_WASM_MAKE_H

#include "wasm/backend.h"
#include "wasm/native.h"

/* All borrowed. */
typedef struct qd_make_from {
    const qd_blob *bytes;
    const char *hash;    /* theirs */
    const qd_join *join; /* NULL: alone */
} qd_make_from;

/* The code that the cache keeps. */
bool qd_make_recall(const qd_wasm_backend *b, const qd_make_from *from, qd_wasm_made *out);
/* *code, owned by caller (qe_code_free): for qd_make_remember, which may wait until the code serves.
 * Errors: QD_EUDF_COMPILE, QD_ENOMEM. */
qd_status qd_make_compile(const qd_wasm_backend *b, const qd_make_from *from, qd_wasm_made *out, qe_code **code,
                          qd_error *err);
void qd_make_remember(const qd_wasm_backend *b, const qd_make_from *from, const qd_wasm_made *made,
                      const qe_code *code);
/* Nothing is left. Legal on zeros. */
void qd_made_drop(qd_wasm_made *made);

#endif
