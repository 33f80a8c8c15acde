/* SPDX-License-Identifier: Apache-2.0
 *
 * What queries tell the quarantine of their functions, and what it tells them. */
#include <stdio.h>

#include "base/error.h"
#include "base/pool.h"
#include "fixture.h"

#define FAILURES 2

static fixture f;
static qd_quarantine *quarantine;

/* breaks: traps at documents whose n is `at`; large: a score that no float holds; hangs: 1 ms at most. */
#define PARAMS                                                                                                         \
    "\"parameters\":[{\"name\":\"n\",\"type\":\"i64\",\"from\":\"_source.n\"},"                                        \
    "{\"name\":\"at\",\"type\":\"i64\",\"default\":2}]"
#define FILTER(name)                                                                                                   \
    "{\"name\":\"" name "\",\"kind\":\"filter\",\"abi\":\"typed\",\"function_name\":\"f\"," PARAMS "}"
#define BREAKS                                                                                                         \
    "(module (func (export \"f\") (param i64 i64) (result i32)"                                                        \
    " (if (i64.eq (local.get 0) (local.get 1)) (then unreachable)) (i32.const 1)))"
#define USE(name, at) "{\"wasm_udf\":{\"name\":\"" name "\",\"parameters\":{\"at\":" at "}}}"
#define QUERY(use)    "{\"query\":" use "}"

