/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/audit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_qd.h"
#include "store/scratch_dir.h"
#include "udf/audit_impl.h"

#define HASH  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static scratch_dir dir;
static _Atomic int64_t now_ms;

static int64_t fake_clock(void)
{
    return now_ms;
}

static int setup(void **state)
{
    (void)state;
    scratch_dir_init(&dir);
    now_ms = INT64_C(1790000000000); /* 2026-09-21T14:13:20Z */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_dir_deinit(&dir);
    return 0;
}

/* Nothing gathered is written before it is asked for, or the log closes. */
static qd_audit_options options(void)
{
    qd_audit_options o = QD_AUDIT_OPTIONS_INIT;
    o.window_ms = 3600 * 1000;
    o.wall_ms = fake_clock;
    return o;
}

static qd_audit *open_audit(size_t max_bytes)
{
    qd_error err = QD_ERROR_INIT;
    qd_audit *a = NULL;
    qd_audit_options o = options();
    o.max_bytes = max_bytes;
    assert_status_ok(qd_audit_open(dir.path, &o, &a, &err), &err);
    return a;
}

static qd_audit_entry entry(qd_audit_action action, const char *name, const char *version)
{
    return (qd_audit_entry){.action = action,
                            .outcome = QD_AUDIT_OK,
                            .remote = QD_STR("127.0.0.1"),
                            .name = qd_str_of(name),
                            .version = qd_str_of(version),
                            .hash = QD_STR(HASH)};
}

static void append(qd_audit *a, qd_audit_action action, const char *name, const char *version)
{
    qd_error err = QD_ERROR_INIT;
    qd_audit_entry e = entry(action, name, version);
    assert_status_ok(qd_audit_append(a, &e, &err), &err);
}

static void deny(qd_audit *a, const char *name, const char *detail)
{
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, name, "1.0.0");
    e.outcome = QD_AUDIT_DENIED;
    e.detail = qd_str_of(detail);
    assert_int_equal(qd_audit_append(a, &e, NULL), QD_OK);
}

static void flush(qd_audit *a)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_audit_flush(a, &err), &err);
}

/* The first note is written at once, by the thread; after a write the rest waits for the window. */
static void close_window(qd_audit *a)
{
    flush(a);
}

static json_t *list(qd_audit *a, const qd_audit_filter *filter)
{
    const qd_audit_filter any = QD_AUDIT_FILTER_INIT;
    qd_error err = QD_ERROR_INIT;
    qd_buf text;
    qd_json w;
    json_t *v = NULL;
    qd_buf_init(&text, 8 << 20);
    qd_json_init(&w, &text, false);
    assert_status_ok(qd_audit_list(a, filter ? filter : &any, &w, &err), &err);
    assert_status_ok(qd_json_parse(qd_buf_str(&text), &v, &err), &err);
    qd_buf_deinit(&text);
    return v;
}

static const char *member(const json_t *v, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(v, "entries"), i), key));
}

static json_int_t number(const json_t *v, size_t i, const char *key)
{
    return json_integer_value(json_object_get(json_array_get(json_object_get(v, "entries"), i), key));
}

static json_int_t total(const json_t *v)
{
    return json_integer_value(json_object_get(v, "total"));
}

static size_t count(const json_t *v)
{
    return json_array_size(json_object_get(v, "entries"));
}

static qd_audit_report verify(qd_audit *a)
{
    qd_error err = QD_ERROR_INIT;
    qd_audit_report r;
    assert_status_ok(qd_audit_verify(a, &r, &err), &err);
    return r;
}

#define assert_intact(a, n)                                                                                            \
    do {                                                                                                               \
        qd_audit_report report_ = verify(a);                                                                           \
        if (!report_.is_intact)                                                                                        \
            fail_msg("entry %d: %s", (int)report_.bad_seq, report_.reason);                                            \
        assert_int_equal(report_.entries, n);                                                                          \
    } while (0)

/* ---- appending --------------------------------------------------------------------------------------------------- */

