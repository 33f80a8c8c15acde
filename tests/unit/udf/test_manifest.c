/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_qd.h"
#include "udf/manifest.h"

static qd_manifest *parse(const char *text, qd_status *st, qd_error *err)
{
    json_t *obj = NULL;
    qd_manifest *m = NULL;
    assert_status_ok(qd_json_parse(qd_str_of(text), &obj, err), err);
    *st = qd_manifest_parse(obj, &m, err);
    json_decref(obj);
    return m;
}

static void test_parse__whole_manifest__fills_everything(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"name\":\"ranker\",\"version\":\"1.2.0\",\"function_name\":\"rank\",\"kind\":\"score\",\"abi\":\"typed\","
        "\"parameters\":[{\"name\":\"relevance\",\"type\":\"f64\",\"from\":\"_score\"},"
        "{\"name\":\"price\",\"type\":\"f64\",\"from\":\"_source.price.net\",\"default\":0},"
        "{\"name\":\"tier\",\"type\":\"i32\",\"from\":\"_context.user.tier\",\"default\":-3,\"description\":\"d\"},"
        "{\"name\":\"sure\",\"type\":\"bool\",\"default\":true},"
        "{\"name\":\"must\",\"type\":\"i64\",\"required\":true}],"
        "\"returns\":[{\"type\":\"f64\",\"description\":\"the score\"}],\"permissions\":[\"read_score\",\"clock\"],"
        "\"limits\":{\"memory_bytes\":1000000,\"table_elements\":5,\"call_ms\":7,\"log_bytes\":0},\"needs_score\":true,"
        "\"deterministic\":true,\"max_score\":10,\"depends_on\":[],\"description\":\"D\",\"author\":\"A\",\"license\":"
        "\"L\","
        "\"repository\":\"R\",\"category\":\"C\",\"tags\":[\"t\"],\"language\":\"c\",\"expected_latency_us\":3,"
        "\"memory_required_bytes\":65536,\"custom\":{\"anything\":[1]}}";
    qd_error err = QD_ERROR_INIT;
    qd_status st;
    qd_manifest *m = parse(TEXT, &st, &err);
    assert_status_ok(st, &err);
    assert_str_equal(m->name, "ranker");
    assert_str_equal(m->version, "1.2.0");
    assert_str_equal(m->function_name, "rank");
    assert_int_equal(m->kind, QD_KIND_SCORE);
    assert_int_equal(m->abi, QD_ABI_TYPED);
    assert_int_equal(m->n_params, 5);
    assert_int_equal(m->params[0].from.kind, QD_REF_SCORE);
    assert_int_equal(m->params[0].default_value.kind, QD_REF_NONE);
    assert_int_equal(m->params[1].from.kind, QD_REF_FIELD);
    assert_str_equal(m->params[1].from.path, "price.net");
    assert_int_equal(m->params[1].default_value.constant.type, QD_F64);
    assert_int_equal(m->params[2].from.kind, QD_REF_CONTEXT);
    assert_str_equal(m->params[2].from.path, "user.tier");
    assert_int_equal(m->params[2].default_value.constant.as.i, -3);
    assert_true(m->params[3].default_value.constant.as.b);
    assert_true(m->params[4].required);
    assert_true(m->has_returns && m->returns == QD_F64);
    assert_int_equal(m->permissions, QD_PERM_READ_SCORE | QD_PERM_CLOCK);
    assert_int_equal(m->limits.memory_bytes, 1000000);
    assert_int_equal(m->limits.call_ms, 7);
    assert_int_equal(m->limits.log_bytes, 0);
    assert_true(m->has_needs_score && m->needs_score && m->deterministic && m->has_max_score);
    assert_str_equal(m->language, "c");
    assert_int_equal(json_array_size(json_object_get(m->json, "tags")), 1);
    qd_manifest_free(m);
}

static void test_parse__least__has_defaults(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_status st;
    qd_manifest *m = parse("{\"version\":\"0.0.1\",\"name\":\"f\"}", &st, &err);
    assert_status_ok(st, &err);
    assert_str_equal(m->function_name, "filter");
    assert_int_equal(m->kind, QD_KIND_UNSET);
    assert_int_equal(m->permissions, QD_PERM_READ_DOCUMENT | QD_PERM_READ_SCORE | QD_PERM_LOG);
    assert_int_equal(m->limits.memory_bytes, 16 << 20);
    assert_int_equal(m->limits.call_ms, 100);
    qd_manifest_free(m);
    qd_manifest_free(NULL);
}

