/* SPDX-License-Identifier: Apache-2.0
 *
 * Packing numbers (little-endian) and texts into bytes that are stored, and taking them out again: a reader that has
 * run out, once, gives nothing any more, so that one check at the end is enough. */
#ifndef QD_UDF_PACKED_H
#define QD_UDF_PACKED_H

#include "base/buf.h"

typedef struct qd_unpacker {
    qd_str rest;
    bool failed; /* something was longer than what is left */
} qd_unpacker;

static inline void qd_pack_u64(qd_buf *b, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        qd_buf_add_char(b, (char)(uint8_t)(v >> (8 * i)));
}

static inline void qd_pack_str(qd_buf *b, qd_str s, unsigned length_bytes)
{
    qd_pack_u64(b, s.n, length_bytes);
    qd_buf_add_str(b, s);
}

static inline qd_str qd_unpack_bytes(qd_unpacker *u, size_t n)
{
    qd_str s = {u->rest.p, n};
    u->failed |= n > u->rest.n;
    if (u->failed)
        return (qd_str){"", 0};
    u->rest = (qd_str){u->rest.p + n, u->rest.n - n};
    return s;
}

static inline uint64_t qd_unpack_u64(qd_unpacker *u, unsigned bytes)
{
    qd_str s = qd_unpack_bytes(u, bytes);
    uint64_t v = 0;
    for (size_t i = s.n; i-- > 0;)
        v = v << 8 | (uint8_t)s.p[i];
    return v;
}

static inline qd_str qd_unpack_str(qd_unpacker *u, unsigned length_bytes)
{
    return qd_unpack_bytes(u, (size_t)qd_unpack_u64(u, length_bytes));
}

#endif
