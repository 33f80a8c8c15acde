/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm_random.h"

#include <string.h>

#include "wasm/code.h"

#define MAX_BYTES     ((size_t)1 << 20)
#define MAX_FUNCTIONS 4
#define MAX_LOCALS    24
#define MAX_LABELS    32
#define MAX_NESTING   10
#define FUEL          500 /* turns of loops and calls, in all */
#define V128          4   /* beside the numbers' types */
#define N_BLOCK_TYPES 16  /* [a] -> [b], the first types of the module */

typedef struct signature {
    uint32_t n_params, n_results;
    uint8_t params[4], results[2];
} signature;

/* What a branch to it takes along. */
typedef struct label {
    uint32_t n;
    uint8_t types[2];
} label;

typedef struct generator {
    const uint8_t *data;
    size_t size, at;
    uint32_t state; /* what comes when the bytes have been used */
    int left;       /* instructions that this function may still have, or so */
    uint32_t n_imports, n_functions, n_locals, n_labels;
    signature functions[MAX_FUNCTIONS];
    uint8_t locals[MAX_LOCALS];
    label labels[MAX_LABELS];
    const signature *own;
    qd_buf *b;
} generator;

static const struct {
    const char *name;
    signature signature;
} imports[] = {
    {"field_handle", {2, 1, {QD_WASM_I32, QD_WASM_I32}, {QD_WASM_I32}}},
    {"field_f64", {1, 1, {QD_WASM_I32}, {QD_WASM_F64}}},
    {"score", {0, 1, {0}, {QD_WASM_F64}}},
    {"field_valid", {1, 1, {QD_WASM_I32}, {QD_WASM_I32}}},
    {"field_i64", {1, 1, {QD_WASM_I32}, {QD_WASM_I64}}},
    {"field_f64", {1, 1, {QD_WASM_I32}, {QD_WASM_F64}}}, /* once more, as some linkers leave it */
};
#define N_IMPORTS (sizeof imports / sizeof *imports)

static uint32_t pick(generator *g, uint32_t n)
{
    if (g->at < g->size)
        return g->data[g->at++] % n;
    g->state ^= g->state << 13;
    g->state ^= g->state >> 17;
    g->state ^= g->state << 5;
    return (g->state >> 8) % n;
}

static void write_type(qd_buf *b, uint8_t type)
{
    qd_code_byte(b, type == V128 ? 0x7b : qd_wasm_numbers[type].code);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static void write_const(generator *g, uint8_t type)
{
    static const int32_t integers[] = {0, 1, -1, 2, 7, 100, 65535, INT32_MIN, INT32_MAX};
    static const double floats[] = {0, 1, -1.5, 0.1, 1e30, -0.0, 7};
    int32_t i = integers[pick(g, sizeof integers / sizeof *integers)];
    double f64 = floats[pick(g, sizeof floats / sizeof *floats)];
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
static void write_conversion(generator *g, uint8_t from, uint8_t to)
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
    qd_code_byte(g->b, (uint8_t)(first[type] + pick(g, n[type])));
}

/* Two of `type` become an i32. */
static void write_comparison(generator *g, uint8_t type)
{
    static const uint8_t first[] = {0x46, 0x51, 0x5b, 0x61}, n[] = {10, 10, 6, 6};
    qd_code_byte(g->b, (uint8_t)(first[type] + pick(g, n[type])));
}

/* ---- what both expressions and statements are made of -------------------------------------------------------------
 */

static void expression(generator *g, uint8_t type, int nesting);
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
    uint32_t from = g->n_locals ? pick(g, g->n_locals) : 0;
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
    uint32_t how = pick(g, 4);
    if (how < 2 && find_local(g, type, &local))
        qd_code_op(g->b, QD_OP_LOCAL_GET, local);
    else if (how == 2)
        qd_code_op(g->b, 0x23, 1u + type);
    else
        write_const(g, type);
}

static void write_return(generator *g)
{
    for (uint32_t i = 0; i < g->own->n_results; i++)
        write_const(g, g->own->results[i]);
    qd_code_byte(g->b, QD_OP_RETURN);
}

