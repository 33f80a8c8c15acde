/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run leaves in the statistics and recent logs of its function. */
#include "udf/binding.h"
#include "wat_udf.h"

#define N 20

static qd_wasm_engine *engine;
static bool (*document_id)(void *arg, uint32_t row, qd_str *out);

static bool has_id(void *arg, uint32_t row, qd_str *out)
{
    static char id[16];
    (void)arg;
    int n = snprintf(id, sizeof id, "doc-%u", row);
    *out = (qd_str){id, (size_t)n};
    return true;
}

static bool has_no_id(void *arg, uint32_t row, qd_str *out)
{
    (void)arg, (void)row, (void)out;
    return false;
}

static int resolve(void *arg, qd_str path)
{
    (void)arg, (void)path;
    return 0;
}

/* The field is the row's number in text; there is none in each fifth row. */
static bool value(void *arg, int slot, uint32_t row, qd_value *out)
{
    static char text[16];
    (void)arg, (void)slot;
    int n = snprintf(text, sizeof text, "%u", row);
    *out = (qd_value){.type = QD_STRING, .as.s = {text, (size_t)n}};
    return row % 5 != 4;
}

static bool id(void *arg, uint32_t row, qd_str *out)
{
    return document_id(arg, row, out);
}

static const qd_doc_source docs = {.resolve = resolve, .value = value, .id = id};

typedef struct heard {
    unsigned lines;
    int level;
} heard;

static void hear(void *arg, int level, qd_str message)
{
    heard *h = arg;
    assert_str_equal(message, "here");
    h->lines++;
    h->level = level;
}

/* Reads the field as a string, logs at `level`, traps in rows whose string ends in '3'. */
#define READER(level)                                                                                                  \
    "(module (import \"env\" \"get_field_string\" (func $get (param i64 i32 i32 i32 i32) (result i32)))"               \
    "(import \"env\" \"log\" (func $log (param i32 i32 i32)))"                                                         \
    "(memory (export \"memory\") 1) (data (i32.const 0) \"f\") (data (i32.const 8) \"here\")"                          \
    "(func (export \"filter\") (param $c i64) (result i32)"                                                            \
    " (i32.store (i32.const 32) (i32.const 16)) (i32.store8 (i32.const 64) (i32.const 0))"                             \
    " (drop (call $get (local.get $c) (i32.const 0) (i32.const 1) (i32.const 64) (i32.const 32)))"                     \
    " (call $log (i32.const " level ") (i32.const 8) (i32.const 4))"                                                   \
    " (if (i32.eq (i32.load8_u (i32.add (i32.const 63) (i32.load (i32.const 32)))) (i32.const 51))"                    \
    "  (then unreachable))"                                                                                            \
    " (i32.const 1)))"
#define MANIFEST                                                                                                       \
    "{\"name\":\"reader\",\"version\":\"1.0.0\",\"kind\":\"filter\",\"abi\":\"row\","                                  \
    "\"permissions\":[\"read_document\",\"log\"]}"

/* *out: a reference owned by caller. */
static qd_status run(const char *wat, uint32_t n, qd_on_error on_error, heard *h, qd_udf_stats **out)
{
    static double results[N];
    static uint8_t valid[N];
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = wat_udf(engine, MANIFEST, wat);
    qd_binding *b = NULL;
    qd_runner *r = NULL;
    const qd_binding_spec spec = {.on_error = on_error};
    const qd_run_control control = {.deadline_ns = INT64_MAX, .log = h ? hear : NULL, .log_arg = h};
    assert_status_ok(qd_binding_new(u, &spec, &b, &err), &err);
    assert_status_ok(qd_runner_open(b, &docs, &control, &r, &err), &err);
    qd_status st = qd_runner_run(r, n, NULL, results, valid, &err);
    qd_runner_close(r);
    qd_binding_free(b);
    *out = u->stats;
    qd_udf_stats_ref(u->stats);
    qd_udf_unref(u);
    return st;
}

static qd_stats_summary take_summary(qd_udf_stats *s)
{
    qd_error err = QD_ERROR_INIT;
    qd_stats_summary got;
    assert_status_ok(qd_udf_stats_read(s, &got, &err), &err);
    return got;
}

/* "level document message" of each line. */
static void expect_logs(qd_udf_stats *s, const char *const *expected, size_t n)
{
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    json_t *got = NULL;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_recent_logs_write_json(qd_udf_stats_logs(s), "1.0.0", &w);
    assert_status_ok(qd_json_parse(qd_buf_str(&out), &got, &err), &err);
    const json_t *lines = json_object_get(got, "logs");
    assert_int_equal(json_array_size(lines), n);
    for (size_t i = 0; i < n; i++) {
        char text[256];
        const json_t *line = json_array_get(lines, i), *document = json_object_get(line, "document");
        snprintf(text, sizeof text, "%s %s %.17s", json_string_value(json_object_get(line, "level")),
                 json_is_string(document) ? json_string_value(document) : "-",
                 json_string_value(json_object_get(line, "message")));
        assert_string_equal(text, expected[i]);
    }
    json_decref(got);
    qd_buf_deinit(&out);
}

