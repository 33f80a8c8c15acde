/* SPDX-License-Identifier: Apache-2.0
 *
 * The batch shape: a block of documents in the function's own memory. */
#include "fixture.h"

#include "wasm/batch.h"

/* f(n, columns, out); $data and $odata are the addresses of the first column's and of the results' data. */
#define BATCH(extra, code)                                                                                             \
    "(module " extra " (memory (export \"memory\") 1)"                                                                 \
    "(func (export \"f\") (param $n i32) (param $columns i32) (param $out i32)"                                        \
    " (local $i i32) (local $data i32) (local $odata i32)"                                                             \
    " (local.set $data (i32.load (local.get $columns))) (local.set $odata (i32.load (local.get $out)))" code "))"
/* `code` runs for each row $i. */
#define EACH_ROW(code)                                                                                                 \
    " (loop $next " code " (local.set $i (i32.add (local.get $i) (i32.const 1)))"                                      \
    "  (br_if $next (i32.lt_u (local.get $i) (local.get $n))))"
#define AT(base, shift) "(i32.add " base " (i32.shl (local.get $i) (i32.const " shift ")))"
#define DOUBLE_IT                                                                                                      \
    BATCH("", EACH_ROW("(f64.store " AT("(local.get $odata)",                                                          \
                                        "3") " (f64.mul (f64.const 2) (f64.load " AT("(local.get $data)", "3") ")))"))

static qd_status load(fixture *f, const char *wat, const qd_wasm_program_spec *given, uint64_t varying)
{
    qd_wasm_program_spec spec = *given;
    spec.export_name = QD_STR("f");
    spec.shape = QD_SHAPE_BATCH;
    spec.name = "test@1.0.0";
    qd_status rc = fixture_compile(f, wat, ALL_PERMISSIONS);
    if (!rc)
        rc = qd_wasm_program_new(f->module, &spec, &f->program, &f->err);
    return rc ? rc : qd_instance_acquire(f->program, varying, &f->call, &f->instance, &f->err);
}

static const qd_type one_f64[] = {QD_F64}, one_string[] = {QD_STRING};
static const qd_wasm_program_spec f64_to_f64 = {.params = one_f64, .n_params = 1, .result = QD_F64};

static void test_batch__a_block__has_results(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f, DOUBLE_IT, &f64_to_f64, 1), QD_OK);
    double *column = qd_instance_column(f->instance, 0);
    assert_int_equal((uintptr_t)column % 16, 0);
    for (int round = 0; round < 3; round++) {
        for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++)
            column[row] = row + round;
        assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
        const double *out = qd_instance_results(f->instance);
        const uint8_t *valid = qd_instance_result_valid(f->instance);
        for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++)
            assert_true(out[row] == 2.0 * (row + round) && valid[row] == 1);
    }
}

static void test_batch__part_of_a_block__leaves_the_rest_alone(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f, DOUBLE_IT, &f64_to_f64, 1), QD_OK);
    double *column = qd_instance_column(f->instance, 0);
    for (uint32_t row = 0; row < 100; row++)
        column[row] = row;
    assert_int_equal(qd_instance_run_range(f->instance, 33, 40, &f->failure, &f->err), QD_OK);
    const double *out = qd_instance_results(f->instance);
    assert_true(out[33] == 66 && out[39] == 78 && out[40] == 0 && out[32] == 0);
}

static void test_batch__descriptors__say_what_lies_there(void **state)
{
    fixture *f = *state;
    static const qd_type params[] = {QD_F64, QD_BOOL, QD_I64, QD_F32, QD_STRING};
    const qd_wasm_program_spec spec = {.params = params, .n_params = 5, .result = QD_I64};
    static const char WAT[] =
        BATCH("", /* out[k] = type, flags and whether there is validity, of the k-th descriptor */
              EACH_ROW("(i64.store " AT("(local.get $odata)",
                                        "3") " (i64.extend_i32_u (i32.add (i32.add"
                                             " (i32.mul (i32.const 100) (i32.load offset=8 " AT(
                                                 "(local.get $columns)",
                                                 "4") "))"
                                                      " (i32.mul (i32.const 10) (i32.load offset=12 " AT(
                                                          "(local.get $columns)",
                                                          "4") ")))"
                                                               " (i32.ne (i32.const 0) (i32.load offset=4 " AT(
                                                                   "(local.get $columns)", "4") ")))))"));
    assert_int_equal(load(f, WAT, &spec, 1 | 1 << 2), QD_OK);
    qd_instance_column_valid(f->instance, 2)[5] = 0;
    assert_int_equal(fixture_run(f, 6), QD_OK);
    const int64_t *out = qd_instance_results(f->instance);
    assert_int_equal(out[0], 300);
    assert_int_equal(out[1], 10); /* constant */
    assert_int_equal(out[2], 101);
    assert_int_equal(out[3], 210);
    assert_int_equal(out[4], 410);
    assert_int_equal(out[5], 101); /* the results, whose validity is always there */
}

