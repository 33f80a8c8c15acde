/* SPDX-License-Identifier: Apache-2.0
 *
 * The same documents through each of the four shapes: every kind of value, missing or there, from columns and one by
 * one; then what is particular to a shape. */
#include <stdio.h>

#include "udf/binding.h"
#include "wat_udf.h"

/* ---- documents ---- */

enum { PRICE, COUNT, FLAG, NAME, TAG, DATE, LAT, TEXT, N_FIELDS };
static const char *const FIELDS[] = {"price", "count", "flag", "vendor.name", "tags[2]", "at", "loc.lat", "text"};

typedef struct fake_docs {
    uint32_t n;
    bool has_columns;
    char texts[QD_BLOCK_DOCS][16], ids[QD_BLOCK_DOCS][16];
    qd_str text; /* of each document's field "text" */
} fake_docs;

static int resolve(void *arg, qd_str path)
{
    (void)arg;
    for (int i = 0; i < N_FIELDS; i++)
        if (qd_str_is(path, FIELDS[i]))
            return i;
    return N_FIELDS;
}

static bool is_there(int slot, uint32_t row)
{
    static const uint32_t MISSING[] = {
        [PRICE] = 4, [COUNT] = 5, [FLAG] = 3, [NAME] = 4, [TAG] = 2, [DATE] = 7, [LAT] = 6, [TEXT] = 9999};
    return slot < N_FIELDS && row % MISSING[slot] != 1;
}

static bool field_value(const fake_docs *d, int slot, uint32_t row, qd_value *out)
{
    static const int64_t LARGE = (1ll << 53) + 1; /* no double */
    switch (slot) {
    case PRICE:
        *out = (qd_value){.type = QD_F64, .as.f = row + 0.5};
        break;
    case COUNT:
        *out = (qd_value){.type = QD_I64, .as.i = LARGE + row * 2};
        break;
    case FLAG:
        *out = (qd_value){.type = QD_BOOL, .as.b = row % 2};
        break;
    case NAME:
    case TAG:
        *out = (qd_value){.type = QD_STRING, .as.s = qd_str_of(d->texts[row])};
        break;
    case DATE:
        *out = (qd_value){.type = QD_I64, .as.i = 1700000000000 + row};
        break;
    case LAT:
        *out = (qd_value){.type = QD_F64, .as.f = row / 16.0 - 45};
        break;
    case TEXT:
        *out = (qd_value){.type = QD_STRING, .as.s = d->text};
        break;
    default:
        return false;
    }
    return is_there(slot, row);
}

static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    const fake_docs *d = arg;
    assert_true(row < d->n);
    return field_value(d, slot, row, out);
}

static bool block(void *arg, int slot, bool as_f64, void *out, uint8_t *valid, bool *all_valid)
{
    const fake_docs *d = arg;
    if (!d->has_columns || slot == NAME || slot == TAG || slot == TEXT || slot == N_FIELDS || (as_f64 && slot == FLAG))
        return false;
    *all_valid = false;
    for (uint32_t row = 0; row < d->n; row++) {
        qd_value v;
        double f = 0;
        int64_t i = 0;
        valid[row] = field_value(d, slot, row, &v);
        if (valid[row] && v.type == QD_BOOL)
            v = (qd_value){.type = QD_I64, .as.i = v.as.b};
        (void)(valid[row] && qd_value_to_f64(v, &f) && qd_value_to_i64(v, &i));
        if (as_f64)
            ((double *)out)[row] = f;
        else
            ((int64_t *)out)[row] = i;
    }
    return true;
}

static bool block_f64(void *arg, int slot, double *out, uint8_t *valid, bool *all_valid)
{
    return block(arg, slot, true, out, valid, all_valid);
}

static bool block_i64(void *arg, int slot, int64_t *out, uint8_t *valid, bool *all_valid)
{
    return block(arg, slot, false, out, valid, all_valid);
}

static bool doc_id(void *arg, uint32_t row, qd_str *out)
{
    *out = qd_str_of(((fake_docs *)arg)->ids[row]);
    return true;
}

/* ---- one use of a function ---- */

static qd_wasm_engine *engine;

typedef struct use {
    fake_docs docs;
    qd_doc_source source;
    qd_udf *udf;
    qd_binding *binding;
    qd_runner *runner;
    qd_value out[QD_BLOCK_DOCS];
    double numbers[QD_BLOCK_DOCS];
    uint8_t valid[QD_BLOCK_DOCS];
    float scores[QD_BLOCK_DOCS];
    qd_error err;
} use;

