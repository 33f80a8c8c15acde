/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregates: functions that take many documents and give one result. An aggregator is one state in one instance: it is
 * fed with blocks of documents of one segment, or with the states of others, and gives its own state as bytes, or its
 * result. A query has one per segment and one at the end, into which the states of the segments are merged in their
 * order, so that the same documents give the same result each time.
 *
 * The state lives in the function's memory; nothing of it is trusted: bytes that leave are bounded and copied, and go
 * back to the same version of the same function only, within the same query. What an aggregate exports is told in
 * docs/guest-abi.md. */
#ifndef QD_UDF_AGGREGATE_H
#define QD_UDF_AGGREGATE_H

#include "base/buf.h"
#include "udf/binding.h"

/* Of one serialized state. */
#define QD_MAX_STATE_BYTES (1u << 20)

typedef struct qd_aggregator qd_aggregator;

/* `b` is of an aggregate (qd_binding_spec.is_aggregation), borrowed until close, as `docs`; NULL: only states will be
 * merged. `control` is copied. One thread. No guest code runs before the first of the calls below.
 * Errors: QD_ENOMEM, QD_ELIMIT (too many fields). */
qd_status qd_aggregator_open(const qd_binding *b, const qd_doc_source *docs, const qd_run_control *control,
                             qd_aggregator **out, qd_error *err);
void qd_aggregator_close(qd_aggregator *a);

/* All of these fail with QD_EUDF_FAILED, QD_EUDF_TIMEOUT, QD_EUDF_MEMORY or QD_ECANCELED and a message that names
 * function, version and reason; then the aggregator may only be closed. */

/* Rows [0, n) of the documents' block, n <= QD_BLOCK_DOCS; `scores` may be NULL. Where the binding skips errors, a
 * document that fails is left out as if it were not there. */
qd_status qd_aggregator_update(qd_aggregator *a, uint32_t n, const float *scores, qd_error *err);
/* Appends the state. It stays as it is. Errors: QD_EUDF_MEMORY too for more than QD_MAX_STATE_BYTES. */
qd_status qd_aggregator_serialize(qd_aggregator *a, qd_buf *out, qd_error *err);
/* Adds a state that the same function gave. */
qd_status qd_aggregator_merge(qd_aggregator *a, qd_str state, qd_error *err);
/* The result: QD_NULL where the function has none. A string is a view until the next call. */
qd_status qd_aggregator_finish(qd_aggregator *a, qd_value *out, qd_error *err);
/* Another deadline than the control's, for the calls that follow. */
void qd_aggregator_set_deadline(qd_aggregator *a, int64_t deadline_ns);
uint64_t qd_aggregator_host_calls(const qd_aggregator *a);

/* The exports of an aggregate beside its update, against what its manifest says. Errors: QD_EUDF_WASM naming export,
 * what it has and what is expected. */
qd_status qd_aggregate_fit(const qd_manifest *m, const qd_wasm_module *module, qd_error *err);

#endif
