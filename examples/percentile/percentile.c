/* SPDX-License-Identifier: Apache-2.0
 *
 * An aggregate: a percentile of a field over all documents that match, from a sketch of fixed size.
 *
 * Values are counted in buckets whose bounds grow by 2 % each (Masson, Rim, Lee: DDSketch, VLDB 2019), so that what is
 * given lies within 1 % of a value that has the wanted rank, however the values are spread. Two sketches are merged by
 * adding their counts: the result does not depend on how the documents were parted. What is nearer to 0 than 1e-9
 * counts as 0; what is beyond 1e9 is in the last bucket. */
#include <math.h>
#include <string.h>

#include "quidditch.h"

#define GAMMA     1.02 /* the bounds of a bucket, one by the other */
#define LEAST     1e-9
#define N_BUCKETS 2094 /* from 1e-9 to 1e9: ln(1e18) / ln(1.02) */

typedef struct sketch {
    uint64_t n, zeros;
    uint64_t above[N_BUCKETS], below[N_BUCKETS]; /* 0 */
} sketch;

static sketch only; /* one state per instance */

static uint32_t bucket_of(double magnitude)
{
    double i = floor(log(magnitude / LEAST) / log(GAMMA));
    return i >= N_BUCKETS ? N_BUCKETS - 1 : (uint32_t)i;
}

/* Within 1 % of all that the bucket holds. */
static double middle_of(uint32_t bucket)
{
    return LEAST * pow(GAMMA, bucket) * (2 * GAMMA / (1 + GAMMA));
}

QD_EXPORT(percentile_init) sketch *percentile_init(void)
{
    return &only;
}

QD_EXPORT(percentile_update) void percentile_update(sketch *s, double value, double percent)
{
    (void)percent; /* wanted at the end */
    double magnitude = fabs(value);
    if (isnan(value))
        return;
    s->n++;
    if (magnitude < LEAST)
        s->zeros++;
    else
        (value > 0 ? s->above : s->below)[bucket_of(magnitude)]++;
}

QD_EXPORT(percentile_serialize) uint64_t percentile_serialize(const sketch *s)
{
    return (uint64_t)(uintptr_t)s << 32 | sizeof *s;
}

QD_EXPORT(percentile_merge) void percentile_merge(sketch *s, const sketch *other, uint32_t n)
{
    if (n != sizeof *other)
        __builtin_trap();
    s->n += other->n;
    s->zeros += other->zeros;
    for (uint32_t i = 0; i < N_BUCKETS; i++) {
        s->above[i] += other->above[i];
        s->below[i] += other->below[i];
    }
}

/* The value of rank `rank`, from 0, counted from the least. */
static double value_at(const sketch *s, uint64_t rank)
{
    for (uint32_t i = N_BUCKETS; i-- > 0; rank -= s->below[i])
        if (rank < s->below[i])
            return -middle_of(i);
    if (rank < s->zeros)
        return 0;
    rank -= s->zeros;
    for (uint32_t i = 0; i < N_BUCKETS; rank -= s->above[i], i++)
        if (rank < s->above[i])
            return middle_of(i);
    return middle_of(N_BUCKETS - 1);
}

QD_EXPORT(percentile_finish) double percentile_finish(const sketch *s)
{
    double percent = 50;
    (void)qd_param_f64("percent", &percent);
    percent = fmin(fmax(percent, 0), 100);
    if (s->n == 0) {
        qd_set_result_missing();
        return 0;
    }
    return value_at(s, (uint64_t)floor(percent / 100 * (double)(s->n - 1)));
}
