/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregates in a program, without an index: what is fed in which way must not matter, states go from one aggregation
 * to another as bytes, and a failure is the end of one aggregation only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "quidditch/quidditch.h"

static qd_runtime *rt;

static int setup(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    if (qd_runtime_open(NULL, NULL, &rt, &err) != QD_OK)
        fail_msg("%s", err.message);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qd_runtime_close(rt);
    return 0;
}

/* Base 10 of what came, in its order: 1, 2, 3 give 123. So the order shows. The state: the number, and 10 to the power
 * of how many digits it has. 666 traps, 777 never ends. */
#define DIGITS(parameter, times)                                                                                       \
    "(module (import \"env\" \"set_result_missing\" (func $missing)) (memory (export \"memory\") 1)"                   \
    " (func $join (param $s i32) (param $x i64) (param $power i64)"                                                    \
    "  (i64.store (local.get $s) (i64.add (i64.mul (i64.load (local.get $s)) (local.get $power)) (local.get $x)))"     \
    "  (i64.store offset=8 (local.get $s) (i64.mul (i64.load offset=8 (local.get $s)) (local.get $power))))"           \
    " (func (export \"f_init\") (result i32) (i64.store (i32.const 72) (i64.const 1)) (i32.const 64))"                 \
    " (func (export \"f_update\") (param $s i32) (param $x " parameter ") (local $i i64)"                              \
    "  (local.set $i (i64.trunc_f64_s (f64.mul (f64.const " times ") (f64.convert_i64_s (local.get $x)))))"            \
    "  (if (i64.eq (local.get $x) (i64.const 666)) (then unreachable))"                                                \
    "  (if (i64.eq (local.get $x) (i64.const 777)) (then (loop $l (br $l))))"                                          \
    "  (call $join (local.get $s) (local.get $i) (i64.const 10)))"                                                     \
    " (func (export \"f_serialize\") (param $s i32) (result i64)"                                                      \
    "  (i64.or (i64.shl (i64.extend_i32_u (local.get $s)) (i64.const 32)) (i64.const 16)))"                            \
    " (func (export \"f_merge\") (param $s i32) (param $at i32) (param $n i32)"                                        \
    "  (call $join (local.get $s) (i64.load (local.get $at)) (i64.load offset=8 (local.get $at))))"                    \
    " (func (export \"f_finish\") (param $s i32) (result i64)"                                                         \
    "  (if (i64.eq (i64.load offset=8 (local.get $s)) (i64.const 1)) (then (call $missing)))"                          \
    "  (if (i64.eq (i64.load (local.get $s)) (i64.const 99)) (then unreachable))"                                      \
    "  (i64.load (local.get $s))))"
#define MANIFEST(version)                                                                                              \
    "{\"name\": \"digits\", \"version\": \"" version "\", \"function_name\": \"f\", \"kind\": \"aggregate\","          \
    " \"abi\": \"typed\", \"limits\": {\"call_ms\": 5000},"                                                            \
    " \"parameters\": [{\"name\": \"a\", \"type\": \"i64\", \"from\": \"_source.a\"}]}"

static void add(const char *manifest, const char *module)
{
    qd_error err = QD_ERROR_INIT;
    if (qd_runtime_register(rt, manifest, strlen(manifest), module, strlen(module), &err) != QD_OK)
        fail_msg("%s", err.message);
}

static qd_udf_aggregation *begin(const char *function)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_aggregation *a = NULL;
    if (qd_udf_aggregation_open(rt, function, NULL, &a, &err) != QD_OK)
        fail_msg("%s", err.message);
    return a;
}

static void feed_json(qd_udf_aggregation *a, const char *documents)
{
    qd_error err = QD_ERROR_INIT;
    if (qd_udf_aggregation_json(a, documents, strlen(documents), &err) != QD_OK)
        fail_msg("%s", err.message);
}

