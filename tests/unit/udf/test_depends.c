/* SPDX-License-Identifier: Apache-2.0
 *
 * Dependencies between functions: resolved once, pinned, kept from being deleted; and whom a registry trusts. */
#include "base/sign.h"
#include "registry_fixture.h"
#include "store/scratch_dir.h"
#include "udf/binding.h"

/* Registers `name`@`version` with `depends_on`, the content of the array. */
static qd_status add_with(const char *name, const char *version, const char *depends_on, qd_error *err)
{
    char manifest[1000];
    static int number;
    snprintf(manifest, sizeof manifest, "{\"name\":\"%s\",\"version\":\"%s\",\"depends_on\":[%s]}", name, version,
             depends_on);
    return register_as(manifest, 1000 + ++number, false, NULL, err);
}

static void add_ok(const char *name, const char *version, const char *depends_on)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(add_with(name, version, depends_on, &err), &err);
}

static void assert_pinned(const char *name, const char *expected)
{
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    json_t *v = NULL;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_registry_describe(registry, qd_str_of(name), QD_STR(""), &w, &err), &err);
    assert_status_ok(qd_json_parse(qd_buf_str(&out), &v, &err), &err);
    char *text = json_dumps(json_object_get(v, "depends_on"), JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(v);
    qd_buf_deinit(&out);
}

static qd_status try_remove(const char *name, const char *version, qd_error *err)
{
    return qd_registry_remove(registry, qd_str_of(name), qd_str_of(version), NULL, NULL, err);
}

static void test_register__with_dependencies__pins_the_highest_in_range(void **state)
{
    (void)state;
    add_version("geo", "1.2.0", 1);
    add_version("geo", "1.10.0", 2);
    add_version("geo", "2.0.0", 3);
    add_version("text", "0.1.0", 4);
    add_ok("f", "1.0.0", "{\"name\":\"geo\",\"version\":\"^1.2\"},{\"name\":\"text\"}");
    add_version("geo", "1.11.0", 5);
    for (int i = 0; i < 2; i++) {
        assert_pinned("f", "[{\"name\":\"geo\",\"version\":\"^1.2\",\"resolved_version\":\"1.10.0\"},"
                           "{\"name\":\"text\",\"version\":\"*\",\"resolved_version\":\"0.1.0\"}]");
        assert_string_equal(label_of("f", ""), "f@1.0.0");
        reopen();
    }
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    assert_status_ok(qd_registry_get(registry, QD_STR("f"), QD_STR(""), &u, &err), &err);
    assert_int_equal(u->n_deps, 2);
    assert_string_equal(u->deps[0]->label, "geo@1.10.0");
    assert_string_equal(u->deps[1]->label, "text@0.1.0");
    qd_udf_unref(u);
}

static void test_register__bad_dependencies__are_refused_by_name(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    add_version("geo", "1.0.0", 1);
    add_ok("f", "1.0.0", "{\"name\":\"geo\"}");
    assert_failed_with(add_with("g", "1.0.0", "{\"name\":\"nothing\"}", &err), &err, QD_EUDF_NOTFOUND,
                       "manifest field 'depends_on[0]': no function 'nothing' version * is registered");
    assert_string_equal(err.field, "depends_on[0]");
    assert_failed_with(add_with("g", "1.0.0", "{\"name\":\"f\"},{\"name\":\"geo\",\"version\":\"^2\"}", &err), &err,
                       QD_EUDF_NOTFOUND,
                       "manifest field 'depends_on[1]': function 'geo' has no version in the range '^2'; it has 1.0.0");
    assert_failed_with(add_with("g", "1.0.0", "{\"name\":\"g\"}", &err), &err, QD_EUDF_PARAMS,
                       "manifest field 'depends_on[0]': function 'g' cannot depend on itself");
    assert_failed_with(add_with("geo", "2.0.0", "{\"name\":\"f\"}", &err), &err, QD_EUDF_PARAMS,
                       "manifest field 'depends_on[0]': function 'geo@1.0.0' is the function itself, or comes back to "
                       "it");
    assert_string_equal(label_of("geo", ""), "geo@1.0.0");
}

static void test_register__too_many_below__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char name[16], below[40] = "";
    add_version("c0", "1.0.0", 1);
    for (int i = 1; i <= 8; i++) {
        snprintf(name, sizeof name, "c%d", i);
        snprintf(below, sizeof below, "{\"name\":\"c%d\"}", i - 1);
        add_ok(name, "1.0.0", below);
    }
    assert_failed_with(add_with("c9", "1.0.0", "{\"name\":\"c8\"}", &err), &err, QD_EUDF_PARAMS,
                       "manifest field 'depends_on[0]': with 'c0@1.0.0' there are more than 8 dependencies in all, "
                       "those of dependencies included");
}

static void test_remove__what_is_needed__names_who_needs_it(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    add_version("geo", "1.0.0", 1);
    add_version("geo", "1.1.0", 2);
    add_ok("f", "1.0.0", "{\"name\":\"geo\",\"version\":\"1.0.0\"}");
    add_ok("f", "1.1.0", "{\"name\":\"geo\",\"version\":\"1.0.0\"}");
    for (int i = 0; i < 2; i++) {
        assert_failed_with(try_remove("geo", "1.0.0", &err), &err, QD_EUDF_DEPENDED,
                           "function 'geo@1.0.0' is needed by f@1.0.0, f@1.1.0; delete those first");
        assert_failed_with(try_remove("geo", "", &err), &err, QD_EUDF_DEPENDED,
                           "function 'geo@1.0.0' is needed by f@1.0.0, f@1.1.0; delete those first");
        reopen();
    }
    assert_status_ok(try_remove("geo", "1.1.0", &err), &err);
    assert_status_ok(try_remove("f", "1.0.0", &err), &err);
    assert_failed_with(try_remove("geo", "1.0.0", &err), &err, QD_EUDF_DEPENDED,
                       "function 'geo@1.0.0' is needed by f@1.1.0; delete that first");
    assert_status_ok(try_remove("f", "", &err), &err);
    assert_status_ok(try_remove("geo", "", &err), &err);
    assert_int_equal(keys_with(""), 0);
}

