/* SPDX-License-Identifier: Apache-2.0
 *
 * A histogram of durations or sizes with a bounded relative error, after Gil Tene's HdrHistogram: values below 128 have
 * a bucket each, above that each power of two is cut into 64 buckets of the same width. A bucket stands for its middle,
 * so a percentile is off by at most 1/128 (0.8 %) of its value; least, greatest and count are exact.
 *
 * Values go from 0 to QD_HISTOGRAM_MAX (in picoseconds 18 minutes); greater ones count as that. Buckets lie in groups
 * of 64, one per power of two, made when the first value falls into it: a function's times span a few groups, 1 to
 * 3 KiB; all of them would be 22.5 KiB. Not synchronized: the owner locks. */
#ifndef QD_BASE_HISTOGRAM_H
#define QD_BASE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QD_HISTOGRAM_MAX     ((UINT64_C(1) << 50) - 1)
#define QD_HISTOGRAM_GROUPS  45
#define QD_HISTOGRAM_BUCKETS (QD_HISTOGRAM_GROUPS * 64)

typedef struct qd_histogram {
    uint64_t count, min, max;              /* min and max mean nothing while count is 0 */
    uint64_t *groups[QD_HISTOGRAM_GROUPS]; /* 64 counts each; NULL: all 0 */
} qd_histogram;

/* Empty; nothing is allocated. All bytes zero is an empty one too. */
void qd_histogram_init(qd_histogram *h);
void qd_histogram_deinit(qd_histogram *h);
/* Empty but usable; keeps the memory. */
void qd_histogram_clear(qd_histogram *h);

/* Adds a value that was seen `count` times. False when out of memory: unchanged. */
bool qd_histogram_record(qd_histogram *h, uint64_t value, uint64_t count);
/* Adds all of `from`. False when out of memory: unchanged. */
bool qd_histogram_merge(qd_histogram *h, const qd_histogram *from);

/* The least value that at least `percent` of a hundred of all values do not exceed (nearest rank); 0 when empty. */
uint64_t qd_histogram_percentile(const qd_histogram *h, double percent);
/* How many values are at most `value`, give or take those in the same bucket. Never falls as `value` grows. */
uint64_t qd_histogram_count_to(const qd_histogram *h, uint64_t value);

/* Walks the buckets that hold something, in order: *bucket starts at 0; false at the end. For storing: the middle of a
 * bucket, recorded again, falls into it. */
bool qd_histogram_next(const qd_histogram *h, size_t *bucket, uint64_t *middle, uint64_t *count);
/* Memory taken beside the struct itself. */
size_t qd_histogram_bytes(const qd_histogram *h);

#endif
