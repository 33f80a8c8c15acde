/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions in queries: where they may stand, what they read, what their failures say. Scores of every position against
 * OpenSearch's are in test_query_oracle.c. */
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

static fixture f;

static const char MAPPING[] =
    "{\"dynamic\":false,\"properties\":{\"title\":{\"type\":\"text\"},\"tag\":{\"type\":\"keyword\"},\"n\":{\"type\":"
    "\"long\"},\"price\":{\"type\":"
    "\"double\"},\"on\":{\"type\":\"boolean\"},\"at\":{\"type\":\"date\"},\"loc\":{\"type\":\"geo_point\"}}}";

/* Writes the string at path `field` to memory and compares it with the parameter `want`. */
static const char STRING_WAT[] =
    "(module"
    " (import \"env\" \"get_field_string\" (func $field (param i64 i32 i32 i32 i32) (result i32)))"
    " (import \"env\" \"get_param_string\" (func $param (param i32 i32 i32 i32) (result i32)))"
    " (memory (export \"memory\") 1)"
    " (data (i32.const 0) \"path\") (data (i32.const 8) \"want\")"
    " (func (export \"filter\") (param $ctx i64) (result i32) (local $i i32)"
    /* 64: the path; 128: what is wanted; 256: what is there */
    "  (i32.store (i32.const 32) (i32.const 64)) (i32.store (i32.const 36) (i32.const 100)) (i32.store (i32.const 40) "
    "(i32.const 100))"
    "  (if (call $param (i32.const 0) (i32.const 4) (i32.const 64) (i32.const 32)) (then (return (i32.const 0))))"
    "  (if (call $param (i32.const 8) (i32.const 4) (i32.const 128) (i32.const 36)) (then (return (i32.const 0))))"
    "  (if (call $field (local.get $ctx) (i32.const 64) (i32.load (i32.const 32)) (i32.const 256) (i32.const 40))"
    "   (then (return (i32.const 0))))"
    "  (if (i32.ne (i32.load (i32.const 36)) (i32.load (i32.const 40))) (then (return (i32.const 0))))"
    "  (block $done (loop $next"
    "   (br_if $done (i32.ge_u (local.get $i) (i32.load (i32.const 40))))"
    "   (if (i32.ne (i32.load8_u offset=128 (local.get $i)) (i32.load8_u offset=256 (local.get $i))) (then (return "
    "(i32.const 0))))"
    "   (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))"
    "  (i32.const 1)))";

