/* SPDX-License-Identifier: Apache-2.0
 *
 * The _cat calls' tables: text with aligned columns (a heading with ?v), or JSON with ?format=json; ?h picks columns.
 */
#ifndef QD_HTTP_CAT_TABLE_H
#define QD_HTTP_CAT_TABLE_H

#include "http/request.h"

typedef struct qd_cat_column {
    const char *name, *alias; /* alias may be NULL */
    bool is_number;           /* aligned to the right */
} qd_cat_column;

/* `cells`: n_rows rows of n_columns NUL-terminated texts. Errors: QD_EINVAL (unknown column or format). */
qd_status qd_cat_table_write(qd_request *rq, const qd_cat_column *columns, size_t n_columns, const char *const *cells,
                             size_t n_rows, qd_error *err);
/* "1.5gb", as OpenSearch shows sizes; with ?bytes=b the plain number. In the request's arena. */
const char *qd_cat_bytes(const qd_request *rq, uint64_t bytes);

#endif
