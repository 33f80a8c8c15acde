/* SPDX-License-Identifier: Apache-2.0
 *
 * The write path of an index, top to bottom: prepare without a lock, order under write_mutex, wait for the log, apply
 * when durable. */
#include <stdlib.h>

#include "base/clock.h"
#include "node/index_internal.h"
#include "node/prepare.h"
#include "node/record.h"

/* One operation that has its place in the order. */
typedef struct ordered {
    size_t op;
    qd_record record;
    uint8_t header[QD_RECORD_HEADER_SIZE];
} ordered;

typedef struct batch {
    qd_index *ix;
    qd_op *ops;
    size_t n;
    qd_preparation preparation;
    ordered *ordered;
    qd_log_record *records;
    size_t n_ordered;
    int64_t first_seq_no;
    uint64_t request_bytes; /* no fewer than `bytes` will be */
    uint64_t bytes;
    qd_log_batch log_batch;
    qd_status applied; /* set by on_durable */
    qd_error apply_error;
} batch;

/* ---- applying, when durable ---- */

static qd_status apply_one(batch *b, const ordered *o, int64_t seq_no, qd_error *err)
{
    qd_shard *shard = b->ix->shard;
    const qd_record *r = &o->record;
    if (r->is_delete)
        return r->replaces ? qd_shard_delete(shard, r->id, err) : QD_OK;
    qe_doc *doc = QD_TAKE(b->preparation.prepared[o->op].doc);
    return qd_shard_add(shard, doc, r->id, seq_no, r->version, r->source, r->replaces, err);
}

static void mark_dirty(qd_index *ix)
{
    bool is_urgent = qd_index_has_much_waiting(ix) && !atomic_exchange(&ix->is_urgent, true);
    bool was_dirty = atomic_load(&ix->is_dirty);
    if (!was_dirty) {
        atomic_store(&ix->dirty_since_ns, qd_clock_mono_ns());
        atomic_store(&ix->is_dirty, true);
    }
    if ((!was_dirty || is_urgent) && ix->host.wants_refresh)
        ix->host.wants_refresh(ix->host.arg, is_urgent);
}

/* The log calls this for each batch, in sequence order. Nothing of a batch is applied once the index has failed: a
 * later commit would otherwise claim to contain what is missing. */
static void on_durable(void *arg, qd_status st, const qd_error *failure)
{
    batch *b = arg;
    qd_index *ix = b->ix;
    if (st != QD_OK)
        qd_index_fail(ix, failure);
    pthread_mutex_lock(&ix->apply_mutex);
    b->applied = qd_index_check_failure(ix, &b->apply_error);
    for (size_t i = 0; i < b->n_ordered && b->applied == QD_OK; i++) {
        qd_error err = QD_ERROR_INIT;
        if (apply_one(b, &b->ordered[i], b->first_seq_no + (int64_t)i, &err) != QD_OK) {
            qd_index_fail(ix, &err);
            b->applied = qd_index_check_failure(ix, &b->apply_error);
        }
    }
    if (b->applied == QD_OK) {
        ix->applied_bytes += b->bytes;
        qd_index_set_applied(ix, b->first_seq_no + (int64_t)b->n_ordered - 1);
        mark_dirty(ix);
    }
    pthread_mutex_unlock(&ix->apply_mutex);
}

/* ---- ordering, under write_mutex ---- */

typedef struct current {
    bool exists, is_known; /* is_known: a deletion is remembered */
    int64_t seq_no, version;
} current;

/* First the version map, then the searcher, which must be the current one after the map was asked: a refresh takes
 * entries out of the map when a newer searcher has them. */
static qd_status find_current(batch *b, size_t i, current *out, qd_error *err)
{
    const qd_prepared *p = &b->preparation.prepared[i];
    qd_version v;
    *out = (current){0};
    if (p->is_new_id)
        return QD_OK;
    if (qd_versions_get(b->ix->versions, b->ops[i].result_id, &v)) {
        *out = (current){!v.is_deleted, true, v.seq_no, v.version};
        return QD_OK;
    }
    qd_status st = qd_prepare_lookups(&b->preparation, err);
    if (st == QD_OK)
        *out = (current){p->found.found, p->found.found, p->found.seq_no, p->found.version};
    return st;
}

