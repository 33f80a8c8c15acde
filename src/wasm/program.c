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

/* What is left of a signature behind an aggregate's state. */
static bool has_params(const qd_wasm_program *p, const char *letters)
{
    qd_wasm_signature expected;
    qd_wasm_signature_parse(letters, &expected);
    uint32_t skipped = p->has_state;
    const qd_wasm_signature *s = &p->signature;
    return s->n_params == expected.n_params + skipped &&
           memcmp(s->params + skipped, expected.params, expected.n_params * sizeof *s->params) == 0;
}

/* One number; nothing is needed where it would not be looked at. */
static bool fits_result(const qd_wasm_program *p)
{
    const qd_wasm_signature *s = &p->signature;
    if (s->n_results == 0)
        return p->has_state || p->returns_string;
    return s->n_results == 1 && s->result != QD_WASM_OTHER;
}

static bool fits_row(const qd_wasm_program *p)
{
    return has_params(p, "I") && fits_result(p);
}

static bool fits_typed(const qd_wasm_program *p)
{
    for (uint32_t i = 0; i < p->signature.n_params; i++)
        if (p->signature.params[i] == QD_WASM_OTHER)
            return false;
    return fits_result(p);
}

static bool fits_batch(const qd_wasm_program *p)
{
    return has_params(p, p->has_state ? "ii" : "iii") && p->signature.n_results == 0;
}

static qd_status check_signature(const qd_wasm_program *p, qd_error *err)
{
    static const struct {
        bool (*fits)(const qd_wasm_program *p);
        const char *expected, *update;
    } shapes[] = {
        [QD_SHAPE_ROW] = {fits_row, "the row shape has (i64) and one number as its result", "(i32, i64)"},
        [QD_SHAPE_TYPED] = {fits_typed,
                            "the typed shape has at most 64 numbers (i32, i64, f32, f64) and one number as its result",
                            "an i32, then at most 63 numbers"},
        [QD_SHAPE_HANDLE] = {fits_row, "the handle shape has (i64) and one number as its result", "(i32, i64)"},
        [QD_SHAPE_BATCH] = {fits_batch, "the batch shape has (i32, i32, i32) and no result", "(i32, i32, i32)"},
    };
    char is[QD_SIGNATURE_TEXT_SIZE];
    const qd_wasm_signature *s = &p->signature;
    bool has_state = !p->has_state || (s->n_params > 0 && s->params[0] == QD_WASM_I32);
    if (has_state && shapes[p->shape].fits(p))
        return QD_OK;
    return qd_fail_field(err, QD_EUDF_WASM, "function_name", "function '%s': export '%.64s' has the signature %s; %s%s",
                         p->name, p->export_name, qd_wasm_signature_text(s, is),
                         p->has_state ? "an aggregate's update in this shape has " : "",
                         p->has_state ? shapes[p->shape].update : shapes[p->shape].expected);
}

static qd_status check_memory(const qd_wasm_program *p, bool needs_memory, qd_error *err)
{
    char is[QD_SIGNATURE_TEXT_SIZE];
    qd_wasm_signature alloc, expected;
    if (!needs_memory)
        return QD_OK;
    if (!p->module->exports_memory)
        return qd_fail_field(err, QD_EUDF_WASM, "abi",
                             "function '%s': the module exports no memory named 'memory', where its batches and "
                             "strings would be laid; export it",
                             p->name);
    qd_wasm_signature_parse(QD_ALLOC_SIGNATURE, &expected);
    if (!qd_wasm_module_export(p->module, QD_STR(QD_ALLOC_EXPORT), &alloc) || qd_wasm_signature_eq(&alloc, &expected))
        return QD_OK;
    return qd_fail_field(err, QD_EUDF_WASM, "abi",
                         "function '%s': export '" QD_ALLOC_EXPORT "' has the signature %s; expected (i32) -> i32",
                         p->name, qd_wasm_signature_text(&alloc, is));
}

