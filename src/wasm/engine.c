/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/engine_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GIB (1ull << 30)
/* Each memory lies in 4 GiB of address space with a guard, so that no access by a 32-bit address needs a check. */
#define MEMORY_SLOT_BYTES  (4 * GIB)
#define MEMORY_GUARD_BYTES (32ull << 20)
/* Of each memory that goes back to Wasmtime's pool so much is zeroed in place; the rest returns to the system, and
 * costs a page fault per page when it is used again. Holds the driver of a three-argument scorer. */
#define MEMORY_KEPT_BYTES (64u << 10)
#define TABLES_PER_MODULE 2

#if defined(__SANITIZE_THREAD__)
/* The thread sanitizer knows 1.5 TiB of address space; the pool takes more. */
#define HAS_ROOM_FOR_POOL 0
#else
#define HAS_ROOM_FOR_POOL 1
#endif

static bool can_map(size_t bytes, int protection)
{
    void *p = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    munmap(p, bytes);
    return true;
}

/* Wasmtime aborts when its pool cannot have the address space that it asks for (a limit on it, strict overcommit), so
 * we try before. */
static bool pool_fits(uint64_t n_stores)
{
    uint64_t memories = (2 * n_stores + 1) * (MEMORY_SLOT_BYTES + MEMORY_GUARD_BYTES);
    uint64_t tables = TABLES_PER_MODULE * n_stores * QD_WASM_MAX_TABLE_ELEMENTS * sizeof(void *);
    return HAS_ROOM_FOR_POOL && can_map(memories, PROT_NONE) && can_map(tables, PROT_READ | PROT_WRITE);
}

static void use_pool(wasm_config_t *config, uint32_t n_stores)
{
    wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
    /* Two instances in each store: the function's and the driver's. */
    wasmtime_pooling_allocation_config_total_core_instances_set(pool, 2 * n_stores);
    wasmtime_pooling_allocation_config_total_memories_set(pool, 2 * n_stores);
    wasmtime_pooling_allocation_config_total_tables_set(pool, TABLES_PER_MODULE * n_stores);
    wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, TABLES_PER_MODULE);
    wasmtime_pooling_allocation_config_max_memories_per_module_set(pool, 1);
    wasmtime_pooling_allocation_config_max_memory_size_set(pool, MEMORY_SLOT_BYTES);
    wasmtime_pooling_allocation_config_table_elements_set(pool, QD_WASM_MAX_TABLE_ELEMENTS);
    wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, MEMORY_KEPT_BYTES);
    wasmtime_pooling_allocation_config_table_keep_resident_set(pool, MEMORY_KEPT_BYTES);
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);
}

static wasm_engine_t *new_wasm_engine(const qd_wasm_engine_options *options)
{
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_strategy_set(config, WASMTIME_STRATEGY_CRANELIFT);
    wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_max_wasm_stack_set(config, options->max_stack_bytes);
    /* Our own unwinding follows frame pointers; tables for debuggers would be registered under a global lock. */
    wasmtime_config_native_unwind_info_set(config, false);
    /* What qe_wasm_inspect accepts: WebAssembly 2.0. Threads, GC and exceptions are not even compiled in. */
    wasmtime_config_wasm_multi_memory_set(config, false);
    wasmtime_config_wasm_memory64_set(config, false);
    wasmtime_config_wasm_tail_call_set(config, false);
    wasmtime_config_wasm_relaxed_simd_set(config, false);
    /* host.c keeps the address of a guest's memory. */
    wasmtime_config_memory_may_move_set(config, false);
    wasmtime_config_memory_reservation_set(config, MEMORY_SLOT_BYTES);
    wasmtime_config_memory_guard_size_set(config, MEMORY_GUARD_BYTES);
    if (pool_fits(options->max_live_instances))
        use_pool(config, options->max_live_instances);
    return wasm_engine_new_with_config(config);
}

