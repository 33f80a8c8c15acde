/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include <stdio.h>

#include "cmocka_qd.h"

static qd_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = qd_arena_new(1 << 20);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    qd_arena_free(arena);
    return 0;
}

static void test_parse__segments_and_params(void **state)
{
    (void)state;
    qd_uri u;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_uri_parse(QD_STR("/a/_doc/x%2Fy%20z+1?refresh&q=a+b%26&size=5"), arena, &u, &err), &err);
    assert_int_equal(u.n_segments, 3);
    assert_str_equal(u.segments[0], "a");
    assert_str_equal(u.segments[2], "x/y z+1");
    assert_str_equal(u.path, "/a/_doc/x%2Fy%20z+1");
    assert_int_equal(u.n_params, 3);
    assert_str_equal(qd_uri_param(&u, "refresh")->value, "");
    assert_str_equal(qd_uri_param(&u, "q")->value, "a b&");
    assert_str_equal(qd_uri_param(&u, "size")->value, "5");
    assert_null(qd_uri_param(&u, "from"));
}

static void test_parse__empty_segments_and_params__left_out(void **state)
{
    (void)state;
    qd_uri u;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_uri_parse(QD_STR("//a///b/?&&=&x=1&x=2&"), arena, &u, &err), &err);
    assert_int_equal(u.n_segments, 2);
    assert_str_equal(qd_uri_param(&u, "x")->value, "2");
    assert_status_ok(qd_uri_parse(QD_STR("/"), arena, &u, &err), &err);
    assert_int_equal(u.n_segments, 0);
    assert_int_equal(u.n_params, 0);
}

static void test_parse__bad__refused(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *message;
    } CASES[] = {
        {"", "uri: expected a path that starts with '/', got ''"},
        {"a/b", "uri: expected a path that starts with '/', got 'a/b'"},
        {"/%", "uri: bad percent encoding at '%': expected two hexadecimal digits after '%'"},
        {"/a%4", "uri: bad percent encoding at '%4': expected two hexadecimal digits after '%'"},
        {"/a?x=%zz", "uri: bad percent encoding at '%zz': expected two hexadecimal digits after '%'"},
        {"/a%00b", "uri: a zero byte, which no name or parameter may hold"},
        {"/a%ff", "uri: 'a%ff' does not decode to UTF-8"},
        {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
         "uri: more than 16 path segments in '/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17'"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_uri u;
        qd_error err = QD_ERROR_INIT;
        qd_status status = qd_uri_parse(qd_str_of(CASES[i].uri), arena, &u, &err);
        assert_failed_with(status, &err, QD_EINVAL, CASES[i].message);
    }
}

static void test_parse__too_many_params__refused(void **state)
{
    (void)state;
    char text[1024] = "/?";
    for (int i = 0; i <= QD_URI_MAX_PARAMS; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "p%d=1&", i);
    qd_uri u;
    qd_error err = QD_ERROR_INIT;
    assert_failed_with(qd_uri_parse(qd_str_of(text), arena, &u, &err), &err, QD_EINVAL, "uri: more than 64 parameters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__segments_and_params),
        cmocka_unit_test(test_parse__empty_segments_and_params__left_out),
        cmocka_unit_test(test_parse__bad__refused),
        cmocka_unit_test(test_parse__too_many_params__refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
