/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/backend.h"

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

static const struct {
    wasmtime_strategy_t strategy;
    qd_wasm_tier tier;
    bool has_epochs;
} kinds[QD_N_BACKENDS] = {
    [QD_BACKEND_BASELINE] = {WASMTIME_STRATEGY_WINCH, QD_TIER_BASELINE, true},
    [QD_BACKEND_OPTIMIZED] = {WASMTIME_STRATEGY_CRANELIFT, QD_TIER_OPTIMIZED, true},
    [QD_BACKEND_BOUNDED] = {WASMTIME_STRATEGY_CRANELIFT, QD_TIER_OPTIMIZED, false},
};

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
    uint64_t memories = (QD_MEMORIES_PER_STORE * n_stores + 1) * (MEMORY_SLOT_BYTES + MEMORY_GUARD_BYTES);
    uint64_t tables = TABLES_PER_MODULE * n_stores * QD_WASM_MAX_TABLE_ELEMENTS * sizeof(void *);
    return HAS_ROOM_FOR_POOL && can_map(memories, PROT_NONE) && can_map(tables, PROT_READ | PROT_WRITE);
}

static void use_pool(wasm_config_t *config, uint32_t n_stores)
{
    wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
    wasmtime_pooling_allocation_config_total_core_instances_set(pool, QD_INSTANCES_PER_STORE * n_stores);
    wasmtime_pooling_allocation_config_total_memories_set(pool, QD_MEMORIES_PER_STORE * n_stores);
    wasmtime_pooling_allocation_config_total_tables_set(pool, TABLES_PER_MODULE * n_stores);
    wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, TABLES_PER_MODULE);
    wasmtime_pooling_allocation_config_max_memories_per_module_set(pool, QD_MEMORIES_PER_MODULE);
    wasmtime_pooling_allocation_config_max_memory_size_set(pool, MEMORY_SLOT_BYTES);
    wasmtime_pooling_allocation_config_table_elements_set(pool, QD_WASM_MAX_TABLE_ELEMENTS);
    wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, MEMORY_KEPT_BYTES);
    wasmtime_pooling_allocation_config_table_keep_resident_set(pool, MEMORY_KEPT_BYTES);
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);
}

wasm_config_t *qd_wasm_backend_config(qd_backend_kind kind)
{
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_strategy_set(config, kinds[kind].strategy);
    wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
    /* A compilation takes the thread that asked for it and no more: the other processors are for queries. */
    wasmtime_config_parallel_compilation_set(config, false);
    wasmtime_config_epoch_interruption_set(config, kinds[kind].has_epochs);
    /* Our own unwinding follows frame pointers; tables for debuggers would be registered under a global lock. */
    wasmtime_config_native_unwind_info_set(config, false);
    /* What qe_wasm_inspect accepts: WebAssembly 2.0. Threads, GC and exceptions are not even compiled in. */
    /* Joined code (join.h) has the driver's beside its own. */
    wasmtime_config_wasm_multi_memory_set(config, kinds[kind].strategy == WASMTIME_STRATEGY_CRANELIFT);
    wasmtime_config_wasm_memory64_set(config, false);
    wasmtime_config_wasm_tail_call_set(config, false);
    wasmtime_config_wasm_relaxed_simd_set(config, false);
    /* host.c keeps the address of a guest's memory. */
    wasmtime_config_memory_may_move_set(config, false);
    wasmtime_config_memory_reservation_set(config, MEMORY_SLOT_BYTES);
    wasmtime_config_memory_guard_size_set(config, MEMORY_GUARD_BYTES);
    return config;
}

qd_status qd_wasm_backend_init(qd_wasm_backend *b, qd_backend_kind kind, const qd_wasm_engine_options *options,
                               qd_error *err)
{
    wasm_config_t *config = qd_wasm_backend_config(kind);
    wasmtime_config_max_wasm_stack_set(config, options->max_stack_bytes);
    if (pool_fits(options->max_live_instances))
        use_pool(config, options->max_live_instances);
    *b = (qd_wasm_backend){.kind = kind, .tier = kinds[kind].tier, .has_epochs = kinds[kind].has_epochs};
    b->wasm = wasm_engine_new_with_config(config);
    b->drivers = qd_driver_cache_new(b);
    if (b->drivers)
        return QD_OK;
    qd_wasm_backend_deinit(b);
    return qd_fail_nomem(err);
}

void qd_wasm_backend_deinit(qd_wasm_backend *b)
{
    qd_driver_cache_free(b->drivers);
    if (b->wasm)
        wasm_engine_delete(b->wasm);
    *b = (qd_wasm_backend){0};
}
