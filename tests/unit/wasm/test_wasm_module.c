/* SPDX-License-Identifier: Apache-2.0
 *
 * What modules are accepted, and what is said about those that are not. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define FILTER "(func (export \"f\") (param i64) (result i32) (i32.const 1))"

static void test_module__not_wasm__names_the_offset(void **state)
{
    fixture *f = *state;
    static const uint8_t bytes[] = "PK\3\4 surely not a module";
    assert_int_equal(qd_wasm_module_new(f->engine, bytes, sizeof bytes, &no_permissions, &f->module, &f->err),
                     QD_EUDF_WASM);
    assert_message_has(f, "the module is not valid WebAssembly: ");
    assert_message_has(f, " at byte offset 0");
    assert_int_equal(qd_wasm_module_check(bytes, 0, &no_permissions, &f->err), QD_EUDF_WASM);
    assert_int_equal(qd_wasm_module_check((const uint8_t *)"\0asm\1\0\0\0", 8, &no_permissions, &f->err), QD_OK);
}

static void test_module__cut_anywhere__is_refused_or_valid(void **state)
{
    fixture *f = *state;
    uint8_t *bytes = NULL;
    size_t n = 0;
    assert_int_equal(
        qd_wasm_from_wat(QD_STR("(module (import \"env\" \"log\" (func (param i32 i32 i32)))"
                                " (memory (export \"memory\") 1) (data (i32.const 1) \"abc\") " FILTER ")"),
                         &bytes, &n, &f->err),
        QD_OK);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1); /* of that size, for the sanitizer */
        memcpy(copy, bytes, cut);
        const uint8_t *data;
        size_t data_n;
        qd_wasm_module_check(copy, cut, &all_permissions, &f->err);
        qd_wasm_custom_section(copy, cut, "x", &data, &data_n);
        free(copy);
    }
    for (size_t at = 0; at < n; at++) {
        bytes[at] ^= 0x41;
        qd_status rc = qd_wasm_module_new(f->engine, bytes, n, &all_permissions, &f->module, &f->err);
        if (!rc)
            qd_wasm_module_unref(f->module);
        f->module = NULL;
        bytes[at] ^= 0x41;
    }
    free(bytes);
}

static void test_imports__unknown_or_not_functions__are_refused(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *wat, *message;
        qd_status status;
    } cases[] = {
        {"(module (import \"env\" \"fopen\" (func (param i32))))",
         "import 'env.fopen' is unknown: functions can import the host functions of the modules 'env' and "
         "'wasi_snapshot_preview1' that the guide lists, and nothing else",
         QD_EUDF_COMPILE},
        {"(module (import \"env\" \"memory\" (memory 1)))",
         "import 'env.memory' is a memory: a function must define its own and can import host functions only",
         QD_EUDF_COMPILE},
        {"(module (import \"env\" \"get_score\" (global i32)))",
         "import 'env.get_score' is a global: a function must define its own and can import host functions only",
         QD_EUDF_COMPILE},
        {"(module (import \"env\" \"get_score\" (func (param i32) (result f32))))",
         "import 'env.get_score' has the signature (i32) -> f32; expected (i64) -> f64", QD_EUDF_COMPILE},
        {"(module (import \"env\" \"log\" (func (result v128))))",
         "import 'env.log' has the signature () -> another type; expected (i32, i32, i32) -> i32", QD_EUDF_COMPILE},
        {"(module (import \"env\" \"get_score\" (func (param i64) (result f64))))",
         "import 'env.get_score' needs the permission 'read_score', which the manifest does not list",
         QD_EUDF_PERMISSION},
        {"(module (import \"env\" \"log\" (func (param i32 i32 i32))))",
         "import 'env.log' needs the permission 'log', which the manifest does not list", QD_EUDF_PERMISSION},
        {"(module (import \"env\" \"get_document_id\" (func (param i64 i32 i32) (result i32))))",
         "import 'env.get_document_id' needs the permission 'read_document', which the manifest does not list",
         QD_EUDF_PERMISSION},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fixture_compile(f, cases[i].wat, QD_PERM_CLOCK), cases[i].status);
        assert_string_equal(f->err.message, cases[i].message);
    }
}

static void test_imports__both_forms_of_log_and_doubles__link(void **state)
{
    fixture *f = *state;
    static const char *const modules[] = {
        "(module (import \"env\" \"log\" (func (param i32 i32 i32))) " FILTER ")",
        "(module (import \"env\" \"log\" (func (param i32 i32 i32) (result i32)))"
        " (import \"env\" \"log\" (func (param i32 i32 i32) (result i32))) " FILTER ")",
    };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fixture_load(f, modules[i], QD_SHAPE_ROW, 0, NULL), QD_OK);
        assert_int_equal(fixture_run(f, 1), QD_OK);
        fixture_reset(state);
    }
}

