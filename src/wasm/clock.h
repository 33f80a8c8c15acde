/* SPDX-License-Identifier: Apache-2.0
 *
 * The epoch clock of an engine: a thread that advances the epoch of its backends each millisecond while guest code
 * runs, so that running code looks up and asks whether it should go on (instance.c). It sleeps without waking while
 * nothing runs; it lingers for a while after the last run, so that a busy engine does not pay a system call per block.
 * Invariant: while `running` is above zero, the epoch advances. Lock order: its mutex is innermost. */
#ifndef QD_WASM_CLOCK_H
#define QD_WASM_CLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <wasm.h>

#include "base/error.h"

#define QD_EPOCH_TICK_NS     1000000
#define QD_CLOCK_MAX_ENGINES 4

typedef struct qd_epoch_clock {
    wasm_engine_t *engines[QD_CLOCK_MAX_ENGINES]; /* borrowed until stop */
    size_t n_engines;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    atomic_uint running;
    atomic_bool is_asleep;
    bool is_stopping; /* under mutex */
} qd_epoch_clock;

/* Errors: QD_EINTERNAL when no thread can be made. */
qd_status qd_epoch_clock_start(qd_epoch_clock *c, wasm_engine_t *const *engines, size_t n, qd_error *err);
/* Joins the thread. Nothing may be running. */
void qd_epoch_clock_stop(qd_epoch_clock *c);

/* Around each entry into guest code. Threads: any. */
void qd_epoch_clock_enter(qd_epoch_clock *c);
void qd_epoch_clock_leave(qd_epoch_clock *c);

#endif
