/* SPDX-License-Identifier: Apache-2.0 */
#include "store/watchers.h"

#include <stdlib.h>

struct qd_kv_watcher {
    qd_kv_watcher *older;
    char *bucket;
    qd_kv_watch_fn *fn;
    void *arg;
};

qd_status qd_kv_watchers_add(qd_kv_watchers *w, qd_str bucket, qd_kv_watch_fn *fn, void *arg, qd_error *err)
{
    qd_kv_watcher *added = calloc(1, sizeof *added);
    if (!added || !(added->bucket = qd_str_dup(bucket))) {
        free(added);
        return qd_fail_nomem(err);
    }
    added->fn = fn;
    added->arg = arg;
    added->older = w->newest;
    w->newest = added;
    return QD_OK;
}

void qd_kv_watchers_tell(const qd_kv_watchers *w, qd_str bucket, qd_str key, qd_str value, uint64_t revision)
{
    for (const qd_kv_watcher *x = w->newest; x; x = x->older)
        if (qd_str_is(bucket, x->bucket))
            x->fn(x->arg, bucket, key, value, revision);
}

void qd_kv_watchers_deinit(qd_kv_watchers *w)
{
    for (qd_kv_watcher *x = w->newest, *older; x; x = older) {
        older = x->older;
        free(x->bucket);
        free(x);
    }
    w->newest = NULL;
}
