/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/binding_impl.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "udf/json_path.h"
#include "udf/param.h"
#include "udf/program.h"

#define MAX_ARENA_BYTES ((size_t)16 << 20)

typedef struct resolver {
    qd_binding *b;
    const json_t *params, *context;
    qd_error *err;
} resolver;

static qd_status fail_param(const resolver *r, const qd_udf_param *p, const json_t *got_value, const char *what)
{
    char field[96], got[128];
    snprintf(field, sizeof field, "parameters.%.*s", QD_STR_FMT(p->name));
    qd_json_describe(got_value, got, sizeof got);
    return qd_fail_field(r->err, QD_EUDF_PARAMS, field, "function '%s': parameter '%.*s': %sexpected %s, got %s",
                         r->b->udf->label, QD_STR_FMT(p->name), what, qd_param_expected(p->type), got);
}

static qd_status fail_required(const resolver *r, const qd_udf_param *p, const char *why)
{
    char field[96];
    snprintf(field, sizeof field, "parameters.%.*s", QD_STR_FMT(p->name));
    return qd_fail_field(r->err, QD_EUDF_PARAMS, field, "function '%s': parameter '%.*s' %s", r->b->udf->label,
                         QD_STR_FMT(p->name), why);
}

/* Turns a reference to the context into a constant of the declared type, or NONE when nothing is there. */
static qd_status resolve_context(const resolver *r, const qd_udf_param *p, qd_ref *ref)
{
    char what[160];
    qd_value v;
    const json_t *found = qd_json_path_get(r->context, ref->path);
    snprintf(what, sizeof what, "'_context.%.*s': ", QD_STR_FMT(ref->path));
    *ref = (qd_ref){.kind = QD_REF_NONE};
    if (!found)
        return QD_OK;
    if (!qd_json_to_value(found, &v) || !qd_param_convert(p->type, v, &v))
        return fail_param(r, p, found, what);
    if (v.type == QD_STRING && !(v.as.s = qd_arena_str(r->b->arena, v.as.s)).p)
        return qd_fail_nomem(r->err);
    *ref = (qd_ref){.kind = QD_REF_CONSTANT, .constant = v};
    return QD_OK;
}

/* What the query gives; NONE when it gives nothing, or null. */
static qd_status parse_given(const resolver *r, const qd_udf_param *p, qd_ref *out)
{
    char name[96], where[320];
    snprintf(name, sizeof name, "%.*s", QD_STR_FMT(p->name));
    snprintf(where, sizeof where, "function '%s': parameter '%.64s'", r->b->udf->label, name);
    const json_t *given = json_object_get(r->params, name);
    if (!given || json_is_null(given))
        return QD_OK;
    qd_status st = qd_ref_parse(given, where, r->b->arena, out, r->err);
    if (st != QD_OK)
        return st;
    if (!qd_ref_fits(out, p->type) ||
        (out->kind == QD_REF_CONSTANT && !qd_param_convert(p->type, out->constant, &out->constant)))
        return fail_param(r, p, given, "");
    return QD_OK;
}

/* The query's value, else `from`, else `default`; the default also stands in where one of the others has no value. */
static qd_status resolve_arg(const resolver *r, const qd_udf_param *p, qd_arg *a)
{
    bool has_source;
    a->param = p;
    a->fallback = p->default_value;
    qd_status st = parse_given(r, p, &a->value);
    if (st == QD_OK && a->value.kind == QD_REF_NONE)
        a->value = p->from;
    has_source = a->value.kind != QD_REF_NONE || a->fallback.kind != QD_REF_NONE;
    if (st == QD_OK && a->value.kind == QD_REF_CONTEXT)
        st = resolve_context(r, p, &a->value);
    if (st == QD_OK && a->fallback.kind == QD_REF_CONTEXT)
        st = resolve_context(r, p, &a->fallback);
    if (st != QD_OK)
        return st;
    if (a->value.kind == QD_REF_NONE)
        a->value = a->fallback;
    if (a->value.kind != QD_REF_FIELD || a->fallback.kind == QD_REF_NONE)
        a->fallback = (qd_ref){.kind = QD_REF_NONE};
    if (a->value.kind != QD_REF_NONE)
        return QD_OK;
    if (p->required)
        return fail_required(r, p,
                             has_source ? "is required, and the request's context does not have it"
                                        : "is required, and the query does not give it");
    if (!has_source && r->b->udf->manifest->abi == QD_ABI_TYPED)
        return fail_required(
            r, p, "has no value: the query does not give it, and the manifest has neither 'from' nor 'default'");
    return QD_OK;
}