qd_status qd_wasm_engine_new(const qd_wasm_engine_options *options, qd_wasm_engine **out, qd_error *err)
{
    static const qd_wasm_engine_options defaults = QD_WASM_ENGINE_OPTIONS_INIT;
    qd_wasm_engine *e = calloc(1, sizeof *e);
    if (!e)
        return qd_fail_nomem(err);
    e->options = options ? *options : defaults;
    if (e->options.max_live_instances == 0 || e->options.max_live_instances > QD_WASM_MAX_LIVE_INSTANCES ||
        e->options.max_stack_bytes < 16 * 1024 || e->options.max_stack_bytes > 4u << 20) {
        free(e);
        return qd_fail(err, QD_EINVAL,
                       "engine options: max_live_instances must be 1 to %u and max_stack_bytes 16 KiB to 4 MiB",
                       QD_WASM_MAX_LIVE_INSTANCES);
    }
    atomic_init(&e->refs, 1);
    pthread_mutex_init(&e->mutex, NULL);
    e->wasm = new_wasm_engine(&e->options);
    e->drivers = qd_driver_cache_new(e->wasm);
    qd_status rc = e->drivers ? qd_epoch_clock_start(&e->clock, e->wasm, err) : qd_fail_nomem(err);
    if (rc) {
        qd_driver_cache_free(e->drivers);
        wasm_engine_delete(e->wasm);
        pthread_mutex_destroy(&e->mutex);
        free(e);
        return rc;
    }
    *out = e;
    return QD_OK;
}

void qd_wasm_engine_ref(qd_wasm_engine *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
}

void qd_wasm_engine_free(qd_wasm_engine *e)
{
    if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
        return;
    qd_epoch_clock_stop(&e->clock);
    qd_driver_cache_free(e->drivers);
    wasm_engine_delete(e->wasm);
    pthread_mutex_destroy(&e->mutex);
    free(e);
}

/* Wasmtime's messages are chains of causes over several lines; the last cause tells most. */
static qd_str last_cause(qd_str text)
{
    static const char marker[] = "Caused by:";
    for (size_t i = 0; i + sizeof marker < text.n; i++) {
        if (memcmp(text.p + i, marker, sizeof marker - 1) != 0)
            continue;
        size_t from = i + sizeof marker - 1;
        for (size_t k = from; k + 1 < text.n; k++) /* causes are numbered when there are several */
            if (text.p[k] == '\n')
                from = k + 1;
        while (from < text.n && strchr(" \n0123456789:", text.p[from]))
            from++;
        return from < text.n ? (qd_str){text.p + from, text.n - from} : text;
    }
    return text;
}

char *qd_wasm_error_text(wasmtime_error_t *error, char *out, size_t size)
{
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    qd_str text = last_cause((qd_str){message.data, message.size});
    size_t n = 0;
    for (; n < text.n && n + 1 < size; n++)
        out[n] = (unsigned char)text.p[n] < 0x20 ? ' ' : text.p[n];
    out[n] = 0;
    wasm_name_delete(&message);
    wasmtime_error_delete(error);
    return out;
}

/* "expected `)`\n     --> <anon>:2:7\n …" gives line, column, and the first line as the text. */
static qd_status fail_wat(wasmtime_error_t *error, qd_error *err)
{
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    qd_str text = {message.data, message.size};
    unsigned line = 0, column = 0;
    size_t end = 0;
    while (end < text.n && text.p[end] != '\n')
        end++;
    for (size_t i = end; i + 4 < text.n; i++) {
        char place[64];
        if (memcmp(text.p + i, "-->", 3) != 0)
            continue;
        snprintf(place, sizeof place, "%.*s", (int)(text.n - i), text.p + i);
        if (sscanf(place, "--> <anon>:%u:%u", &line, &column) != 2)
            line = column = 0;
        break;
    }
    char place[48] = "";
    if (line)
        snprintf(place, sizeof place, " at line %u, column %u", line, column);
    qd_status rc =
        qd_fail_at(err, QD_EUDF_WASM, line, column, "WAT: %.*s%s", (int)(end > 300 ? 300 : end), text.p, place);
    wasm_name_delete(&message);
    wasmtime_error_delete(error);
    return rc;
}

qd_status qd_wasm_from_wat(qd_str wat, uint8_t **out, size_t *n, qd_error *err)
{
    wasm_byte_vec_t bytes;
    wasmtime_error_t *error = wasmtime_wat2wasm(wat.p ? wat.p : "", wat.n, &bytes);
    if (error)
        return fail_wat(error, err);
    uint8_t *copy = malloc(bytes.size ? bytes.size : 1);
    if (copy)
        memcpy(copy, bytes.data, bytes.size);
    size_t size = bytes.size;
    wasm_byte_vec_delete(&bytes);
    if (!copy)
        return qd_fail_nomem(err);
    *out = copy;
    *n = size;
    return QD_OK;
}
