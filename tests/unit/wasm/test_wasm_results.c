/* SPDX-License-Identifier: Apache-2.0
 *
 * Results that are no numbers, and the calls that an aggregate is made of. */
#include "fixture.h"

#include <stdio.h>

#define RESULTS                                                                                                        \
    "(module (import \"env\" \"set_result_string\" (func $string (param i32 i32)))"                                    \
    "(import \"env\" \"set_result_missing\" (func $missing))"                                                          \
    "(memory (export \"memory\") 1) (data (i32.const 0) \"abcdefgh\\ff\")"
/* The row number, for contexts count from it. */
#define ROW "(i32.wrap_i64 (i64.and (local.get 0) (i64.const 0xffff)))"

static qd_status load(fixture *f, const char *wat, qd_wasm_shape shape, bool returns_string, bool has_state)
{
    const qd_wasm_program_spec spec = {.export_name = QD_STR("f"),
                                       .shape = shape,
                                       .returns_string = returns_string,
                                       .has_state = has_state,
                                       .name = "test@1.0.0"};
    qd_status rc = fixture_compile(f, wat, ALL_PERMISSIONS);
    if (!rc)
        rc = qd_wasm_program_new(f->module, &spec, &f->program, &f->err);
    return rc ? rc : qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err);
}

static void test_result__strings__are_kept_per_row(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f,
                          RESULTS "(func (export \"f\") (param i64) (if (i32.ne " ROW " (i32.const 3))"
                                  " (then (call $string (i32.const 0) " ROW ")))))",
                          QD_SHAPE_ROW, true, false),
                     QD_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(fixture_run(f, 6), QD_OK);
        const uint8_t *valid = qd_instance_result_valid(f->instance);
        for (uint32_t row = 0; row < 6; row++) {
            qd_str s;
            assert_int_equal(valid[row], row != 3);
            if (row == 3)
                continue;
            assert_int_equal(qd_instance_result_string(f->instance, row, &s, &f->err), QD_OK);
            assert_int_equal(s.n, row);
            assert_memory_equal(s.p, "abcdefgh", row);
        }
    }
}

static void test_result__no_string_set__all_are_missing(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        load(f, RESULTS "(func (export \"f\") (param i64) (result i32) (i32.const 7)))", QD_SHAPE_ROW, true, false),
        QD_OK);
    assert_int_equal(fixture_run(f, 5), QD_OK);
    assert_int_equal(qd_instance_result_valid(f->instance)[4], 0);
}

static void test_result__missing__leaves_the_other_rows(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f,
                          RESULTS "(func (export \"f\") (param i64) (result f64) (if (i32.eq " ROW " (i32.const 3))"
                                  " (then (call $missing))) (f64.const 7)))",
                          QD_SHAPE_ROW, false, false),
                     QD_OK);
    assert_int_equal(fixture_run(f, 3), QD_OK);
    assert_null(qd_instance_result_valid(f->instance));
    assert_int_equal(fixture_run(f, 5), QD_OK);
    const uint8_t *valid = qd_instance_result_valid(f->instance);
    assert_non_null(valid);
    assert_int_equal(valid[2], 1);
    assert_int_equal(valid[3], 0);
    assert_int_equal(valid[4], 1);
}

static void test_result__bad_strings__end_the_run(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *call, *message;
        bool returns_string;
    } cases[] = {
        {"(call $string (i32.const 65530) (i32.const 10))",
         "set_result_string: the 10 bytes at 65530 are not in the function's memory", true},
        {"(call $string (i32.const -1) (i32.const -1))",
         "set_result_string: the 4294967295 bytes at 4294967295 are not in the function's memory", true},
        {"(call $string (i32.const 0) (i32.const 9))", "set_result_string: the 9 bytes are not UTF-8", true},
        {"(call $string (i32.const 0) (i32.const 1))",
         "set_result_string in a function that does not return a string (manifest field 'returns')", false},
        {"(drop (memory.grow (i32.const 20))) (call $string (i32.const 100) (i32.const 1048577))",
         "set_result_string: a string of 1048577 bytes; at most 1048576", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wat[2048];
        snprintf(wat, sizeof wat, "%s(func (export \"f\") (param i64) (result i32) %s (i32.const 0)))", RESULTS,
                 cases[i].call);
        assert_int_equal(load(f, wat, QD_SHAPE_ROW, cases[i].returns_string, false), QD_OK);
        assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
        assert_message_has(f, cases[i].message);
        fixture_reset(state);
    }
}