#define NAMED       "\"name\":\"f\",\"version\":\"1.0.0\""
#define PARAM(text) "{" NAMED ",\"parameters\":[{\"name\":\"a\",\"type\":\"f64\"}," text "]}"

static void test_parse__faults__name_field_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field, *message;
    } CASES[] = {
        {"{\"version\":\"1.0.0\"}", "name", "manifest field 'name' is missing"},
        {"{\"name\":\"f\"}", "version", "manifest field 'version' is missing"},
        {"{\"name\":\"F\",\"version\":\"1.0.0\"}", "name",
         "manifest field 'name': expected a lower-case letter, then lower-case letters, digits and '_', 64 bytes at "
         "most, got "
         "the string \"F\""},
        {"{\"name\":\"\",\"version\":\"1.0.0\"}", "name", "got the string \"\""},
        {"{\"name\":7,\"version\":\"1.0.0\"}", "name", "got the number 7"},
        {"{\"name\":\"a/b\",\"version\":\"1.0.0\"}", "name", "got the string \"a/b\""},
        {"{\"name\":\"f\",\"version\":\"1.0\"}", "version",
         "manifest field 'version': expected a semantic version such as 1.2.3 (semver.org 2.0.0, 64 bytes at most), "
         "got the "
         "string \"1.0\""},
        {"{" NAMED ",\"colour\":1}", "colour", "manifest field 'colour' is unknown; free-form data goes into 'custom'"},
        {"{" NAMED ",\"kind\":\"sorter\"}", "kind",
         "expected one of filter, score, transform, aggregate, got the string \"sorter\""},
        {"{" NAMED ",\"kind\":\"unset\"}", "kind", "expected one of filter"},
        {"{" NAMED ",\"abi\":\"bunch\"}", "abi", "expected one of row, typed, handle, batch, got the string \"bunch\""},
        {"{" NAMED ",\"abi\":1}", "abi", "expected one of row, typed, handle, batch, got the number 1"},
        {"{" NAMED ",\"function_name\":\"\"}", "function_name", "expected the name of an exported function"},
        {"{" NAMED ",\"description\":[]}", "description", "expected a string of at most 16384 bytes, got an array"},
        {"{" NAMED ",\"parameters\":{}}", "parameters", "expected an array, got an object"},
        {PARAM("7"), "parameters[1]", "manifest field 'parameters[1]': expected an object, got a number"},
        {PARAM("{\"type\":\"f64\"}"), "parameters[1].name", "got nothing"},
        {PARAM("{\"name\":\"b b\",\"type\":\"f64\"}"), "parameters[1].name", "expected a letter or '_'"},
        {PARAM("{\"name\":\"b\"}"), "parameters[1].type",
         "expected one of bool, i32, i64, f32, f64, string, got nothing"},
        {PARAM("{\"name\":\"b\",\"type\":\"u8\"}"), "parameters[1].type", "got the string \"u8\""},
        {PARAM("{\"name\":\"a\",\"type\":\"i64\"}"), "parameters[1].name", "there is another parameter 'a'"},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"defualt\":1}"), "parameters[1]", "unknown member 'defualt'"},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"default\":\"1\"}"), "parameters[1].default",
         "manifest field 'parameters[1].default': expected a number, got the string \"1\""},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"default\":null}"), "parameters[1].default",
         "expected a number, got null"},
        {PARAM("{\"name\":\"b\",\"type\":\"i32\",\"default\":2147483648}"), "parameters[1].default",
         "expected a 32-bit integer"},
        {PARAM("{\"name\":\"b\",\"type\":\"i64\",\"default\":1.5}"), "parameters[1].default",
         "expected a 64-bit integer"},
        {PARAM("{\"name\":\"b\",\"type\":\"bool\",\"default\":1}"), "parameters[1].default",
         "expected true or false, got the number 1"},
        {PARAM("{\"name\":\"b\",\"type\":\"string\",\"default\":1}"), "parameters[1].default", "expected a string"},
        {PARAM("{\"name\":\"b\",\"type\":\"f32\",\"default\":1e300}"), "parameters[1].default",
         "expected a number that fits 32 bits"},
        {PARAM("{\"name\":\"b\",\"type\":\"string\",\"from\":\"_score\"}"), "parameters[1].from", "expected a string"},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"from\":\"_id\"}"), "parameters[1].from", "expected a number"},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"from\":\"_source.\"}"), "parameters[1].from",
         "'_source.' names nothing"},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"from\":\"_context\"}"), "parameters[1].from",
         "'_context' names nothing"},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"from\":[1]}"), "parameters[1].from",
         "expected a string, a number, true or false, got an array"},
        {PARAM("{\"name\":\"b\",\"type\":\"f64\",\"required\":1}"), "parameters[1].required",
         "expected true or false, got the number 1"},
        {"{" NAMED ",\"returns\":{}}", "returns", "expected an array of one object"},
        {"{" NAMED ",\"returns\":[{\"type\":\"f65\"}]}", "returns",
         "expected as 'type' one of bool, i32, i64, f32, f64, string"},
        {"{" NAMED ",\"permissions\":[\"fly\"]}", "permissions", "got the string \"fly\""},
        {"{" NAMED ",\"permissions\":\"log\"}", "permissions", "expected an array"},
        {"{" NAMED ",\"limits\":{\"memory\":1}}", "limits.memory",
         "manifest field 'limits.memory': unknown member 'memory'; expected only 'memory_bytes'"},
        {"{" NAMED ",\"limits\":{\"call_ms\":0}}", "limits.call_ms",
         "expected an integer, 1 or more, got the number 0"},
        {"{" NAMED ",\"limits\":{\"table_elements\":4294967296}}", "limits.table_elements",
         "got the number 4294967296"},
        {"{" NAMED ",\"max_score\":-1}", "max_score", "expected a number, 0 or more, got the number -1"},
        {"{" NAMED ",\"depends_on\":[\"g\"]}", "depends_on[0]",
         "manifest field 'depends_on[0]': expected an object with 'name' and 'version', got the string \"g\""},
        {"{" NAMED ",\"depends_on\":[{\"name\":\"G\"}]}", "depends_on[0]",
         "expected as 'name' the name of a function, got the string \"G\""},
        {"{" NAMED ",\"depends_on\":[{\"name\":\"g\",\"version\":1}]}", "depends_on[0]",
         "expected as 'version' a string, got the number 1"},
        {"{" NAMED ",\"depends_on\":[{\"name\":\"g\",\"version\":\"one\"}]}", "depends_on[0]",
         "manifest field 'depends_on[0]': version range 'one': expected a version"},
        {"{" NAMED ",\"depends_on\":[{\"name\":\"g\",\"range\":\"1\"}]}", "depends_on[0].range",
         "manifest field 'depends_on[0].range': unknown member 'range'; expected only 'name', 'version'"},
        {"{" NAMED ",\"depends_on\":[{\"name\":\"g\"},{\"name\":\"g\",\"version\":\"^1\"}]}", "depends_on",
         "'g' stands there twice"},
        {"{" NAMED ",\"depends_on\":{}}", "depends_on", "an array of at most 8 objects"},
        {"{" NAMED ",\"tags\":[1]}", "tags", "strings"},
        {"{" NAMED ",\"expected_latency_us\":-1}", "expected_latency_us", "expected an integer, 0 or more"},
        {"{" NAMED ",\"custom\":[]}", "custom", "expected an object"},
        {"[]", "", "the manifest: expected an object, got an array"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_status st;
        qd_manifest *m = parse(CASES[i].text, &st, &err);
        assert_null(m);
        if (st != QD_EUDF_PARAMS || strcmp(err.field, CASES[i].field) != 0 || !strstr(err.message, CASES[i].message))
            fail_msg("%s gave %s, field '%s': %s", CASES[i].text, qd_status_name(st), err.field, err.message);
    }
}