/* if (fuel <= 0) return; fuel -= 1 */
static void write_fuel(generator *g)
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
        expression(g, types[i], nesting);
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
    uint32_t depth = pick(g, g->n_labels);
    const label to = g->labels[g->n_labels - 1 - depth];
    for (uint32_t junk = pick(g, 3); junk > 0; junk--)
        expression(g, (uint8_t)pick(g, 4), nesting);
    uint32_t how = pick(g, 16);
    if (how < 4) {
        expressions(g, g->own->results, g->own->n_results, nesting);
        qd_code_byte(g->b, QD_OP_RETURN);
    } else if (how == 4) {
        qd_code_byte(g->b, 0x00); /* unreachable */
    } else {
        expressions(g, to.types, to.n, nesting);
        qd_code_op(g->b, QD_OP_BR, depth);
    }
    for (uint32_t dead = pick(g, 4); dead > 0; dead--) {
        uint32_t f = pick(g, g->n_functions);
        if (dead == 1) {
            qd_code_op(g->b, QD_OP_CALL, g->n_imports + f);
            drop(g, g->functions[f].n_results);
        } else {
            write_binary(g, (uint8_t)pick(g, 4));
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
    uint32_t depth = pick(g, g->n_labels), alike[MAX_LABELS], n = 0;
    const label *to = &g->labels[g->n_labels - 1 - depth];
    for (uint32_t d = 0; d < g->n_labels; d++)
        if (is_same(&g->labels[g->n_labels - 1 - d], to))
            alike[n++] = d;
    expressions(g, to->types, to->n, nesting);
    expression(g, QD_WASM_I32, nesting);
    qd_code_byte(g->b, 0x0e);
    uint32_t targets = pick(g, 4);
    qd_code_u32(g->b, targets);
    for (uint32_t i = 0; i <= targets; i++)
        qd_code_u32(g->b, alike[pick(g, n)]);
}

/* From inside a block that is entered for some values only. */
static void write_table_jump_maybe(generator *g, int nesting)
{
    expression(g, QD_WASM_I32, nesting);
    qd_code_begin(g->b, 0x04);
    push(g, 0, 0);
    write_table_jump(g, nesting);
    end_block(g);
}

/* A call of one of its own functions, directly or by the table. Leaves all its results; gives whose. */
static const signature *write_call(generator *g, int nesting)
{
    uint32_t f = pick(g, g->n_functions);
    const signature *s = &g->functions[f];
    expressions(g, s->params, s->n_params, nesting);
    if (pick(g, 4) > 0) {
        qd_code_op(g->b, QD_OP_CALL, g->n_imports + f);
        return s;
    }
    if (pick(g, 4) > 0)
        qd_code_i32_const(g->b, (int32_t)f);
    else
        expression(g, QD_WASM_I32, nesting);
    qd_code_op(g->b, 0x11, N_BLOCK_TYPES + g->n_imports + f);
    qd_code_byte(g->b, 0);
    return s;
}

static void statements(generator *g, int nesting)
{
    for (uint32_t n = pick(g, 4); n > 0; n--)
        statement(g, nesting);
}

/* ---- expressions --------------------------------------------------------------------------------------------------
 */

static void write_block(generator *g, uint8_t type, int nesting)
{
    qd_code_byte(g->b, QD_OP_BLOCK);
    write_type(g->b, type);
    push(g, 1, type);
    statements(g, nesting);
    expression(g, type, nesting);
    end_block(g);
}

static void write_if(generator *g, uint8_t type, int nesting)
{
    expression(g, QD_WASM_I32, nesting);
    qd_code_byte(g->b, 0x04);
    write_type(g->b, type);
    push(g, 1, type);
    statements(g, nesting);
    expression(g, type, nesting);
    qd_code_byte(g->b, 0x05);
    expression(g, type, nesting);
    end_block(g);
}

/* A block or a loop that takes a number from outside. */
static void write_typed(generator *g, uint8_t type, int nesting)
{
    uint8_t from = (uint8_t)pick(g, 4);
    bool is_loop = pick(g, 2);
    expression(g, from, nesting);
    qd_code_byte(g->b, is_loop ? QD_OP_LOOP : QD_OP_BLOCK);
    qd_code_i32(g->b, from * 4 + type);
    push(g, 1, is_loop ? from : type);
    if (is_loop)
        write_fuel(g);
    statements(g, nesting);
    write_conversion(g, from, type);
    expression(g, type, nesting);
    write_binary(g, type);
    end_block(g);
}

static void write_call_as(generator *g, uint8_t type, int nesting)
{
    if (g->n_imports > 0 && pick(g, 2)) {
        uint32_t i = pick(g, N_IMPORTS - 1) + 1;
        const signature *s = &imports[i].signature;
        expressions(g, s->params, s->n_params, nesting);
        qd_code_op(g->b, QD_OP_CALL, i);
        write_conversion(g, s->results[0], type);
        return;
    }
    const signature *s = write_call(g, nesting);
    drop(g, s->n_results > 1);
    if (s->n_results == 0)
        write_leaf(g, type);
    else
        write_conversion(g, s->results[0], type);
}

static void write_branch_with(generator *g, uint8_t type, int nesting)
{
    uint32_t depth = pick(g, g->n_labels);
    const label *to = &g->labels[g->n_labels - 1 - depth];
    expression(g, type, nesting);
    if (to->n != 1 || to->types[0] != type)
        return;
    expression(g, QD_WASM_I32, nesting);
    qd_code_op(g->b, QD_OP_BR_IF, depth);
}

static void write_operation(generator *g, uint8_t type, int nesting)
{
    uint8_t from = type == QD_WASM_I32 && pick(g, 3) == 0 ? (uint8_t)pick(g, 4) : type;
    bool is_comparison = type == QD_WASM_I32 && pick(g, 3) == 0;
    expression(g, is_comparison ? from : type, nesting);
    expression(g, is_comparison ? from : type, nesting);
    if (is_comparison)
        write_comparison(g, from);
    else
        write_binary(g, type);
}

static void write_select(generator *g, uint8_t type, int nesting)
{
    expression(g, type, nesting);
    expression(g, type, nesting);
    expression(g, QD_WASM_I32, nesting);
    qd_code_byte(g->b, 0x1b);
}

static void write_other(generator *g, uint8_t type, int nesting)
{
    uint32_t local;
    if (type == QD_WASM_I32 && find_local(g, V128, &local)) {
        qd_code_op(g->b, QD_OP_LOCAL_GET, local);
        qd_buf_add(g->b, "\xfd\x1b\2", 3); /* i32x4.extract_lane 2 */
    } else if (type < QD_WASM_F32 && pick(g, 2)) {
        expression(g, QD_WASM_I32, nesting);
        qd_code_i32_const(g->b, 1023);
        qd_code_byte(g->b, 0x71);
        qd_code_access(g->b, qd_wasm_numbers[type].load, 0, pick(g, 16));
    } else {
        uint8_t from = (uint8_t)pick(g, 4);
        expression(g, from, nesting);
        write_conversion(g, from, type);
    }
}

static void write_tee(generator *g, uint8_t type, int nesting)
{
    uint32_t local;
    expression(g, type, nesting);
    if (find_local(g, type, &local))
        qd_code_op(g->b, 0x22, local);
}

/* Mostly under a condition, or little of a function would ever be reached. */
static void write_jump_maybe(generator *g, int nesting)
{
    bool is_sure = pick(g, 8) == 0;
    if (!is_sure) {
        expression(g, QD_WASM_I32, nesting);
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

static void expression(generator *g, uint8_t type, int nesting)
{
    static expression_fn *const kinds[] = {write_block,   write_if,          write_typed,     write_call_as,
                                           write_call_as, write_branch_with, write_operation, write_select,
                                           write_other,   write_tee,         write_operation, write_jump_as};
    uint32_t kind = pick(g, sizeof kinds / sizeof *kinds);
    if (g->left-- <= 0 || nesting >= MAX_NESTING)
        write_leaf(g, type);
    else
        kinds[kind](g, type, nesting + 1);
}

/* ---- statements ---------------------------------------------------------------------------------------------------
 */

static void set_something(generator *g, int nesting)
{
    uint8_t type = (uint8_t)pick(g, 5);
    uint32_t local;
    if (type == V128 && find_local(g, V128, &local)) {
        expression(g, QD_WASM_I32, nesting);
        qd_buf_add(g->b, "\xfd\x11", 2); /* i32x4.splat */
        qd_code_op(g->b, QD_OP_LOCAL_SET, local);
        return;
    }
    type &= 3;
    expression(g, type, nesting);
    if (find_local(g, type, &local))
        qd_code_op(g->b, QD_OP_LOCAL_SET, local);
    else
        qd_code_op(g->b, 0x24, 1u + type);
}

static void store_something(generator *g, int nesting)
{
    uint8_t type = (uint8_t)pick(g, 2);
    expression(g, QD_WASM_I32, nesting);
    qd_code_i32_const(g->b, 1023);
    qd_code_byte(g->b, 0x71);
    expression(g, type, nesting);
    qd_code_access(g->b, qd_wasm_numbers[type].store, 0, pick(g, 16));
}

static void enclose(generator *g, int nesting)
{
    uint32_t how = pick(g, 3);
    if (how == 2)
        expression(g, QD_WASM_I32, nesting);
    qd_code_begin(g->b, (uint8_t)(QD_OP_BLOCK + how));
    push(g, 0, 0);
    if (how == 1)
        write_fuel(g);
    statements(g, nesting);
    if (how == 2 && pick(g, 2)) {
        qd_code_byte(g->b, 0x05);
        statements(g, nesting);
    }
    end_block(g);
}

static void branch_if(generator *g, int nesting)
{
    uint32_t depth = pick(g, g->n_labels);
    const label to = g->labels[g->n_labels - 1 - depth];
    expressions(g, to.types, to.n, nesting);
    expression(g, QD_WASM_I32, nesting);
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
    uint32_t i = pick(g, sizeof uses / sizeof *uses);
    (void)nesting;
    for (uint8_t k = 0; k < uses[i].operands; k++)
        qd_code_i32_const(g->b, (int32_t)pick(g, 3));
    qd_buf_add(g->b, uses[i].code, uses[i].n);
}

typedef void statement_fn(generator *g, int nesting);

static void statement(generator *g, int nesting)
{
    static statement_fn *const kinds[] = {
        set_something,  set_something, store_something,        enclose,         enclose, branch_if,
        call_something, use_segment,   write_table_jump_maybe, write_jump_maybe};
    uint32_t kind = pick(g, sizeof kinds / sizeof *kinds);
    if (g->left-- > 0 && nesting < MAX_NESTING)
        kinds[kind](g, nesting + 1);
}

/* ---- the module ---------------------------------------------------------------------------------------------------
 */

static void write_signature(qd_buf *b, const signature *s)
{
    qd_code_byte(b, 0x60);
    qd_code_u32(b, s->n_params);
    for (uint32_t i = 0; i < s->n_params; i++)
        write_type(b, s->params[i]);
    qd_code_u32(b, s->n_results);
    for (uint32_t i = 0; i < s->n_results; i++)
        write_type(b, s->results[i]);
}

static void choose_signatures(generator *g, bool by_handle)
{
    g->n_imports = by_handle ? N_IMPORTS : 0;
    g->n_functions = 1 + pick(g, MAX_FUNCTIONS);
    for (uint32_t f = 0; f < g->n_functions; f++) {
        signature *s = &g->functions[f];
        s->n_params = f == 0 && by_handle ? 1 : pick(g, 5);
        s->n_results = f == 0 ? 1 : pick(g, 3);
        for (uint32_t i = 0; i < 4; i++)
            s->params[i] = (uint8_t)pick(g, 4);
        for (uint32_t i = 0; i < 2; i++)
            s->results[i] = (uint8_t)pick(g, 4);
        if (f == 0 && by_handle)
            s->params[0] = QD_WASM_I64;
    }
}

static void write_types(generator *g, qd_buf *b)
{
    qd_code_u32(b, N_BLOCK_TYPES + g->n_imports + g->n_functions);
    for (uint8_t i = 0; i < N_BLOCK_TYPES; i++)
        write_signature(b, &(signature){1, 1, {i / 4}, {i % 4}});
    for (uint32_t i = 0; i < g->n_imports; i++)
        write_signature(b, &imports[i].signature);
    for (uint32_t f = 0; f < g->n_functions; f++)
        write_signature(b, &g->functions[f]);
}

static void write_imports(generator *g, qd_buf *b)
{
    qd_code_u32(b, g->n_imports);
    for (uint32_t i = 0; i < g->n_imports; i++) {
        qd_code_name(b, "env");
        qd_code_name(b, imports[i].name);
        qd_code_byte(b, 0);
        qd_code_u32(b, N_BLOCK_TYPES + i);
    }
}

/* The fuel, and a variable of each type. */
static void write_globals(generator *g, qd_buf *b)
{
    qd_code_u32(b, 5);
    write_type(b, QD_WASM_I32);
    qd_code_byte(b, 1);
    qd_code_i32_const(b, FUEL);
    qd_code_byte(b, QD_OP_END);
    for (uint8_t type = 0; type < 4; type++) {
        write_type(b, type);
        qd_code_byte(b, 1);
        g->b = b;
        write_const(g, type);
        qd_code_byte(b, QD_OP_END);
    }
}

/* What is in the locals at the end shows in the results. */
static void add_locals(generator *g, uint8_t result)
{
    static const uint8_t add[] = {0x6a, 0x7c, 0x92, 0xa0};
    for (uint32_t i = 0; i < g->n_locals; i++) {
        uint8_t type = g->locals[i];
        qd_code_op(g->b, QD_OP_LOCAL_GET, i);
        if (type == V128)
            qd_buf_add(g->b, "\xfd\x1b\1", 3);
        write_conversion(g, type == V128 ? QD_WASM_I32 : type, result);
        qd_code_byte(g->b, add[result]);
    }
}

static void write_functions(generator *g, qd_buf *b, qd_buf *body)
{
    qd_code_u32(b, g->n_functions);
    for (uint32_t f = 0; f < g->n_functions; f++) {
        qd_buf_clear(body);
        g->b = body;
        g->own = &g->functions[f];
        g->left = (int)(f == 0 ? 8 + pick(g, 40) : pick(g, 30));
        g->n_locals = g->own->n_params;
        memcpy(g->locals, g->own->params, sizeof g->own->params);
        uint32_t more = pick(g, MAX_LOCALS / 2);
        qd_code_u32(body, more);
        for (uint32_t i = 0; i < more; i++) {
            g->locals[g->n_locals] = (uint8_t)pick(g, 5);
            qd_code_u32(body, 1);
            write_type(body, g->locals[g->n_locals++]);
        }
        g->labels[0] = (label){g->own->n_results, {g->own->results[0], g->own->results[1]}};
        g->n_labels = 1;
        if (f > 0 || pick(g, 2))
            write_fuel(g);
        statements(g, 0);
        statements(g, 0);
        for (uint32_t i = 0; i < g->own->n_results; i++) {
            expression(g, g->own->results[i], 0);
            add_locals(g, g->own->results[i]);
        }
        qd_code_byte(body, QD_OP_END);
        qd_code_body(b, body);
    }
}

/* Two element segments, the first of which fills the table; both name all functions. */
static void write_elements(generator *g, qd_buf *b)
{
    qd_code_u32(b, 2);
    for (uint32_t segment = 0; segment < 2; segment++) {
        qd_code_u32(b, segment);
        if (segment == 0) {
            qd_code_i32_const(b, 0);
            qd_code_byte(b, QD_OP_END);
        } else {
            qd_code_byte(b, 0); /* functions */
        }
        qd_code_u32(b, g->n_functions);
        for (uint32_t f = 0; f < g->n_functions; f++)
            qd_code_u32(b, g->n_imports + (f + segment) % g->n_functions);
    }
}

/* Likewise: bytes for the memory's beginning, and such for memory.init. */
static void write_data(qd_buf *b)
{
    qd_code_u32(b, 2);
    qd_code_u32(b, 0);
    qd_code_i32_const(b, 0);
    qd_code_byte(b, QD_OP_END);
    qd_code_name(b, "price and other names");
    qd_code_u32(b, 1);
    qd_code_name(b, "what was passive");
}

static void write_exports(generator *g, qd_buf *b)
{
    qd_code_u32(b, 2);
    qd_code_name(b, "f");
    qd_code_byte(b, 0);
    qd_code_u32(b, g->n_imports);
    qd_code_name(b, "memory");
    qd_code_byte(b, 2);
    qd_code_u32(b, 0);
}

enum { SECTION_ELEMENT = 9, SECTION_DATA = 11, SECTION_DATA_COUNT = 12 };

void qd_wasm_random(const uint8_t *data, size_t size, bool by_handle, qd_buf *out)
{
    generator g = {.data = data, .size = size, .state = 2166136261u};
    qd_buf section, body;
    qd_buf_init(&section, MAX_BYTES);
    qd_buf_init(&body, MAX_BYTES);
    for (size_t i = 0; i < size; i++)
        g.state = (g.state ^ data[i]) * 16777619u;
    g.state |= 1;
    choose_signatures(&g, by_handle);
    qd_code_header(out);
    write_types(&g, &section);
    qd_code_flush(out, QD_SECTION_TYPE, &section);
    write_imports(&g, &section);
    qd_code_flush(out, QD_SECTION_IMPORT, &section);
    qd_code_u32(&section, g.n_functions);
    for (uint32_t f = 0; f < g.n_functions; f++)
        qd_code_u32(&section, N_BLOCK_TYPES + g.n_imports + f);
    qd_code_flush(out, QD_SECTION_FUNCTION, &section);
    qd_buf_add(&section, "\1\x70\0\x05", 4);
    qd_code_flush(out, QD_SECTION_TABLE, &section);
    qd_code_memory(&section, 1);
    qd_code_flush(out, QD_SECTION_MEMORY, &section);
    write_globals(&g, &section);
    qd_code_flush(out, QD_SECTION_GLOBAL, &section);
    write_exports(&g, &section);
    qd_code_flush(out, QD_SECTION_EXPORT, &section);
    write_elements(&g, &section);
    qd_code_flush(out, SECTION_ELEMENT, &section);
    qd_code_u32(&section, 2);
    qd_code_flush(out, SECTION_DATA_COUNT, &section);
    write_functions(&g, &section, &body);
    qd_code_flush(out, QD_SECTION_CODE, &section);
    write_data(&section);
    qd_code_flush(out, SECTION_DATA, &section);
    qd_buf_deinit(&section);
    qd_buf_deinit(&body);
}
