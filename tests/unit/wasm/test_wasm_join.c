/* SPDX-License-Identifier: Apache-2.0
 *
 * Code joined with its driver: when it is, that it gives what code alone gives, and where it is used otherwise. */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wasm/module_impl.h"
#include "wasm/precompile.h"

#define F64 "(func (export \"f\") (param f64 f64) (result f64) (f64.sub (local.get 0) (local.get 1)))"

static bool is_joined(const fixture *f)
{
    const qd_wasm_native *native = atomic_load(&f->module->native);
    return native->join != NULL;
}

static void compile_for(fixture *f, const char *wat, qd_wasm_shape shape, uint64_t varying)
{
    f->is_joined = true;
    f->entry = (qd_wasm_entry){.export_name = QD_STR("f"), .shape = shape, .varying = varying};
    if (fixture_compile(f, wat, ALL_PERMISSIONS))
        fail_msg("%s", f->err.message);
}

static void acquire(fixture *f, qd_wasm_shape shape, uint64_t varying, const qd_wasm_limits *limits)
{
    if (fixture_program(f, shape, limits, "test@1.0.0") ||
        qd_instance_acquire(f->program, varying, &f->call, &f->instance, &f->err))
        fail_msg("%s", f->err.message);
}

/* f(row, 100) by rows and a constant, or the other way round. */
static void assert_subtracts(fixture *f, uint64_t varying)
{
    for (uint32_t arg = 0; arg < 2; arg++) {
        if (!(varying >> arg & 1)) {
            qd_instance_constant(f->instance, arg, (qd_value){.type = QD_F64, .as.f = 100});
            continue;
        }
        double *column = qd_instance_column(f->instance, arg);
        for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++)
            column[row] = row * (arg ? 3.0 : 1.0);
    }
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
    const double *results = qd_instance_results(f->instance);
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++) {
        double left = varying & 1 ? row : 100, right = varying & 2 ? row * 3.0 : 100;
        assert_true(results[row] == left - right);
    }
}

static void test_join__arguments_vary_otherwise__is_called_by_another_driver(void **state)
{
    fixture *f = *state;
    for (uint64_t entry = 0; entry < 4; entry++) {
        for (uint64_t varying = 0; varying < 4; varying++) {
            compile_for(f, "(module " F64 ")", QD_SHAPE_TYPED, entry);
            assert_true(is_joined(f));
            acquire(f, QD_SHAPE_TYPED, varying, NULL);
            assert_subtracts(f, varying);
            fixture_reset(state);
        }
    }
}

static void test_join__other_export_or_shape__is_called_by_another_driver(void **state)
{
    fixture *f = *state;
    compile_for(f,
                "(module (import \"env\" \"score\" (func $score (result f64)))"
                "(func (export \"f\") (param i64) (result f64) (call $score))"
                "(func (export \"g\") (param f64) (result f64) (f64.neg (local.get 0))))",
                QD_SHAPE_HANDLE, 0);
    assert_true(is_joined(f));
    const qd_wasm_program_spec spec = {.export_name = QD_STR("g"), .shape = QD_SHAPE_TYPED, .name = "test@1.0.0"};
    assert_int_equal(qd_wasm_program_new(f->module, &spec, &f->program, &f->err), QD_OK);
    if (qd_instance_acquire(f->program, 1, &f->call, &f->instance, &f->err))
        fail_msg("%s", f->err.message);
    *(double *)qd_instance_column(f->instance, 0) = 5;
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_true(*(const double *)qd_instance_results(f->instance) == -5);
}

static void test_join__what_cannot_be__is_compiled_alone(void **state)
{
    fixture *f = *state;
    static const char *const wats[] = {
        "(module (func (export \"driver:run\")) " F64 ")",      /* a name that is ours */
        "(module (memory (export \"driver:cols\") 1) " F64 ")", /* likewise */
        "(module (func $s) (start $s) " F64 ")",                /* would run before its memory has its limit */
    };
    for (size_t i = 0; i < sizeof wats / sizeof *wats; i++) {
        compile_for(f, wats[i], QD_SHAPE_TYPED, 3);
        assert_false(is_joined(f));
        acquire(f, QD_SHAPE_TYPED, 3, NULL);
        assert_subtracts(f, 3);
        fixture_reset(state);
    }
}

