/* SPDX-License-Identifier: Apache-2.0
 *
 * The kv in memory, for a runtime that is to keep nothing: the same contract but for durability. One array of entries,
 * sorted by bucket, NUL, key, so that a walk goes in byte order; finding is a binary search, inserting moves pointers.
 * `mutex` guards the array and the watchers; it is held while a visitor or watcher is called, neither of which may call
 * back into the store (kv.h). */
#include <pthread.h>
#include <stdlib.h>

#include "store/watchers.h"

typedef struct entry {
    uint64_t revision;
    size_t key_n, bucket_n, value_n; /* key_n: of bucket, NUL, key */
    char bytes[];                    /* the key, then the value */
} entry;

typedef struct memory_kv {
    qd_kv base;
    pthread_mutex_t mutex;
    entry **entries;
    size_t n, capacity;
    uint64_t last_revision;
    qd_kv_watchers watchers;
} memory_kv;

static memory_kv *self(qd_kv *kv)
{
    return (memory_kv *)(void *)kv;
}

static qd_str name_of(const entry *e)
{
    return (qd_str){e->bytes + e->bucket_n + 1, e->key_n - e->bucket_n - 1};
}

static qd_str value_of(const entry *e)
{
    return (qd_str){e->bytes + e->key_n, e->value_n};
}

/* A candidate with its place in memory not yet decided. NULL when out of memory. */
static entry *make_entry(qd_str bucket, qd_str key, qd_str value)
{
    entry *e = malloc(sizeof *e + bucket.n + 1 + key.n + value.n);
    if (!e)
        return NULL;
    *e = (entry){.key_n = bucket.n + 1 + key.n, .bucket_n = bucket.n, .value_n = value.n};
    memcpy(e->bytes, bucket.p, bucket.n);
    e->bytes[bucket.n] = 0;
    if (key.n > 0)
        memcpy(e->bytes + bucket.n + 1, key.p, key.n);
    if (value.n > 0)
        memcpy(e->bytes + e->key_n, value.p, value.n);
    return e;
}

static int compare(const entry *a, const entry *b)
{
    int order = memcmp(a->bytes, b->bytes, a->key_n < b->key_n ? a->key_n : b->key_n);
    return order ? order : (a->key_n > b->key_n) - (a->key_n < b->key_n);
}

