/* SPDX-License-Identifier: Apache-2.0 */
#include "query/score.h"

#include <float.h>
#include <stdlib.h>

#include "base/clock.h"

/* What one level of a tree takes per row at most: see the qd_scratch calls of the evaluators. */
#define LEVEL_BYTES_PER_ROW ((size_t)64)
#define ROW_ROUND           ((size_t)64)

void *qd_scratch(qd_block_state *s, size_t item_size)
{
    void *p = s->scratch + s->scratch_used;
    s->scratch_used += item_size * s->row_cap;
    return p;
}

bool qd_fail_block(qd_block_state *s, qd_status status, const qd_error *err)
{
    qd_run_fail(s->node->run, s->task, status, err);
    return false;
}

/* ---- functions ---- */

static qd_runner *runner_for(qd_block_state *s, const qd_use *use)
{
    qd_run *run = s->node->run;
    qd_runner **r = &s->runners[use->index];
    if (*r)
        return *r;
    qd_error err = QD_ERROR_INIT;
    qd_run_control control = {.deadline_ns = run->deadline_ns, .canceled = run->rq->canceled};
    qd_status st = qd_runner_open(use->binding, qd_segment_docs_source(s->docs), &control, r, &err);
    if (st != QD_OK)
        qd_fail_block(s, st, &err);
    return *r;
}

static bool run_rows(qd_block_state *s, const qd_use *use, const qd_rows *r, double *out, uint8_t *valid)
{
    qd_error err = QD_ERROR_INIT;
    qd_runner *runner = runner_for(s, use);
    if (!runner)
        return false;
    qd_segment_docs_view(s->docs, r->n, r->docs);
    qd_status st = qd_runner_run(runner, r->n, r->base, out, valid, &err);
    /* The query's own deadline ends it with what it has; a function's limit is an error. */
    if (st == QD_EUDF_TIMEOUT && qd_run_deadline_passed(s->node->run))
        return false;
    if (st == QD_OK)
        st = qd_segment_docs_status(s->docs, &err);
    return st == QD_OK || qd_fail_block(s, st, &err);
}

/* Asked about the segment's first document, it has answered for all. */
static bool run_once(qd_block_state *s, const qd_use *use, const qd_rows *r, double *out, uint8_t *valid)
{
    qd_once *once = &s->once[use->index];
    if (!once->is_known) {
        qd_rows first = {1, r->docs, r->base};
        if (!run_rows(s, use, &first, out ? &once->result : NULL, &once->valid))
            return false;
        once->is_known = true;
    }
    memset(valid, once->valid, r->n);
    for (uint32_t i = 0; out && i < r->n; i++)
        out[i] = once->result;
    return true;
}

bool qd_run_use(qd_block_state *s, const qd_use *use, const qd_rows *r, double *out, uint8_t *valid)
{
    if (r->n == 0)
        return true;
    return use->is_constant ? run_once(s, use, r, out, valid) : run_rows(s, use, r, out, valid);
}

bool qd_fail_score(qd_block_state *s, const qd_use *use, const qd_rows *r, uint32_t row, double score)
{
    qd_error err = QD_ERROR_INIT;
    qd_str id = {"?", 1};
    const qd_doc_source *docs = qd_segment_docs_source(s->docs);
    qd_segment_docs_view(s->docs, r->n, r->docs);
    docs->id(docs->arg, row, &id);
    qd_status st = qd_fail(&err, QD_EUDF_FAILED,
                           "%s%s%sdocument '%.*s': the score is %g; a score must be a finite number >= 0 "
                           "that fits 32-bit floating point",
                           use ? "function '" : "", use ? qd_binding_udf(use->binding)->label : "",
                           use ? "', " : "function_score: ", QD_STR_FMT(id), score);
    if (use)
        qd_error_mark_function(&err, qd_str_of(qd_binding_udf(use->binding)->label));
    return qd_fail_block(s, st, &err);
}

/* One function as a clause. */
static bool eval_filter(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    uint8_t *match = qd_scratch(s, 1);
    float *scores = e->is_scored ? qd_scratch(s, sizeof *scores) : NULL;
    if (!qd_run_use(s, e->use, r, NULL, match))
        return false;
    for (uint32_t i = 0; scores && i < r->n; i++)
        scores[i] = e->boost;
    *out = (qd_outcome){match, scores};
    return true;
}

static bool eval_function(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    if (e->use->is_filter)
        return eval_filter(s, e, r, out);
    float *scores = qd_scratch(s, sizeof *scores);
    uint8_t *match = qd_scratch(s, 1);
    size_t mark = s->scratch_used;
    double *results = qd_scratch(s, sizeof *results);
    if (!qd_run_use(s, e->use, r, results, match))
        return false;
    float boost = e->boost, top = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        scores[i] = match[i] ? (float)results[i] * boost : 0;
        top = scores[i] > top ? scores[i] : top;
    }
    /* Rare enough to look for afterwards. */
    for (uint32_t i = 0; top > FLT_MAX && i < r->n; i++)
        if (scores[i] > FLT_MAX)
            return qd_fail_score(s, e->use, r, i, results[i] * (double)boost);
    s->scratch_used = mark;
    *out = (qd_outcome){match, scores};
    return true;
}

static bool eval_base(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    (void)s, (void)e;
    *out = (qd_outcome){NULL, r->base};
    return true;
}