static void test_append__a_change__is_there_and_stays(void **state)
{
    (void)state;
    qd_audit *a = open_audit(1 << 20);
    append(a, QD_AUDIT_REGISTER, "geo", "1.0.0");
    now_ms += 1500;
    append(a, QD_AUDIT_DELETE, "geo", "1.0.0");
    qd_audit_close(a);

    a = open_audit(1 << 20);
    json_t *v = list(a, NULL);
    assert_int_equal(total(v), 2);
    assert_string_equal(member(v, 0, "action"), "delete");
    assert_string_equal(member(v, 0, "at"), "2026-09-21T14:13:21.500Z");
    assert_string_equal(member(v, 1, "action"), "register");
    assert_string_equal(member(v, 1, "at"), "2026-09-21T14:13:20.000Z");
    assert_string_equal(member(v, 1, "actor"), "anonymous");
    assert_string_equal(member(v, 1, "remote"), "127.0.0.1");
    assert_string_equal(member(v, 1, "name"), "geo");
    assert_string_equal(member(v, 1, "version"), "1.0.0");
    assert_string_equal(member(v, 1, "hash"), HASH);
    assert_string_equal(member(v, 1, "outcome"), "ok");
    assert_string_equal(member(v, 1, "detail"), "");
    assert_int_equal(number(v, 1, "seq"), 1);
    assert_int_equal(number(v, 1, "count"), 1);
    assert_string_equal(member(v, 1, "prev"), ZEROS);
    assert_string_equal(member(v, 0, "prev"), member(v, 1, "digest"));
    json_decref(v);
    assert_intact(a, 2);
    append(a, QD_AUDIT_ACTIVATE, "geo", "1.0.0"); /* the chain goes on */
    assert_intact(a, 3);
    qd_audit_close(a);
}

/* The digest by the header's own words, with another JSON writer. */
static void test_append__digest__is_that_of_the_sorted_entry_behind_prev(void **state)
{
    (void)state;
    char digest[QD_SHA256_HEX_SIZE];
    qd_audit *a = open_audit(1 << 20);
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, "größe", "1.0.0");
    qd_error err = QD_ERROR_INIT;
    e.detail = QD_STR("line one\nline \"two\"\t\\ \x7f");
    assert_status_ok(qd_audit_append(a, &e, &err), &err);
    append(a, QD_AUDIT_ROLLBACK, "f", "2.0.0");
    json_t *v = list(a, NULL);
    for (size_t i = 0; i < 2; i++) {
        json_t *item = json_deep_copy(json_array_get(json_object_get(v, "entries"), i));
        json_object_del(item, "prev");
        json_object_del(item, "digest");
        char *text = json_dumps(item, JSON_COMPACT | JSON_SORT_KEYS);
        const qd_str parts[] = {qd_str_of(member(v, i, "prev")), QD_STR("\n"), qd_str_of(text)};
        assert_true(qd_hash_sha256_hex_of(parts, 3, digest));
        assert_string_equal(digest, member(v, i, "digest"));
        free(text);
        json_decref(item);
    }
    json_decref(v);
    qd_audit_close(a);
}

static void test_append__texts_beyond_their_bounds__are_cut_at_a_character(void **state)
{
    (void)state;
    char long_text[2000];
    qd_error err = QD_ERROR_INIT;
    qd_audit *a = open_audit(1 << 20);
    for (size_t i = 0; i < sizeof long_text; i += 2)
        memcpy(long_text + i, "\xC3\xBC", 2);            /* ü */
    qd_str text = {long_text + 1, sizeof long_text - 1}; /* begins inside a character */
    qd_audit_entry e = {QD_AUDIT_REGISTER, QD_AUDIT_OK, text, text, text, text, text, text};
    assert_status_ok(qd_audit_append(a, &e, &err), &err);
    json_t *v = list(a, NULL);
    assert_int_equal(strlen(member(v, 0, "actor")), 127 + 2); /* U+FFFD has three bytes, for the one that was half */
    assert_int_equal(strlen(member(v, 0, "detail")), 511 + 2);
    assert_memory_equal(member(v, 0, "name"), "\xEF\xBF\xBD\xC3\xBC", 5);
    assert_null(json_object_get(json_array_get(json_object_get(v, "entries"), 0), "damaged"));
    json_decref(v);
    assert_intact(a, 1);
    qd_audit_close(a);
}

static void test_append__a_clock_that_runs_backwards__does_not_show(void **state)
{
    (void)state;
    qd_audit *a = open_audit(1 << 20);
    append(a, QD_AUDIT_REGISTER, "a", "1.0.0");
    now_ms -= 60000;
    append(a, QD_AUDIT_REGISTER, "b", "1.0.0");
    json_t *v = list(a, NULL);
    assert_string_equal(member(v, 0, "at"), member(v, 1, "at"));
    json_decref(v);
    assert_intact(a, 2);
    qd_audit_close(a);
}

static void *append_many(void *arg)
{
    for (int i = 0; i < 50; i++) {
        append(arg, QD_AUDIT_REGISTER, "many", "1.0.0");
        deny(arg, "many", "no");
    }
    return NULL;
}

