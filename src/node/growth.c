/* SPDX-License-Identifier: Apache-2.0
 *
 * The mapping grows: by PUT _mapping, and by documents with new fields. The order of steps is what makes a crash
 * harmless: everything in flight is committed, so that the log holds nothing older than the new mapping; the definition
 * is written; the shard's schema follows (a shard that lags behind its definition is extended when it is opened);
 * readers see it last. */
#include "node/index_internal.h"

static qd_status persist(qd_index *ix, qd_mapping *m, qd_error *err)
{
    qd_definition d = {.created_ms = ix->created_ms, .settings = ix->settings, .mapping = m};
    memcpy(d.uuid, ix->uuid, sizeof d.uuid);
    return qd_definition_put(ix->host.kv, ix->name, &d, ix->revision, &ix->revision, err);
}

static qd_status extend(qd_index *ix, qd_mapping *m, qd_error *err)
{
    qd_error failure = QD_ERROR_INIT;
    uint64_t payload = ix->committed < 0 ? UINT64_MAX : (uint64_t)ix->committed;
    qd_status st = qd_shard_extend(ix->shard, m, payload, &failure);
    if (st == QD_OK)
        return QD_OK;
    qd_index_fail(ix, &failure);
    return qd_index_check_failure(ix, err);
}

/* Held: growth_mutex, write_mutex. */
static qd_status grow_alone(qd_index *ix, qd_mapping *m, int64_t *committed, qd_error *err)
{
    if (ix->is_deleted)
        return qd_fail(err, QD_EINDEX_NOTFOUND, "no such index [%s]", ix->name);
    qd_status st = qd_index_wait_applied(ix, ix->next_seq_no - 1, err);
    if (st != QD_OK)
        return st;
    pthread_mutex_lock(&ix->apply_mutex);
    st = qd_index_commit_applied(ix, err);
    if (st == QD_OK)
        st = persist(ix, m, err);
    if (st == QD_OK)
        st = extend(ix, m, err);
    if (st == QD_OK)
        qd_index_set_mapping(ix, m);
    *committed = ix->committed;
    pthread_mutex_unlock(&ix->apply_mutex);
    return st;
}

qd_status qd_index_grow(qd_index *ix, qd_mapping *m, qd_error *err)
{
    int64_t committed = -1;
    pthread_mutex_lock(&ix->write_mutex);
    qd_status st = grow_alone(ix, m, &committed, err);
    pthread_mutex_unlock(&ix->write_mutex);
    if (st == QD_OK)
        qd_index_trim_log(ix, committed);
    return st;
}

qd_status qd_index_put_mapping(qd_index *ix, const json_t *body, qd_error *err)
{
    qd_mapping *grown = NULL;
    pthread_mutex_lock(&ix->growth_mutex);
    qd_mapping *current = qd_index_current_mapping(ix, NULL);
    qd_status st = qd_mapping_merge(current, body, &grown, err);
    if (st == QD_OK && grown != current)
        st = qd_index_grow(ix, grown, err);
    pthread_mutex_unlock(&ix->growth_mutex);
    qd_mapping_unref(grown);
    qd_mapping_unref(current);
    return st;
}
