/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments: from a document source's blocks and values to columns of the signature's types. */
#include <float.h>
#include <stdio.h>

#include "udf/param.h"
#include "udf/runner_impl.h"

size_t qd_wasm_valtype_bytes(qd_wasm_valtype t)
{
    return t == QD_WASM_I32 || t == QD_WASM_F32 ? 4 : 8;
}

static void put(void *column, qd_wasm_valtype type, uint32_t row, qd_value v)
{
    if (type == QD_WASM_F64)
        ((double *)column)[row] = v.as.f;
    else if (type == QD_WASM_F32)
        ((float *)column)[row] = (float)v.as.f;
    else if (type == QD_WASM_I64)
        ((int64_t *)column)[row] = v.as.i;
    else
        ((int32_t *)column)[row] = v.type == QD_BOOL ? v.as.b : (int32_t)v.as.i;
}

/* A value of the declared type. */
static void put_value(qd_runner *r, size_t arg, void *column, uint32_t row, qd_value v)
{
    if (r->args[arg].texts)
        r->args[arg].texts[row] = v.as.s;
    else
        put(column, r->args[arg].type, row, v);
}

/* Batch shape: the row has no value. */
static void put_nothing(qd_runner *r, size_t arg, void *column, uint32_t row)
{
    qd_instance_column_valid(r->instance, r->args[arg].place)[row] = 0;
    if (r->args[arg].texts)
        r->args[arg].texts[row] = (qd_str){"", 0};
    else
        memset((uint8_t *)column + row * qd_wasm_valtype_bytes(r->args[arg].type), 0,
               qd_wasm_valtype_bytes(r->args[arg].type));
}

static const char *describe(qd_value v, char *out, size_t size)
{
    char number[QD_NUMBER_TEXT_SIZE];
    if (v.type == QD_STRING)
        snprintf(out, size, "the string \"%.*s\"", (int)(v.as.s.n > 60 ? 60 : v.as.s.n), v.as.s.p);
    else if (v.type == QD_BOOL)
        snprintf(out, size, "%s", v.as.b ? "true" : "false");
    else if (v.type == QD_I64)
        snprintf(out, size, "the number %lld", (long long)v.as.i);
    else
        snprintf(out, size, "the number %s", qd_number_text(v.as.f, number));
    return out;
}

static qd_status fail_wrong_type(qd_runner *r, const qd_arg *a, uint32_t row, qd_value v, qd_error *err)
{
    char got[128];
    qd_error why = QD_ERROR_INIT;
    qd_fail(&why, QD_EUDF_PARAMS, "parameter '%.*s': expected %s, got %s", QD_STR_FMT(a->param->name),
            qd_param_expected(a->param->type), describe(v, got, sizeof got));
    return qd_runner_fail_row(r, row, &why, err);
}

/* ---- one value ---- */

static bool ref_value(qd_runner *r, const qd_ref *ref, int slot, uint32_t row, qd_value *out)
{
    switch (ref->kind) {
    case QD_REF_CONSTANT:
        *out = ref->constant;
        return true;
    case QD_REF_SCORE:
        *out = (qd_value){.type = QD_F64, .as.f = r->scores ? (double)r->scores[row] : 0};
        return true;
    case QD_REF_ID:
        out->type = QD_STRING;
        return r->docs->id(r->docs->arg, row, &out->as.s);
    case QD_REF_FIELD:
        return r->docs->value(r->docs->arg, slot, row, out) && out->type != QD_NULL;
    default:
        return false;
    }
}

bool qd_runner_value(qd_runner *r, size_t arg, uint32_t row, qd_value *out)
{
    const qd_arg *a = &r->b->args[arg];
    if (a->value.kind == QD_REF_CONSTANT) {
        *out = a->value.constant;
        return true;
    }
    if (!ref_value(r, &a->value, r->args[arg].slot, row, out) &&
        !ref_value(r, &a->fallback, r->args[arg].fallback_slot, row, out))
        return false;
    (void)qd_param_convert(a->param->type, *out, out); /* what does not convert is the guest's "wrong type" */
    return true;
}

