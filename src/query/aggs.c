/* SPDX-License-Identifier: Apache-2.0 */
#include "query/aggs.h"

#include <stdlib.h>

#include "query/segment_docs.h"
#include "udf/aggregate.h"

#define MAX_STATES_BYTES ((size_t)64 << 20) /* of all tasks and aggregations of a query */
#define MAX_TEXT_BYTES   ((size_t)16 << 20)

/* What a task needs while it runs; made at its first match. */
typedef struct at_work {
    qd_segment_docs *docs;
    qd_aggregator **aggregators;  /* by aggregation */
    uint32_t kept[QE_BLOCK_DOCS]; /* documents not below min_score */
    float kept_scores[QE_BLOCK_DOCS];
    float constant[QE_BLOCK_DOCS]; /* scores of a block that comes without */
} at_work;

typedef struct agg_task {
    at_work *at_work;
    qd_buf *states; /* by aggregation; NULL: nothing matched */
} agg_task;

struct qd_aggs {
    qd_run *run;
    const qd_plan *plans;
    const qd_named_use *items;
    size_t n;
    agg_task *tasks;
    atomic_size_t states_bytes;
    qd_value *results;
    qd_arena *texts;
};

bool qd_aggs_need_scores(const qd_run *run)
{
    for (size_t i = 0; i < run->body.n_aggs; i++)
        if (run->body.aggs[i].use->needs_score)
            return true;
    return false;
}

static const qd_plan *plan_of(const qd_aggs *a, size_t task)
{
    return &a->plans[a->run->tasks[task].target];
}

static qd_run_control control_of(const qd_aggs *a)
{
    return (qd_run_control){.deadline_ns = a->run->deadline_ns, .canceled = a->run->rq->canceled};
}

/* ---- one task ---- */

static void stop_work(const qd_aggs *a, at_work *w)
{
    if (!w)
        return;
    for (size_t i = 0; w->aggregators && i < a->n; i++)
        qd_aggregator_close(w->aggregators[i]);
    free(w->aggregators);
    qd_segment_docs_close(w->docs);
    free(w);
}

static qd_status begin_work(const qd_aggs *a, size_t task, at_work **out, qd_error *err)
{
    const qd_plan *plan = plan_of(a, task);
    const qd_run_control control = control_of(a);
    at_work *w = calloc(1, sizeof *w);
    if (!w)
        return qd_fail_nomem(err);
    w->docs = qd_segment_docs_open(plan->searcher, a->run->tasks[task].segment);
    w->aggregators = calloc(a->n, sizeof(qd_aggregator *));
    for (size_t i = 0; i < QE_BLOCK_DOCS; i++)
        w->constant[i] = plan->is_constant ? plan->constant : 0;
    qd_status st = w->docs && w->aggregators ? QD_OK : qd_fail_nomem(err);
    for (size_t i = 0; i < a->n && st == QD_OK; i++)
        st = qd_aggregator_open(a->items[i].use->binding, qd_segment_docs_source(w->docs), &control, &w->aggregators[i],
                                err);
    if (st == QD_OK)
        *out = w;
    else
        stop_work(a, w);
    return st;
}

/* The query's own deadline ends it with what it has; a function's limit is an error. */
static bool fail_task(qd_aggs *a, size_t task, qd_status st, const qd_error *err)
{
    bool is_over = st == QD_EUDF_TIMEOUT && qd_run_deadline_passed(a->run);
    if (!is_over)
        qd_run_fail(a->run, task, st, err);
    return false;
}

static size_t keep_from(const qd_aggs *a, at_work *w, size_t n, const uint32_t *docs, const float *scores)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        w->kept[kept] = docs[i];
        w->kept_scores[kept] = scores[i];
        kept += scores[i] >= a->run->body.min_score;
    }
    return kept;
}

bool qd_aggs_add(qd_aggs *a, size_t task, size_t n, const uint32_t *docs, const float *scores)
{
    agg_task *t = &a->tasks[task];
    qd_error err = QD_ERROR_INIT;
    qd_status st = t->at_work ? QD_OK : begin_work(a, task, &t->at_work, &err);
    if (st != QD_OK)
        return fail_task(a, task, st, &err);
    at_work *w = t->at_work;
    if (!scores)
        scores = w->constant;
    if (a->run->body.has_min_score) {
        n = keep_from(a, w, n, docs, scores);
        docs = w->kept;
        scores = w->kept_scores;
    }
    if (n == 0)
        return true;
    qd_segment_docs_begin(w->docs, n, docs);
    for (size_t i = 0; i < a->n && st == QD_OK; i++)
        st = qd_aggregator_update(w->aggregators[i], (uint32_t)n, scores, &err);
    if (st == QD_OK)
        st = qd_segment_docs_status(w->docs, &err);
    return st == QD_OK || fail_task(a, task, st, &err);
}

