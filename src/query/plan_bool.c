/* SPDX-License-Identifier: Apache-2.0
 * bool and constant_score.
 *
 * The functions that stand in a bool take the documents of its native clauses: cheap clauses first, functions see
 * survivors only, and of them the dearer ones those of the cheaper ones. So bool{must: [A, F1], filter: [B, F2],
 * must_not: [F3]} is an expression F2, not F3, then F1, over the native bool{must: A, filter: B}; scores add up as the
 * bool's clauses. A function that reads `_score` sees the score of the native must and should clauses (1 when there are
 * none). Functions in should: optional, or all of the should clauses, they are asked about the same documents; mixed
 * with native ones of which some must match, each becomes a clause over the required documents, and the native bool
 * counts. */
#include "query/minimum_match.h"
#include "query/plan.h"

static size_t count_inline(const qd_node *node, qd_occur occur)
{
    size_t n = 0;
    for (size_t i = 0; i < node->as.boolean.n[occur]; i++)
        n += qd_plan_is_inline(node->as.boolean.clauses[occur][i]);
    return n;
}

bool qd_plan_is_inline(const qd_node *node)
{
    if (node->type == QD_NODE_FUNCTION)
        return !node->as.function.query;
    if (node->type == QD_NODE_CONSTANT_SCORE)
        return qd_plan_is_inline(node->as.constant);
    if (node->type != QD_NODE_BOOL || !node->has_functions)
        return false;
    for (int occur = 0; occur < QD_OCCURS; occur++)
        if (count_inline(node, (qd_occur)occur) < node->as.boolean.n[occur])
            return false;
    return true;
}

qd_status qd_plan_minimum(qd_planner *pl, const qd_node *node, size_t *out)
{
    const qd_bool_node *b = &node->as.boolean;
    size_t minimum = 0;
    if (b->minimum_should_match.n && !qd_minimum_match(b->minimum_should_match, b->n[QD_SHOULD], &minimum))
        return qd_fail(pl->err, QD_EPARSE,
                       "[minimum_should_match] [%.*s] is malformed: expected an integer or a percentage",
                       QD_STR_FMT(b->minimum_should_match));
    /* With nothing required, a should clause is. */
    if (minimum == 0 && b->n[QD_SHOULD] > 0 && b->n[QD_MUST] + b->n[QD_FILTER] == 0)
        minimum = 1;
    *out = minimum;
    return QD_OK;
}

/* ---- flattening ---- */

/* A required bool that only requires and excludes may as well stand in its parent: then the functions of both see the
 * documents that all of the native clauses leave. */
static bool can_flatten(const qd_node *child, qd_occur occur)
{
    const qd_bool_node *b = &child->as.boolean;
    return (occur == QD_MUST || occur == QD_FILTER) && child->type == QD_NODE_BOOL && child->has_functions &&
           b->n[QD_SHOULD] == 0 && b->minimum_should_match.n == 0 &&
           b->n[QD_MUST] + b->n[QD_FILTER] + b->n[QD_MUST_NOT] > 0;
}

static size_t flat_size(const qd_node *node)
{
    size_t n = 0;
    for (int occur = 0; occur < QD_OCCURS; occur++) {
        for (size_t i = 0; i < node->as.boolean.n[occur]; i++) {
            const qd_node *child = node->as.boolean.clauses[occur][i];
            n += can_flatten(child, (qd_occur)occur) ? flat_size(child) : 1;
        }
    }
    return n;
}

/* Adds `node`'s clauses to `out`; those of a bool that counts as a filter are filters. */
static qd_status flatten_into(qd_planner *pl, const qd_node *node, float boost, bool as_filter, qd_bool_node *out)
{
    for (int o = 0; o < QD_OCCURS; o++) {
        qd_occur occur = as_filter && o == QD_MUST ? QD_FILTER : (qd_occur)o;
        for (size_t i = 0; i < node->as.boolean.n[o]; i++) {
            qd_node *child = node->as.boolean.clauses[o][i];
            if (can_flatten(child, (qd_occur)o)) {
                qd_status st = flatten_into(pl, child, boost * child->boost, occur == QD_FILTER, out);
                if (st != QD_OK)
                    return st;
                continue;
            }
            if (boost != 1.0f) {
                qd_node *copy = QD_NEW(pl->arena, qd_node);
                if (!copy)
                    return qd_plan_nomem(pl);
                *copy = *child;
                copy->boost *= boost;
                child = copy;
            }
            out->clauses[occur][out->n[occur]++] = child;
        }
    }
    return QD_OK;
}