static int open_all(void **state)
{
    const qd_quarantine_options options = {.failures = FAILURES, .window_ms = 3600000};
    qd_registry_options registry = QD_REGISTRY_OPTIONS_INIT;
    qd_error err = QD_ERROR_INIT;
    (void)state;
    fixture_open(&f, "{\"properties\":{\"n\":{\"type\":\"long\"}}}");
    qd_registry_close(f.registry);
    f.registry = NULL;
    assert_status_ok(qd_quarantine_open(f.kv, &options, &quarantine, &err), &err);
    registry.quarantine = quarantine;
    assert_status_ok(qd_registry_open(f.kv, f.engine, &registry, NULL, NULL, &f.registry, &err), &err);
    fixture_function(&f, FILTER("breaks"), BREAKS);
    fixture_function(&f, FILTER("shatters"), BREAKS);
    fixture_function(&f, "{\"name\":\"large\",\"kind\":\"score\",\"abi\":\"typed\",\"function_name\":\"f\"}",
                     "(module (func (export \"f\") (result f64) (f64.const 3e38)))");
    fixture_function(&f,
                     "{\"name\":\"hangs\",\"kind\":\"filter\",\"abi\":\"row\",\"function_name\":\"f\","
                     "\"limits\":{\"call_ms\":1}}",
                     "(module (func (export \"f\") (param i64) (result i32) (loop $l (br $l)) (i32.const 1)))");
    for (int i = 1; i <= 6; i++) {
        char id[8], source[32];
        snprintf(id, sizeof id, "%d", i);
        snprintf(source, sizeof source, "{\"n\":%d}", i);
        fixture_add(&f, id, source);
        if (i % 2 == 0)
            fixture_commit(&f); /* three segments */
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    fixture_close(&f);
    qd_quarantine_close(quarantine);
    quarantine = NULL;
    return 0;
}

/* Each test begins with nothing counted and nobody in quarantine. */
static int forget_all(void **state)
{
    static const char *const NAMES[] = {"breaks", "shatters", "large", "hangs"};
    qd_error err = QD_ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        assert_status_ok(qd_quarantine_reinstate(quarantine, qd_str_of(NAMES[i]), QD_STR("1.0.0"), NULL, &err), &err);
    assert_int_equal(qd_quarantine_count(quarantine), 0);
    return 0;
}

static qd_status search(const char *body)
{
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    qd_search_target target;
    qd_search_request rq = fixture_request(&f, &target, body);
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = qd_search_run(&rq, &w, &err);
    qd_buf_deinit(&out);
    return st;
}

static void expect(const char *body, qd_status expected)
{
    assert_string_equal(qd_status_name(search(body)), qd_status_name(expected));
}

static void test_failing_queries__as_many_as_allowed__the_next_is_refused_in_place(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    expect(QUERY(USE("breaks", "2")), QD_EUDF_FAILED);
    expect(QUERY(USE("breaks", "2")), QD_EUDF_FAILED);
    assert_int_equal(fixture_search_error(&f, "{\"query\":\n  " USE("breaks", "99") "}", &err), QD_EUDF_QUARANTINED);
    assert_non_null(strstr(err.message, "function 'breaks@1.0.0' is quarantined since "));
    assert_non_null(strstr(err.message, "2 queries in a row failed because of it, the last with "));
    assert_non_null(strstr(err.message, "unreachable"));
    assert_int_equal(err.line, 2);
    assert_str_equal(qd_error_text(&err, err.function), "breaks@1.0.0");
    expect(QUERY(USE("shatters", "99")), QD_OK);
}

static void test_failing_in_many_segments__is_one_failure(void **state)
{
    qd_pool *pool = NULL;
    qd_error err = QD_ERROR_INIT;
    qd_search_target target;
    qd_buf out;
    qd_json w;
    (void)state;
    fixture_function(&f, "{\"name\":\"always\",\"kind\":\"filter\",\"abi\":\"row\",\"function_name\":\"f\"}",
                     "(module (func (export \"f\") (param i64) (result i32) unreachable))");
    assert_status_ok(qd_pool_new("test", 2, 100, &pool, &err), &err);
    qd_search_request rq = fixture_request(&f, &target, "{\"query\":{\"wasm_udf\":{\"name\":\"always\"}}}");
    rq.pool = pool;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_int_equal(qd_search_run(&rq, &w, &err), QD_EUDF_FAILED);
    assert_int_equal(qd_search_run(&rq, &w, &err), QD_EUDF_FAILED);
    assert_int_equal(qd_search_run(&rq, &w, &err), QD_EUDF_QUARANTINED);
    assert_status_ok(qd_quarantine_reinstate(quarantine, QD_STR("always"), QD_STR("1.0.0"), NULL, &err), &err);
    qd_buf_deinit(&out);
    qd_pool_free(pool);
}

static void test_one_use_fails_and_another_of_it_not__is_one_failure(void **state)
{
    static const char *const BODY =
        "{\"query\":{\"bool\":{\"should\":[" USE("breaks", "99") "," USE("breaks", "1") "]}}}";
    (void)state;
    expect(BODY, QD_EUDF_FAILED);
    expect(BODY, QD_EUDF_FAILED);
    expect(BODY, QD_EUDF_QUARANTINED);
}

static void test_success_in_between__begins_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        expect(QUERY(USE("breaks", "2")), QD_EUDF_FAILED);
        expect(QUERY(USE("breaks", "99")), QD_OK);
    }
}

static void test_skipped_errors__are_no_failure(void **state)
{
    static const char *const BODY =
        "{\"query\":{\"wasm_udf\":{\"name\":\"breaks\",\"parameters\":{\"at\":2},\"on_error\":\"skip\"}}}";
    (void)state;
    for (int i = 0; i < 4; i++)
        expect(BODY, QD_OK);
    expect(QUERY(USE("breaks", "2")), QD_EUDF_FAILED);
    expect(BODY, QD_OK);
    expect(QUERY(USE("breaks", "2")), QD_EUDF_FAILED);
    expect(QUERY(USE("breaks", "99")), QD_OK);
}

/* The other function did nothing wrong, nor has the query shown that it does well. */
static void test_two_functions__only_the_failing_one_is_told_of(void **state)
{
    static const char *const BOTH =
        "{\"query\":{\"bool\":{\"filter\":[" USE("shatters", "99") "," USE("breaks", "2") "]}}}";
    (void)state;
    expect(QUERY(USE("shatters", "2")), QD_EUDF_FAILED);
    expect(BOTH, QD_EUDF_FAILED);
    expect(BOTH, QD_EUDF_FAILED);
    expect(QUERY(USE("breaks", "99")), QD_EUDF_QUARANTINED);
    assert_false(qd_quarantine_is_on(quarantine, "shatters@1.0.0"));
    expect(QUERY(USE("shatters", "2")), QD_EUDF_FAILED);
    assert_true(qd_quarantine_is_on(quarantine, "shatters@1.0.0"));
}

