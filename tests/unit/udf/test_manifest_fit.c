/* SPDX-License-Identifier: Apache-2.0 */
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

#define NAMED         "\"name\":\"f\",\"version\":\"1.0.0\""
#define P(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
#define MEMORY(signature, body)                                                                                        \
    "(module (memory (export \"memory\") 1) (func (export \"filter\") " signature " " body "))"
#define EXPORT(signature, body) "(module (func (export \"filter\") " signature " " body "))"

static void test_fit__signatures__give_kind_and_shape(void **state)
{
    (void)state;
    static const struct {
        const char *manifest, *wat;
        qd_udf_kind kind;
        qd_udf_abi abi;
    } CASES[] = {
        {"{" NAMED "}", EXPORT("(param i64) (result i32)", "i32.const 1"), QD_KIND_FILTER, QD_ABI_ROW},
        {"{" NAMED "}", EXPORT("(param i64) (result f64)", "f64.const 1"), QD_KIND_SCORE, QD_ABI_ROW},
        {"{" NAMED ",\"kind\":\"transform\"}", EXPORT("(param i64) (result f64)", "f64.const 1"), QD_KIND_TRANSFORM,
         QD_ABI_ROW},
        {"{" NAMED ",\"parameters\":[" P("s", "string") "]}", EXPORT("(param i64) (result i32)", "i32.const 1"),
         QD_KIND_FILTER, QD_ABI_ROW},
        {"{" NAMED ",\"parameters\":[" P("s", "f64") "]}", EXPORT("(param i64) (result i32)", "i32.const 1"),
         QD_KIND_FILTER, QD_ABI_ROW},
        {"{" NAMED ",\"parameters\":[" P("a", "f64") "]}", EXPORT("(param f64) (result f64)", "local.get 0"),
         QD_KIND_SCORE, QD_ABI_TYPED},
        {"{" NAMED ",\"parameters\":[" P("a", "f64") "," P("b", "bool") "," P("c", "i32") "," P("d", "i64") "," P(
             "e", "f32") "]}",
         EXPORT("(param f64 i32 i32 i64 f32) (result i32)", "i32.const 1"), QD_KIND_FILTER, QD_ABI_TYPED},
        {"{" NAMED ",\"parameters\":[" P("a", "i64") "],\"abi\":\"typed\"}",
         EXPORT("(param i64) (result i32)", "i32.const 1"), QD_KIND_FILTER, QD_ABI_TYPED},
        {"{" NAMED ",\"parameters\":[" P("a", "i64") "],\"abi\":\"row\"}",
         EXPORT("(param i64) (result f64)", "f64.const 1"), QD_KIND_SCORE, QD_ABI_ROW},
        {"{" NAMED "}", EXPORT("(result f32)", "f32.const 1"), QD_KIND_SCORE, QD_ABI_TYPED},
        {"{" NAMED ",\"kind\":\"score\"}", EXPORT("(result i64)", "i64.const 1"), QD_KIND_SCORE, QD_ABI_TYPED},
        {"{" NAMED ",\"returns\":[{\"type\":\"bool\"}]}", EXPORT("(result i32)", "i32.const 1"), QD_KIND_FILTER,
         QD_ABI_TYPED},
        {"{" NAMED ",\"parameters\":[" P("a", "f64") "," P("s", "string") "]}",
         MEMORY("(param f64 i32 i32) (result i32)", "i32.const 1"), QD_KIND_FILTER, QD_ABI_TYPED},
        {"{" NAMED ",\"abi\":\"typed\",\"parameters\":[" P("s", "string") "]}",
         MEMORY("(param i32 i32) (result f64)", "f64.const 1"), QD_KIND_SCORE, QD_ABI_TYPED},
        {"{" NAMED ",\"returns\":[{\"type\":\"string\"}]}", EXPORT("(param i64)", ""), QD_KIND_TRANSFORM, QD_ABI_ROW},
        {"{" NAMED ",\"returns\":[{\"type\":\"string\"}]}", EXPORT("(param i64) (result i32)", "i32.const 1"),
         QD_KIND_TRANSFORM, QD_ABI_ROW},
        {"{" NAMED ",\"kind\":\"transform\",\"returns\":[{\"type\":\"i64\"}]}",
         EXPORT("(param i64) (result i64)", "i64.const 1"), QD_KIND_TRANSFORM, QD_ABI_ROW},
        {"{" NAMED ",\"kind\":\"filter\"}", MEMORY("(param i32 i32 i32)", ""), QD_KIND_FILTER, QD_ABI_BATCH},
        {"{" NAMED ",\"kind\":\"score\",\"abi\":\"batch\"}", MEMORY("(param i32 i32 i32)", ""), QD_KIND_SCORE,
         QD_ABI_BATCH},
        {"{" NAMED ",\"abi\":\"handle\"}", EXPORT("(param i64) (result f64)", "f64.const 1"), QD_KIND_SCORE,
         QD_ABI_HANDLE},
        {"{" NAMED "}",
         "(module (import \"env\" \"field_handle\" (func (param i32 i32) (result i32)))"
         " (func (export \"filter\") (param i64) (result i32) i32.const 1))",
         QD_KIND_FILTER, QD_ABI_HANDLE},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_udf *u = wat_udf(engine, CASES[i].manifest, CASES[i].wat);
        if (u->manifest->kind != CASES[i].kind || u->manifest->abi != CASES[i].abi)
            fail_msg("%s with %s is a %s in the %s shape", CASES[i].manifest, CASES[i].wat,
                     qd_udf_kind_name(u->manifest->kind), qd_udf_abi_name(u->manifest->abi));
        qd_udf_unref(u);
    }
}

