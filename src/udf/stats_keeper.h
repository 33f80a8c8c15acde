/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the statistics of all functions: one object per version (stats.h), stored in kv bucket "udf_stats" under
 * name@version. One thread writes those that changed, every flush_interval_ms and at close, one put each; so a crash
 * loses what was counted since then, and no query ever waits for the store. A row is read when its numbers are first
 * asked for or written, never at the start (but for its time of last use, when the registry asks for the object).
 *
 * A round of writing is one put for each version that ran since the last, each with its own sync: other writers of the
 * store come between them, and a round that takes longer than the interval only delays the next.
 *
 * Lock order: keeper.mutex is held for look-ups only, never with another lock. */
#ifndef QD_UDF_STATS_KEEPER_H
#define QD_UDF_STATS_KEEPER_H

#include "store/kv.h"
#include "udf/stats.h"

typedef struct qd_stats_keeper qd_stats_keeper;

typedef struct qd_stats_keeper_options {
    int64_t flush_interval_ms; /* 10,000; 0: only at close and by qd_stats_keeper_flush */
    void (*log)(void *arg, const char *line); /* told when a row cannot be read or written; may be NULL */
    void *log_arg;
} qd_stats_keeper_options;
#define QD_STATS_KEEPER_OPTIONS_INIT {10000, NULL, NULL}

/* `kv` kept until close. */
qd_status qd_stats_keeper_open(qd_kv *kv, const qd_stats_keeper_options *options, qd_stats_keeper **out, qd_error *err);
/* Writes what changed, then drops its references. NULL is legal. */
void qd_stats_keeper_close(qd_stats_keeper *k);

/* The object of a version, new when unknown. *out: a reference owned by caller. The registry holds one for each version
 * that it has. */
qd_status qd_stats_keeper_get(qd_stats_keeper *k, qd_str name, qd_str version, qd_udf_stats **out, qd_error *err);
/* Forgets a version: row and object; queries that still run count for nobody. To be called before the version's own
 * entry is removed, so that no row is ever left for a later function of that name. Errors: QD_EIO. */
qd_status qd_stats_keeper_remove(qd_stats_keeper *k, qd_str name, qd_str version, qd_error *err);
/* Writes all that changed. Errors: the first that a put gave; the others are still written. */
qd_status qd_stats_keeper_flush(qd_stats_keeper *k, qd_error *err);

/* The `most` most recently used, newest first, with references; those never used are not among them. *out: owned by
 * caller (qd_stats_keeper_release). *left_out: how many more have been used. Errors: QD_ENOMEM. */
qd_status qd_stats_keeper_recent(qd_stats_keeper *k, size_t most, qd_udf_stats ***out, size_t *n, size_t *left_out,
                                 qd_error *err);
void qd_stats_keeper_release(qd_udf_stats **list, size_t n);

#endif