static void test_append__from_several_threads__is_one_chain(void **state)
{
    (void)state;
    pthread_t threads[4];
    qd_audit *a = open_audit(1 << 20);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, a), 0);
    for (int i = 0; i < 10; i++)
        assert_true(verify(a).is_intact);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    flush(a);
    qd_audit_filter registered = QD_AUDIT_FILTER_INIT;
    registered.size = 1000;
    json_t *v = list(a, &registered);
    json_int_t changes = 0, denials = 0;
    for (size_t i = 0; i < count(v); i++)
        *(strcmp(member(v, i, "outcome"), "ok") == 0 ? &changes : &denials) += number(v, i, "count");
    assert_int_equal(changes, 200);
    assert_int_equal(denials, 200);
    assert_int_equal(total(v), count(v));
    json_decref(v);
    assert_true(verify(a).is_intact);
    qd_audit_close(a);
}

/* ---- what changes nothing ---------------------------------------------------------------------------------------- */

static void test_denials__like_ones__become_one_entry_with_a_count(void **state)
{
    (void)state;
    qd_audit *a = open_audit(1 << 20);
    close_window(a);
    for (int i = 0; i < 1000; i++)
        deny(a, "f", "import 'env.clock': permission 'clock' is not granted");
    deny(a, "g", "import 'env.clock': permission 'clock' is not granted");
    json_t *v = list(a, NULL);
    assert_int_equal(total(v), 0); /* not yet */
    json_decref(v);
    flush(a);
    v = list(a, NULL);
    assert_int_equal(total(v), 2);
    assert_int_equal(number(v, 1, "count"), 1000);
    assert_string_equal(member(v, 1, "name"), "f");
    assert_string_equal(member(v, 1, "outcome"), "denied");
    assert_string_equal(member(v, 1, "detail"), "import 'env.clock': permission 'clock' is not granted");
    assert_int_equal(number(v, 0, "count"), 1);
    json_decref(v);
    assert_intact(a, 2);
    qd_audit_close(a);
}

static void test_denials__all_different__are_bounded_and_counted(void **state)
{
    (void)state;
    char name[32];
    qd_audit *a = open_audit(1 << 20);
    close_window(a);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        deny(a, name, "no");
    }
    flush(a);
    json_t *v = list(a, NULL);
    assert_int_equal(total(v), QD_AUDIT_NOTES + 1);
    assert_int_equal(number(v, 0, "count"), 5000 - QD_AUDIT_NOTES);
    assert_string_equal(member(v, 0, "detail"), "more of them, each different, than are kept apart (32 at a time)");
    json_decref(v);
    qd_audit_close(a);
}

static void test_denials__gathered_when_the_log_closes__are_kept(void **state)
{
    (void)state;
    qd_audit *a = open_audit(1 << 20);
    close_window(a);
    deny(a, "f", "no");
    qd_audit_close(a);
    a = open_audit(1 << 20);
    assert_intact(a, 1);
    qd_audit_close(a);
}

static void test_denials__the_first__is_written_without_being_asked(void **state)
{
    (void)state;
    qd_audit *a = open_audit(1 << 20);
    deny(a, "f", "no");
    json_int_t n = 0;
    while (n == 0) { /* the test's own time limit ends this */
        json_t *v = list(a, NULL);
        n = total(v);
        json_decref(v);
    }
    assert_int_equal(n, 1);
    qd_audit_close(a);
}

static void test_denials__a_flood__lengthens_the_window_and_quiet_shortens_it(void **state)
{
    (void)state;
    char name[32];
    qd_audit *a = open_audit(1 << 20);
    uint32_t base = a->options.window_ms;
    close_window(a);
    for (int round = 1; round <= 8; round++) {
        for (int i = 0; i < QD_AUDIT_NOTES + 1; i++) {
            snprintf(name, sizeof name, "f%d", i);
            deny(a, name, "no");
        }
        flush(a);
        assert_int_equal(a->notes.window_ms, round <= 5 ? base << round : base * 60);
    }
    for (int round = 0; round < 8; round++)
        flush(a);
    assert_int_equal(a->notes.window_ms, base);
    qd_audit_close(a);
}

static void test_append__without_a_log__does_nothing(void **state)
{
    (void)state;
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, "f", "1.0.0");
    assert_int_equal(qd_audit_append(NULL, &e, NULL), QD_OK);
    assert_int_equal(qd_audit_flush(NULL, NULL), QD_OK);
    qd_audit_close(NULL);
}

