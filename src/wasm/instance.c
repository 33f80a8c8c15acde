/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/instance.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "wasm/code.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

/* The memory of a store that was dropped comes back in another thread's store. The kernel puts the two into order,
 * which ThreadSanitizer does not see: the engine maps memory by system calls of its own. */
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
static char address_space;
#define AFTER_MAPPING()    __tsan_acquire(&address_space)
#define BEFORE_UNMAPPING() __tsan_release(&address_space)
#else
#define AFTER_MAPPING()
#define BEFORE_UNMAPPING()
#endif

/* ---- the epoch clock's ticks ------------------------------------------------------------------------------------ */

/* Called on the running thread at the first check after each tick: should the guest go on? The limit per document
 * counts the ticks that the guest itself has seen, so that what the machine does beside does not count against it; the
 * query's deadline counts all time. */
static wasmtime_error_t *on_tick(wasmtime_context_t *context, void *arg, uint64_t *delta,
                                 wasmtime_update_deadline_kind_t *kind)
{
    (void)context;
    qd_instance *i = arg;
    uint32_t row = qd_instance_row(i);
    *delta = 1;
    *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
    if (i->seen_run != i->runs || i->seen_row != row) {
        i->seen_run = i->runs;
        i->seen_row = row;
        i->seen_ticks = 0;
    }
    if (i->call->canceled && __atomic_load_n(i->call->canceled, __ATOMIC_RELAXED))
        i->stop = QD_STOP_CANCELED;
    else if (i->call->deadline_ns != INT64_MAX && qd_clock_mono_ns() >= i->call->deadline_ns)
        i->stop = QD_STOP_QUERY_DEADLINE;
    else if (++i->seen_ticks > i->program->limits.call_ms)
        i->stop = QD_STOP_CALL_LIMIT;
    return i->stop == QD_STOP_NONE ? NULL : wasmtime_error_new("stopped");
}

/* Everything that runs guest code lies between these two. */
static void enter_guest(qd_instance *i)
{
    wasmtime_context_set_epoch_deadline(i->context, 1);
    qd_epoch_clock_enter(&i->engine->clock);
}

static void leave_guest(qd_instance *i)
{
    qd_epoch_clock_leave(&i->engine->clock);
    i->caller = NULL;
}

/* ---- making an instance ----------------------------------------------------------------------------------------- */

static uint8_t no_memory; /* where a length of 0 may point for a guest without a memory */

uint8_t *qd_instance_memory_slow(qd_instance *i, uint32_t at, uint32_t n)
{
    wasmtime_extern_t export;
    if (!i->has_memory) { /* a start function runs: the export has not been looked up yet */
        if (!i->caller || !wasmtime_caller_export_get(i->caller, "memory", 6, &export) ||
            export.kind != WASMTIME_EXTERN_MEMORY)
            return NULL;
        i->memory = export.of.memory;
        i->has_memory = true;
        AFTER_MAPPING();
    }
    i->memory_data = wasmtime_memory_data(i->context, &i->memory);
    i->memory_bytes = wasmtime_memory_data_size(i->context, &i->memory);
    return (uint64_t)at + n <= i->memory_bytes ? i->memory_data + at : NULL;
}

static void set_limits(qd_instance *i, size_t memory_bytes)
{
    wasmtime_store_limiter(i->store, (int64_t)memory_bytes, i->program->limits.table_elements, QD_INSTANCES_PER_STORE,
                           -1, QD_MEMORIES_PER_STORE);
}

static qd_status make_store(qd_instance *i, qd_error *err)
{
    i->store = wasmtime_store_new(i->native->backend->wasm, i, NULL);
    i->context = wasmtime_store_context(i->store);
    if (i->native->backend->has_epochs)
        wasmtime_store_epoch_deadline_callback(i->store, on_tick, i, NULL);
    i->memory_data = &no_memory;
    if (i->program->module->n_imports == 0)
        return QD_OK;
    i->host = calloc(1, sizeof *i->host);
    return i->host ? QD_OK : qd_fail_nomem(err);
}

static qd_status run_initialize(qd_instance *i, const wasmtime_instance_t *guest, qd_error *err)
{
    wasmtime_extern_t export;
    wasmtime_val_raw_t none;
    wasm_trap_t *trap = NULL;
    if (!i->program->module->has_initialize ||
        !wasmtime_instance_export_get(i->context, guest, "_initialize", 11, &export))
        return QD_OK;
    enter_guest(i);
    wasmtime_error_t *error = wasmtime_func_call_unchecked(i->context, &export.of.func, &none, 0, &trap);
    leave_guest(i);
    return trap || error ? qd_trap_describe(i, trap, error, err) : QD_OK;
}

