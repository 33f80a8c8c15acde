/* SPDX-License-Identifier: Apache-2.0
 * The best hits of one segment by score. Two ways, by what the query needs. Each hit must be seen (it is counted to the
 * end, or a function stands at the root): blocks, with a comparison of many scores at a time. It ends when k hits score
 * what none can beat (all hits score the same, or the functions say how much they give at most) and nobody wants to
 * know how many more there are; later tasks then have nothing to look for either, since of equals the first are hits.
 * Else the seam skips blocks of postings that cannot beat the k-th best, as soon as enough hits were counted. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "query/collect.h"

#define FIRST_HEAP 1024 /* grows: few pages are deep, and few queries fill a deep one */

typedef struct best {
    qd_collection *c;
    qd_found_hits *f;
    size_t task, k, cap;
    float threshold; /* a score must be above it to get in */
    bool has_failed, is_enough;
    float bound;   /* no score is above it */
    uint32_t seen; /* top: calls since the last look at the clock */
    float min_score;
    float constant[QE_BLOCK_DOCS]; /* scores of a block that has none, when they are all the same */
} best;

/* The heap's root is the worst: least score, then the last document. */
static bool is_worse(const qd_hit *a, const qd_hit *b)
{
    return a->score < b->score || (a->score == b->score && a->doc > b->doc);
}

static void sift_up(qd_hit *heap, size_t i)
{
    qd_hit hit = heap[i];
    while (i > 0 && is_worse(&hit, &heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = hit;
}

static void sift_down(qd_hit *heap, size_t n, qd_hit hit)
{
    size_t i = 0;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && is_worse(&heap[child + 1], &heap[child]))
            child++;
        if (!is_worse(&heap[child], &hit))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = hit;
}

static bool grow(best *b)
{
    if (b->f->n < b->cap)
        return true;
    size_t cap = b->cap ? b->cap * 2 : b->k < FIRST_HEAP ? b->k : FIRST_HEAP;
    qd_hit *hits = realloc(b->f->hits, cap * sizeof *hits);
    if (!hits) {
        b->has_failed = true;
        return false;
    }
    b->f->hits = hits;
    b->cap = cap;
    return true;
}

/* `score` is above the threshold, or the heap is not full. */
static void push(best *b, uint32_t doc, float score)
{
    qd_hit hit = {.task = b->task, .doc = doc, .score = score};
    if (b->f->n == b->k) {
        sift_down(b->f->hits, b->k, hit);
        b->threshold = b->f->hits[0].score;
        return;
    }
    if (!grow(b))
        return;
    b->f->hits[b->f->n] = hit;
    sift_up(b->f->hits, b->f->n++);
    if (b->f->n == b->k)
        b->threshold = b->f->hits[0].score;
}

#define LANES 32 /* scores that are compared at a time */

static bool any_above(const float *scores, float threshold)
{
    int n = 0;
    for (size_t i = 0; i < LANES; i++)
        n += scores[i] > threshold;
    return n > 0;
}

/* With a full heap, whose threshold is no less than min_score. Documents come in order, so that of equals the first
 * are in. */
static void offer(best *b, size_t i, size_t n, const uint32_t *docs, const float *scores)
{
    while (i < n) {
        size_t end = n - i < LANES ? n : i + LANES;
        bool may_skip = end - i == LANES && !any_above(scores + i, b->threshold);
        for (; !may_skip && i < end; i++)
            if (scores[i] > b->threshold)
                push(b, docs[i], scores[i]);
        i = end;
    }
}

/* This task, or one whose documents stand before its, has all hits that there can be. */
static bool is_settled(best *b)
{
    qd_collection *c = b->c;
    size_t first = atomic_load_explicit(&c->settled, memory_order_relaxed);
    if (first <= b->task)
        return true;
    if (b->f->n < c->k || b->threshold < b->bound)
        return false;
    while (b->task < first && !atomic_compare_exchange_weak(&c->settled, &first, b->task)) {
    }
    return true;
}

static bool on_block(void *arg, size_t n, const uint32_t *docs, const float *scores)
{
    best *b = arg;
    const qd_body *body = &b->c->run->body;
    size_t hits = n, i = 0;
    if (!scores)
        scores = b->constant;
    if (!qd_collect_aggregate(b->c, b->task, n, docs, scores))
        return false;
    if (body->has_min_score)
        for (size_t j = 0; j < n; j++)
            hits -= scores[j] < b->min_score;
    for (; i < n && b->f->n < b->k && !b->has_failed; i++)
        if (scores[i] >= b->min_score)
            push(b, docs[i], scores[i]);
    if (b->threshold < b->bound)
        offer(b, i, n, docs, scores);
    bool is_enough = qd_collect_count(b->c, b->f, hits);
    if (b->has_failed || (is_enough && is_settled(b)))
        return false;
    return !qd_run_should_stop(b->c->run, b->task);
}

static float on_top(void *arg, uint32_t doc, float score)
{
    best *b = arg;
    if ((++b->seen & 1023) == 0 && qd_run_should_stop(b->c->run, b->task))
        return INFINITY;
    if (!b->is_enough)
        b->is_enough = qd_collect_count(b->c, b->f, 1);
    if (b->f->n < b->k || score > b->threshold)
        push(b, doc, score);
    if (b->has_failed)
        return INFINITY;
    return b->is_enough ? b->threshold : -FLT_MAX;
}

static int by_score(const void *pa, const void *pb)
{
    const qd_hit *a = pa, *b = pb;
    return is_worse(b, a) ? -1 : is_worse(a, b);
}

void qd_collect_by_score(qd_collection *c, size_t task)
{
    const qd_plan *plan = qd_collect_plan(c, task);
    const qd_body *body = &c->run->body;
    uint32_t segment = c->run->tasks[task].segment, max_doc = qd_searcher_max_doc(plan->searcher, segment);
    qd_error err = QD_ERROR_INIT;
    best b = {
        .c = c,
        .f = &c->found[task],
        .task = task,
        .k = c->k < max_doc ? c->k : max_doc,
        .threshold = -FLT_MAX,
        .bound = plan->bound,
        .min_score = body->has_min_score ? body->min_score : -FLT_MAX,
    };
    if (b.k == 0)
        return;
    if (plan->is_constant)
        qd_collect_fill_constant(c, task, b.constant);
    bool counts_all = c->is_counting && c->count_limit == QD_TRACK_ALL;
    bool sees_all = counts_all || c->aggs || plan->is_constant || plan->has_functions || body->has_min_score;
    qd_status st = sees_all ? qd_weight_run(plan->weight, segment, on_block, &b, &err)
                            : qd_weight_top(plan->weight, segment, on_top, &b, &err);
    if (b.has_failed)
        qd_collect_nomem(c, task);
    else
        qd_collect_end(c, task, st, &err);
    if (b.f->n > 1)
        qsort(b.f->hits, b.f->n, sizeof *b.f->hits, by_score);
}
