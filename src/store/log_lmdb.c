/* SPDX-License-Identifier: Apache-2.0
 *
 * The log on LMDB: one database, key = sequence number (MDB_INTEGERKEY), value = the record's parts in a row. It has an
 * environment of its own, or a named database in that of a kv, whose keys its turns then change too.
 *
 * A turn is one write transaction: the batches queued when it starts are appended, and a bounded number of trimmed
 * records goes with the same fsync. Whoever waits and finds no turn running takes the next one. `done` callbacks run
 * after the turn let go of the writer, so that the next turn's fsync overlaps with them; `turns_done` keeps
 * them in sequence order across turns. */
#include <stdlib.h>

#include "store/log_lmdb_impl.h"

#define TURN_MAX_BYTES ((size_t)64 << 20) /* of records, but at least one batch */
#define TURN_MAX_TRIMS 8192               /* records forgotten per turn: fewer fsyncs, some 10 ms that appenders wait */

/* A batch's status while it is queued: its waiter may then take a turn. In a turn it is QD_OK until the outcome is
 * known. */
#define QUEUED QD_EBUSY

typedef struct turn {
    const qd_log_lmdb *log;
    qd_log_batch *head; /* in order; NULL: a turn that only trims */
    uint64_t trim_end, number;
    bool has_trimmed_all;
} turn;

static size_t record_bytes(const qd_log_record *r)
{
    return r->parts[0].n + r->parts[1].n + r->parts[2].n;
}

static size_t batch_bytes(const qd_log_batch *b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->n; i++)
        bytes += record_bytes(&b->records[i]);
    return bytes;
}

/* ---- writing ---- */

static int append_batch(MDB_txn *txn, MDB_dbi dbi, const qd_log_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const qd_log_record *r = &b->records[i];
        uint64_t seq = r->seq;
        MDB_val key = {sizeof seq, &seq}, value = {record_bytes(r), NULL};
        int rc = mdb_put(txn, dbi, &key, &value, MDB_APPEND | MDB_RESERVE);
        if (rc != 0)
            return rc;
        char *p = value.mv_data;
        for (size_t k = 0; k < 3; k++) {
            if (r->parts[k].n > 0)
                memcpy(p, r->parts[k].p, r->parts[k].n);
            p += r->parts[k].n;
        }
    }
    return 0;
}

static int trim_some(MDB_txn *txn, MDB_dbi dbi, uint64_t end, bool *all)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    *all = false;
    int rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    for (size_t n = 0; rc == 0 && n < TURN_MAX_TRIMS; n++) {
        if (qd_log_lmdb_seq(&key) >= end) {
            *all = true;
            break;
        }
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND)
        return rc;
    *all = true;
    return 0;
}

static int write_turn(void *arg, MDB_txn *txn)
{
    turn *t = arg;
    int rc = 0;
    for (const qd_log_batch *b = t->head; b && rc == 0; b = b->next) {
        rc = b->prepared ? qd_kv_changes_write(b->prepared, txn) : 0;
        if (rc == 0)
            rc = append_batch(txn, t->log->dbi, b);
    }
    if (rc == 0 && t->trim_end > 0)
        rc = trim_some(txn, t->log->dbi, t->trim_end, &t->has_trimmed_all);
    return rc;
}

/* The transaction of a turn with batches. */
static qd_status commit_turn(turn *t, qd_error *err)
{
    bool has_changes = false, may_exceed = false;
    for (const qd_log_batch *b = t->head; b; b = b->next) {
        has_changes |= b->prepared != NULL;
        may_exceed |= b->prepared && qd_kv_changes_delete(b->prepared);
    }
    if (has_changes)
        qd_kv_lmdb_lock(t->log->kv);
    qd_status st = qd_lmdb_write(t->log->l, write_turn, t, may_exceed, err);
    for (const qd_log_batch *b = t->head; b && st == QD_OK; b = b->next)
        if (b->prepared)
            qd_kv_changes_tell(b->prepared);
    if (has_changes)
        qd_kv_lmdb_unlock(t->log->kv);
    return st;
}

