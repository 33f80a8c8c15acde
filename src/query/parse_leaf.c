/* SPDX-License-Identifier: Apache-2.0
 * match_all, match_none, term, terms, range, exists, ids. */
#include "query/parse.h"

static const qd_option NO_OPTIONS[] = {{NULL, 0, 0}};

qd_status qd_parse_match_all(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    return qd_parse_options(p, at, "match_all", body, NO_OPTIONS, NULL, &node->boost);
}

qd_status qd_parse_match_none(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    return qd_parse_options(p, at, "match_none", body, NO_OPTIONS, NULL, &node->boost);
}

static bool is_scalar(const json_t *v)
{
    return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static const qd_option TERM_OPTIONS[] = {
    {"value", QD_OPT_JSON, 0},
    {"case_insensitive", QD_OPT_NOT_YET, 0},
    {NULL, 0, 0},
};

qd_status qd_parse_term(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    const json_t *v = NULL, *value = NULL;
    const qd_json_at *at_value = at;
    qd_status st = qd_parse_one_field(p, at, "term", body, &node->as.term.field, &v, &at_value);
    if (st != QD_OK)
        return st;
    if (json_is_object(v)) {
        st = qd_parse_options(p, at_value, "term", v, TERM_OPTIONS, &value, &node->boost);
        if (st != QD_OK)
            return st;
    } else {
        value = v;
    }
    if (json_is_array(value))
        return qd_parse_fail(p, at_value, "[term] query does not support array of values");
    if (!value || !is_scalar(value))
        return qd_parse_fail(p, at_value, "[term] field [%.*s]: value cannot be %s", QD_STR_FMT(node->as.term.field),
                             qd_json_type_name(value));
    node->as.term.value = value;
    return QD_OK;
}

#define MAX_TERMS 65536

static qd_status check_values(qd_parser *p, const qd_json_at *at, const char *clause, const json_t *array)
{
    if (json_array_size(array) > MAX_TERMS)
        return qd_parse_fail(
            p, at, "[%s] has [%zu] values, more than the allowed maximum of [%d] set by [index.max_terms_count]",
            clause, json_array_size(array), MAX_TERMS);
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (is_scalar(json_array_get(array, i)))
            continue;
        const qd_json_at *at_item = qd_at_index(p, at, i);
        return qd_parse_fail(p, at_item ? at_item : at, "[%s] values cannot be %s", clause,
                             qd_json_type_name(json_array_get(array, i)));
    }
    return QD_OK;
}

qd_status qd_parse_terms(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    const char *key;
    size_t n;
    json_t *v;
    if (!json_is_object(body))
        return qd_parse_fail(p, at, "[terms] query malformed, no start_object after query name");
    /* The boost stands beside the field here. */
    json_object_keylen_foreach((json_t *)body, key, n, v)
    {
        const qd_json_at *at_key = qd_at_key(p, at, (qd_str){key, n});
        if (!at_key)
            return qd_parse_nomem(p);
        if (strcmp(key, "boost") == 0) {
            json_t *one = json_pack("{s:O}", "boost", v);
            if (!one)
                return qd_parse_nomem(p);
            qd_status st = qd_parse_options(p, at, "terms", one, NO_OPTIONS, NULL, &node->boost);
            json_decref(one);
            if (st != QD_OK)
                return st;
            continue;
        }
        if (node->as.term.value)
            return qd_parse_fail(p, at_key, "[terms] query does not support multiple fields");
        if (json_is_object(v))
            return qd_parse_fail(p, at_key, "[terms] a look-up of terms in another document is not supported yet");
        if (!json_is_array(v))
            return qd_parse_fail(p, at_key, "[terms] field [%.100s]: expected an array of values, got %s", key,
                                 qd_json_type_name(v));
        qd_status st = check_values(p, at_key, "terms", v);
        if (st != QD_OK)
            return st;
        node->as.term.field = (qd_str){key, n};
        node->as.term.value = v;
    }
    if (!node->as.term.value)
        return qd_parse_fail(p, at, "[terms] query requires a field name, followed by array of terms");
    return QD_OK;
}

