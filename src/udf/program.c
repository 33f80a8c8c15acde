/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/program.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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

static const qd_wasm_shape SHAPES[] = {[QD_ABI_UNSET] = QD_SHAPE_TYPED,
                                       [QD_ABI_ROW] = QD_SHAPE_ROW,
                                       [QD_ABI_TYPED] = QD_SHAPE_TYPED,
                                       [QD_ABI_HANDLE] = QD_SHAPE_HANDLE,
                                       [QD_ABI_BATCH] = QD_SHAPE_BATCH};

static bool returns_string(const qd_manifest *m)
{
    return m->kind != QD_KIND_AGGREGATE && m->has_returns && m->returns == QD_STRING;
}

/* Of the typed shape: the arguments that come from the document. */
static uint64_t usual_varying(const qd_manifest *m)
{
    uint64_t varying = 0;
    uint32_t place = m->kind == QD_KIND_AGGREGATE; /* behind the state */
    for (size_t i = 0; i < m->n_params; i++) {
        uint32_t n_places = m->params[i].type == QD_STRING ? 2 : 1; /* address and length */
        qd_ref_kind from = m->params[i].from.kind;
        bool varies = from == QD_REF_FIELD || from == QD_REF_SCORE || from == QD_REF_ID;
        for (uint32_t k = 0; k < n_places && place < QD_WASM_MAX_PARAMS; k++)
            varying |= (uint64_t)varies << place++;
    }
    return varying;
}

qd_status qd_manifest_entry(void *arg, const qd_wasm_module *module, qd_wasm_entry *out, qd_error *err)
{
    qd_manifest *m = arg;
    qd_status st = qd_manifest_fit(m, module, err);
    if (st != QD_OK)
        return st;
    *out = (qd_wasm_entry){.shape = SHAPES[m->abi],
                           .has_state = m->kind == QD_KIND_AGGREGATE,
                           .returns_string = returns_string(m),
                           .varying = m->abi == QD_ABI_TYPED ? usual_varying(m) : 0};
    out->export_name = qd_manifest_export(m, out->buffer);
    return QD_OK;
}

qd_status qd_manifest_program(const qd_manifest *m, qd_wasm_module *module, qd_str export_name, const char *label,
                              qd_wasm_program **out, qd_error *err)
{
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
        .returns_string = returns_string(m),
        .needs_memory = is_aggregate || (m->abi == QD_ABI_TYPED && qd_manifest_has_strings(m)),
        .params = params,
        .n_params = (uint32_t)m->n_params,
        .result = qd_manifest_result(m, &s),
        .limits = &m->limits,
        .name = label,
    };
    return qd_wasm_program_new(module, &spec, out, err);
}

/* ---- other exports of the module ---- */

qd_status qd_manifest_other_program(const qd_manifest *m, qd_wasm_module *module, qd_str function, const char *label,
                                    qd_wasm_program **out, qd_error *err)
{
    char export[QD_EXPORT_NAME_SIZE];
    qd_manifest other = *m; /* nothing of it is owned: it goes before the manifest does */
    other.function_name = function;
    other.has_needs_score = true;
    qd_error why = QD_ERROR_INIT;
    qd_status st = qd_manifest_fit(&other, module, &why);
    if (st == QD_OK)
        st = qd_manifest_program(&other, module, qd_manifest_export(&other, export), label, out, &why);
    if (st == QD_OK || st == QD_ENOMEM || st == QD_EINTERNAL) {
        if (st != QD_OK && err)
            *err = why;
        return st;
    }
    return qd_fail_field(err, QD_EUDF_PARAMS, "function", "function '%s': %s", label, why.message);
}

#define MAX_KEPT 16

struct qd_udf_programs {
    pthread_mutex_t mutex; /* held for a look and a few pointers */
    struct {
        char *function;
        qd_wasm_program *program; /* a reference */
    } items[MAX_KEPT];
    size_t n;
};

qd_udf_programs *qd_udf_programs_new(void)
{
    qd_udf_programs *p = calloc(1, sizeof *p);
    if (p)
        pthread_mutex_init(&p->mutex, NULL);
    return p;
}

void qd_udf_programs_free(qd_udf_programs *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        qd_wasm_program_unref(p->items[i].program);
        free(p->items[i].function);
    }
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

static qd_wasm_program *find_locked(const qd_udf_programs *p, qd_str function)
{
    for (size_t i = 0; i < p->n; i++)
        if (qd_str_is(function, p->items[i].function))
            return p->items[i].program;
    return NULL;
}

/* Keeps it when there is room and nobody else was faster. */
static void keep_locked(qd_udf_programs *p, qd_str function, qd_wasm_program *program)
{
    char *copy = p->n < MAX_KEPT && !find_locked(p, function) ? qd_str_dup(function) : NULL;
    if (!copy)
        return;
    qd_wasm_program_ref(program);
    p->items[p->n].function = copy;
    p->items[p->n++].program = program;
}

qd_status qd_udf_programs_get(qd_udf_programs *p, const qd_manifest *m, qd_wasm_module *module, qd_str function,
                              const char *label, qd_wasm_program **out, qd_error *err)
{
    pthread_mutex_lock(&p->mutex);
    qd_wasm_program *found = find_locked(p, function);
    if (found)
        qd_wasm_program_ref(found);
    pthread_mutex_unlock(&p->mutex);
    if (found) {
        *out = found;
        return QD_OK;
    }
    qd_status st = qd_manifest_other_program(m, module, function, label, &found, err);
    if (st != QD_OK)
        return st;
    pthread_mutex_lock(&p->mutex);
    keep_locked(p, function, found);
    pthread_mutex_unlock(&p->mutex);
    *out = found;
    return QD_OK;
}
