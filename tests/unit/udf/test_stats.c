/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/stats.h"

#include <pthread.h>
#include <stdlib.h>

#include "cmocka_qd.h"
#include "udf/rating.h"
#include "udf/stats_impl.h"

#define NAME    QD_STR("geo")
#define VERSION QD_STR("1.0.0")

static qd_stats_summary read_stats(qd_udf_stats *s)
{
    qd_stats_summary out;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_udf_stats_read(s, &out, &err), &err);
    return out;
}

static void add(qd_udf_stats *s, uint32_t documents, uint32_t calls, int64_t ns)
{
    qd_udf_stats_add(s, &(qd_stats_block){.documents = documents, .calls = calls, .ns = ns});
}

static qd_error error_of(qd_status code, const char *message)
{
    qd_error e = QD_ERROR_INIT;
    qd_fail(&e, code, "%s", message);
    return e;
}

static void test_add__blocks__sums_and_percentiles(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    (void)state;
    /* 90 blocks at 10 ns a call, 9 at 100 ns, one call of 1 ms. */
    for (int i = 0; i < 90; i++)
        qd_udf_stats_add(s, &(qd_stats_block){2048, 1000, 10000, 2000, 5000});
    for (int i = 0; i < 9; i++)
        qd_udf_stats_add(s, &(qd_stats_block){2048, 1000, 100000, 0, 0});
    add(s, 1, 1, 1000000);
    qd_stats_summary got = read_stats(s);
    assert_string_equal(got.name, "geo");
    assert_string_equal(got.version, "1.0.0");
    assert_int_equal(got.calls, 99001);
    assert_int_equal(got.latency_count, 99001);
    assert_int_equal(got.documents, 99 * 2048 + 1);
    assert_int_equal(got.host_calls, 180000);
    assert_int_equal(got.string_bytes, 450000);
    assert_int_equal(got.total_ns, 90 * 10000 + 9 * 100000 + 1000000);
    assert_true(got.min_ns == 10 && got.max_ns == 1e6);
    assert_true(got.avg_ns == 2800000.0 / 99001);
    assert_float_equal(got.p50_ns, 10, 10 / 128.0);
    assert_float_equal(got.p95_ns, 100, 100 / 128.0);
    assert_float_equal(got.p99_ns, 100, 100 / 128.0);
    assert_float_equal(got.p999_ns, 100, 100 / 128.0);
    assert_true(got.last_used_ms > 0);
    assert_int_equal(qd_udf_stats_last_used_ms(s), got.last_used_ms);
    for (size_t i = 0; i < QD_STATS_BOUNDS; i++) {
        double bound = QD_STATS_BOUNDS_NS[i];
        uint64_t expected = bound < 10 ? 0 : bound < 100 ? 90000 : bound < 1e6 ? 99000 : 99001;
        /* A bound that is itself a value may fall to either side of it. */
        if (bound != 10 && bound != 100)
            assert_int_equal(got.calls_to[i], expected);
    }
    qd_udf_stats_unref(s);
}

static void test_add__fractions_of_a_nanosecond__are_kept(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    (void)state;
    add(s, 2048, 2048, 7168);
    assert_true(read_stats(s).min_ns == 3.5);
    assert_float_equal(read_stats(s).p50_ns, 3.5, 3.5 / 128);
    qd_udf_stats_unref(s);
}

static void test_add__block_without_a_call__has_documents_and_no_latency(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    (void)state;
    add(s, 500, 0, 300);
    qd_stats_summary got = read_stats(s);
    assert_int_equal(got.calls, 0);
    assert_int_equal(got.documents, 500);
    assert_int_equal(got.total_ns, 300);
    assert_int_equal(got.latency_count, 0);
    assert_true(got.avg_ns == 0 && got.min_ns == 0 && got.max_ns == 0 && got.p99_ns == 0);
    qd_udf_stats_unref(s);
}

static void test_null__everything__counts_nothing(void **state)
{
    qd_error e = error_of(QD_EUDF_FAILED, "trap"), err;
    (void)state;
    add(NULL, 1, 1, 1);
    qd_udf_stats_error(NULL, &e, NULL);
    qd_udf_stats_more_errors(NULL, QD_EUDF_FAILED, 3);
    qd_udf_stats_instance_up(NULL);
    qd_udf_stats_instance_down(NULL, 1);
    assert_null(qd_udf_stats_logs(NULL));
    assert_int_equal(qd_udf_stats_last_used_ms(NULL), 0);
    assert_int_equal(qd_udf_stats_reset(NULL, &err), QD_OK);
    assert_int_equal(read_stats(NULL).calls, 0);
}