static void add_functions(void)
{
    fixture_function(&f,
                     "{\"name\":\"is\",\"kind\":\"filter\",\"abi\":\"row\",\"parameters\":[{\"name\":\"path\",\"type\":"
                     "\"string\",\"required\":true},"
                     "{\"name\":\"want\",\"type\":\"string\",\"required\":true}]}",
                     STRING_WAT);
    fixture_function(&f,
                     "{\"name\":\"above\",\"function_name\":\"f\",\"kind\":\"filter\",\"abi\":\"typed\",\"parameters\":"
                     "[{\"name\":\"v\",\"type\":\"f64\",\"required\":"
                     "true},{\"name\":\"least\",\"type\":\"f64\",\"default\":0}]}",
                     "(module (func (export \"f\") (param f64 f64) (result i32) local.get 0 local.get 1 f64.gt))");
    fixture_function(&f,
                     "{\"name\":\"above\",\"version\":\"2.0.0\",\"function_name\":\"f\",\"kind\":\"filter\",\"abi\":"
                     "\"typed\",\"parameters\":[{\"name\":\"v\",\"type\":"
                     "\"f64\"},{\"name\":\"least\",\"type\":\"f64\",\"default\":0}]}",
                     "(module (func (export \"f\") (param f64 f64) (result i32) local.get 0 local.get 1 f64.gt))");
    fixture_function(&f,
                     "{\"name\":\"price\",\"function_name\":\"f\",\"kind\":\"score\",\"abi\":\"typed\",\"parameters\":["
                     "{\"name\":\"v\",\"type\":\"f64\",\"from\":"
                     "\"_source.price\"}]}",
                     "(module (func (export \"f\") (param f64) (result f64) local.get 0))");
    fixture_function(&f,
                     "{\"name\":\"relevance\",\"function_name\":\"f\",\"kind\":\"score\",\"abi\":\"typed\","
                     "\"parameters\":[{\"name\":\"v\",\"type\":\"f64\",\"from\":"
                     "\"_score\"},{\"name\":\"tier\",\"type\":\"f64\",\"from\":\"_context.user.tier\",\"default\":1}]}",
                     "(module (func (export \"f\") (param f64 f64) (result f64) local.get 0 local.get 1 f64.mul))");
    fixture_function(&f,
                     "{\"name\":\"breaks\",\"function_name\":\"f\",\"kind\":\"filter\",\"abi\":\"typed\","
                     "\"parameters\":[{\"name\":\"n\",\"type\":\"i64\",\"from\":"
                     "\"_source.n\",\"default\":0},{\"name\":\"at\",\"type\":\"i64\",\"default\":2}]}",
                     "(module (func (export \"f\") (param i64 i64) (result i32) (if (i64.eq (local.get 0) (local.get "
                     "1)) (then unreachable)) i32.const 1))");
    fixture_function(&f, "{\"name\":\"negative\",\"function_name\":\"f\",\"kind\":\"score\",\"abi\":\"typed\"}",
                     "(module (func (export \"f\") (result f64) f64.const -1))");
    fixture_function(&f,
                     "{\"name\":\"hangs\",\"function_name\":\"f\",\"kind\":\"filter\",\"abi\":\"typed\",\"limits\":{"
                     "\"call_ms\":5000}}",
                     "(module (func (export \"f\") (result i32) (loop (br 0)) i32.const 1))");
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f, MAPPING);
    fixture_add(&f, "a",
                "{\"title\":\"red "
                "apple\",\"tag\":[\"x\",\"y\"],\"n\":1,\"price\":10,\"on\":true,\"at\":\"1970-01-01T00:00:05Z\","
                "\"loc\":\"48.5,11.25\","
                "\"extra\":{\"list\":[{\"k\":\"v1\"},{\"k\":\"v\\u00e92\"}]}}");
    fixture_add(
        &f, "b",
        "{\"title\":\"green apple\",\"tag\":\"y\",\"n\":2,\"price\":20.5,\"on\":false,\"extra\":{\"num\":7.5}}");
    fixture_commit(&f);
    fixture_add(&f, "c", "{\"title\":\"red pear\",\"n\":3,\"price\":30}");
    fixture_add(&f, "d", "{\"title\":\"plum\"}");
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

#define UDF(name, params) "{\"wasm_udf\":{\"name\":\"" name "\",\"params\":" params "}}"

static void expect_above(const char *field, const char *least, const char *hits)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"query\":{\"wasm_udf\":{\"name\":\"above\",\"version\":\"2.0.0\",\"parameters\":{\"v\":\"_source.%s\","
             "\"least\":%s}}}}",
             field, least);
    fixture_expect(&f, body, -1, hits);
}

static void test_function__numbers__from_columns_and_source(void **state)
{
    (void)state;
    expect_above("price", "15", "b:1 c:1");
    expect_above("n", "1", "b:1 c:1");
    expect_above("at", "4999", "a:1");
    expect_above("at", "5000", "");
    expect_above("loc.lat", "48.4", "a:1");
    expect_above("loc.lon", "11.3", "");
    expect_above("extra.num", "7", "b:1");
    expect_above("nowhere", "-1", "");
}

static void expect_text(const char *path, const char *want, const char *hits)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"query\":{\"wasm_udf\":{\"name\":\"is\",\"parameters\":{\"path\":\"%s\",\"want\":\"%s\"}}}}", path,
             want);
    fixture_expect(&f, body, -1, hits);
}

static void test_function__strings__from_columns_and_source(void **state)
{
    (void)state;
    expect_text("tag", "y", "b:1");
    expect_text("tag[1]", "y", "a:1");
    expect_text("title", "red pear", "c:1");
    expect_text("extra.list[1].k",
                "v\xc3\xa9"
                "2",
                "a:1");
    expect_text("extra.list.k", "v1", "a:1");
    expect_text("extra.list", "v1", "");
    expect_text("price", "10", "");
}

