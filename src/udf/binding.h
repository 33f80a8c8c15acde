/* SPDX-License-Identifier: Apache-2.0
 *
 * From a function and a query's parameters to results for blocks of documents.
 *
 *   binding  a function with its parameters resolved: each is a constant, the score, the id, or a field. Made once per
 * use in a query; immutable; shared by the threads of that query. Holds a reference to the function. runner   a binding
 * at work on one doc_source (one segment): holds an instance. One thread.
 *
 * A parameter's value is the query's, else the manifest's `from`, else its `default`; where a document has no value the
 * default stands in. A document for which an argument (typed shape) has neither is not given to the function: its
 * result is missing (a filter: no match). With `required` it is an error instead. */
#ifndef QD_UDF_BINDING_H
#define QD_UDF_BINDING_H

#include "udf/registry.h"

typedef enum qd_on_error { QD_ON_ERROR_FAIL, QD_ON_ERROR_SKIP, QD_ON_ERROR_DEFAULT } qd_on_error;

typedef struct qd_binding qd_binding;
typedef struct qd_runner qd_runner;

typedef struct qd_binding_spec {
    const json_t *params;  /* the query's, an object or NULL; borrowed */
    qd_str function;       /* another export of the function's module to call; n 0: the manifest's own */
    const json_t *context; /* the request's `context`, an object or NULL; borrowed */
    bool is_aggregation;   /* what it is for: aggregates, and nothing else */
    qd_on_error on_error;
    bool has_default_result;
    double default_result; /* with QD_ON_ERROR_DEFAULT; a filter: 0 or 1 */
} qd_binding_spec;

/* Errors: QD_EUDF_PARAMS (unknown parameter, wrong type, required and absent, aggregate used here), naming function and
 * parameter. */
qd_status qd_binding_new(qd_udf *u, const qd_binding_spec *spec, qd_binding **out, qd_error *err);
void qd_binding_free(qd_binding *b);
qd_udf *qd_binding_udf(const qd_binding *b);
/* Does any call read the score? Then the clause below must be scored. */
bool qd_binding_needs_score(const qd_binding *b);
/* What no result is greater than, the default for a failure included; INFINITY where the manifest has no max_score. A
 * function that breaks its promise fails as one whose score is negative. */
double qd_binding_max_score(const qd_binding *b);
/* Is the result the same for all documents? So it is when the manifest says `deterministic` and the function can see
 * nothing of a document: all its parameters are constants, and it imports nothing that reads one. */
bool qd_binding_is_constant(const qd_binding *b);

typedef struct qd_run_control {
    int64_t deadline_ns;           /* of the query, monotonic; INT64_MAX: none */
    const volatile bool *canceled; /* may be NULL */
    void (*log)(void *arg, int level, qd_str message);
    void *log_arg;
} qd_run_control;
/* `docs` and `control` (copied) are borrowed until close. */
qd_status qd_runner_open(const qd_binding *b, const qd_doc_source *docs, const qd_run_control *control, qd_runner **out,
                         qd_error *err);
void qd_runner_close(qd_runner *r);
/* Runs rows [0, n), n <= QD_BLOCK_DOCS. `scores` (may be NULL) are the rows' scores before. `out[i]` is the result as a
 * double (a filter: 0 or 1; i64 results are converted), `valid[i]` 0 where it is missing. A score that is NaN, infinite
 * or negative is an error as in OpenSearch. Errors name function, version, document id and reason, unless the binding
 * skips or defaults; QD_EUDF_TIMEOUT, QD_ECANCELED always fail. `out` NULL, filters only: valid[i] is 1 where there is
 * a result and it is not 0. */
qd_status qd_runner_run(qd_runner *r, uint32_t n, const float *scores, double *out, uint8_t *valid, qd_error *err);
/* The same, with results as they are: QD_NULL where there is none; a filter's QD_BOOL, a score's QD_F64, a transform's
 * as its manifest says. Strings are views until the next run. */
qd_status qd_runner_run_values(qd_runner *r, uint32_t n, const float *scores, qd_value *out, qd_error *err);
/* Another deadline than the control's, for the runs that follow. */
void qd_runner_set_deadline(qd_runner *r, int64_t deadline_ns);
uint64_t qd_runner_host_calls(const qd_runner *r);

/* Aggregates. `begin` is called with each fresh instance, before documents: it makes a state there. When a row fails
 * that is forgiven, the instance goes with the state that it had, and the rows since the last kept state run again in a
 * fresh one: `begin` must bring back what was kept last, or what was there when the block began. */
typedef qd_status qd_runner_begin_fn(void *arg, qd_instance *i, int32_t *state, qd_error *err);
/* Keeps the state for the next `begin`. Called within blocks in which a row has failed, so that no row runs again for
 * each that fails. */
typedef qd_status qd_runner_keep_fn(void *arg, qd_instance *i, int32_t state, qd_error *err);
typedef struct qd_runner_states {
    qd_runner_begin_fn *begin;
    qd_runner_keep_fn *keep;
    void *arg;
} qd_runner_states;
/* The instance at work, made when there is none, with its state. Borrowed until the next call of the runner. */
qd_status qd_runner_begin(qd_runner *r, const qd_runner_states *states, qd_instance **out, int32_t *state,
                          qd_error *err);
/* Updates the state with rows [0, n). Errors as qd_runner_run. */
qd_status qd_runner_update(qd_runner *r, uint32_t n, const float *scores, qd_error *err);

/* The test call: documents given as JSON. Writes the answer of POST /api/v1/udfs/{name}/test for a body
 * {"document"|"documents", "parameters", "context", "score", "id"}. */
qd_status qd_udf_test(qd_udf *u, const json_t *body, const qd_run_control *control, qd_json *w, qd_error *err);

#endif