static void begin(use *u, const char *manifest, const char *wat, const char *params, qd_on_error on_error)
{
    static const qd_run_control control = {.deadline_ns = INT64_MAX};
    json_t *given = params ? json_of(params) : NULL;
    const qd_binding_spec spec = {.params = given,
                                  .is_aggregation = strstr(manifest, "\"aggregate\"") != NULL,
                                  .on_error = on_error,
                                  .has_default_result = true,
                                  .default_result = 7};
    u->docs.has_columns = true;
    for (uint32_t row = 0; row < QD_BLOCK_DOCS; row++) {
        snprintf(u->docs.texts[row], sizeof u->docs.texts[row], "t%u", row);
        snprintf(u->docs.ids[row], sizeof u->docs.ids[row], "doc%u", row);
        u->scores[row] = (float)row;
    }
    u->source = (qd_doc_source){&u->docs, resolve, block_f64, block_i64, value, doc_id, NULL, NULL};
    u->udf = wat_udf(engine, manifest, wat);
    assert_status_ok(qd_binding_new(u->udf, &spec, &u->binding, &u->err), &u->err);
    assert_status_ok(qd_runner_open(u->binding, &u->source, &control, &u->runner, &u->err), &u->err);
    json_decref(given);
}

static void end(use *u)
{
    qd_runner_close(u->runner);
    qd_binding_free(u->binding);
    qd_udf_unref(u->udf);
}

static qd_status run(use *u, uint32_t n)
{
    u->docs.n = n;
    return qd_runner_run(u->runner, n, u->scores, u->numbers, u->valid, &u->err);
}

static void run_ok(use *u, uint32_t n)
{
    qd_status st = run(u, n);
    assert_status_ok(st, &u->err);
}

static qd_status run_values(use *u, uint32_t n)
{
    u->docs.n = n;
    return qd_runner_run_values(u->runner, n, u->scores, u->out, &u->err);
}

/* ---- guests that give back a field of a type ---- */

typedef struct kind_of_value {
    const char *type;    /* of the manifest */
    const char *wasm;    /* of a number */
    const char *to_wasm; /* from what field_… gives */
    const char *reader;  /* of the row shape */
    const char *by_handle;
    int width;
} kind_of_value;
static const kind_of_value F64 = {"f64", "f64", "", "get_field_f64", "field_f64", 8};
static const kind_of_value I64 = {"i64", "i64", "", "get_field_i64", "field_i64", 8};
static const kind_of_value BOOL = {"bool", "i32", "i32.wrap_i64", "get_field_bool", "field_i64", 4};
static const kind_of_value STRING = {"string", NULL, "", NULL, NULL, 8};

#define MODULE_START()                                                                                                 \
    "(module (import \"env\" \"set_result_missing\" (func $missing))"                                                  \
    "(import \"env\" \"set_result_string\" (func $set (param i32 i32)))"                                               \
    "(import \"env\" \"field_handle\" (func $handle (param i32 i32) (result i32)))"                                    \
    "(import \"env\" \"field_string\" (func $field_string (param i32 i32 i32) (result i32)))"                          \
    "(import \"env\" \"field_valid\" (func $valid (param i32) (result i32)))"                                          \
    "(import \"env\" \"get_field_string\" (func $get_string (param i64 i32 i32 i32 i32) (result i32)))"                \
    "%s (memory (export \"memory\") 2) (data (i32.const 0) \"%s\")"

static void row_guest(const kind_of_value *k, const char *field, char *wat, size_t size)
{
    char import[200] = "";
    if (!k->wasm) {
        snprintf(wat, size,
                 MODULE_START() "(func (export \"filter\") (param i64) (i32.store (i32.const 60) (i32.const 1000))"
                                " (if (call $get_string (local.get 0) (i32.const 0) (i32.const %zu) (i32.const 64)"
                                "  (i32.const 60)) (then (call $missing))"
                                "  (else (call $set (i32.const 64) (i32.load (i32.const 60)))))))",
                 import, field, strlen(field));
        return;
    }
    snprintf(import, sizeof import, "(import \"env\" \"%s\" (func $get (param i64 i32 i32 i32) (result i32)))",
             k->reader);
    snprintf(wat, size,
             MODULE_START() "(func (export \"filter\") (param i64) (result %s)"
                            " (if (call $get (local.get 0) (i32.const 0) (i32.const %zu) (i32.const 64))"
                            "  (then (call $missing))) (%s.load (i32.const 64))))",
             import, field, k->wasm, strlen(field), k->wasm);
}

