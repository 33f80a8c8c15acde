/* SPDX-License-Identifier: Apache-2.0
 *
 * The row shape and the host functions: what they answer, and what they do with addresses outside the guest's memory.
 */
#include "fixture.h"

#include <math.h>
#include <stdio.h>

/* A guest with all of the host functions as $name, a page of memory, names at fixed places, and `body` as f(ctx). */
#define IMPORT(name, type) "(import \"env\" \"" name "\" (func $" name " (param " type ") (result i32)))"
#define WASI_IMPORT(name, type)                                                                                        \
    "(import \"wasi_snapshot_preview1\" \"" name "\" (func $" name " (param " type ") (result i32)))"
#define GUEST(result, body)                                                                                            \
    "(module" IMPORT("has_field", "i64 i32 i32") IMPORT("get_field_string", "i64 i32 i32 i32 i32") IMPORT(             \
        "get_field_i64", "i64 i32 i32 i32") IMPORT("get_field_int64", "i64 i32 i32 i32")                               \
        IMPORT("get_field_f64", "i64 i32 i32 i32") IMPORT("get_field_float64", "i64 i32 i32 i32") IMPORT(              \
            "get_field_bool", "i64 i32 i32 i32") IMPORT("get_document_id", "i64 i32 i32")                              \
            IMPORT("get_param_string", "i32 i32 i32 i32") IMPORT("get_param_i64", "i32 i32 i32") IMPORT(               \
                "get_param_f64", "i32 i32 i32") IMPORT("get_param_bool", "i32 i32 i32") IMPORT("log", "i32 i32 i32")   \
                WASI_IMPORT("fd_write", "i32 i32 i32 i32") WASI_IMPORT("random_get", "i32 i32") WASI_IMPORT(           \
                    "clock_time_get", "i32 i64 i32") WASI_IMPORT("environ_sizes_get", "i32 i32")                       \
                    WASI_IMPORT(                                                                                       \
                        "fd_prestat_get",                                                                              \
                        "i32 i32") "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))"   \
                                   "(import \"env\" \"get_score\" (func $get_score (param i64) (result f64)))"         \
                                   "(memory (export \"memory\") 1)"                                                    \
                                   "(data (i32.const 0) \"price\") (data (i32.const 8) \"stock\")"                     \
                                   "(data (i32.const 16) \"flag\") (data (i32.const 24) \"name\")"                     \
                                   "(data (i32.const 32) \"extra\") (data (i32.const 40) \"huge\")"                    \
                                   "(data (i32.const 48) \"nothing\") (data (i32.const 56) \"target\")"                \
                                   "(data (i32.const 64) \"boost\") (data (i32.const 72) \"limit\")"                   \
                                   "(data (i32.const 80) \"fuzzy\") (data (i32.const 88) \"one.too.many\")"            \
                                   "(func (export \"f\") (param $c i64) (result " result ") (local $t i32)" body "))"

static const int32_t *run_i32(fixture *f, const char *wat, uint32_t n)
{
    fixture_row(f, wat);
    if (fixture_run(f, n))
        fail_msg("%s", f->err.message);
    return qd_instance_results(f->instance);
}

static const double *run_f64(fixture *f, const char *wat, uint32_t n)
{
    return (const double *)(const void *)run_i32(f, wat, n);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

#define READ_F64_OR_CODE(call)                                                                                         \
    "(local.set $t " call ") (if (result f64) (local.get $t) (then (f64.neg (f64.convert_i32_s (local.get $t))))"      \
    " (else (f64.load (i32.const 200))))"

static void test_get_field_f64__column__gives_values_and_missing(void **state)
{
    fixture *f = *state;
    const double *out = run_f64(
        f,
        GUEST("f64",
              READ_F64_OR_CODE("(call $get_field_f64 (local.get $c) (i32.const 0) (i32.const 5) (i32.const 200))")),
        QD_BLOCK_DOCS);
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++)
        assert_true(out[row] == (row % 7 == 3 ? -1 : 1.5 * row));
    assert_int_equal(f->n_blocks, 1); /* fetched once for the block */
    assert_int_equal(f->n_values, 1); /* to learn its type */
    assert_int_equal(qd_instance_host_calls(f->instance), QD_BLOCK_DOCS);
    assert_int_equal(fixture_run(f, 10), QD_OK); /* the next block is another */
    assert_int_equal(f->n_blocks, 2);
}

