/* SPDX-License-Identifier: Apache-2.0
 *
 * The fetch phase: one hit with its id, `_source` and whatever else the request asks to see. */
#ifndef QD_QUERY_FETCH_H
#define QD_QUERY_FETCH_H

#include "query/script_fields.h"

typedef struct qd_fetcher {
    const qd_collection *c;
    const qd_script_fields *fields;
    qd_buf source;     /* the filtered `_source` at hand */
    size_t columns_of; /* the task whose columns are open; SIZE_MAX: none */
    qd_column *version, *seq_no;
} qd_fetcher;

void qd_fetcher_init(qd_fetcher *f, const qd_collection *c, const qd_script_fields *fields);
void qd_fetcher_deinit(qd_fetcher *f);
/* Writes the collection's i-th hit as an element of "hits". Errors: QD_EIO, QD_ELIMIT. */
qd_status qd_fetch_write(qd_fetcher *f, size_t i, qd_json *w, qd_error *err);

#endif
