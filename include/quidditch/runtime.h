/* SPDX-License-Identifier: Apache-2.0
 *
 * The function runtime alone: no index, no daemon. A runtime holds functions by name and version; a call prepares one
 * with its parameters once, then runs it on documents that the program has: as JSON, as fields, or as columns.
 *
 *   qd_runtime_open → qd_runtime_register → qd_udf_call_open → qd_udf_call_json | _fields | _columns →
 * qd_udf_call_close
 *
 * Aggregates, which have one result of many documents, are fed instead:
 *
 *   qd_udf_aggregation_open → qd_udf_aggregation_json | _columns | _merge → qd_udf_aggregation_finish →
 * qd_udf_aggregation_close
 *
 * Threads: a runtime any; a call and an aggregation one at a time (open one per thread: they share the code). */
#ifndef QUIDDITCH_RUNTIME_H
#define QUIDDITCH_RUNTIME_H

#include "quidditch/error.h"
#include "quidditch/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qd_runtime qd_runtime;
typedef struct qd_udf_call qd_udf_call;
typedef struct qd_udf_aggregation qd_udf_aggregation;

/* `size` lets the struct grow: start from QD_RUNTIME_OPTIONS_INIT. */
typedef struct qd_runtime_options {
    size_t size;
    size_t max_stack_bytes;   /* wasm stack of one call */
    uint32_t max_instances;   /* alive at once, over all functions */
    uint32_t max_functions;   /* versions registered in all */
    size_t max_module_bytes;  /* of one module */
    size_t cache_bytes;       /* native code kept in the directory; 0: none */
    unsigned compile_threads; /* that optimize in the background; 0: functions are optimized as they are registered */
    void (*log)(void *arg, const char *line); /* told of what happens in the background; NULL: nobody */
    void *log_arg;
} qd_runtime_options;
#define QD_RUNTIME_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        sizeof(qd_runtime_options), 512u << 10, 1024, 10000, 10u << 20, (size_t)1 << 30, 1, NULL, NULL                 \
    }

/* `dir`: where functions, statistics and native code are kept (created when absent; one runtime has it open); NULL:
 * nothing is kept. `options` may be NULL. *out: owned by caller (qd_runtime_close). Errors: QD_EIO, QD_EBUSY. */
qd_status qd_runtime_open(const char *dir, const qd_runtime_options *options, qd_runtime **out, qd_error *err);
/* All calls are closed before. NULL is legal. */
void qd_runtime_close(qd_runtime *rt);

/* Registers a function as qd_database_register_udf does: `manifest` JSON, `module` WebAssembly, binary or text. */
qd_status qd_runtime_register(qd_runtime *rt, const char *manifest, size_t manifest_len, const void *module,
                              size_t module_len, qd_error *err);
/* Makes another registered version the active one. Errors: QD_EUDF_NOTFOUND. */
qd_status qd_runtime_activate(qd_runtime *rt, const char *name, const char *version, qd_error *err);
/* One version, or all (`version` NULL). Calls that are open keep theirs. Errors: QD_EUDF_NOTFOUND, QD_EUDF_DEPENDED. */
qd_status qd_runtime_remove(qd_runtime *rt, const char *name, const char *version, qd_error *err);
/* Statistics of a version (`version` NULL: the active one) as JSON. *out: free with qd_free. Errors:
 * QD_EUDF_NOTFOUND. */
qd_status qd_runtime_stats(qd_runtime *rt, const char *name, const char *version, char **out, qd_error *err);

/* ---- values ---- */

typedef enum qd_data_type { QD_DATA_MISSING, QD_DATA_BOOL, QD_DATA_I64, QD_DATA_F64, QD_DATA_TEXT } qd_data_type;

typedef struct qd_text {
    const char *p; /* UTF-8, not terminated */
    size_t n;
} qd_text;

typedef struct qd_data {
    qd_data_type type;
    union {
        bool b;
        int64_t i;
        double f;
        qd_text text;
    } as;
} qd_data;

/* One field of a document. Names are paths as functions ask for them: "price", "vendor.name", "tags[2]". */
typedef struct qd_field_value {
    const char *name;
    qd_data value;
} qd_field_value;

/* One field of many documents; calls of one qd_udf_call may give it another type each time. `values`: bool (one byte
 * each), int64_t, double or qd_text by `type`. `valid`: a byte per row, 0 where it is missing; NULL: all are there.
 * Both borrowed for the call. */
typedef struct qd_data_column {
    const char *name;
    qd_data_type type;
    const void *values;
    const uint8_t *valid;
} qd_data_column;

/* ---- calls ---- */

/* Prepares calls of `function`: "name" (the active version, as of now), "name@1.2.0", "name@^1". `parameters`: a JSON
 * object, or NULL. Filters, scores and transforms. *out: owned by caller (qd_udf_call_close). Errors: QD_EUDF_NOTFOUND,
 * QD_EUDF_PARAMS, QD_EPARSE. */
