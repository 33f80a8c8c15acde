/* SPDX-License-Identifier: Apache-2.0 */
#include "query/plan.h"

#include <math.h>
#include <stdlib.h>

/* The arena's size is a limit on queries. */
qd_status qd_plan_nomem(qd_planner *pl)
{
    if (!qd_arena_is_full(pl->arena))
        return qd_fail_nomem(pl->err);
    return qd_fail(pl->err, QD_ELIMIT, "the query needs more memory than a query may take");
}

qd_status qd_plan_give(qd_planner *pl, qd_clause *taken, float boost, qd_clause **out)
{
    if (taken && boost != 1.0f)
        taken = qd_clause_boost(taken, boost);
    if (!taken)
        return qd_plan_nomem(pl);
    *out = taken;
    return QD_OK;
}

qd_expr *qd_plan_expr(qd_planner *pl, qd_expr_type type, float boost)
{
    qd_expr *e = QD_NEW(pl->arena, qd_expr);
    if (e) {
        e->type = type;
        e->boost = boost;
    }
    return e;
}

/* ---- lists of clauses ---- */

qd_status qd_clause_list_init(qd_planner *pl, qd_clause_list *l, size_t cap)
{
    *l = (qd_clause_list){0};
    l->items = qd_arena_array(pl->arena, cap, sizeof *l->items);
    l->occurs = qd_arena_array(pl->arena, cap, sizeof *l->occurs);
    l->cap = cap;
    return l->items && l->occurs ? QD_OK : qd_plan_nomem(pl);
}

void qd_clause_list_add(qd_clause_list *l, qe_occur occur, qd_clause *taken)
{
    l->occurs[l->n] = occur;
    l->items[l->n++] = taken;
}

void qd_clause_list_deinit(qd_clause_list *l)
{
    while (l->n > 0)
        qd_clause_free(l->items[--l->n]);
}

qd_status qd_clause_list_to_bool(qd_planner *pl, qd_clause_list *taken, uint32_t minimum_should_match, qd_clause **out)
{
    qd_clause *c = qd_clause_bool(taken->n, taken->occurs, taken->items, minimum_should_match);
    taken->n = 0;
    return qd_plan_give(pl, c, 1.0f, out);
}

/* ---- leaves ---- */

typedef qd_status leaf_fn(qd_planner *pl, const qd_node *node, qd_clause **out);

static const qd_field *field_of(const qd_planner *pl, qd_str path)
{
    return qd_mapping_find(pl->searcher->mapping, path);
}

static qd_status leaf_all(qd_planner *pl, const qd_node *node, qd_clause **out)
{
    (void)node;
    return qd_plan_give(pl, qd_clause_all(), 1.0f, out);
}

static qd_status leaf_none(qd_planner *pl, const qd_node *node, qd_clause **out)
{
    (void)node;
    return qd_plan_give(pl, qd_clause_none(), 1.0f, out);
}

static qd_status leaf_id(qd_planner *pl, const json_t *value, qd_clause **out)
{
    json_t *one = json_array();
    if (!one || json_array_append(one, (json_t *)value) != 0) {
        json_decref(one);
        return qd_plan_nomem(pl);
    }
    qd_status st = qd_clause_ids(pl->searcher, one, out, pl->err);
    json_decref(one);
    return st;
}

static qd_status leaf_term(qd_planner *pl, const qd_node *node, qd_clause **out)
{
    if (qd_str_is(node->as.term.field, "_id"))
        return leaf_id(pl, node->as.term.value, out);
    return qd_clause_term(pl->searcher, field_of(pl, node->as.term.field), node->as.term.value, out, pl->err);
}

static qd_status leaf_terms(qd_planner *pl, const qd_node *node, qd_clause **out)
{
    if (qd_str_is(node->as.term.field, "_id"))
        return qd_clause_ids(pl->searcher, node->as.term.value, out, pl->err);
    return qd_clause_terms(pl->searcher, field_of(pl, node->as.term.field), node->as.term.value, out, pl->err);
}

static qd_status leaf_ids(qd_planner *pl, const qd_node *node, qd_clause **out)
{
    return qd_clause_ids(pl->searcher, node->as.term.value, out, pl->err);
}

static qd_status leaf_range(qd_planner *pl, const qd_node *node, qd_clause **out)
{
    const qd_range_node *r = &node->as.range;
    qd_range_bounds b = {r->lower, r->upper, r->lower_inclusive, r->upper_inclusive};
    return qd_clause_range(pl->searcher, field_of(pl, r->field), &b, out, pl->err);
}

static qd_status leaf_exists(qd_planner *pl, const qd_node *node, qd_clause **out)
{
    return qd_clause_exists(pl->searcher, node->as.exists, out, pl->err);
}

/* ---- nodes ---- */

