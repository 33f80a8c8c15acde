/* SPDX-License-Identifier: Apache-2.0
 *
 * Who watches a kv's buckets: what the backends share of qd_kv_watch. Not synchronized: a backend adds and tells under
 * the lock that orders its changes. */
#ifndef QD_STORE_WATCHERS_H
#define QD_STORE_WATCHERS_H

#include "store/kv.h"

typedef struct qd_kv_watcher qd_kv_watcher;
typedef struct qd_kv_watchers {
    qd_kv_watcher *newest;
} qd_kv_watchers;

/* All zero is an empty list. Errors: QD_ENOMEM. */
qd_status qd_kv_watchers_add(qd_kv_watchers *w, qd_str bucket, qd_kv_watch_fn *fn, void *arg, qd_error *err);
/* Calls those of the bucket, the newest first. */
void qd_kv_watchers_tell(const qd_kv_watchers *w, qd_str bucket, qd_str key, qd_str value, uint64_t revision);
void qd_kv_watchers_deinit(qd_kv_watchers *w);

#endif
