/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions beside the query: aggregations over all matches, and fields of the hits. Three segments with a deleted
 * document, documents without values, and functions that fail. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fixture.h"

static fixture f;

static const char MAPPING[] =
    "{\"dynamic\":false,\"properties\":{\"title\":{\"type\":\"text\"},\"n\":{\"type\":\"long\"},\"price\":{\"type\":"
    "\"double\"}}}";

#define SUM_MODULE(update, merge, finish)                                                                              \
    "(module (memory (export \"memory\") 1) (func $add (param i32 f64) (f64.store (local.get 0) (f64.add"              \
    " (f64.load (local.get 0)) (local.get 1))))"                                                                       \
    " (func (export \"f_init\") (result i32) (i32.const 64))"                                                          \
    " (func (export \"f_update\") (param i32 f64) " update " (call $add (local.get 0) (local.get 1)))"                 \
    " (func (export \"f_serialize\") (param i32) (result i64) (i64.or (i64.const 8)"                                   \
    "  (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))))"                                                    \
    " (func (export \"f_merge\") (param i32 i32 i32) " merge " (call $add (local.get 0) (f64.load (local.get 1))))"    \
    " (func (export \"f_finish\") (param i32) (result f64) " finish " (f64.load (local.get 0))))"

/* The ids of its documents, in the order in which they came. At 1024: length, then text. */
static const char IDS_WAT[] =
    "(module (import \"env\" \"get_document_id\" (func $id (param i64 i32 i32) (result i32)))"
    " (import \"env\" \"set_result_string\" (func $result (param i32 i32)))"
    " (memory (export \"memory\") 1)"
    " (func $add (param $from i32) (param $n i32)"
    "  (memory.copy (i32.add (i32.const 1028) (i32.load (i32.const 1024))) (local.get $from) (local.get $n))"
    "  (i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (local.get $n))))"
    " (func (export \"f_init\") (result i32) (i32.const 0))"
    " (func (export \"f_update\") (param i32 i64) (i32.store (i32.const 16) (i32.const 100))"
    "  (drop (call $id (local.get 1) (i32.const 32) (i32.const 16)))"
    "  (call $add (i32.const 32) (i32.load (i32.const 16))))"
    " (func (export \"f_serialize\") (param i32) (result i64) (i64.or (i64.extend_i32_u (i32.load (i32.const 1024)))"
    "  (i64.shl (i64.const 1028) (i64.const 32))))"
    " (func (export \"f_merge\") (param i32 i32 i32) (call $add (local.get 1) (local.get 2)))"
    " (func (export \"f_finish\") (param i32) (call $result (i32.const 1028) (i32.load (i32.const 1024)))))";

#define SUM(name, from, rest)                                                                                          \
    "{\"name\":\"" name "\",\"function_name\":\"f\",\"kind\":\"aggregate\",\"abi\":\"typed\",\"parameters\":["         \
    "{\"name\":\"v\",\"type\":\"f64\",\"from\":\"" from "\"}]" rest "}"

