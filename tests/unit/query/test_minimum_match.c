/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_qd.h"
#include "query/minimum_match.h"

static void test_minimum_match__specifications__as_opensearch_reckons(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        size_t optional, expected;
    } CASES[] = {
        {"2", 3, 2},
        {"0", 3, 0},
        {"5", 3, 5},
        {"-1", 3, 2},
        {"-5", 3, 0},
        {"75%", 4, 3},
        {"75%", 3, 2},
        {"-25%", 4, 3},
        {"-25%", 3, 3},
        {"100%", 3, 3},
        {"0%", 3, 0},
        {"2<75%", 2, 2},
        {"2<75%", 4, 3},
        {"3<-25%", 3, 3},
        {"2<-25% 9<-3", 2, 2},
        {"2<-25% 9<-3", 4, 3},
        {"2<-25% 9<-3", 12, 9},
        {" 2 ", 3, 2},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t got = 99;
        assert_true(qd_minimum_match(qd_str_of(CASES[i].spec), CASES[i].optional, &got));
        if (got != CASES[i].expected)
            fail_msg("%s of %zu: expected %zu, got %zu", CASES[i].spec, CASES[i].optional, CASES[i].expected, got);
    }
}

static void test_minimum_match__malformed__is_refused(void **state)
{
    (void)state;
    static const char *const SPECS[] = {"", "x", "%", "2%%", "1.5", "2<", "<2", "2<x", "99999999999", "3 4"};
    for (size_t i = 0; i < sizeof SPECS / sizeof *SPECS; i++) {
        size_t got;
        if (qd_minimum_match(qd_str_of(SPECS[i]), 3, &got))
            fail_msg("'%s' was taken", SPECS[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimum_match__specifications__as_opensearch_reckons),
        cmocka_unit_test(test_minimum_match__malformed__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
