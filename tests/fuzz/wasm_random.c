/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm_random.h"

#include <string.h>

#include "wasm_random_impl.h"

#define MAX_BYTES ((size_t)1 << 20)

static void write_signature(qd_buf *b, const signature *s)
{
    qd_code_byte(b, 0x60);
    qd_code_u32(b, s->n_params);
    for (uint32_t i = 0; i < s->n_params; i++)
        random_write_type(b, s->params[i]);
    qd_code_u32(b, s->n_results);
    for (uint32_t i = 0; i < s->n_results; i++)
        random_write_type(b, s->results[i]);
}

static void choose_signatures(generator *g, bool by_handle)
{
    g->n_imports = by_handle ? N_IMPORTS : 0;
    g->n_functions = 1 + random_pick(g, MAX_FUNCTIONS);
    for (uint32_t f = 0; f < g->n_functions; f++) {
        signature *s = &g->functions[f];
        s->n_params = f == 0 && by_handle ? 1 : random_pick(g, 5);
        s->n_results = f == 0 ? 1 : random_pick(g, 3);
        for (uint32_t i = 0; i < 4; i++)
            s->params[i] = (uint8_t)random_pick(g, 4);
        for (uint32_t i = 0; i < 2; i++)
            s->results[i] = (uint8_t)random_pick(g, 4);
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
        write_signature(b, &random_imports[i].signature);
    for (uint32_t f = 0; f < g->n_functions; f++)
        write_signature(b, &g->functions[f]);
}

static void write_imports(generator *g, qd_buf *b)
{
    qd_code_u32(b, g->n_imports);
    for (uint32_t i = 0; i < g->n_imports; i++) {
        qd_code_name(b, "env");
        qd_code_name(b, random_imports[i].name);
        qd_code_byte(b, 0);
        qd_code_u32(b, N_BLOCK_TYPES + i);
    }
}

/* The fuel, and a variable of each type. */
static void write_globals(generator *g, qd_buf *b)
{
    qd_code_u32(b, 5);
    random_write_type(b, QD_WASM_I32);
    qd_code_byte(b, 1);
    qd_code_i32_const(b, FUEL);
    qd_code_byte(b, QD_OP_END);
    for (uint8_t type = 0; type < 4; type++) {
        random_write_type(b, type);
        qd_code_byte(b, 1);
        g->b = b;
        random_write_const(g, type);
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
        random_write_conversion(g, type == V128 ? QD_WASM_I32 : type, result);
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
        g->left = (int)(f == 0 ? 8 + random_pick(g, 40) : random_pick(g, 30));
        g->n_locals = g->own->n_params;
        memcpy(g->locals, g->own->params, sizeof g->own->params);
        uint32_t more = random_pick(g, MAX_LOCALS / 2);
        qd_code_u32(body, more);
        for (uint32_t i = 0; i < more; i++) {
            g->locals[g->n_locals] = (uint8_t)random_pick(g, 5);
            qd_code_u32(body, 1);
            random_write_type(body, g->locals[g->n_locals++]);
        }
        g->labels[0] = (label){g->own->n_results, {g->own->results[0], g->own->results[1]}};
        g->n_labels = 1;
        if (f > 0 || random_pick(g, 2))
            random_write_fuel(g);
        random_statements(g, 0);
        random_statements(g, 0);
        for (uint32_t i = 0; i < g->own->n_results; i++) {
            random_expression(g, g->own->results[i], 0);
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