static void test_parse__too_big__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_manifest *m = NULL;
    json_t *custom = json_object(), *params = json_array();
    char key[32];
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "key%d", i);
        json_object_set_new(custom, key, json_integer(i));
    }
    json_t *obj = json_pack("{s:s, s:s, s:o}", "name", "f", "version", "1.0.0", "custom", custom);
    assert_int_equal(qd_manifest_parse(obj, &m, &err), QD_EUDF_PARAMS);
    assert_non_null(strstr(err.message, "at most 65536 are accepted"));
    json_decref(obj);
    for (int i = 0; i < 65; i++) {
        snprintf(key, sizeof key, "p%d", i);
        json_array_append_new(params, json_pack("{s:s, s:s}", "name", key, "type", "f64"));
    }
    obj = json_pack("{s:s, s:s, s:o}", "name", "f", "version", "1.0.0", "parameters", params);
    assert_int_equal(qd_manifest_parse(obj, &m, &err), QD_EUDF_PARAMS);
    assert_string_equal(err.message, "manifest field 'parameters': 65 of them, at most 64");
    json_decref(obj);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__whole_manifest__fills_everything),
        cmocka_unit_test(test_parse__least__has_defaults),
        cmocka_unit_test(test_parse__faults__name_field_and_reason),
        cmocka_unit_test(test_parse__too_big__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
