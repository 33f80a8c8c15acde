/* SPDX-License-Identifier: Apache-2.0
 *
 * The public runtime (include/quidditch/runtime.h) over this room: runtime.c opens and forwards, runtime_call.c runs
 * functions on documents, runtime_aggregation.c feeds aggregates, runtime_data.c is what both do with values.
 */
#ifndef QD_UDF_RUNTIME_H
#define QD_UDF_RUNTIME_H

#include "quidditch/runtime.h"
#include "udf/binding.h"

struct qd_runtime {
    qd_kv *kv;
    qd_stats_keeper *stats;
    qd_wasm_engine *engine;
    qd_registry *registry;
};

/* `function` with the JSON text `parameters` (may be NULL). *out: owned by caller. Errors: QD_EPARSE,
 * QD_EUDF_NOTFOUND, QD_EUDF_PARAMS. */
qd_status qd_runtime_bind(qd_runtime *rt, const char *function, const char *parameters, bool is_aggregation,
                          qd_binding **out, qd_error *err);
/* A string stays a view of the value's. */
qd_data qd_data_of(const qd_value *v);
/* What a program gives is looked at before anything runs. Errors: QD_EINVAL naming the column. */
qd_status qd_data_columns_check(const qd_data_column *columns, size_t n_columns, qd_error *err);

#endif
