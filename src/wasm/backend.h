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

#include <engine.h> /* the seam's; in quotes it would be ours */
#include <wasmtime.h>

#include "wasm/cache.h"
#include "wasm/driver.h"
#include "wasm/module.h"

typedef enum qd_backend_kind { QD_BACKEND_BASELINE, QD_BACKEND_OPTIMIZED, QD_BACKEND_BOUNDED } qd_backend_kind;
#define QD_N_BACKENDS 3

/* In each store: the function, its driver, and what the two share; and the memory of a driver that the function was
 * joined with and that does not serve (join.h). */
#define QD_INSTANCES_PER_STORE 3
#define QD_MEMORIES_PER_STORE  3
#define QD_MEMORIES_PER_MODULE 2

struct qd_wasm_backend {
    qd_backend_kind kind;
    qd_wasm_tier tier;
    bool has_epochs;
    wasm_engine_t *wasm;
    qd_driver_cache *drivers;
    qd_native_cache *cache;               /* borrowed; NULL: nothing is kept */
    char fingerprint[QD_SHA256_HEX_SIZE]; /* with a cache: what its code depends on beside the module */
};

/* The settings that code depends on. Owned by caller (wasm_engine_new_with_config takes it). */
wasm_config_t *qd_wasm_backend_config(qd_backend_kind kind);

/* `b` stays where it is until deinit. Errors: QD_ENOMEM. */
qd_status qd_wasm_backend_init(qd_wasm_backend *b, qd_backend_kind kind, const qd_wasm_engine_options *options,
                               qd_error *err);
/* Everything made by it is gone. Legal on zeros. */
void qd_wasm_backend_deinit(qd_wasm_backend *b);
/* Before any code is made; `cache` is borrowed until deinit. Errors: QD_EUDF_COMPILE, QD_ENOMEM. */
qd_status qd_wasm_backend_use_cache(qd_wasm_backend *b, qd_native_cache *cache, qd_error *err);

/* *out: owned by caller (qe_code_free). `bytes` may be any. Errors: QD_EUDF_COMPILE, QD_ENOMEM. */
qd_status qd_wasm_backend_compile(const qd_wasm_backend *b, const uint8_t *bytes, size_t n, qe_code **out,
                                  qd_error *err);
qd_str qd_code_str(const qe_code *code); /* view */
/* Code to run; `code` must come from a compiler of ours: it is not checked, but for what it was made for.
 * Errors: QD_EUDF_COMPILE. */
qd_status qd_wasm_backend_adopt(const qd_wasm_backend *b, qd_str code, wasmtime_module_t **out, qd_error *err);

/* The code that the cache keeps for a module of that hash. */
bool qd_wasm_backend_recall(const qd_wasm_backend *b, const char hash[QD_SHA256_HEX_SIZE], wasmtime_module_t **out);
void qd_wasm_backend_remember(const qd_wasm_backend *b, const char hash[QD_SHA256_HEX_SIZE], qd_str code);
/* For our own modules: from the cache, else compiled and kept there. Errors: QD_EUDF_COMPILE, QD_ENOMEM. */
qd_status qd_wasm_backend_load(const qd_wasm_backend *b, const uint8_t *bytes, size_t n, wasmtime_module_t **out,
                               qd_error *err);

#endif
