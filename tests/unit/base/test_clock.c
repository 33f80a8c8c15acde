/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "cmocka_qd.h"

static const char *iso(int64_t ms)
{
    static char text[QD_ISO8601_SIZE];
    return qd_clock_iso8601(ms, text);
}

static void test_now__monotonic_and_wall(void **state)
{
    (void)state;
    int64_t before = qd_clock_mono_ns();
    assert_true(qd_clock_mono_ns() >= before);
    assert_true(qd_clock_wall_ms() > INT64_C(1600000000000));
}

static void test_iso8601__known_instants(void **state)
{
    (void)state;
    assert_string_equal(iso(0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(iso(-1), "1969-12-31T23:59:59.999Z");
    assert_string_equal(iso(INT64_C(951782400000)), "2000-02-29T00:00:00.000Z");
    assert_string_equal(iso(INT64_C(1795250463123)), "2026-11-21T08:41:03.123Z");
    assert_string_equal(iso(INT64_C(253402300800000)), "+10000-01-01T00:00:00.000Z");
    assert_string_equal(iso(INT64_MAX), "+292278994-08-17T07:12:55.807Z");
    assert_string_equal(iso(INT64_MIN), "-292275055-05-16T16:47:04.192Z");
}

static void test_parse__all_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {{"1970", 0},
                {"1970-02", INT64_C(2678400000)},
                {"2000-02-29", INT64_C(951782400000)},
                {"2026-11-21T08", INT64_C(1795248000000)},
                {"2026-11-21T08:41", INT64_C(1795250460000)},
                {"2026-11-21T08:41:03Z", INT64_C(1795250463000)},
                {"2026-11-21T08:41:03.1Z", INT64_C(1795250463100)},
                {"2026-11-21T08:41:03.123456789Z", INT64_C(1795250463123)},
                {"2026-11-21T10:41:03.123+02:00", INT64_C(1795250463123)},
                {"2026-11-21T10:41:03.123+0200", INT64_C(1795250463123)},
                {"2026-11-21T03:11:03.123-05:30", INT64_C(1795250463123)},
                {"2026-11-21T10+02", INT64_C(1795248000000)},
                {"0000-01-01", INT64_C(-62167219200000)}};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        int64_t ms = 77;
        assert_true(qd_clock_parse_iso8601(qd_str_of(GOOD[i].text), &ms));
        assert_true(ms == GOOD[i].ms);
    }
}

static void test_parse__not_such_a_date__is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "197",
                                      "19700",
                                      "1970-",
                                      "1970-1",
                                      "1970-13",
                                      "1970-00",
                                      "1970-01-",
                                      "1970-01-00",
                                      "1970-01-32",
                                      "1970-02-29",
                                      "1900-02-29",
                                      "2026-11-31",
                                      "2026-11-21T",
                                      "2026-11-21T24",
                                      "2026-11-21T08:60",
                                      "2026-11-21T08:41:60",
                                      "2026-11-21T08:41:03.",
                                      "2026-11-21T08:41:03.1234567890",
                                      "2026-11-21T08:41:03z",
                                      "2026-11-21T08:41:03+",
                                      "2026-11-21T08:41:03+2",
                                      "2026-11-21T08:41:03+02:",
                                      "2026-11-21T08:41:03+19:00",
                                      "2026-11-21T08:41:03+02:60",
                                      "2026-11-21 08:41:03",
                                      "2026-11-21T08:41:03Z ",
                                      " 2026",
                                      "2026T08",
                                      "2026/11/21",
                                      "-2026",
                                      "12345678901234567890"};
    int64_t ms = 77;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(qd_clock_parse_iso8601(qd_str_of(BAD[i]), &ms));
    assert_int_equal(ms, 77);
}

static void test_both_ways__every_day_of_four_centuries(void **state)
{
    (void)state;
    for (int64_t day = -73000; day < 73000; day++) {
        int64_t ms = day * 86400000 + 12345, back = 0;
        assert_true(qd_clock_parse_iso8601(qd_str_of(iso(ms)), &back));
        assert_true(back == ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_now__monotonic_and_wall),
        cmocka_unit_test(test_iso8601__known_instants),
        cmocka_unit_test(test_parse__all_lengths),
        cmocka_unit_test(test_parse__not_such_a_date__is_refused),
        cmocka_unit_test(test_both_ways__every_day_of_four_centuries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