static qd_status check_conflict(qd_op *op, const current *now)
{
    if (op->type == QD_OP_CREATE && now->exists)
        return qd_fail(&op->error, QD_ECONFLICT,
                       "[%.*s]: version conflict, document already exists (current version [%lld])",
                       QD_STR_FMT(op->result_id), (long long)now->version);
    if (op->if_seq_no == QD_SEQ_ANY || (now->exists && op->if_seq_no == now->seq_no && op->if_primary_term == 1))
        return QD_OK;
    if (!now->exists)
        return qd_fail(
            &op->error, QD_ECONFLICT,
            "[%.*s]: version conflict, required seqNo [%lld], primary term [%lld]. but no document was found",
            QD_STR_FMT(op->result_id), (long long)op->if_seq_no, (long long)op->if_primary_term);
    return qd_fail(
        &op->error, QD_ECONFLICT,
        "[%.*s]: version conflict, required seqNo [%lld], primary term [%lld]. current document has seqNo [%lld] and "
        "primary term [1]",
        QD_STR_FMT(op->result_id), (long long)op->if_seq_no, (long long)op->if_primary_term, (long long)now->seq_no);
}

/* Gives the operation its sequence number and version, and a record. */
static void order_one(batch *b, size_t i)
{
    qd_op *op = &b->ops[i];
    current now;
    bool is_delete = op->type == QD_OP_DELETE;
    op->status = find_current(b, i, &now, &op->error);
    if (op->status == QD_OK)
        op->status = check_conflict(op, &now);
    if (op->status != QD_OK)
        return;
    int64_t seq_no = b->first_seq_no + (int64_t)b->n_ordered, version = now.is_known ? now.version + 1 : 1;
    if (!qd_versions_put(b->ix->versions, op->result_id, (qd_version){seq_no, version, is_delete})) {
        op->status = qd_fail_nomem(&op->error);
        return;
    }
    op->seq_no = seq_no;
    op->version = version;
    op->created = !is_delete && !now.exists;
    op->found = now.exists;
    ordered *o = &b->ordered[b->n_ordered];
    o->op = i;
    o->record = (qd_record){is_delete, now.exists, version, op->result_id, is_delete ? (qd_str){"", 0} : op->source};
    qd_record_write_header(&o->record, o->header);
    b->records[b->n_ordered++] =
        (qd_log_record){(uint64_t)seq_no, {{(char *)o->header, sizeof o->header}, o->record.id, o->record.source}};
    b->bytes += sizeof o->header + o->record.id.n + o->record.source.n;
}

static qd_status enqueue(batch *b, qd_error *err)
{
    qd_index *ix = b->ix;
    qd_error failure = QD_ERROR_INIT;
    /* Before the log has it: a commit that contains it subtracts the same. */
    atomic_fetch_add(&ix->waiting_ops, b->n_ordered);
    atomic_fetch_add(&ix->waiting_bytes, b->bytes);
    b->log_batch = (qd_log_batch){.records = b->records, .n = b->n_ordered, .done = on_durable, .arg = b};
    if (qd_log_enqueue(ix->log, &b->log_batch, &failure) != QD_OK) {
        /* The version map knows of operations that will never be: only opening again puts that right. */
        qd_index_fail(ix, &failure);
        return qd_index_check_failure(ix, err);
    }
    ix->next_seq_no += (int64_t)b->n_ordered;
    return QD_OK;
}

/* What keeps a batch from being ordered now. */
typedef enum obstacle {
    CLEAR,
    STALE, /* the mapping has changed since the documents were parsed */
    FULL,  /* too much waits for a refresh */
} obstacle;

