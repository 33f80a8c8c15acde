/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/instance.h"

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

static qd_stop stop_of_query(const qd_instance *i, int64_t now_ns)
{
    if (i->call->canceled && __atomic_load_n(i->call->canceled, __ATOMIC_RELAXED))
        return QD_STOP_CANCELED;
    return now_ns >= i->call->deadline_ns ? QD_STOP_QUERY_DEADLINE : QD_STOP_NONE;
}

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
    i->stop = stop_of_query(i, qd_clock_mono_ns());
    if (i->stop == QD_STOP_NONE && ++i->seen_ticks > i->program->limits.call_ms)
        i->stop = QD_STOP_CALL_LIMIT;
    return i->stop == QD_STOP_NONE ? NULL : wasmtime_error_new("stopped");
}

bool qd_instance_is_over(qd_instance *i)
{
    if (i->native->backend->has_epochs)
        return false;
    i->stop = stop_of_query(i, qd_clock_mono_ns());
    return i->stop != QD_STOP_NONE;
}

/* ---- what its memory counts for --------------------------------------------------------------------------------- */

uint64_t qd_instance_linear_bytes(const qd_instance *i)
{
    return i->budget.used_bytes;
}

/* A change may be negative: sums of unsigned numbers wrap. */
static void count_linear(qd_instance *i, uint64_t now)
{
    uint64_t change = now - i->linear_bytes;
    if (change == 0)
        return;
    atomic_fetch_add_explicit(&i->program->module->linear_bytes, change, memory_order_relaxed);
    atomic_fetch_add_explicit(&i->engine->counts.linear_bytes, change, memory_order_relaxed);
    i->linear_bytes = now;
}

/* What it has of memory for arguments and results: joined code brings some whether or not it is used. */
static uint64_t columns_bytes(const qd_instance *i)
{
    bool has_drivers = i->driver && !i->is_joined && !i->program->module->imports_columns;
    return (i->native->join ? i->native->join->cols_bytes : 0) + (i->columns ? i->columns->memory_bytes : 0) +
           (has_drivers ? i->driver->memory_bytes : 0);
}

static void count_columns(qd_instance *i, uint64_t now)
{
    atomic_fetch_add_explicit(&i->engine->counts.column_bytes, now - i->column_bytes, memory_order_relaxed);
    i->column_bytes = now;
}

/* ---- entering and leaving --------------------------------------------------------------------------------------- */

void qd_instance_enter(qd_instance *i)
{
    wasmtime_context_set_epoch_deadline(i->context, 1);
    qd_epoch_clock_enter(&i->engine->clock);
}

