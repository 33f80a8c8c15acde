/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the log on LMDB, for log_lmdb.c (opening, writing) and log_lmdb_read.c only. */
#ifndef QD_STORE_LOG_LMDB_IMPL_H
#define QD_STORE_LOG_LMDB_IMPL_H

#include "store/kv_lmdb.h"
#include "store/log.h"

typedef struct qd_log_lmdb {
    qd_log base;
    char *dir;
    size_t max_bytes;
    qd_kv *kv; /* whose environment `l` is; NULL: the log's own */
    MDB_dbi dbi;
    qd_lmdb *l;            /* NULL: it could not be opened again. Changes under the mutex, with nobody at work */
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    qd_log_batch *head, *tail; /* queued; not yet part of a turn */
    bool has_last;
    uint64_t last; /* the last sequence number that was enqueued */
    bool is_writing, is_reopening;
    uint32_t n_readers;
    uint64_t turns_started, turns_done;
    uint64_t trim_end; /* records below it are to be forgotten */
    qd_error closed;   /* code QD_OK while the log takes appends */
} qd_log_lmdb;

static inline qd_log_lmdb *qd_log_lmdb_of(qd_log *log)
{
    return (qd_log_lmdb *)(void *)log;
}

static inline uint64_t qd_log_lmdb_seq(const MDB_val *key)
{
    uint64_t seq;
    memcpy(&seq, key->mv_data, sizeof seq);
    return seq;
}

/* ---- log_lmdb_read.c ---- */

/* Why nothing can be read: the log's mutex is held, or it is known that nobody opens it. */
qd_status qd_log_lmdb_fail_not_open(const qd_log_lmdb *log, qd_error *err);
/* LMDB's code; both UINT64_MAX where there is no record. */
int qd_log_lmdb_find_bounds(MDB_txn *txn, MDB_dbi dbi, uint64_t *first, uint64_t *last);
qd_status qd_log_lmdb_bounds(qd_log *base, uint64_t *first, uint64_t *last, qd_error *err);
qd_status qd_log_lmdb_read_from(qd_log *base, uint64_t first, qd_log_visit_fn *fn, void *arg, qd_error *err);
qd_status qd_log_lmdb_read_one(qd_log *base, uint64_t seq, qd_log_visit_fn *fn, void *arg, qd_error *err);

#endif
