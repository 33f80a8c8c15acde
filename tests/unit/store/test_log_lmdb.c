/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../child.h"
#include "base/clock.h"
#include "store/log.h"
#include "scratch_dir.h"

#define MIB ((size_t)1 << 20)

static scratch_dir dir;

static int setup(void **state)
{
    (void)state;
    scratch_dir_init(&dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_dir_deinit(&dir);
    return 0;
}

static qd_log *open_log(size_t max_bytes)
{
    qd_error err = QD_ERROR_INIT;
    qd_log *log = NULL;
    if (qd_log_lmdb_open(dir.path, max_bytes, &log, &err) != QD_OK)
        fail_msg("%s", err.message);
    return log;
}

static qd_status append(qd_log *log, uint64_t seq, qd_str a, qd_str b, qd_str c, qd_error *err)
{
    qd_log_record r = {seq, {a, b, c}};
    qd_log_batch batch = {.records = &r, .n = 1};
    qd_status st = qd_log_enqueue(log, &batch, err);
    return st == QD_OK ? qd_log_wait(log, &batch, err) : st;
}

static qd_status append_z(qd_log *log, uint64_t seq, const char *text, qd_error *err)
{
    return append(log, seq, qd_str_of(text), (qd_str){0}, (qd_str){0}, err);
}

typedef struct seen {
    uint64_t first, last, n;
    char data[64];
} seen;

static bool see(void *arg, uint64_t seq, qd_str data)
{
    seen *s = arg;
    if (s->n == 0)
        s->first = seq;
    else
        assert_int_equal(seq, s->last + 1);
    s->last = seq;
    s->n++;
    snprintf(s->data, sizeof s->data, "%.*s", QD_STR_FMT(data));
    return true;
}

static void assert_bounds(qd_log *log, uint64_t first, uint64_t last)
{
    uint64_t f = 0, l = 0;
    assert_int_equal(qd_log_bounds(log, &f, &l, NULL), QD_OK);
    assert_int_equal(f, first);
    assert_int_equal(l, last);
}

static void test_append__then_read__gives_parts_in_a_row(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *log = open_log(64 * MIB);
    seen s = {0};
    assert_bounds(log, UINT64_MAX, UINT64_MAX);
    assert_int_equal(append(log, 7, QD_STR("ab"), QD_STR(""), QD_STR("cd"), &err), QD_OK);
    assert_int_equal(append_z(log, 8, "", &err), QD_OK);
    assert_bounds(log, 7, 8);
    assert_int_equal(qd_log_read_one(log, 7, see, &s, &err), QD_OK);
    assert_string_equal(s.data, "abcd");
    s = (seen){0};
    assert_int_equal(qd_log_read_from(log, 0, see, &s, &err), QD_OK);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.data, "");
    assert_int_equal(qd_log_read_one(log, 9, see, &s, &err), QD_ENOTFOUND);
    assert_non_null(strstr(err.message, "holds no record 9"));
    qd_log_close(log);
}

static void test_append__gap_or_repeat__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *log = open_log(64 * MIB);
    assert_int_equal(append_z(log, 1, "x", &err), QD_OK);
    assert_int_equal(append_z(log, 3, "x", &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "sequence number 3 does not continue 1"));
    assert_int_equal(append_z(log, 1, "x", &err), QD_EINVAL);
    qd_log_record gap[2] = {{2, {QD_STR("a")}}, {4, {QD_STR("b")}}};
    qd_log_batch batch = {.records = gap, .n = 2};
    assert_int_equal(qd_log_enqueue(log, &batch, &err), QD_EINVAL);
    assert_int_equal(append_z(log, 2, "x", &err), QD_OK);
    qd_log_close(log);
}

static void test_open__again__continues(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    struct stat stat_buf;
    qd_log *log = open_log(64 * MIB);
    for (uint64_t seq = 0; seq < 100; seq++)
        assert_int_equal(append_z(log, seq, "x", &err), QD_OK);
    assert_int_equal(qd_log_trim(log, 49, &err), QD_OK);
    qd_log_close(log);
    log = open_log(64 * MIB);
    assert_bounds(log, 50, 99);
    assert_int_equal(append_z(log, 5, "x", &err), QD_EINVAL);
    assert_int_equal(append_z(log, 100, "x", &err), QD_OK);
    qd_log_close(log);
    assert_int_equal(stat(dir.path, &stat_buf), 0);
    assert_int_equal(stat_buf.st_mode & 0777, 0700);
}

