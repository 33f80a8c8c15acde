/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdlib.h>

#include "cmocka_qd.h"

static void test_compare__bytes_then_length(void **state)
{
    (void)state;
    assert_int_equal(qd_str_cmp(QD_STR("a"), QD_STR("b")), -1);
    assert_int_equal(qd_str_cmp(QD_STR("b"), QD_STR("a")), 1);
    assert_int_equal(qd_str_cmp(QD_STR("a"), QD_STR("ab")), -1);
    assert_int_equal(qd_str_cmp(QD_STR("ab"), QD_STR("a")), 1);
    assert_int_equal(qd_str_cmp(QD_STR("\xC3"), QD_STR("a")), 1);
    assert_int_equal(qd_str_cmp((qd_str){NULL, 0}, QD_STR("")), 0);
}

static void test_is_and_starts__empty_views__are_safe(void **state)
{
    (void)state;
    qd_str none = {NULL, 0};
    assert_true(qd_str_is(none, ""));
    assert_false(qd_str_is(none, "a"));
    assert_true(qd_str_starts(none, ""));
    assert_true(qd_str_starts(QD_STR("index"), "in"));
    assert_false(qd_str_starts(QD_STR("i"), "in"));
    assert_true(qd_str_eq(qd_str_of(NULL), none));
}

static void test_dup__copies_bytes_and_terminates(void **state)
{
    (void)state;
    char *copy = qd_str_dup((qd_str){"abcdef", 3});
    assert_string_equal(copy, "abc");
    free(copy);
    copy = qd_str_dup((qd_str){NULL, 0});
    assert_string_equal(copy, "");
    free(copy);
}

static void test_utf8__well_formed__is_accepted(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"",
                                       "plain ASCII that is longer than eight",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "12345678\xC3\xA9 and then some"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        assert_true(qd_str_is_utf8(qd_str_of(GOOD[i])));
}

static void test_utf8__malformed__is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x80\x80",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xE2\x82",
                                      "\xF0\x80\x80\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "12345678\xFF",
                                      "1234567\xC3",
                                      "\xF0\x9F\xA6"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(qd_str_is_utf8(qd_str_of(BAD[i])));
}

static void test_to_i64__whole_range__and_nothing_else(void **state)
{
    (void)state;
    int64_t v = 77;
    assert_true(qd_str_to_i64(QD_STR("-9223372036854775808"), &v));
    assert_true(v == INT64_MIN);
    assert_true(qd_str_to_i64(QD_STR("9223372036854775807"), &v));
    assert_true(v == INT64_MAX);
    assert_true(qd_str_to_i64(QD_STR("+5"), &v) && v == 5);
    assert_true(qd_str_to_i64(QD_STR("-0"), &v) && v == 0);
    static const char *const BAD[] = {"",
                                      "-",
                                      "+",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999",
                                      "1e3",
                                      "--1"};
    v = 77;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(qd_str_to_i64(qd_str_of(BAD[i]), &v));
    assert_int_equal(v, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare__bytes_then_length),
        cmocka_unit_test(test_is_and_starts__empty_views__are_safe),
        cmocka_unit_test(test_dup__copies_bytes_and_terminates),
        cmocka_unit_test(test_utf8__well_formed__is_accepted),
        cmocka_unit_test(test_utf8__malformed__is_refused),
        cmocka_unit_test(test_to_i64__whole_range__and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
