/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/aggregate.h"

#include <stdio.h>
#include <stdlib.h>

#include "udf/aggregate_exports.h"
#include "udf/no_docs.h"
#include "udf/runner_impl.h"

struct qd_aggregator {
    const qd_binding *b;
    qd_runner *runner;
    char names[QD_AGGREGATE_EXPORTS][QD_EXPORT_NAME_SIZE];
    /* Where documents may be skipped: the state as it was kept last, before the block at hand or within it, from which
     * a fresh instance goes on without the document that failed. */
    qd_buf before;
    bool has_before;
    bool is_fresh; /* nothing was added yet: the state is what init gave */
};

/* ---- calls ---- */

static qd_status call(const qd_aggregator *a, qd_instance *i, qd_aggregate_export which, const char *signature,
                      const qd_wasm_value *args, qd_wasm_value *result, qd_error *why)
{
    return qd_instance_call(i, qd_str_of(a->names[which]), signature, args, result, why);
}

static qd_status merge_into(const qd_aggregator *a, qd_instance *i, int32_t state, qd_str bytes, qd_error *why)
{
    uint32_t at;
    uint8_t *room;
    qd_status st = qd_instance_area(i, (uint32_t)bytes.n, &at, &room, why);
    if (st != QD_OK)
        return st;
    if (bytes.n > 0)
        memcpy(room, bytes.p, bytes.n);
    const qd_wasm_value args[] = {{.i32 = state}, {.i32 = (int32_t)at}, {.i32 = (int32_t)bytes.n}};
    return call(a, i, QD_AGGREGATE_MERGE, QD_AGGREGATE_TABLE[QD_AGGREGATE_MERGE].signature, args, NULL, why);
}

/* The runner has a fresh instance: give it a state. */
static qd_status begin(void *arg, qd_instance *i, int32_t *state, qd_error *why)
{
    const qd_aggregator *a = arg;
    qd_wasm_value made = {.i32 = 0};
    qd_status st = call(a, i, QD_AGGREGATE_INIT, QD_AGGREGATE_TABLE[QD_AGGREGATE_INIT].signature, NULL, &made, why);
    if (st == QD_OK && a->has_before)
        st = merge_into(a, i, made.i32, qd_buf_str(&a->before), why);
    if (st == QD_OK)
        *state = made.i32;
    return st;
}

/* What fails outside of documents is the function's alone. */
static qd_status fail(const qd_aggregator *a, qd_error *why, qd_error *err)
{
    qd_runner_count_failure(a->runner, why, NULL);
    qd_error_set_function(why, a->b->udf->label, NULL);
    if (err)
        *err = *why;
    return why->code;
}

/* ---- the state as bytes ---- */

static qd_status copy_state(const qd_aggregator *a, qd_instance *i, uint64_t where, qd_buf *out, qd_error *why)
{
    uint32_t at = (uint32_t)(where >> 32), n = (uint32_t)where;
    const char *name = a->names[QD_AGGREGATE_SERIALIZE];
    if (n > QD_MAX_STATE_BYTES)
        return qd_fail(why, QD_EUDF_MEMORY, "%s gave a state of %u bytes; at most %u are kept", name, n,
                       QD_MAX_STATE_BYTES);
    const uint8_t *bytes = qd_instance_bytes(i, at, n);
    if (!bytes && n > 0)
        return qd_fail(why, QD_EUDF_FAILED, "%s gave a state of %u bytes at %u, which is not in its memory", name, n,
                       at);
    if (n > 0)
        qd_buf_add(out, bytes, n);
    return out->failed ? qd_fail_nomem(why) : QD_OK;
}

/* Appends the state that is in `i`. */
static qd_status read_state(const qd_aggregator *a, qd_instance *i, int32_t state, qd_buf *out, qd_error *why)
{
    qd_wasm_value where = {.i64 = 0};
    const qd_wasm_value arg = {.i32 = state};
    qd_status st =
        call(a, i, QD_AGGREGATE_SERIALIZE, QD_AGGREGATE_TABLE[QD_AGGREGATE_SERIALIZE].signature, &arg, &where, why);
    return st == QD_OK ? copy_state(a, i, (uint64_t)where.i64, out, why) : st;
}

/* So that a fresh instance begins from here. */
static qd_status keep(void *arg, qd_instance *i, int32_t state, qd_error *why)
{
    qd_aggregator *a = arg;
    qd_buf now;
    qd_buf_init(&now, QD_MAX_STATE_BYTES);
    qd_status st = read_state(a, i, state, &now, why);
    if (st == QD_OK) {
        qd_buf_deinit(&a->before);
        a->before = now;
        a->has_before = true;
    } else {
        qd_buf_deinit(&now);
    }
    return st;
}

static qd_status need_instance(qd_aggregator *a, qd_instance **i, int32_t *state, qd_error *err)
{
    const qd_runner_states states = {begin, keep, a};
    return qd_runner_begin(a->runner, &states, i, state, err);
}

qd_status qd_aggregator_serialize(qd_aggregator *a, qd_buf *out, qd_error *err)
{
    qd_instance *i;
    int32_t state;
    qd_error why = QD_ERROR_INIT;
    qd_status st = need_instance(a, &i, &state, err);
    if (st != QD_OK)
        return st;
    return read_state(a, i, state, out, &why) == QD_OK ? QD_OK : fail(a, &why, err);
}