static void test_outcome_of__statuses__by_what_they_mean(void **state)
{
    (void)state;
    static const struct {
        qd_status st;
        const char *outcome;
    } CASES[] = {{QD_OK, "ok"},
                 {QD_EUDF_PERMISSION, "denied"},
                 {QD_EUDF_SIGNATURE, "denied"},
                 {QD_EBUSY, "limited"},
                 {QD_ETOOLARGE, "limited"},
                 {QD_EUDF_FULL, "limited"},
                 {QD_EUDF_TIMEOUT, "limited"},
                 {QD_EUDF_MEMORY, "limited"},
                 {QD_EUDF_WASM, "failed"},
                 {QD_EIO, "failed"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_string_equal(qd_audit_outcome_name(qd_audit_outcome_of(CASES[i].st)), CASES[i].outcome);
    qd_audit_action action;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_audit_action_parse(QD_STR("quarantine"), &action, &err), &err);
    assert_int_equal(action, QD_AUDIT_QUARANTINE);
    qd_status st = qd_audit_action_parse(QD_STR("any"), &action, &err);
    assert_failed_with(st, &err, QD_EINVAL,
                       "action: expected one of register, activate, rollback, delete, quarantine, "
                       "reinstate, call, request, got 'any'");
    assert_string_equal(err.field, "action");
}

/* ---- listing ----------------------------------------------------------------------------------------------------- */

/* 3,000 entries, one a second: functions f0 … f2 in turn, each 10th of version 2.0.0, each 100th a delete. */
static qd_audit *fill(void)
{
    enum { BATCH = 500 };
    qd_audit *a = open_audit(8 << 20);
    qd_audit_record records[BATCH];
    static const char *const NAMES[] = {"f0", "f1", "f2"};
    qd_error err = QD_ERROR_INIT;
    for (int i = 0; i < 3000; i += BATCH) {
        for (int k = 0; k < BATCH; k++) {
            int n = i + k;
            qd_audit_entry e = entry(n % 100 == 99 ? QD_AUDIT_DELETE : QD_AUDIT_REGISTER, NAMES[n % 3],
                                     n % 10 == 9 ? "2.0.0" : "1.0.0");
            e.actor = n % 2 ? QD_STR("alice") : QD_STR("bob");
            qd_audit_record_from(&e, &records[k]);
        }
        assert_status_ok(qd_audit_write(a, records, BATCH, &err), &err);
        now_ms += 1000; /* a batch has one time */
    }
    return a;
}

static void test_list__filters__count_and_page_newest_first(void **state)
{
    (void)state;
    const int64_t start = now_ms;
    qd_audit *a = fill();
    const struct {
        qd_audit_filter f;
        json_int_t total, first_seq;
        size_t count;
    } CASES[] = {
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 7}, 3000, 3000, 7},
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 3, .size = 1000}, 3000, 1000, 1000},
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 4, .size = 1000}, 3000, 0, 0},
        {{.since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = UINT32_MAX, .size = 1000}, 3000, 0, 0},
        {{.udf = QD_STR("f1"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 1}, 1000, 2999, 1},
        {{.udf = QD_STR("f1@2.0.0"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 2, .size = 60},
         100,
         1190,
         40},
        {{.udf = QD_STR("f"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 1}, 0, 0, 0},
        {{.action = QD_AUDIT_DELETE, .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 2, .size = 20},
         30,
         1000,
         10},
        {{.actor = QD_STR("alice"), .since_ms = INT64_MIN, .until_ms = INT64_MAX, .page = 1, .size = 2}, 1500, 3000, 2},
        {{.since_ms = start, .until_ms = start, .page = 1, .size = 1000}, 500, 500, 500},
        {{.since_ms = start + 1, .until_ms = start + 1000, .page = 1, .size = 10}, 500, 1000, 10},
        {{.since_ms = start + 5000, .until_ms = INT64_MAX, .page = 1, .size = 10}, 500, 3000, 10},
        {{.since_ms = start + 5001, .until_ms = INT64_MAX, .page = 1, .size = 10}, 0, 0, 0},
        {{.since_ms = INT64_MIN, .until_ms = start - 1, .page = 1, .size = 10}, 0, 0, 0},
        {{.since_ms = start + 2000, .until_ms = start + 1000, .page = 1, .size = 10}, 0, 0, 0},
        {{.action = QD_AUDIT_DELETE,
          .actor = QD_STR("alice"),
          .since_ms = start + 1000,
          .until_ms = start + 2000,
          .page = 1,
          .size = 1000},
         10,
         1500,
         10},
        {{.action = QD_AUDIT_DELETE,
          .actor = QD_STR("bob"),
          .since_ms = INT64_MIN,
          .until_ms = INT64_MAX,
          .page = 1,
          .size = 1000},
         0,
         0,
         0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        json_t *v = list(a, &CASES[i].f);
        if (total(v) != CASES[i].total || count(v) != CASES[i].count ||
            (CASES[i].count && number(v, 0, "seq") != CASES[i].first_seq))
            fail_msg("case %zu: total %d, %zu entries, the first is %d", i, (int)total(v), count(v),
                     (int)number(v, 0, "seq"));
        for (size_t k = 1; k < count(v); k++)
            assert_true(number(v, k, "seq") < number(v, k - 1, "seq"));
        json_decref(v);
    }
    assert_intact(a, 3000);
    qd_audit_close(a);
}

static void test_list__pages__are_together_the_whole(void **state)
{
    (void)state;
    qd_audit *a = fill();
    json_int_t expected = 2996; /* f1: 2, 5, … 2999; of them alice's, the even numbers */
    qd_audit_filter f = {.udf = QD_STR("f1"),
                         .actor = QD_STR("alice"),
                         .since_ms = INT64_MIN,
                         .until_ms = INT64_MAX,
                         .page = 1,
                         .size = 33};
    for (size_t n = 1; n > 0; f.page++) {
        json_t *v = list(a, &f);
        n = count(v);
        for (size_t i = 0; i < n; i++, expected -= 6)
            assert_int_equal(number(v, i, "seq"), expected);
        json_decref(v);
    }
    assert_int_equal(expected, -4);
    qd_audit_close(a);
}

static void test_list__empty_log_and_bad_pages(void **state)
{
    (void)state;
    qd_audit *a = open_audit(1 << 20);
    json_t *v = list(a, NULL);
    assert_int_equal(total(v), 0);
    assert_int_equal(count(v), 0);
    json_decref(v);
    qd_audit_report r = verify(a);
    assert_true(r.is_intact);
    assert_int_equal(r.entries, 0);
    assert_string_equal(r.head, "");
    const qd_audit_filter BAD[] = {{.page = 0, .size = 1}, {.page = 1, .size = 0}, {.page = 1, .size = 1001}};
    for (size_t i = 0; i < 3; i++) {
        qd_error err = QD_ERROR_INIT;
        qd_json w = {0};
        qd_status st = qd_audit_list(a, &BAD[i], &w, &err);
        assert_failed_with(st, &err, QD_EINVAL, "page: expected 1 or more, and size 1 to 1000");
    }
    qd_audit_close(a);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static void append_ten(qd_audit *a)
{
    qd_audit_record records[10];
    qd_error err = QD_ERROR_INIT;
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, "f", "1.0.0");
    for (size_t i = 0; i < 10; i++)
        qd_audit_record_from(&e, &records[i]);
    assert_status_ok(qd_audit_write(a, records, 10, &err), &err);
}

static void test_trim__a_full_log__keeps_the_newest_in_one_chain(void **state)
{
    (void)state;
    qd_audit *a = open_audit(QD_AUDIT_MIN_BYTES);
    uint64_t most = 0;
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, "f", "1.0.0");
    qd_audit_record r;
    qd_audit_record_from(&e, &r);
    const uint64_t each = qd_audit_record_bytes(&r);
    for (uint64_t n = 10; n <= 700; n += 10) {
        append_ten(a);
        qd_audit_report report = verify(a);
        assert_true(report.is_intact);
        most = report.entries > most ? report.entries : most;
        assert_int_equal(report.last_seq, n);
    }
    assert_true(most * each <= QD_AUDIT_MIN_BYTES);
    qd_audit_report before = verify(a);
    assert_true(before.first_seq > 1);
    assert_true(before.entries * each >= QD_AUDIT_MIN_BYTES / 8 * 7 - each);
    json_t *v = list(a, NULL);
    assert_int_equal(total(v), before.entries);
    json_decref(v);
    qd_audit_close(a);

    a = open_audit(QD_AUDIT_MIN_BYTES); /* the size is known again */
    for (int i = 0; i < 30; i++)
        append_ten(a);
    qd_audit_report after = verify(a);
    assert_true(after.is_intact);
    assert_true(after.first_seq > before.first_seq);
    assert_true(after.entries * each <= QD_AUDIT_MIN_BYTES);
    qd_audit_close(a);
}

static void test_open__too_little_room__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_audit *a = NULL;
    qd_audit_options o = options();
    o.max_bytes = QD_AUDIT_MIN_BYTES - 1;
    qd_status st = qd_audit_open(dir.path, &o, &a, &err);
    assert_failed_with(st, &err, QD_EINVAL,
                       "the audit log: expected room for at least 65536 bytes (audit.max_bytes), got 65535");
    assert_null(a);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static size_t read_store(char **out)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", dir.path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t n = (size_t)ftell(file);
    rewind(file);
    *out = malloc(n);
    assert_int_equal(fread(*out, 1, n, file), n);
    fclose(file);
    return n;
}

