/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields by handle: a name is looked up once, and the numbers of a whole block are laid down where the columns module
 * (columns.h) reads them for the guest. What is no number is asked for by handle. */
#include "wasm/columns.h"
#include "wasm/host.h"
#include "wasm/instance.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

#define MAX_NAME_BYTES 1024

static uint8_t *valid_of(const qd_instance *i, uint32_t handle)
{
    return i->cols + QD_COLS_VALID + handle * QD_COLS_VALID_STRIDE;
}

static void *values_of(const qd_instance *i, uint32_t handle, qd_wasm_valtype type)
{
    return i->cols + (type == QD_WASM_F64 ? QD_COLS_F64 : QD_COLS_I64) + handle * QD_COLS_VALUES_STRIDE;
}

/* ---- laying down ------------------------------------------------------------------------------------------------ */

/* In each form that the guest can ask for. */
static void lay_value(qd_instance *i, uint32_t handle, uint32_t row, qd_value v)
{
    const qd_wasm_module *m = i->program->module;
    if (m->reads_f64)
        qd_wasm_store_number((double *)values_of(i, handle, QD_WASM_F64) + row, QD_WASM_F64, v);
    if (m->reads_i64)
        qd_wasm_store_number((int64_t *)values_of(i, handle, QD_WASM_I64) + row, QD_WASM_I64, v);
    valid_of(i, handle)[row] = v.type == QD_F64 || v.type == QD_I64 || v.type == QD_BOOL;
}

/* Row by row: fields without a column. */
static void lay_by_value(qd_instance *i, uint32_t handle, uint32_t first, uint32_t end)
{
    const qd_doc_source *docs = i->call->docs;
    for (uint32_t row = first; row < end; row++) {
        qd_value v = {.type = QD_NULL};
        if (!docs->value(docs->arg, i->host->handles[handle].slot, row, &v))
            v.type = QD_NULL;
        lay_value(i, handle, row, v);
    }
}

/* The type of the first value that is there; QD_NULL: none. A column's values are all of one type. */
static qd_type observe(const qd_instance *i, int slot, uint32_t first, uint32_t end)
{
    const qd_doc_source *docs = i->call->docs;
    qd_value v;
    for (uint32_t row = first; row < end; row++)
        if (docs->value(docs->arg, slot, row, &v) && v.type != QD_NULL)
            return v.type;
    return QD_NULL;
}

/* From the column's own form to the other one. */
static void convert(qd_instance *i, uint32_t handle, bool is_float, uint32_t first, uint32_t end)
{
    double *floats = values_of(i, handle, QD_WASM_F64);
    int64_t *integers = values_of(i, handle, QD_WASM_I64);
    for (uint32_t row = first; row < end && !is_float; row++)
        floats[row] = (double)integers[row];
    for (uint32_t row = first; row < end && is_float; row++)
        qd_wasm_store_number(&integers[row], QD_WASM_I64, (qd_value){.type = QD_F64, .as.f = floats[row]});
}

static bool lay_column(qd_instance *i, uint32_t handle, uint32_t first, uint32_t end)
{
    const qd_doc_source *docs = i->call->docs;
    const qd_wasm_module *m = i->program->module;
    const qd_handle *h = &i->host->handles[handle];
    uint8_t *valid = valid_of(i, handle);
    bool is_all_valid = false, is_float = h->type == QD_F64;
    void *values = values_of(i, handle, is_float ? QD_WASM_F64 : QD_WASM_I64);
    bool has_column = is_float ? docs->block_f64(docs->arg, h->slot, values, valid, &is_all_valid)
                               : docs->block_i64(docs->arg, h->slot, values, valid, &is_all_valid);
    if (has_column && is_all_valid && m->reads_valid)
        memset(valid, 1, QD_BLOCK_DOCS);
    if (has_column && (is_float ? m->reads_i64 : m->reads_f64))
        convert(i, handle, is_float, first, end);
    return has_column;
}

/* A field without a value so far has no type, and zeros where it will lie. */
static void lay_handle(qd_instance *i, uint32_t handle, uint32_t first, uint32_t end)
{
    qd_handle *h = &i->host->handles[handle];
    if (!h->has_no_column && h->type == QD_NULL)
        h->type = observe(i, h->slot, first, end);
    if (!h->has_no_column && (h->type == QD_NULL || (h->type != QD_STRING && lay_column(i, handle, first, end))))
        return;
    h->has_no_column = true;
    lay_by_value(i, handle, first, end);
}

static void lay_scores(qd_instance *i, uint32_t first, uint32_t end)
{
    float *to = (float *)(void *)(i->cols + QD_COLS_SCORES);
    if (i->call->scores)
        memcpy(to + first, i->call->scores + first, (end - first) * sizeof *to);
    else
        memset(to + first, 0, (end - first) * sizeof *to);
}

void qd_host_lay_columns(qd_instance *i, uint32_t first, uint32_t end)
{
    const qd_wasm_module *m = i->program->module;
    for (uint32_t h = 0; m->reads_by_handle && i->call->docs && h < i->host->n_handles; h++)
        lay_handle(i, h, first, end);
    if (m->reads_scores)
        lay_scores(i, first, end);
}

/* ---- handles ---------------------------------------------------------------------------------------------------- */

/* One field has one handle, however often it is asked for. */
static int32_t handle_of(qd_instance *i, int slot)
{
    qd_host_state *host = i->host;
    for (uint32_t h = 0; h < host->n_handles; h++)
        if (host->handles[h].slot == slot)
            return (int32_t)h;
    if (host->n_handles == QD_MAX_HANDLES)
        return -1;
    uint32_t handle = host->n_handles++;
    host->handles[handle] = (qd_handle){.slot = slot};
    if (i->is_at_document && i->program->module->reads_by_handle)
        lay_handle(i, handle, qd_instance_row(i), i->run_end);
    return (int32_t)handle;
}

