/* SPDX-License-Identifier: Apache-2.0 */
#include "http/cat_table.h"

#include "cmocka_qd.h"

static const qd_cat_column COLUMNS[] = {{"index", "i", false}, {"docs", "dc", true}, {"size", NULL, true}};
static const char *const CELLS[] = {"a", "1", "2kb", "longer", "100", "3mb"};

static void expect(const char *target, const char *type, const char *answer)
{
    qd_request rq;
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_request_init(&rq, NULL));
    assert_status_ok(qd_uri_parse(qd_str_of(target), rq.arena, &rq.uri, &err), &err);
    assert_status_ok(qd_cat_table_write(&rq, COLUMNS, 3, CELLS, 2, &err), &err);
    assert_string_equal(rq.answer_type, type);
    assert_str_equal(qd_buf_str(&rq.out), answer);
    qd_request_deinit(&rq);
}

static void test_text__aligned(void **state)
{
    (void)state;
    expect("/", QD_TYPE_TEXT, "a        1 2kb\nlonger 100 3mb\n");
    expect("/?v", QD_TYPE_TEXT, "index  docs size\na         1  2kb\nlonger  100  3mb\n");
    expect("/?h=dc,index", QD_TYPE_TEXT, "  1 a\n100 longer\n");
}

static void test_json(void **state)
{
    (void)state;
    expect("/?format=json&h=i,docs", QD_TYPE_JSON,
           "[{\"index\":\"a\",\"docs\":\"1\"},{\"index\":\"longer\",\"docs\":\"100\"}]");
}

static void test_unknown_column_or_format__refused(void **state)
{
    (void)state;
    qd_request rq;
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_request_init(&rq, NULL));
    assert_status_ok(qd_uri_parse(QD_STR("/?h=nope"), rq.arena, &rq.uri, &err), &err);
    assert_failed_with(qd_cat_table_write(&rq, COLUMNS, 3, CELLS, 2, &err), &err, QD_EINVAL,
                       "h: there is no column [nope] in this table");
    assert_status_ok(qd_uri_parse(QD_STR("/?format=xml"), rq.arena, &rq.uri, &err), &err);
    assert_failed_with(qd_cat_table_write(&rq, COLUMNS, 3, CELLS, 2, &err), &err, QD_EINVAL,
                       "format: expected [text] or [json], got [xml]");
    qd_request_deinit(&rq);
}

static void test_bytes__units(void **state)
{
    (void)state;
    qd_request rq;
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_request_init(&rq, NULL));
    assert_status_ok(qd_uri_parse(QD_STR("/"), rq.arena, &rq.uri, &err), &err);
    assert_string_equal(qd_cat_bytes(&rq, 0), "0b");
    assert_string_equal(qd_cat_bytes(&rq, 1023), "1023b");
    assert_string_equal(qd_cat_bytes(&rq, 1536), "1.5kb");
    assert_string_equal(qd_cat_bytes(&rq, 20u << 20), "20mb");
    qd_request_deinit(&rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__aligned),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_unknown_column_or_format__refused),
        cmocka_unit_test(test_bytes__units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
