/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest against the module: the exported function, its shape and kind. */
#include <stdio.h>

#include "base/buf.h"
#include "udf/manifest.h"

static const char *valtype_name(qd_wasm_valtype t)
{
    static const char *const NAMES[] = {
        [QD_WASM_I32] = "i32", [QD_WASM_I64] = "i64",     [QD_WASM_F32] = "f32",
        [QD_WASM_F64] = "f64", [QD_WASM_OTHER] = "other",
    };
    return (size_t)t < sizeof NAMES / sizeof *NAMES ? NAMES[t] : "other";
}

/* How a parameter or result of a declared type looks in a signature; false: it has no such form. */
static bool valtype_of(qd_type type, qd_wasm_valtype *out)
{
    static const qd_wasm_valtype TYPES[] = {
        [QD_BOOL] = QD_WASM_I32, [QD_I32] = QD_WASM_I32, [QD_I64] = QD_WASM_I64,
        [QD_F32] = QD_WASM_F32,  [QD_F64] = QD_WASM_F64,
    };
    if (type == QD_NULL || type == QD_STRING)
        return false;
    *out = TYPES[type];
    return true;
}

/* ---- texts ---- */

#define TEXT_SIZE 256

static void describe_signature(const qd_wasm_signature *s, char out[TEXT_SIZE])
{
    size_t n = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < s->n_params && i < QD_WASM_MAX_PARAMS && n < TEXT_SIZE - 64; i++)
        n += (size_t)snprintf(out + n, TEXT_SIZE - n, "%s%s", i ? ", " : "(", valtype_name(s->params[i]));
    snprintf(out + n, TEXT_SIZE - n, "%s) -> %s", s->n_params ? "" : "(",
             s->n_results == 0   ? "nothing"
             : s->n_results == 1 ? valtype_name(s->result)
                                 : "several values");
}

static void describe_typed(const qd_manifest *m, char out[TEXT_SIZE])
{
    size_t n = (size_t)snprintf(out, TEXT_SIZE, "(");
    for (size_t i = 0; i < m->n_params && n < TEXT_SIZE - 64; i++) {
        qd_wasm_valtype t = QD_WASM_OTHER;
        (void)valtype_of(m->params[i].type, &t);
        n += (size_t)snprintf(out + n, TEXT_SIZE - n, "%s%s", i ? ", " : "", valtype_name(t));
    }
    snprintf(out + n, TEXT_SIZE - n, ") -> a number");
}

static qd_status fail_no_export(const qd_manifest *m, const qd_wasm_module *module, qd_error *err)
{
    const char *name;
    char list[TEXT_SIZE] = "none";
    size_t n = 0;
    for (size_t i = 0; (name = qd_wasm_module_export_name(module, i)) && n < TEXT_SIZE - 80; i++)
        n += (size_t)snprintf(list + n, TEXT_SIZE - n, "%s'%.64s'", i ? ", " : "", name);
    return qd_fail_field(err, QD_EUDF_WASM, "function_name",
                         "the module exports no function '%.*s'; its exported functions: %s",
                         QD_STR_FMT(m->function_name), list);
}

static qd_status fail_signature(const qd_manifest *m, const qd_wasm_signature *s, const char *shape,
                                const char *expected, qd_error *err)
{
    char has[TEXT_SIZE];
    describe_signature(s, has);
    return qd_fail_field(err, QD_EUDF_WASM, "function_name", "exported function '%.*s' is %s; %s %s",
                         QD_STR_FMT(m->function_name), has, shape, expected);
}

/* ---- shape ---- */

static bool is_row(const qd_wasm_signature *s)
{
    return s->n_params == 1 && s->params[0] == QD_WASM_I64 && s->n_results == 1 &&
           (s->result == QD_WASM_I32 || s->result == QD_WASM_F64);
}

static bool is_typed(const qd_manifest *m, const qd_wasm_signature *s)
{
    if (s->n_params != m->n_params || s->n_results != 1 || s->result == QD_WASM_OTHER)
        return false;
    for (uint32_t i = 0; i < s->n_params; i++) {
        qd_wasm_valtype t;
        if (!valtype_of(m->params[i].type, &t) || t != s->params[i])
            return false;
    }
    return true;
}

static const char ROW_EXPECTED[] = "(i64) -> i32 for a filter, (i64) -> f64 for a score or a transform";

