/* SPDX-License-Identifier: Apache-2.0 */
#include "query/parse.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct clause_row {
    const char *name;
    qd_node_type type;
    qd_clause_parser *parse;
} clause_row;

static const clause_row CLAUSES[] = {
    {"match", QD_NODE_MATCH, qd_parse_match},
    {"multi_match", QD_NODE_MULTI_MATCH, qd_parse_multi_match},
    {"term", QD_NODE_TERM, qd_parse_term},
    {"terms", QD_NODE_TERMS, qd_parse_terms},
    {"range", QD_NODE_RANGE, qd_parse_range},
    {"exists", QD_NODE_EXISTS, qd_parse_exists},
    {"ids", QD_NODE_IDS, qd_parse_ids},
    {"match_all", QD_NODE_MATCH_ALL, qd_parse_match_all},
    {"match_none", QD_NODE_MATCH_NONE, qd_parse_match_none},
    {"bool", QD_NODE_BOOL, qd_parse_bool},
    {"constant_score", QD_NODE_CONSTANT_SCORE, qd_parse_constant_score},
    {"wasm_udf", QD_NODE_FUNCTION, qd_parse_wasm_udf},
    {"script", QD_NODE_FUNCTION, qd_parse_script},
    {"script_score", QD_NODE_SCRIPT_SCORE, qd_parse_script_score},
    {"function_score", QD_NODE_FUNCTION_SCORE, qd_parse_function_score},
};

/* Clauses of OpenSearch that later work brings: refused by another sentence than a typing error. */
static const char *const LATER[] = {"match_phrase",
                                    "match_phrase_prefix",
                                    "match_bool_prefix",
                                    "query_string",
                                    "simple_query_string",
                                    "prefix",
                                    "wildcard",
                                    "regexp",
                                    "fuzzy",
                                    "dis_max",
                                    "boosting",
                                    "nested",
                                    "has_child",
                                    "has_parent",
                                    "parent_id",
                                    "terms_set",
                                    "intervals",
                                    "geo_distance",
                                    "geo_bounding_box",
                                    "geo_polygon",
                                    "geo_shape",
                                    "more_like_this",
                                    "percolate",
                                    "rank_feature",
                                    "distance_feature",
                                    "knn",
                                    "hybrid",
                                    "neural",
                                    "wrapper",
                                    "pinned",
                                    "span_term",
                                    "span_near",
                                    "span_or",
                                    "span_not",
                                    "span_first",
                                    NULL};

