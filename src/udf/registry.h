/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry: functions by name and version, persisted through kv (registry_store.h says what lies there and in which
 * order it is written). A version never changes; the same bytes and manifest again are a no-op.
 *
 * A version is asked for by its text ("1.2.3"), by a range (semver_range.h: "^1.2", "1.x", ">=1.0 <2"), as "latest", or
 * as "active" or nothing: the active version, an alias that registering and qd_registry_activate move and
 * qd_registry_rollback moves back. docs/registry.md tells the rules.
 *
 * Opening reads what a look-up and the list need, a few hundred bytes for each version. A function's code is loaded
 * when it is first used, by one thread while others that want the same function wait, and dropped again when all code
 * takes more than max_code_bytes: what was used longest ago first, never what is in use.
 *
 * Readers take a reference and wait neither for I/O nor for a compiler (unless the function that they ask for is not
 * loaded); writers do both before they take the lock.
 * Lock order: registry.write_mutex, a version's load_mutex (a function's before those of its dependencies),
 * registry.code_mutex, registry.table_lock; calls into wasm and kv are made with the first two at most. Threads: any.
 */
#ifndef QD_UDF_REGISTRY_H
#define QD_UDF_REGISTRY_H

#include <stdatomic.h>

#include "base/hash.h"
#include "store/kv.h"
#include "udf/manifest.h"
#include "udf/quarantine.h"
#include "udf/stats_keeper.h"
#include "udf/trust.h"

typedef struct qd_registry qd_registry;
struct qd_audit;

typedef struct qd_registry_options {
    size_t max_module_bytes; /* 10 MiB */
    uint32_t max_functions;  /* versions in all; 10,000 */
    qd_wasm_limits limits;   /* what a manifest may not exceed */
    size_t max_code_bytes;   /* compiled code of all loaded functions; 512 MiB */
    const char *node_name;   /* in qd_registry_status; kept */
    /* All kept until close; each may be NULL: nothing checked, written, counted. */
    const qd_trust *trust;
    struct qd_audit *audit;
    qd_stats_keeper *stats; /* NULL: what functions do is counted, and forgotten with their code */
    qd_quarantine *quarantine;
} qd_registry_options;
/* clang-format off */
#define QD_REGISTRY_OPTIONS_INIT {10u << 20, 10000, {256u << 20, QD_WASM_MAX_TABLE_ELEMENTS, 10000, 1u << 20}, \
                                  (size_t)512 << 20, "local", NULL, NULL, NULL, NULL}
/* clang-format on */

/* One registered version, loaded. Immutable, reference counted: it lives until its last query ended, whatever becomes
 * of the version. */
typedef struct qd_udf_programs qd_udf_programs;
typedef struct qd_udf {
    atomic_uint refs;
    qd_manifest *manifest;
    qd_wasm_module *module;
    qd_wasm_program *program;
    char label[160]; /* "name@version" */
    char hash[65];
    uint64_t wasm_size;
    int64_t registered_at_ms;
    struct qd_udf *deps[QD_WASM_MAX_DEPENDENCIES]; /* references, in the manifest's order */
    size_t n_deps;
    qd_udf_stats *stats; /* a reference; those of the keeper once it is registered */
    qd_udf_programs *programs; /* of other exports of the module (program.h) */
} qd_udf;
void qd_udf_ref(qd_udf *u);
void qd_udf_unref(qd_udf *u);

/* Who does it, for history and audit. All zero: unknown. */
typedef struct qd_actor {
    qd_str by, remote; /* "anonymous", "10.0.0.7" */
} qd_actor;

typedef struct qd_registration {
    const json_t *manifest; /* borrowed, as is all here */
    const uint8_t *wasm;
    size_t wasm_size;
    bool is_inactive;        /* do not move the active alias to it */
    const json_t *signature; /* see trust.h; NULL: the one inside the module counts */
    const uint8_t *native;   /* ahead-of-time code, or NULL; must be signed by a trusted key */
    size_t native_size;
    const json_t *native_signature;
    qd_actor who;
    const volatile bool *canceled; /* read atomically until the first byte is stored; NULL: never */
} qd_registration;

#define QD_VERSION_SIZE 65
/* What registering did. */
typedef struct qd_registered {
    bool existed;   /* it was there with the same bytes and manifest: nothing was changed */
    bool is_active; /* its name alone means it now */
    qd_trust_result trust;
} qd_registered;

/* Reads what is stored; nothing is compiled. An entry that cannot be read is left alone and left out; `log` (may be
 * NULL) is told. Errors: QD_EIO, QD_ENOMEM. */
qd_status qd_registry_open(qd_kv *kv, qd_wasm_engine *e, const qd_registry_options *options,
                           void (*log)(void *arg, const char *line), void *log_arg, qd_registry **out, qd_error *err);
void qd_registry_close(qd_registry *r);

/* ---- changing. Durable on return ---- */

/* Validates, verifies, compiles, instantiates once, stores, then shows it and (unless is_inactive) makes it the active
 * version. *out: a reference owned by caller. Errors: QD_EUDF_PARAMS, QD_EUDF_WASM (also: it fails when instantiated),
 * QD_EUDF_COMPILE, QD_EUDF_PERMISSION, QD_EUDF_EXISTS, QD_EUDF_FULL, QD_EUDF_SIGNATURE, QD_EUDF_NOTFOUND (a
 * dependency), QD_ETOOLARGE, QD_EBUSY (no room to instantiate it), QD_ECANCELED, QD_ELIMIT (the store is full), QD_EIO.
 */
qd_status qd_registry_register(qd_registry *r, const qd_registration *reg, qd_udf **out, qd_registered *result,
                               qd_error *err);
