/* SPDX-License-Identifier: Apache-2.0
 *
 * Running the plans over their segments, in parallel, and merging what each found: the best hits by score or by fields,
 * and how many there are. Ties go to the document that stands first: by target, segment, document.
 *
 * collect.c has the tasks and the merge, collect_score.c the best by score, collect_sorted.c the first by fields. */
#ifndef QD_QUERY_COLLECT_H
#define QD_QUERY_COLLECT_H

#include "query/aggs.h"
#include "query/plan.h"
#include "query/sort.h"

typedef struct qd_hit {
    size_t task;
    uint32_t doc;
    float score;
    const int64_t *ranks; /* by sort key; NULL without a sort */
    const qd_str *texts;  /* likewise, for strings */
} qd_hit;

/* What one task found; its own thread writes it. */
typedef struct qd_found_hits {
    qd_hit *hits; /* best first */
    size_t n;
    int64_t *ranks;
    qd_str *texts;
    qd_arena *arena; /* of the texts */
    uint64_t count;
    float max_score; /* of all matches, where scores are tracked beside a sort; else -FLT_MAX */
} qd_found_hits;

typedef struct qd_collection {
    qd_run *run;
    const qd_plan *plans;         /* by target */
    const qd_sort *sorts;         /* by target; NULL: by score */
    qd_aggs *aggs;                /* borrowed; NULL: none. With them, all matches are seen */
    size_t k;                     /* from + size */
    uint64_t count_limit;         /* hits are counted up to this and one more; QD_TRACK_ALL: all */
    bool is_counting;             /* else `total` was known before, or nobody asks */
    atomic_uint_fast64_t counted; /* by all tasks, where there is a limit */
    atomic_size_t settled;        /* first task that holds k hits none of which can be beaten; SIZE_MAX: none */
    qd_found_hits *found;         /* by task */
    /* The outcome. */
    qd_hit *hits;
    size_t n_hits;
    uint64_t total;
    bool total_is_least; /* there are more than `total` */
    bool has_max_score;
    float max_score;
} qd_collection;

/* Fills in run, plans, sorts, k before. Errors: what a task failed with, QD_ECANCELED, QD_ENOMEM. A passed deadline is
 * no error: run->timed_out. */
qd_status qd_collect(qd_collection *c, qd_error *err);
void qd_collection_deinit(qd_collection *c);

/* ---- for the collectors ---- */

/* Gives a block of matches to the aggregations, if any. False: the task must end. */
static inline bool qd_collect_aggregate(qd_collection *c, size_t task, size_t n, const uint32_t *docs,
                                        const float *scores)
{
    return !c->aggs || qd_aggs_add(c->aggs, task, n, docs, scores);
}
/* Counts n more hits; true: there are now more than anybody wants to know of, or to aggregate. */
bool qd_collect_count(qd_collection *c, qd_found_hits *f, uint64_t n);
/* Runs one task; a failure is recorded with the run. */
void qd_collect_by_score(qd_collection *c, size_t task);
void qd_collect_sorted(qd_collection *c, size_t task);
void qd_collect_count_only(qd_collection *c, size_t task);
/* A finished run over a segment: a stop has its reason recorded or is no failure. */
void qd_collect_end(qd_collection *c, size_t task, qd_status status, const qd_error *err);
void qd_collect_nomem(qd_collection *c, size_t task);
/* What all hits score, for blocks that come without scores: QE_BLOCK_DOCS times. */
void qd_collect_fill_constant(const qd_collection *c, size_t task, float *scores);
static inline const qd_plan *qd_collect_plan(const qd_collection *c, size_t task)
{
    return &c->plans[c->run->tasks[task].target];
}

#endif
