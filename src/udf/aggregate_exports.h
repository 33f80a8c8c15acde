/* SPDX-License-Identifier: Apache-2.0
 *
 * What an aggregate exports beside its update: one table, by which registration checks and aggregators call. */
#ifndef QD_UDF_AGGREGATE_EXPORTS_H
#define QD_UDF_AGGREGATE_EXPORTS_H

#include "udf/program.h"

typedef enum qd_aggregate_export {
    QD_AGGREGATE_INIT,
    QD_AGGREGATE_MERGE,
    QD_AGGREGATE_SERIALIZE,
    QD_AGGREGATE_FINISH,
    QD_AGGREGATE_EXPORTS
} qd_aggregate_export;

typedef struct qd_aggregate_row {
    const char *suffix;
    const char *signature; /* as qd_instance_call has it; of finish without the result, which depends on the function */
} qd_aggregate_row;
extern const qd_aggregate_row QD_AGGREGATE_TABLE[QD_AGGREGATE_EXPORTS];

/* "agg_init"; `function` is the manifest's function_name, or what a query calls instead. `buffer` holds it. */
qd_str qd_aggregate_export_name(qd_str function, qd_aggregate_export which, char buffer[QD_EXPORT_NAME_SIZE]);

#endif
