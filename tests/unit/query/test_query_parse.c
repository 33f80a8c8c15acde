/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parser refuses, and where it says the fault is. No index is needed: nothing is planned before all is read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_qd.h"
#include "query/body.h"

static qd_status parse(const char *text, qd_body *body, qd_error *err)
{
    const qd_search_request rq = {.from = -1, .size = -1, .track_total_hits = -1};
    qd_arena *arena = qd_arena_new(16 << 20);
    qd_uses uses = {0};
    json_t *json = NULL;
    *err = (qd_error)QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(text), &json, err), err);
    qd_parser p = {.text = qd_str_of(text), .arena = arena, .err = err, .uses = &uses};
    qd_status st = qd_body_parse(&p, json, &rq, body);
    json_decref(json);
    qd_arena_free(arena);
    return st;
}

typedef struct bad_case {
    const char *text;
    uint32_t line, column;
    const char *message;
} bad_case;

static const bad_case BAD[] = {
    {"{\"query\": {\"foo\": {}}}", 1, 12, "unknown query [foo]"},
    {"{\n \"query\": {\"bool\": {\"must\": [\n  {\"match\": {\"a\": \"b\"}},\n  {\"mtch\": {}}]}}}", 4, 4,
     "unknown query [mtch]"},
    {"{\"query\": {\"regexp\": {}}}", 1, 12, "query [regexp] is not supported yet"},
    {"{\"query\": {}}", 1, 2, "query malformed, empty clause found"},
    {"{\"query\": []}", 1, 2, "[_na] query malformed, must start with start_object, got an array"},
    {"{\"query\": {\"match\": 5}}", 1, 12, "[match] query malformed, no start_object after query name"},
    {"{\"query\": {\"match\": {}}}", 1, 12, "[match] needs a field: {\"match\": {\"FIELD\": …}}"},
    {"{\"query\": {\"match\": {\"a\": {}}}}", 1, 22, "[match] requires query value"},
    {"{\"query\": {\"match\": {\"a\": {\"query\": \"x\", \"fuzziness\": 1}}}}", 1, 42,
     "[match] [fuzziness] is not supported yet"},
    {"{\"query\": {\"match\": {\"a\": {\"query\": \"x\", \"boost\": \"y\"}}}}", 1, 42,
     "[match] [boost] expects a number, got a string"},
    {"{\"query\": {\"match\": {\"a\": {\"query\": \"x\", \"boost\": 1e300}}}}", 1, 42,
     "[match] [boost] expects a number, got a number"},
    {"{\"query\": {\"match\": {\"a\": {\"query\": \"x\", \"analyzer\": \"icu\"}}}}", 1, 22,
     "[match] analyzer [icu] not found: [standard] is the only one yet"},
    {"{\"query\": {\"multi_match\": {\"query\": \"x\"}}}", 1, 12,
     "[multi_match] requires [fields]: an array of field names, such as [\"title^2\", \"body\"]"},
    {"{\"query\": {\"multi_match\": {\"query\": \"x\", \"fields\": [\"a\", \"b^x\"]}}}", 1, 58,
     "[multi_match] field [b^x]: what follows ^ must be a boost, a number >= 0"},
    {"{\"query\": {\"multi_match\": {\"query\": \"x\", \"fields\": [\"a\"], \"type\": \"phrase\"}}}", 1, 12,
     "[multi_match] type [phrase] is not supported yet: use best_fields or most_fields"},
    {"{\"query\": {\"term\": {\"a\": null}}}", 1, 21, "[term] field [a]: value cannot be null"},
    {"{\"query\": {\"terms\": {\"a\": [1, {}]}}}", 1, 31, "[terms] values cannot be an object"},
    {"{\"query\": {\"terms\": {\"a\": {\"index\": \"x\"}}}}", 1, 22,
     "[terms] a look-up of terms in another document is not supported yet"},
    {"{\"query\": {\"range\": {\"a\": {\"gt\": 1, \"gte\": 2}}}}", 1, 22,
     "[range] field [a]: give one lower and one upper bound, not both of gt and gte"},
    {"{\"query\": {\"range\": {\"a\": {\"gt\": [1]}}}}", 1, 22, "[range] field [a]: a bound is a string or a number"},
    {"{\"query\": {\"bool\": {\"must\": 1}}}", 1, 21,
     "[bool] must: expected a clause or an array of clauses, got a number"},
    {"{\"query\": {\"bool\": {\"must\": [1]}}}", 1, 30,
     "[_na] query malformed, must start with start_object, got a number"},
    {"{\"query\": {\"bool\": {\"mus\": []}}}", 1, 21, "[bool] query does not support [mus]"},
    {"{\"query\": {\"wasm_udf\": {}}}", 1, 12, "[wasm_udf] requires [name]: the name of a registered function"},
    {"{\"query\": {\"wasm_udf\": {\"name\": \"a\", \"on_error\": \"retry\"}}}", 1, 12,
     "[wasm_udf] [on_error] is [retry]: expected fail, skip or default"},
    {"{\"query\": {\"wasm_udf\": {\"name\": \"a\", \"on_error\": \"default\"}}}", 1, 12,
     "[wasm_udf] [on_error] default needs a [default]"},
    {"{\"query\": {\"wasm_udf\": {\"name\": \"a\", \"params\": {}, \"parameters\": {}}}}", 1, 12,
     "[wasm_udf] has both [parameters] and [params]: they are the same, give one"},
    {"{\"query\": {\"script\": {\"script\": {\"lang\": \"painless\", \"source\": \"true\"}}}}", 1, 23,
     "[script] lang [painless] is not supported yet: use [wasm] with the name of a registered function"},
    {"{\"query\": {\"script\": {\"script\": \"doc['a'].value > 1\"}}}", 1, 23,
     "[script] [doc['a'].value > 1] is not the name of a registered function (NAME or NAME@VERSION); other languages "
     "are not supported yet"},
    {"{\"query\": {\"script_score\": {\"script\": {\"source\": \"f\"}}}}", 1, 12, "[script_score] requires a [query]"},
    {"{\"query\": {\"function_score\": {\"gauss\": {}}}}", 1, 31, "[function_score] [gauss] is not supported yet"},
    {"{\"query\": {\"function_score\": {\"weight\": -1}}}", 1, 12, "[function_score] [weight] cannot be negative"},
    {"{\"query\": {\"function_score\": {\"weight\": 1, \"functions\": []}}}", 1, 12,
     "[function_score] query: already found a function, now encountering [functions]: put all of them into "
     "[functions]"},
    {"{\"aggs\": {\n\"a\": {\"terms\": {}}}}", 2, 7,
     "[terms] is not supported in an aggregation: there is [wasm_udf], a registered function of kind aggregate; others "
     "come later"},
    {"{\"script_fields\": {\"a\":\n {\"script\": 1}}}", 2, 3,
     "[script] query malformed, no start_object after query name"},
    {"{\"size\": 1,\n\"highlight\": {}}", 2, 1, "[highlight] is not supported yet"},
    {"{\"explain\": true}", 1, 2, "[explain] is not supported yet"},
    {"{\"siz\": 1}", 1, 2, "unknown key [siz] in the search body"},
    {"{\"size\": \"1\"}", 1, 2, "[size] expects an integer, got a string"},
    {"{\"from\": -1}", 1, 2, "[from] parameter cannot be negative, found [-1]"},
    {"{\"timeout\": \"5 parsecs\"}", 1, 2,
     "failed to parse setting [timeout] with value [5 parsecs] as a time value: a number with a unit is expected, such "
     "as \"500ms\""},
    {"{\"context\": 1}", 1, 2, "[context] expects an object, got a number"},
    {"{\"track_total_hits\": \"all\"}", 1, 2,
     "[track_total_hits] parameter must be positive or equals to -1, or true or false"},
    {"{\"sort\": [{\"a\": \"up\"}]}", 1, 12, "[sort] order [up]: expected asc or desc"},
    {"{\"sort\": [{\"a\": {\"mode\": \"avg\"}}]}", 1, 12, "[sort] mode [avg] is not supported yet: use min or max"},
    {"{\"sort\": [{\"_script\": \"asc\"}]}", 1, 12, "[sort] by [_script] expects an object with [type] and [script]"},
    {"{\"sort\": [{\"_script\": {\"type\": \"string\"}}]}", 1, 12,
     "[_script] sort of type [string]: expected [number]; others are not supported yet"},
    {"{\"sort\": [{\"_script\": {\"type\": \"number\"}}]}", 1, 12,
     "[_script] sort requires either a [script] or a [wasm_udf]"},
    {"{\"sort\": [{\"_geo_distance\": {}}]}", 1, 12, "[sort] by [_geo_distance] is not supported yet"},
    {"{\"sort\": [1]}", 1, 11,
     "malformed sort format, within the sort array, an object, or an actual string are allowed, got a number"},
    {"{\"_source\": 5}", 1, 2,
     "[_source] expects one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT], got a number"},
    {"[]", 1, 1, "the search body must be an object, got an array"},
};

