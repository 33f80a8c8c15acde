/* SPDX-License-Identifier: Apache-2.0 */
#include "query/collect.h"

#include <float.h>
#include <stdlib.h>

/* Below this a second thread costs more than it brings. */
#define PARALLEL_MIN_DOCS 20000

bool qd_collect_count(qd_collection *c, qd_found_hits *f, uint64_t n)
{
    f->count += n;
    if (!c->is_counting)
        return !c->aggs;
    if (c->count_limit == QD_TRACK_ALL)
        return false;
    return atomic_fetch_add_explicit(&c->counted, n, memory_order_relaxed) + n > c->count_limit && !c->aggs;
}

void qd_collect_end(qd_collection *c, size_t task, qd_status status, const qd_error *err)
{
    if (status != QD_OK && status != QD_ECANCELED)
        qd_run_fail(c->run, task, status, err);
}

void qd_collect_nomem(qd_collection *c, size_t task)
{
    qd_error err = QD_ERROR_INIT;
    qd_run_fail(c->run, task, qd_fail_nomem(&err), &err);
}

void qd_collect_fill_constant(const qd_collection *c, size_t task, float *scores)
{
    float constant = qd_collect_plan(c, task)->constant;
    for (size_t i = 0; i < QE_BLOCK_DOCS; i++)
        scores[i] = constant;
}

/* ---- counting alone ---- */

typedef struct counter {
    qd_collection *c;
    size_t task;
} counter;

static bool on_count(void *arg, size_t n, const uint32_t *docs, const float *scores)
{
    counter *k = arg;
    const qd_body *b = &k->c->run->body;
    const qd_plan *plan = qd_collect_plan(k->c, k->task);
    size_t hits = n;
    if (!qd_collect_aggregate(k->c, k->task, n, docs, scores))
        return false;
    for (size_t i = 0; b->has_min_score && scores && i < n; i++)
        hits -= scores[i] < b->min_score;
    if (b->has_min_score && !scores && plan->is_constant && plan->constant < b->min_score)
        hits = 0;
    bool is_enough = qd_collect_count(k->c, &k->c->found[k->task], hits);
    return !is_enough && !qd_run_should_stop(k->c->run, k->task);
}

void qd_collect_count_only(qd_collection *c, size_t task)
{
    qd_error err = QD_ERROR_INIT;
    counter k = {c, task};
    if (!c->is_counting && !c->aggs)
        return;
    qd_status st = qd_weight_run(qd_collect_plan(c, task)->weight, c->run->tasks[task].segment, on_count, &k, &err);
    qd_collect_end(c, task, st, &err);
}

/* Every segment can tell its matches without a pass over them: then the total is known before. */
static qd_status count_cheaply(qd_collection *c, bool *is_known, qd_error *err)
{
    uint64_t total = 0;
    *is_known = !c->run->body.has_min_score;
    for (size_t t = 0; t < c->run->n_tasks && *is_known; t++) {
        uint64_t count = 0;
        bool is_cheap = false;
        const qd_plan *plan = qd_collect_plan(c, t);
        if (!plan->has_functions) {
            qd_status st = qd_weight_count(plan->weight, c->run->tasks[t].segment, true, &is_cheap, &count, err);
            if (st != QD_OK)
                return st;
        }
        *is_known = is_cheap;
        total += count;
    }
    if (*is_known)
        c->total = total;
    return QD_OK;
}

/* ---- running ---- */

static void run_task(void *arg, size_t task)
{
    qd_collection *c = arg;
    if (qd_run_should_stop(c->run, task))
        return;
    if (c->k == 0)
        qd_collect_count_only(c, task);
    else if (c->sorts)
        qd_collect_sorted(c, task);
    else
        qd_collect_by_score(c, task);
    if (c->aggs)
        qd_aggs_end_task(c->aggs, task);
}

static uint64_t live_docs(const qd_run *run)
{
    uint64_t n = 0;
    for (size_t i = 0; i < run->rq->n_targets; i++)
        n += qd_searcher_live_docs(run->rq->targets[i].searcher);
    return n;
}

static qd_status outcome_of(qd_run *run, qd_error *err)
{
    size_t failed = atomic_load(&run->first_failed);
    if (failed < run->n_tasks) {
        if (err)
            *err = run->tasks[failed].err;
        return run->tasks[failed].status;
    }
    if (run->rq->canceled && __atomic_load_n(run->rq->canceled, __ATOMIC_RELAXED))
        return qd_fail(err, QD_ECANCELED, "the search was canceled: its client went away");
    return QD_OK;
}

/* ---- merging ---- */

