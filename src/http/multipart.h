/* SPDX-License-Identifier: Apache-2.0
 *
 * multipart/form-data (RFC 7578, framing by RFC 2046) over a body that is there in full. Parts are views into the body:
 * binary-safe, nothing is copied, work is linear in the body's length, the number of parts and headers is bounded. */
#ifndef QD_HTTP_MULTIPART_H
#define QD_HTTP_MULTIPART_H

#include "base/error.h"
#include "base/str.h"

#define QD_MULTIPART_MAX_PARTS 64

typedef struct qd_part {
    qd_str name;         /* never empty */
    qd_str filename;     /* "" when it has none */
    qd_str content_type; /* "" when it has none */
    qd_str data;
} qd_part;

/* The boundary parameter of a Content-Type. Errors: QD_EINVAL. */
qd_status qd_multipart_boundary(qd_str content_type, qd_str *out, qd_error *err);
/* `parts`: room for QD_MULTIPART_MAX_PARTS. Errors: QD_EINVAL, saying which part and what of it. */
qd_status qd_multipart_parse(qd_str body, qd_str boundary, qd_part *parts, size_t *n, qd_error *err);

#endif
