/* SPDX-License-Identifier: Apache-2.0
 *
 * Aggregates in each of the four shapes, through the test call; then what their states may be, and what comes of
 * functions that lie about them. */
#include "udf/aggregate.h"
#include "udf/json_docs.h"
#include "wat_udf.h"

static qd_wasm_engine *engine;

/* ---- a mean: its state is a sum and a count, at 64 ---- */

#define HEAD                                                                                                           \
    "(module (import \"env\" \"set_result_missing\" (func $missing))"                                                  \
    "(import \"env\" \"get_field_f64\" (func $get (param i64 i32 i32 i32) (result i32)))"                              \
    "(import \"env\" \"field_f64\" (func $field (param i32) (result f64)))"                                            \
    "(import \"env\" \"field_valid\" (func $valid (param i32) (result i32)))"                                          \
    "(import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"                                    \
    "(memory (export \"memory\") 1) (data (i32.const 0) \"price\")"                                                    \
    "(func $add (param $s i32) (param $x f64) (param $n i64)"                                                          \
    " (f64.store (local.get $s) (f64.add (f64.load (local.get $s)) (local.get $x)))"                                   \
    " (i64.store offset=8 (local.get $s) (i64.add (i64.load offset=8 (local.get $s)) (local.get $n))))"                \
    "(func $one (param $s i32) (param $x f64) (if (f64.eq (local.get $x) (f64.const 666)) (then unreachable))"         \
    " (call $add (local.get $s) (local.get $x) (i64.const 1)))"
#define INIT      "(func (export \"agg_init\") (result i32) (i32.const 64))"
#define SERIALIZE "(func (export \"agg_serialize\") (param i32) (result i64) (i64.const 0x4000000010))"
#define MERGE                                                                                                          \
    "(func (export \"agg_merge\") (param $s i32) (param $at i32) (param $n i32)"                                       \
    " (if (i32.ne (local.get $n) (i32.const 16)) (then unreachable))"                                                  \
    " (call $add (local.get $s) (f64.load (local.get $at)) (i64.load offset=8 (local.get $at))))"
#define FINISH                                                                                                         \
    "(func (export \"agg_finish\") (param $s i32) (result f64) (local $n i64)"                                         \
    " (if (i64.eqz (local.tee $n (i64.load offset=8 (local.get $s)))) (then (call $missing)))"                         \
    " (f64.div (f64.load (local.get $s)) (f64.convert_i64_s (local.get $n))))"
#define UPDATE_TYPED                                                                                                   \
    "(func (export \"agg_update\") (param $s i32) (param $x f64) (call $one (local.get $s) (local.get $x)))"
#define UPDATE_ROW                                                                                                     \
    "(func (export \"agg_update\") (param $s i32) (param $c i64)"                                                      \
    " (if (i32.eqz (call $get (local.get $c) (i32.const 0) (i32.const 5) (i32.const 16)))"                             \
    "  (then (call $one (local.get $s) (f64.load (i32.const 16))))))"
#define UPDATE_HANDLE                                                                                                  \
    "(func (export \"agg_update\") (param $s i32) (param $c i64) (local $h i32)"                                       \
    " (local.set $h (call $handle (i32.const 0) (i32.const 5)))"                                                       \
    " (if (call $valid (local.get $h)) (then (call $one (local.get $s) (call $field (local.get $h))))))"
#define UPDATE_BATCH                                                                                                   \
    "(func (export \"agg_update\") (param $s i32) (param $n i32) (param $c i32) (local $i i32) (local $v i32)"         \
    " (local.set $v (i32.load offset=4 (local.get $c)))"                                                               \
    " (loop $next (if (if (result i32) (local.get $v) (then (i32.load8_u (i32.add (local.get $v) (local.get $i))))"    \
    "   (else (i32.const 1)))"                                                                                         \
    "  (then (call $one (local.get $s) (f64.load (i32.add (i32.load (local.get $c))"                                   \
    "   (i32.shl (local.get $i) (i32.const 3)))))))"                                                                   \
    "  (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $next (i32.lt_u (local.get $i) (local.get $n)))))"