/* Takes batches off the queue for one turn. Called with the mutex. */
static void take_queue(qd_log_lmdb *log, turn *t)
{
    size_t bytes = 0;
    qd_log_batch *end = NULL;
    for (qd_log_batch *b = log->head; b; b = b->next) {
        bytes += batch_bytes(b);
        if (end && bytes > TURN_MAX_BYTES)
            break;
        end = b;
    }
    t->head = log->head;
    for (qd_log_batch *b = t->head; b; b = b == end ? NULL : b->next)
        b->st = QD_OK;
    if (end) {
        log->head = end->next;
        end->next = NULL;
    }
    if (!log->head)
        log->tail = NULL;
}

/* Without the mutex: `done` may take its time and the caller's locks. */
static void run_done(const turn *t, const qd_error *failure)
{
    for (const qd_log_batch *b = t->head; b; b = b->next) {
        if (b->done)
            b->done(b->arg, failure->code, failure->code == QD_OK ? NULL : failure);
    }
}

/* Gives finished batches back to their waiters. Called with the mutex. */
static void finish(const turn *t, const qd_error *failure)
{
    for (qd_log_batch *b = t->head, *next; b; b = next) {
        next = b->next;
        b->st = failure->code;
        b->err = *failure;
        b->finished = true;
    }
}

/* One turn, from taking the queue to the last `done`. Called with the mutex and no turn writing; returns with the
 * mutex. Errors: of trimming; those of appending go to the batches. */
static qd_status take_turn(qd_log_lmdb *log, bool *has_trimmed_all, qd_error *err)
{
    turn t = {.log = log, .trim_end = log->trim_end, .number = log->turns_started++};
    qd_error failure = log->closed;
    qd_status st = QD_OK;
    take_queue(log, &t);
    log->is_writing = true;
    pthread_mutex_unlock(&log->mutex);

    if (t.head && failure.code == QD_OK) {
        st = commit_turn(&t, &failure);
        if (st == QD_ELIMIT && t.trim_end > 0) { /* never fail an append for the sake of a trim */
            t.trim_end = 0;
            t.has_trimmed_all = false;
            failure = (qd_error)QD_ERROR_INIT;
            st = commit_turn(&t, &failure);
        }
        failure.code = st;
        st = QD_OK;
    } else if (t.trim_end > 0) {
        turn trims = t;
        trims.head = NULL;
        st = qd_lmdb_write(log->l, write_turn, &trims, true, err);
        t.has_trimmed_all = trims.has_trimmed_all;
    }

    pthread_mutex_lock(&log->mutex);
    log->is_writing = false;
    if (failure.code != QD_OK && log->closed.code == QD_OK)
        log->closed = failure;
    if (t.has_trimmed_all && log->trim_end == t.trim_end)
        log->trim_end = 0;
    pthread_cond_broadcast(&log->changed);
    while (log->turns_done != t.number)
        pthread_cond_wait(&log->changed, &log->mutex);
    pthread_mutex_unlock(&log->mutex);
    run_done(&t, &failure);
    pthread_mutex_lock(&log->mutex);
    log->turns_done++;
    finish(&t, &failure);
    pthread_cond_broadcast(&log->changed);
    if (has_trimmed_all)
        *has_trimmed_all = t.has_trimmed_all;
    return st;
}

/* ---- the interface ---- */

/* Checks a batch against what can be stored at all; called without the mutex. */
static qd_status check_batch(const qd_log_lmdb *log, const qd_log_batch *b, qd_error *err)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->records[i].seq == UINT64_MAX || b->records[i].seq != b->records[0].seq + i)
            return qd_fail(err, QD_EINVAL, "log '%s': record %zu of a batch has sequence number %llu, expected %llu",
                           log->dir, i, (unsigned long long)b->records[i].seq,
                           (unsigned long long)(b->records[0].seq + i));
    }
    /* Half of the room: what has been logged before must fit as well until it is trimmed. */
    size_t bytes = batch_bytes(b);
    if (bytes > log->max_bytes / 2)
        return qd_fail(err, QD_ETOOLARGE, "log '%s': a batch of %zu bytes, at most %zu fit", log->dir, bytes,
                       log->max_bytes / 2);
    if (b->n_changes > 0 && !log->kv)
        return qd_fail(err, QD_EINVAL, "log '%s': a batch with changes of keys, but it is part of no store", log->dir);
    for (size_t i = 0; i < b->n_changes; i++) {
        uint64_t expected = b->changes[i].expected;
        if (expected != QD_KV_ANY && expected != QD_KV_KEEP)
            return qd_fail(err, QD_EINVAL, "log '%s': change %zu of a batch depends on a revision", log->dir, i);
    }
    return QD_OK;
}

