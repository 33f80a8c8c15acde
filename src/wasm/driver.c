/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/driver.h"

#include "wasm/code.h"
#include "wasm/columns.h"

#define MAX_CODE_BYTES (64u << 10)
#define FIRST_COLUMN   1024u
/* Columns of a power-of-two length would meet in the same sets of the processor's first cache, row by row. */
#define COLUMN_SKEW 192u
#define UNROLLED    8
_Static_assert(FIRST_COLUMN == QD_COLS_RESULTS, "results lie at one place in both memories");

/* Locals of run(): its parameters first. */
enum { LOCAL_ROW, LOCAL_END, LOCAL_BY_4, LOCAL_BY_8, LOCAL_CONTEXT, LOCAL_CONSTANTS };

static bool is_typed(const qd_driver_spec *spec)
{
    return spec->shape == QD_SHAPE_TYPED;
}

static bool keeps_result(const qd_driver_spec *spec)
{
    return !spec->drops_result && spec->signature->n_results > 0;
}

static bool is_varying(const qd_driver_spec *spec, uint32_t arg)
{
    return spec->varying >> arg & 1;
}

static uint32_t place_column(uint32_t *at, qd_wasm_valtype type)
{
    uint32_t offset = *at;
    *at += (QD_BLOCK_DOCS << qd_wasm_numbers[type].width_log2) + COLUMN_SKEW;
    return offset;
}

/* Arguments that are read once per run: they have a local each, varying ones too (an unused local costs nothing). */
static uint32_t constants_of(const qd_driver_spec *spec)
{
    return is_typed(spec) ? spec->signature->n_params : spec->has_state;
}

static void lay_out(const qd_driver_spec *spec, qd_driver *d)
{
    const qd_wasm_signature *s = spec->signature;
    uint32_t at = FIRST_COLUMN;
    d->results = keeps_result(spec) ? place_column(&at, s->result) : 0;
    if (spec->imports_cols)
        at = QD_COLS_DRIVER;
    for (uint32_t i = 0; i < s->n_params && is_typed(spec); i++)
        d->columns[i] = is_varying(spec, i) ? place_column(&at, s->params[i]) : 0;
    d->memory_bytes = (at + QD_WASM_PAGE_BYTES - 1) / QD_WASM_PAGE_BYTES * QD_WASM_PAGE_BYTES;
}

/* Type 0 is the function's, type 1 run's. */
static void write_types(const qd_wasm_signature *s, qd_buf *b)
{
    qd_code_u32(b, 2);
    qd_code_byte(b, 0x60);
    qd_code_u32(b, s->n_params);
    for (uint32_t i = 0; i < s->n_params; i++)
        qd_code_byte(b, qd_wasm_numbers[s->params[i]].code);
    qd_code_u32(b, s->n_results);
    if (s->n_results)
        qd_code_byte(b, qd_wasm_numbers[s->result].code);
    qd_code_byte(b, 0x60);
    qd_code_u32(b, 2);
    qd_code_byte(b, qd_wasm_numbers[QD_WASM_I32].code);
    qd_code_byte(b, qd_wasm_numbers[QD_WASM_I32].code);
    qd_code_u32(b, 0);
}

static void write_locals(const qd_driver_spec *spec, qd_buf *b)
{
    const qd_wasm_signature *s = spec->signature;
    uint32_t n_constants = constants_of(spec);
    qd_code_u32(b, 2 + n_constants);
    qd_code_u32(b, 2);
    qd_code_byte(b, qd_wasm_numbers[QD_WASM_I32].code);
    qd_code_u32(b, 1);
    qd_code_byte(b, qd_wasm_numbers[QD_WASM_I64].code);
    for (uint32_t i = 0; i < n_constants; i++) {
        qd_code_u32(b, 1);
        qd_code_byte(b, qd_wasm_numbers[s->params[i]].code);
    }
}