static void add_functions(void)
{
    fixture_function(&f, SUM("total", "_source.price", ""), SUM_MODULE("", "", ""));
    fixture_function(&f, SUM("relevance", "_score", ""), SUM_MODULE("", "", ""));
    fixture_function(&f, SUM("breaks", "_source.n", ""),
                     SUM_MODULE("(if (f64.eq (local.get 1) (f64.const 3)) (then unreachable))", "", ""));
    fixture_function(&f, SUM("no_merge", "_source.n", ""), SUM_MODULE("", "unreachable", ""));
    fixture_function(&f, SUM("no_finish", "_source.n", ""), SUM_MODULE("", "", "unreachable"));
    fixture_function(&f, SUM("hangs", "_source.n", ",\"limits\":{\"call_ms\":5000}"),
                     SUM_MODULE("(loop (br 0))", "", ""));
    fixture_function(&f,
                     "{\"name\":\"ids\",\"function_name\":\"f\",\"kind\":\"aggregate\",\"abi\":\"row\",\"returns\":[{"
                     "\"type\":\"string\"}]}",
                     IDS_WAT);
    fixture_function(
        &f,
        "{\"name\":\"half\",\"function_name\":\"f\",\"kind\":\"transform\",\"abi\":\"typed\",\"parameters\":"
        "[{\"name\":\"v\",\"type\":\"f64\",\"from\":\"_source.price\"}]}",
        "(module (func (export \"f\") (param f64) (result f64) local.get 0 f64.const 2 f64.div))");
    fixture_function(
        &f,
        "{\"name\":\"title_of\",\"function_name\":\"f\",\"kind\":\"transform\",\"abi\":\"typed\",\"returns\""
        ":[{\"type\":\"string\"}],\"parameters\":[{\"name\":\"t\",\"type\":\"string\",\"from\":"
        "\"_source.title\"}]}",
        "(module (import \"env\" \"set_result_string\" (func $r (param i32 i32))) (memory (export "
        "\"memory\") 1) (func (export \"f\") (param i32 i32) (call $r (local.get 0) (local.get 1))))");
    fixture_function(&f,
                     "{\"name\":\"cheap\",\"function_name\":\"f\",\"kind\":\"filter\",\"abi\":\"typed\",\"parameters\":"
                     "[{\"name\":\"v\",\"type\":\"f64\",\"from\":\"_source.price\"}]}",
                     "(module (func (export \"f\") (param f64) (result i32) local.get 0 f64.const 15 f64.lt))");
    fixture_function(&f,
                     "{\"name\":\"twice\",\"function_name\":\"f\",\"kind\":\"score\",\"abi\":\"typed\",\"parameters\":"
                     "[{\"name\":\"v\",\"type\":\"f64\",\"from\":\"_score\"}]}",
                     "(module (func (export \"f\") (param f64) (result f64) local.get 0 f64.const 2 f64.mul))");
    fixture_function(
        &f,
        "{\"name\":\"big\",\"function_name\":\"f\",\"kind\":\"transform\",\"abi\":\"typed\",\"parameters\":"
        "[{\"name\":\"n\",\"type\":\"i64\",\"from\":\"_source.n\"}]}",
        "(module (func (export \"f\") (param i64) (result i64) (if (i64.eq (local.get 0) (i64.const 3))"
        " (then unreachable)) (i64.add (local.get 0) (i64.const 9007199254740992))))");
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f, MAPPING);
    fixture_add(&f, "a", "{\"title\":\"red apple\",\"n\":1,\"price\":10}");
    fixture_add(&f, "gone", "{\"title\":\"red apple\",\"n\":3,\"price\":1000}");
    fixture_add(&f, "b", "{\"title\":\"green apple\",\"n\":2,\"price\":20.5}");
    fixture_commit(&f);
    fixture_add(&f, "c", "{\"title\":\"red pear\",\"n\":3,\"price\":30}");
    fixture_add(&f, "d", "{\"title\":\"plum\"}");
    fixture_commit(&f);
    fixture_add(&f, "e", "{\"title\":\"red plum\",\"n\":5,\"price\":1.25}");
    fixture_delete(&f, "gone");
    fixture_commit(&f);
    add_functions();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static void expect_at(const char *body, const char *path, const char *expected)
{
    json_t *answer = fixture_search(&f, body);
    char *text = json_dumps(json_at(answer, path), JSON_COMPACT | JSON_ENCODE_ANY);
    if (strcmp(text ? text : "nothing", expected) != 0)
        fail_msg("%s\nexpected %s, got %s", body, expected, text ? text : "nothing");
    free(text);
    json_decref(answer);
}

#define AGG(name, rest) "{\"wasm_udf\":{\"name\":\"" name "\"" rest "}}"
#define RED             "\"query\":{\"match\":{\"title\":\"red\"}}"

