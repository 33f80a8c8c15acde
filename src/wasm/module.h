/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules: inspected in the seam first (Wasmtime's C API aborts on some types), then compiled. See engine.h. */
#ifndef QD_WASM_MODULE_H
#define QD_WASM_MODULE_H

#include "base/value.h"
#include "wasm/engine.h"

/* What host functions a module may import: bits, from the manifest's permissions. */
typedef enum qd_wasm_permission {
    QD_PERM_READ_DOCUMENT = 1, /* has_field, get_field_*, get_document_id */
    QD_PERM_READ_SCORE = 2,    /* get_score */
    QD_PERM_LOG = 4,
    QD_PERM_RANDOM = 8,
    QD_PERM_CLOCK = 16,
} qd_wasm_permission;
/* "read_document"; false when unknown. */
bool qd_wasm_permission_parse(qd_str name, uint32_t *bit);
const char *qd_wasm_permission_name(uint32_t bit);

typedef enum qd_wasm_valtype { QD_WASM_I32, QD_WASM_I64, QD_WASM_F32, QD_WASM_F64, QD_WASM_OTHER } qd_wasm_valtype;
#define QD_WASM_MAX_PARAMS 64
typedef struct qd_wasm_signature {
    uint32_t n_params, n_results; /* results: 0, 1, or 2 meaning "more than one" */
    qd_wasm_valtype params[QD_WASM_MAX_PARAMS], result;
} qd_wasm_signature;

typedef struct qd_wasm_module qd_wasm_module;

/* How good a module's native code is. Code gets better while the module is used: a run, once begun, ends with what it
 * began with; the next block may find better code (qd_instance_is_outdated in program.h). */
typedef enum qd_wasm_tier { QD_TIER_NONE, QD_TIER_BASELINE, QD_TIER_OPTIMIZED } qd_wasm_tier;
typedef enum qd_wasm_source { QD_SOURCE_COMPILED, QD_SOURCE_CACHE, QD_SOURCE_AOT } qd_wasm_source;
const char *qd_wasm_tier_name(qd_wasm_tier t);     /* "baseline", "optimized" */
const char *qd_wasm_source_name(qd_wasm_source s); /* "compiled", "cache", "aot" */

typedef struct qd_wasm_status {
    qd_wasm_tier tier;
    qd_wasm_source source;
    int64_t compile_ns[3]; /* by tier; 0: not compiled here */
    size_t code_bytes;
    uint32_t instances;    /* at work now */
    uint64_t linear_bytes; /* of their linear memory (qd_instance_linear_bytes) */
    bool is_optimizing;    /* queued or under way */
    bool has_epoch_checks; /* false: provably short, compiled without */
} qd_wasm_status;
/* Threads: any. */
void qd_wasm_module_read_status(qd_wasm_module *m, qd_wasm_status *out);

typedef struct qd_wasm_dependency {
    qd_str name; /* the import module that `module`'s exported functions answer */
    qd_wasm_module *module;
} qd_wasm_dependency;
#define QD_WASM_MAX_DEPENDENCIES 8 /* in all, with those of dependencies */

typedef enum qd_wasm_shape { QD_SHAPE_ROW, QD_SHAPE_TYPED, QD_SHAPE_HANDLE, QD_SHAPE_BATCH } qd_wasm_shape;

/* Which function of a module will be called, and how, as far as is known: its code is made for that (join.h). */
typedef struct qd_wasm_entry {
    qd_str export_name; /* empty: not known; may lie in `buffer` */
    char buffer[256];
    qd_wasm_shape shape;
    bool has_state, returns_string; /* as in qd_wasm_program_spec */
    uint64_t varying;               /* as in qd_instance_acquire */
} qd_wasm_entry;
/* Says so once it is known what the module exports and imports. An error is the module's. */
typedef qd_status qd_wasm_entry_fn(void *arg, const qd_wasm_module *m, qd_wasm_entry *out, qd_error *err);

typedef struct qd_wasm_module_options {
    uint32_t permissions;
    qd_wasm_entry_fn *entry; /* asked before anything is compiled; NULL: the entry is not known */
    void *entry_arg;
    const char *hash; /* SHA-256 of the bytes in hex, if the caller has computed it; NULL: it is computed */
    /* Code compiled ahead of time (qd_wasm_precompile), whose origin the caller has verified: it runs unchecked.
     * Borrowed; NULL: none. Code for another machine or version of the engine is not used. */
    const uint8_t *native;
    size_t native_n;
    bool must_use_native;           /* else code that cannot be used is compiled anew */
    const qd_wasm_dependency *deps; /* borrowed; of the same engine, kept by the module; link.h has the rules */
    size_t n_deps;
} qd_wasm_module_options;

/* Inspects, checks the imports against the permissions and the table of host functions, and compiles. What is known
 * of the same bytes is taken from a module that is there already (shared.h). `bytes` borrowed.
 * Errors: QD_EUDF_WASM (not a module, invalid: with the byte offset in the message), QD_EUDF_COMPILE (unknown import or
 * import with another signature, dependencies that do not fit, native code that must be used and cannot),
 * QD_EUDF_PERMISSION (import whose permission is not granted; names both), QD_EUDF_FULL (max_code_bytes). */
qd_status qd_wasm_module_new(qd_wasm_engine *e, const uint8_t *bytes, size_t n, const qd_wasm_module_options *options,
                             qd_wasm_module **out, qd_error *err);
/* The checks alone, nothing compiled. */
qd_status qd_wasm_module_check(const uint8_t *bytes, size_t n, const qd_wasm_module_options *options, qd_error *err);
/* The custom section of that name in a module that may be invalid otherwise; false when there is none. *data: view into
 * `bytes`. */
bool qd_wasm_custom_section(const uint8_t *bytes, size_t n, const char *name, const uint8_t **data, size_t *data_n);
void qd_wasm_module_ref(qd_wasm_module *m);
void qd_wasm_module_unref(qd_wasm_module *m);

/* An exported function's signature; false when the module exports no function of that name. */
bool qd_wasm_module_export(const qd_wasm_module *m, qd_str name, qd_wasm_signature *out);
/* Ends by itself, within `longest_path` instructions (see engine.h of the seam). */
bool qd_wasm_module_is_bounded(const qd_wasm_module *m, uint64_t *longest_path);
/* Names of imports ("env.get_score") and of exported functions, in order; NULL past the end. */
const char *qd_wasm_module_import_name(const qd_wasm_module *m, size_t i);
const char *qd_wasm_module_export_name(const qd_wasm_module *m, size_t i);
uint64_t qd_wasm_module_memory_pages(const qd_wasm_module *m); /* initial, 64 KiB each */

#endif
