/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's target (RFC 3986 path and query) split into decoded path segments and parameters. Segments are decoded
 * one by one, so that "%2F" in a document id stays part of that id. Everything is bounded; nothing outlives the arena.
 */
#ifndef QD_HTTP_URI_H
#define QD_HTTP_URI_H

#include "base/arena.h"
#include "base/error.h"

#define QD_URI_MAX_SEGMENTS 16
#define QD_URI_MAX_PARAMS   64

typedef struct qd_param {
    qd_str name, value; /* decoded UTF-8, NUL-terminated; a parameter without "=" has the value "" */
} qd_param;

typedef struct qd_uri {
    qd_str path; /* as it was sent, without the query: for messages */
    qd_str segments[QD_URI_MAX_SEGMENTS];
    size_t n_segments;
    qd_param params[QD_URI_MAX_PARAMS]; /* a name given twice keeps its last value */
    size_t n_params;
} qd_uri;

/* `raw`: the target as sent; kept by `out`. Errors: QD_EINVAL (bad percent encoding, not UTF-8, a zero byte, too many
 * segments or parameters), QD_ENOMEM. */
qd_status qd_uri_parse(qd_str raw, qd_arena *arena, qd_uri *out, qd_error *err);

/* NULL when absent. */
const qd_param *qd_uri_param(const qd_uri *u, const char *name);

#endif