static qd_status keep_state(qd_aggs *a, qd_aggregator *from, qd_buf *state, qd_error *err)
{
    qd_status st = qd_aggregator_serialize(from, state, err);
    if (st != QD_OK)
        return st;
    size_t all = atomic_fetch_add_explicit(&a->states_bytes, state->n, memory_order_relaxed) + state->n;
    return all <= MAX_STATES_BYTES ? QD_OK
                                   : qd_fail(err, QD_ELIMIT,
                                             "the states of the aggregations take more than %zu MiB: aggregate fewer "
                                             "things at once, or with smaller states",
                                             MAX_STATES_BYTES >> 20);
}

void qd_aggs_end_task(qd_aggs *a, size_t task)
{
    agg_task *t = &a->tasks[task];
    at_work *w = QD_TAKE(t->at_work);
    qd_error err = QD_ERROR_INIT;
    if (w && !qd_run_should_stop(a->run, task)) {
        qd_status st = QD_OK;
        t->states = calloc(a->n, sizeof *t->states);
        if (!t->states)
            st = qd_fail_nomem(&err);
        for (size_t i = 0; t->states && i < a->n; i++)
            qd_buf_init(&t->states[i], QD_MAX_STATE_BYTES);
        for (size_t i = 0; i < a->n && st == QD_OK; i++)
            st = keep_state(a, w->aggregators[i], &t->states[i], &err);
        if (st != QD_OK)
            (void)fail_task(a, task, st, &err);
    }
    stop_work(a, w);
}

/* ---- the result ---- */

static qd_status keep_result(qd_aggs *a, size_t i, qd_value v, qd_error *err)
{
    if (v.type == QD_STRING && !(v.as.s = qd_arena_str(a->texts, v.as.s)).p)
        return qd_fail_nomem(err);
    a->results[i] = v;
    return QD_OK;
}

static qd_status finish_one(qd_aggs *a, size_t i, qd_error *err)
{
    qd_aggregator *last = NULL;
    qd_value v;
    const qd_run_control control = control_of(a);
    qd_status st = qd_aggregator_open(a->items[i].use->binding, NULL, &control, &last, err);
    for (size_t t = 0; t < a->run->n_tasks && st == QD_OK; t++) {
        qd_buf *state = a->tasks[t].states ? &a->tasks[t].states[i] : NULL;
        if (!state)
            continue;
        st = qd_aggregator_merge(last, qd_buf_str(state), err);
        qd_buf_deinit(state);
    }
    if (st == QD_OK)
        st = qd_aggregator_finish(last, &v, err);
    if (st == QD_OK)
        st = keep_result(a, i, v, err);
    qd_aggregator_close(last);
    return st;
}

qd_status qd_aggs_finish(qd_aggs *a, qd_error *err)
{
    qd_status st = QD_OK;
    for (size_t i = 0; i < a->n && st == QD_OK && !atomic_load(&a->run->timed_out); i++)
        st = finish_one(a, i, err);
    if (st == QD_EUDF_TIMEOUT && qd_run_deadline_passed(a->run))
        st = QD_OK;
    for (size_t i = 0; i < a->n && atomic_load(&a->run->timed_out); i++)
        a->results[i] = (qd_value){.type = QD_NULL};
    if (st != QD_OK)
        qd_run_fail_late(a->run, st, err);
    return st;
}

void qd_aggs_write(const qd_aggs *a, qd_json *w)
{
    qd_json_key(w, "aggregations");
    qd_json_begin_object(w);
    for (size_t i = 0; i < a->n; i++) {
        qd_json_key_str(w, a->items[i].name);
        qd_json_begin_object(w);
        qd_json_key(w, "value");
        qd_json_scalar(w, a->results[i]);
        qd_json_end_object(w);
    }
    qd_json_end_object(w);
}

/* ---- life ---- */

qd_status qd_aggs_new(qd_run *run, const qd_plan *plans, qd_aggs **out, qd_error *err)
{
    *out = NULL;
    if (run->body.n_aggs == 0)
        return QD_OK;
    qd_aggs *a = calloc(1, sizeof *a);
    if (!a)
        return qd_fail_nomem(err);
    a->run = run;
    a->plans = plans;
    a->items = run->body.aggs;
    a->n = run->body.n_aggs;
    atomic_init(&a->states_bytes, 0);
    a->tasks = calloc(run->n_tasks + 1, sizeof *a->tasks);
    a->results = calloc(a->n, sizeof *a->results);
    a->texts = qd_arena_new(MAX_TEXT_BYTES);
    if (a->tasks && a->results && a->texts) {
        *out = a;
        return QD_OK;
    }
    qd_aggs_free(a);
    return qd_fail_nomem(err);
}

void qd_aggs_free(qd_aggs *a)
{
    if (!a)
        return;
    for (size_t t = 0; a->tasks && t < a->run->n_tasks; t++) {
        for (size_t i = 0; a->tasks[t].states && i < a->n; i++)
            qd_buf_deinit(&a->tasks[t].states[i]);
        free(a->tasks[t].states);
        stop_work(a, a->tasks[t].at_work);
    }
    free(a->tasks);
    free(a->results);
    qd_arena_free(a->texts);
    free(a);
}
