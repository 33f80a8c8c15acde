/* SPDX-License-Identifier: Apache-2.0
 * bool, constant_score. */
#include "query/parse.h"

typedef struct bool_options {
    const json_t *clauses[QD_OCCURS];
    qd_str minimum_should_match;
    bool adjust_pure_negative;
} bool_options;

static const char *const OCCUR_NAMES[] = {"must", "filter", "should", "must_not"};

static const qd_option BOOL_OPTIONS[] = {
    {"must", QD_OPT_JSON, offsetof(bool_options, clauses[QD_MUST])},
    {"filter", QD_OPT_JSON, offsetof(bool_options, clauses[QD_FILTER])},
    {"should", QD_OPT_JSON, offsetof(bool_options, clauses[QD_SHOULD])},
    {"must_not", QD_OPT_JSON, offsetof(bool_options, clauses[QD_MUST_NOT])},
    {"minimum_should_match", QD_OPT_TEXT, offsetof(bool_options, minimum_should_match)},
    {"adjust_pure_negative", QD_OPT_BOOL, offsetof(bool_options, adjust_pure_negative)},
    {NULL, 0, 0},
};

static qd_status parse_occur(qd_parser *p, const qd_json_at *at, const json_t *v, qd_occur occur, qd_node *node)
{
    qd_bool_node *b = &node->as.boolean;
    bool in_filter = node->in_filter || occur == QD_FILTER || occur == QD_MUST_NOT;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (!json_is_array(v) && !json_is_object(v))
        return qd_parse_fail(p, at, "[bool] %s: expected a clause or an array of clauses, got %s", OCCUR_NAMES[occur],
                             qd_json_type_name(v));
    if (n > QD_MAX_CLAUSES)
        return qd_parse_fail(p, at, "too many clauses: maxClauseCount is set to [%d]", QD_MAX_CLAUSES);
    b->clauses[occur] = qd_arena_array(p->arena, n, sizeof *b->clauses[occur]);
    if (!b->clauses[occur])
        return qd_parse_nomem(p);
    for (size_t i = 0; i < n; i++) {
        const json_t *clause = json_is_array(v) ? json_array_get(v, i) : v;
        const qd_json_at *at_clause = json_is_array(v) ? qd_at_index(p, at, i) : at;
        qd_node *child = NULL;
        if (!at_clause)
            return qd_parse_nomem(p);
        qd_status st = qd_parse_query(p, at_clause, clause, in_filter, &child);
        if (st != QD_OK)
            return st;
        node->has_functions |= child->has_functions;
        b->clauses[occur][b->n[occur]++] = child;
    }
    return QD_OK;
}

qd_status qd_parse_bool(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    bool_options o = {.adjust_pure_negative = true};
    qd_status st = qd_parse_options(p, at, "bool", body, BOOL_OPTIONS, &o, &node->boost);
    if (st != QD_OK)
        return st;
    if (!o.adjust_pure_negative)
        return qd_parse_fail(p, at, "[bool] [adjust_pure_negative] false is not supported yet");
    for (int occur = 0; occur < QD_OCCURS; occur++) {
        if (!o.clauses[occur])
            continue;
        const qd_json_at *at_occur = qd_at_key(p, at, qd_str_of(OCCUR_NAMES[occur]));
        if (!at_occur)
            return qd_parse_nomem(p);
        st = parse_occur(p, at_occur, o.clauses[occur], (qd_occur)occur, node);
        if (st != QD_OK)
            return st;
    }
    node->as.boolean.minimum_should_match = o.minimum_should_match;
    return QD_OK;
}

qd_status qd_parse_constant_score(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    static const qd_option OPTIONS[] = {{"filter", QD_OPT_JSON, 0}, {NULL, 0, 0}};
    const json_t *filter = NULL;
    qd_status st = qd_parse_options(p, at, "constant_score", body, OPTIONS, &filter, &node->boost);
    if (st != QD_OK)
        return st;
    if (!filter)
        return qd_parse_fail(p, at, "[constant_score] requires a 'filter' element");
    const qd_json_at *at_filter = qd_at_key(p, at, QD_STR("filter"));
    if (!at_filter)
        return qd_parse_nomem(p);
    st = qd_parse_query(p, at_filter, filter, true, &node->as.constant);
    if (st == QD_OK)
        node->has_functions = node->as.constant->has_functions;
    return st;
}
