/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON to the typed tree. parse.c dispatches by one table of clauses; parse_leaf.c, parse_text.c, parse_compound.c and
 * parse_function.c have the handlers. A new clause is one row and one handler. Every error is a QD_EPARSE that names
 * the clause, its line and its column, worded as OpenSearch words it where it has such an error. */
#ifndef QD_QUERY_PARSE_H
#define QD_QUERY_PARSE_H

#include "query/ast.h"

#define QD_MAX_CLAUSE_DEPTH 30
#define QD_MAX_CLAUSES      1024

typedef struct qd_parser {
    qd_str text; /* the body as sent, for positions */
    qd_arena *arena;
    qd_error *err;
    qd_uses *uses;
    unsigned depth, clauses;
} qd_parser;

/* A whole clause {"name": {…}}. `in_filter`: its score is read by nobody. */
qd_status qd_parse_query(qd_parser *p, const qd_json_at *at, const json_t *clause, bool in_filter, qd_node **out);

/* ---- for the handlers ---- */

typedef qd_status qd_clause_parser(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node);

/* Fails at a place with QD_EPARSE. */
qd_status qd_parse_fail(const qd_parser *p, const qd_json_at *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
qd_status qd_parse_nomem(const qd_parser *p);
/* Paths one step down; NULL when memory is out. */
const qd_json_at *qd_at_key(qd_parser *p, const qd_json_at *at, qd_str key);
const qd_json_at *qd_at_index(qd_parser *p, const qd_json_at *at, size_t index);

/* A clause's members, as a table. */
typedef enum qd_option_type {
    QD_OPT_F32,
    QD_OPT_F64,
    QD_OPT_BOOL,
    QD_OPT_STR,
    QD_OPT_JSON,
    QD_OPT_OBJECT,
    QD_OPT_TEXT,    /* qd_str of a string or number */
    QD_OPT_IGNORED, /* changes nothing here */
    QD_OPT_NOT_YET, /* OpenSearch has it, we do not */
} qd_option_type;
typedef struct qd_option {
    const char *name;
    qd_option_type type;
    size_t offset; /* into what qd_parse_options is given */
} qd_option;
/* Reads an object's members by a table that ends with a NULL name into `out`; absent ones are left alone. "boost" goes
 * to `*boost` when that is not NULL. Unknown members are refused. */
qd_status qd_parse_options(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *body,
                           const qd_option *table, void *out, float *boost);
/* {"FIELD": value} with exactly one member. */
qd_status qd_parse_one_field(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *body, qd_str *field,
                             const json_t **value, const qd_json_at **at_value);
/* A function's use: {"name", "version"?, "parameters"?, …}, as wasm_udf has it but for [query] and [boost]. */
qd_status qd_parse_use(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *body, qd_place place,
                       qd_use **out);
/* The same as a script, the member [script] of what stands at `at`. */
qd_status qd_parse_script_use(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *v, qd_place place,
                              qd_use **out);
/* The place of `word` in a NULL-terminated list; -1 when it is not there. */
int qd_parse_word(qd_str word, const char *const *words);

qd_clause_parser qd_parse_match_all, qd_parse_match_none, qd_parse_match, qd_parse_multi_match, qd_parse_term,
    qd_parse_terms, qd_parse_range, qd_parse_exists, qd_parse_ids, qd_parse_bool, qd_parse_constant_score,
    qd_parse_wasm_udf, qd_parse_script, qd_parse_script_score, qd_parse_function_score;

#endif
