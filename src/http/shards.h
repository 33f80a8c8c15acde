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

/* How the shards of some indices are: each has one, which is active unless the index takes no writes. */
typedef struct qd_shards_health {
    size_t active, unassigned;
} qd_shards_health;
/* Of indices that `expression` means, those that could not be opened when the node started too. */
qd_status qd_shards_health_get(const qd_request *rq, qd_str expression, qd_shards_health *out, qd_error *err);
/* "green", or "red": as OpenSearch has it, when a primary shard is not there for writes. */
const char *qd_shards_health_name(size_t unassigned);
double qd_shards_health_percent(const qd_shards_health *h);

/* The indices that the route's first argument means; no argument: all. With ?ignore_unavailable, absent ones are left
 * out. *out: owned by caller (qd_node_release). */
qd_status qd_request_indices(const qd_request *rq, qd_index ***out, size_t *n, qd_error *err);

#endif
