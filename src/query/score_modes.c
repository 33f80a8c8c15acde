/* SPDX-License-Identifier: Apache-2.0
 * function_score: the functions' values make a factor (score_mode), which meets the query's score (boost_mode). In
 * double precision and cut to single at the end, as OpenSearch does it. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "query/score.h"

/* ---- a native filter's matches in the segment, as bits ---- */

typedef struct filter_bits {
    qd_block_state *s;
    uint64_t *bits;
} filter_bits;

static bool collect_bits(void *arg, size_t n, const uint32_t *docs, const float *scores)
{
    filter_bits *f = arg;
    (void)scores;
    for (size_t i = 0; i < n; i++)
        f->bits[docs[i] / 64] |= UINT64_C(1) << (docs[i] % 64);
    return !qd_run_should_stop(f->s->node->run, f->s->task);
}

static const uint64_t *bits_of(qd_block_state *s, const qd_expr_scorer *scorer)
{
    uint64_t **kept = &s->filters[scorer->filter_index];
    if (*kept)
        return *kept;
    qd_error err = QD_ERROR_INIT;
    filter_bits f = {s, calloc(qd_searcher_max_doc(s->node->plan->searcher, s->segment) / 64 + 1, sizeof *f.bits)};
    if (!f.bits) {
        qd_fail_block(s, qd_fail_nomem(&err), &err);
        return NULL;
    }
    qd_status st = qd_weight_run(scorer->filter, s->segment, collect_bits, &f, &err);
    if (st != QD_OK) {
        free(f.bits);
        /* A stop has its reason recorded already, or is the query's own deadline. */
        if (st != QD_ECANCELED)
            qd_fail_block(s, st, &err);
        return NULL;
    }
    return *kept = f.bits;
}

/* Which rows a function is for. */
static bool applies_to(qd_block_state *s, const qd_expr_scorer *scorer, const qd_rows *r, uint8_t *match)
{
    if (scorer->filter_expr) {
        qd_outcome o;
        size_t mark = s->scratch_used;
        if (!qd_eval(s, scorer->filter_expr, r, &o))
            return false;
        for (uint32_t i = 0; i < r->n; i++)
            match[i] = o.match ? o.match[i] : 1;
        s->scratch_used = mark;
        return true;
    }
    if (!scorer->filter) {
        memset(match, 1, r->n);
        return true;
    }
    const uint64_t *bits = bits_of(s, scorer);
    for (uint32_t i = 0; bits && i < r->n; i++)
        match[i] = (uint8_t)(bits[r->docs[i] / 64] >> (r->docs[i] % 64) & 1);
    return bits != NULL;
}

/* ---- score_mode ---- */

typedef struct factors {
    double *value;   /* the sum, product, … so far */
    double *weights; /* sum, avg: of the weights */
    uint8_t *any;    /* a function applied */
} factors;

static void add_factor(qd_score_mode mode, factors *f, uint32_t row, double value, double weight)
{
    double *v = &f->value[row];
    if (!f->any[row])
        *v = mode == QD_SCORE_MULTIPLY ? 1 : mode == QD_SCORE_SUM || mode == QD_SCORE_AVG ? 0 : value;
    switch (mode) {
    case QD_SCORE_MULTIPLY:
        *v *= value;
        break;
    case QD_SCORE_SUM:
    case QD_SCORE_AVG:
        *v += value;
        f->weights[row] += weight;
        break;
    case QD_SCORE_MAX:
        *v = value > *v ? value : *v;
        break;
    case QD_SCORE_MIN:
        *v = value < *v ? value : *v;
        break;
    case QD_SCORE_FIRST:
        break;
    }
    f->any[row] = 1;
}

/* Where no function applied, and where all weights are 0, the factor is 1. */
static double factor_of(qd_score_mode mode, const factors *f, uint32_t row)
{
    if (!f->any[row])
        return 1;
    if (mode == QD_SCORE_SUM || mode == QD_SCORE_AVG) {
        if (f->weights[row] == 0)
            return 1;
        return mode == QD_SCORE_AVG ? f->value[row] / f->weights[row] : f->value[row];
    }
    return f->value[row];
}

static bool run_scorer(qd_block_state *s, const qd_expr_scorer *scorer, qd_score_mode mode, const qd_rows *r,
                       factors *f)
{
    const qd_scorer *given = scorer->scorer;
    double weight = (double)given->weight;
    uint8_t *match = qd_scratch(s, 1);
    if (!applies_to(s, scorer, r, match))
        return false;
    if (mode == QD_SCORE_FIRST)
        for (uint32_t i = 0; i < r->n; i++)
            match[i] = (uint8_t)(match[i] & !f->any[i]);
    if (!given->use) {
        for (uint32_t i = 0; i < r->n; i++)
            if (match[i])
                add_factor(mode, f, i, weight, weight);
        return true;
    }
    qd_subset some = qd_subset_of(s, r, match, r->base);
    double *results = qd_scratch(s, sizeof *results);
    uint8_t *valid = qd_scratch(s, 1);
    if (!qd_run_use(s, given->use, &some.rows, results, valid))
        return false;
    for (uint32_t i = 0; i < some.rows.n; i++)
        if (valid[i])
            add_factor(mode, f, some.index[i], results[i] * weight, weight);
    return true;
}

/* ---- boost_mode ---- */

static inline __attribute__((always_inline)) float combine(qd_boost_mode mode, float query, double factor,
                                                           double max_boost)
{
    double q = (double)query, f = factor < max_boost ? factor : max_boost;
    switch (mode) {
    case QD_BOOST_REPLACE:
        return (float)f;
    case QD_BOOST_SUM:
        return (float)(q + f);
    case QD_BOOST_AVG:
        return (float)((f + q) / 2);
    case QD_BOOST_MAX:
        return (float)(f > q ? f : q);
    case QD_BOOST_MIN:
        return (float)(f < q ? f : q);
    default:
        return (float)(q * f);
    }
}

