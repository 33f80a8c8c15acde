/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregations: functions of kind aggregate over all matches of a query. Each task feeds its segment's matches to one
 * aggregator per aggregation, in the same pass that collects hits, and keeps their states as bytes; at the end these
 * are merged in the order of the tasks. A task's part is written by its own thread only.
 *
 * A query whose time ran out has no aggregations: their values are null, beside "timed_out". */
#ifndef QD_QUERY_AGGS_H
#define QD_QUERY_AGGS_H

#include "query/plan.h"

typedef struct qd_aggs qd_aggs;

/* For the body's aggregations, all borrowed until free. *out: NULL when there are none. Errors: QD_ENOMEM. */
qd_status qd_aggs_new(qd_run *run, const qd_plan *plans, qd_aggs **out, qd_error *err);
void qd_aggs_free(qd_aggs *a);

/* Does any read scores? Then the query must be scored. */
bool qd_aggs_need_scores(const qd_run *run);
/* A block of a task's matches; of these, those below the body's min_score do not count. `scores` NULL: all are the
 * plan's constant, or nobody reads them. False: the task must end; the reason is recorded. */
bool qd_aggs_add(qd_aggs *a, size_t task, size_t n, const uint32_t *docs, const float *scores);
/* The task has seen its last block, or failed. */
void qd_aggs_end_task(qd_aggs *a, size_t task);
/* After all tasks ended well: the results. Errors: those of functions; they are recorded with the run. */
qd_status qd_aggs_finish(qd_aggs *a, qd_error *err);
/* "aggregations": {…} */
void qd_aggs_write(const qd_aggs *a, qd_json *w);

#endif