static void handle_guest(const kind_of_value *k, const char *field, char *wat, size_t size)
{
    char import[200] = "";
    if (!k->wasm) {
        snprintf(wat, size,
                 MODULE_START() "(func (export \"filter\") (param i64) (i32.store (i32.const 60) (i32.const 1000))"
                                " (if (call $field_string (call $handle (i32.const 0) (i32.const %zu)) (i32.const 64)"
                                "  (i32.const 60)) (then (call $missing))"
                                "  (else (call $set (i32.const 64) (i32.load (i32.const 60)))))))",
                 import, field, strlen(field));
        return;
    }
    snprintf(import, sizeof import, "(import \"env\" \"%s\" (func $get (param i32) (result %s)))", k->by_handle,
             *k->to_wasm ? "i64" : k->wasm);
    snprintf(wat, size,
             MODULE_START() "(global $h (mut i32) (i32.const 0)) (func (export \"_initialize\")"
                            " (global.set $h (call $handle (i32.const 0) (i32.const %zu))))"
                            "(func (export \"filter\") (param i64) (result %s)"
                            " (if (i32.eqz (call $valid (global.get $h))) (then (call $missing)))"
                            " (call $get (global.get $h)) %s))",
             import, field, strlen(field), k->wasm, k->to_wasm);
}

static void typed_guest(const kind_of_value *k, const char *field, char *wat, size_t size)
{
    if (k->wasm)
        snprintf(wat, size, MODULE_START() "(func (export \"filter\") (param %s) (result %s) local.get 0))", "", field,
                 k->wasm, k->wasm);
    else
        snprintf(wat, size,
                 MODULE_START() "(func (export \"filter\") (param i32 i32) (call $set (local.get 0) (local.get 1))))",
                 "", field);
}

static void batch_guest(const kind_of_value *k, const char *field, char *wat, size_t size)
{
    snprintf(wat, size,
             MODULE_START() "(func (export \"filter\") (param $n i32) (param $columns i32) (param $out i32)"
                            " (memory.copy (i32.load (local.get $out)) (i32.load (local.get $columns))"
                            "  (i32.mul (local.get $n) (i32.const %d)))"
                            " (if (i32.load offset=4 (local.get $columns))"
                            "  (then (memory.copy (i32.load offset=4 (local.get $out))"
                            "   (i32.load offset=4 (local.get $columns)) (local.get $n))))))",
             "", field, k->width);
}

static const struct {
    const char *abi;
    void (*write)(const kind_of_value *k, const char *field, char *wat, size_t size);
} SHAPES[] = {{"row", row_guest}, {"handle", handle_guest}, {"typed", typed_guest}, {"batch", batch_guest}};

static void assert_same(const char *what, uint32_t row, bool is_expected, qd_value expected, qd_value got)
{
    bool is_same = got.type == (is_expected ? expected.type : QD_NULL);
    if (is_same && is_expected)
        is_same = got.type == QD_BOOL     ? got.as.b == expected.as.b
                  : got.type == QD_STRING ? qd_str_eq(got.as.s, expected.as.s)
                                          : got.as.i == expected.as.i; /* bits of a double too */
    if (!is_same)
        fail_msg("%s, row %u: type %s, expected %s", what, row, qd_type_name(got.type),
                 is_expected ? qd_type_name(expected.type) : "nothing");
}

static void test_shapes__every_kind_of_value__comes_through_each(void **state)
{
    (void)state;
    static const struct {
        int slot;
        const kind_of_value *kind;
    } CASES[] = {{PRICE, &F64},  {COUNT, &I64}, {FLAG, &BOOL}, {NAME, &STRING},
                 {TAG, &STRING}, {DATE, &I64},  {LAT, &F64}};
    static use u;
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES * 4; c++) {
        const kind_of_value *k = CASES[c / 4].kind;
        const char *field = FIELDS[CASES[c / 4].slot];
        char wat[4096], manifest[400], what[64];
        SHAPES[c % 4].write(k, field, wat, sizeof wat);
        snprintf(manifest, sizeof manifest,
                 "{\"name\":\"f\",\"version\":\"1.0.0\",\"kind\":\"transform\",\"abi\":\"%s\",\"returns\":[{\"type\":"
                 "\"%s\"}],"
                 "\"parameters\":[{\"name\":\"x\",\"type\":\"%s\",\"from\":\"_source.%s\"}]}",
                 SHAPES[c % 4].abi, k->type, k->type, field);
        begin(&u, manifest, wat, NULL, QD_ON_ERROR_FAIL);
        for (int round = 0; round < 4; round++) {
            u.docs.has_columns = round < 2;
            snprintf(what, sizeof what, "%s in the %s shape, round %d", field, SHAPES[c % 4].abi, round);
            qd_status st = run_values(&u, round == 1 ? 2048 : 100);
            assert_status_ok(st, &u.err);
            for (uint32_t row = 0; row < u.docs.n; row++) {
                qd_value expected;
                bool is_expected = field_value(&u.docs, CASES[c / 4].slot, row, &expected);
                assert_same(what, row, is_expected, expected, u.out[row]);
            }
        }
        end(&u);
    }
}