static qd_status check_limits(const qd_wasm_program *p, qd_error *err)
{
    const qd_wasm_state *state = &p->module->state;
    if (state->memory_pages > p->limits.memory_bytes / 65536)
        return qd_fail_field(
            err, QD_EUDF_MEMORY, "memory_bytes",
            "function '%s': starts with %llu KiB of linear memory; the limit is %zu KiB (limits.memory_bytes)", p->name,
            (unsigned long long)state->memory_pages * 64, p->limits.memory_bytes / 1024);
    uint64_t pages = state->memory_pages, elements = state->table_elements;
    for (size_t i = 0; i < p->module->links.n; i++) {
        pages += p->module->links.modules[i].module->state.memory_pages;
        elements += p->module->links.modules[i].module->state.table_elements;
    }
    if (pages > p->limits.memory_bytes / 65536)
        return qd_fail_field(err, QD_EUDF_MEMORY, "memory_bytes",
                             "function '%s': starts with %llu KiB of linear memory in its dependencies and itself; the "
                             "limit is %zu KiB (limits.memory_bytes)",
                             p->name, (unsigned long long)pages * 64, p->limits.memory_bytes / 1024);
    if (state->table_elements > p->limits.table_elements)
        return qd_fail_field(
            err, QD_EUDF_MEMORY, "table_elements",
            "function '%s': starts with a table of %llu elements; the limit is %u (limits.table_elements)", p->name,
            (unsigned long long)state->table_elements, p->limits.table_elements);
    if (elements > p->limits.table_elements)
        return qd_fail_field(err, QD_EUDF_MEMORY, "table_elements",
                             "function '%s': starts with tables of %llu elements in its dependencies and itself; the "
                             "limit is %u (limits.table_elements)",
                             p->name, (unsigned long long)elements, p->limits.table_elements);
    return QD_OK;
}

static qd_status lay_out_batch(qd_wasm_program *p, const qd_wasm_program_spec *spec, qd_error *err)
{
    if (p->shape != QD_SHAPE_BATCH)
        return QD_OK;
    if (spec->n_params > QD_WASM_MAX_PARAMS)
        return qd_fail(err, QD_EINTERNAL, "function '%s': %u parameters", p->name, spec->n_params);
    p->batch = malloc(sizeof *p->batch);
    if (!p->batch)
        return qd_fail_nomem(err);
    qd_batch_lay_out(spec, p->batch);
    return QD_OK;
}

qd_status qd_wasm_program_new(qd_wasm_module *m, const qd_wasm_program_spec *spec, qd_wasm_program **out, qd_error *err)
{
    static const qd_wasm_limits defaults = QD_WASM_LIMITS_INIT;
    qd_status rc = QD_OK;
    qd_wasm_program *p = calloc(1, sizeof *p);
    if (!p)
        return qd_fail_nomem(err);
    atomic_init(&p->refs, 1);
    p->engine = m->engine;
    p->module = m;
    qd_wasm_module_ref(m);
    p->shape = spec->shape;
    p->has_state = spec->has_state;
    p->returns_string = spec->returns_string;
    p->limits = spec->limits ? *spec->limits : defaults;
    if (p->limits.table_elements > QD_WASM_MAX_TABLE_ELEMENTS)
        p->limits.table_elements = QD_WASM_MAX_TABLE_ELEMENTS;
    p->name = qd_str_dup(qd_str_of(spec->name ? spec->name : "?"));
    p->export_name = qd_str_dup(spec->export_name);
    p->export_name_n = spec->export_name.n;
    if (!p->name || !p->export_name)
        rc = qd_fail_nomem(err);
    if (!rc && !qd_wasm_module_export(m, spec->export_name, &p->signature))
        rc = fail_no_export(m, spec->export_name, p->name, err);
    if (!rc)
        rc = check_signature(p, err);
    if (!rc)
        rc = check_memory(p, spec->needs_memory || p->shape == QD_SHAPE_BATCH, err);
    if (!rc)
        rc = check_limits(p, err);
    if (!rc)
        rc = lay_out_batch(p, spec, err);
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
    free(p->batch);
    free(p->export_name);
    free(p->name);
    free(p);
}

const qd_wasm_signature *qd_wasm_program_signature(const qd_wasm_program *p)
{
    return &p->signature;
}
