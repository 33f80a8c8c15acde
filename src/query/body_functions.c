/* SPDX-License-Identifier: Apache-2.0
 * Functions beside the query in a search body: `aggs` and `script_fields`. */
#include "query/body.h"

#define MAX_AGGREGATIONS 64

typedef qd_status item_parser(qd_parser *p, const qd_json_at *at, const json_t *v, qd_named_use *out);

/* {NAME: {…}, …}, each with a handler's reading of it. */
static qd_status parse_items(qd_parser *p, const qd_json_at *at, const json_t *v, item_parser *parse,
                             qd_named_use **out, size_t *n_out)
{
    const char *key;
    size_t key_n, n = 0;
    json_t *item;
    qd_named_use *items = qd_arena_array(p->arena, json_object_size(v) + 1, sizeof *items);
    if (!items)
        return qd_parse_nomem(p);
    json_object_keylen_foreach((json_t *)v, key, key_n, item)
    {
        const qd_json_at *at_item = qd_at_key(p, at, (qd_str){key, key_n});
        if (!at_item)
            return qd_parse_nomem(p);
        items[n].name = (qd_str){key, key_n};
        if (!json_is_object(item))
            return qd_parse_fail(p, at_item, "[%.*s] [%.100s] expects an object, got %s", QD_STR_FMT(at->key), key,
                                 qd_json_type_name(item));
        qd_status st = parse(p, at_item, item, &items[n++]);
        if (st != QD_OK)
            return st;
    }
    *out = items;
    *n_out = n;
    return QD_OK;
}

/* ---- aggregations ---- */

static qd_status check_name(qd_parser *p, const qd_json_at *at, qd_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (strchr("[]>", name.p[i]))
            return qd_parse_fail(p, at,
                                 "Invalid aggregation name [%.*s]. Aggregation names can contain any character except "
                                 "'[', ']', and '>'",
                                 QD_STR_FMT(name));
    return QD_OK;
}

static qd_status parse_agg(qd_parser *p, const qd_json_at *at, const json_t *v, qd_named_use *out)
{
    const char *type;
    json_t *body;
    qd_status st = check_name(p, at, out->name);
    if (st != QD_OK)
        return st;
    json_object_foreach ((json_t *)v, type, body) {
        const qd_json_at *at_type = qd_at_key(p, at, qd_str_of(type));
        if (!at_type)
            return qd_parse_nomem(p);
        if (strcmp(type, "wasm_udf") != 0)
            return qd_parse_fail(p, at_type,
                                 "[%.100s] is not supported in an aggregation: there is [wasm_udf], a registered "
                                 "function of kind aggregate; others come later",
                                 type);
        st = qd_parse_use(p, at_type, "wasm_udf", body, QD_PLACE_AGGREGATION, &out->use);
        if (st != QD_OK)
            return st;
        if (out->use->on_error == QD_ON_ERROR_DEFAULT)
            return qd_parse_fail(p, at_type,
                                 "[wasm_udf] [on_error] is [default]: an aggregation fails, or skips the documents "
                                 "that fail");
    }
    return out->use ? QD_OK
                    : qd_parse_fail(p, at, "Missing definition for aggregation [%.*s]: it needs [wasm_udf]",
                                    QD_STR_FMT(out->name));
}

qd_status qd_body_parse_aggs(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    if (!json_is_object(v))
        return qd_parse_fail(p, at, "[%.*s] expects an object, got %s", QD_STR_FMT(at->key), qd_json_type_name(v));
    if (b->aggs)
        return qd_parse_fail(p, at, "[aggs] and [aggregations] are the same: give one");
    if (json_object_size(v) > MAX_AGGREGATIONS)
        return qd_parse_fail(p, at, "[%.*s] has [%zu] aggregations, more than [%d]", QD_STR_FMT(at->key),
                             json_object_size(v), MAX_AGGREGATIONS);
    return parse_items(p, at, v, parse_agg, &b->aggs, &b->n_aggs);
}

/* ---- script_fields ---- */

typedef struct field_options {
    const json_t *script, *wasm_udf;
    bool ignore_failure;
} field_options;

static const qd_option FIELD_OPTIONS[] = {
    {"script", QD_OPT_JSON, offsetof(field_options, script)},
    {"wasm_udf", QD_OPT_JSON, offsetof(field_options, wasm_udf)},
    {"ignore_failure", QD_OPT_BOOL, offsetof(field_options, ignore_failure)},
    {NULL, 0, 0},
};

static qd_status parse_field(qd_parser *p, const qd_json_at *at, const json_t *v, qd_named_use *out)
{
    field_options o = {0};
    qd_status st = qd_parse_options(p, at, "script_fields", v, FIELD_OPTIONS, &o, NULL);
    if (st != QD_OK)
        return st;
    if (!o.script == !o.wasm_udf)
        return qd_parse_fail(p, at, "[script_fields] [%.*s] requires either a [script] or a [wasm_udf]",
                             QD_STR_FMT(out->name));
    if (o.script) {
        st = qd_parse_script_use(p, at, "script_fields", o.script, QD_PLACE_FIELD, &out->use);
    } else {
        const qd_json_at *at_udf = qd_at_key(p, at, QD_STR("wasm_udf"));
        st = at_udf ? qd_parse_use(p, at_udf, "wasm_udf", o.wasm_udf, QD_PLACE_FIELD, &out->use) : qd_parse_nomem(p);
    }
    if (st == QD_OK && o.ignore_failure)
        out->use->on_error = QD_ON_ERROR_SKIP;
    return st;
}

qd_status qd_body_parse_script_fields(qd_parser *p, const qd_json_at *at, const json_t *v, qd_body *b)
{
    if (!json_is_object(v))
        return qd_parse_fail(p, at, "[script_fields] expects an object, got %s", qd_json_type_name(v));
    if (json_object_size(v) > QD_MAX_SCRIPT_FIELDS)
        return qd_parse_fail(p, at,
                             "Trying to retrieve too many script_fields. Must be less than or equal to: [%d] but was "
                             "[%zu]",
                             QD_MAX_SCRIPT_FIELDS, json_object_size(v));
    return parse_items(p, at, v, parse_field, &b->script_fields, &b->n_script_fields);
}
