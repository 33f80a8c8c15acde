/* SPDX-License-Identifier: Apache-2.0
 *
 * Bump allocation for things that die together: one arena per request. Nothing longer-lived may keep a pointer
 * into it. Memory is not zeroed unless said. Owner: one thread at a time. In builds with QD_ARENA_DEBUG each
 * allocation is a malloc of its own, so that sanitizers see its ends. */
#ifndef QD_BASE_ARENA_H
#define QD_BASE_ARENA_H

#include "base/str.h"

typedef struct qd_arena qd_arena;

/* `max_bytes` bounds what it may hold in all. NULL when out of memory. */
qd_arena *qd_arena_new(size_t max_bytes);
void qd_arena_free(qd_arena *a);

/* NULL when out of memory or over the bound; `size` 0 gives a valid pointer. 16-byte aligned. */
void *qd_arena_alloc(qd_arena *a, size_t size);
void *qd_arena_zalloc(qd_arena *a, size_t size);
/* count * size with the product checked; zeroed. */
void *qd_arena_array(qd_arena *a, size_t count, size_t size);
/* NUL-terminated copies. */
char *qd_arena_strndup(qd_arena *a, const char *p, size_t n);
qd_str qd_arena_str(qd_arena *a, qd_str s); /* p is NULL when it failed */
char *qd_arena_printf(qd_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t qd_arena_used(const qd_arena *a);
/* Has an allocation been refused for the bound? What failed else was out of memory. */
bool qd_arena_is_full(const qd_arena *a);

#define QD_NEW(arena, type) ((type *)qd_arena_zalloc((arena), sizeof(type)))

#endif
