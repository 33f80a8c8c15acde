/* SPDX-License-Identifier: Apache-2.0
 *
 * Building and running native queries: a field of the mapping and a JSON value in, a seam query out. Values are
 * converted by the field's type here and nowhere else. A qd_clause is owned by caller (qd_clause_free) until a parent
 * or qd_weight_new takes it. Errors: QD_EQUERY for a value that the field's type cannot be compared with (as OpenSearch
 * answers 400), QD_ENOMEM. */
#ifndef QD_INDEX_CLAUSE_H
#define QD_INDEX_CLAUSE_H

#include "index/searcher.h"

typedef qe_query qd_clause;
typedef qe_weight qd_weight;

void qd_clause_free(qd_clause *c);
qd_clause *qd_clause_all(void);
qd_clause *qd_clause_none(void);
/* `f` NULL (unmapped field): matches nothing, as in OpenSearch. Text fields take the value as one term, unanalyzed. */
qd_status qd_clause_term(const qd_searcher *s, const qd_field *f, const json_t *value, qd_clause **out, qd_error *err);
qd_status qd_clause_terms(const qd_searcher *s, const qd_field *f, const json_t *array, qd_clause **out, qd_error *err);
qd_status qd_clause_ids(const qd_searcher *s, const json_t *array, qd_clause **out, qd_error *err);
/* Bounds as in the DSL's range: any of gte, gt, lte, lt (NULL: open). Dates: plain dates and
 * milliseconds, and "now". */
typedef struct qd_range_bounds { const json_t *lower, *upper; bool lower_inclusive, upper_inclusive; } qd_range_bounds;
qd_status qd_clause_range(const qd_searcher *s, const qd_field *f, const qd_range_bounds *b, qd_clause **out,
                          qd_error *err);
/* A mapped object means any field under it. */
qd_status qd_clause_exists(const qd_searcher *s, qd_str path, qd_clause **out, qd_error *err);
/* One analyzed token on a text field; scored by BM25. */
qd_clause *qd_clause_token(const qd_searcher *s, const qd_field *f, qd_str token);
qd_clause *qd_clause_bool(size_t n, const qe_occur *occurs, qd_clause *const *clauses, uint32_t minimum_should_match);
qd_clause *qd_clause_boost(qd_clause *inner, float boost);
qd_clause *qd_clause_constant(qd_clause *inner, float score);
qd_clause *qd_clause_dis_max(size_t n, qd_clause *const *clauses, float tie_breaker);
/* The block primitive (engine.h, qe_query_blocks). */
qd_clause *qd_clause_blocks(qd_clause *inner, bool needs_inner_scores, const qe_block_fns *fns, void *arg);

qd_status qd_weight_new(const qd_searcher *s, qd_clause *taken, bool wants_scores, qd_weight **out, qd_error *err);
void qd_weight_free(qd_weight *w);
/* See engine.h. QD_ECANCELED stands for QE_ESTOPPED: a callback asked to stop and knows why. */
qd_status qd_weight_run(const qd_weight *w, size_t segment, qe_collect_fn *cb, void *arg, qd_error *err);
qd_status qd_weight_top(const qd_weight *w, size_t segment, qe_top_fn *cb, void *arg, qd_error *err);
qd_status qd_weight_count(const qd_weight *w, size_t segment, bool only_if_cheap, bool *is_cheap, uint64_t *count,
                          qd_error *err);

#endif
