/* SPDX-License-Identifier: Apache-2.0
 *
 * The kv on LMDB: one database. Key = bucket, NUL, key; value = revision (8 bytes, little-endian), then the value.
 * Revisions come from one counter for the whole store, kept under a key that no bucket can have (buckets are not
 * empty); the names of logs are keys without a NUL. `change_mutex` is held over a change and its watchers, so that
 * these see changes in order. */
#include "store/kv_lmdb.h"

#include <stdlib.h>

#include "store/watchers.h"

#define MAX_KEY_BYTES  511 /* LMDB's limit */
#define REVISION_BYTES 8

typedef struct lmdb_kv {
    qd_kv base;
    qd_lmdb *l;
    pthread_mutex_t change_mutex;
    qd_kv_watchers watchers;
} lmdb_kv;

typedef struct full_key {
    char bytes[MAX_KEY_BYTES];
    size_t n, bucket_n;
} full_key;

/* A put (value.p set) or a removal. */
typedef struct change {
    lmdb_kv *kv;
    full_key *key;
    qd_str value;
    uint64_t expected, found, revision; /* found: the revision that was there, 0 for none */
    bool may_be_gone;                   /* a removal of a key that is not there changes nothing */
    bool is_refused, is_kept;
} change;

/* Changes of one transaction, in order. */
typedef struct changes {
    change *items;
    size_t n;
    const change *refused; /* NULL: none */
} changes;

struct qd_kv_changes {
    changes all;
    lmdb_kv *kv;
    full_key *keys;
};

static const char counter_key[] = "\0revision";

static lmdb_kv *self(qd_kv *kv)
{
    return (lmdb_kv *)(void *)kv;
}

static qd_status make_key(const lmdb_kv *kv, qd_str bucket, qd_str key, full_key *out, qd_error *err)
{
    if (bucket.n == 0 || memchr(bucket.p, 0, bucket.n))
        return qd_fail(err, QD_EINVAL, "store '%s': a bucket's name is one byte or more, none of them NUL", kv->l->dir);
    if (bucket.n + 1 + key.n > MAX_KEY_BYTES)
        return qd_fail(err, QD_EINVAL,
                       "store '%s': key '%.*s' of bucket '%.*s' has %zu bytes; both together may have %d", kv->l->dir,
                       QD_STR_FMT(key), QD_STR_FMT(bucket), key.n, MAX_KEY_BYTES - 1);
    memcpy(out->bytes, bucket.p, bucket.n);
    out->bytes[bucket.n] = 0;
    if (key.n > 0)
        memcpy(out->bytes + bucket.n + 1, key.p, key.n);
    out->bucket_n = bucket.n;
    out->n = bucket.n + 1 + key.n;
    return QD_OK;
}

static qd_str bucket_of(const full_key *key)
{
    return (qd_str){key->bytes, key->bucket_n};
}

static qd_str name_of(const full_key *key)
{
    return (qd_str){key->bytes + key->bucket_n + 1, key->n - key->bucket_n - 1};
}

static uint64_t load_u64(const void *p)
{
    const unsigned char *b = p;
    uint64_t v = 0;
    for (int i = REVISION_BYTES - 1; i >= 0; i--)
        v = v << 8 | b[i];
    return v;
}

static void store_u64(void *p, uint64_t v)
{
    unsigned char *b = p;
    for (int i = 0; i < REVISION_BYTES; i++)
        b[i] = (unsigned char)(v >> (8 * i));
}

/* Splits what is stored under a key; false when it cannot be ours. */
static bool split_value(const MDB_val *stored, qd_str *value, uint64_t *revision)
{
    if (stored->mv_size < REVISION_BYTES)
        return false;
    *revision = load_u64(stored->mv_data);
    *value = (qd_str){(const char *)stored->mv_data + REVISION_BYTES, stored->mv_size - REVISION_BYTES};
    return true;
}

/* ---- changing ---- */

