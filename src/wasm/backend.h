/* SPDX-License-Identifier: Apache-2.0
 *
 * Backends: Wasmtime engines that differ in how they make code. Code of one cannot run in a store of another, so a
 * store and all modules in it are of one backend.
 *
 *   baseline   Winch, which compiles in one pass: code at once, some times slower
 *   optimized  Cranelift
 *   bounded    Cranelift without the checks that let code be stopped: for functions that end soon by themselves */
#ifndef QD_WASM_BACKEND_H
#define QD_WASM_BACKEND_H

#include <wasmtime.h>

#include "wasm/driver.h"
#include "wasm/module.h"

typedef enum qd_backend_kind { QD_BACKEND_BASELINE, QD_BACKEND_OPTIMIZED, QD_BACKEND_BOUNDED } qd_backend_kind;
#define QD_N_BACKENDS 3

/* In each store: the function, its driver, and what the two share. */
#define QD_INSTANCES_PER_STORE 3
#define QD_MEMORIES_PER_STORE  2

typedef struct qd_wasm_backend {
    qd_backend_kind kind;
    qd_wasm_tier tier;
    bool has_epochs;
    wasm_engine_t *wasm;
    qd_driver_cache *drivers;
} qd_wasm_backend;

/* Errors: QD_ENOMEM. */
qd_status qd_wasm_backend_init(qd_wasm_backend *b, qd_backend_kind kind, const qd_wasm_engine_options *options,
                               qd_error *err);
/* Everything made by it is gone. Legal on zeros. */
void qd_wasm_backend_deinit(qd_wasm_backend *b);

#endif