/* Every parameter that is given must be known. */
static qd_status check_names(const resolver *r, qd_error *err)
{
    const char *key;
    json_t *given;
    char list[200] = "none";
    size_t n = 0;
    const qd_manifest *m = r->b->udf->manifest;
    json_object_foreach ((json_t *)r->params, key, given) {
        size_t i = 0;
        while (i < m->n_params && !qd_str_is(m->params[i].name, key))
            i++;
        if (i < m->n_params)
            continue;
        for (i = 0; i < m->n_params && n < sizeof list - 80; i++)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s'%.*s'", i ? ", " : "", QD_STR_FMT(m->params[i].name));
        char field[96];
        snprintf(field, sizeof field, "parameters.%.64s", key);
        return qd_fail_field(err, QD_EUDF_PARAMS, field, "function '%s' has no parameter '%.64s'; its parameters: %s",
                             r->b->udf->label, key, list);
    }
    return QD_OK;
}

static qd_status check_spec(const qd_udf *u, const qd_binding_spec *spec, qd_error *err)
{
    if (spec->params && !json_is_object(spec->params))
        return qd_fail_field(err, QD_EUDF_PARAMS, "parameters",
                             "function '%s': 'parameters': expected an object, got %s", u->label,
                             qd_json_type_name(spec->params));
    if (spec->context && !json_is_object(spec->context))
        return qd_fail_field(err, QD_EUDF_PARAMS, "context", "'context': expected an object, got %s",
                             qd_json_type_name(spec->context));
    bool is_aggregate = u->manifest->kind == QD_KIND_AGGREGATE;
    if (is_aggregate != spec->is_aggregation)
        return qd_fail(err, QD_EUDF_PARAMS, "function '%s' is %s aggregate; it cannot be used here", u->label,
                       is_aggregate ? "an" : "no");
    if (spec->on_error != QD_ON_ERROR_DEFAULT)
        return QD_OK;
    if (!spec->has_default_result)
        return qd_fail_field(err, QD_EUDF_PARAMS, "default", "function '%s': on_error 'default' needs a 'default'",
                             u->label);
    if (u->manifest->kind == QD_KIND_SCORE && !(spec->default_result >= 0 && spec->default_result <= FLT_MAX))
        return qd_fail_field(err, QD_EUDF_PARAMS, "default",
                             "function '%s': 'default': a score must be a finite number >= 0, got %g", u->label,
                             spec->default_result);
    return QD_OK;
}

bool qd_arg_may_lack(const qd_arg *a)
{
    return a->value.kind == QD_REF_NONE ||
           (a->value.kind == QD_REF_FIELD && (a->fallback.kind == QD_REF_NONE || a->fallback.kind == QD_REF_FIELD));
}

static void classify(qd_binding *b)
{
    const qd_manifest *m = b->udf->manifest;
    b->is_columnar = m->abi == QD_ABI_TYPED || m->abi == QD_ABI_BATCH;
    b->needs_score = m->needs_score;
    for (size_t i = 0; i < b->n_args; i++) {
        const qd_arg *a = &b->args[i];
        b->needs_score |= a->value.kind == QD_REF_SCORE || a->fallback.kind == QD_REF_SCORE;
        if (b->is_columnar && a->value.kind != QD_REF_CONSTANT)
            b->varying |= (uint64_t)1 << i;
        b->is_always_missing |= m->abi == QD_ABI_TYPED && a->value.kind == QD_REF_NONE;
        b->has_required_fields |= !b->is_columnar && a->param->required && qd_arg_may_lack(a);
    }
}

