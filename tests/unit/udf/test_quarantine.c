/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/quarantine.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "fake_kv.h"

#define LABEL "geo@1.0.0"
#define GEO   QD_STR("geo"), QD_STR("1.0.0")

static fake_kv store;
static qd_quarantine *quarantine;
#define HASH "0123abcd"

static unsigned n_events;
static qd_quarantine_event last_event;
static char last_why[512], last_line[1024];

static void on_quarantine(void *arg, const qd_quarantine_event *event)
{
    (void)arg;
    n_events++;
    last_event = *event;
    snprintf(last_why, sizeof last_why, "%s", event->why);
}

static void keep_line(void *arg, const char *line)
{
    (void)arg;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void open_with(uint32_t failures, int64_t window_ms)
{
    qd_error err = QD_ERROR_INIT;
    const qd_quarantine_options options = {failures, window_ms, on_quarantine, NULL, keep_line, NULL};
    qd_quarantine_close(quarantine);
    quarantine = NULL;
    assert_status_ok(qd_quarantine_open(&store.kv, &options, &quarantine, &err), &err);
}

static int set_up(void **state)
{
    (void)state;
    n_events = 0;
    last_line[0] = 0;
    fake_kv_init(&store);
    open_with(3, 60000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    qd_quarantine_close(quarantine);
    quarantine = NULL;
    fake_kv_deinit(&store);
    return 0;
}

static void fail_with(const char *label, qd_status code)
{
    qd_error why = QD_ERROR_INIT;
    qd_fail(&why, code, "trap: unreachable");
    qd_quarantine_failed(quarantine, label, HASH, &why);
}

static void fail_times(int n)
{
    while (n-- > 0)
        fail_with(LABEL, QD_EUDF_FAILED);
}

static bool is_refused(const char *label)
{
    qd_error err = QD_ERROR_INIT;
    return qd_quarantine_check(quarantine, label, &err) == QD_EUDF_QUARANTINED;
}

static void test_failed__as_often_as_allowed__is_refused_with_a_sentence(void **state)
{
    qd_error err = QD_ERROR_INIT;
    char since[QD_ISO8601_SIZE], expected[512];
    (void)state;
    fail_times(2);
    assert_status_ok(qd_quarantine_check(quarantine, LABEL, &err), &err);
    assert_int_equal(n_events, 0);
    fail_times(1);
    assert_int_equal(n_events, 1);
    assert_str_equal(last_event.label, LABEL);
    assert_str_equal(last_event.hash, HASH);
    assert_int_equal(last_event.failures, 3);
    assert_string_equal(last_why, "trap: unreachable");
    assert_string_equal(last_line, "warning: function 'geo@1.0.0' is quarantined: trap: unreachable");
    snprintf(expected, sizeof expected,
             "function 'geo@1.0.0' is quarantined since %s: 3 queries in a row failed because of it, the last with "
             "\"trap: unreachable\"; lift it by POST /api/v1/udfs/geo/1.0.0/reinstate",
             qd_clock_iso8601(last_event.since_ms, since));
    assert_failed_with(qd_quarantine_check(quarantine, LABEL, &err), &err, QD_EUDF_QUARANTINED, expected);
    assert_str_equal(qd_error_text(&err, err.function), LABEL);
    assert_int_equal(qd_quarantine_count(quarantine), 1);
    assert_true(qd_quarantine_is_on(quarantine, LABEL));
    assert_false(is_refused("geo@1.0.1"));
    fail_times(5); /* queries that had begun before */
    assert_int_equal(n_events, 1);
}

static void test_succeeded__in_between__begins_the_row_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        fail_times(2);
        qd_quarantine_succeeded(quarantine, LABEL);
    }
    qd_quarantine_succeeded(quarantine, "other@1.0.0");
    assert_false(is_refused(LABEL));
    fail_times(3);
    assert_true(is_refused(LABEL));
    qd_quarantine_succeeded(quarantine, LABEL); /* one that had begun before does not lift it */
    assert_true(is_refused(LABEL));
}

static void test_failed__of_two_functions__each_has_its_own_row(void **state)
{
    (void)state;
    fail_times(2);
    fail_with("geo@2.0.0", QD_EUDF_FAILED);
    fail_with("geo@2.0.0", QD_EUDF_MEMORY);
    assert_false(is_refused(LABEL) || is_refused("geo@2.0.0"));
    fail_with("geo@2.0.0", QD_EUDF_TIMEOUT);
    assert_true(is_refused("geo@2.0.0"));
    assert_false(is_refused(LABEL));
}

static void test_failed__not_the_functions_fault__does_not_count(void **state)
{
    static const qd_status CODES[] = {QD_EUDF_PARAMS, QD_ECANCELED, QD_ETIMEOUT, QD_EBUSY, QD_ENOMEM, QD_EINTERNAL};
    (void)state;
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        assert_false(qd_quarantine_is_failure(CODES[i]));
        fail_with(LABEL, CODES[i]);
    }
    assert_false(is_refused(LABEL));
    fail_times(2);
    assert_false(is_refused(LABEL));
}

/* A window of no time: no two failures are within it. */
static void test_failed__outside_of_the_window__never(void **state)
{
    (void)state;
    open_with(2, 0);
    for (int i = 0; i < 50; i++) {
        int64_t before = qd_clock_mono_ns();
        fail_times(1);
        while (qd_clock_mono_ns() == before) {
        }
    }
    assert_false(is_refused(LABEL));
    open_with(1, 0);
    fail_times(1);
    assert_true(is_refused(LABEL));
}

