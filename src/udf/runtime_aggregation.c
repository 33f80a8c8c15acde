/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregations of the public runtime: an aggregator over what is being fed at the moment, columns or JSON documents.
 * When that changes, or a field's type does, the state goes on as bytes in a fresh aggregator: the way that states take
 * between segments too, so order is kept and nothing is done in a second way.
 *
 * A state that leaves is packed: MAGIC, the digest (hex) of module, label and state, the label's length, the label, the
 * state. It may come back years later, to another version of the function, whose memory has another layout. */
#include <stdlib.h>

#include "base/clock.h"
#include "udf/aggregate.h"
#include "udf/column_docs.h"
#include "udf/json_docs.h"
#include "udf/runtime.h"

#define MAGIC            "QDSTATE1"
#define MAGIC_BYTES      (sizeof MAGIC - 1)
#define DIGEST_BYTES     (QD_SHA256_HEX_SIZE - 1)
#define LABEL_AT         (MAGIC_BYTES + DIGEST_BYTES + 1)
#define MAX_LABEL_BYTES  255 /* its length is one byte */
#define MAX_PACKED_BYTES (LABEL_AT + MAX_LABEL_BYTES + QD_MAX_STATE_BYTES)
#define MAX_RESULT_BYTES ((size_t)16 << 20)

struct qd_udf_aggregation {
    qd_binding *binding;
    qd_column_docs columns;
    qd_json_docs json;
    qd_doc_source column_source, json_source;
    qd_aggregator *aggregator;   /* of what is fed; NULL: nothing was added yet */
    const qd_doc_source *source; /* what it reads; NULL: nothing, only states were merged */
    qd_aggregator *last;         /* which gave the last result, of which a text may be a view */
    int64_t timeout_ms;
    bool has_failed; /* the state is lost */
    float ones[QD_BLOCK_DOCS];
};

/* ---- opening ---- */

qd_status qd_udf_aggregation_open(qd_runtime *rt, const char *function, const char *parameters,
                                  qd_udf_aggregation **out, qd_error *err)
{
    qd_udf_aggregation *a = calloc(1, sizeof *a);
    if (!a)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < QD_BLOCK_DOCS; i++)
        a->ones[i] = 1;
    qd_column_docs_init(&a->columns);
    a->column_source = qd_column_docs_source(&a->columns);
    qd_json_docs_init(&a->json, NULL, 0, (qd_str){0});
    a->json_source = qd_json_docs_source(&a->json);
    qd_status st = qd_runtime_bind(rt, function, parameters, true, &a->binding, err);
    if (st == QD_OK)
        *out = QD_TAKE(a);
    qd_udf_aggregation_close(a);
    return st;
}

void qd_udf_aggregation_close(qd_udf_aggregation *a)
{
    if (!a)
        return;
    qd_aggregator_close(a->aggregator);
    qd_aggregator_close(a->last);
    qd_binding_free(a->binding);
    qd_column_docs_deinit(&a->columns);
    qd_json_docs_deinit(&a->json);
    free(a);
}

void qd_udf_aggregation_set_timeout(qd_udf_aggregation *a, int64_t timeout_ms)
{
    a->timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
}

/* ---- aggregators ---- */

static const char *label_of(const qd_udf_aggregation *a)
{
    return qd_binding_udf(a->binding)->label;
}

static qd_status check_alive(const qd_udf_aggregation *a, qd_error *err)
{
    return a->has_failed
               ? qd_fail(err, QD_EUDF_FAILED,
                         "function '%s': a call of this aggregation failed before, and its state is lost: open "
                         "another",
                         label_of(a))
               : QD_OK;
}

/* A failure ends the instance, and with it the state. */
static qd_status lose(qd_udf_aggregation *a, qd_status st)
{
    a->has_failed |= st != QD_OK;
    return st;
}

static int64_t deadline_of(const qd_udf_aggregation *a)
{
    return a->timeout_ms ? qd_clock_mono_ns() + a->timeout_ms * 1000000 : INT64_MAX;
}

/* A fresh one that has the state of `from`, if there is any. */
static qd_status open_with_state(const qd_udf_aggregation *a, const qd_doc_source *source, qd_aggregator *from,
                                 qd_aggregator **out, qd_error *err)
{
    const qd_run_control control = {.deadline_ns = deadline_of(a)};
    qd_aggregator *made = NULL;
    qd_buf state;
    qd_buf_init(&state, QD_MAX_STATE_BYTES);
    qd_status st = from ? qd_aggregator_serialize(from, &state, err) : QD_OK;
    if (st == QD_OK)
        st = qd_aggregator_open(a->binding, source, &control, &made, err);
    if (st == QD_OK && from)
        st = qd_aggregator_merge(made, qd_buf_str(&state), err);
    if (st == QD_OK)
        *out = QD_TAKE(made);
    qd_aggregator_close(made);
    qd_buf_deinit(&state);
    return st;
}

