/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsing a manifest: one table of fields, from which the known names, their checks and their places come. What needs
 * the module as well (kind and abi by signature) is in manifest_fit.c, parameters are in param.c. */
#include "udf/manifest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "udf/param.h"
#include "udf/semver_range.h"

#define MAX_MANIFEST_BYTES  (64u << 10)
#define MAX_NAME_BYTES      64
#define MAX_TAGS            64
#define DEFAULT_PERMISSIONS (QD_PERM_READ_DOCUMENT | QD_PERM_READ_SCORE | QD_PERM_LOG)

typedef struct field field;

typedef struct parser {
    qd_manifest *m;
    const field *f;
    qd_error *err;
} parser;

struct field {
    const char *name;
    qd_status (*parse)(const parser *p, const json_t *v);
    size_t offset;    /* of the member of qd_manifest that generic parsers fill */
    size_t max_bytes; /* texts */
};

static qd_status fail_value(const parser *p, const json_t *v, const char *expected)
{
    char got[128];
    qd_json_describe(v, got, sizeof got);
    return qd_fail_field(p->err, QD_EUDF_PARAMS, p->f->name, "manifest field '%s': expected %s, got %s", p->f->name,
                         expected, got);
}

static qd_str text_of(const json_t *v)
{
    return (qd_str){json_string_value(v), json_string_length(v)};
}

static void name_field(qd_error *err, const char *path)
{
    if (err)
        snprintf(err->field, sizeof err->field, "%s", path);
}

/* Refuses members of a field's object that are not known; the error's field is their whole path. */
static qd_status only_members(const parser *p, const json_t *obj, const char *const *members)
{
    char where[128], path[96];
    snprintf(where, sizeof where, "manifest field '%s'", p->f->name);
    qd_status st = qd_json_only(obj, where, members, QD_EUDF_PARAMS, p->err);
    if (st != QD_OK && p->err) {
        snprintf(path, sizeof path, "%.30s.%.60s", p->f->name, p->err->field);
        snprintf(where, sizeof where, "manifest field '%s'", path);
        (void)qd_json_only(obj, where, members, QD_EUDF_PARAMS, p->err);
        name_field(p->err, path);
    }
    return st;
}

static void *member_of(const parser *p)
{
    return (char *)p->m + p->f->offset;
}

/* ---- generic parsers ---- */

static qd_status parse_text(const parser *p, const json_t *v)
{
    char expected[64];
    qd_str *out = member_of(p);
    snprintf(expected, sizeof expected, "a string of at most %zu bytes", p->f->max_bytes);
    if (!json_is_string(v) || json_string_length(v) > p->f->max_bytes)
        return fail_value(p, v, expected);
    *out = qd_arena_str(p->m->arena, text_of(v));
    return out->p ? QD_OK : qd_fail_nomem(p->err);
}

static qd_status parse_bool(const parser *p, const json_t *v)
{
    bool *out = member_of(p);
    if (!json_is_boolean(v))
        return fail_value(p, v, "true or false");
    *out = json_is_true(v);
    return QD_OK;
}

/* For people only: checked, and kept in the JSON. */
static qd_status parse_amount(const parser *p, const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0 ? QD_OK : fail_value(p, v, "an integer, 0 or more");
}

static qd_status parse_map(const parser *p, const json_t *v)
{
    return json_is_object(v) ? QD_OK : fail_value(p, v, "an object");
}

/* ---- one parser per field that has rules of its own ---- */

static bool is_name(qd_str s)
{
    bool ok = s.n > 0 && s.n <= MAX_NAME_BYTES && s.p[0] >= 'a' && s.p[0] <= 'z';
    for (size_t i = 0; ok && i < s.n; i++)
        ok = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_';
    return ok;
}

static qd_status parse_name(const parser *p, const json_t *v)
{
    return json_is_string(v) && is_name(text_of(v))
               ? parse_text(p, v)
               : fail_value(p, v, "a lower-case letter, then lower-case letters, digits and '_', 64 bytes at most");
}

static qd_status parse_version(const parser *p, const json_t *v)
{
    qd_semver ignored;
    if (!json_is_string(v) || !qd_semver_parse(text_of(v), &ignored))
        return fail_value(p, v, "a semantic version such as 1.2.3 (semver.org 2.0.0, 64 bytes at most)");
    return parse_text(p, v);
}

