/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "cmocka_qd.h"

static qd_str f64(double v)
{
    static char text[QD_NUMBER_SIZE];
    return (qd_str){text, qd_number_f64(v, text)};
}

static qd_str f32(float v)
{
    static char text[QD_NUMBER_SIZE];
    return (qd_str){text, qd_number_f32(v, text)};
}

static void test_integers__extremes(void **state)
{
    (void)state;
    char text[QD_NUMBER_SIZE];
    assert_str_equal(((qd_str){text, qd_number_i64(0, text)}), "0");
    assert_str_equal(((qd_str){text, qd_number_i64(INT64_MIN, text)}), "-9223372036854775808");
    assert_str_equal(((qd_str){text, qd_number_i64(INT64_MAX, text)}), "9223372036854775807");
    assert_str_equal(((qd_str){text, qd_number_u64(UINT64_MAX, text)}), "18446744073709551615");
}

static void test_f64__is_the_shortest(void **state)
{
    (void)state;
    assert_str_equal(f64(0), "0.0");
    assert_str_equal(f64(-0.0), "-0.0");
    assert_str_equal(f64(1), "1.0");
    assert_str_equal(f64(12), "12.0");
    assert_str_equal(f64(-1.5), "-1.5");
    assert_str_equal(f64(0.1), "0.1");
    assert_str_equal(f64(0.1 + 0.2), "0.30000000000000004");
    assert_str_equal(f64(19.99), "19.99");
    assert_str_equal(f64(0.00012), "0.00012");
    assert_str_equal(f64(9007199254740991.0), "9007199254740991.0");
    assert_str_equal(f64(1e20), "1e+20");
    assert_str_equal(f64(1e-7), "1e-07");
    assert_str_equal(f64(DBL_MAX), "1.7976931348623157e+308");
    assert_str_equal(f64(4.9406564584124654e-324), "4.94065645841247e-324");
    assert_str_equal(f64(1.0 / 3), "0.3333333333333333");
}

static void test_f32__is_the_shortest_of_the_float(void **state)
{
    (void)state;
    assert_str_equal(f32(1.0f), "1.0");
    assert_str_equal(f32(0.5753642f), "0.5753642");
    assert_str_equal(f32(0.1f), "0.1");
    assert_str_equal(f32(13.862944f), "13.862944");
    assert_str_equal(f32(FLT_MAX), "3.4028235e+38");
    assert_str_equal(f32(1e-10f), "1e-10");
    assert_str_equal(f32(-0.0f), "-0.0");
}

static void check_round_trip(uint64_t bits)
{
    char text[QD_NUMBER_SIZE + 1];
    double d;
    memcpy(&d, &bits, sizeof d);
    if (isfinite(d)) {
        text[qd_number_f64(d, text)] = '\0';
        double back = strtod(text, NULL);
        assert_memory_equal(&back, &d, sizeof d);
    }
    float f;
    uint32_t low = (uint32_t)bits;
    memcpy(&f, &low, sizeof f);
    if (isfinite(f)) {
        text[qd_number_f32(f, text)] = '\0';
        float back = strtof(text, NULL);
        assert_memory_equal(&back, &f, sizeof f);
    }
}

static void test_random_bits__read_back_exactly(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100000; i++)
        check_round_trip(qd_hash64(&i, sizeof i, 1));
    /* The range of scores and prices, where the fast path does the work. */
    for (uint64_t i = 0; i < 100000; i++) {
        double d = (double)(qd_hash64(&i, sizeof i, 2) >> 11) * 0x1p-53 * 1000;
        uint64_t bits;
        memcpy(&bits, &d, sizeof bits);
        check_round_trip(bits);
        float f = (float)d;
        uint32_t low;
        memcpy(&low, &f, sizeof low);
        check_round_trip(low);
    }
}

static void test_f32__never_longer_than_printf(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        float f = (float)(qd_hash64(&i, sizeof i, 3) >> 40) * 0x1p-24f * 50.0f;
        if (f < 0.001f)
            continue;
        char expected[64], text[QD_NUMBER_SIZE + 1];
        for (int digits = 1; digits <= 9; digits++) {
            snprintf(expected, sizeof expected, "%.*g", digits, (double)f);
            if (strtof(expected, NULL) == f)
                break;
        }
        text[qd_number_f32(f, text)] = '\0';
        assert_true(strlen(text) <= strlen(expected) + (strchr(expected, '.') ? 0 : 2));
    }
}

static void test_to_f64__decimal_literals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } GOOD[] = {{"0", 0},         {"1", 1},
                {"-1.5", -1.5},   {"+2", 2},
                {".5", 0.5},      {"5.", 5},
                {"1e3", 1000},    {"1E-2", 0.01},
                {"1e+2", 100},    {"19.99", 19.99},
                {"1e308", 1e308}, {"123456789012345678901234567890", 123456789012345678901234567890.0},
                {"1e-400", 0},    {"0e99999999", 0},
                {"0.1", 0.1},     {"2.2250738585072014e-308", 2.2250738585072014e-308}};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        double v = 77;
        assert_true(qd_str_to_f64(qd_str_of(GOOD[i].text), &v));
        assert_true(v == GOOD[i].value);
    }
    static const char *const BAD[] = {"",
                                      "-",
                                      ".",
                                      "e5",
                                      "1e",
                                      "1e+",
                                      "1.2.3",
                                      " 1",
                                      "1 ",
                                      "0x10",
                                      "inf",
                                      "nan",
                                      "NaN",
                                      "Infinity",
                                      "1e309",
                                      "-1e309",
                                      "1,5",
                                      "1e5.0",
                                      "1e99999999999999999999"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        double v = 77;
        assert_false(qd_str_to_f64(qd_str_of(BAD[i]), &v));
        assert_true(v == 77);
    }
    char text[5000];
    memset(text, '1', sizeof text);
    double v = 77;
    assert_false(qd_str_to_f64((qd_str){text, sizeof text}, &v));
    assert_true(qd_str_to_f64((qd_str){text, 300}, &v));
}

static void test_locale_with_comma__changes_nothing(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C"};
    for (size_t i = 0; i < 4 && !setlocale(LC_ALL, NAMES[i]); i++) {
    }
    assert_str_equal(f64(0.1 + 0.2), "0.30000000000000004");
    assert_str_equal(f64(1.5e300), "1.5e+300");
    assert_str_equal(f32(1.25e30f), "1.25e+30");
    double v = 0;
    assert_true(qd_str_to_f64(QD_STR("1.7976931348623157e+308"), &v) && v == DBL_MAX);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers__extremes),
        cmocka_unit_test(test_f64__is_the_shortest),
        cmocka_unit_test(test_f32__is_the_shortest_of_the_float),
        cmocka_unit_test(test_random_bits__read_back_exactly),
        cmocka_unit_test(test_f32__never_longer_than_printf),
        cmocka_unit_test(test_to_f64__decimal_literals),
        cmocka_unit_test(test_locale_with_comma__changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
