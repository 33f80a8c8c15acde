/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the block node: one state per segment and thread, and the evaluation of an expression for a block of rows.
 * score.c has the node's life and single functions, score_bool.c bool, script_score and constant, score_modes.c
 * function_score.
 *
 * Scratch memory is a stack: results are taken first, then a mark, then temporaries, which go back at the end; so a
 * tree needs no more than its depth times what one level takes. */
#ifndef QD_QUERY_SCORE_H
#define QD_QUERY_SCORE_H

#include "query/expr.h"
#include "query/plan.h"
#include "query/segment_docs.h"

/* What a function gives that gives the same to all documents. */
typedef struct qd_once {
    bool is_known;
    uint8_t valid;
    double result;
} qd_once;

typedef struct qd_block_state {
    const qd_block_node *node;
    size_t task;
    uint32_t segment;
    qd_segment_docs *docs;
    qd_runner **runners; /* by use, opened when first needed */
    qd_once *once;       /* by use */
    uint64_t **filters;  /* bit sets by the plan's filters, likewise */
    char *scratch;
    size_t scratch_size, scratch_used, row_cap;
} qd_block_state;

/* Rows of the current block, and the scores that functions see as `_score`. */
typedef struct qd_rows {
    uint32_t n;
    const uint32_t *docs;
    const float *base; /* NULL may be where the expression does not need it */
} qd_rows;

/* One per row, in scratch memory or the caller's. */
typedef struct qd_outcome {
    const uint8_t *match; /* 1 or 0; NULL: every row */
    const float *scores;  /* meaningless where there is no match; NULL may be where nobody reads them */
} qd_outcome;

/* False: the block must stop; the reason is recorded. */
bool qd_eval(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out);

/* ---- for the evaluators ---- */
typedef bool qd_eval_fn(qd_block_state *s, const qd_expr *e, const qd_rows *r, qd_outcome *out);
qd_eval_fn qd_eval_bool, qd_eval_constant, qd_eval_script_score, qd_eval_function_score;

/* Room for one item per row. Never NULL: the tree's depth was measured. */
void *qd_scratch(qd_block_state *s, size_t item_size);
/* Runs a function for the rows: results as doubles, valid 1 or 0. `out` NULL: a filter's results as a mask in valid. */
bool qd_run_use(qd_block_state *s, const qd_use *use, const qd_rows *r, double *out, uint8_t *valid);
/* Fails the query: the function's score for a row cannot stand. */
bool qd_fail_score(qd_block_state *s, const qd_use *use, const qd_rows *r, uint32_t row, double score);
bool qd_fail_block(qd_block_state *s, qd_status status, const qd_error *err);

/* Those rows that match, in scratch memory, and where each stood. */
typedef struct qd_subset {
    qd_rows rows;
    uint16_t *index;
} qd_subset;
/* `match` NULL: all. `base`: the scores that the subset's rows carry; may be NULL. */
qd_subset qd_subset_of(qd_block_state *s, const qd_rows *r, const uint8_t *match, const float *base);

#endif
