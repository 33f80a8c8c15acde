/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a statistics object, for stats*.c only: shards that threads add to, what has been gathered from them,
 * and its row in the store. */
#ifndef QD_UDF_STATS_IMPL_H
#define QD_UDF_STATS_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/histogram.h"
#include "store/kv.h"
#include "udf/stats.h"

#define QD_STATS_SHARDS  16 /* a power of two; threads take turns */
#define QD_STATS_PENDING 16

typedef struct qd_stats_totals {
    uint64_t calls, documents, host_calls, string_bytes, total_ns;
} qd_stats_totals;

/* Blocks whose latency is not in the histogram yet. */
typedef struct qd_stats_pending {
    uint32_t n;
    struct {
        uint64_t call_ps;
        uint32_t calls;
    } blocks[QD_STATS_PENDING];
} qd_stats_pending;

typedef struct qd_stats_shard {
    _Alignas(64) pthread_mutex_t mutex;
    qd_stats_totals totals;
    qd_stats_pending pending;
} qd_stats_shard;

typedef struct qd_stats_last_error {
    qd_status code;
    int64_t at_ms;
    char message[512], document[129], stack[QD_ERROR_STACK_BYTES];
} qd_stats_last_error;

/* What the row holds too. */
typedef struct qd_stats_kept {
    qd_stats_totals totals;
    uint64_t errors[QD_STATS_ERROR_KINDS];
    uint32_t instances_peak;
    int64_t last_used_ms;
    qd_histogram latency;       /* of a call, in picoseconds */
    qd_stats_last_error *error; /* NULL: none */
} qd_stats_kept;

struct qd_udf_stats {
    atomic_uint refs;
    atomic_uint instances, instances_peak;
    atomic_uint_fast64_t linear_peak_bytes;
    atomic_bool is_dirty; /* set after every change; so a flush that clears it first misses none */
    atomic_int_fast64_t last_used_ms;
    atomic_uint_fast64_t rough_ps; /* average of a call as of the last gathering */
    _Atomic(qd_stats_shard *) shards[QD_STATS_SHARDS]; /* made by the first thread that adds there */
    qd_recent_logs logs;
    pthread_mutex_t mutex;
    qd_stats_kept kept;
    bool is_loaded; /* `kept` has what the row had; under mutex */
    pthread_mutex_t row_mutex;
    qd_kv *kv;       /* NULL: kept by nobody, or removed; under row_mutex */
    uint32_t name_n; /* label: name, '@', version */
    char label[132];
};

/* From the shards into `kept`. */
void qd_stats_gather(qd_udf_stats *s);
void qd_stats_kept_deinit(qd_stats_kept *k);
/* Adds all of `from` to `into`, which takes its last error unless it has one. False when out of memory: unchanged. */
bool qd_stats_kept_merge(qd_stats_kept *into, qd_stats_kept *from);
void qd_stats_mark_dirty(qd_udf_stats *s);
/* What qd_udf_stats_read gives, and the last error's stack at the same moment, as in qd_error. */
qd_status qd_stats_read_with_stack(qd_udf_stats *s, qd_stats_summary *out, char stack[QD_ERROR_STACK_BYTES],
                                   qd_error *err);

/* ---- stats_row.c ---- */

/* The time of last use from a row, for an object that was just made. Errors: QD_EIO. */
qd_status qd_stats_row_peek(qd_udf_stats *s, qd_error *err);
/* Errors: QD_EIO; a row that cannot be read counts as absent. */
qd_status qd_stats_row_load(qd_udf_stats *s, qd_error *err);
/* Writes the row if it is dirty. Errors: QD_EIO; then it stays dirty. */
qd_status qd_stats_row_flush(qd_udf_stats *s, qd_error *err);
/* Removes the row and cuts the object off from the store. */
qd_status qd_stats_row_remove(qd_udf_stats *s, qd_error *err);

/* The row's bytes: a version byte, then numbers as LEB128. Lists are preceded by their length.
 *   last_used_ms, instances_peak, calls, documents, host_calls, string_bytes, total_ns,
 *   errors: (status, count)…, last error: status, and unless 0 at_ms, message, document, stack (not in version 1),
 *   latency: min, max, (distance of the bucket's middle to the one before, count)… */
void qd_stats_row_write(const qd_stats_kept *k, qd_buf *out);
/* Into an empty one. False when it is not such a row; `out` is then to be deinited all the same. */
bool qd_stats_row_read(qd_str row, qd_stats_kept *out);

#endif
