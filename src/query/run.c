/* SPDX-License-Identifier: Apache-2.0 */
#include "query/run.h"

#include "base/clock.h"

bool qd_run_deadline_passed(qd_run *run)
{
    if (atomic_load_explicit(&run->timed_out, memory_order_relaxed))
        return true;
    if (run->deadline_ns == INT64_MAX || qd_clock_mono_ns() < run->deadline_ns)
        return false;
    atomic_store_explicit(&run->timed_out, true, memory_order_relaxed);
    return true;
}

bool qd_run_is_over(qd_run *run)
{
    return (run->rq->canceled && __atomic_load_n(run->rq->canceled, __ATOMIC_RELAXED)) || qd_run_deadline_passed(run);
}

bool qd_run_should_stop(qd_run *run, size_t task)
{
    return atomic_load_explicit(&run->first_failed, memory_order_relaxed) <= task || qd_run_is_over(run);
}

void qd_run_fail(qd_run *run, size_t task, qd_status status, const qd_error *err)
{
    qd_task *t = &run->tasks[task];
    if (t->status != QD_OK)
        return; /* what came first is the cause */
    t->status = status;
    if (err)
        t->err = *err;
    size_t first = atomic_load(&run->first_failed);
    while (task < first && !atomic_compare_exchange_weak(&run->first_failed, &first, task)) {
    }
}

void qd_run_fail_late(qd_run *run, qd_status status, const qd_error *err)
{
    run->late_status = status;
    if (err)
        run->late_err = *err;
}

qd_status qd_run_place_error(const qd_run *run, const qd_json_at *at, qd_status status, qd_error *err)
{
    if (err && status != QD_OK && err->line == 0 && at)
        qd_json_locate(run->rq->body, at, &err->line, &err->column);
    return status;
}
