/* SPDX-License-Identifier: Apache-2.0
 *
 * The index room: the only one that sees the Tantivy seam. Mapping, documents, shard (writer), searcher, clauses,
 * columns.
 *
 * A mapping says which field has which type. It is immutable and reference counted: a change makes a new one, readers
 * keep theirs. Field ids are the seam's: given in order of definition and never changed; a geo_point takes two (lat,
 * lon). Dotted paths name fields of objects. A text field may have sub-fields (`fields`), as OpenSearch's dynamic
 * strings do (`title.keyword`). */
#ifndef QD_INDEX_MAPPING_H
#define QD_INDEX_MAPPING_H

#include <stdatomic.h>

#include "base/json.h"
#include "base/map.h"
#include "base/value.h"

typedef enum qd_field_type {
    QD_FIELD_TEXT, QD_FIELD_KEYWORD, QD_FIELD_LONG, QD_FIELD_INTEGER, QD_FIELD_DOUBLE, QD_FIELD_FLOAT,
    QD_FIELD_BOOLEAN, QD_FIELD_DATE, QD_FIELD_GEO_POINT,
} qd_field_type;

typedef struct qd_field {
    char *path;          /* "vendor.name", sub-fields "title.keyword" */
    qd_field_type type;
    uint32_t id;         /* seam field id; geo_point: id is latitude, id + 1 longitude */
    bool is_sub_field;   /* its values come from the field that its path extends */
    bool indexed;        /* "index", default true */
    bool has_column;     /* "doc_values", default true; never for text */
    uint32_t ignore_above; /* keyword: longer values (in characters) are not indexed; 0: no limit */
    struct qd_field *next_sub; /* sub-fields of this field */
} qd_field;

typedef enum qd_dynamic { QD_DYNAMIC_TRUE, QD_DYNAMIC_FALSE, QD_DYNAMIC_STRICT } qd_dynamic;

typedef struct qd_mapping {
    atomic_uint refs;
    qd_dynamic dynamic;
    uint32_t max_fields; /* index.mapping.total_fields.limit, 1000 */
    qd_map *by_path;     /* path -> qd_field*, sub-fields too */
    qd_map *objects;     /* path -> non-NULL for every object on the way */
    qd_field **fields;   /* in order of definition */
    size_t n_fields;
    uint32_t n_ids;      /* seam fields in all */
} qd_mapping;

/* `properties` form: {"dynamic"?, "properties": {…}}; NULL or {} is an empty mapping. Unknown types and options are
 * refused by path. Errors: QD_EMAPPING. */
qd_status qd_mapping_new(const json_t *body, uint32_t max_fields, qd_mapping **out, qd_error *err);
/* The mapping with more fields; existing fields may be repeated with the same type. `*out` may equal `m` (with a new
 * reference) when nothing is new. */
qd_status qd_mapping_merge(qd_mapping *m, const json_t *body, qd_mapping **out, qd_error *err);
qd_mapping *qd_mapping_ref(qd_mapping *m);
void qd_mapping_unref(qd_mapping *m);
const qd_field *qd_mapping_find(const qd_mapping *m, qd_str path); /* NULL: not mapped */
/* Writes {"properties":{…}} as GET _mapping shows it: also what is persisted. The fields' order (and so ids) is kept
 * under "_order" when `with_order`. */
void qd_mapping_write(const qd_mapping *m, qd_json *w, bool with_order);
const char *qd_field_type_name(qd_field_type t);

#endif
