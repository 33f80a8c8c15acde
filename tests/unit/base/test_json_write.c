/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/json.h"
#include "cmocka_qd.h"

typedef struct fixture {
    qd_buf buf;
    qd_json w;
} fixture;

static int setup(void **state)
{
    static fixture f;
    qd_buf_init(&f.buf, 1 << 20);
    qd_json_init(&f.w, &f.buf, false);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    qd_buf_deinit(&((fixture *)*state)->buf);
    return 0;
}

static void write_sample(qd_json *w)
{
    qd_json_begin_object(w);
    qd_json_kv_z(w, "a", "x");
    qd_json_kv_i64(w, "b", -1);
    qd_json_key(w, "list");
    qd_json_begin_array(w);
    qd_json_u64(w, UINT64_MAX);
    qd_json_begin_object(w);
    qd_json_end_object(w);
    qd_json_begin_array(w);
    qd_json_end_array(w);
    qd_json_null(w);
    qd_json_end_array(w);
    qd_json_kv_bool(w, "c", true);
    qd_json_kv_f64(w, "d", 12);
    qd_json_key(w, "e");
    qd_json_raw(w, QD_STR("{\"raw\":1}"));
    qd_json_kv_z(w, "f", NULL);
    qd_json_end_object(w);
}

static void test_compact__commas_and_nesting(void **state)
{
    fixture *f = *state;
    write_sample(&f->w);
    assert_str_equal(qd_buf_str(&f->buf), "{\"a\":\"x\",\"b\":-1,\"list\":[18446744073709551615,{},[],null],\"c\":true,"
                                          "\"d\":12.0,\"e\":{\"raw\":1},\"f\":null}");
    assert_int_equal(f->w.depth, 0);
}

static void test_pretty__indents_by_two(void **state)
{
    fixture *f = *state;
    qd_json_init(&f->w, &f->buf, true);
    write_sample(&f->w);
    assert_str_equal(
        qd_buf_str(&f->buf),
        "{\n  \"a\": \"x\",\n  \"b\": -1,\n  \"list\": [\n    18446744073709551615,\n    {},\n    [],\n    null\n"
        "  ],\n  \"c\": true,\n  \"d\": 12.0,\n  \"e\": {\"raw\":1},\n  \"f\": null\n}");
}

static void test_strings__escapes_and_bad_utf8(void **state)
{
    fixture *f = *state;
    qd_json_str(&f->w, (qd_str){"q\"b\\s/\b\f\n\r\t\x01\x1f\x7f\0z", 16});
    assert_str_equal(qd_buf_str(&f->buf), "\"q\\\"b\\\\s/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000z\"");
    qd_buf_clear(&f->buf);
    qd_json_init(&f->w, &f->buf, false);
    qd_json_str(&f->w, QD_STR("caf\xC3\xA9 \xF0\x9F\xA6\x89 \xFF \xC3 \xED\xA0\x80."));
    assert_str_equal(qd_buf_str(&f->buf), "\"caf\xC3\xA9 \xF0\x9F\xA6\x89 \xEF\xBF\xBD \xEF\xBF\xBD "
                                          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD.\"");
    qd_buf_clear(&f->buf);
    qd_json_init(&f->w, &f->buf, false);
    qd_json_str(&f->w, (qd_str){NULL, 0});
    assert_str_equal(qd_buf_str(&f->buf), "\"\"");
}

static void test_numbers__not_finite__is_null(void **state)
{
    fixture *f = *state;
    qd_json_begin_array(&f->w);
    qd_json_f64(&f->w, NAN);
    qd_json_f64(&f->w, -INFINITY);
    qd_json_f32(&f->w, INFINITY);
    qd_json_f32(&f->w, 0.5753642f);
    qd_json_f64(&f->w, 0.1);
    qd_json_end_array(&f->w);
    assert_str_equal(qd_buf_str(&f->buf), "[null,null,null,0.5753642,0.1]");
}

static void test_value__writes_what_was_parsed(void **state)
{
    fixture *f = *state;
    static const char TEXT[] = "{\"a\":[1,2.5,true,false,null,\"x\\ny\"],\"b\":{\"c\":{}},\"d\":0.1,\"e\":-3.0}";
    json_t *value = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(QD_STR(TEXT), &value, &err), &err);
    qd_json_value(&f->w, value);
    assert_str_equal(qd_buf_str(&f->buf), TEXT);
    json_decref(value);
}

static void test_full_buffer__latches(void **state)
{
    (void)state;
    qd_buf small;
    qd_json w;
    qd_buf_init(&small, 20);
    qd_json_init(&w, &small, true);
    write_sample(&w);
    assert_true(small.failed);
    qd_buf_deinit(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_compact__commas_and_nesting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pretty__indents_by_two, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strings__escapes_and_bad_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers__not_finite__is_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_value__writes_what_was_parsed, setup, teardown),
        cmocka_unit_test(test_full_buffer__latches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