static qd_status flatten(qd_planner *pl, const qd_node *node, const qd_node **out)
{
    size_t n = flat_size(node);
    qd_node *flat = QD_NEW(pl->arena, qd_node);
    if (!flat)
        return qd_plan_nomem(pl);
    *flat = *node;
    memset(flat->as.boolean.n, 0, sizeof flat->as.boolean.n);
    for (int occur = 0; occur < QD_OCCURS; occur++) {
        flat->as.boolean.clauses[occur] = qd_arena_array(pl->arena, n, sizeof(qd_node *));
        if (!flat->as.boolean.clauses[occur])
            return qd_plan_nomem(pl);
    }
    *out = flat;
    return flatten_into(pl, node, 1.0f, false, &flat->as.boolean);
}

/* ---- expressions ---- */

static qd_status add_inline(qd_planner *pl, const qd_node *node, qd_occur occur, float boost, qd_expr *e)
{
    for (size_t i = 0; i < node->as.boolean.n[occur]; i++) {
        const qd_node *child = node->as.boolean.clauses[occur][i];
        if (!qd_plan_is_inline(child))
            continue;
        qd_status st = qd_plan_inline(pl, child, boost, &e->steps[e->n_steps]);
        if (st != QD_OK)
            return st;
        e->occurs[e->n_steps++] = occur;
    }
    return QD_OK;
}

static qd_status add_base(qd_planner *pl, qd_expr *e)
{
    e->steps[e->n_steps] = qd_plan_expr(pl, QD_EXPR_BASE, 1.0f);
    if (!e->steps[e->n_steps])
        return qd_plan_nomem(pl);
    e->occurs[e->n_steps++] = QD_MUST;
    return QD_OK;
}

/* Adds the inline clauses as steps, those that only narrow first. Scores are added up in the order of the clauses, the
 * native ones' before all: another order might round otherwise. */
static qd_status add_steps(qd_planner *pl, const qd_node *node, float boost, bool has_base, bool with_should,
                           qd_expr *e)
{
    qd_status st = add_inline(pl, node, QD_FILTER, boost, e);
    if (st == QD_OK)
        st = add_inline(pl, node, QD_MUST_NOT, boost, e);
    if (st == QD_OK && e->n_steps > 1)
        st = qd_plan_order_steps(pl, e);
    if (st == QD_OK && has_base)
        st = add_base(pl, e);
    if (st == QD_OK)
        st = add_inline(pl, node, QD_MUST, boost, e);
    if (st == QD_OK && with_should)
        st = add_inline(pl, node, QD_SHOULD, boost, e);
    return st;
}

static qd_expr *new_bool_expr(qd_planner *pl, const qd_node *node)
{
    const qd_bool_node *b = &node->as.boolean;
    size_t n = 1 + b->n[QD_MUST] + b->n[QD_FILTER] + b->n[QD_SHOULD] + b->n[QD_MUST_NOT];
    qd_expr *e = qd_plan_expr(pl, QD_EXPR_BOOL, 1.0f);
    if (!e)
        return NULL;
    e->steps = qd_arena_array(pl->arena, n, sizeof *e->steps);
    e->occurs = qd_arena_array(pl->arena, n, sizeof *e->occurs);
    return e->steps && e->occurs ? e : NULL;
}

static qd_status inline_bool(qd_planner *pl, const qd_node *node, float boost, qd_expr **out)
{
    qd_expr *e = new_bool_expr(pl, node);
    if (!e)
        return qd_plan_nomem(pl);
    qd_status st = qd_plan_minimum(pl, node, &e->minimum_should_match);
    if (st == QD_OK)
        st = add_steps(pl, node, boost, false, true, e);
    if (st == QD_OK)
        *out = e;
    return st;
}

qd_status qd_plan_inline(qd_planner *pl, const qd_node *node, float boost, qd_expr **out)
{
    boost *= node->boost;
    if (node->type == QD_NODE_BOOL)
        return inline_bool(pl, node, boost, out);
    qd_expr *e = qd_plan_expr(pl, node->type == QD_NODE_FUNCTION ? QD_EXPR_FUNCTION : QD_EXPR_CONSTANT, boost);
    if (!e)
        return qd_plan_nomem(pl);
    *out = e;
    if (node->type == QD_NODE_CONSTANT_SCORE)
        return qd_plan_inline(pl, node->as.constant, 1.0f, &e->child);
    e->use = node->as.function.use;
    return QD_OK;
}

