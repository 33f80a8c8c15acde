/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_BITS    6
#define GROUP_BUCKETS (1u << GROUP_BITS)

void qd_histogram_init(qd_histogram *h)
{
    memset(h, 0, sizeof *h);
}

void qd_histogram_deinit(qd_histogram *h)
{
    for (size_t g = 0; g < QD_HISTOGRAM_GROUPS; g++)
        free(h->groups[g]);
    memset(h, 0, sizeof *h);
}

void qd_histogram_clear(qd_histogram *h)
{
    for (size_t g = 0; g < QD_HISTOGRAM_GROUPS; g++)
        if (h->groups[g])
            memset(h->groups[g], 0, GROUP_BUCKETS * sizeof *h->groups[g]);
    h->count = h->min = h->max = 0;
}

/* Group 0 holds 0 to 63, group g > 0 the values whose highest bit is bit g + 5; the six bits below it are the place
 * within. So groups 0 and 1 are exact. */
static size_t bucket_of(uint64_t value)
{
    if (value < GROUP_BUCKETS)
        return (size_t)value;
    unsigned high = 63 - (unsigned)__builtin_clzll(value), group = high - GROUP_BITS + 1;
    return ((size_t)group << GROUP_BITS) + (size_t)(value >> (group - 1)) - GROUP_BUCKETS;
}

static uint64_t middle_of(size_t bucket)
{
    size_t group = bucket >> GROUP_BITS;
    if (group == 0)
        return bucket;
    uint64_t width = UINT64_C(1) << (group - 1);
    return (GROUP_BUCKETS + (bucket & (GROUP_BUCKETS - 1))) * width + width / 2;
}

static uint64_t *group_for(qd_histogram *h, size_t group)
{
    if (!h->groups[group])
        h->groups[group] = calloc(GROUP_BUCKETS, sizeof *h->groups[group]);
    return h->groups[group];
}

static void widen(qd_histogram *h, uint64_t min, uint64_t max, uint64_t count)
{
    if (h->count == 0 || min < h->min)
        h->min = min;
    if (h->count == 0 || max > h->max)
        h->max = max;
    h->count += count;
}

bool qd_histogram_record(qd_histogram *h, uint64_t value, uint64_t count)
{
    if (count == 0)
        return true;
    value = value > QD_HISTOGRAM_MAX ? QD_HISTOGRAM_MAX : value;
    size_t bucket = bucket_of(value);
    uint64_t *group = group_for(h, bucket >> GROUP_BITS);
    if (!group)
        return false;
    group[bucket & (GROUP_BUCKETS - 1)] += count;
    widen(h, value, value, count);
    return true;
}

bool qd_histogram_merge(qd_histogram *h, const qd_histogram *from)
{
    if (from->count == 0)
        return true;
    for (size_t g = 0; g < QD_HISTOGRAM_GROUPS; g++)
        if (from->groups[g] && !group_for(h, g))
            return false;
    for (size_t g = 0; g < QD_HISTOGRAM_GROUPS; g++)
        for (size_t i = 0; from->groups[g] && i < GROUP_BUCKETS; i++)
            h->groups[g][i] += from->groups[g][i];
    widen(h, from->min, from->max, from->count);
    return true;
}

uint64_t qd_histogram_percentile(const qd_histogram *h, double percent)
{
    double rank = ceil(percent / 100 * (double)h->count);
    uint64_t wanted = rank < 1 ? 1 : rank >= (double)h->count ? h->count : (uint64_t)rank;
    uint64_t seen = 0, middle, count;
    if (h->count == 0)
        return 0;
    if (wanted == h->count)
        return h->max;
    for (size_t bucket = 0; qd_histogram_next(h, &bucket, &middle, &count);) {
        seen += count;
        if (seen >= wanted)
            return middle < h->min ? h->min : middle > h->max ? h->max : middle;
    }
    return h->max;
}

uint64_t qd_histogram_count_to(const qd_histogram *h, uint64_t value)
{
    uint64_t seen = 0, middle, count;
    if (h->count == 0 || value < h->min)
        return 0;
    if (value >= h->max)
        return h->count;
    for (size_t bucket = 0; qd_histogram_next(h, &bucket, &middle, &count) && middle <= value;)
        seen += count;
    return seen;
}

bool qd_histogram_next(const qd_histogram *h, size_t *bucket, uint64_t *middle, uint64_t *count)
{
    for (size_t b = *bucket; b < QD_HISTOGRAM_BUCKETS; b++) {
        const uint64_t *group = h->groups[b >> GROUP_BITS];
        if (!group) {
            b |= GROUP_BUCKETS - 1;
            continue;
        }
        if (group[b & (GROUP_BUCKETS - 1)] == 0)
            continue;
        *middle = middle_of(b);
        *count = group[b & (GROUP_BUCKETS - 1)];
        *bucket = b + 1;
        return true;
    }
    *bucket = QD_HISTOGRAM_BUCKETS;
    return false;
}

size_t qd_histogram_bytes(const qd_histogram *h)
{
    size_t n = 0;
    for (size_t g = 0; g < QD_HISTOGRAM_GROUPS; g++)
        n += h->groups[g] ? GROUP_BUCKETS * sizeof *h->groups[g] : 0;
    return n;
}
