/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/binding.h"
#include "wat_udf.h"

static qd_wasm_engine *engine;

static int setup(void **state)
{
    const qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    (void)state;
    return qd_wasm_engine_new(&options, &engine, NULL);
}

static int teardown(void **state)
{
    (void)state;
    qd_wasm_engine_free(engine);
    return 0;
}

static qd_status try_test(qd_udf *u, const char *body, json_t **answer, qd_error *err)
{
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    json_t *json = json_of(body);
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = qd_udf_test(u, json, &control, &w, err);
    if (st == QD_OK)
        assert_status_ok(qd_json_parse(qd_buf_str(&out), answer, err), err);
    else
        assert_int_equal(out.n, 0);
    qd_buf_deinit(&out);
    json_decref(json);
    return st;
}

static void assert_answer(qd_udf *u, const char *body, const char *member, const char *expected)
{
    qd_error err = QD_ERROR_INIT;
    json_t *answer = NULL;
    assert_status_ok(try_test(u, body, &answer, &err), &err);
    char *text = json_dumps(json_object_get(answer, member), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text ? text : "nothing", expected);
    free(text);
    json_decref(answer);
}

static const char SCORER[] = "{\"name\":\"f\",\"version\":\"1.0.0\",\"parameters\":["
                             "{\"name\":\"relevance\",\"type\":\"f64\",\"from\":\"_score\"},"
                             "{\"name\":\"price\",\"type\":\"f64\",\"from\":\"_source.item.price\"},"
                             "{\"name\":\"tier\",\"type\":\"i32\",\"from\":\"_context.user.tier\",\"default\":0}]}";
static const char SCORER_WAT[] = "(module (func (export \"filter\") (param f64 f64 i32) (result f64)"
                                 "local.get 0 local.get 1 f64.mul local.get 2 f64.convert_i32_s f64.add))";

static void test_test__typed_scorer__gives_results(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, SCORER, SCORER_WAT);
    assert_answer(u, "{\"document\":{\"item\":{\"price\":2.5}}}", "result", "2.5");
    assert_answer(u, "{\"document\":{\"item\":{\"price\":2.5}},\"score\":2,\"context\":{\"user\":{\"tier\":3}}}",
                  "result", "8.0");
    assert_answer(u, "{\"document\":{\"item\":{\"price\":2.5}},\"parameters\":{\"price\":1,\"tier\":1}}", "result",
                  "2.0");
    assert_answer(u, "{\"document\":{}}", "result", "null");
    assert_answer(u, "{\"documents\":[{\"item\":{\"price\":1}},{},{\"item\":[{\"price\":3}]}]}", "results",
                  "[1.0,null,3.0]");
    assert_answer(u, "{\"documents\":[]}", "results", "[]");
    assert_answer(u, "{\"document\":{}}", "tier", "\"optimized\"");
    assert_answer(u, "{\"document\":{}}", "host_calls", "0");
    assert_answer(u, "{\"document\":{}}", "logs", "[]");
    qd_udf_unref(u);
}

/* A filter that logs the document's id and its tags[1], and asks whether it has a vendor.name. */
static const char TALKER[] =
    "(module (import \"env\" \"log\" (func $log (param i32 i32 i32) (result i32)))"
    "(import \"env\" \"get_document_id\" (func $id (param i64 i32 i32) (result i32)))"
    "(import \"env\" \"get_field_string\" (func $str (param i64 i32 i32 i32 i32) (result i32)))"
    "(import \"env\" \"has_field\" (func $has (param i64 i32 i32) (result i32)))"
    "(memory (export \"memory\") 1) (data (i32.const 0) \"tags[1]vendor.name\")"
    "(func (export \"filter\") (param $c i64) (result i32)"
    "(i32.store (i32.const 64) (i32.const 100)) (drop (call $id (local.get $c) (i32.const 100) (i32.const 64)))"
    "(drop (call $log (i32.const 1) (i32.const 100) (i32.load (i32.const 64))))"
    "(i32.store (i32.const 64) (i32.const 100))"
    "(if (i32.eqz (call $str (local.get $c) (i32.const 0) (i32.const 7) (i32.const 200) (i32.const 64)))"
    "(then (drop (call $log (i32.const 3) (i32.const 200) (i32.load (i32.const 64))))))"
    "(call $has (local.get $c) (i32.const 7) (i32.const 11))))";