static qd_status instantiate_guest(qd_instance *i, wasmtime_instance_t *guest, qd_error *err)
{
    wasm_trap_t *trap = NULL;
    wasmtime_extern_t export;
    set_limits(i, i->program->limits.memory_bytes);
    enter_guest(i);
    wasmtime_error_t *error = wasmtime_instance_pre_instantiate(i->native->linked, i->context, guest, &trap);
    leave_guest(i);
    if (trap || error)
        return qd_trap_describe(i, trap, error, err);
    /* Before _initialize: what a runtime does there, such as asking for random bytes, needs it already. */
    if (wasmtime_instance_export_get(i->context, guest, "memory", 6, &export) &&
        export.kind == WASMTIME_EXTERN_MEMORY) {
        i->memory = export.of.memory;
        i->has_memory = true;
        i->memory_data = wasmtime_memory_data(i->context, &i->memory);
        i->memory_bytes = i->memory_first_bytes = wasmtime_memory_data_size(i->context, &i->memory);
    }
    return run_initialize(i, guest, err);
}

static qd_status instantiate_driver(qd_instance *i, const wasmtime_instance_t *guest, qd_error *err)
{
    wasmtime_extern_t function, run, cols;
    wasmtime_instance_t driver;
    wasm_trap_t *trap = NULL;
    const qd_wasm_program *p = i->program;
    if (!wasmtime_instance_export_get(i->context, guest, p->export_name, p->export_name_n, &function))
        return qd_fail(err, QD_EINTERNAL, "the export '%s' has gone", p->export_name);
    set_limits(i, i->driver->memory_bytes);
    wasmtime_error_t *error = wasmtime_instance_new(i->context, i->driver->module, &function, 1, &driver, &trap);
    if (trap || error)
        return qd_trap_describe(i, trap, error, err);
    set_limits(i, p->limits.memory_bytes);
    if (!wasmtime_instance_export_get(i->context, &driver, "run", 3, &run) ||
        !wasmtime_instance_export_get(i->context, &driver, "cols", 4, &cols))
        return qd_fail(err, QD_EINTERNAL, "the driver lacks its exports");
    i->run = run.of.func;
    i->cols = wasmtime_memory_data(i->context, &cols.of.memory);
    AFTER_MAPPING();
    return QD_OK;
}

void qd_instance_free(qd_instance *i)
{
    if (!i)
        return;
    BEFORE_UNMAPPING();
    if (i->store)
        wasmtime_store_delete(i->store);
    if (i->native)
        qd_driver_cache_put(i->native->backend->drivers, i->driver);
    qd_wasm_native_unref(i->native);
    for (size_t k = 0; i->host && k < QD_FIELD_COLUMNS; k++)
        free(i->host->columns[k].values.f64);
    free(i->host);
    free(i);
}

static qd_status make_instance(qd_wasm_program *p, uint64_t varying, qd_call *call, qd_instance **out, qd_error *err)
{
    qd_driver_spec spec = {.shape = p->shape, .varying = varying, .signature = &p->signature};
    wasmtime_instance_t guest;
    qd_instance *i = calloc(1, sizeof *i);
    if (!i)
        return qd_fail_nomem(err);
    i->engine = p->engine;
    i->program = p;
    i->varying = varying;
    i->call = call;
    i->native = qd_wasm_module_native(p->module);
    qd_status rc = qd_driver_cache_get(i->native->backend->drivers, &spec, &i->driver, err);
    if (!rc)
        rc = make_store(i, err);
    if (!rc)
        rc = instantiate_guest(i, &guest, err);
    if (!rc)
        rc = instantiate_driver(i, &guest, err);
    if (!rc)
        *out = QD_TAKE(i);
    qd_instance_free(i);
    return rc;
}

/* ---- acquire and release ---------------------------------------------------------------------------------------- */

