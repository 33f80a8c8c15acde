/* SPDX-License-Identifier: Apache-2.0
 *
 * From a document's JSON source to what the writer indexes, by the mapping: one streaming pass, no tree. Arrays give
 * several values; null gives none; objects give dotted paths. Coercions as in OpenSearch: "12" for a number, 1.9 for an
 * integer (truncated), "true"/"false" for booleans, dates by `strict_date_optional_time||epoch_millis`, geo points as
 * {"lat","lon"}, "lat,lon", [lon, lat], "POINT (lon lat)". */
#ifndef QD_INDEX_DOCUMENT_H
#define QD_INDEX_DOCUMENT_H

#include "engine.h"
#include "index/mapping.h"

/* Parses against `m`. When the document has fields that the mapping lacks and it is dynamic, *out stays NULL, the
 * answer is QD_OK and *additions gets a mapping body for them (owned by caller, json_decref): merge it, then parse
 * again. Long for integers, float→"float" for fractions, boolean, date for strings that are dates
 * (strict_date_optional_time or yyyy/MM/dd…), else text with a keyword sub-field (ignore_above 256), as OpenSearch
 * does. *out: owned by caller (qe_doc_free). Errors: QD_EMAPPING ("field 'price': cannot read "x" as integer …"),
 * QD_EPARSE with line and column. */
qd_status qd_document_parse(const qd_mapping *m, qd_str source, qe_doc **out, json_t **additions, qd_error *err);
/* The same for a document whose id is known, so that messages can name it. */
qd_status qd_document_parse_named(const qd_mapping *m, qd_str id, qd_str source, qe_doc **out, json_t **additions,
                                  qd_error *err);

/* Shared with queries and functions: one JSON scalar as a value of a field's type. */
bool qd_date_parse(qd_str s, int64_t *out_ms); /* strict_date_optional_time, else epoch_millis in digits */
bool qd_geo_parse(const json_t *v, double *lat, double *lon);

#endif
