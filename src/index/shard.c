/* SPDX-License-Identifier: Apache-2.0 */
#include "index/shard.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/seam.h"
#include "index/searcher.h"

struct qd_shard {
    qe_index *engine;
    qd_mapping *mapping;           /* of the schema on disk; the writer's */
    pthread_mutex_t searcher_lock; /* held for a pointer's copy only */
    qd_searcher *searcher;
};

/* ---- schema ---- */

static qe_kind kind_of(qd_field_type t)
{
    static const qe_kind KINDS[] = {
        [QD_FIELD_TEXT] = QE_TEXT,    [QD_FIELD_KEYWORD] = QE_KEYWORD, [QD_FIELD_LONG] = QE_I64,
        [QD_FIELD_INTEGER] = QE_I64,  [QD_FIELD_DOUBLE] = QE_F64,      [QD_FIELD_FLOAT] = QE_F64,
        [QD_FIELD_BOOLEAN] = QE_BOOL, [QD_FIELD_DATE] = QE_DATE,       [QD_FIELD_GEO_POINT] = QE_F64,
    };
    return KINDS[t];
}

static qe_field_def define(const qd_field *f, char *name)
{
    return (qe_field_def){name, strlen(name), kind_of(f->type), f->indexed, f->has_column};
}

static void free_definitions(qe_field_def *defs, size_t n)
{
    for (size_t i = 0; defs && i < n; i++)
        free((char *)defs[i].name);
    free(defs);
}

/* The seam's fields from id `first` on; NULL when out of memory. */
static qe_field_def *definitions(const qd_mapping *m, uint32_t first)
{
    static const char *const HALVES[] = {".lat", ".lon"};
    size_t n = m->n_ids - first;
    qe_field_def *defs = calloc(n + 1, sizeof *defs);
    for (size_t i = 0; defs && i < m->n_fields; i++) {
        const qd_field *f = m->fields[i];
        bool is_point = f->type == QD_FIELD_GEO_POINT;
        for (uint32_t half = 0; half <= (uint32_t)is_point; half++) {
            char *name = NULL;
            if (f->id + half < first)
                continue;
            if (asprintf(&name, "%s%s", f->path, is_point ? HALVES[half] : "") < 0) {
                free_definitions(defs, n);
                return NULL;
            }
            defs[f->id + half - first] = define(f, name);
        }
    }
    return defs;
}

qd_status qd_shard_create(const char *dir, const qd_mapping *m, qd_error *err)
{
    qe_error seam = {0};
    qe_field_def *defs = definitions(m, 0);
    if (!defs)
        return qd_fail_nomem(err);
    int rc = qe_index_create(dir, strlen(dir), defs, m->n_ids, &seam);
    free_definitions(defs, m->n_ids);
    return qd_seam_status(rc, &seam, "cannot create the shard", err);
}

/* ---- the searcher ---- */

/* Opens a searcher on the last commit and makes it the current one. */
static qd_status renew_searcher(qd_shard *s, qd_error *err)
{
    qe_error seam = {0};
    qd_searcher *next = calloc(1, sizeof *next);
    if (!next)
        return qd_fail_nomem(err);
    int rc = qe_searcher_new(s->engine, &next->engine, &seam);
    if (rc != QE_OK) {
        free(next);
        return qd_seam_status(rc, &seam, "cannot open a searcher", err);
    }
    atomic_init(&next->refs, 1);
    next->mapping = qd_mapping_ref(s->mapping);
    pthread_mutex_lock(&s->searcher_lock);
    qd_searcher *last = s->searcher;
    s->searcher = next;
    pthread_mutex_unlock(&s->searcher_lock);
    qd_searcher_unref(last);
    return QD_OK;
}

qd_searcher *qd_shard_searcher(qd_shard *s)
{
    pthread_mutex_lock(&s->searcher_lock);
    qd_searcher *searcher = qd_searcher_ref(s->searcher);
    pthread_mutex_unlock(&s->searcher_lock);
    return searcher;
}

/* ---- opening ---- */

static qd_status extend_engine(qd_shard *s, const qd_mapping *m, uint32_t have, uint64_t payload, qd_error *err)
{
    qe_error seam = {0};
    qe_field_def *defs = definitions(m, have);
    if (!defs)
        return qd_fail_nomem(err);
    int rc = qe_index_extend(s->engine, defs, m->n_ids - have, payload, &seam);
    free_definitions(defs, m->n_ids - have);
    return qd_seam_status(rc, &seam, "cannot add fields to the shard", err);
}