static void test_exports__signatures_as_they_are(void **state)
{
    fixture *f = *state;
    qd_wasm_signature s;
    assert_int_equal(
        fixture_compile(
            f,
            "(module (memory (export \"memory\") 3) (func (export \"a\") (param i32 f32) (result f64) (f64.const 0))"
            " (func (export \"v\") (param v128) (result v128) (local.get 0))"
            " (func (export \"r\") (param funcref))"
            " (func (export \"m\") (result i32 i32) (i32.const 0) (i32.const 0)))",
            0),
        QD_OK);
    assert_true(qd_wasm_module_export(f->module, QD_STR("a"), &s));
    assert_int_equal(s.n_params, 2);
    assert_int_equal(s.params[1], QD_WASM_F32);
    assert_int_equal(s.result, QD_WASM_F64);
    assert_true(qd_wasm_module_export(f->module, QD_STR("v"), &s));
    assert_int_equal(s.params[0], QD_WASM_OTHER);
    assert_int_equal(s.result, QD_WASM_OTHER);
    assert_true(qd_wasm_module_export(f->module, QD_STR("m"), &s));
    assert_int_equal(s.n_results, 2);
    assert_false(qd_wasm_module_export(f->module, QD_STR("memory"), &s));
    assert_string_equal(qd_wasm_module_export_name(f->module, 3), "m");
    assert_null(qd_wasm_module_export_name(f->module, 4));
    assert_null(qd_wasm_module_import_name(f->module, 0));
    assert_int_equal(qd_wasm_module_memory_pages(f->module), 3);
    qd_wasm_status status;
    qd_wasm_module_read_status(f->module, &status);
    assert_true(status.code_bytes > 0);
    assert_true(status.compile_ns[status.tier] > 0);
    uint64_t path = 0;
    assert_true(qd_wasm_module_is_bounded(f->module, &path));
}

static void test_module__abi_version__is_checked(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *wat, *message; /* NULL: accepted */
    } cases[] = {
        {"(module (global (export \"quidditch_abi_version\") i32 (i32.const 1)))", NULL},
        {"(module (global i64 (i64.const -77)) (global (export \"quidditch_abi_version\") i32 (i32.const 1)))", NULL},
        {"(module (import \"env\" \"get_score\" (func (param i64) (result f64)))"
         " (func (export \"f\")) (func (export \"quidditch_abi_version\") (result i32) (i32.const 1)))",
         NULL},
        {"(module (func (export \"quidditch_abi_version\") (result i32) (return (i32.const 1))))", NULL},
        {"(module (global (export \"quidditch_abi_version\") i32 (i32.const 2)))", "written for version 2"},
        {"(module (func (export \"quidditch_abi_version\") (result i32) (i32.const -3)))", "written for version -3"},
        {"(module (global (export \"quidditch_abi_version\") (mut i32) (i32.const 1)))", "is no constant"},
        {"(module (func (export \"quidditch_abi_version\") (result i32) (i32.add (i32.const 1) (i32.const 0))))",
         "is no constant"},
        {"(module (memory (export \"quidditch_abi_version\") 1))", "is no constant"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fixture_compile(f, cases[i].wat, ALL_PERMISSIONS), cases[i].message ? QD_EUDF_WASM : QD_OK);
        if (cases[i].message)
            assert_message_has(f, cases[i].message);
        fixture_reset(state);
    }
}