/* The aggregator for what comes from `source`; `is_same`: its fields have the types that they had. */
static qd_status need_aggregator(qd_udf_aggregation *a, const qd_doc_source *source, bool is_same, qd_error *err)
{
    qd_aggregator *made = NULL;
    if (a->aggregator)
        qd_aggregator_set_deadline(a->aggregator, deadline_of(a));
    if (a->aggregator && a->source == source && is_same)
        return QD_OK;
    qd_status st = open_with_state(a, source, a->aggregator, &made, err);
    if (st != QD_OK)
        return st;
    qd_aggregator_close(a->aggregator);
    a->aggregator = made;
    a->source = source;
    return QD_OK;
}

/* For what needs no documents. */
static qd_status need_any_aggregator(qd_udf_aggregation *a, qd_error *err)
{
    return need_aggregator(a, a->aggregator ? a->source : NULL, true, err);
}

/* ---- documents ---- */

static qd_status add_documents(qd_udf_aggregation *a, const json_t *const *docs, size_t n, qd_error *err)
{
    qd_status st = need_aggregator(a, &a->json_source, true, err);
    for (size_t first = 0; first < n && st == QD_OK; first += a->json.n) {
        a->json.docs = docs + first;
        a->json.n = n - first < QD_BLOCK_DOCS ? n - first : QD_BLOCK_DOCS;
        a->json.first = (uint32_t)first;
        st = qd_aggregator_update(a->aggregator, (uint32_t)a->json.n, a->ones, err);
    }
    a->json.docs = NULL;
    a->json.n = 0;
    return lose(a, st);
}

/* *docs: owned by caller, the documents borrowed. */
static qd_status list_documents(const json_t *parsed, const json_t ***docs, size_t *n, qd_error *err)
{
    bool is_list = json_is_array(parsed);
    size_t count = is_list ? json_array_size(parsed) : 1;
    const json_t **list = calloc(count + 1, sizeof *list);
    if (!list)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < count; i++) {
        list[i] = is_list ? json_array_get(parsed, i) : parsed;
        if (json_is_object(list[i]))
            continue;
        qd_status st =
            is_list ? qd_fail(err, QD_EPARSE, "document %zu: expected an object, got %s", i, qd_json_type_name(list[i]))
                    : qd_fail(err, QD_EPARSE, "the document: expected an object, or an array of them, got %s",
                              qd_json_type_name(parsed));
        free(list);
        return st;
    }
    *docs = list;
    *n = count;
    return QD_OK;
}

qd_status qd_udf_aggregation_json(qd_udf_aggregation *a, const char *documents, size_t n, qd_error *err)
{
    json_t *parsed = NULL;
    const json_t **docs = NULL;
    size_t n_docs = 0;
    qd_status st = check_alive(a, err);
    if (st == QD_OK)
        st = qd_json_parse((qd_str){documents, n}, &parsed, err);
    if (st == QD_OK)
        st = list_documents(parsed, &docs, &n_docs, err);
    if (st == QD_OK)
        st = add_documents(a, docs, n_docs, err);
    free(docs);
    json_decref(parsed);
    return st;
}

qd_status qd_udf_aggregation_columns(qd_udf_aggregation *a, const qd_data_column *columns, size_t n_columns,
                                     size_t n_rows, const float *scores, qd_error *err)
{
    qd_status st = check_alive(a, err);
    if (st == QD_OK)
        st = qd_data_columns_check(columns, n_columns, err);
    if (st != QD_OK)
        return st;
    bool is_same = qd_column_docs_set(&a->columns, columns, n_columns);
    st = need_aggregator(a, &a->column_source, is_same, err);
    for (size_t first = 0; first < n_rows && st == QD_OK; first += QD_BLOCK_DOCS) {
        size_t n = n_rows - first < QD_BLOCK_DOCS ? n_rows - first : QD_BLOCK_DOCS;
        qd_column_docs_move(&a->columns, first, n);
        st = qd_aggregator_update(a->aggregator, (uint32_t)n, scores ? scores + first : a->ones, err);
    }
    (void)qd_column_docs_set(&a->columns, NULL, 0);
    qd_column_docs_move(&a->columns, 0, 0);
    return lose(a, st);
}

/* ---- states ---- */

static qd_status digest(const qd_udf_aggregation *a, qd_str state, char out[QD_SHA256_HEX_SIZE], qd_error *err)
{
    const qd_udf *u = qd_binding_udf(a->binding);
    const qd_str parts[] = {qd_str_of(u->hash), qd_str_of(u->label), state};
    return qd_hash_sha256_hex_of(parts, 3, out) ? QD_OK : qd_fail(err, QD_EINTERNAL, "SHA-256 failed");
}

