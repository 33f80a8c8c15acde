/* SPDX-License-Identifier: Apache-2.0 */
#include "http/router.h"

#include <stdio.h>

#include "cmocka_qd.h"

static const qd_route TABLE[] = {
    {QD_GET, "/", QD_WORK_INLINE, QD_BODY_NONE, NULL, "root", .params = "", .summary = ""},
    {QD_GET | QD_POST, "/_search", QD_WORK_SEARCH, QD_BODY_JSON, NULL, "search_all", .params = "from size",
     .summary = ""},
    {QD_GET | QD_POST, "/{index}/_search", QD_WORK_SEARCH, QD_BODY_JSON, NULL, "search", .params = "from size",
     .summary = ""},
    {QD_PUT, "/{index}", QD_WORK_ADMIN, QD_BODY_JSON, NULL, "create", .params = "", .summary = ""},
    {QD_GET, "/{index}/_doc/{id}", QD_WORK_SEARCH, QD_BODY_NONE, NULL, "get", .params = "", .summary = ""},
    {QD_HEAD, "/{index}", QD_WORK_INLINE, QD_BODY_NONE, NULL, "exists", .params = "", .summary = ""},
    {QD_GET, "/api/v1/udfs/{name}/versions", QD_WORK_ADMIN, QD_BODY_NONE, NULL, "versions", .params = "",
     .summary = ""},
    {QD_GET, "/api/v1/udfs/{name}/{version}", QD_WORK_ADMIN, QD_BODY_NONE, NULL, "udf", .params = "", .summary = ""},
};

static qd_router *router;

static int set_up(void **state)
{
    (void)state;
    return qd_router_new(TABLE, sizeof TABLE / sizeof *TABLE, &router, NULL) == QD_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    qd_router_free(router);
    return 0;
}

static void open_request(qd_request *rq, qd_method method, const char *name, const char *target)
{
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_request_init(rq, NULL));
    rq->method = method;
    rq->method_name = name;
    rq->target = qd_str_of(target);
    assert_status_ok(qd_uri_parse(rq->target, rq->arena, &rq->uri, &err), &err);
}

static void expect_route(qd_method method, const char *target, const char *name, const char *args)
{
    qd_request rq;
    qd_error err = QD_ERROR_INIT;
    char got[256] = "";
    open_request(&rq, method, "?", target);
    assert_status_ok(qd_router_match(router, &rq, &err), &err);
    assert_string_equal(rq.route->name, name);
    for (size_t i = 0; i < rq.n_args; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? "," : "", (int)rq.args[i]->n,
                 rq.args[i]->p);
    assert_string_equal(got, args);
    assert_str_equal(qd_request_arg(&rq, 9), "");
    qd_request_deinit(&rq);
}

static void test_match__literal_wins__else_wildcard(void **state)
{
    (void)state;
    expect_route(QD_GET, "/", "root", "");
    expect_route(QD_POST, "/_search?size=1", "search_all", "");
    expect_route(QD_GET, "/logs/_search", "search", "logs");
    expect_route(QD_GET, "/a%2Cb/_doc/1%2F2/", "get", "a,b,1/2");
    expect_route(QD_GET, "/api/v1/udfs/f/versions", "versions", "f");
    expect_route(QD_GET, "/api/v1/udfs/f/1.0.0", "udf", "f,1.0.0");
    expect_route(QD_GET, "/_search/_doc/7", "get", "_search,7");
}

static void test_match__head__own_row_else_get(void **state)
{
    (void)state;
    expect_route(QD_HEAD, "/logs", "exists", "logs");
    expect_route(QD_HEAD, "/logs/_doc/1", "get", "logs,1");
}

static void test_match__unknown_path__refused(void **state)
{
    (void)state;
    qd_request rq;
    qd_error err = QD_ERROR_INIT;
    open_request(&rq, QD_GET, "GET", "/a/b/c?x=1");
    assert_failed_with(qd_router_match(router, &rq, &err), &err, QD_EINVAL,
                       "no handler found for uri [/a/b/c?x=1] and method [GET]");
    qd_request_deinit(&rq);
}

static void test_match__wrong_method__lists_allowed(void **state)
{
    (void)state;
    qd_request rq;
    qd_error err = QD_ERROR_INIT;
    open_request(&rq, QD_DELETE, "DELETE", "/a/_search");
    assert_failed_with(qd_router_match(router, &rq, &err), &err, QD_EMETHOD,
                       "Incorrect HTTP method for uri [/a/_search] and method [DELETE], allowed: [GET, HEAD, POST]");
    assert_int_equal(rq.n_headers, 1);
    assert_string_equal(rq.headers[0].value, "GET, HEAD, POST");
    qd_request_deinit(&rq);

    open_request(&rq, 0, "PATCH", "/a");
    assert_failed_with(qd_router_match(router, &rq, &err), &err, QD_EMETHOD,
                       "Incorrect HTTP method for uri [/a] and method [PATCH], allowed: [HEAD, PUT]");
    assert_null(rq.route);
    qd_request_deinit(&rq);
}

static void test_check_params__unknown__all_named(void **state)
{
    (void)state;
    qd_request rq;
    qd_error err = QD_ERROR_INIT;
    open_request(&rq, QD_GET, "GET", "/a/_search?pretty&size=1&siz=2&fro=1");
    assert_status_ok(qd_router_match(router, &rq, &err), &err);
    assert_failed_with(qd_router_check_params(&rq, &err), &err, QD_EINVAL,
                       "request [/a/_search] contains unrecognized parameters: [siz], [fro]");
    qd_request_deinit(&rq);

    open_request(&rq, QD_GET, "GET", "/a/_search?pretty&size=1&from=2&human=false");
    assert_status_ok(qd_router_match(router, &rq, &err), &err);
    assert_status_ok(qd_router_check_params(&rq, &err), &err);
    qd_request_deinit(&rq);
}

static void test_new__two_rows_for_one_call__refused(void **state)
{
    (void)state;
    static const qd_route TWICE[] = {
        {QD_GET, "/{index}/_search", QD_WORK_SEARCH, QD_BODY_JSON, NULL, "a", .params = "", .summary = ""},
        {QD_GET, "/{name}/_search", QD_WORK_SEARCH, QD_BODY_JSON, NULL, "b", .params = "", .summary = ""},
    };
    qd_router *r = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_failed_with(qd_router_new(TWICE, 2, &r, &err), &err, QD_EINTERNAL,
                       "routes table: two rows for GET /{name}/_search");
    assert_null(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match__literal_wins__else_wildcard),
        cmocka_unit_test(test_match__head__own_row_else_get),
        cmocka_unit_test(test_match__unknown_path__refused),
        cmocka_unit_test(test_match__wrong_method__lists_allowed),
        cmocka_unit_test(test_check_params__unknown__all_named),
        cmocka_unit_test(test_new__two_rows_for_one_call__refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
