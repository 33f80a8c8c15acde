/* SPDX-License-Identifier: Apache-2.0
 *
 * The test call of an aggregate: over all documents at once, or, so that authors can try merge and serialize, over
 * parts of them. Either way the states go through bytes into a last one that gives the result, as in a search. */
#ifndef QD_UDF_TEST_AGGREGATE_H
#define QD_UDF_TEST_AGGREGATE_H

#include "base/arena.h"
#include "udf/binding.h"

/* Borrowed. */
typedef struct qd_test_documents {
    const json_t *const *docs;
    uint32_t n;     /* at most QD_BLOCK_DOCS */
    uint32_t parts; /* 1 or more; those without documents have a state too */
    qd_str id;      /* of the first */
    const float *scores;
} qd_test_documents;

/* *out: a string is in the arena. *host_calls is added to. Errors: as qd_aggregator_*. */
qd_status qd_test_aggregate(const qd_binding *b, const qd_test_documents *documents, const qd_run_control *control,
                            qd_arena *texts, qd_value *out, uint64_t *host_calls, qd_error *err);

#endif
