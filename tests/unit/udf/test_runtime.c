/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "quidditch/quidditch.h"
#include "store/scratch_dir.h"

static qd_runtime *rt;
static scratch_dir dir;

static int setup(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    scratch_dir_init(&dir);
    if (qd_runtime_open(NULL, NULL, &rt, &err) != QD_OK)
        fail_msg("%s", err.message);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qd_runtime_close(rt);
    scratch_dir_deinit(&dir);
    return 0;
}

static const char SUM[] = "(module (func (export \"f\") (param f64 i64 i32) (result f64)"
                          " (f64.add (local.get 0) (f64.add (f64.convert_i64_s (local.get 1))"
                          "  (f64.convert_i32_s (local.get 2))))))";
#define SUM_MANIFEST(version)                                                                                          \
    "{\"name\": \"sum\", \"version\": \"" version "\", \"function_name\": \"f\", \"kind\": \"transform\", \"abi\": "   \
    "\"typed\", \"parameters\": [{\"name\": \"a\", \"type\": \"f64\", \"from\": \"_source.a\"},"                       \
    " {\"name\": \"b\", \"type\": \"i64\", \"from\": \"_source.b\"}, {\"name\": \"c\", \"type\": \"bool\", \"from\": " \
    "\"_source.c\", \"default\": false}]}"
/* As text it says whether the title is there, and gives it back in the row shape. */
static const char ECHO[] =
    "(module (import \"env\" \"get_field_string\" (func $get (param i64 i32 i32 i32 i32) (result i32)))"
    " (import \"env\" \"set_result_string\" (func $set (param i32 i32)))"
    " (memory (export \"memory\") 1) (data (i32.const 0) \"title\")"
    " (func (export \"f\") (param $ctx i64) (result i32)"
    "  (i32.store (i32.const 16) (i32.const 1000))"
    "  (if (call $get (local.get $ctx) (i32.const 0) (i32.const 5) (i32.const 32) (i32.const 16))"
    "   (then (call $set (i32.const 0) (i32.const 0))) (else (call $set (i32.const 32) (i32.load "
    "(i32.const 16))))) (i32.const 0)))";
static const char ECHO_MANIFEST[] = "{\"name\": \"echo\", \"version\": \"1.0.0\", \"function_name\": \"f\", \"kind\": "
                                    "\"transform\", \"abi\": \"row\", \"returns\": [{\"type\": \"string\"}]}";
static const char LOOP[] =
    "(module (func (export \"filter\") (param i64) (result i32) (loop $l (br $l)) (i32.const 1)))";
static const char LOOP_MANIFEST[] =
    "{\"name\": \"endless\", \"version\": \"1.0.0\", \"kind\": \"filter\", \"abi\": \"row\","
    " \"limits\": {\"call_ms\": 5000}}";

static void add(const char *manifest, const char *module)
{
    qd_error err = QD_ERROR_INIT;
    if (qd_runtime_register(rt, manifest, strlen(manifest), module, strlen(module), &err) != QD_OK)
        fail_msg("%s", err.message);
}

static qd_udf_call *open_call(const char *function, const char *parameters)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_call *c = NULL;
    if (qd_udf_call_open(rt, function, parameters, &c, &err) != QD_OK)
        fail_msg("%s", err.message);
    return c;
}

static void test_call__json_fields_and_columns__agree(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    add(SUM_MANIFEST("1.0.0"), SUM);
    qd_udf_call *c = open_call("sum", NULL);
    static const char document[] = "{\"a\": 1.5, \"b\": 2, \"c\": true}";
    assert_int_equal(qd_udf_call_json(c, document, sizeof document - 1, &out, &err), QD_OK);
    assert_int_equal(out.type, QD_DATA_F64);
    assert_true(out.as.f == 4.5);
    const qd_field_value fields[] = {
        {"a", {QD_DATA_F64, {.f = 1.5}}}, {"b", {QD_DATA_I64, {.i = 2}}}, {"c", {QD_DATA_BOOL, {.b = true}}}};
    assert_int_equal(qd_udf_call_fields(c, fields, 3, &out, &err), QD_OK);
    assert_true(out.type == QD_DATA_F64 && out.as.f == 4.5);
    const qd_field_value without_b[] = {{"a", {QD_DATA_F64, {.f = 1.5}}}, {"b", {.type = QD_DATA_MISSING}}};
    assert_int_equal(qd_udf_call_fields(c, without_b, 2, &out, &err), QD_OK);
    assert_int_equal(out.type, QD_DATA_MISSING);
    qd_udf_call_close(c);
}

