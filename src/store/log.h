/* SPDX-License-Identifier: Apache-2.0
 *
 * log: the second durable interface: an append-only sequence of records, each with a sequence number given by the
 * caller, strictly ascending by one. One log per index, and those that are part of a kv (qd_kv_open_log). LMDB
 * implements it here (log_lmdb.c).
 *
 * Group commit: `enqueue` fixes a batch's place in the order and returns at once; `wait` returns when it is durable.
 * One waiting thread becomes the leader, writes all batches queued so far in one transaction with one fsync, then calls
 * each batch's `done` in order of enqueue, on its own thread. So `done` runs once per batch, in sequence order, after
 * the batch is durable (or with the error). A batch that fails fails all after it: the log is then closed to appends
 * until it is opened again (reopen), which shows what of it is durable after all.
 * Threads: any. Lock order: the caller's write lock may be held in enqueue, never in wait; `done` runs without our
 * lock. */
#ifndef QD_STORE_LOG_H
#define QD_STORE_LOG_H

#include "store/kv.h"

typedef struct qd_log qd_log;

typedef struct qd_log_record {
    uint64_t seq;
    qd_str parts[3]; /* stored one after the other; unused parts have n 0 */
} qd_log_record;

typedef struct qd_log_batch {
    const qd_log_record *records; /* with their bytes: borrowed until wait returned */
    size_t n;
    /* Only in a log that is part of a kv: changes of its keys, made before the records are there, in the same commit
     * where the store can: in LMDB both are there or neither, whenever the process ends. Borrowed likewise. `expected`
     * is QD_KV_ANY or QD_KV_KEEP: a batch that has its place in the order is not refused. */
    const qd_kv_item *changes;
    size_t n_changes;
    void (*done)(void *arg, qd_status st, const qd_error *err); /* may be NULL */
    void *arg;
    /* the log's own */
    void *prepared;
    struct qd_log_batch *next;
    qd_status st;
    bool finished;
    qd_error err;
} qd_log_batch;

/* Return false to end the walk early. `data` is a view valid during the call. */
typedef bool qd_log_visit_fn(void *arg, uint64_t seq, qd_str data);

typedef struct qd_log_vtable {
    void (*close)(qd_log *log);
    qd_status (*enqueue)(qd_log *log, qd_log_batch *batch, qd_error *err);
    qd_status (*wait)(qd_log *log, qd_log_batch *batch, qd_error *err);
    qd_status (*read_from)(qd_log *log, uint64_t first, qd_log_visit_fn *fn, void *arg, qd_error *err);
    qd_status (*read_one)(qd_log *log, uint64_t seq, qd_log_visit_fn *fn, void *arg, qd_error *err);
    qd_status (*trim)(qd_log *log, uint64_t up_to, qd_error *err);
    qd_status (*bounds)(qd_log *log, uint64_t *first, uint64_t *last, qd_error *err);
    qd_status (*reopen)(qd_log *log, qd_error *err);
} qd_log_vtable;
struct qd_log {
    const qd_log_vtable *v;
};

/* Opens (creating) a log on LMDB in `dir`; grows by itself up to `max_bytes`. Errors: QD_EIO. */
qd_status qd_log_lmdb_open(const char *dir, size_t max_bytes, qd_log **out, qd_error *err);

static inline void qd_log_close(qd_log *log)
{
    if (log)
        log->v->close(log);
}
/* Every batch that was enqueued must be waited for: its waiter may be the one who writes it. Errors: QD_EINVAL when the
 * sequence does not continue the last, or for changes that it cannot take; QD_EIO when an earlier batch failed;
 * QD_ETOOLARGE over half of max_bytes; QD_ENOMEM. */
static inline qd_status qd_log_enqueue(qd_log *log, qd_log_batch *b, qd_error *err)
{
    return log->v->enqueue(log, b, err);
}
static inline qd_status qd_log_wait(qd_log *log, qd_log_batch *b, qd_error *err)
{
    return log->v->wait(log, b, err);
}
/* Durable records with seq >= first, ascending. */
static inline qd_status qd_log_read_from(qd_log *log, uint64_t first, qd_log_visit_fn *fn, void *arg, qd_error *err)
{
    return log->v->read_from(log, first, fn, arg, err);
}
/* Errors: QD_ENOTFOUND when trimmed or not yet durable. */
static inline qd_status qd_log_read_one(qd_log *log, uint64_t seq, qd_log_visit_fn *fn, void *arg, qd_error *err)
{
    return log->v->read_one(log, seq, fn, arg, err);
}
/* Forgets records with seq <= up_to. Need not be durable at once: a record that comes back is harmless. */
static inline qd_status qd_log_trim(qd_log *log, uint64_t up_to, qd_error *err)
{
    return log->v->trim(log, up_to, err);
}
/* The lowest and highest seq present; both UINT64_MAX when empty. */
static inline qd_status qd_log_bounds(qd_log *log, uint64_t *first, uint64_t *last, qd_error *err)
{
    return log->v->bounds(log, first, last, err);
}
/* Closes what it has open and opens it again; appends go on behind what is durable. Waits for readers and for batches
 * that were enqueued; nobody may enqueue meanwhile. After an error nothing can be read (QD_EIO) until it succeeds. */
static inline qd_status qd_log_reopen(qd_log *log, qd_error *err)
{
    return log->v->reopen(log, err);
}

#endif
