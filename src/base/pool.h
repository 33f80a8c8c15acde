/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded pool of worker threads with one FIFO queue. Search, write and compile each have their own, so that one
 * kind of work cannot starve another. Past the queue's bound a submit fails with QD_EBUSY: the answer is 429.
 * Lock order: the pool's mutex is innermost; tasks run without it. */
#ifndef QD_BASE_POOL_H
#define QD_BASE_POOL_H

#include "base/error.h"

typedef struct qd_pool qd_pool;
typedef void qd_task_fn(void *arg);

qd_status qd_pool_new(const char *name, unsigned threads, unsigned max_queued, qd_pool **out, qd_error *err);
/* Runs what is queued, then joins. Submits after this began fail with QD_EBUSY. */
void qd_pool_free(qd_pool *p);
/* Errors: QD_EBUSY. `arg` is kept until the task ran. Threads: any. */
qd_status qd_pool_submit(qd_pool *p, qd_task_fn *fn, void *arg);
unsigned qd_pool_threads(const qd_pool *p);
/* Tasks waiting now. Threads: any. */
unsigned qd_pool_queued(const qd_pool *p);

/* Runs fn(arg, i) for i in [0, n); the caller works too, idle workers help, and it returns when all have run.
 * Safe to call from inside a task: it never waits for a queued helper to start. `p` NULL: all on the caller. */
void qd_pool_parallel(qd_pool *p, size_t n, void (*fn)(void *arg, size_t i), void *arg);

#endif
