/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions at work out of memory: prepared, run on documents in each shape, aggregated, tried out, in a program. */
#include <stdio.h>

#include "../failing_alloc.h"
#include "quidditch/runtime.h"
#include "store/scratch_dir.h"
#include "udf/aggregate.h"
#include "udf/json_docs.h"
#include "wasm/precompile.h"
#include "wat_udf.h"

static qd_wasm_engine *engine;
static qd_udf *udf;
static json_t *json;

/* ---- documents ---- */

#define N_DOCS 5
static json_t *docs_json;
static const json_t *docs[N_DOCS];
static qd_json_docs json_docs;
static qd_doc_source source;
static const qd_run_control control = {.deadline_ns = INT64_MAX};

static void read_docs(void)
{
    docs_json =
        json_of("[{\"n\":1,\"s\":\"one\"},{\"n\":2,\"s\":\"two\"},{},{\"n\":4,\"s\":\"a longer one\"},{\"n\":5}]");
    for (size_t i = 0; i < N_DOCS; i++)
        docs[i] = json_array_get(docs_json, i);
}

/* ---- functions ---- */

#define MANIFEST(rest) "{\"name\":\"f\",\"version\":\"1.0.0\",\"kind\":\"transform\"" rest "}"
#define N              ",\"parameters\":[{\"name\":\"n\",\"type\":\"f64\",\"from\":\"_source.n\"}]"
#define S              ",\"parameters\":[{\"name\":\"s\",\"type\":\"string\",\"from\":\"_source.s\"}]"
#define TEXT           ",\"returns\":[{\"type\":\"string\"}]"

static const struct guest {
    const char *manifest, *wat;
} ROW = {MANIFEST(",\"abi\":\"row\"" TEXT ",\"parameters\":[{\"name\":\"p\",\"type\":\"string\",\"default\":\"x\"}]"),
         "(module (import \"env\" \"get_field_string\" (func $get (param i64 i32 i32 i32 i32) (result i32)))"
         " (import \"env\" \"set_result_string\" (func $set (param i32 i32)))"
         " (import \"env\" \"set_result_missing\" (func $missing))"
         " (memory (export \"memory\") 1) (data (i32.const 0) \"s\")"
         " (func (export \"filter\") (param $c i64)"
         "  (i32.store (i32.const 16) (i32.const 1000))"
         "  (if (call $get (local.get $c) (i32.const 0) (i32.const 1) (i32.const 32) (i32.const 16))"
         "   (then (call $missing)) (else (call $set (i32.const 32) (i32.load (i32.const 16)))))))"},
  HANDLE = {MANIFEST(",\"abi\":\"handle\""),
            "(module (import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"
            " (import \"env\" \"field_f64\" (func $field (param i32) (result f64)))"
            " (memory (export \"memory\") 1) (data (i32.const 0) \"n\")"
            " (func (export \"filter\") (param i64) (result f64)"
            "  (call $field (call $handle (i32.const 0) (i32.const 1)))))"},
  TYPED = {MANIFEST(",\"abi\":\"typed\"" N),
           "(module (func (export \"filter\") (param f64) (result f64) local.get 0))"},
  TYPED_TEXT = {MANIFEST(",\"abi\":\"typed\"" S ",\"returns\":[{\"type\":\"i64\"}]"),
                "(module (memory (export \"memory\") 1)"
                " (func (export \"filter\") (param i32 i32) (result i64) (i64.extend_i32_u (local.get 1))))"},
  BATCH = {MANIFEST(",\"abi\":\"batch\"" S TEXT),
           "(module (memory (export \"memory\") 1)"
           " (func (export \"filter\") (param $n i32) (param $columns i32) (param $out i32)"
           "  (memory.copy (i32.load (local.get $out)) (i32.load (local.get $columns)) (i32.mul (local.get $n) "
           "(i32.const 8)))))"},
  MEAN = {
      "{\"name\":\"mean\",\"version\":\"1.0.0\",\"kind\":\"aggregate\",\"function_name\":\"agg\",\"abi\":\"typed\"" N
      "}",
      "(module (memory (export \"memory\") 1)"
      " (func $add (param $s i32) (param $x f64) (param $n f64)"
      "  (f64.store (local.get $s) (f64.add (f64.load (local.get $s)) (local.get $x)))"
      "  (f64.store offset=8 (local.get $s) (f64.add (f64.load offset=8 (local.get $s)) (local.get $n))))"
      " (func (export \"agg_init\") (result i32) (i32.const 64))"
      " (func (export \"agg_update\") (param i32 f64) (call $add (local.get 0) (local.get 1) (f64.const 1)))"
      " (func (export \"agg_serialize\") (param i32) (result i64) (i64.const 0x4000000010))"
      " (func (export \"agg_merge\") (param $s i32) (param $at i32) (param $n i32)"
      "  (call $add (local.get $s) (f64.load (local.get $at)) (f64.load offset=8 (local.get $at))))"
      " (func (export \"agg_finish\") (param $s i32) (result f64)"
      "  (f64.div (f64.load (local.get $s)) (f64.load offset=8 (local.get $s)))))"};

