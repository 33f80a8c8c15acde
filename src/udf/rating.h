/* SPDX-License-Identifier: Apache-2.0
 *
 * What statistics say about a function: a rating, and advice that names the cause and the figures. One table of rules;
 * the rating is the worst that a rule gave. */
#ifndef QD_UDF_RATING_H
#define QD_UDF_RATING_H

#include "udf/registry.h"
#include "udf/stats.h"

typedef enum qd_rating { QD_RATING_EXCELLENT, QD_RATING_GOOD, QD_RATING_FAIR, QD_RATING_POOR } qd_rating;
const char *qd_rating_name(qd_rating r);

/* What is known beside the numbers. */
typedef struct qd_rating_facts {
    bool is_row_shape;
    /* Of a version whose code is loaded; else QD_TIER_NONE and 0, 0. */
    qd_wasm_status code;
    uint32_t call_ms; /* limit of one call */
    size_t memory_bytes;
} qd_rating_facts;
qd_rating_facts qd_rating_facts_of(const qd_udf *u);
/* The same of a version, loaded or not; nothing is loaded for it. Errors: QD_EUDF_NOTFOUND, QD_EUDF_PARAMS. */
qd_status qd_rating_facts_read(qd_registry *r, qd_str name, qd_str version, qd_rating_facts *out, qd_error *err);

#define QD_RATING_MAX_ADVICE 10
typedef struct qd_verdict {
    qd_rating rating;
    size_t n;
    char advice[QD_RATING_MAX_ADVICE][384];
} qd_verdict;
/* `facts` may be NULL. */
void qd_rating_judge(const qd_stats_summary *s, const qd_rating_facts *facts, qd_verdict *out);

#endif
