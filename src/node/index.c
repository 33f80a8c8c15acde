/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "node/files.h"
#include "node/index_internal.h"

/* ---- life ---- */

static void init_locks(qd_index *ix)
{
    pthread_mutex_init(&ix->growth_mutex, NULL);
    pthread_mutex_init(&ix->write_mutex, NULL);
    pthread_mutex_init(&ix->merge_mutex, NULL);
    pthread_mutex_init(&ix->mapping_mutex, NULL);
    pthread_mutex_init(&ix->apply_mutex, NULL);
    pthread_mutex_init(&ix->progress.mutex, NULL);
    pthread_cond_init(&ix->progress.changed, NULL);
}

qd_status qd_index_alloc(const qd_index_host *host, const char *name, const char *dir, qd_definition *taken,
                         qd_index **out, qd_error *err)
{
    qd_index *ix = calloc(1, sizeof *ix);
    if (!ix) {
        qd_definition_deinit(taken);
        return qd_fail_nomem(err);
    }
    init_locks(ix);
    atomic_init(&ix->refs, 1);
    ix->host = *host;
    memcpy(ix->uuid, taken->uuid, sizeof ix->uuid);
    ix->created_ms = taken->created_ms;
    ix->settings = taken->settings;
    ix->mapping = taken->mapping;
    ix->revision = taken->revision;
    ix->committed = ix->progress.applied = -1;
    atomic_init(&ix->rest_due_ns, INT64_MAX);
    ix->name = strdup(name);
    ix->dir = strdup(dir);
    ix->versions = qd_versions_new();
    if (!ix->name || !ix->dir || !ix->versions) {
        qd_index_unref(ix);
        return qd_fail_nomem(err);
    }
    *out = ix;
    return QD_OK;
}

static void free_index(qd_index *ix)
{
    qd_error err = QD_ERROR_INIT;
    qd_shard_close(ix->shard);
    qd_log_close(ix->log);
    if (atomic_load(&ix->remove_files) && qd_dir_remove(ix->dir, &err) != QD_OK && ix->host.log)
        ix->host.log(ix->host.arg, err.message);
    qd_versions_free(ix->versions);
    qd_settings_deinit(&ix->settings);
    qd_mapping_unref(ix->mapping);
    pthread_mutex_destroy(&ix->growth_mutex);
    pthread_mutex_destroy(&ix->write_mutex);
    pthread_mutex_destroy(&ix->merge_mutex);
    pthread_mutex_destroy(&ix->mapping_mutex);
    pthread_mutex_destroy(&ix->apply_mutex);
    pthread_mutex_destroy(&ix->progress.mutex);
    pthread_cond_destroy(&ix->progress.changed);
    free(ix->name);
    free(ix->dir);
    free(ix);
}

qd_index *qd_index_ref(qd_index *ix)
{
    atomic_fetch_add_explicit(&ix->refs, 1, memory_order_relaxed);
    return ix;
}

void qd_index_unref(qd_index *ix)
{
    if (ix && atomic_fetch_sub_explicit(&ix->refs, 1, memory_order_acq_rel) == 1)
        free_index(ix);
}

void qd_index_mark_deleted(qd_index *ix)
{
    pthread_mutex_lock(&ix->write_mutex);
    ix->is_deleted = true;
    pthread_mutex_unlock(&ix->write_mutex);
    atomic_store(&ix->remove_files, true);
}

/* ---- mapping ---- */

qd_mapping *qd_index_current_mapping(qd_index *ix, uint64_t *generation)
{
    pthread_mutex_lock(&ix->mapping_mutex);
    qd_mapping *m = qd_mapping_ref(ix->mapping);
    if (generation)
        *generation = ix->mapping_generation;
    pthread_mutex_unlock(&ix->mapping_mutex);
    return m;
}

qd_mapping *qd_index_mapping(qd_index *ix)
{
    return qd_index_current_mapping(ix, NULL);
}

void qd_index_set_mapping(qd_index *ix, qd_mapping *m)
{
    pthread_mutex_lock(&ix->mapping_mutex);
    qd_mapping *last = ix->mapping;
    ix->mapping = qd_mapping_ref(m);
    ix->mapping_generation++;
    pthread_mutex_unlock(&ix->mapping_mutex);
    qd_mapping_unref(last);
}

/* ---- progress and failure ---- */