/* ---- the native part ---- */

static const qe_occur OCCURS[] = {
    [QD_MUST] = QE_MUST, [QD_FILTER] = QE_FILTER, [QD_SHOULD] = QE_SHOULD, [QD_MUST_NOT] = QE_MUST_NOT};

static qd_status add_native(qd_planner *pl, const qd_node *node, qd_occur occur, float boost, qd_clause_list *l)
{
    for (size_t i = 0; i < node->as.boolean.n[occur]; i++) {
        const qd_node *child = node->as.boolean.clauses[occur][i];
        qd_clause *c = NULL;
        if (qd_plan_is_inline(child))
            continue;
        qd_status st = qd_plan_clause(pl, child, boost, &c);
        if (st != QD_OK)
            return st;
        qd_clause_list_add(l, OCCURS[occur], c);
    }
    return QD_OK;
}

/* So that a bool without a required clause matches everything that its should clauses leave open. */
static qd_status require_anything(qd_planner *pl, qd_clause_list *l)
{
    qd_clause *all = qd_clause_all();
    if (!all)
        return qd_plan_nomem(pl);
    qd_clause_list_add(l, QE_FILTER, all);
    return QD_OK;
}

static qd_status add_required(qd_planner *pl, const qd_node *node, float boost, qd_clause_list *l)
{
    qd_status st = add_native(pl, node, QD_MUST, boost, l);
    if (st == QD_OK)
        st = add_native(pl, node, QD_FILTER, boost, l);
    if (st == QD_OK && l->n == 0)
        st = require_anything(pl, l);
    if (st == QD_OK)
        st = add_native(pl, node, QD_MUST_NOT, boost, l);
    return st;
}

static size_t capacity(const qd_node *node)
{
    const qd_bool_node *b = &node->as.boolean;
    return 1 + b->n[QD_MUST] + b->n[QD_FILTER] + b->n[QD_SHOULD] + b->n[QD_MUST_NOT];
}

/* Documents that the native required clauses let through. Unless they score, each counts 1. */
static qd_status required_feed(qd_planner *pl, const qd_node *node, float boost, qd_clause **out)
{
    qd_clause_list l = {0};
    bool has_score = node->as.boolean.n[QD_MUST] > count_inline(node, QD_MUST);
    qd_status st = qd_clause_list_init(pl, &l, capacity(node));
    if (st == QD_OK)
        st = add_required(pl, node, boost, &l);
    if (st == QD_OK)
        st = qd_clause_list_to_bool(pl, &l, 0, out);
    if (st == QD_OK && !has_score)
        st = qd_plan_give(pl, qd_clause_constant(*out, 1.0f), 1.0f, out);
    qd_clause_list_deinit(&l);
    return st;
}

/* A function in should, as a clause of its own over the required documents. */
static qd_status add_should_functions(qd_planner *pl, const qd_node *node, float boost, qd_clause_list *l)
{
    for (size_t i = 0; i < node->as.boolean.n[QD_SHOULD]; i++) {
        const qd_node *child = node->as.boolean.clauses[QD_SHOULD][i];
        qd_planned p = {0};
        qd_clause *c = NULL;
        if (!qd_plan_is_inline(child))
            continue;
        qd_status st = qd_plan_inline(pl, child, boost, &p.expr);
        if (st == QD_OK)
            st = required_feed(pl, node, boost, &p.clause);
        if (st == QD_OK)
            st = qd_plan_join(pl, &p, !node->in_filter, &c);
        if (st != QD_OK)
            return st;
        qd_clause_list_add(l, QE_SHOULD, c);
    }
    return QD_OK;
}

/* Which way the functions in should go. */
typedef struct should_plan {
    size_t minimum;
    bool in_expr;    /* as steps over the native part, which then asks for no should clause itself */
    size_t n_native; /* clauses that are no functions, of all kinds */
} should_plan;