static void test_program__unfit_exports__are_refused(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *wat;
        qd_wasm_shape shape;
        const char *message;
    } cases[] = {
        {"(module (func (export \"filter\") (param i64) (result i32) (i32.const 1)))", QD_SHAPE_ROW,
         "function 't@1.0.0': the module exports no function 'f'; it exports 'filter'"},
        {"(module (memory (export \"f\") 1))", QD_SHAPE_ROW,
         "function 't@1.0.0': the module exports no function 'f'; it exports none"},
        {"(module (func (export \"f\") (param i32) (result i32) (i32.const 1)))", QD_SHAPE_ROW,
         "function 't@1.0.0': export 'f' has the signature (i32) -> i32; the row shape has (i64) and one number as "
         "its result"},
        {"(module (func (export \"f\") (param i64)))", QD_SHAPE_HANDLE,
         "function 't@1.0.0': export 'f' has the signature (i64); the handle shape has (i64) and one number as its "
         "result"},
        {"(module (func (export \"f\") (param i32 i32)))", QD_SHAPE_BATCH,
         "function 't@1.0.0': export 'f' has the signature (i32, i32); the batch shape has (i32, i32, i32) and no "
         "result"},
        {"(module (func (export \"f\") (param v128) (result f64) (f64.const 1)))", QD_SHAPE_TYPED,
         "function 't@1.0.0': export 'f' has the signature (another type) -> f64; the typed shape has at most 64 "
         "numbers "
         "(i32, i64, f32, f64) and one number as its result"},
        {"(module (func (export \"f\") (param f64)))", QD_SHAPE_TYPED,
         "function 't@1.0.0': export 'f' has the signature (f64); the typed shape has at most 64 numbers (i32, i64, "
         "f32, "
         "f64) and one number as its result"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fixture_compile(f, cases[i].wat, 0), QD_OK);
        assert_int_equal(fixture_program(f, cases[i].shape, NULL, "t@1.0.0"), QD_EUDF_WASM);
        assert_string_equal(f->err.message, cases[i].message);
        assert_string_equal(f->err.field, "function_name");
        fixture_reset(state);
    }
}

static void test_program__65_parameters__are_refused(void **state)
{
    fixture *f = *state;
    char wat[1024] = "(module (func (export \"f\") (param";
    for (int i = 0; i < 65; i++)
        strcat(wat, " i32");
    strcat(wat, ") (result i32) (i32.const 1)))");
    assert_int_equal(fixture_load(f, wat, QD_SHAPE_TYPED, 0, NULL), QD_EUDF_WASM);
    assert_message_has(f, "the typed shape has at most 64 numbers");
}

static void test_features__beyond_wasm_2__are_refused(void **state)
{
    fixture *f = *state;
    static const char *const modules[] = {
        "(module (memory i64 1))",
        "(module (memory 1 2 shared))",
        "(module (memory 1) (memory 1))",
        "(module (tag $t) (func (throw $t)))",
        "(module (func $f (return_call $f)))",
        "(module (type (struct (field i32))))",
    };
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (fixture_compile(f, modules[i], 0) != QD_EUDF_WASM)
            fail_msg("accepted: %s", modules[i]);
        assert_message_has(f, "the module is not valid WebAssembly: ");
    }
    assert_int_equal(
        fixture_compile(f,
                        "(module (memory 1) (func (param v128) (result v128) (i32x4.add (local.get 0) (local.get 0)))"
                        " (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 9)) (drop (i32.trunc_sat_f64_s "
                        "(f64.const 1)))))",
                        0),
        QD_OK);
}

static void test_custom_section__is_found_in_what_is_not_valid(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\0asm\1\0\0\0"
                                   "\0\6\1x!!!!"      /* custom "x": "!!!!" */
                                   "\0\12\4nameabcde" /* custom "name": "abcde" */
                                   "\77\1\0";         /* no such section */
    const uint8_t *data;
    size_t n;
    assert_true(qd_wasm_custom_section(bytes, sizeof bytes - 1, "name", &data, &n));
    assert_int_equal(n, 5);
    assert_memory_equal(data, "abcde", 5);
    assert_false(qd_wasm_custom_section(bytes, sizeof bytes - 1, "nam", &data, &n));
    assert_false(qd_wasm_custom_section(bytes, 4, "x", &data, &n));
}

static void test_permissions__names(void **state)
{
    (void)state;
    uint32_t bit = 0;
    assert_true(qd_wasm_permission_parse(QD_STR("read_score"), &bit));
    assert_int_equal(bit, QD_PERM_READ_SCORE);
    assert_false(qd_wasm_permission_parse(QD_STR("network"), &bit));
    assert_string_equal(qd_wasm_permission_name(QD_PERM_CLOCK), "clock");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_module__not_wasm__names_the_offset),
        TEST(test_module__cut_anywhere__is_refused_or_valid),
        TEST(test_imports__unknown_or_not_functions__are_refused),
        TEST(test_imports__both_forms_of_log_and_doubles__link),
        TEST(test_exports__signatures_as_they_are),
        TEST(test_module__abi_version__is_checked),
        TEST(test_program__unfit_exports__are_refused),
        TEST(test_program__65_parameters__are_refused),
        TEST(test_features__beyond_wasm_2__are_refused),
        TEST(test_custom_section__is_found_in_what_is_not_valid),
        TEST(test_permissions__names),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