typedef struct range_options {
    const json_t *gte, *gt, *lte, *lt;
    qd_str format;
} range_options;

static const qd_option RANGE_OPTIONS[] = {
    {"gte", QD_OPT_JSON, offsetof(range_options, gte)},
    {"gt", QD_OPT_JSON, offsetof(range_options, gt)},
    {"lte", QD_OPT_JSON, offsetof(range_options, lte)},
    {"lt", QD_OPT_JSON, offsetof(range_options, lt)},
    {"format", QD_OPT_STR, offsetof(range_options, format)},
    {"time_zone", QD_OPT_NOT_YET, 0},
    {"relation", QD_OPT_NOT_YET, 0},
    {"from", QD_OPT_NOT_YET, 0},
    {"to", QD_OPT_NOT_YET, 0},
    {"include_lower", QD_OPT_NOT_YET, 0},
    {"include_upper", QD_OPT_NOT_YET, 0},
    {NULL, 0, 0},
};

/* null is an open end, as in OpenSearch. */
static const json_t *bound(const json_t *inclusive, const json_t *exclusive, bool *is_inclusive)
{
    const json_t *v = exclusive ? exclusive : inclusive;
    *is_inclusive = !exclusive;
    return json_is_null(v) ? NULL : v;
}

qd_status qd_parse_range(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    static const char *const FORMATS[] = {"strict_date_optional_time||epoch_millis",
                                          "strict_date_optional_time",
                                          "date_optional_time",
                                          "epoch_millis",
                                          "yyyy-MM-dd",
                                          NULL};
    qd_range_node *r = &node->as.range;
    const json_t *v = NULL;
    const qd_json_at *at_value = at;
    range_options o = {0};
    qd_status st = qd_parse_one_field(p, at, "range", body, &r->field, &v, &at_value);
    if (st == QD_OK)
        st = qd_parse_options(p, at_value, "range", v, RANGE_OPTIONS, &o, &node->boost);
    if (st != QD_OK)
        return st;
    if (o.format.n && qd_parse_word(o.format, FORMATS) < 0)
        return qd_parse_fail(
            p, at_value, "[range] format [%.*s] is not supported yet: use strict_date_optional_time or epoch_millis",
            QD_STR_FMT(o.format));
    if ((o.gt && o.gte) || (o.lt && o.lte))
        return qd_parse_fail(p, at_value, "[range] field [%.*s]: give one lower and one upper bound, not both of %s",
                             QD_STR_FMT(r->field), o.gt && o.gte ? "gt and gte" : "lt and lte");
    r->lower = bound(o.gte, o.gt, &r->lower_inclusive);
    r->upper = bound(o.lte, o.lt, &r->upper_inclusive);
    if ((r->lower && !is_scalar(r->lower)) || (r->upper && !is_scalar(r->upper)))
        return qd_parse_fail(p, at_value, "[range] field [%.*s]: a bound is a string or a number",
                             QD_STR_FMT(r->field));
    return QD_OK;
}

qd_status qd_parse_exists(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    static const qd_option OPTIONS[] = {{"field", QD_OPT_STR, 0}, {NULL, 0, 0}};
    qd_status st = qd_parse_options(p, at, "exists", body, OPTIONS, &node->as.exists, &node->boost);
    if (st == QD_OK && node->as.exists.n == 0)
        return qd_parse_fail(p, at, "[exists] must be provided with a [field]");
    return st;
}

qd_status qd_parse_ids(qd_parser *p, const qd_json_at *at, const json_t *body, qd_node *node)
{
    static const qd_option OPTIONS[] = {{"values", QD_OPT_JSON, 0}, {NULL, 0, 0}};
    const json_t *values = NULL;
    qd_status st = qd_parse_options(p, at, "ids", body, OPTIONS, &values, &node->boost);
    if (st != QD_OK)
        return st;
    node->as.term.value = values;
    if (values && !json_is_array(values))
        return qd_parse_fail(p, at, "[ids] [values] expects an array of ids, got %s", qd_json_type_name(values));
    return values ? check_values(p, at, "ids", values) : QD_OK;
}