static void test_fit__misfits__say_what_there_is_and_what_should_be(void **state)
{
    (void)state;
    static const struct {
        const char *manifest, *wat;
        qd_status st;
        const char *field, *message;
    } CASES[] = {
        {"{" NAMED ",\"function_name\":\"rank\"}",
         "(module (func (export \"one\")) (memory (export \"memory\") 1) (func (export \"two\")))", QD_EUDF_WASM,
         "function_name",
         "function 'f@1.0.0': the module exports no function 'rank'; its exported functions: 'one', 'two'"},
        {"{" NAMED "}", EXPORT("(param i32) (result f64)", "f64.const 1"), QD_EUDF_WASM, "function_name",
         "exported function 'filter' is (i32) -> f64; expected (i64) -> i32 for a filter, f64 for a score, a number "
         "for "
         "a transform in the row and the handle shape, () -> a number in the typed shape, one argument per parameter "
         "(two for a string), or (i32, i32, i32) -> nothing in the batch shape"},
        {"{" NAMED "}", EXPORT("(param i64)", ""), QD_EUDF_WASM, "function_name", "is (i64) -> nothing"},
        {"{" NAMED "}", EXPORT("(param v128) (result i32)", "i32.const 1"), QD_EUDF_WASM, "function_name",
         "is (other) -> i32"},
        {"{" NAMED "}", EXPORT("(param i64) (result i32 i32)", "i32.const 1 i32.const 1"), QD_EUDF_WASM,
         "function_name", "is (i64) -> several values"},
        {"{" NAMED ",\"abi\":\"row\"}", EXPORT("(param f64) (result i32)", "i32.const 1"), QD_EUDF_WASM,
         "function_name", "the row shape is (i64) -> i32 for a filter"},
        {"{" NAMED ",\"abi\":\"typed\",\"parameters\":[" P("a", "f64") "]}",
         EXPORT("(param f32) (result i32)", "i32.const 1"), QD_EUDF_WASM, "function_name",
         "is (f32) -> i32; the typed shape, one argument per parameter (two for a string), is (f64) -> a number"},
        {"{" NAMED ",\"parameters\":[" P("a", "i64") "]}", EXPORT("(param i64) (result i32)", "i32.const 1"),
         QD_EUDF_PARAMS, "abi",
         "manifest field 'abi' is needed: by its arguments, 'filter' may be of the row or of the typed shape"},
        {"{" NAMED ",\"parameters\":[" P("s", "string") "," P("n", "i32") "],\"returns\":[{\"type\":\"string\"}]}",
         MEMORY("(param i32 i32 i32)", ""), QD_EUDF_PARAMS, "abi", "may be of the typed or of the batch shape"},
        {"{" NAMED "}", MEMORY("(param i32 i32 i32)", ""), QD_EUDF_PARAMS, "kind",
         "manifest field 'kind' is needed: in the batch shape, 'filter' may be a filter, a score or a transform"},
        {"{" NAMED ",\"abi\":\"batch\",\"kind\":\"score\"}", MEMORY("(param i32 i32)", ""), QD_EUDF_WASM,
         "function_name", "is (i32, i32) -> nothing; the batch shape is (i32, i32, i32) -> nothing"},
        {"{" NAMED ",\"abi\":\"batch\",\"kind\":\"score\"}", EXPORT("(param i32 i32 i32)", ""), QD_EUDF_WASM, "abi",
         "the module exports no memory named 'memory'"},
        {"{" NAMED ",\"abi\":\"batch\",\"kind\":\"score\",\"returns\":[{\"type\":\"i64\"}]}",
         MEMORY("(param i32 i32 i32)", ""), QD_EUDF_WASM, "returns",
         "manifest field 'returns': a score returns 'f64', not 'i64'"},
        {"{" NAMED ",\"kind\":\"filter\",\"returns\":[{\"type\":\"string\"}]}",
         EXPORT("(param i64) (result i32)", "i32.const 1"), QD_EUDF_WASM, "returns",
         "a filter returns 'bool' (or 'i32'), not 'string'"},
        {"{" NAMED "}", EXPORT("(result i64)", "i64.const 1"), QD_EUDF_PARAMS, "kind",
         "manifest field 'kind' is needed"},
        {"{" NAMED ",\"parameters\":[" P("a", "f64") "," P("s", "string") "]}",
         EXPORT("(param f64 i32) (result i32)", "i32.const 1"), QD_EUDF_WASM, "function_name",
         "(f64, i32, i32) -> a number in the typed shape, one argument per parameter (two for a string)"},
        {"{" NAMED ",\"abi\":\"typed\",\"parameters\":[" P("s", "string") "]}",
         EXPORT("(param i64) (result i32)", "i32.const 1"), QD_EUDF_WASM, "function_name",
         "the typed shape, one argument per parameter (two for a string), is (i32, i32) -> a number"},
        {"{" NAMED ",\"abi\":\"typed\",\"parameters\":[" P("s", "string") "]}",
         EXPORT("(param i32 i32) (result i32)", "i32.const 1"), QD_EUDF_WASM, "abi",
         "the module exports no memory named 'memory'"},
        {"{" NAMED ",\"kind\":\"score\"}", EXPORT("(param i64) (result i32)", "i32.const 1"), QD_EUDF_WASM,
         "function_name", "a score in the row or the handle shape returns f64"},
        {"{" NAMED ",\"kind\":\"filter\"}", EXPORT("(result f64)", "f64.const 1"), QD_EUDF_WASM, "function_name",
         "a filter returns i32"},
        {"{" NAMED ",\"returns\":[{\"type\":\"f64\"}]}", EXPORT("(result i32)", "i32.const 1"), QD_EUDF_WASM, "returns",
         "manifest field 'returns': a filter returns 'bool' (or 'i32'), not 'f64'"},
        {"{" NAMED ",\"limits\":{\"memory_bytes\":1000000000}}", EXPORT("(result i32)", "i32.const 1"), QD_EUDF_PARAMS,
         "limits.memory_bytes", "manifest field 'limits.memory_bytes': 1000000000, at most 268435456 is allowed here"},
        {"{" NAMED "}", "(module (import \"env\" \"fly\" (func)) (func (export \"filter\") (result i32) i32.const 1))",
         QD_EUDF_COMPILE, "", "fly"},
        {"{" NAMED ",\"permissions\":[]}",
         "(module (import \"env\" \"get_score\" (func (param i64) (result f64))) (func (export \"filter\") (param i64) "
         "(result i32) "
         "i32.const 1))",
         QD_EUDF_PERMISSION, "permissions", "read_score"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_udf *u = NULL;
        qd_status st = try_wat_udf(engine, CASES[i].manifest, CASES[i].wat, &u, &err);
        if (st != CASES[i].st || strcmp(err.field, CASES[i].field) != 0 || !strstr(err.message, CASES[i].message) ||
            strncmp(err.message, "function 'f@1.0.0': ", 20) != 0)
            fail_msg("%s with %s gave %s, field '%s': %s", CASES[i].manifest, CASES[i].wat, qd_status_name(st),
                     err.field, err.message);
        assert_null(u);
    }
}

static void test_fit__import_of_get_score__needs_the_score(void **state)
{
    (void)state;
    static const char WAT[] = "(module (import \"env\" \"get_score\" (func $s (param i64) (result f64)))"
                              "(func (export \"filter\") (param i64) (result f64) local.get 0 call $s))";
    qd_udf *u = wat_udf(engine, "{" NAMED "}", WAT);
    assert_true(u->manifest->needs_score);
    qd_udf_unref(u);
    u = wat_udf(engine, "{" NAMED ",\"needs_score\":false}", WAT);
    assert_false(u->manifest->needs_score);
    qd_udf_unref(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit__signatures__give_kind_and_shape),
        cmocka_unit_test(test_fit__misfits__say_what_there_is_and_what_should_be),
        cmocka_unit_test(test_fit__import_of_get_score__needs_the_score),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