static qd_status log_enqueue(qd_log *base, qd_log_batch *b, qd_error *err)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    qd_kv_changes *changes = NULL;
    qd_status st = check_batch(log, b, err);
    if (st == QD_OK && b->n_changes > 0)
        st = qd_kv_changes_new(log->kv, b->changes, b->n_changes, &changes, err);
    if (st != QD_OK)
        return st;
    b->next = NULL;
    b->finished = false;
    b->st = QUEUED;
    pthread_mutex_lock(&log->mutex);
    if (log->closed.code != QD_OK) {
        st = qd_fail(err, QD_EIO, "log '%s' takes no more records until it is opened again, because one failed: %s",
                     log->dir, log->closed.message);
    } else if (b->n > 0 && log->has_last && b->records[0].seq != log->last + 1) {
        st = qd_fail(err, QD_EINVAL, "log '%s': sequence number %llu does not continue %llu", log->dir,
                     (unsigned long long)b->records[0].seq, (unsigned long long)log->last);
    } else {
        b->prepared = QD_TAKE(changes);
        if (log->tail)
            log->tail->next = b;
        else
            log->head = b;
        log->tail = b;
        if (b->n > 0) {
            log->has_last = true;
            log->last = b->records[b->n - 1].seq;
        }
    }
    pthread_mutex_unlock(&log->mutex);
    qd_kv_changes_free(changes);
    return st;
}

static qd_status log_wait(qd_log *base, qd_log_batch *b, qd_error *err)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    pthread_mutex_lock(&log->mutex);
    while (!b->finished) {
        if (!log->is_writing && b->st == QUEUED)
            take_turn(log, NULL, NULL);
        else
            pthread_cond_wait(&log->changed, &log->mutex);
    }
    pthread_mutex_unlock(&log->mutex);
    qd_kv_changes_free(b->prepared);
    b->prepared = NULL;
    if (b->st != QD_OK && err)
        *err = b->err;
    return b->st;
}

static qd_status log_trim(qd_log *base, uint64_t up_to, qd_error *err)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    qd_status st = QD_OK;
    uint64_t end = up_to == UINT64_MAX ? UINT64_MAX : up_to + 1;
    bool all = false;
    pthread_mutex_lock(&log->mutex);
    if (end > log->trim_end)
        log->trim_end = end;
    /* Turns of appenders trim too: done when nobody has anything left to forget. */
    while (st == QD_OK && !all && log->trim_end != 0) {
        if (log->is_writing || log->is_reopening)
            pthread_cond_wait(&log->changed, &log->mutex);
        else if (!log->l)
            st = qd_log_lmdb_fail_not_open(log, err);
        else
            st = take_turn(log, &all, err);
    }
    if (st != QD_OK)
        log->trim_end = 0;
    pthread_mutex_unlock(&log->mutex);
    return st;
}

/* ---- opening ---- */

