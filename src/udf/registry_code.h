/* SPDX-License-Identifier: Apache-2.0
 *
 * The code of stored functions: built when a version is first used, dropped when all code together takes too much.
 * Each version has its own load_mutex, held while it is read and compiled: whoever wants the same waits for it, nobody
 * else does. Then code_mutex for the list of what is loaded, and table_lock (exclusive) for a moment to show it. */
#ifndef QD_UDF_REGISTRY_CODE_H
#define QD_UDF_REGISTRY_CODE_H

#include "udf/depends.h"

/* The code of a version, loading it if need be. *out: a reference. Errors: what made loading impossible, naming the
 * function; QD_EUDF_FULL. */
qd_status qd_registry_load_code(qd_registry *r, qd_udf_version *v, qd_udf **out, qd_error *err);
/* References to the code of pinned versions. *out is filled in order; on failure nothing is. */
qd_status qd_registry_load_pins(qd_registry *r, const qd_pins *pins, qd_udf *out[QD_WASM_MAX_DEPENDENCIES],
                                qd_error *err);
/* Drops what was used longest ago until all code fits, with that of a module of `wasm_size` bytes to come (0: none).
 * Errors: QD_EUDF_FULL when what is in use takes too much already. */
qd_status qd_registry_make_room(qd_registry *r, size_t wasm_size, qd_error *err);
/* Shows code that was built at registration. Called with write_mutex, `v` in the table. */
qd_status qd_registry_keep_code(qd_registry *r, qd_udf_version *v, qd_udf *u, qd_error *err);
/* Takes the keeper's statistics for those of its own. */
qd_status qd_registry_attach_stats(const qd_registry *r, qd_udf *u, qd_error *err);
/* Drops the code of a version that was taken out of the table. */
void qd_registry_drop_code(qd_registry *r, qd_udf_version *v);
/* Marks a version as used now. Called with table_lock. */
static inline void qd_registry_touch(qd_registry *r, qd_udf_version *v)
{
    uint64_t now = atomic_load_explicit(&r->tick, memory_order_relaxed);
    if (atomic_load_explicit(&v->last_tick, memory_order_relaxed) != now)
        atomic_store_explicit(&v->last_tick, now, memory_order_relaxed);
}

#endif
