/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_qd.h"
#include "udf/semver.h"

static void test_parse__versions_of_the_specification__are_accepted(void **state)
{
    (void)state;
    /* From the specification's own list of valid versions (semver.org, the linked regular expression's test). */
    static const char *const GOOD[] = {
        "0.0.4",
        "1.2.3",
        "10.20.30",
        "1.1.2-prerelease+meta",
        "1.1.2+meta",
        "1.1.2+meta-valid",
        "1.0.0-alpha",
        "1.0.0-beta",
        "1.0.0-alpha.beta",
        "1.0.0-alpha.beta.1",
        "1.0.0-alpha.1",
        "1.0.0-alpha0.valid",
        "1.0.0-alpha.0valid",
        "1.0.0-rc.1+build.1",
        "2.0.0-rc.1+build.123",
        "1.2.3-beta",
        "10.2.3-DEV-SNAPSHOT",
        "1.2.3-SNAPSHOT-123",
        "2.0.0+build.1848",
        "2.0.1-alpha.1227",
        "1.0.0-alpha+beta",
        "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
        "1.2.3----R-S.12.9.1--.12+meta",
        "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
        "18446744073709551615.0.0",
        "1.0.0-0A.is.legal",
        "1.0.0-99999999999999999999999",
    };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        qd_semver v;
        if (!qd_semver_parse(qd_str_of(GOOD[i]), &v))
            fail_msg("'%s' was refused", GOOD[i]);
    }
}

static void test_parse__everything_else__is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "1",
        "1.2",
        "1.2.3-0123",
        "1.2.3-0123.0123",
        "1.1.2+.123",
        "+invalid",
        "-invalid",
        "alpha",
        "alpha.beta",
        "1.0.0-alpha_beta",
        "1.0.0-alpha..",
        "1.0.0-alpha..1",
        "01.1.1",
        "1.01.1",
        "1.1.01",
        "1.2.3.DEV",
        "1.2-SNAPSHOT",
        "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
        "1.2-RC-SNAPSHOT",
        "-1.0.3-gamma+b7718",
        "+justmeta",
        "9.8.7+meta+meta",
        "9.8.7-whatever+meta+meta",
        "1.0.0-",
        "1.0.0+",
        "1.0.0-+b",
        " 1.0.0",
        "1.0.0 ",
        "v1.0.0",
        "18446744073709551616.0.0",
        "1.0.0-\xc3\xa9",
        "1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        qd_semver v;
        if (qd_semver_parse(qd_str_of(BAD[i]), &v))
            fail_msg("'%s' was accepted", BAD[i]);
    }
    assert_false(qd_semver_parse((qd_str){"1.0.0\0", 6}, &(qd_semver){0}));
}

static void test_cmp__precedence_of_the_specification__holds(void **state)
{
    (void)state;
    /* Ascending; chapter 11's examples and the cases around them. */
    static const char *const ORDER[] = {
        "0.9.9",      "1.0.0-0",      "1.0.0-2",       "1.0.0-10",      "1.0.0-99999999999999999999999",
        "1.0.0--",    "1.0.0-A",      "1.0.0-alpha",   "1.0.0-alpha.1", "1.0.0-alpha.beta",
        "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",    "1.0.0",
        "1.9.0",      "1.10.0",       "1.11.0",        "2.0.0",         "2.1.0",
        "2.1.1",      "10.0.0",
    };
    size_t n = sizeof ORDER / sizeof *ORDER;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            qd_semver a, b;
            assert_true(qd_semver_parse(qd_str_of(ORDER[i]), &a));
            assert_true(qd_semver_parse(qd_str_of(ORDER[k]), &b));
            if (qd_semver_cmp(&a, &b) != (i < k ? -1 : i > k))
                fail_msg("'%s' against '%s'", ORDER[i], ORDER[k]);
        }
    }
}

static void test_cmp__build_metadata__is_ignored(void **state)
{
    (void)state;
    qd_semver a, b;
    assert_true(qd_semver_parse(QD_STR("1.0.0+one"), &a));
    assert_true(qd_semver_parse(QD_STR("1.0.0+two.3"), &b));
    assert_int_equal(qd_semver_cmp(&a, &b), 0);
    assert_str_equal(b.build, "two.3");
    assert_int_equal(b.pre.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__versions_of_the_specification__are_accepted),
        cmocka_unit_test(test_parse__everything_else__is_refused),
        cmocka_unit_test(test_cmp__precedence_of_the_specification__holds),
        cmocka_unit_test(test_cmp__build_metadata__is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
