/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "udf/binding.h"
#include "wat_udf.h"

/* ---- documents: some fields as columns, some not ---- */

enum { PRICE, COUNT, FLAG, NAME, LOOSE, BIG, NOTHING, N_FIELDS };
static const char *const FIELDS[] = {"price", "count", "flag", "name", "loose", "big", "nothing"};

typedef struct fake_docs {
    uint32_t n;
    bool has_columns; /* false: everything value by value */
    unsigned value_calls;
    char id[16];
} fake_docs;

static int resolve(void *arg, qd_str path)
{
    (void)arg;
    for (int i = 0; i < N_FIELDS; i++)
        if (qd_str_is(path, FIELDS[i]))
            return i;
    return -1;
}

/* price: row + 0.5, missing in each fourth row; count: row * 10, always there; flag: odd rows; name: "n"; loose: by
 * turns an integer, a string, nothing; big: 1e300 in row 2, else row. */
static bool field_value(int slot, uint32_t row, qd_value *out)
{
    switch (slot) {
    case PRICE:
        *out = (qd_value){.type = QD_F64, .as.f = row + 0.5};
        return row % 4 != 3;
    case COUNT:
        *out = (qd_value){.type = QD_I64, .as.i = (int64_t)row * 10};
        return true;
    case FLAG:
        *out = (qd_value){.type = QD_BOOL, .as.b = row % 2};
        return true;
    case NAME:
        *out = (qd_value){.type = QD_STRING, .as.s = QD_STR("n")};
        return true;
    case LOOSE:
        *out =
            row % 3 == 1 ? (qd_value){.type = QD_STRING, .as.s = QD_STR("x")} : (qd_value){.type = QD_I64, .as.i = row};
        return row % 3 != 2;
    case BIG:
        *out = (qd_value){.type = QD_F64, .as.f = row == 2 ? 1e300 : row};
        return true;
    default:
        return false;
    }
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    fake_docs *d = arg;
    d->value_calls++;
    assert_true(row < d->n);
    return field_value(slot, row, out);
}

static bool has_column(const fake_docs *d, int slot)
{
    return d->has_columns && slot != NAME && slot != LOOSE;
}

static bool block_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    fake_docs *d = arg;
    if (!has_column(d, slot))
        return false;
    *all_valid = slot != PRICE && slot != NOTHING;
    for (uint32_t row = 0; row < d->n; row++) {
        qd_value v;
        valid[row] = field_value(slot, row, &v);
        if (!valid[row] || !qd_value_to_f64(v, &out[row]))
            out[row] = valid[row] && v.type == QD_BOOL && v.as.b;
    }
    return true;
}

static bool block_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    fake_docs *d = arg;
    if (!has_column(d, slot))
        return false;
    *all_valid = slot != PRICE && slot != NOTHING;
    for (uint32_t row = 0; row < d->n; row++) {
        qd_value v;
        valid[row] = field_value(slot, row, &v);
        if (!valid[row] || !qd_value_to_i64(v, &out[row]))
            out[row] = valid[row] && v.type == QD_BOOL && v.as.b;
    }
    return true;
}

static bool doc_id(void *arg, uint32_t row, qd_str *out)
{
    fake_docs *d = arg;
    int n = snprintf(d->id, sizeof d->id, "doc%u", row);
    *out = (qd_str){d->id, (size_t)n};
    return true;
}

/* ---- one call ---- */

static qd_wasm_engine *engine;

typedef struct call {
    const char *manifest, *wat, *params;
    uint32_t n;
    qd_on_error on_error;
    double default_result;
    bool without_columns, without_scores;
    int64_t deadline_ns;
    const volatile bool *canceled;
    /* what came out */
    double out[QD_BLOCK_DOCS];
    uint8_t valid[QD_BLOCK_DOCS];
    uint64_t calls, errors;
    unsigned value_calls;
    qd_error err;
} call;