static void test_open__not_a_directory__says_so(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *log = NULL;
    assert_int_equal(qd_log_lmdb_open("/dev/null", 64 * MIB, &log, &err), QD_EIO);
    assert_string_equal(err.message, "log '/dev/null': cannot open: Not a directory");
    assert_null(log);
}

static void test_trim__all__then_appends_go_on(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *log = open_log(64 * MIB);
    enum { N = 5000 };
    qd_log_record *records = calloc(N, sizeof *records);
    for (uint64_t i = 0; i < N; i++)
        records[i] = (qd_log_record){i, {QD_STR("value")}};
    qd_log_batch batch = {.records = records, .n = N};
    assert_int_equal(qd_log_enqueue(log, &batch, &err), QD_OK);
    assert_int_equal(qd_log_wait(log, &batch, &err), QD_OK);
    assert_int_equal(qd_log_trim(log, 3999, &err), QD_OK);
    assert_bounds(log, 4000, N - 1);
    assert_int_equal(qd_log_trim(log, 10, &err), QD_OK);
    assert_int_equal(qd_log_trim(log, UINT64_MAX, &err), QD_OK);
    assert_bounds(log, UINT64_MAX, UINT64_MAX);
    assert_int_equal(append_z(log, N, "x", &err), QD_OK);
    assert_int_equal(append_z(log, 0, "x", &err), QD_EINVAL);
    qd_log_close(log);
    free(records);
}

static void test_append__beyond_first_map__grows(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *log = open_log(512 * MIB);
    size_t n = 20 * MIB;
    char *big = malloc(n);
    memset(big, 'x', n);
    for (uint64_t seq = 0; seq < 7; seq++) {
        if (append(log, seq, (qd_str){big, n}, (qd_str){0}, (qd_str){0}, &err) != QD_OK)
            fail_msg("%s", err.message);
    }
    qd_log_close(log);
    log = open_log(512 * MIB);
    assert_bounds(log, 0, 6);
    qd_log_close(log);
    free(big);
}

typedef struct outcome {
    qd_status st;
    unsigned calls;
    char message[512];
} outcome;

static void record_outcome(void *arg, qd_status st, const qd_error *err)
{
    outcome *o = arg;
    o->st = st;
    o->calls++;
    snprintf(o->message, sizeof o->message, "%s", err ? err->message : "");
}

static void test_append__past_max_bytes__closes_to_appends_and_can_be_trimmed(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *log = open_log(1 * MIB);
    char *text = malloc(MIB);
    memset(text, 'x', MIB);
    uint64_t seq = 0;
    qd_status st = QD_OK;
    assert_int_equal(append(log, 0, (qd_str){text, MIB}, (qd_str){0}, (qd_str){0}, &err), QD_ETOOLARGE);
    while (st == QD_OK && seq < 100) {
        outcome o = {0};
        qd_log_record r = {seq, {{text, 100 * 1000}}};
        qd_log_batch b = {.records = &r, .n = 1, .done = record_outcome, .arg = &o};
        assert_int_equal(qd_log_enqueue(log, &b, &err), QD_OK);
        st = qd_log_wait(log, &b, &err);
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.st, st);
        assert_string_equal(o.message, st == QD_OK ? "" : err.message);
        seq += st == QD_OK;
    }
    assert_int_equal(st, QD_ELIMIT);
    assert_non_null(strstr(err.message, "its limit of 1048576 bytes is reached"));
    assert_in_range(seq, 5, 10);
    assert_int_equal(append_z(log, seq, "x", &err), QD_EIO);
    assert_non_null(strstr(err.message, "takes no more records until it is opened again"));
    assert_bounds(log, 0, seq - 1);
    assert_int_equal(qd_log_trim(log, seq - 2, &err), QD_OK);
    assert_bounds(log, seq - 1, seq - 1);
    qd_log_close(log);
    log = open_log(1 * MIB);
    /* LMDB reuses pages one commit after they were freed. */
    assert_int_equal(append_z(log, seq, "x", &err), QD_OK);
    assert_int_equal(append(log, seq + 1, (qd_str){text, 300 * 1000}, (qd_str){0}, (qd_str){0}, &err), QD_OK);
    qd_log_close(log);
    free(text);
}