/* Under write_mutex. */
static qd_status order_all(batch *b, obstacle *out, qd_error *err)
{
    qd_index *ix = b->ix;
    uint64_t generation;
    if (ix->is_deleted)
        return qd_fail(err, QD_EINDEX_NOTFOUND, "no such index [%s]", ix->name);
    qd_status st = qd_index_check_failure(ix, err);
    if (st != QD_OK)
        return st;
    qd_mapping_unref(qd_index_current_mapping(ix, &generation));
    *out = generation != b->preparation.generation         ? STALE
           : qd_index_has_room(ix, b->n, b->request_bytes) ? CLEAR
                                                           : FULL;
    if (*out != CLEAR)
        return QD_OK;
    b->first_seq_no = ix->next_seq_no;
    for (size_t i = 0; i < b->n; i++)
        if (b->ops[i].status == QD_OK)
            order_one(b, i);
    return b->n_ordered > 0 ? enqueue(b, err) : QD_OK;
}

/* Writers outrun the refresher: this one does its work, once what was ordered before is durable. */
static qd_status make_room(qd_index *ix, int64_t last_seq_no, qd_error *err)
{
    qd_status st = qd_index_wait_applied(ix, last_seq_no, err);
    return st == QD_OK ? qd_index_refresh(ix, err) : st;
}

static qd_status order(batch *b, qd_error *err)
{
    qd_index *ix = b->ix;
    obstacle met = STALE;
    while (met != CLEAR) {
        qd_status st = qd_prepare_documents(&b->preparation, err);
        if (st == QD_OK)
            st = qd_prepare_lookups(&b->preparation, err);
        if (st != QD_OK)
            return st;
        pthread_mutex_lock(&ix->write_mutex);
        int64_t last_seq_no = ix->next_seq_no - 1;
        st = order_all(b, &met, err);
        pthread_mutex_unlock(&ix->write_mutex);
        if (st == QD_OK && met == FULL)
            st = make_room(ix, last_seq_no, err);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

/* ---- the whole ---- */

static void count(batch *b)
{
    uint64_t deleted = 0;
    for (size_t i = 0; i < b->n_ordered; i++)
        deleted += b->ordered[i].record.is_delete;
    atomic_fetch_add_explicit(&b->ix->counters.indexed, b->n_ordered - deleted, memory_order_relaxed);
    atomic_fetch_add_explicit(&b->ix->counters.deleted, deleted, memory_order_relaxed);
}

static qd_status check_size(batch *b, qd_error *err)
{
    size_t bytes = 0, max = b->ix->host.max_log_bytes / 4;
    for (size_t i = 0; i < b->n; i++)
        bytes += QD_RECORD_HEADER_SIZE + (b->ops[i].id.n ? b->ops[i].id.n : QD_AUTO_ID_SIZE) + b->ops[i].source.n;
    if (bytes > max)
        return qd_fail(err, QD_ETOOLARGE,
                       "index '%s': the request holds %zu bytes of documents, at most %zu are taken at once",
                       b->ix->name, bytes, max);
    b->request_bytes = bytes;
    return QD_OK;
}

qd_status qd_index_write(qd_index *ix, qd_op *ops, size_t n, qd_error *err)
{
    batch b = {.ix = ix, .ops = ops, .n = n};
    qd_status st = check_size(&b, err);
    if (st == QD_OK)
        st = qd_index_check_failure(ix, err); /* at once: opening it again holds write_mutex */
    if (st != QD_OK || n == 0)
        return st;
    st = qd_prepare_init(&b.preparation, ix, ops, n, err);
    b.ordered = calloc(n, sizeof *b.ordered);
    b.records = calloc(n, sizeof *b.records);
    if (st == QD_OK && (!b.ordered || !b.records))
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        st = order(&b, err);
    if (st == QD_OK && b.n_ordered > 0) {
        (void)qd_log_wait(ix->log, &b.log_batch, NULL); /* on_durable was told how it went */
        st = b.applied;
        if (st != QD_OK && err)
            *err = b.apply_error;
        if (st == QD_OK)
            count(&b);
    }
    qd_prepare_deinit(&b.preparation);
    free(b.ordered);
    free(b.records);
    return st;
}