static qd_status parse_function_name(const parser *p, const json_t *v)
{
    if (json_is_string(v) && json_string_length(v) == 0)
        return fail_value(p, v, "the name of an exported function");
    return parse_text(p, v);
}

static const char *const KINDS[] = {
    [QD_KIND_UNSET] = "unset",         [QD_KIND_FILTER] = "filter",       [QD_KIND_SCORE] = "score",
    [QD_KIND_TRANSFORM] = "transform", [QD_KIND_AGGREGATE] = "aggregate",
};
static const char *const ABIS[] = {
    [QD_ABI_UNSET] = "unset",   [QD_ABI_ROW] = "row",     [QD_ABI_TYPED] = "typed",
    [QD_ABI_HANDLE] = "handle", [QD_ABI_BATCH] = "batch",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

const char *qd_udf_kind_name(qd_udf_kind k)
{
    return (size_t)k < COUNT(KINDS) ? KINDS[k] : "unknown";
}

const char *qd_udf_abi_name(qd_udf_abi a)
{
    return (size_t)a < COUNT(ABIS) ? ABIS[a] : "unknown";
}

/* The position of a text in a list whose first entry means "unset"; 0 when it is none of them. */
static size_t find_word(const json_t *v, const char *const *words, size_t n)
{
    for (size_t i = 1; json_is_string(v) && i < n; i++)
        if (qd_str_is(text_of(v), words[i]))
            return i;
    return 0;
}

static qd_status parse_kind(const parser *p, const json_t *v)
{
    size_t kind = find_word(v, KINDS, COUNT(KINDS));
    if (kind == 0)
        return fail_value(p, v, "one of filter, score, transform, aggregate");
    p->m->kind = (qd_udf_kind)kind;
    return QD_OK;
}

static qd_status parse_abi(const parser *p, const json_t *v)
{
    size_t abi = find_word(v, ABIS, COUNT(ABIS));
    if (abi == 0)
        return fail_value(p, v, "one of row, typed, handle, batch");
    p->m->abi = (qd_udf_abi)abi;
    return QD_OK;
}

static qd_status parse_parameters(const parser *p, const json_t *v)
{
    return qd_params_parse(v, p->m->arena, &p->m->params, &p->m->n_params, p->err);
}

static qd_status parse_returns(const parser *p, const json_t *v)
{
    static const char *const MEMBERS[] = {"type", "description", NULL};
    const json_t *first = json_array_get(v, 0), *type = json_object_get(first, "type");
    if (!json_is_array(v) || json_array_size(v) != 1 || !json_is_object(first))
        return fail_value(p, v, "an array of one object with 'type' and 'description'");
    qd_status st = qd_json_only(first, "manifest field 'returns[0]'", MEMBERS, QD_EUDF_PARAMS, p->err);
    if (st != QD_OK)
        return st;
    if (json_object_get(first, "description") && !json_is_string(json_object_get(first, "description")))
        return fail_value(p, json_object_get(first, "description"), "a string as 'description'");
    if (!json_is_string(type) || !qd_type_parse(text_of(type), &p->m->returns))
        return fail_value(p, type, "as 'type' one of bool, i32, i64, f32, f64, string");
    p->m->has_returns = true;
    return QD_OK;
}

static qd_status parse_permissions(const parser *p, const json_t *v)
{
    uint32_t all = 0;
    if (!json_is_array(v))
        return fail_value(p, v, "an array of permissions");
    for (size_t i = 0; i < json_array_size(v); i++) {
        uint32_t bit;
        const json_t *item = json_array_get(v, i);
        if (!json_is_string(item) || !qd_wasm_permission_parse(text_of(item), &bit))
            return fail_value(p, item, "permissions of read_document, read_score, log, random, clock");
        all |= bit;
    }
    p->m->permissions = all;
    return QD_OK;
}

static qd_status parse_limits(const parser *p, const json_t *v)
{
    static const struct {
        const char *name;
        size_t offset;
        bool is_u32;
        json_int_t least;
    } LIMITS[] = {
        {"memory_bytes", offsetof(qd_wasm_limits, memory_bytes), false, 0},
        {"table_elements", offsetof(qd_wasm_limits, table_elements), true, 0},
        {"call_ms", offsetof(qd_wasm_limits, call_ms), true, 1},
        {"log_bytes", offsetof(qd_wasm_limits, log_bytes), true, 0},
    };
    static const char *const NAMES[] = {"memory_bytes", "table_elements", "call_ms", "log_bytes", NULL};
    if (!json_is_object(v))
        return fail_value(p, v, "an object");
    qd_status st = only_members(p, v, NAMES);
    for (size_t i = 0; st == QD_OK && i < COUNT(LIMITS); i++) {
        char path[64], got[128];
        const json_t *item = json_object_get(v, LIMITS[i].name);
        json_int_t n = json_integer_value(item);
        char *at = (char *)&p->m->limits + LIMITS[i].offset;
        if (!item)
            continue;
        if (!json_is_integer(item) || n < LIMITS[i].least || n > (LIMITS[i].is_u32 ? UINT32_MAX : INT64_MAX)) {
            snprintf(path, sizeof path, "limits.%s", LIMITS[i].name);
            qd_json_describe(item, got, sizeof got);
            return qd_fail_field(p->err, QD_EUDF_PARAMS, path,
                                 "manifest field '%s': expected an integer, %d or more, got %s", path,
                                 (int)LIMITS[i].least, got);
        }
        if (LIMITS[i].is_u32)
            *(uint32_t *)(void *)at = (uint32_t)n;
        else
            *(size_t *)(void *)at = (size_t)n;
    }
    return st;
}

static qd_status parse_needs_score(const parser *p, const json_t *v)
{
    p->m->has_needs_score = true;
    return parse_bool(p, v);
}

static qd_status parse_max_score(const parser *p, const json_t *v)
{
    double d = json_number_value(v);
    if (!json_is_number(v) || !isfinite(d) || d < 0)
        return fail_value(p, v, "a number, 0 or more");
    p->m->has_max_score = true;
    p->m->max_score = d;
    return QD_OK;
}

static qd_status parse_dependency(const parser *p, const json_t *v, size_t i, qd_udf_dependency *out)
{
    static const char *const MEMBERS[] = {"name", "version", NULL};
    static const char *const WORDS[] = {"latest", "active"};
    char path[32];
    qd_semver_range range;
    const json_t *name = json_object_get(v, "name"), *version = json_object_get(v, "version");
    snprintf(path, sizeof path, "depends_on[%zu]", i);
    const parser at = {p->m, &(field){path, NULL, 0, 0}, p->err};
    if (!json_is_object(v))
        return fail_value(&at, v, "an object with 'name' and 'version'");
    qd_status st = only_members(&at, v, MEMBERS);
    if (st != QD_OK)
        return st;
    if (!json_is_string(name) || !is_name(text_of(name)))
        return fail_value(&at, name, "as 'name' the name of a function");
    if (version && !json_is_string(version))
        return fail_value(&at, version, "as 'version' a string");
    out->name = qd_arena_str(p->m->arena, text_of(name));
    out->version = version ? qd_arena_str(p->m->arena, text_of(version)) : QD_STR("*");
    if (!out->name.p || !out->version.p)
        return qd_fail_nomem(p->err);
    for (size_t k = 0; k < COUNT(WORDS); k++)
        if (qd_str_is(out->version, WORDS[k]))
            return QD_OK;
    st = qd_semver_range_parse(out->version, &range, p->err);
    if (st != QD_OK) {
        qd_error_prefix(p->err, "manifest field '%s': ", path);
        name_field(p->err, path);
    }
    return st;
}

static qd_status parse_depends_on(const parser *p, const json_t *v)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v) || n > QD_WASM_MAX_DEPENDENCIES)
        return fail_value(p, v, "an array of at most 8 objects with 'name' and 'version'");
    p->m->deps = qd_arena_array(p->m->arena, n + 1, sizeof *p->m->deps);
    if (!p->m->deps)
        return qd_fail_nomem(p->err);
    for (size_t i = 0; i < n; i++) {
        qd_udf_dependency *d = &p->m->deps[i];
        qd_status st = parse_dependency(p, json_array_get(v, i), i, d);
        if (st != QD_OK)
            return st;
        for (size_t k = 0; k < i; k++)
            if (qd_str_eq(p->m->deps[k].name, d->name))
                return qd_fail_field(p->err, QD_EUDF_PARAMS, "depends_on",
                                     "manifest field 'depends_on': '%.*s' stands there twice", QD_STR_FMT(d->name));
    }
    p->m->n_deps = n;
    return QD_OK;
}

