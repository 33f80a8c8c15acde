/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of one running query share: its request, its tasks (one per target and segment), the first failure,
 * the deadline. Immutable while segments run, but for the atomics and each task's own fields, which its one thread
 * writes. A failure stops the tasks behind it, never those before it: so the error that is reported is the same in each
 * run. */
#ifndef QD_QUERY_RUN_H
#define QD_QUERY_RUN_H

#include <stdatomic.h>

#include "query/body.h"

typedef struct qd_task {
    uint32_t target, segment;
    qd_status status;
    qd_error err;
} qd_task;

typedef struct qd_run {
    const qd_search_request *rq;
    qd_arena *arena; /* of the request; not for use while segments run */
    qd_body body;
    qd_uses uses;
    int64_t deadline_ns;
    qd_task *tasks; /* by target, then segment: the order of documents */
    size_t n_tasks;
    size_t *first_task;         /* of each target */
    atomic_size_t first_failed; /* index of a task; SIZE_MAX: none */
    atomic_bool timed_out;
    /* Why it failed after the tasks had ended: merging aggregations, computing fields. */
    qd_status late_status;
    qd_error late_err;
} qd_run;

/* The client went away, or the query's deadline has passed: nothing needs to go on. */
bool qd_run_is_over(qd_run *run);
/* Is there a reason for this task to end now: that, or a failure of its own or of one before it? Cheap enough for each
 * block. */
bool qd_run_should_stop(qd_run *run, size_t task);
/* Records why a task failed; the task must end. Only its own thread calls. */
void qd_run_fail(qd_run *run, size_t task, qd_status status, const qd_error *err);
/* The same when all tasks have ended. */
void qd_run_fail_late(qd_run *run, qd_status status, const qd_error *err);
/* The deadline of the query itself has passed: it ends with what it has. */
bool qd_run_deadline_passed(qd_run *run);
/* Adds line and column of a clause to an error that has none. */
qd_status qd_run_place_error(const qd_run *run, const qd_json_at *at, qd_status status, qd_error *err);
static inline size_t qd_run_task_of(const qd_run *run, size_t target, size_t segment)
{
    return run->first_task[target] + segment;
}

#endif
