/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and their Prometheus text (exposition format 0.0.4). The rows of two tables, in metrics.c and metrics_udf.c
 * (functions), are all metrics that exist; requests are counted by route class. Threads: any; counting never waits. */
#ifndef QD_HTTP_METRICS_H
#define QD_HTTP_METRICS_H

#include "http/router.h"

typedef struct qd_metrics qd_metrics;

/* `routes` kept. NULL when out of memory. */
qd_metrics *qd_metrics_new(const qd_route *routes, size_t n);
void qd_metrics_free(qd_metrics *m);
/* One request of `route` (a row of the table) was answered. */
void qd_metrics_count(qd_metrics *m, const qd_route *route, int http_status, int64_t ns);
/* Writes GET /metrics. Errors: what asking the node gives. */
qd_status qd_metrics_write(qd_metrics *m, const struct qd_api *api, qd_buf *out, qd_error *err);

#endif