/* ---- filters and scores ---- */

#define MANIFEST(rest)          "{\"name\":\"f\",\"version\":\"1.0.0\"" rest "}"
#define PARAMS(list)            ",\"parameters\":[" list "]"
#define PARAM(name, type, rest) "{\"name\":\"" name "\",\"type\":\"" type "\"" rest "}"
#define BATCH(code)                                                                                                    \
    "(module (memory (export \"memory\") 1)"                                                                           \
    "(func (export \"filter\") (param $n i32) (param $columns i32) (param $out i32)"                                   \
    " (local $i i32) (local $a i32) (local $b i32) (local $r i32)"                                                     \
    " (local.set $a (i32.load (local.get $columns))) (local.set $b (i32.load offset=16 (local.get $columns)))"         \
    " (local.set $r (i32.load (local.get $out))) " code "))"
#define EACH_ROW(code)                                                                                                 \
    " (loop $next " code " (local.set $i (i32.add (local.get $i) (i32.const 1)))"                                      \
    "  (br_if $next (i32.lt_u (local.get $i) (local.get $n))))"
#define AT(base, shift) "(i32.add (local.get " base ") (i32.shl (local.get $i) (i32.const " shift ")))"
#define SCORE_AND_PRICE                                                                                                \
    PARAMS(PARAM("score", "f64", ",\"from\":\"_score\"") "," PARAM("price", "f64", ",\"from\":\"_source.price\""))
#define PRODUCT                                                                                                        \
    BATCH(EACH_ROW("(f64.store " AT("$r", "3") " (f64.mul (f64.load " AT("$a", "3") ") (f64.load " AT("$b", "3") "))"  \
                                                                                                                 ")"))

static void test_batch__score__is_given_missing_values_as_0(void **state)
{
    (void)state;
    static use u;
    begin(&u, MANIFEST(",\"kind\":\"score\"" SCORE_AND_PRICE), PRODUCT, NULL, QD_ON_ERROR_FAIL);
    run_ok(&u, 2048);
    for (uint32_t row = 0; row < 2048; row++) {
        assert_true(u.valid[row]);
        assert_true(u.numbers[row] == (row % 4 == 1 ? 0 : row * (row + 0.5)));
    }
    end(&u);
}

static void test_batch__default_and_required__are_as_elsewhere(void **state)
{
    (void)state;
    static use u;
    begin(&u,
          MANIFEST(",\"kind\":\"score\"" PARAMS(PARAM("score", "f64", ",\"from\":\"_score\"") "," PARAM(
              "price", "f64", ",\"from\":\"_source.price\",\"default\":100"))),
          PRODUCT, NULL, QD_ON_ERROR_FAIL);
    run_ok(&u, 9);
    assert_true(u.numbers[5] == 500 && u.numbers[4] == 18);
    end(&u);

    static const char REQUIRED[] =
        MANIFEST(",\"kind\":\"score\"" PARAMS(PARAM("score", "f64", ",\"from\":\"_score\"") "," PARAM(
            "price", "f64", ",\"from\":\"_source.price\",\"required\":true")));
    begin(&u, REQUIRED, PRODUCT, NULL, QD_ON_ERROR_FAIL);
    assert_int_equal(run(&u, 9), QD_EUDF_PARAMS);
    assert_non_null(strstr(u.err.message, "document 'doc1'"));
    end(&u);
    begin(&u, REQUIRED, PRODUCT, NULL, QD_ON_ERROR_DEFAULT);
    run_ok(&u, 9);
    assert_true(u.numbers[0] == 0 && u.numbers[1] == 7 && u.numbers[2] == 5 && u.numbers[8] == 68 && u.valid[1]);
    end(&u);
}

static void test_batch__parameter_without_value__has_no_valid_row(void **state)
{
    (void)state;
    static use u;
    /* result = valid address of the parameter is set, and its first byte is 0 */
    begin(&u, MANIFEST(",\"kind\":\"filter\"" PARAMS(PARAM("x", "f64", ""))),
          BATCH(EACH_ROW("(i32.store " AT(
              "$r", "2") " (i32.and (i32.ne (i32.load offset=4 (local.get $columns))"
                         " (i32.const 0)) (i32.eqz (i32.load8_u (i32.load offset=4 (local.get $columns))))))")),
          NULL, QD_ON_ERROR_FAIL);
    run_ok(&u, 5);
    assert_true(u.numbers[0] == 1 && u.numbers[4] == 1);
    qd_status st = qd_runner_run(u.runner, 5, u.scores, NULL, u.valid, &u.err);
    assert_status_ok(st, &u.err);
    assert_int_equal(u.valid[4], 1);
    end(&u);
}