#define MEAN(update) HEAD INIT update SERIALIZE MERGE FINISH ")"

#define MANIFEST(rest)                                                                                                 \
    "{\"name\":\"mean\",\"version\":\"1.0.0\",\"kind\":\"aggregate\",\"function_name\":\"agg\"" rest "}"
#define PRICE ",\"parameters\":[{\"name\":\"price\",\"type\":\"f64\",\"from\":\"_source.price\"}]"

static const struct shape {
    const char *manifest, *wat;
} SHAPES[] = {
    {MANIFEST(",\"abi\":\"row\""), MEAN(UPDATE_ROW)},
    {MANIFEST(",\"abi\":\"handle\""), MEAN(UPDATE_HANDLE)},
    {MANIFEST(",\"abi\":\"typed\"" PRICE), MEAN(UPDATE_TYPED)},
    {MANIFEST(",\"abi\":\"batch\"" PRICE), MEAN(UPDATE_BATCH)},
};
#define N_SHAPES (sizeof SHAPES / sizeof *SHAPES)

/* ---- the test call ---- */

static qd_status try_test(qd_udf *u, const char *body, char **result, qd_error *err)
{
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    json_t *json = json_of(body), *answer;
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = qd_udf_test(u, json, &control, &w, err);
    if (st == QD_OK) {
        assert_status_ok(qd_json_parse(qd_buf_str(&out), &answer, err), err);
        *result = json_dumps(json_object_get(answer, "result"), JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref(answer);
    }
    qd_buf_deinit(&out);
    json_decref(json);
    return st;
}

static void assert_result(qd_udf *u, const char *body, const char *expected)
{
    qd_error err = QD_ERROR_INIT;
    char *result = NULL;
    assert_status_ok(try_test(u, body, &result, &err), &err);
    assert_string_equal(result ? result : "nothing", expected);
    free(result);
}

static void assert_test_fails(qd_udf *u, const char *body, qd_status code, const char *message)
{
    qd_error err = QD_ERROR_INIT;
    char *result = NULL;
    qd_status st = try_test(u, body, &result, &err);
    assert_failed_with(st, &err, code, message);
}

static void test_aggregate__each_shape__gives_the_mean_of_those_with_a_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SHAPES; i++) {
        qd_udf *u = wat_udf(engine, SHAPES[i].manifest, SHAPES[i].wat);
        static const char DOCS[] = "[{\"price\":1},{},{\"price\":2.5},{\"price\":null},{\"price\":4}]";
        char body[256];
        for (int split = 1; split <= 9; split++) { /* 9: parts without documents too */
            snprintf(body, sizeof body, "{\"documents\":%s,\"split\":%d}", DOCS, split);
            assert_result(u, body, "2.5");
        }
        assert_result(u, "{\"document\":{\"price\":3}}", "3.0");
        assert_result(u, "{\"documents\":[]}", "null");
        assert_result(u, "{\"documents\":[{},{}]}", "null");
        qd_udf_unref(u);
    }
}

static void test_aggregate__trap_in_update__names_the_document(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, SHAPES[2].manifest, SHAPES[2].wat);
    qd_error err = QD_ERROR_INIT;
    char *result;
    qd_status st = try_test(
        u, "{\"documents\":[{\"price\":1},{\"price\":2},{\"price\":3},{\"price\":666}],\"split\":2}", &result, &err);
    assert_int_equal(st, QD_EUDF_FAILED);
    assert_non_null(strstr(err.message, "function 'mean@1.0.0', document '3': trap: unreachable"));
    qd_udf_unref(u);
}

static void test_split__must_be_a_number_of_parts_of_an_aggregate(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, SHAPES[0].manifest, SHAPES[0].wat);
    assert_test_fails(u, "{\"document\":{},\"split\":0}", QD_EUDF_PARAMS, "'split': expected 1 to 64 parts, got 0");
    assert_test_fails(u, "{\"document\":{},\"split\":65}", QD_EUDF_PARAMS, "'split': expected 1 to 64 parts, got 65");
    qd_udf_unref(u);
    u = wat_udf(engine, "{\"name\":\"f\",\"version\":\"1.0.0\"}",
                "(module (func (export \"filter\") (param i64) (result i32) i32.const 1))");
    assert_test_fails(u, "{\"document\":{},\"split\":2}", QD_EUDF_PARAMS,
                      "'split': only aggregates take documents in parts");
    qd_udf_unref(u);
}