/* Where `wanted` is or belongs. */
static size_t find(const memory_kv *kv, const entry *wanted, bool *found)
{
    size_t low = 0, high = kv->n;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(kv->entries[middle], wanted);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static qd_status check_bucket(qd_str bucket, qd_error *err)
{
    if (bucket.n == 0 || memchr(bucket.p, 0, bucket.n))
        return qd_fail(err, QD_EINVAL, "store: a bucket's name is one byte or more, none of them NUL");
    return QD_OK;
}

/* ---- changing ---- */

static qd_status check_expected(const entry *there, const entry *wanted, uint64_t expected, qd_error *err)
{
    uint64_t found = there ? there->revision : 0;
    if (expected == QD_KV_ANY || expected == QD_KV_KEEP || expected == found)
        return QD_OK;
    if (expected == QD_KV_ABSENT)
        return qd_fail(err, QD_ECONFLICT, "key '%.*s' of bucket '%s' exists already, at revision %llu",
                       QD_STR_FMT(name_of(wanted)), wanted->bytes, (unsigned long long)found);
    return qd_fail(err, QD_ECONFLICT, "key '%.*s' of bucket '%s' is at revision %llu (0: absent), expected %llu",
                   QD_STR_FMT(name_of(wanted)), wanted->bytes, (unsigned long long)found, (unsigned long long)expected);
}

static bool reserve(memory_kv *kv)
{
    if (kv->n < kv->capacity)
        return true;
    size_t capacity = kv->capacity ? 2 * kv->capacity : 64;
    entry **grown = realloc(kv->entries, capacity * sizeof(entry *));
    if (!grown)
        return false;
    kv->entries = grown;
    kv->capacity = capacity;
    return true;
}

static void tell(const memory_kv *kv, const entry *e, qd_str value)
{
    qd_kv_watchers_tell(&kv->watchers, (qd_str){e->bytes, e->bucket_n}, name_of(e), value, kv->last_revision);
}

/* Puts `e` (taken on success) in its place; *revision: what is there then. Called with the mutex. */
static qd_status put_entry(memory_kv *kv, entry *e, uint64_t expected, uint64_t *revision, qd_error *err)
{
    bool found;
    size_t at = find(kv, e, &found);
    if (found && expected == QD_KV_KEEP) {
        *revision = kv->entries[at]->revision;
        free(e);
        return QD_OK;
    }
    qd_status st = check_expected(found ? kv->entries[at] : NULL, e, expected, err);
    if (st == QD_OK && !found && !reserve(kv))
        st = qd_fail_nomem(err);
    if (st != QD_OK)
        return st;
    if (found) {
        free(kv->entries[at]);
    } else {
        memmove(kv->entries + at + 1, kv->entries + at, (kv->n - at) * sizeof(entry *));
        kv->n++;
    }
    *revision = e->revision = ++kv->last_revision;
    kv->entries[at] = e;
    tell(kv, e, value_of(e));
    return QD_OK;
}

static qd_status kv_put(qd_kv *base, qd_str bucket, qd_str key, qd_str value, uint64_t expected, uint64_t *revision,
                        qd_error *err)
{
    memory_kv *kv = self(base);
    qd_status st = check_bucket(bucket, err);
    if (st != QD_OK)
        return st;
    entry *e = make_entry(bucket, key, value);
    if (!e)
        return qd_fail_nomem(err);
    uint64_t new_revision = 0;
    pthread_mutex_lock(&kv->mutex);
    st = put_entry(kv, e, expected, &new_revision, err);
    if (st == QD_OK && revision)
        *revision = new_revision;
    pthread_mutex_unlock(&kv->mutex);
    if (st != QD_OK)
        free(e);
    return st;
}

static qd_status kv_remove(qd_kv *base, qd_str bucket, qd_str key, uint64_t expected, qd_error *err)
{
    memory_kv *kv = self(base);
    bool found;
    qd_status st = check_bucket(bucket, err);
    if (st != QD_OK)
        return st;
    entry *wanted = make_entry(bucket, key, (qd_str){0}), *gone = NULL;
    if (!wanted)
        return qd_fail_nomem(err);
    pthread_mutex_lock(&kv->mutex);
    size_t at = find(kv, wanted, &found);
    if (!found)
        st = qd_fail(err, QD_ENOTFOUND, "bucket '%s' has no key '%.*s'", wanted->bytes, QD_STR_FMT(key));
    else
        st = check_expected(kv->entries[at], wanted, expected, err);
    if (st == QD_OK) {
        gone = kv->entries[at];
        memmove(kv->entries + at, kv->entries + at + 1, (--kv->n - at) * sizeof(entry *));
        kv->last_revision++;
        tell(kv, gone, (qd_str){0});
    }
    pthread_mutex_unlock(&kv->mutex);
    free(gone);
    free(wanted);
    return st;
}

/* ---- reading ---- */

static qd_status kv_get(qd_kv *base, qd_str bucket, qd_str key, qd_buf *value, uint64_t *revision, qd_error *err)
{
    memory_kv *kv = self(base);
    bool found;
    qd_status st = check_bucket(bucket, err);
    if (st != QD_OK)
        return st;
    entry *wanted = make_entry(bucket, key, (qd_str){0});
    if (!wanted)
        return qd_fail_nomem(err);
    pthread_mutex_lock(&kv->mutex);
    size_t at = find(kv, wanted, &found);
    if (!found) {
        st = qd_fail(err, QD_ENOTFOUND, "bucket '%s' has no key '%.*s'", wanted->bytes, QD_STR_FMT(key));
    } else {
        qd_buf_add_str(value, value_of(kv->entries[at]));
        if (value->failed && !value->is_over_max)
            st = qd_fail_nomem(err);
        else if (value->failed)
            st = qd_fail(err, QD_ELIMIT,
                         "key '%.*s' of bucket '%s': its value of %zu bytes is larger than the reader takes",
                         QD_STR_FMT(key), wanted->bytes, kv->entries[at]->value_n);
        else if (revision)
            *revision = kv->entries[at]->revision;
    }
    pthread_mutex_unlock(&kv->mutex);
    free(wanted);
    return st;
}

static qd_status kv_visit(qd_kv *base, qd_str bucket, qd_str prefix, qd_kv_visit_fn *fn, void *arg, qd_error *err)
{
    memory_kv *kv = self(base);
    bool found;
    qd_status st = check_bucket(bucket, err);
    if (st != QD_OK)
        return st;
    entry *first = make_entry(bucket, prefix, (qd_str){0});
    if (!first)
        return qd_fail_nomem(err);
    pthread_mutex_lock(&kv->mutex);
    for (size_t at = find(kv, first, &found); at < kv->n; at++) {
        const entry *e = kv->entries[at];
        if (e->key_n < first->key_n || memcmp(e->bytes, first->bytes, first->key_n) != 0 ||
            !fn(arg, name_of(e), value_of(e), e->revision))
            break;
    }
    pthread_mutex_unlock(&kv->mutex);
    free(first);
    return QD_OK;
}

static qd_status kv_watch(qd_kv *base, qd_str bucket, qd_kv_watch_fn *fn, void *arg, qd_error *err)
{
    memory_kv *kv = self(base);
    pthread_mutex_lock(&kv->mutex);
    qd_status st = qd_kv_watchers_add(&kv->watchers, bucket, fn, arg, err);
    pthread_mutex_unlock(&kv->mutex);
    return st;
}

static void kv_close(qd_kv *base)
{
    memory_kv *kv = self(base);
    qd_kv_watchers_deinit(&kv->watchers);
    for (size_t i = 0; i < kv->n; i++)
        free(kv->entries[i]);
    free(kv->entries);
    pthread_mutex_destroy(&kv->mutex);
    free(kv);
}

static const qd_kv_vtable vtable = {
    .close = kv_close,
    .get = kv_get,
    .put = kv_put,
    .remove = kv_remove,
    .visit = kv_visit,
    .watch = kv_watch,
};

qd_status qd_kv_memory_open(qd_kv **out, qd_error *err)
{
    memory_kv *kv = calloc(1, sizeof *kv);
    if (!kv)
        return qd_fail_nomem(err);
    kv->base.v = &vtable;
    pthread_mutex_init(&kv->mutex, NULL);
    *out = &kv->base;
    return QD_OK;
}
