/* SPDX-License-Identifier: Apache-2.0
 *
 * What a guest may say to the host, in all shapes: a function in the sandbox reads the input as its program, 20 bytes a
 * step: which host function, then four 32-bit arguments. Its memory holds the program too, so that addresses of
 * anything are at hand. The byte behind the last whole step, if any, says which shape, compiler and allocator.
 *
 * What host functions answer is never a failure; what fails is told by what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wasm/program.h"

#define ROWS      3
#define MAX_STEPS 65536 /* bytes */

#define IMPORT(name, local, type) " (import \"env\" \"" name "\" (func $" local " " type "))"
#define WASI(name, type)          " (import \"wasi_snapshot_preview1\" \"" name "\" (func $" name " " type "))"
/* What one step does; $a to $d are its arguments. */
#define STEP(n, code) "   (if (i32.eq (local.get $op) (i32.const " #n ")) (then " code "))"
#define A             "(local.get $a)"
#define B             "(local.get $b)"
#define C             "(local.get $c)"
#define D             "(local.get $d)"
#define CTX           "(local.get $ctx)"
#define STEPS         "34"

static const char IMPORTS[] = "(module" IMPORT("has_field", "has", "(param i64 i32 i32) (result i32)") IMPORT(
    "get_field_string", "string",
    "(param i64 i32 i32 i32 i32) (result i32)") IMPORT("get_field_i64", "i64", "(param i64 i32 i32 i32) (result i32)")
    IMPORT("get_field_f64", "f64", "(param i64 i32 i32 i32) (result i32)") IMPORT(
        "get_field_bool", "bool", "(param i64 i32 i32 i32) (result i32)") IMPORT("get_field_count", "count",
                                                                                 "(param i64 i32 i32) (result i32)")
        IMPORT("get_document_id", "id", "(param i64 i32 i32) (result i32)") IMPORT("get_score", "get_score",
                                                                                   "(param i64) (result f64)")
            IMPORT("get_param_string", "pstring", "(param i32 i32 i32 i32) (result i32)") IMPORT(
                "get_param_f64", "pf64", "(param i32 i32 i32) (result i32)") IMPORT("log", "log", "(param i32 i32 i32)")
                IMPORT("field_handle", "handle", "(param i32 i32) (result i32)") IMPORT("field_f64", "hf64",
                                                                                        "(param i32) (result f64)")
                    IMPORT("field_i64", "hi64", "(param i32) (result i64)") IMPORT(
                        "field_valid", "hvalid", "(param i32) (result i32)") IMPORT("score", "score", "(result f64)")
                        IMPORT("field_string", "hstring", "(param i32 i32 i32) (result i32)")
                            IMPORT("field_count", "hcount", "(param i32) (result i32)")
                                IMPORT("field_f64_at", "f64_at", "(param i32 i32 i32) (result i32)")
                                    IMPORT("field_i64_at", "i64_at", "(param i32 i32 i32) (result i32)")
                                        IMPORT("field_string_at", "string_at", "(param i32 i32 i32 i32) (result i32)")
                                            IMPORT("set_result_string", "set_string",
                                                   "(param i32 i32)") IMPORT("set_result_missing", "set_missing", "")
                                                WASI("fd_write", "(param i32 i32 i32 i32) (result i32)")
                                                    WASI("random_get", "(param i32 i32) (result i32)")
                                                        WASI("environ_sizes_get", "(param i32 i32) (result i32)")
                                                            WASI("clock_time_get", "(param i32 i64 i32) (result i32)");

static const char MEMORY[] =
    " (memory (export \"memory\") 3) (global $results (mut i32) (i32.const 0)) (global $given (mut i64) (i64.const 0))"
    /* 0: a name; 8: room for so many bytes; 16: what quidditch_alloc gives next */
    " (data (i32.const 0) \"input\\00\\00\\00\\00\\00\\01\\00field\")";

/* An allocator that the program itself makes lie: at first it is honest. */
static const char ALLOC[] = " (func (export \"quidditch_alloc\") (param $n i32) (result i32)"
                            "  (if (i32.load (i32.const 16)) (then (return (i32.load (i32.const 16)))))"
                            "  (i32.mul (i32.const 65536) (memory.grow (i32.add (i32.const 1)"
                            "   (i32.shr_u (local.get $n) (i32.const 16))))))";