/* ---- prepared and run ---- */

static void begin(const struct guest *g)
{
    read_docs();
    udf = wat_udf(engine, g->manifest, g->wat);
    json = json_of("{}");
}

static void end(qd_status st)
{
    (void)st;
    qd_udf_unref(udf);
    json_decref(json);
    json_decref(docs_json);
}

static void expect_results(const qd_value *out)
{
    bool sees_missing = udf->manifest->abi == QD_ABI_HANDLE || udf->manifest->abi == QD_ABI_BATCH;
    assert_true(sees_missing == (out[2].type != QD_NULL));
    if (out[0].type == QD_STRING) {
        assert_str_equal(out[0].as.s, "one");
        assert_str_equal(out[3].as.s, "a longer one");
        assert_true(sees_missing ? out[4].as.s.n == 0 : out[4].type == QD_NULL);
    } else if (out[0].type == QD_I64) {
        assert_int_equal(out[3].as.i, 12);
    } else {
        assert_true(out[0].as.f == 1 && out[3].as.f == 4);
    }
}

static qd_status use(qd_error *err)
{
    qd_binding *b = NULL;
    qd_runner *r = NULL;
    qd_value out[N_DOCS];
    const qd_binding_spec spec = {.params = json, .on_error = QD_ON_ERROR_FAIL};
    qd_json_docs_init(&json_docs, docs, N_DOCS, (qd_str){0});
    source = qd_json_docs_source(&json_docs);
    qd_status st = qd_binding_new(udf, &spec, &b, err);
    if (st == QD_OK)
        st = qd_runner_open(b, &source, &control, &r, err);
    for (int round = 0; round < 2 && st == QD_OK; round++) {
        st = qd_runner_run_values(r, N_DOCS, NULL, out, err);
        if (st == QD_OK)
            expect_results(out);
    }
    qd_runner_close(r);
    qd_binding_free(b);
    qd_json_docs_deinit(&json_docs);
    return st;
}

#define USE(name, guest)                                                                                               \
    static void begin_##name(void)                                                                                     \
    {                                                                                                                  \
        begin(&(guest));                                                                                               \
    }
USE(row, ROW)
USE(handle, HANDLE)
USE(typed, TYPED)
USE(typed_text, TYPED_TEXT)
USE(batch, BATCH)
USE(mean, MEAN)

/* ---- aggregated ---- */

static qd_status aggregate_parts(const qd_binding *b, qd_buf *state, qd_value *result, qd_error *err)
{
    qd_aggregator *part = NULL, *whole = NULL;
    qd_status st = qd_aggregator_open(b, &source, &control, &part, err);
    if (st == QD_OK)
        st = qd_aggregator_update(part, N_DOCS, NULL, err);
    if (st == QD_OK)
        st = qd_aggregator_serialize(part, state, err);
    if (st == QD_OK)
        st = qd_aggregator_open(b, NULL, &control, &whole, err);
    if (st == QD_OK)
        st = qd_aggregator_merge(whole, qd_buf_str(state), err);
    if (st == QD_OK)
        st = qd_aggregator_finish(whole, result, err);
    qd_aggregator_close(part);
    qd_aggregator_close(whole);
    return st;
}

static qd_status aggregate(qd_error *err)
{
    qd_binding *b = NULL;
    qd_buf state;
    qd_value result = {0};
    const qd_binding_spec spec = {.params = json, .is_aggregation = true};
    qd_buf_init(&state, QD_MAX_STATE_BYTES);
    qd_json_docs_init(&json_docs, docs, N_DOCS, (qd_str){0});
    source = qd_json_docs_source(&json_docs);
    qd_status st = qd_binding_new(udf, &spec, &b, err);
    if (st == QD_OK)
        st = aggregate_parts(b, &state, &result, err);
    if (st == QD_OK)
        assert_true(result.as.f == 3);
    qd_binding_free(b);
    qd_json_docs_deinit(&json_docs);
    qd_buf_deinit(&state);
    return st;
}

/* ---- tried out ---- */

static qd_status try_out(qd_error *err)
{
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = qd_udf_test(udf, json, &control, &w, err);
    if (st == QD_OK && out.failed)
        st = qd_fail_nomem(err);
    qd_buf_deinit(&out);
    return st;
}

static void begin_try(void)
{
    begin(&ROW);
    json_decref(json);
    json = json_of("{\"documents\":[{\"s\":\"one\"},{\"s\":\"two\"}],\"parameters\":{\"p\":\"y\"},\"id\":\"a\"}");
}

/* ---- built ---- */

static uint8_t *wasm;
static size_t wasm_size;

static void begin_building(void)
{
    wasm = wat_bytes(BATCH.wat, &wasm_size);
    json = json_of(BATCH.manifest);
}