static qd_status native_part(qd_planner *pl, const qd_node *node, float boost, const should_plan *sp, qd_clause **out)
{
    qd_clause_list l = {0};
    size_t minimum = sp->in_expr ? 0 : sp->minimum;
    if (sp->n_native == 0)
        return qd_plan_give(pl, qd_clause_all(), 1.0f, out);
    qd_status st = qd_clause_list_init(pl, &l, capacity(node));
    if (st == QD_OK)
        st = add_native(pl, node, QD_MUST, boost, &l);
    if (st == QD_OK)
        st = add_native(pl, node, QD_FILTER, boost, &l);
    /* What is required may be functions alone. */
    if (st == QD_OK && l.n == 0 && minimum == 0)
        st = require_anything(pl, &l);
    if (st == QD_OK)
        st = add_native(pl, node, QD_MUST_NOT, boost, &l);
    if (st == QD_OK)
        st = add_native(pl, node, QD_SHOULD, boost, &l);
    if (st == QD_OK && !sp->in_expr)
        st = add_should_functions(pl, node, boost, &l);
    if (st == QD_OK)
        st = qd_clause_list_to_bool(pl, &l, (uint32_t)minimum, out);
    qd_clause_list_deinit(&l);
    return st;
}

static qd_status function_part(qd_planner *pl, const qd_node *node, float boost, const should_plan *sp, bool has_score,
                               qd_expr **out)
{
    qd_expr *e = new_bool_expr(pl, node);
    if (!e)
        return qd_plan_nomem(pl);
    qd_status st = add_steps(pl, node, boost, has_score, sp->in_expr, e);
    e->minimum_should_match = sp->in_expr ? sp->minimum : 0;
    *out = e;
    return st;
}

qd_status qd_plan_bool(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    size_t inlined[QD_OCCURS], n_inlined = 0, n = 0;
    qd_status st = node->has_functions ? flatten(pl, node, &node) : QD_OK;
    if (st != QD_OK)
        return st;
    const qd_bool_node *b = &node->as.boolean;
    for (int occur = 0; occur < QD_OCCURS; occur++) {
        inlined[occur] = count_inline(node, (qd_occur)occur);
        n_inlined += inlined[occur];
        n += b->n[occur];
    }
    should_plan sp = {.n_native = n - n_inlined};
    st = qd_plan_minimum(pl, node, &sp.minimum);
    if (st != QD_OK)
        return st;
    if (n == 0)
        return qd_plan_give(pl, qd_clause_all(), boost, &out->clause);
    if (sp.minimum > b->n[QD_SHOULD])
        return qd_plan_give(pl, qd_clause_none(), 1.0f, &out->clause);
    sp.in_expr = inlined[QD_SHOULD] > 0 && (sp.minimum == 0 || inlined[QD_SHOULD] == b->n[QD_SHOULD]);
    bool has_score =
        b->n[QD_MUST] > inlined[QD_MUST] || b->n[QD_SHOULD] > inlined[QD_SHOULD] || (inlined[QD_SHOULD] && !sp.in_expr);

    st = native_part(pl, node, boost, &sp, &out->clause);
    if (st != QD_OK || n_inlined - (sp.in_expr ? 0 : inlined[QD_SHOULD]) == 0)
        return st;
    st = function_part(pl, node, boost, &sp, has_score, &out->expr);
    if (st != QD_OK) {
        qd_clause_free(out->clause);
        return st;
    }
    /* Without native clauses that score, functions see 1; match_all gives that already. */
    if (!has_score && sp.n_native > 0)
        st = qd_plan_give(pl, qd_clause_constant(out->clause, 1.0f), 1.0f, &out->clause);
    return st;
}

qd_status qd_plan_constant_score(qd_planner *pl, const qd_node *node, float boost, qd_planned *out)
{
    qd_clause *c = NULL;
    if (qd_plan_is_inline(node->as.constant)) {
        qd_expr *e = qd_plan_expr(pl, QD_EXPR_CONSTANT, boost);
        qd_status st = e ? qd_plan_inline(pl, node->as.constant, 1.0f, &e->child) : qd_plan_nomem(pl);
        if (st == QD_OK)
            st = qd_plan_give(pl, qd_clause_all(), 1.0f, &out->clause);
        out->expr = e;
        return st;
    }
    qd_status st = qd_plan_clause(pl, node->as.constant, 1.0f, &c);
    return st == QD_OK ? qd_plan_give(pl, qd_clause_constant(c, boost), 1.0f, &out->clause) : st;
}