static const char RUN[] =
    " (func $run (param $ctx i64) (param $p i32) (param $n i32)"
    "  (local $end i32) (local $op i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32)"
    "  (local.set $end (i32.add (local.get $p) (local.get $n)))"
    "  (block $done (loop $step"
    "   (br_if $done (i32.gt_u (i32.add (local.get $p) (i32.const 20)) (local.get $end)))"
    "   (local.set $op (i32.rem_u (i32.load8_u (local.get $p)) (i32.const " STEPS ")))"
    "   (local.set $a (i32.load offset=4 (local.get $p))) (local.set $b (i32.load offset=8 (local.get $p)))"
    "   (local.set $c (i32.load offset=12 (local.get $p))) (local.set $d (i32.load offset=16 (local.get $p)))"
    "   (local.set $p (i32.add (local.get $p) (i32.const 20)))" STEP(0, "(drop (call $has " CTX A B "))")
        STEP(1, "(drop (call $string " CTX A B C D "))") STEP(2, "(drop (call $i64 " CTX A B C "))")
            STEP(3, "(drop (call $f64 (i64.extend_i32_u " D ") " A B C "))")
                STEP(4, "(drop (call $bool " CTX A B C "))") STEP(5, "(drop (call $id " CTX A B "))")
                    STEP(6, "(drop (call $get_score (i64.extend_i32_s " A ")))")
                        STEP(7, "(drop (call $pstring " A B C D "))") STEP(8, "(drop (call $pf64 " A B C "))")
                            STEP(9, "(call $log " A B C ")") STEP(10, "(drop (call $fd_write " A B C D "))")
                                STEP(11, "(drop (call $random_get " A B "))")
                                    STEP(12, "(drop (call $environ_sizes_get " A B "))")
                                        STEP(13, "(drop (call $clock_time_get " A " (i64.extend_i32_u " B ") " C "))")
                                            STEP(14, "(drop (call $count " CTX A B "))")
                                                STEP(15, "(drop (call $handle " A B "))")
                                                    STEP(16, "(drop (call $hf64 " A "))");
static const char RUN_ON[] = STEP(17, "(drop (call $hi64 " A "))") STEP(18, "(drop (call $hvalid " A "))") STEP(
    19, "(drop (call $score))") STEP(20, "(drop (call $hstring " A B C "))") STEP(21, "(drop (call $hcount " A "))")
    STEP(22, "(drop (call $f64_at " A B C "))") STEP(23, "(drop (call $i64_at " A B C "))")
        STEP(24, "(drop (call $string_at " A B C D "))") STEP(25, "(call $set_string " A B ")")
            STEP(26, "(call $set_missing)") STEP(27, "(i32.store " A B ")") STEP(28, "(memory.fill " A B C ")")
                STEP(29, "(memory.copy " A B C ")") STEP(30, "(drop (memory.grow (i32.and " A " (i32.const 3))))")
                    STEP(31, "(global.set $given (i64.or (i64.shl (i64.extend_i32_u " A
                             ") (i64.const 32)) (i64.extend_i32_u " B ")))")
                        STEP(32, "(i32.store (i32.add (global.get $results) (i32.and " A " (i32.const 32767))) " B ")")
                            STEP(33, "(drop (call $f64 (i64.or (i64.shl (i64.extend_i32_u " A
                                     ") (i64.const 32)) (i64.extend_i32_u " B "))"
                                     " (i32.const 0) (i32.const 5) " C "))") "   (br $step))))";

