/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "wasm/cache_dir.h"

#define MAX_ENTRY_BYTES ((size_t)1 << 30)
#define MAX_PART        4 /* one entry may take a fourth of the whole */

typedef struct entry {
    char key[QD_CACHE_KEY_SIZE];
    uint64_t bytes;
    struct entry *newer, *older;
} entry;

struct qd_native_cache {
    int directory;
    uint64_t max_bytes;
    uint8_t node_key[QD_CACHE_NODE_KEY_BYTES];
    atomic_uint_fast64_t hits, misses, evictions, rejected, serial;
    pthread_mutex_t mutex; /* of all below */
    bool is_scanned;
    qd_map *entries;
    entry *newest, *oldest;
    uint64_t bytes;
};

qd_status qd_native_cache_open(const char *directory, uint64_t max_bytes, qd_native_cache **out, qd_error *err)
{
    qd_native_cache *c = calloc(1, sizeof *c);
    if (!c)
        return qd_fail_nomem(err);
    c->directory = -1;
    c->max_bytes = max_bytes;
    pthread_mutex_init(&c->mutex, NULL);
    c->entries = qd_map_new();
    qd_status rc = c->entries ? qd_cache_dir_open(directory, &c->directory, err) : qd_fail_nomem(err);
    if (!rc)
        rc = qd_cache_dir_key(c->directory, directory, c->node_key, err);
    if (rc)
        qd_native_cache_close(c);
    else
        *out = c;
    return rc;
}

void qd_native_cache_close(qd_native_cache *c)
{
    if (!c)
        return;
    if (c->entries)
        qd_map_free(c->entries, free);
    if (c->directory >= 0)
        close(c->directory);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static qd_str key_str(const char *key)
{
    return (qd_str){key, QD_CACHE_KEY_SIZE - 1};
}

static void unlink_locked(qd_native_cache *c, entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    c->bytes -= e->bytes;
}

static void push_locked(qd_native_cache *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
    c->bytes += e->bytes;
}

static void add_locked(qd_native_cache *c, const char *key, uint64_t bytes)
{
    entry *e = qd_map_get(c->entries, key_str(key));
    if (e) {
        unlink_locked(c, e);
    } else {
        e = calloc(1, sizeof *e);
        if (!e)
            return; /* the file stays; the next start finds it */
        memcpy(e->key, key, QD_CACHE_KEY_SIZE);
        if (!qd_map_put(c->entries, key_str(key), e, NULL)) {
            free(e);
            return;
        }
    }
    e->bytes = bytes;
    push_locked(c, e);
}

static void scan_locked(qd_native_cache *c)
{
    qd_cache_file *files = NULL;
    size_t n = 0;
    if (c->is_scanned)
        return;
    c->is_scanned = true;
    if (!qd_cache_dir_list(c->directory, &files, &n))
        return;
    for (size_t i = 0; i < n; i++)
        add_locked(c, files[i].key, files[i].bytes);
    free(files);
}

static void touch(qd_native_cache *c, const char *key)
{
    pthread_mutex_lock(&c->mutex);
    entry *e = qd_map_get(c->entries, key_str(key));
    if (e) {
        unlink_locked(c, e);
        push_locked(c, e);
    }
    pthread_mutex_unlock(&c->mutex);
}

/* The entry that is to go: out of the list, its file still there. NULL when the rest fits. */
static entry *take_oldest(qd_native_cache *c)
{
    pthread_mutex_lock(&c->mutex);
    entry *e = c->bytes > c->max_bytes ? c->oldest : NULL;
    if (e) {
        unlink_locked(c, e);
        qd_map_remove(c->entries, key_str(e->key));
    }
    pthread_mutex_unlock(&c->mutex);
    return e;
}

static void evict(qd_native_cache *c)
{
    for (entry *e; (e = take_oldest(c));) {
        unlinkat(c->directory, e->key, 0);
        atomic_fetch_add_explicit(&c->evictions, 1, memory_order_relaxed);
        free(e);
    }
}

void qd_native_cache_scan(qd_native_cache *c)
{
    pthread_mutex_lock(&c->mutex);
    scan_locked(c);
    pthread_mutex_unlock(&c->mutex);
    evict(c); /* the limit may have been larger when they were written */
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

void qd_native_cache_reject(qd_native_cache *c, const char key[QD_CACHE_KEY_SIZE])
{
    atomic_fetch_add_explicit(&c->rejected, 1, memory_order_relaxed);
    unlinkat(c->directory, key, 0);
    pthread_mutex_lock(&c->mutex);
    entry *e = qd_map_remove(c->entries, key_str(key));
    if (e)
        unlink_locked(c, e);
    pthread_mutex_unlock(&c->mutex);
    free(e);
}

bool qd_native_cache_get(qd_native_cache *c, const char key[QD_CACHE_KEY_SIZE], uint8_t **bytes, qd_str *code)
{
    size_t n = 0;
    uint8_t *found = qd_cache_dir_read(c->directory, key, MAX_ENTRY_BYTES, &n);
    if (found && !qd_cache_entry_open(c->node_key, key, found, n, code)) {
        qd_native_cache_reject(c, key);
        free(found);
        found = NULL;
    }
    atomic_fetch_add_explicit(found ? &c->hits : &c->misses, 1, memory_order_relaxed);
    if (!found)
        return false;
    touch(c, key);
    *bytes = found;
    return true;
}

void qd_native_cache_put(qd_native_cache *c, const char key[QD_CACHE_KEY_SIZE], qd_str code)
{
    uint8_t header[QD_CACHE_HEADER_BYTES];
    uint64_t bytes = code.n + sizeof header, serial = atomic_fetch_add(&c->serial, 1) + 1;
    if (bytes > c->max_bytes / MAX_PART || bytes > MAX_ENTRY_BYTES ||
        !qd_cache_entry_seal(c->node_key, key, code, header))
        return;
    const qd_str parts[] = {{(const char *)header, sizeof header}, code};
    qd_native_cache_scan(c); /* before the new file is there: it would be counted twice */
    if (!qd_cache_dir_write(c->directory, key, serial, parts, 2))
        return;
    pthread_mutex_lock(&c->mutex);
    add_locked(c, key, bytes);
    pthread_mutex_unlock(&c->mutex);
    evict(c);
}

void qd_native_cache_read_counters(qd_native_cache *c, qd_cache_counters *out)
{
    qd_native_cache_scan(c); /* where nothing was compiled since the start, nobody did yet */
    *out = (qd_cache_counters){
        .hits = atomic_load_explicit(&c->hits, memory_order_relaxed),
        .misses = atomic_load_explicit(&c->misses, memory_order_relaxed),
        .evictions = atomic_load_explicit(&c->evictions, memory_order_relaxed),
        .rejected = atomic_load_explicit(&c->rejected, memory_order_relaxed),
    };
    pthread_mutex_lock(&c->mutex);
    out->bytes = c->bytes;
    out->entries = qd_map_count(c->entries);
    pthread_mutex_unlock(&c->mutex);
}
