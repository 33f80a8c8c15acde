/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_docs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "text.h"
#include "udf/json_path.h"

#define MAX_FILE_BYTES ((size_t)1 << 30)
#define MAX_DOCUMENTS  1000000
#define MADE_UP        4096
#define FEWEST         8192

/* ---- where documents come from ----------------------------------------------------------------------------------- */

/* A few documents are repeated, so that a block is copied out of a column in one piece or two. The list is taken. */
static qd_status take_list(bench_docs *d, json_t *list, const char *where, qd_error *err)
{
    memset(d, 0, sizeof *d);
    d->list = list;
    d->n_distinct = json_array_size(list);
    if (d->n_distinct == 0) {
        bench_docs_deinit(d);
        return qd_fail(err, QD_EINVAL, "%s holds no document", where);
    }
    for (size_t i = 0; json_array_size(list) < FEWEST; i++) {
        if (json_array_append(list, json_array_get(list, i % d->n_distinct))) {
            bench_docs_deinit(d);
            return qd_fail_nomem(err);
        }
    }
    d->n = json_array_size(list);
    return QD_OK;
}

static bool is_blank(const char *p, const char *stop)
{
    while (p < stop && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p == stop;
}

qd_status bench_docs_read(bench_docs *d, const char *path, qd_error *err)
{
    qd_buf file;
    json_t *list = json_array();
    qd_status rc = read_file(path, MAX_FILE_BYTES, &file, err);
    if (rc) {
        json_decref(list);
        return rc;
    }
    size_t line = 1;
    for (const char *p = file.p, *end = file.p + file.n; !rc && p && p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        json_t *v = NULL;
        qd_error why = QD_ERROR_INIT;
        if (!is_blank(p, stop)) {
            rc = qd_json_parse((qd_str){p, (size_t)(stop - p)}, &v, &why);
            if (rc)
                rc = qd_fail(err, rc, "%s, line %zu, column %u: %s", path, line, why.column, why.message);
            else if (!json_is_object(v))
                rc = qd_fail(err, QD_EPARSE, "%s, line %zu: expected an object, got %s", path, line,
                             qd_json_type_name(v));
            else if (json_array_size(list) == MAX_DOCUMENTS)
                rc = qd_fail(err, QD_ETOOLARGE, "%s holds more than %d documents", path, MAX_DOCUMENTS);
            else if (json_array_append(list, v))
                rc = qd_fail_nomem(err);
            json_decref(v);
        }
        p = stop + 1;
    }
    qd_buf_deinit(&file);
    if (!rc)
        return take_list(d, list, path, err);
    json_decref(list);
    return rc;
}

/* Appends a case's document; true: it has a member. */
static bool add_document(json_t *list, json_t *document)
{
    return json_is_object(document) && json_array_append(list, document) == 0 && json_object_size(document) > 0;
}

bool bench_docs_from_cases(bench_docs *d, const json_t *cases)
{
    size_t i, k;
    json_t *c, *document, *list = json_array();
    bool has_members = false;
    json_array_foreach (cases, i, c) {
        if (json_object_get(c, "error"))
            continue;
        has_members |= add_document(list, json_object_get(c, "document"));
        json_array_foreach (json_object_get(c, "documents"), k, document) {
            has_members |= add_document(list, document);
        }
    }
    if (has_members)
        return take_list(d, list, "", NULL) == QD_OK;
    json_decref(list);
    return false;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static json_t *make_value(qd_type type, uint64_t *state)
{
    static const char *const words[] = {"broom",  "quaffle", "bludger", "snitch",
                                        "keeper", "beater",  "seeker",  "chaser"};
    uint64_t r = next_random(state);
    switch (type) {
    case QD_STRING:
        return json_string(words[r % (sizeof words / sizeof *words)]);
    case QD_BOOL:
        return json_boolean(r & 1);
    case QD_I64:
    case QD_I32:
        return json_integer((json_int_t)(r % 1000));
    default:
        return json_real((double)(r >> 11) * 0x1p-53 * 100);
    }
}

/* A member "a.b.c" as objects in objects. A path with an index is left to the function's default. */
static bool set_path(json_t *document, qd_str path, json_t *value)
{
    char key[128];
    for (;;) {
        const char *dot = memchr(path.p, '.', path.n);
        size_t n = dot ? (size_t)(dot - path.p) : path.n;
        if (n == 0 || n >= sizeof key || memchr(path.p, '[', n))
            break;
        memcpy(key, path.p, n);
        key[n] = '\0';
        if (!dot)
            return json_object_set_new(document, key, value) == 0;
        json_t *inner = json_object_get(document, key);
        if (!inner)
            json_object_set_new(document, key, inner = json_object());
        document = inner;
        path = (qd_str){dot + 1, path.n - n - 1};
    }
    json_decref(value);
    return true;
}

qd_status bench_docs_make(bench_docs *d, const qd_manifest *m, qd_error *err)
{
    uint64_t state = 1;
    json_t *list = json_array();
    bool is_ok = list != NULL;
    for (size_t i = 0; is_ok && i < MADE_UP; i++) {
        json_t *document = json_object();
        for (size_t k = 0; is_ok && k < m->n_params; k++) {
            if (m->params[k].from.kind == QD_REF_FIELD)
                is_ok = set_path(document, m->params[k].from.path, make_value(m->params[k].type, &state));
        }
        is_ok = is_ok && json_array_append_new(list, document) == 0;
    }
    if (is_ok)
        return take_list(d, list, "", err);
    json_decref(list);
    return qd_fail_nomem(err);
}

void bench_docs_deinit(bench_docs *d)
{
    for (int i = 0; i < d->n_columns; i++) {
        free(d->columns[i].path);
        free(d->columns[i].values);
        free(d->columns[i].valid);
    }
    json_decref(d->list);
    memset(d, 0, sizeof *d);
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

static const json_t *document_at(const bench_docs *d, size_t i)
{
    return json_array_get(d->list, i % d->n);
}

static bool value_of(const bench_docs *d, size_t i, const char *path, qd_value *out)
{
    return qd_json_to_value(qd_json_path_get(document_at(d, i), qd_str_of(path)), out);
}

/* As a mapping would have it: the first value tells, integers and fractions together are fractions. */
static qd_type common_type(const bench_docs *d, const char *path)
{
    qd_type type = QD_NULL;
    qd_value v;
    for (size_t i = 0; i < d->n_distinct; i++) {
        if (!value_of(d, i, path, &v))
            continue;
        if (type == QD_NULL || (type == QD_I64 && v.type == QD_F64))
            type = v.type;
    }
    return type == QD_STRING ? QD_NULL : type;
}

static bool fits(qd_type column, qd_type value)
{
    return value == column || (column == QD_F64 && value == QD_I64);
}

static bool fill_column(const bench_docs *d, bench_column *c)
{
    c->values = calloc(d->n, sizeof(double));
    c->valid = calloc(d->n, 1);
    if (!c->values || !c->valid)
        return false;
    c->is_all_valid = true;
    for (size_t i = 0; i < d->n; i++) {
        qd_value v;
        c->valid[i] = value_of(d, i, c->path, &v) && fits(c->type, v.type); /* else an index would refuse it */
        c->is_all_valid = c->is_all_valid && c->valid[i];
        if (!c->valid[i])
            continue;
        if (c->type == QD_F64)
            ((double *)c->values)[i] = v.type == QD_I64 ? (double)v.as.i : v.as.f;
        else
            ((int64_t *)c->values)[i] = c->type == QD_BOOL ? v.as.b : v.as.i;
    }
    return true;
}

static int resolve(void *arg, qd_str path)
{
    bench_docs *d = arg;
    for (int i = 0; i < d->n_columns; i++) {
        if (qd_str_is(path, d->columns[i].path))
            return i;
    }
    if (d->n_columns == BENCH_MAX_FIELDS)
        return -1;
    bench_column *c = &d->columns[d->n_columns];
    memset(c, 0, sizeof *c);
    if (!(c->path = strndup(path.p, path.n)))
        return -1;
    c->type = common_type(d, c->path);
    d->n_columns++; /* what is half made is freed with the rest */
    return c->type != QD_NULL && !fill_column(d, c) ? -1 : d->n_columns - 1;
}

/* The block's part of a column of 8-byte values, which goes on at the beginning behind the last document. */
static void copy_block(const bench_docs *d, const bench_column *c, void *out, uint8_t *valid, bool *all_valid)
{
    for (uint32_t row = 0; row < d->block;) {
        size_t at = (d->first + row) % d->n, n = d->n - at;
        n = n < d->block - row ? n : d->block - row;
        memcpy((double *)out + row, (const double *)c->values + at, n * sizeof(double));
        memcpy(valid + row, c->valid + at, n);
        row += (uint32_t)n;
    }
    *all_valid = c->is_all_valid;
}

static bool block_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    bench_docs *d = arg;
    const bench_column *c = &d->columns[slot];
    if (c->type != QD_F64 && c->type != QD_I64)
        return false;
    copy_block(d, c, out, valid, all_valid);
    for (uint32_t row = 0; c->type == QD_I64 && row < d->block; row++) {
        int64_t v;
        memcpy(&v, &out[row], sizeof v);
        out[row] = (double)v;
    }
    return true;
}

static bool block_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    bench_docs *d = arg;
    const bench_column *c = &d->columns[slot];
    if (c->type != QD_I64 && c->type != QD_BOOL)
        return false;
    copy_block(d, c, out, valid, all_valid);
    return true;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    bench_docs *d = arg;
    const bench_column *c = &d->columns[slot];
    return value_of(d, d->first + row, c->path, out) && (c->type == QD_NULL || fits(c->type, out->type));
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    bench_docs *d = arg;
    int n = snprintf(d->id, sizeof d->id, "%zu", (d->first + row) % d->n_distinct);
    *out = (qd_str){d->id, (size_t)n};
    return true;
}

qd_doc_source bench_docs_source(bench_docs *d)
{
    return (qd_doc_source){
        .arg = d, .resolve = resolve, .block_f64 = block_f64, .block_i64 = block_i64, .value = value, .id = id};
}
