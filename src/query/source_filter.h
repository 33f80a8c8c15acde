/* SPDX-License-Identifier: Apache-2.0
 *
 * `_source` with includes and excludes: copies what stays, as it is written. Patterns are dotted paths with '*' for any
 * characters; a pattern stands for everything under the path that it matches. */
#ifndef QD_QUERY_SOURCE_FILTER_H
#define QD_QUERY_SOURCE_FILTER_H

#include "query/body.h"

/* Appends the filtered object to `out`. Errors: QD_ELIMIT when `out` is full. */
qd_status qd_source_filter(const qd_source_spec *spec, qd_str source, qd_buf *out, qd_error *err);

#endif