/* ---- one aggregator ---- */

typedef struct use {
    qd_udf *udf;
    qd_binding *binding;
    json_t *json;
    const json_t *docs[QD_BLOCK_DOCS];
    qd_json_docs source_docs;
    qd_doc_source source;
    qd_aggregator *a;
    qd_error err;
} use;

static void begin(use *x, const char *manifest, const char *wat, const char *docs, qd_on_error on_error)
{
    static const qd_run_control control = {.deadline_ns = INT64_MAX};
    const qd_binding_spec spec = {.is_aggregation = true, .on_error = on_error};
    memset(x, 0, sizeof *x);
    x->udf = wat_udf(engine, manifest, wat);
    x->json = json_of(docs);
    for (size_t i = 0; i < json_array_size(x->json); i++)
        x->docs[i] = json_array_get(x->json, i);
    qd_json_docs_init(&x->source_docs, x->docs, json_array_size(x->json), (qd_str){0});
    x->source = qd_json_docs_source(&x->source_docs);
    assert_status_ok(qd_binding_new(x->udf, &spec, &x->binding, &x->err), &x->err);
    assert_status_ok(qd_aggregator_open(x->binding, &x->source, &control, &x->a, &x->err), &x->err);
}

static void end(use *x)
{
    qd_aggregator_close(x->a);
    qd_binding_free(x->binding);
    qd_udf_unref(x->udf);
    qd_json_docs_deinit(&x->source_docs);
    json_decref(x->json);
}

static void test_aggregate__skipped_documents__leave_the_state_as_if_they_were_not_there(void **state)
{
    (void)state;
    static const float scores[8] = {0};
    for (size_t i = 0; i < N_SHAPES; i++) {
        use x;
        qd_value v;
        begin(&x, SHAPES[i].manifest, SHAPES[i].wat,
              "[{\"price\":1},{\"price\":666},{\"price\":2},{},{\"price\":666},{\"price\":6}]", QD_ON_ERROR_SKIP);
        for (int block = 0; block < 3; block++)
            assert_status_ok(qd_aggregator_update(x.a, 6, scores, &x.err), &x.err);
        assert_status_ok(qd_aggregator_finish(x.a, &v, &x.err), &x.err);
        assert_int_equal(v.type, QD_F64);
        assert_true(v.as.f == 3);
        /* Each document once, though a block begins again after each that fails. A typed function is not called for the
         * one without a price; init, merge and finish are no calls. */
        qd_stats_summary counted;
        assert_status_ok(qd_udf_stats_read(x.udf->stats, &counted, &x.err), &x.err);
        assert_int_equal(counted.documents, 3 * 6);
        assert_int_equal(counted.calls, strstr(SHAPES[i].manifest, "typed") ? 3 * 5 : 3 * 6);
        assert_int_equal(counted.errors, 3 * 2);
        end(&x);
    }
}

#define SERIALIZE_COUNTED                                                                                              \
    "(func (export \"agg_serialize\") (param i32) (result i64) (call $missing) (i64.const 0x4000000010))"

static uint64_t instances_made(void)
{
    qd_wasm_counters c;
    qd_wasm_engine_read_counters(engine, &c);
    return c.instances_made;
}

/* Where `fails` says so a document fails. Calls are counted by their host calls: each update makes one, and each
 * reading of the state when those are counted. */