static void test_get_field_f64__integer_column__converts(void **state)
{
    fixture *f = *state;
    const double *out = run_f64(
        f,
        GUEST("f64",
              READ_F64_OR_CODE("(call $get_field_float64 (local.get $c) (i32.const 8) (i32.const 5) (i32.const 200))")),
        100);
    for (uint32_t row = 0; row < 100; row++)
        assert_true(out[row] == 10.0 * row);
}

static void test_get_field_f64__without_column__reads_each_value(void **state)
{
    fixture *f = *state;
    const double *out = run_f64(
        f,
        GUEST("f64",
              READ_F64_OR_CODE("(call $get_field_f64 (local.get $c) (i32.const 32) (i32.const 5) (i32.const 200))")),
        100);
    for (uint32_t row = 0; row < 100; row++)
        assert_true(out[row] == 1000.0 + row);
    assert_int_equal(f->n_values, 100);
    assert_int_equal(f->n_blocks, 0);
}

#define CODE_OF(function, at, length)                                                                                  \
    GUEST("i32", "(call $" function " (local.get $c) (i32.const " #at ") (i32.const " #length ") (i32.const 200))")

static void test_readers__wrong_type__is_told(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *wat;
        int expected;
    } cases[] = {
        {CODE_OF("get_field_f64", 24, 4), 2},  {CODE_OF("get_field_i64", 24, 4), 2},
        {CODE_OF("get_field_bool", 24, 4), 2}, {CODE_OF("get_field_i64", 16, 4), 2},
        {CODE_OF("get_field_f64", 16, 4), 2},  {CODE_OF("get_field_bool", 0, 5), 2},
        {CODE_OF("get_field_i64", 40, 4), 2},  {CODE_OF("get_field_f64", 40, 4), 0},
        {CODE_OF("get_field_bool", 16, 4), 0}, {CODE_OF("get_field_f64", 48, 7), 1},
        {CODE_OF("get_field_i64", 48, 7), 1},  {CODE_OF("get_field_bool", 48, 7), 1},
        {CODE_OF("get_field_i64", 0, 0), 1},   {CODE_OF("get_field_int64", 0, 5), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int32_t *out = run_i32(f, cases[i].wat, 3);
        for (int row = 0; row < 3; row++)
            if (out[row] != cases[i].expected)
                fail_msg("case %zu, row %d: %d, expected %d", i, row, out[row], cases[i].expected);
        fixture_reset(state);
    }
}

static void test_get_field_i64__fraction__is_cut(void **state)
{
    fixture *f = *state;
    const int32_t *out =
        run_i32(f,
                GUEST("i32", "(drop (call $get_field_i64 (local.get $c) (i32.const 0) (i32.const 5) (i32.const 200)))"
                             "(i32.wrap_i64 (i64.load (i32.const 200)))"),
                3);
    assert_int_equal(out[1], 1);
    assert_int_equal(out[2], 3);
}

static void test_get_field_bool__writes_four_bytes(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST("i32", "(i64.store (i32.const 200) (i64.const -1))"
                     "(drop (call $get_field_bool (local.get $c) (i32.const 16) (i32.const 4) (i32.const 200)))"
                     "(i32.add (i32.load (i32.const 200)) (i32.mul (i32.const 10) (i32.load (i32.const 204))))"),
        4);
    const int32_t expected[] = {-10, -9, -10, -9};
    assert_memory_equal(out, expected, sizeof expected);
}

static void test_has_field__tells_presence(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST("i32", "(i32.add (call $has_field (local.get $c) (i32.const 0) (i32.const 5))"
                     "(i32.add (i32.mul (i32.const 10) (call $has_field (local.get $c) (i32.const 48) (i32.const 7)))"
                     "(i32.mul (i32.const 100) (call $has_field (local.get $c) (i32.const 24) (i32.const 4)))))"),
        8);
    for (int row = 0; row < 8; row++)
        assert_int_equal(out[row], 100 + (row != 3));
}

static void test_readers__name_changed_in_place__is_noticed(void **state)
{
    fixture *f = *state;
    /* Reads "stock", then writes "extra" over it and reads again. */
    const int32_t *out =
        run_i32(f,
                GUEST("i32", "(i64.store (i32.const 300) (i64.load (i32.const 8)))"
                             "(drop (call $get_field_i64 (local.get $c) (i32.const 300) (i32.const 5) (i32.const 200)))"
                             "(i64.store (i32.const 300) (i64.load (i32.const 32)))"
                             "(drop (call $get_field_i64 (local.get $c) (i32.const 300) (i32.const 5) (i32.const 208)))"
                             "(i32.add (i32.load (i32.const 200)) (i32.load (i32.const 208)))"),
                20);
    for (int row = 0; row < 20; row++)
        assert_int_equal(out[row], 10 * row + 1000 + row);
}

