/* SPDX-License-Identifier: Apache-2.0
 *
 * The typed tree of a query, as parse.c makes it: no index seen yet, everything checked that needs none. It lives in
 * the request's arena; strings and JSON values are views of the parsed body, which lives as long. A function's use is
 * listed in `qd_uses` too, so that all of them are resolved at one moment (functions.c). */
#ifndef QD_QUERY_AST_H
#define QD_QUERY_AST_H

#include "base/json.h"
#include "query/json_locate.h"
#include "udf/binding.h"

typedef struct qd_node qd_node;

typedef enum qd_node_type {
    QD_NODE_MATCH_ALL,
    QD_NODE_MATCH_NONE,
    QD_NODE_MATCH,
    QD_NODE_MULTI_MATCH,
    QD_NODE_TERM,
    QD_NODE_TERMS,
    QD_NODE_RANGE,
    QD_NODE_EXISTS,
    QD_NODE_IDS,
    QD_NODE_BOOL,
    QD_NODE_CONSTANT_SCORE,
    QD_NODE_FUNCTION,
    QD_NODE_SCRIPT_SCORE,
    QD_NODE_FUNCTION_SCORE,
    QD_NODE_TYPES,
} qd_node_type;

/* Where a use stands decides which kinds of function fit. */
typedef enum qd_place {
    QD_PLACE_FILTER, /* only yes or no counts */
    QD_PLACE_CLAUSE, /* a scoring clause: a filter adds its boost, a score its value */
    QD_PLACE_SCORE,  /* script_score, function_score: a score */
    QD_PLACE_FIELD,  /* script_fields: a value for each hit */
    QD_PLACE_SORT,   /* sort by _script: a number for each match */
    QD_PLACE_AGGREGATION,
} qd_place;

/* One use of a function in a query. */
typedef struct qd_use {
    const qd_json_at *at;
    size_t index;       /* among the query's uses */
    const char *clause; /* "wasm_udf", for messages */
    qd_place place;
    qd_str name, version; /* version empty: in the name behind '@', or the active one */
    qd_str function;      /* another export of the module; empty: the manifest's */
    const json_t *params;
    qd_on_error on_error;
    bool has_default;
    double default_value;
    /* Set by functions.c. */
    qd_binding *binding; /* owned by qd_uses */
    bool is_filter;
    bool needs_score;
    bool is_constant; /* one result for all documents */
    double max_score; /* no result is greater; INFINITY: it promises nothing */
} qd_use;

/* A use beside the query, with the name under which the answer has its result. */
typedef struct qd_named_use {
    qd_str name;
    qd_use *use;
} qd_named_use;

typedef struct qd_uses {
    qd_use **items;
    size_t n, cap;
} qd_uses;

/* One analyzed text against one field. */
typedef struct qd_match {
    qd_str field;
    qd_str text;         /* the value as text */
    const json_t *value; /* as given, for fields that are not text */
    bool is_and;
    bool is_lenient;             /* a value that the field's type cannot take matches nothing */
    bool zero_terms_all;         /* a text without tokens matches everything */
    qd_str minimum_should_match; /* n 0: not given */
} qd_match;

typedef struct qd_multi_match {
    qd_match match; /* its field is unused */
    qd_str *fields;
    float *boosts;
    size_t n;
    float tie_breaker;
} qd_multi_match;

typedef struct qd_range_node {
    qd_str field;
    const json_t *lower, *upper;
    bool lower_inclusive, upper_inclusive;
} qd_range_node;

typedef enum qd_occur { QD_MUST, QD_FILTER, QD_SHOULD, QD_MUST_NOT, QD_OCCURS } qd_occur;

typedef struct qd_bool_node {
    qd_node **clauses[QD_OCCURS];
    size_t n[QD_OCCURS];
    qd_str minimum_should_match;
} qd_bool_node;

typedef struct qd_script_score_node {
    qd_node *query;
    qd_use *use;
    bool has_min_score;
    float min_score;
} qd_script_score_node;

typedef enum qd_score_mode {
    QD_SCORE_MULTIPLY,
    QD_SCORE_SUM,
    QD_SCORE_AVG,
    QD_SCORE_FIRST,
    QD_SCORE_MAX,
    QD_SCORE_MIN
} qd_score_mode;
typedef enum qd_boost_mode {
    QD_BOOST_MULTIPLY,
    QD_BOOST_REPLACE,
    QD_BOOST_SUM,
    QD_BOOST_AVG,
    QD_BOOST_MAX,
    QD_BOOST_MIN
} qd_boost_mode;

/* One of function_score's functions: weight alone, a script alone, or a script times a weight. */
typedef struct qd_scorer {
    qd_node *filter; /* NULL: every document */
    qd_use *use;     /* NULL: the weight alone */
    bool has_weight;
    float weight;
} qd_scorer;

typedef struct qd_function_score_node {
    qd_node *query;
    qd_scorer *scorers;
    size_t n;
    qd_score_mode score_mode;
    qd_boost_mode boost_mode;
    float max_boost;
    bool has_min_score;
    float min_score;
} qd_function_score_node;

struct qd_node {
    qd_node_type type;
    const qd_json_at *at;
    float boost;
    bool in_filter;     /* nobody reads its score */
    bool has_functions; /* here or below */
    union {
        qd_match match;
        qd_multi_match multi_match;
        struct {
            qd_str field;
            const json_t *value;
        } term; /* also terms and ids: `value` is an array */
        qd_range_node range;
        qd_str exists;
        qd_bool_node boolean;
        qd_node *constant; /* constant_score's filter */
        struct {
            qd_use *use;
            qd_node *query;
        } function; /* wasm_udf and script; query NULL: the clauses beside it */
        qd_script_score_node script_score;
        qd_function_score_node function_score;
    } as;
};

#endif
