/* SPDX-License-Identifier: Apache-2.0
 *
 * A doc_source over plain JSON documents, one block of them (at most QD_BLOCK_DOCS): what the test call runs on. There
 * are no columns, every value is looked up by path. */
#ifndef QD_UDF_JSON_DOCS_H
#define QD_UDF_JSON_DOCS_H

#include <jansson.h>

#include "udf/json_path.h"
#include "wasm/program.h"

#define QD_JSON_DOCS_MAX_PATHS 256

typedef struct qd_json_docs {
    const json_t *const *docs; /* borrowed; objects */
    size_t n;
    qd_str id;      /* of the first document when given; else a document's id is its position, */
    uint32_t first; /* that of the first one being this: 0 unless set after init */
    char *paths[QD_JSON_DOCS_MAX_PATHS];
    int n_paths;
    char id_texts[QD_BLOCK_DOCS][12]; /* ids are views until the block ends */
} qd_json_docs;

void qd_json_docs_init(qd_json_docs *d, const json_t *const *docs, size_t n, qd_str id);
void qd_json_docs_deinit(qd_json_docs *d);
/* Valid as long as `d` stays where it is. */
qd_doc_source qd_json_docs_source(qd_json_docs *d);

#endif
