/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields by handle: answered inside the sandbox from columns, or by the host where there is none. */
#include "fixture.h"

#include <stdio.h>

#include "wasm/columns.h"

/* "price" at 0, "stock" at 8, "flag" at 16, "name" at 24, "extra" at 32, "nothing" at 40. */
#define IMPORTS                                                                                                        \
    "(module (import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"                            \
    "(import \"env\" \"field_f64\" (func $f64 (param i32) (result f64)))"                                              \
    "(import \"env\" \"field_i64\" (func $i64 (param i32) (result i64)))"                                              \
    "(import \"env\" \"field_valid\" (func $valid (param i32) (result i32)))"                                          \
    "(import \"env\" \"score\" (func $score (result f64)))"                                                            \
    "(import \"env\" \"field_string\" (func $string (param i32 i32 i32) (result i32)))"                                \
    "(import \"env\" \"field_count\" (func $count (param i32) (result i32)))"                                          \
    "(import \"env\" \"field_f64_at\" (func $f64_at (param i32 i32 i32) (result i32)))"                                \
    "(memory (export \"memory\") 1) (global $h (mut i32) (i32.const -1))"                                              \
    "(data (i32.const 0) \"price\") (data (i32.const 8) \"stock\") (data (i32.const 16) \"flag\")"                     \
    "(data (i32.const 24) \"name\") (data (i32.const 32) \"extra\") (data (i32.const 40) \"nothing\")"
#define INITIALIZE(at, n)                                                                                              \
    "(func (export \"_initialize\") (global.set $h (call $handle (i32.const " at ") (i32.const " n "))))"
#define BODY(type, code) "(func (export \"f\") (param $c i64) (result " type ") " code "))"

static const void *run(fixture *f, const char *wat, uint32_t n)
{
    if (fixture_load(f, wat, QD_SHAPE_HANDLE, 0, NULL) || fixture_run(f, n))
        fail_msg("%s", f->err.message);
    return qd_instance_results(f->instance);
}

static void test_handle__numbers__are_those_of_each_row(void **state)
{
    fixture *f = *state;
    const double *price = run(f, IMPORTS INITIALIZE("0", "5") BODY("f64", "(call $f64 (global.get $h))"), 100);
    for (uint32_t row = 0; row < 100; row++)
        assert_true(price[row] == (row % 7 == 3 ? 0 : 1.5 * row));
    assert_true(f->n_blocks == 1);
    assert_int_equal(qd_instance_host_calls(f->instance), 1); /* field_handle, and nothing per document */
    fixture_reset(state);
    const int64_t *stock = run(f, IMPORTS INITIALIZE("8", "5") BODY("i64", "(call $i64 (global.get $h))"), 100);
    for (uint32_t row = 0; row < 100; row++)
        assert_int_equal(stock[row], 10 * row);
}

static void test_handle__other_type__converts(void **state)
{
    fixture *f = *state;
    const double *stock = run(f, IMPORTS INITIALIZE("8", "5") BODY("f64", "(call $f64 (global.get $h))"), 9);
    assert_true(stock[8] == 80);
    fixture_reset(state);
    const int64_t *price = run(f, IMPORTS INITIALIZE("0", "5") BODY("i64", "(call $i64 (global.get $h))"), 9);
    assert_int_equal(price[1], 1);
    assert_int_equal(price[5], 7);
    fixture_reset(state);
    const int64_t *flag = run(f, IMPORTS INITIALIZE("16", "4") BODY("i64", "(call $i64 (global.get $h))"), 9);
    assert_int_equal(flag[4], 0);
    assert_int_equal(flag[5], 1);
}

