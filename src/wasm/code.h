/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing WebAssembly binaries: bytes, LEB128 numbers, sections, and the few instructions that drivers need.
 * https://webassembly.github.io/spec/core/binary/ */
#ifndef QD_WASM_CODE_H
#define QD_WASM_CODE_H

#include "base/buf.h"
#include "wasm/module.h"

enum qd_wasm_section_id {
    QD_SECTION_CUSTOM = 0,
    QD_SECTION_TYPE = 1,
    QD_SECTION_IMPORT = 2,
    QD_SECTION_FUNCTION = 3,
    QD_SECTION_TABLE = 4,
    QD_SECTION_MEMORY = 5,
    QD_SECTION_GLOBAL = 6,
    QD_SECTION_EXPORT = 7,
    QD_SECTION_CODE = 10,
};

enum qd_wasm_opcode {
    QD_OP_BLOCK = 0x02,
    QD_OP_LOOP = 0x03,
    QD_OP_END = 0x0b,
    QD_OP_BR = 0x0c,
    QD_OP_BR_IF = 0x0d,
    QD_OP_RETURN = 0x0f,
    QD_OP_CALL = 0x10,
    QD_OP_DROP = 0x1a,
    QD_OP_LOCAL_GET = 0x20,
    QD_OP_LOCAL_SET = 0x21,
    QD_OP_I32_LOAD = 0x28,
    QD_OP_I64_LOAD = 0x29,
    QD_OP_F32_LOAD = 0x2a,
    QD_OP_F64_LOAD = 0x2b,
    QD_OP_I32_LOAD8_U = 0x2d,
    QD_OP_I32_STORE = 0x36,
    QD_OP_I32_CONST = 0x41,
    QD_OP_I64_CONST = 0x42,
    QD_OP_F64_CONST = 0x44,
    QD_OP_I32_LT_U = 0x49,
    QD_OP_I32_GE_U = 0x4f,
    QD_OP_I32_ADD = 0x6a,
    QD_OP_I32_SUB = 0x6b,
    QD_OP_I32_MUL = 0x6c,
    QD_OP_I32_SHL = 0x74,
    QD_OP_I64_ADD = 0x7c,
    QD_OP_I64_EXTEND_I32_U = 0xad,
    QD_OP_F64_PROMOTE_F32 = 0xbb,
};

#define QD_WASM_PAGE_BYTES 65536u

/* How each number type is written down, loaded and stored; indexed by QD_WASM_I32 … QD_WASM_F64. */
typedef struct qd_wasm_number {
    const char *name;
    uint8_t code, load, store, width_log2;
} qd_wasm_number;
extern const qd_wasm_number qd_wasm_numbers[4];

void qd_code_byte(qd_buf *b, uint8_t byte);
void qd_code_u32(qd_buf *b, uint32_t v);        /* unsigned LEB128 */
void qd_code_i32(qd_buf *b, int32_t v);         /* signed LEB128 */
void qd_code_name(qd_buf *b, const char *name); /* length and bytes */
/* block or loop, without parameters and results */
void qd_code_begin(qd_buf *b, uint8_t opcode);
/* i32.const */
void qd_code_i32_const(qd_buf *b, int32_t v);
/* An instruction with one index (call, local.get, br_if, …). */
void qd_code_op(qd_buf *b, uint8_t opcode, uint32_t index);
/* A load or store with its natural alignment. */
void qd_code_access(qd_buf *b, uint8_t opcode, uint8_t width_log2, uint32_t offset);
/* The first bytes of a module. */
void qd_code_header(qd_buf *b);
/* A section: its id, the length of `body`, and `body`, which is empty then, for the next one. */
void qd_code_flush(qd_buf *b, uint8_t id, qd_buf *body);
/* A function's code: the length of `body` (locals and instructions), and `body`. */
void qd_code_body(qd_buf *b, const qd_buf *body);
/* A memory section's content: one memory that never grows. */
void qd_code_memory(qd_buf *b, uint32_t pages);

#endif
