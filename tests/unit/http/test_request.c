/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request.h"

#include "cmocka_qd.h"

static qd_request rq;

static void open_request(const char *target)
{
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_request_init(&rq, NULL));
    assert_status_ok(qd_uri_parse(qd_str_of(target), rq.arena, &rq.uri, &err), &err);
}

static void test_bool__true_false_and_bare(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    bool a = false, b = true, c = false, d = true;
    open_request("/?a&b=false&c=true&e=yes");
    assert_status_ok(qd_request_bool(&rq, "a", &a, &err), &err);
    assert_status_ok(qd_request_bool(&rq, "b", &b, &err), &err);
    assert_status_ok(qd_request_bool(&rq, "c", &c, &err), &err);
    assert_status_ok(qd_request_bool(&rq, "d", &d, &err), &err);
    assert_true(a && !b && c && d);
    assert_failed_with(qd_request_bool(&rq, "e", &a, &err), &err, QD_EINVAL,
                       "Failed to parse value [yes] of parameter [e]: expected [true] or [false]");
    assert_string_equal(err.field, "e");
    qd_request_deinit(&rq);
}

static void test_i64__range_and_form(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    int64_t n = 7;
    open_request("/?size=12&big=99&bad=1x&huge=99999999999999999999");
    assert_status_ok(qd_request_i64(&rq, "none", 0, 50, &n, &err), &err);
    assert_int_equal(n, 7);
    assert_status_ok(qd_request_i64(&rq, "size", 0, 50, &n, &err), &err);
    assert_int_equal(n, 12);
    assert_failed_with(qd_request_i64(&rq, "big", 0, 50, &n, &err), &err, QD_EINVAL,
                       "[big] parameter is out of range: expected 0 to 50, got [99]");
    assert_failed_with(qd_request_i64(&rq, "bad", 0, 50, &n, &err), &err, QD_EINVAL,
                       "Failed to parse value [1x] of parameter [bad]: expected an integer");
    assert_int_equal(qd_request_i64(&rq, "huge", 0, 50, &n, &err), QD_EINVAL);
    assert_int_equal(n, 12);
    qd_request_deinit(&rq);
}

static void test_duration__units(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t ns;
    } CASES[] = {{"a", 500000000}, {"b", 10000000000}, {"c", 60000000000}, {"d", INT64_MAX},
                 {"e", 3},         {"f", 4000},        {"g", 0},           {"h", INT64_MAX}};
    qd_error err = QD_ERROR_INIT;
    int64_t ns = 0;
    open_request("/?a=500ms&b=10s&c=1m&d=-1&e=3nanos&f=4micros&g=0s&h=9999999999999d&x=5&y=s&z=-3s");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_status_ok(qd_request_duration_ns(&rq, CASES[i].name, &ns, &err), &err);
        assert_true(ns == CASES[i].ns);
    }
    assert_failed_with(qd_request_duration_ns(&rq, "x", &ns, &err), &err, QD_EINVAL,
                       "Failed to parse value [5] of parameter [x]: expected a time with a unit such as [500ms], [10s] "
                       "or [1m], or [-1] for none");
    assert_int_equal(qd_request_duration_ns(&rq, "y", &ns, &err), QD_EINVAL);
    assert_int_equal(qd_request_duration_ns(&rq, "z", &ns, &err), QD_EINVAL);
    qd_request_deinit(&rq);
}

static void test_refresh__its_values(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        bool refresh;
    } CASES[] = {{"/", false},
                 {"/?refresh", true},
                 {"/?refresh=true", true},
                 {"/?refresh=wait_for", true},
                 {"/?refresh=false", false}};
    qd_error err = QD_ERROR_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        bool refresh = false;
        open_request(CASES[i].uri);
        assert_status_ok(qd_request_refresh(&rq, &refresh, &err), &err);
        assert_int_equal(refresh, CASES[i].refresh);
        qd_request_deinit(&rq);
    }
    bool refresh = false;
    open_request("/?refresh=maybe");
    assert_failed_with(qd_request_refresh(&rq, &refresh, &err), &err, QD_EINVAL,
                       "Failed to parse value [maybe] of parameter [refresh]: expected [true], [false] or [wait_for]");
    qd_request_deinit(&rq);
}

static void test_json__empty_wrong_and_good(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    json_t *body = NULL;
    open_request("/");
    assert_status_ok(qd_request_json(&rq, true, &body, &err), &err);
    assert_null(body);
    assert_failed_with(qd_request_json(&rq, false, &body, &err), &err, QD_EPARSE, "request body is required");
    rq.body = QD_STR("[1]");
    assert_failed_with(qd_request_json(&rq, false, &body, &err), &err, QD_EPARSE,
                       "request body: expected an object, got an array");
    rq.body = QD_STR("{\n \"a\": }");
    assert_int_equal(qd_request_json(&rq, false, &body, &err), QD_EPARSE);
    assert_int_equal(err.line, 2);
    rq.body = QD_STR("{\"a\": 1}");
    assert_status_ok(qd_request_json(&rq, false, &body, &err), &err);
    assert_int_equal(json_integer_value(json_object_get(body, "a")), 1);
    json_decref(body);
    qd_request_deinit(&rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bool__true_false_and_bare),
        cmocka_unit_test(test_i64__range_and_form),
        cmocka_unit_test(test_duration__units),
        cmocka_unit_test(test_refresh__its_values),
        cmocka_unit_test(test_json__empty_wrong_and_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