static void test_handle__validity__tells_missing_from_zero(void **state)
{
    fixture *f = *state;
    const int32_t *price = run(f, IMPORTS INITIALIZE("0", "5") BODY("i32", "(call $valid (global.get $h))"), 20);
    for (uint32_t row = 0; row < 20; row++)
        assert_int_equal(price[row], row % 7 != 3);
    fixture_reset(state);
    const int32_t *nothing = run(f, IMPORTS INITIALIZE("40", "7") BODY("i32", "(call $valid (global.get $h))"), 20);
    for (uint32_t row = 0; row < 20; row++)
        assert_int_equal(nothing[row], 0);
    fixture_reset(state); /* a string is no number */
    const int32_t *name = run(f, IMPORTS INITIALIZE("24", "4") BODY("i32", "(call $valid (global.get $h))"), 20);
    assert_int_equal(name[1], 0);
}

static void test_handle__no_column__is_laid_down_by_value(void **state)
{
    fixture *f = *state;
    const double *extra = run(f, IMPORTS INITIALIZE("32", "5") BODY("f64", "(call $f64 (global.get $h))"), 2048);
    assert_true(extra[0] == 1000 && extra[2047] == 3047);
    assert_int_equal(fixture_run(f, 10), QD_OK);
    assert_true(extra[9] == 1009);
}

static bool mixed_value(void *arg, int slot, uint32_t row, qd_value *out)
{
    (void)arg;
    (void)slot;
    *out =
        row % 2 ? (qd_value){.type = QD_F64, .as.f = row + 0.5} : (qd_value){.type = QD_I64, .as.i = INT64_MAX - row};
    return row != 6;
}

/* Both forms of each value are exact, whatever its neighbours are. */
static void test_handle__integers_and_fractions_in_one_field__are_both_exact(void **state)
{
    static const char BOTH[] =
        IMPORTS INITIALIZE("32", "5") BODY("i64", "(i64.sub (call $i64 (global.get $h))"
                                                  " (i64.trunc_sat_f64_s (f64.mul (f64.const 0.5)"
                                                  "  (call $f64 (global.get $h)))))");
    fixture *f = *state;
    const qd_doc_source docs = f->docs;
    f->docs.value = mixed_value;
    const int64_t *out = run(f, BOTH, 9);
    assert_true(out[0] == INT64_MAX - (1ll << 62) && out[4] == INT64_MAX - 4 - (1ll << 62));
    assert_true(out[5] == 5 - 2 && out[6] == 0 && out[7] == 7 - 3);
    f->docs = docs;
}

static void test_handle__first_document__sees_the_block(void **state)
{
    fixture *f = *state;
    const double *out = run(f,
                            IMPORTS BODY("f64", "(if (i32.lt_s (global.get $h) (i32.const 0))"
                                                " (then (global.set $h (call $handle (i32.const 0) (i32.const 5)))))"
                                                "(call $f64 (global.get $h))"),
                            10);
    assert_true(out[0] == 0 && out[1] == 1.5 && out[3] == 0 && out[9] == 13.5);
}

static void test_handle__bad_ones__read_as_missing(void **state)
{
    fixture *f = *state;
    static const char *const handles[] = {"-1", "1", "63", "64", "2147483647", "-2147483648"};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        char wat[4096];
        snprintf(wat, sizeof wat,
                 "%s(func (export \"f\") (param i64) (result f64) (f64.add (call $f64 (i32.const %s)) (f64.add"
                 " (f64.convert_i64_s (call $i64 (i32.const %s))) (f64.add (f64.convert_i32_s (call $valid"
                 " (i32.const %s))) (f64.convert_i32_s (call $count (i32.const %s)))))))) ",
                 IMPORTS INITIALIZE("8", "5"), handles[i], handles[i], handles[i], handles[i]);
        const double *out = run(f, wat, 3);
        assert_true(out[2] == 0);
        fixture_reset(state);
    }
}

static void test_handle__names_outside_memory__have_none(void **state)
{
    fixture *f = *state;
    const int32_t *out =
        run(f,
            IMPORTS BODY("i32", "(call $handle (i32.const 65533) (i32.const 5)) (call $handle (i32.const -1)"
                                " (i32.const -1)) (call $handle (i32.const 0) (i32.const 2000)) i32.add i32.add"),
            1);
    assert_int_equal(out[0], -3);
}

