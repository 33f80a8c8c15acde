/* SPDX-License-Identifier: Apache-2.0
 *
 * How often a client may call a class of routes: a token bucket by the generic cell rate algorithm (ITU-T I.371), one
 * number per client and class. A client is a remote address: an IPv4 address, or the /64 of an IPv6 one, since a host
 * has all of those. What a proxy says (X-Forwarded-For) is not believed: whoever reaches the port can write it.
 *
 * Per client, not per node: with one bucket for all, one client that registers in a loop would lock everybody else out.
 *
 * The table is fixed (256 KiB): 1,024 sets of 8 places, found by a keyed hash. A new client takes the place of the one
 * in its set whose bucket is fullest; so a flood of addresses makes limits lenient, and never makes memory grow or a
 * known good client wait. Locks: one of 64 by set, innermost, held for the arithmetic alone. Threads: any. */
#ifndef QD_HTTP_RATE_LIMIT_H
#define QD_HTTP_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef enum qd_rate_class {
    QD_RATE_NONE, /* not limited */
    QD_RATE_REGISTER,
    QD_RATE_DELETE,
    QD_RATE_QUERY,
    QD_RATE_STATS
} qd_rate_class;
#define QD_RATE_CLASSES 5

/* An address; IPv4 as ::ffff:a.b.c.d. */
typedef struct qd_remote {
    uint8_t bytes[16];
} qd_remote;

typedef struct qd_rate_limits {
    uint32_t most[QD_RATE_CLASSES]; /* by class: calls per minute (register, delete) or per second; 0: no limit */
} qd_rate_limits;

/* What is to be said to the client. */
typedef struct qd_rate_answer {
    bool is_limited, is_refused;
    uint32_t limit, remaining;       /* calls */
    uint32_t reset_s, retry_after_s; /* until the bucket is full again; until the next call is let through */
} qd_rate_answer;

typedef struct qd_rate_limiter qd_rate_limiter;

/* NULL when out of memory. */
qd_rate_limiter *qd_rate_limiter_new(const qd_rate_limits *limits);
void qd_rate_limiter_free(qd_rate_limiter *l);

/* Takes one call of a client's bucket; refused calls take nothing. `now_ns`: monotonic. */
qd_rate_answer qd_rate_limiter_take(qd_rate_limiter *l, qd_rate_class class, const qd_remote *remote, int64_t now_ns);

/* "rate_limit.register_per_minute", and "minute". */
const char *qd_rate_class_key(qd_rate_class class);
const char *qd_rate_class_unit(qd_rate_class class);

#endif
