/* SPDX-License-Identifier: Apache-2.0 */
#include "http/search_body.h"

#include "cmocka_qd.h"

static qd_request rq;

static void open_request(const char *target, const char *body)
{
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_request_init(&rq, NULL));
    assert_status_ok(qd_uri_parse(qd_str_of(target), rq.arena, &rq.uri, &err), &err);
    rq.body = qd_str_of(body);
}

static void expect_merged(const char *target, const char *body, const char *expected)
{
    qd_error err = QD_ERROR_INIT;
    open_request(target, body);
    qd_str merged = rq.body;
    assert_status_ok(qd_search_body_merge(&rq, &merged, &err), &err);
    assert_str_equal(merged, expected);
    qd_request_deinit(&rq);
}

static void test_merge__sort_and_source(void **state)
{
    (void)state;
    expect_merged("/_search?size=3", "{ \"query\": {} }", "{ \"query\": {} }");
    expect_merged("/_search?sort=price:desc,name", "", "{\"sort\":[{\"price\":{\"order\":\"desc\"}},\"name\"]}");
    expect_merged("/_search?_source=false", "{\"size\":1}", "{\"size\":1,\"_source\":false}");
    expect_merged("/_search?_source_includes=a,b&_source_excludes=c", "",
                  "{\"_source\":{\"includes\":[\"a\",\"b\"],\"excludes\":[\"c\"]}}");
}

/* `expected`: what is left, without its blanks; its length and line ends are the body's. */
static void expect_taken(const char *body, const char *index, const char *expected)
{
    qd_error err = QD_ERROR_INIT;
    qd_str rest, name;
    char squeezed[256];
    size_t n = 0;
    open_request("/api/v1/query", body);
    assert_status_ok(qd_search_body_take_index(&rq, &rest, &name, &err), &err);
    assert_str_equal(name, index);
    assert_int_equal(rest.n, strlen(body));
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] != ' ')
            squeezed[n++] = rest.p[i];
        assert_int_equal(rest.p[i] == '\n', body[i] == '\n');
    }
    assert_str_equal(((qd_str){squeezed, n}), expected);
    qd_request_deinit(&rq);
}

static void test_take_index__blanks_in_its_place(void **state)
{
    (void)state;
    expect_taken("{\"index\":\"a\",\"size\":1}", "a", "{\"size\":1}");
    expect_taken("{\"size\":1,\"index\":\"a\"}", "a", "{\"size\":1}");
    expect_taken("{\"index\": \"a\"}", "a", "{}");
    expect_taken("{\"query\":{\"index\":\"no\"},\n \"index\" : \"x\\\"y\" ,\"size\":1}", "x\"y",
                 "{\"query\":{\"index\":\"no\"},\n\"size\":1}");
    expect_taken("{\"a\":\"index\",\"b\":[\"index\",{\"index\":1}],\"index\":\"i\"}", "i",
                 "{\"a\":\"index\",\"b\":[\"index\",{\"index\":1}]}");
}

static void test_take_index__absent_or_wrong__refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_str rest, name;
    open_request("/", "{\"size\":1}");
    assert_int_equal(qd_search_body_take_index(&rq, &rest, &name, &err), QD_EINVAL);
    assert_string_equal(err.field, "index");
    rq.body = QD_STR("{\"index\":3}");
    assert_int_equal(qd_search_body_take_index(&rq, &rest, &name, &err), QD_EINVAL);
    rq.body = QD_STR("{\"\\u0069ndex\":\"a\"}");
    assert_failed_with(qd_search_body_take_index(&rq, &rest, &name, &err), &err, QD_EINVAL,
                       "index: write the member's name without escapes");
    rq.body = QD_STR("");
    assert_failed_with(qd_search_body_take_index(&rq, &rest, &name, &err), &err, QD_EPARSE, "request body is required");
    qd_request_deinit(&rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge__sort_and_source),
        cmocka_unit_test(test_take_index__blanks_in_its_place),
        cmocka_unit_test(test_take_index__absent_or_wrong__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
