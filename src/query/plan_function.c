/* SPDX-License-Identifier: Apache-2.0
 * What runs functions over the documents of a query of its own: wasm_udf, script, script_score, function_score. And
 * joining a native clause with its expression into a block node. */
#include "query/plan.h"

/* ---- joining ---- */

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* As deep as the query, which the parser bounds. */
static size_t depth_of(const qd_expr *e)
{
    size_t below = e->child ? depth_of(e->child) : 0;
    for (size_t i = 0; i < e->n_steps; i++)
        below = max_size(below, depth_of(e->steps[i]));
    for (size_t i = 0; e->modes && i < e->modes->n; i++)
        if (e->scorers[i].filter_expr)
            below = max_size(below, depth_of(e->scorers[i].filter_expr));
    return below + 1;
}

static bool any_needs_score(const qd_expr *e, bool is_run)
{
    bool needs = e->use && e->use->needs_score;
    for (size_t i = 0; e->modes && is_run && i < e->modes->n; i++)
        needs |= e->scorers[i].scorer->use && e->scorers[i].scorer->use->needs_score;
    return needs;
}

/* Hands down whose scores are read, for a mask needs none, and sums up whether those of the clause below are. */
static bool mark_scored(qd_expr *e, bool is_scored)
{
    bool replaces = e->modes && e->modes->n > 0 && e->modes->boost_mode == QD_BOOST_REPLACE;
    bool is_combined = e->type == QD_EXPR_FUNCTION_SCORE && (is_scored || e->has_min_score) && !replaces;
    e->is_scored = is_scored;
    e->needs_base = e->type == QD_EXPR_BASE ? is_scored : e->type == QD_EXPR_FUNCTION && e->use->needs_score;
    for (size_t i = 0; i < e->n_steps; i++)
        e->needs_base |= mark_scored(e->steps[i], is_scored && (e->occurs[i] == QD_MUST || e->occurs[i] == QD_SHOULD));
    if (e->child)
        e->needs_base |= mark_scored(e->child, e->type != QD_EXPR_CONSTANT &&
                                                   (is_combined || any_needs_score(e, is_scored || e->has_min_score)));
    for (size_t i = 0; e->modes && i < e->modes->n; i++)
        if (e->scorers[i].filter_expr)
            e->needs_base |= mark_scored(e->scorers[i].filter_expr, false);
    return e->needs_base;
}

qd_status qd_plan_join(qd_planner *pl, qd_planned *p, bool is_scored, qd_clause **out)
{
    if (!p->expr) {
        *out = p->clause;
        return QD_OK;
    }
    qd_block_node *node = QD_NEW(pl->arena, qd_block_node);
    if (!node) {
        qd_clause_free(p->clause);
        return qd_plan_nomem(pl);
    }
    bool needs_scores = mark_scored(p->expr, is_scored && pl->plan->wants_scores);
    *node = (qd_block_node){
        .run = pl->run,
        .plan = pl->plan,
        .target = pl->target,
        .root = p->expr,
        .depth = depth_of(p->expr),
    };
    pl->functions_need_scores |= needs_scores;
    return qd_plan_give(pl, qd_clause_blocks(p->clause, needs_scores, &qd_block_node_fns, node), 1.0f, out);
}

/* ---- wasm_udf and script ---- */

/* Alone, over everything; or over its own `query`, which a filter narrows and a score replaces. */
qd_status qd_plan_function(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    const qd_use *use = node->as.function.use;
    qd_expr *f = qd_plan_expr(pl, QD_EXPR_FUNCTION, boost);
    if (!f)
        return qd_plan_nomem(pl);
    f->use = use;
    out->expr = f;
    if (!node->as.function.query)
        return qd_plan_give(pl, qd_clause_all(), 1.0f, &out->clause);
    if (use->is_filter) {
        qd_expr *both = qd_plan_expr(pl, QD_EXPR_BOOL, 1.0f), *base = qd_plan_expr(pl, QD_EXPR_BASE, 1.0f);
        qd_expr **steps = qd_arena_array(pl->arena, 2, sizeof *steps);
        qd_occur *occurs = qd_arena_array(pl->arena, 2, sizeof *occurs);
        if (!both || !base || !steps || !occurs)
            return qd_plan_nomem(pl);
        steps[0] = base, occurs[0] = QD_MUST;
        steps[1] = f, occurs[1] = QD_FILTER;
        both->steps = steps;
        both->occurs = occurs;
        both->n_steps = 2;
        out->expr = both;
    }
    return qd_plan_clause(pl, node->as.function.query, use->is_filter ? boost : 1.0f, &out->clause);
}

