/* SPDX-License-Identifier: Apache-2.0
 *
 * What a block node computes: a small tree over the documents (and scores) of the native clause below it, evaluated for
 * a block of documents at a time by score.c. Each evaluation answers, for each row, whether it matches and with which
 * score. Made by the planner in the request's arena; immutable; shared by the threads of the query.
 *
 * A document for which a function has no result (see binding.h) does not match. */
#ifndef QD_QUERY_EXPR_H
#define QD_QUERY_EXPR_H

#include "index/clause.h"
#include "query/run.h"

typedef enum qd_expr_type {
    QD_EXPR_BASE,           /* every row, with the score of the clause below */
    QD_EXPR_FUNCTION,       /* a filter: matches score `boost`; a score: its result times `boost` */
    QD_EXPR_BOOL,           /* the functions in a bool beside its native clauses */
    QD_EXPR_CONSTANT,       /* child's matches, scored `boost` */
    QD_EXPR_SCRIPT_SCORE,   /* child's matches, scored by the function, times `boost` */
    QD_EXPR_FUNCTION_SCORE, /* child's matches, their scores combined with the functions' */
} qd_expr_type;

typedef struct qd_expr qd_expr;

/* Which rows one of function_score's functions is for: all, or those that an expression or a prepared filter matches.
 */
typedef struct qd_expr_scorer {
    const qd_scorer *scorer;
    qd_expr *filter_expr;    /* functions in the filter: asked about the rows at hand */
    const qd_weight *filter; /* anything else: its matches in the segment, as a bit set */
    size_t filter_index;     /* of `filter` in the plan */
} qd_expr_scorer;

struct qd_expr {
    qd_expr_type type;
    bool is_scored;  /* somebody reads the scores of its outcome */
    bool needs_base; /* it reads those of the clause below, here or further down */
    float boost;
    const qd_use *use;
    qd_expr *child;
    /* BOOL: in the order in which they run; functions see the base's scores. */
    qd_expr **steps;
    qd_occur *occurs;
    size_t n_steps;
    size_t minimum_should_match;
    /* SCRIPT_SCORE, FUNCTION_SCORE */
    bool has_min_score;
    float min_score;
    const qd_function_score_node *modes;
    qd_expr_scorer *scorers;
};

/* The block node itself: the argument of qd_clause_blocks. */
typedef struct qd_block_node {
    qd_run *run;
    const struct qd_plan *plan;
    size_t target;
    const qd_expr *root;
    size_t depth; /* of the tree, for scratch memory */
} qd_block_node;

/* score.c: the callbacks by which the seam drives block nodes. */
extern const qe_block_fns qd_block_node_fns;

#endif