static uint64_t count_calls(bool (*fails)(int i), bool counts_states, uint64_t *restarts, int *n_failing)
{
    static char documents[64 << 10];
    static const float scores[QD_BLOCK_DOCS] = {0};
    use x;
    qd_value v;
    size_t used = 0;
    uint64_t before = instances_made();
    *n_failing = 0;
    for (int i = 0; i < QD_BLOCK_DOCS; i++) {
        *n_failing += fails(i);
        used += (size_t)snprintf(documents + used, sizeof documents - used, "%s{\"price\":%d}", i ? "," : "[",
                                 fails(i) ? 666 : 7);
    }
    snprintf(documents + used, sizeof documents - used, "]");
    begin(&x, MANIFEST(",\"abi\":\"row\""),
          counts_states ? HEAD INIT UPDATE_ROW SERIALIZE_COUNTED MERGE FINISH ")" : MEAN(UPDATE_ROW), documents,
          QD_ON_ERROR_SKIP);
    assert_status_ok(qd_aggregator_update(x.a, QD_BLOCK_DOCS, scores, &x.err), &x.err);
    uint64_t calls = qd_aggregator_host_calls(x.a);
    assert_status_ok(qd_aggregator_finish(x.a, &v, &x.err), &x.err);
    assert_int_equal(v.type, *n_failing < QD_BLOCK_DOCS ? QD_F64 : QD_NULL);
    assert_true(*n_failing == QD_BLOCK_DOCS || v.as.f == 7);
    end(&x);
    *restarts = instances_made() - before - 1;
    return calls;
}

static bool fails_always(int i)
{
    return i >= 0;
}

static bool fails_every_second(int i)
{
    return i % 2 == 1;
}

static bool fails_rarely(int i)
{
    return i % 100 == 99;
}

static bool fails_last(int i)
{
    return i == QD_BLOCK_DOCS - 1;
}

static bool fails_in_one_half(int i)
{
    return i >= QD_BLOCK_DOCS / 2;
}

/* Linear in the documents of the block: those that succeed are called twice at most, those that fail once, and there is
 * a fresh instance for each that fails. */
static void test_aggregate__skipped_documents__cost_a_call_and_an_instance_each(void **state)
{
    (void)state;
    bool (*const CASES[])(int) = {fails_always, fails_every_second, fails_rarely, fails_last, fails_in_one_half};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint64_t restarts, again;
        int n_failing, n = QD_BLOCK_DOCS;
        uint64_t calls = count_calls(CASES[i], false, &restarts, &n_failing);
        assert_int_equal(restarts, n_failing);
        assert_in_range(calls, n, 2 * (n - n_failing) + n_failing);
        /* The state is read once for each piece that succeeds between failures. */
        uint64_t states = count_calls(CASES[i], true, &again, &n_failing) - calls;
        assert_int_equal(again, restarts);
        assert_in_range(states, 0, 3 * n_failing < n - n_failing ? 3 * n_failing : n - n_failing);
    }
}

/* A function that does not do the same for the same document. */
static void test_aggregate__failures_that_move__stay_linear(void **state)
{
    (void)state;
    static char documents[64 << 10];
    static const float scores[QD_BLOCK_DOCS] = {0};
    use x;
    size_t used = 0;
    for (int i = 0; i < QD_BLOCK_DOCS; i++)
        used += (size_t)snprintf(documents + used, sizeof documents - used, "%s{\"price\":7}", i ? "," : "[");
    snprintf(documents + used, sizeof documents - used, "]");
    /* One call in 64 fails; a host call each. */
    begin(&x, MANIFEST(",\"abi\":\"row\",\"permissions\":[\"read_document\",\"random\"]"),
          "(module (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))"
          " (memory (export \"memory\") 1)" INIT " (func (export \"agg_update\") (param i32 i64)"
          " (drop (call $random (i32.const 0) (i32.const 1)))"
          " (if (i32.eqz (i32.and (i32.load8_u (i32.const 0)) (i32.const 63))) (then unreachable)))" SERIALIZE
          " (func (export \"agg_merge\") (param i32 i32 i32))"
          " (func (export \"agg_finish\") (param i32) (result f64) (f64.const 1)))",
          documents, QD_ON_ERROR_SKIP);
    assert_status_ok(qd_aggregator_update(x.a, QD_BLOCK_DOCS, scores, &x.err), &x.err);
    assert_in_range(qd_aggregator_host_calls(x.a), QD_BLOCK_DOCS, 9 * QD_BLOCK_DOCS);
    end(&x);
}