/* Two blocks one after the other, so that what a block leaves behind shows. */
static qd_status run(call *c)
{
    static float scores[QD_BLOCK_DOCS];
    fake_docs fake = {.n = c->n, .has_columns = !c->without_columns};
    const qd_doc_source docs = {&fake, resolve, block_f64, block_i64, value, doc_id, NULL, NULL};
    const qd_run_control control = {.deadline_ns = c->deadline_ns ? c->deadline_ns : INT64_MAX,
                                    .canceled = c->canceled};
    json_t *params = c->params ? json_of(c->params) : NULL;
    const qd_binding_spec spec = {
        .params = params, .on_error = c->on_error, .has_default_result = true, .default_result = c->default_result};
    qd_udf *u = wat_udf(engine, c->manifest, c->wat);
    qd_binding *b = NULL;
    qd_runner *r = NULL;
    for (uint32_t i = 0; i < QD_BLOCK_DOCS; i++)
        scores[i] = (float)i;
    assert_status_ok(qd_binding_new(u, &spec, &b, &c->err), &c->err);
    assert_status_ok(qd_runner_open(b, &docs, &control, &r, &c->err), &c->err);
    memset(c->valid, 0xee, sizeof c->valid);
    qd_status st = qd_runner_run(r, c->n, c->without_scores ? NULL : scores, c->out, c->valid, &c->err);
    qd_stats_summary stats;
    assert_status_ok(qd_udf_stats_read(u->stats, &stats, &c->err), &c->err);
    c->calls = stats.calls;
    c->errors = stats.errors;
    c->value_calls = fake.value_calls;
    if (st == QD_OK) {
        static double again[QD_BLOCK_DOCS];
        static uint8_t again_valid[QD_BLOCK_DOCS];
        assert_status_ok(qd_runner_run(r, c->n, c->without_scores ? NULL : scores, again, again_valid, &c->err),
                         &c->err);
        assert_memory_equal(again_valid, c->valid, c->n);
        assert_memory_equal(again, c->out, c->n * sizeof *again);
    }
    qd_runner_close(r);
    qd_binding_free(b);
    qd_udf_unref(u);
    json_decref(params);
    return st;
}

