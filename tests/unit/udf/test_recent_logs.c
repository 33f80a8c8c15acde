/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/recent_logs.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmocka_qd.h"

static qd_recent_logs logs;

static int set_up(void **state)
{
    (void)state;
    qd_recent_logs_init(&logs);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    qd_recent_logs_deinit(&logs);
    return 0;
}

static char *text(void)
{
    qd_buf out;
    qd_json w;
    qd_buf_init(&out, 1 << 20);
    qd_json_init(&w, &out, false);
    qd_recent_logs_write_json(&logs, "1.2.3", &w);
    return qd_buf_take(&out, NULL);
}

static json_t *read_logs(void)
{
    qd_error err = QD_ERROR_INIT;
    json_t *got = NULL;
    char *json = text();
    assert_status_ok(qd_json_parse(qd_str_of(json), &got, &err), &err);
    free(json);
    return got;
}

static const char *message_at(const json_t *got, size_t i)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(got, "logs"), i), "message"));
}

static size_t count(const json_t *got)
{
    return json_array_size(json_object_get(got, "logs"));
}

static json_int_t dropped(const json_t *got)
{
    return json_integer_value(json_object_get(got, "dropped"));
}

static void test_write__nothing_logged__is_empty_and_takes_no_memory(void **state)
{
    (void)state;
    char *got = text();
    assert_string_equal(got, "{\"version\":\"1.2.3\",\"logs\":[],\"dropped\":0}");
    assert_null(logs.lines);
    free(got);
}

static void test_add__with_and_without_document__is_written(void **state)
{
    qd_str id = QD_STR("d\"1");
    (void)state;
    qd_recent_logs_add(&logs, 1795000000000, QD_RECENT_WARN, QD_STR("odd \x01 price"), &id);
    qd_recent_logs_add(&logs, 1795000000005, QD_RECENT_ERROR, QD_STR(""), NULL);
    char *got = text();
    assert_string_equal(
        got, "{\"version\":\"1.2.3\",\"logs\":[{\"seq\":1,\"at\":\"2026-11-18T11:06:40.000Z\",\"level\":\"warn\","
             "\"message\":\"odd \\u0001 "
             "price\",\"document\":\"d\\\"1\"},{\"seq\":2,\"at\":\"2026-11-18T11:06:40.005Z\",\"level\":\"error\","
             "\"message\":\"\",\"document\":null}],\"dropped\":0}");
    free(got);
}

static void test_add__more_than_fit__the_newest_stay(void **state)
{
    (void)state;
    for (int i = 0; i < 250; i++) {
        char line[32];
        int n = snprintf(line, sizeof line, "line %d", i);
        qd_recent_logs_add(&logs, i, QD_RECENT_INFO, (qd_str){line, (size_t)n}, NULL);
    }
    json_t *got = read_logs();
    assert_int_equal(count(got), QD_RECENT_LOG_LINES);
    assert_string_equal(message_at(got, 0), "line 150");
    assert_string_equal(message_at(got, 99), "line 249");
    for (size_t i = 0; i < 2; i++) {
        const json_t *line = json_array_get(json_object_get(got, "logs"), i ? 99 : 0);
        assert_int_equal(json_integer_value(json_object_get(line, "seq")), i ? 250 : 151);
    }
    assert_int_equal(dropped(got), 0); /* making room is not dropping */
    json_decref(got);
}

static void test_add__long_lines__are_cut_at_a_character_and_bounded_in_all(void **state)
{
    char line[1024], id[300];
    (void)state;
    memset(line, 'a', sizeof line);
    memset(id, 'i', sizeof id);
    memcpy(line + 511, "\xc3\xa9", 2); /* stands across the end */
    qd_str document = {id, sizeof id};
    for (int i = 0; i < 200; i++)
        qd_recent_logs_add(&logs, i, QD_RECENT_INFO, (qd_str){line, sizeof line}, &document);
    assert_true(logs.bytes <= QD_RECENT_LOG_BYTES);
    json_t *got = read_logs();
    assert_int_equal(strlen(message_at(got, 0)), 511);
    assert_int_equal(count(got), QD_RECENT_LOG_LINES); /* 64 KiB are room for 102 of these */
    const json_t *last = json_array_get(json_object_get(got, "logs"), count(got) - 1);
    assert_int_equal(json_string_length(json_object_get(last, "document")), QD_RECENT_LOG_ID_BYTES);
    json_decref(got);
}

static void test_wants__debug__never__and_it_is_not_dropped(void **state)
{
    (void)state;
    assert_false(qd_recent_logs_wants(&logs, QD_RECENT_DEBUG, 5000));
    assert_true(qd_recent_logs_wants(&logs, QD_RECENT_INFO, 5000));
    json_t *got = read_logs();
    assert_int_equal(dropped(got), 0);
    json_decref(got);
}

static void test_wants__a_flood__a_hundred_a_second(void **state)
{
    int wanted = 0;
    (void)state;
    for (int i = 0; i < 100000; i++)
        wanted += qd_recent_logs_wants(&logs, QD_RECENT_INFO, 5000 + i % 1000);
    assert_int_equal(wanted, 100);
    assert_true(qd_recent_logs_wants(&logs, QD_RECENT_INFO, 6000));
    json_t *got = read_logs();
    assert_int_equal(dropped(got), 99900);
    json_decref(got);
    qd_recent_logs_clear(&logs);
    got = read_logs();
    assert_int_equal(dropped(got), 0);
    json_decref(got);
}

static void test_add__another_thread_is_there__dropped_and_counted(void **state)
{
    (void)state;
    pthread_mutex_lock(&logs.mutex);
    qd_recent_logs_add(&logs, 1, QD_RECENT_INFO, QD_STR("x"), NULL); /* returns, although the lock is held */
    pthread_mutex_unlock(&logs.mutex);
    json_t *got = read_logs();
    assert_int_equal(count(got), 0);
    assert_int_equal(dropped(got), 1);
    json_decref(got);
}

/* ---- threads ---- */

static void *log_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++)
        if (qd_recent_logs_wants(&logs, QD_RECENT_INFO, i * 50))
            qd_recent_logs_add(&logs, i, QD_RECENT_INFO, QD_STR("a line"), NULL);
    return NULL;
}

static void test_add__from_many_threads__every_line_is_whole(void **state)
{
    pthread_t threads[6];
    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    for (int i = 0; i < 20; i++)
        json_decref(read_logs());
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    json_t *got = read_logs();
    assert_true(count(got) > 0);
    for (size_t i = 0; i < count(got); i++)
        assert_string_equal(message_at(got, i), "a line");
    json_decref(got);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write__nothing_logged__is_empty_and_takes_no_memory),
        TEST(test_add__with_and_without_document__is_written),
        TEST(test_add__more_than_fit__the_newest_stay),
        TEST(test_add__long_lines__are_cut_at_a_character_and_bounded_in_all),
        TEST(test_wants__debug__never__and_it_is_not_dropped),
        TEST(test_wants__a_flood__a_hundred_a_second),
        TEST(test_add__another_thread_is_there__dropped_and_counted),
        TEST(test_add__from_many_threads__every_line_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