qd_status qd_instance_acquire(qd_wasm_program *p, uint64_t varying, qd_call *call, qd_instance **out, qd_error *err)
{
    qd_instance *i = NULL;
    qd_status rc = qd_wasm_engine_take(p->engine, p, varying, &i, err);
    if (rc)
        return rc;
    if (!i) {
        rc = make_instance(p, varying, call, &i, err);
        if (rc) {
            qd_wasm_engine_give_back(p->engine);
            return rc;
        }
        atomic_fetch_add_explicit(&p->engine->counts.instances_made, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&p->engine->counts.instances_reused, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&p->module->n_instances, 1, memory_order_relaxed);
    qd_wasm_program_ref(p);
    i->call = call;
    *out = i;
    return QD_OK;
}

/* Only a function that cannot keep anything from one call to the next is used again as it is; it imports nothing, so
 * that there is no state of host functions either. */
static bool is_reusable(const qd_instance *i)
{
    const qd_wasm_module *m = i->program->module;
    return !i->is_dead && m->state.is_stateless && m->n_imports == 0;
}

void qd_instance_release(qd_instance *i)
{
    if (!i)
        return;
    qd_wasm_program *p = i->program;
    qd_wasm_engine *e = i->engine;
    i->call = NULL;
    atomic_fetch_sub_explicit(&p->module->n_instances, 1, memory_order_relaxed);
    if (is_reusable(i)) {
        memset(i->cols + QD_DRIVER_CELL_CONSTANTS, 0, sizeof(uint64_t) * QD_WASM_MAX_PARAMS);
        if (qd_wasm_engine_keep(e, i)) {
            qd_wasm_program_unref(p);
            return;
        }
    }
    qd_instance_free(i);
    qd_wasm_engine_give_back(e);
    qd_wasm_program_unref(p);
}

/* ---- arguments and results -------------------------------------------------------------------------------------- */

void *qd_instance_column(qd_instance *i, uint32_t arg)
{
    return i->cols + i->driver->columns[arg];
}

static int64_t as_i64(qd_value v)
{
    if (v.type == QD_BOOL)
        return v.as.b;
    if (v.type == QD_I64)
        return v.as.i;
    if (v.type != QD_F64 || isnan(v.as.f))
        return 0;
    if (v.as.f >= 0x1p63)
        return INT64_MAX;
    return v.as.f < -0x1p63 ? INT64_MIN : (int64_t)v.as.f;
}

static double as_f64(qd_value v)
{
    return v.type == QD_F64 ? v.as.f : (double)as_i64(v);
}

void qd_instance_constant(qd_instance *i, uint32_t arg, qd_value v)
{
    uint8_t *cell = i->cols + QD_DRIVER_CELL_CONSTANTS + 8 * arg;
    int64_t i64 = as_i64(v);
    int32_t i32 = i64 > INT32_MAX ? INT32_MAX : i64 < INT32_MIN ? INT32_MIN : (int32_t)i64;
    double f64 = as_f64(v);
    float f32 = (float)f64;
    const struct {
        const void *p;
        size_t n;
    } forms[] = {[QD_WASM_I32] = {&i32, sizeof i32},
                 [QD_WASM_I64] = {&i64, sizeof i64},
                 [QD_WASM_F32] = {&f32, sizeof f32},
                 [QD_WASM_F64] = {&f64, sizeof f64}};
    qd_wasm_valtype type = i->program->signature.params[arg];
    memcpy(cell, forms[type].p, forms[type].n);
}

const void *qd_instance_results(const qd_instance *i)
{
    return i->cols + i->driver->results;
}

bool qd_instance_is_outdated(const qd_instance *i)
{
    return atomic_load_explicit(&i->program->module->native, memory_order_relaxed) != i->native;
}

uint32_t qd_instance_max_rows(const qd_instance *i)
{
    (void)i;
    return QD_BLOCK_DOCS;
}

uint64_t qd_instance_host_calls(const qd_instance *i)
{
    return i->host_calls;
}

uint64_t qd_instance_string_bytes(const qd_instance *i)
{
    return i->string_bytes;
}

bool qd_instance_current_row(const qd_instance *i, uint32_t *row)
{
    if (!i->cols || i->runs == 0)
        return false;
    *row = qd_instance_row(i);
    return true;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static qd_status fail_at_row(qd_instance *i, qd_run_failure *failure, qd_status rc)
{
    i->is_dead = true;
    if (failure)
        *failure = (qd_run_failure){.is_set = true, .row = qd_instance_row(i)};
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

static void begin_run(qd_instance *i, uint32_t first)
{
    i->runs++;
    i->context_base = i->runs << 32;
    memcpy(i->cols + QD_DRIVER_CELL_ROW, &first, sizeof first);
    memcpy(i->cols + QD_DRIVER_CELL_CONTEXT, &i->context_base, sizeof i->context_base);
    i->stop = QD_STOP_NONE;
    if (i->host) {
        i->host->log_used = 0;
        i->host->has_log_note = false;
    }
}

qd_status qd_instance_run_range(qd_instance *i, uint32_t first, uint32_t end, qd_run_failure *failure, qd_error *err)
{
    wasmtime_val_raw_t args[2];
    wasm_trap_t *trap = NULL;
    if (failure)
        *failure = (qd_run_failure){.is_set = false};
    if (i->is_dead || end > QD_BLOCK_DOCS)
        return qd_fail(err, QD_EINTERNAL, i->is_dead ? "the instance has failed before" : "the block is too long");
    if (first >= end)
        return QD_OK;
    begin_run(i, first);
    qd_status rc = check_before(i, err);
    if (rc)
        return fail_at_row(i, failure, rc);
    args[0].i32 = (int32_t)first;
    args[1].i32 = (int32_t)end;
    enter_guest(i);
    wasmtime_error_t *error = wasmtime_func_call_unchecked(i->context, &i->run, args, 2, &trap);
    leave_guest(i);
    return trap || error ? fail_at_row(i, failure, qd_trap_describe(i, trap, error, err)) : QD_OK;
}

qd_status qd_instance_run(qd_instance *i, uint32_t n, qd_run_failure *failure, qd_error *err)
{
    return qd_instance_run_range(i, 0, n, failure, err);
}