static void test_handle__same_name__has_one_and_65_are_too_many(void **state)
{
    fixture *f = *state;
    const int32_t *out = run(f,
                             IMPORTS BODY("i32", "(drop (call $handle (i32.const 0) (i32.const 5)))"
                                                 "(drop (call $handle (i32.const 8) (i32.const 5)))"
                                                 "(call $handle (i32.const 0) (i32.const 5))"),
                             70);
    assert_int_equal(out[69], 0);
    fixture_reset(state);
    /* Every path of another length is another field here. */
    f->has_a_slot_per_name = true;
    const int32_t *many = run(f,
                              IMPORTS BODY("i32", "(call $handle (i32.const 1024) (i32.add (i32.const 1)"
                                                  " (i32.wrap_i64 (i64.and (local.get $c) (i64.const 127)))))"),
                              70);
    assert_int_equal(many[63], 63);
    assert_int_equal(many[64], -1);
    assert_int_equal(many[69], -1);
}

static void test_handle__score__is_the_rows(void **state)
{
    fixture *f = *state;
    const double *out = run(f, IMPORTS BODY("f64", "(call $score)"), 100);
    for (uint32_t row = 0; row < 100; row++)
        assert_true(out[row] == row / 4.0);
    fixture_reset(state);
    f->call.scores = NULL;
    out = run(f, IMPORTS BODY("f64", "(call $score)"), 3);
    assert_true(out[2] == 0);
}

static void test_handle__strings_and_values__are_asked_for(void **state)
{
    fixture *f = *state;
    const int32_t *length =
        run(f,
            IMPORTS INITIALIZE("24", "4") BODY("i32", "(i32.store (i32.const 100) (i32.const 16)) (i32.add (i32.mul"
                                                      " (call $string (global.get $h) (i32.const 104) (i32.const 100))"
                                                      " (i32.const 1000)) (i32.load (i32.const 100)))"),
            12);
    assert_int_equal(length[3], 4);
    assert_int_equal(length[11], 5);
    fixture_reset(state);
    const int32_t *at =
        run(f,
            IMPORTS INITIALIZE("0", "5") BODY("i32", "(i32.add (i32.mul (call $count (global.get $h)) (i32.const 100))"
                                                     " (i32.add (i32.mul (i32.const 10) (call $f64_at (global.get $h)"
                                                     " (i32.const 0) (i32.const 200))) (call $f64_at (global.get $h)"
                                                     " (i32.const 1) (i32.const 200))))"),
            4);
    assert_int_equal(at[1], 101); /* one value: the first is there, the second is missing */
    assert_int_equal(at[3], 11);  /* none */
}

static void test_handle__without_permission__is_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_compile(f, IMPORTS BODY("f64", "(call $score)"), QD_PERM_READ_DOCUMENT),
                     QD_EUDF_PERMISSION);
    assert_message_has(f, "import 'env.score' needs the permission 'read_score'");
    assert_int_equal(fixture_compile(f, IMPORTS BODY("f64", "(call $score)"), QD_PERM_READ_SCORE), QD_EUDF_PERMISSION);
    assert_message_has(f, "import 'env.field_handle' needs the permission 'read_document'");
}

/* Other shapes have no current document to read from. */
static void test_handle__typed_shape__reads_nothing(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  IMPORTS INITIALIZE("8", "5") "(func (export \"f\") (param f64) (result f64)"
                                                               " (f64.add (local.get 0) (call $f64 (global.get $h)))))",
                                  QD_SHAPE_TYPED, 1, NULL),
                     QD_OK);
    double *column = qd_instance_column(f->instance, 0);
    for (int row = 0; row < 8; row++)
        column[row] = row + 0.5;
    assert_int_equal(fixture_run(f, 8), QD_OK);
    const double *out = qd_instance_results(f->instance);
    assert_true(out[7] == 7.5);
}

