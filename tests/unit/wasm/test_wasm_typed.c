/* SPDX-License-Identifier: Apache-2.0
 *
 * The typed shape: columns, constants, every number type, through the drivers. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>

#define SCORER                                                                                                         \
    "(module (func (export \"f\") (param f64 f64 f64) (result f64)"                                                    \
    " (f64.mul (local.get 0) (f64.add (f64.const 1) (f64.mul (local.get 1) (local.get 2))))))"

static void load(fixture *f, const char *wat, uint64_t varying)
{
    if (fixture_load(f, wat, QD_SHAPE_TYPED, varying, NULL))
        fail_msg("%s", f->err.message);
}

static void test_typed__columns_and_constant__computes_each_row(void **state)
{
    fixture *f = *state;
    load(f, SCORER, 3);
    double *a = qd_instance_column(f->instance, 0), *b = qd_instance_column(f->instance, 1);
    qd_instance_constant(f->instance, 2, (qd_value){.type = QD_F64, .as.f = 0.5});
    for (int i = 0; i < QD_BLOCK_DOCS; i++) {
        a[i] = i;
        b[i] = 2 * i;
    }
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
    const double *out = qd_instance_results(f->instance);
    for (int i = 0; i < QD_BLOCK_DOCS; i++)
        assert_true(out[i] == i * (1 + 2 * i * 0.5));
    assert_false(f->failure.is_set);
    assert_int_equal(qd_instance_host_calls(f->instance), 0);
}

static void test_typed__run_range__leaves_other_rows_alone(void **state)
{
    fixture *f = *state;
    load(f, "(module (func (export \"f\") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))", 1);
    int32_t *a = qd_instance_column(f->instance, 0);
    for (int i = 0; i < 10; i++)
        a[i] = i;
    assert_int_equal(qd_instance_run_range(f->instance, 0, 10, NULL, &f->err), QD_OK);
    for (int i = 0; i < 10; i++)
        a[i] = 100 * i;
    assert_int_equal(qd_instance_run_range(f->instance, 4, 6, NULL, &f->err), QD_OK);
    const int32_t *out = qd_instance_results(f->instance);
    const int32_t expected[10] = {1, 2, 3, 4, 401, 501, 7, 8, 9, 10};
    assert_memory_equal(out, expected, sizeof expected);
    assert_int_equal(qd_instance_run_range(f->instance, 6, 6, NULL, &f->err), QD_OK);
}

static void test_typed__ranges_of_all_lengths__call_each_row_once(void **state)
{
    fixture *f = *state;
    load(f, "(module (func (export \"f\") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))", 1);
    int32_t *a = qd_instance_column(f->instance, 0), *out = (int32_t *)(uintptr_t)qd_instance_results(f->instance);
    for (uint32_t first = 0; first < 20; first++) {
        for (uint32_t end = first; end < 40; end++) {
            for (uint32_t i = 0; i < 40; i++) {
                a[i] = (int32_t)i;
                out[i] = -1;
            }
            assert_int_equal(qd_instance_run_range(f->instance, first, end, NULL, &f->err), QD_OK);
            for (uint32_t i = 0; i < 40; i++)
                assert_int_equal(out[i], i >= first && i < end ? (int32_t)i + 1 : -1);
        }
    }
}

static void test_typed__mixed_widths__each_argument_is_its_own(void **state)
{
    fixture *f = *state;
    load(f,
         "(module (func (export \"f\") (param i32 i64 f32 f64 i32) (result i64)"
         " (i64.add (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1))"
         "  (i64.add (i64.add (i64.trunc_f32_s (local.get 2)) (i64.trunc_f64_s (local.get 3))) (i64.extend_i32_s "
         "(local.get 4))))))",
         15);
    int32_t *a = qd_instance_column(f->instance, 0);
    int64_t *b = qd_instance_column(f->instance, 1);
    float *c = qd_instance_column(f->instance, 2);
    double *d = qd_instance_column(f->instance, 3);
    qd_instance_constant(f->instance, 4, (qd_value){.type = QD_BOOL, .as.b = true});
    for (int i = 0; i < QD_BLOCK_DOCS; i++) {
        a[i] = -i;
        b[i] = ((int64_t)i) << 33;
        c[i] = (float)i;
        d[i] = 3 * i;
    }
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
    const int64_t *out = qd_instance_results(f->instance);
    for (int i = 0; i < QD_BLOCK_DOCS; i++)
        assert_true(out[i] == (((int64_t)i) << 33) + 3 * i + 1);
}

static void test_typed__f32_result_and_no_arguments__works(void **state)
{
    fixture *f = *state;
    load(f, "(module (func (export \"f\") (result f32) (f32.const 1.25)))", 0);
    assert_int_equal(fixture_run(f, 3), QD_OK);
    assert_true(((const float *)qd_instance_results(f->instance))[2] == 1.25f);
}

static void test_typed__64_arguments__all_arrive(void **state)
{
    fixture *f = *state;
    char wat[4096] = "(module (func (export \"f\") (param";
    for (int i = 0; i < 64; i++)
        strcat(wat, " f64");
    strcat(wat, ") (result f64) (local.get 0)");
    for (int i = 1; i < 64; i++)
        sprintf(wat + strlen(wat), " (f64.add (local.get %d))", i);
    strcat(wat, "))");
    load(f, wat, 0x5555555555555555u);
    for (uint32_t k = 0; k < 64; k++) {
        double *column = qd_instance_column(f->instance, k);
        if (k % 2)
            qd_instance_constant(f->instance, k, (qd_value){.type = QD_I64, .as.i = k});
        else
            for (int i = 0; i < QD_BLOCK_DOCS; i++)
                column[i] = k + 64.0 * i;
    }
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
    const double *out = qd_instance_results(f->instance);
    for (int i = 0; i < QD_BLOCK_DOCS; i++)
        assert_true(out[i] == 63 * 32 + 32 * 64.0 * i);
}

static void test_typed__constants__are_cut_to_the_type(void **state)
{
    fixture *f = *state;
    load(f,
         "(module (func (export \"f\") (param i32 f64) (result f64) (f64.add (f64.convert_i32_s (local.get 0)) "
         "(local.get 1))))",
         0);
    static const struct {
        qd_value v;
        double expected;
    } cases[] = {{{.type = QD_I64, .as.i = INT64_MAX}, INT32_MAX},
                 {{.type = QD_I64, .as.i = INT64_MIN}, INT32_MIN},
                 {{.type = QD_F64, .as.f = 1e300}, INT32_MAX},
                 {{.type = QD_F64, .as.f = -2.9}, -2},
                 {{.type = QD_BOOL, .as.b = true}, 1},
                 {{.type = QD_F64, .as.f = NAN}, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qd_instance_constant(f->instance, 0, cases[i].v);
        assert_int_equal(fixture_run(f, 1), QD_OK);
        assert_true(*(const double *)qd_instance_results(f->instance) == cases[i].expected);
    }
}

static void test_typed__stateless_function__is_reused_with_clean_constants(void **state)
{
    fixture *f = *state;
    load(f, SCORER, 1);
    qd_instance *first = f->instance;
    qd_instance_constant(f->instance, 1, (qd_value){.type = QD_F64, .as.f = 9});
    qd_instance_constant(f->instance, 2, (qd_value){.type = QD_F64, .as.f = 9});
    qd_instance_release(f->instance);
    assert_int_equal(qd_instance_acquire(f->program, 3, &f->call, &f->instance, &f->err), QD_OK);
    assert_ptr_not_equal(f->instance, first); /* other arguments vary: another driver */
    qd_instance_release(f->instance);
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &f->instance, &f->err), QD_OK);
    assert_ptr_equal(f->instance, first);
    *(double *)qd_instance_column(f->instance, 0) = 7;
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_true(*(const double *)qd_instance_results(f->instance) == 7);
}

