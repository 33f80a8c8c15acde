/* SPDX-License-Identifier: Apache-2.0 */
#include "http/error_answer.h"

#include "cmocka_qd.h"
#include "http/router.h"

static const qd_route ROUTE = {QD_GET, "/{name}", QD_WORK_INLINE, QD_BODY_NONE, NULL, "x", .params = ""};

#define ERROR(error_code, at_line, at_column, at_field, text)                                                          \
    ((qd_error){.code = (error_code), .line = (at_line), .column = (at_column), .field = at_field, .message = text})

static void expect(const char *target, const qd_route *route, const qd_error *err, int http_status, const char *answer)
{
    qd_request rq;
    qd_error parse_err = QD_ERROR_INIT;
    assert_true(qd_request_init(&rq, NULL));
    assert_status_ok(qd_uri_parse(qd_str_of(target), rq.arena, &rq.uri, &parse_err), &parse_err);
    rq.route = route;
    qd_json_begin_array(&rq.json); /* what a handler wrote before it failed */
    qd_error_answer(&rq, err, 0);
    assert_int_equal(rq.http_status, http_status);
    assert_str_equal(qd_buf_str(&rq.out), answer);
    qd_request_deinit(&rq);
}

static void test_search_shape(void **state)
{
    (void)state;
    expect("/a/_search", &ROUTE, &ERROR(QD_EPARSE, 3, 7, "", "unknown query [foo]"), 400,
           "{\"error\":{\"root_cause\":[{\"type\":\"parsing_exception\",\"reason\":\"unknown query "
           "[foo]\",\"line\":3,\"col\":7}],"
           "\"type\":\"parsing_exception\",\"reason\":\"unknown query [foo]\",\"line\":3,\"col\":7},\"status\":400}");
    expect("/a/_search", &ROUTE, &ERROR(QD_EINDEX_NOTFOUND, 0, 0, "", "no such index [a]"), 404,
           "{\"error\":{\"root_cause\":[{\"type\":\"index_not_found_exception\",\"reason\":\"no such index "
           "[a]\",\"index\":\"a\","
           "\"resource.id\":\"a\",\"resource.type\":\"index_or_alias\",\"index_uuid\":\"_na_\"}],"
           "\"type\":\"index_not_found_exception\",\"reason\":\"no such index [a]\",\"index\":\"a\","
           "\"resource.id\":\"a\",\"resource.type\":\"index_or_alias\",\"index_uuid\":\"_na_\"},\"status\":404}");
}

static void test_router_shape(void **state)
{
    (void)state;
    expect("/x/y", NULL, &ERROR(QD_EINVAL, 0, 0, "", "no handler found"), 400, "{\"error\":\"no handler found\"}");
    expect("/x/y", NULL, &ERROR(QD_EMETHOD, 0, 0, "", "wrong method"), 405,
           "{\"error\":\"wrong method\",\"status\":405}");
    expect("/api/v1/x", NULL, &ERROR(QD_EINVAL, 0, 0, "", "no handler found"), 404,
           "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"no handler found\",\"details\":{}}}");
}

static void test_api_shape(void **state)
{
    (void)state;
    expect("/api/v1/udfs", &ROUTE, &ERROR(QD_EUDF_PARAMS, 0, 0, "parameters[1].default", "parameter 'b': bad"), 400,
           "{\"error\":{\"code\":\"INVALID_PARAMETERS\",\"message\":\"parameter 'b': bad\","
           "\"details\":{\"field\":\"parameters[1].default\"}}}");
    qd_error failed = ERROR(QD_EUDF_FAILED, 0, 0, "", "trap: unreachable");
    qd_error_set_function(&failed, "f@1.0.0", &QD_STR("d'1"));
    expect("/api/v1/udfs/f/test", &ROUTE, &failed, 500,
           "{\"error\":{\"code\":\"EXECUTION_FAILED\",\"message\":\"function 'f@1.0.0', document 'd'1': trap: "
           "unreachable\","
           "\"details\":{\"function\":\"f\",\"version\":\"1.0.0\",\"document\":\"d'1\",\"reason\":\"trap: "
           "unreachable\"}}}");
    expect("/api/v1/udfs", &ROUTE, &ERROR(QD_EUDF_WASM, 2, 5, "", "wat: unknown operator"), 422,
           "{\"error\":{\"code\":\"INVALID_WASM\",\"message\":\"wat: unknown "
           "operator\",\"details\":{\"line\":2,\"column\":5}}}");
}

static void test_stack__in_both_shapes(void **state)
{
    (void)state;
    qd_error failed = ERROR(QD_EUDF_FAILED, 0, 0, "", "trap: unreachable");
    strcpy(failed.stack, "inner \"q\" (func 1, offset 0x2)\nouter (func 0, offset 0x3)");
    qd_error_set_function(&failed, "f@1.0.0", NULL);
    expect("/api/v1/query", &ROUTE, &failed, 500,
           "{\"error\":{\"code\":\"EXECUTION_FAILED\",\"message\":\"function 'f@1.0.0': trap: unreachable\","
           "\"details\":{\"function\":\"f\",\"version\":\"1.0.0\",\"reason\":\"trap: unreachable\","
           "\"stack\":[\"inner \\\"q\\\" (func 1, offset 0x2)\",\"outer (func 0, offset 0x3)\"]}}}");
#define CAUSE                                                                                                          \
    "\"type\":\"script_exception\",\"reason\":\"function 'f@1.0.0': trap: unreachable\",\"script_stack\":["            \
    "\"inner \\\"q\\\" (func 1, offset 0x2)\",\"outer (func 0, offset "                                                \
    "0x3)\"],\"script\":\"f@1.0.0\",\"lang\":\"wasm\""
    expect("/a/_search", &ROUTE, &failed, 500, "{\"error\":{\"root_cause\":[{" CAUSE "}]," CAUSE "},\"status\":500}");
    /* A script_exception always has it; what says nothing of a function never does. */
    qd_error refused = ERROR(QD_EUDF_WASM, 0, 0, "", "no export");
    qd_error_set_function(&refused, "f@1.0.0", NULL);
#define REFUSED                                                                                                        \
    "\"type\":\"script_exception\",\"reason\":\"function 'f@1.0.0': no export\",\"script_stack\":[],"                  \
    "\"script\":\"f@1.0.0\",\"lang\":\"wasm\""
    expect("/a/_search", &ROUTE, &refused, 422,
           "{\"error\":{\"root_cause\":[{" REFUSED "}]," REFUSED "},\"status\":422}");
}

static void test_busy__says_when_to_come_back(void **state)
{
    (void)state;
    qd_request rq;
    assert_true(qd_request_init(&rq, NULL));
    rq.route = &ROUTE;
    qd_error_answer(&rq, &ERROR(QD_EBUSY, 0, 0, "", "full"), 0);
    assert_int_equal(rq.http_status, 429);
    assert_int_equal(rq.n_headers, 1);
    assert_string_equal(rq.headers[0].name, "Retry-After");
    qd_request_deinit(&rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search_shape),
        cmocka_unit_test(test_router_shape),
        cmocka_unit_test(test_api_shape),
        cmocka_unit_test(test_stack__in_both_shapes),
        cmocka_unit_test(test_busy__says_when_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