bool qd_eval(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    static qd_eval_fn *const EVALUATORS[] = {
        [QD_EXPR_BASE] = eval_base,
        [QD_EXPR_FUNCTION] = eval_function,
        [QD_EXPR_BOOL] = qd_eval_bool,
        [QD_EXPR_CONSTANT] = qd_eval_constant,
        [QD_EXPR_SCRIPT_SCORE] = qd_eval_script_score,
        [QD_EXPR_FUNCTION_SCORE] = qd_eval_function_score,
    };
    return EVALUATORS[e->type](s, e, r, out);
}

qd_subset qd_subset_of(qd_block_state *s, const qd_rows *r, const uint8_t *match, const float *base)
{
    uint32_t *docs = qd_scratch(s, sizeof *docs);
    float *scores = base ? qd_scratch(s, sizeof *scores) : NULL;
    uint16_t *index = qd_scratch(s, sizeof *index);
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        index[n] = (uint16_t)i;
        n += match ? match[i] : 1;
    }
    for (uint32_t i = 0; i < n; i++)
        docs[i] = r->docs[index[i]];
    for (uint32_t i = 0; base && i < n; i++)
        scores[i] = base[index[i]];
    return (qd_subset){{n, docs, scores}, index};
}

/* ---- the node, as the seam drives it ---- */

static void close_state(void *state)
{
    qd_block_state *s = state;
    if (!s)
        return;
    for (size_t i = 0; s->runners && i < s->node->run->uses.n; i++)
        qd_runner_close(s->runners[i]);
    for (size_t i = 0; s->filters && i < s->node->plan->n_filters; i++)
        free(s->filters[i]);
    qd_segment_docs_close(s->docs);
    free(s->runners);
    free(s->once);
    free(s->filters);
    free(s->scratch);
    free(s);
}

static void *open_state(void *arg, const qe_searcher *searcher, size_t segment, bool wants_scores)
{
    const qd_block_node *node = arg;
    (void)searcher, (void)wants_scores;
    size_t task = qd_run_task_of(node->run, node->target, segment);
    size_t max_doc = qd_searcher_max_doc(node->plan->searcher, segment);
    size_t rows = max_doc < QE_BLOCK_DOCS ? max_doc + 1 : QE_BLOCK_DOCS;
    qd_block_state *s = calloc(1, sizeof *s);
    if (s) {
        s->node = node;
        s->task = task;
        s->segment = (uint32_t)segment;
        s->row_cap = (rows + ROW_ROUND - 1) / ROW_ROUND * ROW_ROUND;
        s->scratch_size = node->depth * s->row_cap * LEVEL_BYTES_PER_ROW;
        s->scratch = aligned_alloc(64, s->scratch_size);
        s->runners = calloc(node->run->uses.n + 1, sizeof *s->runners);
        s->once = calloc(node->run->uses.n + 1, sizeof *s->once);
        s->filters = calloc(node->plan->n_filters + 1, sizeof *s->filters);
        s->docs = qd_segment_docs_open(node->plan->searcher, s->segment);
    }
    if (s && s->scratch && s->runners && s->once && s->filters && s->docs)
        return s;
    qd_error err = QD_ERROR_INIT;
    qd_run_fail(node->run, task, qd_fail_nomem(&err), &err);
    close_state(s);
    return NULL;
}

static size_t compact_docs(const uint8_t *restrict match, size_t n, uint32_t *restrict docs)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        docs[kept] = docs[i];
        kept += match[i];
    }
    return kept;
}

/* Keeps the rows that match, in place. `scores` of the outcome may be the very array that is written; NULL: nobody
 * reads them. */
static size_t keep_matches(const qd_outcome *o, size_t n, uint32_t *docs, float *scores)
{
    size_t matches = 0;
    if (o->match)
        for (size_t i = 0; i < n; i++)
            matches += o->match[i];
    if (!o->match || matches == n) {
        if (o->scores && o->scores != scores)
            memcpy(scores, o->scores, n * sizeof *scores);
        return n;
    }
    if (matches == 0)
        return 0;
    if (!o->scores)
        return compact_docs(o->match, n, docs);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        docs[kept] = docs[i];
        scores[kept] = o->scores[i];
        kept += o->match[i];
    }
    return kept;
}

/* Stopping ends the weight's runs over all segments. After a failure those before this one must go on, for theirs would
 * be the failure to report: so this segment only runs dry. */
static size_t stop_block(const qd_block_state *s)
{
    return qd_run_is_over(s->node->run) ? QE_BLOCK_STOP : 0;
}

static size_t run_block(void *state, size_t n, uint32_t *docs, float *scores)
{
    qd_block_state *s = state;
    if (qd_run_should_stop(s->node->run, s->task))
        return stop_block(s);
    qd_segment_docs_begin(s->docs, n, docs);
    qd_rows rows = {(uint32_t)n, docs, scores};
    qd_outcome outcome;
    s->scratch_used = 0;
    if (!qd_eval(s, s->node->root, &rows, &outcome))
        return stop_block(s);
    if (!s->node->root->is_scored)
        outcome.scores = NULL;
    return keep_matches(&outcome, n, docs, scores);
}

const qe_block_fns qd_block_node_fns = {open_state, run_block, close_state, NULL};