qd_status qd_index_fail(qd_index *ix, const qd_error *failure)
{
    qd_progress *p = &ix->progress;
    pthread_mutex_lock(&p->mutex);
    bool is_first = p->failure.code == QD_OK;
    if (is_first) {
        p->failure = *failure;
        p->failure.code = QD_EINDEX_FAILED;
        qd_error_prefix(
            &p->failure,
            "index '%s' takes no writes until it has been opened again, which is tried by itself: ", ix->name);
    }
    qd_error told = p->failure;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    if (is_first && ix->host.log)
        ix->host.log(ix->host.arg, told.message);
    if (is_first && ix->host.has_failed)
        ix->host.has_failed(ix->host.arg);
    return told.code;
}

qd_status qd_index_check_failure(qd_index *ix, qd_error *err)
{
    qd_progress *p = &ix->progress;
    pthread_mutex_lock(&p->mutex);
    qd_status st = p->failure.code;
    if (st != QD_OK && err)
        *err = p->failure;
    pthread_mutex_unlock(&p->mutex);
    return st;
}

bool qd_index_has_failed(qd_index *ix)
{
    return qd_index_check_failure(ix, NULL) != QD_OK;
}

void qd_index_set_applied(qd_index *ix, int64_t seq_no)
{
    qd_progress *p = &ix->progress;
    pthread_mutex_lock(&p->mutex);
    p->applied = seq_no;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

int64_t qd_index_applied(qd_index *ix)
{
    qd_progress *p = &ix->progress;
    pthread_mutex_lock(&p->mutex);
    int64_t applied = p->applied;
    pthread_mutex_unlock(&p->mutex);
    return applied;
}

qd_status qd_index_wait_applied(qd_index *ix, int64_t seq_no, qd_error *err)
{
    qd_progress *p = &ix->progress;
    pthread_mutex_lock(&p->mutex);
    while (p->applied < seq_no && p->failure.code == QD_OK)
        pthread_cond_wait(&p->changed, &p->mutex);
    bool is_applied = p->applied >= seq_no;
    if (!is_applied && err)
        *err = p->failure;
    qd_status st = is_applied ? QD_OK : p->failure.code;
    pthread_mutex_unlock(&p->mutex);
    return st;
}

/* ---- what is known about it ---- */

qd_searcher *qd_index_searcher(qd_index *ix)
{
    return qd_shard_searcher(ix->shard);
}

const char *qd_index_name(const qd_index *ix)
{
    return ix->name;
}

const char *qd_index_uuid(const qd_index *ix)
{
    return ix->uuid;
}

int64_t qd_index_created_ms(const qd_index *ix)
{
    return ix->created_ms;
}

int64_t qd_index_refresh_interval_ms(const qd_index *ix)
{
    return ix->settings.refresh_interval_ms;
}

void qd_index_settings_write(qd_index *ix, qd_json *w)
{
    char created[32];
    snprintf(created, sizeof created, "%lld", (long long)ix->created_ms);
    qd_json_begin_object(w);
    qd_json_key(w, "index");
    qd_json_begin_object(w);
    qd_settings_write(&ix->settings, w);
    qd_json_kv_z(w, "creation_date", created);
    qd_json_kv_z(w, "uuid", ix->uuid);
    qd_json_kv_z(w, "provided_name", ix->name);
    qd_json_end_object(w);
    qd_json_end_object(w);
}

void qd_index_count_search(qd_index *ix, int64_t ns)
{
    atomic_fetch_add_explicit(&ix->counters.searches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&ix->counters.search_ns, (uint64_t)(ns > 0 ? ns : 0), memory_order_relaxed);
}

void qd_index_stats_get(qd_index *ix, qd_index_stats *out)
{
    qd_searcher *s = qd_index_searcher(ix);
    *out = (qd_index_stats){
        .docs = qd_searcher_live_docs(s),
        .segments = qd_searcher_segments(s),
        .size_bytes = qd_searcher_size_bytes(s),
        .log_records = atomic_load(&ix->waiting_ops),
        .indexed_total = atomic_load(&ix->counters.indexed),
        .deleted_total = atomic_load(&ix->counters.deleted),
        .refresh_total = atomic_load(&ix->counters.refreshes),
        .search_total = atomic_load(&ix->counters.searches),
        .search_ns = atomic_load(&ix->counters.search_ns),
        .max_seq_no = qd_index_applied(ix), /* not under write_mutex: who asks must not wait for a mapping that grows */
    };
    qd_searcher_unref(s);
}