static void test_readers__too_many_fields__fails_the_run(void **state)
{
    fixture *f = *state;
    fixture_row(f, CODE_OF("get_field_i64", 88, 12));
    assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
    assert_message_has(f, "the function asks for too many different fields at f (func 20");
}

/* ---- strings ---------------------------------------------------------------------------------------------------- */

/* Capacity `capacity`; gives code * 1000 + length after, and checks the first byte in row 12: "doc12". */
#define READ_STRING(call, capacity)                                                                                    \
    GUEST("i32", "(i32.store (i32.const 196) (i32.const " #capacity ")) (local.set $t " call ")"                       \
                 "(i32.add (i32.mul (local.get $t) (i32.const 1000)) (i32.load (i32.const 196)))")

static void test_get_field_string__fits__copies_and_gives_length(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST("i32", "(i32.store (i32.const 196) (i32.const 5))"
                     "(local.set $t (call $get_field_string (local.get $c) (i32.const 24) (i32.const 4) (i32.const 200)"
                     " (i32.const 196)))"
                     "(i32.add (i32.mul (i32.const 100) (i32.load (i32.const 196))) (i32.load8_u (i32.const 203)))"),
        QD_BLOCK_DOCS);
    assert_int_equal(out[7], 400 + '7');
    assert_int_equal(out[12], 500 + '1');
}

static void test_get_field_string__too_small__gives_needed_length_and_writes_nothing(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST("i32", "(i32.store (i32.const 196) (i32.const 3))"
                     "(local.set $t (call $get_field_string (local.get $c) (i32.const 24) (i32.const 4) (i32.const 200)"
                     " (i32.const 196)))"
                     "(i32.add (i32.mul (i32.const 100) (local.get $t))"
                     " (i32.add (i32.mul (i32.const 10) (i32.load (i32.const 196))) (i32.load (i32.const 200))))"),
        2);
    assert_int_equal(out[1], 300 + 40 + 0);
}

static void test_get_document_id__gives_id_or_missing(void **state)
{
    fixture *f = *state;
    const int32_t *out =
        run_i32(f, READ_STRING("(call $get_document_id (local.get $c) (i32.const 200) (i32.const 196))", 64), 8);
    assert_int_equal(out[4], 3);
    assert_int_equal(out[5], 1064); /* the fixture has no id for row 5 */
}

/* ---- score, parameters, log ------------------------------------------------------------------------------------- */

static void test_get_score__gives_the_rows_score(void **state)
{
    fixture *f = *state;
    const double *out = run_f64(f, GUEST("f64", "(call $get_score (local.get $c))"), 100);
    for (int row = 0; row < 100; row++)
        assert_true(out[row] == row / 4.0);
    f->call.scores = NULL;
    assert_int_equal(fixture_run(f, 2), QD_OK);
    assert_true(out[1] == 0);
}

static void test_get_param__every_type(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST(
            "i32",
            "(drop (call $get_param_i64 (i32.const 72) (i32.const 5) (i32.const 200)))"
            "(drop (call $get_param_f64 (i32.const 64) (i32.const 5) (i32.const 208)))"
            "(drop (call $get_param_bool (i32.const 80) (i32.const 5) (i32.const 216)))"
            "(i32.store (i32.const 220) (i32.const 64))"
            "(drop (call $get_param_string (i32.const 56) (i32.const 6) (i32.const 224) (i32.const 220)))"
            "(i32.add (i32.add (i32.load (i32.const 200)) (i32.trunc_f64_s (f64.mul (f64.const 2) (f64.load (i32.const "
            "208)))))"
            " (i32.add (i32.mul (i32.const 1000) (i32.load (i32.const 216))) (i32.mul (i32.const 10000) (i32.load "
            "(i32.const 220)))))"),
        2);
    assert_int_equal(out[0], 42 + 5 + 1000 + 100000);
    assert_int_equal(out[1], 43 + 5 + 1000 + 100000);
}

