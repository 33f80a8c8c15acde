/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the log on LMDB. Readers are counted, because the log may be opened again below them. */
#include "store/log_lmdb_impl.h"

qd_status qd_log_lmdb_fail_not_open(const qd_log_lmdb *log, qd_error *err)
{
    return qd_fail(err, QD_EIO, "log '%s' is not open: %s", log->dir, log->closed.message);
}

static void leave(qd_log_lmdb *log)
{
    pthread_mutex_lock(&log->mutex);
    if (--log->n_readers == 0 && log->is_reopening)
        pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

static qd_status begin_read(qd_log_lmdb *log, MDB_txn **txn, qd_error *err)
{
    pthread_mutex_lock(&log->mutex);
    while (log->is_reopening)
        pthread_cond_wait(&log->changed, &log->mutex);
    bool is_open = log->l != NULL;
    log->n_readers += is_open;
    qd_status st = is_open ? QD_OK : qd_log_lmdb_fail_not_open(log, err);
    pthread_mutex_unlock(&log->mutex);
    if (st != QD_OK)
        return st;
    st = qd_lmdb_begin_read(log->l, txn, err);
    if (st != QD_OK)
        leave(log);
    return st;
}

/* `rc`: what reading ended with; MDB_NOTFOUND is no error. */
static qd_status end_read(qd_log_lmdb *log, MDB_txn *txn, int rc, qd_error *err)
{
    qd_status st = rc == 0 || rc == MDB_NOTFOUND ? QD_OK : qd_lmdb_fail(log->l, rc, "cannot read", err);
    qd_lmdb_end_read(log->l, txn);
    leave(log);
    return st;
}

qd_status qd_log_lmdb_read_from(qd_log *base, uint64_t first, qd_log_visit_fn *fn, void *arg, qd_error *err)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key = {sizeof first, &first}, value;
    qd_status st = begin_read(log, &txn, err);
    if (st != QD_OK)
        return st;
    int rc = mdb_cursor_open(txn, log->dbi, &cursor);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && fn(arg, qd_log_lmdb_seq(&key), (qd_str){value.mv_data, value.mv_size}))
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    if (cursor)
        mdb_cursor_close(cursor);
    return end_read(log, txn, rc, err);
}

qd_status qd_log_lmdb_read_one(qd_log *base, uint64_t seq, qd_log_visit_fn *fn, void *arg, qd_error *err)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    MDB_txn *txn = NULL;
    MDB_val key = {sizeof seq, &seq}, value;
    qd_status st = begin_read(log, &txn, err);
    if (st != QD_OK)
        return st;
    int rc = mdb_get(txn, log->dbi, &key, &value);
    if (rc == 0)
        (void)fn(arg, seq, (qd_str){value.mv_data, value.mv_size});
    st = end_read(log, txn, rc, err);
    if (rc == MDB_NOTFOUND)
        return qd_fail(err, QD_ENOTFOUND, "log '%s' holds no record %llu", log->dir, (unsigned long long)seq);
    return st;
}

int qd_log_lmdb_find_bounds(MDB_txn *txn, MDB_dbi dbi, uint64_t *first, uint64_t *last)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    *first = *last = UINT64_MAX;
    int rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) == 0)
        *first = qd_log_lmdb_seq(&key);
    if (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST)) == 0)
        *last = qd_log_lmdb_seq(&key);
    if (cursor)
        mdb_cursor_close(cursor);
    return rc;
}

qd_status qd_log_lmdb_bounds(qd_log *base, uint64_t *first, uint64_t *last, qd_error *err)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    MDB_txn *txn = NULL;
    uint64_t lowest, highest;
    qd_status st = begin_read(log, &txn, err);
    if (st != QD_OK)
        return st;
    st = end_read(log, txn, qd_log_lmdb_find_bounds(txn, log->dbi, &lowest, &highest), err);
    if (st != QD_OK)
        return st;
    *first = lowest;
    *last = highest;
    return QD_OK;
}