/* Neither when it asks in the midst of a call: rows of the typed shape are not the block's where some are left out. */
static void test_handle__typed_shape_asks_in_a_call__reads_nothing(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_load(f,
                                  IMPORTS "(func (export \"f\") (param f64) (result f64) (local $h i32)"
                                          " (local.set $h (call $handle (i32.const 8) (i32.const 5)))"
                                          " (f64.add (local.get 0) (call $f64 (local.get $h)))))",
                                  QD_SHAPE_TYPED, 1, NULL),
                     QD_OK);
    double *column = qd_instance_column(f->instance, 0);
    for (int row = 0; row < 8; row++)
        column[row] = row + 0.5;
    assert_int_equal(fixture_run(f, 8), QD_OK);
    const double *out = qd_instance_results(f->instance);
    for (int row = 0; row < 8; row++)
        assert_true(out[row] == row + 0.5);
}

static void test_handle__next_query__finds_nothing_of_this_one(void **state)
{
    fixture *f = *state;
    static const char WAT[] = IMPORTS "(func (export \"f\") (param i64) (result f64) (f64.add (call $f64 (i32.const 0))"
                                      " (call $score))))";
    assert_int_equal(fixture_load(f, IMPORTS INITIALIZE("8", "5") BODY("f64", "(call $f64 (global.get $h))"),
                                  QD_SHAPE_HANDLE, 0, NULL),
                     QD_OK);
    assert_int_equal(fixture_run(f, 2048), QD_OK);
    for (int round = 0; round < 4; round++) {
        fixture_reset(state);
        f->call.scores = NULL;
        const double *out = run(f, WAT, 2048);
        for (uint32_t row = 0; row < 2048; row++)
            assert_true(out[row] == 0);
    }
}

static void test_columns__layout__has_room_for_the_largest_driver(void **state)
{
    (void)state;
    qd_wasm_signature s = {.n_params = 64, .n_results = 1, .result = QD_WASM_F64};
    for (int i = 0; i < 64; i++)
        s.params[i] = QD_WASM_F64;
    const qd_driver_spec spec = {.shape = QD_SHAPE_TYPED, .imports_cols = true, .varying = UINT64_MAX, .signature = &s};
    qd_driver columns = {0}, driver = {0};
    qd_buf code;
    qd_buf_init(&code, 1 << 20);
    assert_true(qd_driver_generate(&spec, &driver, &code));
    qd_buf_clear(&code);
    assert_true(qd_columns_generate(&columns, &code));
    assert_true(driver.memory_bytes <= columns.memory_bytes);
    assert_int_equal(driver.results, QD_COLS_RESULTS);
    assert_true(driver.results + QD_BLOCK_DOCS * sizeof(double) <= QD_COLS_SCORES);
    assert_int_equal(driver.columns[0], QD_COLS_DRIVER);
    qd_buf_deinit(&code);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_handle__numbers__are_those_of_each_row),
        TEST(test_handle__other_type__converts),
        TEST(test_handle__validity__tells_missing_from_zero),
        TEST(test_handle__no_column__is_laid_down_by_value),
        TEST(test_handle__integers_and_fractions_in_one_field__are_both_exact),
        TEST(test_handle__first_document__sees_the_block),
        TEST(test_handle__bad_ones__read_as_missing),
        TEST(test_handle__names_outside_memory__have_none),
        TEST(test_handle__same_name__has_one_and_65_are_too_many),
        TEST(test_handle__score__is_the_rows),
        TEST(test_handle__strings_and_values__are_asked_for),
        TEST(test_handle__without_permission__is_refused),
        TEST(test_handle__typed_shape__reads_nothing),
        TEST(test_handle__typed_shape_asks_in_a_call__reads_nothing),
        TEST(test_handle__next_query__finds_nothing_of_this_one),
        TEST(test_columns__layout__has_room_for_the_largest_driver),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