static int next_revision(MDB_txn *txn, MDB_dbi dbi, uint64_t *out)
{
    unsigned char bytes[REVISION_BYTES];
    MDB_val key = {sizeof counter_key - 1, (void *)counter_key}, value;
    uint64_t last = 0;
    int rc = mdb_get(txn, dbi, &key, &value);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    if (rc == 0 && value.mv_size != REVISION_BYTES)
        return MDB_CORRUPTED;
    if (rc == 0)
        last = load_u64(value.mv_data);
    store_u64(bytes, last + 1);
    value = (MDB_val){sizeof bytes, bytes};
    *out = last + 1;
    return mdb_put(txn, dbi, &key, &value, 0);
}

static int write_change(change *c, MDB_txn *txn)
{
    MDB_dbi dbi = c->kv->l->dbi;
    MDB_val key = {c->key->n, c->key->bytes}, value;
    qd_str old;
    c->found = 0;
    int rc = mdb_get(txn, dbi, &key, &value);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    if (rc == 0 && !split_value(&value, &old, &c->found))
        return MDB_CORRUPTED;
    bool is_put = c->value.p != NULL;
    c->is_kept = (c->expected == QD_KV_KEEP && c->found != 0) || (c->may_be_gone && c->found == 0);
    c->revision = c->found;
    if (c->is_kept)
        return 0;
    c->is_refused = (c->expected != QD_KV_ANY && c->expected != QD_KV_KEEP && c->expected != c->found) ||
                    (!is_put && c->found == 0);
    if (c->is_refused)
        return QD_LMDB_ABORT;
    rc = next_revision(txn, dbi, &c->revision);
    if (rc != 0)
        return rc;
    if (!is_put)
        return mdb_del(txn, dbi, &key, NULL);
    value = (MDB_val){REVISION_BYTES + c->value.n, NULL};
    rc = mdb_put(txn, dbi, &key, &value, MDB_RESERVE);
    if (rc != 0)
        return rc;
    store_u64(value.mv_data, c->revision);
    if (c->value.n > 0)
        memcpy((char *)value.mv_data + REVISION_BYTES, c->value.p, c->value.n);
    return 0;
}

static qd_status refusal(const change *c, qd_error *err)
{
    qd_str bucket = bucket_of(c->key), key = name_of(c->key);
    if (c->found == 0 && c->value.p == NULL)
        return qd_fail(err, QD_ENOTFOUND, "bucket '%.*s' has no key '%.*s'", QD_STR_FMT(bucket), QD_STR_FMT(key));
    if (c->expected == QD_KV_ABSENT)
        return qd_fail(err, QD_ECONFLICT, "key '%.*s' of bucket '%.*s' exists already, at revision %llu",
                       QD_STR_FMT(key), QD_STR_FMT(bucket), (unsigned long long)c->found);
    return qd_fail(err, QD_ECONFLICT, "key '%.*s' of bucket '%.*s' is at revision %llu (0: absent), expected %llu",
                   QD_STR_FMT(key), QD_STR_FMT(bucket), (unsigned long long)c->found, (unsigned long long)c->expected);
}

static int write_changes(void *arg, MDB_txn *txn)
{
    changes *all = arg;
    int rc = 0;
    all->refused = NULL;
    for (size_t i = 0; i < all->n && rc == 0; i++) {
        rc = write_change(&all->items[i], txn);
        if (all->items[i].is_refused)
            all->refused = &all->items[i];
    }
    return rc;
}

static void tell(const lmdb_kv *kv, const change *c)
{
    if (!c->is_kept)
        qd_kv_watchers_tell(&kv->watchers, bucket_of(c->key), name_of(c->key), c->value, c->revision);
}

static qd_status make_changes(lmdb_kv *kv, change *items, size_t n, qd_error *err)
{
    changes all = {.items = items, .n = n};
    pthread_mutex_lock(&kv->change_mutex);
    /* What begins with a removal needs room before it frees any. */
    qd_status st = qd_lmdb_write(kv->l, write_changes, &all, items->value.p == NULL, err);
    if (st == QD_OK && all.refused)
        st = refusal(all.refused, err);
    for (size_t i = 0; i < n && st == QD_OK; i++)
        tell(kv, &items[i]);
    pthread_mutex_unlock(&kv->change_mutex);
    return st;
}