static void test_get_param__missing_and_wrong_type(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST(
            "i32",
            "(i32.add (call $get_param_i64 (i32.const 48) (i32.const 7) (i32.const 200))" /* 1 */
            "(i32.add (i32.mul (i32.const 10) (call $get_param_f64 (i32.const 56) (i32.const 6) (i32.const 200)))" /* 2
                                                                                                                    */
            "(i32.mul (i32.const 100) (call $get_param_bool (i32.const 64) (i32.const 5) (i32.const 200)))))"), /* 2 */
        1);
    assert_int_equal(out[0], 221);
}

static void test_log__passes_level_and_message(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(f, GUEST("i32", "(call $log (i32.const 3) (i32.const 56) (i32.const 6))"), 2);
    assert_int_equal(out[1], 0);
    assert_int_equal(f->n_logs, 2);
    assert_int_equal(f->last_level, 3);
    assert_string_equal(f->last_log, "target");
}

static void test_log__flood__is_cut_with_one_note_per_run(void **state)
{
    fixture *f = *state;
    fixture_row(f, GUEST("i32", "(call $log (i32.const 9) (i32.const 0) (i32.const 1000))"));
    for (unsigned run = 1; run <= 2; run++) {
        assert_int_equal(fixture_run(f, 500), QD_OK);
        assert_int_equal(f->n_logs, run * (65536 / 1016 + 1));
        assert_string_equal(f->last_log, "log limit of 65536 bytes reached: the rest is dropped");
        assert_int_equal(f->last_level, 2);
    }
    fixture_reset(state); /* empty messages end too */
    fixture_row(
        f, GUEST("i32", "(loop $l (drop (call $log (i32.const 0) (i32.const 0) (i32.const 0)))"
                        "(br_if $l (i32.lt_u (local.tee $t (i32.add (local.get $t) (i32.const 1))) (i32.const 99999))))"
                        "(i32.const 1)"));
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_int_equal(f->n_logs, 65536 / 16 + 1);
}

#define AT_ROW(n, what)  "(if (i32.eq (i32.wrap_i64 (local.get $c)) (i32.const " n ")) (then " what "))"
#define LOG_ERROR(at, n) "(drop (call $log (i32.const 3) (i32.const " at ") (i32.const " n ")))"

/* The message after "it logged: ", of a function that traps at row 3; NULL: none. */
static const char *logged(fixture *f, const char *wat)
{
    fixture_reset((void **)&f);
    fixture_row(f, wat);
    f->call.log = NULL; /* remembered all the same */
    assert_int_equal(fixture_run(f, 10), QD_EUDF_FAILED);
    assert_int_equal(f->failure.row, 3);
    assert_message_has(f, "trap: unreachable executed at f (func 20, offset 0x");
    const char *at = strstr(f->err.message, "; it logged: ");
    return at ? at + strlen("; it logged: ") : NULL;
}

static void test_log__error_before_a_trap__is_told(void **state)
{
    fixture *f = *state;
    assert_string_equal(
        logged(f, GUEST("i32", AT_ROW("3", LOG_ERROR("64", "5") LOG_ERROR("56", "6") "unreachable") "i32.const 1")),
        "'target'");
    /* Neither what was logged at another document, nor what is no error, nor nothing. */
    assert_null(logged(f, GUEST("i32", AT_ROW("2", LOG_ERROR("56", "6")) AT_ROW("3", "unreachable") "i32.const 1")));
    assert_null(logged(
        f,
        GUEST("i32",
              AT_ROW("3", "(drop (call $log (i32.const 2) (i32.const 56) (i32.const 6))) unreachable") "i32.const 1")));
    assert_null(logged(f, GUEST("i32", AT_ROW("3", LOG_ERROR("56", "0") "unreachable") "i32.const 1")));
}

static void test_log__error_of_any_bytes__is_told_as_text_on_one_line(void **state)
{
    fixture *f = *state;
    /* "a", line feed, escape, 0xff, e acute, C1 control, "b" */
    assert_string_equal(logged(f, GUEST("i32", AT_ROW("3", "(i64.store (i32.const 200) (i64.const 0x9bc2a9c3ff1b0a61))"
                                                           "(i32.store8 (i32.const 208) (i32.const 98))" LOG_ERROR(
                                                               "200", "9") "unreachable") "i32.const 1")),
                        "'a ??\xc3\xa9?b'");
    /* Cut through a character: 127 zeros, then an e acute. */
    const char *text = logged(f, GUEST("i32", AT_ROW("3", "(i32.store16 (i32.const 1127) (i32.const 0xa9c3))" LOG_ERROR(
                                                              "1000", "64000") "unreachable") "i32.const 1"));
    assert_int_equal(strlen(text), 127 + strlen("'\xe2\x80\xa6'"));
    assert_string_equal(text + 127, "?\xe2\x80\xa6'");
}

