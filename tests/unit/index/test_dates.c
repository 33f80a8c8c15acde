/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_qd.h"

#include "index/dates.h"
#include "index/document.h"
#include "index/geo.h"

#define DAY INT64_C(86400000)

static void test_parse__each_form__gives_milliseconds(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t ms; } CASES[] = {
        {"1970-01-02", DAY},
        {"1970-01-01T00:00:01.5Z", 1500},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1970/01/02", DAY},
        {"1970/01/02 00:00:02", DAY + 2000},
        {"1971", 365 * DAY},
        {"86400000", DAY},
        {"-1", -1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t ms = -7;
        assert_true(qd_date_parse(qd_str_of(CASES[i].text), &ms));
        assert_int_equal(ms, CASES[i].ms);
    }
    static const char *const BAD[] = {"",           "yesterday", "1970-13-01",         "1970-1-1",
                                      "1970/13/01", "70-01-01",  "1970-01-01 00:00:00"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        int64_t ms;
        assert_false(qd_date_parse(qd_str_of(BAD[i]), &ms));
    }
}

static void test_parse_up__what_is_left_out__is_its_end(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t ms; } CASES[] = {
        {"1970-01-01", DAY - 1},        {"1970-01-01T00", 3600000 - 1},        {"1970-01-01T00:00", 60000 - 1},
        {"1970-01-01T00:00:00", 999},   {"1970-01-01T00:00:00.000", 0},        {"1970-01-01T00:00Z", 60000 - 1},
        {"1970", DAY - 1},              {"5", 5},                              {"1970-01-01T01:00+01:00", 60000 - 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t ms = -7;
        assert_true(qd_date_parse_up(qd_str_of(CASES[i].text), &ms));
        assert_int_equal(ms, CASES[i].ms);
    }
}

static void test_detect__dates_yes_numbers_no(void **state)
{
    (void)state;
    assert_true(qd_date_detect(QD_STR("2026-11-21")));
    assert_true(qd_date_detect(QD_STR("2026-11-21T08:00:00Z")));
    assert_true(qd_date_detect(QD_STR("2026/11/21")));
    assert_false(qd_date_detect(QD_STR("2026")));
    assert_false(qd_date_detect(QD_STR("20261121")));
    assert_false(qd_date_detect(QD_STR("2026-11-21 and more")));
    assert_false(qd_date_detect(QD_STR("hello world")));
}

static void test_number__four_digits__are_a_year(void **state)
{
    (void)state;
    assert_int_equal(qd_date_of_number(1971), 365 * DAY);
    assert_int_equal(qd_date_of_number(999), 999);
    assert_int_equal(qd_date_of_number(10000), 10000);
    assert_int_equal(qd_date_of_number(-1971), -1971);
}

static void assert_point(const char *json, double lat, double lon)
{
    json_t *v = json_loads(json, JSON_DECODE_ANY, NULL);
    double a = 0, b = 0;
    assert_true(qd_geo_parse(v, &a, &b));
    assert_true(a == lat && b == lon);
    json_decref(v);
}

static void test_geo__each_form__gives_latitude_and_longitude(void **state)
{
    (void)state;
    assert_point("{\"lat\":52.5,\"lon\":13.4}", 52.5, 13.4);
    assert_point("{\"lat\":\"52.5\",\"lon\":\"13.4\"}", 52.5, 13.4);
    assert_point("[13.4, 52.5]", 52.5, 13.4);
    assert_point("\"52.5, 13.4\"", 52.5, 13.4);
    assert_point("\"POINT (13.4 52.5)\"", 52.5, 13.4);
    assert_point("\"point(13.4 52.5)\"", 52.5, 13.4);
    static const char *const BAD[] = {"\"\"",     "\"52.5\"",  "\"POINT (13.4)\"", "\"POINT (1 2\"",
                                      "[1]",      "[1,\"x\"]", "{\"lat\":1}",      "5",
                                      "\"91,0\"", "[181,0]"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        json_t *v = json_loads(BAD[i], JSON_DECODE_ANY, NULL);
        double lat, lon;
        assert_non_null(v);
        assert_false(qd_geo_parse(v, &lat, &lon));
        json_decref(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__each_form__gives_milliseconds),
        cmocka_unit_test(test_parse_up__what_is_left_out__is_its_end),
        cmocka_unit_test(test_detect__dates_yes_numbers_no),
        cmocka_unit_test(test_number__four_digits__are_a_year),
        cmocka_unit_test(test_geo__each_form__gives_latitude_and_longitude),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