static int set_up(void **state)
{
    (void)state;
    document_id = has_id;
    return 0;
}

static void test_run__row_shape__host_calls_strings_and_lines(void **state)
{
    static const char *const LINES[] = {"warn doc-0 here", "warn doc-1 here", "warn doc-2 here"};
    heard h = {0};
    qd_udf_stats *s = NULL;
    (void)state;
    assert_int_equal(run(READER("2"), 3, QD_ON_ERROR_FAIL, &h, &s), QD_OK);
    qd_stats_summary got = take_summary(s);
    assert_int_equal(got.calls, 3);
    assert_int_equal(got.documents, 3);
    assert_int_equal(got.host_calls, 6);
    assert_int_equal(got.string_bytes, 3);
    assert_int_equal(got.instances, 0);
    assert_int_equal(got.instances_peak, 1);
    assert_int_equal(h.lines, 3); /* the caller hears them too */
    assert_int_equal(h.level, 2);
    expect_logs(s, LINES, 3);
    qd_udf_stats_unref(s);
}

static void test_run__debug_lines__reach_the_caller_only(void **state)
{
    heard h = {0};
    qd_udf_stats *s = NULL;
    (void)state;
    assert_int_equal(run(READER("0"), 2, QD_ON_ERROR_FAIL, &h, &s), QD_OK);
    assert_int_equal(h.lines, 2);
    expect_logs(s, NULL, 0);
    qd_udf_stats_unref(s);
}

static void test_run__a_trap__is_counted_with_its_document(void **state)
{
    static const char *const LINES[] = {"info doc-0 here", "info doc-1 here", "info doc-2 here", "info doc-3 here",
                                        "error doc-3 trap: unreachable"};
    qd_udf_stats *s = NULL;
    (void)state;
    assert_int_equal(run(READER("1"), N, QD_ON_ERROR_FAIL, NULL, &s), QD_EUDF_FAILED);
    qd_stats_summary got = take_summary(s);
    assert_int_equal(got.calls, 4);
    assert_int_equal(got.errors, 1);
    assert_int_equal(got.errors_by_kind[0], 1);
    assert_int_equal(got.instances, 0);
    assert_string_equal(got.last_error_document, "doc-3");
    expect_logs(s, LINES, 5);
    qd_udf_stats_unref(s);
}

static void test_run__skipped_traps__all_are_counted__the_first_is_told(void **state)
{
    qd_udf_stats *s = NULL;
    (void)state;
    assert_int_equal(run(READER("0"), N, QD_ON_ERROR_SKIP, NULL, &s), QD_OK);
    qd_stats_summary got = take_summary(s);
    assert_int_equal(got.calls, N);
    assert_int_equal(got.errors, 2); /* rows 3 and 13 */
    assert_int_equal(got.host_calls, 2 * N);
    assert_string_equal(got.last_error_document, "doc-3");
    static const char *const LINES[] = {"error doc-3 trap: unreachable"};
    expect_logs(s, LINES, 1);
    qd_udf_stats_unref(s);
}

static void test_run__documents_without_ids__are_named_by_their_row(void **state)
{
    static const char *const LINES[] = {"info #0 here"};
    qd_udf_stats *s = NULL;
    (void)state;
    document_id = has_no_id;
    assert_int_equal(run(READER("1"), 1, QD_ON_ERROR_FAIL, NULL, &s), QD_OK);
    expect_logs(s, LINES, 1);
    qd_udf_stats_unref(s);
}

/* A start function runs before there is any document. */
static void test_run__lines_of_a_start_function__have_no_document(void **state)
{
    static const char *const LINES[] = {"info - here"};
    qd_udf_stats *s = NULL;
    (void)state;
    assert_int_equal(run("(module (import \"env\" \"log\" (func $log (param i32 i32 i32)))"
                         "(memory (export \"memory\") 1) (data (i32.const 8) \"here\")"
                         "(func $begin (call $log (i32.const 1) (i32.const 8) (i32.const 4))) (start $begin)"
                         "(func (export \"filter\") (param i64) (result i32) (i32.const 1)))",
                         2, QD_ON_ERROR_FAIL, NULL, &s),
                     QD_OK);
    expect_logs(s, LINES, 1);
    qd_udf_stats_unref(s);
}

static int start(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    assert_status_ok(qd_wasm_engine_new(NULL, &engine, &err), &err);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    qd_wasm_engine_free(engine);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_run__row_shape__host_calls_strings_and_lines),
        TEST(test_run__debug_lines__reach_the_caller_only),
        TEST(test_run__a_trap__is_counted_with_its_document),
        TEST(test_run__skipped_traps__all_are_counted__the_first_is_told),
        TEST(test_run__documents_without_ids__are_named_by_their_row),
        TEST(test_run__lines_of_a_start_function__have_no_document),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
