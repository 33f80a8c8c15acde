/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking JSON text in place: no tree, no allocation, numbers and strings left as they are written. For stored
 * documents (a field by path, filtering) and for finding where in a request a clause stands. The text is expected to be
 * valid; text that is not ends a walk early, and nothing outside it is read. */
#ifndef QD_QUERY_JSON_SCAN_H
#define QD_QUERY_JSON_SCAN_H

#include "base/arena.h"
#include "base/value.h"

typedef struct qd_scan {
    const char *p, *end;
    bool in_object; /* every item has a key then, else none */
} qd_scan;

/* A member (key set) or an element (key empty) of a container. */
typedef struct qd_scan_item {
    qd_str raw_key; /* with its quotes; empty in arrays */
    qd_str value;   /* the whole value's text */
    size_t index;
} qd_scan_item;

/* A container's content; false when `value` is not an object or array. */
bool qd_scan_enter(qd_str value, qd_scan *out);
/* The next member or element. `item` starts zeroed. False at the end. */
bool qd_scan_next(qd_scan *s, qd_scan_item *item);
/* Does the key as written spell `key`? Escapes are decoded. */
bool qd_scan_key_is(qd_str raw_key, qd_str key);
/* The text of a string token; a view when it has no escapes, else a copy in the arena. `p` NULL: out of memory or
 * malformed. */
qd_str qd_scan_string(qd_str token, qd_arena *arena);
/* A scalar token as a value; false for null, objects, arrays and when memory is out. Strings as qd_scan_string. */
bool qd_scan_scalar(qd_str token, qd_arena *arena, qd_value *out);

static inline bool qd_scan_is_object(qd_str value)
{
    return value.n > 0 && value.p[0] == '{';
}
static inline bool qd_scan_is_array(qd_str value)
{
    return value.n > 0 && value.p[0] == '[';
}

#endif