static void write_store(const char *bytes, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", dir.path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void test_verify__any_byte_changed_in_the_store__names_the_entry(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"first", "second", "third", "fourth"};
    char *good = NULL;
    qd_audit *a = open_audit(1 << 20);
    for (size_t i = 0; i < 4; i++)
        append(a, QD_AUDIT_REGISTER, NAMES[i], "1.0.0");
    qd_audit_close(a);
    size_t n = read_store(&good), found = 0;
    for (size_t at = 0; at + 6 < n; at++) {
        if (memcmp(good + at, "third1", 6) != 0) /* name and version stand side by side; old pages may hold a copy */
            continue;
        char *bad = malloc(n);
        memcpy(bad, good, n);
        bad[at] = 'T';
        write_store(bad, n);
        free(bad);
        a = open_audit(1 << 20);
        qd_audit_report r = verify(a);
        if (!r.is_intact) {
            found++;
            assert_int_equal(r.bad_seq, 3);
            assert_int_equal(r.entries, 2);
            assert_string_equal(r.reason, "its digest is not that of its content: it was changed");
            json_t *v = list(a, NULL);
            assert_int_equal(total(v), 4);
            assert_string_equal(member(v, 1, "name"), "Third");
            assert_true(json_is_true(json_object_get(json_array_get(json_object_get(v, "entries"), 1), "damaged")));
            assert_null(json_object_get(json_array_get(json_object_get(v, "entries"), 0), "damaged"));
            json_decref(v);
        }
        qd_audit_close(a);
        write_store(good, n);
    }
    assert_int_equal(found, 1);
    free(good);
}

