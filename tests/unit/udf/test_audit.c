/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/audit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../child.h"
#include "audit_fixture.h"

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

static void test_append__a_zero_byte__ends_a_text(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_audit *a = open_audit(1 << 20);
    qd_audit_entry e = entry(QD_AUDIT_REGISTER, "f", "1.0.0");
    e.name = (qd_str){"f\0g", 3};
    e.detail = (qd_str){"\0", 1};
    assert_status_ok(qd_audit_append(a, &e, &err), &err);
    json_t *v = list(a, NULL);
    assert_string_equal(member(v, 0, "name"), "f");
    assert_string_equal(member(v, 0, "detail"), "");
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
                                     faulty_read_one, faulty_trim,    faulty_bounds,  NULL};

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

static void child_appends(char **args)
{
    _Atomic uint64_t *acked = child_counter();
    now_ms = START_MS;
    snprintf(dir.path, sizeof dir.path, "%s", args[0]);
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
    int fd;
    _Atomic uint64_t *acked = child_counter_new(&fd);
    for (int round = 1; round <= 4; round++) {
        uint64_t before = *acked;
        pid_t child = child_start(fd, (const char *[]){"append", dir.path, NULL});
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
    child_counter_free(acked, fd);
}

int main(int argc, char **argv)
{
    static const child_role ROLES[] = {{"append", child_appends}};
    const struct CMUnitTest tests[] = {
        TEST(test_append__a_change__is_there_and_stays),
        TEST(test_append__digest__is_that_of_the_sorted_entry_behind_prev),
        TEST(test_append__texts_beyond_their_bounds__are_cut_at_a_character),
        TEST(test_append__a_zero_byte__ends_a_text),
        TEST(test_append__a_clock_that_runs_backwards__does_not_show),
        TEST(test_append__from_several_threads__is_one_chain),
        TEST(test_denials__like_ones__become_one_entry_with_a_count),
        TEST(test_denials__all_different__are_bounded_and_counted),
        TEST(test_denials__gathered_when_the_log_closes__are_kept),
        TEST(test_denials__the_first__is_written_without_being_asked),
        TEST(test_denials__a_flood__lengthens_the_window_and_quiet_shortens_it),
        TEST(test_append__without_a_log__does_nothing),
        TEST(test_outcome_of__statuses__by_what_they_mean),
        TEST(test_append__after_a_failure__opens_the_log_again),
        TEST(test_append__kill_9__keeps_what_was_acked_in_one_chain),
    };
    child_main(argc, argv, ROLES, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
