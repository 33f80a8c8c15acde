/* SPDX-License-Identifier: Apache-2.0 */
#include "base/value.h"

#include <math.h>

#include "cmocka_qd.h"

static qd_value of_i64(int64_t i)
{
    return (qd_value){QD_I64, {.i = i}};
}

static qd_value of_f64(double f)
{
    return (qd_value){QD_F64, {.f = f}};
}

static void test_types__names_both_ways(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"bool", "i64", "f64", "string", "i32", "f32"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        qd_type t = QD_NULL;
        assert_true(qd_type_parse(qd_str_of(NAMES[i]), &t));
        assert_string_equal(qd_type_name(t), NAMES[i]);
    }
    qd_type t = QD_F32;
    assert_false(qd_type_parse(QD_STR("null"), &t));
    assert_false(qd_type_parse(QD_STR("int"), &t));
    assert_false(qd_type_parse(QD_STR(""), &t));
    assert_int_equal(t, QD_F32);
    assert_string_equal(qd_type_name(QD_NULL), "null");
    assert_string_equal(qd_type_name((qd_type)99), "unknown");
}

static void test_to_i64__truncates_and_must_fit(void **state)
{
    (void)state;
    int64_t i = 77;
    assert_true(qd_value_to_i64(of_i64(-5), &i) && i == -5);
    assert_true(qd_value_to_i64(of_f64(2.9), &i) && i == 2);
    assert_true(qd_value_to_i64(of_f64(-2.9), &i) && i == -2);
    assert_true(qd_value_to_i64(of_f64(-0x1p63), &i) && i == INT64_MIN);
    i = 77;
    assert_false(qd_value_to_i64(of_f64(0x1p63), &i));
    assert_false(qd_value_to_i64(of_f64(NAN), &i));
    assert_false(qd_value_to_i64(of_f64(-INFINITY), &i));
    assert_false(qd_value_to_i64((qd_value){QD_BOOL, {.b = true}}, &i));
    assert_false(qd_value_to_i64((qd_value){QD_STRING, {.s = QD_STR("5")}}, &i));
    assert_false(qd_value_to_i64((qd_value){.type = QD_NULL}, &i));
    assert_int_equal(i, 77);
}

static void test_to_f64_and_bool__never_cross(void **state)
{
    (void)state;
    double f = 77;
    assert_true(qd_value_to_f64(of_i64(3), &f) && f == 3.0);
    assert_true(qd_value_to_f64(of_f64(0.5), &f) && f == 0.5);
    assert_false(qd_value_to_f64((qd_value){QD_BOOL, {.b = true}}, &f));
    assert_false(qd_value_to_f64((qd_value){QD_STRING, {.s = QD_STR("5")}}, &f));
    bool b = false;
    assert_true(qd_value_to_bool((qd_value){QD_BOOL, {.b = true}}, &b) && b);
    assert_false(qd_value_to_bool(of_i64(0), &b));
    assert_true(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types__names_both_ways),
        cmocka_unit_test(test_to_i64__truncates_and_must_fit),
        cmocka_unit_test(test_to_f64_and_bool__never_cross),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