qd_status qd_udf_call_open(qd_runtime *rt, const char *function, const char *parameters, qd_udf_call **out,
                           qd_error *err);
void qd_udf_call_close(qd_udf_call *c);
/* Time for each of the following calls; 0: none but what the function's manifest sets per document. */
void qd_udf_call_set_timeout(qd_udf_call *c, int64_t timeout_ms);

/* One document, a JSON object. *out: text is a view until the next call. Errors: QD_EPARSE, QD_EUDF_FAILED,
 * QD_EUDF_TIMEOUT, QD_EUDF_MEMORY. */
qd_status qd_udf_call_json(qd_udf_call *c, const char *document, size_t n, qd_data *out, qd_error *err);
/* One document, as its fields. Errors: the same. */
qd_status qd_udf_call_fields(qd_udf_call *c, const qd_field_value *fields, size_t n_fields, qd_data *out,
                             qd_error *err);
/* `n_rows` documents, as columns. `scores` (what `_score` is; may be NULL: 1). results[i] as a double (a filter: 0 or
 * 1), result_valid[i] 0 where it is missing (may be NULL). Errors: the same, naming the row; none of the results hold
 * then. */
qd_status qd_udf_call_columns(qd_udf_call *c, const qd_data_column *columns, size_t n_columns, size_t n_rows,
                              const float *scores, double *results, uint8_t *result_valid, qd_error *err);
/* The same with results of any type; texts are views until the next call. */
qd_status qd_udf_call_columns_any(qd_udf_call *c, const qd_data_column *columns, size_t n_columns, size_t n_rows,
                                  const float *scores, qd_data *results, qd_error *err);

/* ---- aggregations ---- */

/* Begins one, of a function of kind aggregate, without documents. `function` and `parameters` as in qd_udf_call_open;
 * it keeps the version that it began with. *out: owned by caller (qd_udf_aggregation_close). Errors: QD_EUDF_NOTFOUND,
 * QD_EUDF_PARAMS (also: no aggregate), QD_EPARSE. */
qd_status qd_udf_aggregation_open(qd_runtime *rt, const char *function, const char *parameters,
                                  qd_udf_aggregation **out, qd_error *err);
void qd_udf_aggregation_close(qd_udf_aggregation *a);
/* Time for each of the following calls; 0: none but what the function's manifest sets. */
void qd_udf_aggregation_set_timeout(qd_udf_aggregation *a, int64_t timeout_ms);

/* All below but qd_udf_aggregation_finish: when the function fails (QD_EUDF_FAILED, QD_EUDF_PARAMS of a document,
 * QD_EUDF_TIMEOUT, QD_EUDF_MEMORY), its state is lost, and the aggregation may only be closed: each later call fails
 * with QD_EUDF_FAILED. What is malformed (QD_EPARSE, QD_EINVAL) changes nothing. */

/* Adds documents: a JSON object, or an array of objects, in its order. Errors name the document's place, from 0. */
qd_status qd_udf_aggregation_json(qd_udf_aggregation *a, const char *documents, size_t n, qd_error *err);
/* Adds `n_rows` documents, as columns. `scores` (what `_score` is; may be NULL: 1). Errors name the row. */
qd_status qd_udf_aggregation_columns(qd_udf_aggregation *a, const qd_data_column *columns, size_t n_columns,
                                     size_t n_rows, const float *scores, qd_error *err);

/* The state so far as bytes, at most 1 MiB and what says whose it is; it stays as it is, and may go on. *out: free with
 * qd_free; the bytes may be kept, and go to another thread, process or machine. */
qd_status qd_udf_aggregation_serialize(qd_udf_aggregation *a, void **out, size_t *n, qd_error *err);
/* Adds a state that the same version of the same function gave, with whatever parameters: those of parts that were
 * aggregated elsewhere, or, into a new aggregation, one that was kept. Order counts where it counts for the function.
 * Errors: QD_EINVAL (no such state, damaged, or another version's). */
qd_status qd_udf_aggregation_merge(qd_udf_aggregation *a, const void *state, size_t n, qd_error *err);

/* The result of all that was added; QD_DATA_MISSING where the function has none. More can be added after it, and
 * another result asked for. A text is a view until the next call. Errors: QD_EUDF_…; a failure of the function's
 * `finish` alone leaves the state as it was. */
qd_status qd_udf_aggregation_finish(qd_udf_aggregation *a, qd_data *out, qd_error *err);
/* The same as a JSON value: what a search has as the aggregation's "value". *out: free with qd_free. */
qd_status qd_udf_aggregation_finish_json(qd_udf_aggregation *a, char **out, qd_error *err);

#ifdef __cplusplus
}
#endif
#endif