static void test_result__too_much_text__ends_the_run(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f,
                          RESULTS "(func (export \"f\") (param i64) (if (i32.eqz " ROW ") (then (drop (memory.grow"
                                  " (i32.const 20))))) (call $string (i32.const 100) (i32.const 1048576))))",
                          QD_SHAPE_ROW, true, false),
                     QD_OK);
    assert_int_equal(fixture_run(f, 20), QD_EUDF_FAILED);
    assert_message_has(f, "set_result_string: the results of one block take more than 16 MiB");
    assert_in_range(f->failure.row, 10, 16);
}

static void test_result__outside_of_a_document__is_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f,
                          RESULTS "(func (export \"_initialize\") (call $missing))"
                                  "(func (export \"f\") (param i64) (result f64) (f64.const 7)))",
                          QD_SHAPE_ROW, false, false),
                     QD_EUDF_FAILED);
    assert_message_has(f, "set_result_missing outside of a document's call");
}

/* ---- aggregates ------------------------------------------------------------------------------------------------- */

#define SUM_STATE                                                                                                      \
    "(import \"env\" \"set_result_string\" (func $string (param i32 i32))) (memory (export \"memory\") 1)"             \
    "(func (export \"init\") (result i32) (f64.store (i32.const 64) (f64.const 0)) (i32.const 64))"                    \
    "(func (export \"finish\") (param i32) (result f64) (f64.load (local.get 0)))"                                     \
    "(func (export \"text\") (param i32) (i32.store8 (i32.const 0) (i32.const 65))"                                    \
    " (call $string (i32.const 0) (i32.const 1)))"                                                                     \
    "(func (export \"serialize\") (param i32) (result i64) (i64.or (i64.const 0x800000000)"                            \
    " (i64.extend_i32_u (local.get 0))))"
#define ADD(value) "(f64.store (local.get 0) (f64.add (f64.load (local.get 0)) " value "))"

static qd_wasm_value call(fixture *f, const char *name, const char *signature, int32_t arg)
{
    qd_wasm_value args = {.i32 = arg}, result = {0};
    if (qd_instance_call(f->instance, qd_str_of(name), signature, &args, &result, &f->err))
        fail_msg("%s", f->err.message);
    return result;
}

static void test_state__typed_update__adds_up(void **state)
{
    fixture *f = *state;
    const qd_wasm_program_spec spec = {
        .export_name = QD_STR("f"), .shape = QD_SHAPE_TYPED, .has_state = true, .name = "test@1.0.0"};
    assert_int_equal(fixture_compile(f,
                                     "(module " SUM_STATE "(func (export \"f\") (param i32 f64 f64)" ADD(
                                         "(f64.mul (local.get 1) (local.get 2))") "))",
                                     ALL_PERMISSIONS),
                     QD_OK);
    assert_int_equal(qd_wasm_program_new(f->module, &spec, &f->program, &f->err), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 1 << 1, &f->call, &f->instance, &f->err), QD_OK);
    int32_t at = call(f, "init", ":i", 0).i32;
    qd_instance_constant(f->instance, 0, (qd_value){.type = QD_I64, .as.i = at});
    qd_instance_constant(f->instance, 2, (qd_value){.type = QD_F64, .as.f = 0.5});
    double *column = qd_instance_column(f->instance, 1);
    for (uint32_t block = 0; block < 2; block++) {
        for (uint32_t row = 0; row < 1000; row++)
            column[row] = row;
        assert_int_equal(fixture_run(f, 1000), QD_OK);
    }
    assert_true(call(f, "finish", "i:F", at).f64 == 499500);
}