static void test_batch__constants__are_laid_out_in_full(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f, DOUBLE_IT, &f64_to_f64, 0), QD_OK);
    qd_instance_constant(f->instance, 0, (qd_value){.type = QD_I64, .as.i = 21});
    assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
    const double *out = qd_instance_results(f->instance);
    assert_true(out[0] == 42 && out[QD_BLOCK_DOCS - 1] == 42);
}

static void test_batch__function_clears_validity__rows_have_no_result(void **state)
{
    fixture *f = *state;
    static const char WAT[] = BATCH("", "(i32.store8 offset=2 (i32.load offset=4 (local.get $out)) (i32.const 0))");
    assert_int_equal(load(f, WAT, &f64_to_f64, 1), QD_OK);
    assert_int_equal(fixture_run(f, 4), QD_OK);
    const uint8_t *valid = qd_instance_result_valid(f->instance);
    assert_int_equal(valid[1], 1);
    assert_int_equal(valid[2], 0);
    assert_int_equal(fixture_run(f, 4), QD_OK);
    assert_int_equal(qd_instance_result_valid(f->instance)[3], 1);
}

/* Nothing that it writes over descriptors moves what the host reads. */
static void test_batch__descriptors_overwritten__hurt_nobody(void **state)
{
    fixture *f = *state;
    static const char WAT[] = BATCH("", "(memory.fill (local.get $columns) (i32.const 255) (i32.const 32))");
    assert_int_equal(load(f, WAT, &f64_to_f64, 1), QD_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(fixture_run(f, 4), QD_OK);
        const double *out = qd_instance_results(f->instance);
        assert_true(out[0] == 0 && out[3] == 0);
    }
}

static void test_batch__trap__names_the_first_row_of_the_run(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f, BATCH("", "unreachable"), &f64_to_f64, 1), QD_OK);
    assert_int_equal(qd_instance_run_range(f->instance, 7, 20, &f->failure, &f->err), QD_EUDF_FAILED);
    assert_string_equal(f->err.message, "trap: unreachable executed at f (func 0, offset 0x3f)");
    assert_true(f->failure.is_set);
    assert_int_equal(f->failure.row, 7);
}

static void test_batch__strings__lie_in_the_area(void **state)
{
    fixture *f = *state;
    const qd_wasm_program_spec spec = {.params = one_string, .n_params = 1, .result = QD_I64};
    /* out[i] = length * 1000 + first byte */
    static const char WAT[] =
        BATCH("", EACH_ROW("(i64.store " AT(
                      "(local.get $odata)",
                      "3") " (i64.extend_i32_u (i32.add (i32.mul (i32.const 1000)"
                           " (i32.load offset=4 " AT("(local.get $data)", "3") ")) (i32.load8_u (i32.load " AT(
                               "(local.get $data)", "3") ")))))"));
    assert_int_equal(load(f, WAT, &spec, 1), QD_OK);
    uint32_t at;
    uint8_t *host;
    assert_int_equal(qd_instance_area(f->instance, 200000, &at, &host, &f->err), QD_OK);
    assert_int_equal(at % 16, 0);
    memcpy(host, "abcdef", 6);
    memcpy(host + 199990, "xyz", 3);
    qd_batch_string *column = qd_instance_column(f->instance, 0);
    column[0] = (qd_batch_string){at, 6};
    column[1] = (qd_batch_string){at + 199990, 3};
    assert_int_equal(fixture_run(f, 2), QD_OK);
    const int64_t *out = qd_instance_results(f->instance);
    assert_int_equal(out[0], 6000 + 'a');
    assert_int_equal(out[1], 3000 + 'x');
}

