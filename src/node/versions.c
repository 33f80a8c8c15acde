/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing over entries in an arena. Entries are not removed one by one: a refresh keeps the few that it does
 * not cover by copying them into a new table, and frees the old one whole. */
#include "node/versions.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"

#define FIRST_CAPACITY  1024
#define MAX_ARENA_BYTES ((size_t)4 << 30) /* a backstop: the refresh bounds keep far below it */

typedef struct entry {
    uint64_t hash;
    qd_version version;
    size_t n;
    char id[];
} entry;

typedef struct table {
    entry **slots; /* capacity is a power of two, at most half full */
    size_t capacity, count;
    qd_arena *arena;
} table;

struct qd_versions {
    pthread_mutex_t lock;
    uint64_t seed;
    table t;
};

static void table_deinit(table *t)
{
    free(t->slots);
    qd_arena_free(t->arena);
}

static bool table_init(table *t)
{
    *t = (table){calloc(FIRST_CAPACITY, sizeof(entry *)), FIRST_CAPACITY, 0, qd_arena_new(MAX_ARENA_BYTES)};
    if (t->slots && t->arena)
        return true;
    table_deinit(t);
    *t = (table){0};
    return false;
}

static entry **find(const table *t, qd_str id, uint64_t hash)
{
    size_t mask = t->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        entry *e = t->slots[i];
        if (!e || (e->hash == hash && e->n == id.n && memcmp(e->id, id.p, id.n) == 0))
            return &t->slots[i];
    }
}

static bool grow(table *t)
{
    size_t capacity = t->capacity * 2;
    entry **slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < t->capacity; i++) {
        if (!t->slots[i])
            continue;
        size_t at = t->slots[i]->hash & (capacity - 1);
        while (slots[at])
            at = (at + 1) & (capacity - 1);
        slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->capacity = capacity;
    return true;
}

static bool put(table *t, qd_str id, uint64_t hash, qd_version version)
{
    if (t->count >= t->capacity / 2 && !grow(t))
        return false;
    entry **slot = find(t, id, hash);
    if (*slot) {
        (*slot)->version = version;
        return true;
    }
    entry *e = qd_arena_alloc(t->arena, sizeof *e + id.n);
    if (!e)
        return false;
    e->hash = hash;
    e->version = version;
    e->n = id.n;
    memcpy(e->id, id.p, id.n);
    *slot = e;
    t->count++;
    return true;
}

qd_versions *qd_versions_new(void)
{
    qd_versions *v = calloc(1, sizeof *v);
    if (!v || !qd_hash_random(&v->seed, sizeof v->seed) || !table_init(&v->t)) {
        free(v);
        return NULL;
    }
    pthread_mutex_init(&v->lock, NULL);
    return v;
}

void qd_versions_free(qd_versions *v)
{
    if (!v)
        return;
    table_deinit(&v->t);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

bool qd_versions_get(qd_versions *v, qd_str id, qd_version *out)
{
    uint64_t hash = qd_hash64(id.p, id.n, v->seed);
    pthread_mutex_lock(&v->lock);
    const entry *e = *find(&v->t, id, hash);
    if (e)
        *out = e->version;
    pthread_mutex_unlock(&v->lock);
    return e != NULL;
}

bool qd_versions_put(qd_versions *v, qd_str id, qd_version version)
{
    uint64_t hash = qd_hash64(id.p, id.n, v->seed);
    pthread_mutex_lock(&v->lock);
    bool ok = put(&v->t, id, hash, version);
    pthread_mutex_unlock(&v->lock);
    return ok;
}

bool qd_versions_prune(qd_versions *v, int64_t seq_no)
{
    table kept;
    bool ok = table_init(&kept);
    pthread_mutex_lock(&v->lock);
    for (size_t i = 0; ok && i < v->t.capacity; i++) {
        const entry *e = v->t.slots[i];
        if (e && e->version.seq_no > seq_no)
            ok = put(&kept, (qd_str){e->id, e->n}, e->hash, e->version);
    }
    table dropped = kept;
    if (ok) {
        dropped = v->t;
        v->t = kept;
    }
    pthread_mutex_unlock(&v->lock);
    if (dropped.slots)
        table_deinit(&dropped);
    return ok;
}

size_t qd_versions_count(qd_versions *v)
{
    pthread_mutex_lock(&v->lock);
    size_t count = v->t.count;
    pthread_mutex_unlock(&v->lock);
    return count;
}
