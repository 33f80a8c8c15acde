/* SPDX-License-Identifier: Apache-2.0
 *
 * Host functions that read the document and its score. Numbers and booleans that have a column are fetched for the
 * whole block at the first read; anything else is asked for row by row. */
#include <stdlib.h>

#include "wasm/host.h"
#include "wasm/instance.h"

#define MAX_NAME_BYTES 1024

/* ---- from a name in guest memory to a slot ---------------------------------------------------------------------- */

/* >= 0: a slot; NAME_BAD: not in memory, or too long; else as a doc_source's resolve. */
enum { NAME_BAD = -3 };

/* Two loads that overlap: names are short, and this is most of what a read costs. */
static inline bool is_same(const char *a, const char *b, uint32_t n)
{
    uint64_t a8, b8, a8_end, b8_end;
    uint32_t a4, b4, a4_end, b4_end;
    if (n < 4 || n > 16)
        return memcmp(a, b, n) == 0;
    if (n < 8) {
        memcpy(&a4, a, 4);
        memcpy(&b4, b, 4);
        memcpy(&a4_end, a + n - 4, 4);
        memcpy(&b4_end, b + n - 4, 4);
        return a4 == b4 && a4_end == b4_end;
    }
    memcpy(&a8, a, 8);
    memcpy(&b8, b, 8);
    memcpy(&a8_end, a + n - 8, 8);
    memcpy(&b8_end, b + n - 8, 8);
    return a8 == b8 && a8_end == b8_end;
}

static inline qd_cached_name *cache_place(qd_instance *i, uint32_t at, uint32_t n)
{
    return &i->host->names[(at ^ at >> 6 ^ n * 31u) & (QD_NAME_CACHE_SLOTS - 1)];
}

static int resolve(qd_instance *i, uint32_t at, uint32_t n)
{
    if (n > MAX_NAME_BYTES)
        return NAME_BAD;
    const char *name = (const char *)qd_instance_memory(i, at, n);
    if (!name)
        return NAME_BAD;
    qd_cached_name *cached = cache_place(i, at, n);
    if (cached->at == at && cached->n == n && n > 0 && is_same(cached->bytes, name, n))
        return cached->slot;
    int slot = i->call->docs->resolve(i->call->docs->arg, (qd_str){name, n});
    if (slot >= 0 && n > 0 && n <= QD_NAME_CACHE_BYTES) {
        cached->at = at;
        cached->n = n;
        cached->slot = slot;
        memcpy(cached->bytes, name, n);
    }
    return slot;
}

/* ---- from a slot to a value ------------------------------------------------------------------------------------- */

static bool fetch_column(qd_instance *i, int slot, qd_field_column *c)
{
    const qd_doc_source *docs = i->call->docs;
    if (!c->valid) {
        c->values.f64 = malloc(QD_BLOCK_DOCS * (sizeof(double) + 1));
        if (!c->values.f64)
            return false;
        c->valid = (uint8_t *)(c->values.f64 + QD_BLOCK_DOCS);
    }
    c->is_all_valid = false;
    bool has_column = c->type == QD_F64 ? docs->block_f64(docs->arg, slot, c->values.f64, c->valid, &c->is_all_valid)
                                        : docs->block_i64(docs->arg, slot, c->values.i64, c->valid, &c->is_all_valid);
    c->run = has_column ? i->runs : 0;
    c->has_no_column = !has_column;
    return has_column;
}

static bool value_from_column(const qd_field_column *c, uint32_t row, qd_value *out)
{
    if (!c->is_all_valid && !c->valid[row])
        return false;
    out->type = c->type;
    if (c->type == QD_F64)
        out->as.f = c->values.f64[row];
    else if (c->type == QD_I64)
        out->as.i = c->values.i64[row];
    else
        out->as.b = c->values.i64[row] != 0;
    return true;
}