static void test_serialize__leaves_the_state__and_gives_its_bytes(void **state)
{
    (void)state;
    use x;
    qd_buf bytes;
    qd_value v;
    const struct {
        double sum;
        int64_t n;
    } expected = {7.5, 3};
    begin(&x, SHAPES[2].manifest, SHAPES[2].wat, "[{\"price\":1.5},{\"price\":2},{\"price\":4}]", QD_ON_ERROR_FAIL);
    qd_buf_init(&bytes, 100);
    assert_status_ok(qd_aggregator_update(x.a, 3, NULL, &x.err), &x.err);
    for (int time = 0; time < 2; time++) {
        qd_buf_clear(&bytes);
        assert_status_ok(qd_aggregator_serialize(x.a, &bytes, &x.err), &x.err);
        assert_int_equal(bytes.n, 16);
        assert_memory_equal(bytes.p, &expected, 16);
    }
    assert_status_ok(qd_aggregator_merge(x.a, qd_buf_str(&bytes), &x.err), &x.err);
    assert_status_ok(qd_aggregator_finish(x.a, &v, &x.err), &x.err);
    assert_true(v.type == QD_F64 && v.as.f == 2.5);
    qd_buf_deinit(&bytes);
    end(&x);
}

/* ---- results ---- */

#define CONSTANT(finish)                                                                                               \
    "(module (import \"env\" \"set_result_string\" (func $string (param i32 i32)))"                                    \
    "(import \"env\" \"get_param_f64\" (func $param (param i32 i32 i32) (result i32)))"                                \
    "(memory (export \"memory\") 1) (data (i32.const 0) \"price\")"                                                    \
    "(func (export \"agg_update\") (param i32 f64))" INIT SERIALIZE                                                    \
    "(func (export \"agg_merge\") (param i32 i32 i32)) (func (export \"agg_finish\") " finish "))"