static void test_batch__string_results__are_checked(void **state)
{
    fixture *f = *state;
    const qd_wasm_program_spec spec = {.params = one_f64, .n_params = 1, .returns_string = true};
    static const char WAT[] = BATCH("(data (i32.const 64) \"hello\\ff\")",
                                    "(i64.store (local.get $odata) (i64.const 0x500000040))"
                                    "(i64.store offset=8 (local.get $odata) (i64.const 0x600000040))"
                                    "(i64.store offset=16 (local.get $odata) (i64.const 0x500000000fffe))"
                                    "(i64.store offset=24 (local.get $odata) (i64.const -1))");
    assert_int_equal(load(f, WAT, &spec, 1), QD_OK);
    assert_int_equal(fixture_run(f, 5), QD_OK);
    qd_str s;
    assert_int_equal(qd_instance_result_string(f->instance, 0, &s, &f->err), QD_OK);
    assert_true(qd_str_is(s, "hello"));
    assert_int_equal(qd_instance_result_string(f->instance, 1, &s, &f->err), QD_EUDF_FAILED);
    assert_string_equal(f->err.message, "its result, a string of 6 bytes, is not UTF-8");
    assert_int_equal(qd_instance_result_string(f->instance, 2, &s, &f->err), QD_EUDF_FAILED);
    assert_int_equal(qd_instance_result_string(f->instance, 3, &s, &f->err), QD_EUDF_FAILED);
    assert_string_equal(f->err.message, "its result, a string of 4294967295 bytes at 4294967295, is not in its memory");
    assert_int_equal(qd_instance_result_string(f->instance, 4, &s, &f->err), QD_OK);
    assert_int_equal(s.n, 0);
}

/* All rows may name the same bytes: what they cost is bounded, not what they take. */
static void test_batch__string_results__are_bounded(void **state)
{
    fixture *f = *state;
    const qd_wasm_program_spec spec = {.params = one_f64, .n_params = 1, .returns_string = true};
    /* The first is too long; each of the others is as long as one may be. */
    static const char WAT[] = BATCH(
        "", "(drop (memory.grow (i32.const 40)))" EACH_ROW("(i64.store " AT(
                "(local.get $odata)",
                "3") " (i64.const 0x10000000180000))") "(i64.store (local.get $odata) (i64.const 0x10000100180000))");
    for (int round = 0; round < 2; round++) {
        qd_str s;
        if (round == 0)
            assert_int_equal(load(f, WAT, &spec, 1), QD_OK);
        assert_int_equal(fixture_run(f, QD_BLOCK_DOCS), QD_OK);
        assert_int_equal(qd_instance_result_string(f->instance, 0, &s, &f->err), QD_EUDF_FAILED);
        assert_string_equal(f->err.message, "its result, a string of 1048577 bytes, is longer than 1048576");
        for (uint32_t row = 1; row <= 16; row++)
            assert_int_equal(qd_instance_result_string(f->instance, row, &s, &f->err), QD_OK);
        assert_int_equal(s.n, 1 << 20);
        assert_int_equal(qd_instance_result_string(f->instance, 17, &s, &f->err), QD_EUDF_FAILED);
        assert_string_equal(f->err.message, "its results, the strings of one block, take more than 16 MiB");
    }
}

static void test_batch__no_exported_memory__is_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(load(f, "(module (memory 1) (func (export \"f\") (param i32 i32 i32)))", &f64_to_f64, 1),
                     QD_EUDF_WASM);
    assert_string_equal(f->err.message, "function 'test@1.0.0': the module exports no memory named 'memory', where its "
                                        "batches and strings would be laid; export it");
    assert_string_equal(f->err.field, "abi");
}

