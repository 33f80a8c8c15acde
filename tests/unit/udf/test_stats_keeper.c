/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/stats_keeper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_kv.h"

#define NAME    QD_STR("geo")
#define VERSION QD_STR("1.0.0")
#define BUCKET  QD_STR("udf_stats")

static fake_kv store;
static qd_stats_keeper *keeper;
static char last_line[640];

static void keep_line(void *arg, const char *line)
{
    (void)arg;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void open_keeper(int64_t flush_interval_ms)
{
    qd_error err = QD_ERROR_INIT;
    const qd_stats_keeper_options options = {flush_interval_ms, keep_line, NULL};
    assert_status_ok(qd_stats_keeper_open(&store.kv, &options, &keeper, &err), &err);
}

static void close_keeper(void)
{
    qd_stats_keeper_close(keeper);
    keeper = NULL;
}

static int set_up(void **state)
{
    (void)state;
    last_line[0] = 0;
    fake_kv_init(&store);
    open_keeper(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_keeper();
    fake_kv_deinit(&store);
    return 0;
}

static qd_udf_stats *get(qd_str name, qd_str version)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats *s = NULL;
    assert_status_ok(qd_stats_keeper_get(keeper, name, version, &s, &err), &err);
    return s;
}

static uint64_t calls_of(qd_udf_stats *s)
{
    qd_error err = QD_ERROR_INIT;
    qd_stats_summary got;
    assert_status_ok(qd_udf_stats_read(s, &got, &err), &err);
    return got.calls;
}

static void add(qd_udf_stats *s, uint32_t calls)
{
    qd_udf_stats_add(s, &(qd_stats_block){.documents = calls, .calls = calls, .ns = calls * 10});
}

static size_t rows(void)
{
    qd_buf value;
    qd_buf_init(&value, 1 << 20);
    qd_status st = qd_kv_get(store.memory, BUCKET, QD_STR("geo@1.0.0"), &value, NULL, NULL);
    qd_buf_deinit(&value);
    return st == QD_OK;
}

static void test_get__twice__is_the_same_object(void **state)
{
    qd_udf_stats *a = get(NAME, VERSION), *b = get(NAME, VERSION), *other = get(NAME, QD_STR("1.0.1"));
    (void)state;
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, other);
    qd_udf_stats_unref(a);
    qd_udf_stats_unref(b);
    qd_udf_stats_unref(other);
}

static void test_close_and_open__numbers_are_there__and_go_on(void **state)
{
    qd_udf_stats *s = get(NAME, VERSION);
    qd_error err = QD_ERROR_INIT, why;
    qd_stats_summary before, after;
    (void)state;
    qd_fail(&why, QD_EUDF_FAILED, "trap: unreachable");
    add(s, 1000);
    qd_udf_stats_error(s, &why, NULL);
    assert_status_ok(qd_udf_stats_read(s, &before, &err), &err);
    qd_udf_stats_unref(s);
    close_keeper();
    open_keeper(0);
    s = get(NAME, VERSION);
    assert_int_equal(qd_udf_stats_last_used_ms(s), before.last_used_ms);
    add(s, 500); /* before anything was loaded */
    assert_status_ok(qd_udf_stats_read(s, &after, &err), &err);
    assert_int_equal(after.calls, 1500);
    assert_int_equal(after.latency_count, 1500);
    assert_int_equal(after.errors, 1);
    assert_string_equal(after.last_error, "trap: unreachable");
    qd_udf_stats_unref(s);
    close_keeper();
    open_keeper(0);
    s = get(NAME, VERSION);
    assert_int_equal(calls_of(s), 1500);
    qd_udf_stats_unref(s);
}

static void test_flush__without_a_read_before__adds_to_the_row(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    for (int i = 0; i < 3; i++) {
        qd_udf_stats *s = get(NAME, VERSION);
        add(s, 100);
        assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
        qd_udf_stats_unref(s);
        close_keeper();
        open_keeper(0);
    }
    qd_udf_stats *s = get(NAME, VERSION);
    assert_int_equal(calls_of(s), 300);
    qd_udf_stats_unref(s);
}

