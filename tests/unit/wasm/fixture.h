/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the wasm room share: one engine, functions from WAT, and a block of documents.
 *
 * Row r of the block has price (f64 column; 1.5 r, missing where r % 7 == 3), stock (i64 column; 10 r), flag (bool
 * column; r odd), name (string; "doc<r>"), extra (i64 without a column; 1000 + r), huge (f64 column; 1e300), _id
 * "id<r>". */
#ifndef QD_TEST_WASM_FIXTURE_H
#define QD_TEST_WASM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wasm/program.h"

#define ALL_PERMISSIONS (QD_PERM_READ_DOCUMENT | QD_PERM_READ_SCORE | QD_PERM_LOG | QD_PERM_RANDOM | QD_PERM_CLOCK)

static const qd_wasm_module_options no_permissions = {0}, all_permissions = {.permissions = ALL_PERMISSIONS};

typedef struct fixture {
    qd_wasm_engine *engine;
    qd_wasm_module *module;
    qd_wasm_program *program;
    qd_instance *instance;
    qd_doc_source docs;
    qd_call call;
    float scores[QD_BLOCK_DOCS];
    volatile bool canceled;
    bool is_joined; /* modules are compiled for `entry` from the next on */
    qd_wasm_entry entry;
    bool has_a_slot_per_name; /* unknown names are fields of their own, by their length */
    qd_run_failure failure;
    qd_error err;
    /* What happened. */
    unsigned n_values, n_blocks, n_logs;
    size_t log_bytes;
    int last_level;
    char last_log[256];
} fixture;

/* cmocka's group setup: one engine for all tests of a program; `*state` is a fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Frees instance, program and module, and sets everything back; before and after each test. */
int fixture_reset(void **state);

/* Text to a module with permissions; the status, and the error in f->err. */
qd_status fixture_compile(fixture *f, const char *wat, uint32_t permissions);
/* The program of export "f" of what was compiled; limits may be NULL. */
qd_status fixture_program(fixture *f, qd_wasm_shape shape, const qd_wasm_limits *limits, const char *name);
/* The same, then the program of export "f" and an instance of it; limits may be NULL. With QD_TEST_JOINED in the
 * environment, the module is compiled for just that use. */
qd_status fixture_load(fixture *f, const char *wat, qd_wasm_shape shape, uint64_t varying,
                       const qd_wasm_limits *limits);
/* Loads a row function and asserts that it worked. */
void fixture_row(fixture *f, const char *wat);
qd_status fixture_run(fixture *f, uint32_t n);
void assert_message_has(const fixture *f, const char *part);

#endif
