/* SPDX-License-Identifier: Apache-2.0
 * What is known of functions before they run: which cost more, and what they score at most. */
#include <math.h>

#include "query/plan.h"

/* ---- costs ---- */

#define COST_CLASSES  16
#define UNMEASURED_NS 16.0

/* What a document costs, in powers of four of nanoseconds: coarse, so that the order is the same from query to query
 * unless functions differ by much. 0: next to nothing. A function that was never measured counts as a plain one. */
static int cost_class(const qd_expr *e)
{
    int cost = 0;
    for (size_t i = 0; i < e->n_steps; i++) {
        int step = cost_class(e->steps[i]);
        cost = step > cost ? step : cost;
    }
    if (e->type == QD_EXPR_CONSTANT)
        return cost_class(e->child);
    if (e->type != QD_EXPR_FUNCTION || e->use->is_constant)
        return cost;
    double ns = qd_udf_stats_rough_ns(qd_binding_udf(e->use->binding)->stats);
    for (ns = ns > 0 ? ns : UNMEASURED_NS; ns >= 1 && cost < COST_CLASSES - 1; ns /= 4)
        cost++;
    return cost;
}

qd_status qd_plan_order_steps(qd_planner *pl, qd_expr *e)
{
    size_t n = e->n_steps, at = 0;
    qd_expr **steps = qd_arena_array(pl->arena, n, sizeof *steps);
    qd_occur *occurs = qd_arena_array(pl->arena, n, sizeof *occurs);
    int *costs = qd_arena_array(pl->arena, n, sizeof *costs);
    if (!steps || !occurs || !costs)
        return qd_plan_nomem(pl);
    for (size_t i = 0; i < n; i++)
        costs[i] = cost_class(e->steps[i]);
    for (int level = 0; level < COST_CLASSES; level++) {
        for (size_t i = 0; i < n; i++) {
            if (costs[i] != level)
                continue;
            steps[at] = e->steps[i];
            occurs[at++] = e->occurs[i];
        }
    }
    memcpy(e->steps, steps, n * sizeof *steps);
    memcpy(e->occurs, occurs, n * sizeof *occurs);
    return QD_OK;
}

/* ---- bounds ---- */

/* Rounding never makes the greater of two results the lesser score, so a function's bound goes the way of a result. */
static double scaled(double bound, float factor)
{
    return factor == 0 ? 0 : bound * (double)factor;
}

/* Of the functions' values together. Where none applies the factor is 1. */
static double factor_bound(const qd_function_score_node *m)
{
    double most = 1, sum = 0, product = 1;
    for (size_t i = 0; i < m->n; i++) {
        double alone = m->scorers[i].use ? m->scorers[i].use->max_score : 1;
        double b = scaled(alone, m->scorers[i].weight);
        most = fmax(most, m->score_mode == QD_SCORE_AVG ? alone : b);
        product *= fmax(1, b);
        sum += b;
    }
    if (m->score_mode == QD_SCORE_AVG) /* rounded twice: it may come out above the greatest */
        return most * (1 + 1e-6);
    return m->score_mode == QD_SCORE_SUM ? fmax(1, sum) : m->score_mode == QD_SCORE_MULTIPLY ? product : most;
}

static float function_score_bound(const qd_expr *e)
{
    const qd_function_score_node *m = e->modes;
    if (m->n == 0 || (m->boost_mode != QD_BOOST_REPLACE && m->boost_mode != QD_BOOST_MIN))
        return INFINITY;
    return (float)fmin(factor_bound(m), (double)m->max_boost);
}

float qd_plan_bound(const qd_expr *e)
{
    double sum = 0;
    switch (e->type) {
    case QD_EXPR_BASE:
        return INFINITY;
    case QD_EXPR_CONSTANT:
        return e->boost;
    case QD_EXPR_FUNCTION:
        return e->use->is_filter ? e->boost : (float)scaled((double)(float)e->use->max_score, e->boost);
    case QD_EXPR_SCRIPT_SCORE:
        return (float)scaled((double)(float)e->use->max_score, e->boost);
    case QD_EXPR_FUNCTION_SCORE:
        return function_score_bound(e);
    case QD_EXPR_BOOL:
        break;
    }
    for (size_t i = 0; i < e->n_steps; i++)
        if (e->occurs[i] == QD_MUST || e->occurs[i] == QD_SHOULD)
            sum += (double)qd_plan_bound(e->steps[i]);
    return (float)sum;
}
