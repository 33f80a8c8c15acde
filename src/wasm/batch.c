/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/batch.h"

#include <math.h>

/* Columns of a power-of-two length would meet in the same sets of the processor's first cache, row by row. */
#define COLUMN_SKEW 192u
#define ALIGNMENT   16u

static const struct {
    uint32_t type, width;
} types[] = {
    [QD_NULL] = {QD_BATCH_F64, 8},      [QD_BOOL] = {QD_BATCH_I32, 4}, [QD_I64] = {QD_BATCH_I64, 8},
    [QD_F64] = {QD_BATCH_F64, 8},       [QD_I32] = {QD_BATCH_I32, 4},  [QD_F32] = {QD_BATCH_F32, 4},
    [QD_STRING] = {QD_BATCH_STRING, 8},
};

static uint32_t place(uint32_t *at, uint32_t bytes)
{
    uint32_t offset = *at;
    *at += (bytes + COLUMN_SKEW + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
}

void qd_batch_lay_out(const qd_wasm_program_spec *spec, qd_batch_layout *out)
{
    *out = (qd_batch_layout){.n_params = spec->n_params, .has_results = !spec->has_state};
    uint32_t n_columns = spec->n_params + out->has_results;
    uint32_t at = n_columns * (uint32_t)sizeof(qd_batch_descriptor);
    for (uint32_t i = 0; i < n_columns; i++) {
        qd_type type = i < spec->n_params ? spec->params[i] : spec->returns_string ? QD_STRING : spec->result;
        qd_batch_column *c = &out->columns[i];
        c->type = types[type].type;
        c->width = types[type].width;
        c->values = place(&at, QD_BLOCK_DOCS * c->width);
        c->valid = place(&at, QD_BLOCK_DOCS);
    }
    out->bytes = at;
}

static int64_t as_i64(qd_value v)
{
    if (v.type == QD_BOOL)
        return v.as.b;
    if (v.type == QD_I64)
        return v.as.i;
    if (v.type != QD_F64 || isnan(v.as.f))
        return 0;
    if (v.as.f >= 0x1p63)
        return INT64_MAX;
    return v.as.f < -0x1p63 ? INT64_MIN : (int64_t)v.as.f;
}

void qd_wasm_store_number(void *to, qd_wasm_valtype type, qd_value v)
{
    int64_t i64 = as_i64(v);
    int32_t i32 = i64 > INT32_MAX ? INT32_MAX : i64 < INT32_MIN ? INT32_MIN : (int32_t)i64;
    double f64 = v.type == QD_F64 ? v.as.f : (double)i64;
    float f32 = (float)f64;
    const struct {
        const void *p;
        size_t n;
    } forms[] = {[QD_WASM_I32] = {&i32, sizeof i32},
                 [QD_WASM_I64] = {&i64, sizeof i64},
                 [QD_WASM_F32] = {&f32, sizeof f32},
                 [QD_WASM_F64] = {&f64, sizeof f64}};
    memcpy(to, forms[type].p, forms[type].n);
}

void qd_batch_fill(const qd_batch_column *c, uint8_t *block, qd_value v)
{
    if (c->type == QD_BATCH_STRING)
        return;
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++)
        qd_wasm_store_number(block + c->values + row * c->width, (qd_wasm_valtype)c->type, v);
}

void qd_batch_begin(const qd_batch_layout *l, uint8_t *block, uint32_t at, uint64_t varying, uint32_t first,
                    uint32_t end)
{
    for (uint32_t i = 0; i < l->n_params + l->has_results; i++) {
        const qd_batch_column *c = &l->columns[i];
        bool is_constant = i < l->n_params && !(varying >> i & 1);
        bool has_all = i < l->n_params && !memchr(block + c->valid + first, 0, end - first);
        const qd_batch_descriptor d = {.data = at + c->values + first * c->width,
                                       .valid = has_all ? 0 : at + c->valid + first,
                                       .type = c->type,
                                       .flags = is_constant ? QD_BATCH_CONSTANT : 0};
        memcpy(block + i * sizeof d, &d, sizeof d);
    }
    if (!l->has_results)
        return;
    const qd_batch_column *results = qd_batch_results(l);
    memset(block + results->values + first * results->width, 0, (end - first) * results->width);
    memset(block + results->valid + first, 1, end - first);
}
