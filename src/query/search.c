/* SPDX-License-Identifier: Apache-2.0 */
#include "query/search.h"

#include "base/clock.h"
#include "query/answer.h"
#include "query/script_fields.h"
#include "query/sort_script.h"
#include "query/functions.h"

#define MAX_QUERY_BYTES ((size_t)16 << 20) /* of one query's tree and plans */

/* One query from start to end; everything in it is freed in query_deinit, in the opposite order. */
typedef struct query {
    qd_search_request rq; /* a copy: start_ns is filled in */
    qd_arena *arena;
    json_t *json;
    qd_run run;
    qd_plan *plans;
    size_t n_plans;
    qd_sort *sorts;
    qd_aggs *aggs;
    qd_collection collection;
} query;

static qd_status read_body(query *q, bool is_count, qd_error *err)
{
    qd_status st = QD_OK;
    bool is_empty = true;
    for (size_t i = 0; i < q->rq.body.n && is_empty; i++)
        is_empty = memchr(" \t\r\n", q->rq.body.p[i], 4) != NULL;
    if (!is_empty)
        st = qd_json_parse(q->rq.body, &q->json, err);
    if (st != QD_OK)
        return st;
    qd_parser p = {.text = q->rq.body, .arena = q->arena, .err = err, .uses = &q->run.uses};
    return is_count ? qd_body_parse_count(&p, q->json, &q->run.body) : qd_body_parse(&p, q->json, &q->rq, &q->run.body);
}

static void set_deadline(query *q)
{
    int64_t timeout = q->run.body.timeout_ns;
    q->run.deadline_ns = q->rq.deadline_ns;
    if (timeout >= 0 && timeout < INT64_MAX - q->rq.start_ns && q->rq.start_ns + timeout < q->run.deadline_ns)
        q->run.deadline_ns = q->rq.start_ns + timeout;
}

static qd_status make_tasks(query *q, qd_error *err)
{
    qd_run *run = &q->run;
    size_t n = 0;
    for (size_t i = 0; i < q->rq.n_targets; i++)
        n += qd_searcher_segments(q->rq.targets[i].searcher);
    run->tasks = qd_arena_array(q->arena, n, sizeof *run->tasks);
    run->first_task = qd_arena_array(q->arena, q->rq.n_targets, sizeof *run->first_task);
    if (!run->tasks || !run->first_task)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < q->rq.n_targets; i++) {
        run->first_task[i] = run->n_tasks;
        size_t segments = qd_searcher_segments(q->rq.targets[i].searcher);
        for (size_t s = 0; s < segments; s++)
            run->tasks[run->n_tasks++] = (qd_task){.target = (uint32_t)i, .segment = (uint32_t)s};
    }
    return QD_OK;
}

static qd_status compile_sorts(query *q, bool *wants_scores, qd_error *err)
{
    if (q->run.body.n_sort == 0 || q->rq.n_targets == 0)
        return QD_OK;
    q->sorts = qd_arena_array(q->arena, q->rq.n_targets, sizeof *q->sorts);
    if (!q->sorts)
        return qd_fail_nomem(err);
    *wants_scores = q->run.body.has_min_score;
    for (size_t i = 0; i < q->rq.n_targets; i++) {
        qd_status st = qd_sort_compile(&q->run, i, &q->sorts[i], err);
        if (st == QD_OK)
            st = qd_sort_agree(&q->sorts[0], &q->sorts[i], err);
        if (st != QD_OK)
            return st;
        *wants_scores |= q->sorts[i].needs_scores;
    }
    return QD_OK;
}

static qd_status make_plans(query *q, bool wants_scores, qd_error *err)
{
    q->plans = qd_arena_array(q->arena, q->rq.n_targets, sizeof *q->plans);
    if (!q->plans)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < q->rq.n_targets; i++) {
        qd_status st = qd_plan_init(&q->plans[q->n_plans++], &q->run, i, wants_scores, err);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

/* From the text to a merged collection. */
static qd_status query_run(query *q, const qd_search_request *rq, bool is_count, qd_error *err)
{
    q->rq = *rq;
    if (q->rq.start_ns == 0)
        q->rq.start_ns = qd_clock_mono_ns();
    q->run.rq = &q->rq;
    atomic_init(&q->run.first_failed, SIZE_MAX);
    q->arena = q->run.arena = qd_arena_new(MAX_QUERY_BYTES);
    if (!q->arena)
        return qd_fail_nomem(err);
    qd_status st = read_body(q, is_count, err);
    if (st != QD_OK)
        return st;
    set_deadline(q);
    size_t k = q->run.body.size == 0 ? 0 : q->run.body.from + q->run.body.size;
    bool wants_scores = k > 0 || q->run.body.has_min_score;
    st = make_tasks(q, err);
    if (st == QD_OK)
        st = qd_functions_resolve(&q->run, err);
    if (st == QD_OK)
        st = compile_sorts(q, &wants_scores, err);
    bool page_needs_scores = qd_sort_scripts_need_scores(&q->run) || qd_script_fields_need_scores(&q->run);
    wants_scores |= qd_aggs_need_scores(&q->run) || (k > 0 && page_needs_scores);
    if (st == QD_OK)
        st = make_plans(q, wants_scores, err);
    if (st == QD_OK)
        st = qd_aggs_new(&q->run, q->plans, &q->aggs, err);
    if (st != QD_OK)
        return st;
    q->collection = (qd_collection){.run = &q->run, .plans = q->plans, .sorts = q->sorts, .aggs = q->aggs, .k = k};
    return qd_collect(&q->collection, err);
}

static void query_deinit(query *q)
{
    if (q->collection.run)
        qd_collection_deinit(&q->collection);
    qd_aggs_free(q->aggs);
    for (size_t i = 0; i < q->n_plans; i++)
        qd_plan_deinit(&q->plans[i]);
    qd_functions_release(&q->run);
    json_decref(q->json);
    qd_arena_free(q->arena);
}

qd_status qd_search_run(const qd_search_request *rq, qd_json *w, qd_error *err)
{
    query q = {0};
    qd_error local = QD_ERROR_INIT;
    const qd_json before = *w;
    size_t written = w->out->n;
    qd_error *to = err ? err : &local;
    qd_status st = query_run(&q, rq, false, to);
    if (st == QD_OK)
        st = qd_answer_write(&q.collection, w, to);
    if (st != QD_OK) {
        *w = before;
        w->out->n = written;
    }
    qd_functions_report(&q.run, st);
    query_deinit(&q);
    return st;
}

qd_status qd_search_count(const qd_search_request *rq, qd_json *w, qd_error *err)
{
    query q = {0};
    qd_error local = QD_ERROR_INIT;
    qd_status st = query_run(&q, rq, true, err ? err : &local);
    if (st == QD_OK)
        qd_answer_write_count(&q.collection, w);
    qd_functions_report(&q.run, st);
    query_deinit(&q);
    return st;
}
