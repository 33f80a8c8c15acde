/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

/* Linear probing with backward shift on removal, so that there are no tombstones and no slow decay. A slot is free
 * when its key is NULL. The capacity is a power of two, at most three quarters full. */
#define FIRST_CAPACITY 16

typedef struct slot {
    uint64_t hash;
    char *key; /* owned */
    size_t n;
    void *value;
} slot;

struct qd_map {
    slot *slots;
    size_t capacity, count;
    uint64_t seed;
};

static uint64_t process_seed;
static pthread_once_t process_seed_once = PTHREAD_ONCE_INIT;

static void draw_process_seed(void)
{
    if (!qd_hash_random(&process_seed, sizeof process_seed))
        process_seed = (uint64_t)qd_clock_mono_ns() ^ (uint64_t)(uintptr_t)&process_seed;
}

qd_map *qd_map_new(void)
{
    pthread_once(&process_seed_once, draw_process_seed);
    qd_map *m = calloc(1, sizeof *m);
    if (m)
        m->seed = process_seed;
    return m;
}

void qd_map_free(qd_map *m, void (*free_value)(void *))
{
    if (!m)
        return;
    qd_map_clear(m, free_value);
    free(m->slots);
    free(m);
}

size_t qd_map_count(const qd_map *m)
{
    return m->count;
}

/* The slot that holds the key, or the free one where it belongs. The map must have slots. */
static slot *find(const qd_map *m, qd_str key, uint64_t hash)
{
    size_t mask = m->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        slot *s = &m->slots[i];
        if (!s->key || (s->hash == hash && s->n == key.n && (key.n == 0 || memcmp(s->key, key.p, key.n) == 0)))
            return s;
    }
}

void *qd_map_get(const qd_map *m, qd_str key)
{
    if (m->count == 0)
        return NULL;
    const slot *s = find(m, key, qd_hash64(key.p, key.n, m->seed));
    return s->key ? s->value : NULL;
}

static bool grow(qd_map *m)
{
    size_t capacity = m->capacity ? m->capacity * 2 : FIRST_CAPACITY;
    slot *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < m->capacity; i++) {
        if (!m->slots[i].key)
            continue;
        size_t at = m->slots[i].hash & (capacity - 1);
        while (slots[at].key)
            at = (at + 1) & (capacity - 1);
        slots[at] = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->capacity = capacity;
    return true;
}

bool qd_map_put(qd_map *m, qd_str key, void *value, void **old)
{
    if (m->count >= m->capacity / 4 * 3 && !grow(m))
        return false;
    uint64_t hash = qd_hash64(key.p, key.n, m->seed);
    slot *s = find(m, key, hash);
    void *replaced = NULL;
    if (s->key) {
        replaced = s->value;
        s->value = value;
    } else {
        char *copy = qd_str_dup(key);
        if (!copy)
            return false;
        *s = (slot){hash, copy, key.n, value};
        m->count++;
    }
    if (old)
        *old = replaced;
    return true;
}

void *qd_map_remove(qd_map *m, qd_str key)
{
    if (m->count == 0)
        return NULL;
    slot *s = find(m, key, qd_hash64(key.p, key.n, m->seed));
    if (!s->key)
        return NULL;
    void *value = s->value;
    free(s->key);
    m->count--;
    /* Close the gap: move back each follower that may stand there, which is one whose own place is not after it. */
    size_t mask = m->capacity - 1, gap = (size_t)(s - m->slots);
    for (size_t i = (gap + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = (slot){0};
    return value;
}

void qd_map_clear(qd_map *m, void (*free_value)(void *))
{
    for (size_t i = 0; i < m->capacity; i++) {
        if (!m->slots[i].key)
            continue;
        free(m->slots[i].key);
        if (free_value)
            free_value(m->slots[i].value);
        m->slots[i] = (slot){0};
    }
    m->count = 0;
}

bool qd_map_next(const qd_map *m, size_t *i, qd_str *key, void **value)
{
    for (; *i < m->capacity; (*i)++) {
        const slot *s = &m->slots[*i];
        if (!s->key)
            continue;
        if (key)
            *key = (qd_str){s->key, s->n};
        if (value)
            *value = s->value;
        (*i)++;
        return true;
    }
    return false;
}
