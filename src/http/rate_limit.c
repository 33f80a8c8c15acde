/* SPDX-License-Identifier: Apache-2.0 */
#include "http/rate_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SETS      1024
#define WAYS      8
#define LOCKS     64
#define SECOND_NS ((int64_t)1000000000)

static const struct {
    const char *key, *unit;
    int64_t period_ns;
} CLASSES[QD_RATE_CLASSES] = {
    [QD_RATE_NONE] = {"", "", 0},
    [QD_RATE_REGISTER] = {"rate_limit.register_per_minute", "minute", 60 * SECOND_NS},
    [QD_RATE_DELETE] = {"rate_limit.delete_per_minute", "minute", 60 * SECOND_NS},
    [QD_RATE_QUERY] = {"rate_limit.query_per_second", "second", SECOND_NS},
    [QD_RATE_STATS] = {"rate_limit.stats_per_second", "second", SECOND_NS},
};

typedef struct bucket_key {
    uint8_t address[16];
    uint64_t class;
} bucket_key;

/* A bucket is the time at which it will be full again; one in the past is full. */
typedef struct bucket {
    bucket_key key;
    int64_t full_at_ns;
} bucket;

struct qd_rate_limiter {
    qd_rate_limits limits;
    uint64_t seed; /* so that nobody can choose addresses that share a set */
    pthread_mutex_t locks[LOCKS];
    bucket buckets[SETS][WAYS];
};

const char *qd_rate_class_key(qd_rate_class class)
{
    return CLASSES[class].key;
}

const char *qd_rate_class_unit(qd_rate_class class)
{
    return CLASSES[class].unit;
}

qd_rate_limiter *qd_rate_limiter_new(const qd_rate_limits *limits)
{
    qd_rate_limiter *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->limits = *limits;
    if (!qd_hash_random(&l->seed, sizeof l->seed)) {
        free(l);
        return NULL;
    }
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&l->locks[i], NULL);
    for (size_t i = 0; i < SETS; i++) {
        for (size_t k = 0; k < WAYS; k++)
            l->buckets[i][k].full_at_ns = INT64_MIN;
    }
    return l;
}

void qd_rate_limiter_free(qd_rate_limiter *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&l->locks[i]);
    free(l);
}

static bool is_ipv4(const qd_remote *r)
{
    static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    return memcmp(r->bytes, MAPPED, sizeof MAPPED) == 0;
}

static bucket_key key_of(qd_rate_class class, const qd_remote *remote)
{
    bucket_key key = {.class = class};
    memcpy(key.address, remote->bytes, is_ipv4(remote) ? 16 : 8);
    return key;
}

/* The client's bucket, else the fullest one of the set, made its own. */
static bucket *find(bucket set[WAYS], const bucket_key *key)
{
    bucket *fullest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(&set[i].key, key, sizeof *key) == 0)
            return &set[i];
        if (set[i].full_at_ns < fullest->full_at_ns)
            fullest = &set[i];
    }
    *fullest = (bucket){*key, INT64_MIN};
    return fullest;
}

static uint32_t seconds_up(int64_t ns)
{
    return (uint32_t)((ns + SECOND_NS - 1) / SECOND_NS);
}

qd_rate_answer qd_rate_limiter_take(qd_rate_limiter *l, qd_rate_class class, const qd_remote *remote, int64_t now_ns)
{
    qd_rate_answer a = {.limit = l->limits.most[class]};
    if (class == QD_RATE_NONE || a.limit == 0)
        return a;
    bucket_key key = key_of(class, remote);
    size_t set = (size_t)(qd_hash64(&key, sizeof key, l->seed) % SETS);
    int64_t call_ns = CLASSES[class].period_ns / a.limit, whole_ns = call_ns * a.limit;
    a.is_limited = true;
    pthread_mutex_lock(&l->locks[set % LOCKS]);
    bucket *b = find(l->buckets[set], &key);
    int64_t missing_ns = b->full_at_ns > now_ns ? b->full_at_ns - now_ns : 0;
    a.is_refused = missing_ns + call_ns > whole_ns;
    if (!a.is_refused) {
        missing_ns += call_ns;
        b->full_at_ns = now_ns + missing_ns;
    }
    pthread_mutex_unlock(&l->locks[set % LOCKS]);
    a.remaining = (uint32_t)((whole_ns - missing_ns) / call_ns);
    a.reset_s = seconds_up(missing_ns);
    a.retry_after_s = a.is_refused ? seconds_up(missing_ns + call_ns - whole_ns) : 0;
    return a;
}