static void test_reopen__after_a_failure__goes_on_behind_what_is_durable(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *log = open_log(1 * MIB);
    char *text = malloc(MIB);
    memset(text, 'x', MIB);
    uint64_t seq = 0;
    while (append(log, seq, (qd_str){text, 100 * 1000}, (qd_str){0}, (qd_str){0}, &err) == QD_OK)
        seq++;
    assert_int_equal(append_z(log, seq, "x", &err), QD_EIO);
    assert_int_equal(qd_log_reopen(log, &err), QD_OK);
    assert_bounds(log, 0, seq - 1);
    assert_int_equal(qd_log_trim(log, seq - 2, &err), QD_OK);
    /* LMDB reuses pages one commit after they were freed. */
    assert_int_equal(append_z(log, seq, "x", &err), QD_OK);
    /* Without a failure too; the sequence is checked as before. */
    assert_int_equal(qd_log_reopen(log, &err), QD_OK);
    assert_int_equal(append_z(log, seq, "x", &err), QD_EINVAL);
    assert_int_equal(append_z(log, seq + 1, "x", &err), QD_OK);
    assert_bounds(log, seq - 1, seq + 1);
    qd_log_close(log);
    free(text);
}

static void test_reopen__that_fails__can_be_tried_again(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    uint64_t first = 0, last = 0;
    char file[256], aside[300];
    qd_log *log = open_log(1 * MIB);
    assert_int_equal(append_z(log, 0, "zero", &err), QD_OK);
    snprintf(file, sizeof file, "%s/data.mdb", dir.path);
    snprintf(aside, sizeof aside, "%s.aside", file);
    assert_int_equal(rename(file, aside), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(qd_log_reopen(log, &err), QD_EIO);
    assert_non_null(strstr(err.message, "cannot open"));
    assert_int_equal(append_z(log, 1, "one", &err), QD_EIO);
    assert_int_equal(qd_log_bounds(log, &first, &last, &err), QD_EIO);
    assert_non_null(strstr(err.message, "is not open: log '"));
    assert_int_equal(qd_log_trim(log, 0, &err), QD_EIO);
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(rename(aside, file), 0);
    assert_int_equal(qd_log_reopen(log, &err), QD_OK);
    assert_bounds(log, 0, 0);
    assert_int_equal(append_z(log, 1, "one", &err), QD_OK);
    qd_log_close(log);
}

/* ---- many threads ---- */

enum { THREADS = 8, BATCHES = 60, PER_BATCH = 5 };

typedef struct crowd {
    qd_log *log;
    pthread_mutex_t write_lock;
    uint64_t next_seq;
    uint64_t next_done; /* only touched in `done`: the log orders these calls */
    bool is_disordered;
} crowd;

typedef struct crowd_batch {
    crowd *c;
    uint64_t first;
} crowd_batch;

static void crowd_done(void *arg, qd_status st, const qd_error *err)
{
    crowd_batch *b = arg;
    (void)err;
    if (st != QD_OK || b->first != b->c->next_done)
        b->c->is_disordered = true;
    b->c->next_done = b->first + PER_BATCH;
}

static void *crowd_thread(void *arg)
{
    crowd *c = arg;
    for (int i = 0; i < BATCHES; i++) {
        qd_log_record records[PER_BATCH];
        crowd_batch mine = {c, 0};
        qd_log_batch batch = {.records = records, .n = PER_BATCH, .done = crowd_done, .arg = &mine};
        pthread_mutex_lock(&c->write_lock);
        mine.first = c->next_seq;
        c->next_seq += PER_BATCH;
        for (uint64_t k = 0; k < PER_BATCH; k++)
            records[k] = (qd_log_record){mine.first + k, {QD_STR("some text")}};
        qd_status st = qd_log_enqueue(c->log, &batch, NULL);
        pthread_mutex_unlock(&c->write_lock);
        if (st != QD_OK || qd_log_wait(c->log, &batch, NULL) != QD_OK)
            return c;
        if (i % 16 == 15 && qd_log_trim(c->log, mine.first / 2, NULL) != QD_OK)
            return c;
    }
    return NULL;
}

static void test_append__from_many_threads__done_in_order(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    crowd c = {.log = open_log(64 * MIB)};
    seen s = {0};
    pthread_mutex_init(&c.write_lock, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, crowd_thread, &c);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_false(c.is_disordered);
    assert_int_equal(c.next_done, THREADS * BATCHES * PER_BATCH);
    assert_int_equal(qd_log_read_from(c.log, 0, see, &s, NULL), QD_OK);
    assert_int_equal(s.last, c.next_done - 1);
    assert_true(s.first > 0);
    qd_log_close(c.log);
    pthread_mutex_destroy(&c.write_lock);
}

static void *crowd_waiter(void *arg)
{
    crowd *c = arg;
    for (;;) {
        char text[700];
        memset(text, 'x', sizeof text);
        qd_log_record r = {0, {{text, sizeof text}}};
        qd_log_batch batch = {.records = &r, .n = 1};
        pthread_mutex_lock(&c->write_lock);
        r.seq = c->next_seq;
        qd_status st = qd_log_enqueue(c->log, &batch, NULL);
        if (st == QD_OK)
            c->next_seq++;
        pthread_mutex_unlock(&c->write_lock);
        if (st != QD_OK || qd_log_wait(c->log, &batch, NULL) != QD_OK)
            return NULL;
    }
}

static void test_append__full_under_many_threads__every_waiter_returns(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint64_t first = 0, last = 0;
    crowd c = {.log = open_log(MIB)};
    pthread_mutex_init(&c.write_lock, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, crowd_waiter, &c);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(qd_log_bounds(c.log, &first, &last, NULL), QD_OK);
    assert_int_equal(first, 0);
    assert_in_range(last, 200, c.next_seq - 1);
    qd_log_close(c.log);
    pthread_mutex_destroy(&c.write_lock);
}

/* ---- kill -9 ---- */

/* Appends for ever and shows what it was told is durable. */
static void child_appends(char **args)
{
    qd_log *log = NULL;
    uint64_t first, last;
    _Atomic uint64_t *acked = child_counter();
    if (qd_log_lmdb_open(args[0], 64 * MIB, &log, NULL) != QD_OK || qd_log_bounds(log, &first, &last, NULL) != QD_OK)
        _exit(1);
    for (uint64_t seq = last == UINT64_MAX ? 1 : last + 1;; seq++) {
        char text[200];
        int n = snprintf(text, sizeof text, "%0*llu", (int)(1 + seq % 150), (unsigned long long)seq);
        if (append(log, seq, (qd_str){text, (size_t)n}, (qd_str){0}, (qd_str){0}, NULL) != QD_OK)
            _exit(1);
        atomic_store(acked, seq);
    }
}

static bool check_record(void *arg, uint64_t seq, qd_str data)
{
    uint64_t *expected = arg;
    char text[200];
    int n = snprintf(text, sizeof text, "%0*llu", (int)(1 + seq % 150), (unsigned long long)seq);
    assert_int_equal(seq, *expected);
    assert_true(qd_str_eq(data, (qd_str){text, (size_t)n}));
    ++*expected;
    return true;
}

static void test_append__kill_9__keeps_what_was_acked(void **state)
{
    (void)state;
    int fd;
    _Atomic uint64_t *acked = child_counter_new(&fd);
    for (int round = 0; round < 5; round++) {
        uint64_t before = atomic_load(acked), expected = 1;
        int status = 0;
        pid_t pid = child_start(fd, (const char *[]){"append", dir.path, NULL});
        while (atomic_load(acked) < before + 20 + (uint64_t)round) {
            assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
            usleep(200);
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        qd_log *log = open_log(64 * MIB);
        assert_int_equal(qd_log_read_from(log, 0, check_record, &expected, NULL), QD_OK);
        assert_true(expected - 1 >= atomic_load(acked));
        qd_log_close(log);
    }
    child_counter_free(acked, fd);
}

int main(int argc, char **argv)
{
    static const child_role ROLES[] = {{"append", child_appends}};
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_append__then_read__gives_parts_in_a_row),
        TEST(test_append__gap_or_repeat__is_refused),
        TEST(test_open__again__continues),
        TEST(test_open__not_a_directory__says_so),
        TEST(test_trim__all__then_appends_go_on),
        TEST(test_append__beyond_first_map__grows),
        TEST(test_append__past_max_bytes__closes_to_appends_and_can_be_trimmed),
        TEST(test_reopen__after_a_failure__goes_on_behind_what_is_durable),
        TEST(test_reopen__that_fails__can_be_tried_again),
        TEST(test_append__from_many_threads__done_in_order),
        TEST(test_append__full_under_many_threads__every_waiter_returns),
        TEST(test_append__kill_9__keeps_what_was_acked),
    };
    child_main(argc, argv, ROLES, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
