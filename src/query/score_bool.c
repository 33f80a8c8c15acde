/* SPDX-License-Identifier: Apache-2.0
 * bool, constant_score and script_score over functions. */
#include <float.h>

#include "query/score.h"

/* The rows that are still in, while the steps of a bool narrow them. */
typedef struct survivors {
    qd_subset set;     /* its docs and scores are ours to compact */
    double *sums;      /* NULL: nobody reads the scores */
    uint16_t *matched; /* of the should clauses; NULL: there are none */
} survivors;

/* Array by array: most need only the first two. */
static void keep_survivors(survivors *v, const uint8_t *match, uint8_t wanted)
{
    uint32_t *docs = (uint32_t *)v->set.rows.docs;
    float *base = (float *)v->set.rows.base;
    uint32_t n = 0, before = v->set.rows.n;
    for (uint32_t i = 0; i < before; i++) {
        docs[n] = docs[i];
        v->set.index[n] = v->set.index[i];
        n += match[i] == wanted;
    }
    v->set.rows.n = n;
    n = 0;
    for (uint32_t i = 0; base && i < before; i++) {
        base[n] = base[i];
        n += match[i] == wanted;
    }
    n = 0;
    for (uint32_t i = 0; v->sums && i < before; i++) {
        v->sums[n] = v->sums[i];
        n += match[i] == wanted;
    }
    n = 0;
    for (uint32_t i = 0; v->matched && i < before; i++) {
        v->matched[n] = v->matched[i];
        n += match[i] == wanted;
    }
}

/* Must and filter drop what does not match, must_not what does; must and should add scores. */
static bool run_step(qd_block_state *s, const qd_expr *step, qd_occur occur, survivors *v)
{
    qd_outcome o;
    if (!qd_eval(s, step, &v->set.rows, &o))
        return false;
    uint32_t n = v->set.rows.n;
    if (v->sums && (occur == QD_MUST || occur == QD_SHOULD)) {
        for (uint32_t i = 0; i < n; i++)
            v->sums[i] += !o.match || o.match[i] ? (double)o.scores[i] : 0;
    }
    if (occur == QD_SHOULD) {
        for (uint32_t i = 0; i < n; i++)
            v->matched[i] = (uint16_t)(v->matched[i] + (o.match ? o.match[i] : 1));
    } else if (occur == QD_MUST_NOT && !o.match) {
        v->set.rows.n = 0;
    } else if (o.match) {
        keep_survivors(v, o.match, occur != QD_MUST_NOT);
    }
    return true;
}

/* One function beside the native clauses is what most queries have: no row needs to move for that. */
static const qd_expr *only_function(const qd_expr *e, qd_occur *occur, bool *has_base)
{
    const qd_expr *only = NULL;
    *has_base = false;
    for (size_t i = 0; i < e->n_steps; i++) {
        if (e->steps[i]->type == QD_EXPR_BASE) {
            *has_base = true;
        } else {
            if (only || e->occurs[i] == QD_SHOULD)
                return NULL;
            only = e->steps[i];
            *occur = e->occurs[i];
        }
    }
    return only;
}

static bool eval_one(qd_block_state *s, const qd_expr *e, const qd_expr *step, qd_occur occur, bool has_base,
                     const qd_rows *r, qd_outcome *out)
{
    uint8_t *match = occur == QD_MUST_NOT ? qd_scratch(s, 1) : NULL;
    float *scores = e->is_scored ? qd_scratch(s, sizeof *scores) : NULL;
    qd_outcome o;
    if (!qd_eval(s, step, r, &o))
        return false;
    for (uint32_t i = 0; match && i < r->n; i++)
        match[i] = o.match ? o.match[i] ^ 1 : 0;
    out->match = match ? match : o.match;
    out->scores = has_base ? r->base : scores;
    if (!scores)
        return true;
    if (occur == QD_MUST)
        out->scores = o.scores;
    if (occur == QD_MUST && has_base) {
        for (uint32_t i = 0; i < r->n; i++)
            scores[i] = (float)((double)r->base[i] + (double)o.scores[i]);
        out->scores = scores;
    } else if (!has_base && occur != QD_MUST) {
        memset(scores, 0, r->n * sizeof *scores);
    }
    return true;
}

static bool has_should(const qd_expr *e)
{
    for (size_t i = 0; i < e->n_steps; i++)
        if (e->occurs[i] == QD_SHOULD)
            return true;
    return false;
}