static void write_constant_loads(const qd_driver_spec *spec, qd_buf *b)
{
    const qd_wasm_signature *s = spec->signature;
    if (!is_typed(spec)) {
        qd_code_i32_const(b, 0);
        qd_code_access(b, QD_OP_I64_LOAD, 3, QD_DRIVER_CELL_CONTEXT);
        qd_code_op(b, QD_OP_LOCAL_SET, LOCAL_CONTEXT);
    }
    for (uint32_t i = 0; i < constants_of(spec); i++) {
        const qd_wasm_number *number = &qd_wasm_numbers[s->params[i]];
        if (is_varying(spec, i))
            continue;
        qd_code_i32_const(b, 0);
        qd_code_access(b, number->load, number->width_log2, QD_DRIVER_CELL_CONSTANTS + 8 * i);
        qd_code_op(b, QD_OP_LOCAL_SET, LOCAL_CONSTANTS + i);
    }
}

/* Leaves the row in the local plus `ahead` on the stack. */
static void write_row_number(uint32_t ahead, qd_buf *b)
{
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_ROW);
    if (ahead == 0)
        return;
    qd_code_i32_const(b, (int32_t)ahead);
    qd_code_byte(b, QD_OP_I32_ADD);
}

static uint32_t offset_local(qd_wasm_valtype type)
{
    return qd_wasm_numbers[type].width_log2 == 2 ? LOCAL_BY_4 : LOCAL_BY_8;
}

/* Rows are addressed as the row in the local plus `ahead`, which goes into the instructions' offsets. */
static void write_arguments(const qd_driver_spec *spec, const qd_driver *d, uint32_t ahead, qd_buf *b)
{
    const qd_wasm_signature *s = spec->signature;
    if (!is_typed(spec)) {
        if (spec->has_state)
            qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_CONSTANTS);
        qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_CONTEXT);
        write_row_number(ahead, b);
        qd_code_byte(b, QD_OP_I64_EXTEND_I32_U);
        qd_code_byte(b, QD_OP_I64_ADD);
        return;
    }
    for (uint32_t i = 0; i < s->n_params; i++) {
        const qd_wasm_number *number = &qd_wasm_numbers[s->params[i]];
        if (is_varying(spec, i)) {
            qd_code_op(b, QD_OP_LOCAL_GET, offset_local(s->params[i]));
            qd_code_access(b, number->load, number->width_log2, d->columns[i] + (ahead << number->width_log2));
        } else {
            qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_CONSTANTS + i);
        }
    }
}

static void write_shift(qd_buf *b, int32_t bits, uint32_t local)
{
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_ROW);
    qd_code_i32_const(b, bits);
    qd_code_byte(b, QD_OP_I32_SHL);
    qd_code_op(b, QD_OP_LOCAL_SET, local);
}

/* cell = row; results[row] = f(arguments) */
static void write_call(const qd_driver_spec *spec, const qd_driver *d, uint32_t ahead, qd_buf *b)
{
    const qd_wasm_signature *s = spec->signature;
    qd_code_i32_const(b, 0);
    write_row_number(ahead, b);
    qd_code_access(b, QD_OP_I32_STORE, 2, QD_DRIVER_CELL_ROW);
    if (keeps_result(spec))
        qd_code_op(b, QD_OP_LOCAL_GET, offset_local(s->result));
    write_arguments(spec, d, ahead, b);
    qd_code_op(b, QD_OP_CALL, 0);
    if (keeps_result(spec)) {
        const qd_wasm_number *result = &qd_wasm_numbers[s->result];
        qd_code_access(b, result->store, result->width_log2, d->results + (ahead << result->width_log2));
    } else if (s->n_results) {
        qd_code_byte(b, QD_OP_DROP);
    }
}

/* `n` calls and a step of `n` rows, then back to the loop's head. */
static void write_calls(const qd_driver_spec *spec, const qd_driver *d, uint32_t n, qd_buf *b)
{
    write_shift(b, 2, LOCAL_BY_4);
    write_shift(b, 3, LOCAL_BY_8);
    for (uint32_t ahead = 0; ahead < n; ahead++)
        write_call(spec, d, ahead, b);
    write_row_number(n, b);
    qd_code_op(b, QD_OP_LOCAL_SET, LOCAL_ROW);
    qd_code_op(b, QD_OP_BR, 0);
}

/* run(first, end), first < end. Several calls per turn share the loop's epoch check, which costs as much as a small
 * function:
 *
 *   block $done
 *     block $rest
 *       loop  br_if $rest (end - row < UNROLLED);  UNROLLED calls;  row += UNROLLED;  br loop
 *     loop  br_if $done (row >= end);  one call;  row += 1;  br loop */
