/* SPDX-License-Identifier: Apache-2.0 */
#include "query/body.h"

#include <inttypes.h>

typedef qd_status member_parser(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b);

static qd_status parse_query(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    return qd_parse_query(p, at, v, false, &b->query);
}

static qd_status parse_bool_member(qd_parser *p, const qd_json_at *at, const json_t *v, bool *out)
{
    if (!json_is_boolean(v))
        return qd_parse_fail(p, at, "[%.*s] expects true or false, got %s", QD_STR_FMT(at->key), qd_json_type_name(v));
    *out = json_is_true(v);
    return QD_OK;
}

static qd_status parse_count_member(qd_parser *p, const qd_json_at *at, const json_t *v, size_t *out)
{
    if (!json_is_integer(v))
        return qd_parse_fail(p, at, "[%.*s] expects an integer, got %s", QD_STR_FMT(at->key), qd_json_type_name(v));
    if (json_integer_value(v) < 0)
        return qd_parse_fail(p, at, "[%.*s] parameter cannot be negative, found [%" JSON_INTEGER_FORMAT "]",
                             QD_STR_FMT(at->key), json_integer_value(v));
    *out = (size_t)json_integer_value(v);
    return QD_OK;
}

static qd_status parse_from(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    return parse_count_member(p, at, v, &b->from);
}

static qd_status parse_size(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    return parse_count_member(p, at, v, &b->size);
}

static qd_status parse_track_scores(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    return parse_bool_member(p, at, v, &b->track_scores);
}

static qd_status parse_version(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    return parse_bool_member(p, at, v, &b->wants_version);
}

static qd_status parse_seq_no(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    return parse_bool_member(p, at, v, &b->wants_seq_no);
}

static qd_status parse_track_total(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    if (json_is_boolean(v)) {
        b->track_total = json_is_true(v) ? QD_TRACK_ALL : 0;
        return QD_OK;
    }
    if (!json_is_integer(v) || json_integer_value(v) < -1)
        return qd_parse_fail(p, at, "[track_total_hits] parameter must be positive or equals to -1, or true or false");
    /* -1 means "all", 0 "none that matters". */
    b->track_total = json_integer_value(v) < 0 ? QD_TRACK_ALL : (uint64_t)json_integer_value(v);
    return QD_OK;
}

static qd_status parse_min_score(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    if (!json_is_number(v))
        return qd_parse_fail(p, at, "[min_score] expects a number, got %s", qd_json_type_name(v));
    b->has_min_score = true;
    b->min_score = (float)json_number_value(v);
    return QD_OK;
}

static qd_status parse_context(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    if (!json_is_object(v))
        return qd_parse_fail(p, at, "[context] expects an object, got %s", qd_json_type_name(v));
    b->context = v;
    return QD_OK;
}

/* "100ms", "1.5s", "-1". */
static qd_status parse_timeout(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    static const struct {
        const char *unit;
        double ns;
    } UNITS[] = {
        {"nanos", 1}, {"micros", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9},
    };
    qd_str text = {json_string_value(v), json_string_length(v)};
    double number = 0;
    if (json_is_string(v) && qd_str_is(text, "-1"))
        return QD_OK;
    size_t digits = 0;
    while (digits < text.n && ((text.p[digits] >= '0' && text.p[digits] <= '9') || text.p[digits] == '.'))
        digits++;
    qd_str unit = digits < text.n ? (qd_str){text.p + digits, text.n - digits} : QD_STR("");
    if (digits > 0 && qd_str_to_f64((qd_str){text.p, digits}, &number)) {
        for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
            if (!qd_str_is(unit, UNITS[i].unit))
                continue;
            double ns = number * UNITS[i].ns;
            b->timeout_ns = ns < 9e18 ? (int64_t)ns : INT64_MAX / 2;
            return QD_OK;
        }
    }
    return qd_parse_fail(p, at,
                         "failed to parse setting [timeout]%s%.*s%s as a time value: a number with a unit is expected, "
                         "such as \"500ms\"",
                         text.p ? " with value [" : "", QD_STR_FMT(text), text.p ? "]" : "");
}

/* What is off by default may be said to be off. */
static qd_status parse_off(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    (void)b;
    if (json_is_false(v))
        return QD_OK;
    return qd_parse_fail(p, at, "[%.*s] is not supported yet", QD_STR_FMT(at->key));
}

static qd_status parse_later(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    (void)v;
    (void)b;
    return qd_parse_fail(p, at, "[%.*s] is not supported yet", QD_STR_FMT(at->key));
}