bool qd_eval_bool(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    qd_occur occur = QD_MUST;
    bool has_base;
    const qd_expr *only = only_function(e, &occur, &has_base);
    if (only)
        return eval_one(s, e, only, occur, has_base, r, out);
    uint8_t *match = qd_scratch(s, 1);
    float *scores = e->is_scored ? qd_scratch(s, sizeof *scores) : NULL;
    size_t mark = s->scratch_used;
    const uint8_t *first = NULL;
    size_t n_done = 0;
    if (e->occurs[0] == QD_FILTER) { /* asked about the rows where they stand, so that only survivors move */
        qd_outcome o;
        if (!qd_eval(s, e->steps[0], r, &o))
            return false;
        first = o.match;
        n_done = 1;
    }
    survivors v = {.set = qd_subset_of(s, r, first, e->needs_base ? r->base : NULL)};
    if (scores) {
        v.sums = qd_scratch(s, sizeof *v.sums);
        memset(v.sums, 0, v.set.rows.n * sizeof *v.sums);
    }
    if (has_should(e)) {
        v.matched = qd_scratch(s, sizeof *v.matched);
        memset(v.matched, 0, v.set.rows.n * sizeof *v.matched);
    }
    for (size_t i = n_done; i < e->n_steps && v.set.rows.n > 0; i++) {
        size_t level = s->scratch_used;
        if (!run_step(s, e->steps[i], e->occurs[i], &v))
            return false;
        s->scratch_used = level;
    }
    memset(match, 0, r->n);
    for (uint32_t i = 0; i < v.set.rows.n; i++) {
        bool is_in = (v.matched ? v.matched[i] : 0) >= e->minimum_should_match;
        match[v.set.index[i]] = is_in;
        if (scores)
            scores[v.set.index[i]] = (float)v.sums[i];
    }
    s->scratch_used = mark;
    *out = (qd_outcome){match, scores};
    return true;
}

bool qd_eval_constant(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    float *scores = e->is_scored ? qd_scratch(s, sizeof *scores) : NULL;
    if (!qd_eval(s, e->child, r, out))
        return false;
    for (uint32_t i = 0; scores && i < r->n; i++)
        scores[i] = e->boost;
    out->scores = scores;
    return true;
}

/* The results of the function take the place of the child's scores. */
static bool score_rows(qd_block_state *s, const qd_expr *e, const qd_rows *r, float *scores, uint8_t *match)
{
    double *results = qd_scratch(s, sizeof *results);
    float boost = e->boost, least = e->has_min_score ? e->min_score : -FLT_MAX;
    if (!qd_run_use(s, e->use, r, results, match))
        return false;
    float top = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        float score = (float)results[i] * boost;
        match[i] = (uint8_t)(match[i] & (score >= least));
        scores[i] = score;
        top = score > top ? score : top;
    }
    /* Rare enough to look for afterwards. */
    for (uint32_t i = 0; top > FLT_MAX && i < r->n; i++)
        if (match[i] && scores[i] > FLT_MAX)
            return qd_fail_score(s, e->use, r, i, results[i] * (double)boost);
    return true;
}

bool qd_eval_script_score(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    float *scores = qd_scratch(s, sizeof *scores);
    uint8_t *match = qd_scratch(s, 1);
    size_t mark = s->scratch_used;
    qd_outcome child;
    if (!qd_eval(s, e->child, r, &child))
        return false;
    if (!child.scores) /* nobody reads them */
        child.scores = r->base;
    if (!child.match) {
        qd_rows rows = {r->n, r->docs, child.scores};
        if (!score_rows(s, e, &rows, scores, match))
            return false;
    } else {
        qd_subset some = qd_subset_of(s, r, child.match, child.scores);
        float *some_scores = qd_scratch(s, sizeof *some_scores);
        uint8_t *some_match = qd_scratch(s, 1);
        if (!score_rows(s, e, &some.rows, some_scores, some_match))
            return false;
        memset(match, 0, r->n);
        for (uint32_t i = 0; i < some.rows.n; i++) {
            match[some.index[i]] = some_match[i];
            scores[some.index[i]] = some_scores[i];
        }
    }
    s->scratch_used = mark;
    *out = (qd_outcome){match, scores};
    return true;
}
