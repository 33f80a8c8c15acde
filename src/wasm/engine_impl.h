/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of an engine, for this room only. The mutex guards the count of stores and the list of idle instances;
 * it is held for a few pointer moves, never while Wasmtime works. Lock order: it is innermost, beside the driver
 * cache's. */
#ifndef QD_WASM_ENGINE_IMPL_H
#define QD_WASM_ENGINE_IMPL_H

#include <wasmtime.h>

#include "wasm/backend.h"
#include "wasm/clock.h"
#include "wasm/native.h"
#include "wasm/optimizer.h"
#include "wasm/shared.h"
#include "wasm/engine.h"

/* What qd_wasm_counters tells, as it happens. */
typedef struct qd_wasm_counts {
    atomic_uint_fast64_t compiled[3], compile_ns[3]; /* by qd_wasm_tier */
    atomic_uint_fast64_t tier_transitions, code_bytes, linear_bytes, column_bytes, instances_made, instances_reused;
} qd_wasm_counts;

struct qd_wasm_engine {
    qd_wasm_backend backends[QD_N_BACKENDS];
    qd_wasm_engine_options options;
    qd_epoch_clock clock;
    qd_native_cache *cache; /* NULL: none */
    qd_optimizer *optimizer;
    qd_shared_modules shared;
    qd_wasm_counts counts;
    atomic_uint refs;
    pthread_mutex_t mutex;
    uint32_t n_stores; /* working and idle; one with dependencies counts for as many more */
    uint32_t n_idle;
    qd_instance *idle_new, *idle_old; /* a list from the last released to the first */
};

void qd_wasm_engine_ref(qd_wasm_engine *e);
/* Frees all of it, once the optimizer has stopped. */
void qd_wasm_engine_delete(qd_wasm_engine *e);

/* An idle instance of the program with these varying arguments, or room for a new store (*out is NULL then).
 * When all stores are taken, the longest idle one of any program makes room. Errors: QD_EBUSY. */
qd_status qd_wasm_engine_take(qd_wasm_engine *e, qd_wasm_program *p, uint64_t varying, qd_instance **out,
                              qd_error *err);
/* Keeps an instance for reuse; false when its program has enough of them, or better code: the caller frees it. */
bool qd_wasm_engine_keep(qd_wasm_engine *e, qd_instance *i);
/* The store that was taken for the program is gone. */
void qd_wasm_engine_give_back(qd_wasm_engine *e, const qd_wasm_program *p);
/* Frees all idle instances of a program, or with some native code. */
void qd_wasm_engine_forget(qd_wasm_engine *e, const qd_wasm_program *p);
void qd_wasm_engine_forget_native(qd_wasm_engine *e, const qd_wasm_native *native);

/* "message" without Wasmtime's chain of causes, on one line, cut to fit; deletes the error. Returns `out`. */
char *qd_wasm_error_text(wasmtime_error_t *error, char *out, size_t size);

#endif