static void test_batch__constant_parameters__fill_their_columns(void **state)
{
    (void)state;
    static use u;
    begin(&u,
          MANIFEST(",\"kind\":\"score\"" PARAMS(
              PARAM("boost", "f64", ",\"default\":3") "," PARAM("score", "f64", ",\"from\":\"_score\""))),
          PRODUCT, "{\"boost\":5}", QD_ON_ERROR_FAIL);
    run_ok(&u, 2048);
    assert_true(u.numbers[0] == 0 && u.numbers[2047] == 5 * 2047);
    end(&u);
}

static void test_batch__bad_score__is_an_error(void **state)
{
    (void)state;
    static use u;
    static const char NEGATIVE_AT_3[] = BATCH("(f64.store offset=24 (local.get $r) (f64.const -1))");
    begin(&u, MANIFEST(",\"kind\":\"score\"" SCORE_AND_PRICE), NEGATIVE_AT_3, NULL, QD_ON_ERROR_FAIL);
    assert_int_equal(run(&u, 9), QD_EUDF_FAILED);
    assert_non_null(strstr(u.err.message, "document 'doc3': returned -1.0; a score must be a finite number >= 0"));
    end(&u);
    begin(&u, MANIFEST(",\"kind\":\"score\"" SCORE_AND_PRICE), NEGATIVE_AT_3, NULL, QD_ON_ERROR_SKIP);
    run_ok(&u, 9);
    assert_false(u.valid[3]);
    assert_true(u.valid[2] && u.valid[4]);
    end(&u);
}

/* ---- failures in batches ---- */

/* Traps when some row of the call has a price in [3000, 3000 + $i) or a score that is one of a few. */
#define TRAPS_AT(condition)                                                                                            \
    BATCH(EACH_ROW(                                                                                                    \
        "(if " condition " (then unreachable))"                                                                        \
        "(f64.store " AT("$r", "3") " (f64.load " AT("$a", "3") ")) (f64.store " AT("$a", "3") " (f64.const -1))"))
#define SCORE_OF_ROW "(f64.load " AT("$a", "3") ")"

static void assert_counts(const use *u, uint64_t documents, uint64_t calls, uint64_t errors)
{
    qd_error err = QD_ERROR_INIT;
    qd_stats_summary s;
    assert_status_ok(qd_udf_stats_read(u->udf->stats, &s, &err), &err);
    assert_int_equal(s.documents, documents);
    assert_int_equal(s.calls, calls);
    assert_int_equal(s.errors, errors);
}

static void test_batch__trap__names_the_first_document_and_says_so(void **state)
{
    (void)state;
    static use u;
    begin(&u, MANIFEST(",\"kind\":\"score\"" SCORE_AND_PRICE), TRAPS_AT("(f64.eq " SCORE_OF_ROW " (f64.const 1234))"),
          NULL, QD_ON_ERROR_FAIL);
    assert_int_equal(run(&u, 2048), QD_EUDF_FAILED);
    assert_non_null(strstr(u.err.message, "document 'doc0': trap: unreachable executed"));
    assert_non_null(strstr(u.err.message, "(in the batch shape: the document is the first of the 2048 of the call)"));
    assert_int_equal(strncmp(u.err.stack, "filter (func ", 13), 0);
    assert_counts(&u, 2048, 1, 1); /* nobody knows how many it had done */
    end(&u);
}

static void test_batch__forgiven__finds_the_rows_that_fail(void **state)
{
    (void)state;
    static use u;
    begin(&u, MANIFEST(",\"kind\":\"score\"" SCORE_AND_PRICE),
          TRAPS_AT("(i32.or (f64.eq " SCORE_OF_ROW " (f64.const 1234)) (f64.eq " SCORE_OF_ROW " (f64.const 17)))"),
          NULL, QD_ON_ERROR_DEFAULT);
    for (int round = 0; round < 2; round++) {
        run_ok(&u, 2048);
        for (uint32_t row = 0; row < 2048; row++)
            assert_true(u.valid[row] && u.numbers[row] == (row == 17 || row == 1234 ? 7 : row));
    }
    assert_counts(&u, 2 * 2048, 2 * 2048, 2 * 2); /* each row once, though pieces are run again to find the two */
    end(&u);
}

/* Where nearly all fail, whole pieces are forgiven: a bounded number of runs, and those before it are exact. */
static void test_batch__all_fail__ends_soon(void **state)
{
    (void)state;
    static use u;
    begin(&u, MANIFEST(",\"kind\":\"score\"" SCORE_AND_PRICE), TRAPS_AT("(i32.const 1)"), NULL, QD_ON_ERROR_SKIP);
    run_ok(&u, 2048);
    for (uint32_t row = 0; row < 2048; row++)
        assert_false(u.valid[row]);
    assert_counts(&u, 2048, 2048, 2048);
    end(&u);
}