/* Replaces a record of a closed log by writing it anew with what `change` makes of it. */
typedef struct copier {
    qd_log *to;
    uint64_t at;
    void (*change)(qd_audit_record *r);
    bool drop, raw;
} copier;

static bool copy_record(void *arg, uint64_t seq, qd_str data)
{
    copier *c = arg;
    char bytes[QD_AUDIT_RECORD_MAX];
    qd_audit_record r;
    qd_error err = QD_ERROR_INIT;
    assert_true(qd_audit_record_decode(seq, data, &r));
    if (seq == c->at && c->change)
        c->change(&r);
    qd_audit_record_encode(&r, bytes);
    qd_log_record record = {seq, {{bytes, seq == c->at && c->raw ? data.n / 2 : data.n}}};
    qd_log_batch batch = {.records = &record, .n = 1};
    assert_status_ok(qd_log_enqueue(c->to, &batch, &err), &err);
    assert_status_ok(qd_log_wait(c->to, &batch, &err), &err);
    return true;
}

static void forge(copier c)
{
    qd_error err = QD_ERROR_INIT;
    qd_log *from = NULL;
    scratch_dir other;
    char path[128], target[128];
    scratch_dir_init(&other);
    assert_status_ok(qd_log_lmdb_open(dir.path, 64 << 20, &from, &err), &err);
    assert_status_ok(qd_log_lmdb_open(other.path, 64 << 20, &c.to, &err), &err);
    assert_status_ok(qd_log_read_from(from, 1, copy_record, &c, &err), &err);
    qd_log_close(from);
    qd_log_close(c.to);
    snprintf(path, sizeof path, "%s/data.mdb", other.path);
    snprintf(target, sizeof target, "%s/data.mdb", dir.path);
    assert_int_equal(rename(path, target), 0);
    scratch_dir_deinit(&other);
}

/* Changes an entry and its digest with it. */
static void change_name(qd_audit_record *r)
{
    r->text[QD_AUDIT_NAME].p = "forged";
    assert_int_equal(qd_audit_record_digest(r, r->digest, NULL), QD_OK);
}

static void change_time(qd_audit_record *r)
{
    r->at_ms -= 3600000;
    assert_int_equal(qd_audit_record_digest(r, r->digest, NULL), QD_OK);
}

static void change_end(qd_audit_record *r)
{
    r->end_bytes += 1000;
}

