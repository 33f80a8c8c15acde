/* SPDX-License-Identifier: Apache-2.0
 *
 * Results: from the instance's column to the caller's, checked. */
#include <float.h>

#include "udf/param.h"
#include "udf/runner_impl.h"

#define MAX_STRING_BYTES ((size_t)32 << 20) /* of all results of a block */

/* ---- numbers ---- */

/* Numbers of the result column as doubles. */
static void read_numbers(const qd_runner *r, uint32_t first, uint32_t end, double *restrict out)
{
    const void *results = qd_instance_results(r->instance);
    bool is_filter = r->kind == QD_KIND_FILTER;
    switch (r->result_number) {
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
        mask[p] &= results[p] != 0;
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

static qd_status fail_score(qd_runner *r, uint32_t position, double v, qd_error *err)
{
    qd_error why = QD_ERROR_INIT;
    describe_score(r, v, &why);
    r->out.valid[position] = 0;
    return qd_runner_fail_row(r, qd_runner_row_of(r, position), &why, err);
}

static qd_status check_scores(qd_runner *r, uint32_t first, uint32_t end, const double *scores, qd_error *err)
{
    double most = most_of(r);
    qd_status st = QD_OK;
    if (are_scores(scores + first, end - first, most))
        return QD_OK;
    for (uint32_t p = first; p < end && st == QD_OK; p++)
        if (r->out.valid[p] && !is_score(scores[p], most))
            st = fail_score(r, p, scores[p], err);
    return st;
}

/* ---- values ---- */

static qd_status read_string(qd_runner *r, uint32_t position, qd_value *out, qd_error *err)
{
    qd_error why = QD_ERROR_INIT;
    qd_str s;
    if (qd_instance_result_string(r->instance, position, &s, &why) != QD_OK) {
        r->out.valid[position] = 0;
        return qd_runner_fail_row(r, qd_runner_row_of(r, position), &why, err);
    }
    if (!r->strings)
        r->strings = qd_arena_new(MAX_STRING_BYTES);
    if (!r->strings)
        return qd_fail_nomem(err);
    *out = (qd_value){.type = QD_STRING, .as.s = qd_arena_str(r->strings, s)};
    if (out->as.s.p)
        return QD_OK;
    if (!(r->strings && qd_arena_is_full(r->strings)))
        qd_fail_nomem(&why);
    else
        qd_fail(&why, QD_ELIMIT, "the strings that it returned for one block of documents take more than %zu MiB",
                MAX_STRING_BYTES >> 20);
    *out = (qd_value){.type = QD_NULL};
    return qd_runner_fail_row(r, qd_runner_row_of(r, position), &why, err);
}

static qd_value number_at(const qd_runner *r, uint32_t p)
{
    const void *results = qd_instance_results(r->instance);
    bool is_bool = r->result == QD_BOOL;
    if (r->result_number == QD_WASM_I32 && is_bool)
        return (qd_value){.type = QD_BOOL, .as.b = ((const int32_t *)results)[p] != 0};
    if (r->result_number == QD_WASM_I32)
        return (qd_value){.type = QD_I64, .as.i = ((const int32_t *)results)[p]};
    if (r->result_number == QD_WASM_I64)
        return (qd_value){.type = QD_I64, .as.i = ((const int64_t *)results)[p]};
    double d = r->result_number == QD_WASM_F32 ? (double)((const float *)results)[p] : ((const double *)results)[p];
    return (qd_value){.type = QD_F64, .as.f = d};
}

static qd_status take_values(qd_runner *r, uint32_t first, uint32_t end, qd_error *err)
{
    qd_status st = QD_OK;
    for (uint32_t p = first; p < end && st == QD_OK; p++) {
        qd_value *v = &r->out.values[p];
        *v = (qd_value){.type = QD_NULL};
        if (!r->out.valid[p])
            continue;
        if (r->result == QD_STRING) {
            st = read_string(r, p, v, err);
            continue;
        }
        *v = number_at(r, p);
        if (r->kind == QD_KIND_SCORE && !is_score(v->type == QD_F64 ? v->as.f : (double)v->as.i, most_of(r))) {
            st = fail_score(r, p, v->type == QD_F64 ? v->as.f : (double)v->as.i, err);
            *v = (qd_value){.type = QD_NULL};
        }
    }
    return st;
}

/* ---- all of it ---- */

static void take_validity(qd_runner *r, uint32_t first, uint32_t end)
{
    const uint8_t *has = qd_instance_result_valid(r->instance);
    if (!has)
        memset(r->out.valid + first, 1, end - first);
    for (uint32_t p = first; has && p < end; p++)
        r->out.valid[p] = has[p] != 0;
}

qd_status qd_runner_take(qd_runner *r, uint32_t first, uint32_t end, qd_error *err)
{
    if (first >= end || r->kind == QD_KIND_AGGREGATE)
        return QD_OK;
    take_validity(r, first, end);
    if (r->out.values)
        return take_values(r, first, end, err);
    if (r->result == QD_STRING) { /* no number is in it */
        memset(r->out.valid + first, 0, end - first);
        if (r->out.f64)
            memset(r->out.f64 + first, 0, (end - first) * sizeof *r->out.f64);
        return QD_OK;
    }
    if (!r->out.f64) {
        read_mask(r, first, end, r->out.valid);
        return QD_OK;
    }
    read_numbers(r, first, end, r->out.f64);
    if (qd_instance_result_valid(r->instance))
        for (uint32_t p = first; p < end; p++)
            r->out.f64[p] = r->out.valid[p] ? r->out.f64[p] : 0;
    return r->kind == QD_KIND_SCORE ? check_scores(r, first, end, r->out.f64, err) : QD_OK;
}

/* A row is never before its position: from the last to the first, nothing is overwritten that is still needed. */
static void spread_values(const qd_runner *r)
{
    uint32_t p = r->n_positions;
    for (uint32_t row = r->n; row-- > 0;) {
        bool was_called = p > 0 && r->rows[p - 1] == row;
        p -= was_called;
        r->out.values[row] = was_called ? r->out.values[p] : (qd_value){.type = QD_NULL};
    }
}

static void spread_columns(qd_runner *r)
{
    double *out = r->out.f64;
    uint8_t *valid = r->out.valid;
    if (out) {
        memcpy(r->scratch.f64, out, r->n_positions * sizeof *out);
        memset(out, 0, r->n * sizeof *out);
        for (uint32_t p = 0; p < r->n_positions; p++)
            out[r->rows[p]] = r->scratch.f64[p];
    }
    memcpy(r->valid, valid, r->n_positions);
    memset(valid, 0, r->n);
    for (uint32_t p = 0; p < r->n_positions; p++)
        valid[r->rows[p]] = r->valid[p];
}

static qd_value default_value(const qd_runner *r)
{
    double d = r->b->default_result;
    if (r->result == QD_BOOL)
        return (qd_value){.type = QD_BOOL, .as.b = d != 0};
    if ((r->result == QD_I64 || r->result == QD_I32) && d >= -0x1p63 && d < 0x1p63)
        return (qd_value){.type = QD_I64, .as.i = (int64_t)d};
    return r->result == QD_STRING ? (qd_value){.type = QD_NULL} : (qd_value){.type = QD_F64, .as.f = d};
}

void qd_runner_spread(qd_runner *r)
{
    if (r->kind == QD_KIND_AGGREGATE)
        return;
    if (r->is_compacted && r->out.values)
        spread_values(r);
    if (r->is_compacted)
        spread_columns(r);
    /* Rows that were left out of the positions have no result by now. */
    bool is_done = !r->has_bad_rows || (r->is_compacted && !r->has_failed_rows);
    for (uint32_t row = 0; !is_done && row < r->n; row++) {
        if (r->state_of[row] == QD_ROW_RUN)
            continue;
        bool has_default = r->state_of[row] == QD_ROW_FAILED && r->b->on_error == QD_ON_ERROR_DEFAULT;
        if (r->out.values)
            r->out.values[row] = has_default ? default_value(r) : (qd_value){.type = QD_NULL};
        else if (r->out.f64)
            r->out.f64[row] = has_default ? r->b->default_result : 0;
        r->out.valid[row] = has_default && (r->out.values || r->out.f64 || r->b->default_result != 0);
    }
}
