/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/binding_impl.h"
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

static const char TYPED[] = "{\"name\":\"f\",\"version\":\"1.0.0\",\"parameters\":["
                            "{\"name\":\"relevance\",\"type\":\"f64\",\"from\":\"_score\"},"
                            "{\"name\":\"price\",\"type\":\"f64\",\"from\":\"_source.price\",\"default\":0},"
                            "{\"name\":\"tier\",\"type\":\"i32\",\"from\":\"_context.user.tier\",\"default\":7},"
                            "{\"name\":\"sure\",\"type\":\"bool\",\"default\":true}]}";
static const char TYPED_WAT[] = "(module (func (export \"filter\") (param f64 f64 i32 i32) (result f64) local.get 0))";

static const char ROW[] = "{\"name\":\"r\",\"version\":\"1.0.0\",\"parameters\":["
                          "{\"name\":\"field\",\"type\":\"string\",\"required\":true},"
                          "{\"name\":\"max\",\"type\":\"i64\",\"default\":2},"
                          "{\"name\":\"tier\",\"type\":\"string\",\"from\":\"_context.tier\"},"
                          "{\"name\":\"id\",\"type\":\"string\",\"from\":\"_id\"}]}";
static const char ROW_WAT[] = "(module (func (export \"filter\") (param i64) (result i32) i32.const 1))";

static qd_status bind(qd_udf *u, const char *params, const char *context, qd_binding **out, qd_error *err)
{
    json_t *p = params ? json_of(params) : NULL, *c = context ? json_of(context) : NULL;
    const qd_binding_spec spec = {.params = p, .context = c};
    qd_status st = qd_binding_new(u, &spec, out, err);
    json_decref(p);
    json_decref(c);
    return st;
}

static qd_binding *bind_ok(qd_udf *u, const char *params, const char *context)
{
    qd_error err = QD_ERROR_INIT;
    qd_binding *b = NULL;
    assert_status_ok(bind(u, params, context, &b, &err), &err);
    return b;
}

static void test_new__nothing_given__manifest_decides(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, TYPED, TYPED_WAT);
    qd_binding *b = bind_ok(u, NULL, NULL);
    assert_ptr_equal(qd_binding_udf(b), u);
    assert_true(qd_binding_needs_score(b));
    assert_int_equal(b->args[0].value.kind, QD_REF_SCORE);
    assert_int_equal(b->args[1].value.kind, QD_REF_FIELD);
    assert_int_equal(b->args[1].fallback.kind, QD_REF_CONSTANT);
    assert_int_equal(b->args[2].value.constant.as.i, 7);
    assert_true(b->args[3].value.constant.as.b);
    assert_int_equal(b->varying, 3);
    qd_binding_free(b);
    qd_udf_unref(u);
}

static void test_new__given_values__win_and_convert(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, TYPED, TYPED_WAT);
    qd_binding *b = bind_ok(u, "{\"relevance\":2,\"price\":\"_source.cost.net\",\"tier\":\"_context.t\",\"sure\":null}",
                            "{\"t\":3.9,\"user\":{\"tier\":5}}");
    assert_false(qd_binding_needs_score(b));
    assert_int_equal(b->args[0].value.constant.type, QD_F64);
    assert_true(b->args[0].value.constant.as.f == 2);
    assert_str_equal(b->args[1].value.path, "cost.net");
    assert_int_equal(b->args[2].value.constant.as.i, 3);
    assert_true(b->args[3].value.constant.as.b);
    assert_int_equal(b->varying, 2);
    qd_binding_free(b);
    b = bind_ok(u, NULL, "{\"user\":{\"tier\":5}}");
    assert_int_equal(b->args[2].value.constant.as.i, 5);
    qd_binding_free(b);
    b = bind_ok(u, "{\"tier\":\"_score\",\"relevance\":0}", NULL);
    assert_int_equal(b->varying, 6);
    assert_true(qd_binding_needs_score(b));
    qd_binding_free(b);
    qd_udf_unref(u);
}

