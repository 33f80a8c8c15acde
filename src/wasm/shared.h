/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules that are in memory, by what they are made of: bytes and permissions. A second module of the same is made from
 * the first, with its code, when that is the best it can have: deploying known bytes under another version neither
 * inspects nor loads nor keeps them a second time. It is a module of its own all the same: what is counted, and what
 * dependencies share, goes by function. Left out are those with dependencies or with code that came along.
 *
 * The table has no references: a module that goes takes itself out, though others of the same may be there still. Lock
 * order: the mutex is innermost, held for a look and a count. */
#ifndef QD_WASM_SHARED_H
#define QD_WASM_SHARED_H

#include <pthread.h>

#include "base/map.h"
#include "wasm/module.h"

typedef struct qd_shared_modules {
    pthread_mutex_t mutex;
    qd_map *modules; /* hash/permissions -> module */
} qd_shared_modules;

/* Errors: QD_ENOMEM. */
qd_status qd_shared_modules_init(qd_shared_modules *s, qd_error *err);
void qd_shared_modules_deinit(qd_shared_modules *s);

/* A reference, or NULL. */
qd_wasm_module *qd_shared_modules_find(qd_shared_modules *s, const char *hash, uint32_t permissions);
/* From now on it can be found; without room for that it is not. */
void qd_shared_modules_add(qd_shared_modules *s, qd_wasm_module *m);
/* The module is about to be freed: nobody has a reference any more. */
void qd_shared_modules_forget(qd_shared_modules *s, const qd_wasm_module *m);

#endif