static void test_a_score_that_is_none__is_a_failure(void **state)
{
    static const char *const BODY = "{\"query\":{\"script_score\":{\"query\":{\"match_all\":{}},\"script\":\"large\","
                                    "\"boost\":10}}}";
    (void)state;
    expect(BODY, QD_EUDF_FAILED);
    expect(BODY, QD_EUDF_FAILED);
    expect(BODY, QD_EUDF_QUARANTINED);
}

static void test_running_too_long__is_a_failure__a_timeout_of_the_query_is_none(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        expect("{\"query\":{\"wasm_udf\":{\"name\":\"hangs\"}},\"timeout\":\"0ms\"}", QD_OK);
    expect("{\"query\":{\"wasm_udf\":{\"name\":\"hangs\"}}}", QD_EUDF_TIMEOUT);
    expect("{\"query\":{\"wasm_udf\":{\"name\":\"hangs\"}}}", QD_EUDF_TIMEOUT);
    expect("{\"query\":{\"wasm_udf\":{\"name\":\"hangs\"}}}", QD_EUDF_QUARANTINED);
}

static void test_queries_that_are_wrong_themselves__are_no_failure(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        expect(QUERY(USE("breaks", "\"x\"")), QD_EUDF_PARAMS);
        expect("{\"query\":{\"script_score\":{\"query\":{\"match_all\":{}},\"script\":\"breaks\"}}}", QD_EUDF_PARAMS);
    }
    expect(QUERY(USE("breaks", "99")), QD_OK);
}

static void test_count__tells_and_is_told(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_search_target target;
    qd_search_request rq = fixture_request(&f, &target, QUERY(USE("breaks", "2")));
    qd_buf out;
    qd_json w;
    (void)state;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_int_equal(qd_search_count(&rq, &w, &err), QD_EUDF_FAILED);
    assert_int_equal(qd_search_count(&rq, &w, &err), QD_EUDF_FAILED);
    assert_int_equal(qd_search_count(&rq, &w, &err), QD_EUDF_QUARANTINED);
    qd_buf_deinit(&out);
}

static void test_removed_and_registered_again__starts_without(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    expect(QUERY(USE("breaks", "2")), QD_EUDF_FAILED);
    expect(QUERY(USE("breaks", "2")), QD_EUDF_FAILED);
    expect(QUERY(USE("breaks", "99")), QD_EUDF_QUARANTINED);
    assert_status_ok(qd_registry_remove(f.registry, QD_STR("breaks"), QD_STR("1.0.0"), NULL, NULL, &err), &err);
    /* Queries that had begun before. */
    for (int i = 0; i < FAILURES; i++) {
        qd_fail(&err, QD_EUDF_FAILED, "trap");
        qd_quarantine_failed(quarantine, "breaks@1.0.0", "", &err);
    }
    assert_true(qd_quarantine_is_on(quarantine, "breaks@1.0.0"));
    fixture_function(&f, FILTER("breaks"), BREAKS);
    expect(QUERY(USE("breaks", "99")), QD_OK);
}

#define TEST(name) cmocka_unit_test_setup(name, forget_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_failing_queries__as_many_as_allowed__the_next_is_refused_in_place),
        TEST(test_failing_in_many_segments__is_one_failure),
        TEST(test_one_use_fails_and_another_of_it_not__is_one_failure),
        TEST(test_success_in_between__begins_anew),
        TEST(test_skipped_errors__are_no_failure),
        TEST(test_two_functions__only_the_failing_one_is_told_of),
        TEST(test_a_score_that_is_none__is_a_failure),
        TEST(test_running_too_long__is_a_failure__a_timeout_of_the_query_is_none),
        TEST(test_queries_that_are_wrong_themselves__are_no_failure),
        TEST(test_count__tells_and_is_told),
        TEST(test_removed_and_registered_again__starts_without),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