/* *last: the last record's number, UINT64_MAX for none. *out of a log that is part of a kv is the kv's. */
static qd_status open_lmdb(const qd_log_lmdb *log, qd_lmdb **out, MDB_dbi *dbi, uint64_t *last, qd_error *err)
{
    qd_lmdb *l = NULL;
    MDB_txn *txn = NULL;
    uint64_t first;
    MDB_dbi db = 0;
    qd_status st = log->kv ? QD_OK : qd_lmdb_open(log->dir, "log", log->max_bytes, MDB_INTEGERKEY, &l, err);
    qd_lmdb *in = log->kv ? log->l : l;
    if (st == QD_OK && log->kv)
        st = qd_lmdb_open_database(in, log->dir, MDB_INTEGERKEY, &db, err);
    else if (st == QD_OK)
        db = l->dbi;
    if (st == QD_OK)
        st = qd_lmdb_begin_read(in, &txn, err);
    if (st == QD_OK) {
        int rc = qd_log_lmdb_find_bounds(txn, db, &first, last);
        if (rc != 0 && rc != MDB_NOTFOUND)
            st = qd_lmdb_fail(in, rc, "cannot read", err);
        qd_lmdb_end_read(in, txn);
    }
    if (st == QD_OK) {
        l = NULL;
        *out = in;
        *dbi = db;
    }
    qd_lmdb_close(l);
    return st;
}

static bool is_at_work(const qd_log_lmdb *log)
{
    return log->head || log->is_writing || log->turns_done != log->turns_started || log->n_readers > 0;
}

/* LMDB must not have a file open twice in a process: what is open is closed first. */
static qd_status log_reopen(qd_log *base, qd_error *err)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    qd_lmdb *l = NULL;
    MDB_dbi dbi = 0;
    uint64_t last = UINT64_MAX;
    qd_error failure = QD_ERROR_INIT;
    pthread_mutex_lock(&log->mutex);
    log->is_reopening = true;
    while (is_at_work(log))
        pthread_cond_wait(&log->changed, &log->mutex);
    log->trim_end = 0;
    pthread_mutex_unlock(&log->mutex);

    if (!log->kv)                       /* the kv's stays open */
        qd_lmdb_close(QD_TAKE(log->l)); /* everyone who would use it waits for is_reopening */
    qd_status st = open_lmdb(log, &l, &dbi, &last, &failure);

    pthread_mutex_lock(&log->mutex);
    failure.code = st;
    log->l = l || !log->kv ? l : log->l;
    log->dbi = dbi;
    log->closed = failure;
    log->has_last = st == QD_OK && last != UINT64_MAX;
    log->last = last;
    log->is_reopening = false;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    if (st != QD_OK && err)
        *err = failure;
    return st;
}

static void log_close(qd_log *base)
{
    qd_log_lmdb *log = qd_log_lmdb_of(base);
    if (!log->kv)
        qd_lmdb_close(log->l);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->mutex);
    free(log->dir);
    free(log);
}

static const qd_log_vtable vtable = {
    .close = log_close,
    .enqueue = log_enqueue,
    .wait = log_wait,
    .read_from = qd_log_lmdb_read_from,
    .read_one = qd_log_lmdb_read_one,
    .trim = log_trim,
    .bounds = qd_log_lmdb_bounds,
    .reopen = log_reopen,
};

/* `l` NULL: an environment of its own in `dir`; else `kv`'s, in which it is called `dir`. */
static qd_status open_log(const char *dir, qd_kv *kv, qd_lmdb *l, size_t max_bytes, qd_log **out, qd_error *err)
{
    uint64_t last = UINT64_MAX;
    qd_log_lmdb *log = calloc(1, sizeof *log);
    if (!log)
        return qd_fail_nomem(err);
    log->base.v = &vtable;
    log->kv = kv;
    log->l = l;
    log->max_bytes = max_bytes;
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->changed, NULL);
    log->dir = strdup(dir);
    qd_status st = log->dir ? open_lmdb(log, &log->l, &log->dbi, &last, err) : qd_fail_nomem(err);
    if (st != QD_OK) {
        log_close(&log->base);
        return st;
    }
    log->has_last = last != UINT64_MAX;
    log->last = last;
    *out = &log->base;
    return QD_OK;
}

qd_status qd_log_lmdb_open(const char *dir, size_t max_bytes, qd_log **out, qd_error *err)
{
    return open_log(dir, NULL, NULL, max_bytes, out, err);
}

qd_status qd_log_lmdb_open_in(qd_kv *kv, qd_lmdb *l, const char *name, size_t max_bytes, qd_log **out, qd_error *err)
{
    return open_log(name, kv, l, max_bytes, out, err);
}
