/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a kv in memory that counts what is asked of it, and fails when told to. */
#ifndef QD_TEST_FAKE_KV_H
#define QD_TEST_FAKE_KV_H

#include <stdatomic.h>

#include "cmocka_qd.h"
#include "store/kv.h"

typedef struct fake_kv {
    qd_kv kv;
    qd_kv *memory;
    atomic_uint gets, puts, removes;
    atomic_bool is_full;     /* puts and removals fail */
    atomic_int changes_left; /* after so many changes it is full; negative: never */
} fake_kv;

static inline qd_status fake_get(qd_kv *kv, qd_str bucket, qd_str key, qd_buf *value, uint64_t *revision, qd_error *err)
{
    fake_kv *f = (fake_kv *)kv;
    atomic_fetch_add(&f->gets, 1);
    return qd_kv_get(f->memory, bucket, key, value, revision, err);
}

static inline bool fake_is_full(fake_kv *f)
{
    if (atomic_load(&f->changes_left) >= 0 && atomic_fetch_sub(&f->changes_left, 1) == 0)
        atomic_store(&f->is_full, true);
    return atomic_load(&f->is_full);
}

static inline qd_status fake_put(qd_kv *kv, qd_str bucket, qd_str key, qd_str value, uint64_t expected,
                                 uint64_t *revision, qd_error *err)
{
    fake_kv *f = (fake_kv *)kv;
    atomic_fetch_add(&f->puts, 1);
    if (fake_is_full(f))
        return qd_fail(err, QD_EIO, "no space left on device");
    return qd_kv_put(f->memory, bucket, key, value, expected, revision, err);
}

static inline qd_status fake_remove(qd_kv *kv, qd_str bucket, qd_str key, uint64_t expected, qd_error *err)
{
    fake_kv *f = (fake_kv *)kv;
    atomic_fetch_add(&f->removes, 1);
    if (fake_is_full(f))
        return qd_fail(err, QD_EIO, "no space left on device");
    return qd_kv_remove(f->memory, bucket, key, expected, err);
}

static inline qd_status fake_visit(qd_kv *kv, qd_str bucket, qd_str prefix, qd_kv_visit_fn *fn, void *arg,
                                   qd_error *err)
{
    return qd_kv_visit(((fake_kv *)kv)->memory, bucket, prefix, fn, arg, err);
}

static inline void fake_kv_init(fake_kv *f)
{
    static const qd_kv_vtable v = {.get = fake_get, .put = fake_put, .remove = fake_remove, .visit = fake_visit};
    qd_error err = QD_ERROR_INIT;
    *f = (fake_kv){.kv = {&v}, .changes_left = -1};
    assert_status_ok(qd_kv_memory_open(&f->memory, &err), &err);
}

static inline void fake_kv_deinit(fake_kv *f)
{
    qd_kv_close(f->memory);
}

#endif