static void test_log__error_in_a_start_function__is_told(void **state)
{
    fixture *f = *state;
    static const char wat[] = "(module (import \"env\" \"log\" (func $log (param i32 i32 i32)))"
                              "(memory (export \"memory\") 1) (data (i32.const 0) \"no luck\") (start $s)"
                              "(func $s (call $log (i32.const 3) (i32.const 0) (i32.const 7)) unreachable)"
                              "(func (export \"f\") (param i64) (result i32) (i32.const 1)))";
    assert_int_equal(fixture_load(f, wat, QD_SHAPE_ROW, 0, &(qd_wasm_limits)QD_WASM_LIMITS_INIT), QD_EUDF_FAILED);
    assert_message_has(f, "; it logged: 'no luck'");
}

/* ---- WASI ------------------------------------------------------------------------------------------------------- */

static void test_wasi__fd_write__goes_to_the_log(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST("i32", "(i32.store (i32.const 300) (i32.const 56)) (i32.store (i32.const 304) (i32.const 6))"
                     "(i32.store (i32.const 308) (i32.const 64)) (i32.store (i32.const 312) (i32.const 5))"
                     "(local.set $t (call $fd_write (i32.const 2) (i32.const 300) (i32.const 2) (i32.const 320)))"
                     "(i32.add (i32.mul (i32.const 100) (local.get $t)) (i32.load (i32.const 320)))"),
        1);
    assert_int_equal(out[0], 11);
    assert_int_equal(f->n_logs, 2);
    assert_string_equal(f->last_log, "boost");
    assert_int_equal(f->last_level, 2);
}

/* Pages of line ends, of which a log that holds less looks at none. */
static void test_wasi__fd_write_of_more_than_the_log_holds__is_not_looked_at(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST("i32",
              "(drop (memory.grow (i32.const 2))) (memory.fill (i32.const 65536) (i32.const 10) (i32.const 65537))"
              "(i32.store (i32.const 300) (i32.const 65536)) (i32.store (i32.const 304) (i32.const 65537))"
              "(local.set $t (call $fd_write (i32.const 1) (i32.const 300) (i32.const 1) (i32.const 320)))"
              "(i32.add (local.get $t) (i32.load (i32.const 320)))"),
        1);
    assert_int_equal(out[0], 65537);
    assert_int_equal(f->n_logs, 1);
    assert_string_equal(f->last_log, "log limit of 65536 bytes reached: the rest is dropped");
}

static void test_wasi__proc_exit__fails_the_run(void **state)
{
    fixture *f = *state;
    fixture_row(f, GUEST("i32", "(call $proc_exit (i32.const 7)) (i32.const 1)"));
    assert_int_equal(fixture_run(f, 1), QD_EUDF_FAILED);
    assert_message_has(f, "the function ended its process with proc_exit(7) at f (func 20, offset 0x");
}

#define RANDOM_AND_CLOCK                                                                                               \
    GUEST("i32", "(drop (call $random_get (i32.const 200) (i32.const 4)))"                                             \
                 "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 208)))"                           \
                 "(i32.xor (i32.load (i32.const 200)) (i32.load (i32.const 212)))")

static void test_wasi__random_and_clock__are_constant_without_permission(void **state)
{
    fixture *f = *state;
    int32_t first[3];
    for (int round = 0; round < 2; round++) {
        assert_int_equal(fixture_compile(f, RANDOM_AND_CLOCK, ALL_PERMISSIONS & ~(QD_PERM_RANDOM | QD_PERM_CLOCK)),
                         QD_OK);
        assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "r@1.0.0"), QD_OK);
        assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
        assert_int_equal(fixture_run(f, 3), QD_OK);
        if (round == 0)
            memcpy(first, qd_instance_results(f->instance), sizeof first);
        else
            assert_memory_equal(first, qd_instance_results(f->instance), sizeof first);
        fixture_reset(state);
    }
    const int32_t *out = run_i32(f, RANDOM_AND_CLOCK, 3);
    assert_memory_not_equal(first, out, sizeof first);
}

