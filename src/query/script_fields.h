/* SPDX-License-Identifier: Apache-2.0
 *
 * `script_fields`: what functions make of the hits of a page. Computed for all of them before they are written, segment
 * by segment and in blocks, as everything that functions do. */
#ifndef QD_QUERY_SCRIPT_FIELDS_H
#define QD_QUERY_SCRIPT_FIELDS_H

#include "query/collect.h"

typedef struct qd_script_fields {
    const qd_collection *c;
    qd_value *values;  /* by hit of the page, then field */
    bool *is_computed; /* by hit: the query's time did not run out before */
    qd_arena *texts;
} qd_script_fields;

/* Does any read scores? */
bool qd_script_fields_need_scores(const qd_run *run);
/* Errors: those of functions, recorded with the run; QD_EIO, QD_ENOMEM. */
qd_status qd_script_fields_init(qd_script_fields *f, const qd_collection *c, qd_error *err);
void qd_script_fields_deinit(qd_script_fields *f);
/* "fields": {name: [value]} of the collection's i-th hit, or nothing when the body asks for none. */
void qd_script_fields_write(const qd_script_fields *f, size_t hit, qd_json *w);

#endif
