/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "udf/param.h"
#include "udf/runner_impl.h"
#include "udf/udf.h"

/* After a failure rows are run in small steps, growing again while nothing fails, so that a block full of failures
 * costs a fresh instance and a few copied values each, not the rest of the block each. */
#define FIRST_STEP_DOCS 32

/* ---- failures ---- */

qd_str qd_runner_row_id(const qd_runner *r, uint32_t row, char place[QD_ROW_PLACE_SIZE])
{
    qd_str id;
    if (r->docs->id(r->docs->arg, row, &id))
        return id;
    int n = snprintf(place, QD_ROW_PLACE_SIZE, "#%u", row);
    return (qd_str){place, (size_t)n};
}

qd_status qd_runner_fail_row(qd_runner *r, uint32_t row, qd_error *why, qd_error *err)
{
    char place[QD_ROW_PLACE_SIZE];
    bool is_final = why->code == QD_EUDF_TIMEOUT || why->code == QD_ECANCELED || why->code == QD_ENOMEM ||
                    why->code == QD_EINTERNAL;
    if (r->b->on_error != QD_ON_ERROR_FAIL && !is_final) {
        r->state[row] = QD_ROW_FAILED;
        r->has_bad_rows = r->has_failed_rows = true;
        qd_runner_count_forgiven(r, why, row);
        return QD_OK;
    }
    qd_str id = qd_runner_row_id(r, row, place);
    qd_runner_count_failure(r, why, &id);
    qd_error_set_function(why, r->b->udf->label, &id);
    if (err)
        *err = *why;
    return why->code;
}

/* ---- instances ---- */

static void drop_instance(qd_runner *r)
{
    if (!r->instance)
        return;
    r->host_calls += qd_instance_host_calls(r->instance);
    r->string_bytes += qd_instance_string_bytes(r->instance);
    qd_udf_stats_instance_down(r->b->udf->stats);
    qd_instance_release(r->instance);
    r->instance = NULL;
}

static qd_status need_instance(qd_runner *r, qd_error *err)
{
    const qd_binding *b = r->b;
    if (r->instance)
        return QD_OK;
    qd_error why = QD_ERROR_INIT;
    qd_status st = qd_instance_acquire(b->udf->program, b->varying, &r->call, &r->instance, &why);
    if (st != QD_OK) {
        r->instance = NULL;
        qd_runner_count_failure(r, &why, NULL);
        qd_error_set_function(&why, b->udf->label, NULL);
        if (err)
            *err = why;
        return st;
    }
    qd_udf_stats_instance_up(b->udf->stats);
    if (b->udf->manifest->abi != QD_ABI_TYPED)
        return QD_OK;
    for (size_t i = 0; i < b->n_args; i++)
        if (!(b->varying >> i & 1))
            qd_instance_constant(r->instance, (uint32_t)i, b->args[i].value.constant);
    return QD_OK;
}

static bool varies(const qd_runner *r, size_t arg)
{
    return r->b->varying >> arg & 1;
}

/* Copies the columns out of an instance that failed, before it goes. */
static bool stash_columns(qd_runner *r)
{
    if (r->is_stashed || r->b->varying == 0)
        return true;
    if (!r->stash)
        r->stash = malloc(r->b->n_args * QD_BLOCK_DOCS * sizeof *r->stash);
    if (!r->stash)
        return false;
    for (size_t i = 0; i < r->b->n_args; i++)
        if (varies(r, i))
            memcpy(r->stash + i * QD_BLOCK_DOCS, qd_instance_column(r->instance, (uint32_t)i),
                   r->n_positions * qd_wasm_valtype_bytes(r->signature->params[i]));
    r->is_stashed = true;
    return true;
}

static void restore_columns(qd_runner *r, uint32_t first, uint32_t end)
{
    if (!r->is_stashed)
        return;
    for (size_t i = 0; i < r->b->n_args; i++) {
        if (!varies(r, i))
            continue;
        size_t bytes = qd_wasm_valtype_bytes(r->signature->params[i]);
        memcpy((char *)qd_instance_column(r->instance, (uint32_t)i) + first * bytes,
               (const char *)(r->stash + i * QD_BLOCK_DOCS) + first * bytes, (end - first) * bytes);
    }
}

