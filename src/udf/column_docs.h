/* SPDX-License-Identifier: Apache-2.0
 *
 * A doc_source over columns in memory: what calls of the public runtime run on. A row's id is its number. */
#ifndef QD_UDF_COLUMN_DOCS_H
#define QD_UDF_COLUMN_DOCS_H

#include "quidditch/runtime.h"
#include "wasm/program.h"

#define QD_COLUMN_DOCS_MAX_PATHS 256

typedef struct qd_column_docs {
    const qd_data_column *columns; /* borrowed until the next set */
    size_t n_columns;
    size_t first, n; /* the block's rows among the columns' */
    char *paths[QD_COLUMN_DOCS_MAX_PATHS];
    const qd_data_column *column_of[QD_COLUMN_DOCS_MAX_PATHS]; /* of a path; NULL: there is none */
    qd_data_type type_of[QD_COLUMN_DOCS_MAX_PATHS];            /* of its column, now or before; MISSING: not yet */
    int n_paths;
    char id_texts[QD_BLOCK_DOCS][24]; /* ids are views until the block ends */
} qd_column_docs;

void qd_column_docs_init(qd_column_docs *d);
void qd_column_docs_deinit(qd_column_docs *d);
/* Other columns, with the same slots. False: a field that has been asked for has another type than before. Runners and
 * their instances take a field's type for settled, so those opened before must read no more of this source. */
bool qd_column_docs_set(qd_column_docs *d, const qd_data_column *columns, size_t n_columns);
/* The block is rows [first, first + n). */
void qd_column_docs_move(qd_column_docs *d, size_t first, size_t n);
/* Valid as long as `d` stays where it is. */
qd_doc_source qd_column_docs_source(qd_column_docs *d);

#endif
