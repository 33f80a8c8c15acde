/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole search on a small shard: shape, paging, totals, `_source`, sorting, several targets, many segments. Scores
 * and orders against OpenSearch are in test_query_oracle.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/pool.h"
#include "fixture.h"

static fixture f;

static const char MAPPING[] =
    "{\"properties\":{\"title\":{\"type\":\"text\"},\"tag\":{\"type\":\"keyword\"},\"n\":{\"type\":\"long\"},"
    "\"vendor\":{\"properties\":{\"name\":{\"type\":\"keyword\"}}}}}";

static int setup(void **state)
{
    (void)state;
    fixture_open(&f, MAPPING);
    fixture_add(&f, "a", "{\"title\":\"red apple\",\"tag\":\"x\",\"n\":3,\"vendor\":{\"name\":\"acme\"}}");
    fixture_add(&f, "b", "{\"title\":\"green apple\",\"tag\":[\"y\",\"z\"],\"n\":1}");
    fixture_commit(&f);
    fixture_add(&f, "gone", "{\"title\":\"red apple\",\"tag\":\"x\",\"n\":9}");
    fixture_add(&f, "c", "{\"title\":\"red pear\",\"tag\":\"y\",\"n\":2}");
    fixture_add(&f, "d", "{\"title\":\"plum\"}");
    fixture_commit(&f);
    fixture_delete(&f, "gone");
    fixture_commit(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static char *without_took(json_t *answer)
{
    json_object_del(answer, "took");
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    return text;
}

static void test_search__match__has_the_shape_of_opensearch(void **state)
{
    (void)state;
    char *text = without_took(
        fixture_search(&f, "{\"query\":{\"term\":{\"n\":2}},\"_source\":[\"title\",\"n\"],\"version\":true,"
                           "\"seq_no_primary_term\":true}"));
    assert_string_equal(
        text, "{\"timed_out\":false,\"_shards\":{\"total\":1,\"successful\":1,\"skipped\":0,\"failed\":0},"
              "\"hits\":{\"total\":{\"value\":1,\"relation\":\"eq\"},\"max_score\":1.0,\"hits\":[{\"_index\":\"test\","
              "\"_id\":\"c\",\"_version\":1,\"_seq_no\":3,\"_primary_term\":1,\"_score\":1.0,"
              "\"_source\":{\"title\":\"red pear\",\"n\":2}}]}}");
    free(text);
}

static void test_search__nothing_found__max_score_is_null(void **state)
{
    (void)state;
    char *text = without_took(fixture_search(&f, "{\"query\":{\"match_none\":{}}}"));
    assert_string_equal(text,
                        "{\"timed_out\":false,\"_shards\":{\"total\":1,\"successful\":1,\"skipped\":0,\"failed\":0},"
                        "\"hits\":{\"total\":{\"value\":0,\"relation\":\"eq\"},\"max_score\":null,\"hits\":[]}}");
    free(text);
}

static void test_search__deleted_documents__are_not_seen(void **state)
{
    (void)state;
    fixture_expect(&f, "{}", 4, "a:1 b:1 c:1 d:1");
    fixture_expect(&f, "", 4, "a:1 b:1 c:1 d:1");
    fixture_expect(&f, "{\"query\":{\"term\":{\"tag\":\"x\"}}}", 1, "a");
    fixture_expect(&f, "{\"sort\":[{\"n\":\"desc\"}]}", 4, "a:- c:- b:- d:-");
    fixture_expect(&f, "{\"query\":{\"ids\":{\"values\":[\"gone\",\"d\"]}}}", 1, "d:1");
    fixture_expect(&f, "{\"size\":0,\"track_total_hits\":true}", 4, "");
}

static void test_search__pages__fit_together(void **state)
{
    (void)state;
    fixture_expect(&f, "{\"size\":2}", 4, "a b");
    fixture_expect(&f, "{\"from\":1,\"size\":2}", 4, "b c");
    fixture_expect(&f, "{\"from\":3,\"size\":9997}", 4, "d");
    fixture_expect(&f, "{\"from\":4,\"size\":2}", 4, "");
    fixture_expect(&f, "{\"from\":2,\"size\":1,\"sort\":\"n\"}", 4, "a");
    fixture_expect(&f, "{\"from\":1,\"size\":0}", 4, "");
}

static void test_search__url_parameters__override_the_body(void **state)
{
    (void)state;
    qd_search_target target;
    qd_search_request rq = fixture_request(&f, &target, "{\"from\":3,\"size\":7,\"track_total_hits\":false}");
    rq.from = 1;
    rq.size = 1;
    rq.track_total_hits = 1;
    rq.rest_total_hits_as_int = true;
    json_t *answer = fixture_run(&rq);
    assert_int_equal(json_integer_value(json_at(answer, "hits.total")), 4);
    assert_string_equal(json_string_value(json_at(answer, "hits.hits[0]._id")), "b");
    json_decref(answer);
    rq.track_total_hits = 0;
    answer = fixture_run(&rq);
    assert_int_equal(json_integer_value(json_at(answer, "hits.total")), -1);
    json_decref(answer);
    rq.rest_total_hits_as_int = false;
    rq.track_total_hits = 2 + 3;
    answer = fixture_run(&rq);
    assert_int_equal(json_integer_value(json_at(answer, "hits.total.value")), 3);
    assert_string_equal(json_string_value(json_at(answer, "hits.total.relation")), "gte");
    json_decref(answer);
}

static void test_search__source_filters__leave_what_is_asked_for(void **state)
{
    (void)state;
    json_t *answer = fixture_search(&f, "{\"query\":{\"ids\":{\"values\":[\"a\"]}},\"_source\":false}");
    assert_null(json_at(answer, "hits.hits[0]._source"));
    json_decref(answer);
    answer = fixture_search(&f, "{\"query\":{\"ids\":{\"values\":[\"a\"]}},\"_source\":{\"includes\":[\"vendor\",\"t*"
                                "\"],\"excludes\":\"tag\"}}");
    char *text = json_dumps(json_at(answer, "hits.hits[0]._source"), JSON_COMPACT);
    assert_string_equal(text, "{\"title\":\"red apple\",\"vendor\":{\"name\":\"acme\"}}");
    free(text);
    json_decref(answer);
}

static void test_search__several_targets__come_in_their_order(void **state)
{
    (void)state;
    qd_search_target targets[2];
    qd_search_request rq =
        fixture_request(&f, targets, "{\"query\":{\"term\":{\"tag\":\"y\"}},\"sort\":[\"tag\",{\"n\":\"desc\"}]}");
    targets[0] = (qd_search_target){"one", f.searcher};
    targets[1] = (qd_search_target){"two", f.searcher};
    rq.n_targets = 2;
    json_t *answer = fixture_run(&rq);
    assert_int_equal(json_integer_value(json_at(answer, "_shards.total")), 2);
    assert_int_equal(json_integer_value(json_at(answer, "hits.total.value")), 4);
    static const char *const EXPECTED[][2] = {{"one", "c"}, {"two", "c"}, {"one", "b"}, {"two", "b"}};
    for (size_t i = 0; i < 4; i++) {
        const json_t *hit = json_array_get(json_object_get(json_at(answer, "hits"), "hits"), i);
        assert_string_equal(json_string_value(json_object_get(hit, "_index")), EXPECTED[i][0]);
        assert_string_equal(json_string_value(json_object_get(hit, "_id")), EXPECTED[i][1]);
    }
    json_decref(answer);
    rq.n_targets = 0;
    answer = fixture_run(&rq);
    assert_int_equal(json_integer_value(json_at(answer, "hits.total.value")), 0);
    json_decref(answer);
}

static void test_count__a_query__counts_all(void **state)
{
    (void)state;
    qd_search_target target;
    qd_search_request rq = fixture_request(&f, &target, "{\"query\":{\"match\":{\"title\":\"apple pear\"}}}");
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_search_count(&rq, &w, &err), &err);
    assert_str_equal(qd_buf_str(&out),
                     "{\"count\":3,\"_shards\":{\"total\":1,\"successful\":1,\"skipped\":0,\"failed\":0}}");
    rq.body = QD_STR("{\"size\":1}");
    assert_failed_with(qd_search_count(&rq, &w, &err), &err, QD_EPARSE, "request does not support [size]");
    qd_buf_deinit(&out);
}

static void test_search__deadline_passed__answers_what_it_has(void **state)
{
    (void)state;
    qd_search_target target;
    qd_search_request rq =
        fixture_request(&f, &target, "{\"query\":{\"match\":{\"title\":\"apple\"}},\"timeout\":\"0ms\"}");
    json_t *answer = fixture_run(&rq);
    assert_true(json_is_true(json_at(answer, "timed_out")));
    json_decref(answer);
}

static void test_search__canceled__fails(void **state)
{
    (void)state;
    qd_search_target target;
    qd_search_request rq = fixture_request(&f, &target, "{}");
    qd_error err = QD_ERROR_INIT;
    bool is_canceled = true;
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    rq.canceled = &is_canceled;
    assert_failed_with(qd_search_run(&rq, &w, &err), &err, QD_ECANCELED,
                       "the search was canceled: its client went away");
    qd_buf_deinit(&out);
}

static void test_search__errors_of_the_mapping__name_the_clause(void **state)
{
    (void)state;
    qd_error err;
    assert_int_equal(fixture_search_error(&f, "{\"query\":{\"bool\":{\n\"filter\":{\"term\":{\"n\":\"x\"}}}}}", &err),
                     QD_EQUERY);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 11);
    fixture_expect_error(&f, "{\"sort\":\"nope\"}", QD_EQUERY, "No mapping found for [nope] in order to sort on");
    fixture_expect_error(&f, "{\"sort\":\"title\"}", QD_EINVAL, "Text fields are not optimised for operations");
    fixture_expect_error(&f, "{\"sort\":[{\"n\":{\"missing\":\"x\"}}]}", QD_EINVAL,
                         "missing is a string, which is no value of type [long]");
    fixture_expect_error(&f, "{\"query\":{\"bool\":{\"should\":{\"match_all\":{}},\"minimum_should_match\":\"x\"}}}",
                         QD_EPARSE, "[minimum_should_match] [x] is malformed");
    fixture_expect_error(&f, "{\"query\":", QD_EPARSE, "malformed JSON at line 1, column 10");
}

