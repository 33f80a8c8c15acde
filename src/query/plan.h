/* SPDX-License-Identifier: Apache-2.0
 *
 * Tree + mapping -> a native clause, prepared for one target. plan.c has the table by node type and the leaves,
 * plan_text.c analyzed text, plan_bool.c bool, plan_function.c what runs functions,
 * plan_cost.c what is known of functions before they run.
 *
 * Boosts are multiplied on the way down, as in Lucene, so that function_score boosts the query below it and
 * script_score its result. A planned clause is a native clause with, maybe, an expression over its documents; it stays
 * in these two parts as long as a parent may add to the expression, and becomes one block node when a parent needs a
 * clause. */
#ifndef QD_QUERY_PLAN_H
#define QD_QUERY_PLAN_H

#include "query/expr.h"

typedef struct qd_plan {
    const qd_searcher *searcher;
    qd_weight *weight;
    bool wants_scores; /* somebody reads the hits' scores, and they are not all the same */
    bool is_scored;    /* the weight gives scores: wanted, or read by a function */
    bool is_constant;  /* all hits have the same score: */
    float constant;
    float bound; /* no hit scores higher; INFINITY: who knows */
    bool has_functions;
    qd_weight **filters; /* of function_score; owned, freed after `weight` */
    size_t n_filters, cap_filters;
} qd_plan;

/* Plans run->body.query for a target. `wants_scores`: somebody reads the hits' scores. Errors: QD_EQUERY, QD_EPARSE,
 * QD_ELIMIT, QD_ENOMEM. */
qd_status qd_plan_init(qd_plan *plan, qd_run *run, size_t target, bool wants_scores, qd_error *err);
void qd_plan_deinit(qd_plan *plan);

/* ---- for the planner's files ---- */

typedef struct qd_planner {
    qd_run *run;
    size_t target;
    const qd_searcher *searcher;
    qd_arena *arena;
    qd_error *err;
    qd_plan *plan;
    bool functions_need_scores; /* a function reads a score, also where no hit's score is wanted */
    size_t tokens;              /* clauses made from analyzed text */
    size_t planned;             /* nodes so far; a node may be planned more than once */
} qd_planner;

typedef struct qd_planned {
    qd_clause *clause; /* owned by whoever holds this */
    qd_expr *expr;     /* NULL: the clause as it is */
} qd_planned;

typedef qd_status qd_plan_fn(qd_planner *pl, const qd_node *node, float boost, qd_planned *out);

/* Any node; `boost` is what stands above it. */
qd_status qd_plan_node(qd_planner *pl, const qd_node *node, float boost, qd_planned *out);
/* The same as one clause. */
qd_status qd_plan_clause(qd_planner *pl, const qd_node *node, float boost, qd_clause **out);
/* One clause of both parts; takes `p` also on failure. `is_scored`: its score is read. */
qd_status qd_plan_join(qd_planner *pl, qd_planned *p, bool is_scored, qd_clause **out);
/* Puts steps that only narrow in order: those that cost least first, else as they were written. */
qd_status qd_plan_order_steps(qd_planner *pl, qd_expr *e);
/* What no outcome of an expression scores above, by what its functions promise (max_score); INFINITY: who knows. */
float qd_plan_bound(const qd_expr *e);
qd_status qd_plan_nomem(qd_planner *pl);
/* Hands a clause over, boosted; takes it. NULL means out of memory. */
qd_status qd_plan_give(qd_planner *pl, qd_clause *taken, float boost, qd_clause **out);
qd_expr *qd_plan_expr(qd_planner *pl, qd_expr_type type, float boost);

/* A list of clauses that frees what nobody took. */
typedef struct qd_clause_list {
    qd_clause **items;
    qe_occur *occurs;
    size_t n, cap;
} qd_clause_list;
qd_status qd_clause_list_init(qd_planner *pl, qd_clause_list *l, size_t cap);
void qd_clause_list_add(qd_clause_list *l, qe_occur occur, qd_clause *taken); /* within its capacity */
void qd_clause_list_deinit(qd_clause_list *l);
qd_status qd_clause_list_to_bool(qd_planner *pl, qd_clause_list *taken, uint32_t minimum_should_match, qd_clause **out);

/* Can it be evaluated on any document without an index: functions and boolean trees of them? Then its expression: */
bool qd_plan_is_inline(const qd_node *node);
qd_status qd_plan_inline(qd_planner *pl, const qd_node *node, float boost, qd_expr **out);
/* How many should clauses must match, by the rules of bool. */
qd_status qd_plan_minimum(qd_planner *pl, const qd_node *node, size_t *out);

qd_plan_fn qd_plan_match, qd_plan_multi_match, qd_plan_bool, qd_plan_constant_score, qd_plan_function,
    qd_plan_script_score, qd_plan_function_score;

#endif