/* ---- linked ---- */

static void register_wat(const char *manifest, const char *wat)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    qd_registered result;
    json_t *json = json_of(manifest);
    qd_registration reg = {.manifest = json};
    uint8_t *bytes = wat_bytes(wat, &reg.wasm_size);
    reg.wasm = bytes;
    assert_status_ok(qd_registry_register(registry, &reg, &u, &result, &err), &err);
    qd_udf_unref(u);
    free(bytes);
    json_decref(json);
}

/* What a function gives for a document without anything. */
static double result_of(const char *name)
{
    qd_error err = QD_ERROR_INIT;
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    qd_udf *u = NULL;
    qd_buf out;
    qd_json w;
    json_t *v = NULL, *body = json_of("{\"document\":{}}");
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_registry_get(registry, qd_str_of(name), QD_STR(""), &u, &err), &err);
    assert_status_ok(qd_udf_test(u, body, &control, &w, &err), &err);
    assert_status_ok(qd_json_parse(qd_buf_str(&out), &v, &err), &err);
    double result = json_number_value(json_object_get(v, "result"));
    json_decref(v);
    json_decref(body);
    qd_udf_unref(u);
    qd_buf_deinit(&out);
    return result;
}

static void test_call__of_a_dependency__is_that_of_the_pinned_version(void **state)
{
    (void)state;
    add_version("base", "1.0.0", 20);
    register_wat("{\"name\":\"f\",\"version\":\"1.0.0\",\"depends_on\":[{\"name\":\"base\",\"version\":\"^1\"}]}",
                 "(module (import \"base\" \"filter\" (func $base (result f64)))"
                 " (func (export \"filter\") (result f64) (f64.add (call $base) (f64.const 1))))");
    add_version("base", "1.1.0", 30);
    for (int i = 0; i < 2; i++) {
        assert_true(result_of("f") == 21);
        assert_true(result_of("base") == 30);
        reopen();
    }
}

/* ---- trust ---- */

/* With one trusted key, which has signed nothing. */
static void open_with_policy(const char *policy, qd_trust **trust)
{
    qd_error err = QD_ERROR_INIT;
    scratch_dir dir;
    char path[600];
    qd_sign_key *key = NULL;
    qd_buf pem;
    scratch_dir_init(&dir);
    snprintf(path, sizeof path, "%s/release.pem", dir.path);
    assert_status_ok(qd_sign_key_generate(QD_SIGN_ED25519, &key, &err), &err);
    qd_buf_init(&pem, QD_SIGN_MAX_PEM_BYTES);
    assert_status_ok(qd_sign_key_write_public(key, &pem, &err), &err);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(pem.p, 1, pem.n, f), pem.n);
    fclose(f);
    qd_registry_close(registry);
    registry = NULL;
    assert_status_ok(qd_trust_open(policy, path, trust, &err), &err);
    qd_buf_deinit(&pem);
    qd_sign_key_free(key);
    scratch_dir_deinit(&dir);
    options.trust = *trust;
    open_registry();
}

static void test_policy_require__unsigned__is_neither_registered_nor_loaded(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_registered result;
    qd_trust *trust = NULL;
    add_version("f", "1.0.0", 1);
    open_with_policy("warn", &trust);
    assert_status_ok(register_as("{\"name\":\"g\",\"version\":\"1.0.0\"}", 2, false, &result, &err), &err);
    assert_int_equal(result.trust.state, QD_TRUST_UNSIGNED);
    assert_string_equal(label_of("f", ""), "f@1.0.0");
    qd_trust *before = trust;
    open_with_policy("require", &trust);
    qd_trust_close(before);
    assert_int_equal(try_version("h", "1.0.0", 3, &err), QD_EUDF_SIGNATURE);
    assert_string_equal(label_of("h", ""), "no function 'h' is registered");
    assert_non_null(strstr(label_of("f", ""), "function 'f@1.0.0' cannot be loaded: "));
    qd_registry_close(registry);
    options.trust = NULL;
    open_registry();
    qd_trust_close(trust);
    assert_string_equal(label_of("f", ""), "f@1.0.0");
}

static void test_native_code__not_signed__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_registered result;
    qd_udf *u = NULL;
    json_t *manifest = json_of("{\"name\":\"f\",\"version\":\"1.0.0\"}");
    qd_registration reg = {.manifest = manifest, .native = (const uint8_t *)"machine", .native_size = 7};
    uint8_t *bytes = wat_bytes("(module (func (export \"filter\") (result f64) f64.const 1))", &reg.wasm_size);
    reg.wasm = bytes;
    assert_int_equal(qd_registry_register(registry, &reg, &u, &result, &err), QD_EUDF_SIGNATURE);
    assert_int_equal(keys_with(""), 0);
    free(bytes);
    json_decref(manifest);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_register__with_dependencies__pins_the_highest_in_range),
        TEST(test_register__bad_dependencies__are_refused_by_name),
        TEST(test_register__too_many_below__is_refused),
        TEST(test_remove__what_is_needed__names_who_needs_it),
        TEST(test_call__of_a_dependency__is_that_of_the_pinned_version),
        TEST(test_policy_require__unsigned__is_neither_registered_nor_loaded),
        TEST(test_native_code__not_signed__is_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
