/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that several hold: a module, and who compiles it in the background. */
#ifndef QD_WASM_BLOB_H
#define QD_WASM_BLOB_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct qd_blob {
    atomic_uint refs;
    size_t n;
    uint8_t p[];
} qd_blob;

/* A copy of `p`; NULL when out of memory. */
static inline qd_blob *qd_blob_new(const uint8_t *p, size_t n)
{
    qd_blob *b = malloc(sizeof *b + n);
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->n = n;
    if (n)
        memcpy(b->p, p, n);
    return b;
}

static inline qd_blob *qd_blob_ref(qd_blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static inline void qd_blob_unref(qd_blob *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        free(b);
}

#endif
