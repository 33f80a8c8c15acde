/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/columns.h"

#include "wasm/code.h"

#define MAX_CODE_BYTES 4096u

#define LOCAL_HANDLE 0

/* Leaves the offset of the current row in a column on the stack. */
static void write_row_offset(int32_t width_log2, qd_buf *b)
{
    qd_code_i32_const(b, 0);
    qd_code_access(b, QD_OP_I32_LOAD, 2, QD_DRIVER_CELL_ROW);
    if (width_log2 == 0)
        return;
    qd_code_i32_const(b, width_log2);
    qd_code_byte(b, QD_OP_I32_SHL);
}

/* Returns the current row's value in the handle's column of the columns at `at`; goes on when the local is no handle.
 */
static void write_read(uint8_t load, uint8_t width_log2, uint32_t at, uint32_t stride, qd_buf *b)
{
    qd_code_begin(b, QD_OP_BLOCK);
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_HANDLE);
    qd_code_i32_const(b, QD_MAX_HANDLES);
    qd_code_byte(b, QD_OP_I32_GE_U);
    qd_code_op(b, QD_OP_BR_IF, 0);
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_HANDLE);
    qd_code_i32_const(b, (int32_t)stride);
    qd_code_byte(b, QD_OP_I32_MUL);
    write_row_offset(width_log2, b);
    qd_code_byte(b, QD_OP_I32_ADD);
    qd_code_access(b, load, width_log2, at);
    qd_code_byte(b, QD_OP_RETURN);
    qd_code_byte(b, QD_OP_END);
}

static void write_field_f64(qd_buf *b)
{
    write_read(QD_OP_F64_LOAD, 3, QD_COLS_F64, QD_COLS_VALUES_STRIDE, b);
    qd_code_byte(b, QD_OP_F64_CONST);
    qd_buf_add(b, "\0\0\0\0\0\0\0\0", 8);
}

static void write_field_i64(qd_buf *b)
{
    write_read(QD_OP_I64_LOAD, 3, QD_COLS_I64, QD_COLS_VALUES_STRIDE, b);
    qd_code_byte(b, QD_OP_I64_CONST);
    qd_code_byte(b, 0);
}

static void write_field_valid(qd_buf *b)
{
    write_read(QD_OP_I32_LOAD8_U, 0, QD_COLS_VALID, QD_COLS_VALID_STRIDE, b);
    qd_code_i32_const(b, 0);
}

static void write_score(qd_buf *b)
{
    write_row_offset(2, b);
    qd_code_access(b, QD_OP_F32_LOAD, 2, QD_COLS_SCORES);
    qd_code_byte(b, QD_OP_F64_PROMOTE_F32);
}

static const struct {
    const char *name;
    bool takes_handle;
    qd_wasm_valtype result;
    void (*write)(qd_buf *b);
} functions[] = {
    {"field_f64", true, QD_WASM_F64, write_field_f64},
    {"field_i64", true, QD_WASM_I64, write_field_i64},
    {"field_valid", true, QD_WASM_I32, write_field_valid},
    {"score", false, QD_WASM_F64, write_score},
};
#define N_FUNCTIONS (sizeof functions / sizeof *functions)

/* Each function has a type of its own number. */
static void write_types(qd_buf *b)
{
    qd_code_u32(b, N_FUNCTIONS);
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        qd_code_byte(b, 0x60);
        qd_code_u32(b, functions[i].takes_handle);
        if (functions[i].takes_handle)
            qd_code_byte(b, qd_wasm_numbers[QD_WASM_I32].code);
        qd_code_u32(b, 1);
        qd_code_byte(b, qd_wasm_numbers[functions[i].result].code);
    }
}

static void write_function_types(qd_buf *b)
{
    qd_code_u32(b, N_FUNCTIONS);
    for (uint32_t i = 0; i < N_FUNCTIONS; i++)
        qd_code_u32(b, i);
}

static void write_exports(qd_buf *b)
{
    qd_code_u32(b, N_FUNCTIONS + 1);
    for (uint32_t i = 0; i < N_FUNCTIONS; i++) {
        qd_code_name(b, functions[i].name);
        qd_code_byte(b, 0x00);
        qd_code_u32(b, i);
    }
    qd_code_name(b, "cols");
    qd_code_byte(b, 0x02);
    qd_code_u32(b, 0);
}

static void write_bodies(qd_buf *b)
{
    qd_buf body;
    qd_buf_init(&body, MAX_CODE_BYTES);
    qd_code_u32(b, N_FUNCTIONS);
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        qd_buf_clear(&body);
        qd_code_u32(&body, 0); /* no locals beside the parameter */
        functions[i].write(&body);
        qd_code_byte(&body, QD_OP_END);
        qd_code_body(b, &body);
    }
    qd_buf_deinit(&body);
}

bool qd_columns_generate(qd_driver *layout, qd_buf *out)
{
    qd_buf body;
    qd_buf_init(&body, MAX_CODE_BYTES);
    uint32_t pages = (QD_COLS_BYTES + QD_WASM_PAGE_BYTES - 1) / QD_WASM_PAGE_BYTES;
    layout->memory_bytes = pages * QD_WASM_PAGE_BYTES;
    qd_code_header(out);
    write_types(&body);
    qd_code_flush(out, QD_SECTION_TYPE, &body);
    write_function_types(&body);
    qd_code_flush(out, QD_SECTION_FUNCTION, &body);
    qd_code_memory(&body, pages);
    qd_code_flush(out, QD_SECTION_MEMORY, &body);
    write_exports(&body);
    qd_code_flush(out, QD_SECTION_EXPORT, &body);
    write_bodies(&body);
    qd_code_flush(out, QD_SECTION_CODE, &body);
    qd_buf_deinit(&body);
    return !out->failed;
}