/* Everything that has an index, with imports that go, that stay, and that come twice. */
static const char WHOLE[] = "(module (type $unused (func (param i32 i32 i32)))"
                            "(import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"
                            "(import \"env\" \"field_f64\" (func $f64 (param i32) (result f64)))"
                            "(import \"env\" \"get_score\" (func $old_score (param i64) (result f64)))"
                            "(import \"env\" \"score\" (func $score (result f64)))"
                            "(import \"env\" \"field_f64\" (func $again (param i32) (result f64)))"
                            "(memory (export \"memory\") 1) (data (i32.const 0) \"price\") (data $passive \"\\07\")"
                            "(global $h (mut i32) (i32.const -1)) (global $seven (mut i32) (i32.const 0))"
                            "(table 2 funcref) (elem (i32.const 0) $one $two) (elem $later func $two)"
                            "(func $one (result f64) (f64.const 1)) (func $two (result f64) (f64.const 2))"
                            "(func (export \"_initialize\") (global.set $h (call $handle (i32.const 0) (i32.const 5)))"
                            " (memory.init $passive (i32.const 64) (i32.const 0) (i32.const 1)) (data.drop $passive)"
                            " (global.set $seven (i32.load8_u (i32.const 64)))"
                            " (table.init $later (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $later))"
                            "(func (export \"f\") (param $c i64) (result f64) (local $x f64)"
                            " (local.set $x (f64.add (call $f64 (global.get $h)) (call $again (global.get $h))))"
                            " (block $done (br_if $done (i32.eqz (global.get $seven)))"
                            "  (local.set $x (f64.add (local.get $x) (f64.convert_i32_u (global.get $seven)))))"
                            " (f64.add (f64.add (local.get $x) (call_indirect (result f64) (i32.const 0)))"
                            "  (f64.mul (call $score) (call $old_score (local.get $c))))))";

static void test_join__module_with_everything__means_the_same(void **state)
{
    fixture *f = *state;
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++)
        f->scores[row] = (float)row;
    compile_for(f, WHOLE, QD_SHAPE_HANDLE, 0);
    assert_true(is_joined(f));
    acquire(f, QD_SHAPE_HANDLE, 0, NULL);
    assert_int_equal(fixture_run(f, 1000), QD_OK);
    const double *results = qd_instance_results(f->instance);
    for (uint32_t row = 0; row < 1000; row++) {
        double price = row % 7 == 3 ? 0 : 1.5 * row;
        assert_true(results[row] == 2 * price + 7 + 2 + (double)row * row);
    }
}

static void test_join__memory_limit__is_the_functions_alone(void **state)
{
    fixture *f = *state;
    qd_wasm_limits limits = QD_WASM_LIMITS_INIT;
    limits.memory_bytes = 2 * 65536; /* less than the driver has */
    compile_for(f,
                "(module (memory (export \"memory\") 1) (func (export \"f\") (param f64) (result i32)"
                " (memory.grow (i32.trunc_f64_s (local.get 0)))))",
                QD_SHAPE_TYPED, 1);
    assert_true(is_joined(f));
    acquire(f, QD_SHAPE_TYPED, 1, &limits);
    static const double by[] = {0, 2, 1, 1, 0};
    static const int32_t before[] = {1, -1, 1, -1, 2};
    memcpy(qd_instance_column(f->instance, 0), by, sizeof by);
    assert_int_equal(fixture_run(f, 5), QD_OK);
    assert_memory_equal(qd_instance_results(f->instance), before, sizeof before);
}

static uint64_t column_bytes(fixture *f)
{
    qd_wasm_counters counters;
    qd_wasm_engine_read_counters(f->engine, &counters);
    return counters.column_bytes;
}

static void test_join__columns__are_counted_used_or_not(void **state)
{
    fixture *f = *state;
    uint64_t before = column_bytes(f);
    compile_for(f,
                "(module (import \"env\" \"score\" (func $score (result f64)))"
                "(func (export \"f\") (param i64) (result f64) (call $score)))",
                QD_SHAPE_HANDLE, 0);
    acquire(f, QD_SHAPE_HANDLE, 0, NULL);
    assert_int_equal(column_bytes(f) - before, atomic_load(&f->module->native)->join->cols_bytes);
    fixture_reset(state);
    assert_int_equal(column_bytes(f), before);
    compile_for(f, "(module (memory (export \"memory\") 1) " F64 ")", QD_SHAPE_TYPED, 3);
    acquire(f, QD_SHAPE_TYPED, 1, NULL); /* not as it was joined */
    assert_true(column_bytes(f) - before > atomic_load(&f->module->native)->join->cols_bytes);
    fixture_reset(state);
    assert_int_equal(column_bytes(f), before);
}