static const char EXPORTS[] =
    " (func $by_context (param $ctx i64)"
    "  (drop (call $string (local.get $ctx) (i32.const 0) (i32.const 5) (i32.const 65536) (i32.const 8)))"
    "  (call $run (local.get $ctx) (i32.const 65536) (i32.load (i32.const 8))))"
    " (func (export \"row\") (param i64) (result i32) (call $by_context (local.get 0)) (i32.wrap_i64 (global.get "
    "$given)))"
    " (func (export \"row_string\") (param i64) (call $by_context (local.get 0)))"
    " (func (export \"typed\") (param i32 i32) (result f64)"
    "  (call $run (i64.const 0x200000000) (local.get 0) (local.get 1)) (f64.reinterpret_i64 (global.get $given)))"
    " (func (export \"typed_string\") (param i32 i32)"
    "  (call $run (i64.const 0x200000001) (local.get 0) (local.get 1)))"
    " (func (export \"batch\") (param $n i32) (param $columns i32) (param $out i32) (local $at i32)"
    "  (global.set $results (i32.load (local.get $out))) (local.set $at (i32.load (local.get $columns)))"
    "  (call $run (i64.const 0x300000000) (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))))"
    " (func (export \"agg_init\") (result i32) (i32.const 65536))"
    " (func (export \"agg_update\") (param i32 i32 i32) (call $run (i64.const 0) (local.get 1) (local.get 2)))"
    " (func (export \"agg_merge\") (param i32 i32 i32) (call $run (i64.const 0) (local.get 1) (local.get 2)))"
    " (func (export \"agg_serialize\") (param i32) (result i64) (global.get $given))"
    " (func (export \"agg_finish\") (param i32) (result f64)"
    "  (call $set_string (i32.wrap_i64 (i64.shr_u (global.get $given) (i64.const 32)))"
    "   (i32.wrap_i64 (global.get $given))) (f64.const 1)))";

typedef enum mode_args { ARGS_CONTEXT, ARGS_STRING, ARGS_COLUMN } mode_args;
static const qd_type STRINGS[] = {QD_STRING};
static const struct {
    mode_args args;
    qd_wasm_program_spec spec;
} MODES[] = {
    {ARGS_CONTEXT, {.export_name = {"row", 3}, .shape = QD_SHAPE_ROW}},
    {ARGS_CONTEXT, {.export_name = {"row", 3}, .shape = QD_SHAPE_HANDLE}},
    {ARGS_CONTEXT, {.export_name = {"row_string", 10}, .shape = QD_SHAPE_HANDLE, .returns_string = true}},
    {ARGS_STRING, {.export_name = {"typed", 5}, .shape = QD_SHAPE_TYPED, .needs_memory = true}},
    {ARGS_STRING,
     {.export_name = {"typed_string", 12}, .shape = QD_SHAPE_TYPED, .needs_memory = true, .returns_string = true}},
    {ARGS_COLUMN,
     {.export_name = {"batch", 5}, .shape = QD_SHAPE_BATCH, .params = STRINGS, .n_params = 1, .result = QD_F64}},
    {ARGS_COLUMN,
     {.export_name = {"batch", 5}, .shape = QD_SHAPE_BATCH, .params = STRINGS, .n_params = 1, .returns_string = true}},
    {ARGS_STRING,
     {.export_name = {"agg_update", 10}, .shape = QD_SHAPE_TYPED, .has_state = true, .needs_memory = true}},
};
#define N_MODES (sizeof MODES / sizeof *MODES)

static qd_str input;

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

/* ---- documents -------------------------------------------------------------------------------------------------- */

static int resolve(void *arg, qd_str path)
{
    (void)arg;
    return path.n == 0 ? 3 : qd_str_is(path, "input") ? 0 : path.n > 8 ? (int)(path.n & 127) : path.p[0] & 7;
}

static bool column_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    (void)arg;
    for (uint32_t row = 0; row < ROWS; row++) {
        out[row] = slot * 1e18 + row;
        valid[row] = (uint8_t)(row != 1);
    }
    *all_valid = false;
    return slot == 4;
}

static bool column_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    (void)arg, (void)valid;
    for (uint32_t row = 0; row < ROWS; row++)
        out[row] = slot + row;
    *all_valid = true;
    return slot == 5;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    (void)arg;
    expect(row < ROWS);
    if (slot == 0)
        *out = (qd_value){.type = QD_STRING, .as.s = input};
    else if (slot == 4 || slot == 6)
        *out = (qd_value){.type = QD_F64, .as.f = slot * 1e18 + row};
    else
        *out = (qd_value){.type = QD_I64, .as.i = slot + row};
    return slot < 3 || slot == 5 || (slot == 4 && row != 1) || (slot == 6 && row != 0);
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    (void)arg, (void)row;
    *out = QD_STR("an id");
    return true;
}

static uint32_t count(void *arg, int slot, uint32_t row)
{
    (void)arg, (void)row;
    return (uint32_t)slot;
}