static void test_function__context_and_score__reach_it(void **state)
{
    (void)state;
    fixture_expect(&f,
                   "{\"query\":{\"script_score\":{\"query\":{\"term\":{\"n\":{\"value\":2,\"boost\":3}}},\"script\":{"
                   "\"source\":\"relevance\"}}},"
                   "\"context\":{\"user\":{\"tier\":5}}}",
                   1, "b:15");
    /* Alone it sees 1; in a bool, the score of the native clauses. */
    fixture_expect(&f, "{\"query\":" UDF("relevance", "{}") "}", 4, "a:1 b:1 c:1 d:1");
    fixture_expect(&f,
                   "{\"query\":{\"bool\":{\"must\":[{\"constant_score\":{\"filter\":{\"exists\":{\"field\":\"n\"}},"
                   "\"boost\":4}}," UDF("relevance", "{}") "]}}}",
                   3, "a:8 b:8 c:8");
    fixture_expect(
        &f, "{\"query\":{\"bool\":{\"filter\":{\"exists\":{\"field\":\"n\"}},\"must\":" UDF("relevance", "{}") "}}}", 3,
        "a:1 b:1 c:1");
    fixture_expect(&f,
                   "{\"query\":{\"wasm_udf\":{\"name\":\"relevance\",\"query\":{\"term\":{\"n\":{\"value\":2,\"boost\":"
                   "3}}},\"boost\":2}}}",
                   1, "b:6");
    fixture_expect(
        &f,
        "{\"query\":{\"wasm_udf\":{\"name\":\"above@2.0.0\",\"params\":{\"v\":\"_source.price\",\"least\":15},"
        "\"query\":{\"constant_score\":{"
        "\"filter\":{\"match_all\":{}},\"boost\":3}}}}}",
        2, "b:3 c:3");
}

static void test_function__without_a_value__does_not_match(void **state)
{
    (void)state;
    /* `price` has neither a default nor a value in "d". */
    fixture_expect(&f, "{\"query\":" UDF("price", "{}") "}", 3, "c:30 b:20.5 a:10");
    fixture_expect(&f, "{\"query\":{\"script_score\":{\"query\":{\"match_all\":{}},\"script\":\"price\"}},\"size\":2}",
                   3, "c:30 b:20.5");
    fixture_expect(&f,
                   "{\"query\":{\"function_score\":{\"script_score\":{\"script\":\"price\"},\"boost_mode\":\"sum\"}}}",
                   4, "c:31 b:21.5 a:11 d:2");
    fixture_expect_error(&f, "{\"query\":" UDF("above@1.0.0", "{\"v\":\"_source.price\"}") "}", QD_EUDF_PARAMS,
                         "document 'd'");
}

static void test_function__failing__names_function_version_and_document(void **state)
{
    (void)state;
    qd_error err;
    assert_int_equal(fixture_search_error(&f, "{\"query\":{\"bool\":{\"filter\":" UDF("breaks", "{}") "}}}", &err),
                     QD_EUDF_FAILED);
    assert_non_null(strstr(err.message, "breaks@1.0.0"));
    assert_non_null(strstr(err.message, "document 'b'"));
    assert_non_null(strstr(err.message, "unreachable"));
    /* Of two failures the first in document order is told. */
    assert_int_equal(
        fixture_search_error(
            &f, "{\"query\":{\"bool\":{\"should\":[" UDF("breaks", "{\"at\":3}") "," UDF("breaks", "{\"at\":1}") "]}}}",
            &err),
        QD_EUDF_FAILED);
    assert_non_null(strstr(err.message, "document 'a'"));
    fixture_expect_error(&f, "{\"query\":" UDF("negative", "{}") "}", QD_EUDF_FAILED,
                         "a score must be a finite number >= 0");
    /* A clause that narrows keeps it from what it cannot take. */
    fixture_expect(&f, "{\"query\":{\"bool\":{\"must_not\":{\"term\":{\"n\":2}},\"filter\":" UDF("breaks", "{}") "}}}",
                   3, "a:0 c:0 d:0");
    fixture_expect(&f,
                   "{\"query\":{\"bool\":{\"must\":{\"term\":{\"n\":1}},\"should\":[" UDF(
                       "breaks", "{}") ",{\"match\":{\"title\":\"pear\"}}],"
                                       "\"minimum_should_match\":1}}}",
                   1, "a:2");
    fixture_expect(&f,
                   "{\"query\":{\"function_score\":{\"query\":{\"term\":{\"n\":1}},\"functions\":[{\"weight\":3,"
                   "\"filter\":{\"bool\":{\"filter\":["
                   "{\"exists\":{\"field\":\"price\"}}," UDF("breaks", "{}") "]}}}]}}}",
                   1, "a:3");
}