enum { ROWS = 5000 }; /* several blocks */

static void test_call_columns__several_blocks__each_row_has_its_own(void **state)
{
    (void)state;
    static double a[ROWS], results[ROWS];
    static int64_t b[ROWS];
    static uint8_t c_values[ROWS], b_valid[ROWS], valid[ROWS];
    qd_error err = QD_ERROR_INIT;
    add(SUM_MANIFEST("1.0.0"), SUM);
    for (int i = 0; i < ROWS; i++) {
        a[i] = i * 0.5;
        b[i] = i;
        c_values[i] = (uint8_t)(i % 2);
        b_valid[i] = i % 7 != 0;
    }
    const qd_data_column columns[] = {{"unused", QD_DATA_F64, a, NULL},
                                      {"b", QD_DATA_I64, b, b_valid},
                                      {"c", QD_DATA_BOOL, c_values, NULL},
                                      {"a", QD_DATA_F64, a, NULL}};
    qd_udf_call *c = open_call("sum@^1", NULL);
    for (int pass = 0; pass < 2; pass++) { /* the second with other columns in the same places */
        assert_int_equal(qd_udf_call_columns(c, columns + pass, 4 - pass, ROWS, NULL, results, valid, &err), QD_OK);
        for (int i = 0; i < ROWS; i++) {
            assert_int_equal(valid[i], i % 7 != 0);
            if (valid[i])
                assert_true(results[i] == i * 1.5 + i % 2);
        }
    }
    assert_int_equal(qd_udf_call_columns(c, columns, 0, ROWS, NULL, results, valid, &err), QD_OK);
    assert_int_equal(valid[1], 0);
    assert_int_equal(qd_udf_call_columns(c, columns, 4, 0, NULL, results, valid, &err), QD_OK);
    const qd_data_column bad[] = {{"a", (qd_data_type)77, a, NULL}};
    assert_int_equal(qd_udf_call_columns(c, bad, 1, 1, NULL, results, valid, &err), QD_EINVAL);
    assert_string_equal(err.message, "column 0 ('a'): expected a name, values and their type");
    qd_udf_call_close(c);
}

