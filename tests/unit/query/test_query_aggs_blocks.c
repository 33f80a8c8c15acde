/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregations over many blocks of several segments, by several threads, against a model in C. The function itself
 * checks that its documents come in order and that states are merged in the order of the segments, whoever computed
 * them first. */
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

#define DOCS    21000 /* enough for segments to run in parallel */
#define SEGMENT 7000

static fixture f;
static qd_pool *pool;

static bool is_deleted(int n)
{
    return n % 97 == 0;
}

static bool has_value(int n)
{
    return n % 5 != 0;
}

static bool fails(int n)
{
    return n % 1001 == 0;
}

/* At 64: sum, first and last value (values are above 0). Traps at what is not in order, and at multiples of `bad`. */
static const char WAT[] =
    "(module (memory (export \"memory\") 1)"
    " (func $add (param $sum f64) (param $first f64) (param $last f64)"
    "  (if (f64.le (local.get $first) (f64.load (i32.const 80))) (then unreachable))"
    "  (f64.store (i32.const 64) (f64.add (f64.load (i32.const 64)) (local.get $sum)))"
    "  (if (f64.eq (f64.load (i32.const 72)) (f64.const 0)) (then (f64.store (i32.const 72) (local.get $first))))"
    "  (f64.store (i32.const 80) (local.get $last)))"
    " (func (export \"f_init\") (result i32) (i32.const 64))"
    " (func (export \"f_update\") (param i32 i64 i64) (local $v f64)"
    "  (if (i64.eqz (i64.rem_u (local.get 1) (local.get 2))) (then unreachable))"
    "  (local.set $v (f64.convert_i64_u (local.get 1))) (call $add (local.get $v) (local.get $v) (local.get $v)))"
    " (func (export \"f_serialize\") (param i32) (result i64) (i64.const 0x4000000018))"
    " (func (export \"f_merge\") (param i32 i32 i32)"
    "  (if (f64.eq (f64.load (local.get 1)) (f64.const 0)) (then (return)))" /* nobody had a value */
    "  (call $add (f64.load (local.get 1)) (f64.load offset=8 (local.get 1)) (f64.load offset=16 (local.get 1))))"
    " (func (export \"f_finish\") (param i32) (result f64) (f64.load (local.get 0))))";

static int setup(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char id[16], source[64];
    fixture_open(&f, "{\"dynamic\":false,\"properties\":{\"n\":{\"type\":\"long\"},\"half\":{\"type\":\"long\"}}}");
    for (int n = 1; n <= DOCS; n++) {
        snprintf(id, sizeof id, "%d", n);
        if (has_value(n))
            snprintf(source, sizeof source, "{\"n\":%d,\"half\":%d}", n, n % 2);
        else
            snprintf(source, sizeof source, "{\"half\":%d}", n % 2);
        fixture_add(&f, id, source);
        if (n % SEGMENT == 0)
            fixture_commit(&f);
    }
    for (int n = 1; n <= DOCS; n++) {
        snprintf(id, sizeof id, "%d", n);
        if (is_deleted(n))
            fixture_delete(&f, id);
    }
    fixture_commit(&f);
    fixture_function(&f,
                     "{\"name\":\"in_order\",\"function_name\":\"f\",\"kind\":\"aggregate\",\"abi\":\"typed\","
                     "\"parameters\":[{\"name\":\"n\",\"type\":\"i64\",\"from\":\"_source.n\"},"
                     "{\"name\":\"bad\",\"type\":\"i64\",\"default\":1000000}]}",
                     WAT);
    return qd_pool_new("test", 3, 64, &pool, &err);
}

static int teardown(void **state)
{
    (void)state;
    qd_pool_free(pool);
    fixture_close(&f);
    return 0;
}

static double expected_sum(int half, bool skips)
{
    double sum = 0;
    for (int n = 1; n <= DOCS; n++)
        if (!is_deleted(n) && has_value(n) && (half < 0 || n % 2 == half) && !(skips && fails(n)))
            sum += n;
    return sum;
}

static void expect_sum(const char *body, bool in_parallel, double expected)
{
    qd_search_target target;
    qd_search_request rq = fixture_request(&f, &target, body);
    rq.pool = in_parallel ? pool : NULL;
    json_t *answer = fixture_run(&rq);
    double got = json_number_value(json_at(answer, "aggregations.s.value"));
    if (got != expected)
        fail_msg("%s\nexpected %f, got %f", body, expected, got);
    json_decref(answer);
}

#define AGGS(rest) "\"aggs\":{\"s\":{\"wasm_udf\":{\"name\":\"in_order\"" rest "}}}"

static void test_aggs__many_blocks__are_as_the_model(void **state)
{
    (void)state;
    for (int time = 0; time < 4; time++) {
        bool in_parallel = time > 0;
        expect_sum("{\"size\":0," AGGS("") "}", in_parallel, expected_sum(-1, false));
        expect_sum("{\"size\":5,\"query\":{\"term\":{\"half\":1}}," AGGS("") "}", in_parallel, expected_sum(1, false));
        expect_sum("{\"size\":5,\"sort\":[{\"n\":\"desc\"}],\"query\":{\"term\":{\"half\":0}}," AGGS("") "}",
                   in_parallel, expected_sum(0, false));
    }
}

static void test_aggs__skipped_documents__of_many_blocks__are_as_the_model(void **state)
{
    (void)state;
    for (int time = 0; time < 2; time++)
        expect_sum("{\"size\":0," AGGS(",\"on_error\":\"skip\",\"parameters\":{\"bad\":1001}") "}", time == 1,
                   expected_sum(-1, true));
}

/* Whichever thread fails first: the first document that fails is told of. */
static void test_aggs__failures_in_several_segments__name_the_first(void **state)
{
    (void)state;
    qd_error err;
    qd_search_target target;
    for (int time = 0; time < 4; time++) {
        qd_buf out;
        qd_json w;
        qd_search_request rq = fixture_request(&f, &target, "{\"size\":0," AGGS(",\"parameters\":{\"bad\":3003}") "}");
        err = (qd_error)QD_ERROR_INIT;
        rq.pool = pool;
        qd_buf_init(&out, 1 << 20);
        qd_json_init(&w, &out, false);
        assert_int_equal(qd_search_run(&rq, &w, &err), QD_EUDF_FAILED);
        assert_non_null(strstr(err.message, "function 'in_order@1.0.0', document '3003': trap: unreachable"));
        assert_int_equal(out.n, 0);
        qd_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggs__many_blocks__are_as_the_model),
        cmocka_unit_test(test_aggs__skipped_documents__of_many_blocks__are_as_the_model),
        cmocka_unit_test(test_aggs__failures_in_several_segments__name_the_first),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