static void test_test__row_filter__logs_and_answers(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, "{\"name\":\"f\",\"version\":\"1.0.0\"}", TALKER);
    assert_answer(u, "{\"document\":{\"vendor\":{\"name\":\"x\"}}}", "result", "true");
    assert_answer(u, "{\"document\":{}}", "result", "false");
    assert_answer(u, "{\"documents\":[{},{\"vendor.name\":0}]}", "results", "[false,true]");
    assert_answer(u, "{\"document\":{\"tags\":[\"a\",\"say \\\"b\\\"\"]},\"id\":\"doc-7\"}", "logs",
                  "[{\"level\":\"info\",\"message\":\"doc-7\"},{\"level\":\"error\",\"message\":\"say \\\"b\\\"\"}]");
    assert_answer(u, "{\"documents\":[{},{}]}", "logs",
                  "[{\"level\":\"info\",\"message\":\"0\"},{\"level\":\"info\",\"message\":\"1\"}]");
    assert_answer(u, "{\"document\":{}}", "host_calls", "4");
    qd_udf_unref(u);
}

static void test_test__integers__stay_integers(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine,
                        "{\"name\":\"f\",\"version\":\"1.0.0\",\"kind\":\"transform\",\"abi\":\"typed\","
                        "\"parameters\":[{\"name\":\"n\",\"type\":\"i64\",\"from\":\"_source.n\"}]}",
                        "(module (func (export \"filter\") (param i64) (result i64) local.get 0 i64.const 2 i64.mul))");
    assert_answer(u, "{\"document\":{\"n\":21}}", "result", "42");
    qd_udf_unref(u);
}

static void test_test__bad_bodies__say_why(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        qd_status st;
        const char *message;
    } CASES[] = {
        {"[]", QD_EUDF_PARAMS, "the body: expected an object, got an array"},
        {"{}", QD_EUDF_PARAMS, "expected either 'document' or 'documents'"},
        {"{\"document\":{},\"documents\":[]}", QD_EUDF_PARAMS, "expected either 'document' or 'documents'"},
        {"{\"document\":[]}", QD_EUDF_PARAMS, "'document': expected an object, got an array"},
        {"{\"documents\":{}}", QD_EUDF_PARAMS, "'documents': expected an array, got an object"},
        {"{\"documents\":[{},1]}", QD_EUDF_PARAMS, "'documents': expected objects, got a number"},
        {"{\"document\":{},\"doc\":1}", QD_EUDF_PARAMS, "unknown member 'doc'"},
        {"{\"document\":{},\"score\":\"x\"}", QD_EUDF_PARAMS, "'score': expected a number, got the string \"x\""},
        {"{\"document\":{},\"id\":1}", QD_EUDF_PARAMS, "'id': expected a string, got the number 1"},
        {"{\"document\":{},\"parameters\":[]}", QD_EUDF_PARAMS,
         "function 'f@1.0.0': 'parameters': expected an object, got an array"},
        {"{\"document\":{},\"parameters\":{\"x\":1}}", QD_EUDF_PARAMS, "function 'f@1.0.0' has no parameter 'x'"},
        {"{\"document\":{\"item\":{\"price\":\"much\"}}}", QD_EUDF_PARAMS,
         "function 'f@1.0.0', document '0': parameter 'price': expected a number, got the string \"much\""},
        {"{\"documents\":[{},{\"item\":{\"price\":-2}}]}", QD_EUDF_FAILED,
         "function 'f@1.0.0', document '1': returned -2.0; a score must be a finite number >= 0"},
        {"{\"document\":{\"item\":{\"price\":-2}},\"id\":\"a\"}", QD_EUDF_FAILED, "document 'a': returned -2"},
    };
    qd_udf *u = wat_udf(engine, SCORER, SCORER_WAT);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        json_t *answer = NULL;
        qd_status st = try_test(u, CASES[i].body, &answer, &err);
        if (st != CASES[i].st || !strstr(err.message, CASES[i].message))
            fail_msg("%s gave %s: %s", CASES[i].body, qd_status_name(st), err.message);
    }
    qd_udf_unref(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_test__typed_scorer__gives_results),
        cmocka_unit_test(test_test__row_filter__logs_and_answers),
        cmocka_unit_test(test_test__integers__stay_integers),
        cmocka_unit_test(test_test__bad_bodies__say_why),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
