/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/column_docs.h"

#include <stdio.h>
#include <stdlib.h>

void qd_column_docs_init(qd_column_docs *d)
{
    d->columns = NULL;
    d->n_columns = d->first = d->n = 0;
    d->n_paths = 0;
}

void qd_column_docs_deinit(qd_column_docs *d)
{
    for (int i = 0; i < d->n_paths; i++)
        free(d->paths[i]);
    d->n_paths = 0;
}

static const qd_data_column *find_column(const qd_column_docs *d, const char *path)
{
    for (size_t i = 0; i < d->n_columns; i++)
        if (strcmp(d->columns[i].name, path) == 0)
            return &d->columns[i];
    return NULL;
}

/* True: its type is what it was, if it had one. */
static bool attach(qd_column_docs *d, int path)
{
    const qd_data_column *c = d->column_of[path] = find_column(d, d->paths[path]);
    qd_data_type before = d->type_of[path];
    if (c)
        d->type_of[path] = c->type;
    return !c || before == QD_DATA_MISSING || before == c->type;
}

bool qd_column_docs_set(qd_column_docs *d, const qd_data_column *columns, size_t n_columns)
{
    bool is_same = true;
    d->columns = columns;
    d->n_columns = n_columns;
    for (int i = 0; i < d->n_paths; i++)
        is_same &= attach(d, i);
    return is_same;
}

void qd_column_docs_move(qd_column_docs *d, size_t first, size_t n)
{
    d->first = first;
    d->n = n;
}

static int resolve(void *arg, qd_str path)
{
    qd_column_docs *d = arg;
    for (int i = 0; i < d->n_paths; i++)
        if (qd_str_is(path, d->paths[i]))
            return i;
    if (d->n_paths == QD_COLUMN_DOCS_MAX_PATHS)
        return QD_SLOT_TOO_MANY;
    if (!(d->paths[d->n_paths] = qd_str_dup(path)))
        return QD_SLOT_NO_MEMORY;
    d->type_of[d->n_paths] = QD_DATA_MISSING;
    (void)attach(d, d->n_paths);
    return d->n_paths++;
}

/* Which rows of the block have a value: copies of the column's bytes, as 0 and 1. */
static void copy_valid(const qd_column_docs *d, const qd_data_column *c, uint8_t *valid, bool *all_valid)
{
    uint8_t all = 1;
    for (size_t i = 0; i < d->n; i++) {
        valid[i] = !c->valid || c->valid[d->first + i];
        all &= valid[i];
    }
    *all_valid = all;
}

/* A field that there is no column of: none of the rows has it. */
static bool none_valid(const qd_column_docs *d, void *out, uint8_t *valid, bool *all_valid)
{
    memset(out, 0, d->n * sizeof(uint64_t));
    memset(valid, 0, d->n);
    *all_valid = false;
    return true;
}

static bool block_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    const qd_column_docs *d = arg;
    const qd_data_column *c = d->column_of[slot];
    if (!c)
        return none_valid(d, out, valid, all_valid);
    if (c->type != QD_DATA_F64 && c->type != QD_DATA_I64)
        return false;
    copy_valid(d, c, valid, all_valid);
    const double *f = (const double *)c->values + d->first;
    const int64_t *k = (const int64_t *)c->values + d->first;
    if (*all_valid && c->type == QD_DATA_F64)
        memcpy(out, f, d->n * sizeof *out);
    else
        for (size_t i = 0; i < d->n; i++)
            out[i] = !valid[i] ? 0 : c->type == QD_DATA_F64 ? f[i] : (double)k[i];
    return true;
}

static bool block_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    const qd_column_docs *d = arg;
    const qd_data_column *c = d->column_of[slot];
    if (!c)
        return none_valid(d, out, valid, all_valid);
    if (c->type != QD_DATA_I64 && c->type != QD_DATA_BOOL)
        return false;
    copy_valid(d, c, valid, all_valid);
    const int64_t *k = (const int64_t *)c->values + d->first;
    const uint8_t *b = (const uint8_t *)c->values + d->first;
    for (size_t i = 0; i < d->n; i++)
        out[i] = !valid[i] ? 0 : c->type == QD_DATA_I64 ? k[i] : b[i] != 0;
    return true;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    const qd_column_docs *d = arg;
    const qd_data_column *c = d->column_of[slot];
    size_t at = d->first + row;
    if (!c || row >= d->n || (c->valid && !c->valid[at]))
        return false;
    switch (c->type) {
    case QD_DATA_BOOL:
        *out = (qd_value){.type = QD_BOOL, .as.b = ((const uint8_t *)c->values)[at] != 0};
        return true;
    case QD_DATA_I64:
        *out = (qd_value){.type = QD_I64, .as.i = ((const int64_t *)c->values)[at]};
        return true;
    case QD_DATA_F64:
        *out = (qd_value){.type = QD_F64, .as.f = ((const double *)c->values)[at]};
        return true;
    case QD_DATA_TEXT: {
        const qd_text *t = (const qd_text *)c->values + at;
        *out = (qd_value){.type = QD_STRING, .as.s = {t->p, t->n}};
        return true;
    }
    default:
        return false;
    }
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    qd_column_docs *d = arg;
    if (row >= d->n)
        return false;
    int n = snprintf(d->id_texts[row], sizeof d->id_texts[row], "%zu", d->first + row);
    *out = (qd_str){d->id_texts[row], (size_t)n};
    return true;
}

qd_doc_source qd_column_docs_source(qd_column_docs *d)
{
    return (qd_doc_source){
        .arg = d, .resolve = resolve, .block_f64 = block_f64, .block_i64 = block_i64, .value = value, .id = id};
}
