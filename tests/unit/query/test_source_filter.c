/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_qd.h"
#include "query/source_filter.h"

static const char SOURCE[] =
    "{\"a\":1,\"b\":{\"c\":2.50,\"d\":[1,2]},\"list\":[{\"x\":1,\"y\":2},{\"x\":3},5],\"n\":null,\"e\":{}}";

static void check(const char *const *includes, const char *const *excludes, const char *expected)
{
    qd_str in[4], ex[4];
    qd_source_spec spec = {.is_wanted = true, .includes = in, .excludes = ex};
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    for (; includes[spec.n_includes]; spec.n_includes++)
        in[spec.n_includes] = qd_str_of(includes[spec.n_includes]);
    for (; excludes[spec.n_excludes]; spec.n_excludes++)
        ex[spec.n_excludes] = qd_str_of(excludes[spec.n_excludes]);
    qd_buf_init(&out, 1 << 20);
    assert_status_ok(qd_source_filter(&spec, qd_str_of(SOURCE), &out, &err), &err);
    assert_str_equal(qd_buf_str(&out), expected);
    qd_buf_deinit(&out);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE      ((const char *const[]){NULL})

static void test_source_filter__includes__keep_paths_and_what_is_under_them(void **state)
{
    (void)state;
    check(LIST("a"), NONE, "{\"a\":1}");
    check(LIST("b"), NONE, "{\"b\":{\"c\":2.50,\"d\":[1,2]}}");
    check(LIST("b.c"), NONE, "{\"b\":{\"c\":2.50}}");
    check(LIST("b.*"), NONE, "{\"b\":{\"c\":2.50,\"d\":[1,2]}}");
    check(LIST("*.c", "n"), NONE, "{\"b\":{\"c\":2.50},\"n\":null}");
    check(LIST("list.x"), NONE, "{\"list\":[{\"x\":1},{\"x\":3}]}");
    check(LIST("e"), NONE, "{\"e\":{}}");
    check(LIST("nothing"), NONE, "{}");
}

static void test_source_filter__excludes__drop_paths_and_what_is_under_them(void **state)
{
    (void)state;
    check(NONE, LIST("b", "list", "e"), "{\"a\":1,\"n\":null}");
    check(NONE, LIST("b.c", "list", "e", "n"), "{\"a\":1,\"b\":{\"d\":[1,2]}}");
    check(LIST("b", "list"), LIST("*.d", "list.y"), "{\"b\":{\"c\":2.50},\"list\":[{\"x\":1},{\"x\":3},5]}");
    check(NONE, LIST("*"), "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_filter__includes__keep_paths_and_what_is_under_them),
        cmocka_unit_test(test_source_filter__excludes__drop_paths_and_what_is_under_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