static qd_status build(qd_error *err)
{
    const qd_registry_options options = QD_REGISTRY_OPTIONS_INIT;
    qd_manifest *m = NULL;
    qd_udf *u = NULL;
    qd_status st = qd_manifest_parse(json, &m, err);
    if (st == QD_OK)
        st = qd_udf_build(engine, &options, m, wasm, wasm_size, 1000, &u, err);
    qd_udf_unref(u);
    return st;
}

static void end_building(qd_status st)
{
    (void)st;
    free(wasm);
    json_decref(json);
}

static qd_status from_text(qd_error *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    qd_status st = qd_wasm_from_wat(qd_str_of(BATCH.wat), &bytes, &n, err);
    free(bytes);
    return st;
}

/* ---- with native code that is kept ---- */

static scratch_dir dir;

static void begin_keeping(void)
{
    scratch_dir_init(&dir);
    wasm = wat_bytes(BATCH.wat, &wasm_size);
}

/* Code that cannot be kept, or is not found again, is made again. */
static qd_status keep_code(qd_error *err)
{
    qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    const qd_wasm_module_options module_options = {0};
    qd_status st = QD_OK;
    options.cache_dir = dir.path;
    for (int round = 0; round < 2 && st == QD_OK; round++) {
        qd_wasm_engine *e = NULL;
        qd_wasm_module *m = NULL;
        st = qd_wasm_engine_new(&options, &e, err);
        if (st == QD_OK)
            st = qd_wasm_module_new(e, wasm, wasm_size, &module_options, &m, err);
        qd_wasm_module_unref(m);
        qd_wasm_engine_free(e);
    }
    return st;
}

static void end_keeping(qd_status st)
{
    (void)st;
    free(wasm);
    scratch_dir_deinit(&dir);
}

static qd_status precompile(qd_error *err)
{
    qd_buf out;
    qd_buf_init(&out, 64 << 20);
    qd_status st = qd_wasm_precompile(wasm, wasm_size, NULL, NULL, NULL, &out, err);
    qd_buf_deinit(&out);
    return st;
}

/* ---- in a program ---- */

static qd_status call_in_program(qd_runtime *rt, qd_error *err)
{
    qd_udf_call *c = NULL;
    qd_data out;
    const double values[] = {7, 8};
    const qd_data_column column = {"n", QD_DATA_F64, values, NULL};
    const qd_field_value field = {"n", {.type = QD_DATA_F64, .as.f = 9}};
    double results[2];
    char *stats = NULL;
    qd_status st = qd_udf_call_open(rt, "f", "{}", &c, err);
    if (st == QD_OK)
        st = qd_udf_call_json(c, "{\"n\":3}", 7, &out, err);
    if (st == QD_OK)
        st = qd_udf_call_fields(c, &field, 1, &out, err);
    if (st == QD_OK)
        assert_true(out.as.f == 9);
    if (st == QD_OK)
        st = qd_udf_call_columns(c, &column, 1, 2, NULL, results, NULL, err);
    if (st == QD_OK)
        assert_true(results[1] == 8);
    qd_udf_call_close(c);
    if (st == QD_OK)
        st = qd_runtime_stats(rt, "f", NULL, &stats, err);
    qd_free(stats);
    return st;
}

static qd_status embed(qd_error *err)
{
    qd_runtime *rt = NULL;
    qd_runtime_options options = QD_RUNTIME_OPTIONS_INIT;
    options.compile_threads = 0;
    qd_status st = qd_runtime_open(NULL, &options, &rt, err);
    if (st == QD_OK)
        st = qd_runtime_register(rt, TYPED.manifest, strlen(TYPED.manifest), TYPED.wat, strlen(TYPED.wat), err);
    if (st == QD_OK)
        st = call_in_program(rt, err);
    qd_runtime_close(rt);
    return st;
}

static const memory_case CASES[] = {
    {"build", begin_building, build, end_building},
    {"from text", NULL, from_text, NULL},
    {"row", begin_row, use, end},
    {"handle", begin_handle, use, end},
    {"typed", begin_typed, use, end},
    {"typed, with texts", begin_typed_text, use, end},
    {"batch", begin_batch, use, end},
    {"aggregate", begin_mean, aggregate, end},
    {"test call", begin_try, try_out, end},
    {"kept code", begin_keeping, keep_code, end_keeping},
    {"code made ahead of time", begin_keeping, precompile, end_keeping},
    {"in a program", NULL, embed, NULL},
};

static int group_setup(void **state)
{
    const qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    (void)state;
    return qd_wasm_engine_new(&options, &engine, NULL);
}

static int group_teardown(void **state)
{
    (void)state;
    qd_wasm_engine_free(engine);
    return 0;
}

int main(void)
{
    return memory_cases_run(CASES, sizeof CASES / sizeof *CASES, group_setup, group_teardown);
}