static void test_function__on_error__skips_or_takes_the_default(void **state)
{
    (void)state;
    fixture_expect(&f, "{\"query\":{\"wasm_udf\":{\"name\":\"breaks\",\"on_error\":\"skip\"}}}", 3, "a c d");
    fixture_expect(&f, "{\"query\":{\"wasm_udf\":{\"name\":\"breaks\",\"on_error\":\"default\",\"default\":true}}}", 4,
                   "a b c d");
    fixture_expect(&f, "{\"query\":{\"wasm_udf\":{\"name\":\"breaks\",\"on_error\":\"default\",\"default\":false}}}", 3,
                   "a c d");
    fixture_expect(&f,
                   "{\"query\":{\"wasm_udf\":{\"name\":\"negative\",\"on_error\":\"default\",\"default\":2.5,\"boost\":"
                   "2}},\"size\":1}",
                   4, "a:5");
}

static void test_function__of_the_wrong_kind__is_refused(void **state)
{
    (void)state;
    fixture_expect_error(&f, "{\"query\":{\"bool\":{\"filter\":" UDF("price", "{}") "}}}", QD_EUDF_PARAMS,
                         "use a function of kind filter");
    fixture_expect_error(&f, "{\"query\":{\"script\":{\"script\":\"price\"}}}", QD_EUDF_PARAMS,
                         "use a function of kind filter");
    fixture_expect_error(&f, "{\"query\":{\"script_score\":{\"query\":{\"match_all\":{}},\"script\":\"breaks\"}}}",
                         QD_EUDF_PARAMS, "use a function of kind score");
    fixture_expect_error(&f,
                         "{\"query\":{\"constant_score\":{\"filter\":{\"bool\":{\"must\":" UDF("price", "{}") "}}}}}",
                         QD_EUDF_PARAMS, "use a function of kind filter");
}

static void test_function__unknown_name_version_or_parameter__is_refused_in_place(void **state)
{
    (void)state;
    qd_error err;
    assert_int_equal(fixture_search_error(&f, "{\"query\":{\"bool\":{\n \"filter\":" UDF("nope", "{}") "}}}", &err),
                     QD_EUDF_NOTFOUND);
    assert_non_null(strstr(err.message, "nope"));
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 12);
    fixture_expect_error(&f, "{\"query\":{\"wasm_udf\":{\"name\":\"price\",\"version\":\"9.0.0\"}}}", QD_EUDF_NOTFOUND,
                         "9.0.0");
    fixture_expect_error(&f, "{\"query\":{\"wasm_udf\":{\"name\":\"price@9.0.0\"}}}", QD_EUDF_NOTFOUND, "9.0.0");
    fixture_expect_error(&f, "{\"query\":" UDF("price", "{\"nope\":1}") "}", QD_EUDF_PARAMS, "nope");
    fixture_expect_error(&f, "{\"query\":" UDF("breaks", "{\"at\":\"x\"}") "}", QD_EUDF_PARAMS, "at");
}

static void test_function__that_hangs__ends_with_the_query(void **state)
{
    (void)state;
    json_t *answer = fixture_search(&f, "{\"query\":" UDF("hangs", "{}") ",\"timeout\":\"30ms\"}");
    assert_true(json_is_true(json_at(answer, "timed_out")));
    assert_int_equal(json_array_size(json_object_get(json_at(answer, "hits"), "hits")), 0);
    json_decref(answer);
}

static void test_function__in_size_zero_and_sort__still_decides(void **state)
{
    (void)state;
    fixture_expect(
        &f,
        "{\"size\":0,\"query\":{\"bool\":{\"filter\":" UDF(
            "above", "{\"v\":\"_source.price\",\"least\":15}") ",\"must\":{\"exists\":{\"field\":\"price\"}}}}}",
        2, "");
    fixture_expect(&f,
                   "{\"sort\":[{\"price\":\"desc\"}],\"query\":{\"wasm_udf\":{\"name\":\"above\",\"version\":\"2.0.0\","
                   "\"params\":{\"v\":\"_source.price\",\"least\":5}}}}",
                   3, "c:- b:- a:-");
    fixture_expect(&f,
                   "{\"size\":0,\"query\":{\"script_score\":{\"query\":{\"term\":{\"n\":{\"value\":2,\"boost\":3}}},"
                   "\"script\":\"relevance\",\"min_score\":2.5}}}",
                   1, "");
    fixture_expect(&f,
                   "{\"size\":0,\"query\":{\"script_score\":{\"query\":{\"term\":{\"n\":2}},\"script\":\"relevance\","
                   "\"min_score\":2.5}}}",
                   0, "");
}

