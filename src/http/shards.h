/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces that several API families write or read alike. */
#ifndef QD_HTTP_SHARDS_H
#define QD_HTTP_SHARDS_H

#include "http/api.h"

/* "_shards": {"total": n, "successful": n, "failed": 0} as the next member. */
void qd_shards_write(qd_json *w, size_t n);
/* {"acknowledged": true} */
void qd_acknowledge(qd_json *w);

/* The indices that the route's first argument means; no argument: all. With ?ignore_unavailable, absent ones are left
 * out. *out: owned by caller (qd_node_release). */
qd_status qd_request_indices(const qd_request *rq, qd_index ***out, size_t *n, qd_error *err);

#endif