static void test_aggs__all_matches__of_all_segments(void **state)
{
    (void)state;
    static const char *const HOW[] = {
        "\"size\":0,",
        "\"size\":1,",
        "",
        "\"size\":0,\"track_total_hits\":false,",
        "\"size\":1,\"track_total_hits\":1,",
        "\"size\":2,\"sort\":[{\"n\":\"desc\"}],",
        "\"size\":1,\"from\":1,\"sort\":\"_doc\",\"track_total_hits\":false,",
    };
    for (size_t i = 0; i < sizeof HOW / sizeof *HOW; i++) {
        char body[512];
        snprintf(body, sizeof body, "{%s\"aggs\":{\"t\":" AGG("total", "") ",\"ids\":" AGG("ids", "") "}}", HOW[i]);
        expect_at(body, "aggregations", "{\"t\":{\"value\":61.75},\"ids\":{\"value\":\"abcde\"}}");
        snprintf(body, sizeof body,
                 "{%s\"aggregations\":{\"ids\":" AGG("ids", "") ",\"t\":" AGG("total", "") "}," RED "}", HOW[i]);
        expect_at(body, "aggregations", "{\"ids\":{\"value\":\"ace\"},\"t\":{\"value\":41.25}}");
    }
}

static void test_aggs__functions_in_the_query__choose_what_is_aggregated(void **state)
{
    (void)state;
    expect_at("{\"query\":{\"wasm_udf\":{\"name\":\"cheap\"}},\"aggs\":{\"ids\":" AGG("ids", "") "}}",
              "aggregations.ids.value", "\"ae\"");
    expect_at("{\"query\":{\"bool\":{\"must_not\":{\"wasm_udf\":{\"name\":\"cheap\"}}}},\"aggs\":{\"ids\":" AGG(
                  "ids", "") "},\"size\":0}",
              "aggregations.ids.value", "\"bcd\"");
}

static void test_aggs__no_matches__give_the_result_of_a_fresh_state(void **state)
{
    (void)state;
    expect_at("{\"query\":{\"match\":{\"title\":\"nothing\"}},\"aggs\":{\"t\":" AGG("total", "") ",\"i\":" AGG("ids",
                                                                                                               "") "}}",
              "aggregations", "{\"t\":{\"value\":0.0},\"i\":{\"value\":\"\"}}");
    expect_at("{\"query\":{\"match_none\":{}},\"size\":0,\"aggs\":{\"t\":" AGG("total", "") "}}",
              "aggregations.t.value", "0.0");
    expect_at("{\"aggs\":{}}", "aggregations", "nothing");
}

static void test_aggs__scores__are_those_of_the_hits(void **state)
{
    (void)state;
    static const char *const HOW[] = {"\"size\":0", "\"size\":3", "\"size\":3,\"sort\":\"n\""};
    for (size_t i = 0; i < 3; i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{%s,\"query\":{\"script_score\":{\"query\":{\"match_all\":{}},\"script\":{\"source\":\"twice\"}}},"
                 "\"aggs\":{\"r\":" AGG("relevance", "") "}}",
                 HOW[i]);
        expect_at(body, "aggregations.r.value", "10.0");
        snprintf(body, sizeof body, "{%s,\"aggs\":{\"r\":" AGG("relevance", "") "}}", HOW[i]);
        expect_at(body, "aggregations.r.value", "5.0");
    }
    /* match_all scores 1, constant_score 7 */
    expect_at("{\"size\":0,\"min_score\":5,\"query\":{\"bool\":{\"should\":[{\"match_all\":{}},{\"constant_score\":{"
              "\"boost\":7,\"filter\":{\"match\":{\"title\":\"apple\"}}}}]}},\"aggs\":{\"i\":" AGG("ids", "") "}}",
              "aggregations.i.value", "\"ab\"");
    expect_at("{\"min_score\":5,\"query\":{\"match_all\":{}},\"aggs\":{\"i\":" AGG("ids", "") "}}",
              "aggregations.i.value", "\"\"");
}

static void test_aggs__parameters__replace_where_values_come_from(void **state)
{
    (void)state;
    expect_at("{\"aggs\":{\"n\":" AGG("total", ",\"parameters\":{\"v\":\"_source.n\"}") ",\"k\":" AGG(
                  "total", ",\"parameters\":{\"v\":2},\"version\":\"1.0.0\"") "}}",
              "aggregations", "{\"n\":{\"value\":11.0},\"k\":{\"value\":10.0}}");
}