/* ---- results ---- */

static uint32_t row_of(const qd_runner *r, uint32_t position)
{
    return r->is_compacted ? r->rows[position] : position;
}

bool qd_runner_current_row(const qd_runner *r, uint32_t *row)
{
    uint32_t position;
    if (!r->instance || !qd_instance_current_row(r->instance, &position) || position >= r->n_positions)
        return false;
    *row = row_of(r, position);
    return true;
}

static void read_results(const qd_runner *r, uint32_t first, uint32_t end, double *out)
{
    const void *results = qd_instance_results(r->instance);
    bool is_filter = r->b->udf->manifest->kind == QD_KIND_FILTER;
    switch (r->signature->result) {
    case QD_WASM_F64:
        memcpy(out + first, (const double *)results + first, (end - first) * sizeof *out);
        break;
    case QD_WASM_F32:
        for (uint32_t p = first; p < end; p++)
            out[p] = (double)((const float *)results)[p];
        break;
    case QD_WASM_I64:
        for (uint32_t p = first; p < end; p++)
            out[p] = (double)((const int64_t *)results)[p];
        break;
    default:
        for (uint32_t p = first; p < end; p++)
            out[p] = is_filter ? ((const int32_t *)results)[p] != 0 : (double)((const int32_t *)results)[p];
    }
}

/* A filter's results as a mask. */
static void read_mask(const qd_runner *r, uint32_t first, uint32_t end, uint8_t *restrict mask)
{
    const int32_t *results = qd_instance_results(r->instance);
    for (uint32_t p = first; p < end; p++)
        mask[p] = results[p] != 0;
}

/* What no score may be greater than: the manifest's max_score, which skipping relies on. */
static double most_of(const qd_runner *r)
{
    const qd_manifest *m = r->b->udf->manifest;
    return m->has_max_score && m->max_score < FLT_MAX ? m->max_score : FLT_MAX;
}

static bool is_score(double v, double most)
{
    return v >= 0 && v <= most; /* NaN is neither */
}

/* Are they scores, all of them? It is asked of every result, so it works on the bits, without branches: as integers,
 * doubles from 0 to `most` are those from 0 to the bits of `most`. (-0.0 gives a false alarm, which take_results
 * looks into.) */
static bool are_scores(const double *values, uint32_t n, double most)
{
    uint64_t most_bits, beyond = 0;
    memcpy(&most_bits, &most, sizeof most_bits);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        beyond |= (most_bits - bits) | bits;
    }
    return beyond >> 63 == 0;
}

static void describe_score(const qd_runner *r, double v, qd_error *why)
{
    char text[QD_NUMBER_TEXT_SIZE], most[QD_NUMBER_TEXT_SIZE];
    if (is_score(v, FLT_MAX))
        qd_fail(why, QD_EUDF_FAILED, "returned %s; its manifest says that no score is greater than %s ('max_score')",
                qd_number_text(v, text), qd_number_text(most_of(r), most));
    else
        qd_fail(why, QD_EUDF_FAILED, "returned %s; a score must be a finite number >= 0", qd_number_text(v, text));
}

/* Results of positions [first, end), which the instance has computed, into `out` by position. */
static qd_status take_results(qd_runner *r, uint32_t first, uint32_t end, double *out, uint8_t *valid, qd_error *err)
{
    if (first >= end)
        return QD_OK;
    if (!out) {
        read_mask(r, first, end, valid);
        return QD_OK;
    }
    read_results(r, first, end, out);
    memset(valid + first, 1, end - first);
    double most = most_of(r);
    if (r->b->udf->manifest->kind != QD_KIND_SCORE || are_scores(out + first, end - first, most))
        return QD_OK;
    for (uint32_t p = first; p < end; p++) {
        qd_error why = QD_ERROR_INIT;
        if (is_score(out[p], most))
            continue;
        describe_score(r, out[p], &why);
        qd_status st = qd_runner_fail_row(r, row_of(r, p), &why, err);
        if (st != QD_OK)
            return st;
        valid[p] = 0;
    }
    return QD_OK;
}