/* Either a leaf, whose boost is applied here, or a planner that passes the boost on. */
static const struct {
    leaf_fn *leaf;
    qd_plan_fn *plan;
} PLANNERS[QD_NODE_TYPES] = {
    [QD_NODE_MATCH_ALL] = {leaf_all, NULL},
    [QD_NODE_MATCH_NONE] = {leaf_none, NULL},
    [QD_NODE_TERM] = {leaf_term, NULL},
    [QD_NODE_TERMS] = {leaf_terms, NULL},
    [QD_NODE_RANGE] = {leaf_range, NULL},
    [QD_NODE_EXISTS] = {leaf_exists, NULL},
    [QD_NODE_IDS] = {leaf_ids, NULL},
    [QD_NODE_MATCH] = {NULL, qd_plan_match},
    [QD_NODE_MULTI_MATCH] = {NULL, qd_plan_multi_match},
    [QD_NODE_BOOL] = {NULL, qd_plan_bool},
    [QD_NODE_CONSTANT_SCORE] = {NULL, qd_plan_constant_score},
    [QD_NODE_FUNCTION] = {NULL, qd_plan_function},
    [QD_NODE_SCRIPT_SCORE] = {NULL, qd_plan_script_score},
    [QD_NODE_FUNCTION_SCORE] = {NULL, qd_plan_function_score},
};

/* Required clauses are planned again for each function that stands in should beside native clauses, and the query of
 * function_score for each of its filters with functions: nested, that multiplies. */
#define MAX_PLANNED 16384

qd_status qd_plan_node(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    qd_planned p = {0};
    qd_status st;
    if (++pl->planned > MAX_PLANNED)
        return qd_fail(pl->err, QD_EQUERY,
                       "the query takes more than [%d] clauses once its functions have their documents: nest functions "
                       "in should and function_score less deeply",
                       MAX_PLANNED);
    boost *= node->boost;
    if (PLANNERS[node->type].plan) {
        st = PLANNERS[node->type].plan(pl, node, boost, &p);
    } else {
        st = PLANNERS[node->type].leaf(pl, node, &p.clause);
        if (st == QD_OK)
            st = qd_plan_give(pl, p.clause, node->in_filter ? 1.0f : boost, &p.clause);
    }
    if (st == QD_OK)
        *out = p;
    return qd_run_place_error(pl->run, node->at, st, pl->err);
}

qd_status qd_plan_clause(qd_planner *pl, const qd_node *node, float boost, qd_clause **out)
{
    qd_planned p;
    qd_status st = qd_plan_node(pl, node, boost, &p);
    return st == QD_OK ? qd_plan_join(pl, &p, !node->in_filter, out) : st;
}

/* ---- the plan ---- */

/* Do all hits have one score? Then the first hits are the best ones, and nothing needs to be scored. */
static bool is_constant(const qd_node *node, float *score)
{
    const qd_bool_node *b = &node->as.boolean;
    *score = node->boost;
    switch (node->type) {
    case QD_NODE_MATCH_ALL:
    case QD_NODE_MATCH_NONE:
    case QD_NODE_TERMS:
    case QD_NODE_RANGE:
    case QD_NODE_EXISTS:
    case QD_NODE_IDS:
    case QD_NODE_CONSTANT_SCORE:
        return true;
    case QD_NODE_FUNCTION:
        return node->as.function.use->is_filter && !node->as.function.query;
    case QD_NODE_BOOL:
        if (b->n[QD_FILTER] + b->n[QD_MUST_NOT] > 0) /* an empty one is match_all */
            *score = 0;
        return b->n[QD_MUST] == 0 && b->n[QD_SHOULD] == 0;
    default:
        return false;
    }
}

qd_status qd_plan_init(qd_plan *plan, qd_run *run, size_t target, bool wants_scores, qd_error *err)
{
    const qd_node *query = run->body.query;
    qd_clause *clause = NULL;
    *plan = (qd_plan){
        .searcher = run->rq->targets[target].searcher,
        .has_functions = query->has_functions,
    };
    plan->is_constant = is_constant(query, &plan->constant);
    plan->wants_scores = wants_scores && !plan->is_constant;
    qd_planner pl = {
        .run = run,
        .target = target,
        .searcher = plan->searcher,
        .arena = run->arena,
        .err = err,
        .plan = plan,
    };
    qd_planned p;
    qd_status st = qd_plan_node(&pl, query, 1.0f, &p);
    if (st != QD_OK)
        return st;
    plan->bound = plan->is_constant ? plan->constant : p.expr ? qd_plan_bound(p.expr) : INFINITY;
    st = qd_plan_join(&pl, &p, true, &clause);
    if (st != QD_OK)
        return st;
    plan->is_scored = plan->wants_scores || pl.functions_need_scores;
    return qd_weight_new(plan->searcher, clause, plan->is_scored, &plan->weight, err);
}

void qd_plan_deinit(qd_plan *plan)
{
    qd_weight_free(plan->weight);
    for (size_t i = 0; i < plan->n_filters; i++)
        qd_weight_free(plan->filters[i]);
    *plan = (qd_plan){0};
}