static void test_aggs__failures__name_function_and_document(void **state)
{
    (void)state;
    fixture_expect_error(&f, "{\"aggs\":{\"x\":" AGG("breaks", "") "}}", QD_EUDF_FAILED,
                         "function 'breaks@1.0.0', document 'c': trap: unreachable");
    expect_at("{\"aggs\":{\"x\":" AGG("breaks", ",\"on_error\":\"skip\"") "}}", "aggregations.x.value", "8.0");
    fixture_expect_error(&f, "{\"aggs\":{\"x\":" AGG("no_merge", "") "}}", QD_EUDF_FAILED,
                         "function 'no_merge@1.0.0': trap: unreachable");
    fixture_expect_error(&f, "{\"aggs\":{\"x\":" AGG("no_finish", ",\"on_error\":\"skip\"") "}}", QD_EUDF_FAILED,
                         "function 'no_finish@1.0.0': trap: unreachable");
}

static void test_aggs__out_of_time__are_null(void **state)
{
    (void)state;
    qd_search_target target;
    qd_search_request rq = fixture_request(
        &f, &target,
        "{\"size\":0,\"timeout\":\"20ms\",\"aggs\":{\"x\":" AGG("hangs", "") ",\"t\":" AGG("total", "") "}}");
    json_t *answer = fixture_run(&rq);
    assert_true(json_is_true(json_at(answer, "timed_out")));
    char *text = json_dumps(json_at(answer, "aggregations"), JSON_COMPACT);
    assert_string_equal(text, "{\"x\":{\"value\":null},\"t\":{\"value\":null}}");
    free(text);
    json_decref(answer);
}