static void test_error__by_kind__with_the_last_one(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    const qd_status codes[] = {QD_EUDF_FAILED, QD_EUDF_MEMORY, QD_EUDF_TIMEOUT, QD_EUDF_FAILED,
                               QD_EINDEX_NAME, QD_ECANCELED,   QD_EUDF_FAILED};
    const uint64_t expected[QD_STATS_ERROR_KINDS] = {7, 1, 1, 0, 0, 0, 1};
    qd_str id = QD_STR("doc-7");
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        qd_error e = error_of(codes[i], i == 6 ? "trap: unreachable" : "another");
        strcpy(e.stack, i == 6 ? "f (func 0, offset 0x1)" : "another (func 1, offset 0x2)");
        qd_udf_stats_error(s, &e, i == 6 ? &id : NULL);
    }
    qd_udf_stats_more_errors(s, QD_EUDF_FAILED, 4);
    qd_stats_summary got = read_stats(s);
    assert_int_equal(got.errors, 10);
    for (size_t i = 0; i < QD_STATS_ERROR_KINDS; i++)
        assert_int_equal(got.errors_by_kind[i], expected[i]);
    assert_int_equal(got.last_error_code, QD_EUDF_FAILED);
    assert_string_equal(got.last_error, "trap: unreachable");
    assert_string_equal(got.last_error_document, "doc-7");
    assert_true(got.last_error_ms > 0);
    char stack[QD_ERROR_STACK_BYTES];
    assert_int_equal(qd_stats_read_with_stack(s, &got, stack, NULL), QD_OK);
    assert_string_equal(stack, "f (func 0, offset 0x1)");
    qd_udf_stats_unref(s);
}

static void test_instances__up_and_down__peak_stays(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    (void)state;
    for (int i = 0; i < 3; i++)
        qd_udf_stats_instance_up(s);
    qd_udf_stats_instance_down(s, 65536);
    qd_udf_stats_instance_down(s, 3 * 65536);
    qd_udf_stats_instance_up(s);
    qd_udf_stats_instance_up(s);
    qd_udf_stats_instance_down(s, 65536);
    assert_int_equal(read_stats(s).linear_peak_bytes, 3 * 65536);
    assert_int_equal(read_stats(s).instances, 2);
    assert_int_equal(read_stats(s).instances_peak, 3);
    qd_error err;
    assert_status_ok(qd_udf_stats_reset(s, &err), &err);
    assert_int_equal(read_stats(s).instances, 2);
    assert_int_equal(read_stats(s).instances_peak, 2);
    assert_int_equal(read_stats(s).linear_peak_bytes, 0);
    qd_udf_stats_unref(s);
}

static void test_reset__after_use__is_as_new(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    qd_error e = error_of(QD_EUDF_FAILED, "trap"), err;
    (void)state;
    for (int i = 0; i < 40; i++)
        add(s, 100, 100, 1000);
    qd_udf_stats_error(s, &e, NULL);
    assert_status_ok(qd_udf_stats_reset(s, &err), &err);
    qd_stats_summary got = read_stats(s);
    assert_int_equal(got.calls + got.documents + got.total_ns + got.errors + got.latency_count, 0);
    assert_int_equal(got.calls_to[QD_STATS_BOUNDS - 1], 0);
    assert_int_equal(got.last_used_ms, 0);
    assert_int_equal(got.last_error_code, QD_OK);
    assert_true(got.max_ns == 0 && got.p50_ns == 0);
    add(s, 1, 1, 5);
    assert_int_equal(read_stats(s).latency_count, 1);
    qd_udf_stats_unref(s);
}

static void test_rough_ns__after_some_blocks__is_the_average(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    (void)state;
    assert_true(qd_udf_stats_rough_ns(s) == 0);
    for (int i = 0; i < QD_STATS_PENDING; i++)
        add(s, 100, 100, 4200);
    assert_float_equal(qd_udf_stats_rough_ns(s), 42, 0.01);
    qd_udf_stats_unref(s);
}

/* ---- threads ---- */

#define THREADS 8
#define BLOCKS  3000

static void *add_many(void *arg)
{
    qd_udf_stats *s = arg;
    qd_error e = error_of(QD_EUDF_TIMEOUT, "too long");
    for (int i = 1; i <= BLOCKS; i++) {
        qd_udf_stats_add(s, &(qd_stats_block){10, 10, i, 3, 7});
        if (i % 100 == 0)
            qd_udf_stats_error(s, &e, NULL);
        qd_udf_stats_instance_up(s);
        qd_udf_stats_instance_down(s, 65536);
    }
    qd_udf_stats_unref(s);
    return NULL;
}

