/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm_random_impl.h"

const random_import random_imports[N_IMPORTS] = {
    {"field_handle", {2, 1, {QD_WASM_I32, QD_WASM_I32}, {QD_WASM_I32}}},
    {"field_f64", {1, 1, {QD_WASM_I32}, {QD_WASM_F64}}},
    {"score", {0, 1, {0}, {QD_WASM_F64}}},
    {"field_valid", {1, 1, {QD_WASM_I32}, {QD_WASM_I32}}},
    {"field_i64", {1, 1, {QD_WASM_I32}, {QD_WASM_I64}}},
    {"field_f64", {1, 1, {QD_WASM_I32}, {QD_WASM_F64}}}, /* once more, as some linkers leave it */
};

uint32_t random_pick(generator *g, uint32_t n)
{
    if (g->at < g->size)
        return g->data[g->at++] % n;
    g->state ^= g->state << 13;
    g->state ^= g->state >> 17;
    g->state ^= g->state << 5;
    return (g->state >> 8) % n;
}

void random_write_type(qd_buf *b, uint8_t type)
{
    qd_code_byte(b, type == V128 ? 0x7b : qd_wasm_numbers[type].code);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

void random_write_const(generator *g, uint8_t type)
{
    static const int32_t integers[] = {0, 1, -1, 2, 7, 100, 65535, INT32_MIN, INT32_MAX};
    static const double floats[] = {0, 1, -1.5, 0.1, 1e30, -0.0, 7};
    int32_t i = integers[random_pick(g, sizeof integers / sizeof *integers)];
    double f64 = floats[random_pick(g, sizeof floats / sizeof *floats)];
    float f32 = (float)f64;
    static const uint8_t codes[] = {0x41, 0x42, 0x43, 0x44};
    qd_code_byte(g->b, codes[type]);
    if (type == QD_WASM_I32 || type == QD_WASM_I64)
        qd_code_i32(g->b, i);
    else if (type == QD_WASM_F32)
        qd_buf_add(g->b, &f32, sizeof f32);
    else
        qd_buf_add(g->b, &f64, sizeof f64);
}

/* The number on the stack becomes one of another type. NaNs may have any sign and payload, so nothing here shows it. */
void random_write_conversion(generator *g, uint8_t from, uint8_t to)
{
    static const uint8_t codes[4][4][2] = {
        {{0}, {0xac}, {0xb2}, {0xb7}},
        {{0xa7}, {0}, {0xb4}, {0xb9}},
        {{0xfc, 0x00}, {0xfc, 0x04}, {0}, {0xbb}},
        {{0xfc, 0x02}, {0xfc, 0x06}, {0xb6}, {0}},
    };
    const uint8_t *code = codes[from][to];
    if (from == to)
        return;
    qd_buf_add(g->b, code, code[0] == 0xfc ? 2 : 1);
}

static void write_binary(generator *g, uint8_t type)
{
    static const uint8_t first[] = {0x6a, 0x7c, 0x92, 0xa0}, n[] = {15, 15, 6, 6};
    qd_code_byte(g->b, (uint8_t)(first[type] + random_pick(g, n[type])));
}

/* Two of `type` become an i32. */
static void write_comparison(generator *g, uint8_t type)
{
    static const uint8_t first[] = {0x46, 0x51, 0x5b, 0x61}, n[] = {10, 10, 6, 6};
    qd_code_byte(g->b, (uint8_t)(first[type] + random_pick(g, n[type])));
}

/* ---- what both expressions and random_statements are made of
 * -------------------------------------------------------------
 */

static void statement(generator *g, int nesting);

static void push(generator *g, uint32_t n, uint8_t type)
{
    g->labels[g->n_labels++] = (label){n, {type}};
}

static void end_block(generator *g)
{
    qd_code_byte(g->b, QD_OP_END);
    g->n_labels--;
}

static bool find_local(generator *g, uint8_t type, uint32_t *out)
{
    uint32_t from = g->n_locals ? random_pick(g, g->n_locals) : 0;
    for (uint32_t i = 0; i < g->n_locals; i++) {
        *out = (from + i) % g->n_locals;
        if (g->locals[*out] == type)
            return true;
    }
    return false;
}

static void write_leaf(generator *g, uint8_t type)
{
    uint32_t local;
    uint32_t how = random_pick(g, 4);
    if (how < 2 && find_local(g, type, &local))
        qd_code_op(g->b, QD_OP_LOCAL_GET, local);
    else if (how == 2)
        qd_code_op(g->b, 0x23, 1u + type);
    else
        random_write_const(g, type);
}

static void write_return(generator *g)
{
    for (uint32_t i = 0; i < g->own->n_results; i++)
        random_write_const(g, g->own->results[i]);
    qd_code_byte(g->b, QD_OP_RETURN);
}

/* if (fuel <= 0) return; fuel -= 1 */
void random_write_fuel(generator *g)
{
    qd_code_op(g->b, 0x23, 0);
    qd_code_i32_const(g->b, 0);
    qd_code_byte(g->b, 0x4c);
    qd_code_begin(g->b, 0x04);
    write_return(g);
    qd_code_byte(g->b, QD_OP_END);
    qd_code_op(g->b, 0x23, 0);
    qd_code_i32_const(g->b, 1);
    qd_code_byte(g->b, QD_OP_I32_SUB);
    qd_code_op(g->b, 0x24, 0);
}

static void expressions(generator *g, const uint8_t *types, uint32_t n, int nesting)
{
    for (uint32_t i = 0; i < n; i++)
        random_expression(g, types[i], nesting);
}

static void drop(generator *g, uint32_t n)
{
    while (n-- > 0)
        qd_code_byte(g->b, QD_OP_DROP);
}

/* A branch that is always taken, what lies below its values, and code behind it that is never reached: there any
 * operands are on the stack. */
static void write_jump(generator *g, int nesting)
{
    uint32_t depth = random_pick(g, g->n_labels);
    const label to = g->labels[g->n_labels - 1 - depth];
    for (uint32_t junk = random_pick(g, 3); junk > 0; junk--)
        random_expression(g, (uint8_t)random_pick(g, 4), nesting);
    uint32_t how = random_pick(g, 16);
    if (how < 4) {
        expressions(g, g->own->results, g->own->n_results, nesting);
        qd_code_byte(g->b, QD_OP_RETURN);
    } else if (how == 4) {
        qd_code_byte(g->b, 0x00); /* unreachable */
    } else {
        expressions(g, to.types, to.n, nesting);
        qd_code_op(g->b, QD_OP_BR, depth);
    }
    for (uint32_t dead = random_pick(g, 4); dead > 0; dead--) {
        uint32_t f = random_pick(g, g->n_functions);
        if (dead == 1) {
            qd_code_op(g->b, QD_OP_CALL, g->n_imports + f);
            drop(g, g->functions[f].n_results);
        } else {
            write_binary(g, (uint8_t)random_pick(g, 4));
            drop(g, 1);
        }
    }
}

static bool is_same(const label *a, const label *b)
{
    return a->n == b->n && memcmp(a->types, b->types, a->n) == 0;
}

/* To labels that all take the same. */
static void write_table_jump(generator *g, int nesting)
{
    uint32_t depth = random_pick(g, g->n_labels), alike[MAX_LABELS], n = 0;
    const label *to = &g->labels[g->n_labels - 1 - depth];
    for (uint32_t d = 0; d < g->n_labels; d++)
        if (is_same(&g->labels[g->n_labels - 1 - d], to))
            alike[n++] = d;
    expressions(g, to->types, to->n, nesting);
    random_expression(g, QD_WASM_I32, nesting);
    qd_code_byte(g->b, 0x0e);
    uint32_t targets = random_pick(g, 4);
    qd_code_u32(g->b, targets);
    for (uint32_t i = 0; i <= targets; i++)
        qd_code_u32(g->b, alike[random_pick(g, n)]);
}

/* From inside a block that is entered for some values only. */
static void write_table_jump_maybe(generator *g, int nesting)
{
    random_expression(g, QD_WASM_I32, nesting);
    qd_code_begin(g->b, 0x04);
    push(g, 0, 0);
    write_table_jump(g, nesting);
    end_block(g);
}

/* A call of one of its own functions, directly or by the table. Leaves all its results; gives whose. */
static const signature *write_call(generator *g, int nesting)
{
    uint32_t f = random_pick(g, g->n_functions);
    const signature *s = &g->functions[f];
    expressions(g, s->params, s->n_params, nesting);
    if (random_pick(g, 4) > 0) {
        qd_code_op(g->b, QD_OP_CALL, g->n_imports + f);
        return s;
    }
    if (random_pick(g, 4) > 0)
        qd_code_i32_const(g->b, (int32_t)f);
    else
        random_expression(g, QD_WASM_I32, nesting);
    qd_code_op(g->b, 0x11, N_BLOCK_TYPES + g->n_imports + f);
    qd_code_byte(g->b, 0);
    return s;
}

void random_statements(generator *g, int nesting)
{
    for (uint32_t n = random_pick(g, 4); n > 0; n--)
        statement(g, nesting);
}

/* ---- expressions --------------------------------------------------------------------------------------------------
 */

static void write_block(generator *g, uint8_t type, int nesting)
{
    qd_code_byte(g->b, QD_OP_BLOCK);
    random_write_type(g->b, type);
    push(g, 1, type);
    random_statements(g, nesting);
    random_expression(g, type, nesting);
    end_block(g);
}

static void write_if(generator *g, uint8_t type, int nesting)
{
    random_expression(g, QD_WASM_I32, nesting);
    qd_code_byte(g->b, 0x04);
    random_write_type(g->b, type);
    push(g, 1, type);
    random_statements(g, nesting);
    random_expression(g, type, nesting);
    qd_code_byte(g->b, 0x05);
    random_expression(g, type, nesting);
    end_block(g);
}

/* A block or a loop that takes a number from outside. */
static void write_typed(generator *g, uint8_t type, int nesting)
{
    uint8_t from = (uint8_t)random_pick(g, 4);
    bool is_loop = random_pick(g, 2);
    random_expression(g, from, nesting);
    qd_code_byte(g->b, is_loop ? QD_OP_LOOP : QD_OP_BLOCK);
    qd_code_i32(g->b, from * 4 + type);
    push(g, 1, is_loop ? from : type);
    if (is_loop)
        random_write_fuel(g);
    random_statements(g, nesting);
    random_write_conversion(g, from, type);
    random_expression(g, type, nesting);
    write_binary(g, type);
    end_block(g);
}

static void write_call_as(generator *g, uint8_t type, int nesting)
{
    if (g->n_imports > 0 && random_pick(g, 2)) {
        uint32_t i = random_pick(g, N_IMPORTS - 1) + 1;
        const signature *s = &random_imports[i].signature;
        expressions(g, s->params, s->n_params, nesting);
        qd_code_op(g->b, QD_OP_CALL, i);
        random_write_conversion(g, s->results[0], type);
        return;
    }
    const signature *s = write_call(g, nesting);
    drop(g, s->n_results > 1);
    if (s->n_results == 0)
        write_leaf(g, type);
    else
        random_write_conversion(g, s->results[0], type);
}

static void write_branch_with(generator *g, uint8_t type, int nesting)
{
    uint32_t depth = random_pick(g, g->n_labels);
    const label *to = &g->labels[g->n_labels - 1 - depth];
    random_expression(g, type, nesting);
    if (to->n != 1 || to->types[0] != type)
        return;
    random_expression(g, QD_WASM_I32, nesting);
    qd_code_op(g->b, QD_OP_BR_IF, depth);
}

static void write_operation(generator *g, uint8_t type, int nesting)
{
    uint8_t from = type == QD_WASM_I32 && random_pick(g, 3) == 0 ? (uint8_t)random_pick(g, 4) : type;
    bool is_comparison = type == QD_WASM_I32 && random_pick(g, 3) == 0;
    random_expression(g, is_comparison ? from : type, nesting);
    random_expression(g, is_comparison ? from : type, nesting);
    if (is_comparison)
        write_comparison(g, from);
    else
        write_binary(g, type);
}

static void write_select(generator *g, uint8_t type, int nesting)
{
    random_expression(g, type, nesting);
    random_expression(g, type, nesting);
    random_expression(g, QD_WASM_I32, nesting);
    qd_code_byte(g->b, 0x1b);
}

static void write_other(generator *g, uint8_t type, int nesting)
{
    uint32_t local;
    if (type == QD_WASM_I32 && find_local(g, V128, &local)) {
        qd_code_op(g->b, QD_OP_LOCAL_GET, local);
        qd_buf_add(g->b, "\xfd\x1b\2", 3); /* i32x4.extract_lane 2 */
    } else if (type < QD_WASM_F32 && random_pick(g, 2)) {
        random_expression(g, QD_WASM_I32, nesting);
        qd_code_i32_const(g->b, 1023);
        qd_code_byte(g->b, 0x71);
        qd_code_access(g->b, qd_wasm_numbers[type].load, 0, random_pick(g, 16));
    } else {
        uint8_t from = (uint8_t)random_pick(g, 4);
        random_expression(g, from, nesting);
        random_write_conversion(g, from, type);
    }
}

static void write_tee(generator *g, uint8_t type, int nesting)
{
    uint32_t local;
    random_expression(g, type, nesting);
    if (find_local(g, type, &local))
        qd_code_op(g->b, 0x22, local);
}

/* Mostly under a condition, or little of a function would ever be reached. */
static void write_jump_maybe(generator *g, int nesting)
{
    bool is_sure = random_pick(g, 8) == 0;
    if (!is_sure) {
        random_expression(g, QD_WASM_I32, nesting);
        qd_code_begin(g->b, 0x04);
        push(g, 0, 0);
    }
    write_jump(g, nesting);
    if (!is_sure)
        end_block(g);
}

static void write_jump_as(generator *g, uint8_t type, int nesting)
{
    write_jump_maybe(g, nesting);
    write_leaf(g, type);
}

typedef void expression_fn(generator *g, uint8_t type, int nesting);

void random_expression(generator *g, uint8_t type, int nesting)
{
    static expression_fn *const kinds[] = {write_block,   write_if,          write_typed,     write_call_as,
                                           write_call_as, write_branch_with, write_operation, write_select,
                                           write_other,   write_tee,         write_operation, write_jump_as};
    uint32_t kind = random_pick(g, sizeof kinds / sizeof *kinds);
    if (g->left-- <= 0 || nesting >= MAX_NESTING)
        write_leaf(g, type);
    else
        kinds[kind](g, type, nesting + 1);
}

/* ---- random_statements
 * ---------------------------------------------------------------------------------------------------
 */

static void set_something(generator *g, int nesting)
{
    uint8_t type = (uint8_t)random_pick(g, 5);
    uint32_t local;
    if (type == V128 && find_local(g, V128, &local)) {
        random_expression(g, QD_WASM_I32, nesting);
        qd_buf_add(g->b, "\xfd\x11", 2); /* i32x4.splat */
        qd_code_op(g->b, QD_OP_LOCAL_SET, local);
        return;
    }
    type &= 3;
    random_expression(g, type, nesting);
    if (find_local(g, type, &local))
        qd_code_op(g->b, QD_OP_LOCAL_SET, local);
    else
        qd_code_op(g->b, 0x24, 1u + type);
}

static void store_something(generator *g, int nesting)
{
    uint8_t type = (uint8_t)random_pick(g, 2);
    random_expression(g, QD_WASM_I32, nesting);
    qd_code_i32_const(g->b, 1023);
    qd_code_byte(g->b, 0x71);
    random_expression(g, type, nesting);
    qd_code_access(g->b, qd_wasm_numbers[type].store, 0, random_pick(g, 16));
}

static void enclose(generator *g, int nesting)
{
    uint32_t how = random_pick(g, 3);
    if (how == 2)
        random_expression(g, QD_WASM_I32, nesting);
    qd_code_begin(g->b, (uint8_t)(QD_OP_BLOCK + how));
    push(g, 0, 0);
    if (how == 1)
        random_write_fuel(g);
    random_statements(g, nesting);
    if (how == 2 && random_pick(g, 2)) {
        qd_code_byte(g->b, 0x05);
        random_statements(g, nesting);
    }
    end_block(g);
}

static void branch_if(generator *g, int nesting)
{
    uint32_t depth = random_pick(g, g->n_labels);
    const label to = g->labels[g->n_labels - 1 - depth];
    expressions(g, to.types, to.n, nesting);
    random_expression(g, QD_WASM_I32, nesting);
    qd_code_op(g->b, QD_OP_BR_IF, depth);
    drop(g, to.n);
}

static void call_something(generator *g, int nesting)
{
    drop(g, write_call(g, nesting)->n_results);
}

/* memory.init, table.init, data.drop, elem.drop, memory.copy: what names segments. */
static void use_segment(generator *g, int nesting)
{
    static const struct {
        const char *code;
        uint8_t n, operands;
    } uses[] = {{"\xfc\x08\1\0", 4, 3},
                {"\xfc\x0c\1\0", 4, 3},
                {"\xfc\x09\1", 3, 0},
                {"\xfc\x0d\1", 3, 0},
                {"\xfc\x0a\0\0", 4, 3}};
    uint32_t i = random_pick(g, sizeof uses / sizeof *uses);
    (void)nesting;
    for (uint8_t k = 0; k < uses[i].operands; k++)
        qd_code_i32_const(g->b, (int32_t)random_pick(g, 3));
    qd_buf_add(g->b, uses[i].code, uses[i].n);
}

typedef void statement_fn(generator *g, int nesting);

static void statement(generator *g, int nesting)
{
    static statement_fn *const kinds[] = {
        set_something,  set_something, store_something,        enclose,         enclose, branch_if,
        call_something, use_segment,   write_table_jump_maybe, write_jump_maybe};
    uint32_t kind = random_pick(g, sizeof kinds / sizeof *kinds);
    if (g->left-- > 0 && nesting < MAX_NESTING)
        kinds[kind](g, nesting + 1);
}