static void test_flush__nothing_new__puts_nothing(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats *a = get(NAME, VERSION), *b = get(QD_STR("other"), VERSION);
    (void)state;
    add(a, 1);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    assert_int_equal(atomic_load(&store.puts), 1);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    assert_int_equal(atomic_load(&store.puts), 1);
    unsigned gets = atomic_load(&store.gets);
    assert_int_equal(calls_of(a), 1);
    assert_int_equal(atomic_load(&store.gets), gets); /* a row is read once */
    qd_udf_stats_unref(a);
    qd_udf_stats_unref(b);
}

static void test_flush__store_is_full__is_tried_again(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats *s = get(NAME, VERSION);
    (void)state;
    add(s, 7);
    atomic_store(&store.is_full, true);
    assert_failed_with(qd_stats_keeper_flush(keeper, &err), &err, QD_EIO,
                       "the statistics of function 'geo@1.0.0': no space left on device");
    atomic_store(&store.is_full, false);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    assert_int_equal(rows(), 1);
    qd_udf_stats_unref(s);
}

static void test_close__store_is_full__tells_the_log(void **state)
{
    qd_udf_stats *s = get(NAME, VERSION);
    (void)state;
    add(s, 7);
    qd_udf_stats_unref(s);
    atomic_store(&store.is_full, true);
    close_keeper();
    assert_string_equal(last_line, "warning: statistics are not stored: the statistics of function 'geo@1.0.0': "
                                   "no space left on device");
}

static void test_thread__short_interval__writes_by_itself(void **state)
{
    (void)state;
    close_keeper();
    open_keeper(1);
    qd_udf_stats *s = get(NAME, VERSION);
    add(s, 7);
    while (rows() == 0)
        sched_yield();
    qd_udf_stats_unref(s);
}

static void test_remove__row_and_object_are_gone__and_stay_so(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats *old = get(NAME, VERSION);
    (void)state;
    add(old, 100);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    add(old, 1); /* dirty when it is removed */
    assert_status_ok(qd_stats_keeper_remove(keeper, NAME, VERSION, &err), &err);
    assert_int_equal(rows(), 0);
    add(old, 100); /* a query that still runs */
    assert_status_ok(qd_udf_stats_reset(old, &err), &err);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    assert_int_equal(rows(), 0);
    qd_udf_stats *fresh = get(NAME, VERSION);
    assert_ptr_not_equal(fresh, old);
    assert_int_equal(calls_of(fresh), 0);
    assert_int_equal(qd_udf_stats_last_used_ms(fresh), 0);
    qd_udf_stats_unref(old);
    qd_udf_stats_unref(fresh);
}

static void test_remove__row_of_an_earlier_run__is_gone(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats *s = get(NAME, VERSION);
    (void)state;
    add(s, 100);
    qd_udf_stats_unref(s);
    close_keeper();
    open_keeper(0);
    assert_status_ok(qd_stats_keeper_remove(keeper, NAME, VERSION, &err), &err);
    assert_int_equal(rows(), 0);
    assert_status_ok(qd_stats_keeper_remove(keeper, NAME, VERSION, &err), &err); /* nothing there: nothing to do */
}

static void test_remove__store_fails__keeps_counting(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats *s = get(NAME, VERSION);
    (void)state;
    add(s, 100);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    atomic_store(&store.is_full, true);
    assert_int_equal(qd_stats_keeper_remove(keeper, NAME, VERSION, &err), QD_EIO);
    atomic_store(&store.is_full, false);
    qd_udf_stats *again = get(NAME, VERSION);
    assert_ptr_equal(again, s);
    assert_int_equal(calls_of(s), 100);
    qd_udf_stats_unref(again);
    qd_udf_stats_unref(s);
}

static void test_reset__is_durable__at_once(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats *s = get(NAME, VERSION);
    (void)state;
    add(s, 100);
    qd_udf_stats_unref(s);
    close_keeper();
    open_keeper(0);
    s = get(NAME, VERSION);
    assert_status_ok(qd_udf_stats_reset(s, &err), &err); /* the row was not loaded yet */
    unsigned puts = atomic_load(&store.puts);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    assert_int_equal(atomic_load(&store.puts), puts);
    qd_udf_stats_unref(s);
    close_keeper();
    open_keeper(0);
    s = get(NAME, VERSION);
    assert_int_equal(calls_of(s), 0);
    assert_int_equal(qd_udf_stats_last_used_ms(s), 0);
    qd_udf_stats_unref(s);
}