static void run_ok(call *c)
{
    qd_status st = run(c);
    assert_status_ok(st, &c->err);
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

#define MANIFEST(rest)          "{\"name\":\"f\",\"version\":\"1.0.0\"" rest "}"
#define PARAMS(list)            ",\"parameters\":[" list "]"
#define PARAM(name, type, rest) "{\"name\":\"" name "\",\"type\":\"" type "\"" rest "}"
#define FUNC(signature, body)   "(module (func (export \"filter\") " signature " " body "))"

/* ---- the typed shape ---- */

static void test_typed__score_field_and_constant__meet(void **state)
{
    (void)state;
    static call c = {
        .manifest = MANIFEST(PARAMS(PARAM("relevance", "f64", ",\"from\":\"_score\"") "," PARAM(
            "price", "f64", ",\"from\":\"_source.price\",\"default\":100") "," PARAM("boost", "f64",
                                                                                     ",\"default\":2"))),
        .wat = FUNC("(param f64 f64 f64) (result f64)", "local.get 0 local.get 1 f64.add local.get 2 f64.mul"),
        .params = "{\"boost\":3}",
        .n = 2048,
    };
    run_ok(&c);
    for (uint32_t i = 0; i < c.n; i++) {
        assert_true(c.valid[i]);
        assert_true(c.out[i] == (i + (i % 4 == 3 ? 100 : i + 0.5)) * 3);
    }
    assert_int_equal(c.calls, 2048);
    assert_int_equal(c.errors, 0);
    assert_int_equal(c.value_calls, 1); /* only to learn the column's type */
    c.without_columns = true;
    run_ok(&c);
    assert_true(c.out[3] == 309 && c.out[4] == 25.5);
    c.without_scores = true;
    run_ok(&c);
    assert_true(c.out[3] == 300);
}

static void test_typed__missing_without_default__is_left_out(void **state)
{
    (void)state;
    static call c = {
        .manifest = MANIFEST(PARAMS(PARAM("price", "f64", ",\"from\":\"_source.price\"") "," PARAM(
            "count", "i64", ",\"from\":\"_source.count\"") "," PARAM("score", "f32", ",\"from\":\"_score\""))),
        .wat = FUNC("(param f64 i64 f32) (result f64)",
                    "local.get 0 local.get 1 f64.convert_i64_s f64.add local.get 2 f64.promote_f32 f64.add"),
        .n = 11,
    };
    for (int round = 0; round < 2; round++) {
        c.without_columns = round;
        run_ok(&c);
        for (uint32_t i = 0; i < c.n; i++) {
            assert_int_equal(c.valid[i], i % 4 != 3);
            assert_true(c.out[i] == (i % 4 == 3 ? 0 : 12 * i + 0.5));
        }
        assert_int_equal(c.calls, 9);
    }
}

static void test_typed__types__convert(void **state)
{
    (void)state;
    /* Each argument times a power of ten, so that each shows in the sum. */
    static call c = {
        .manifest = "{\"name\":\"f\",\"version\":\"1.0.0\",\"kind\":\"transform\",\"parameters\":["
                    PARAM("a", "i32", ",\"from\":\"_source.count\"") ","
                    PARAM("b", "f32", ",\"from\":\"_source.count\"") ","
                    PARAM("c", "i64", ",\"from\":\"_source.big\"") ","
                    PARAM("d", "bool", ",\"from\":\"_source.flag\"") ","
                    PARAM("e", "i32", ",\"from\":\"_score\"") ","
                    PARAM("g", "f64", ",\"from\":\"_source.count\"") "]}",
        .wat = FUNC("(param i32 f32 i64 i32 i32 f64) (result f64)",
                    "local.get 0 f64.convert_i32_s "
                    "local.get 1 f64.promote_f32 f64.const 100 f64.mul f64.add "
                    "local.get 2 f64.convert_i64_s f64.const 1e4 f64.mul f64.add "
                    "local.get 3 f64.convert_i32_s f64.const 1e5 f64.mul f64.add "
                    "local.get 4 f64.convert_i32_s f64.const 1e6 f64.mul f64.add "
                    "local.get 5 f64.const 1e7 f64.mul f64.add"),
        .n = 2,
    };
    for (int round = 0; round < 2; round++) {
        c.without_columns = round;
        run_ok(&c);
        assert_true(c.out[0] == 0);
        assert_true(c.out[1] == 10 + 1000 + 1e4 + 1e5 + 1e6 + 1e8);
    }
}

static void test_typed__results_of_each_type__are_doubles(void **state)
{
    (void)state;
    static call c = {.n = 3};
    c.manifest = MANIFEST(PARAMS(PARAM("a", "i32", ",\"from\":\"_source.count\"")) ",\"kind\":\"transform\"");
    c.wat = FUNC("(param i32) (result i32)", "i32.const 0 local.get 0 i32.sub");
    run_ok(&c);
    assert_true(c.out[2] == -20);
    c.wat = FUNC("(param i32) (result i64)", "local.get 0 i64.extend_i32_s");
    run_ok(&c);
    assert_true(c.out[2] == 20);
    c.wat = FUNC("(param i32) (result f32)", "f32.const 0.5");
    run_ok(&c);
    assert_true(c.out[2] == 0.5);
    c.manifest = MANIFEST(PARAMS(PARAM("a", "i32", ",\"from\":\"_source.count\"")));
    c.wat = FUNC("(param i32) (result i32)", "local.get 0");
    run_ok(&c);
    assert_true(c.out[0] == 0 && c.out[1] == 1 && c.out[2] == 1);
}

static void test_typed__values_that_do_not_fit__are_errors_of_their_document(void **state)
{
    (void)state;
    static call c = {.n = 8, .wat = FUNC("(param i32) (result i32)", "i32.const 1")};
    c.manifest = MANIFEST(PARAMS(PARAM("a", "i32", ",\"from\":\"_source.big\"")));
    for (int round = 0; round < 2; round++) {
        c.without_columns = round;
        assert_failed_with(
            run(&c), &c.err, QD_EUDF_PARAMS,
            "function 'f@1.0.0', document 'doc2': parameter 'a': expected a 32-bit integer, got the number 1e+300");
        assert_int_equal(c.errors, 1);
    }
    c.manifest = MANIFEST(PARAMS(PARAM("a", "i32", ",\"from\":\"_source.flag\"")));
    assert_failed_with(run(&c), &c.err, QD_EUDF_PARAMS,
                       "function 'f@1.0.0', document 'doc0': parameter 'a': expected a 32-bit integer, got false");
    c.manifest = MANIFEST(PARAMS(PARAM("a", "bool", ",\"from\":\"_source.count\"")));
    assert_failed_with(run(&c), &c.err, QD_EUDF_PARAMS,
                       "function 'f@1.0.0', document 'doc0': parameter 'a': expected true or false, got the number 0");
    c.manifest = MANIFEST(PARAMS(PARAM("a", "i32", ",\"from\":\"_source.name\"")));
    assert_failed_with(
        run(&c), &c.err, QD_EUDF_PARAMS,
        "function 'f@1.0.0', document 'doc0': parameter 'a': expected a 32-bit integer, got the string \"n\"");
    c.manifest = MANIFEST(PARAMS(PARAM("a", "i32", ",\"from\":\"_source.loose\",\"default\":5")));
    c.on_error = QD_ON_ERROR_SKIP;
    run_ok(&c);
    for (uint32_t i = 0; i < c.n; i++)
        assert_int_equal(c.valid[i], i % 3 != 1);
    assert_int_equal(c.calls, 5);
    assert_int_equal(c.errors, 3);
}

static void test_typed__required_and_missing__names_the_document(void **state)
{
    (void)state;
    static call c = {
        .n = 8,
        .manifest = MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.price\",\"required\":true"))),
        .wat = FUNC("(param f64) (result f64)", "local.get 0"),
    };
    assert_failed_with(
        run(&c), &c.err, QD_EUDF_PARAMS,
        "function 'f@1.0.0', document 'doc3': parameter 'a' is required, and the document has no value for it");
    c.on_error = QD_ON_ERROR_DEFAULT;
    c.default_result = 9;
    run_ok(&c);
    assert_true(c.valid[3] && c.out[3] == 9 && c.out[7] == 9 && c.out[4] == 4.5);
    assert_int_equal(c.calls, 6);
}

