/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "udf/aggregate.h"
#include "udf/aggregate_exports.h"

const qd_aggregate_row QD_AGGREGATE_TABLE[QD_AGGREGATE_EXPORTS] = {
    [QD_AGGREGATE_INIT] = {"init", ":i"},
    [QD_AGGREGATE_MERGE] = {"merge", "iii:"},
    [QD_AGGREGATE_SERIALIZE] = {"serialize", "i:I"},
    [QD_AGGREGATE_FINISH] = {"finish", "i:"},
};

qd_str qd_aggregate_export_name(qd_str function, qd_aggregate_export which, char buffer[QD_EXPORT_NAME_SIZE])
{
    int n = snprintf(buffer, QD_EXPORT_NAME_SIZE, "%.*s_%s", QD_STR_FMT(function), QD_AGGREGATE_TABLE[which].suffix);
    return (qd_str){buffer, n < QD_EXPORT_NAME_SIZE ? (size_t)n : QD_EXPORT_NAME_SIZE - 1};
}

/* ---- signatures ---- */

static qd_wasm_valtype valtype_of_letter(char c)
{
    return c == 'i' ? QD_WASM_I32 : c == 'I' ? QD_WASM_I64 : c == 'f' ? QD_WASM_F32 : QD_WASM_F64;
}

static bool has_params(const qd_wasm_signature *s, const char *expected, const char **end)
{
    uint32_t n = 0;
    for (; *expected != ':'; expected++, n++)
        if (n >= s->n_params || s->params[n] != valtype_of_letter(*expected))
            return false;
    *end = expected + 1;
    return n == s->n_params;
}

/* The result that finish must have; 0: any number; '-': anything, nothing too. */
static char finish_result(const qd_manifest *m)
{
    static const char LETTERS[] = {[QD_NULL] = 0,  [QD_BOOL] = 'i',   [QD_I32] = 'i', [QD_I64] = 'I',
                                   [QD_F32] = 'f', [QD_STRING] = '-', [QD_F64] = 'F'};
    return m->has_returns ? LETTERS[m->returns] : 0;
}

static bool fits(const qd_manifest *m, qd_aggregate_export which, const qd_wasm_signature *s)
{
    const char *result;
    bool has_number = s->n_results == 1 && s->result != QD_WASM_OTHER;
    if (!has_params(s, QD_AGGREGATE_TABLE[which].signature, &result))
        return false;
    if (which != QD_AGGREGATE_FINISH)
        return *result ? has_number && s->result == valtype_of_letter(*result) : s->n_results == 0;
    char letter = finish_result(m);
    if (letter == '-')
        return s->n_results == 0 || has_number;
    return has_number && (letter == 0 || s->result == valtype_of_letter(letter));
}

/* ---- texts ---- */

static const char *type_name(qd_wasm_valtype t)
{
    static const char *const NAMES[] = {
        [QD_WASM_I32] = "i32", [QD_WASM_I64] = "i64", [QD_WASM_F32] = "f32", [QD_WASM_F64] = "f64"};
    return (size_t)t < sizeof NAMES / sizeof *NAMES && NAMES[t] ? NAMES[t] : "other";
}

static void describe(const qd_wasm_signature *s, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "(");
    for (uint32_t i = 0; i < s->n_params && i < QD_WASM_MAX_PARAMS && n + 64 < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", type_name(s->params[i]));
    snprintf(out + n, size - n, ") -> %s",
             s->n_results == 0   ? "nothing"
             : s->n_results == 1 ? type_name(s->result)
                                 : "several values");
}

static void describe_expected(const qd_manifest *m, qd_aggregate_export which, char *out, size_t size)
{
    static const char *const TEXTS[] = {
        [QD_AGGREGATE_INIT] = "() -> i32",
        [QD_AGGREGATE_MERGE] = "(i32, i32, i32) -> nothing",
        [QD_AGGREGATE_SERIALIZE] = "(i32) -> i64",
    };
    char letter = finish_result(m);
    if (which != QD_AGGREGATE_FINISH)
        snprintf(out, size, "%s", TEXTS[which]);
    else
        snprintf(out, size, "(i32) -> %s%s",
                 letter == 0     ? "a number"
                 : letter == '-' ? "nothing, or a number"
                                 : type_name(valtype_of_letter(letter)),
                 letter == 0 || letter == '-' ? "" : ", by the manifest's 'returns'");
}

/* ---- all of it ---- */

qd_status qd_aggregate_fit(const qd_manifest *m, const qd_wasm_module *module, qd_error *err)
{
    char name[QD_EXPORT_NAME_SIZE], has[256], expected[96];
    for (int which = 0; which < QD_AGGREGATE_EXPORTS; which++) {
        qd_wasm_signature s;
        qd_str export = qd_aggregate_export_name(m->function_name, (qd_aggregate_export)which, name);
        describe_expected(m, (qd_aggregate_export)which, expected, sizeof expected);
        if (!qd_wasm_module_export(module, export, &s))
            return qd_fail_field(err, QD_EUDF_WASM, "function_name",
                                 "an aggregate needs the export '%.*s', which is %s; the module has none",
                                 QD_STR_FMT(export), expected);
        if (fits(m, (qd_aggregate_export)which, &s))
            continue;
        describe(&s, has, sizeof has);
        return qd_fail_field(err, QD_EUDF_WASM, "function_name", "exported function '%.*s' is %s; expected %s",
                             QD_STR_FMT(export), has, expected);
    }
    return QD_OK;
}