/* A string has no place among wasm's arguments: say so before saying that signatures differ. */
static qd_status check_no_string_arguments(const qd_manifest *m, qd_error *err)
{
    for (size_t i = 0; i < m->n_params; i++) {
        char field[64];
        if (m->params[i].type != QD_STRING)
            continue;
        snprintf(field, sizeof field, "parameters[%zu].type", i);
        return qd_fail_field(
            err, QD_EUDF_PARAMS, field,
            "parameter '%.*s': strings are not supported in the typed shape yet; use the row shape, %s",
            QD_STR_FMT(m->params[i].name), ROW_EXPECTED);
    }
    return QD_OK;
}

static qd_status fit_abi(qd_manifest *m, const qd_wasm_signature *s, qd_error *err)
{
    char typed[TEXT_SIZE], both[2 * TEXT_SIZE];
    bool can_row = is_row(s), can_typed = is_typed(m, s);
    describe_typed(m, typed);
    if (m->abi == QD_ABI_UNSET) {
        if (can_row && can_typed)
            return qd_fail_field(
                err, QD_EUDF_PARAMS, "abi",
                "manifest field 'abi' is needed: '%.*s' with one i64 parameter may be of the row or of the typed shape",
                QD_STR_FMT(m->function_name));
        if (can_row || can_typed) {
            m->abi = can_row ? QD_ABI_ROW : QD_ABI_TYPED;
            return QD_OK;
        }
        qd_status st = s->n_params > 1 || m->n_params > 1 ? check_no_string_arguments(m, err) : QD_OK;
        if (st != QD_OK)
            return st;
        snprintf(both, sizeof both, "%s in the row shape, or %s in the typed shape, one argument per parameter",
                 ROW_EXPECTED, typed);
        return fail_signature(m, s, "expected", both, err);
    }
    if (m->abi == QD_ABI_ROW)
        return can_row ? QD_OK : fail_signature(m, s, "the row shape is", ROW_EXPECTED, err);
    qd_status st = check_no_string_arguments(m, err);
    if (st != QD_OK)
        return st;
    return can_typed ? QD_OK : fail_signature(m, s, "the typed shape, one argument per parameter, is", typed, err);
}

/* ---- kind ---- */

static qd_status fit_kind(qd_manifest *m, const qd_wasm_signature *s, qd_error *err)
{
    if (m->kind == QD_KIND_UNSET) {
        if (s->result == QD_WASM_I64)
            return qd_fail_field(err, QD_EUDF_PARAMS, "kind",
                                 "manifest field 'kind' is needed: the i64 of '%.*s' may be a score or a transform",
                                 QD_STR_FMT(m->function_name));
        m->kind = s->result == QD_WASM_I32 ? QD_KIND_FILTER : QD_KIND_SCORE;
    }
    if (m->kind == QD_KIND_FILTER && s->result != QD_WASM_I32)
        return fail_signature(m, s, "a filter returns", "i32", err);
    if (m->kind != QD_KIND_FILTER && m->abi == QD_ABI_ROW && s->result != QD_WASM_F64)
        return fail_signature(m, s, "a score or transform in the row shape returns", "f64", err);
    return QD_OK;
}

static qd_status check_returns(const qd_manifest *m, const qd_wasm_signature *s, qd_error *err)
{
    qd_wasm_valtype t;
    if (!m->has_returns || (valtype_of(m->returns, &t) && t == s->result))
        return QD_OK;
    return qd_fail_field(err, QD_EUDF_WASM, "returns", "manifest field 'returns': '%.*s' returns %s, which is not %s",
                         QD_STR_FMT(m->function_name), valtype_name(s->result), qd_type_name(m->returns));
}

static bool imports_get_score(const qd_wasm_module *module)
{
    const char *name;
    for (size_t i = 0; (name = qd_wasm_module_import_name(module, i)); i++)
        if (strcmp(name, "env.get_score") == 0)
            return true;
    return false;
}

qd_status qd_manifest_fit(qd_manifest *m, const qd_wasm_module *module, qd_error *err)
{
    qd_wasm_signature s;
    if (!qd_wasm_module_export(module, m->function_name, &s))
        return fail_no_export(m, module, err);
    qd_status st = fit_abi(m, &s, err);
    if (st == QD_OK)
        st = fit_kind(m, &s, err);
    if (st == QD_OK)
        st = check_returns(m, &s, err);
    if (st == QD_OK && !m->has_needs_score)
        m->needs_score = imports_get_score(module);
    return st;
}
