/* SPDX-License-Identifier: Apache-2.0
 * match, multi_match. */
#include <math.h>

#include "query/parse.h"

typedef struct match_options {
    const json_t *query;
    qd_str op, minimum_should_match, analyzer, zero_terms_query, type;
    bool lenient;
    const json_t *fields;
    float tie_breaker;
} match_options;

#define COMMON_OPTIONS                                                                                                 \
    {"query", QD_OPT_JSON, offsetof(match_options, query)}, {"operator", QD_OPT_STR, offsetof(match_options, op)},     \
        {"minimum_should_match", QD_OPT_TEXT, offsetof(match_options, minimum_should_match)},                          \
        {"analyzer", QD_OPT_STR, offsetof(match_options, analyzer)},                                                   \
        {"lenient", QD_OPT_BOOL, offsetof(match_options, lenient)},                                                    \
        {"zero_terms_query", QD_OPT_STR, offsetof(match_options, zero_terms_query)},                                   \
        {"auto_generate_synonyms_phrase_query", QD_OPT_IGNORED, 0}, {"fuzziness", QD_OPT_NOT_YET, 0},                  \
        {"prefix_length", QD_OPT_NOT_YET, 0}, {"max_expansions", QD_OPT_NOT_YET, 0},                                   \
        {"fuzzy_transpositions", QD_OPT_NOT_YET, 0}, {"fuzzy_rewrite", QD_OPT_NOT_YET, 0},                             \
        {"slop", QD_OPT_NOT_YET, 0},                                                                                   \
    {                                                                                                                  \
        "cutoff_frequency", QD_OPT_NOT_YET, 0                                                                          \
    }

static const qd_option MATCH_OPTIONS[] = {COMMON_OPTIONS, {NULL, 0, 0}};
static const qd_option MULTI_MATCH_OPTIONS[] = {
    COMMON_OPTIONS,
    {"fields", QD_OPT_JSON, offsetof(match_options, fields)},
    {"type", QD_OPT_STR, offsetof(match_options, type)},
    {"tie_breaker", QD_OPT_F32, offsetof(match_options, tie_breaker)},
    {NULL, 0, 0},
};

static qd_str value_text(qd_parser *p, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return (qd_str){json_string_value(v), json_string_length(v)};
    case JSON_INTEGER:
        return qd_str_of(qd_arena_printf(p->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(v)));
    case JSON_REAL:
        return qd_str_of(qd_arena_printf(p->arena, "%.17g", json_real_value(v)));
    default:
        return qd_str_of(json_is_true(v) ? "true" : "false");
    }
}

static qd_status fill_match(qd_parser *p, const qd_json_at *at, const char *clause, const match_options *o, qd_match *m)
{
    static const char *const OPERATORS[] = {"or", "OR", "Or", "and", "AND", "And", NULL}, *const ZERO_TERMS[] = {
                                                                                              "none", "all", NULL};
    if (!o->query)
        return qd_parse_fail(p, at, "[%s] requires query value", clause);
    if (json_is_null(o->query) || json_is_object(o->query) || json_is_array(o->query))
        return qd_parse_fail(p, at, "[%s] unknown token [%s] after [query]: expected a string, a number or a boolean",
                             clause, qd_json_type_name(o->query));
    int op = o->op.n ? qd_parse_word(o->op, OPERATORS) : 0;
    if (op < 0)
        return qd_parse_fail(p, at, "[%s] operator needs to be either AND or OR, but not [%.*s]", clause,
                             QD_STR_FMT(o->op));
    int zero = o->zero_terms_query.n ? qd_parse_word(o->zero_terms_query, ZERO_TERMS) : 0;
    if (zero < 0)
        return qd_parse_fail(p, at, "Unsupported zero_terms_query value [%.*s]: expected none or all",
                             QD_STR_FMT(o->zero_terms_query));
    if (o->analyzer.n && !qd_str_is(o->analyzer, "standard"))
        return qd_parse_fail(p, at, "[%s] analyzer [%.*s] not found: [standard] is the only one yet", clause,
                             QD_STR_FMT(o->analyzer));
    m->value = o->query;
    m->text = value_text(p, o->query);
    m->is_and = op >= 3;
    m->is_lenient = o->lenient;
    m->zero_terms_all = zero == 1;
    m->minimum_should_match = o->minimum_should_match;
    return m->text.p ? QD_OK : qd_parse_nomem(p);
}

