/* SPDX-License-Identifier: Apache-2.0
 *
 * What a guest may say to host functions: a function in the sandbox reads the input as its program, 20 bytes a step:
 * which host function, then four 32-bit arguments. Its memory holds the program too, so that addresses of anything are
 * at hand. */
#include <stdlib.h>

#include "wasm/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char WAT[] =
    "(module"
    " (import \"env\" \"has_field\" (func $has (param i64 i32 i32) (result i32)))"
    " (import \"env\" \"get_field_string\" (func $string (param i64 i32 i32 i32 i32) (result i32)))"
    " (import \"env\" \"get_field_i64\" (func $i64 (param i64 i32 i32 i32) (result i32)))"
    " (import \"env\" \"get_field_f64\" (func $f64 (param i64 i32 i32 i32) (result i32)))"
    " (import \"env\" \"get_field_bool\" (func $bool (param i64 i32 i32 i32) (result i32)))"
    " (import \"env\" \"get_document_id\" (func $id (param i64 i32 i32) (result i32)))"
    " (import \"env\" \"get_score\" (func $score (param i64) (result f64)))"
    " (import \"env\" \"get_param_string\" (func $pstring (param i32 i32 i32 i32) (result i32)))"
    " (import \"env\" \"get_param_f64\" (func $pf64 (param i32 i32 i32) (result i32)))"
    " (import \"env\" \"log\" (func $log (param i32 i32 i32)))"
    " (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $environ (param i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock (param i32 i64 i32) (result i32)))"
    " (memory (export \"memory\") 2)"
    " (data (i32.const 0) \"input\\00\\00\\00\\00\\00\\01\\00field\")" /* 0: a name; 8: room for 65,536 bytes */
    " (func (export \"f\") (param $ctx i64) (result i32)"
    "  (local $p i32) (local $end i32) (local $op i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32)"
    "  (drop (call $string (local.get $ctx) (i32.const 0) (i32.const 5) (i32.const 65536) (i32.const 8)))"
    "  (local.set $p (i32.const 65536))"
    "  (local.set $end (i32.add (local.get $p) (i32.load (i32.const 8))))"
    "  (block $done (loop $step"
    "   (br_if $done (i32.gt_u (i32.add (local.get $p) (i32.const 20)) (local.get $end)))"
    "   (local.set $op (i32.rem_u (i32.load8_u (local.get $p)) (i32.const 14)))"
    "   (local.set $a (i32.load offset=4 (local.get $p))) (local.set $b (i32.load offset=8 (local.get $p)))"
    "   (local.set $c (i32.load offset=12 (local.get $p))) (local.set $d (i32.load offset=16 (local.get $p)))"
    "   (local.set $p (i32.add (local.get $p) (i32.const 20)))"
    "   (if (i32.eq (local.get $op) (i32.const 0)) (then"
    "    (drop (call $has (local.get $ctx) (local.get $a) (local.get $b)))))"
    "   (if (i32.eq (local.get $op) (i32.const 1)) (then"
    "    (drop (call $string (local.get $ctx) (local.get $a) (local.get $b) (local.get $c) (local.get $d)))))"
    "   (if (i32.eq (local.get $op) (i32.const 2)) (then"
    "    (drop (call $i64 (local.get $ctx) (local.get $a) (local.get $b) (local.get $c)))))"
    "   (if (i32.eq (local.get $op) (i32.const 3)) (then"
    "    (drop (call $f64 (i64.extend_i32_u (local.get $d)) (local.get $a) (local.get $b) (local.get $c)))))"
    "   (if (i32.eq (local.get $op) (i32.const 4)) (then"
    "    (drop (call $bool (local.get $ctx) (local.get $a) (local.get $b) (local.get $c)))))"
    "   (if (i32.eq (local.get $op) (i32.const 5)) (then"
    "    (drop (call $id (local.get $ctx) (local.get $a) (local.get $b)))))"
    "   (if (i32.eq (local.get $op) (i32.const 6)) (then (drop (call $score (i64.extend_i32_s (local.get $a))))))"
    "   (if (i32.eq (local.get $op) (i32.const 7)) (then"
    "    (drop (call $pstring (local.get $a) (local.get $b) (local.get $c) (local.get $d)))))"
    "   (if (i32.eq (local.get $op) (i32.const 8)) (then"
    "    (drop (call $pf64 (local.get $a) (local.get $b) (local.get $c)))))"
    "   (if (i32.eq (local.get $op) (i32.const 9)) (then (call $log (local.get $a) (local.get $b) (local.get $c))))"
    "   (if (i32.eq (local.get $op) (i32.const 10)) (then"
    "    (drop (call $write (local.get $a) (local.get $b) (local.get $c) (local.get $d)))))"
    "   (if (i32.eq (local.get $op) (i32.const 11)) (then (drop (call $random (local.get $a) (local.get $b)))))"
    "   (if (i32.eq (local.get $op) (i32.const 12)) (then (drop (call $environ (local.get $a) (local.get $b)))))"
    "   (if (i32.eq (local.get $op) (i32.const 13)) (then"
    "    (drop (call $clock (local.get $a) (i64.extend_i32_u (local.get $b)) (local.get $c)))))"
    "   (br $step)))"
    "  (i32.const 1)))";