static void test_add__from_many_threads_and_read_meanwhile__nothing_is_lost(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    pthread_t threads[THREADS];
    uint64_t last = 0;
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        qd_udf_stats_ref(s);
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, s), 0);
    }
    for (int i = 0; i < 50; i++) {
        qd_stats_summary got = read_stats(s);
        assert_true(got.calls >= last && got.calls <= THREADS * BLOCKS * 10);
        last = got.calls;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qd_stats_summary got = read_stats(s);
    assert_int_equal(got.calls, THREADS * BLOCKS * 10);
    assert_int_equal(got.latency_count, got.calls);
    assert_int_equal(got.documents, got.calls);
    assert_int_equal(got.host_calls, THREADS * BLOCKS * 3);
    assert_int_equal(got.string_bytes, THREADS * BLOCKS * 7);
    assert_int_equal(got.total_ns, (uint64_t)THREADS * BLOCKS * (BLOCKS + 1) / 2);
    assert_int_equal(got.errors, THREADS * (BLOCKS / 100));
    assert_int_equal(got.instances, 0);
    assert_true(got.instances_peak >= 1 && got.instances_peak <= THREADS);
    qd_udf_stats_unref(s);
}

/* ---- the row ---- */

static void fill_kept(qd_stats_kept *k)
{
    *k = (qd_stats_kept){.totals = {UINT64_MAX / 2, 1000, 3, 4, 5},
                         .errors = {1, 0, 300, 0, 5, 0, 7},
                         .instances_peak = 9,
                         .last_used_ms = 1795000000123};
    for (uint64_t v = 1; v < 1000000; v *= 3)
        assert_true(qd_histogram_record(&k->latency, v, v + 1));
    k->error = calloc(1, sizeof *k->error);
    k->error->code = QD_EUDF_MEMORY;
    k->error->at_ms = 1795000000000;
    strcpy(k->error->message, "memory: 17 MiB");
    strcpy(k->error->document, "a document");
    strcpy(k->error->stack, "f (func 0, offset 0x1)\ng (func 1, offset 0x2)");
}

static void test_row__written_and_read__is_the_same(void **state)
{
    qd_stats_kept k, got = {0};
    qd_buf row, again;
    (void)state;
    fill_kept(&k);
    qd_buf_init(&row, 1 << 20);
    qd_buf_init(&again, 1 << 20);
    qd_stats_row_write(&k, &row);
    assert_true(qd_stats_row_read(qd_buf_str(&row), &got));
    assert_memory_equal(&got.totals, &k.totals, sizeof k.totals);
    assert_memory_equal(got.errors, k.errors, sizeof k.errors);
    assert_int_equal(got.latency.count, k.latency.count);
    assert_int_equal(got.latency.min, k.latency.min);
    assert_int_equal(got.latency.max, k.latency.max);
    assert_memory_equal(got.error, k.error, sizeof *k.error);
    qd_stats_row_write(&got, &again);
    assert_true(qd_str_eq(qd_buf_str(&row), qd_buf_str(&again)));
    assert_true(row.n < 300);
    qd_buf_deinit(&row);
    qd_buf_deinit(&again);
    qd_stats_kept_deinit(&k);
    qd_stats_kept_deinit(&got);
}

/* Written before there were stacks. */
static void test_row__of_version_1__is_read_without_a_stack(void **state)
{
    qd_stats_kept k, got = {0};
    qd_buf row, old;
    (void)state;
    fill_kept(&k);
    qd_buf_init(&row, 1 << 20);
    qd_buf_init(&old, 1 << 20);
    qd_stats_row_write(&k, &row);
    size_t n = strlen(k.error->stack);
    const char *stack = memmem(row.p, row.n, k.error->stack, n);
    assert_non_null(stack);
    size_t at = (size_t)(stack - row.p) - 1; /* its length, one byte, stands before it */
    assert_int_equal(row.p[at], n);
    qd_buf_add_char(&old, 1);
    qd_buf_add(&old, row.p + 1, at - 1);
    qd_buf_add(&old, row.p + at + 1 + n, row.n - at - 1 - n);
    assert_true(qd_stats_row_read(qd_buf_str(&old), &got));
    assert_string_equal(got.error->message, "memory: 17 MiB");
    assert_string_equal(got.error->document, "a document");
    assert_string_equal(got.error->stack, "");
    assert_int_equal(got.latency.count, k.latency.count);
    assert_memory_equal(&got.totals, &k.totals, sizeof k.totals);
    qd_buf_deinit(&row);
    qd_buf_deinit(&old);
    qd_stats_kept_deinit(&k);
    qd_stats_kept_deinit(&got);
}

