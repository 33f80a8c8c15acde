/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/audit.h"

#include <stdlib.h>

#include "udf/audit_impl.h"

#define ZERO_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"

/* Pages that are not full and pages of readers come on top of the entries; it is address space, not disk. */
#define LOG_MAX_BYTES(max) ((max)*4 + ((size_t)64 << 20))

/* ---- the log ----------------------------------------------------------------------------------------------------- */

static bool take_record(void *arg, uint64_t seq, qd_str data)
{
    qd_audit_record *r = arg;
    if (!qd_audit_record_decode(seq, data, r))
        *r = (qd_audit_record){.seq = seq, .prev = ZERO_DIGEST, .digest = ZERO_DIGEST};
    memset(r->text, 0, sizeof r->text); /* views that end here */
    return true;
}

/* The chain's end as the log has it. A damaged last entry is no reason to record nothing more: the chain goes on behind
 * it, and qd_audit_verify names it. */
static qd_status read_chain(qd_log *log, qd_audit_chain *out, qd_error *err)
{
    uint64_t first, last;
    qd_audit_record oldest = {0}, newest = {0};
    qd_audit_chain c = {.first_seq = 1, .next_seq = 1, .last_at_ms = INT64_MIN, .digest = ZERO_DIGEST};
    qd_status st = qd_log_bounds(log, &first, &last, err);
    if (st == QD_OK && last != UINT64_MAX) {
        st = qd_log_read_one(log, first, take_record, &oldest, err);
        if (st == QD_OK)
            st = qd_log_read_one(log, last, take_record, &newest, err);
        c.first_seq = first;
        c.next_seq = last + 1;
        c.start_bytes = oldest.end_bytes; /* without the first one: a little less than there is */
        c.end_bytes = newest.end_bytes > oldest.end_bytes ? newest.end_bytes : oldest.end_bytes;
        c.last_at_ms = newest.at_ms;
        memcpy(c.digest, newest.digest, sizeof c.digest);
    }
    if (st == QD_OK)
        *out = c;
    return st;
}

static qd_status open_log(qd_audit *a, qd_error *err)
{
    qd_status st = a->open(a->open_arg, LOG_MAX_BYTES(a->options.max_bytes), &a->log, err);
    if (st == QD_OK)
        st = read_chain(a->log, &a->chain, err);
    if (st != QD_OK && a->log) {
        qd_log_close(a->log);
        a->log = NULL;
    }
    a->is_broken = st != QD_OK;
    if (st != QD_OK)
        qd_error_prefix(err, "the audit log: ");
    return st;
}

/* A log that failed takes nothing more, so it is closed and opened: what made it fail may be gone (a full disk), or
 * have been the change that came with an entry (a full store). */
static qd_status reopen(qd_audit *a, qd_error *err)
{
    qd_status st = QD_OK;
    pthread_rwlock_wrlock(&a->log_lock);
    pthread_mutex_lock(&a->chain_mutex);
    if (a->is_broken) { /* nobody was faster */
        qd_log_close(a->log);
        a->log = NULL;
        st = open_log(a, err);
    }
    pthread_mutex_unlock(&a->chain_mutex);
    pthread_rwlock_unlock(&a->log_lock);
    return st;
}

qd_status qd_audit_begin_read(qd_audit *a, qd_log **log, qd_error *err)
{
    pthread_rwlock_rdlock(&a->log_lock);
    if (a->log) {
        *log = a->log;
        return QD_OK;
    }
    pthread_rwlock_unlock(&a->log_lock);
    return qd_fail(err, QD_EIO, "the audit log could not be opened again after an error; see the server's log");
}

void qd_audit_end_read(qd_audit *a)
{
    pthread_rwlock_unlock(&a->log_lock);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Links the records to the chain and encodes them into `bytes`. Called with chain_mutex; `next`: the chain after. */
static qd_status link_records(const qd_audit *a, const qd_audit_batch *b, qd_log_record *out, char *bytes,
                              qd_audit_chain *next, qd_error *err)
{
    qd_audit_chain c = a->chain;
    int64_t now = a->options.wall_ms();
    for (size_t i = 0; i < b->n; i++) {
        qd_audit_record *r = &b->records[i];
        size_t length = qd_audit_record_bytes(r);
        r->seq = c.next_seq++;
        r->at_ms = c.last_at_ms = now > c.last_at_ms ? now : c.last_at_ms;
        r->end_bytes = c.end_bytes += length;
        memcpy(r->prev, c.digest, sizeof r->prev);
        qd_status st = qd_audit_record_digest(r, r->digest, err);
        if (st != QD_OK)
            return st;
        memcpy(c.digest, r->digest, sizeof c.digest);
        qd_audit_record_encode(r, bytes);
        out[i] = (qd_log_record){.seq = r->seq, .parts = {{bytes, length}}};
        bytes += length;
    }
    *next = c;
    return QD_OK;
}

/* One attempt; called with log_lock shared. */
static qd_status write_records(qd_audit *a, const qd_audit_batch *b, qd_log_record *linked, char *bytes, qd_error *err)
{
    qd_log_batch batch = {.records = linked, .n = b->n, .changes = b->changes, .n_changes = b->n_changes};
    qd_audit_chain next;
    pthread_mutex_lock(&a->chain_mutex);
    qd_status st = a->is_broken ? qd_fail(err, QD_EIO, "a write before it failed") : QD_OK;
    bool is_enqueued = false;
    if (st == QD_OK)
        st = link_records(a, b, linked, bytes, &next, err);
    if (st == QD_OK) {
        st = qd_log_enqueue(a->log, &batch, err);
        is_enqueued = st == QD_OK;
        if (is_enqueued)
            a->chain = next;
        else
            a->is_broken = true;
    }
    pthread_mutex_unlock(&a->chain_mutex);
    if (!is_enqueued)
        return st;
    st = qd_log_wait(a->log, &batch, err);
    if (st != QD_OK) {
        pthread_mutex_lock(&a->chain_mutex);
        a->is_broken = true;
        pthread_mutex_unlock(&a->chain_mutex);
    }
    return st;
}

static bool is_broken(qd_audit *a)
{
    pthread_mutex_lock(&a->chain_mutex);
    bool answer = a->is_broken;
    pthread_mutex_unlock(&a->chain_mutex);
    return answer;
}

/* Where the running sum passes `bytes`: records up to there are to go. Errors: QD_ENOTFOUND when they are gone. */
static qd_status find_trim(qd_log *log, uint64_t low, uint64_t high, uint64_t bytes, uint64_t *out)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        qd_audit_record r;
        qd_status st = qd_log_read_one(log, middle, take_record, &r, NULL);
        if (st != QD_OK)
            return st;
        if (r.end_bytes < bytes)
            low = middle + 1;
        else
            high = middle;
    }
    *out = low;
    return QD_OK;
}

