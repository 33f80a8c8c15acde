/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/code.h"

const qd_wasm_number qd_wasm_numbers[4] = {
    [QD_WASM_I32] = {"i32", 0x7f, 0x28, 0x36, 2},
    [QD_WASM_I64] = {"i64", 0x7e, 0x29, 0x37, 3},
    [QD_WASM_F32] = {"f32", 0x7d, 0x2a, 0x38, 2},
    [QD_WASM_F64] = {"f64", 0x7c, 0x2b, 0x39, 3},
};

void qd_code_byte(qd_buf *b, uint8_t byte)
{
    qd_buf_add_char(b, (char)byte);
}

void qd_code_u32(qd_buf *b, uint32_t v)
{
    while (v >= 0x80) {
        qd_code_byte(b, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    qd_code_byte(b, (uint8_t)v);
}

void qd_code_i32(qd_buf *b, int32_t v)
{
    for (;;) {
        uint8_t low = (uint8_t)(v & 0x7f);
        v >>= 7;
        bool is_last = (v == 0 && !(low & 0x40)) || (v == -1 && (low & 0x40));
        qd_code_byte(b, is_last ? low : (uint8_t)(low | 0x80));
        if (is_last)
            return;
    }
}

void qd_code_name(qd_buf *b, const char *name)
{
    qd_code_u32(b, (uint32_t)strlen(name));
    qd_buf_add_z(b, name);
}

void qd_code_i32_const(qd_buf *b, int32_t v)
{
    qd_code_byte(b, QD_OP_I32_CONST);
    qd_code_i32(b, v);
}

void qd_code_begin(qd_buf *b, uint8_t opcode)
{
    qd_code_byte(b, opcode);
    qd_code_byte(b, 0x40);
}

void qd_code_op(qd_buf *b, uint8_t opcode, uint32_t index)
{
    qd_code_byte(b, opcode);
    qd_code_u32(b, index);
}

void qd_code_access(qd_buf *b, uint8_t opcode, uint8_t width_log2, uint32_t offset)
{
    qd_code_byte(b, opcode);
    qd_code_u32(b, width_log2);
    qd_code_u32(b, offset);
}

void qd_code_header(qd_buf *b)
{
    qd_buf_add(b, "\0asm\1\0\0\0", 8);
}

void qd_code_body(qd_buf *b, const qd_buf *body)
{
    qd_code_u32(b, (uint32_t)body->n);
    qd_buf_add(b, body->p, body->n);
    b->failed |= body->failed;
}

void qd_code_flush(qd_buf *b, uint8_t id, qd_buf *body)
{
    qd_code_byte(b, id);
    qd_code_body(b, body);
    qd_buf_clear(body);
}

void qd_code_memory(qd_buf *b, uint32_t pages)
{
    qd_code_u32(b, 1);
    qd_code_byte(b, 0x01); /* with a maximum */
    qd_code_u32(b, pages);
    qd_code_u32(b, pages);
}