static void test_state__row_and_handle_updates__add_up(void **state)
{
    fixture *f = *state;
    static const char *const guests[] = {
        "(module (import \"env\" \"get_score\" (func $score (param i64) (result f64)))" SUM_STATE
        "(func (export \"f\") (param i32 i64)" ADD("(call $score (local.get 1))") "))",
        "(module (import \"env\" \"score\" (func $score (result f64)))" SUM_STATE
        "(func (export \"f\") (param i32 i64) (result i32)" ADD("(call $score)") "(i32.const 1)))",
    };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(load(f, guests[i], i == 0 ? QD_SHAPE_ROW : QD_SHAPE_HANDLE, false, true), QD_OK);
        int32_t at = call(f, "init", ":i", 0).i32;
        qd_instance_constant(f->instance, 0, (qd_value){.type = QD_I64, .as.i = at});
        assert_int_equal(fixture_run(f, 100), QD_OK);
        assert_true(call(f, "finish", "i:F", at).f64 == 4950 / 4.0);
        fixture_reset(state);
    }
}

static void test_state__batch_update__adds_up(void **state)
{
    fixture *f = *state;
    static const qd_type params[] = {QD_F64};
    const qd_wasm_program_spec spec = {.export_name = QD_STR("f"),
                                       .shape = QD_SHAPE_BATCH,
                                       .has_state = true,
                                       .params = params,
                                       .n_params = 1,
                                       .name = "test@1.0.0"};
    assert_int_equal(fixture_compile(f,
                                     "(module " SUM_STATE
                                     "(func (export \"f\") (param i32 i32 i32) (local $i i32) (loop $next" ADD(
                                         "(f64.load (i32.add (i32.load (local.get 2)) (i32.shl (local.get $i) "
                                         "(i32.const 3))))") "(local.set $i (i32.add (local.get $i) (i32.const 1)))"
                                                             "(br_if $next (i32.lt_u (local.get $i) (local.get 1))))))",
                                     ALL_PERMISSIONS),
                     QD_OK);
    assert_int_equal(qd_wasm_program_new(f->module, &spec, &f->program, &f->err), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 1, &f->call, &f->instance, &f->err), QD_OK);
    int32_t at = call(f, "init", ":i", 0).i32;
    qd_instance_set_state(f->instance, at);
    double *column = qd_instance_column(f->instance, 0);
    for (uint32_t row = 0; row < 2048; row++)
        column[row] = row;
    assert_int_equal(fixture_run(f, 2048), QD_OK);
    assert_true(call(f, "finish", "i:F", at).f64 == 2047 * 1024);
    int64_t bytes = call(f, "serialize", "i:I", at).i64;
    const uint8_t *sum = qd_instance_bytes(f->instance, (uint32_t)bytes, (uint32_t)(bytes >> 32));
    assert_non_null(sum);
    assert_null(qd_instance_bytes(f->instance, UINT32_MAX, 2));
}

static void test_call__string__is_that_of_row_0(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f, "(module " SUM_STATE "(func (export \"f\") (param i32 i64)))", QD_SHAPE_ROW, false, true),
                     QD_OK);
    qd_str s;
    (void)call(f, "text", "i:", 64);
    assert_int_equal(qd_instance_result_valid(f->instance)[0], 1);
    assert_int_equal(qd_instance_result_string(f->instance, 0, &s, &f->err), QD_OK);
    assert_true(qd_str_is(s, "A"));
    (void)call(f, "finish", "i:F", 64);
    assert_int_equal(qd_instance_result_valid(f->instance)[0], 0);
}