static qd_status parse_tags(const parser *p, const json_t *v)
{
    bool ok = json_is_array(v) && json_array_size(v) <= MAX_TAGS;
    for (size_t i = 0; ok && i < json_array_size(v); i++)
        ok = json_is_string(json_array_get(v, i)) && json_string_length(json_array_get(v, i)) <= 64;
    return ok ? QD_OK : fail_value(p, v, "an array of at most 64 strings of at most 64 bytes");
}

/* ---- the table ---- */

#define AT(member) offsetof(qd_manifest, member)
static const field FIELDS[] = {
    {"name", parse_name, AT(name), MAX_NAME_BYTES},
    {"version", parse_version, AT(version), 64},
    {"function_name", parse_function_name, AT(function_name), 256},
    {"kind", parse_kind, 0, 0},
    {"abi", parse_abi, 0, 0},
    {"parameters", parse_parameters, 0, 0},
    {"returns", parse_returns, 0, 0},
    {"permissions", parse_permissions, 0, 0},
    {"limits", parse_limits, 0, 0},
    {"needs_score", parse_needs_score, AT(needs_score), 0},
    {"deterministic", parse_bool, AT(deterministic), 0},
    {"max_score", parse_max_score, 0, 0},
    {"depends_on", parse_depends_on, 0, 0},
    {"description", parse_text, AT(description), 16384},
    {"author", parse_text, AT(author), 1024},
    {"license", parse_text, AT(license), 1024},
    {"repository", parse_text, AT(repository), 1024},
    {"category", parse_text, AT(category), 256},
    {"language", parse_text, AT(language), 64},
    {"tags", parse_tags, 0, 0},
    {"expected_latency_us", parse_amount, 0, 0},
    {"memory_required_bytes", parse_amount, 0, 0},
    {"custom", parse_map, 0, 0},
};

