/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a module, for this room only. Immutable after it is made, but for its native code. */
#ifndef QD_WASM_MODULE_IMPL_H
#define QD_WASM_MODULE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <wasmtime.h>

#include "wasm/blob.h"
#include "wasm/host.h"
#include "wasm/join.h"
#include "wasm/link.h"
#include "wasm/native.h"
#include "wasm/sections.h"

typedef struct qd_wasm_export {
    char *name;
    size_t name_n;
    qd_wasm_signature signature;
} qd_wasm_export;

typedef struct qd_optimize_job qd_optimize_job;

struct qd_wasm_module {
    qd_wasm_engine *engine;           /* a reference */
    _Atomic(qd_wasm_native *) native; /* the best code: a reference, changed under the lock */
    pthread_mutex_t native_lock;      /* held for a pointer and a count */
    qd_backend_kind best;             /* which makes its best code */
    uint32_t max_rows;                /* in one run of code without epoch checks */
    qd_join *join;                    /* a reference; NULL: its code is its own alone */
    qd_optimize_job *job;             /* the optimizer's, under its mutex */
    atomic_bool is_optimizing;
    atomic_uint refs;
    qd_blob *bytes; /* a reference */
    char hash[QD_SHA256_HEX_SIZE];
    uint32_t permissions;
    qd_wasm_state state;
    const qd_host_function **imports; /* of the table; in the module's order */
    char **import_names;
    size_t n_imports;
    qd_linked_import *linked_imports; /* likewise; what a dependency answers has NULL in `imports` */
    qd_links links;
    qd_wasm_export *exports; /* functions */
    size_t n_exports;
    bool imports_columns; /* some import is answered by the columns module (columns.h): */
    bool reads_by_handle, reads_f64, reads_i64, reads_valid, reads_scores;
    bool exports_memory; /* as "memory" */
    bool has_initialize; /* exports _initialize(): a WASI reactor's constructors */
    bool has_start;
    bool is_shared; /* in the engine's table (shared.h) */
    bool is_bounded;
    uint64_t longest_path;
    atomic_int_fast64_t compile_ns[3]; /* by qd_wasm_tier */
    atomic_uint n_instances;           /* at work */
    atomic_uint_fast64_t linear_bytes; /* theirs, and of what they depend on */
};

/* All but its code and its engine. */
qd_status qd_wasm_module_read(const uint8_t *bytes, size_t n, const qd_wasm_module_options *options,
                              qd_wasm_module **out, qd_error *err);

#endif
