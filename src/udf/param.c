/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/param.h"

#include <math.h>
#include <stdio.h>

#include "base/number.h"

#define MAX_PARAMS     64
#define MAX_NAME_BYTES 64
#define MAX_PATH_BYTES 256

/* ---- values ---- */

bool qd_param_convert(qd_type type, qd_value v, qd_value *out)
{
    qd_value got = {0};
    bool ok = false;
    switch (type) {
    case QD_BOOL:
        got.type = QD_BOOL;
        ok = qd_value_to_bool(v, &got.as.b);
        break;
    case QD_I32:
    case QD_I64:
        got.type = QD_I64;
        ok = qd_value_to_i64(v, &got.as.i) && (type == QD_I64 || (got.as.i >= INT32_MIN && got.as.i <= INT32_MAX));
        break;
    case QD_F64:
        got.type = QD_F64;
        ok = qd_value_to_f64(v, &got.as.f);
        break;
    case QD_F32:
        got.type = QD_F64;
        ok = qd_value_to_f64(v, &got.as.f) && !(isfinite(got.as.f) && isinf((float)got.as.f));
        if (ok)
            got.as.f = (double)(float)got.as.f;
        break;
    case QD_STRING:
        got = v;
        ok = v.type == QD_STRING;
        break;
    default:
        break;
    }
    if (ok)
        *out = got;
    return ok;
}

const char *qd_param_expected(qd_type type)
{
    static const char *const TEXTS[] = {
        [QD_NULL] = "a value",
        [QD_BOOL] = "true or false",
        [QD_I64] = "a 64-bit integer",
        [QD_F64] = "a number",
        [QD_STRING] = "a string",
        [QD_I32] = "a 32-bit integer",
        [QD_F32] = "a number that fits 32 bits",
    };
    return (size_t)type < sizeof TEXTS / sizeof *TEXTS ? TEXTS[type] : "a value";
}

const char *qd_number_text(double v, char out[QD_NUMBER_TEXT_SIZE])
{
    if (isnan(v))
        snprintf(out, QD_NUMBER_TEXT_SIZE, "NaN");
    else if (isinf(v))
        snprintf(out, QD_NUMBER_TEXT_SIZE, "%s", v > 0 ? "infinity" : "-infinity");
    else
        out[qd_number_f64(v, out)] = 0;
    return out;
}

/* ---- references ---- */

static const struct {
    const char *prefix;
    qd_ref_kind kind;
} PATH_REFS[] = {{"_source", QD_REF_FIELD}, {"_context", QD_REF_CONTEXT}};

/* "_source.a.b" and the like; *is_ref false for every other text. */
static qd_status parse_path_ref(qd_str s, const char *where, qd_arena *arena, qd_ref *out, bool *is_ref, qd_error *err)
{
    *is_ref = false;
    for (size_t i = 0; i < sizeof PATH_REFS / sizeof *PATH_REFS; i++) {
        size_t n = strlen(PATH_REFS[i].prefix);
        if (!qd_str_starts(s, PATH_REFS[i].prefix) || (s.n > n && s.p[n] != '.'))
            continue;
        qd_str path = s.n > n ? (qd_str){s.p + n + 1, s.n - n - 1} : (qd_str){"", 0};
        if (path.n == 0 || path.n > MAX_PATH_BYTES || path.p[0] == '.' || path.p[path.n - 1] == '.')
            return qd_fail_field(err, QD_EUDF_PARAMS, where,
                                 "%s: '%.*s' names nothing; expected '%s.' and a path of at most %d bytes", where,
                                 QD_STR_FMT(s), PATH_REFS[i].prefix, MAX_PATH_BYTES);
        out->kind = PATH_REFS[i].kind;
        out->path = qd_arena_str(arena, path);
        *is_ref = true;
        return out->path.p ? QD_OK : qd_fail_nomem(err);
    }
    return QD_OK;
}

static qd_status parse_text_ref(qd_str s, const char *where, qd_arena *arena, qd_ref *out, qd_error *err)
{
    bool is_ref;
    qd_status st = parse_path_ref(s, where, arena, out, &is_ref, err);
    if (st != QD_OK || is_ref)
        return st;
    if (qd_str_is(s, "_score") || qd_str_is(s, "_id")) {
        out->kind = qd_str_is(s, "_id") ? QD_REF_ID : QD_REF_SCORE;
        return QD_OK;
    }
    out->kind = QD_REF_CONSTANT;
    out->constant.type = QD_STRING;
    out->constant.as.s = qd_arena_str(arena, s);
    return out->constant.as.s.p ? QD_OK : qd_fail_nomem(err);
}

qd_status qd_ref_parse(const json_t *v, const char *where, qd_arena *arena, qd_ref *out, qd_error *err)
{
    qd_ref ref = {.kind = QD_REF_CONSTANT};
    qd_status st = QD_OK;
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_STRING:
        st = parse_text_ref((qd_str){json_string_value(v), json_string_length(v)}, where, arena, &ref, err);
        break;
    case JSON_INTEGER:
        ref.constant = (qd_value){.type = QD_I64, .as.i = json_integer_value(v)};
        break;
    case JSON_REAL:
        ref.constant = (qd_value){.type = QD_F64, .as.f = json_real_value(v)};
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        ref.constant = (qd_value){.type = QD_BOOL, .as.b = json_is_true(v)};
        break;
    case JSON_NULL:
        break;
    default:
        st = qd_fail_field(err, QD_EUDF_PARAMS, where, "%s: expected a string, a number, true or false, got %s", where,
                           qd_json_type_name(v));
    }
    if (st == QD_OK)
        *out = ref;
    return st;
}

