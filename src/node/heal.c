/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an index again after a failure, below those who use it. What was acked is in a commit or in the log; what the
 * failure has left half done (operations that the version map knows and the log does not, documents in the writer's
 * buffers, a mapping that is on disk only) is forgotten, as by a restart. */
#include <stdio.h>
#include <stdlib.h>

#include "node/index_internal.h"

/* The mapping may have grown in the store before the shard failed to follow. */
static qd_status read_definition(qd_index *ix, qd_definition *out, qd_error *err)
{
    qd_buf bytes;
    uint64_t revision = 0;
    qd_buf_init(&bytes, SIZE_MAX);
    qd_status st = qd_kv_get(ix->host.kv, QD_DEFINITION_BUCKET, qd_str_of(ix->name), &bytes, &revision, err);
    if (st == QD_OK)
        st = qd_definition_read(ix->name, qd_buf_str(&bytes), revision, ix->settings.refresh_interval_ms, out, err);
    qd_buf_deinit(&bytes);
    return st;
}

/* Nothing waits any more: all that is durable is in the commit that replaying made. */
static void forget_what_waited(qd_index *ix)
{
    qd_error none = QD_ERROR_INIT;
    /* Without memory they stay: superfluous where they are right, and at worst a GET or a write fails for one. */
    (void)qd_versions_prune(ix->versions, INT64_MAX);
    atomic_store(&ix->waiting_ops, 0);
    atomic_store(&ix->waiting_bytes, 0);
    ix->applied_bytes = 0;
    atomic_store(&ix->is_dirty, false);
    atomic_store(&ix->is_urgent, false);
    pthread_mutex_lock(&ix->progress.mutex);
    ix->progress.failure = none;
    pthread_mutex_unlock(&ix->progress.mutex);
}

/* Held: growth_mutex, write_mutex, merge_mutex, apply_mutex. */
static qd_status open_shard(qd_index *ix, qd_definition *d, uint64_t *replayed, qd_error *err)
{
    char *data = NULL;
    if (asprintf(&data, "%s/data", ix->dir) < 0)
        return qd_fail_nomem(err);
    qd_status st = qd_shard_reopen(ix->shard, data, d->mapping, ix->host.writer_memory_bytes, err);
    free(data);
    if (st != QD_OK)
        return st;
    qd_index_set_mapping(ix, d->mapping); /* which documents that were parsed before are parsed again for */
    ix->revision = d->revision;
    st = qd_index_replay(ix, replayed, err);
    return st == QD_OK ? qd_shard_renew(ix->shard, err) : st;
}

/* Held: growth_mutex, write_mutex, merge_mutex. Nobody can enqueue, and what was enqueued ends before the log is opened
 * again; its ends want apply_mutex. */
static qd_status open_parts(qd_index *ix, uint64_t *replayed, qd_error *err)
{
    qd_definition d = {0};
    qd_status st = read_definition(ix, &d, err);
    if (st != QD_OK)
        return st;
    st = qd_log_reopen(ix->log, err);
    pthread_mutex_lock(&ix->apply_mutex);
    if (st == QD_OK)
        st = open_shard(ix, &d, replayed, err);
    if (st == QD_OK)
        forget_what_waited(ix);
    pthread_mutex_unlock(&ix->apply_mutex);
    qd_definition_deinit(&d);
    return st;
}

qd_status qd_index_heal(qd_index *ix, uint64_t *replayed, qd_error *err)
{
    uint64_t count = 0;
    qd_status st = QD_OK;
    pthread_mutex_lock(&ix->growth_mutex);
    pthread_mutex_lock(&ix->write_mutex);
    if (ix->is_deleted) {
        st = qd_fail(err, QD_EINDEX_NOTFOUND, "no such index [%s]", ix->name);
    } else if (qd_index_check_failure(ix, NULL) == QD_OK) {
        *replayed = 0;
    } else if (pthread_mutex_trylock(&ix->merge_mutex) != 0) {
        st = qd_fail(err, QD_EBUSY, "its segments are being merged");
    } else {
        st = open_parts(ix, &count, err);
        pthread_mutex_unlock(&ix->merge_mutex);
        if (st == QD_OK)
            *replayed = count;
    }
    pthread_mutex_unlock(&ix->write_mutex);
    pthread_mutex_unlock(&ix->growth_mutex);
    return st;
}