static qd_status kv_put(qd_kv *base, qd_str bucket, qd_str key, qd_str value, uint64_t expected, uint64_t *revision,
                        qd_error *err)
{
    lmdb_kv *kv = self(base);
    full_key full;
    change c = {.kv = kv, .key = &full, .value = value, .expected = expected};
    if (!c.value.p)
        c.value.p = "";
    qd_status st = make_key(kv, bucket, key, &full, err);
    if (st == QD_OK)
        st = make_changes(kv, &c, 1, err);
    if (st == QD_OK && revision)
        *revision = c.revision;
    return st;
}

qd_status qd_kv_changes_new(qd_kv *base, const qd_kv_item *items, size_t n, qd_kv_changes **out, qd_error *err)
{
    lmdb_kv *kv = self(base);
    qd_status st = QD_OK;
    qd_kv_changes *c = calloc(1, sizeof *c);
    if (!c)
        return qd_fail_nomem(err);
    c->kv = kv;
    c->all.n = n;
    c->all.items = calloc(n + 1, sizeof *c->all.items);
    c->keys = malloc((n + 1) * sizeof *c->keys);
    if (!c->all.items || !c->keys)
        st = qd_fail_nomem(err);
    for (size_t i = 0; i < n && st == QD_OK; i++) {
        const qd_kv_item *item = &items[i];
        qd_str value = item->value.p ? item->value : QD_STR("");
        c->all.items[i] = (change){.kv = kv,
                                   .key = &c->keys[i],
                                   .value = item->is_removal ? (qd_str){NULL, 0} : value,
                                   .expected = item->is_removal ? QD_KV_ANY : item->expected,
                                   .may_be_gone = item->is_removal};
        st = make_key(kv, item->bucket, item->key, &c->keys[i], err);
    }
    if (st == QD_OK)
        *out = QD_TAKE(c);
    qd_kv_changes_free(c);
    return st;
}

void qd_kv_changes_free(qd_kv_changes *c)
{
    if (!c)
        return;
    free(c->keys);
    free(c->all.items);
    free(c);
}

int qd_kv_changes_write(qd_kv_changes *c, MDB_txn *txn)
{
    return write_changes(&c->all, txn);
}

bool qd_kv_changes_delete(const qd_kv_changes *c)
{
    return c->all.n > 0 && c->all.items[0].value.p == NULL;
}

void qd_kv_changes_tell(const qd_kv_changes *c)
{
    for (size_t i = 0; i < c->all.n; i++)
        tell(c->kv, &c->all.items[i]);
}

void qd_kv_lmdb_lock(qd_kv *kv)
{
    pthread_mutex_lock(&self(kv)->change_mutex);
}

void qd_kv_lmdb_unlock(qd_kv *kv)
{
    pthread_mutex_unlock(&self(kv)->change_mutex);
}

static qd_status kv_change_many(qd_kv *base, const qd_kv_item *items, size_t n, qd_error *err)
{
    qd_kv_changes *c = NULL;
    qd_status st = qd_kv_changes_new(base, items, n, &c, err);
    if (st == QD_OK && n > 0)
        st = make_changes(self(base), c->all.items, n, err);
    qd_kv_changes_free(c);
    return st;
}

static qd_status kv_remove(qd_kv *base, qd_str bucket, qd_str key, uint64_t expected, qd_error *err)
{
    lmdb_kv *kv = self(base);
    full_key full;
    change c = {.kv = kv, .key = &full, .expected = expected};
    qd_status st = make_key(kv, bucket, key, &full, err);
    return st == QD_OK ? make_changes(kv, &c, 1, err) : st;
}

/* ---- reading ---- */