static void test_verify__a_forged_entry__breaks_the_chain(void **state)
{
    (void)state;
    static const struct {
        copier c;
        uint64_t bad;
        const char *reason;
    } CASES[] = {
        {{.at = 3, .change = change_name},
         4,
         "it does not name the digest of the entry before: one of the two was replaced"},
        {{.at = 3, .change = change_time}, 3, "its time or its place does not follow from the entry before"},
        {{.at = 2, .change = change_end}, 2, "its time or its place does not follow from the entry before"},
        {{.at = 2, .raw = true}, 2, "it cannot be read: its bytes are no entry"},
        {{.at = 5, .raw = true}, 5, "it cannot be read: its bytes are no entry"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        scratch_dir_deinit(&dir);
        scratch_dir_init(&dir);
        qd_audit *a = open_audit(1 << 20);
        for (int k = 0; k < 5; k++) {
            now_ms += 1000;
            append(a, QD_AUDIT_REGISTER, "f_____", "1.0.0");
        }
        qd_audit_close(a);
        forge(CASES[i].c);
        a = open_audit(1 << 20);
        qd_audit_report r = verify(a);
        assert_false(r.is_intact);
        assert_int_equal(r.bad_seq, CASES[i].bad);
        assert_string_equal(r.reason, CASES[i].reason);
        json_t *v = list(a, NULL);
        assert_int_equal(total(v), 5); /* nothing is hidden */
        assert_int_equal(count(v), 5);
        json_decref(v);
        append(a, QD_AUDIT_REGISTER, "f", "1.0.0"); /* and it goes on */
        v = list(a, NULL);
        assert_int_equal(number(v, 0, "seq"), 6);
        json_decref(v);
        qd_audit_close(a);
    }
}

static void test_report_write__both_kinds(void **state)
{
    (void)state;
    const struct {
        qd_audit_report r;
        const char *json;
    } CASES[] = {
        {{true, 2, 5, 6, "ab", 0, ""},
         "{\"intact\":true,\"entries\":2,\"first_seq\":5,\"last_seq\":6,\"head\":\"ab\"}"},
        {{false, 1, 5, 7, "cd", 6, "it is missing"},
         "{\"intact\":false,\"entries\":1,\"first_seq\":5,\"last_seq\":7,\"head\":\"cd\",\"bad_seq\":6,"
         "\"reason\":\"it is missing\"}"},
    };
    for (size_t i = 0; i < 2; i++) {
        qd_buf text;
        qd_json w;
        qd_buf_init(&text, 4096);
        qd_json_init(&w, &text, false);
        qd_audit_report_write(&CASES[i].r, &w);
        assert_str_equal(qd_buf_str(&text), CASES[i].json);
        qd_buf_deinit(&text);
    }
}

/* ---- a log that fails -------------------------------------------------------------------------------------------- */

/* The log of LMDB, of which enqueuing or waiting fails while it is told to; closed to appends after that, as LMDB's. */
typedef struct faulty {
    qd_log base;
    qd_log *inner;
    bool is_closed;
} faulty;
static atomic_int failing, opened, lost_lines;

static qd_status faulty_enqueue(qd_log *log, qd_log_batch *b, qd_error *err)
{
    faulty *l = (faulty *)(void *)log;
    return l->is_closed ? qd_fail(err, QD_EIO, "closed") : qd_log_enqueue(l->inner, b, err);
}

static qd_status faulty_wait(qd_log *log, qd_log_batch *b, qd_error *err)
{
    faulty *l = (faulty *)(void *)log;
    qd_status st = qd_log_wait(l->inner, b, err);
    if (!failing)
        return st;
    l->is_closed = true;
    return qd_fail(err, QD_EIO, "no space left on device");
}

static void faulty_close(qd_log *log)
{
    faulty *l = (faulty *)(void *)log;
    qd_log_close(l->inner);
    free(l);
}

static qd_status faulty_read_from(qd_log *log, uint64_t first, qd_log_visit_fn *fn, void *arg, qd_error *err)
{
    return qd_log_read_from(((faulty *)(void *)log)->inner, first, fn, arg, err);
}

static qd_status faulty_read_one(qd_log *log, uint64_t seq, qd_log_visit_fn *fn, void *arg, qd_error *err)
{
    return qd_log_read_one(((faulty *)(void *)log)->inner, seq, fn, arg, err);
}

static qd_status faulty_trim(qd_log *log, uint64_t up_to, qd_error *err)
{
    return qd_log_trim(((faulty *)(void *)log)->inner, up_to, err);
}

static qd_status faulty_bounds(qd_log *log, uint64_t *first, uint64_t *last, qd_error *err)
{
    return qd_log_bounds(((faulty *)(void *)log)->inner, first, last, err);
}

static const qd_log_vtable FAULTY = {faulty_close,    faulty_enqueue, faulty_wait,  faulty_read_from,
                                     faulty_read_one, faulty_trim,    faulty_bounds};

static qd_status open_faulty(void *arg, size_t max_bytes, qd_log **out, qd_error *err)
{
    (void)arg;
    if (failing > 1)
        return qd_fail(err, QD_EIO, "cannot open");
    faulty *l = calloc(1, sizeof *l);
    l->base.v = &FAULTY;
    opened++;
    qd_status st = qd_log_lmdb_open(dir.path, max_bytes, &l->inner, err);
    *out = &l->base;
    return st;
}

static void count_line(void *arg, const char *line)
{
    (void)arg;
    assert_string_equal(line,
                        "error: 1 audit entries of refused requests are lost: the audit log could not be written: "
                        "no space left on device");
    lost_lines++;
}

static void test_append__after_a_failure__opens_the_log_again(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_audit *a = NULL;
    qd_audit_options o = options();
    o.log = count_line;
    opened = failing = lost_lines = 0;
    assert_status_ok(qd_audit_open_with(open_faulty, NULL, &o, &a, &err), &err);
    append(a, QD_AUDIT_REGISTER, "f", "1.0.0");
    qd_audit_entry e = entry(QD_AUDIT_DELETE, "f", "1.0.0");

    failing = 1;
    qd_status st = qd_audit_append(a, &e, &err);
    assert_failed_with(st, &err, QD_EIO, "the audit log could not be written: no space left on device");
    st = qd_audit_append(a, &e, &err); /* opened again, and it fails again */
    assert_failed_with(st, &err, QD_EIO, "the audit log could not be written: no space left on device");
    assert_int_equal(opened, 2);
    close_window(a);
    deny(a, "f", "no");
    assert_int_equal(qd_audit_flush(a, &err), QD_EIO);
    assert_int_equal(lost_lines, 1);

    failing = 2;
    st = qd_audit_append(a, &e, &err);
    assert_failed_with(st, &err, QD_EIO, "the audit log: cannot open");
    qd_json w = {0};
    const qd_audit_filter any = QD_AUDIT_FILTER_INIT;
    qd_audit_report r;
    st = qd_audit_list(a, &any, &w, &err);
    assert_failed_with(st, &err, QD_EIO,
                       "the audit log could not be opened again after an error; see the server's log");
    st = qd_audit_verify(a, &r, &err);
    assert_int_equal(st, QD_EIO);

    failing = 0;
    assert_status_ok(qd_audit_append(a, &e, &err), &err);
    r = verify(a);
    assert_true(r.is_intact);
    /* What failed to be waited for did reach this log's disk; it is numbered and chained like all. */
    json_t *v = list(a, NULL);
    assert_string_equal(member(v, 0, "action"), "delete");
    assert_int_equal(number(v, 0, "seq"), total(v));
    json_decref(v);
    qd_audit_close(a);
}

/* ---- kill -9 ----------------------------------------------------------------------------------------------------- */

static void append_until_killed(_Atomic uint64_t *acked)
{
    qd_audit *a = open_audit(QD_AUDIT_MIN_BYTES);
    for (;;) {
        deny(a, "f", "no");
        append(a, QD_AUDIT_REGISTER, "f", "1.0.0");
        qd_audit_report r;
        if (qd_audit_verify(a, &r, NULL) != QD_OK || !r.is_intact)
            _exit(1);
        *acked = r.last_seq;
    }
}

static void test_append__kill_9__keeps_what_was_acked_in_one_chain(void **state)
{
    (void)state;
    _Atomic uint64_t *acked = mmap(NULL, sizeof *acked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(acked != MAP_FAILED);
    *acked = 0;
    for (int round = 1; round <= 4; round++) {
        uint64_t before = *acked;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            append_until_killed(acked);
        while (*acked < before + 90) { /* the last rounds trim */
            assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
            usleep(200);
        }
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        qd_audit *a = open_audit(QD_AUDIT_MIN_BYTES);
        qd_audit_report r = verify(a);
        if (!r.is_intact)
            fail_msg("entry %d: %s", (int)r.bad_seq, r.reason);
        assert_true(r.last_seq >= *acked);
        *acked = r.last_seq;
        qd_audit_close(a);
    }
    munmap(acked, sizeof *acked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_append__kill_9__keeps_what_was_acked_in_one_chain), /* first: it forks, and no thread may be about */
        TEST(test_append__a_change__is_there_and_stays),
        TEST(test_append__digest__is_that_of_the_sorted_entry_behind_prev),
        TEST(test_append__texts_beyond_their_bounds__are_cut_at_a_character),
        TEST(test_append__a_clock_that_runs_backwards__does_not_show),
        TEST(test_append__from_several_threads__is_one_chain),
        TEST(test_denials__like_ones__become_one_entry_with_a_count),
        TEST(test_denials__all_different__are_bounded_and_counted),
        TEST(test_denials__gathered_when_the_log_closes__are_kept),
        TEST(test_denials__the_first__is_written_without_being_asked),
        TEST(test_denials__a_flood__lengthens_the_window_and_quiet_shortens_it),
        TEST(test_append__without_a_log__does_nothing),
        TEST(test_outcome_of__statuses__by_what_they_mean),
        TEST(test_list__filters__count_and_page_newest_first),
        TEST(test_list__pages__are_together_the_whole),
        TEST(test_list__empty_log_and_bad_pages),
        TEST(test_trim__a_full_log__keeps_the_newest_in_one_chain),
        TEST(test_open__too_little_room__is_refused),
        TEST(test_verify__any_byte_changed_in_the_store__names_the_entry),
        TEST(test_verify__a_forged_entry__breaks_the_chain),
        TEST(test_report_write__both_kinds),
        TEST(test_append__after_a_failure__opens_the_log_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