qd_status qd_parse_match(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    qd_match *m = &node->as.match;
    match_options o = {0};
    const json_t *v = NULL;
    const qd_json_at *at_value = at;
    qd_status st = qd_parse_one_field(p, at, "match", body, &m->field, &v, &at_value);
    if (st == QD_OK && json_is_object(v))
        st = qd_parse_options(p, at_value, "match", v, MATCH_OPTIONS, &o, &node->boost);
    else
        o.query = v;
    return st == QD_OK ? fill_match(p, at_value, "match", &o, m) : st;
}

/* "title^3" */
static qd_status parse_field_boost(qd_parser *p, const qd_json_at *at, qd_str spec, qd_str *field, float *boost)
{
    const char *caret = spec.n ? memchr(spec.p, '^', spec.n) : NULL;
    double number = 1;
    *field = caret ? (qd_str){spec.p, (size_t)(caret - spec.p)} : spec;
    if (caret && (!qd_str_to_f64((qd_str){caret + 1, spec.n - field->n - 1}, &number) || number < 0 || number > 3e38))
        return qd_parse_fail(p, at, "[multi_match] field [%.*s]: what follows ^ must be a boost, a number >= 0",
                             QD_STR_FMT(spec));
    if (field->n == 0)
        return qd_parse_fail(p, at, "[multi_match] a field has no name");
    if (memchr(field->p, '*', field->n))
        return qd_parse_fail(p, at, "[multi_match] field [%.*s]: patterns are not supported yet, name the fields",
                             QD_STR_FMT(spec));
    *boost = (float)number;
    return QD_OK;
}

static qd_status parse_fields(qd_parser *p, const qd_json_at *at, const json_t *fields, qd_multi_match *m)
{
    const qd_json_at *at_fields = qd_at_key(p, at, QD_STR("fields"));
    size_t n = json_is_string(fields) ? 1 : json_array_size(fields);
    if (!at_fields)
        return qd_parse_nomem(p);
    if (n == 0)
        return qd_parse_fail(
            p, at, "[multi_match] requires [fields]: an array of field names, such as [\"title^2\", \"body\"]");
    m->fields = qd_arena_array(p->arena, n, sizeof *m->fields);
    m->boosts = qd_arena_array(p->arena, n, sizeof *m->boosts);
    if (!m->fields || !m->boosts)
        return qd_parse_nomem(p);
    for (size_t i = 0; i < n; i++) {
        const json_t *name = json_is_string(fields) ? fields : json_array_get(fields, i);
        const qd_json_at *at_item = json_is_string(fields) ? at_fields : qd_at_index(p, at_fields, i);
        if (!at_item)
            return qd_parse_nomem(p);
        if (!json_is_string(name))
            return qd_parse_fail(p, at_item, "[multi_match] a field must be a string, got %s", qd_json_type_name(name));
        qd_str spec = {json_string_value(name), json_string_length(name)};
        qd_status st = parse_field_boost(p, at_item, spec, &m->fields[i], &m->boosts[i]);
        if (st != QD_OK)
            return st;
    }
    m->n = n;
    p->clauses += (unsigned)(n < QD_MAX_CLAUSES ? n : QD_MAX_CLAUSES);
    if (p->clauses > QD_MAX_CLAUSES)
        return qd_parse_fail(p, at, "too many clauses: maxClauseCount is set to [%d]", QD_MAX_CLAUSES);
    return QD_OK;
}

qd_status qd_parse_multi_match(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    qd_multi_match *m = &node->as.multi_match;
    match_options o = {.tie_breaker = NAN};
    qd_status st = qd_parse_options(p, at, "multi_match", body, MULTI_MATCH_OPTIONS, &o, &node->boost);
    if (st == QD_OK)
        st = fill_match(p, at, "multi_match", &o, &m->match);
    if (st == QD_OK)
        st = parse_fields(p, at, o.fields, m);
    if (st != QD_OK)
        return st;
    bool is_most = qd_str_is(o.type, "most_fields");
    if (o.type.n && !is_most && !qd_str_is(o.type, "best_fields"))
        return qd_parse_fail(p, at, "[multi_match] type [%.*s] is not supported yet: use best_fields or most_fields",
                             QD_STR_FMT(o.type));
    m->tie_breaker = isnan(o.tie_breaker) ? (is_most ? 1.0f : 0.0f) : o.tie_breaker;
    return QD_OK;
}