static qd_status kv_get(qd_kv *base, qd_str bucket, qd_str key, qd_buf *value, uint64_t *revision, qd_error *err)
{
    lmdb_kv *kv = self(base);
    MDB_txn *txn = NULL;
    MDB_val stored;
    full_key full;
    qd_str found;
    uint64_t found_revision = 0;
    qd_status st = make_key(kv, bucket, key, &full, err);
    if (st == QD_OK)
        st = qd_lmdb_begin_read(kv->l, &txn, err);
    if (st != QD_OK)
        return st;
    int rc = mdb_get(txn, kv->l->dbi, &(MDB_val){full.n, full.bytes}, &stored);
    if (rc == 0 && !split_value(&stored, &found, &found_revision))
        rc = MDB_CORRUPTED;
    if (rc == 0) {
        qd_buf_add_str(value, found);
        if (value->failed && !value->is_over_max)
            st = qd_fail_nomem(err);
        else if (value->failed)
            st = qd_fail(err, QD_ELIMIT,
                         "key '%.*s' of bucket '%.*s': its value of %zu bytes is larger than the reader takes",
                         QD_STR_FMT(key), QD_STR_FMT(bucket), found.n);
        else if (revision)
            *revision = found_revision;
    } else if (rc == MDB_NOTFOUND) {
        st = qd_fail(err, QD_ENOTFOUND, "bucket '%.*s' has no key '%.*s'", QD_STR_FMT(bucket), QD_STR_FMT(key));
    } else {
        st = qd_lmdb_fail(kv->l, rc, "cannot read", err);
    }
    qd_lmdb_end_read(kv->l, txn);
    return st;
}

static qd_status kv_visit(qd_kv *base, qd_str bucket, qd_str prefix, qd_kv_visit_fn *fn, void *arg, qd_error *err)
{
    lmdb_kv *kv = self(base);
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val stored;
    full_key first;
    qd_status st = make_key(kv, bucket, prefix, &first, err);
    if (st == QD_OK)
        st = qd_lmdb_begin_read(kv->l, &txn, err);
    if (st != QD_OK)
        return st;
    MDB_val key = {first.n, first.bytes};
    int rc = mdb_cursor_open(txn, kv->l->dbi, &cursor);
    for (MDB_cursor_op op = MDB_SET_RANGE; rc == 0; op = MDB_NEXT) {
        qd_str value;
        uint64_t revision;
        rc = mdb_cursor_get(cursor, &key, &stored, op);
        if (rc != 0 || key.mv_size < first.n || memcmp(key.mv_data, first.bytes, first.n) != 0)
            break;
        qd_str name = {(const char *)key.mv_data + bucket.n + 1, key.mv_size - bucket.n - 1};
        if (!split_value(&stored, &value, &revision))
            rc = MDB_CORRUPTED;
        else if (!fn(arg, name, value, revision))
            break;
    }
    if (cursor)
        mdb_cursor_close(cursor);
    qd_lmdb_end_read(kv->l, txn);
    return rc == 0 || rc == MDB_NOTFOUND ? QD_OK : qd_lmdb_fail(kv->l, rc, "cannot read", err);
}

static qd_status kv_watch(qd_kv *base, qd_str bucket, qd_kv_watch_fn *fn, void *arg, qd_error *err)
{
    lmdb_kv *kv = self(base);
    pthread_mutex_lock(&kv->change_mutex);
    qd_status st = qd_kv_watchers_add(&kv->watchers, bucket, fn, arg, err);
    pthread_mutex_unlock(&kv->change_mutex);
    return st;
}

static qd_status kv_open_log(qd_kv *base, const char *name, size_t max_bytes, struct qd_log **out, qd_error *err)
{
    return qd_log_lmdb_open_in(base, self(base)->l, name, max_bytes, out, err);
}

static void kv_close(qd_kv *base)
{
    lmdb_kv *kv = self(base);
    qd_kv_watchers_deinit(&kv->watchers);
    qd_lmdb_close(kv->l);
    pthread_mutex_destroy(&kv->change_mutex);
    free(kv);
}

static const qd_kv_vtable vtable = {
    .close = kv_close,
    .get = kv_get,
    .put = kv_put,
    .change_many = kv_change_many,
    .remove = kv_remove,
    .visit = kv_visit,
    .watch = kv_watch,
    .open_log = kv_open_log,
};

qd_status qd_kv_lmdb_open(const char *dir, size_t max_bytes, qd_kv **out, qd_error *err)
{
    lmdb_kv *kv = calloc(1, sizeof *kv);
    if (!kv)
        return qd_fail_nomem(err);
    kv->base.v = &vtable;
    pthread_mutex_init(&kv->change_mutex, NULL);
    qd_status st = qd_lmdb_open(dir, "store", max_bytes, 0, &kv->l, err);
    if (st != QD_OK) {
        kv_close(&kv->base);
        return st;
    }
    *out = &kv->base;
    return QD_OK;
}