/* One loop per mode: the switch is outside of it. */
static inline __attribute__((always_inline)) void combine_all(qd_boost_mode mode, size_t n, const float *query,
                                                              const double *values, double max_boost, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = combine(mode, query[i], values[i], max_boost);
}

static void combine_rows(qd_boost_mode mode, size_t n, const float *query, const double *values, double max_boost,
                         float *out)
{
    switch (mode) {
    case QD_BOOST_MULTIPLY:
        combine_all(QD_BOOST_MULTIPLY, n, query, values, max_boost, out);
        break;
    case QD_BOOST_REPLACE:
        combine_all(QD_BOOST_REPLACE, n, query, values, max_boost, out);
        break;
    case QD_BOOST_SUM:
        combine_all(QD_BOOST_SUM, n, query, values, max_boost, out);
        break;
    case QD_BOOST_AVG:
        combine_all(QD_BOOST_AVG, n, query, values, max_boost, out);
        break;
    case QD_BOOST_MAX:
        combine_all(QD_BOOST_MAX, n, query, values, max_boost, out);
        break;
    case QD_BOOST_MIN:
        combine_all(QD_BOOST_MIN, n, query, values, max_boost, out);
        break;
    }
}

static bool check_scores(qd_block_state *s, const qd_rows *r, const float *scores)
{
    int n_bad = 0;
    for (uint32_t i = 0; i < r->n; i++)
        n_bad += !(scores[i] >= 0) | !(scores[i] <= FLT_MAX);
    for (uint32_t i = 0; n_bad > 0 && i < r->n; i++)
        if (!(scores[i] >= 0 && scores[i] <= FLT_MAX))
            return qd_fail_score(s, NULL, r, i, (double)scores[i]);
    return true;
}

/* Factors of rows by all functions. */
static bool make_factors(qd_block_state *s, const qd_expr *e, const qd_rows *r, double *out)
{
    const qd_function_score_node *m = e->modes;
    factors f = {out, qd_scratch(s, sizeof(double)), qd_scratch(s, 1)};
    memset(f.weights, 0, r->n * sizeof *f.weights);
    memset(f.any, 0, r->n);
    for (size_t i = 0; i < m->n && r->n > 0; i++) {
        size_t level = s->scratch_used;
        if (!run_scorer(s, &e->scorers[i], m->score_mode, r, &f))
            return false;
        s->scratch_used = level;
    }
    for (uint32_t i = 0; i < r->n; i++)
        out[i] = factor_of(m->score_mode, &f, i);
    return true;
}

/* The same for one script for every row, as most have it: all modes agree, unless a weight of 0 makes an average. */
static bool is_plain(const qd_expr *e)
{
    const qd_expr_scorer *s = e->scorers;
    return e->modes->n == 1 && s->scorer->use && !s->filter && !s->filter_expr && s->scorer->weight > 0;
}

static bool make_plain_factors(qd_block_state *s, const qd_expr *e, const qd_rows *r, double *out)
{
    const qd_scorer *given = e->scorers->scorer;
    double weight = e->modes->score_mode == QD_SCORE_AVG ? 1 : (double)given->weight;
    uint8_t *valid = qd_scratch(s, 1);
    if (!qd_run_use(s, given->use, r, out, valid))
        return false;
    if (weight == 1 && !memchr(valid, 0, r->n))
        return true;
    for (uint32_t i = 0; i < r->n; i++)
        out[i] = valid[i] ? out[i] * weight : 1;
    return true;
}

/* Rows and their scores before to scores after. */
static bool score_rows(qd_block_state *s, const qd_expr *e, const qd_rows *r, float *out)
{
    const qd_function_score_node *m = e->modes;
    if (m->n == 0) {
        if (out != r->base)
            memcpy(out, r->base, r->n * sizeof *out);
        return true;
    }
    double *values = qd_scratch(s, sizeof *values);
    if (!(is_plain(e) ? make_plain_factors(s, e, r, values) : make_factors(s, e, r, values)))
        return false;
    combine_rows(m->boost_mode, r->n, r->base, values, (double)m->max_boost, out);
    return check_scores(s, r, out);
}

bool qd_eval_function_score(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out)
{
    /* Functions that only score are not asked where nobody reads scores, as in OpenSearch. */
    if (!e->is_scored && !e->has_min_score)
        return qd_eval(s, e->child, r, out);
    float *scores = qd_scratch(s, sizeof *scores);
    uint8_t *match = qd_scratch(s, 1);
    size_t mark = s->scratch_used;
    float least = e->has_min_score ? e->min_score : -FLT_MAX;
    qd_outcome child;
    if (!qd_eval(s, e->child, r, &child))
        return false;
    if (!child.scores) /* they are replaced */
        child.scores = r->base;
    if (!child.match) {
        qd_rows rows = {r->n, r->docs, child.scores};
        if (!score_rows(s, e, &rows, scores))
            return false;
        for (uint32_t i = 0; e->has_min_score && i < r->n; i++)
            match[i] = scores[i] >= least;
    } else {
        qd_subset some = qd_subset_of(s, r, child.match, child.scores);
        float *some_scores = (float *)some.rows.base;
        if (!score_rows(s, e, &some.rows, some_scores))
            return false;
        memset(match, 0, r->n);
        for (uint32_t i = 0; i < some.rows.n; i++) {
            match[some.index[i]] = some_scores[i] >= least;
            scores[some.index[i]] = some_scores[i];
        }
    }
    s->scratch_used = mark;
    *out = (qd_outcome){e->has_min_score || child.match ? match : NULL, scores};
    return true;
}