/* Runtimes such as Go's refuse to start with a clock that stands at 0. */
static void test_wasi__clock__counts_its_reads_without_permission(void **state)
{
    fixture *f = *state;
    assert_int_equal(fixture_compile(f,
                                     GUEST("i32", "(drop (call $clock_time_get (i32.const 1) (i64.const 0)"
                                                  " (i32.const 208))) (i32.wrap_i64 (i64.load (i32.const 208)))"),
                                     ALL_PERMISSIONS & ~QD_PERM_CLOCK),
                     QD_OK);
    assert_int_equal(fixture_program(f, QD_SHAPE_ROW, NULL, "c@1.0.0"), QD_OK);
    assert_int_equal(qd_instance_acquire(f->program, 0, &f->call, &f->instance, &f->err), QD_OK);
    assert_int_equal(fixture_run(f, 3), QD_OK);
    const int32_t *out = qd_instance_results(f->instance);
    for (int32_t row = 0; row < 3; row++)
        assert_int_equal(out[row], row + 1);
}

static void test_wasi__environment_and_directories__are_empty(void **state)
{
    fixture *f = *state;
    const int32_t *out =
        run_i32(f,
                GUEST("i32", "(i64.store (i32.const 200) (i64.const -1))"
                             "(local.set $t (call $environ_sizes_get (i32.const 200) (i32.const 204)))"
                             "(i32.add (i32.add (local.get $t) (i32.wrap_i64 (i64.load (i32.const 200))))"
                             " (call $fd_prestat_get (i32.const 3) (i32.const 200)))"),
                1);
    assert_int_equal(out[0], 8); /* EBADF */
}

/* ---- hostile arguments ------------------------------------------------------------------------------------------ */

static void test_bad_addresses__answer_3_everywhere(void **state)
{
    fixture *f = *state;
    /* 65536 bytes of memory; each call has one address or length that leaves it, most by way of an overflow. */
    static const char *const calls[] = {
        "(call $get_field_i64 (local.get $c) (i32.const 65533) (i32.const 5) (i32.const 200))",
        "(call $get_field_i64 (local.get $c) (i32.const -1) (i32.const 5) (i32.const 200))",
        "(call $get_field_i64 (local.get $c) (i32.const 0) (i32.const -1) (i32.const 200))",
        "(call $get_field_i64 (local.get $c) (i32.const 0) (i32.const 2000) (i32.const 200))",
        "(call $get_field_i64 (local.get $c) (i32.const 8) (i32.const 5) (i32.const 65529))",
        "(call $get_field_i64 (local.get $c) (i32.const 8) (i32.const 5) (i32.const -8))",
        "(call $get_field_f64 (local.get $c) (i32.const 8) (i32.const 5) (i32.const 65535))",
        "(call $get_field_bool (local.get $c) (i32.const 16) (i32.const 4) (i32.const 65533))",
        "(call $get_field_string (local.get $c) (i32.const 24) (i32.const 4) (i32.const 200) (i32.const 65533))",
        "(call $get_field_string (local.get $c) (i32.const 24) (i32.const 4) (i32.const 65535) (i32.const 400))",
        "(call $get_field_string (local.get $c) (i32.const 24) (i32.const 4) (i32.const -100) (i32.const 400))",
        "(call $get_document_id (local.get $c) (i32.const 65500) (i32.const 400))",
        "(call $get_document_id (local.get $c) (i32.const 200) (i32.const -4))",
        "(call $get_param_string (i32.const 56) (i32.const 6) (i32.const 65530) (i32.const 400))",
        "(call $get_param_string (i32.const -2) (i32.const 6) (i32.const 200) (i32.const 400))",
        "(call $get_param_i64 (i32.const 72) (i32.const 5) (i32.const 65532))",
        "(call $get_param_i64 (i32.const 65532) (i32.const 5) (i32.const 200))",
        "(call $get_param_f64 (i32.const 64) (i32.const 5) (i32.const -1))",
        "(call $get_param_bool (i32.const 80) (i32.const 5) (i32.const 65534))",
        "(call $log (i32.const 0) (i32.const 65000) (i32.const 1000))",
        "(call $log (i32.const 0) (i32.const 8) (i32.const -1))",
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char wat[8192];
        snprintf(wat, sizeof wat, GUEST("i32", "(i32.store (i32.const 400) (i32.const 1000)) %s"), calls[i]);
        const int32_t *out = run_i32(f, wat, 2);
        if (out[0] != 3 || out[1] != 3)
            fail_msg("%s: %d, %d", calls[i], out[0], out[1]);
        assert_int_equal(f->n_logs, 0);
        fixture_reset(state);
    }
}