/* ---- strings ---- */

#define LENGTHS                                                                                                        \
    "(module (memory (export \"memory\") 1) (func (export \"filter\") (param i32 i32 f64 i32 i32) (result f64)"        \
    " (f64.add (f64.convert_i32_u (local.get 1)) (f64.add (local.get 2) (f64.convert_i32_u"                            \
    "  (i32.mul (i32.const 1000000) (i32.load8_u (local.get 3))))))))"

static void test_typed__strings_and_numbers__mix(void **state)
{
    (void)state;
    static use u;
    begin(&u,
          MANIFEST(PARAMS(PARAM("name", "string", ",\"from\":\"_source.vendor.name\",\"default\":\"none\"") "," PARAM(
              "score", "f64", ",\"from\":\"_score\"") "," PARAM("suffix", "string", ""))),
          LENGTHS, "{\"suffix\":\"A\"}", QD_ON_ERROR_FAIL);
    for (int round = 0; round < 2; round++) {
        run_ok(&u, 1200);
        for (uint32_t row = 0; row < 1200; row++) {
            uint32_t length = row % 4 == 1 ? 4 : row < 10 ? 2 : row < 100 ? 3 : row < 1000 ? 4 : 5;
            assert_true(u.numbers[row] == 65000000.0 + row + length);
        }
    }
    end(&u);
}

static void test_typed__document_id__is_a_string(void **state)
{
    (void)state;
    static use u;
    begin(&u, MANIFEST(",\"returns\":[{\"type\":\"string\"}]" PARAMS(PARAM("id", "string", ",\"from\":\"_id\""))),
          "(module (import \"env\" \"set_result_string\" (func $set (param i32 i32))) (memory (export \"memory\") 1)"
          "(func (export \"filter\") (param i32 i32) (call $set (local.get 0) (local.get 1))))",
          NULL, QD_ON_ERROR_FAIL);
    assert_int_equal(run_values(&u, 20), QD_OK);
    assert_true(qd_str_is(u.out[0].as.s, "doc0") && qd_str_is(u.out[19].as.s, "doc19"));
    end(&u);
}

/* More strings than fit at once: the block is cut, and each document sees its own. */
static void test_strings__of_a_large_block__are_cut_into_runs(void **state)
{
    (void)state;
    static use u;
    static char text[9000];
    static const char *const GUESTS[] = {
        "(module (memory (export \"memory\") 1) (func (export \"filter\") (param i32 i32 f64) (result f64)"
        " (f64.add (local.get 2) (f64.convert_i32_u (i32.add (local.get 1) (i32.load8_u (i32.add (local.get 0)"
        "  (i32.const 8999))))))))",
        BATCH(EACH_ROW("(f64.store " AT("$r", "3") " (f64.add (f64.load " AT(
            "$b", "3") ") (f64.convert_i32_u (i32.add"
                       " (i32.load offset=4 " AT("$a", "3") ") (i32.load8_u (i32.add (i32.load " AT(
                           "$a", "3") ") (i32.const 8999)))))))"))};
    memset(text, 'x', sizeof text);
    for (int shape = 0; shape < 2; shape++) {
        begin(&u,
              shape ? MANIFEST(",\"kind\":\"score\",\"abi\":\"batch\"" PARAMS(PARAM(
                          "t", "string", ",\"from\":\"_source.text\"") "," PARAM("s", "f64", ",\"from\":\"_score\"")))
                    : MANIFEST(PARAMS(PARAM("t", "string", ",\"from\":\"_source.text\"") "," PARAM(
                          "s", "f64", ",\"from\":\"_score\""))),
              GUESTS[shape], NULL, QD_ON_ERROR_FAIL);
        u.docs.text = (qd_str){text, sizeof text};
        run_ok(&u, 2048);
        for (uint32_t row = 0; row < 2048; row++)
            assert_true(row == 1 || (u.valid[row] && u.numbers[row] == row + 9000.0 + 'x'));
        assert_int_equal(u.valid[1], shape); /* it lacks the string */
        end(&u);
    }
}

