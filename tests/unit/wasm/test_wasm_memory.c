/* SPDX-License-Identifier: Apache-2.0
 *
 * What is counted of the memory of instances: by the module, by the engine, while they are at work. */
#include "fixture.h"

#include <stdlib.h>

#define KIB(n) ((uint64_t)(n) << 10)

/* Its memory grows by as many pages as the argument says. */
#define GROWING(name)                                                                                                  \
    "(module (memory " name " 2)"                                                                                      \
    " (func (export \"f\") (param i32) (result i32) (memory.grow (local.get 0))))"

static uint64_t linear_of(qd_wasm_module *m)
{
    qd_wasm_status s;
    qd_wasm_module_read_status(m, &s);
    return s.linear_bytes;
}

static qd_wasm_counters counters(const fixture *f)
{
    qd_wasm_counters c;
    qd_wasm_engine_read_counters(f->engine, &c);
    return c;
}

static void grow(fixture *f, qd_instance *i, int32_t pages)
{
    *(int32_t *)qd_instance_column(i, 0) = pages;
    assert_int_equal(qd_instance_run(i, 1, NULL, &f->err), QD_OK);
}

static void test_linear__grows_with_the_guests__and_goes_with_them(void **state)
{
    fixture *f = *state;
    qd_instance *second = NULL;
    uint64_t columns = counters(f).column_bytes;
    assert_int_equal(counters(f).linear_bytes, 0);
    assert_int_equal(fixture_load(f, GROWING("(export \"memory\")"), QD_SHAPE_TYPED, 1, NULL), QD_OK);
    assert_int_equal(linear_of(f->module), KIB(128));
    assert_int_equal(qd_instance_linear_bytes(f->instance), KIB(128));
    grow(f, f->instance, 3);
    assert_int_equal(linear_of(f->module), KIB(320));
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &second, &f->err), QD_OK);
    assert_int_equal(linear_of(f->module), KIB(320 + 128));
    assert_int_equal(counters(f).linear_bytes, KIB(320 + 128));
    uint64_t each = (counters(f).column_bytes - columns) / 2;
    assert_true(each > 0 && each % KIB(64) == 0);
    grow(f, second, 1);
    assert_int_equal(linear_of(f->module), KIB(320 + 192));
    qd_instance_release(QD_TAKE(f->instance));
    assert_int_equal(linear_of(f->module), KIB(192));
    qd_instance_release(second);
    assert_int_equal(linear_of(f->module), 0);
    assert_int_equal(counters(f).linear_bytes, 0);
    assert_int_equal(counters(f).column_bytes, columns);
}

static void test_linear__memory_without_export__counts_too(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f, GROWING(""), QD_SHAPE_TYPED, 1, NULL), QD_OK);
    assert_int_equal(linear_of(f->module), KIB(128));
    grow(f, f->instance, 3);
    assert_int_equal(linear_of(f->module), KIB(320));
    grow(f, f->instance, 1000); /* refused by its limit: nothing is taken */
    assert_int_equal(linear_of(f->module), KIB(320));
}

static void test_linear__a_guest_that_traps__leaves_nothing_counted(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  "(module (memory (export \"memory\") 1) (func (export \"f\") (param i32) (result i32)"
                                  " (drop (memory.grow (i32.const 4))) unreachable))",
                                  QD_SHAPE_TYPED, 1, NULL),
                     QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
    assert_int_equal(linear_of(f->module), KIB(320));
    qd_instance_release(QD_TAKE(f->instance));
    assert_int_equal(linear_of(f->module), 0);
    fixture_reset(state);
    /* One that is not even made. */
    assert_int_equal(fixture_load(f,
                                  "(module (memory (export \"memory\") 1) (func $s unreachable) (start $s)"
                                  " (func (export \"f\") (param i32) (result i32) (i32.const 1)))",
                                  QD_SHAPE_TYPED, 1, NULL),
                     QD_EUDF_FAILED);
    assert_int_equal(linear_of(f->module), 0);
    assert_int_equal(counters(f).linear_bytes, 0);
}

/* Kept for reuse: no memory of its own, but its columns stay. */
static void test_columns__of_idle_instances__stay_until_the_program_goes(void **state)
{
    fixture *f = *state;
    uint64_t before = counters(f).column_bytes;
    assert_int_equal(fixture_load(f, "(module (func (export \"f\") (param i32) (result i32) (local.get 0)))",
                                  QD_SHAPE_TYPED, 1, NULL),
                     QD_OK);
    uint64_t at_work = counters(f).column_bytes;
    assert_true(at_work > before);
    qd_instance_release(QD_TAKE(f->instance));
    assert_int_equal(counters(f).idle_instances, 1);
    assert_int_equal(counters(f).column_bytes, at_work);
    fixture_reset(state);
    assert_int_equal(counters(f).column_bytes, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_linear__grows_with_the_guests__and_goes_with_them),
        TEST(test_linear__memory_without_export__counts_too),
        TEST(test_linear__a_guest_that_traps__leaves_nothing_counted),
        TEST(test_columns__of_idle_instances__stay_until_the_program_goes),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