static void test_typed__memory_and_globals__are_fresh_in_each_instance(void **state)
{
    fixture *f = *state;
    load(f,
         "(module (memory (export \"memory\") 1) (global $g (mut i32) (i32.const 0)) (table $t 4 funcref) (data "
         "(i32.const 8) \"\\05\")"
         " (func (export \"f\") (param i32) (result i32)"
         "  (global.set $g (i32.add (global.get $g) (local.get 0)))"
         "  (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get 0)))"
         "  (drop (memory.grow (i32.const 1)))"
         "  (i32.add (i32.add (global.get $g) (i32.load (i32.const 8))) (i32.mul (i32.const 1000) (memory.size)))))",
         0);
    for (int round = 0; round < 3; round++) {
        qd_instance_constant(f->instance, 0, (qd_value){.type = QD_I64, .as.i = 3});
        assert_int_equal(fixture_run(f, 2), QD_OK);
        const int32_t *out = qd_instance_results(f->instance);
        assert_int_equal(out[0], 2000 + 3 + 8);
        assert_int_equal(out[1], 3000 + 6 + 11);
        qd_instance_release(f->instance);
        assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    }
}

static void test_typed__trap_in_row_k__reports_k_and_keeps_results_before(void **state)
{
    fixture *f = *state;
    load(f,
         "(module (func $inner (param i32) (result i32) (i32.div_s (i32.const 100) (local.get 0)))"
         " (func $outer (export \"f\") (param i32) (result i32) (call $inner (local.get 0))))",
         1);
    int32_t *a = qd_instance_column(f->instance, 0);
    for (int i = 0; i < 100; i++)
        a[i] = i == 57 ? 0 : 1 + i % 50;
    assert_int_equal(fixture_run(f, 100), QD_EUDF_FAILED);
    assert_true(f->failure.is_set);
    assert_int_equal(f->failure.row, 57);
    assert_message_has(f, "trap: integer divide by zero at inner (func 0, offset 0x");
    assert_message_has(f, ", called by outer (func 1, offset 0x");
    assert_null(strstr(f->err.message, "called by func")); /* the driver */
    const int32_t *out = qd_instance_results(f->instance);
    for (int i = 0; i < 57; i++)
        assert_int_equal(out[i], 100 / a[i]);
    assert_int_equal(fixture_run(f, 1), QD_EINTERNAL); /* it may only be released */
    /* A fresh one goes on behind the row. */
    qd_instance_release(f->instance);
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &f->instance, &f->err), QD_OK);
    a = qd_instance_column(f->instance, 0);
    a[58] = 50;
    assert_int_equal(qd_instance_run_range(f->instance, 58, 59, &f->failure, &f->err), QD_OK);
    assert_int_equal(((const int32_t *)qd_instance_results(f->instance))[58], 2);
}

static void test_typed__block_too_long__is_refused(void **state)
{
    fixture *f = *state;
    load(f, SCORER, 1);
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS + 1), QD_EINTERNAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_typed__columns_and_constant__computes_each_row),
        TEST(test_typed__run_range__leaves_other_rows_alone),
        TEST(test_typed__ranges_of_all_lengths__call_each_row_once),
        TEST(test_typed__mixed_widths__each_argument_is_its_own),
        TEST(test_typed__f32_result_and_no_arguments__works),
        TEST(test_typed__64_arguments__all_arrive),
        TEST(test_typed__constants__are_cut_to_the_type),
        TEST(test_typed__stateless_function__is_reused_with_clean_constants),
        TEST(test_typed__memory_and_globals__are_fresh_in_each_instance),
        TEST(test_typed__trap_in_row_k__reports_k_and_keeps_results_before),
        TEST(test_typed__block_too_long__is_refused),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
