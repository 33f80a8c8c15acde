/* SPDX-License-Identifier: Apache-2.0
 * `sort` in a search body: "field", {"field": "desc"}, {"field": {…}}, and arrays of these. */
#include "query/body.h"

typedef struct sort_options {
    qd_str order, mode, unmapped_type;
    const json_t *missing;
} sort_options;

static const qd_option SORT_OPTIONS[] = {
    {"order", QD_OPT_STR, offsetof(sort_options, order)},
    {"mode", QD_OPT_STR, offsetof(sort_options, mode)},
    {"missing", QD_OPT_JSON, offsetof(sort_options, missing)},
    {"unmapped_type", QD_OPT_STR, offsetof(sort_options, unmapped_type)},
    {"nested", QD_OPT_NOT_YET, 0},
    {"numeric_type", QD_OPT_NOT_YET, 0},
    {"format", QD_OPT_NOT_YET, 0},
    {NULL, 0, 0},
};

static qd_status parse_order(qd_parser *p, const qd_json_at *at, qd_str order, bool *is_desc)
{
    static const char *const ORDERS[] = {"asc", "ASC", "desc", "DESC", NULL};
    int i = qd_parse_word(order, ORDERS);
    if (i < 0)
        return qd_parse_fail(p, at, "[sort] order [%.*s]: expected asc or desc", QD_STR_FMT(order));
    *is_desc = i >= 2;
    return QD_OK;
}

static qd_status parse_mode(qd_parser *p, const qd_json_at *at, qd_str mode, bool *takes_max)
{
    static const char *const MODES[] = {"min", "max", "sum", "avg", "median", NULL};
    int i = qd_parse_word(mode, MODES);
    if (i < 0)
        return qd_parse_fail(p, at, "Unknown SortMode [%.*s]", QD_STR_FMT(mode));
    if (i > 1)
        return qd_parse_fail(p, at, "[sort] mode [%.*s] is not supported yet: use min or max", QD_STR_FMT(mode));
    *takes_max = i == 1;
    return QD_OK;
}

static qd_status parse_missing(qd_parser *p, const qd_json_at *at, const json_t *v, qd_sort_spec *s)
{
    const char *word = json_string_value(v);
    s->missing = QD_MISSING_VALUE;
    if (word && strcmp(word, "_last") == 0)
        s->missing = QD_MISSING_LAST;
    else if (word && strcmp(word, "_first") == 0)
        s->missing = QD_MISSING_FIRST;
    else if (!json_is_string(v) && !json_is_number(v) && !json_is_boolean(v))
        return qd_parse_fail(p, at, "[sort] missing: expected _last, _first or a value, got %s", qd_json_type_name(v));
    s->missing_value = v;
    return QD_OK;
}

static qd_status parse_sort_object(qd_parser *p, const qd_json_at *at, const json_t *v, qd_sort_spec *s)
{
    sort_options o = {0};
    qd_status st = qd_parse_options(p, at, "sort", v, SORT_OPTIONS, &o, NULL);
    if (st == QD_OK && o.order.p)
        st = parse_order(p, at, o.order, &s->is_desc);
    s->takes_max = s->is_desc;
    if (st == QD_OK && o.mode.p)
        st = parse_mode(p, at, o.mode, &s->takes_max);
    if (st == QD_OK && o.missing)
        st = parse_missing(p, at, o.missing, s);
    s->unmapped_type = o.unmapped_type;
    return st;
}

typedef struct script_options {
    qd_str type, order;
    const json_t *script, *wasm_udf;
} script_options;

static const qd_option SCRIPT_OPTIONS[] = {
    {"type", QD_OPT_STR, offsetof(script_options, type)},
    {"order", QD_OPT_STR, offsetof(script_options, order)},
    {"script", QD_OPT_JSON, offsetof(script_options, script)},
    {"wasm_udf", QD_OPT_JSON, offsetof(script_options, wasm_udf)},
    {"mode", QD_OPT_NOT_YET, 0},
    {"nested", QD_OPT_NOT_YET, 0},
    {NULL, 0, 0},
};