qd_status qd_parse_fail(const qd_parser *p, const qd_json_at *at, const char *fmt, ...)
{
    char message[sizeof p->err->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    uint32_t line, column;
    qd_json_locate(p->text, at, &line, &column);
    return qd_fail_at(p->err, QD_EPARSE, line, column, "%s", message);
}

qd_status qd_parse_nomem(const qd_parser *p)
{
    if (!qd_arena_is_full(p->arena))
        return qd_fail_nomem(p->err);
    return qd_fail(p->err, QD_ELIMIT, "the query needs more memory than a query may take");
}

const qd_json_at *qd_at_key(qd_parser *p, const qd_json_at *at, qd_str key)
{
    qd_json_at *step = QD_NEW(p->arena, qd_json_at);
    if (step)
        *step = (qd_json_at){at, key, 0};
    return step;
}

const qd_json_at *qd_at_index(qd_parser *p, const qd_json_at *at, size_t index)
{
    qd_json_at *step = QD_NEW(p->arena, qd_json_at);
    if (step)
        *step = (qd_json_at){at, {NULL, 0}, index};
    return step;
}

int qd_parse_word(qd_str word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (qd_str_is(word, words[i]))
            return i;
    return -1;
}

/* ---- options ---- */

static const char *const EXPECTED[] = {
    [QD_OPT_F32] = "a number",
    [QD_OPT_F64] = "a number",
    [QD_OPT_BOOL] = "true or false",
    [QD_OPT_STR] = "a string",
    [QD_OPT_JSON] = "a value",
    [QD_OPT_OBJECT] = "an object",
    [QD_OPT_TEXT] = "a string or a number",
    [QD_OPT_IGNORED] = "a value",
    [QD_OPT_NOT_YET] = "a value",
};

/* Numbers may come as strings, as in OpenSearch. */
static bool read_number(const json_t *v, double *out)
{
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    return json_is_string(v) && qd_str_to_f64((qd_str){json_string_value(v), json_string_length(v)}, out);
}

static bool read_bool(const json_t *v, bool *out)
{
    const char *s = json_string_value(v);
    if (!json_is_boolean(v) && !(s && (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)))
        return false;
    *out = s ? s[0] == 't' : json_is_true(v);
    return true;
}

static bool read_text(qd_parser *p, const json_t *v, qd_str *out)
{
    if (json_is_string(v)) {
        *out = (qd_str){json_string_value(v), json_string_length(v)};
        return true;
    }
    if (!json_is_integer(v))
        return false;
    *out = qd_str_of(qd_arena_printf(p->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(v)));
    return out->p != NULL;
}

static bool read_option(qd_parser *p, qd_option_type type, const json_t *v, void *out)
{
    double number = 0;
    switch (type) {
    case QD_OPT_F32:
        if (!read_number(v, &number) || fabs(number) > (double)FLT_MAX)
            return false;
        *(float *)out = (float)number;
        return true;
    case QD_OPT_F64:
        return read_number(v, out);
    case QD_OPT_BOOL:
        return read_bool(v, out);
    case QD_OPT_STR:
        if (json_is_string(v))
            *(qd_str *)out = (qd_str){json_string_value(v), json_string_length(v)};
        return json_is_string(v);
    case QD_OPT_OBJECT:
        if (!json_is_object(v))
            return false;
        *(const json_t **)out = v;
        return true;
    case QD_OPT_JSON:
        *(const json_t **)out = v;
        return true;
    case QD_OPT_TEXT:
        return read_text(p, v, out);
    default:
        return true;
    }
}

static qd_status parse_option(qd_parser *p, const qd_json_at *at, const char *clause, const qd_option *row,
                              const json_t *v, void *out)
{
    if (row->type == QD_OPT_NOT_YET)
        return qd_parse_fail(p, at, "[%s] [%s] is not supported yet", clause, row->name);
    if (!read_option(p, row->type, v, (char *)out + row->offset))
        return qd_parse_fail(p, at, "[%s] [%s] expects %s, got %s", clause, row->name, EXPECTED[row->type],
                             qd_json_type_name(v));
    return QD_OK;
}

qd_status qd_parse_options(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *body,
                           const qd_option *table, void *out, float *boost)
{
    static const qd_option BOOST = {"boost", QD_OPT_F32, 0}, NAME = {"_name", QD_OPT_NOT_YET, 0};
    const char *key;
    size_t key_n;
    json_t *v;
    if (!json_is_object(body))
        return qd_parse_fail(p, at, "[%s] query malformed, no start_object after query name", clause);
    json_object_keylen_foreach((json_t *)body, key, key_n, v)
    {
        const qd_json_at *at_key = qd_at_key(p, at, (qd_str){key, key_n});
        const qd_option *row = table;
        while (row->name && strcmp(row->name, key) != 0)
            row++;
        void *to = out;
        if (!row->name && boost && strcmp(key, "boost") == 0) {
            row = &BOOST;
            to = boost;
        } else if (!row->name && boost && strcmp(key, "_name") == 0) {
            row = &NAME;
        }
        if (!at_key)
            return qd_parse_nomem(p);
        if (!row->name)
            return qd_parse_fail(p, at_key, "[%s] query does not support [%.100s]", clause, key);
        qd_status st = parse_option(p, at_key, clause, row, v, to);
        if (st != QD_OK)
            return st;
        if (to == (void *)boost && boost && *boost < 0)
            return qd_parse_fail(
                p, at_key, "negative [boost] are not allowed in [%s], use a value between 0 and 1 to deboost", clause);
    }
    return QD_OK;
}

qd_status qd_parse_one_field(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *body, qd_str *field,
                             const json_t **value, const qd_json_at **at_value)
{
    if (!json_is_object(body))
        return qd_parse_fail(p, at, "[%s] query malformed, no start_object after query name", clause);
    void *iter = json_object_iter((json_t *)body);
    if (!iter)
        return qd_parse_fail(p, at, "[%s] needs a field: {\"%s\": {\"FIELD\": …}}", clause, clause);
    qd_str name = {json_object_iter_key(iter), json_object_iter_key_len(iter)};
    void *second = json_object_iter_next((json_t *)body, iter);
    const qd_json_at *at_field = qd_at_key(p, at, name);
    if (!at_field)
        return qd_parse_nomem(p);
    if (second)
        return qd_parse_fail(p, at_field, "[%s] query doesn't support multiple fields, found [%.100s] and [%.100s]",
                             clause, name.p, json_object_iter_key(second));
    *field = name;
    *value = json_object_iter_value(iter);
    *at_value = at_field;
    return QD_OK;
}

/* ---- clauses ---- */

static qd_status parse_named(qd_parser *p, const qd_json_at *at, qd_str name, const json_t *body, bool in_filter,
                             qd_node **out)
{
    const clause_row *row = NULL;
    for (size_t i = 0; i < sizeof CLAUSES / sizeof *CLAUSES && !row; i++)
        if (qd_str_is(name, CLAUSES[i].name))
            row = &CLAUSES[i];
    if (!row && qd_parse_word(name, LATER) >= 0)
        return qd_parse_fail(p, at, "query [%.*s] is not supported yet", QD_STR_FMT(name));
    if (!row)
        return qd_parse_fail(p, at, "unknown query [%.*s]", QD_STR_FMT(name));
    qd_node *node = QD_NEW(p->arena, qd_node);
    if (!node)
        return qd_parse_nomem(p);
    node->type = row->type;
    node->at = at;
    node->boost = 1.0f;
    node->in_filter = in_filter;
    qd_status st = row->parse(p, at, body, node);
    if (st == QD_OK)
        *out = node;
    return st;
}

qd_status qd_parse_query(qd_parser *p, const qd_json_at *at, const json_t *clause, bool in_filter, qd_node **out)
{
    if (!json_is_object(clause))
        return qd_parse_fail(p, at, "[_na] query malformed, must start with start_object, got %s",
                             qd_json_type_name(clause));
    void *iter = json_object_iter((json_t *)clause);
    if (!iter)
        return qd_parse_fail(p, at, "query malformed, empty clause found");
    qd_str name = {json_object_iter_key(iter), json_object_iter_key_len(iter)};
    const qd_json_at *at_name = qd_at_key(p, at, name);
    if (!at_name)
        return qd_parse_nomem(p);
    if (p->depth >= QD_MAX_CLAUSE_DEPTH)
        return qd_parse_fail(
            p, at_name,
            "[%.*s] is nested deeper than [%d] clauses, the maximum set in [indices.query.bool.max_nested_depth]",
            QD_STR_FMT(name), QD_MAX_CLAUSE_DEPTH);
    if (++p->clauses > QD_MAX_CLAUSES)
        return qd_parse_fail(p, at_name,
                             "too many clauses: maxClauseCount is set to [%d] by [indices.query.bool.max_clause_count]",
                             QD_MAX_CLAUSES);
    void *second = json_object_iter_next((json_t *)clause, iter);
    if (second)
        return qd_parse_fail(
            p, at_name,
            "[%.*s] malformed query, expected [END_OBJECT] but found [FIELD_NAME]: a clause has one name, "
            "[%.100s] needs a clause of its own",
            QD_STR_FMT(name), json_object_iter_key(second));
    p->depth++;
    qd_status st = parse_named(p, at_name, name, json_object_iter_value(iter), in_filter, out);
    p->depth--;
    return st;
}