static void test_bad_addresses__wasi__answers_fault_or_invalid(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *call;
        int expected;
    } cases[] = {
        {"(call $fd_write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 200))", 21},
        {"(call $fd_write (i32.const 1) (i32.const 0) (i32.const 0x20000001) (i32.const 200))", 28},
        {"(call $fd_write (i32.const 1) (i32.const 400) (i32.const 1) (i32.const 200))", 21},
        {"(call $fd_write (i32.const 1) (i32.const 600) (i32.const 0) (i32.const -1))", 21},
        {"(call $fd_write (i32.const 3) (i32.const 600) (i32.const 0) (i32.const 200))", 8},
        {"(call $random_get (i32.const 65535) (i32.const 2))", 21},
        {"(call $random_get (i32.const 0) (i32.const -1))", 21},
        {"(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 65530))", 21},
        {"(call $clock_time_get (i32.const 9) (i64.const 0) (i32.const 200))", 28},
        {"(call $environ_sizes_get (i32.const 200) (i32.const 65533))", 21},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wat[8192];
        snprintf(wat, sizeof wat,
                 GUEST("i32",
                       "(i32.store (i32.const 400) (i32.const 65000)) (i32.store (i32.const 404) (i32.const 5000)) %s"),
                 cases[i].call);
        const int32_t *out = run_i32(f, wat, 1);
        if (out[0] != cases[i].expected)
            fail_msg("%s: %d, expected %d", cases[i].call, out[0], cases[i].expected);
        fixture_reset(state);
    }
}

static void test_memory_that_grew__is_seen(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        GUEST("i32", "(local.set $t (call $get_field_i64 (local.get $c) (i32.const 8) (i32.const 5) (i32.const 70000)))"
                     "(drop (memory.grow (i32.const 1)))"
                     "(i32.add (local.get $t) (i32.mul (i32.const 10)"
                     " (call $get_field_i64 (local.get $c) (i32.const 8) (i32.const 5) (i32.const 70000))))"),
        2);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[1], 0);
}

static void test_stale_context__is_refused(void **state)
{
    fixture *f = *state;
    /* The context of the call before (global $g) and made-up ones. */
    static const char wat[] = "(module" IMPORT("get_field_i64", "i64 i32 i32 i32") IMPORT("get_document_id",
                                                                                          "i64 i32 i32")
        IMPORT("has_field", "i64 i32 i32") "(import \"env\" \"get_score\" (func $get_score (param i64) (result f64)))"
                                           "(memory (export \"memory\") 1) (data (i32.const 8) \"stock\") (global $g "
                                           "(mut i64) (i64.const 0))"
                                           "(func (export \"f\") (param $c i64) (result i32) (local $r i32)"
                                           " (local.set $r (i32.add (call $get_field_i64 (global.get $g) (i32.const 8) "
                                           "(i32.const 5) (i32.const 200))"
                                           "  (i32.add (i32.mul (i32.const 10) (call $get_document_id (i64.add "
                                           "(local.get $c) (i64.const 1)) (i32.const 200) "
                                           "(i32.const 196)))"
                                           "  (i32.add (i32.mul (i32.const 100) (call $has_field (i64.const -1) "
                                           "(i32.const 8) (i32.const 5)))"
                                           "   (i32.mul (i32.const 1000) (f64.ne (call $get_score (global.get $g)) "
                                           "(call $get_score (global.get $g))))))))"
                                           " (global.set $g (local.get $c)) (local.get $r)))";
    const int32_t *out = run_i32(f, wat, 5);
    for (int row = 0; row < 5; row++)
        assert_int_equal(out[row], 1033);
    assert_int_equal(fixture_run(f, 1), QD_OK); /* row 0 of the run before, too */
    assert_int_equal(out[0], 1033);
}