/* False: missing. The first value that a field shows tells its type: a column's values are all of one type. */
static bool read_value(qd_instance *i, int slot, qd_value *out)
{
    const qd_doc_source *docs = i->call->docs;
    uint32_t row = qd_instance_row(i);
    qd_field_column *c = slot < QD_FIELD_COLUMNS ? &i->host->columns[slot] : NULL;
    if (c && c->run == i->runs)
        return value_from_column(c, row, out);
    bool can_have_column = c && !c->has_no_column;
    if (can_have_column && c->type != QD_NULL && fetch_column(i, slot, c))
        return value_from_column(c, row, out);
    if (!docs->value(docs->arg, slot, row, out) || out->type == QD_NULL)
        return false;
    if (can_have_column) {
        c->type = out->type;
        c->has_no_column = out->type != QD_F64 && out->type != QD_I64 && out->type != QD_BOOL;
    }
    return true;
}

/* NULL: there is a slot, or no name. */
static wasm_trap_t *stop_without_slot(qd_instance *i, int slot)
{
    if (slot == QD_SLOT_NO_MEMORY)
        return qd_host_stop_nomem(i);
    return slot == QD_SLOT_TOO_MANY ? qd_host_stop(i, "the function asks for too many different fields") : NULL;
}

/* What all the readers begin with: the value of the field named (v[1], v[2]) of document v[0]. QD_HOST_OK, or the
 * answer to give; *trap is set when the run is to end. */
static int32_t read_field(qd_instance *i, const wasmtime_val_raw_t *v, qd_value *out, wasm_trap_t **trap)
{
    *trap = NULL;
    if (!i->call->docs || !qd_instance_is_current(i, (uint64_t)v[0].i64))
        return QD_HOST_BAD_BUFFER;
    int slot = resolve(i, (uint32_t)v[1].i32, (uint32_t)v[2].i32);
    if (slot < 0) {
        *trap = stop_without_slot(i, slot);
        return QD_HOST_BAD_BUFFER;
    }
    return read_value(i, slot, out) ? QD_HOST_OK : QD_HOST_MISSING;
}

/* The fast way: the column of the field named (v[1], v[2]) when all is well and it has been fetched for this block.
 * NULL: go the slow way, which answers everything. */
static inline const qd_field_column *fetched_column(qd_instance *i, const wasmtime_val_raw_t *v)
{
    uint32_t at = (uint32_t)v[1].i32, n = (uint32_t)v[2].i32;
    const qd_cached_name *cached = cache_place(i, at, n);
    if (cached->at != at || cached->n != n || n == 0 || (uint64_t)at + n > i->memory_bytes ||
        !is_same(cached->bytes, (const char *)i->memory_data + at, n) || cached->slot >= QD_FIELD_COLUMNS)
        return NULL;
    const qd_field_column *c = &i->host->columns[cached->slot];
    return c->run == i->runs && qd_instance_is_current(i, (uint64_t)v[0].i64) ? c : NULL;
}

/* The current row's value to where v[3] says; `value`: as 8 bytes. */
static inline int32_t answer_from_column(qd_instance *i, const qd_field_column *c, const wasmtime_val_raw_t *v,
                                         const void *value)
{
    if (!c->is_all_valid && !c->valid[qd_instance_row(i)])
        return QD_HOST_MISSING;
    uint8_t *out = qd_instance_memory(i, (uint32_t)v[3].i32, 8);
    if (!out)
        return QD_HOST_BAD_BUFFER;
    memcpy(out, value, 8);
    return QD_HOST_OK;
}

/* ---- the functions ---------------------------------------------------------------------------------------------- */

static wasm_trap_t *has_field(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    wasm_trap_t *trap;
    v[0].i32 = read_field(i, v, &value, &trap) == QD_HOST_OK;
    return trap;
}

static wasm_trap_t *get_field_count(qd_instance *i, wasmtime_val_raw_t *v)
{
    bool is_current = i->call->docs && qd_instance_is_current(i, (uint64_t)v[0].i64);
    int slot = is_current ? resolve(i, (uint32_t)v[1].i32, (uint32_t)v[2].i32) : NAME_BAD;
    v[0].i32 = slot >= 0 ? (int32_t)qd_host_count_values(i, slot) : 0;
    return stop_without_slot(i, slot);
}

static wasm_trap_t *get_field_i64_slowly(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    wasm_trap_t *trap;
    int32_t rc = read_field(i, v, &value, &trap);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_i64(i, (uint32_t)v[3].i32, value);
    v[0].i32 = rc;
    return trap;
}

