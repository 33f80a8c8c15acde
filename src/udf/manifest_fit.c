/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest against the module: the exported function, its shape and kind. */
#include <stdio.h>

#include "base/buf.h"
#include "udf/aggregate.h"
#include "udf/manifest.h"
#include "udf/program.h"

static const char *valtype_name(qd_wasm_valtype t)
{
    static const char *const NAMES[] = {
        [QD_WASM_I32] = "i32", [QD_WASM_I64] = "i64",     [QD_WASM_F32] = "f32",
        [QD_WASM_F64] = "f64", [QD_WASM_OTHER] = "other",
    };
    return (size_t)t < sizeof NAMES / sizeof *NAMES ? NAMES[t] : "other";
}

/* How a number of a declared type looks in a signature; QD_WASM_OTHER: it has no such form. */
static qd_wasm_valtype valtype_of(qd_type type)
{
    static const qd_wasm_valtype TYPES[] = {
        [QD_NULL] = QD_WASM_OTHER, [QD_BOOL] = QD_WASM_I32, [QD_I32] = QD_WASM_I32,      [QD_I64] = QD_WASM_I64,
        [QD_F32] = QD_WASM_F32,    [QD_F64] = QD_WASM_F64,  [QD_STRING] = QD_WASM_OTHER,
    };
    return TYPES[type];
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

/* The arguments that a shape has, behind an aggregate's state. A string is two of them: address and length. */
static bool expected_params(const qd_manifest *m, qd_udf_abi abi, qd_wasm_signature *out)
{
    static const char *const FIXED[] = {[QD_ABI_ROW] = "I", [QD_ABI_HANDLE] = "I", [QD_ABI_BATCH] = "iii"};
    bool has_state = m->kind == QD_KIND_AGGREGATE;
    *out = (qd_wasm_signature){.n_params = has_state};
    for (const char *p = abi == QD_ABI_TYPED ? "" : FIXED[abi]; *p && !(has_state && p == FIXED[QD_ABI_BATCH] + 2); p++)
        out->params[out->n_params++] = *p == 'I' ? QD_WASM_I64 : QD_WASM_I32;
    for (size_t i = 0; abi == QD_ABI_TYPED && i < m->n_params; i++) {
        bool is_string = m->params[i].type == QD_STRING;
        if (out->n_params + 1 + is_string > QD_WASM_MAX_PARAMS)
            return false;
        out->params[out->n_params++] = is_string ? QD_WASM_I32 : valtype_of(m->params[i].type);
        if (is_string)
            out->params[out->n_params++] = QD_WASM_I32;
    }
    return true;
}

static void describe_params(const qd_manifest *m, qd_udf_abi abi, char out[TEXT_SIZE])
{
    qd_wasm_signature expected;
    char text[TEXT_SIZE];
    if (!expected_params(m, abi, &expected)) {
        snprintf(out, TEXT_SIZE, "more than %d arguments, which no function has", QD_WASM_MAX_PARAMS);
        return;
    }
    describe_signature(&expected, text);
    text[strlen(text) - strlen(" -> nothing")] = 0;
    snprintf(out, TEXT_SIZE, "%s", text);
}

static qd_status fail_no_export(const qd_manifest *m, const qd_wasm_module *module, qd_error *err)
{
    const char *name;
    char list[TEXT_SIZE] = "none";
    size_t n = 0;
    for (size_t i = 0; (name = qd_wasm_module_export_name(module, i)) && n < TEXT_SIZE - 80; i++)
        n += (size_t)snprintf(list + n, TEXT_SIZE - n, "%s'%.64s'", i ? ", " : "", name);
    char export[QD_EXPORT_NAME_SIZE];
    return qd_fail_field(err, QD_EUDF_WASM, "function_name",
                         "the module exports no function '%.*s'; its exported functions: %s",
                         QD_STR_FMT(qd_manifest_export(m, export)), list);
}

static qd_status fail_signature(const qd_manifest *m, const qd_wasm_signature *s, const char *shape,
                                const char *expected, qd_error *err)
{
    char has[TEXT_SIZE];
    describe_signature(s, has);
    char export[QD_EXPORT_NAME_SIZE];
    return qd_fail_field(err, QD_EUDF_WASM, "function_name", "exported function '%.*s' is %s; %s %s",
                         QD_STR_FMT(qd_manifest_export(m, export)), has, shape, expected);
}

/* ---- shape ---- */

static bool returns_string(const qd_manifest *m)
{
    return m->has_returns && m->returns == QD_STRING;
}

/* One number; where it would not be looked at, nothing will do. */
static bool fits_result(const qd_manifest *m, qd_udf_abi abi, const qd_wasm_signature *s)
{
    if (s->n_results == 0)
        return abi == QD_ABI_BATCH || returns_string(m) || m->kind == QD_KIND_AGGREGATE;
    return abi != QD_ABI_BATCH && s->n_results == 1 && s->result != QD_WASM_OTHER;
}

static bool fits(const qd_manifest *m, qd_udf_abi abi, const qd_wasm_signature *s)
{
    qd_wasm_signature expected;
    return expected_params(m, abi, &expected) && s->n_params == expected.n_params &&
           memcmp(s->params, expected.params, s->n_params * sizeof *s->params) == 0 && fits_result(m, abi, s);
}

static bool imports(const qd_wasm_module *module, const char *wanted)
{
    const char *name;
    for (size_t i = 0; (name = qd_wasm_module_import_name(module, i)); i++)
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

static const char *const RESULTS[] = {
    [QD_ABI_ROW] = " -> i32 for a filter, f64 for a score, a number for a transform",
    [QD_ABI_HANDLE] = " -> i32 for a filter, f64 for a score, a number for a transform",
    [QD_ABI_TYPED] = " -> a number",
    [QD_ABI_BATCH] = " -> nothing",
};

static qd_status fail_no_shape(const qd_manifest *m, const qd_wasm_signature *s, qd_error *err)
{
    char row[TEXT_SIZE], typed[TEXT_SIZE], batch[TEXT_SIZE], all[4 * TEXT_SIZE];
    bool is_update = m->kind == QD_KIND_AGGREGATE;
    describe_params(m, QD_ABI_ROW, row);
    describe_params(m, QD_ABI_TYPED, typed);
    describe_params(m, QD_ABI_BATCH, batch);
    snprintf(all, sizeof all,
             "%s%s in the row and the handle shape, %s%s in the typed shape, one argument per parameter (two for a "
             "string), or %s%s in the batch shape",
             row, is_update ? "" : RESULTS[QD_ABI_ROW], typed, is_update ? "" : RESULTS[QD_ABI_TYPED], batch,
             is_update ? "" : RESULTS[QD_ABI_BATCH]);
    return fail_signature(m, s, "expected", all, err);
}

static qd_status infer_abi(qd_manifest *m, const qd_wasm_module *module, const qd_wasm_signature *s, qd_error *err)
{
    static const qd_udf_abi CANDIDATES[] = {QD_ABI_ROW, QD_ABI_TYPED, QD_ABI_BATCH};
    qd_udf_abi found = QD_ABI_UNSET;
    for (size_t i = 0; i < sizeof CANDIDATES / sizeof *CANDIDATES; i++) {
        if (!fits(m, CANDIDATES[i], s))
            continue;
        if (found != QD_ABI_UNSET)
            return qd_fail_field(err, QD_EUDF_PARAMS, "abi",
                                 "manifest field 'abi' is needed: by its arguments, '%.*s' may be of the %s or of the "
                                 "%s shape",
                                 QD_STR_FMT(m->function_name), qd_udf_abi_name(found), qd_udf_abi_name(CANDIDATES[i]));
        found = CANDIDATES[i];
    }
    if (found == QD_ABI_UNSET)
        return fail_no_shape(m, s, err);
    m->abi = found == QD_ABI_ROW && imports(module, "env.field_handle") ? QD_ABI_HANDLE : found;
    return QD_OK;
}

static qd_status fit_abi(qd_manifest *m, const qd_wasm_module *module, const qd_wasm_signature *s, qd_error *err)
{
    char params[TEXT_SIZE], expected[2 * TEXT_SIZE], shape[96];
    if (m->abi == QD_ABI_UNSET)
        return infer_abi(m, module, s, err);
    if (fits(m, m->abi, s))
        return QD_OK;
    describe_params(m, m->abi, params);
    snprintf(expected, sizeof expected, "%s%s", params, m->kind == QD_KIND_AGGREGATE ? "" : RESULTS[m->abi]);
    snprintf(shape, sizeof shape, "the %s shape%s is", qd_udf_abi_name(m->abi),
             m->abi == QD_ABI_TYPED ? ", one argument per parameter (two for a string)," : "");
    return fail_signature(m, s, shape, expected, err);
}

/* ---- kind ---- */

static qd_status infer_kind(qd_manifest *m, const qd_wasm_signature *s, qd_error *err)
{
    if (returns_string(m)) {
        m->kind = QD_KIND_TRANSFORM;
        return QD_OK;
    }
    if (m->abi == QD_ABI_BATCH)
        return qd_fail_field(err, QD_EUDF_PARAMS, "kind",
                             "manifest field 'kind' is needed: in the batch shape, '%.*s' may be a filter, a score or "
                             "a transform",
                             QD_STR_FMT(m->function_name));
    if (s->result == QD_WASM_I64)
        return qd_fail_field(err, QD_EUDF_PARAMS, "kind",
                             "manifest field 'kind' is needed: the i64 of '%.*s' may be a score or a transform",
                             QD_STR_FMT(m->function_name));
    m->kind = s->result == QD_WASM_I32 ? QD_KIND_FILTER : QD_KIND_SCORE;
    return QD_OK;
}

static qd_status fit_kind(qd_manifest *m, const qd_wasm_signature *s, qd_error *err)
{
    qd_status st = m->kind == QD_KIND_UNSET ? infer_kind(m, s, err) : QD_OK;
    if (st != QD_OK || m->abi == QD_ABI_BATCH)
        return st;
    if (m->kind == QD_KIND_FILTER && s->result != QD_WASM_I32)
        return fail_signature(m, s, "a filter returns", "i32", err);
    if (m->kind == QD_KIND_SCORE && m->abi != QD_ABI_TYPED && s->result != QD_WASM_F64)
        return fail_signature(m, s, "a score in the row or the handle shape returns", "f64", err);
    return QD_OK;
}

/* Kinds whose results are of one type, whatever the shape. */
static qd_status check_kind_returns(const qd_manifest *m, qd_error *err)
{
    static const char *const EXPECTED[] = {
        [QD_KIND_FILTER] = "a filter returns 'bool' (or 'i32')", [QD_KIND_SCORE] = "a score returns 'f64'"};
    bool is_right = m->kind == QD_KIND_FILTER ? m->returns == QD_BOOL || m->returns == QD_I32
                    : m->kind == QD_KIND_SCORE
                        ? m->returns == QD_F64 || (m->abi != QD_ABI_BATCH && m->returns != QD_STRING)
                        : true;
    if (is_right)
        return QD_OK;
    return qd_fail_field(err, QD_EUDF_WASM, "returns", "manifest field 'returns': %s, not '%s'", EXPECTED[m->kind],
                         qd_type_name(m->returns));
}

static qd_status check_returns(const qd_manifest *m, const qd_wasm_signature *s, qd_error *err)
{
    if (!m->has_returns || m->kind == QD_KIND_AGGREGATE)
        return QD_OK;
    qd_status st = check_kind_returns(m, err);
    if (st != QD_OK || m->abi == QD_ABI_BATCH || m->returns == QD_STRING || valtype_of(m->returns) == s->result)
        return st;
    return qd_fail_field(err, QD_EUDF_WASM, "returns", "manifest field 'returns': '%.*s' returns %s, which is not %s",
                         QD_STR_FMT(m->function_name), valtype_name(s->result), qd_type_name(m->returns));
}

/* ---- all of it ---- */

qd_status qd_manifest_fit(qd_manifest *m, const qd_wasm_module *module, qd_error *err)
{
    qd_wasm_signature s;
    char export[QD_EXPORT_NAME_SIZE];
    if (!qd_wasm_module_export(module, qd_manifest_export(m, export), &s))
        return fail_no_export(m, module, err);
    qd_status st = fit_abi(m, module, &s, err);
    if (st == QD_OK)
        st = fit_kind(m, &s, err);
    if (st == QD_OK)
        st = check_returns(m, &s, err);
    if (st == QD_OK && m->kind == QD_KIND_AGGREGATE)
        st = qd_aggregate_fit(m, module, err);
    if (st == QD_OK && !m->has_needs_score)
        m->needs_score = imports(module, "env.get_score") || imports(module, "env.score");
    return st;
}