static int by_position(const qd_hit *a, const qd_hit *b)
{
    if (a->task != b->task)
        return a->task < b->task ? -1 : 1;
    return a->doc < b->doc ? -1 : a->doc > b->doc;
}

static int by_score(const void *pa, const void *pb)
{
    const qd_hit *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return by_position(a, b);
}

/* Strings of different segments; what is missing has the same rank everywhere, at one end. */
static int compare_texts(const qd_sort_key *k, const qd_hit *a, const qd_hit *b, size_t i)
{
    if (!a->texts[i].p || !b->texts[i].p) {
        int64_t x = a->texts[i].p ? 0 : a->ranks[i], y = b->texts[i].p ? 0 : b->ranks[i];
        return x < y ? -1 : x > y;
    }
    int order = qd_str_cmp(a->texts[i], b->texts[i]);
    return k->spec->is_desc ? -order : order;
}

static int by_keys(const void *pa, const void *pb, void *arg)
{
    const qd_hit *a = pa, *b = pb;
    const qd_sort *sort = arg;
    for (size_t i = 0; i < sort->n; i++) {
        const qd_sort_key *k = &sort->keys[i];
        int order = a->ranks[i] < b->ranks[i] ? -1 : a->ranks[i] > b->ranks[i];
        if (k->class == QD_KEY_STRING && a->task != b->task)
            order = compare_texts(k, a, b, i);
        if (order != 0)
            return order;
    }
    return by_position(a, b);
}

static qd_status merge(qd_collection *c, qd_error *err)
{
    size_t n = 0;
    for (size_t t = 0; t < c->run->n_tasks; t++)
        n += c->found[t].n;
    c->hits = malloc((n + 1) * sizeof *c->hits);
    if (!c->hits)
        return qd_fail_nomem(err);
    n = 0;
    for (size_t t = 0; t < c->run->n_tasks; t++) {
        if (c->found[t].n)
            memcpy(c->hits + n, c->found[t].hits, c->found[t].n * sizeof *c->hits);
        n += c->found[t].n;
    }
    if (c->sorts)
        qsort_r(c->hits, n, sizeof *c->hits, by_keys, (void *)&c->sorts[0]);
    else
        qsort(c->hits, n, sizeof *c->hits, by_score);
    c->n_hits = n < c->k ? n : c->k;
    return QD_OK;
}

static void sum_up(qd_collection *c, bool is_total_known)
{
    const qd_body *b = &c->run->body;
    float max = -FLT_MAX;
    uint64_t counted = 0;
    for (size_t t = 0; t < c->run->n_tasks; t++) {
        counted += c->found[t].count;
        max = c->found[t].max_score > max ? c->found[t].max_score : max;
    }
    if (!is_total_known)
        c->total = counted;
    c->total_is_least = c->count_limit != QD_TRACK_ALL && c->total > c->count_limit;
    if (c->total_is_least)
        c->total = c->count_limit;
    if (!c->sorts && c->n_hits > 0)
        max = c->hits[0].score;
    c->has_max_score = c->n_hits > 0 && (!c->sorts || b->track_scores);
    c->max_score = max;
}

qd_status qd_collect(qd_collection *c, qd_error *err)
{
    qd_run *run = c->run;
    bool is_total_known = false;
    c->count_limit = run->body.track_total;
    c->is_counting = run->body.track_total > 0;
    atomic_init(&c->settled, SIZE_MAX);
    c->found = calloc(run->n_tasks + 1, sizeof *c->found);
    if (!c->found)
        return qd_fail_nomem(err);
    for (size_t t = 0; t < run->n_tasks; t++)
        c->found[t].max_score = -FLT_MAX;
    if (c->is_counting) {
        qd_status st = count_cheaply(c, &is_total_known, err);
        if (st != QD_OK)
            return st;
        c->is_counting = !is_total_known;
    }
    bool is_parallel = run->n_tasks > 1 && run->rq->pool && live_docs(run) > PARALLEL_MIN_DOCS;
    qd_pool_parallel(is_parallel ? run->rq->pool : NULL, run->n_tasks, run_task, c);
    qd_status st = outcome_of(run, err);
    if (st == QD_OK && c->aggs)
        st = qd_aggs_finish(c->aggs, err);
    if (st == QD_OK)
        st = merge(c, err);
    if (st == QD_OK)
        sum_up(c, is_total_known);
    return st;
}

void qd_collection_deinit(qd_collection *c)
{
    for (size_t t = 0; c->found && t < c->run->n_tasks; t++) {
        free(c->found[t].hits);
        free(c->found[t].ranks);
        free(c->found[t].texts);
        qd_arena_free(c->found[t].arena);
    }
    free(c->found);
    free(c->hits);
    c->found = NULL;
    c->hits = NULL;
}