static void test_new__faults__name_function_and_parameter(void **state)
{
    (void)state;
    static const struct {
        bool is_row;
        const char *params, *context, *field, *message;
    } CASES[] = {
        {false, "{\"boost\":1}", NULL, "parameters.boost",
         "function 'f@1.0.0' has no parameter 'boost'; its parameters: 'relevance', 'price', 'tier', 'sure'"},
        {false, "{\"price\":\"x\"}", NULL, "parameters.price",
         "function 'f@1.0.0': parameter 'price': expected a number, got the string \"x\""},
        {false, "{\"price\":true}", NULL, "parameters.price",
         "function 'f@1.0.0': parameter 'price': expected a number, got true"},
        {false, "{\"tier\":3000000000}", NULL, "parameters.tier",
         "function 'f@1.0.0': parameter 'tier': expected a 32-bit integer, got the number 3000000000"},
        {false, "{\"sure\":1}", NULL, "parameters.sure",
         "function 'f@1.0.0': parameter 'sure': expected true or false, got the number 1"},
        {false, "{\"price\":\"_id\"}", NULL, "parameters.price",
         "function 'f@1.0.0': parameter 'price': expected a number, got the string \"_id\""},
        {false, "{\"price\":[1]}", NULL, NULL,
         "function 'f@1.0.0': parameter 'price': expected a string, a number, true or false, got an array"},
        {false, "{\"price\":\"_source.\"}", NULL, NULL,
         "function 'f@1.0.0': parameter 'price': '_source.' names nothing"},
        {false, NULL, "{\"user\":{\"tier\":\"gold\"}}", "parameters.tier",
         "function 'f@1.0.0': parameter 'tier': '_context.user.tier': expected a 32-bit integer, got the string "
         "\"gold\""},
        {false, NULL, "{\"user\":{\"tier\":{}}}", "parameters.tier", "expected a 32-bit integer, got an object"},
        {false, "[]", NULL, "parameters", "function 'f@1.0.0': 'parameters': expected an object, got an array"},
        {false, NULL, "[]", "context", "'context': expected an object, got an array"},
        {true, NULL, NULL, "parameters.field",
         "function 'r@1.0.0': parameter 'field' is required, and the query does not give it"},
        {true, "{\"field\":null}", NULL, "parameters.field", "is required, and the query does not give it"},
        {true, "{\"field\":\"_context.f\"}", "{}", "parameters.field",
         "is required, and the request's context does not have it"},
        {true, "{\"field\":3}", NULL, "parameters.field",
         "function 'r@1.0.0': parameter 'field': expected a string, got the number 3"},
        {true, "{\"field\":\"_score\"}", NULL, "parameters.field", "expected a string, got the string \"_score\""},
    };
    qd_udf *typed = wat_udf(engine, TYPED, TYPED_WAT), *row = wat_udf(engine, ROW, ROW_WAT);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_binding *b = NULL;
        qd_status st = bind(CASES[i].is_row ? row : typed, CASES[i].params, CASES[i].context, &b, &err);
        if (st != QD_EUDF_PARAMS || !strstr(err.message, CASES[i].message) ||
            (CASES[i].field && strcmp(err.field, CASES[i].field) != 0))
            fail_msg("case %zu gave %s, field '%s': %s", i, qd_status_name(st), err.field, err.message);
        assert_null(b);
    }
    qd_udf_unref(typed);
    qd_udf_unref(row);
}

static void test_new__typed_argument_without_any_source__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_binding *b = NULL;
    qd_udf *u =
        wat_udf(engine, "{\"name\":\"f\",\"version\":\"1.0.0\",\"parameters\":[{\"name\":\"boost\",\"type\":\"f64\"}]}",
                "(module (func (export \"filter\") (param f64) (result f64) local.get 0))");
    assert_failed_with(
        bind(u, NULL, NULL, &b, &err), &err, QD_EUDF_PARAMS,
        "function 'f@1.0.0': parameter 'boost' has no value: the query does not give it, and the manifest has neither "
        "'from' nor 'default'");
    /* A reference to a context that lacks it is a source: no document has the value then. */
    b = bind_ok(u, "{\"boost\":\"_context.b\"}", NULL);
    assert_true(b->is_always_missing);
    qd_binding_free(b);
    qd_udf_unref(u);
}

static void test_new__row_shape__keeps_values_by_name(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, ROW, ROW_WAT);
    qd_binding *b = bind_ok(u, "{\"field\":\"name\",\"max\":2.7}", "{\"tier\":\"gold\"}");
    assert_str_equal(b->args[0].value.constant.as.s, "name");
    assert_int_equal(b->args[1].value.constant.as.i, 2);
    assert_str_equal(b->args[2].value.constant.as.s, "gold");
    assert_int_equal(b->args[3].value.kind, QD_REF_ID);
    assert_int_equal(b->varying, 0);
    assert_false(b->has_required_fields);
    qd_binding_free(b);
    b = bind_ok(u, "{\"field\":\"_source.name\"}", NULL);
    assert_true(b->has_required_fields);
    assert_int_equal(b->args[2].value.kind, QD_REF_NONE);
    qd_binding_free(b);
    qd_udf_unref(u);
}

static void test_new__on_error_default__needs_a_fit_default(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_binding *b = NULL;
    qd_udf *u = wat_udf(engine, TYPED, TYPED_WAT);
    qd_binding_spec spec = {.on_error = QD_ON_ERROR_DEFAULT};
    assert_failed_with(qd_binding_new(u, &spec, &b, &err), &err, QD_EUDF_PARAMS,
                       "function 'f@1.0.0': on_error 'default' needs a 'default'");
    spec.has_default_result = true;
    spec.default_result = -1;
    assert_failed_with(qd_binding_new(u, &spec, &b, &err), &err, QD_EUDF_PARAMS,
                       "function 'f@1.0.0': 'default': a score must be a finite number >= 0, got -1");
    spec.default_result = 0.5;
    assert_status_ok(qd_binding_new(u, &spec, &b, &err), &err);
    qd_binding_free(b);
    qd_binding_free(NULL);
    qd_udf_unref(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new__nothing_given__manifest_decides),
        cmocka_unit_test(test_new__given_values__win_and_convert),
        cmocka_unit_test(test_new__faults__name_function_and_parameter),
        cmocka_unit_test(test_new__typed_argument_without_any_source__is_refused),
        cmocka_unit_test(test_new__row_shape__keeps_values_by_name),
        cmocka_unit_test(test_new__on_error_default__needs_a_fit_default),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