static void test_start_function__has_no_document(void **state)
{
    fixture *f = *state;
    static const char wat[] = "(module" IMPORT("get_field_i64", "i64 i32 i32 i32") IMPORT("get_param_i64",
                                                                                          "i32 i32 i32")
        IMPORT("log", "i32 i32 i32") "(memory (export \"memory\") 1) (data (i32.const 8) \"stock\") (data (i32.const "
                                     "72) \"limit\")"
                                     "(func $s (i32.store (i32.const 400) (i32.add (call $get_field_i64 (i64.const 0) "
                                     "(i32.const 8) (i32.const 5) (i32.const "
                                     "200))"
                                     "  (i32.mul (i32.const 10) (call $get_param_i64 (i32.const 72) (i32.const 5) "
                                     "(i32.const 200)))))"
                                     " (drop (call $log (i32.const 1) (i32.const 8) (i32.const 5)))) (start $s)"
                                     "(func (export \"f\") (param $c i64) (result i32) (i32.load (i32.const 400))))";
    const int32_t *out = run_i32(f, wat, 1);
    assert_int_equal(out[0], 13);
    assert_string_equal(f->last_log, "stock");
}

static void test_typed_function_with_a_forged_context__reads_nothing_without_documents(void **state)
{
    fixture *f = *state;
    static const char wat[] = "(module" IMPORT("get_field_i64", "i64 i32 i32 i32") IMPORT(
        "get_document_id",
        "i64 i32 i32") "(memory (export \"memory\") 1) (data (i32.const 8) \"stock\")"
                       "(func (export \"f\") (param $c i64) (result i32)"
                       " (i32.add (call $get_field_i64 (local.get $c) (i32.const 8) (i32.const 5) (i32.const 200))"
                       "  (i32.mul (i32.const 10) (call $get_document_id (local.get $c) (i32.const 200) (i32.const "
                       "196))))))";
    f->call.docs = NULL;
    assert_int_equal(fixture_load(f, wat, QD_SHAPE_TYPED, 0, NULL), QD_OK);
    qd_instance_constant(f->instance, 0, (qd_value){.type = QD_I64, .as.i = (int64_t)1 << 32}); /* row 0 of run 1 */
    assert_int_equal(fixture_run(f, 1), QD_OK);
    assert_int_equal(*(const int32_t *)qd_instance_results(f->instance), 33);
}

static void test_guest_without_memory__has_no_addresses(void **state)
{
    fixture *f = *state;
    const int32_t *out = run_i32(
        f,
        "(module" IMPORT(
            "get_field_i64",
            "i64 i32 i32 i32") "(func (export \"f\") (param $c i64) (result i32)"
                               "(call $get_field_i64 (local.get $c) (i32.const 0) (i32.const 5) (i32.const 0))))",
        1);
    assert_int_equal(out[0], 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_reset, fixture_reset)
    const struct CMUnitTest tests[] = {
        TEST(test_get_field_f64__column__gives_values_and_missing),
        TEST(test_get_field_f64__integer_column__converts),
        TEST(test_get_field_f64__without_column__reads_each_value),
        TEST(test_readers__wrong_type__is_told),
        TEST(test_get_field_i64__fraction__is_cut),
        TEST(test_get_field_bool__writes_four_bytes),
        TEST(test_has_field__tells_presence),
        TEST(test_readers__name_changed_in_place__is_noticed),
        TEST(test_readers__too_many_fields__fails_the_run),
        TEST(test_get_field_string__fits__copies_and_gives_length),
        TEST(test_get_field_string__too_small__gives_needed_length_and_writes_nothing),
        TEST(test_get_document_id__gives_id_or_missing),
        TEST(test_get_score__gives_the_rows_score),
        TEST(test_get_param__every_type),
        TEST(test_get_param__missing_and_wrong_type),
        TEST(test_log__passes_level_and_message),
        TEST(test_log__flood__is_cut_with_one_note_per_run),
        TEST(test_log__error_before_a_trap__is_told),
        TEST(test_log__error_of_any_bytes__is_told_as_text_on_one_line),
        TEST(test_log__error_in_a_start_function__is_told),
        TEST(test_wasi__fd_write__goes_to_the_log),
        TEST(test_wasi__fd_write_of_more_than_the_log_holds__is_not_looked_at),
        TEST(test_wasi__proc_exit__fails_the_run),
        TEST(test_wasi__random_and_clock__are_constant_without_permission),
        TEST(test_wasi__clock__counts_its_reads_without_permission),
        TEST(test_wasi__environment_and_directories__are_empty),
        TEST(test_bad_addresses__answer_3_everywhere),
        TEST(test_bad_addresses__wasi__answers_fault_or_invalid),
        TEST(test_memory_that_grew__is_seen),
        TEST(test_stale_context__is_refused),
        TEST(test_start_function__has_no_document),
        TEST(test_typed_function_with_a_forged_context__reads_nothing_without_documents),
        TEST(test_guest_without_memory__has_no_addresses),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