static void test_join__trap__names_the_functions_as_the_module_numbers_them(void **state)
{
    fixture *f = *state;
    compile_for(f,
                "(module (import \"env\" \"score\" (func $score (result f64)))"
                "(import \"env\" \"get_score\" (func $old_score (param i64) (result f64)))"
                "(func $deep (param i32) (result f64) (if (i32.eqz (local.get 0)) (then unreachable))"
                " (f64.add (f64.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))"
                "(func $f (export \"f\") (param $c i64) (result f64)"
                " (f64.add (call $score) (call $deep (i32.const 2)))))",
                QD_SHAPE_HANDLE, 0);
    assert_true(is_joined(f));
    acquire(f, QD_SHAPE_HANDLE, 0, NULL);
    assert_int_equal(fixture_run(f, 3), QD_EUDF_FAILED);
    /* As `wasm-objdump -d` numbers them. */
    assert_message_has(f, "trap: unreachable executed at deep (func 2, offset 0x4c), called by deep (func 2, offset "
                          "0x5e), called by deep (func 2, offset 0x5e), called by f (func 3, offset 0x68)");
    assert_int_equal(f->failure.row, 0);
}

/* The code generator may give the first instruction the place of the locals before it. */
static void test_join__trap_at_the_first_instruction__names_the_function(void **state)
{
    fixture *f = *state;
    compile_for(f,
                "(module (func $f (export \"f\") (param f64) (result f64) (call $second (local.get 0)))"
                " (func $second (param f64) (result f64) (local v128 i64) unreachable))",
                QD_SHAPE_TYPED, 1);
    assert_true(is_joined(f));
    acquire(f, QD_SHAPE_TYPED, 1, NULL);
    assert_int_equal(fixture_run(f, 3), QD_EUDF_FAILED);
    assert_message_has(f, "trap: unreachable executed at second (func 1, offset 0x");
}

/* ---- kept and made ahead of time --------------------------------------------------------------------------------- */

static qd_status entry_of(void *arg, const qd_wasm_module *m, qd_wasm_entry *out, qd_error *err)
{
    (void)m, (void)err;
    *out = *(const qd_wasm_entry *)arg;
    return QD_OK;
}

static void remove_files(const char *directory)
{
    char path[512];
    struct dirent *e;
    DIR *d = opendir(directory);
    assert_non_null(d);
    while ((e = readdir(d)))
        if (snprintf(path, sizeof path, "%s/%s", directory, e->d_name) > 0)
            (void)unlink(path);
    closedir(d);
    assert_int_equal(rmdir(directory), 0);
}

static qd_wasm_source source_of(qd_wasm_engine *e, const uint8_t *wasm, size_t n, qd_wasm_entry *entry)
{
    const qd_wasm_module_options options = {.entry = entry_of, .entry_arg = entry};
    qd_wasm_module *m = NULL;
    qd_wasm_status status;
    assert_int_equal(qd_wasm_module_new(e, wasm, n, &options, &m, NULL), QD_OK);
    qd_wasm_engine_drain(e);
    qd_wasm_module_read_status(m, &status);
    qd_wasm_module_unref(m);
    return status.source;
}

static void test_join__cache__keeps_code_by_its_use(void **state)
{
    (void)state;
    char directory[] = "/tmp/qd-test-join-XXXXXX";
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    qd_wasm_entry both = {.export_name = QD_STR("f"), .shape = QD_SHAPE_TYPED, .varying = 3}, one = both;
    uint8_t *wasm = NULL;
    size_t n = 0;
    assert_non_null(mkdtemp(directory));
    options.cache_dir = directory;
    one.varying = 1;
    assert_int_equal(qd_wasm_from_wat(QD_STR("(module " F64 ")"), &wasm, &n, NULL), QD_OK);
    for (int life = 0; life < 2; life++) {
        qd_wasm_engine *e = NULL;
        assert_int_equal(qd_wasm_engine_new(&options, &e, NULL), QD_OK);
        qd_wasm_source expected = life == 0 ? QD_SOURCE_COMPILED : QD_SOURCE_CACHE;
        assert_int_equal(source_of(e, wasm, n, &both), expected);
        assert_int_equal(source_of(e, wasm, n, &one), expected);
        assert_int_equal(source_of(e, wasm, n, &both), QD_SOURCE_CACHE);
        qd_wasm_engine_free(e);
    }
    free(wasm);
    remove_files(directory);
}

/* Makes code for calls with both arguments by row, and loads the module with it for a use with these by row. */
static qd_status load_ahead_of_time(fixture *f, const char *wat, uint64_t varying)
{
    qd_wasm_entry entry = {.export_name = QD_STR("f"), .shape = QD_SHAPE_TYPED, .varying = 3};
    uint8_t *wasm = NULL;
    size_t n = 0;
    qd_buf native;
    qd_buf_init(&native, (size_t)1 << 30);
    assert_int_equal(qd_wasm_from_wat(qd_str_of(wat), &wasm, &n, NULL), QD_OK);
    qd_status st = qd_wasm_precompile(wasm, n, entry_of, &entry, NULL, &native, &f->err);
    if (st)
        fail_msg("%s", f->err.message);
    entry.varying = varying;
    const qd_wasm_module_options options = {.native = (const uint8_t *)native.p,
                                            .native_n = native.n,
                                            .must_use_native = true,
                                            .entry = entry_of,
                                            .entry_arg = &entry};
    st = qd_wasm_module_new(f->engine, wasm, n, &options, &f->module, &f->err);
    free(wasm);
    qd_buf_deinit(&native);
    return st;
}

