/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include <wasm.h>
#include <wasmtime/wat.h>
#include <wasmtime/error.h>

static int inspect(const char *wat, qe_wasm_info **info, qe_error *err)
{
    wasm_byte_vec_t bytes;
    wasmtime_error_t *error = wasmtime_wat2wasm(wat, strlen(wat), &bytes);
    int code = QE_OK;

    assert_null(error);
    code = qe_wasm_inspect((const uint8_t *)bytes.data, bytes.size, info, err);
    wasm_byte_vec_delete(&bytes);
    return code;
}

static qe_wasm_shape shape_of(const char *wat)
{
    qe_wasm_info *info = NULL;
    qe_error err;
    assert_qe_ok(inspect(wat, &info, &err), &err);
    qe_wasm_shape shape = qe_wasm_shape_of(info);
    qe_wasm_info_free(info);
    return shape;
}

static void assert_named(const qe_wasm_item *item, qe_wasm_extern kind, const char *module, const char *name)
{
    assert_int_equal(item->kind, kind);
    assert_int_equal(item->module_len, strlen(module));
    assert_memory_equal(item->module, module, item->module_len);
    assert_int_equal(item->name_len, strlen(name));
    assert_memory_equal(item->name, name, item->name_len);
}

static void test_inspect__module__everything_named(void **state)
{
    const char *wat =
        "(module (import \"env\" \"get_score\" (func (param i64) (result f64))) (import \"env\" \"m\" (memory 2))"
        "(table 3 7 funcref) (global (mut i32) (i32.const 1)) (data (i32.const 0) \"x\")"
        "(func $f (param i64 f32 v128 funcref) (result f64 i32) (f64.const 1) (i32.const 2))"
        "(func $s) (start $s) (@custom \"note\" \"hello\")"
        "(export \"filter\" (func $f)) (export \"score\" (func 0)) (export \"t\" (table 0)) (export \"memory\" (memory "
        "0)))";
    qe_wasm_info *info = NULL;
    qe_error err;
    const qe_wasm_item *items = NULL;
    const qe_wasm_custom *customs = NULL;
    (void)state;

    assert_qe_ok(inspect(wat, &info, &err), &err);
    assert_int_equal(qe_wasm_imports(info, &items), 2);
    assert_named(&items[0], QE_WASM_FUNC, "env", "get_score");
    assert_true(items[0].n_params == 1 && items[0].params[0] == QE_WASM_I64);
    assert_true(items[0].n_results == 1 && items[0].results[0] == QE_WASM_F64);
    assert_named(&items[1], QE_WASM_MEMORY, "env", "m");
    assert_true(items[1].min == 2 && items[1].max == UINT64_MAX);

    assert_int_equal(qe_wasm_exports(info, &items), 4);
    assert_named(&items[0], QE_WASM_FUNC, "", "filter");
    const qe_wasm_type params[] = {QE_WASM_I64, QE_WASM_F32, QE_WASM_V128, QE_WASM_REF};
    assert_int_equal(items[0].n_params, 4);
    assert_memory_equal(items[0].params, params, sizeof params);
    assert_true(items[0].n_results == 2 && items[0].results[1] == QE_WASM_I32);
    assert_named(&items[1], QE_WASM_FUNC, "", "score");
    assert_true(items[1].n_params == 1);
    assert_named(&items[2], QE_WASM_TABLE, "", "t");
    assert_true(items[2].min == 3 && items[2].max == 7);
    assert_named(&items[3], QE_WASM_MEMORY, "", "memory");

    size_t n = qe_wasm_customs(info, &customs);
    assert_true(n >= 1);
    assert_int_equal(customs[0].name_len, 4);
    assert_memory_equal(customs[0].name, "note", 4);
    assert_int_equal(customs[0].data_len, 5);
    assert_memory_equal(customs[0].data, "hello", 5);

    qe_wasm_shape shape = qe_wasm_shape_of(info);
    assert_true(shape.functions == 2 && shape.tables == 1 && shape.globals == 1 && shape.data_segments == 1);
    assert_true(shape.has_start && shape.is_bounded);
    qe_wasm_info_free(info);
}

static void test_shape__loops_recursion_tables__unbounded(void **state)
{
    (void)state;
    assert_false(shape_of("(module (func (export \"f\") (loop (br 0))))").is_bounded);
    assert_false(shape_of("(module (func $f (export \"f\") (call $f)))").is_bounded);
    assert_false(shape_of("(module (func $g (call $f)) (func $f (export \"f\") (call $g)))").is_bounded);
    assert_false(shape_of("(module (table 1 funcref) (func (export \"f\") (call_indirect (i32.const 0))))").is_bounded);
    assert_false(shape_of("(module (func $g (loop (br 0))) (func (export \"f\") (call $g)))").is_bounded);
    assert_false(shape_of("(module (func $s (loop (br 0))) (start $s))").is_bounded);
    /* What nothing calls does not count. */
    assert_true(shape_of("(module (func (loop (br 0))) (func (export \"f\")))").is_bounded);
}