static void test_row__damaged__counts_from_nothing(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    assert_status_ok(qd_kv_put(store.memory, BUCKET, QD_STR("geo@1.0.0"), QD_STR("\x01garbage"), QD_KV_ANY, NULL, &err),
                     &err);
    qd_udf_stats *s = get(NAME, VERSION);
    assert_int_equal(calls_of(s), 0);
    add(s, 5);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
    qd_udf_stats_unref(s);
    close_keeper();
    open_keeper(0);
    s = get(NAME, VERSION);
    assert_int_equal(calls_of(s), 5);
    qd_udf_stats_unref(s);
}

static void test_recent__more_than_asked__the_rest_is_counted(void **state)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf_stats **list = NULL;
    size_t n = 0, left_out = 0;
    (void)state;
    for (int i = 0; i < 10; i++) {
        char version[16];
        snprintf(version, sizeof version, "1.0.%d", i);
        qd_udf_stats *s = get(NAME, qd_str_of(version));
        if (i % 2 == 0)
            add(s, 1);
        qd_udf_stats_unref(s);
    }
    assert_status_ok(qd_stats_keeper_recent(keeper, 3, &list, &n, &left_out, &err), &err);
    assert_int_equal(n, 3);
    assert_int_equal(left_out, 2);
    for (size_t i = 1; i < n; i++)
        assert_true(qd_udf_stats_last_used_ms(list[i - 1]) >= qd_udf_stats_last_used_ms(list[i]));
    qd_stats_keeper_release(list, n);
    assert_status_ok(qd_stats_keeper_recent(keeper, 100, &list, &n, &left_out, &err), &err);
    assert_int_equal(n, 5);
    assert_int_equal(left_out, 0);
    qd_stats_keeper_release(list, n);
}

/* ---- threads: counting, flushing, looking up, resetting and removing at once ---- */

static atomic_bool is_over;

static void *count_on(void *arg)
{
    qd_udf_stats *s = get(NAME, VERSION);
    (void)arg;
    while (!atomic_load(&is_over))
        add(s, 3);
    qd_udf_stats_unref(s);
    return NULL;
}

static void *flush_on(void *arg)
{
    (void)arg;
    while (!atomic_load(&is_over)) {
        size_t n, left_out;
        qd_udf_stats **list = NULL;
        (void)qd_stats_keeper_flush(keeper, NULL);
        if (qd_stats_keeper_recent(keeper, 10, &list, &n, &left_out, NULL) == QD_OK)
            qd_stats_keeper_release(list, n);
    }
    return NULL;
}

static void test_all_at_once__removal_wins__nothing_is_left(void **state)
{
    pthread_t threads[4];
    qd_error err = QD_ERROR_INIT;
    (void)state;
    atomic_store(&is_over, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? count_on : flush_on, NULL), 0);
    for (int i = 0; i < 200; i++) {
        qd_udf_stats *s = get(NAME, VERSION);
        (void)calls_of(s);
        if (i % 10 == 0)
            assert_status_ok(qd_udf_stats_reset(s, &err), &err);
        qd_udf_stats_unref(s);
    }
    assert_status_ok(qd_stats_keeper_remove(keeper, NAME, VERSION, &err), &err);
    assert_int_equal(rows(), 0);
    atomic_store(&is_over, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_status_ok(qd_stats_keeper_flush(keeper, &err), &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get__twice__is_the_same_object),
        TEST(test_close_and_open__numbers_are_there__and_go_on),
        TEST(test_flush__without_a_read_before__adds_to_the_row),
        TEST(test_flush__nothing_new__puts_nothing),
        TEST(test_flush__store_is_full__is_tried_again),
        TEST(test_close__store_is_full__tells_the_log),
        TEST(test_thread__short_interval__writes_by_itself),
        TEST(test_remove__row_and_object_are_gone__and_stay_so),
        TEST(test_remove__row_of_an_earlier_run__is_gone),
        TEST(test_remove__store_fails__keeps_counting),
        TEST(test_reset__is_durable__at_once),
        TEST(test_row__damaged__counts_from_nothing),
        TEST(test_recent__more_than_asked__the_rest_is_counted),
        TEST(test_all_at_once__removal_wins__nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
