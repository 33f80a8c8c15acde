/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cmocka_qd.h"
#include "udf/json_path.h"

static const char DOC[] =
    "{\"price\":9.5,\"vendor\":{\"name\":\"acme\",\"sites\":[{\"city\":\"Bern\"},{\"city\":\"Rome\"}]},"
    "\"tags\":[null,\"a\",\"b\"],\"grid\":[[1,2],[3,4]],\"user.tier\":\"gold\",\"none\":null,\"empty\":[],"
    "\"a\":{\"b.c\":{\"d\":true}},\"odd.list\":[7,8]}";

static void test_get__paths__find_what_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *path, *expected;
    } CASES[] = {
        {"price", "9.5"},
        {"vendor.name", "\"acme\""},
        {"vendor.sites.city", "\"Bern\""},
        {"vendor.sites[1].city", "\"Rome\""},
        {"tags", "\"a\""},
        {"tags[2]", "\"b\""},
        {"tags[0]", NULL},
        {"tags[3]", NULL},
        {"tags[-1]", NULL},
        {"tags[x]", NULL},
        {"tags[1", NULL},
        {"tags[]", NULL},
        {"grid", "1"},
        {"grid[1]", "3"},
        {"grid[1][1]", "4"},
        {"user.tier", "\"gold\""},
        {"a.b.c.d", "true"},
        {"odd.list[1]", "8"},
        {"none", NULL},
        {"empty", NULL},
        {"vendor", "{"},
        {"vendor.nothing", NULL},
        {"price.more", NULL},
        {"price[0]", "9.5"},
        {"price[1]", NULL},
        {"vendor[0]", NULL},
        {".", NULL},
        {"vendor.", NULL},
        {"vendor..name", NULL},
        {"[0]", NULL},
    };
    json_t *doc = NULL;
    assert_int_equal(qd_json_parse(qd_str_of(DOC), &doc, NULL), QD_OK);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const json_t *v = qd_json_path_get(doc, qd_str_of(CASES[i].path));
        char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        if (!CASES[i].expected != !text || (text && strncmp(text, CASES[i].expected, strlen(CASES[i].expected)) != 0))
            fail_msg("path '%s': expected %s, got %s", CASES[i].path, CASES[i].expected ? CASES[i].expected : "nothing",
                     text ? text : "nothing");
        free(text);
    }
    assert_null(qd_json_path_get(NULL, QD_STR("a")));
    json_decref(doc);
}

static void test_to_value__types__are_kept(void **state)
{
    (void)state;
    json_t *doc = NULL;
    qd_value v;
    assert_int_equal(qd_json_parse(QD_STR("[1,2.5,true,\"x\",{},null]"), &doc, NULL), QD_OK);
    assert_true(qd_json_to_value(json_array_get(doc, 0), &v) && v.type == QD_I64 && v.as.i == 1);
    assert_true(qd_json_to_value(json_array_get(doc, 1), &v) && v.type == QD_F64 && v.as.f == 2.5);
    assert_true(qd_json_to_value(json_array_get(doc, 2), &v) && v.type == QD_BOOL && v.as.b);
    assert_true(qd_json_to_value(json_array_get(doc, 3), &v) && v.type == QD_STRING && qd_str_is(v.as.s, "x"));
    assert_false(qd_json_to_value(json_array_get(doc, 4), &v));
    assert_false(qd_json_to_value(json_array_get(doc, 5), &v));
    assert_false(qd_json_to_value(NULL, &v));
    json_decref(doc);
}

static void test_values__paths__count_and_give_all(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        uint32_t n;
        const char *last;
    } CASES[] = {
        {"price", 1, "9.5"},
        {"vendor.sites.city", 2, "\"Rome\""},
        {"vendor.sites[0].city", 1, "\"Bern\""},
        {"tags", 2, "\"b\""},
        {"tags[2]", 1, "\"b\""},
        {"tags[0]", 0, NULL},
        {"grid", 4, "4"},
        {"grid[0]", 2, "2"},
        {"a.b.c.d", 1, "true"},
        {"user.tier", 1, "\"gold\""},
        {"none", 0, NULL},
        {"empty", 0, NULL},
        {"vendor", 0, NULL},
        {"nothing", 0, NULL},
        {"price[0]", 1, "9.5"},
        {"", 0, NULL},
        {".", 0, NULL},
        {"tags[", 0, NULL},
    };
    json_t *doc = json_loads(DOC, 0, NULL);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const json_t *found = NULL;
        uint32_t n = qd_json_path_values(doc, qd_str_of(CASES[i].path), CASES[i].n - 1, &found);
        char *text = found ? json_dumps(found, JSON_ENCODE_ANY) : NULL;
        if (n != CASES[i].n || (CASES[i].last ? !text || strcmp(text, CASES[i].last) != 0 : found != NULL))
            fail_msg("'%s': %u values, the last %s", CASES[i].path, n, text ? text : "none");
        free(text);
    }
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get__paths__find_what_is_there),
        cmocka_unit_test(test_values__paths__count_and_give_all),
        cmocka_unit_test(test_to_value__types__are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