static bool value_at(void *arg, int slot, uint32_t row, uint32_t at, qd_value *out)
{
    expect(row < ROWS && at > 0);
    return at < count(arg, slot, row) && value(arg, slot - 1, row, out);
}

static int param(void *arg, qd_str name, uint32_t row, qd_value *out)
{
    (void)arg, (void)row;
    *out = (qd_value){.type = QD_STRING, .as.s = {input.p, name.n < input.n ? name.n : input.n}};
    return name.n % 2 ? 0 : 1;
}

static void on_log(void *arg, int level, qd_str message)
{
    size_t *bytes = arg;
    *bytes += message.n;
    expect(level >= 0 && level <= 3);
}

/* ---- programs --------------------------------------------------------------------------------------------------- */

static qd_wasm_module *compile(bool has_alloc, bool is_baseline)
{
    char wat[16384];
    qd_wasm_engine *engine = NULL;
    qd_wasm_module *module = NULL;
    uint8_t *wasm = NULL;
    size_t n = 0;
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    const qd_wasm_module_options module_options = {.permissions = UINT32_MAX};
    options.has_baseline_only = is_baseline;
    options.compile_threads = 0;
    int length =
        snprintf(wat, sizeof wat, "%s%s%s%s%s%s", IMPORTS, MEMORY, has_alloc ? ALLOC : "", RUN, RUN_ON, EXPORTS);
    expect(length > 0 && length < (int)sizeof wat);
    expect(qd_wasm_engine_new(&options, &engine, NULL) == QD_OK &&
           qd_wasm_from_wat((qd_str){wat, (size_t)length}, &wasm, &n, NULL) == QD_OK &&
           qd_wasm_module_new(engine, wasm, n, &module_options, &module, NULL) == QD_OK);
    free(wasm);
    return module;
}

static qd_wasm_program *program(size_t mode, bool has_alloc, bool is_baseline)
{
    static qd_wasm_module *modules[2][2];
    static qd_wasm_program *made[2][2][N_MODES];
    static const qd_wasm_limits LIMITS = {1u << 20, 100, 50, 4096};
    qd_wasm_program **p = &made[has_alloc][is_baseline][mode];
    if (*p)
        return *p;
    if (!modules[has_alloc][is_baseline])
        modules[has_alloc][is_baseline] = compile(has_alloc, is_baseline);
    qd_wasm_program_spec spec = MODES[mode].spec;
    spec.limits = &LIMITS;
    spec.name = "fuzz@1.0.0";
    expect(qd_wasm_program_new(modules[has_alloc][is_baseline], &spec, p, NULL) == QD_OK);
    return *p;
}

/* ---- the run ---------------------------------------------------------------------------------------------------- */

/* The program may fail by its own deeds, which the message tells, or by what it took: never for no reason. */
static qd_status check(qd_status st, const qd_error *err)
{
    static const char *const REASONS[] = {"trap: ", "set_result_string", "set_result_missing", "its result, a string",
                                          "its results, the strings"};
    if (st == QD_OK)
        return QD_OK;
    expect(err->message[0] && qd_str_is_utf8(qd_str_of(err->message)));
    if (st == QD_EUDF_TIMEOUT || st == QD_EUDF_MEMORY)
        return st;
    expect(st == QD_EUDF_FAILED);
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++)
        if (strncmp(err->message, REASONS[i], strlen(REASONS[i])) == 0)
            return st;
    abort();
}

/* The input as a string argument, with `spare` bytes behind it, so that the area moves. */
static qd_status lay_input(qd_instance *i, mode_args args, bool has_state, uint32_t spare, qd_error *err)
{
    uint32_t at = 0, n = (uint32_t)input.n;
    uint8_t *host = NULL;
    if (args == ARGS_CONTEXT)
        return QD_OK;
    qd_status st = check(qd_instance_area(i, n + spare, &at, &host, err), err);
    if (st != QD_OK)
        return st;
    memcpy(host, input.p, n);
    memset(host + n, 0, spare);
    for (uint32_t row = 0; args == ARGS_COLUMN && row < ROWS; row++)
        ((qd_batch_string *)qd_instance_column(i, 0))[row] = (qd_batch_string){at, n};
    if (args == ARGS_STRING) {
        qd_instance_constant(i, has_state, (qd_value){.type = QD_I64, .as.i = at});
        qd_instance_constant(i, 1u + has_state, (qd_value){.type = QD_I64, .as.i = n});
    }
    return QD_OK;
}

