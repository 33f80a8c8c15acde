/* SPDX-License-Identifier: Apache-2.0
 *
 * A growable byte buffer born with a maximum. A failed append latches `failed` and changes nothing else, so that
 * a writer may append many times and check once. Owner: one thread at a time. */
#ifndef QD_BASE_BUF_H
#define QD_BASE_BUF_H

#include "base/str.h"

typedef struct qd_buf {
    char *p;
    size_t n, cap, max;
    bool failed; /* out of memory, or over max: then is_over_max too */
    bool is_over_max;
} qd_buf;

/* Empty; nothing is allocated before the first append. `max`: bytes. */
void qd_buf_init(qd_buf *b, size_t max);
void qd_buf_deinit(qd_buf *b);
/* Empty but usable; keeps the memory; clears `failed`. */
void qd_buf_clear(qd_buf *b);

/* Room for `n` more bytes; false latches `failed`. */
bool qd_buf_reserve(qd_buf *b, size_t n);
void qd_buf_add(qd_buf *b, const void *p, size_t n);
void qd_buf_add_str(qd_buf *b, qd_str s);
void qd_buf_add_z(qd_buf *b, const char *z);
void qd_buf_add_char(qd_buf *b, char c);
void qd_buf_addf(qd_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline qd_str qd_buf_str(const qd_buf *b)
{
    return (qd_str){b->p ? b->p : "", b->n};
}

/* Hands the bytes over, NUL-terminated; owned by caller (free). NULL when `failed`. The buffer is empty after. */
char *qd_buf_take(qd_buf *b, size_t *n);

#endif