/* No value from where it should come: the fallback, else the row has no result, or fails. */
static qd_status fill_lacking(qd_runner *r, size_t arg, uint32_t row, void *column, qd_error *err)
{
    const qd_arg *a = &r->b->args[arg];
    qd_value v;
    if (ref_value(r, &a->fallback, r->args[arg].fallback_slot, row, &v)) {
        if (!qd_param_convert(a->param->type, v, &v))
            return fail_wrong_type(r, a, row, v, err);
        put_value(r, arg, column, row, v);
        return QD_OK;
    }
    if (a->param->required) {
        qd_error why = QD_ERROR_INIT;
        qd_fail(&why, QD_EUDF_PARAMS, "parameter '%.*s' is required, and the document has no value for it",
                QD_STR_FMT(a->param->name));
        return qd_runner_fail_row(r, row, &why, err);
    }
    if (r->abi == QD_ABI_BATCH) {
        put_nothing(r, arg, column, row);
        return QD_OK;
    }
    if (r->state_of[row] == QD_ROW_RUN)
        r->state_of[row] = QD_ROW_MISSING;
    r->has_bad_rows = true;
    return QD_OK;
}

/* ---- whole columns ---- */

/* Tight loops over distinct arrays, without branches: the compiler makes vector code of them. */

static void widen_floats(double *restrict to, const float *restrict from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

/* False when some value needs more than 32 bits. */
static bool narrow_integers(int32_t *restrict to, const int64_t *restrict from, uint32_t n)
{
    int64_t lost = 0;
    for (uint32_t i = 0; i < n; i++) {
        to[i] = (int32_t)from[i];
        lost |= from[i] ^ to[i];
    }
    return lost == 0;
}

/* These bits where there is no value. */
static void fill_wide(void *column, const uint8_t *restrict valid, uint32_t n, uint64_t bits)
{
    uint64_t *restrict to = column;
    for (uint32_t i = 0; i < n; i++)
        to[i] = valid[i] ? to[i] : bits;
}

static void fill_narrow(void *column, const uint8_t *restrict valid, uint32_t n, uint64_t bits)
{
    uint32_t *restrict to = column, half;
    memcpy(&half, &bits, sizeof half);
    for (uint32_t i = 0; i < n; i++)
        to[i] = valid[i] ? to[i] : half;
}

/* Rows that were to run and have no value are missing; QD_ROW_MISSING is 1. */
static void mark_missing(uint8_t *restrict state, const uint8_t *restrict valid, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        state[i] = (uint8_t)(state[i] | ((valid[i] ^ 1) & (state[i] == QD_ROW_RUN)));
}

/* Value by value: the score as an integer, fields without a block, and values of another type than declared. */
static qd_status fill_by_value(qd_runner *r, size_t arg, void *column, qd_error *err)
{
    const qd_arg *a = &r->b->args[arg];
    qd_status st = QD_OK;
    for (uint32_t row = 0; row < r->n && st == QD_OK; row++) {
        qd_value v;
        if (!ref_value(r, &a->value, r->args[arg].slot, row, &v))
            st = fill_lacking(r, arg, row, column, err);
        else if (!qd_param_convert(a->param->type, v, &v))
            st = fail_wrong_type(r, a, row, v, err);
        else
            put_value(r, arg, column, row, v);
    }
    return st;
}

static qd_status fill_score(qd_runner *r, size_t arg, void *column, qd_error *err)
{
    qd_wasm_valtype type = r->args[arg].type;
    if (!r->scores || (type != QD_WASM_F64 && type != QD_WASM_F32))
        return fill_by_value(r, arg, column, err);
    if (type == QD_WASM_F32)
        memcpy(column, r->scores, r->n * sizeof(float));
    else
        widen_floats(column, r->scores, r->n);
    return QD_OK;
}

/* A column's values are all of one type: the first one that is there tells. False: no row has a value. */
static bool observe(qd_runner *r, const qd_runner_arg *arg, qd_type *seen)
{
    qd_value v;
    for (uint32_t row = 0; row < r->n; row++) {
        if (r->docs->value(r->docs->arg, arg->slot, row, &v) && v.type != QD_NULL) {
            *seen = v.type;
            return true;
        }
    }
    return false;
}

/* Doubles become floats or integers where they fit (NaN does nowhere); those that do not are left to fill_by_value's
 * error. What a loop writes for them nobody reads. */

static bool narrow_doubles(float *restrict to, const double *restrict from, uint32_t n)
{
    uint32_t misfits = 0;
    for (uint32_t i = 0; i < n; i++) {
        to[i] = (float)from[i];
        misfits |= !(from[i] >= -(double)FLT_MAX && from[i] <= (double)FLT_MAX);
    }
    return misfits == 0;
}

static bool truncate_to_i32(int32_t *restrict to, const double *restrict from, uint32_t n)
{
    uint32_t misfits = 0;
    for (uint32_t i = 0; i < n; i++)
        misfits |= !(from[i] > -0x1p31 - 1 && from[i] < 0x1p31);
    for (uint32_t i = 0; !misfits && i < n; i++)
        to[i] = (int32_t)from[i];
    return misfits == 0;
}

static bool truncate_to_i64(int64_t *restrict to, const double *restrict from, uint32_t n)
{
    uint32_t misfits = 0;
    for (uint32_t i = 0; i < n; i++)
        misfits |= !(from[i] > -0x1p63 - 1025 && from[i] < 0x1p63);
    for (uint32_t i = 0; !misfits && i < n; i++)
        to[i] = (int64_t)from[i];
    return misfits == 0;
}

static bool convert_f64(const qd_runner *r, qd_wasm_valtype type, void *column)
{
    const double *from = r->scratch.f64;
    return type == QD_WASM_F32   ? narrow_doubles(column, from, r->n)
           : type == QD_WASM_I64 ? truncate_to_i64(column, from, r->n)
                                 : truncate_to_i32(column, from, r->n);
}

/* The whole block at once, into `column`, with r->valid. False: it cannot be had so, or something does not fit. */
static bool fetch_block(qd_runner *r, size_t arg, void *column, bool *all_valid)
{
    const qd_doc_source *docs = r->docs;
    qd_runner_arg *ra = &r->args[arg];
    qd_wasm_valtype type = r->args[arg].type;
    bool wants_bool = r->b->args[arg].param->type == QD_BOOL;
    bool has_block, fits = true, as_f64 = type == QD_WASM_F64 || type == QD_WASM_F32 || ra->seen == QD_F64;
    if (ra->has_no_block || ra->seen == QD_STRING || wants_bool != (ra->seen == QD_BOOL))
        return false;
    *all_valid = false;
    if (as_f64) {
        has_block =
            docs->block_f64(docs->arg, ra->slot, type == QD_WASM_F64 ? column : r->scratch.f64, r->valid, all_valid);
        fits = !has_block || type == QD_WASM_F64 || convert_f64(r, type, column);
    } else {
        has_block =
            docs->block_i64(docs->arg, ra->slot, type == QD_WASM_I64 ? column : r->scratch.i64, r->valid, all_valid);
        fits = !has_block || type == QD_WASM_I64 || narrow_integers(column, r->scratch.i64, r->n);
    }
    ra->has_no_block = !has_block;
    return has_block && fits;
}

/* Batch shape: validity is the function's, and values that are not there are 0. */
static void copy_gaps(void *column, uint8_t *to, qd_wasm_valtype type, const uint8_t *valid, uint32_t n)
{
    (qd_wasm_valtype_bytes(type) == sizeof(uint64_t) ? fill_wide : fill_narrow)(column, valid, n, 0);
    for (uint32_t row = 0; row < n; row++)
        to[row] = valid[row] != 0;
}

/* Many documents may lack a value: the two ways that need no look at the single one are loops without branches. */
static qd_status fill_gaps(qd_runner *r, size_t arg, void *column, qd_error *err)
{
    const qd_arg *a = &r->b->args[arg];
    qd_value v = a->fallback.constant;
    qd_status st = QD_OK;
    if (a->fallback.kind == QD_REF_CONSTANT && qd_param_convert(a->param->type, v, &v)) {
        qd_wasm_valtype type = r->args[arg].type;
        uint64_t bits = 0;
        put(&bits, type, 0, v);
        (qd_wasm_valtype_bytes(type) == sizeof bits ? fill_wide : fill_narrow)(column, r->valid, r->n, bits);
        return QD_OK;
    }
    if (a->fallback.kind == QD_REF_NONE && !a->param->required) {
        if (r->abi == QD_ABI_BATCH) {
            copy_gaps(column, qd_instance_column_valid(r->instance, r->args[arg].place), r->args[arg].type, r->valid,
                      r->n);
            return QD_OK;
        }
        mark_missing(r->state_of, r->valid, r->n);
        r->has_bad_rows = true;
        return QD_OK;
    }
    for (uint32_t row = 0; row < r->n && st == QD_OK; row++)
        if (!r->valid[row])
            st = fill_lacking(r, arg, row, column, err);
    return st;
}

static qd_status fill_field(qd_runner *r, size_t arg, void *column, qd_error *err)
{
    qd_runner_arg *ra = &r->args[arg];
    bool all_valid = false;
    if (ra->seen == QD_NULL && !ra->has_no_block && !observe(r, ra, &ra->seen))
        memset(r->valid, 0, r->n);
    else if (!fetch_block(r, arg, column, &all_valid))
        return fill_by_value(r, arg, column, err);
    return all_valid ? QD_OK : fill_gaps(r, arg, column, err);
}

static void compact_column(const qd_runner *r, void *column, size_t bytes)
{
    uint64_t *wide = column;
    uint32_t *narrow = column;
    for (uint32_t p = 0; p < r->n_positions; p++) {
        if (bytes == 8)
            wide[p] = wide[r->rows[p]];
        else
            narrow[p] = narrow[r->rows[p]];
    }
}

static void compact_arg(qd_runner *r, size_t arg)
{
    qd_runner_arg *a = &r->args[arg];
    uint8_t *valid = r->abi == QD_ABI_BATCH ? qd_instance_column_valid(r->instance, a->place) : NULL;
    for (uint32_t p = 0; valid && p < r->n_positions; p++)
        valid[p] = valid[r->rows[p]];
    for (uint32_t p = 0; a->texts && p < r->n_positions; p++)
        a->texts[p] = a->texts[r->rows[p]];
    if (!a->texts)
        compact_column(r, qd_instance_column(r->instance, a->place), qd_wasm_valtype_bytes(a->type));
}

/* Takes bad rows out: positions are those that are left. */
static void compact(qd_runner *r)
{
    r->is_compacted = true;
    r->n_positions = 0;
    for (uint32_t row = 0; row < r->n; row++) {
        r->rows[r->n_positions] = row;
        r->n_positions += r->state_of[row] == QD_ROW_RUN;
    }
    for (size_t i = 0; i < r->b->n_args; i++)
        if (qd_runner_varies(r, i))
            compact_arg(r, i);
}

static qd_status fill_arg(qd_runner *r, size_t arg, qd_error *err)
{
    const qd_runner_arg *a = &r->args[arg];
    qd_ref_kind kind = r->b->args[arg].value.kind;
    void *column = qd_instance_column(r->instance, a->place);
    if (r->abi == QD_ABI_BATCH)
        memset(qd_instance_column_valid(r->instance, a->place), 1, r->n);
    if (kind == QD_REF_SCORE)
        return fill_score(r, arg, column, err);
    return kind == QD_REF_FIELD && !a->texts ? fill_field(r, arg, column, err) : fill_by_value(r, arg, column, err);
}

qd_status qd_runner_fill(qd_runner *r, qd_error *err)
{
    qd_status st = QD_OK;
    for (size_t i = 0; i < r->b->n_args && st == QD_OK; i++)
        if (qd_runner_varies(r, i))
            st = fill_arg(r, i, err);
    if (st == QD_OK && r->has_bad_rows)
        compact(r);
    return st;
}

qd_status qd_runner_check_required(qd_runner *r, qd_error *err)
{
    qd_status st = QD_OK;
    for (size_t i = 0; i < r->b->n_args && st == QD_OK; i++) {
        const qd_arg *a = &r->b->args[i];
        if (!a->param->required || !qd_arg_may_lack(a))
            continue;
        for (uint32_t row = 0; row < r->n && st == QD_OK; row++) {
            qd_value v;
            qd_error why = QD_ERROR_INIT;
            if (r->state_of[row] != QD_ROW_RUN || qd_runner_value(r, i, row, &v))
                continue;
            qd_fail(&why, QD_EUDF_PARAMS, "parameter '%.*s' is required, and the document has no value for it",
                    QD_STR_FMT(a->param->name));
            st = qd_runner_fail_row(r, row, &why, err);
        }
    }
    return st;
}