static wasm_trap_t *field_handle(qd_instance *i, wasmtime_val_raw_t *v)
{
    const qd_doc_source *docs = i->call->docs;
    uint32_t n = (uint32_t)v[1].i32;
    const char *name = n <= MAX_NAME_BYTES ? (const char *)qd_instance_memory(i, (uint32_t)v[0].i32, n) : NULL;
    int slot = name && docs ? docs->resolve(docs->arg, (qd_str){name, n}) : -1;
    if (slot == QD_SLOT_NO_MEMORY)
        return qd_host_stop_nomem(i);
    v[0].i32 = slot >= 0 ? handle_of(i, slot) : -1;
    return qd_instance_is_over(i) ? wasmtime_trap_new("stopped", 7) : NULL;
}

/* The slot of a handle, when it is one and there is a document to read it from. */
static bool find_slot(const qd_instance *i, int32_t handle, int *slot)
{
    if (!i->is_at_document || handle < 0 || (uint32_t)handle >= i->host->n_handles)
        return false;
    *slot = i->host->handles[handle].slot;
    return true;
}

static int32_t read_handle(qd_instance *i, int32_t handle, qd_value *out)
{
    const qd_doc_source *docs = i->call->docs;
    int slot;
    if (!find_slot(i, handle, &slot))
        return QD_HOST_BAD_BUFFER;
    bool is_there = docs->value(docs->arg, slot, qd_instance_row(i), out) && out->type != QD_NULL;
    return is_there ? QD_HOST_OK : QD_HOST_MISSING;
}

static wasm_trap_t *field_string(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_handle(i, v[0].i32, &value);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_text(i, (uint32_t)v[1].i32, (uint32_t)v[2].i32, value);
    v[0].i32 = rc;
    return NULL;
}

/* ---- several values --------------------------------------------------------------------------------------------- */

uint32_t qd_host_count_values(const qd_instance *i, int slot)
{
    const qd_doc_source *docs = i->call->docs;
    qd_value v;
    if (docs->count)
        return docs->count(docs->arg, slot, qd_instance_row(i));
    return docs->value(docs->arg, slot, qd_instance_row(i), &v) && v.type != QD_NULL;
}

static wasm_trap_t *field_count(qd_instance *i, wasmtime_val_raw_t *v)
{
    int slot;
    v[0].i32 = find_slot(i, v[0].i32, &slot) ? (int32_t)qd_host_count_values(i, slot) : 0;
    return NULL;
}

/* The value number v[1] of handle v[0]. */
static int32_t read_value_at(qd_instance *i, const wasmtime_val_raw_t *v, qd_value *out)
{
    const qd_doc_source *docs = i->call->docs;
    uint32_t at = (uint32_t)v[1].i32;
    int slot;
    if (at == 0 || !docs || !docs->value_at) {
        int32_t rc = read_handle(i, v[0].i32, out);
        return rc == QD_HOST_OK && at > 0 ? QD_HOST_MISSING : rc;
    }
    if (!find_slot(i, v[0].i32, &slot))
        return QD_HOST_BAD_BUFFER;
    return docs->value_at(docs->arg, slot, qd_instance_row(i), at, out) ? QD_HOST_OK : QD_HOST_MISSING;
}

static wasm_trap_t *field_f64_at(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_value_at(i, v, &value);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_f64(i, (uint32_t)v[2].i32, value);
    v[0].i32 = rc;
    return NULL;
}

static wasm_trap_t *field_i64_at(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_value_at(i, v, &value);
    if (rc == QD_HOST_OK && value.type == QD_BOOL)
        value = (qd_value){.type = QD_I64, .as.i = value.as.b};
    if (rc == QD_HOST_OK)
        rc = qd_host_write_i64(i, (uint32_t)v[2].i32, value);
    v[0].i32 = rc;
    return NULL;
}

static wasm_trap_t *field_string_at(qd_instance *i, wasmtime_val_raw_t *v)
{
    qd_value value;
    int32_t rc = read_value_at(i, v, &value);
    if (rc == QD_HOST_OK)
        rc = qd_host_write_text(i, (uint32_t)v[2].i32, (uint32_t)v[3].i32, value);
    v[0].i32 = rc;
    return NULL;
}

#define DOC QD_PERM_READ_DOCUMENT
const qd_host_function qd_host_handles[] = {
    {"env", "field_handle", "ii:i", DOC, field_handle,
     "a handle for a field, the same for the same field; -1: more than 64, or a bad address"},
    {"env", "field_f64", "i:F", DOC, NULL, "a number, boolean or date by handle; 0 where there is none"},
    {"env", "field_i64", "i:I", DOC, NULL, "the same as i64; a fraction is cut, what does not fit is the nearest"},
    {"env", "field_valid", "i:i", DOC, NULL, "1 when the document has such a value, else 0"},
    {"env", "score", ":F", QD_PERM_READ_SCORE, NULL, "the score before this function"},
    {"env", "field_string", "iii:i", DOC, field_string,
     "copies a string by handle; *len is the capacity before and the length after"},
    {"env", "field_count", "i:i", DOC, field_count, "how many values the document has for the field"},
    {"env", "field_f64_at", "iii:i", DOC, field_f64_at, "the i-th of several values, from 0, as f64"},
    {"env", "field_i64_at", "iii:i", DOC, field_i64_at, "the same as i64"},
    {"env", "field_string_at", "iiii:i", DOC, field_string_at, "the same as a string"},
    {0},
};
