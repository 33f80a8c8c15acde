/* SPDX-License-Identifier: Apache-2.0
 *
 * The stack of functions that an error tells: its order, its bounds, and names that a guest chose to do harm. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "wasm/engine.h"

#define TRAP "(module (func (export \"f\") (param i64) (result i32) unreachable))"

/* ---- name sections by hand ---- */

static void put_number(qd_buf *b, size_t v)
{
    for (; v >= 0x80; v >>= 7)
        qd_buf_add_char(b, (char)(v | 0x80));
    qd_buf_add_char(b, (char)v);
}

static void put_bytes(qd_buf *b, qd_str s)
{
    put_number(b, s.n);
    qd_buf_add_str(b, s);
}

static void put_subsection(qd_buf *b, char id, const qd_buf *content)
{
    qd_buf_add_char(b, id);
    put_bytes(b, qd_buf_str(content));
}

/* Appends a custom section "name" with a name for the module and one for function 0. */
static void add_names(qd_buf *module, qd_str of_module, qd_str of_function)
{
    qd_buf section, part;
    qd_buf_init(&section, 64 << 20);
    qd_buf_init(&part, 64 << 20);
    put_bytes(&section, QD_STR("name"));
    put_bytes(&part, of_module);
    put_subsection(&section, 0, &part);
    qd_buf_deinit(&part);
    qd_buf_init(&part, 64 << 20);
    put_number(&part, 1); /* names */
    put_number(&part, 0); /* of function 0 */
    put_bytes(&part, of_function);
    put_subsection(&section, 1, &part);
    qd_buf_add_char(module, 0);
    put_bytes(module, qd_buf_str(&section));
    assert_false(module->failed || section.failed || part.failed);
    qd_buf_deinit(&part);
    qd_buf_deinit(&section);
}

/* Runs a function that traps at once, of a module with these names. */
static void trap_named(fixture *f, qd_str of_module, qd_str of_function)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    qd_buf module;
    const qd_wasm_module_options options = {0};
    assert_int_equal(qd_wasm_from_wat(QD_STR(TRAP), &bytes, &n, &f->err), QD_OK);
    qd_buf_init(&module, 64 << 20);
    qd_buf_add(&module, bytes, n);
    free(bytes);
    add_names(&module, of_module, of_function);
    if (qd_wasm_module_new(f->engine, (const uint8_t *)module.p, module.n, &options, &f->module, &f->err) ||
        fixture_program(f, QD_SHAPE_ROW, NULL, "test@1.0.0") ||
        qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err))
        fail_msg("%s", f->err.message);
    qd_buf_deinit(&module);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
}

/* ---- what a stack looks like ---- */

static size_t count_lines(const char *stack)
{
    size_t n = *stack != 0;
    for (; *stack; stack++)
        n += *stack == '\n';
    return n;
}

static void assert_printable(const char *stack)
{
    for (; *stack; stack++)
        assert_true(*stack == '\n' || (*stack >= 0x20 && *stack < 0x7f));
}

static void test_stack__innermost_first__without_the_driver(void **state)
{
    fixture *f = *state;
    fixture_row(f, "(module (func $inner (param i64) unreachable)"
                   " (func $outer (export \"f\") (param i64) (result i32) (call $inner (local.get 0)) (i32.const 1)))");
    assert_int_equal(fixture_run(f, 3), QD_EUDF_FAILED);
    unsigned at_inner = 0, at_outer = 0;
    int end = 0;
    assert_int_equal(
        sscanf(f->err.stack, "inner (func 0, offset 0x%x)\nouter (func 1, offset 0x%x)%n", &at_inner, &at_outer, &end),
        2);
    assert_int_equal(f->err.stack[end], 0);
    assert_true(end > 0 && at_inner > 0 && at_outer > at_inner); /* as they lie in the module */
    char sentence[128];
    snprintf(sentence, sizeof sentence, "trap: unreachable executed at inner (func 0, offset 0x%x), called by outer",
             at_inner);
    assert_message_has(f, sentence);
}

static void test_stack__no_guest_ran__is_empty(void **state)
{
    fixture *f = *state;
    fixture_row(f, TRAP);
    strcpy(f->err.stack, "of another error");
    f->call.deadline_ns = 1;
    assert_int_equal(fixture_run(f, 1), QD_EUDF_TIMEOUT);
    assert_message_has(f, "the query's deadline passed before the function ran");
    assert_string_equal(f->err.stack, "");
}

static void test_stack__stopped_function__says_where(void **state)
{
    fixture *f = *state;
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.call_ms = 5;
    assert_int_equal(fixture_load(f,
                                  "(module (func $spin (export \"f\") (param i64) (result i32)"
                                  " (loop $l (br $l)) (i32.const 1)))",
                                  QD_SHAPE_ROW, 0, &limits),
                     QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_TIMEOUT);
    assert_int_equal(strncmp(f->err.stack, "spin (func 0, offset 0x", 23), 0);
    assert_int_equal(count_lines(f->err.stack), 1);
}