static void test_call__failures__are_named(void **state)
{
    fixture *f = *state;
    qd_wasm_value arg = {0};
    static const char WAT[] = "(module (memory (export \"memory\") 1) (func (export \"f\") (param i32 i64))"
                              "(func (export \"trap\") unreachable) (func (export \"loop\") (loop $l (br $l))))";
    assert_int_equal(load(f, WAT, QD_SHAPE_ROW, false, true), QD_OK);
    assert_int_equal(qd_instance_call(f->instance, QD_STR("init"), ":i", NULL, &arg, &f->err), QD_EUDF_WASM);
    assert_string_equal(f->err.message, "the module exports no function 'init'");
    assert_int_equal(qd_instance_call(f->instance, QD_STR("trap"), "i:", &arg, &arg, &f->err), QD_EUDF_WASM);
    assert_string_equal(f->err.message, "exported function 'trap' is (); expected (i32)");
    assert_int_equal(qd_instance_call(f->instance, QD_STR("trap"), ":", NULL, NULL, &f->err), QD_EUDF_FAILED);
    assert_message_has(f, "trap: unreachable executed at trap (func 1");
    assert_int_equal(qd_instance_call(f->instance, QD_STR("trap"), ":", NULL, NULL, &f->err), QD_EINTERNAL);
    fixture_reset(state);
    assert_int_equal(load(f, WAT, QD_SHAPE_ROW, false, true), QD_OK);
    assert_int_equal(qd_instance_call(f->instance, QD_STR("loop"), ":", NULL, NULL, &f->err), QD_EUDF_TIMEOUT);
    assert_message_has(f, "ran longer than its limit of 100 ms");
    fixture_reset(state);
    assert_int_equal(load(f, WAT, QD_SHAPE_ROW, false, true), QD_OK);
    f->canceled = true;
    assert_int_equal(qd_instance_call(f->instance, QD_STR("loop"), ":", NULL, NULL, &f->err), QD_ECANCELED);
}

/* The context of a row is stale once the row's call is over. */
static void test_call__context_of_a_row__is_stale(void **state)
{
    fixture *f = *state;
    static const char WAT[] = "(module (import \"env\" \"has_field\" (func $has (param i64 i32 i32) (result i32)))"
                              "(memory (export \"memory\") 1) (data (i32.const 0) \"stock\") (global $c (mut i64)"
                              " (i64.const 0)) (func (export \"f\") (param i32 i64) (global.set $c (local.get 1)))"
                              "(func (export \"has\") (result i32) (i32.add (call $has (global.get $c) (i32.const 0)"
                              " (i32.const 5)) (call $has (i64.add (global.get $c) (i64.const 0x100000000))"
                              " (i32.const 0) (i32.const 5)))))";
    assert_int_equal(load(f, WAT, QD_SHAPE_ROW, false, true), QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_int_equal(call(f, "has", ":i", 0).i32, 0);
}

static void test_state__wrong_signature__is_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f, "(module (func (export \"f\") (param i64 i64)))", QD_SHAPE_ROW, false, true),
                     QD_EUDF_WASM);
    assert_string_equal(f->err.message,
                        "function 'test@1.0.0': export 'f' has the signature (i64, i64); an aggregate's "
                        "update in this shape has (i32, i64)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_result__strings__are_kept_per_row),
        TEST(test_result__no_string_set__all_are_missing),
        TEST(test_result__missing__leaves_the_other_rows),
        TEST(test_result__bad_strings__end_the_run),
        TEST(test_result__too_much_text__ends_the_run),
        TEST(test_result__outside_of_a_document__is_refused),
        TEST(test_state__typed_update__adds_up),
        TEST(test_state__row_and_handle_updates__add_up),
        TEST(test_state__batch_update__adds_up),
        TEST(test_call__string__is_that_of_row_0),
        TEST(test_call__failures__are_named),
        TEST(test_call__context_of_a_row__is_stale),
        TEST(test_state__wrong_signature__is_refused),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
