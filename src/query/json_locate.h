/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in a request a clause stands. The JSON tree has no positions, so the parser carries a path, and only an error
 * pays for finding its place in the text. */
#ifndef QD_QUERY_JSON_LOCATE_H
#define QD_QUERY_JSON_LOCATE_H

#include "base/str.h"

/* A step from a value's parent to the value: a member, or an element when `key.p` is NULL. NULL is the whole text. */
typedef struct qd_json_at {
    const struct qd_json_at *parent;
    qd_str key;
    size_t index;
} qd_json_at;

/* Line and column (in characters), from 1: of the key of a member, of the value of an element. A path that leads
 * nowhere gives the last step that exists. */
void qd_json_locate(qd_str text, const qd_json_at *at, uint32_t *line, uint32_t *column);

#endif
