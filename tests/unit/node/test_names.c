/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_qd.h"

#include "node/names.h"

static void test_check__good_names__pass(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"a", "logs-2026.11.21", ".hidden", "with_underscore", "ünïcode", "a+b"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        qd_error err = QD_ERROR_INIT;
        assert_status_ok(qd_index_name_check(qd_str_of(GOOD[i]), &err), &err);
    }
}

static void test_check__bad_names__say_what_is_wrong(void **state)
{
    (void)state;
    static const struct { const char *name, *message; } CASES[] = {
        {"", "Invalid index name [], must not be empty"},
        {"Logs", "Invalid index name [Logs], must be lowercase"},
        {"a b", "Invalid index name [a b], must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]"},
        {"a/b", "Invalid index name [a/b], must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]"},
        {"a#b", "Invalid index name [a#b], must not contain '#'"},
        {"a:b", "Invalid index name [a:b], must not contain ':'"},
        {"_x", "Invalid index name [_x], must not start with '_', '-', or '+'"},
        {"..", "Invalid index name [..], must not be '.' or '..'"},
        {"a\nb", "Invalid index name [a], must not contain control characters"},
        {"\xFF", "Invalid index name [], must be UTF-8"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        assert_failed_with(qd_index_name_check(qd_str_of(CASES[i].name), &err), &err, QD_EINDEX_NAME, CASES[i].message);
    }
    char longest[256];
    qd_error err = QD_ERROR_INIT;
    memset(longest, 'a', sizeof longest);
    assert_status_ok(qd_index_name_check((qd_str){longest, 255}, &err), &err);
    assert_int_equal(qd_index_name_check((qd_str){longest, 256}, &err), QD_EINDEX_NAME);
}

static void test_matches__stars_stand_for_anything(void **state)
{
    (void)state;
    static const struct { const char *pattern, *name; bool matches; } CASES[] = {
        {"*", "", true},          {"*", "abc", true},   {"logs-*", "logs-1", true}, {"logs-*", "logs", false},
        {"*-1", "logs-1", true},  {"a*c", "abbc", true}, {"a*c", "abcd", false},    {"a*b*c", "axbxbxc", true},
        {"abc", "abc", true},     {"abc", "abcd", false}, {"**", "x", true},        {"a*a", "a", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(qd_index_name_matches(qd_str_of(CASES[i].pattern), qd_str_of(CASES[i].name)),
                         CASES[i].matches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__good_names__pass),
        cmocka_unit_test(test_check__bad_names__say_what_is_wrong),
        cmocka_unit_test(test_matches__stars_stand_for_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
