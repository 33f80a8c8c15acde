/* SPDX-License-Identifier: Apache-2.0
 * The first hits of one segment by sort keys: a heap of slots, each with its ranks. */
#include <float.h>
#include <stdlib.h>

#include "query/collect.h"
#include "query/sort_script.h"

#define FIRST_SLOTS    256
#define MAX_TEXT_BYTES ((size_t)64 << 20)

typedef struct sorter {
    qd_collection *c;
    qd_found_hits *f;
    const qd_sort *sort;
    qd_key_reader *readers;
    size_t task, k, cap;
    int64_t *block; /* ranks of the block, key by key */
    int64_t *slots; /* n_keys ranks per slot */
    uint32_t *docs; /* by slot */
    float *scores;  /* by slot */
    uint32_t *heap; /* slots; the last in order is the root */
    size_t n;
    bool has_failed;
    float constant[QE_BLOCK_DOCS]; /* scores of a block that has none: all the same, or 0 where nobody reads them */
    qd_sort_scripts *scripts;      /* NULL: no key is one */
} sorter;

static bool is_after(const sorter *s, uint32_t a, uint32_t b)
{
    const int64_t *x = s->slots + a * s->sort->n, *y = s->slots + b * s->sort->n;
    for (size_t i = 0; i < s->sort->n; i++)
        if (x[i] != y[i])
            return x[i] > y[i];
    return s->docs[a] > s->docs[b];
}