/* From positions to rows; then what failed and is to have a default. */
static void spread_results(qd_runner *r, double *out, uint8_t *valid)
{
    if (r->is_compacted && out) {
        memcpy(r->scratch.f64, out, r->n_positions * sizeof *out);
        memset(out, 0, r->n * sizeof *out);
        for (uint32_t p = 0; p < r->n_positions; p++)
            out[r->rows[p]] = r->scratch.f64[p];
    }
    if (r->is_compacted) {
        memcpy(r->valid, valid, r->n_positions);
        memset(valid, 0, r->n);
        for (uint32_t p = 0; p < r->n_positions; p++)
            valid[r->rows[p]] = r->valid[p];
    }
    /* Rows that were left out of the positions have no result by now. */
    bool is_done = !r->has_bad_rows || (r->is_compacted && !r->has_failed_rows);
    for (uint32_t row = 0; !is_done && row < r->n; row++) {
        if (r->state[row] == QD_ROW_RUN)
            continue;
        bool has_default = r->state[row] == QD_ROW_FAILED && r->b->on_error == QD_ON_ERROR_DEFAULT;
        valid[row] = out ? has_default : has_default && r->b->default_result != 0;
        if (out)
            out[row] = has_default ? r->b->default_result : 0;
    }
}

/* ---- running ---- */

/* Positions [first, end), going on behind rows that fail when the binding allows it. */
static qd_status run_span(qd_runner *r, uint32_t first, uint32_t end, double *out, uint8_t *valid, qd_error *err)
{
    uint32_t step = end - first;
    while (first < end) {
        qd_run_failure failure = {0};
        qd_error why = QD_ERROR_INIT;
        qd_status st = need_instance(r, err);
        if (st != QD_OK)
            return st;
        uint32_t stop = end - first < step ? end : first + step;
        restore_columns(r, first, stop);
        qd_status ran = qd_instance_run_range(r->instance, first, stop, &failure, &why);
        uint32_t reached = ran == QD_OK ? stop : failure.is_set ? failure.row : first;
        st = take_results(r, first, reached, out, valid, err);
        r->n_called += reached - first;
        if (ran == QD_OK) {
            first = stop;
            step = step > QD_BLOCK_DOCS ? step : 2 * step;
        } else if (st == QD_OK) {
            r->n_called++;
            st = qd_runner_fail_row(r, row_of(r, reached), &why, err);
            if (st == QD_OK && !stash_columns(r))
                st = qd_fail_nomem(err);
            drop_instance(r);
            first = reached + 1;
            step = FIRST_STEP_DOCS;
        }
        if (st != QD_OK) {
            drop_instance(r);
            return st;
        }
    }
    return QD_OK;
}

/* In the row shape positions are rows, since the guest asks for fields by row: bad rows are stepped over. */
static qd_status run_row_shape(qd_runner *r, double *out, uint8_t *valid, qd_error *err)
{
    qd_status st = r->b->has_required_fields ? qd_runner_check_required(r, err) : QD_OK;
    for (uint32_t row = 0, end; row < r->n && st == QD_OK; row = end + 1) {
        for (end = row; end < r->n && (!r->has_bad_rows || r->state[end] == QD_ROW_RUN);)
            end = r->has_bad_rows ? end + 1 : r->n;
        st = run_span(r, row, end, out, valid, err);
    }
    return st;
}

static qd_status run_typed_shape(qd_runner *r, double *out, uint8_t *valid, qd_error *err)
{
    if (r->b->is_always_missing) {
        memset(r->state, QD_ROW_MISSING, r->n);
        r->has_bad_rows = true;
        return QD_OK;
    }
    qd_status st = need_instance(r, err);
    if (st == QD_OK)
        st = qd_runner_fill(r, err);
    return st == QD_OK ? run_span(r, 0, r->n_positions, out, valid, err) : st;
}