/* {"_script": {"type": "number", "script" or "wasm_udf", "order"?}}: what a function gives for each document. */
static qd_status parse_script_key(qd_parser *p, const qd_json_at *at, const json_t *v, qd_sort_spec *s)
{
    script_options o = {0};
    qd_status st = qd_parse_options(p, at, "_script", v, SCRIPT_OPTIONS, &o, NULL);
    if (st == QD_OK && o.order.p)
        st = parse_order(p, at, o.order, &s->is_desc);
    if (st != QD_OK)
        return st;
    s->by = QD_SORT_BY_SCRIPT;
    if (!qd_str_is(o.type, "number"))
        return qd_parse_fail(p, at, "[_script] sort of type [%.*s]: expected [number]; others are not supported yet",
                             QD_STR_FMT(o.type));
    if (!o.script == !o.wasm_udf)
        return qd_parse_fail(p, at, "[_script] sort requires either a [script] or a [wasm_udf]");
    if (o.script)
        return qd_parse_script_use(p, at, "_script", o.script, QD_PLACE_SORT, &s->use);
    const qd_json_at *at_udf = qd_at_key(p, at, QD_STR("wasm_udf"));
    return at_udf ? qd_parse_use(p, at_udf, "wasm_udf", o.wasm_udf, QD_PLACE_SORT, &s->use) : qd_parse_nomem(p);
}

/* `v` NULL: the field's name alone. */
static qd_status parse_sort_key(qd_parser *p, const qd_json_at *at, qd_str field, const json_t *v, qd_body *b)
{
    if (b->n_sort == QD_MAX_SORT_KEYS)
        return qd_parse_fail(p, at, "[sort] has more than [%d] keys", QD_MAX_SORT_KEYS);
    qd_sort_spec *s = &b->sort[b->n_sort++];
    s->at = at;
    s->field = field;
    s->by = qd_str_is(field, "_score") ? QD_SORT_BY_SCORE
            : qd_str_is(field, "_doc") ? QD_SORT_BY_DOC
                                       : QD_SORT_BY_FIELD;
    s->is_desc = s->by == QD_SORT_BY_SCORE;
    s->takes_max = s->is_desc;
    if (qd_str_is(field, "_script") && json_is_object(v))
        return parse_script_key(p, at, v, s);
    if (qd_str_is(field, "_script"))
        return qd_parse_fail(p, at, "[sort] by [_script] expects an object with [type] and [script]");
    if (qd_str_is(field, "_geo_distance"))
        return qd_parse_fail(p, at, "[sort] by [%.*s] is not supported yet", QD_STR_FMT(field));
    if (!v)
        return QD_OK;
    if (!json_is_string(v))
        return parse_sort_object(p, at, v, s);
    qd_status st = parse_order(p, at, (qd_str){json_string_value(v), json_string_length(v)}, &s->is_desc);
    s->takes_max = s->is_desc;
    return st;
}

static qd_status parse_sort_item(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    if (json_is_string(v))
        return parse_sort_key(p, at, (qd_str){json_string_value(v), json_string_length(v)}, NULL, b);
    if (!json_is_object(v))
        return qd_parse_fail(
            p, at, "malformed sort format, within the sort array, an object, or an actual string are allowed, got %s",
            qd_json_type_name(v));
    const char *key;
    size_t n;
    json_t *member;
    json_object_keylen_foreach((json_t *)v, key, n, member)
    {
        const qd_json_at *at_key = qd_at_key(p, at, (qd_str){key, n});
        if (!at_key)
            return qd_parse_nomem(p);
        qd_status st = parse_sort_key(p, at_key, (qd_str){key, n}, member, b);
        if (st != QD_OK)
            return st;
    }
    return QD_OK;
}

qd_status qd_body_parse_sort(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    b->sort = qd_arena_array(p->arena, QD_MAX_SORT_KEYS, sizeof *b->sort);
    if (!b->sort)
        return qd_parse_nomem(p);
    qd_status st = QD_OK;
    if (!json_is_array(v))
        st = parse_sort_item(p, at, v, b);
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v) && st == QD_OK; i++) {
        const qd_json_at *at_item = qd_at_index(p, at, i);
        st = at_item ? parse_sort_item(p, at_item, json_array_get(v, i), b) : qd_parse_nomem(p);
    }
    /* By score, best first, is what happens without a sort. */
    if (st == QD_OK && b->n_sort == 1 && b->sort[0].by == QD_SORT_BY_SCORE && b->sort[0].is_desc)
        b->n_sort = 0;
    return st;
}
