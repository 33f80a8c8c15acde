/* SPDX-License-Identifier: Apache-2.0
 *
 * Running: arguments in, calls, results out. */
#include <stdio.h>

#include "base/clock.h"
#include "wasm/code.h"
#include "wasm/instance.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

/* ---- arguments -------------------------------------------------------------------------------------------------- */

static uint8_t *block_of(const qd_instance *i)
{
    return i->memory_data + i->block.at;
}

void *qd_instance_column(qd_instance *i, uint32_t arg)
{
    const qd_batch_layout *batch = i->program->batch;
    return batch ? block_of(i) + batch->columns[arg].values : i->cols + i->driver->columns[arg];
}

uint8_t *qd_instance_column_valid(qd_instance *i, uint32_t arg)
{
    return block_of(i) + i->program->batch->columns[arg].valid;
}

void qd_instance_constant(qd_instance *i, uint32_t arg, qd_value v)
{
    const qd_wasm_program *p = i->program;
    if (p->batch)
        qd_batch_fill(&p->batch->columns[arg], block_of(i), v);
    else
        qd_wasm_store_number(i->cols + QD_DRIVER_CELL_CONSTANTS + 8 * arg, p->signature.params[arg], v);
}

void qd_instance_set_state(qd_instance *i, int32_t state)
{
    i->state = state;
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

const void *qd_instance_results(const qd_instance *i)
{
    const qd_batch_layout *batch = i->program->batch;
    return batch ? block_of(i) + qd_batch_results(batch)->values : i->cols + i->driver->results;
}

const uint8_t *qd_instance_result_valid(const qd_instance *i)
{
    static const uint8_t none[QD_BLOCK_DOCS];
    const qd_batch_layout *batch = i->program->batch;
    if (batch && !i->was_call)
        return block_of(i) + qd_batch_results(batch)->valid;
    if (i->host && i->host->results && i->host->results_run == i->runs)
        return i->host->results->has;
    return i->program->returns_string || i->was_call ? none : NULL;
}

bool qd_instance_is_result_missing(const qd_instance *i)
{
    return i->host && i->host->results && i->host->results_run == i->runs && !i->host->results->has[0];
}

/* Before the bytes are looked at: 2,048 rows can all name the same 16 MiB. */
static qd_status read_batch_string(qd_instance *i, uint32_t row, qd_str *out, qd_error *err)
{
    qd_batch_string s;
    memcpy(&s, (const uint8_t *)qd_instance_results(i) + row * sizeof s, sizeof s);
    const char *p = (const char *)qd_instance_bytes(i, s.at, s.n);
    if (!p)
        return qd_fail(err, QD_EUDF_FAILED, "its result, a string of %u bytes at %u, is not in its memory", s.n, s.at);
    if (s.n > QD_RESULT_STRING_BYTES)
        return qd_fail(err, QD_EUDF_FAILED, "its result, a string of %u bytes, is longer than %u", s.n,
                       QD_RESULT_STRING_BYTES);
    if (i->result_bytes + s.n > QD_RESULT_RUN_BYTES)
        return qd_fail(err, QD_EUDF_FAILED, "its results, the strings of one block, take more than %zu MiB",
                       QD_RESULT_RUN_BYTES >> 20);
    i->result_bytes += s.n;
    if (!qd_str_is_utf8((qd_str){p, s.n}))
        return qd_fail(err, QD_EUDF_FAILED, "its result, a string of %u bytes, is not UTF-8", s.n);
    *out = (qd_str){p, s.n};
    return QD_OK;
}

qd_status qd_instance_result_string(qd_instance *i, uint32_t row, qd_str *out, qd_error *err)
{
    if (i->program->batch && !i->was_call)
        return read_batch_string(i, row, out, err);
    bool is_there = i->host && i->host->results && i->host->results_run == i->runs;
    *out = is_there ? i->host->results->strings[row] : (qd_str){"", 0};
    return QD_OK;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static qd_status fail_at(qd_instance *i, uint32_t row, qd_run_failure *failure, qd_status rc)
{
    i->is_dead = true;
    if (failure)
        *failure = (qd_run_failure){.is_set = true, .row = row};
    return rc;
}

/* The clock only ticks inside the guest; a run of many short blocks would never meet it. */
static qd_status check_before(const qd_instance *i, qd_error *err)
{
    if (i->call->canceled && __atomic_load_n(i->call->canceled, __ATOMIC_RELAXED))
        return qd_fail(err, QD_ECANCELED, "the query was canceled");
    if (i->call->deadline_ns != INT64_MAX && qd_clock_mono_ns() >= i->call->deadline_ns)
        return qd_fail(err, QD_EUDF_TIMEOUT, "the query's deadline passed before the function ran");
    return QD_OK;
}

/* Contexts of earlier runs are stale from here on. */
static void begin(qd_instance *i, bool is_call)
{
    i->runs++;
    i->context_base = i->runs << 32;
    i->was_call = is_call;
    i->stop = QD_STOP_NONE;
    i->result_bytes = 0;
    i->budget.refused_bytes = i->budget.refused_elements = 0;
    if (i->host) {
        i->host->log_used = 0;
        i->host->has_log_note = false;
    }
}

static qd_status enter(qd_instance *i, const wasmtime_func_t *f, wasmtime_val_raw_t *args, size_t n, const char *name,
                       qd_error *err)
{
    wasm_trap_t *trap = NULL;
    i->calling = name;
    qd_instance_enter(i);
    wasmtime_error_t *error = wasmtime_func_call_unchecked(i->context, f, args, n, &trap);
    qd_instance_leave(i);
    qd_status rc = trap || error ? qd_trap_describe(i, trap, error, err) : QD_OK;
    i->calling = NULL;
    return rc;
}

static qd_status run_driver(qd_instance *i, uint32_t first, uint32_t end, qd_error *err)
{
    wasmtime_val_raw_t args[2];
    memcpy(i->cols + QD_DRIVER_CELL_ROW, &first, sizeof first);
    memcpy(i->cols + QD_DRIVER_CELL_CONTEXT, &i->context_base, sizeof i->context_base);
    if (i->program->module->imports_columns && i->program->shape != QD_SHAPE_TYPED)
        qd_host_lay_columns(i, first, end);
    args[0].i32 = (int32_t)first;
    args[1].i32 = (int32_t)end;
    i->is_at_row = true;
    i->is_at_document = i->program->shape != QD_SHAPE_TYPED; /* where rows without arguments are left out */
    qd_status rc = enter(i, &i->run, args, 2, i->program->export_name, err);
    i->is_at_row = i->is_at_document = false;
    return rc;
}

static qd_status run_batch(qd_instance *i, uint32_t first, uint32_t end, qd_error *err)
{
    wasmtime_val_raw_t args[4];
    size_t n = 0;
    const qd_batch_layout *batch = i->program->batch;
    qd_batch_begin(batch, block_of(i), i->block.at, i->varying, first, end);
    if (i->program->has_state)
        args[n++].i32 = i->state;
    args[n++].i32 = (int32_t)(end - first);
    args[n++].i32 = (int32_t)i->block.at;
    if (batch->has_results)
        args[n++].i32 = (int32_t)(i->block.at + batch->n_params * sizeof(qd_batch_descriptor));
    return enter(i, &i->run, args, n, i->program->export_name, err);
}

qd_status qd_instance_run_range(qd_instance *i, uint32_t first, uint32_t end, qd_run_failure *failure, qd_error *err)
{
    if (failure)
        *failure = (qd_run_failure){.is_set = false};
    if (i->is_dead || end > QD_BLOCK_DOCS)
        return qd_fail(err, QD_EINTERNAL, i->is_dead ? "the instance has failed before" : "the block is too long");
    if (first >= end)
        return QD_OK;
    begin(i, false);
    qd_status rc = check_before(i, err);
    if (rc)
        return fail_at(i, first, failure, rc);
    i->run_first = first;
    i->run_end = end;
    i->has_rows = true;
    rc = i->program->batch ? run_batch(i, first, end, err) : run_driver(i, first, end, err);
    i->has_rows = false;
    return rc ? fail_at(i, i->program->batch ? first : qd_instance_row(i), failure, rc) : QD_OK;
}

qd_status qd_instance_run(qd_instance *i, uint32_t n, qd_run_failure *failure, qd_error *err)
{
    return qd_instance_run_range(i, 0, n, failure, err);
}

/* ---- other functions of the module ------------------------------------------------------------------------------ */

static qd_status find_function(qd_instance *i, qd_str name, const qd_wasm_signature *expected, wasmtime_extern_t *out,
                               qd_error *err)
{
    char is[QD_SIGNATURE_TEXT_SIZE], should[QD_SIGNATURE_TEXT_SIZE];
    qd_wasm_signature s;
    if (!qd_wasm_module_export(i->program->module, name, &s) ||
        !wasmtime_instance_export_get(i->context, &i->guest, name.p, name.n, out))
        return qd_fail(err, QD_EUDF_WASM, "the module exports no function '%.*s'", QD_STR_FMT(name));
    if (qd_wasm_signature_eq(&s, expected))
        return QD_OK;
    return qd_fail(err, QD_EUDF_WASM, "exported function '%.*s' is %.120s; expected %.120s", QD_STR_FMT(name),
                   qd_wasm_signature_text(&s, is), qd_wasm_signature_text(expected, should));
}

qd_status qd_instance_call(qd_instance *i, qd_str export_name, const char *signature, const qd_wasm_value *args,
                           qd_wasm_value *result, qd_error *err)
{
    wasmtime_val_raw_t raw[QD_WASM_MAX_PARAMS + 1];
    wasmtime_extern_t function;
    qd_wasm_signature s;
    char name[64];
    if (i->is_dead)
        return qd_fail(err, QD_EINTERNAL, "the instance has failed before");
    qd_wasm_signature_parse(signature, &s);
    qd_status rc = find_function(i, export_name, &s, &function, err);
    if (rc)
        return rc;
    begin(i, true);
    rc = check_before(i, err);
    if (rc)
        return rc;
    for (uint32_t k = 0; k < s.n_params; k++)
        memcpy(&raw[k], &args[k], sizeof args[k]);
    snprintf(name, sizeof name, "%.*s", QD_STR_FMT(export_name));
    rc = enter(i, &function.of.func, raw, s.n_params > s.n_results ? s.n_params : s.n_results, name, err);
    if (rc)
        return fail_at(i, 0, NULL, rc);
    if (s.n_results)
        memcpy(result, &raw[0], sizeof *result);
    return QD_OK;
}
