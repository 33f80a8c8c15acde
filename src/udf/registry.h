/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry: functions by name and version, persisted through kv (bucket "udf": the module's bytes under its hash
 * first, then the entry that refers to them), compiled and ready. A version never changes; the same bytes and manifest
 * again are a no-op. `name` alone means the active version: the one that was activated, or the first registered.
 * Readers take a reference and never wait for I/O or compilation: writers do both before they take the lock.
 * Lock order: registry.write_mutex, then registry.table_lock; neither is held while calling into wasm or kv, but
 * write_mutex. */
#ifndef QD_UDF_REGISTRY_H
#define QD_UDF_REGISTRY_H

#include <stdatomic.h>

#include "store/kv.h"
#include "udf/manifest.h"
#include "udf/quarantine.h"
#include "udf/stats_keeper.h"

typedef struct qd_registry qd_registry;

typedef struct qd_registry_options {
    size_t max_module_bytes; /* 10 MiB */
    uint32_t max_functions;  /* versions in all; 10,000 */
    qd_wasm_limits limits;   /* what a manifest may not exceed */
    qd_stats_keeper *stats;    /* kept until close; NULL: what functions do is counted, and forgotten with them */
    qd_quarantine *quarantine; /* kept until close; NULL: none */
} qd_registry_options;
/* clang-format off */
#define QD_REGISTRY_OPTIONS_INIT {10u << 20, 10000, {256u << 20, QD_WASM_MAX_TABLE_ELEMENTS, 10000, 1u << 20}, NULL, NULL}
/* clang-format on */

/* One registered version. Everything is immutable but the statistics. Reference counted: a version in use lives until its
 * last query ended. */
typedef struct qd_udf {
    atomic_uint refs;
    qd_manifest *manifest;
    qd_wasm_module *module;
    qd_wasm_program *program;
    char label[160]; /* "name@version" */
    char hash[65];
    uint64_t wasm_size;
    int64_t registered_at_ms;
    qd_udf_stats *stats; /* a reference; those of the keeper once it is registered */
} qd_udf;
void qd_udf_ref(qd_udf *u);
void qd_udf_unref(qd_udf *u);

typedef struct qd_registration {
    const json_t *manifest; /* borrowed */
    const uint8_t *wasm;    /* borrowed */
    size_t wasm_size;
} qd_registration;

/* Loads what is stored. An entry that no longer compiles is kept, listed with status "failed" and refused when used;
 * `log` (may be NULL) is told. */
qd_status qd_registry_open(qd_kv *kv, qd_wasm_engine *e, const qd_registry_options *options,
                           void (*log)(void *arg, const char *line), void *log_arg, qd_registry **out, qd_error *err);
void qd_registry_close(qd_registry *r);

/* Validates, compiles, stores, then shows it. *existed: it was there with the same bytes and manifest. *out: a
 * reference owned by caller. Errors: QD_EUDF_PARAMS, QD_EUDF_WASM, QD_EUDF_COMPILE, QD_EUDF_PERMISSION, QD_EUDF_EXISTS,
 * QD_EUDF_FULL, QD_ETOOLARGE, QD_EIO. */
qd_status qd_registry_register(qd_registry *r, const qd_registration *reg, qd_udf **out, bool *existed, qd_error *err);
/* Everything that registering checks, with a usable result that is not kept: for dry runs. */
qd_status qd_registry_prepare(qd_registry *r, const qd_registration *reg, qd_udf **out, qd_error *err);
/* `version` empty: the active one. *out: a reference owned by caller. Errors: QD_EUDF_NOTFOUND naming both. */
qd_status qd_registry_get(qd_registry *r, qd_str name, qd_str version, qd_udf **out, qd_error *err);
/* "NAME" or "NAME@VERSION". */
qd_status qd_registry_get_spec(qd_registry *r, qd_str spec, qd_udf **out, qd_error *err);
/* `version` empty: all versions. Durable on return. *removed (may be NULL): how many. When the active version goes, the
 * highest of the rest is active. */
qd_status qd_registry_remove(qd_registry *r, qd_str name, qd_str version, size_t *removed, qd_error *err);

typedef struct qd_udf_filter {
    qd_str name, tag, category, author, language, text; /* empty: any; text: in name, description, tags */
    uint32_t page, size;                                /* from 1; 1..1000 */
} qd_udf_filter;
/* Writes the answer of GET /api/v1/udfs. Names in byte order. */
qd_status qd_registry_list(qd_registry *r, const qd_udf_filter *f, qd_json *w, qd_error *err);
/* Writes the answer of GET /api/v1/udfs/{name}[/{version}] and of …/versions. */
qd_status qd_registry_describe(qd_registry *r, qd_str name, qd_str version, qd_json *w, qd_error *err);
qd_status qd_registry_versions(qd_registry *r, qd_str name, qd_json *w, qd_error *err);
size_t qd_registry_count(qd_registry *r);
/* What the options gave; NULL: none. Borrowed. */
qd_stats_keeper *qd_registry_stats(const qd_registry *r);
qd_quarantine *qd_registry_quarantine(const qd_registry *r);

#endif
