/* SPDX-License-Identifier: Apache-2.0
 *
 * _bulk: newline-delimited actions and sources -> operations by index -> the answer in OpenSearch's shape. */
#ifndef QD_NODE_BULK_H
#define QD_NODE_BULK_H

#include "node/node.h"

typedef struct qd_bulk_request {
    qd_str body;          /* borrowed */
    qd_str default_index; /* from the path; may be empty */
    bool refresh;
} qd_bulk_request;
/* A malformed action line makes the whole request an error (QD_EPARSE naming the line), nothing done, as in OpenSearch;
 * a bad document fails alone, in its place. `update` items answer "not supported yet" alone. Writes
 * {"took","errors","items":[…]}. */
qd_status qd_bulk_run(qd_node *n, const qd_bulk_request *rq, qd_json *w, qd_error *err);

#endif