static void touch(qd_str s)
{
    volatile char sum = 0;
    for (size_t i = 0; i < s.n; i++)
        sum = (char)(sum ^ s.p[i]);
    expect(qd_str_is_utf8(s));
}

static void read_results(qd_instance *i, const qd_wasm_program_spec *spec, uint32_t first)
{
    const uint8_t *valid = qd_instance_result_valid(i);
    volatile uint8_t sum = 0;
    qd_error err = QD_ERROR_INIT;
    qd_str s;
    for (uint32_t row = first; row < ROWS; row++) {
        if (valid && !valid[row])
            continue;
        if (spec->returns_string && check(qd_instance_result_string(i, row, &s, &err), &err) == QD_OK)
            touch(s);
        else if (!spec->has_state && !spec->returns_string)
            sum = sum ^ ((const uint8_t *)qd_instance_results(i))[row];
    }
}

/* What an aggregate does beside its update. */
static void call_others(qd_instance *i)
{
    qd_error err = QD_ERROR_INIT;
    qd_wasm_value state = {.i32 = 0}, where = {.i64 = 0}, result;
    uint32_t at;
    uint8_t *host;
    qd_str s;
    if (check(qd_instance_call(i, QD_STR("agg_init"), ":i", NULL, &state, &err), &err) != QD_OK ||
        check(qd_instance_call(i, QD_STR("agg_serialize"), "i:I", &state, &where, &err), &err) != QD_OK)
        return;
    uint32_t n = (uint32_t)where.i64;
    const uint8_t *bytes = qd_instance_bytes(i, (uint32_t)((uint64_t)where.i64 >> 32), n);
    for (volatile uint32_t k = 0; bytes && k < n; k++)
        (void)((const volatile uint8_t *)bytes)[k];
    if (check(qd_instance_area(i, (uint32_t)input.n, &at, &host, &err), &err) != QD_OK)
        return;
    memcpy(host, input.p, input.n);
    const qd_wasm_value args[] = {state, {.i32 = (int32_t)at}, {.i32 = (int32_t)input.n}};
    if (check(qd_instance_call(i, QD_STR("agg_merge"), "iii:", args, NULL, &err), &err) == QD_OK &&
        check(qd_instance_call(i, QD_STR("agg_finish"), "i:F", &state, &result, &err), &err) == QD_OK &&
        qd_instance_result_valid(i)[0] && check(qd_instance_result_string(i, 0, &s, &err), &err) == QD_OK)
        touch(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const float scores[ROWS] = {1.5f, 0, 3e38f};
    size_t logged = 0;
    qd_error err = QD_ERROR_INIT;
    qd_instance *instance = NULL;
    const qd_doc_source docs = {NULL, resolve, column_f64, column_i64, value, id, count, value_at};
    uint8_t how = size % 20 ? data[size - 1] : 0;
    size_t mode = how % N_MODES;
    bool is_direct = how & 128; /* no documents at all */
    const qd_wasm_program_spec *spec = &MODES[mode].spec;
    qd_call call = {.docs = is_direct ? NULL : &docs,
                    .scores = is_direct ? NULL : scores,
                    .param = is_direct ? NULL : param,
                    .log = on_log,
                    .log_arg = &logged,
                    .deadline_ns = INT64_MAX};
    input = (qd_str){(const char *)data, size > MAX_STEPS ? MAX_STEPS : size};
    expect(qd_instance_acquire(program(mode, how & 32, how & 64), 0, &call, &instance, &err) == QD_OK);
    qd_status st = QD_OK;
    for (uint32_t round = 0; round < 2 && st == QD_OK; round++) {
        st = lay_input(instance, MODES[mode].args, spec->has_state, round * 100000, &err);
        if (st == QD_OK)
            st = check(qd_instance_run_range(instance, round, ROWS, NULL, &err), &err);
        if (st == QD_OK)
            read_results(instance, spec, round);
    }
    if (st == QD_OK && spec->has_state)
        call_others(instance);
    qd_instance_release(instance);
    return 0;
}