static void test_finish__results__are_as_declared(void **state)
{
    (void)state;
    static const struct {
        const char *manifest, *wat, *expected;
    } CASES[] = {
        {MANIFEST(PRICE), CONSTANT("(param i32) (result f64) (f64.const 0.25)"), "0.25"},
        {MANIFEST(PRICE), CONSTANT("(param i32) (result f64) (f64.const nan)"), "null"},
        {MANIFEST(PRICE), CONSTANT("(param i32) (result f64) (f64.const inf)"), "null"},
        {MANIFEST(PRICE), CONSTANT("(param i32) (result f32) (f32.const 0.5)"), "0.5"},
        {MANIFEST(PRICE), CONSTANT("(param i32) (result i32) (i32.const -7)"), "-7"},
        {MANIFEST(PRICE), CONSTANT("(param i32) (result i64) (i64.const 9007199254740993)"), "9007199254740993"},
        {MANIFEST(PRICE ",\"returns\":[{\"type\":\"bool\"}]"), CONSTANT("(param i32) (result i32) (i32.const 2)"),
         "true"},
        {MANIFEST(PRICE ",\"returns\":[{\"type\":\"string\"}]"),
         CONSTANT("(param i32) (call $string (i32.const 0) (i32.const 5))"), "\"price\""},
        {MANIFEST(PRICE ",\"returns\":[{\"type\":\"string\"}]"), CONSTANT("(param i32)"), "null"},
        /* Fields have no value outside of documents: 1. */
        {MANIFEST(PRICE), CONSTANT("(param i32) (result i32) (call $param (i32.const 0) (i32.const 5) (i32.const 16))"),
         "1"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_udf *u = wat_udf(engine, CASES[i].manifest, CASES[i].wat);
        assert_result(u, "{\"document\":{\"price\":1}}", CASES[i].expected);
        qd_udf_unref(u);
    }
    qd_udf *u = wat_udf(engine, MANIFEST(PRICE),
                        CONSTANT("(param i32) (result f64) (drop (call $param (i32.const 0) (i32.const 5) (i32.const "
                                 "16))) (f64.load (i32.const 16))"));
    assert_result(u, "{\"documents\":[],\"parameters\":{\"price\":2.5}}", "2.5");
    qd_udf_unref(u);
}

/* Serialize asks for the field of a document that is long gone, and gives what it was told as its state. */
static void test_parameters__beside_documents__are_constants_alone(void **state)
{
    (void)state;
    static const char WAT[] =
        "(module (import \"env\" \"get_param_f64\" (func $param (param i32 i32 i32) (result i32)))"
        "(memory (export \"memory\") 1) (data (i32.const 0) \"pricelimit\")"
        "(func (export \"agg_update\") (param i32 i64) (i32.store (i32.const 40)"
        " (call $param (i32.const 0) (i32.const 5) (i32.const 16))))" INIT
        "(func (export \"agg_serialize\") (param i32) (result i64)"
        " (i32.store (i32.const 32) (call $param (i32.const 0) (i32.const 5) (i32.const 16)))"
        " (i32.store (i32.const 36) (call $param (i32.const 5) (i32.const 5) (i32.const 24)))"
        " (i64.const 0x100000001c))"
        "(func (export \"agg_merge\") (param i32 i32 i32)) (func (export \"agg_finish\") (param i32) (result i32)"
        " (i32.const 0)))";
    use x;
    qd_buf bytes;
    int32_t in_update, in_serialize[2];
    double values[2];
    begin(&x,
          MANIFEST(",\"parameters\":[{\"name\":\"price\",\"type\":\"f64\",\"from\":\"_source.price\"},"
                   "{\"name\":\"limit\",\"type\":\"f64\",\"default\":8.5}]"),
          WAT, "[{\"price\":1.5}]", QD_ON_ERROR_FAIL);
    qd_buf_init(&bytes, 100);
    assert_status_ok(qd_aggregator_update(x.a, 1, NULL, &x.err), &x.err);
    assert_status_ok(qd_aggregator_serialize(x.a, &bytes, &x.err), &x.err);
    assert_int_equal(bytes.n, 28);
    memcpy(values, bytes.p, sizeof values);
    memcpy(in_serialize, bytes.p + 16, sizeof in_serialize);
    memcpy(&in_update, bytes.p + 24, sizeof in_update);
    assert_int_equal(in_update, 0);
    assert_true(values[0] == 1.5);
    assert_int_equal(in_serialize[0], 1); /* missing */
    assert_int_equal(in_serialize[1], 0);
    assert_true(values[1] == 8.5);
    qd_buf_deinit(&bytes);
    end(&x);
}

/* ---- functions that lie ---- */

#define LIAR(init, update, merge, serialize, finish)                                                                   \
    "(module (memory (export \"memory\") 1) (func (export \"agg_init\") (result i32) " init ")"                        \
    "(func (export \"agg_update\") (param i32 f64) " update ")"                                                        \
    "(func (export \"agg_merge\") (param i32 i32 i32) " merge ")"                                                      \
    "(func (export \"agg_serialize\") (param i32) (result i64) " serialize ")"                                         \
    "(func (export \"agg_finish\") (param i32) (result f64) " finish "))"
#define FAILED(text) QD_EUDF_FAILED, "function 'mean@1.0.0': " text

static void test_states__that_are_no_states__are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *wat;
        qd_status code;
        const char *message;
    } CASES[] = {
        {LIAR("unreachable", "", "", "(i64.const 0)", "(f64.const 0)"), FAILED("trap: unreachable")},
        {LIAR("(i32.const 0)", "", "unreachable", "(i64.const 0)", "(f64.const 0)"), FAILED("trap: unreachable")},
        {LIAR("(i32.const 0)", "", "", "unreachable", "(f64.const 0)"), FAILED("trap: unreachable")},
        {LIAR("(i32.const 0)", "", "", "(i64.const 0)", "unreachable"), FAILED("trap: unreachable")},
        {LIAR("(i32.const 0)", "", "", "(i64.const 0x1000000000001)", "(f64.const 0)"),
         FAILED("agg_serialize gave a state of 1 bytes at 65536, which is not in its memory")},
        {LIAR("(i32.const 0)", "", "", "(i64.const 0xffffffff00000010)", "(f64.const 0)"),
         FAILED("agg_serialize gave a state of 16 bytes at 4294967295, which is not in its memory")},
        {LIAR("(i32.const 0)", "", "", "(i64.const 0xffff00000002)", "(f64.const 0)"),
         FAILED("agg_serialize gave a state of 2 bytes at 65535, which is not in its memory")},
        {LIAR("(i32.const 0)", "", "", "(i64.const 1048577)", "(f64.const 0)"), QD_EUDF_MEMORY,
         "function 'mean@1.0.0': agg_serialize gave a state of 1048577 bytes; at most 1048576 are kept"},
        {LIAR("(i32.const 0)", "", "", "(i64.const -1)", "(f64.const 0)"), QD_EUDF_MEMORY,
         "function 'mean@1.0.0': agg_serialize gave a state of 4294967295 bytes; at most 1048576 are kept"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        char *result = NULL;
        qd_udf *u = wat_udf(engine, MANIFEST(PRICE), CASES[i].wat);
        qd_status st = try_test(u, "{\"document\":{\"price\":1}}", &result, &err);
        assert_string_equal(qd_status_name(st), qd_status_name(CASES[i].code));
        size_t n = strlen(CASES[i].message); /* traps go on with where they were */
        if (strncmp(err.message, CASES[i].message, n) != 0)
            assert_string_equal(err.message, CASES[i].message);
        qd_udf_unref(u);
    }
}