void qd_instance_leave(qd_instance *i)
{
    qd_epoch_clock_leave(&i->engine->clock);
    i->caller = NULL;
    count_linear(i, qd_instance_linear_bytes(i)); /* the guest may have grown it */
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

/* One budget for the function and its dependencies. */
static qd_status set_budget(qd_instance *i, qd_error *err)
{
    const size_t n_deps = i->program->module->links.n;
    qe_error seam = {0};
    i->budget = (qe_store_budget){.memory_bytes = i->program->limits.memory_bytes,
                                  .table_elements = i->program->limits.table_elements,
                                  .instances = QD_INSTANCES_PER_STORE + n_deps,
                                  .memories = QD_MEMORIES_PER_STORE + n_deps};
    if (qe_store_set_budget(i->store, &i->budget, &seam) != QE_OK)
        return qd_fail(err, QD_EINTERNAL, "cannot bound the memory of a store: %s", seam.message);
    return QD_OK;
}

static qd_status make_store(qd_instance *i, qd_error *err)
{
    i->store = wasmtime_store_new(i->native->backend->wasm, i, NULL);
    i->context = wasmtime_store_context(i->store);
    qd_status rc = set_budget(i, err);
    if (rc)
        return rc;
    if (i->native->backend->has_epochs)
        wasmtime_store_epoch_deadline_callback(i->store, on_tick, i, NULL);
    i->memory_data = &no_memory;
    if (i->program->module->n_imports == 0)
        return QD_OK;
    i->host = calloc(1, sizeof *i->host);
    return i->host ? QD_OK : qd_fail_nomem(err);
}

static qd_status run_initialize(qd_instance *i, qd_error *err)
{
    wasmtime_extern_t export;
    wasmtime_val_raw_t none;
    wasm_trap_t *trap = NULL;
    if (!i->program->module->has_initialize ||
        !wasmtime_instance_export_get(i->context, &i->guest, "_initialize", 11, &export))
        return QD_OK;
    qd_instance_enter(i);
    wasmtime_error_t *error = wasmtime_func_call_unchecked(i->context, &export.of.func, &none, 0, &trap);
    qd_instance_leave(i);
    return trap || error ? qd_trap_describe(i, trap, error, err) : QD_OK;
}

/* Our own modules have memories of their own size, which the function's limit is not for. */
static qd_status instantiate_ours(qd_instance *i, const qd_driver *d, const wasmtime_extern_t *imports, size_t n,
                                  wasmtime_instance_t *out, qd_error *err)
{
    wasm_trap_t *trap = NULL;
    i->budget.is_off = true;
    wasmtime_error_t *error = wasmtime_instance_new(i->context, d->module, imports, n, out, &trap);
    i->budget.is_off = false;
    return trap || error ? qd_trap_describe(i, trap, error, err) : QD_OK;
}

static qd_status find_export(qd_instance *i, const wasmtime_instance_t *instance, const char *name,
                             wasmtime_extern_t *out, qd_error *err)
{
    return wasmtime_instance_export_get(i->context, instance, name, strlen(name), out)
               ? QD_OK
               : qd_fail(err, QD_EINTERNAL, "the export '%s' has gone", name);
}

/* What the module imports, one by one: from its dependencies, from the columns module, and from the host. */
static qd_status gather_imports(qd_instance *i, const wasmtime_instance_t *columns, wasmtime_extern_t *out,
                                qd_error *err)
{
    const qd_wasm_module *m = i->program->module;
    wasmtime_instance_t dependencies[QD_WASM_MAX_DEPENDENCIES];
    qd_status rc = qd_links_instantiate(i, dependencies, err);
    for (size_t k = 0; k < m->n_imports && !rc; k++) {
        const qd_host_function *f = m->imports[k];
        if (!f)
            rc = qd_links_export(i, dependencies, &m->linked_imports[k], &out[k], err);
        else if (!f->call)
            rc = find_export(i, columns, f->name, &out[k], err);
        else if (!wasmtime_linker_get(i->native->linker, i->context, f->module, strlen(f->module), f->name,
                                      strlen(f->name), &out[k]))
            rc = qd_fail(err, QD_EINTERNAL, "the host function '%s' has gone", f->name);
    }
    return rc;
}

static qd_status instantiate_columns(qd_instance *i, wasmtime_instance_t *columns, qd_error *err)
{
    wasmtime_extern_t cols;
    qd_status rc = instantiate_ours(i, i->columns, NULL, 0, columns, err);
    if (!rc)
        rc = find_export(i, columns, "cols", &cols, err);
    if (rc)
        return rc;
    i->cols_memory = cols.of.memory;
    i->cols = wasmtime_memory_data(i->context, &cols.of.memory);
    AFTER_MAPPING();
    return QD_OK;
}

static void look_at_memory(qd_instance *i)
{
    wasmtime_extern_t export;
    if (!wasmtime_instance_export_get(i->context, &i->guest, "memory", 6, &export) ||
        export.kind != WASMTIME_EXTERN_MEMORY)
        return;
    i->memory = export.of.memory;
    i->has_memory = true;
    i->memory_data = wasmtime_memory_data(i->context, &i->memory);
    i->memory_bytes = wasmtime_memory_data_size(i->context, &i->memory);
}

/* The driver's memory, of joined code, where this instance will use it. */
static qd_status look_at_columns(qd_instance *i, qd_error *err)
{
    wasmtime_extern_t cols;
    if (!i->is_joined && !(i->native->join && i->program->module->imports_columns))
        return QD_OK;
    qd_status rc = find_export(i, &i->guest, QD_JOIN_COLS, &cols, err);
    if (rc)
        return rc;
    i->cols_memory = cols.of.memory;
    i->cols = wasmtime_memory_data(i->context, &cols.of.memory);
    AFTER_MAPPING();
    return QD_OK;
}

static qd_status instantiate_guest(qd_instance *i, qd_error *err)
{
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = NULL;
    size_t n = i->program->module->n_imports;
    wasmtime_instance_t columns;
    wasmtime_extern_t *imports = i->native->linked ? NULL : calloc(n + 1, sizeof *imports);
    if (!i->native->linked && !imports)
        return qd_fail_nomem(err);
    /* Joined code brings the driver's memory, which is not the function's; it has no start function to use the room. */
    uint64_t drivers_bytes = i->native->join ? i->native->join->cols_bytes : 0;
    qd_status rc = i->columns ? instantiate_columns(i, &columns, err) : QD_OK;
    if (!rc && imports)
        rc = gather_imports(i, &columns, imports, err);
    if (!rc) {
        qd_instance_enter(i);
        i->budget.memory_bytes += drivers_bytes;
        error = imports ? wasmtime_instance_new(i->context, i->native->wasm, imports, n, &i->guest, &trap)
                        : wasmtime_instance_pre_instantiate(i->native->linked, i->context, &i->guest, &trap);
        i->budget.memory_bytes -= drivers_bytes;
        i->budget.used_bytes -= i->budget.used_bytes < drivers_bytes ? 0 : drivers_bytes;
        qd_instance_leave(i);
    }
    free(imports);
    if (trap || error)
        rc = qd_trap_describe(i, trap, error, err);
    if (!rc)
        rc = look_at_columns(i, err);
    if (rc)
        return rc;
    /* Before _initialize: what a runtime does there, such as asking for random bytes, needs it already. */
    look_at_memory(i);
    return run_initialize(i, err);
}

static qd_status instantiate_driver(qd_instance *i, const wasmtime_func_t *function, qd_error *err)
{
    wasmtime_extern_t run, cols;
    wasmtime_instance_t driver;
    wasmtime_extern_t imports[2] = {{.kind = WASMTIME_EXTERN_FUNC, .of.func = *function},
                                    {.kind = WASMTIME_EXTERN_MEMORY, .of.memory = i->cols_memory}};
    bool has_cols = i->program->module->imports_columns;
    qd_status rc = instantiate_ours(i, i->driver, imports, has_cols ? 2 : 1, &driver, err);
    if (!rc)
        rc = find_export(i, &driver, "run", &run, err);
    if (!rc && !has_cols)
        rc = find_export(i, &driver, "cols", &cols, err);
    if (rc)
        return rc;
    i->run = run.of.func;
    if (has_cols)
        return QD_OK;
    i->cols = wasmtime_memory_data(i->context, &cols.of.memory);
    AFTER_MAPPING();
    return QD_OK;
}

/* What is called for a block: the driver's loop, or the function itself. */
static qd_status prepare_run(qd_instance *i, qd_error *err)
{
    wasmtime_extern_t function;
    const qd_wasm_program *p = i->program;
    if (i->is_joined) {
        qd_status rc = find_export(i, &i->guest, QD_JOIN_RUN, &function, err);
        if (!rc)
            i->run = function.of.func;
        return rc;
    }
    if (!wasmtime_instance_export_get(i->context, &i->guest, p->export_name, p->export_name_n, &function))
        return qd_fail(err, QD_EINTERNAL, "the export '%s' has gone", p->export_name);
    if (!p->batch)
        return instantiate_driver(i, &function.of.func, err);
    i->run = function.of.func;
    qd_status rc = qd_area_reserve(i, p->batch->bytes, &i->block, err);
    for (uint32_t k = 0; k < p->batch->n_params && !rc; k++)
        memset(i->memory_data + i->block.at + p->batch->columns[k].valid, 1, QD_BLOCK_DOCS);
    return rc;
}

void qd_instance_free(qd_instance *i)
{
    if (!i)
        return;
    count_linear(i, 0);
    count_columns(i, 0);
    BEFORE_UNMAPPING();
    if (i->store)
        wasmtime_store_delete(i->store);
    if (i->native && !i->is_joined) {
        qd_driver_cache_put(i->native->backend->drivers, i->driver);
        qd_driver_cache_put(i->native->backend->drivers, i->columns);
    }
    qd_wasm_native_unref(i->native);
    for (size_t k = 0; i->host && k < QD_FIELD_COLUMNS; k++)
        free(i->host->columns[k].values.f64);
    if (i->host) {
        free(i->host->results);
        qd_arena_free(i->host->strings);
    }
    free(i->host);
    free(i);
}

static qd_status get_drivers(qd_instance *i, bool will_run, qd_error *err)
{
    const qd_wasm_program *p = i->program;
    qd_join *join = i->native->join;
    i->is_joined = join && qd_join_serves(join, p, i->varying);
    if (i->is_joined) {
        i->driver = &join->layout;
        return QD_OK;
    }
    qd_driver_cache *cache = i->native->backend->drivers;
    const qd_driver_spec columns = {.is_columns = true};
    const qd_driver_spec driver = {.shape = p->shape,
                                   .has_state = p->has_state,
                                   .drops_result = p->has_state || p->returns_string,
                                   .imports_cols = p->module->imports_columns,
                                   .varying = i->varying,
                                   .signature = &p->signature};
    qd_status rc = p->batch || !will_run ? QD_OK : qd_driver_cache_get(cache, &driver, &i->driver, err);
    bool needs_columns = p->module->imports_columns && !join;
    return rc || !needs_columns ? rc : qd_driver_cache_get(cache, &columns, &i->columns, err);
}

/* Without `will_run` it is started and nothing more. */
static qd_status make_instance(qd_wasm_program *p, uint64_t varying, qd_call *call, bool will_run, qd_instance **out,
                               qd_error *err)
{
    qd_instance *i = calloc(1, sizeof *i);
    if (!i)
        return qd_fail_nomem(err);
    i->engine = p->engine;
    i->program = p;
    i->varying = varying;
    i->call = call;
    i->native = qd_wasm_module_native(p->module);
    qd_status rc = get_drivers(i, will_run, err);
    if (!rc)
        rc = make_store(i, err);
    if (!rc)
        rc = instantiate_guest(i, err);
    if (!rc && will_run)
        rc = prepare_run(i, err);
    if (!rc) {
        count_columns(i, columns_bytes(i));
        *out = QD_TAKE(i);
    }
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
        rc = make_instance(p, varying, call, true, &i, err);
        if (rc) {
            qd_wasm_engine_give_back(p->engine, p);
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

qd_status qd_wasm_program_try_start(qd_wasm_program *p, qd_call *call, qd_error *err)
{
    qd_instance *i = NULL;
    qd_status rc = qd_wasm_engine_take(p->engine, p, 0, &i, err);
    if (rc)
        return rc;
    if (!i) /* an idle one has started */
        rc = make_instance(p, 0, call, false, &i, err);
    qd_instance_free(i);
    qd_wasm_engine_give_back(p->engine, p);
    return rc;
}

/* Only a function that cannot keep anything from one call to the next is used again as it is; it imports nothing, so
 * that there is no state of host functions either, and has no dependencies: the idle list counts one store each. */
static bool is_reusable(const qd_instance *i)
{
    const qd_wasm_module *m = i->program->module;
    return i->cols && !i->is_dead && m->state.is_stateless && m->n_imports == 0 && m->links.n == 0;
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
    qd_wasm_engine_give_back(e, p);
    qd_wasm_program_unref(p);
}

/* ---- what is said of it ----------------------------------------------------------------------------------------- */

bool qd_instance_is_outdated(const qd_instance *i)
{
    return atomic_load_explicit(&i->program->module->native, memory_order_relaxed) != i->native;
}

uint32_t qd_instance_max_rows(const qd_instance *i)
{
    return i->native->backend->has_epochs ? QD_BLOCK_DOCS : i->program->module->max_rows;
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
    if (!i->cols || !i->has_rows)
        return false;
    *row = qd_instance_row(i);
    return true;
}
