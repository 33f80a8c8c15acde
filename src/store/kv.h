/* SPDX-License-Identifier: Apache-2.0
 *
 * kv: the first of the two interfaces that everything durable goes through (the other is log.h). A store of buckets of
 * keys with values and revisions; a put can demand the revision that the caller saw. LMDB implements it here
 * (kv_lmdb.c); a replicated backend implements the same table, so callers assume neither that the store is local nor
 * that several keys change together: write what others refer to first, the referring key last (qd_kv_put_many keeps
 * that order, and waits for the disk once).
 * Threads: any. No callback may call back into the store. */
#ifndef QD_STORE_KV_H
#define QD_STORE_KV_H

#include "base/buf.h"
#include "base/error.h"

typedef struct qd_kv qd_kv;

#define QD_KV_ANY    UINT64_MAX       /* whatever is there */
#define QD_KV_ABSENT 0                /* the key must not exist */
#define QD_KV_KEEP   (UINT64_MAX - 1) /* a value that is there stays, with its revision: no error */

/* A put among several; the texts are borrowed. */
typedef struct qd_kv_item {
    qd_str bucket, key, value;
    uint64_t expected;
} qd_kv_item;

/* Return false to end the walk early. Key and value are views valid during the call. */
typedef bool qd_kv_visit_fn(void *arg, qd_str key, qd_str value, uint64_t revision);
/* Called after a change is durable, in order of changes, on the changing thread; `value.p` NULL: deleted. */
typedef void qd_kv_watch_fn(void *arg, qd_str bucket, qd_str key, qd_str value, uint64_t revision);

typedef struct qd_kv_vtable {
    void (*close)(qd_kv *kv);
    qd_status (*get)(qd_kv *kv, qd_str bucket, qd_str key, qd_buf *value, uint64_t *revision, qd_error *err);
    qd_status (*put)(qd_kv *kv, qd_str bucket, qd_str key, qd_str value, uint64_t expected, uint64_t *revision,
                     qd_error *err);
    qd_status (*put_many)(qd_kv *kv, const qd_kv_item *items, size_t n, qd_error *err); /* NULL: one after the other */
    qd_status (*remove)(qd_kv *kv, qd_str bucket, qd_str key, uint64_t expected, qd_error *err);
    qd_status (*visit)(qd_kv *kv, qd_str bucket, qd_str prefix, qd_kv_visit_fn *fn, void *arg, qd_error *err);
    qd_status (*watch)(qd_kv *kv, qd_str bucket, qd_kv_watch_fn *fn, void *arg, qd_error *err);
} qd_kv_vtable;
struct qd_kv {
    const qd_kv_vtable *v;
};

/* Opens (creating) a kv on LMDB in `dir`. The map grows by itself up to `max_bytes`. Errors: QD_EIO. */
qd_status qd_kv_lmdb_open(const char *dir, size_t max_bytes, qd_kv **out, qd_error *err);
/* Opens one in memory: nothing survives its close (kv_memory.c). Errors: QD_ENOMEM. */
qd_status qd_kv_memory_open(qd_kv **out, qd_error *err);

static inline void qd_kv_close(qd_kv *kv)
{
    if (kv)
        kv->v->close(kv);
}
/* Appends the value to `value`. Errors: QD_ENOTFOUND. `revision` may be NULL. */
static inline qd_status qd_kv_get(qd_kv *kv, qd_str bucket, qd_str key, qd_buf *value, uint64_t *revision,
                                  qd_error *err)
{
    return kv->v->get(kv, bucket, key, value, revision, err);
}
/* Durable on return. Errors: QD_ECONFLICT when the revision is not `expected`. `revision` (may be NULL): the new one.
 */
static inline qd_status qd_kv_put(qd_kv *kv, qd_str bucket, qd_str key, qd_str value, uint64_t expected,
                                  uint64_t *revision, qd_error *err)
{
    return kv->v->put(kv, bucket, key, value, expected, revision, err);
}
/* Puts all in their order, durable on return: what one put after the other does, for the price of one sync where the
 * store can. After an error, or when the process ends meanwhile, the first few may be there: never one without those
 * before it. Errors: as qd_kv_put. */
static inline qd_status qd_kv_put_many(qd_kv *kv, const qd_kv_item *items, size_t n, qd_error *err)
{
    qd_status st = QD_OK;
    if (kv->v->put_many)
        return kv->v->put_many(kv, items, n, err);
    for (size_t i = 0; i < n && st == QD_OK; i++)
        st = kv->v->put(kv, items[i].bucket, items[i].key, items[i].value, items[i].expected, NULL, err);
    return st;
}
/* Durable on return. Errors: QD_ENOTFOUND, QD_ECONFLICT. */
static inline qd_status qd_kv_remove(qd_kv *kv, qd_str bucket, qd_str key, uint64_t expected, qd_error *err)
{
    return kv->v->remove(kv, bucket, key, expected, err);
}
/* All keys with a prefix in byte order, one consistent view. */
static inline qd_status qd_kv_visit(qd_kv *kv, qd_str bucket, qd_str prefix, qd_kv_visit_fn *fn, void *arg,
                                    qd_error *err)
{
    return kv->v->visit(kv, bucket, prefix, fn, arg, err);
}
/* Watches a bucket until the store closes. */
static inline qd_status qd_kv_watch(qd_kv *kv, qd_str bucket, qd_kv_watch_fn *fn, void *arg, qd_error *err)
{
    return kv->v->watch(kv, bucket, fn, arg, err);
}

#endif
