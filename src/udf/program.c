/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/program.h"

#include <stdio.h>

bool qd_manifest_has_strings(const qd_manifest *m)
{
    for (size_t i = 0; i < m->n_params; i++)
        if (m->params[i].type == QD_STRING)
            return true;
    return false;
}

qd_str qd_manifest_export(const qd_manifest *m, char buffer[QD_EXPORT_NAME_SIZE])
{
    if (m->kind != QD_KIND_AGGREGATE)
        return m->function_name;
    int n = snprintf(buffer, QD_EXPORT_NAME_SIZE, "%.*s_update", QD_STR_FMT(m->function_name));
    return (qd_str){buffer, n < QD_EXPORT_NAME_SIZE ? (size_t)n : QD_EXPORT_NAME_SIZE - 1};
}

qd_type qd_manifest_result(const qd_manifest *m, const qd_wasm_signature *s)
{
    static const qd_type NUMBERS[] = {
        [QD_WASM_I32] = QD_I32, [QD_WASM_I64] = QD_I64, [QD_WASM_F32] = QD_F32, [QD_WASM_F64] = QD_F64};
    if (m->kind == QD_KIND_FILTER)
        return QD_BOOL;
    if (m->has_returns)
        return m->returns;
    bool has_number = m->abi != QD_ABI_BATCH && s->n_results == 1 && s->result != QD_WASM_OTHER;
    return has_number ? NUMBERS[s->result] : QD_F64;
}

qd_status qd_manifest_program(const qd_manifest *m, qd_wasm_module *module, qd_str export_name, const char *label,
                              qd_wasm_program **out, qd_error *err)
{
    static const qd_wasm_shape SHAPES[] = {[QD_ABI_UNSET] = QD_SHAPE_TYPED,
                                           [QD_ABI_ROW] = QD_SHAPE_ROW,
                                           [QD_ABI_TYPED] = QD_SHAPE_TYPED,
                                           [QD_ABI_HANDLE] = QD_SHAPE_HANDLE,
                                           [QD_ABI_BATCH] = QD_SHAPE_BATCH};
    qd_type params[QD_WASM_MAX_PARAMS];
    qd_wasm_signature s = {0};
    bool is_aggregate = m->kind == QD_KIND_AGGREGATE;
    for (size_t i = 0; i < m->n_params; i++)
        params[i] = m->params[i].type;
    (void)qd_wasm_module_export(module, export_name, &s);
    const qd_wasm_program_spec spec = {
        .export_name = export_name,
        .shape = SHAPES[m->abi],
        .has_state = is_aggregate,
        .returns_string = !is_aggregate && m->has_returns && m->returns == QD_STRING,
        .needs_memory = m->abi == QD_ABI_TYPED && qd_manifest_has_strings(m),
        .params = params,
        .n_params = (uint32_t)m->n_params,
        .result = qd_manifest_result(m, &s),
        .limits = &m->limits,
        .name = label,
    };
    return qd_wasm_program_new(module, &spec, out, err);
}