static void test_parse__bad_bodies__name_clause_line_and_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        qd_error err;
        qd_body body;
        qd_status st = parse(BAD[i].text, &body, &err);
        if (st != QD_EPARSE || strcmp(err.message, BAD[i].message) != 0 || err.line != BAD[i].line ||
            err.column != BAD[i].column)
            fail_msg("%s\nexpected %u:%u %s\ngot %s %u:%u %s", BAD[i].text, BAD[i].line, BAD[i].column, BAD[i].message,
                     qd_status_name(st), err.line, err.column, err.message);
    }
}

static char *nested(unsigned depth)
{
    char *text = malloc(depth * 32 + 64), *p = text;
    assert_non_null(text);
    p += sprintf(p, "{\"query\":");
    for (unsigned i = 1; i < depth; i++)
        p += sprintf(p, "{\"bool\":{\"must\":");
    p += sprintf(p, "{\"match_all\":{}}");
    for (unsigned i = 1; i < depth; i++)
        p += sprintf(p, "}}");
    sprintf(p, "}");
    return text;
}

static void test_parse__thirty_clauses_deep__is_the_most(void **state)
{
    (void)state;
    qd_error err;
    qd_body body;
    char *text = nested(30);
    assert_status_ok(parse(text, &body, &err), &err);
    free(text);
    text = nested(31);
    assert_int_equal(parse(text, &body, &err), QD_EPARSE);
    assert_string_equal(err.message, "[match_all] is nested deeper than [30] clauses, the maximum set in "
                                     "[indices.query.bool.max_nested_depth]");
    free(text);
}

