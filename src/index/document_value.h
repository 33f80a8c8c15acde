/* SPDX-License-Identifier: Apache-2.0
 *
 * One scalar of a document as a value of its field: the coercions and their limits, by type. Used by document.c only.
 */
#ifndef QD_INDEX_DOCUMENT_VALUE_H
#define QD_INDEX_DOCUMENT_VALUE_H

#include "base/error.h"
#include "engine.h"
#include "index/mapping.h"

/* Adds the value (never null) to `doc` under the field and its sub-fields. `id`: of the document, for messages. Errors:
 * QD_EMAPPING. */
qd_status qd_document_add_value(qe_doc *doc, const qd_field *f, qe_event event, const qe_json_value *v, qd_str id,
                                qd_error *err);
/* Checks a pair and adds it to a geo_point. */
qd_status qd_document_add_point(qe_doc *doc, const qd_field *f, double lat, double lon, qd_str id, qd_error *err);
/* A coordinate: a number, or a string that holds one. */
bool qd_document_number(qe_event event, const qe_json_value *v, double *out);

/* "failed to parse field [price] of type [integer] in document with id 'x'. Preview of field's value: 'abc': <why>". */
qd_status qd_document_fail_value(const qd_field *f, qe_event event, const qe_json_value *v, qd_str id, const char *why,
                                 qd_error *err);

#endif