/* Each level doubles the clauses: the planner must give up, not the machine. */
static void test_function__nested_in_should_many_times__is_refused(void **state)
{
    (void)state;
    char *body = malloc(1 << 16), *p = body;
    assert_non_null(body);
    p += sprintf(p, "{\"query\":");
    for (int i = 0; i < 28; i++)
        p += sprintf(p, "{\"bool\":{\"minimum_should_match\":1,\"should\":[{\"term\":{\"n\":2}},%s,%s],\"must\":",
                     UDF("breaks", "{}"), UDF("breaks", "{}"));
    p += sprintf(p, "{\"match_all\":{}}");
    for (int i = 0; i < 28; i++)
        p += sprintf(p, "}}");
    sprintf(p, "}");
    fixture_expect_error(&f, body, QD_EQUERY, "the query takes more than [16384] clauses");
    free(body);
}

static void add_named(fixture *named, int n)
{
    char id[16], source[128];
    snprintf(id, sizeof id, "%d", n);
    snprintf(source, sizeof source, "{\"name\":\"%x-%d\",\"twin\":\"%x-%d\",\"n\":%d}", n * 2654435761u, n,
             n * 2654435761u, n % 10 ? -n : n, n);
    fixture_add(named, id, n % 7 == 6 ? "{}" : source);
}

/* Strings of columns: few and one by one, then all at once, with gaps, in views of blocks, and from parameters. */
static void test_function__reads_strings_of_large_columns(void **state)
{
    (void)state;
    fixture named;
    fixture_open(&named, "{\"properties\":{\"name\":{\"type\":\"keyword\"},\"twin\":{\"type\":\"keyword\"},\"n\":{"
                         "\"type\":\"long\"}}}");
    fixture_function(&named,
                     "{\"name\":\"is\",\"kind\":\"filter\",\"abi\":\"row\",\"parameters\":[{\"name\":\"path\",\"type\":"
                     "\"string\",\"required\":true},{\"name\":\"want\",\"type\":\"string\"}]}",
                     STRING_WAT);
    for (int i = 0; i < 7000; i++) {
        add_named(&named, i);
        if (i == 4999)
            fixture_commit(&named);
    }
    fixture_commit(&named);
    static const char TWINS[] = UDF("is", "{\"path\":\"name\",\"want\":\"_source.twin\"}");
    char body[512];
    for (int round = 0; round < 3; round++) {
        snprintf(body, sizeof body, "{\"query\":{\"bool\":{\"filter\":[{\"terms\":{\"n\":[40,41,6990]}},%s]}}}", TWINS);
        fixture_expect(&named, body, 2, "40 6990");
    }
    snprintf(body, sizeof body, "{\"track_total_hits\":true,\"size\":0,\"query\":%s}", TWINS);
    fixture_expect(&named, body, 600, "");
    snprintf(body, sizeof body,
             "{\"query\":{\"bool\":{\"must_not\":[%s],\"filter\":[%s,{\"range\":{\"n\":{\"gte\":4990}}}]}}}",
             UDF("is", "{\"path\":\"name\",\"want\":\"fd85ffe0-5600\"}"), TWINS);
    fixture_expect(&named, body, 171, "5000 5010 5020 5030 5040 5050 5070 5080 5090 5100");
    fixture_close(&named);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function__numbers__from_columns_and_source),
        cmocka_unit_test(test_function__strings__from_columns_and_source),
        cmocka_unit_test(test_function__context_and_score__reach_it),
        cmocka_unit_test(test_function__without_a_value__does_not_match),
        cmocka_unit_test(test_function__failing__names_function_version_and_document),
        cmocka_unit_test(test_function__on_error__skips_or_takes_the_default),
        cmocka_unit_test(test_function__of_the_wrong_kind__is_refused),
        cmocka_unit_test(test_function__unknown_name_version_or_parameter__is_refused_in_place),
        cmocka_unit_test(test_function__that_hangs__ends_with_the_query),
        cmocka_unit_test(test_function__in_size_zero_and_sort__still_decides),
        cmocka_unit_test(test_function__reads_strings_of_large_columns),
        cmocka_unit_test(test_function__nested_in_should_many_times__is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