static void test_typed__field_that_nobody_has__gives_nothing(void **state)
{
    (void)state;
    static call c = {
        .n = 100,
        .manifest = MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.nothing\""))),
        .wat = FUNC("(param f64) (result f64)", "local.get 0"),
    };
    run_ok(&c);
    for (uint32_t i = 0; i < c.n; i++)
        assert_false(c.valid[i]);
    assert_int_equal(c.calls, 0);
    c.params = "{\"a\":\"_context.x\"}";
    run_ok(&c);
    assert_false(c.valid[0]);
    c.params = NULL;
    c.manifest = MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.nothing\",\"default\":\"_source.price\"")));
    run_ok(&c);
    assert_true(c.valid[0] && c.out[1] == 1.5);
    assert_false(c.valid[3]);
}

/* ---- failures ---- */

/* Divides by 10 * (row mod 5) - 30. */
#define DIVIDE                                                                                                         \
    "(module (func (export \"filter\") (param i64) (result i32) i32.const 12 "                                         \
    "local.get 0 i32.wrap_i64 i32.const 50 i32.rem_s i32.const 30 i32.sub i32.div_s))"
#define DIVIDE_MANIFEST                                                                                                \
    MANIFEST(PARAMS(PARAM("a", "i64", ",\"from\":\"_source.count\"")) ",\"abi\":\"typed\",\"kind\":\"transform\"")

static void test_trap__fail__names_function_document_and_reason(void **state)
{
    (void)state;
    static call c = {.n = 2048, .manifest = DIVIDE_MANIFEST, .wat = DIVIDE};
    assert_int_equal(run(&c), QD_EUDF_FAILED);
    assert_non_null(strstr(c.err.message, "function 'f@1.0.0', document 'doc3': trap: integer divide by zero"));
    assert_int_equal(c.calls, 4);
    assert_int_equal(c.errors, 1);
}

static void test_trap__skip_or_default__the_rest_goes_on(void **state)
{
    (void)state;
    static call c = {.n = 2048, .manifest = DIVIDE_MANIFEST, .wat = DIVIDE};
    for (int round = 0; round < 4; round++) {
        c.on_error = round & 1 ? QD_ON_ERROR_DEFAULT : QD_ON_ERROR_SKIP;
        c.default_result = 77;
        c.without_columns = round & 2;
        run_ok(&c);
        for (uint32_t i = 0; i < c.n; i++) {
            bool fails = i % 5 == 3;
            assert_int_equal(c.valid[i], !fails || (round & 1));
            double expected = fails ? (round & 1 ? 77 : 0) : 12 / ((int)(i % 5) * 10 - 30);
            assert_true(c.out[i] == expected);
        }
        assert_int_equal(c.calls, 2048);
        assert_int_equal(c.errors, 409);
    }
}

static void test_trap__in_every_row__is_bounded(void **state)
{
    (void)state;
    static call c = {
        .n = 2048,
        .manifest = MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.price\""))),
        .wat = FUNC("(param f64) (result f64)", "unreachable"),
        .on_error = QD_ON_ERROR_SKIP,
    };
    run_ok(&c);
    assert_int_equal(c.errors, 1536);
    for (uint32_t i = 0; i < c.n; i++)
        assert_false(c.valid[i]);
}