static void test_strings__of_one_document_too_large__fail_it(void **state)
{
    (void)state;
    static use u;
    static char text[(1 << 20) + 1];
    static const char GUEST[] = "(module (memory (export \"memory\") 1) (func (export \"filter\") (param i32 i32)"
                                " (result f64) (f64.const 1)))";
    memset(text, 'x', sizeof text);
    begin(&u, MANIFEST(PARAMS(PARAM("t", "string", ",\"from\":\"_source.text\""))), GUEST, NULL, QD_ON_ERROR_FAIL);
    u.docs.text = (qd_str){text, sizeof text};
    assert_int_equal(run(&u, 3), QD_EUDF_FAILED);
    assert_non_null(
        strstr(u.err.message, "document 'doc0': its strings for one document take 1048577 bytes; at most 1048576"));
    end(&u);
    begin(&u, MANIFEST(PARAMS(PARAM("t", "string", ",\"from\":\"_source.text\""))), GUEST, NULL, QD_ON_ERROR_SKIP);
    u.docs.text = (qd_str){text, sizeof text};
    run_ok(&u, 3);
    assert_false(u.valid[0]);
    end(&u);
}

/* ---- other functions of the module ---- */

static void test_function__of_the_same_module__is_called_instead(void **state)
{
    (void)state;
    static const char WAT[] = "(module (func (export \"filter\") (param f64) (result f64) local.get 0)"
                              "(func (export \"twice\") (param f64) (result f64) (f64.mul (f64.const 2) (local.get 0)))"
                              "(func (export \"other\") (param f64 f64) (result f64) local.get 0))";
    qd_udf *u = wat_udf(engine, MANIFEST(PARAMS(PARAM("s", "f64", ",\"from\":\"_score\""))), WAT);
    static const struct {
        const char *function;
        double expected;
    } CASES[] = {{"twice", 14}, {"filter", 7}, {"", 7}, {"twice", 14}};
    static fake_docs docs;
    static const float scores[1] = {7};
    const qd_doc_source source = {&docs, resolve, block_f64, block_i64, value, doc_id, NULL, NULL};
    const qd_run_control control = {.deadline_ns = INT64_MAX};
    qd_error err = QD_ERROR_INIT;
    qd_binding *b = NULL;
    docs.n = 1;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const qd_binding_spec spec = {.function = qd_str_of(CASES[i].function)};
        qd_runner *r = NULL;
        double out;
        uint8_t valid;
        assert_status_ok(qd_binding_new(u, &spec, &b, &err), &err);
        assert_status_ok(qd_runner_open(b, &source, &control, &r, &err), &err);
        assert_status_ok(qd_runner_run(r, 1, scores, &out, &valid, &err), &err);
        assert_true(out == CASES[i].expected);
        qd_runner_close(r);
        qd_binding_free(b);
        b = NULL;
    }
    static const struct {
        const char *function, *message;
    } BAD[] = {
        {"none",
         "function 'f@1.0.0': the module exports no function 'none'; its exported functions: 'filter', 'twice', "
         "'other'"},
        {"other",
         "function 'f@1.0.0': exported function 'other' is (f64, f64) -> f64; the typed shape, one argument per "
         "parameter (two for a string), is (f64) -> a number"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        const qd_binding_spec spec = {.function = qd_str_of(BAD[i].function)};
        assert_int_equal(qd_binding_new(u, &spec, &b, &err), QD_EUDF_PARAMS);
        assert_string_equal(err.message, BAD[i].message);
        assert_string_equal(err.field, "function");
        assert_null(b);
    }
    qd_udf_unref(u);
}

/* ---- aggregates ---- */

static qd_status start_sum(void *arg, qd_instance *i, int32_t *state, qd_error *err)
{
    double *saved = arg;
    qd_wasm_value at = {.f64 = *saved}, result;
    qd_status st = qd_instance_call(i, QD_STR("agg_start"), "F:i", &at, &result, err);
    if (st == QD_OK)
        *state = result.i32;
    return st;
}

static qd_status keep_sum(void *arg, qd_instance *i, int32_t state, qd_error *err)
{
    double *saved = arg;
    qd_wasm_value at = {.i32 = state}, result;
    qd_status st = qd_instance_call(i, QD_STR("agg_finish"), "i:F", &at, &result, err);
    if (st == QD_OK)
        *saved = result.f64;
    return st;
}

#define SUM(update)                                                                                                    \
    "(module (memory (export \"memory\") 1) (func (export \"agg_start\") (param f64) (result i32)"                     \
    " (f64.store (i32.const 64) (local.get 0)) (i32.const 64))"                                                        \
    "(func (export \"agg_finish\") (param i32) (result f64) (f64.load (local.get 0)))"                                 \
    "(func (export \"agg_init\") (result i32) unreachable) (func (export \"agg_merge\") (param i32 i32 i32))"          \
    "(func (export \"agg_serialize\") (param i32) (result i64) unreachable)"                                           \
    "(func $add (param $state i32) (param $x f64) (if (f64.eq (local.get $x) (f64.const 55)) (then unreachable))"      \
    " (f64.store (local.get $state) (f64.add (f64.load (local.get $state)) (local.get $x))))" update ")"

