/* SPDX-License-Identifier: Apache-2.0
 *
 * The wasm room: the only one that sees Wasmtime. It compiles modules, instantiates them within limits, and calls
 * them for blocks of documents through generated drivers. It knows nothing of registries, manifests as JSON, or
 * indexes.
 *
 *   engine   one per process or library user: code generators (backend.h), their background work (optimizer.h),
 *            native cache, epoch clock
 *   module   validated bytes and their native code, which gets better while it is used (tiers.h); shared by threads,
 *            reference counted
 *   program  one export of a module, with its shape, argument types and limits, ready to instantiate; immutable, shared
 *   instance one store with one program in it; one thread at a time
 *
 * Instances are made fresh for each acquire, from Wasmtime's pooling allocator: it reserves address space for
 * max_live_instances stores (8 GiB each; without room for it the engine goes on without a pool) and zeroes the first
 * 64 KiB of a returned memory in place. Measured on 2 busy cores, for a function with 17 pages of memory: acquire, fill
 * three columns, one block of 2,048 documents, release: 34 us with the pool, 120 us without. Of that 15 to 25 us are
 * the instance's; about 1 us when the function has no state and an idle instance is taken again. Per document 1.2 ns
 * typed without epoch checks and 2.1 with, where the same scorer in C takes 1.4 ns a call, and some 10 ns per field
 * read in the row shape (bench/driver.c prints them).
 *
 * Order of freeing: instances, programs, modules, engine (each holds a reference to what it needs). */
#ifndef QD_WASM_ENGINE_H
#define QD_WASM_ENGINE_H

#include "base/error.h"
#include "base/str.h"

typedef struct qd_wasm_engine qd_wasm_engine;

typedef struct qd_wasm_engine_options {
    size_t max_stack_bytes;              /* wasm stack of one call; 512 KiB (16 KiB to 4 MiB) */
    uint32_t max_live_instances;         /* over all programs; past it a call fails with QD_EBUSY; 1024 */
    uint32_t idle_instances_per_program; /* of functions without any state, kept for reuse; 16 */
    uint32_t compile_threads;   /* that optimize in the background; 1. 0: everything is optimized before it is used */
    uint32_t compile_queue;     /* modules that wait for them; past it one is optimized before it is used; 1024 */
    uint32_t stop_ms;           /* that freeing the engine waits for what is being compiled; 2000 */
    bool has_baseline_only;     /* nothing is optimized: for tests of the baseline compiler */
    uint32_t direct_code_bytes; /* a module with no more code is optimized before it is used; 2 KiB */
    uint64_t max_code_bytes;    /* native code of all modules, past which none is added (QD_EUDF_FULL); 512 MiB */
    const char *cache_dir;      /* where optimized code is kept, made when absent; borrowed. NULL: nowhere */
    uint64_t cache_bytes;       /* of all that is kept there; 1 GiB */
    void (*log)(void *arg, const char *line); /* why the cache is not used, or a module not optimized; may be NULL */
    void *log_arg;
} qd_wasm_engine_options;
#define QD_WASM_MAX_LIVE_INSTANCES 8192
#define QD_WASM_MAX_TABLE_ELEMENTS 20000
#define QD_WASM_ENGINE_OPTIONS_INIT                                                                                    \
    {                                                                                                                  \
        512 * 1024, 1024, 16, 1, 1024, 2000, false, 2048, (uint64_t)512 << 20, NULL, (uint64_t)1 << 30, NULL, NULL     \
    }

qd_status qd_wasm_engine_new(const qd_wasm_engine_options *options, qd_wasm_engine **out, qd_error *err);
/* Drops the caller's reference; the last holder frees it and joins its threads. A compilation cannot be interrupted:
 * one that takes longer than stop_ms goes on by itself, uses nothing of the caller's, and frees what is left at its
 * end; a process may exit meanwhile. */
void qd_wasm_engine_free(qd_wasm_engine *e);

/* Waits until no module is queued for optimization or being optimized: for tests and tools. */
void qd_wasm_engine_drain(qd_wasm_engine *e);

/* What the engine does and holds, for metrics. Tiers: see qd_wasm_tier in module.h. */
typedef struct qd_wasm_counters {
    uint64_t compiled[3], compile_ns[3]; /* by qd_wasm_tier */
    uint64_t tier_transitions;           /* modules whose code was replaced by better while they could be used */
    uint64_t cache_hits, cache_misses, cache_evictions, cache_rejected; /* rejected: corrupt or foreign entries */
    uint64_t cache_bytes, cache_entries;
    uint64_t code_bytes;   /* native code in memory, of all modules */
    uint64_t linear_bytes; /* linear memory of functions, as they see it: what was never written takes no room */
    uint64_t column_bytes; /* memory of drivers, in which arguments and results lie; idle instances included */
    uint32_t queued;       /* modules waiting to be optimized */
    uint32_t instances;    /* at work */
    uint32_t idle_instances;
    uint32_t max_instances;
    uint64_t instances_made, instances_reused;
} qd_wasm_counters;
void qd_wasm_engine_read_counters(qd_wasm_engine *e, qd_wasm_counters *out);

/* Text to binary. *out: owned by caller (free). Errors: QD_EUDF_WASM with line and column. */
qd_status qd_wasm_from_wat(qd_str wat, uint8_t **out, size_t *n, qd_error *err);

#endif