static void test_score__not_a_score__is_an_error(void **state)
{
    (void)state;
    static call c = {
        .n = 6,
        .manifest = MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.count\"") "," PARAM("b", "f64", ""))),
        .wat = FUNC("(param f64 f64) (result f64)", "local.get 0 local.get 1 f64.div"),
    };
    static const struct {
        const char *params, *message;
    } CASES[] = {
        {"{\"b\":0}", "function 'f@1.0.0', document 'doc0': returned NaN; a score must be a finite number >= 0"},
        {"{\"b\":-10}", "function 'f@1.0.0', document 'doc1': returned -1.0; a score must be a finite number >= 0"},
        {"{\"b\":1e-200}",
         "function 'f@1.0.0', document 'doc1': returned 1e+201; a score must be a finite number >= 0"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        c.params = CASES[i].params;
        c.on_error = QD_ON_ERROR_FAIL;
        qd_status st = run(&c);
        assert_failed_with(st, &c.err, QD_EUDF_FAILED, CASES[i].message);
        c.on_error = QD_ON_ERROR_SKIP;
        run_ok(&c);
        assert_false(c.valid[1]);
    }
    assert_true(c.valid[0] && c.out[0] == 0);
}

static void test_run__deadline_or_canceled__always_fails(void **state)
{
    (void)state;
    static call c = {
        .n = 6,
        .manifest = MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.count\""))),
        .wat = FUNC("(param f64) (result f64)", "(loop $l br $l) unreachable"),
        .on_error = QD_ON_ERROR_SKIP,
    };
    volatile bool canceled = false;
    c.canceled = &canceled;
    c.deadline_ns = qd_clock_mono_ns() + 5000000;
    assert_int_equal(run(&c), QD_EUDF_TIMEOUT);
    assert_non_null(strstr(c.err.message, "function 'f@1.0.0', document 'doc0': the query's deadline passed"));
    c.deadline_ns = 0;
    canceled = true;
    assert_int_equal(run(&c), QD_ECANCELED);
    canceled = false;
    c.manifest = MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.count\"")) ",\"limits\":{\"call_ms\":5}");
    assert_int_equal(run(&c), QD_EUDF_TIMEOUT);
    assert_non_null(strstr(c.err.message, "limit of 5 ms"));
}

/* ---- the row shape ---- */

/* Gives parameter "a" (f64) plus field "count"; -1 where the parameter is missing, -2 where it is of another type. */
#define ROW_SUM                                                                                                        \
    "(module (import \"env\" \"get_param_f64\" (func $param (param i32 i32 i32) (result i32)))"                        \
    "(import \"env\" \"get_field_f64\" (func $field (param i64 i32 i32 i32) (result i32)))"                            \
    "(memory (export \"memory\") 1) (data (i32.const 0) \"acount\")"                                                   \
    "(func (export \"filter\") (param $c i64) (result f64) (local $r i32)"                                             \
    "(local.set $r (call $param (i32.const 0) (i32.const 1) (i32.const 16)))"                                          \
    "(if (i32.eq (local.get $r) (i32.const 1)) (then (return (f64.const -1))))"                                        \
    "(if (i32.eq (local.get $r) (i32.const 2)) (then (return (f64.const -2))))"                                        \
    "(drop (call $field (local.get $c) (i32.const 1) (i32.const 5) (i32.const 24)))"                                   \
    "(f64.add (f64.load (i32.const 16)) (f64.load (i32.const 24)))))"
#define ROW_MANIFEST(rest)                                                                                             \
    MANIFEST(                                                                                                          \
        PARAMS(PARAM("other", "string", ",\"default\":\"z\"") "," PARAM("a", "f64", rest)) ",\"kind\":\"transform\"")

static void test_row__parameters__by_name_from_everywhere(void **state)
{
    (void)state;
    static call c = {.n = 9, .wat = ROW_SUM};
    c.manifest = ROW_MANIFEST(",\"from\":\"_source.price\"");
    for (int round = 0; round < 2; round++) {
        c.without_columns = round;
        run_ok(&c);
        for (uint32_t i = 0; i < c.n; i++)
            assert_true(c.valid[i] && c.out[i] == (i % 4 == 3 ? -1 : 11 * i + 0.5));
    }
    c.params = "{\"a\":1000}";
    run_ok(&c);
    assert_true(c.out[8] == 1080);
    c.params = "{\"a\":\"_score\"}";
    run_ok(&c);
    assert_true(c.out[8] == 88);
    c.params = NULL;
    c.manifest = ROW_MANIFEST("");
    run_ok(&c);
    assert_true(c.out[8] == -1);
    c.manifest = ROW_MANIFEST(",\"from\":\"_source.name\"");
    run_ok(&c);
    assert_true(c.out[8] == -2);
    assert_int_equal(c.calls, 9);
}