static qd_status open_engine(qd_shard *s, const char *dir, size_t writer_memory_bytes, qd_error *err)
{
    qe_error seam = {0};
    qe_index_options options = {.writer_memory_bytes = writer_memory_bytes};
    size_t have = 0;
    int rc = qe_index_open(dir, strlen(dir), &options, &s->engine, &have, &seam);
    if (rc != QE_OK)
        return qd_seam_status(rc, &seam, "cannot open the shard", err);
    if (have > s->mapping->n_ids)
        return qd_fail(err, QD_EIO, "cannot open the shard: it has %zu fields, its mapping only %u", have,
                       s->mapping->n_ids);
    if (have < s->mapping->n_ids) /* stopped between writing the mapping and growing the schema */
        return extend_engine(s, s->mapping, (uint32_t)have, qe_index_payload(s->engine), err);
    return QD_OK;
}

qd_status qd_shard_open(const char *dir, qd_mapping *m, size_t writer_memory_bytes, qd_shard **out, qd_error *err)
{
    qd_shard *s = calloc(1, sizeof *s);
    if (!s)
        return qd_fail_nomem(err);
    pthread_mutex_init(&s->searcher_lock, NULL);
    s->mapping = qd_mapping_ref(m);
    qd_status st = open_engine(s, dir, writer_memory_bytes, err);
    if (st == QD_OK)
        st = renew_searcher(s, err);
    if (st == QD_OK)
        *out = QD_TAKE(s);
    qd_shard_close(s);
    return st;
}

qd_status qd_shard_reopen(qd_shard *s, const char *dir, qd_mapping *m, size_t writer_memory_bytes, qd_error *err)
{
    qe_index_close(QD_TAKE(s->engine));
    qd_mapping_unref(s->mapping);
    s->mapping = qd_mapping_ref(m);
    qd_status st = open_engine(s, dir, writer_memory_bytes, err);
    if (st != QD_OK)
        qe_index_close(QD_TAKE(s->engine));
    return st;
}

void qd_shard_close(qd_shard *s)
{
    if (!s)
        return;
    qd_searcher_unref(s->searcher);
    qe_index_close(s->engine);
    qd_mapping_unref(s->mapping);
    pthread_mutex_destroy(&s->searcher_lock);
    free(s);
}

/* ---- writing ---- */

qd_status qd_shard_extend(qd_shard *s, qd_mapping *m, uint64_t payload, qd_error *err)
{
    uint32_t have = s->mapping->n_ids;
    qd_status st = m->n_ids > have ? extend_engine(s, m, have, payload, err) : qd_shard_commit(s, payload, err);
    if (st != QD_OK)
        return st;
    qd_mapping_unref(s->mapping);
    s->mapping = qd_mapping_ref(m);
    return renew_searcher(s, err);
}

qd_status qd_shard_add(qd_shard *s, qe_doc *doc, qd_str id, int64_t seq_no, int64_t version, qd_str source,
                       bool replaces, qd_error *err)
{
    qe_error seam = {0};
    if (replaces) {
        qd_status st = qd_shard_delete(s, id, err);
        if (st != QD_OK) {
            qe_doc_free(doc);
            return st;
        }
    }
    int rc = qe_index_add(s->engine, doc, id.p, id.n, seq_no, version, source.p, source.n, &seam);
    return qd_seam_status(rc, &seam, "cannot add a document", err);
}

qd_status qd_shard_delete(qd_shard *s, qd_str id, qd_error *err)
{
    qe_error seam = {0};
    int rc = qe_index_delete(s->engine, id.p, id.n, &seam);
    return qd_seam_status(rc, &seam, "cannot delete a document", err);
}

qd_status qd_shard_commit(qd_shard *s, uint64_t payload, qd_error *err)
{
    qe_error seam = {0};
    int rc = qe_index_commit(s->engine, payload, &seam);
    if (rc != QE_OK)
        return qd_seam_status(rc, &seam, "cannot commit", err);
    return renew_searcher(s, err);
}

uint64_t qd_shard_payload(const qd_shard *s)
{
    return qe_index_payload(s->engine);
}

qd_status qd_shard_force_merge(qd_shard *s, uint32_t max_segments, qd_error *err)
{
    qe_error seam = {0};
    int rc = qe_index_force_merge(s->engine, max_segments, &seam);
    return qd_seam_status(rc, &seam, "cannot merge segments", err);
}

qd_status qd_shard_renew(qd_shard *s, qd_error *err)
{
    return renew_searcher(s, err);
}

qd_status qd_shard_rest(qd_shard *s, bool *is_resting, qd_error *err)
{
    qe_error seam = {0};
    int rc = qe_index_rest(s->engine, is_resting, &seam);
    return qd_seam_status(rc, &seam, "cannot let go of the shard's writer", err);
}