static void sift_up(sorter *s, size_t i)
{
    uint32_t slot = s->heap[i];
    while (i > 0 && is_after(s, slot, s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = slot;
}

static void sift_down(sorter *s)
{
    uint32_t slot = s->heap[0];
    size_t i = 0;
    for (size_t child = 1; child < s->n; child = 2 * i + 1) {
        if (child + 1 < s->n && is_after(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!is_after(s, s->heap[child], slot))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = slot;
}

static bool resize(void *array, size_t count, size_t size)
{
    void *grown = realloc(*(void **)array, (count + 1) * size);
    if (grown)
        *(void **)array = grown;
    return grown != NULL;
}

static bool grow(sorter *s)
{
    if (s->n < s->cap)
        return true;
    size_t cap = s->cap ? s->cap * 2 : FIRST_SLOTS;
    cap = cap < s->k ? cap : s->k;
    s->has_failed = !resize(&s->slots, cap * s->sort->n, sizeof *s->slots) || !resize(&s->docs, cap, sizeof *s->docs) ||
                    !resize(&s->scores, cap, sizeof *s->scores) || !resize(&s->heap, cap, sizeof *s->heap);
    s->cap = s->has_failed ? s->cap : cap;
    return !s->has_failed;
}

static void fill_slot(sorter *s, uint32_t slot, size_t row, uint32_t doc, float score)
{
    for (size_t i = 0; i < s->sort->n; i++)
        s->slots[slot * s->sort->n + i] = s->block[i * QE_BLOCK_DOCS + row];
    s->docs[slot] = doc;
    s->scores[slot] = score;
}

/* Documents come in order: one that ties with the last in the heap stands behind it. */
static bool is_before_last(const sorter *s, size_t row)
{
    const int64_t *last = s->slots + s->heap[0] * s->sort->n;
    for (size_t i = 0; i < s->sort->n; i++) {
        int64_t rank = s->block[i * QE_BLOCK_DOCS + row];
        if (rank != last[i])
            return rank < last[i];
    }
    return false;
}

static void offer(sorter *s, size_t row, uint32_t doc, float score)
{
    if (s->n == s->k) {
        if (!is_before_last(s, row))
            return;
        fill_slot(s, s->heap[0], row, doc, score);
        sift_down(s);
        return;
    }
    if (!grow(s))
        return;
    s->heap[s->n] = (uint32_t)s->n;
    fill_slot(s, (uint32_t)s->n, row, doc, score);
    sift_up(s, s->n++);
}

/* How many of the block are hits; the greatest of their scores. */
static size_t count_hits(sorter *s, size_t n, const float *scores)
{
    const qd_body *b = &s->c->run->body;
    float least = b->has_min_score ? b->min_score : -FLT_MAX, max = s->f->max_score;
    size_t hits = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_hit = scores[i] >= least;
        hits += is_hit;
        max = is_hit && scores[i] > max ? scores[i] : max;
    }
    s->f->max_score = max;
    return hits;
}

/* The query's own deadline ends it with what it has; a function's limit is an error. */
static bool run_scripts(sorter *s, size_t n, const uint32_t *docs, const float *scores)
{
    qd_error err = QD_ERROR_INIT;
    qd_status st = qd_sort_scripts_ranks(s->scripts, n, docs, scores, s->block, &err);
    if (st != QD_OK && !(st == QD_EUDF_TIMEOUT && qd_run_deadline_passed(s->c->run)))
        qd_run_fail(s->c->run, s->task, st, &err);
    return st == QD_OK;
}

static bool on_block(void *arg, size_t n, const uint32_t *docs, const float *scores)
{
    sorter *s = arg;
    const qd_body *b = &s->c->run->body;
    size_t row = 0;
    if (!scores)
        scores = s->constant;
    if (!qd_collect_aggregate(s->c, s->task, n, docs, scores))
        return false;
    for (size_t i = 0; i < s->sort->n; i++)
        qd_key_reader_ranks(&s->readers[i], n, docs, scores, s->block + i * QE_BLOCK_DOCS);
    if (s->scripts && !run_scripts(s, n, docs, scores))
        return false;
    size_t hits = count_hits(s, n, scores);
    for (; row < n && s->n < s->k && !s->has_failed; row++)
        if (!b->has_min_score || scores[row] >= b->min_score)
            offer(s, row, docs[row], scores[row]);
    /* The heap is full: most stand behind its last by the first key already. */
    for (; row < n && !s->has_failed; row++) {
        if (s->block[row] > s->slots[s->heap[0] * s->sort->n] || (b->has_min_score && scores[row] < b->min_score))
            continue;
        offer(s, row, docs[row], scores[row]);
    }
    qd_collect_count(s->c, s->f, hits);
    return !s->has_failed && !qd_run_should_stop(s->c->run, s->task);
}

/* From the heap's slots to hits, in order. */
static void take_hits(sorter *s)
{
    size_t keys = s->sort->n, n = s->n;
    s->f->hits = malloc((n + 1) * sizeof *s->f->hits);
    s->f->texts = calloc(n * keys + 1, sizeof *s->f->texts);
    if (!s->f->hits || !s->f->texts) {
        s->has_failed = true;
        return;
    }
    s->f->n = n;
    s->f->ranks = s->slots;
    s->slots = NULL;
    for (size_t slot = 0; slot < n; slot++) {
        s->f->hits[slot] = (qd_hit){
            .task = s->task,
            .doc = s->docs[slot],
            .score = s->scores[slot],
            .ranks = s->f->ranks + slot * keys,
            .texts = s->f->texts + slot * keys,
        };
    }
}

/* Strings, so that hits of different segments can be compared and shown. */
static qd_status take_texts(sorter *s, qd_error *err)
{
    size_t keys = s->sort->n;
    qd_status st = QD_OK;
    for (size_t i = 0; i < keys; i++) {
        if (s->sort->keys[i].class != QD_KEY_STRING)
            continue;
        if (!s->f->arena && !(s->f->arena = qd_arena_new(MAX_TEXT_BYTES)))
            return qd_fail_nomem(err);
        for (size_t hit = 0; hit < s->f->n && st == QD_OK; hit++)
            st = qd_key_reader_text(&s->readers[i], s->f->ranks[hit * keys + i], s->f->arena,
                                    &s->f->texts[hit * keys + i], err);
    }
    return st;
}

static qd_status open_readers(sorter *s, const qd_plan *plan, uint32_t segment, qd_error *err)
{
    qd_status st = QD_OK;
    s->readers = calloc(s->sort->n, sizeof *s->readers);
    s->block = malloc(s->sort->n * QE_BLOCK_DOCS * sizeof *s->block);
    if (!s->readers || !s->block)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < s->sort->n && st == QD_OK; i++)
        st = qd_key_reader_open(&s->readers[i], &s->sort->keys[i], plan->searcher, segment, err);
    return st;
}

void qd_collect_sorted(qd_collection *c, size_t task)
{
    const qd_plan *plan = qd_collect_plan(c, task);
    const qd_task *t = &c->run->tasks[task];
    uint32_t max_doc = qd_searcher_max_doc(plan->searcher, t->segment);
    qd_error err = QD_ERROR_INIT;
    sorter s = {
        .c = c, .f = &c->found[task], .sort = &c->sorts[t->target], .task = task, .k = c->k < max_doc ? c->k : max_doc};
    if (s.k == 0)
        return;
    if (plan->is_constant)
        qd_collect_fill_constant(c, task, s.constant);
    qd_status st = open_readers(&s, plan, t->segment, &err);
    if (st == QD_OK)
        st = qd_sort_scripts_open(c->run, task, s.sort, &s.scripts, &err);
    if (st == QD_OK)
        st = qd_weight_run(plan->weight, t->segment, on_block, &s, &err);
    if ((st == QD_OK || st == QD_ECANCELED) && !s.has_failed) {
        take_hits(&s);
        qd_status texts = s.has_failed ? QD_OK : take_texts(&s, &err);
        st = texts != QD_OK ? texts : st;
    }
    if (s.has_failed)
        qd_collect_nomem(c, task);
    else
        qd_collect_end(c, task, st, &err);
    for (size_t i = 0; s.readers && i < s.sort->n; i++)
        qd_key_reader_close(&s.readers[i]);
    qd_sort_scripts_close(s.scripts);
    free(s.readers);
    free(s.block);
    free(s.slots);
    free(s.docs);
    free(s.scores);
    free(s.heap);
}
