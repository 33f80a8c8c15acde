/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry's memory: functions by name, each with its versions in ascending order, and what the store holds of
 * them. Only the registry's own files include this. The table is changed under write_mutex and table_lock (exclusive),
 * read under either; nothing here waits for I/O or runs guest code but the qd_registry_store_ and _load functions. */
#ifndef QD_UDF_REGISTRY_TABLE_H
#define QD_UDF_REGISTRY_TABLE_H

#include <pthread.h>

#include "base/hash.h"
#include "base/map.h"
#include "udf/registry.h"
#include "udf/semver.h"

typedef struct qd_udf_version {
    char version[65];
    qd_semver semver; /* views into `version` */
    char hash[QD_SHA256_HEX_SIZE];
    uint64_t wasm_size;
    int64_t registered_at_ms;
    json_t *manifest; /* as stored */
    qd_udf *udf;      /* NULL: it no longer compiles, see failure */
    qd_error failure;
} qd_udf_version;

typedef struct qd_udf_function {
    char name[65];
    qd_udf_version **versions; /* ascending by precedence, then by text */
    size_t n_versions, capacity;
    qd_udf_version *active; /* never NULL once the function is in the table */
    char previous[65];      /* the version that was active before, or "" */
} qd_udf_function;

struct qd_registry {
    qd_kv *kv;
    qd_wasm_engine *engine;
    qd_registry_options options;
    pthread_mutex_t write_mutex;
    pthread_rwlock_t table_lock;
    qd_map *functions; /* name -> qd_udf_function */
    size_t n_versions;
};

/* A version of a stored or built function; manifest and udf get a reference of their own. NULL when out of memory. */
qd_udf_version *qd_udf_version_new(qd_str version, const char *hash, uint64_t wasm_size, int64_t registered_at_ms,
                                   json_t *manifest, qd_udf *udf);
void qd_udf_version_free(qd_udf_version *v);
void qd_udf_function_free(void *function);

qd_udf_function *qd_registry_find(const qd_registry *r, qd_str name);
/* `version` empty: the active one. NULL when unknown. */
qd_udf_version *qd_udf_function_find(const qd_udf_function *f, qd_str version);
/* The error for a name or version that is unknown, naming what there is. `f` may be NULL. */
qd_status qd_registry_fail_unknown(const qd_udf_function *f, qd_str name, qd_str version, qd_error *err);
/* Room for one more version, so that qd_registry_insert cannot fail. *f: the function, new and not in the table yet if
 * it was unknown. */
qd_status qd_registry_reserve(qd_registry *r, qd_str name, qd_udf_function **f, bool *is_new, qd_error *err);
/* Sorts `v` (taken) in. The first version of a function is its active one. */
void qd_udf_function_insert(qd_udf_function *f, qd_udf_version *v);
/* Takes a version out, without freeing it. When it was the active one, the highest of the rest is. */
void qd_udf_function_take(qd_udf_function *f, qd_udf_version *v);

/* Has a function that was just built count where its version's statistics are kept. Errors: QD_EIO. */
qd_status qd_registry_attach_stats(const qd_registry *r, qd_udf *u, qd_error *err);

/* ---- the store ---- */

/* Module first, then the entry, then (when `f` is NULL: the function is new) the alias. Errors: QD_EIO, QD_ELIMIT. */
qd_status qd_registry_store_put(qd_registry *r, const qd_udf_version *v, qd_str name, const uint8_t *wasm,
                                const qd_udf_function *f, qd_error *err);
/* Removes the entry. */
qd_status qd_registry_store_remove_entry(qd_registry *r, qd_str name, const char *version, qd_error *err);
/* Removes a module's bytes, which no entry refers to any more. */
qd_status qd_registry_store_remove_module(qd_registry *r, const char *hash, qd_error *err);
/* Writes the alias as the table has it; `f` NULL: removes it. */
qd_status qd_registry_store_active(qd_registry *r, qd_str name, const qd_udf_function *f, qd_error *err);
/* Fills an empty table. */
qd_status qd_registry_load(qd_registry *r, void (*log)(void *arg, const char *line), void *log_arg, qd_error *err);

#endif