static void test_off__any_failures__nothing(void **state)
{
    (void)state;
    open_with(0, 60000);
    fail_times(1000);
    assert_false(is_refused(LABEL));
    assert_int_equal(qd_quarantine_count(quarantine), 0);
    assert_int_equal(qd_quarantine_check(NULL, LABEL, NULL), QD_OK);
    qd_quarantine_succeeded(NULL, LABEL);
}

static void test_reopened__quarantined_before__still_is__rows_are_not(void **state)
{
    qd_error before = QD_ERROR_INIT, after = QD_ERROR_INIT;
    (void)state;
    fail_times(3);
    fail_with("other@1.0.0", QD_EUDF_FAILED);
    fail_with("other@1.0.0", QD_EUDF_FAILED);
    assert_int_equal(qd_quarantine_check(quarantine, LABEL, &before), QD_EUDF_QUARANTINED);
    open_with(3, 60000);
    assert_failed_with(qd_quarantine_check(quarantine, LABEL, &after), &after, QD_EUDF_QUARANTINED, before.message);
    fail_with("other@1.0.0", QD_EUDF_FAILED);
    assert_false(is_refused("other@1.0.0"));
    open_with(0, 60000); /* turning the policy off does not let go what is held */
    assert_true(is_refused(LABEL));
}

static void test_reinstate__quarantined__is_lifted_for_good(void **state)
{
    qd_error err = QD_ERROR_INIT;
    bool was = false;
    (void)state;
    fail_times(3);
    assert_status_ok(qd_quarantine_reinstate(quarantine, GEO, &was, &err), &err);
    assert_true(was);
    assert_false(is_refused(LABEL));
    assert_status_ok(qd_quarantine_reinstate(quarantine, GEO, &was, &err), &err);
    assert_false(was);
    fail_times(2); /* from nothing */
    assert_false(is_refused(LABEL));
    open_with(3, 60000);
    assert_false(is_refused(LABEL));
    fail_times(3);
    assert_true(is_refused(LABEL));
}

static void test_reinstate__store_fails__stays(void **state)
{
    qd_error err = QD_ERROR_INIT;
    bool was = false;
    (void)state;
    fail_times(3);
    atomic_store(&store.is_full, true);
    assert_failed_with(qd_quarantine_reinstate(quarantine, GEO, &was, &err), &err, QD_EIO, "no space left on device");
    assert_false(was);
    assert_true(is_refused(LABEL));
}

static void test_failed__store_fails__holds_in_memory_and_says_so(void **state)
{
    (void)state;
    atomic_store(&store.is_full, true);
    fail_times(3);
    assert_true(is_refused(LABEL));
    assert_int_equal(n_events, 1);
    atomic_store(&store.is_full, false);
    open_with(3, 60000);
    assert_false(is_refused(LABEL));
}

static void test_open__unreadable_row__is_quarantined(void **state)
{
    qd_error err = QD_ERROR_INIT;
    (void)state;
    qd_status st = qd_kv_put(store.memory, QD_STR("udf_quarantine"), QD_STR(LABEL), QD_STR("{"), QD_KV_ANY, NULL, &err);
    assert_status_ok(st, &err);
    open_with(3, 60000);
    assert_true(is_refused(LABEL));
}

/* ---- threads ---- */

static void *fail_and_succeed(void *arg)
{
    qd_error err, why = QD_ERROR_INIT;
    char label[32];
    qd_fail(&why, QD_EUDF_FAILED, "trap");
    for (int i = 0; i < 300; i++) {
        int n = snprintf(label, sizeof label, "f%d@1.0.0", i % 7);
        (void)qd_quarantine_check(quarantine, label, &err);
        qd_quarantine_failed(quarantine, label, HASH, &why);
        if (i % 3 == 0)
            qd_quarantine_succeeded(quarantine, label);
        if (arg)
            (void)qd_quarantine_reinstate(quarantine, (qd_str){label, (size_t)n - 6}, QD_STR("1.0.0"), NULL, &err);
    }
    return NULL;
}

static void count_event(void *arg, const qd_quarantine_event *event)
{
    (void)event;
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void test_all_at_once__memory_and_store_agree(void **state)
{
    pthread_t threads[6];
    qd_error err = QD_ERROR_INIT;
    atomic_uint events = 0;
    const qd_quarantine_options options = {2, 60000, count_event, &events, NULL, NULL};
    (void)state;
    qd_quarantine_close(quarantine);
    assert_status_ok(qd_quarantine_open(&store.kv, &options, &quarantine, &err), &err);
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fail_and_succeed, i == 0 ? &events : NULL), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&events) > 0);
    bool held[7];
    for (int i = 0; i < 7; i++) {
        char label[32];
        snprintf(label, sizeof label, "f%d@1.0.0", i);
        held[i] = is_refused(label);
    }
    open_with(2, 60000);
    for (int i = 0; i < 7; i++) {
        char label[32];
        snprintf(label, sizeof label, "f%d@1.0.0", i);
        assert_int_equal(is_refused(label), held[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_failed__as_often_as_allowed__is_refused_with_a_sentence),
        TEST(test_succeeded__in_between__begins_the_row_anew),
        TEST(test_failed__of_two_functions__each_has_its_own_row),
        TEST(test_failed__not_the_functions_fault__does_not_count),
        TEST(test_failed__outside_of_the_window__never),
        TEST(test_off__any_failures__nothing),
        TEST(test_reopened__quarantined_before__still_is__rows_are_not),
        TEST(test_reinstate__quarantined__is_lifted_for_good),
        TEST(test_reinstate__store_fails__stays),
        TEST(test_failed__store_fails__holds_in_memory_and_says_so),
        TEST(test_open__unreadable_row__is_quarantined),
        TEST(test_all_at_once__memory_and_store_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