static void test_call_columns_any__texts__come_back(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    const qd_text titles[] = {{"golden snitch", 13}, {"", 0}, {"broom", 5}};
    const uint8_t there[] = {1, 1, 0};
    const qd_data_column columns[] = {{"title", QD_DATA_TEXT, titles, there}};
    qd_data out[3];
    add(ECHO_MANIFEST, ECHO);
    qd_udf_call *c = open_call("echo", NULL);
    assert_int_equal(qd_udf_call_columns_any(c, columns, 1, 3, NULL, out, &err), QD_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(out[i].type, QD_DATA_TEXT);
    assert_int_equal(out[0].as.text.n, 13);
    assert_memory_equal(out[0].as.text.p, "golden snitch", 13);
    assert_int_equal(out[1].as.text.n, 0);
    assert_int_equal(out[2].as.text.n, 0);
    qd_udf_call_close(c);
}

/* ---- a field's type may change from call to call ---- */

#define ONE_PARAMETER(name, type, abi, rest)                                                                           \
    "{\"name\": \"" name "\", \"version\": \"1.0.0\", \"function_name\": \"f\", \"kind\": \"transform\"," rest         \
    " \"abi\": "                                                                                                       \
    "\"" abi "\", \"parameters\": [" type "]}"
#define FROM_A(type) "{\"name\": \"a\", \"type\": \"" type "\", \"from\": \"_source.a\"}"

static qd_status call_with(qd_udf_call *c, qd_data value, qd_data *out, qd_error *err)
{
    const qd_field_value field[] = {{"a", value}};
    return qd_udf_call_fields(c, field, 1, out, err);
}

static void test_call__type_changes_between_calls__each_is_taken_as_it_is(void **state)
{
    (void)state;
    static const char as_i64[] = "(module (func (export \"f\") (param i64) (result i64) (local.get 0)))";
    const int64_t large = (INT64_C(1) << 53) + 1; /* no double is equal to it */
    const qd_data fraction = {QD_DATA_F64, {.f = 2.75}}, integer = {QD_DATA_I64, {.i = large}};
    const qd_data truth = {QD_DATA_BOOL, {.b = true}}, none = {.type = QD_DATA_MISSING};
    const qd_data text = {QD_DATA_TEXT, {.text = {"7", 1}}};
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    add(ONE_PARAMETER("whole", FROM_A("i64"), "typed", ""), as_i64);
    qd_udf_call *c = open_call("whole", NULL);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(call_with(c, fraction, &out, &err), QD_OK);
        assert_true(out.type == QD_DATA_I64 && out.as.i == 2);
        assert_int_equal(call_with(c, integer, &out, &err), QD_OK);
        assert_true(out.type == QD_DATA_I64 && out.as.i == large);
        assert_int_equal(call_with(c, truth, &out, &err), QD_EUDF_PARAMS);
        assert_string_equal(err.message,
                            "function 'whole@1.0.0', document '0': parameter 'a': expected a 64-bit integer, "
                            "got true");
        assert_int_equal(call_with(c, none, &out, &err), QD_OK);
        assert_int_equal(out.type, QD_DATA_MISSING);
        assert_int_equal(call_with(c, text, &out, &err), QD_EUDF_PARAMS);
    }
    qd_udf_call_close(c);
}

static void test_call__type_changes_of_what_is_asked_for__no_old_type_is_read(void **state)
{
    (void)state;
    static const char by_handle[] =
        "(module (import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"
        " (import \"env\" \"field_i64\" (func $i64 (param i32) (result i64)))"
        " (memory (export \"memory\") 1) (data (i32.const 0) \"a\")"
        " (func (export \"f\") (param i64) (result i64) (call $i64 (call $handle (i32.const 0) (i32.const 1)))))";
    static const char by_name[] =
        "(module (import \"env\" \"get_field_i64\" (func $get (param i64 i32 i32 i32) (result i32)))"
        " (memory (export \"memory\") 1) (data (i32.const 0) \"a\")"
        " (func (export \"f\") (param i64) (result i64)"
        "  (drop (call $get (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8))) (i64.load (i32.const 8))))";
    const int64_t large = (INT64_C(1) << 53) + 1;
    const qd_data fraction = {QD_DATA_F64, {.f = 2.75}}, integer = {QD_DATA_I64, {.i = large}};
    const qd_data none = {.type = QD_DATA_MISSING};
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    add(ONE_PARAMETER("handled", "", "handle", ""), by_handle);
    add(ONE_PARAMETER("named", "", "row", ""), by_name);
    for (int i = 0; i < 2; i++) {
        qd_udf_call *c = open_call(i ? "named" : "handled", NULL);
        assert_int_equal(call_with(c, fraction, &out, &err), QD_OK);
        assert_true(out.type == QD_DATA_I64 && out.as.i == 2);
        assert_int_equal(call_with(c, integer, &out, &err), QD_OK);
        assert_true(out.type == QD_DATA_I64 && out.as.i == large);
        if (i == 0) { /* a handle of a field that is not there reads as 0 */
            assert_int_equal(call_with(c, none, &out, &err), QD_OK);
            assert_true(out.type == QD_DATA_I64 && out.as.i == 0);
        }
        qd_udf_call_close(c);
    }
}