/* ---- script_score and function_score ---- */

/* The query below, as clause and child expression. */
static qd_status plan_child(qd_planner *pl, const qd_node *query, float boost, qd_expr *e, qd_clause **clause)
{
    qd_planned p;
    qd_status st = qd_plan_node(pl, query, boost, &p);
    if (st != QD_OK)
        return st;
    e->child = p.expr ? p.expr : qd_plan_expr(pl, QD_EXPR_BASE, 1.0f);
    if (!e->child) {
        qd_clause_free(p.clause);
        return qd_plan_nomem(pl);
    }
    *clause = p.clause;
    return QD_OK;
}

qd_status qd_plan_script_score(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    const qd_script_score_node *s = &node->as.script_score;
    qd_expr *e = qd_plan_expr(pl, QD_EXPR_SCRIPT_SCORE, boost);
    if (!e)
        return qd_plan_nomem(pl);
    e->use = s->use;
    e->has_min_score = s->has_min_score;
    e->min_score = s->min_score;
    out->expr = e;
    return plan_child(pl, s->query, 1.0f, e, &out->clause);
}

static qd_status keep_filter(qd_planner *pl, qd_weight *w)
{
    qd_plan *plan = pl->plan;
    if (plan->n_filters == plan->cap_filters) {
        size_t cap = plan->cap_filters ? plan->cap_filters * 2 : 8;
        qd_weight **grown = qd_arena_array(pl->arena, cap, sizeof *grown);
        if (!grown) {
            qd_weight_free(w);
            return qd_plan_nomem(pl);
        }
        if (plan->n_filters)
            memcpy(grown, plan->filters, plan->n_filters * sizeof *grown);
        plan->filters = grown;
        plan->cap_filters = cap;
    }
    plan->filters[plan->n_filters++] = w;
    return QD_OK;
}

/* A filter with functions below native clauses: they must not be asked about documents that are no hits. */
static const qd_node *narrowed(qd_planner *pl, const qd_node *query, const qd_node *filter)
{
    qd_node *both = QD_NEW(pl->arena, qd_node), **clauses = qd_arena_array(pl->arena, 2, sizeof *clauses);
    if (!both || !clauses)
        return NULL;
    clauses[0] = (qd_node *)query;
    clauses[1] = (qd_node *)filter;
    both->type = QD_NODE_BOOL;
    both->at = filter->at;
    both->boost = 1.0f;
    both->in_filter = true;
    both->has_functions = true;
    both->as.boolean.clauses[QD_FILTER] = clauses;
    both->as.boolean.n[QD_FILTER] = 2;
    return both;
}

static qd_status plan_scorer_filter(qd_planner *pl, const qd_function_score_node *fs, const qd_node *filter,
                                    qd_expr_scorer *s)
{
    if (qd_plan_is_inline(filter))
        return qd_plan_inline(pl, filter, 1.0f, &s->filter_expr);
    const qd_node *node = filter->has_functions ? narrowed(pl, fs->query, filter) : filter;
    if (!node)
        return qd_plan_nomem(pl);
    qd_clause *c = NULL;
    qd_weight *w = NULL;
    qd_status st = qd_plan_clause(pl, node, 1.0f, &c);
    if (st == QD_OK)
        st = qd_weight_new(pl->searcher, c, pl->functions_need_scores, &w, pl->err);
    if (st == QD_OK)
        st = keep_filter(pl, w);
    if (st == QD_OK) {
        s->filter = w;
        s->filter_index = pl->plan->n_filters - 1;
    }
    return st;
}

qd_status qd_plan_function_score(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    const qd_function_score_node *fs = &node->as.function_score;
    qd_expr *e = qd_plan_expr(pl, QD_EXPR_FUNCTION_SCORE, boost);
    qd_expr_scorer *scorers = qd_arena_array(pl->arena, fs->n, sizeof *scorers);
    if (!e || !scorers)
        return qd_plan_nomem(pl);
    for (size_t i = 0; i < fs->n; i++) {
        scorers[i].scorer = &fs->scorers[i];
        if (!fs->scorers[i].filter)
            continue;
        qd_status st = plan_scorer_filter(pl, fs, fs->scorers[i].filter, &scorers[i]);
        if (st != QD_OK)
            return st;
    }
    e->modes = fs;
    e->scorers = scorers;
    e->has_min_score = fs->has_min_score;
    e->min_score = fs->min_score;
    out->expr = e;
    return plan_child(pl, fs->query, boost, e, &out->clause);
}