static void test_shape__calls__longest_path(void **state)
{
    char wat[8192];
    size_t n = 0;
    (void)state;
    /* nop, end */
    assert_int_equal(shape_of("(module (func (export \"f\") nop))").longest_path, 2);
    assert_int_equal(shape_of("(module (func $g nop) (func (export \"f\") (call $g) (call $g)))").longest_path,
                     4 + 4 + 1 + 2 * 2);
    /* A constant, a read, another, a division, a drop, the end. */
    assert_int_equal(shape_of("(module (memory 1) (func (export \"f\")"
                              " (drop (i32.div_u (i32.load (i32.const 0)) (i32.const 3)))))")
                         .longest_path,
                     1 + 32 + 1 + 12 + 1 + 1);
    /* Doubling sixty-nine times saturates, and is found in no time. */
    n += (size_t)snprintf(wat, sizeof wat, "(module (func $f0 nop)");
    for (int i = 1; i < 70; i++)
        n += (size_t)snprintf(wat + n, sizeof wat - n, "(func $f%d (call $f%d) (call $f%d))", i, i - 1, i - 1);
    snprintf(wat + n, sizeof wat - n, "(export \"f\" (func $f69)))");
    qe_wasm_shape shape = shape_of(wat);
    assert_true(shape.is_bounded);
    assert_true(shape.longest_path == UINT64_MAX);
    /* An instruction that may touch all memory is not one step. */
    assert_true(shape_of("(module (memory 1) (func (export \"f\")"
                         "(memory.fill (i32.const 0) (i32.const 0) (i32.const 9))))")
                    .longest_path > 1 << 20);
}

static void test_inspect__refused__offset_and_reason(void **state)
{
    qe_wasm_info *info = NULL;
    qe_error err;
    (void)state;
    assert_qe_failed(qe_wasm_inspect((const uint8_t *)"hello wasm", 10, &info, &err), &err, QE_ESYNTAX,
                     "not a wasm module: it does not begin with the bytes 00 61 73 6d");
    assert_int_equal(qe_wasm_inspect(NULL, 0, &info, &err), QE_ESYNTAX);
    assert_int_equal(inspect("(module (memory i64 1))", &info, &err), QE_ESYNTAX);
    assert_int_equal(inspect("(module (memory 1 1 shared))", &info, &err), QE_ESYNTAX);
    assert_int_equal(inspect("(module (tag))", &info, &err), QE_ESYNTAX);
    assert_int_equal(inspect("(module (type (struct)))", &info, &err), QE_ESYNTAX);
    assert_int_equal(inspect("(module (func (param externref)))", &info, &err), QE_ESYNTAX);
    assert_int_equal(inspect("(module (table 1 externref))", &info, &err), QE_ESYNTAX);
    assert_qe_failed(inspect("(component)", &info, &err), &err, QE_ESYNTAX,
                     "a WebAssembly component, where a core module is needed");
    assert_int_equal(inspect("(module (func (result i32)))", &info, &err), QE_ESYNTAX);
    assert_true(err.offset > 0);
    assert_null(info);
}

/* Whatever bytes come, there is an answer. */
static void test_inspect__mutated__answers(void **state)
{
    const char *wat =
        "(module (import \"e\" \"f\" (func (param i32))) (memory 1) (table 1 funcref) (elem (i32.const 0) 1)"
        "(func (export \"g\") (param i64) (result i32) (block (loop (br_if 1 (i32.const 1))))"
        "(call 0 (i32.const 3)) (i32.const 1)) (data (i32.const 1) \"abc\"))";
    wasm_byte_vec_t bytes;
    uint64_t x = 99;
    (void)state;
    assert_null(wasmtime_wat2wasm(wat, strlen(wat), &bytes));
    for (int i = 0; i < 100000; i++) {
        uint8_t copy[512];
        qe_wasm_info *info = NULL;
        assert_true(bytes.size <= sizeof copy);
        memcpy(copy, bytes.data, bytes.size);
        for (int flips = 0; flips < 1 + i % 3; flips++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            copy[8 + (x >> 33) % (bytes.size - 8)] = (uint8_t)(x >> 20);
        }
        int code = qe_wasm_inspect(copy, bytes.size, &info, NULL);
        assert_true(code == QE_OK || code == QE_ESYNTAX);
        qe_wasm_info_free(info);
    }
    wasm_byte_vec_delete(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inspect__module__everything_named),
        cmocka_unit_test(test_shape__loops_recursion_tables__unbounded),
        cmocka_unit_test(test_shape__calls__longest_path),
        cmocka_unit_test(test_inspect__refused__offset_and_reason),
        cmocka_unit_test(test_inspect__mutated__answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
