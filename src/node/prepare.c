/* SPDX-License-Identifier: Apache-2.0 */
#include "node/prepare.h"

#include <stdlib.h>

#include "index/document.h"

#define MAX_SOURCE_BYTES ((size_t)100 << 20)

/* ---- checking ---- */

static qd_status check_op(qd_op *op)
{
    if (op->source.n > MAX_SOURCE_BYTES)
        return qd_fail(&op->error, QD_ETOOLARGE, "document '%.*s' is %zu bytes long, at most %zu are taken",
                       QD_STR_FMT(op->id), op->source.n, MAX_SOURCE_BYTES);
    if (op->id.n > QD_ID_MAX_BYTES)
        return qd_fail(&op->error, QD_EINVAL, "id [%.*s] is too long, must be no longer than %d bytes but was: %zu",
                       QD_STR_FMT(op->id), QD_ID_MAX_BYTES, op->id.n);
    if (op->id.n == 0 && op->type == QD_OP_DELETE)
        return qd_fail(&op->error, QD_EINVAL, "Validation Failed: 1: id is missing;");
    if (op->if_seq_no != QD_SEQ_ANY && (op->id.n == 0 || op->type == QD_OP_CREATE))
        return qd_fail(&op->error, QD_EINVAL,
                       "Validation Failed: 1: compare and write operations need an id and cannot be creations;");
    if (!qd_str_is_utf8(op->id))
        return qd_fail(&op->error, QD_EINVAL, "a document's id must be UTF-8");
    return QD_OK;
}

static void start_op(qd_op *op, qd_prepared *p)
{
    op->status = QD_OK;
    op->error = (qd_error)QD_ERROR_INIT;
    op->seq_no = -1;
    op->version = 0;
    op->created = op->found = false;
    op->result_id = op->id;
    op->status = check_op(op);
    if (op->status != QD_OK || op->id.n > 0)
        return;
    op->status = qd_auto_id(op->generated_id, &op->error);
    op->result_id = qd_str_of(op->generated_id);
    p->is_new_id = true;
}

qd_status qd_prepare_init(qd_preparation *p, qd_index *ix, qd_op *ops, size_t n, qd_error *err)
{
    *p = (qd_preparation){.ix = ix, .ops = ops, .n = n, .prepared = calloc(n + 1, sizeof *p->prepared)};
    if (!p->prepared)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        start_op(&ops[i], &p->prepared[i]);
    return QD_OK;
}

void qd_prepare_deinit(qd_preparation *p)
{
    for (size_t i = 0; p->prepared && i < p->n; i++)
        qe_doc_free(p->prepared[i].doc);
    free(p->prepared);
    qd_searcher_unref(p->searcher);
}

/* ---- documents ---- */

static bool is_document(const qd_preparation *p, size_t i)
{
    return p->ops[i].type != QD_OP_DELETE && p->ops[i].status == QD_OK;
}

/* Parses one document. A document that brings new fields leaves `*additions` (owned by caller) and no doc. */
static void parse(qd_preparation *p, size_t i, const qd_mapping *m, json_t **additions)
{
    qd_op *op = &p->ops[i];
    qd_prepared *d = &p->prepared[i];
    qe_doc_free(d->doc);
    d->doc = NULL;
    op->status = qd_document_parse_named(m, op->result_id, op->source, &d->doc, additions, &op->error);
    d->needs_fields = op->status == QD_OK && !d->doc;
}

/* True: some documents need fields that `m` lacks; the rest of the documents waits for them. */
static bool parse_all(qd_preparation *p, const qd_mapping *m, uint64_t generation)
{
    for (size_t i = 0; i < p->n; i++) {
        qd_prepared *d = &p->prepared[i];
        json_t *additions = NULL;
        if (!is_document(p, i) || (d->doc && d->generation == generation))
            continue;
        parse(p, i, m, &additions);
        json_decref(additions);
        d->generation = generation;
        if (d->needs_fields)
            return true;
    }
    return false;
}

/* Parses one document, adding to *m what it needs. The document fails alone when that cannot be added. */
static void parse_growing(qd_preparation *p, size_t i, qd_mapping **m)
{
    qd_op *op = &p->ops[i];
    json_t *additions = NULL;
    qd_mapping *grown = NULL;
    parse(p, i, *m, &additions);
    if (p->prepared[i].needs_fields) {
        op->status = qd_mapping_merge(*m, additions, &grown, &op->error);
        json_decref(additions);
        additions = NULL;
        if (op->status != QD_OK)
            return;
        qd_mapping_unref(*m);
        *m = grown;
        parse(p, i, *m, &additions);
        if (p->prepared[i].needs_fields) {
            json_decref(additions);
            op->status =
                qd_fail(&op->error, QD_EINTERNAL, "document '%.*s': its new fields could not be added to the mapping",
                        QD_STR_FMT(op->result_id));
        }
    }
}

/* All new fields of a request become one change of the mapping. Documents parsed with the mapping as it became at last
 * need not be parsed again. */
static qd_status grow(qd_preparation *p, qd_error *err)
{
    uint64_t generation;
    pthread_mutex_lock(&p->ix->growth_mutex);
    qd_mapping *current = qd_index_current_mapping(p->ix, &generation), *m = qd_mapping_ref(current);
    size_t last_growth = 0;
    for (size_t i = 0; i < p->n; i++) {
        const qd_mapping *before = m;
        if (is_document(p, i) && !(p->prepared[i].doc && p->prepared[i].generation == generation))
            parse_growing(p, i, &m);
        if (m != before)
            last_growth = i;
    }
    qd_status st = m == current ? QD_OK : qd_index_grow(p->ix, m, err);
    if (m != current)
        generation++; /* under growth_mutex: nobody else counts it up */
    for (size_t i = last_growth; i < p->n; i++)
        p->prepared[i].generation = generation;
    pthread_mutex_unlock(&p->ix->growth_mutex);
    qd_mapping_unref(m);
    qd_mapping_unref(current);
    return st;
}

qd_status qd_prepare_documents(qd_preparation *p, qd_error *err)
{
    for (;;) {
        qd_mapping *m = qd_index_current_mapping(p->ix, &p->generation);
        bool needs_fields = parse_all(p, m, p->generation);
        qd_mapping_unref(m);
        if (!needs_fields)
            return QD_OK;
        qd_status st = grow(p, err);
        if (st != QD_OK)
            return st;
    }
}

/* ---- ids ---- */

qd_status qd_prepare_lookups(qd_preparation *p, qd_error *err)
{
    qd_searcher *s = qd_index_searcher(p->ix);
    qd_status st = QD_OK;
    if (s == p->searcher) {
        qd_searcher_unref(s);
        return QD_OK;
    }
    bool is_empty = qd_searcher_segments(s) == 0;
    for (size_t i = 0; i < p->n && st == QD_OK; i++) {
        p->prepared[i].found = (qd_found){0};
        if (!is_empty && p->ops[i].status == QD_OK && !p->prepared[i].is_new_id)
            st = qd_searcher_find(s, p->ops[i].result_id, &p->prepared[i].found, err);
    }
    qd_searcher_unref(p->searcher);
    p->searcher = st == QD_OK ? s : NULL; /* half of them would pass for documents that are not there */
    if (st != QD_OK)
        qd_searcher_unref(s);
    return st;
}