static void test_aggregate__failed_rows__are_left_out_of_the_state(void **state)
{
    (void)state;
    static const char *const UPDATES[] = {
        SUM("(func (export \"agg_update\") (param i32 f64) (call $add (local.get 0) (local.get 1)))"),
        SUM("(func (export \"agg_update\") (param $s i32) (param $n i32) (param $c i32) (local $i i32)"
            " (local $a i32) (local.set $a (i32.load (local.get $c)))" EACH_ROW(
                "(call $add (local.get $s) (f64.load " AT("$a", "3") "))") ")"),
    };
    for (int shape = 0; shape < 2; shape++) {
        static use u;
        double saved = 0;
        const qd_runner_states states = {start_sum, keep_sum, &saved};
        qd_instance *i = NULL;
        int32_t at = 0;
        qd_wasm_value arg, sum;
        begin(&u,
              shape ? MANIFEST(",\"kind\":\"aggregate\",\"abi\":\"batch\",\"function_name\":\"agg\"" PARAMS(
                          PARAM("s", "f64", ",\"from\":\"_score\"")))
                    : MANIFEST(",\"kind\":\"aggregate\",\"function_name\":\"agg\"" PARAMS(
                          PARAM("s", "f64", ",\"from\":\"_score\""))),
              UPDATES[shape], NULL, QD_ON_ERROR_SKIP);
        u.docs.n = 100;
        double expected = 0;
        for (int block_number = 0; block_number < 3; block_number++) {
            assert_int_equal(qd_runner_begin(u.runner, &states, &i, &at, &u.err), QD_OK);
            qd_status st = qd_runner_update(u.runner, 100, u.scores, &u.err);
            assert_status_ok(st, &u.err);
            expected += 4950 - 55;
            assert_int_equal(qd_runner_begin(u.runner, &states, &i, &at, &u.err), QD_OK);
            arg.i32 = at;
            assert_int_equal(qd_instance_call(i, QD_STR("agg_finish"), "i:F", &arg, &sum, &u.err), QD_OK);
            assert_true(sum.f64 == expected);
            saved = sum.f64;
        }
        end(&u);
    }
}

/* 4 MiB of results in each block: those of the blocks before are gone. */
static void test_strings__of_many_blocks__do_not_add_up(void **state)
{
    (void)state;
    static use u;
    begin(
        &u,
        MANIFEST(",\"kind\":\"transform\",\"abi\":\"row\",\"function_name\":\"f\",\"returns\":[{\"type\":\"string\"}]"),
        "(module (import \"env\" \"set_result_string\" (func $set (param i32 i32))) (memory (export \"memory\") 1)"
        " (func (export \"f\") (param i64) (memory.fill (i32.const 0) (i32.const 97) (i32.const 2000))"
        " (call $set (i32.const 0) (i32.const 2000))))",
        NULL, QD_ON_ERROR_FAIL);
    u.docs.n = QD_BLOCK_DOCS;
    for (int block_number = 0; block_number < 20; block_number++)
        assert_status_ok(qd_runner_run_values(u.runner, QD_BLOCK_DOCS, u.scores, u.out, &u.err), &u.err);
    assert_int_equal(u.out[QD_BLOCK_DOCS - 1].as.s.n, 2000);
    end(&u);
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
        cmocka_unit_test(test_shapes__every_kind_of_value__comes_through_each),
        cmocka_unit_test(test_batch__score__is_given_missing_values_as_0),
        cmocka_unit_test(test_batch__default_and_required__are_as_elsewhere),
        cmocka_unit_test(test_batch__parameter_without_value__has_no_valid_row),
        cmocka_unit_test(test_batch__constant_parameters__fill_their_columns),
        cmocka_unit_test(test_batch__bad_score__is_an_error),
        cmocka_unit_test(test_batch__trap__names_the_first_document_and_says_so),
        cmocka_unit_test(test_batch__forgiven__finds_the_rows_that_fail),
        cmocka_unit_test(test_batch__all_fail__ends_soon),
        cmocka_unit_test(test_typed__strings_and_numbers__mix),
        cmocka_unit_test(test_typed__document_id__is_a_string),
        cmocka_unit_test(test_strings__of_a_large_block__are_cut_into_runs),
        cmocka_unit_test(test_strings__of_one_document_too_large__fail_it),
        cmocka_unit_test(test_strings__of_many_blocks__do_not_add_up),
        cmocka_unit_test(test_function__of_the_same_module__is_called_instead),
        cmocka_unit_test(test_aggregate__failed_rows__are_left_out_of_the_state),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
