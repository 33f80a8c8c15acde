/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/json_docs.h"

#include <stdio.h>
#include <stdlib.h>

#include "udf/no_docs.h"

void qd_json_docs_init(qd_json_docs *d, const json_t *const *docs, size_t n, qd_str id)
{
    d->docs = docs;
    d->n = n;
    d->id = id;
    d->first = 0;
    d->n_paths = 0;
}

void qd_json_docs_deinit(qd_json_docs *d)
{
    for (int i = 0; i < d->n_paths; i++)
        free(d->paths[i]);
    d->n_paths = 0;
}

static int resolve(void *arg, qd_str path)
{
    qd_json_docs *d = arg;
    for (int i = 0; i < d->n_paths; i++)
        if (qd_str_is(path, d->paths[i]))
            return i;
    if (d->n_paths == QD_JSON_DOCS_MAX_PATHS)
        return QD_SLOT_TOO_MANY;
    d->paths[d->n_paths] = qd_str_dup(path);
    return d->paths[d->n_paths] ? d->n_paths++ : QD_SLOT_NO_MEMORY;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    const qd_json_docs *d = arg;
    return row < d->n && qd_json_to_value(qd_json_path_get(d->docs[row], qd_str_of(d->paths[slot])), out);
}

static uint32_t count(void *arg, int slot, uint32_t row)
{
    const qd_json_docs *d = arg;
    return row < d->n ? qd_json_path_values(d->docs[row], qd_str_of(d->paths[slot]), 0, NULL) : 0;
}

static bool value_at(void *arg, int slot, uint32_t row, uint32_t at, qd_value *out)
{
    const qd_json_docs *d = arg;
    const json_t *found;
    return row < d->n && qd_json_path_values(d->docs[row], qd_str_of(d->paths[slot]), at, &found) > at &&
           qd_json_to_value(found, out);
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    qd_json_docs *d = arg;
    if (row == 0 && d->id.n > 0) {
        *out = d->id;
        return true;
    }
    if (row >= d->n)
        return false;
    int n = snprintf(d->id_texts[row], sizeof d->id_texts[row], "%u", d->first + row);
    *out = (qd_str){d->id_texts[row], (size_t)n};
    return true;
}

qd_doc_source qd_json_docs_source(qd_json_docs *d)
{
    return (qd_doc_source){.arg = d,
                           .resolve = resolve,
                           .block_f64 = qd_no_docs.block_f64, /* one by one */
                           .block_i64 = qd_no_docs.block_i64,
                           .value = value,
                           .id = id,
                           .count = count,
                           .value_at = value_at};
}