static void test_aggs__what_is_none__is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        qd_status code;
        const char *part;
    } CASES[] = {
        {"{\"aggs\":[]}", QD_EPARSE, "[aggs] expects an object, got an array"},
        {"{\"aggs\":{\"x\":1}}", QD_EPARSE, "[aggs] [x] expects an object, got a number"},
        {"{\"aggs\":{\"x\":{}}}", QD_EPARSE, "Missing definition for aggregation [x]: it needs [wasm_udf]"},
        {"{\"aggs\":{\"x\":{\"terms\":{\"field\":\"n\"}}}}", QD_EPARSE,
         "[terms] is not supported in an aggregation: there is [wasm_udf], a registered function of kind aggregate"},
        {"{\"aggs\":{\"x\":{\"wasm_udf\":{\"name\":\"total\"},\"aggs\":{}}}}", QD_EPARSE,
         "[aggs] is not supported in an aggregation"},
        {"{\"aggs\":{\"x>y\":" AGG("total", "") "}}", QD_EPARSE, "Invalid aggregation name [x>y]"},
        {"{\"aggs\":{\"x\":{\"wasm_udf\":{}}}}", QD_EPARSE, "[wasm_udf] requires [name]"},
        {"{\"aggs\":{\"x\":" AGG("total", ",\"query\":{\"match_all\":{}}") "}}", QD_EPARSE, "[query]"},
        {"{\"aggs\":{\"x\":" AGG("total", ",\"boost\":2") "}}", QD_EPARSE, "[boost]"},
        {"{\"aggs\":{\"x\":" AGG("total", ",\"on_error\":\"default\",\"default\":1") "}}", QD_EPARSE,
         "[wasm_udf] [on_error] is [default]: an aggregation fails, or skips the documents that fail"},
        {"{\"aggs\":{\"x\":" AGG("total", "") "},\"aggregations\":{}}", QD_EPARSE,
         "[aggs] and [aggregations] are the same: give one"},
        {"{\"aggs\":{\"x\":" AGG("half", "") "}}", QD_EUDF_PARAMS,
         "[wasm_udf] function 'half@1.0.0' has kind transform: an aggregation takes functions of kind aggregate"},
        {"{\"query\":" AGG("total", "") "}", QD_EUDF_PARAMS,
         "[wasm_udf] function 'total@1.0.0' has kind aggregate: a query takes filter and score functions"},
        {"{\"aggs\":{\"x\":" AGG("unknown", "") "}}", QD_EUDF_NOTFOUND, "function 'unknown'"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        fixture_expect_error(&f, CASES[i].body, CASES[i].code, CASES[i].part);
}

/* ---- script_fields ---- */

#define FIELD(name) "{\"script\":{\"lang\":\"wasm\",\"source\":\"" name "\"}}"

static void test_fields__each_kind__gives_a_value_for_each_hit(void **state)
{
    (void)state;
    static const char BODY[] = "{\"sort\":\"_doc\",\"script_fields\":{\"h\":" FIELD("half") ",\"t\":" FIELD(
        "title_of@1.0.0") ",\"c\":" FIELD("cheap") ",\"s\":" FIELD("twice") "}}";
    expect_at(BODY, "hits.hits[0].fields", "{\"h\":[5.0],\"t\":[\"red apple\"],\"c\":[true],\"s\":[2.0]}");
    expect_at(BODY, "hits.hits[1].fields", "{\"h\":[10.25],\"t\":[\"green apple\"],\"c\":[false],\"s\":[2.0]}");
    expect_at(BODY, "hits.hits[3].fields", "{\"h\":[null],\"t\":[\"plum\"],\"c\":[false],\"s\":[2.0]}");
    expect_at(BODY, "hits.hits[4].fields", "{\"h\":[0.625],\"t\":[\"red plum\"],\"c\":[true],\"s\":[2.0]}");
    expect_at(BODY, "hits.hits[0]._source", "nothing");
}

static void test_fields__page__is_that_of_the_hits(void **state)
{
    (void)state;
    static const char BODY[] = "{\"sort\":[{\"price\":\"desc\"}],\"from\":1,\"size\":2,\"_source\":[\"n\"],"
                               "\"script_fields\":{\"h\":" FIELD("half") "}}";
    expect_at(BODY, "hits.hits[0]._id", "\"b\"");
    expect_at(BODY, "hits.hits[0].fields", "{\"h\":[10.25]}");
    expect_at(BODY, "hits.hits[0]._source", "{\"n\":2}");
    expect_at(BODY, "hits.hits[1].fields", "{\"h\":[5.0]}");
    expect_at("{\"size\":0,\"script_fields\":{\"h\":" FIELD("half") "}}", "hits.hits[0]", "nothing");
    expect_at("{\"from\":7,\"script_fields\":{\"h\":" FIELD("half") "}}", "hits.hits[0]", "nothing");
    expect_at("{\"script_fields\":{}}", "hits.hits[0].fields", "nothing");
    expect_at("{\"script_fields\":{}}", "hits.hits[0]._source.n", "1");
}

static void test_fields__params_and_failures__as_everywhere(void **state)
{
    (void)state;
    expect_at("{\"script_fields\":{\"h\":{\"script\":{\"id\":\"half\",\"params\":{\"v\":3}}}}}", "hits.hits[2].fields",
              "{\"h\":[1.5]}");
    fixture_expect_error(&f, "{\"script_fields\":{\"x\":" FIELD("big") "}}", QD_EUDF_FAILED,
                         "function 'big@1.0.0', document 'c': trap: unreachable");
    static const char IGNORES[] = "{\"sort\":\"_doc\",\"script_fields\":{\"x\":{\"script\":{\"source\":\"big\"},"
                                  "\"ignore_failure\":true}}}";
    expect_at(IGNORES, "hits.hits[0].fields", "{\"x\":[9007199254740993]}");
    expect_at(IGNORES, "hits.hits[2].fields", "nothing");
    static const char DEFAULT[] = "{\"sort\":\"_doc\",\"script_fields\":{\"x\":{\"wasm_udf\":{\"name\":\"big\","
                                  "\"on_error\":\"default\",\"default\":-1}}}}";
    expect_at(DEFAULT, "hits.hits[1].fields", "{\"x\":[9007199254740994]}");
    expect_at(DEFAULT, "hits.hits[2].fields", "{\"x\":[-1]}");
    fixture_expect_error(&f, "{\"script_fields\":{\"x\":" FIELD("total") "}}", QD_EUDF_PARAMS,
                         "[script_fields] function 'total@1.0.0' has kind aggregate: a field takes functions of kind "
                         "transform, filter or score");
    fixture_expect_error(&f, "{\"script_fields\":{\"x\":{}}}", QD_EPARSE,
                         "[script_fields] [x] requires either a [script] or a [wasm_udf]");
    fixture_expect_error(&f, "{\"script_fields\":[]}", QD_EPARSE, "[script_fields] expects an object, got an array");
}

static void test_fields__more_than_32__are_too_many(void **state)
{
    (void)state;
    char body[4096];
    size_t n = (size_t)snprintf(body, sizeof body, "{\"script_fields\":{");
    for (int i = 0; i < 33; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "%s\"f%d\":" FIELD("half"), i ? "," : "", i);
    snprintf(body + n, sizeof body - n, "}}");
    fixture_expect_error(&f, body, QD_EPARSE,
                         "Trying to retrieve too many script_fields. Must be less than or equal to: [32] but was [33]");
}

/* ---- sort by _script ---- */

#define BY(name, order)                                                                                                \
    "{\"_script\":{\"type\":\"number\",\"script\":{\"source\":\"" name "\"},\"order\":\"" order "\"}}"

static void test_sort__by_a_function__orders_all_matches(void **state)
{
    (void)state;
    fixture_expect(&f, "{\"sort\":" BY("half", "asc") "}", 5, "e:- a:- b:- c:- d:-");
    fixture_expect(&f, "{\"sort\":[" BY("half", "desc") "],\"size\":3}", 5, "c:- b:- a:-");
    fixture_expect(&f, "{\"sort\":[" BY("cheap", "desc") ",{\"n\":\"desc\"}]}", 5, "e:- a:- c:- b:- d:-");
    fixture_expect(
        &f,
        "{\"query\":{\"bool\":{\"should\":[{\"match_all\":{}},{\"constant_score\":{\"boost\":7,\"filter\":{\"match\":{"
        "\"title\":\"pear\"}}}}]}},\"sort\":[" BY("twice", "desc") "]}",
        5, "c:- a:- b:- d:- e:-");
    expect_at("{\"sort\":" BY("half", "asc") "}", "hits.hits[0].sort", "0.625");
    expect_at("{\"sort\":" BY("half", "asc") "}", "hits.hits[4].sort", "\"Infinity\"");
    fixture_expect_error(&f, "{\"sort\":" BY("big", "asc") "}", QD_EUDF_FAILED,
                         "function 'big@1.0.0', document 'c': trap: unreachable");
    fixture_expect(
        &f,
        "{\"sort\":{\"_script\":{\"type\":\"number\",\"wasm_udf\":{\"name\":\"big\",\"on_error\":\"default\","
        "\"default\":0}}}}",
        5, "c a b e d");
    fixture_expect_error(&f, "{\"sort\":" BY("title_of", "asc") "}", QD_EUDF_PARAMS,
                         "[_script] function 'title_of@1.0.0' has kind transform and returns a string: a sort takes "
                         "functions that give a number for each document");
    fixture_expect_error(&f, "{\"sort\":" BY("total", "asc") "}", QD_EUDF_PARAMS,
                         "[_script] function 'total@1.0.0' has kind aggregate: a sort takes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggs__all_matches__of_all_segments),
        cmocka_unit_test(test_aggs__functions_in_the_query__choose_what_is_aggregated),
        cmocka_unit_test(test_aggs__no_matches__give_the_result_of_a_fresh_state),
        cmocka_unit_test(test_aggs__scores__are_those_of_the_hits),
        cmocka_unit_test(test_aggs__parameters__replace_where_values_come_from),
        cmocka_unit_test(test_aggs__failures__name_function_and_document),
        cmocka_unit_test(test_aggs__out_of_time__are_null),
        cmocka_unit_test(test_aggs__what_is_none__is_refused),
        cmocka_unit_test(test_fields__each_kind__gives_a_value_for_each_hit),
        cmocka_unit_test(test_fields__page__is_that_of_the_hits),
        cmocka_unit_test(test_fields__params_and_failures__as_everywhere),
        cmocka_unit_test(test_fields__more_than_32__are_too_many),
        cmocka_unit_test(test_sort__by_a_function__orders_all_matches),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