static qd_str input;

static int resolve(void *arg, qd_str path)
{
    (void)arg;
    return path.n == 0 ? 3 : qd_str_is(path, "input") ? 0 : path.p[0] & 3;
}

static bool no_column_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    (void)arg, (void)slot, (void)out, (void)valid, (void)all_valid;
    return false;
}

static bool no_column_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    (void)arg, (void)slot, (void)out, (void)valid, (void)all_valid;
    return false;
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    (void)arg, (void)row;
    *out = slot == 0 ? (qd_value){.type = QD_STRING, .as.s = input} : (qd_value){.type = QD_I64, .as.i = slot};
    return slot < 3;
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    (void)arg, (void)row;
    *out = QD_STR("an id");
    return true;
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
    if (level < 0 || level > 3)
        abort();
}

static qd_wasm_program *program(void)
{
    static qd_wasm_program *made;
    qd_wasm_engine *engine = NULL;
    qd_wasm_module *module = NULL;
    uint8_t *wasm = NULL;
    size_t n;
    const qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    const qd_wasm_module_options module_options = {.permissions = UINT32_MAX};
    const qd_wasm_program_spec spec = {.export_name = QD_STR("f"), .shape = QD_SHAPE_ROW, .name = "fuzz@1.0.0"};
    if (made)
        return made;
    if (qd_wasm_engine_new(&options, &engine, NULL) != QD_OK ||
        qd_wasm_from_wat((qd_str){WAT, sizeof WAT - 1}, &wasm, &n, NULL) != QD_OK ||
        qd_wasm_module_new(engine, wasm, n, &module_options, &module, NULL) != QD_OK ||
        qd_wasm_program_new(module, &spec, &made, NULL) != QD_OK)
        abort();
    free(wasm);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    float score = 1.5f;
    size_t logged = 0;
    qd_error err = QD_ERROR_INIT;
    qd_instance *instance = NULL;
    const qd_doc_source docs = {NULL, resolve, no_column_f64, no_column_i64, value, id, NULL, NULL};
    qd_call call = {
        .docs = &docs, .scores = &score, .param = param, .log = on_log, .log_arg = &logged, .deadline_ns = INT64_MAX};
    input = (qd_str){(const char *)data, size > 65536 ? 65536 : size};
    if (qd_instance_acquire(program(), 0, &call, &instance, &err) != QD_OK)
        abort();
    /* Nothing that it can say is a failure: host functions answer. */
    if (qd_instance_run(instance, 1, NULL, &err) != QD_OK && err.code != QD_EUDF_TIMEOUT)
        abort();
    qd_instance_release(instance);
    return 0;
}