static void feed(qd_udf_aggregation *a, qd_data_type type, const void *values, size_t n)
{
    qd_error err = QD_ERROR_INIT;
    const qd_data_column column[] = {{"a", type, values, NULL}};
    if (qd_udf_aggregation_columns(a, column, 1, n, NULL, &err) != QD_OK)
        fail_msg("%s", err.message);
}

static void assert_result(qd_udf_aggregation *a, const char *expected)
{
    qd_error err = QD_ERROR_INIT;
    char *json = NULL;
    if (qd_udf_aggregation_finish_json(a, &json, &err) != QD_OK)
        fail_msg("%s", err.message);
    assert_string_equal(json, expected);
    qd_free(json);
}

static void test_aggregation__json_and_columns_of_any_type__count_in_their_order(void **state)
{
    (void)state;
    const int64_t integers[] = {3, 4};
    const double fractions[] = {5.5, 6};
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    qd_udf_aggregation *a = begin("digits");
    assert_result(a, "null");
    feed_json(a, "[{\"a\": 1}, {}, {\"a\": 2}]");
    assert_result(a, "12");
    feed(a, QD_DATA_I64, integers, 2);
    feed(a, QD_DATA_F64, fractions, 2);
    feed_json(a, "{\"a\": 7}");
    feed(a, QD_DATA_I64, integers, 0);
    assert_int_equal(qd_udf_aggregation_columns(a, NULL, 0, 3, NULL, &err), QD_OK); /* documents without the field */
    assert_result(a, "1234567");
    assert_int_equal(qd_udf_aggregation_finish(a, &out, &err), QD_OK);
    assert_true(out.type == QD_DATA_I64 && out.as.i == 1234567);
    qd_udf_aggregation_close(a);
}

static void test_aggregation__many_documents__are_cut_into_blocks(void **state)
{
    (void)state;
    enum { N = 5000 };
    static int64_t zeros[N + 1];
    char *json = malloc(16 * N + 16), *p = json;
    zeros[N] = 8;
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    qd_udf_aggregation *a = begin("digits");
    feed(a, QD_DATA_I64, zeros, N + 1);
    assert_result(a, "8");
    *p++ = '[';
    for (int i = 0; i < N; i++, p += strlen(p))
        strcpy(p, "{\"a\":0},");
    strcpy(p, "{\"a\":9}]");
    feed_json(a, json);
    assert_result(a, "9"); /* 10 to the power of 5001 is 0 in 64 bits */
    free(json);
    qd_udf_aggregation_close(a);
}

static void test_merge__states_of_others__are_added_and_can_be_kept(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    void *one = NULL, *again = NULL;
    size_t n = 0, n_again = 0;
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    qd_udf_aggregation *a = begin("digits"), *b = begin("digits"), *kept = begin("digits");
    feed_json(a, "[{\"a\": 1}, {\"a\": 2}]");
    feed_json(b, "{\"a\": 3}");
    assert_int_equal(qd_udf_aggregation_serialize(b, &one, &n, &err), QD_OK);
    assert_int_equal(qd_udf_aggregation_serialize(b, &again, &n_again, &err), QD_OK);
    assert_int_equal(n, n_again);
    assert_memory_equal(one, again, n);
    assert_int_equal(qd_udf_aggregation_merge(a, one, n, &err), QD_OK);
    assert_int_equal(qd_udf_aggregation_merge(kept, one, n, &err), QD_OK);
    feed_json(b, "{\"a\": 4}"); /* it goes on */
    feed_json(kept, "{\"a\": 5}");
    assert_result(a, "123");
    assert_result(b, "34");
    assert_result(kept, "35");
    qd_free(one);
    qd_free(again);
    qd_udf_aggregation_close(a);
    qd_udf_aggregation_close(b);
    qd_udf_aggregation_close(kept);
}

