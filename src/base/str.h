/* SPDX-License-Identifier: Apache-2.0
 *
 * A view of bytes (UTF-8 unless said otherwise) with its length; not NUL-terminated, never owned. */
#ifndef QD_BASE_STR_H
#define QD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct qd_str {
    const char *p;
    size_t n;
} qd_str;

#define QD_STR(literal) ((qd_str){(literal), sizeof(literal) - 1})
/* For printf's "%.*s"; long strings are cut so that a message stays readable. */
#define QD_STR_FMT(s) ((int)((s).n > 128 ? 128 : (s).n)), ((s).p ? (s).p : "")

static inline qd_str qd_str_of(const char *z)
{
    return (qd_str){z, z ? strlen(z) : 0};
}
static inline bool qd_str_eq(qd_str a, qd_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool qd_str_is(qd_str a, const char *z)
{
    return qd_str_eq(a, qd_str_of(z));
}
static inline bool qd_str_starts(qd_str a, const char *z)
{
    size_t n = strlen(z);
    return a.n >= n && (n == 0 || memcmp(a.p, z, n) == 0);
}

/* -1, 0, 1 by bytes, the shorter first: the order of keyword values. */
int qd_str_cmp(qd_str a, qd_str b);

/* A NUL-terminated copy; owned by caller (free), NULL when out of memory. */
char *qd_str_dup(qd_str s);

/* Is `s` well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool qd_str_is_utf8(qd_str s);
/* The length of the character that starts at `p`, of which `n` bytes are there: 1 to 4, or 0 when it is malformed. */
size_t qd_str_utf8_length(const char *p, size_t n);

/* Strict decimal numbers in any locale: the whole string, no spaces, no hexadecimal, no "inf" or "nan", in range.
 * False otherwise, *out untouched. */
bool qd_str_to_i64(qd_str s, int64_t *out);
bool qd_str_to_f64(qd_str s, double *out); /* in number.c */

#endif