static void test_state__address_of_nothing__is_not_looked_at(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, MANIFEST(PRICE),
                        LIAR("(i32.const -1)", "", "(f64.store (i32.const 0) (f64.convert_i32_u (local.get 2)))",
                             "(i64.const 0xffffffff00000000)", "(f64.load (i32.const 0))"));
    assert_result(u, "{\"document\":{\"price\":1}}", "0.0");
    qd_udf_unref(u);
}

static void test_state__largest__goes_through(void **state)
{
    (void)state;
    qd_udf *u = wat_udf(engine, MANIFEST(PRICE),
                        LIAR("(drop (memory.grow (i32.const 16))) (i32.const 7)", "",
                             "(f64.store (i32.const 0) (f64.convert_i32_u (i32.add (local.get 2)"
                             " (i32.load8_u (i32.add (local.get 1) (i32.const 1048575))))))",
                             "(i32.store8 (i32.const 1048579) (i32.const 9)) (i64.const 0x400100000)",
                             "(f64.load (i32.const 0))"));
    assert_result(u, "{\"document\":{\"price\":1}}", "1048585.0");
    qd_udf_unref(u);
}

static void test_loops__in_each_export__are_stopped(void **state)
{
    (void)state;
    static const char *const WATS[] = {
        LIAR("(loop $l (br $l)) (i32.const 0)", "", "", "(i64.const 0)", "(f64.const 0)"),
        LIAR("(i32.const 0)", "(loop $l (br $l))", "", "(i64.const 0)", "(f64.const 0)"),
        LIAR("(i32.const 0)", "", "(loop $l (br $l))", "(i64.const 0)", "(f64.const 0)"),
        LIAR("(i32.const 0)", "", "", "(loop $l (br $l)) (i64.const 0)", "(f64.const 0)"),
        LIAR("(i32.const 0)", "", "", "(i64.const 0)", "(loop $l (br $l)) (f64.const 0)"),
    };
    for (size_t i = 0; i < sizeof WATS / sizeof *WATS; i++) {
        qd_error err = QD_ERROR_INIT;
        char *result = NULL;
        qd_udf *u = wat_udf(engine, MANIFEST(PRICE ",\"limits\":{\"call_ms\":5}"), WATS[i]);
        assert_int_equal(try_test(u, "{\"document\":{\"price\":1}}", &result, &err), QD_EUDF_TIMEOUT);
        assert_non_null(strstr(err.message, "ran longer than its limit of 5 ms"));
        qd_udf_unref(u);
    }
}