static qd_status pack(const qd_udf_aggregation *a, qd_str state, qd_buf *out, qd_error *err)
{
    char hex[QD_SHA256_HEX_SIZE];
    qd_str label = qd_str_of(label_of(a));
    qd_status st = digest(a, state, hex, err);
    if (st != QD_OK)
        return st;
    qd_buf_add(out, MAGIC, MAGIC_BYTES);
    qd_buf_add(out, hex, DIGEST_BYTES);
    qd_buf_add_char(out, (char)label.n);
    qd_buf_add_str(out, label);
    qd_buf_add_str(out, state);
    return out->failed ? qd_fail_nomem(err) : QD_OK;
}

static qd_status unpack(const qd_udf_aggregation *a, qd_str packed, qd_str *state, qd_error *err)
{
    char hex[QD_SHA256_HEX_SIZE];
    qd_str own = qd_str_of(label_of(a));
    size_t label_n = packed.n >= LABEL_AT ? (uint8_t)packed.p[LABEL_AT - 1] : 0;
    if (packed.n < LABEL_AT + label_n || packed.n > MAX_PACKED_BYTES || memcmp(packed.p, MAGIC, MAGIC_BYTES) != 0)
        return qd_fail(err, QD_EINVAL,
                       "function '%s': these %zu bytes are no state that qd_udf_aggregation_serialize "
                       "gave",
                       own.p, packed.n);
    qd_str label = {packed.p + LABEL_AT, label_n};
    if (!qd_str_eq(label, own))
        return qd_fail(err, QD_EINVAL, "function '%s': the state is one of '%.*s'; only the same version can read it",
                       own.p, QD_STR_FMT(label));
    qd_str rest = {label.p + label.n, packed.n - LABEL_AT - label.n};
    qd_status st = digest(a, rest, hex, err);
    if (st != QD_OK)
        return st;
    if (memcmp(packed.p + MAGIC_BYTES, hex, DIGEST_BYTES) != 0)
        return qd_fail(err, QD_EINVAL, "function '%s': the state is damaged, or that of another module under this name",
                       own.p);
    *state = rest;
    return QD_OK;
}

qd_status qd_udf_aggregation_serialize(qd_udf_aggregation *a, void **out, size_t *n, qd_error *err)
{
    qd_buf state, packed;
    qd_buf_init(&state, QD_MAX_STATE_BYTES);
    qd_buf_init(&packed, MAX_PACKED_BYTES);
    qd_status st = check_alive(a, err);
    if (st == QD_OK)
        st = lose(a, need_any_aggregator(a, err));
    if (st == QD_OK)
        st = lose(a, qd_aggregator_serialize(a->aggregator, &state, err));
    if (st == QD_OK)
        st = pack(a, qd_buf_str(&state), &packed, err);
    size_t length = 0;
    char *bytes = st == QD_OK ? qd_buf_take(&packed, &length) : NULL;
    if (st == QD_OK && !bytes)
        st = qd_fail_nomem(err);
    if (st == QD_OK) {
        *out = bytes;
        *n = length;
    }
    qd_buf_deinit(&state);
    qd_buf_deinit(&packed);
    return st;
}

qd_status qd_udf_aggregation_merge(qd_udf_aggregation *a, const void *state, size_t n, qd_error *err)
{
    qd_str bytes;
    qd_status st = check_alive(a, err);
    if (st == QD_OK)
        st = unpack(a, (qd_str){state, n}, &bytes, err);
    if (st != QD_OK)
        return st;
    st = need_any_aggregator(a, err);
    if (st == QD_OK)
        st = qd_aggregator_merge(a->aggregator, bytes, err);
    return lose(a, st);
}

/* ---- the result ---- */

/* In another instance, as in a search, so that this one can go on. */
static qd_status finish(qd_udf_aggregation *a, qd_value *out, qd_error *err)
{
    qd_aggregator *last = NULL;
    qd_status st = check_alive(a, err);
    if (st == QD_OK)
        st = lose(a, need_any_aggregator(a, err));
    if (st == QD_OK)
        st = lose(a, open_with_state(a, NULL, a->aggregator, &last, err));
    if (st == QD_OK)
        st = qd_aggregator_finish(last, out, err); /* the state that it was made of is still there */
    if (st != QD_OK) {
        qd_aggregator_close(last);
        return st;
    }
    qd_aggregator_close(a->last);
    a->last = last;
    return QD_OK;
}

qd_status qd_udf_aggregation_finish(qd_udf_aggregation *a, qd_data *out, qd_error *err)
{
    qd_value v;
    qd_status st = finish(a, &v, err);
    if (st == QD_OK)
        *out = qd_data_of(&v);
    return st;
}

qd_status qd_udf_aggregation_finish_json(qd_udf_aggregation *a, char **out, qd_error *err)
{
    qd_value v;
    qd_buf text;
    qd_json w;
    qd_buf_init(&text, MAX_RESULT_BYTES);
    qd_json_init(&w, &text, false);
    qd_status st = finish(a, &v, err);
    if (st == QD_OK)
        qd_json_scalar(&w, v);
    char *json = st == QD_OK ? qd_buf_take(&text, NULL) : NULL;
    if (st == QD_OK && !json)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        *out = json;
    qd_buf_deinit(&text);
    return st;
}
