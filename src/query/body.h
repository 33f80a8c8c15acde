/* SPDX-License-Identifier: Apache-2.0
 *
 * A search body, read: the query's tree and everything that stands beside it. One table of members in body.c; sort,
 * `_source`, and functions beside the query have files of their own (body_sort.c, body_source.c, body_functions.c). */
#ifndef QD_QUERY_BODY_H
#define QD_QUERY_BODY_H

#include "query/parse.h"
#include "query/search.h"

#define QD_MAX_RESULT_WINDOW 10000
#define QD_MAX_SORT_KEYS     32
#define QD_MAX_SCRIPT_FIELDS 32

typedef enum qd_sort_by { QD_SORT_BY_FIELD, QD_SORT_BY_SCORE, QD_SORT_BY_DOC, QD_SORT_BY_SCRIPT } qd_sort_by;
typedef enum qd_missing { QD_MISSING_LAST, QD_MISSING_FIRST, QD_MISSING_VALUE } qd_missing;

typedef struct qd_sort_spec {
    const qd_json_at *at;
    qd_sort_by by;
    qd_str field;
    bool is_desc, takes_max; /* takes_max: of several values the greatest counts, else the least */
    qd_missing missing;
    const json_t *missing_value;
    qd_str unmapped_type;
    qd_use *use; /* of QD_SORT_BY_SCRIPT */
} qd_sort_spec;

/* Patterns of paths, with '*' for any characters. */
typedef struct qd_source_spec {
    bool is_wanted, is_given;
    qd_str *includes, *excludes;
    size_t n_includes, n_excludes;
} qd_source_spec;

#define QD_TRACK_ALL UINT64_MAX

typedef struct qd_body {
    qd_node *query;
    size_t from, size;
    qd_sort_spec *sort; /* n_sort 0: by score alone */
    size_t n_sort;
    qd_source_spec source;
    qd_named_use *aggs; /* NULL: none, not even an empty object */
    size_t n_aggs;
    qd_named_use *script_fields;
    size_t n_script_fields;
    uint64_t track_total; /* counted exactly up to this; 0: not at all */
    bool track_scores, wants_version, wants_seq_no, has_min_score;
    float min_score;
    int64_t timeout_ns; /* -1: none */
    const json_t *context;
} qd_body;

/* Reads `json` (NULL: an empty body) and applies what the URL overrides. Errors: QD_EPARSE, QD_ELIMIT. */
qd_status qd_body_parse(qd_parser *p, const json_t *json, const qd_search_request *rq, qd_body *out);
/* The body of _count: `query` and `context` alone. */
qd_status qd_body_parse_count(qd_parser *p, const json_t *json, qd_body *out);

/* ---- for body.c ---- */
qd_status qd_body_parse_sort(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b);
qd_status qd_body_parse_source(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b);
qd_status qd_body_parse_aggs(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b);
qd_status qd_body_parse_script_fields(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b);

#endif
