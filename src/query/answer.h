/* SPDX-License-Identifier: Apache-2.0
 *
 * What was found, in OpenSearch's shape. */
#ifndef QD_QUERY_ANSWER_H
#define QD_QUERY_ANSWER_H

#include "query/collect.h"

/* Reads and writes the page of hits. On failure `w` may hold a part: the caller drops it. Errors: QD_EIO, QD_ELIMIT. */
qd_status qd_answer_write(const qd_collection *c, qd_json *w, qd_error *err);
/* {"count", "_shards"} */
void qd_answer_write_count(const qd_collection *c, qd_json *w);

#endif