static qd_status take_program(qd_binding *b, qd_str function, qd_error *err)
{
    qd_udf *u = b->udf;
    b->function = function.n > 0 ? qd_arena_str(b->arena, function) : u->manifest->function_name;
    if (!b->function.p)
        return qd_fail_nomem(err);
    if (function.n > 0 && !qd_str_eq(function, u->manifest->function_name))
        return qd_udf_programs_get(u->programs, u->manifest, u->module, function, u->label, &b->program, err);
    qd_wasm_program_ref(u->program);
    b->program = u->program;
    return QD_OK;
}

qd_status qd_binding_new(qd_udf *u, const qd_binding_spec *spec, qd_binding **out, qd_error *err)
{
    qd_status st = check_spec(u, spec, err);
    if (st != QD_OK)
        return st;
    qd_binding *b = calloc(1, sizeof *b);
    if (!b)
        return qd_fail_nomem(err);
    resolver r = {b, spec->params, spec->context, err};
    qd_udf_ref(u);
    b->udf = u;
    b->on_error = spec->on_error;
    b->default_result = u->manifest->kind == QD_KIND_FILTER ? spec->default_result != 0 : spec->default_result;
    b->n_args = u->manifest->n_params;
    b->arena = qd_arena_new(MAX_ARENA_BYTES);
    b->args = b->arena ? qd_arena_array(b->arena, b->n_args, sizeof *b->args) : NULL;
    st = b->args ? check_names(&r, err) : qd_fail_nomem(err);
    if (st == QD_OK)
        st = take_program(b, spec->function, err);
    for (size_t i = 0; st == QD_OK && i < b->n_args; i++)
        st = resolve_arg(&r, &u->manifest->params[i], &b->args[i]);
    if (st == QD_OK) {
        classify(b);
        *out = QD_TAKE(b);
    }
    qd_binding_free(b);
    return st;
}

void qd_binding_free(qd_binding *b)
{
    if (!b)
        return;
    qd_wasm_program_unref(b->program);
    qd_udf_unref(b->udf);
    qd_arena_free(b->arena);
    free(b);
}

qd_udf *qd_binding_udf(const qd_binding *b)
{
    return b->udf;
}

bool qd_binding_needs_score(const qd_binding *b)
{
    return b->needs_score;
}

double qd_binding_max_score(const qd_binding *b)
{
    const qd_manifest *m = b->udf->manifest;
    if (m->kind != QD_KIND_SCORE || !m->has_max_score)
        return INFINITY;
    bool has_default = b->on_error == QD_ON_ERROR_DEFAULT;
    return has_default && b->default_result > m->max_score ? b->default_result : m->max_score;
}

bool qd_binding_is_constant(const qd_binding *b)
{
    static const char *const HARMLESS[] = {"env.get_param_", "env.log"};
    const char *name;
    if (!b->udf->manifest->deterministic)
        return false;
    for (size_t i = 0; i < b->n_args; i++)
        if (b->args[i].value.kind != QD_REF_CONSTANT && b->args[i].value.kind != QD_REF_NONE)
            return false;
    for (size_t i = 0; (name = qd_wasm_module_import_name(b->udf->module, i)); i++) {
        bool is_harmless = false;
        for (size_t k = 0; k < sizeof HARMLESS / sizeof *HARMLESS; k++)
            is_harmless |= strncmp(name, HARMLESS[k], strlen(HARMLESS[k])) == 0;
        if (!is_harmless)
            return false;
    }
    return true;
}