static wasm_trap_t *get_field_i64(qd_instance *i, wasmtime_val_raw_t *v)
{
    const qd_field_column *c = fetched_column(i, v);
    if (!c || c->type != QD_I64)
        return get_field_i64_slowly(i, v);
    v[0].i32 = answer_from_column(i, c, v, &c->values.i64[qd_instance_row(i)]);
    return NULL;
}

static wasm_trap_t *get_field_f64_slowly(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    wasm_trap_t *trap;
    int32_t rc = read_field(i, v, &value, &trap);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_f64(i, (uint32_t)v[3].i32, value);
    v[0].i32 = rc;
    return trap;
}

static wasm_trap_t *get_field_f64(qd_instance *i, wasmtime_val_raw_t *v)
{
    const qd_field_column *c = fetched_column(i, v);
    if (!c || (c->type != QD_F64 && c->type != QD_I64))
        return get_field_f64_slowly(i, v);
    uint32_t row = qd_instance_row(i);
    double value = c->type == QD_F64 ? c->values.f64[row] : (double)c->values.i64[row];
    v[0].i32 = answer_from_column(i, c, v, &value);
    return NULL;
}

static wasm_trap_t *get_field_bool(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    wasm_trap_t *trap;
    int32_t rc = read_field(i, v, &value, &trap);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_bool(i, (uint32_t)v[3].i32, value);
    v[0].i32 = rc;
    return trap;
}

static wasm_trap_t *get_field_string(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    wasm_trap_t *trap;
    int32_t rc = read_field(i, v, &value, &trap);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_text(i, (uint32_t)v[3].i32, (uint32_t)v[4].i32, value);
    v[0].i32 = rc;
    return trap;
}

static wasm_trap_t *get_document_id(qd_instance *i, wasmtime_val_raw_t *v)
{
    const qd_doc_source *docs = i->call->docs;
    qd_str id;
    if (!docs || !qd_instance_is_current(i, (uint64_t)v[0].i64))
        v[0].i32 = QD_HOST_BAD_BUFFER;
    else if (!docs->id(docs->arg, qd_instance_row(i), &id))
        v[0].i32 = QD_HOST_MISSING;
    else
        v[0].i32 = qd_host_write_string(i, (uint32_t)v[1].i32, (uint32_t)v[2].i32, id);
    return NULL;
}

static wasm_trap_t *get_score(qd_instance *i, wasmtime_val_raw_t *v)
{
    if (!qd_instance_is_current(i, (uint64_t)v[0].i64))
        v[0].f64 = __builtin_nan("");
    else
        v[0].f64 = i->call->scores ? (double)i->call->scores[qd_instance_row(i)] : 0;
    return NULL;
}

#define DOC QD_PERM_READ_DOCUMENT
const qd_host_function qd_host_fields[] = {
    {"env", "has_field", "Iii:i", DOC, has_field, "1 when the document has a value for the field, else 0"},
    {"env", "get_field_count", "Iii:i", DOC, get_field_count, "how many values the document has for the field"},
    {"env", "get_field_string", "Iiiii:i", DOC, get_field_string,
     "copies a string; *len is the capacity before and the length after"},
    {"env", "get_field_i64", "Iiii:i", DOC, get_field_i64, "a number as i64; a fraction is cut"},
    {"env", "get_field_int64", "Iiii:i", DOC, get_field_i64, "the same as get_field_i64"},
    {"env", "get_field_f64", "Iiii:i", DOC, get_field_f64, "a number as f64"},
    {"env", "get_field_float64", "Iiii:i", DOC, get_field_f64, "the same as get_field_f64"},
    {"env", "get_field_bool", "Iiii:i", DOC, get_field_bool, "a boolean as an i32, 0 or 1"},
    {"env", "get_document_id", "Iii:i", DOC, get_document_id,
     "copies the document's _id; *len is the capacity before and the length after"},
    {"env", "get_score", "I:F", QD_PERM_READ_SCORE, get_score,
     "the score before this function; NaN for a stale context"},
    {0},
};