static void test_batch__memory_limit__counts_what_is_laid_there(void **state)
{
    fixture *f = *state;
    const qd_wasm_limits small = {.memory_bytes = 65536, .table_elements = 10, .call_ms = 100, .log_bytes = 100};
    qd_wasm_program_spec spec = f64_to_f64;
    spec.limits = &small;
    assert_int_equal(load(f, DOUBLE_IT, &spec, 1), QD_EUDF_MEMORY);
    assert_message_has(f, "are needed for what it is given: ");
    assert_message_has(f, "it has 64 KiB of 64 KiB allowed (limits.memory_bytes)");
    fixture_reset(state);
    assert_int_equal(load(f, DOUBLE_IT, &f64_to_f64, 1), QD_OK);
    uint32_t at;
    uint8_t *host;
    assert_int_equal(qd_instance_area(f->instance, 64u << 20, &at, &host, &f->err), QD_EUDF_MEMORY);
    assert_int_equal(qd_instance_area(f->instance, 4u << 20, &at, &host, &f->err), QD_OK);
    assert_int_equal(fixture_run(f, 1), QD_OK);
}

/* A module whose allocator owns all pages says itself where. */
static void test_batch__quidditch_alloc__gives_the_place(void **state)
{
    fixture *f = *state;
#define WITH_ALLOC(code) BATCH("(func (export \"quidditch_alloc\") (param i32) (result i32) " code ")", "")
    assert_int_equal(load(f, WITH_ALLOC("(drop (memory.grow (i32.const 4))) (i32.const 70001)"), &f64_to_f64, 1),
                     QD_OK);
    assert_int_equal((uintptr_t)qd_instance_column(f->instance, 0) % 16, 0);
    assert_int_equal(fixture_run(f, 3), QD_OK);
    static const struct {
        const char *wat, *message;
        qd_status status;
    } cases[] = {
        {WITH_ALLOC("(i32.const 0)"), "quidditch_alloc gave 0", QD_EUDF_MEMORY},
        {WITH_ALLOC("(i32.const 60000)"), "quidditch_alloc gave an address outside of it", QD_EUDF_MEMORY},
        {WITH_ALLOC("(i32.const -1)"), "quidditch_alloc gave an address outside of it", QD_EUDF_MEMORY},
        {WITH_ALLOC("unreachable"), "trap: unreachable executed at quidditch_alloc (func 0", QD_EUDF_FAILED},
        {WITH_ALLOC("(loop $l (br $l)) (i32.const 0)"), "ran longer than its limit of 100 ms", QD_EUDF_TIMEOUT},
        {BATCH("(func (export \"quidditch_alloc\") (param i64) (result i32) unreachable)", ""),
         "export 'quidditch_alloc' has the signature (i64) -> i32; expected (i32) -> i32", QD_EUDF_WASM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_reset(state);
        assert_int_equal(load(f, cases[i].wat, &f64_to_f64, 1), cases[i].status);
        assert_message_has(f, cases[i].message);
    }
}

static void test_batch__host_functions_by_context__answer_stale(void **state)
{
    fixture *f = *state;
    static const char WAT[] =
        BATCH("(import \"env\" \"has_field\" (func $has (param i64 i32 i32) (result i32)))"
              "(import \"env\" \"get_score\" (func $score (param i64) (result f64)))"
              "(data (i32.const 0) \"price\")",
              "(f64.store (local.get $odata) (f64.convert_i32_s (call $has (i64.const 0x100000000)"
              " (i32.const 0) (i32.const 5))))"
              "(f64.store offset=8 (local.get $odata) (call $score (i64.const 0x100000000)))");
    assert_int_equal(load(f, WAT, &f64_to_f64, 1), QD_OK);
    assert_int_equal(fixture_run(f, 2), QD_OK);
    const double *out = qd_instance_results(f->instance);
    assert_true(out[0] == 0 && out[1] != out[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_batch__a_block__has_results),
        TEST(test_batch__part_of_a_block__leaves_the_rest_alone),
        TEST(test_batch__descriptors__say_what_lies_there),
        TEST(test_batch__constants__are_laid_out_in_full),
        TEST(test_batch__function_clears_validity__rows_have_no_result),
        TEST(test_batch__descriptors_overwritten__hurt_nobody),
        TEST(test_batch__trap__names_the_first_row_of_the_run),
        TEST(test_batch__strings__lie_in_the_area),
        TEST(test_batch__string_results__are_checked),
        TEST(test_batch__string_results__are_bounded),
        TEST(test_batch__no_exported_memory__is_refused),
        TEST(test_batch__memory_limit__counts_what_is_laid_there),
        TEST(test_batch__quidditch_alloc__gives_the_place),
        TEST(test_batch__host_functions_by_context__answer_stale),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
