/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of GET /metrics that is about functions: one table in metrics_udf.c. Families with a series per version of a
 * function are bounded: those used last have them (metrics.max_functions), one gauge says how many have none. */
#ifndef QD_HTTP_METRICS_UDF_H
#define QD_HTTP_METRICS_UDF_H

#include "http/api.h"

/* Errors: QD_ENOMEM. */
qd_status qd_metrics_write_udf(const qd_api *api, qd_buf *out, qd_error *err);

#endif