static void test_merge__bytes_of_another_kind__are_refused_and_change_nothing(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    void *bytes = NULL;
    size_t n = 0;
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    add(MANIFEST("2.0.0"), DIGITS("i64", "2"));
    qd_udf_aggregation *a = begin("digits@1.0.0"), *b = begin("digits");
    feed_json(a, "{\"a\": 1}");
    feed_json(b, "{\"a\": 3}");
    assert_int_equal(qd_udf_aggregation_serialize(a, &bytes, &n, &err), QD_OK);
    assert_int_equal(qd_udf_aggregation_merge(b, bytes, n, &err), QD_EINVAL);
    assert_string_equal(err.message,
                        "function 'digits@2.0.0': the state is one of 'digits@1.0.0'; only the same version "
                        "can read it");
    for (size_t cut = 0; cut < n; cut++) /* whatever is lost or changed */
        assert_int_equal(qd_udf_aggregation_merge(a, bytes, cut, &err), QD_EINVAL);
    assert_string_equal(err.message,
                        "function 'digits@1.0.0': the state is damaged, or that of another module under this name");
    for (size_t at = 0; at < n; at++) {
        ((uint8_t *)bytes)[at] ^= 0x41;
        assert_int_equal(qd_udf_aggregation_merge(a, bytes, n, &err), QD_EINVAL);
        ((uint8_t *)bytes)[at] ^= 0x41;
    }
    assert_int_equal(qd_udf_aggregation_merge(a, "nonsense", 8, &err), QD_EINVAL);
    assert_string_equal(err.message, "function 'digits@1.0.0': these 8 bytes are no state that "
                                     "qd_udf_aggregation_serialize gave");
    assert_result(a, "1");
    assert_result(b, "6");
    qd_free(bytes);
    qd_udf_aggregation_close(a);
    qd_udf_aggregation_close(b);
}

static void test_merge__the_same_version_of_another_module__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_runtime *other = NULL;
    qd_udf_aggregation *b = NULL;
    void *bytes = NULL;
    size_t n = 0;
    static const char changed[] = DIGITS("i64", "2");
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    qd_udf_aggregation *a = begin("digits");
    assert_int_equal(qd_udf_aggregation_serialize(a, &bytes, &n, &err), QD_OK);
    assert_int_equal(qd_runtime_open(NULL, NULL, &other, &err), QD_OK);
    assert_int_equal(
        qd_runtime_register(other, MANIFEST("1.0.0"), strlen(MANIFEST("1.0.0")), changed, strlen(changed), &err),
        QD_OK);
    assert_int_equal(qd_udf_aggregation_open(other, "digits", NULL, &b, &err), QD_OK);
    assert_int_equal(qd_udf_aggregation_merge(b, bytes, n, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "that of another module under this name"));
    qd_free(bytes);
    qd_udf_aggregation_close(a);
    qd_udf_aggregation_close(b);
    qd_runtime_close(other);
}

static void test_aggregation__function_fails__says_where_and_is_over(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    void *bytes;
    size_t n;
    static const char bad[] = "[{\"a\": 1}, {\"a\": 666}]", endless[] = "{\"a\": 777}";
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    qd_udf_aggregation *a = begin("digits");
    assert_int_equal(qd_udf_aggregation_json(a, bad, strlen(bad), &err), QD_EUDF_FAILED);
    assert_non_null(strstr(err.message, "function 'digits@1.0.0', document '1': trap: unreachable"));
    static const char over[] =
        "function 'digits@1.0.0': a call of this aggregation failed before, and its state is lost: "
        "open another";
    assert_int_equal(qd_udf_aggregation_json(a, "{}", 2, &err), QD_EUDF_FAILED);
    assert_string_equal(err.message, over);
    assert_int_equal(qd_udf_aggregation_columns(a, NULL, 0, 1, NULL, &err), QD_EUDF_FAILED);
    assert_int_equal(qd_udf_aggregation_serialize(a, &bytes, &n, &err), QD_EUDF_FAILED);
    assert_int_equal(qd_udf_aggregation_merge(a, "", 0, &err), QD_EUDF_FAILED);
    assert_int_equal(qd_udf_aggregation_finish(a, &out, &err), QD_EUDF_FAILED);
    assert_string_equal(err.message, over);
    qd_udf_aggregation_close(a);
    a = begin("digits");
    qd_udf_aggregation_set_timeout(a, 20);
    assert_int_equal(qd_udf_aggregation_json(a, endless, strlen(endless), &err), QD_EUDF_TIMEOUT);
    qd_udf_aggregation_close(a);
}

