/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "node/index_internal.h"

/* What waits for a refresh is in the version map, in the log and in the shard's buffers: these bound all three. */
#define MUCH_OPS   500000
#define MUCH_BYTES ((uint64_t)256 << 20)

#define REST_AFTER_NS (INT64_C(30) * 1000000000)

static uint64_t much_bytes(const qd_index *ix)
{
    uint64_t share = ix->host.max_log_bytes / 8;
    return share < MUCH_BYTES ? share : MUCH_BYTES;
}

bool qd_index_has_much_waiting(qd_index *ix)
{
    return atomic_load(&ix->waiting_ops) >= MUCH_OPS || atomic_load(&ix->waiting_bytes) >= much_bytes(ix);
}

bool qd_index_has_room(qd_index *ix, uint64_t ops, uint64_t bytes)
{
    uint64_t waiting_ops = atomic_load(&ix->waiting_ops), waiting_bytes = atomic_load(&ix->waiting_bytes);
    return waiting_ops == 0 || (waiting_ops + ops <= 2 * MUCH_OPS && waiting_bytes + bytes <= 2 * much_bytes(ix));
}

int64_t qd_index_refresh_due_ns(qd_index *ix)
{
    if (!atomic_load(&ix->is_dirty) || qd_index_check_failure(ix, NULL) != QD_OK)
        return INT64_MAX;
    if (atomic_load(&ix->is_urgent))
        return 0;
    int64_t interval_ms = ix->settings.refresh_interval_ms;
    return interval_ms < 0 ? INT64_MAX : atomic_load(&ix->dirty_since_ns) + interval_ms * 1000000;
}

qd_status qd_index_commit_applied(qd_index *ix, qd_error *err)
{
    int64_t applied = qd_index_applied(ix);
    qd_status st = qd_index_check_failure(ix, err);
    if (st != QD_OK || applied == ix->committed)
        return st;
    atomic_store(&ix->is_dirty, false);
    atomic_store(&ix->is_urgent, false);
    qd_error failure = QD_ERROR_INIT;
    st = qd_shard_commit(ix->shard, (uint64_t)applied, &failure);
    if (st != QD_OK) {
        qd_index_fail(ix, &failure);
        return qd_index_check_failure(ix, err);
    }
    atomic_fetch_sub(&ix->waiting_ops, (uint64_t)(applied - ix->committed));
    atomic_fetch_sub(&ix->waiting_bytes, ix->applied_bytes);
    ix->applied_bytes = 0;
    ix->committed = applied;
    atomic_store(&ix->heal_attempts, 0);
    /* The new searcher is the current one by now, so whoever misses an entry finds the document there. */
    qd_versions_prune(ix->versions, applied);
    atomic_fetch_add_explicit(&ix->counters.refreshes, 1, memory_order_relaxed);
    qd_index_postpone_rest(ix);
    return QD_OK;
}

void qd_index_trim_log(qd_index *ix, int64_t up_to)
{
    qd_error err = QD_ERROR_INIT;
    if (up_to >= 0 && qd_log_trim(ix->log, (uint64_t)up_to, &err) != QD_OK && ix->host.log)
        ix->host.log(ix->host.arg, err.message); /* it only takes room until the next one succeeds */
}

qd_status qd_index_refresh(qd_index *ix, qd_error *err)
{
    qd_status st = qd_index_check_failure(ix, err); /* at once: opening it again holds apply_mutex */
    if (st != QD_OK)
        return st;
    pthread_mutex_lock(&ix->apply_mutex);
    int64_t before = ix->committed;
    st = qd_index_commit_applied(ix, err);
    int64_t committed = ix->committed;
    pthread_mutex_unlock(&ix->apply_mutex);
    if (committed != before)
        qd_index_trim_log(ix, committed);
    return st;
}

qd_status qd_index_force_merge(qd_index *ix, uint32_t max_segments, qd_error *err)
{
    qd_status st = qd_index_refresh(ix, err);
    if (st != QD_OK)
        return st;
    pthread_mutex_lock(&ix->merge_mutex);
    st = qd_index_check_failure(ix, err);
    if (st == QD_OK)
        st = qd_shard_force_merge(ix->shard, max_segments, err);
    if (st == QD_OK) {
        pthread_mutex_lock(&ix->apply_mutex);
        st = qd_shard_renew(ix->shard, err);
        pthread_mutex_unlock(&ix->apply_mutex);
        qd_index_postpone_rest(ix);
    }
    pthread_mutex_unlock(&ix->merge_mutex);
    return st;
}

/* ---- rest ---- */

int64_t qd_index_rest_due_ns(const qd_index *ix)
{
    return atomic_load(&ix->rest_due_ns);
}

void qd_index_postpone_rest(qd_index *ix)
{
    int64_t before = atomic_exchange(&ix->rest_due_ns, qd_clock_mono_ns() + REST_AFTER_NS);
    if (before == INT64_MAX && ix->host.wants_refresh)
        ix->host.wants_refresh(ix->host.arg, false);
}

bool qd_index_rest(qd_index *ix)
{
    qd_error err = QD_ERROR_INIT;
    bool is_resting = false;
    pthread_mutex_lock(&ix->apply_mutex);
    /* Else a commit comes, and postpones it; or it is opened again first. */
    bool is_idle = qd_index_applied(ix) == ix->committed && qd_index_check_failure(ix, NULL) == QD_OK;
    qd_status st = is_idle ? qd_shard_rest(ix->shard, &is_resting, &err) : QD_OK;
    if (st == QD_OK && is_resting)
        st = qd_shard_renew(ix->shard, &err);
    bool is_merging = is_idle && st == QD_OK && !is_resting;
    atomic_store(&ix->rest_due_ns, is_merging ? qd_clock_mono_ns() + REST_AFTER_NS : INT64_MAX);
    pthread_mutex_unlock(&ix->apply_mutex);
    if (st != QD_OK && ix->host.log)
        ix->host.log(ix->host.arg, err.message); /* what is searched and what is written stay as they were */
    return is_resting;
}