static void test_parse__too_many_clauses__is_refused(void **state)
{
    (void)state;
    qd_error err;
    qd_body body;
    char *text = malloc(1025 * 20 + 64), *p = text;
    p += sprintf(p, "{\"query\":{\"bool\":{\"should\":[");
    for (int i = 0; i < 1024; i++)
        p += sprintf(p, "%s{\"match_all\":{}}", i ? "," : "");
    sprintf(p, "]}}}");
    assert_int_equal(parse(text, &body, &err), QD_EPARSE);
    assert_non_null(strstr(err.message, "maxClauseCount is set to [1024]"));
    free(text);
}

static void test_parse__everything_beside_the_query__is_read(void **state)
{
    (void)state;
    qd_error err;
    qd_body b;
    const char *text =
        "{\"from\":3,\"size\":4,\"track_total_hits\":77,\"track_scores\":true,\"min_score\":0.5,\"timeout\":"
        "\"1.5s\",\"version\":true,\"seq_no_primary_term\":true,\"explain\":false,\"_source\":false}";
    assert_status_ok(parse(text, &b, &err), &err);
    assert_int_equal(b.from, 3);
    assert_int_equal(b.size, 4);
    assert_int_equal(b.track_total, 77);
    assert_true(b.track_scores && b.has_min_score && b.wants_version && b.wants_seq_no && !b.source.is_wanted);
    assert_int_equal(b.timeout_ns, 1500000000);
}

static void test_parse__window_too_large__is_the_limit_error(void **state)
{
    (void)state;
    qd_error err;
    qd_body b;
    assert_int_equal(parse("{\"from\":9223372036854775807,\"size\":10}", &b, &err), QD_ELIMIT);
    assert_int_equal(parse("{\"from\":1,\"size\":10000}", &b, &err), QD_ELIMIT);
    assert_non_null(strstr(
        err.message, "Result window is too large, from + size must be less than or equal to: [10000] but was [10001]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__bad_bodies__name_clause_line_and_column),
        cmocka_unit_test(test_parse__thirty_clauses_deep__is_the_most),
        cmocka_unit_test(test_parse__too_many_clauses__is_refused),
        cmocka_unit_test(test_parse__everything_beside_the_query__is_read),
        cmocka_unit_test(test_parse__window_too_large__is_the_limit_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