qd_status qd_runner_run(qd_runner *r, uint32_t n, const float *scores, double *out, uint8_t *valid, qd_error *err)
{
    int64_t start = qd_clock_mono_ns();
    if (n > QD_BLOCK_DOCS)
        return qd_fail(err, QD_EINTERNAL, "a block of %u documents; at most %d", n, QD_BLOCK_DOCS);
    r->n = r->n_positions = n;
    r->scores = r->call.scores = scores;
    r->is_compacted = r->is_stashed = r->has_bad_rows = r->has_failed_rows = false;
    r->n_called = 0;
    memset(r->state, QD_ROW_RUN, n);
    qd_status st = r->b->udf->manifest->abi == QD_ABI_TYPED ? run_typed_shape(r, out, valid, err)
                                                            : run_row_shape(r, out, valid, err);
    if (st == QD_OK)
        spread_results(r, out, valid);
    qd_runner_count_block(r, qd_clock_mono_ns() - start);
    return st;
}

/* ---- opening ---- */

/* A parameter for the guest: 0 ok, 1 missing. */
static int get_param(void *arg, qd_str name, uint32_t position, qd_value *out)
{
    qd_runner *r = arg;
    size_t n = r->b->n_args;
    for (size_t k = 0, i = r->next_param; k < n; k++, i++) {
        i = i < n ? i : 0;
        if (!qd_str_eq(r->b->args[i].param->name, name))
            continue;
        r->next_param = i + 1;
        return qd_runner_value(r, i, row_of(r, position), out) ? 0 : 1;
    }
    return 1;
}

static qd_status resolve_slot(const qd_runner *r, const qd_ref *ref, int *slot, qd_error *err)
{
    *slot = -1;
    if (ref->kind != QD_REF_FIELD)
        return QD_OK;
    *slot = r->docs->resolve(r->docs->arg, ref->path);
    return *slot >= 0 ? QD_OK
                      : qd_fail(err, QD_ELIMIT, "function '%s': field '%.*s': too many fields are read at once",
                                r->b->udf->label, QD_STR_FMT(ref->path));
}

qd_status qd_runner_open(const qd_binding *b, const qd_doc_source *docs, const qd_run_control *control, qd_runner **out,
                         qd_error *err)
{
    qd_status st = QD_OK;
    qd_runner *r = malloc(sizeof *r);
    if (!r)
        return qd_fail_nomem(err);
    memset(r, 0, offsetof(qd_runner, rows));
    r->args = calloc(b->n_args + 1, sizeof *r->args);
    if (!r->args) {
        free(r);
        return qd_fail_nomem(err);
    }
    r->b = b;
    r->docs = docs;
    r->log = control->log;
    r->log_arg = control->log_arg;
    r->signature = qd_wasm_program_signature(b->udf->program);
    r->call = (qd_call){.docs = docs,
                        .param = get_param,
                        .param_arg = r,
                        .log = qd_runner_log,
                        .log_arg = r,
                        .deadline_ns = control->deadline_ns,
                        .canceled = control->canceled};
    for (size_t i = 0; i < b->n_args && st == QD_OK; i++) {
        st = resolve_slot(r, &b->args[i].value, &r->args[i].slot, err);
        if (st == QD_OK)
            st = resolve_slot(r, &b->args[i].fallback, &r->args[i].fallback_slot, err);
    }
    if (st == QD_OK)
        *out = QD_TAKE(r);
    qd_runner_close(r);
    return st;
}

void qd_runner_close(qd_runner *r)
{
    if (!r)
        return;
    drop_instance(r);
    free(r->stash);
    free(r->args);
    free(r);
}

uint64_t qd_runner_host_calls(const qd_runner *r)
{
    return r->host_calls + (r->instance ? qd_instance_host_calls(r->instance) : 0);
}