static void test_call__fails_or_never_ends__says_so_and_goes_on(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    add(LOOP_MANIFEST, LOOP);
    qd_udf_call *c = open_call("endless", NULL);
    qd_udf_call_set_timeout(c, 20);
    assert_int_equal(qd_udf_call_json(c, "{}", 2, &out, &err), QD_EUDF_TIMEOUT);
    assert_non_null(strstr(err.message, "endless@1.0.0"));
    assert_int_equal(qd_udf_call_json(c, "{}", 2, &out, &err), QD_EUDF_TIMEOUT);
    assert_int_equal(qd_udf_call_json(c, "[1]", 3, &out, &err), QD_EPARSE);
    assert_string_equal(err.message, "the document: expected an object, got an array");
    assert_int_equal(qd_udf_call_json(c, "{", 1, &out, &err), QD_EPARSE);
    qd_udf_call_close(c);
    c = NULL;
    assert_int_equal(qd_udf_call_open(rt, "nobody", NULL, &c, &err), QD_EUDF_NOTFOUND);
    assert_int_equal(qd_udf_call_open(rt, "endless", "{\"colour\": 1}", &c, &err), QD_EUDF_PARAMS);
    assert_int_equal(qd_udf_call_open(rt, "endless", "{", &c, &err), QD_EPARSE);
    assert_null(c);
}

static void test_versions__an_open_call_keeps_its_own(void **state)
{
    (void)state;
    static const char one[] = "(module (func (export \"f\") (param f64 i64 i32) (result f64) (f64.const 1)))";
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    add(SUM_MANIFEST("1.0.0"), SUM);
    qd_udf_call *before = open_call("sum", NULL);
    add(SUM_MANIFEST("2.0.0"), one);
    qd_udf_call *after = open_call("sum", NULL);
    assert_int_equal(qd_runtime_remove(rt, "sum", "1.0.0", &err), QD_OK);
    assert_int_equal(qd_udf_call_json(before, "{\"a\": 5, \"b\": 5}", 16, &out, &err), QD_OK);
    assert_true(out.as.f == 10);
    assert_int_equal(qd_udf_call_json(after, "{\"a\": 5, \"b\": 5}", 16, &out, &err), QD_OK);
    assert_true(out.as.f == 1);
    qd_udf_call_close(before);
    qd_udf_call_close(after);
    assert_int_equal(qd_runtime_activate(rt, "sum", "1.0.0", &err), QD_EUDF_NOTFOUND);
}

static void test_open__a_directory__keeps_functions_and_statistics(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    char *stats = NULL;
    for (int pass = 0; pass < 2; pass++) {
        qd_runtime_close(rt);
        rt = NULL;
        assert_int_equal(qd_runtime_open(dir.path, NULL, &rt, &err), QD_OK);
        if (pass == 0)
            add(SUM_MANIFEST("1.0.0"), SUM);
        qd_udf_call *c = open_call("sum", NULL);
        assert_int_equal(qd_udf_call_json(c, "{\"a\": 5, \"b\": 5}", 16, &out, &err), QD_OK);
        qd_udf_call_close(c);
    }
    assert_int_equal(qd_runtime_stats(rt, "sum", NULL, &stats, &err), QD_OK);
    assert_non_null(strstr(stats, "\"call_count\":2"));
    qd_free(stats);
    qd_runtime_options options = QD_RUNTIME_OPTIONS_INIT;
    qd_runtime *other = NULL;
    options.size = 3;
    assert_int_equal(qd_runtime_open(NULL, &options, &other, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "QD_RUNTIME_OPTIONS_INIT"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_call__json_fields_and_columns__agree),
        TEST(test_call_columns__several_blocks__each_row_has_its_own),
        TEST(test_call_columns_any__texts__come_back),
        TEST(test_call__fails_or_never_ends__says_so_and_goes_on),
        TEST(test_call__type_changes_between_calls__each_is_taken_as_it_is),
        TEST(test_call__type_changes_of_what_is_asked_for__no_old_type_is_read),
        TEST(test_versions__an_open_call_keeps_its_own),
        TEST(test_open__a_directory__keeps_functions_and_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