/* Everything that registering checks, with a usable result that is not kept: for dry runs. */
qd_status qd_registry_prepare(qd_registry *r, const qd_registration *reg, qd_udf **out, qd_error *err);
/* `version` empty: all versions, at once. *removed (may be NULL): how many. When the active version goes, the one that
 * was active before it and is still there is active. Errors: QD_EUDF_NOTFOUND, QD_EUDF_DEPENDED (naming those that need
 * it; or it is the active one of several, and none was active before it), QD_EIO. */
qd_status qd_registry_remove(qd_registry *r, qd_str name, qd_str version, const qd_actor *who, size_t *removed,
                             qd_error *err);

/* Where the alias went; "" where there was none. */
typedef struct qd_alias_move {
    char active[QD_VERSION_SIZE], previous[QD_VERSION_SIZE];
} qd_alias_move;
/* `version`: any way of asking for one. The version that is active already: nothing happens. Errors: QD_EUDF_PARAMS
 * (none given), QD_EUDF_NOTFOUND, QD_EIO. */
qd_status qd_registry_activate(qd_registry *r, qd_str name, qd_str version, const qd_actor *who, qd_alias_move *out,
                               qd_error *err);
/* `to` empty: the version that was active before this one; so two rollbacks go two back. Errors: as activate;
 * QD_EUDF_PARAMS when none was active before. */
qd_status qd_registry_rollback(qd_registry *r, qd_str name, qd_str to, const qd_actor *who, qd_alias_move *out,
                               qd_error *err);

/* ---- using ---- */

/* `version`: see above. *out: a reference owned by caller. Errors: QD_EUDF_NOTFOUND naming both, QD_EUDF_PARAMS
 * (malformed range), QD_EUDF_COMPILE and others when what is stored cannot be loaded any more, QD_EUDF_FULL (no room
 * for its code beside what is in use). */
qd_status qd_registry_get(qd_registry *r, qd_str name, qd_str version, qd_udf **out, qd_error *err);
/* "NAME" or "NAME@VERSION". */
qd_status qd_registry_get_spec(qd_registry *r, qd_str spec, qd_udf **out, qd_error *err);

typedef struct qd_udf_want {
    qd_str name, version; /* `version` empty: `name` may be "NAME@VERSION" */
    qd_udf *udf;          /* out: a reference owned by caller */
} qd_udf_want;
/* All at one moment: no change of the registry falls between two of them. *failed: which one could not be had; then
 * none is given. */
qd_status qd_registry_get_many(qd_registry *r, qd_udf_want *wants, size_t n, size_t *failed, qd_error *err);

/* ---- showing ---- */

typedef struct qd_udf_filter {
    qd_str name;                            /* a name, or with '*' and '?' a pattern: "geo_*" */
    qd_str tag, category, author, language; /* the whole text; empty: any */
    qd_str text;                            /* in name, description, tags or author, in any case */
    uint32_t page, size;                    /* from 1; 1..1000 */
} qd_udf_filter;
/* Writes the answer of GET /api/v1/udfs. Names in byte order. Without a filter the work is that of one page; a filter
 * looks at each function once (10,000: some milliseconds). */
qd_status qd_registry_list(qd_registry *r, const qd_udf_filter *f, qd_json *w, qd_error *err);
/* Writes the answer of GET /api/v1/udfs/{name}[/{version}], of …/versions, …/history (newest first), …/status. */
qd_status qd_registry_describe(qd_registry *r, qd_str name, qd_str version, qd_json *w, qd_error *err);
qd_status qd_registry_versions(qd_registry *r, qd_str name, qd_json *w, qd_error *err);
qd_status qd_registry_history(qd_registry *r, qd_str name, uint32_t page, uint32_t size, qd_json *w, qd_error *err);
qd_status qd_registry_status(qd_registry *r, qd_str name, qd_str version, qd_json *w, qd_error *err);
/* Appends the module's bytes as registered. */
qd_status qd_registry_wasm(qd_registry *r, qd_str name, qd_str version, qd_buf *out, char hash[QD_SHA256_HEX_SIZE],
                           qd_error *err);
/* The hash alone, for If-None-Match; and which version a text means. Both outputs may be NULL. */
qd_status qd_registry_resolve(qd_registry *r, qd_str name, qd_str version, char resolved[QD_VERSION_SIZE],
                              char hash[QD_SHA256_HEX_SIZE], qd_error *err);
/* The statistics of a version, loaded or not. *out: a reference owned by caller, or NULL when nothing is counted. */
qd_status qd_registry_version_stats(qd_registry *r, qd_str name, qd_str version, qd_udf_stats **out, qd_error *err);
/* A version's shape, and its code where that is loaded: nothing is loaded for it, nor does it count as a use. *out: a
 * reference owned by caller, or NULL. */
qd_status qd_registry_peek(qd_registry *r, qd_str name, qd_str version, qd_udf **out, qd_udf_abi *abi, qd_error *err);
size_t qd_registry_count(qd_registry *r);
/* What the options gave; NULL: none. Borrowed. */
qd_stats_keeper *qd_registry_stats(const qd_registry *r);
qd_quarantine *qd_registry_quarantine(const qd_registry *r);

/* For metrics. */
typedef struct qd_registry_counts {
    size_t functions, versions, loaded;
    uint64_t loads, evictions; /* since the start; registrations are not loads */
} qd_registry_counts;
void qd_registry_read_counts(qd_registry *r, qd_registry_counts *out);
/* Calls `fn` for up to `most` loaded functions, of a snapshot and without a lock; the function is a view. */
qd_status qd_registry_visit(qd_registry *r, size_t most, void (*fn)(void *arg, const qd_udf *u), void *arg,
                            qd_error *err);

#endif