/* ---- registration ---- */

static void test_fit__exports__must_be_there_and_fit(void **state)
{
    (void)state;
    static const struct {
        const char *manifest, *wat, *message;
    } CASES[] = {
        {MANIFEST(PRICE), "(module (memory (export \"memory\") 1) (func (export \"agg_update\") (param i32 f64)))",
         "function 'mean@1.0.0': an aggregate needs the export 'agg_init', which is () -> i32; the module has none"},
        {MANIFEST(PRICE), HEAD INIT UPDATE_TYPED SERIALIZE FINISH ")",
         "function 'mean@1.0.0': an aggregate needs the export 'agg_merge', which is (i32, i32, i32) -> nothing; the "
         "module has none"},
        {MANIFEST(PRICE),
         HEAD "(func (export \"agg_init\") (param i32) (result i32) (i32.const 1))" UPDATE_TYPED SERIALIZE MERGE FINISH
              ")",
         "function 'mean@1.0.0': exported function 'agg_init' is (i32) -> i32; expected () -> i32"},
        {MANIFEST(PRICE),
         HEAD INIT UPDATE_TYPED MERGE FINISH "(func (export \"agg_serialize\") (param i32) (result i32) unreachable))",
         "function 'mean@1.0.0': exported function 'agg_serialize' is (i32) -> i32; expected (i32) -> i64"},
        {MANIFEST(PRICE), HEAD INIT UPDATE_TYPED MERGE SERIALIZE "(func (export \"agg_finish\") (param i32)))",
         "function 'mean@1.0.0': exported function 'agg_finish' is (i32) -> nothing; expected (i32) -> a number"},
        {MANIFEST(PRICE ",\"returns\":[{\"type\":\"i64\"}]"), MEAN(UPDATE_TYPED),
         "function 'mean@1.0.0': exported function 'agg_finish' is (i32) -> f64; expected (i32) -> i64, by the "
         "manifest's 'returns'"},
        {MANIFEST(""), HEAD INIT MERGE SERIALIZE FINISH ")",
         "function 'mean@1.0.0': the module exports no function 'agg_update'; its exported functions: 'agg_init', "
         "'agg_merge', 'agg_serialize', 'agg_finish'"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_udf *u = NULL;
        qd_status st = try_wat_udf(engine, CASES[i].manifest, CASES[i].wat, &u, &err);
        assert_failed_with(st, &err, QD_EUDF_WASM, CASES[i].message);
    }
}

static int setup(void **state)
{
    const qd_wasm_engine_options options = QD_WASM_ENGINE_OPTIONS_INIT;
    (void)state;
    return qd_wasm_engine_new(&options, &engine, NULL);
}

static int teardown(void **state)
{
    (void)state;
    qd_wasm_engine_free(engine);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggregate__each_shape__gives_the_mean_of_those_with_a_value),
        cmocka_unit_test(test_aggregate__trap_in_update__names_the_document),
        cmocka_unit_test(test_split__must_be_a_number_of_parts_of_an_aggregate),
        cmocka_unit_test(test_aggregate__skipped_documents__leave_the_state_as_if_they_were_not_there),
        cmocka_unit_test(test_aggregate__skipped_documents__cost_a_call_and_an_instance_each),
        cmocka_unit_test(test_aggregate__failures_that_move__stay_linear),
        cmocka_unit_test(test_serialize__leaves_the_state__and_gives_its_bytes),
        cmocka_unit_test(test_finish__results__are_as_declared),
        cmocka_unit_test(test_parameters__beside_documents__are_constants_alone),
        cmocka_unit_test(test_states__that_are_no_states__are_errors),
        cmocka_unit_test(test_state__address_of_nothing__is_not_looked_at),
        cmocka_unit_test(test_state__largest__goes_through),
        cmocka_unit_test(test_loops__in_each_export__are_stopped),
        cmocka_unit_test(test_fit__exports__must_be_there_and_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
