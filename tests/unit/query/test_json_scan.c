/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_qd.h"
#include <stdlib.h>

#include "query/json_locate.h"
#include "query/json_scan.h"
#include "query/source_path.h"

static const char SOURCE[] =
    "  { \"a\" : 1, \"b\\\"c\": \"x\\\"]}\", \"vendor\":{\"name\":\"ACME\",\"tags\":[\"p\",\"q\"]},\n"
    "\"tags\":[ \"one\", null,\"three\" ], \"vendor.size\": 7, \"items\":[{\"n\":1},{\"sku\":\"s2\",\"n\":2}],"
    "\"big\":123456789012345678901234567890,\"no\":null,\"yes\":true,\"f\":-1.5e2, \"x\":[[1,2],[3]] }";

static void check(const char *path, const char *expected)
{
    qd_str token;
    bool is_found = qd_source_find(qd_str_of(SOURCE), qd_str_of(path), &token);
    if (is_found != (expected != NULL))
        fail_msg("%s: %s", path, is_found ? "found" : "not found");
    if (expected)
        assert_str_equal(token, expected);
}

static void test_source_find__paths_of_all_shapes__gives_the_value(void **state)
{
    (void)state;
    check("a", "1");
    check("b\"c", "\"x\\\"]}\"");
    check("vendor.name", "\"ACME\"");
    check("vendor.tags", "\"p\"");
    check("vendor.tags[1]", "\"q\"");
    check("vendor.size", "7");
    check("tags", "\"one\"");
    check("tags[2]", "\"three\"");
    check("items.sku", "\"s2\"");
    check("items[1].n", "2");
    check("items.n", "1");
    check("x[1]", "3");
    check("a[0]", "1");
    check("yes", "true");
    check("f", "-1.5e2");
}

static void test_source_find__nothing_there__is_missing(void **state)
{
    (void)state;
    static const char *const PATHS[] = {
        "",
        "b",
        "vendor",
        "vendor.",
        ".vendor",
        "tags[1]",
        "tags[3]",
        "tags[",
        "tags[]",
        "tags[x]",
        "tags[0",
        "a.b",
        "a[1]",
        "items[0].sku",
        "no",
        "vendor.name.x",
        "tags[99999999999999999999]",
        "..",
        "[0]",
    };
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++)
        check(PATHS[i], NULL);
}

static void test_scan__every_prefix_of_a_text__stays_inside_it(void **state)
{
    (void)state;
    /* Under a sanitizer: a heap copy of each length, so that one byte too far is seen. */
    for (size_t n = 0; n < sizeof SOURCE; n++) {
        char *copy = malloc(n + 1);
        qd_str token;
        assert_non_null(copy);
        char *tight = realloc(copy, n ? n : 1);
        memcpy(tight, SOURCE, n);
        qd_source_find((qd_str){tight, n}, QD_STR("items[1].sku"), &token);
        qd_source_find((qd_str){tight, n}, QD_STR("b\"c"), &token);
        free(tight);
    }
}

static void test_scan__scalars__have_their_types(void **state)
{
    (void)state;
    qd_arena *arena = qd_arena_new(1 << 20);
    qd_value v;
    assert_true(qd_scan_scalar(QD_STR("12"), arena, &v));
    assert_int_equal(v.type, QD_I64);
    assert_int_equal(v.as.i, 12);
    assert_true(qd_scan_scalar(QD_STR("1.5"), arena, &v));
    assert_int_equal(v.type, QD_F64);
    assert_true(qd_scan_scalar(QD_STR("123456789012345678901234567890"), arena, &v));
    assert_int_equal(v.type, QD_F64);
    assert_true(qd_scan_scalar(QD_STR("\"a\\u00e9\\n\""), arena, &v));
    assert_str_equal(v.as.s, "a\xc3\xa9\n");
    assert_true(qd_scan_scalar(QD_STR("false"), arena, &v));
    assert_int_equal(v.type, QD_BOOL);
    assert_false(qd_scan_scalar(QD_STR("null"), arena, &v));
    assert_false(qd_scan_scalar(QD_STR("{}"), arena, &v));
    assert_false(qd_scan_scalar(QD_STR("\"\\x\""), arena, &v));
    qd_arena_free(arena);
}

static void test_locate__member_and_element__line_and_column(void **state)
{
    (void)state;
    qd_str text = QD_STR("{\n  \"query\": {\"bool\": {\"must\": [\n    {\"match\": 1},\n  \xc3\xa9  {\"foo\": 2}]}}}");
    qd_json_at query = {NULL, QD_STR("query"), 0}, boolean = {&query, QD_STR("bool"), 0},
               must = {&boolean, QD_STR("must"), 0};
    qd_json_at first = {&must, {NULL, 0}, 0}, match = {&first, QD_STR("match"), 0};
    uint32_t line, column;
    qd_json_locate(text, &match, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 6);
    qd_json_locate(text, &first, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 5);
    qd_json_locate(text, NULL, &line, &column);
    assert_int_equal(line, 1);
    assert_int_equal(column, 1);
}

static void test_source_values__paths__count_and_give_all(void **state)
{
    (void)state;
    static const char DOC[] =
        " {\"price\":9.5,\"sites\":[{\"city\":\"Bern\"},{\"city\":\"Rome\"}],\"tags\":[null,\"a\",\"b\"],"
        "\"grid\":[[1,2],[3,4]],\"user.tier\":\"gold\",\"none\":null,\"a\":{\"b.c\":{\"d\":true}}}";
    static const struct {
        const char *path;
        uint32_t n;
        const char *last;
    } CASES[] = {
        {"price", 1, "9.5"},
        {"sites.city", 2, "\"Rome\""},
        {"sites[0].city", 1, "\"Bern\""},
        {"tags", 2, "\"b\""},
        {"tags[2]", 1, "\"b\""},
        {"tags[0]", 0, NULL},
        {"grid", 4, "4"},
        {"grid[0]", 2, "2"},
        {"a.b.c.d", 1, "true"},
        {"user.tier", 1, "\"gold\""},
        {"none", 0, NULL},
        {"sites", 0, NULL},
        {"nothing", 0, NULL},
        {"price[0]", 1, "9.5"},
        {"", 0, NULL},
        {".", 0, NULL},
        {"tags[", 0, NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_str token = {0};
        uint32_t n = qd_source_values(qd_str_of(DOC), qd_str_of(CASES[i].path), CASES[i].n - 1, &token);
        if (n != CASES[i].n || (CASES[i].last ? !qd_str_is(token, CASES[i].last) : token.p != NULL))
            fail_msg("'%s': %u values, the last %.*s", CASES[i].path, n, QD_STR_FMT(token));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_values__paths__count_and_give_all),
        cmocka_unit_test(test_source_find__paths_of_all_shapes__gives_the_value),
        cmocka_unit_test(test_source_find__nothing_there__is_missing),
        cmocka_unit_test(test_scan__every_prefix_of_a_text__stays_inside_it),
        cmocka_unit_test(test_scan__scalars__have_their_types),
        cmocka_unit_test(test_locate__member_and_element__line_and_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
