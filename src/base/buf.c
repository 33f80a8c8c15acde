/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 256

void qd_buf_init(qd_buf *b, size_t max)
{
    *b = (qd_buf){.max = max};
}

void qd_buf_deinit(qd_buf *b)
{
    free(b->p);
    *b = (qd_buf){.max = b->max};
}

void qd_buf_clear(qd_buf *b)
{
    b->n = 0;
    b->failed = b->is_over_max = false;
}

bool qd_buf_reserve(qd_buf *b, size_t n)
{
    if (b->failed)
        return false;
    if (n <= b->cap - b->n)
        return true;
    if (b->n > b->max || n > b->max - b->n) {
        b->failed = b->is_over_max = true;
        return false;
    }
    size_t need = b->n + n, cap = b->cap ? b->cap : FIRST_BYTES;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max)
        cap = b->max;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void qd_buf_add(qd_buf *b, const void *p, size_t n)
{
    if (n == 0 || !qd_buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void qd_buf_add_str(qd_buf *b, qd_str s)
{
    qd_buf_add(b, s.p, s.n);
}

void qd_buf_add_z(qd_buf *b, const char *z)
{
    qd_buf_add(b, z, strlen(z));
}

void qd_buf_add_char(qd_buf *b, char c)
{
    if (qd_buf_reserve(b, 1))
        b->p[b->n++] = c;
}

void qd_buf_addf(qd_buf *b, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)n < sizeof small) {
        qd_buf_add(b, small, (size_t)n);
        return;
    }
    /* vsnprintf wants room for a NUL that is not ours to keep, and that `max` may not grant. */
    char *large = malloc((size_t)n + 1);
    if (!large) {
        b->failed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(large, (size_t)n + 1, fmt, args);
    va_end(args);
    qd_buf_add(b, large, (size_t)n);
    free(large);
}

char *qd_buf_take(qd_buf *b, size_t *n)
{
    char *p = b->failed ? NULL : realloc(b->p, b->n + 1);
    if (!p) {
        qd_buf_deinit(b);
        return NULL;
    }
    p[b->n] = '\0';
    if (n)
        *n = b->n;
    *b = (qd_buf){.max = b->max};
    return p;
}
