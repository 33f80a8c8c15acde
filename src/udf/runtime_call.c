/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of the public runtime. A call keeps a binding and, from its first document on, a runner for columns; fields and
 * JSON documents are laid out as columns of one row, so that there is one way to run. */
#include <stdlib.h>

#include "base/clock.h"
#include "udf/column_docs.h"
#include "udf/json_docs.h"
#include "udf/runtime.h"

struct qd_udf_call {
    qd_binding *binding;
    qd_column_docs columns;
    qd_doc_source column_source;
    qd_runner *column_runner; /* opened when first needed */
    qd_json_docs json;
    qd_doc_source json_source;
    qd_runner *json_runner;
    const json_t *document; /* what `json` reads */
    json_t *parsed;         /* the last document, which texts of results may be views into */
    int64_t timeout_ms;
    float ones[QD_BLOCK_DOCS]; /* what _score is when nobody gives any */
    uint8_t valid[QD_BLOCK_DOCS];
    qd_value values[QD_BLOCK_DOCS];
};

/* ---- opening ---- */

qd_status qd_udf_call_open(qd_runtime *rt, const char *function, const char *parameters, qd_udf_call **out,
                           qd_error *err)
{
    qd_udf_call *c = calloc(1, sizeof *c);
    if (!c)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < QD_BLOCK_DOCS; i++)
        c->ones[i] = 1;
    qd_column_docs_init(&c->columns);
    c->column_source = qd_column_docs_source(&c->columns);
    qd_json_docs_init(&c->json, &c->document, 1, (qd_str){0});
    c->json_source = qd_json_docs_source(&c->json);
    qd_status st = qd_runtime_bind(rt, function, parameters, false, &c->binding, err);
    if (st == QD_OK)
        *out = QD_TAKE(c);
    qd_udf_call_close(c);
    return st;
}

void qd_udf_call_close(qd_udf_call *c)
{
    if (!c)
        return;
    qd_runner_close(c->column_runner);
    qd_runner_close(c->json_runner);
    qd_binding_free(c->binding);
    qd_column_docs_deinit(&c->columns);
    qd_json_docs_deinit(&c->json);
    json_decref(c->parsed);
    free(c);
}

void qd_udf_call_set_timeout(qd_udf_call *c, int64_t timeout_ms)
{
    c->timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
}

static qd_status need_runner(qd_udf_call *c, const qd_doc_source *docs, qd_runner **runner, qd_error *err)
{
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    qd_status st = *runner ? QD_OK : qd_runner_open(c->binding, docs, &control, runner, err);
    if (st == QD_OK)
        qd_runner_set_deadline(*runner, c->timeout_ms ? qd_clock_mono_ns() + c->timeout_ms * 1000000 : INT64_MAX);
    return st;
}

/* ---- values ---- */

static bool is_filter(const qd_udf_call *c)
{
    return qd_binding_udf(c->binding)->manifest->kind == QD_KIND_FILTER;
}

/* A filter that has no value for a document does not match it. */
static qd_data result_of(const qd_udf_call *c, const qd_value *v)
{
    if (is_filter(c) && v->type == QD_NULL)
        return (qd_data){QD_DATA_BOOL, {.b = false}};
    return is_filter(c) && v->type == QD_I64 ? (qd_data){QD_DATA_BOOL, {.b = v->as.i != 0}} : qd_data_of(v);
}

/* ---- running ---- */

/* What a runner has learnt of the fields' types goes with it. */
static qd_status set_columns(qd_udf_call *c, const qd_data_column *columns, size_t n_columns, qd_error *err)
{
    qd_status st = qd_data_columns_check(columns, n_columns, err);
    if (st == QD_OK && !qd_column_docs_set(&c->columns, columns, n_columns)) {
        qd_runner_close(c->column_runner);
        c->column_runner = NULL;
    }
    return st;
}

/* Both kinds of results: `results` or `any` is set. */
static qd_status run_columns(qd_udf_call *c, size_t n_rows, const float *scores, double *results, uint8_t *result_valid,
                             qd_data *any, qd_error *err)
{
    qd_status st = need_runner(c, &c->column_source, &c->column_runner, err);
    for (size_t first = 0; first < n_rows && st == QD_OK; first += QD_BLOCK_DOCS) {
        size_t n = n_rows - first < QD_BLOCK_DOCS ? n_rows - first : QD_BLOCK_DOCS;
        const float *s = scores ? scores + first : c->ones;
        qd_column_docs_move(&c->columns, first, n);
        if (any) {
            st = qd_runner_run_values(c->column_runner, (uint32_t)n, s, c->values, err);
            for (size_t i = 0; i < n && st == QD_OK; i++)
                any[first + i] = result_of(c, &c->values[i]);
        } else {
            st = qd_runner_run(c->column_runner, (uint32_t)n, s, results + first,
                               result_valid ? result_valid + first : c->valid, err);
        }
    }
    return st;
}

qd_status qd_udf_call_columns(qd_udf_call *c, const qd_data_column *columns, size_t n_columns, size_t n_rows,
                              const float *scores, double *results, uint8_t *result_valid, qd_error *err)
{
    qd_status st = set_columns(c, columns, n_columns, err);
    return st == QD_OK ? run_columns(c, n_rows, scores, results, result_valid, NULL, err) : st;
}

qd_status qd_udf_call_columns_any(qd_udf_call *c, const qd_data_column *columns, size_t n_columns, size_t n_rows,
                                  const float *scores, qd_data *results, qd_error *err)
{
    if (n_rows > QD_BLOCK_DOCS)
        return qd_fail(err, QD_EINVAL, "%zu rows: at most %d in one call with results of any type", n_rows,
                       QD_BLOCK_DOCS);
    qd_status st = set_columns(c, columns, n_columns, err);
    return st == QD_OK ? run_columns(c, n_rows, scores, NULL, NULL, results, err) : st;
}

qd_status qd_udf_call_fields(qd_udf_call *c, const qd_field_value *fields, size_t n_fields, qd_data *out, qd_error *err)
{
    qd_data result;
    qd_status st = QD_OK;
    qd_data_column *columns = calloc(n_fields + 1, sizeof *columns);
    if (!columns)
        return qd_fail_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < n_fields; i++)
        if (fields[i].value.type != QD_DATA_MISSING)
            columns[n++] = (qd_data_column){fields[i].name, fields[i].value.type, &fields[i].value.as, NULL};
    st = qd_udf_call_columns_any(c, columns, n, 1, NULL, &result, err);
    if (st == QD_OK)
        *out = result;
    (void)qd_column_docs_set(&c->columns, NULL, 0);
    free(columns);
    return st;
}

qd_status qd_udf_call_json(qd_udf_call *c, const char *document, size_t n, qd_data *out, qd_error *err)
{
    json_t *parsed = NULL;
    qd_status st = qd_json_parse((qd_str){document, n}, &parsed, err);
    if (st == QD_OK && !json_is_object(parsed))
        st = qd_fail(err, QD_EPARSE, "the document: expected an object, got %s", qd_json_type_name(parsed));
    if (st != QD_OK) {
        json_decref(parsed);
        return st;
    }
    json_decref(c->parsed);
    c->document = c->parsed = parsed;
    st = need_runner(c, &c->json_source, &c->json_runner, err);
    if (st == QD_OK)
        st = qd_runner_run_values(c->json_runner, 1, c->ones, c->values, err);
    if (st == QD_OK)
        *out = result_of(c, &c->values[0]);
    return st;
}
