/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of wasm_random.h: wasm_random.c has the sections, wasm_random_code.c what is in functions. */
#ifndef QD_TESTS_WASM_RANDOM_IMPL_H
#define QD_TESTS_WASM_RANDOM_IMPL_H

#include "wasm/code.h"

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

/* What a module by handle imports, in its order. */
typedef struct random_import {
    const char *name;
    signature signature;
} random_import;
#define N_IMPORTS 6
extern const random_import random_imports[N_IMPORTS];

/* The next choice of n. */
uint32_t random_pick(generator *g, uint32_t n);
void random_write_type(qd_buf *b, uint8_t type);
/* These write to g->b. An expression leaves a value of the type; statements leave nothing. */
void random_write_const(generator *g, uint8_t type);
void random_write_conversion(generator *g, uint8_t from, uint8_t to);
void random_write_fuel(generator *g);
void random_expression(generator *g, uint8_t type, int nesting);
void random_statements(generator *g, int nesting);

#endif