qd_status qd_aggregator_merge(qd_aggregator *a, qd_str state, qd_error *err)
{
    qd_instance *i;
    int32_t at;
    qd_error why = QD_ERROR_INIT;
    qd_status st = need_instance(a, &i, &at, err);
    if (st != QD_OK)
        return st;
    if (state.n > QD_MAX_STATE_BYTES)
        return qd_fail(err, QD_EINTERNAL, "a state of %zu bytes; at most %u", state.n, QD_MAX_STATE_BYTES);
    a->is_fresh = false;
    return merge_into(a, i, at, state, &why) == QD_OK ? QD_OK : fail(a, &why, err);
}

/* ---- documents ---- */

qd_status qd_aggregator_update(qd_aggregator *a, uint32_t n, const float *scores, qd_error *err)
{
    qd_instance *i;
    int32_t state;
    qd_error why = QD_ERROR_INIT;
    qd_status st = need_instance(a, &i, &state, err);
    if (st != QD_OK)
        return st;
    /* Before each block but the first; it could be the one of which a document fails. */
    if (a->b->on_error != QD_ON_ERROR_FAIL && !a->is_fresh && keep(a, i, state, &why) != QD_OK)
        return fail(a, &why, err);
    a->is_fresh = false;
    return qd_runner_update(a->runner, n, scores, err);
}

/* ---- the result ---- */

static char letter_of(const qd_wasm_signature *s)
{
    static const char LETTERS[] = {[QD_WASM_I32] = 'i', [QD_WASM_I64] = 'I', [QD_WASM_F32] = 'f', [QD_WASM_F64] = 'F'};
    return s->n_results == 0 ? 0 : LETTERS[s->result];
}

static qd_value number_of(const qd_manifest *m, qd_wasm_valtype type, qd_wasm_value v)
{
    if (m->has_returns && m->returns == QD_BOOL)
        return (qd_value){.type = QD_BOOL, .as.b = v.i32 != 0};
    if (type == QD_WASM_I32 || type == QD_WASM_I64)
        return (qd_value){.type = QD_I64, .as.i = type == QD_WASM_I32 ? v.i32 : v.i64};
    return (qd_value){.type = QD_F64, .as.f = type == QD_WASM_F32 ? (double)v.f32 : v.f64};
}

static qd_status read_result(const qd_aggregator *a, qd_instance *i, qd_wasm_valtype type, qd_wasm_value number,
                             qd_value *out, qd_error *why)
{
    const qd_manifest *m = a->b->udf->manifest;
    qd_value v = {.type = QD_NULL};
    qd_status st = QD_OK;
    if (m->has_returns && m->returns == QD_STRING) {
        if (qd_instance_result_valid(i)[0]) {
            v.type = QD_STRING;
            st = qd_instance_result_string(i, 0, &v.as.s, why);
        }
    } else if (!qd_instance_is_result_missing(i)) {
        v = number_of(m, type, number);
    }
    if (st == QD_OK)
        *out = v;
    return st;
}

qd_status qd_aggregator_finish(qd_aggregator *a, qd_value *out, qd_error *err)
{
    qd_instance *i;
    int32_t state;
    char signature[8];
    qd_wasm_signature s;
    qd_wasm_value number = {.i64 = 0};
    qd_error why = QD_ERROR_INIT;
    qd_status st = need_instance(a, &i, &state, err);
    if (st != QD_OK)
        return st;
    qd_str name = qd_str_of(a->names[QD_AGGREGATE_FINISH]);
    const qd_wasm_value arg = {.i32 = state};
    if (!qd_wasm_module_export(a->b->udf->module, name, &s))
        return qd_fail(err, QD_EINTERNAL, "function '%s' has lost its export '%s'", a->b->udf->label, name.p);
    snprintf(signature, sizeof signature, "i:%c", letter_of(&s));
    st = call(a, i, QD_AGGREGATE_FINISH, signature, &arg, &number, &why);
    if (st == QD_OK)
        st = read_result(a, i, s.result, number, out, &why);
    return st == QD_OK ? QD_OK : fail(a, &why, err);
}

/* ---- life ---- */

void qd_aggregator_set_deadline(qd_aggregator *a, int64_t deadline_ns)
{
    qd_runner_set_deadline(a->runner, deadline_ns);
}

uint64_t qd_aggregator_host_calls(const qd_aggregator *a)
{
    return qd_runner_host_calls(a->runner);
}

qd_status qd_aggregator_open(const qd_binding *b, const qd_doc_source *docs, const qd_run_control *control,
                             qd_aggregator **out, qd_error *err)
{
    qd_aggregator *a = calloc(1, sizeof *a);
    if (!a)
        return qd_fail_nomem(err);
    a->b = b;
    a->is_fresh = true;
    qd_buf_init(&a->before, QD_MAX_STATE_BYTES);
    for (int which = 0; which < QD_AGGREGATE_EXPORTS; which++)
        (void)qd_aggregate_export_name(b->function, (qd_aggregate_export)which, a->names[which]);
    qd_status st = qd_runner_open(b, docs ? docs : &qd_no_docs, control, &a->runner, err);
    if (st == QD_OK)
        *out = QD_TAKE(a);
    qd_aggregator_close(a);
    return st;
}

void qd_aggregator_close(qd_aggregator *a)
{
    if (!a)
        return;
    qd_runner_close(a->runner);
    qd_buf_deinit(&a->before);
    free(a);
}