/* Forgets the oldest entries down to 7/8 of the limit, so that it happens rarely; one thread at a time. A trim that
 * fails is tried again with the next entry. Called with log_lock shared. */
static void trim(qd_audit *a)
{
    pthread_mutex_lock(&a->chain_mutex);
    qd_audit_chain c = a->chain;
    bool is_due = !a->is_trimming && c.end_bytes > c.start_bytes + a->options.max_bytes;
    a->is_trimming |= is_due;
    pthread_mutex_unlock(&a->chain_mutex);
    if (!is_due)
        return;
    uint64_t up_to = 0, keep = a->options.max_bytes / 8 * 7;
    qd_audit_record r = {0};
    bool is_done = find_trim(a->log, c.first_seq, c.next_seq - 1, c.end_bytes - keep, &up_to) == QD_OK &&
                   qd_log_read_one(a->log, up_to, take_record, &r, NULL) == QD_OK &&
                   qd_log_trim(a->log, up_to, NULL) == QD_OK;
    pthread_mutex_lock(&a->chain_mutex);
    a->is_trimming = false;
    if (is_done) {
        a->chain.first_seq = up_to + 1;
        a->chain.start_bytes = r.end_bytes;
    }
    pthread_mutex_unlock(&a->chain_mutex);
}

qd_status qd_audit_write(qd_audit *a, const qd_audit_batch *b, qd_error *err)
{
    size_t bytes_n = 0;
    for (size_t i = 0; i < b->n; i++)
        bytes_n += qd_audit_record_bytes(&b->records[i]);
    qd_log_record *linked = calloc(b->n, sizeof *linked);
    char *bytes = malloc(bytes_n);
    qd_status st = linked && bytes ? QD_OK : qd_fail_nomem(err);
    if (st == QD_OK && is_broken(a))
        st = reopen(a, err);
    if (st == QD_OK) {
        pthread_rwlock_rdlock(&a->log_lock);
        st = write_records(a, b, linked, bytes, err);
        if (st == QD_OK)
            trim(a);
        else
            qd_error_prefix(err, "the audit log could not be written: ");
        pthread_rwlock_unlock(&a->log_lock);
    }
    free(bytes);
    free(linked);
    return st;
}

qd_status qd_audit_append(qd_audit *a, const qd_audit_entry *e, qd_error *err)
{
    qd_audit_record r;
    if (!a)
        return QD_OK;
    qd_audit_record_from(e, &r);
    if (e->outcome == QD_AUDIT_OK)
        return qd_audit_write(a, &(qd_audit_batch){.records = &r, .n = 1}, err);
    qd_audit_notes_add(a, &r);
    return QD_OK;
}

qd_status qd_audit_commit(qd_audit *a, const qd_audit_entry *e, const qd_kv_item *changes, size_t n, qd_error *err)
{
    qd_audit_record r;
    qd_audit_record_from(e, &r);
    return qd_audit_write(a, &(qd_audit_batch){.records = &r, .n = 1, .changes = changes, .n_changes = n}, err);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static qd_status open_in_kv(void *arg, size_t max_bytes, qd_log **out, qd_error *err)
{
    return qd_kv_open_log(arg, "audit", max_bytes, out, err);
}

qd_status qd_audit_open_with(qd_audit_opener *open, void *open_arg, const qd_audit_options *o, qd_audit **out,
                             qd_error *err)
{
    if (o->max_bytes < QD_AUDIT_MIN_BYTES)
        return qd_fail(err, QD_EINVAL, "the audit log: expected room for at least %u bytes (audit.max_bytes), got %zu",
                       QD_AUDIT_MIN_BYTES, o->max_bytes);
    qd_audit *a = calloc(1, sizeof *a);
    if (!a)
        return qd_fail_nomem(err);
    a->options = *o;
    a->open = open;
    a->open_arg = open_arg;
    pthread_rwlock_init(&a->log_lock, NULL);
    pthread_mutex_init(&a->chain_mutex, NULL);
    qd_status st = open_log(a, err);
    if (st == QD_OK)
        st = qd_audit_notes_init(a, err);
    if (st == QD_OK)
        *out = QD_TAKE(a);
    qd_audit_close(a);
    return st;
}

qd_status qd_audit_open(qd_kv *kv, const qd_audit_options *o, qd_audit **out, qd_error *err)
{
    return qd_audit_open_with(open_in_kv, kv, o, out, err);
}

void qd_audit_close(qd_audit *a)
{
    if (!a)
        return;
    qd_audit_notes_deinit(a);
    qd_log_close(a->log);
    pthread_mutex_destroy(&a->chain_mutex);
    pthread_rwlock_destroy(&a->log_lock);
    free(a);
}
