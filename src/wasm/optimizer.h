/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles in the background, at a low priority, what serves with baseline code by then, and puts the better code in
 * its place. The queue is bounded: whoever finds it full optimizes before serving, which slows down a flood.
 *
 * The optimizer does not hold modules: one that is dropped leaves the queue, and code that was being made for it is
 * thrown away. Threads start with the first module.
 *
 * Lock order: its mutex is taken before a module's and the engine's. It is held while a module is given its new code
 * (linking, some 50 us), so that the module cannot go meanwhile; only registration and dropping wait for it. */
#ifndef QD_WASM_OPTIMIZER_H
#define QD_WASM_OPTIMIZER_H

#include "wasm/module.h"

typedef struct qd_optimizer qd_optimizer;

/* `engine`, with its options, is borrowed until free. NULL when out of memory. */
qd_optimizer *qd_optimizer_new(qd_wasm_engine *engine);
/* Ends its threads; no module is there any more. Code generators cannot be interrupted: false when one is still at work
 * after options.stop_ms. Then its thread deletes the engine when it is done, and nobody else may touch either. */
bool qd_optimizer_stop(qd_optimizer *o);
/* Stopped, or without a thread so far. */
void qd_optimizer_free(qd_optimizer *o);

/* Would a module be taken now? Until another is. */
bool qd_optimizer_has_room(qd_optimizer *o);
/* False when it cannot: no thread, or too many wait. Threads: any. */
bool qd_optimizer_submit(qd_optimizer *o, qd_wasm_module *m);
/* The module goes. */
void qd_optimizer_forget(qd_optimizer *o, qd_wasm_module *m);
/* Waits until nothing is queued or under way. */
void qd_optimizer_drain(qd_optimizer *o);
uint32_t qd_optimizer_queued(qd_optimizer *o);

#endif