static void test_join__ahead_of_time__serves_the_use_that_it_was_made_for(void **state)
{
    fixture *f = *state;
    assert_int_equal(load_ahead_of_time(f, "(module " F64 ")", 3), QD_OK);
    assert_true(is_joined(f));
    acquire(f, QD_SHAPE_TYPED, 3, NULL);
    assert_subtracts(f, 3);
    fixture_reset(state);
    assert_int_equal(load_ahead_of_time(f, "(module " F64 ")", 1), QD_EUDF_COMPILE);
    assert_message_has(
        f, "native code: it was made from another module, or for another manifest (function_name, abi, kind, "
           "parameters): compile it again");
}

static void test_join__ahead_of_time__what_cannot_be_joined_is_compiled_alone(void **state)
{
    fixture *f = *state;
    if (load_ahead_of_time(f, "(module (func (export \"driver:run\")) " F64 ")", 3))
        fail_msg("%s", f->err.message);
    assert_false(is_joined(f));
    acquire(f, QD_SHAPE_TYPED, 3, NULL);
    assert_subtracts(f, 3);
}

/* ---- how much it may be ------------------------------------------------------------------------------------------ */

/* A module of `n_functions` that are nothing but `n_calls` each of what can be inlined. */
static char *all_calls(size_t n_functions, size_t n_calls)
{
    qd_buf b;
    qd_buf_init(&b, (size_t)64 << 20);
    qd_buf_add_str(&b, QD_STR("(module (import \"env\" \"field_f64\" (func $f64 (param i32) (result f64)))"
                              "(func (export \"f\") (param i64) (result f64) (call $f64 (i32.const 1)))"));
    for (size_t f = 0; f < n_functions; f++) {
        qd_buf_add_str(&b, QD_STR("(func"));
        for (size_t i = 0; i < n_calls; i++)
            qd_buf_add_str(&b, QD_STR("(drop(call $f64(i32.const 0)))"));
        qd_buf_add_str(&b, QD_STR(")"));
    }
    qd_buf_add(&b, ")", 2);
    assert_false(b.failed);
    return b.p;
}

/* Not compiled. */
static void assert_grows_by(size_t n_functions, size_t n_calls, size_t most_bytes)
{
    qd_wasm_entry entry = {.export_name = QD_STR("f"), .shape = QD_SHAPE_HANDLE};
    const qd_wasm_module_options options = {.permissions = ALL_PERMISSIONS, .entry = entry_of, .entry_arg = &entry};
    qd_wasm_module *m = NULL;
    qe_code *joined = NULL;
    uint8_t *wasm = NULL;
    size_t n = 0;
    char *wat = all_calls(n_functions, n_calls);
    assert_int_equal(qd_wasm_from_wat(qd_str_of(wat), &wasm, &n, NULL), QD_OK);
    assert_int_equal(qd_wasm_module_read(wasm, n, &options, &m, NULL), QD_OK);
    assert_int_equal(qd_join_write(m->join, &joined, NULL), QD_OK);
    size_t joined_n = qd_code_str(joined).n;
    if (joined_n > n + most_bytes)
        fail_msg("%zu functions of %zu calls: %zu bytes became %zu", n_functions, n_calls, n, joined_n);
    qe_code_free(joined);
    qd_wasm_module_unref(m);
    free(wasm);
    free(wat);
}

/* Without bounds, each becomes ten times as long. */
static void test_join__nothing_but_calls__grows_within_bounds(void **state)
{
    (void)state;
    assert_grows_by(1, 10000, 100000);
    assert_grows_by(200, 200, 1000000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_join__arguments_vary_otherwise__is_called_by_another_driver),
        TEST(test_join__other_export_or_shape__is_called_by_another_driver),
        TEST(test_join__what_cannot_be__is_compiled_alone),
        TEST(test_join__module_with_everything__means_the_same),
        TEST(test_join__memory_limit__is_the_functions_alone),
        TEST(test_join__columns__are_counted_used_or_not),
        TEST(test_join__trap__names_the_functions_as_the_module_numbers_them),
        TEST(test_join__nothing_but_calls__grows_within_bounds),
        TEST(test_join__trap_at_the_first_instruction__names_the_function),
        TEST(test_join__cache__keeps_code_by_its_use),
        TEST(test_join__ahead_of_time__serves_the_use_that_it_was_made_for),
        TEST(test_join__ahead_of_time__what_cannot_be_joined_is_compiled_alone),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
