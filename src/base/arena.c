/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT         ((size_t)16)
#define FIRST_CHUNK_BYTES ((size_t)4096)
#define MAX_CHUNK_BYTES   ((size_t)1 << 20)

/* The header of a chunk; what it holds follows it. Its size is a multiple of ALIGNMENT. */
typedef struct chunk {
    struct chunk *next;
    size_t size;
} chunk;

_Static_assert(sizeof(chunk) % 16 == 0, "what follows a chunk's header is aligned");

struct qd_arena {
    chunk *chunks;
    char *at, *end; /* the free part of the chunk that is being filled */
    size_t used, max, next_chunk;
    bool is_full;
};

qd_arena *qd_arena_new(size_t max_bytes)
{
    qd_arena *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->max = max_bytes;
    a->next_chunk = FIRST_CHUNK_BYTES;
    return a;
}

void qd_arena_free(qd_arena *a)
{
    if (!a)
        return;
    for (chunk *c = a->chunks; c;) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
    free(a);
}

/* A chunk with `size` bytes behind its header, put on the list. */
static char *add_chunk(qd_arena *a, size_t size)
{
    if (size > SIZE_MAX - sizeof(chunk))
        return NULL;
    chunk *c = malloc(sizeof *c + size);
    if (!c)
        return NULL;
    *c = (chunk){a->chunks, size};
    a->chunks = c;
    return (char *)(c + 1);
}

#ifdef QD_ARENA_DEBUG
static void *take(qd_arena *a, size_t size, size_t rounded)
{
    (void)rounded;
    return add_chunk(a, size);
}
#else
static void *take(qd_arena *a, size_t size, size_t rounded)
{
    (void)size;
    if (rounded <= (size_t)(a->end - a->at)) {
        char *p = a->at;
        a->at += rounded;
        return p;
    }
    /* What is large gets a chunk of its own, so that the one being filled is not given up for it. */
    if (rounded > a->next_chunk / 4)
        return add_chunk(a, rounded);
    char *p = add_chunk(a, a->next_chunk);
    if (!p)
        return NULL;
    a->at = p + rounded;
    a->end = p + a->next_chunk;
    if (a->next_chunk < MAX_CHUNK_BYTES)
        a->next_chunk *= 2;
    return p;
}
#endif

void *qd_arena_alloc(qd_arena *a, size_t size)
{
    size_t rounded = size ? (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : ALIGNMENT;
    if (size > a->max || rounded < size || rounded > a->max - a->used) {
        a->is_full = true;
        return NULL;
    }
    void *p = take(a, size, rounded);
    if (p)
        a->used += rounded;
    return p;
}

void *qd_arena_zalloc(qd_arena *a, size_t size)
{
    void *p = qd_arena_alloc(a, size);
    if (p)
        memset(p, 0, size);
    return p;
}

void *qd_arena_array(qd_arena *a, size_t count, size_t size)
{
    size_t product;
    if (__builtin_mul_overflow(count, size, &product))
        return NULL;
    return qd_arena_zalloc(a, product);
}

char *qd_arena_strndup(qd_arena *a, const char *p, size_t n)
{
    char *copy = n == SIZE_MAX ? NULL : qd_arena_alloc(a, n + 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

qd_str qd_arena_str(qd_arena *a, qd_str s)
{
    char *copy = qd_arena_strndup(a, s.p, s.n);
    return (qd_str){copy, copy ? s.n : 0};
}

char *qd_arena_printf(qd_arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : qd_arena_alloc(a, (size_t)n + 1);
    if (!text)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

size_t qd_arena_used(const qd_arena *a)
{
    return a->used;
}

bool qd_arena_is_full(const qd_arena *a)
{
    return a->is_full;
}
