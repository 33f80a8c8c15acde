/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of one version of a function. An object of its own with references: it outlives the function's code, which
 * may be let go and loaded again. It belongs to the keeper (stats_keeper.h), which stores it.
 *
 * Adding a block costs an uncontended lock and a few additions: each thread has a shard of its own (of 16), which goes
 * into the histogram 16 blocks at a time. Measured: 25 ns a block, where a block of 2,048 documents takes 10,000 or
 * more (bench/stats.c). A function that was never called takes 1 KiB; shards and histogram come with the first call.
 *
 * Lock order: row_mutex (held across the store, never by queries), then mutex; a shard's mutex and the log ring's are
 * innermost. NULL is legal for every qd_udf_stats: nothing is counted. */
#ifndef QD_UDF_STATS_H
#define QD_UDF_STATS_H

#include "base/json.h"
#include "udf/recent_logs.h"

typedef struct qd_udf_stats qd_udf_stats;

/* One block of documents that went through a function. */
typedef struct qd_stats_block {
    uint32_t documents;    /* rows of the block */
    uint32_t calls;        /* those that the function was called for */
    int64_t ns;            /* the whole block */
    uint64_t host_calls;   /* host functions that the guest called */
    uint64_t string_bytes; /* bytes of strings copied into the guest */
} qd_stats_block;

/* Errors are counted by kind; a kind is a status. */
#define QD_STATS_ERROR_KINDS 7
qd_status qd_stats_error_kind(size_t i);

/* Upper bounds of the latency histogram in /metrics, in nanoseconds. */
#define QD_STATS_BOUNDS 12
extern const double QD_STATS_BOUNDS_NS[QD_STATS_BOUNDS];

/* What an object holds at one moment. */
typedef struct qd_stats_summary {
    char name[65], version[65];
    uint64_t calls, documents, host_calls, string_bytes, total_ns;
    uint64_t errors, errors_by_kind[QD_STATS_ERROR_KINDS];
    double min_ns, avg_ns, p50_ns, p95_ns, p99_ns, p999_ns, max_ns; /* of a call; 0 without one */
    uint64_t latency_count, calls_to[QD_STATS_BOUNDS]; /* in the histogram: all, at most QD_STATS_BOUNDS_NS[i] */
    uint32_t instances, instances_peak;                             /* at work now; at once, since the start */
    uint64_t linear_peak_bytes;                                     /* of an instance that came back, since the start */
    int64_t last_used_ms;                                           /* 0: never */
    qd_status last_error_code;                                      /* QD_OK: there was none */
    int64_t last_error_ms;
    char last_error[512], last_error_document[129]; /* "": the error was not about a document */
} qd_stats_summary;

/* Of its own, kept by nobody. *out: a reference owned by caller. NULL when out of memory. */
qd_udf_stats *qd_udf_stats_new(qd_str name, qd_str version);
void qd_udf_stats_ref(qd_udf_stats *s);
void qd_udf_stats_unref(qd_udf_stats *s);

/* ---- the query path. Threads: any; no I/O ---- */

void qd_udf_stats_add(qd_udf_stats *s, const qd_stats_block *b);
/* A failed call, whether the query goes on or not. `document` NULL: it was about none. Also becomes a line of the
 * recent logs. QD_ECANCELED is nobody's error and not counted. */
void qd_udf_stats_error(qd_udf_stats *s, const qd_error *why, const qd_str *document);
/* So many more of the same kind, without details. */
void qd_udf_stats_more_errors(qd_udf_stats *s, qd_status code, uint64_t n);
/* An instance went to work, or came back; by then its linear memory was so large. */
void qd_udf_stats_instance_up(qd_udf_stats *s);
void qd_udf_stats_instance_down(qd_udf_stats *s, uint64_t linear_bytes);
/* Wall clock in milliseconds; 0: never. Known from the start, without the rest being loaded. */
int64_t qd_udf_stats_last_used_ms(const qd_udf_stats *s);
/* Average time of a call so far, in nanoseconds; 0: none yet. Rough (not all shards are in it) and cheap. */
double qd_udf_stats_rough_ns(qd_udf_stats *s);
/* NULL for NULL. */
qd_recent_logs *qd_udf_stats_logs(qd_udf_stats *s);

/* ---- reading and resetting; may read or write the store ---- */

/* Errors: QD_EIO. */
qd_status qd_udf_stats_read(qd_udf_stats *s, qd_stats_summary *out, qd_error *err);
/* Back to nothing, in the store too; the recent logs stay. Errors: QD_EIO. */
qd_status qd_udf_stats_reset(qd_udf_stats *s, qd_error *err);

/* The answer of GET /api/v1/udfs/{name}/{version}/stats. `facts` (see rating.h) may be NULL: advice that needs to know
 * the function itself is left out, and its code is told as not loaded. */
struct qd_rating_facts;
qd_status qd_udf_stats_write_json(qd_udf_stats *s, const struct qd_rating_facts *facts, qd_json *w, qd_error *err);

#endif
