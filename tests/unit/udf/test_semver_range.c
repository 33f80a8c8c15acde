/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmocka_qd.h"
#include "udf/semver_range.h"

static const char *const VERSIONS[] = {
    "0.0.0",  "0.0.3",        "0.0.4",         "0.1.0", "0.2.3",        "0.2.9", "0.3.0",       "1.0.0-rc.1", "1.0.0",
    "1.2.0",  "1.2.3-beta.2", "1.2.3-beta.10", "1.2.3", "1.2.4-beta.2", "1.2.9", "1.3.0-alpha", "1.3.0",      "1.9.0",
    "1.10.0", "2.0.0-0",      "2.0.0-rc.1",    "2.0.0", "2.0.1",        "2.1.5", "3.0.0",       "10.0.0"};

/* Which of VERSIONS are in which range, as node-semver 7 says. */
static const struct {
    const char *range, *expected;
} RANGES[] = {
    {"1.2.3", "1.2.3"},
    {"=1.2.3", "1.2.3"},
    {"= 1.2.3", "1.2.3"},
    {"1.2.3-beta.2", "1.2.3-beta.2"},
    {"1", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"1.x", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"1.X.x", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"1.*", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"1.2", "1.2.0 1.2.3 1.2.9"},
    {"1.2.x", "1.2.0 1.2.3 1.2.9"},
    {"=1.2", "1.2.0 1.2.3 1.2.9"},
    {"*", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 "
          "3.0.0 10.0.0"},
    {"x", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 "
          "3.0.0 10.0.0"},
    {">1", "2.0.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {">1.2", "1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {">1.2.3", "1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {">1.2.3-beta.2", "1.2.3-beta.10 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {">=1", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {"> 1.2", "1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {"<1", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0"},
    {"<1.2", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0"},
    {"<1.2.3", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0"},
    {"<2", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"<2.0.0-rc.1", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0-0"},
    {"<=1", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"<=1.2", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9"},
    {"<=1.2.3", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3"},
    {">*", ""},
    {"<*", ""},
    {">=*", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 "
            "3.0.0 10.0.0"},
    {"<=x", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 "
            "3.0.0 10.0.0"},
    {">=1.0 <2", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {">=1.0.0 <2.0.0", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {">=1.2.3-beta.2 <1.3.0", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.2.9"},
    {"^1.2.3", "1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"^1.2", "1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"^1", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"^1.x", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"^0.2.3", "0.2.3 0.2.9"},
    {"^0.2", "0.2.3 0.2.9"},
    {"^0.0.3", "0.0.3"},
    {"^0.0", "0.0.0 0.0.3 0.0.4"},
    {"^0", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0"},
    {"^0.x", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0"},
    {"^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"^*", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 "
           "3.0.0 10.0.0"},
    {"~1.2.3", "1.2.3 1.2.9"},
    {"~1.2", "1.2.0 1.2.3 1.2.9"},
    {"~1", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {"~0.2.3", "0.2.3 0.2.9"},
    {"~1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.2.9"},
    {"~*", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 "
           "3.0.0 10.0.0"},
    {"1.2.3 - 2.0.0", "1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0"},
    {"1.2 - 2.0", "1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1"},
    {"1 - 2", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5"},
    {"1.2.3 - 2", "1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5"},
    {"1.2.3-beta.2 - 1.2.3", "1.2.3-beta.2 1.2.3-beta.10 1.2.3"},
    {"1.x || 3.x", "1.0.0 1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 3.0.0"},
    {"<1 || >=2.0.1", "0.0.0 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {"1.2.3 || 1.2.3-beta.10", "1.2.3-beta.10 1.2.3"},
    {"^1.2.3-beta.2 || 2.0.0-rc.1", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0-rc.1"},
    {">=1.2.3+build.5", "1.2.3 1.2.9 1.3.0 1.9.0 1.10.0 2.0.0 2.0.1 2.1.5 3.0.0 10.0.0"},
    {"  ^1.2  ", "1.2.0 1.2.3 1.2.9 1.3.0 1.9.0 1.10.0"},
    {">=2 <1", ""},
};

static void test_has__ranges_of_node_semver__hold_the_same_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_semver_range range;
        char got[600] = "";
        assert_status_ok(qd_semver_range_parse(qd_str_of(RANGES[i].range), &range, &err), &err);
        for (size_t k = 0, n = 0; k < sizeof VERSIONS / sizeof *VERSIONS; k++) {
            qd_semver v;
            assert_true(qd_semver_parse(qd_str_of(VERSIONS[k]), &v));
            if (qd_semver_range_has(&range, &v))
                n += (size_t)snprintf(got + n, sizeof got - n, "%s%s", n ? " " : "", VERSIONS[k]);
        }
        if (strcmp(got, RANGES[i].expected) != 0)
            fail_msg("'%s' has [%s], expected [%s]", RANGES[i].range, got, RANGES[i].expected);
    }
}

static void test_parse__what_is_no_range__is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } BAD[] = {
        {"", "version range '': expected a version such as 1, 1.2, 1.x or 1.2.3, got its end"},
        {">=", "version range '>=': expected a version such as 1, 1.2, 1.x or 1.2.3, got its end"},
        {"banana", "version range 'banana': expected a version such as 1, 1.2, 1.x or 1.2.3, got 'banana'"},
        {"v1.2", "version range 'v1.2': expected a version such as 1, 1.2, 1.x or 1.2.3, got 'v1.2'"},
        {"01", "version range '01': expected a version such as 1, 1.2, 1.x or 1.2.3, got '01'"},
        {"1.2.3.4", "version range '1.2.3.4': expected a version such as 1, 1.2, 1.x or 1.2.3, got '1.2.3.4'"},
        {"1.", "version range '1.': expected a version such as 1, 1.2, 1.x or 1.2.3, got '1.'"},
        {"^1.2 ||", "version range '^1.2 ||': expected a version such as 1, 1.2, 1.x or 1.2.3, got its end"},
        {"1 | 2", "version range '1 | 2': expected a version such as 1, 1.2, 1.x or 1.2.3, got '| 2'"},
        {"1 -", "version range '1 -': expected a version such as 1, 1.2, 1.x or 1.2.3, got '-'"},
        {"^18446744073709551615",
         "version range '^18446744073709551615': expected a version such as 1, 1.2, 1.x or 1.2.3, got "
         "'18446744073709551615'"},
        {"<=1.2.18446744073709551615",
         "version range '<=1.2.18446744073709551615': expected a version such as 1, 1.2, 1.x or 1.2.3, got "
         "'1.2.18446744073709551615'"},
        {"1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
         "version range '1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1': more than 32 comparisons"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_semver_range range;
        assert_failed_with(qd_semver_range_parse(qd_str_of(BAD[i].text), &range, &err), &err, QD_EUDF_PARAMS,
                           BAD[i].message);
        assert_string_equal(err.field, "version");
    }
}

static void test_parse__very_long_text__is_refused(void **state)
{
    (void)state;
    char text[300];
    qd_error err = QD_ERROR_INIT;
    qd_semver_range range;
    memset(text, '1', sizeof text);
    assert_failed_with(qd_semver_range_parse((qd_str){text, 257}, &range, &err), &err, QD_EUDF_PARAMS,
                       "a version range of 257 bytes: at most 256 are accepted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has__ranges_of_node_semver__hold_the_same_versions),
        cmocka_unit_test(test_parse__what_is_no_range__is_refused_by_name),
        cmocka_unit_test(test_parse__very_long_text__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