static void test_row__cut_or_changed__is_refused_or_read_but_never_worse(void **state)
{
    qd_stats_kept k;
    qd_buf row;
    (void)state;
    fill_kept(&k);
    qd_buf_init(&row, 1 << 20);
    qd_stats_row_write(&k, &row);
    for (size_t n = 0; n < row.n; n++) {
        qd_stats_kept got = {0};
        char *exact = malloc(n + 1); /* for the sanitizer: no byte behind it is readable */
        memcpy(exact, row.p, n);
        assert_false(qd_stats_row_read((qd_str){exact, n}, &got));
        qd_stats_kept_deinit(&got);
        free(exact);
    }
    for (size_t at = 0; at < row.n; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            qd_stats_kept got = {0};
            row.p[at] = (char)(row.p[at] ^ 1 << bit);
            bool is_read = qd_stats_row_read(qd_buf_str(&row), &got);
            assert_false(is_read && at == 0);
            if (is_read && got.latency.count)
                assert_true(got.latency.min <= got.latency.max);
            qd_stats_kept_deinit(&got);
            row.p[at] = (char)(row.p[at] ^ 1 << bit);
        }
    }
    qd_buf_deinit(&row);
    qd_stats_kept_deinit(&k);
}

/* ---- JSON ---- */

static void test_write_json__nothing_counted__has_every_member(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    qd_error err;
    qd_buf out;
    qd_json w;
    (void)state;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_udf_stats_write_json(s, NULL, &w, &err), &err);
    assert_str_equal(
        qd_buf_str(&out),
        "{\"name\":\"geo\",\"version\":\"1.0.0\",\"statistics\":{\"call_count\":0,\"document_count\":0,"
        "\"error_count\":0,\"error_rate\":0.0,\"errors_by_type\":{},\"min_latency_us\":0.0,\"avg_latency_us\":0.0,"
        "\"p50_latency_us\":0.0,\"p95_latency_us\":0.0,\"p99_latency_us\":0.0,\"p999_latency_us\":0.0,"
        "\"max_latency_us\":0.0,\"total_execution_time_ms\":0.0,\"last_executed_at\":null,\"last_error\":null,"
        "\"host_call_count\":0,\"string_bytes_copied\":0,\"instances\":0,\"instances_peak\":0,"
        "\"tier\":null,\"code_bytes\":0,\"memory_bytes\":0,\"memory_peak_bytes\":0},"
        "\"performance\":{\"rating\":\"excellent\",\"recommendations\":[\"it was not called yet: there is nothing to "
        "rate\"]}}");
    qd_buf_deinit(&out);
    qd_udf_stats_unref(s);
}

static void test_write_json__calls_and_errors__says_so(void **state)
{
    qd_udf_stats *s = qd_udf_stats_new(NAME, VERSION);
    qd_error e = error_of(QD_EUDF_TIMEOUT, "too long"), err;
    qd_str id = QD_STR("7");
    qd_buf out;
    qd_json w;
    json_t *got = NULL;
    const char *code, *message, *document, *rating;
    double rate, avg, total;
    int timeouts;
    (void)state;
    add(s, 100, 100, 250000);
    qd_udf_stats_error(s, &e, &id);
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    assert_status_ok(qd_udf_stats_write_json(s, NULL, &w, &err), &err);
    assert_status_ok(qd_json_parse(qd_buf_str(&out), &got, &err), &err);
    assert_int_equal(json_unpack(got, "{s:{s:F, s:F, s:F, s:{s:i}, s:{s:s, s:s, s:s}}, s:{s:s}}", "statistics",
                                 "error_rate", &rate, "avg_latency_us", &avg, "total_execution_time_ms", &total,
                                 "errors_by_type", "TIMEOUT", &timeouts, "last_error", "code", &code, "message",
                                 &message, "document", &document, "performance", "rating", &rating),
                     0);
    assert_true(rate == 0.01 && avg == 2.5 && total == 0.25);
    assert_int_equal(timeouts, 1);
    assert_string_equal(code, "TIMEOUT");
    assert_string_equal(message, "too long");
    assert_string_equal(document, "7");
    assert_string_equal(rating, "poor");
    json_decref(got);
    qd_buf_deinit(&out);
    qd_udf_stats_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add__blocks__sums_and_percentiles),
        cmocka_unit_test(test_add__fractions_of_a_nanosecond__are_kept),
        cmocka_unit_test(test_add__block_without_a_call__has_documents_and_no_latency),
        cmocka_unit_test(test_null__everything__counts_nothing),
        cmocka_unit_test(test_error__by_kind__with_the_last_one),
        cmocka_unit_test(test_instances__up_and_down__peak_stays),
        cmocka_unit_test(test_reset__after_use__is_as_new),
        cmocka_unit_test(test_rough_ns__after_some_blocks__is_the_average),
        cmocka_unit_test(test_add__from_many_threads_and_read_meanwhile__nothing_is_lost),
        cmocka_unit_test(test_row__written_and_read__is_the_same),
        cmocka_unit_test(test_row__of_version_1__is_read_without_a_stack),
        cmocka_unit_test(test_row__cut_or_changed__is_refused_or_read_but_never_worse),
        cmocka_unit_test(test_write_json__nothing_counted__has_every_member),
        cmocka_unit_test(test_write_json__calls_and_errors__says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
