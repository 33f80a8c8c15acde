/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry's memory: functions by name, each with its versions in ascending order. Only the registry's own files
 * include this. The table is changed under write_mutex and table_lock (exclusive), read under either; nothing here
 * waits for I/O or runs guest code. */
#ifndef QD_UDF_REGISTRY_TABLE_H
#define QD_UDF_REGISTRY_TABLE_H

#include <pthread.h>

#include "base/map.h"
#include "udf/registry.h"
#include "udf/registry_record.h"
#include "udf/semver.h"

/* Reference counted: the table holds one, so does who loads it. */
typedef struct qd_udf_version {
    atomic_uint refs;
    qd_str name, version;  /* views into `label` */
    qd_semver semver;      /* likewise */
    qd_udf_record record;  /* views into `bytes` */
    uint32_t n_dependents; /* versions that have it among their pins; under write_mutex */

    pthread_mutex_t load_mutex; /* one thread loads, the others that want it wait */
    /* Under table_lock. */
    bool is_removed;
    qd_udf *udf;                    /* NULL: not loaded */
    qd_error *failure;              /* why it could not be loaded, for good; NULL: nobody tried in vain */
    atomic_uint_fast64_t last_tick; /* registry.tick when it was last asked for */

    char label[160]; /* "name@version" */
    char bytes[];    /* the record's summary */
} qd_udf_version;

typedef struct qd_udf_function {
    char name[65];
    qd_udf_version **versions; /* ascending by precedence, then by text */
    size_t n_versions, capacity;
    qd_udf_version *active; /* NULL: none is */
} qd_udf_function;

struct qd_registry {
    qd_kv *kv;
    qd_wasm_engine *engine;
    qd_registry_options options;
    void (*log)(void *arg, const char *line);
    void *log_arg;
    pthread_mutex_t write_mutex;
    pthread_rwlock_t table_lock;
    qd_map *functions;        /* name -> qd_udf_function */
    qd_udf_function **sorted; /* the same, by name */
    size_t n_functions, capacity, n_versions;
    qd_map *modules; /* hash -> how many versions have it, as uintptr_t; under write_mutex */

    pthread_mutex_t code_mutex;
    qd_udf_version **loaded; /* whose code is loaded; a reference each */
    size_t n_loaded, loaded_capacity;
    atomic_uint_fast64_t tick; /* counts loads: the clock of what was used when */
    uint64_t loads, evictions;
};

/* `bytes`: a record that was checked, of which the summary is copied. *out: one reference. False when out of memory. */
qd_udf_version *qd_udf_version_new(qd_str name, qd_str version, qd_str bytes);
void qd_udf_version_ref(qd_udf_version *v);
void qd_udf_version_unref(qd_udf_version *v);
void qd_udf_function_free(void *function);

qd_udf_function *qd_registry_find(const qd_registry *r, qd_str name);
/* The version of exactly that text; NULL when unknown. */
qd_udf_version *qd_udf_function_find(const qd_udf_function *f, qd_str version);
/* "name@version", exactly. NULL when unknown. */
qd_udf_version *qd_registry_find_label(const qd_registry *r, qd_str label);
/* The highest release; without any the highest pre-release. */
qd_udf_version *qd_udf_function_latest(const qd_udf_function *f);
/* The version that a text means: see registry.h. *out: a view. Errors: QD_EUDF_NOTFOUND, QD_EUDF_PARAMS. */
qd_status qd_registry_resolve_version(const qd_registry *r, qd_str name, qd_str version, qd_udf_function **f,
                                      qd_udf_version **out, qd_error *err);

/* Room for one more version, so that qd_registry_insert cannot fail. Called with write_mutex, takes table_lock. */
qd_status qd_registry_reserve(qd_registry *r, qd_str name, qd_str hash, qd_error *err);
/* Undoes that, when it was for nothing. */
void qd_registry_cancel(qd_registry *r, qd_str name, qd_str hash);
/* Sorts `v` (taken) in, after qd_registry_reserve. *replaced: one of the same version that was there (a reference), or
 * NULL; it was active: `v` is. Returns its function. */
qd_udf_function *qd_registry_insert(qd_registry *r, qd_udf_version *v, qd_udf_version **replaced);
/* Takes a version out, without dropping its reference, and its function, freeing it, with its last version. No version
 * is active when it was. */
void qd_registry_take(qd_registry *r, qd_udf_function *f, qd_udf_version *v);
/* How many versions have this module. */
size_t qd_registry_count_module(const qd_registry *r, qd_str hash);
/* Tells r->log, if there is one. */
void qd_registry_tell(const qd_registry *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