static const struct {
    const char *name;
    member_parser *parse;
} MEMBERS[] = {
    {"query", parse_query},
    {"from", parse_from},
    {"size", parse_size},
    {"sort", qd_body_parse_sort},
    {"_source", qd_body_parse_source},
    {"track_total_hits", parse_track_total},
    {"track_scores", parse_track_scores},
    {"min_score", parse_min_score},
    {"timeout", parse_timeout},
    {"context", parse_context},
    {"version", parse_version},
    {"seq_no_primary_term", parse_seq_no},
    {"explain", parse_off},
    {"profile", parse_off},
    {"aggs", qd_body_parse_aggs},
    {"aggregations", qd_body_parse_aggs},
    {"highlight", parse_later},
    {"fields", parse_later},
    {"docvalue_fields", parse_later},
    {"stored_fields", parse_later},
    {"script_fields", qd_body_parse_script_fields},
    {"derived", parse_later},
    {"post_filter", parse_later},
    {"rescore", parse_later},
    {"suggest", parse_later},
    {"collapse", parse_later},
    {"search_after", parse_later},
    {"pit", parse_later},
    {"slice", parse_later},
    {"terminate_after", parse_later},
    {"indices_boost", parse_later},
    {"stats", parse_later},
    {"ext", parse_later},
};

static qd_status parse_member(qd_parser *p, const char *key, size_t key_n, const json_t *v, qd_body *b)
{
    const qd_json_at *at = qd_at_key(p, NULL, (qd_str){key, key_n});
    if (!at)
        return qd_parse_nomem(p);
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++)
        if (strcmp(MEMBERS[i].name, key) == 0)
            return MEMBERS[i].parse(p, at, v, b);
    return qd_parse_fail(p, at, "unknown key [%.100s] in the search body", key);
}

static qd_status default_query(qd_parser *p, qd_body *b)
{
    if (b->query)
        return QD_OK;
    b->query = QD_NEW(p->arena, qd_node);
    if (!b->query)
        return qd_parse_nomem(p);
    b->query->type = QD_NODE_MATCH_ALL;
    b->query->boost = 1.0f;
    return QD_OK;
}

static qd_status check_window(qd_parser *p, const qd_body *b)
{
    if (b->from <= QD_MAX_RESULT_WINDOW && b->size <= QD_MAX_RESULT_WINDOW && b->from + b->size <= QD_MAX_RESULT_WINDOW)
        return QD_OK;
    size_t sum = b->from > SIZE_MAX - b->size ? SIZE_MAX : b->from + b->size;
    return qd_fail(p->err, QD_ELIMIT,
                   "Result window is too large, from + size must be less than or equal to: [%d] but was [%zu]",
                   QD_MAX_RESULT_WINDOW, sum);
}

static qd_status apply_url(qd_parser *p, const qd_search_request *rq, qd_body *b)
{
    if (rq->from >= 0)
        b->from = (size_t)rq->from;
    if (rq->size >= 0)
        b->size = (size_t)rq->size;
    if (rq->track_total_hits == 0)
        b->track_total = 0;
    else if (rq->track_total_hits == 1 ||
             (rq->track_total_hits < 0 && rq->rest_total_hits_as_int && b->track_total != 0))
        b->track_total = QD_TRACK_ALL; /* a plain number has no place for "at least" */
    else if (rq->track_total_hits >= 2)
        b->track_total = (uint64_t)rq->track_total_hits - 2;
    return check_window(p, b);
}

static const qd_body DEFAULTS = {.size = 10, .track_total = 10000, .timeout_ns = -1, .source = {.is_wanted = true}};

static qd_status check_object(qd_parser *p, const json_t *json)
{
    if (!json || json_is_object(json))
        return QD_OK;
    return qd_parse_fail(p, NULL, "the search body must be an object, got %s", qd_json_type_name(json));
}

qd_status qd_body_parse(qd_parser *p, const json_t *json, const qd_search_request *rq, qd_body *out)
{
    const char *key;
    size_t n;
    json_t *v;
    qd_body b = DEFAULTS;
    qd_status st = check_object(p, json);
    if (st != QD_OK)
        return st;
    json_object_keylen_foreach((json_t *)json, key, n, v)
    {
        st = parse_member(p, key, n, v, &b);
        if (st != QD_OK)
            return st;
    }
    st = default_query(p, &b);
    if (b.n_script_fields > 0 && !b.source.is_given)
        b.source.is_wanted = false; /* who computes fields has what it wants */
    if (st == QD_OK)
        st = apply_url(p, rq, &b);
    if (st == QD_OK)
        *out = b;
    return st;
}

qd_status qd_body_parse_count(qd_parser *p, const json_t *json, qd_body *out)
{
    const char *key;
    size_t n;
    json_t *v;
    qd_body b = DEFAULTS;
    b.size = 0;
    b.track_total = QD_TRACK_ALL;
    qd_status st = check_object(p, json);
    if (st != QD_OK)
        return st;
    json_object_keylen_foreach((json_t *)json, key, n, v)
    {
        if (strcmp(key, "query") != 0 && strcmp(key, "context") != 0) {
            const qd_json_at *at = qd_at_key(p, NULL, (qd_str){key, n});
            return qd_parse_fail(p, at, "request does not support [%.100s]", key);
        }
        st = parse_member(p, key, n, v, &b);
        if (st != QD_OK)
            return st;
    }
    st = default_query(p, &b);
    if (st == QD_OK)
        *out = b;
    return st;
}
