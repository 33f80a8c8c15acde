/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/program_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "wasm/engine_impl.h"
#include "wasm/module_impl.h"

static qd_status fail_no_export(const qd_wasm_module *m, qd_str wanted, const char *name, qd_error *err)
{
    char list[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < m->n_exports && used + 1 < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s'%.40s'", i ? ", " : "", m->exports[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return qd_fail_field(err, QD_EUDF_WASM, "function_name",
                         "function '%s': the module exports no function '%.*s'; %s%s", name, QD_STR_FMT(wanted),
                         m->n_exports ? "it exports " : "it exports none", list);
}

static bool fits_row(const qd_wasm_signature *s)
{
    return s->n_params == 1 && s->params[0] == QD_WASM_I64 && s->n_results == 1 &&
           (s->result == QD_WASM_I32 || s->result == QD_WASM_F64);
}

static bool fits_typed(const qd_wasm_signature *s)
{
    for (uint32_t i = 0; i < s->n_params; i++)
        if (s->params[i] == QD_WASM_OTHER)
            return false;
    return s->n_results == 1 && s->result != QD_WASM_OTHER;
}

static qd_status check_signature(const qd_wasm_program *p, qd_error *err)
{
    static const struct {
        bool (*fits)(const qd_wasm_signature *s);
        const char *expected;
    } shapes[] = {
        [QD_SHAPE_ROW] = {fits_row, "the row shape has (i64) -> i32 for filters or (i64) -> f64"},
        [QD_SHAPE_TYPED] = {fits_typed,
                            "the typed shape has at most 64 numbers (i32, i64, f32, f64) and one number as its result"},
    };
    char is[QD_SIGNATURE_TEXT_SIZE];
    if (shapes[p->shape].fits(&p->signature))
        return QD_OK;
    return qd_fail_field(err, QD_EUDF_WASM, "function_name", "function '%s': export '%.64s' has the signature %s; %s",
                         p->name, p->export_name, qd_wasm_signature_text(&p->signature, is), shapes[p->shape].expected);
}

static qd_status check_limits(const qd_wasm_program *p, qd_error *err)
{
    const qd_wasm_state *state = &p->module->state;
    if (state->memory_pages > p->limits.memory_bytes / 65536)
        return qd_fail_field(err, QD_EUDF_MEMORY, "memory_bytes",
                             "function '%s': starts with %llu KiB of linear memory; the limit is %zu KiB", p->name,
                             (unsigned long long)state->memory_pages * 64, p->limits.memory_bytes / 1024);
    if (state->table_elements > p->limits.table_elements)
        return qd_fail_field(err, QD_EUDF_MEMORY, "table_elements",
                             "function '%s': starts with a table of %llu elements; the limit is %u", p->name,
                             (unsigned long long)state->table_elements, p->limits.table_elements);
    return QD_OK;
}

qd_status qd_wasm_program_new(qd_wasm_engine *e, qd_wasm_module *m, qd_str export_name, qd_wasm_shape shape,
                              const qd_wasm_limits *limits, const char *name_for_errors, qd_wasm_program **out,
                              qd_error *err)
{
    static const qd_wasm_limits defaults = QD_WASM_LIMITS_INIT;
    qd_status rc = QD_OK;
    qd_wasm_program *p = calloc(1, sizeof *p);
    if (!p)
        return qd_fail_nomem(err);
    atomic_init(&p->refs, 1);
    p->engine = e;
    p->module = m;
    qd_wasm_module_ref(m);
    p->shape = shape;
    p->limits = limits ? *limits : defaults;
    if (p->limits.table_elements > QD_WASM_MAX_TABLE_ELEMENTS)
        p->limits.table_elements = QD_WASM_MAX_TABLE_ELEMENTS;
    p->name = qd_str_dup(qd_str_of(name_for_errors ? name_for_errors : "?"));
    p->export_name = qd_str_dup(export_name);
    p->export_name_n = export_name.n;
    if (!p->name || !p->export_name)
        rc = qd_fail_nomem(err);
    if (!rc && !qd_wasm_module_export(m, export_name, &p->signature))
        rc = fail_no_export(m, export_name, p->name, err);
    if (!rc)
        rc = check_signature(p, err);
    if (!rc)
        rc = check_limits(p, err);
    if (!rc)
        *out = QD_TAKE(p);
    qd_wasm_program_unref(p);
    return rc;
}

void qd_wasm_program_ref(qd_wasm_program *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

void qd_wasm_program_unref(qd_wasm_program *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    qd_wasm_engine_forget(p->engine, p);
    qd_wasm_module_unref(p->module);
    free(p->export_name);
    free(p->name);
    free(p);
}

const qd_wasm_signature *qd_wasm_program_signature(const qd_wasm_program *p)
{
    return &p->signature;
}
