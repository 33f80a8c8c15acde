/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/test_aggregate.h"

#include "udf/aggregate.h"
#include "udf/json_docs.h"

/* The state of documents [first, end). */
static qd_status run_part(const qd_binding *b, const qd_test_documents *t, uint32_t first, uint32_t end,
                          const qd_run_control *control, qd_buf *state, uint64_t *host_calls, qd_error *err)
{
    qd_aggregator *a = NULL;
    qd_json_docs docs;
    qd_json_docs_init(&docs, t->docs + first, end - first, first == 0 ? t->id : (qd_str){0});
    docs.first = first;
    const qd_doc_source source = qd_json_docs_source(&docs);
    qd_status st = qd_aggregator_open(b, &source, control, &a, err);
    if (st == QD_OK)
        st = qd_aggregator_update(a, end - first, t->scores + first, err);
    if (st == QD_OK)
        st = qd_aggregator_serialize(a, state, err);
    if (st == QD_OK)
        *host_calls += qd_aggregator_host_calls(a);
    qd_aggregator_close(a);
    qd_json_docs_deinit(&docs);
    return st;
}

static qd_status finish(qd_aggregator *last, qd_arena *texts, qd_value *out, qd_error *err)
{
    qd_value v;
    qd_status st = qd_aggregator_finish(last, &v, err);
    if (st != QD_OK)
        return st;
    if (v.type == QD_STRING && !(v.as.s = qd_arena_str(texts, v.as.s)).p)
        return qd_fail_nomem(err);
    *out = v;
    return QD_OK;
}

qd_status qd_test_aggregate(const qd_binding *b, const qd_test_documents *t, const qd_run_control *control,
                            qd_arena *texts, qd_value *out, uint64_t *host_calls, qd_error *err)
{
    qd_aggregator *last = NULL;
    qd_buf state;
    qd_buf_init(&state, QD_MAX_STATE_BYTES);
    qd_status st = qd_aggregator_open(b, NULL, control, &last, err);
    for (uint32_t part = 0; part < t->parts && st == QD_OK; part++) {
        uint32_t first = (uint32_t)((uint64_t)t->n * part / t->parts);
        uint32_t end = (uint32_t)((uint64_t)t->n * (part + 1) / t->parts);
        qd_buf_clear(&state);
        st = run_part(b, t, first, end, control, &state, host_calls, err);
        if (st == QD_OK)
            st = qd_aggregator_merge(last, qd_buf_str(&state), err);
    }
    if (st == QD_OK)
        st = finish(last, texts, out, err);
    if (st == QD_OK)
        *host_calls += qd_aggregator_host_calls(last);
    qd_aggregator_close(last);
    qd_buf_deinit(&state);
    return st;
}
