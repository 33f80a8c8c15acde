/* SPDX-License-Identifier: Apache-2.0
 *
 * kv: the first of the two interfaces that everything durable goes through (the other is log.h). A store of buckets of
 * keys with values and revisions; a put can demand the revision that the caller saw. LMDB implements it here
 * (kv_lmdb.c); a replicated backend implements the same table, so callers assume neither that the store is local nor
 * that several keys change together: write what others refer to first, the referring key last (qd_kv_change_many keeps
 * that order, and waits for the disk once). A log of the store's own (qd_kv_open_log) takes changes of keys with its
 * records, for those who must tell what they did.
 * Threads: any. No callback may call back into the store. */
#ifndef QD_STORE_KV_H
#define QD_STORE_KV_H

#include "base/buf.h"
#include "base/error.h"

typedef struct qd_kv qd_kv;

#define QD_KV_ANY    UINT64_MAX       /* whatever is there */
#define QD_KV_ABSENT 0                /* the key must not exist */
#define QD_KV_KEEP   (UINT64_MAX - 1) /* a value that is there stays, with its revision: no error */

/* A change among several; the texts are borrowed. */
typedef struct qd_kv_item {
    qd_str bucket, key, value;
    uint64_t expected;
    bool is_removal; /* a key that is not there is no error; with QD_KV_ANY */
} qd_kv_item;

struct qd_log;

/* Return false to end the walk early. Key and value are views valid during the call. */
typedef bool qd_kv_visit_fn(void *arg, qd_str key, qd_str value, uint64_t revision);
/* Called after a change is durable, in order of changes, on the changing thread; `value.p` NULL: deleted. */
typedef void qd_kv_watch_fn(void *arg, qd_str bucket, qd_str key, qd_str value, uint64_t revision);

typedef struct qd_kv_vtable {
    void (*close)(qd_kv *kv);
    qd_status (*get)(qd_kv *kv, qd_str bucket, qd_str key, qd_buf *value, uint64_t *revision, qd_error *err);
    qd_status (*put)(qd_kv *kv, qd_str bucket, qd_str key, qd_str value, uint64_t expected, uint64_t *revision,
                     qd_error *err);
    qd_status (*change_many)(qd_kv *kv, const qd_kv_item *items, size_t n, qd_error *err); /* NULL: one by one */
    qd_status (*remove)(qd_kv *kv, qd_str bucket, qd_str key, uint64_t expected, qd_error *err);
    qd_status (*visit)(qd_kv *kv, qd_str bucket, qd_str prefix, qd_kv_visit_fn *fn, void *arg, qd_error *err);
    qd_status (*watch)(qd_kv *kv, qd_str bucket, qd_kv_watch_fn *fn, void *arg, qd_error *err);
    qd_status (*open_log)(qd_kv *kv, const char *name, size_t max_bytes, struct qd_log **out,
                          qd_error *err); /* NULL: it has none */
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
/* Durable on return. Errors: QD_ENOTFOUND, QD_ECONFLICT. */
static inline qd_status qd_kv_remove(qd_kv *kv, qd_str bucket, qd_str key, uint64_t expected, qd_error *err)
{
    return kv->v->remove(kv, bucket, key, expected, err);
}
/* Makes all changes in their order, durable on return: what one after the other does, for the price of one sync where
 * the store can. After an error, or when the process ends meanwhile, the first few may be made: never one without those
 * before it. Errors: as qd_kv_put. */
qd_status qd_kv_change_many(qd_kv *kv, const qd_kv_item *items, size_t n, qd_error *err);
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
/* Opens (creating) the log of that name that is part of the store, with room for `max_bytes` within the store's own;
 * one handle at a time, closed before the store. Errors: QD_EUNSUPPORTED, QD_EIO. */
qd_status qd_kv_open_log(qd_kv *kv, const char *name, size_t max_bytes, struct qd_log **out, qd_error *err);

#endif