static const field *find_field(const char *name)
{
    for (size_t i = 0; i < COUNT(FIELDS); i++)
        if (strcmp(FIELDS[i].name, name) == 0)
            return &FIELDS[i];
    return NULL;
}

static qd_status parse_fields(qd_manifest *m, const json_t *obj, qd_error *err)
{
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)obj, key, member) {
        const parser p = {m, find_field(key), err};
        if (!p.f)
            return qd_fail_field(err, QD_EUDF_PARAMS, key,
                                 "manifest field '%.64s' is unknown; free-form data goes into 'custom'", key);
        qd_status st = p.f->parse(&p, member);
        if (st != QD_OK)
            return st;
    }
    if (!m->name.p)
        return qd_fail_field(err, QD_EUDF_PARAMS, "name", "manifest field 'name' is missing");
    if (!m->version.p)
        return qd_fail_field(err, QD_EUDF_PARAMS, "version", "manifest field 'version' is missing");
    return QD_OK;
}

/* The whole manifest is kept and shown again, so what its free parts may hold is bounded too. */
static qd_status check_size(const json_t *obj, qd_error *err)
{
    size_t n = json_dumpb(obj, NULL, 0, JSON_COMPACT);
    if (n > MAX_MANIFEST_BYTES)
        return qd_fail_field(err, QD_EUDF_PARAMS, "custom", "the manifest has %zu bytes; at most %u are accepted", n,
                             MAX_MANIFEST_BYTES);
    return QD_OK;
}

qd_status qd_manifest_parse(const json_t *obj, qd_manifest **out, qd_error *err)
{
    qd_manifest *m = NULL;
    if (!json_is_object(obj))
        return qd_fail(err, QD_EUDF_PARAMS, "the manifest: expected an object, got %s", qd_json_type_name(obj));
    qd_status st = check_size(obj, err);
    if (st != QD_OK)
        return st;
    m = calloc(1, sizeof *m);
    if (!m || !(m->arena = qd_arena_new((size_t)1 << 20)) || !(m->json = json_deep_copy(obj))) {
        st = qd_fail_nomem(err);
        goto done;
    }
    m->function_name = QD_STR("filter");
    m->permissions = DEFAULT_PERMISSIONS;
    m->limits = (qd_wasm_limits)QD_WASM_LIMITS_INIT;
    st = parse_fields(m, obj, err);
    if (st == QD_OK)
        *out = QD_TAKE(m);
done:
    qd_manifest_free(m);
    return st;
}

void qd_manifest_free(qd_manifest *m)
{
    if (!m)
        return;
    json_decref(m->json);
    qd_arena_free(m->arena);
    free(m);
}