static void test_stack__endless_recursion__sixteen_frames(void **state)
{
    fixture *f = *state;
    fixture_row(f, "(module (func $r (export \"f\") (param i64) (result i32) (call $r (local.get 0))))");
    assert_int_equal(fixture_run(f, 1), QD_EUDF_MEMORY);
    assert_int_equal(count_lines(f->err.stack), QD_ERROR_STACK_FRAMES);
    for (const char *line = f->err.stack; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        assert_int_equal(strncmp(line, "r (func 0, offset 0x", 20), 0);
    assert_message_has(f, ", called by r (func 0, offset 0x");
    assert_message_has(f, ", …");
}

/* Sixteen frames whose names alone would fill the room many times over. */
static void test_stack__sixteen_long_names__each_frame_is_there(void **state)
{
    fixture *f = *state;
    char wat[16384], name[201];
    size_t n = (size_t)snprintf(wat, sizeof wat, "(module ");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (int k = 0; k < 19; k++)
        n += (size_t)snprintf(wat + n, sizeof wat - n,
                              "(func $%s%02d (param i64) (result i32) (call $%s%02d (local.get 0)))", name, k, name,
                              k + 1);
    snprintf(wat + n, sizeof wat - n,
             "(func $%s19 (param i64) (result i32) unreachable)"
             "(func (export \"f\") (param i64) (result i32) (call $%s00 (local.get 0))))",
             name, name);
    fixture_row(f, wat);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
    assert_int_equal(count_lines(f->err.stack), QD_ERROR_STACK_FRAMES);
    int k = 19;
    for (const char *line = f->err.stack; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL, k--) {
        char place[32];
        size_t length = strcspn(line, "\n");
        snprintf(place, sizeof place, " (func %d, offset 0x", k);
        const char *at = memmem(line, length, place, strlen(place));
        assert_true(at && at - line >= 32 && at - line <= 64 && line[length - 1] == ')');
    }
    assert_true(strlen(f->err.stack) < QD_ERROR_STACK_BYTES);
}

/* ---- names that do harm ---- */

static void test_names__control_characters__are_replaced(void **state)
{
    fixture *f = *state;
    trap_named(f, QD_STR("m"), QD_STR("a\n\x1b[31m\"b\0c"));
    assert_printable(f->err.stack);
    assert_int_equal(count_lines(f->err.stack), 1);
    assert_int_equal(strncmp(f->err.stack, "a??[31m\"b?c (func 0, offset 0x", 30), 0);
    assert_message_has(f, "trap: unreachable executed at a??[31m\"b?c (func 0, offset 0x");
}

/* What is no UTF-8 is no name section: the function has lost its name, but for that of the export. */
static void test_names__no_utf8__the_exports_name_stands(void **state)
{
    fixture *f = *state;
    trap_named(f, QD_STR("m"), QD_STR("\xff\xfe\xc0\x80"));
    assert_printable(f->err.stack);
    assert_int_equal(strncmp(f->err.stack, "f (func 0, offset 0x", 20), 0);
    assert_int_equal(qd_instance_run(f->instance, 1, NULL, &f->err), QD_EINTERNAL);
    assert_string_equal(f->err.stack, "");
}

static void test_names__a_megabyte__is_cut_or_left_out(void **state)
{
    fixture *f = *state;
    static const size_t SIZES[] = {65, 99999, 1u << 20};
    char *name = malloc(1u << 20);
    memset(name, 'n', 1u << 20);
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        trap_named(f, (qd_str){name, SIZES[i]}, (qd_str){name, SIZES[i]});
        assert_printable(f->err.stack);
        size_t shown = strspn(f->err.stack, "n");
        /* A longer name than the format allows is none. */
        assert_int_equal(shown, SIZES[i] < 100000 ? 64 : 0);
        assert_int_equal(strncmp(f->err.stack + shown, shown ? " (func 0, offset 0x" : "f (func 0, offset 0x", 19), 0);
        assert_int_equal(count_lines(f->err.stack), 1);
        fixture_reset(state);
    }
    free(name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stack__innermost_first__without_the_driver),
        TEST(test_stack__no_guest_ran__is_empty),
        TEST(test_stack__stopped_function__says_where),
        TEST(test_stack__endless_recursion__sixteen_frames),
        TEST(test_stack__sixteen_long_names__each_frame_is_there),
        TEST(test_names__control_characters__are_replaced),
        TEST(test_names__no_utf8__the_exports_name_stands),
        TEST(test_names__a_megabyte__is_cut_or_left_out),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