static void test_aggregation__malformed_input_or_a_bad_end__leaves_the_state(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_data out;
    const int64_t nines[] = {9, 9};
    const qd_data_column no_type[] = {{"a", (qd_data_type)77, nines, NULL}};
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    qd_udf_aggregation *a = begin("digits");
    feed(a, QD_DATA_I64, nines, 2);
    assert_int_equal(qd_udf_aggregation_json(a, "7", 1, &err), QD_EPARSE);
    assert_string_equal(err.message, "the document: expected an object, or an array of them, got a number");
    assert_int_equal(qd_udf_aggregation_json(a, "[{\"a\":1},2]", 11, &err), QD_EPARSE);
    assert_string_equal(err.message, "document 1: expected an object, got a number");
    assert_int_equal(qd_udf_aggregation_json(a, "{", 1, &err), QD_EPARSE);
    assert_int_equal(qd_udf_aggregation_columns(a, no_type, 1, 2, NULL, &err), QD_EINVAL);
    assert_int_equal(qd_udf_aggregation_finish(a, &out, &err), QD_EUDF_FAILED); /* 99 traps at the end */
    assert_non_null(strstr(err.message, "function 'digits@1.0.0': trap: unreachable"));
    feed_json(a, "{\"a\": 1}");
    assert_result(a, "991");
    qd_udf_aggregation_close(a);
}

static void test_open__no_aggregate_or_unknown__is_refused(void **state)
{
    (void)state;
    static const char filter[] = "(module (func (export \"filter\") (param i64) (result i32) (i32.const 1)))";
    qd_error err = QD_ERROR_INIT;
    qd_udf_aggregation *a = NULL;
    qd_udf_call *c = NULL;
    add("{\"name\": \"all\", \"version\": \"1.0.0\", \"kind\": \"filter\", \"abi\": \"row\"}", filter);
    add(MANIFEST("1.0.0"), DIGITS("i64", "1"));
    assert_int_equal(qd_udf_aggregation_open(rt, "all", NULL, &a, &err), QD_EUDF_PARAMS);
    assert_string_equal(err.message, "function 'all@1.0.0' is no aggregate; it cannot be used here");
    assert_int_equal(qd_udf_call_open(rt, "digits", NULL, &c, &err), QD_EUDF_PARAMS);
    assert_string_equal(err.message, "function 'digits@1.0.0' is an aggregate; it cannot be used here");
    assert_int_equal(qd_udf_aggregation_open(rt, "nobody", NULL, &a, &err), QD_EUDF_NOTFOUND);
    assert_int_equal(qd_udf_aggregation_open(rt, "digits", "{", &a, &err), QD_EPARSE);
    assert_int_equal(qd_udf_aggregation_open(rt, "digits", "{\"b\": 1}", &a, &err), QD_EUDF_PARAMS);
    assert_null(a);
    assert_null(c);
    qd_udf_aggregation_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_aggregation__json_and_columns_of_any_type__count_in_their_order),
        TEST(test_aggregation__many_documents__are_cut_into_blocks),
        TEST(test_merge__states_of_others__are_added_and_can_be_kept),
        TEST(test_merge__bytes_of_another_kind__are_refused_and_change_nothing),
        TEST(test_merge__the_same_version_of_another_module__is_refused),
        TEST(test_aggregation__function_fails__says_where_and_is_over),
        TEST(test_aggregation__malformed_input_or_a_bad_end__leaves_the_state),
        TEST(test_open__no_aggregate_or_unknown__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