bool qd_ref_fits(const qd_ref *ref, qd_type type)
{
    if (ref->kind == QD_REF_SCORE)
        return type != QD_STRING && type != QD_BOOL;
    return ref->kind != QD_REF_ID || type == QD_STRING;
}

/* ---- declarations ---- */

static const char *const MEMBERS[] = {"name", "type", "required", "default", "from", "description", NULL};

typedef struct place {
    qd_arena *arena;
    const json_t *obj;
    char where[32]; /* "parameters[1]" */
    qd_error *err;
} place;

static qd_status fail_member(const place *p, const char *member, const char *expected)
{
    char field[96], got[128];
    snprintf(field, sizeof field, "%s.%s", p->where, member);
    qd_json_describe(json_object_get(p->obj, member), got, sizeof got);
    return qd_fail_field(p->err, QD_EUDF_PARAMS, field, "manifest field '%s': expected %s, got %s", field, expected,
                         got);
}

static bool is_param_name(qd_str s)
{
    if (s.n == 0 || s.n > MAX_NAME_BYTES)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

static qd_status parse_text(const place *p, const char *member, qd_str *out)
{
    const json_t *v = json_object_get(p->obj, member);
    if (!v)
        return QD_OK;
    if (!json_is_string(v))
        return fail_member(p, member, "a string");
    *out = qd_arena_str(p->arena, (qd_str){json_string_value(v), json_string_length(v)});
    return out->p ? QD_OK : qd_fail_nomem(p->err);
}

/* `default` and `from`: a constant of the declared type or a reference that can give one. */
static qd_status parse_value(const place *p, const char *member, qd_type type, qd_ref *out)
{
    char field[96];
    const json_t *v = json_object_get(p->obj, member);
    if (!v)
        return QD_OK;
    snprintf(field, sizeof field, "%s.%s", p->where, member);
    qd_status st = qd_ref_parse(v, field, p->arena, out, p->err);
    if (st != QD_OK)
        return st;
    if (!qd_ref_fits(out, type))
        return fail_member(p, member, qd_param_expected(type));
    if (out->kind != QD_REF_CONSTANT)
        return QD_OK;
    /* A declared default is written by the author, who can write an integer where one is meant. */
    bool is_rough = (type == QD_I32 || type == QD_I64) && out->constant.type != QD_I64;
    if (is_rough || !qd_param_convert(type, out->constant, &out->constant))
        return fail_member(p, member, qd_param_expected(type));
    return QD_OK;
}

static qd_status parse_param(const place *p, qd_udf_param *out)
{
    qd_str type = {0};
    const json_t *required = json_object_get(p->obj, "required");
    if (!json_is_object(p->obj))
        return qd_fail_field(p->err, QD_EUDF_PARAMS, p->where, "manifest field '%s': expected an object, got %s",
                             p->where, qd_json_type_name(p->obj));
    char manifest_where[64];
    snprintf(manifest_where, sizeof manifest_where, "manifest field '%s'", p->where);
    qd_status st = qd_json_only(p->obj, manifest_where, MEMBERS, QD_EUDF_PARAMS, p->err);
    if (st != QD_OK) {
        if (p->err)
            snprintf(p->err->field, sizeof p->err->field, "%s", p->where);
        return st;
    }
    st = parse_text(p, "name", &out->name);
    if (st == QD_OK)
        st = parse_text(p, "type", &type);
    if (st == QD_OK)
        st = parse_text(p, "description", &out->description);
    if (st != QD_OK)
        return st;
    if (!is_param_name(out->name))
        return fail_member(p, "name", "a letter or '_', then letters, digits and '_', 64 bytes at most");
    if (!qd_type_parse(type, &out->type))
        return fail_member(p, "type", "one of bool, i32, i64, f32, f64, string");
    if (required && !json_is_boolean(required))
        return fail_member(p, "required", "true or false");
    out->required = json_is_true(required);
    st = parse_value(p, "from", out->type, &out->from);
    return st == QD_OK ? parse_value(p, "default", out->type, &out->default_value) : st;
}

qd_status qd_params_parse(const json_t *v, qd_arena *arena, qd_udf_param **out, size_t *n, qd_error *err)
{
    place p = {.arena = arena, .err = err};
    size_t count = json_array_size(v);
    if (!json_is_array(v))
        return qd_fail_field(err, QD_EUDF_PARAMS, "parameters",
                             "manifest field 'parameters': expected an array, got %s", qd_json_type_name(v));
    if (count > MAX_PARAMS)
        return qd_fail_field(err, QD_EUDF_PARAMS, "parameters", "manifest field 'parameters': %zu of them, at most %d",
                             count, MAX_PARAMS);
    qd_udf_param *params = qd_arena_array(arena, count, sizeof *params);
    if (!params)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < count; i++) {
        p.obj = json_array_get(v, i);
        snprintf(p.where, sizeof p.where, "parameters[%zu]", i);
        qd_status st = parse_param(&p, &params[i]);
        if (st != QD_OK)
            return st;
        for (size_t k = 0; k < i; k++) {
            char field[64];
            if (!qd_str_eq(params[k].name, params[i].name))
                continue;
            snprintf(field, sizeof field, "%s.name", p.where);
            return qd_fail_field(err, QD_EUDF_PARAMS, field, "manifest field '%s': there is another parameter '%.*s'",
                                 field, QD_STR_FMT(params[i].name));
        }
    }
    *out = params;
    *n = count;
    return QD_OK;
}