static void write_run(const qd_driver_spec *spec, const qd_driver *d, qd_buf *b)
{
    write_locals(spec, b);
    write_constant_loads(spec, b);
    qd_code_begin(b, QD_OP_BLOCK);
    qd_code_begin(b, QD_OP_BLOCK);
    qd_code_begin(b, QD_OP_LOOP);
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_END);
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_ROW);
    qd_code_byte(b, QD_OP_I32_SUB);
    qd_code_i32_const(b, UNROLLED);
    qd_code_byte(b, QD_OP_I32_LT_U);
    qd_code_op(b, QD_OP_BR_IF, 1);
    write_calls(spec, d, UNROLLED, b);
    qd_code_byte(b, QD_OP_END);
    qd_code_byte(b, QD_OP_END);
    qd_code_begin(b, QD_OP_LOOP);
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_ROW);
    qd_code_op(b, QD_OP_LOCAL_GET, LOCAL_END);
    qd_code_byte(b, QD_OP_I32_GE_U);
    qd_code_op(b, QD_OP_BR_IF, 1);
    write_calls(spec, d, 1, b);
    qd_code_byte(b, QD_OP_END);
    qd_code_byte(b, QD_OP_END);
    qd_code_byte(b, QD_OP_END);
}

static void write_imports(const qd_driver_spec *spec, const qd_driver *d, qd_buf *b)
{
    qd_code_u32(b, spec->imports_cols ? 2 : 1);
    qd_str function = spec->function.n > 0 ? spec->function : QD_STR("f");
    qd_code_name(b, "udf");
    qd_code_u32(b, (uint32_t)function.n);
    qd_buf_add_str(b, function);
    qd_code_byte(b, 0x00); /* a function of type 0 */
    qd_code_u32(b, 0);
    if (!spec->imports_cols)
        return;
    qd_code_name(b, "env");
    qd_code_name(b, "cols");
    qd_code_byte(b, 0x02); /* a memory, no smaller than what we address */
    qd_code_byte(b, 0x00);
    qd_code_u32(b, d->memory_bytes / QD_WASM_PAGE_BYTES);
}

static void write_function(qd_buf *b)
{
    qd_code_u32(b, 1);
    qd_code_u32(b, 1);
}

static void write_exports(qd_buf *b)
{
    qd_code_u32(b, 2);
    qd_code_name(b, "run");
    qd_code_byte(b, 0x00); /* function 1: function 0 is the import */
    qd_code_u32(b, 1);
    qd_code_name(b, "cols");
    qd_code_byte(b, 0x02); /* memory 0, its own or the one that it imports */
    qd_code_u32(b, 0);
}

static void write_code(const qd_driver_spec *spec, const qd_driver *d, qd_buf *b)
{
    qd_buf run;
    qd_buf_init(&run, MAX_CODE_BYTES);
    write_run(spec, d, &run);
    qd_code_u32(b, 1);
    qd_code_body(b, &run);
    qd_buf_deinit(&run);
}

bool qd_driver_generate(const qd_driver_spec *spec, qd_driver *layout, qd_buf *out)
{
    qd_buf body;
    if (spec->is_columns)
        return qd_columns_generate(layout, out);
    qd_buf_init(&body, MAX_CODE_BYTES);
    lay_out(spec, layout);
    qd_code_header(out);
    write_types(spec->signature, &body);
    qd_code_flush(out, QD_SECTION_TYPE, &body);
    write_imports(spec, layout, &body);
    qd_code_flush(out, QD_SECTION_IMPORT, &body);
    write_function(&body);
    qd_code_flush(out, QD_SECTION_FUNCTION, &body);
    if (!spec->imports_cols) {
        qd_code_memory(&body, layout->memory_bytes / QD_WASM_PAGE_BYTES);
        qd_code_flush(out, QD_SECTION_MEMORY, &body);
    }
    write_exports(&body);
    qd_code_flush(out, QD_SECTION_EXPORT, &body);
    write_code(spec, layout, &body);
    qd_code_flush(out, QD_SECTION_CODE, &body);
    qd_buf_deinit(&body);
    return !out->failed;
}