/* Many documents in several segments, on several threads: the same answers as on one. */
static void test_search__segments_in_parallel__equal_one_thread(void **state)
{
    (void)state;
    fixture big;
    qd_error err = QD_ERROR_INIT;
    qd_pool *pool = NULL;
    fixture_open(
        &big,
        "{\"properties\":{\"title\":{\"type\":\"text\"},\"n\":{\"type\":\"long\"},\"tag\":{\"type\":\"keyword\"}}}");
    for (int i = 0; i < 24000; i++) {
        char id[16], source[128];
        snprintf(id, sizeof id, "%d", i);
        snprintf(source, sizeof source, "{\"title\":\"word%d word%d common\",\"n\":%d,\"tag\":\"t%d\"}", i % 7, i % 13,
                 i * 7919 % 10007, i % 11);
        fixture_add(&big, id, source);
        if (i % 6000 == 5999)
            fixture_commit(&big);
    }
    fixture_function(&big,
                     "{\"name\":\"mix\",\"function_name\":\"f\",\"kind\":\"score\",\"abi\":\"typed\",\"parameters\":["
                     "{\"name\":\"s\",\"type\":\"f64\",\"from\":\"_score\"},{\"name\":\"n\",\"type\":\"f64\",\"from\":"
                     "\"_source.n\"}]}",
                     "(module (func (export \"f\") (param f64 f64) (result f64) local.get 0 local.get 1 f64.mul))");
    fixture_function(
        &big,
        "{\"name\":\"odd\",\"function_name\":\"f\",\"kind\":\"filter\",\"abi\":\"typed\",\"parameters\":["
        "{\"name\":\"n\",\"type\":\"i64\",\"from\":\"_source.n\"}]}",
        "(module (func (export \"f\") (param i64) (result i32) local.get 0 i64.const 1 i64.and i32.wrap_i64))");
    fixture_function(
        &big,
        "{\"name\":\"breaks\",\"function_name\":\"f\",\"kind\":\"filter\",\"abi\":\"typed\",\"parameters\":["
        "{\"name\":\"n\",\"type\":\"i64\",\"from\":\"_source.n\"}]}",
        "(module (func (export \"f\") (param i64) (result i32) (if (i64.eq (local.get 0) (i64.const 7919)) "
        "(then unreachable)) i32.const 1))");
    fixture_function(
        &big,
        "{\"name\":\"capped\",\"function_name\":\"f\",\"kind\":\"score\",\"abi\":\"typed\",\"max_score\":9000,"
        "\"parameters\":[{\"name\":\"n\",\"type\":\"f64\",\"from\":\"_source.n\"}]}",
        "(module (func (export \"f\") (param f64) (result f64) local.get 0 f64.const 9000 f64.min))");
    assert_status_ok(qd_pool_new("search", 3, 100, &pool, &err), &err);
    static const char *const BODIES[] = {
        /* k hits that none can beat end the search, in the segments behind too */
        "{\"query\":{\"wasm_udf\":{\"name\":\"capped\"}},\"size\":50}",
        "{\"query\":{\"wasm_udf\":{\"name\":\"capped\"}},\"size\":50,\"track_total_hits\":true}",
        "{\"query\":{\"wasm_udf\":{\"name\":\"capped\"}},\"size\":50,\"track_total_hits\":false}",
        "{\"query\":{\"wasm_udf\":{\"name\":\"capped\"}},\"size\":1500,\"track_total_hits\":2000}",
        "{\"query\":{\"bool\":{\"filter\":{\"wasm_udf\":{\"name\":\"odd\"}}}},\"size\":30,\"track_total_hits\":false}",
        "{\"query\":{\"match\":{\"title\":\"word3 word5\"}},\"size\":50}",
        "{\"query\":{\"match\":{\"title\":\"common\"}},\"size\":50,\"track_total_hits\":true}",
        "{\"query\":{\"match\":{\"title\":\"common word1\"}},\"size\":10,\"track_total_hits\":false}",
        "{\"sort\":[{\"tag\":\"desc\"},{\"n\":\"asc\"}],\"size\":100}",
        "{\"query\":{\"match_all\":{}},\"size\":5}",
        "{\"query\":{\"script_score\":{\"query\":{\"match\":{\"title\":\"word3\"}},\"script\":\"mix\"}},\"size\":50}",
        "{\"query\":{\"bool\":{\"must\":{\"match\":{\"title\":\"word3 "
        "word5\"}},\"should\":{\"wasm_udf\":{\"name\":\"mix\"}},"
        "\"filter\":{\"wasm_udf\":{\"name\":\"odd\"}}}},\"size\":50,\"track_total_hits\":true}",
        "{\"query\":{\"function_score\":{\"query\":{\"match\":{\"title\":\"common\"}},\"functions\":[{\"filter\":{"
        "\"term\":{\"tag\":"
        "\"t3\"}},\"weight\":2},{\"filter\":{\"wasm_udf\":{\"name\":\"odd\"}},\"script_score\":{\"script\":\"mix\"}}]}}"
        "}",
    };
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        qd_search_target target;
        qd_search_request rq = fixture_request(&big, &target, BODIES[i]);
        char *alone = without_took(fixture_run(&rq));
        rq.pool = pool;
        char *together = without_took(fixture_run(&rq));
        assert_string_equal(alone, together);
        free(alone);
        free(together);
    }
    /* Documents 1, 10008 and 20015 fail, in three segments: it is always the first that is told. */
    for (int i = 0; i < 20; i++) {
        qd_search_target target;
        qd_search_request rq = fixture_request(
            &big, &target, "{\"track_total_hits\":true,\"query\":{\"wasm_udf\":{\"name\":\"breaks\"}}}");
        rq.pool = pool;
        qd_buf out;
        qd_json w;
        qd_buf_init(&out, 1 << 20);
        qd_json_init(&w, &out, false);
        assert_int_equal(qd_search_run(&rq, &w, &err), QD_EUDF_FAILED);
        if (!strstr(err.message, "document '1'"))
            fail_msg("%s", err.message);
        qd_buf_deinit(&out);
    }
    json_t *answer = fixture_search(&big, "{\"size\":0}");
    assert_int_equal(json_integer_value(json_at(answer, "hits.total.value")), 10000);
    assert_string_equal(json_string_value(json_at(answer, "hits.total.relation")), "gte");
    json_decref(answer);
    qd_pool_free(pool);
    fixture_close(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search__match__has_the_shape_of_opensearch),
        cmocka_unit_test(test_search__nothing_found__max_score_is_null),
        cmocka_unit_test(test_search__deleted_documents__are_not_seen),
        cmocka_unit_test(test_search__pages__fit_together),
        cmocka_unit_test(test_search__url_parameters__override_the_body),
        cmocka_unit_test(test_search__source_filters__leave_what_is_asked_for),
        cmocka_unit_test(test_search__several_targets__come_in_their_order),
        cmocka_unit_test(test_count__a_query__counts_all),
        cmocka_unit_test(test_search__deadline_passed__answers_what_it_has),
        cmocka_unit_test(test_search__canceled__fails),
        cmocka_unit_test(test_search__errors_of_the_mapping__name_the_clause),
        cmocka_unit_test(test_search__segments_in_parallel__equal_one_thread),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
