/* SPDX-License-Identifier: Apache-2.0
 *
 * Drivers: the small generated modules that call a function for a range of rows inside the sandbox. A driver imports
 * the function from "udf" and exports run(first, end). Its memory, which the guest cannot address and which never
 * grows, is its own, or that of the columns module (columns.h) where the guest reads fields by handle; it exports it as
 * "cols":
 *
 *   0            current row, stored before each call: the host reads it in host functions, ticks and failures
 *   8            id that row 0 has as a context (row shape); the i-th row's is that plus i
 *   16 + 8 * i   the i-th argument, when it is a constant: read once per run. The state of an aggregate is the first
 *   1,024 …      results, then a column per varying argument, each QD_BLOCK_DOCS values of the natural width; in the
 *                memory of the columns module these columns lie behind what it holds itself
 *
 * A driver depends on the types and on which arguments vary, not on the function: the engine keeps compiled ones. The
 * batch shape has none: its function loops itself. */
#ifndef QD_WASM_DRIVER_H
#define QD_WASM_DRIVER_H

#include <wasmtime.h>

#include "base/buf.h"
#include "wasm/program.h"

#define QD_DRIVER_CELL_ROW       0
#define QD_DRIVER_CELL_CONTEXT   8
#define QD_DRIVER_CELL_CONSTANTS 16

typedef struct qd_driver_spec {
    bool is_columns;     /* not a driver: the columns module (columns.h), made and kept in the same way */
    qd_wasm_shape shape; /* typed; or row, which handle is to a driver too */
    bool has_state;      /* the first argument is an i32 that stays the same: an aggregate's state */
    bool drops_result;   /* of what the function returns, if anything, nothing is kept */
    bool imports_cols;
    uint64_t varying; /* of typed arguments */
    const qd_wasm_signature *signature;
    qd_str function; /* as what it imports it; empty: "f" */
} qd_driver_spec;

typedef struct qd_driver {
    wasmtime_module_t *module;
    uint32_t memory_bytes;
    uint32_t results;                     /* offset in the driver's memory; 0: none */
    uint32_t columns[QD_WASM_MAX_PARAMS]; /* offsets; 0 for constants */
    uint64_t last_used;                   /* the cache's clock, under its lock */
    unsigned refs;                        /* under the cache's lock */
} qd_driver;

typedef struct qd_driver_cache qd_driver_cache;
/* `backend` is borrowed until free. NULL when out of memory. */
typedef struct qd_wasm_backend qd_wasm_backend;
qd_driver_cache *qd_driver_cache_new(const qd_wasm_backend *backend);
void qd_driver_cache_free(qd_driver_cache *c);
/* The driver for a spec, made when it is not there. The caller gives it back. Threads: any.
 * Errors: QD_ENOMEM, QD_EINTERNAL. */
qd_status qd_driver_cache_get(qd_driver_cache *c, const qd_driver_spec *spec, qd_driver **out, qd_error *err);
void qd_driver_cache_put(qd_driver_cache *c, qd_driver *d);

/* The module's bytes and layout alone. False when out of memory. For tests too. */
bool qd_driver_generate(const qd_driver_spec *spec, qd_driver *layout, qd_buf *out);

#endif