static void test_row__required_and_missing__is_an_error_of_its_document(void **state)
{
    (void)state;
    static call c = {.n = 9, .wat = ROW_SUM, .manifest = ROW_MANIFEST(",\"from\":\"_source.price\",\"required\":true")};
    assert_failed_with(
        run(&c), &c.err, QD_EUDF_PARAMS,
        "function 'f@1.0.0', document 'doc3': parameter 'a' is required, and the document has no value for it");
    c.on_error = QD_ON_ERROR_SKIP;
    run_ok(&c);
    for (uint32_t i = 0; i < c.n; i++) {
        assert_int_equal(c.valid[i], i % 4 != 3);
        assert_true(c.out[i] == (i % 4 == 3 ? 0 : 11 * i + 0.5));
    }
    assert_int_equal(c.calls, 7);
}

static void test_row__trap__the_rest_goes_on_with_its_own_fields(void **state)
{
    (void)state;
    static call c = {
        .n = 2000,
        .manifest = MANIFEST(",\"kind\":\"transform\""),
        .on_error = QD_ON_ERROR_SKIP,
        .wat = "(module (import \"env\" \"get_field_f64\" (func $field (param i64 i32 i32 i32) (result i32)))"
               "(import \"env\" \"get_score\" (func $score (param i64) (result f64)))"
               "(memory (export \"memory\") 1) (data (i32.const 0) \"pricecount\")"
               "(func (export \"filter\") (param $c i64) (result f64)"
               "(if (call $field (local.get $c) (i32.const 0) (i32.const 5) (i32.const 16)) (then unreachable))"
               "(drop (call $field (local.get $c) (i32.const 5) (i32.const 5) (i32.const 24)))"
               "(f64.add (f64.add (f64.load (i32.const 16)) (f64.load (i32.const 24))) (call $score (local.get $c)))))",
    };
    run_ok(&c);
    for (uint32_t i = 0; i < c.n; i++) {
        assert_int_equal(c.valid[i], i % 4 != 3);
        assert_true(c.out[i] == (i % 4 == 3 ? 0 : 12 * i + 0.5));
    }
    assert_int_equal(c.errors, 500);
}

static void test_open__unknown_field_slot__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    fake_docs fake = {.n = 1};
    const qd_doc_source docs = {&fake, resolve, block_f64, block_i64, value, doc_id, NULL, NULL};
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    const qd_binding_spec spec = {0};
    qd_binding *b = NULL;
    qd_runner *r = NULL;
    qd_udf *u = wat_udf(engine, MANIFEST(PARAMS(PARAM("a", "f64", ",\"from\":\"_source.too.many\""))),
                        FUNC("(param f64) (result f64)", "local.get 0"));
    assert_status_ok(qd_binding_new(u, &spec, &b, &err), &err);
    assert_failed_with(qd_runner_open(b, &docs, &control, &r, &err), &err, QD_ELIMIT,
                       "function 'f@1.0.0': field 'too.many': too many fields are read at once");
    qd_runner_close(NULL);
    qd_binding_free(b);
    qd_udf_unref(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typed__score_field_and_constant__meet),
        cmocka_unit_test(test_typed__missing_without_default__is_left_out),
        cmocka_unit_test(test_typed__types__convert),
        cmocka_unit_test(test_typed__results_of_each_type__are_doubles),
        cmocka_unit_test(test_typed__values_that_do_not_fit__are_errors_of_their_document),
        cmocka_unit_test(test_typed__required_and_missing__names_the_document),
        cmocka_unit_test(test_typed__field_that_nobody_has__gives_nothing),
        cmocka_unit_test(test_trap__fail__names_function_document_and_reason),
        cmocka_unit_test(test_trap__skip_or_default__the_rest_goes_on),
        cmocka_unit_test(test_trap__in_every_row__is_bounded),
        cmocka_unit_test(test_score__not_a_score__is_an_error),
        cmocka_unit_test(test_run__deadline_or_canceled__always_fails),
        cmocka_unit_test(test_row__parameters__by_name_from_everywhere),
        cmocka_unit_test(test_row__required_and_missing__is_an_error_of_its_document),
        cmocka_unit_test(test_row__trap__the_rest_goes_on_with_its_own_fields),
        cmocka_unit_test(test_open__unknown_field_slot__is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
