/* SPDX-License-Identifier: Apache-2.0
 *
 * A query's JSON values as the seam's terms and bounds, by the field's type. Used by clause.c only. Nothing is rounded:
 * a value that no document can have is "never", a bound that every document passes is "open". */
#ifndef QD_INDEX_CLAUSE_VALUE_H
#define QD_INDEX_CLAUSE_VALUE_H

#include "base/error.h"
#include "base/number.h"
#include "engine.h"
#include "index/mapping.h"

typedef enum qd_fit { QD_FITS, QD_FITS_NEVER, QD_FITS_ALWAYS } qd_fit;

typedef struct qd_clause_value {
    qd_fit fit;
    qe_term term;               /* text, keyword, long, integer, boolean */
    qe_bound lower, upper;      /* the same value as a range: double, float, and every type without terms */
    char text[QD_NUMBER_SIZE];  /* of a number or boolean on a string field */
} qd_clause_value;

/* `out` must stay where it is while its terms are used. Errors: QD_EQUERY. */
qd_status qd_clause_value_read(const qd_field *f, const json_t *v, qd_clause_value *out, qd_error *err);

typedef struct qd_clause_bound {
    qd_fit fit;
    qe_bound bound;
    char text[QD_NUMBER_SIZE];
} qd_clause_bound;
/* `is_lower`: gt and gte, else lt and lte. Errors: QD_EQUERY. */
qd_status qd_clause_bound_read(const qd_field *f, const json_t *v, bool is_lower, bool inclusive, qd_clause_bound *out,
                               qd_error *err);

/* "failed to create query: …" naming the field. */
qd_status qd_clause_fail(const qd_field *f, const char *why, qd_error *err);

#endif
