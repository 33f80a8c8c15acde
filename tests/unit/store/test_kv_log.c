/* SPDX-License-Identifier: Apache-2.0
 *
 * A log that is part of a kv: changes of keys and records in one commit. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_qd.h"
#include "scratch_dir.h"
#include "store/log.h"

#define MIB ((size_t)1 << 20)

static scratch_dir dir;
static qd_kv *kv;
static qd_log *notes;

static void open_both(size_t max_bytes)
{
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_kv_lmdb_open(dir.path, max_bytes, &kv, &err), &err);
    assert_status_ok(qd_kv_open_log(kv, "notes", 8 * MIB, &notes, &err), &err);
}

static void close_both(void)
{
    qd_log_close(notes);
    qd_kv_close(kv);
}

static int setup(void **state)
{
    (void)state;
    scratch_dir_init(&dir);
    open_both(64 * MIB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_both();
    scratch_dir_deinit(&dir);
    return 0;
}

/* One record with changes of keys. */
static qd_status write_with(uint64_t seq, const qd_kv_item *changes, size_t n, qd_error *err)
{
    const qd_log_record record = {seq, {QD_STR("note")}};
    qd_log_batch batch = {.records = &record, .n = 1, .changes = changes, .n_changes = n};
    qd_status st = qd_log_enqueue(notes, &batch, err);
    return st == QD_OK ? qd_log_wait(notes, &batch, err) : st;
}

static bool count_record(void *arg, uint64_t seq, qd_str data)
{
    (void)seq;
    assert_true(qd_str_is(data, "note"));
    ++*(int *)arg;
    return true;
}

static int n_records(void)
{
    int n = 0;
    assert_int_equal(qd_log_read_from(notes, 0, count_record, &n, NULL), QD_OK);
    return n;
}

static bool has(const char *key)
{
    qd_buf value;
    qd_buf_init(&value, 100 * MIB);
    qd_status st = qd_kv_get(kv, QD_STR("b"), qd_str_of(key), &value, NULL, NULL);
    qd_buf_deinit(&value);
    return st == QD_OK;
}

static qd_kv_item put_of(const char *key)
{
    return (qd_kv_item){.bucket = QD_STR("b"), .key = qd_str_of(key), .value = QD_STR("v"), .expected = QD_KV_ANY};
}

static qd_kv_item removal_of(const char *key)
{
    return (qd_kv_item){.bucket = QD_STR("b"), .key = qd_str_of(key), .expected = QD_KV_ANY, .is_removal = true};
}

static void note_key(void *arg, qd_str bucket, qd_str key, qd_str value, uint64_t revision)
{
    char *text = arg;
    (void)bucket, (void)revision;
    snprintf(text + strlen(text), 64 - strlen(text), "%s%.*s ", value.p ? "+" : "-", QD_STR_FMT(key));
}

static void test_batch__with_changes__makes_both_and_keeps_them(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char told[64] = "";
    assert_status_ok(qd_kv_watch(kv, QD_STR("b"), note_key, told, &err), &err);
    const qd_kv_item first[] = {put_of("x"), put_of("y")};
    const qd_kv_item second[] = {removal_of("x"), removal_of("never"), put_of("z")};
    assert_status_ok(write_with(1, first, 2, &err), &err);
    assert_status_ok(write_with(2, NULL, 0, &err), &err);
    assert_status_ok(write_with(3, second, 3, &err), &err);
    assert_string_equal(told, "+x +y -x +z ");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(n_records(), 3);
        assert_true(!has("x") && has("y") && has("z"));
        close_both();
        open_both(64 * MIB);
    }
    /* The log goes on where it was, and so does the kv beside it. */
    assert_status_ok(write_with(4, NULL, 0, &err), &err);
    assert_status_ok(qd_kv_put(kv, QD_STR("b"), QD_STR("x"), QD_STR("v"), QD_KV_ABSENT, NULL, &err), &err);
    assert_int_equal(n_records(), 4);
}

static void test_batch__changes_that_it_cannot_take__are_refused_before_their_turn(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv_item change = put_of("x");
    change.expected = QD_KV_ABSENT;
    assert_int_equal(write_with(1, &change, 1, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "change 0 of a batch depends on a revision"));
    change = put_of("x");
    change.bucket = QD_STR("");
    assert_int_equal(write_with(1, &change, 1, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "a bucket's name is one byte or more"));
    change = put_of("x");
    assert_int_equal(write_with(7, &change, 1, &err), QD_OK);
    assert_int_equal(write_with(9, &change, 1, &err), QD_EINVAL); /* not the next one */
    assert_int_equal(n_records(), 1);

    qd_log *alone = NULL, *kept = notes;
    scratch_dir other;
    scratch_dir_init(&other);
    assert_status_ok(qd_log_lmdb_open(other.path, MIB, &alone, &err), &err);
    notes = alone;
    assert_int_equal(write_with(1, &change, 1, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "a batch with changes of keys, but it is part of no store"));
    notes = kept;
    qd_log_close(alone);
    scratch_dir_deinit(&other);
}

static void test_batch__changes_that_do_not_fit__leave_neither_and_the_log_opens_again(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    close_both();
    open_both(2 * MIB);
    qd_kv_item changes[] = {put_of("small"), put_of("large")};
    changes[1].value = (qd_str){calloc(1, 4 * MIB), 4 * MIB};
    assert_int_equal(write_with(1, changes, 2, &err), QD_ELIMIT);
    free((char *)changes[1].value.p);
    assert_int_equal(n_records(), 0);
    assert_false(has("small"));
    assert_int_equal(write_with(1, NULL, 0, &err), QD_EIO);
    assert_non_null(strstr(err.message, "takes no more records until it is opened again"));

    qd_log_close(notes);
    assert_status_ok(qd_kv_open_log(kv, "notes", 8 * MIB, &notes, &err), &err);
    assert_status_ok(write_with(1, changes, 1, &err), &err);
    assert_true(has("small"));
    assert_int_equal(n_records(), 1);
}

/* A store that is full can still be emptied by those who tell of it. */
static void test_batch__removal_in_a_full_store__is_made(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    char key[16], *bytes = calloc(1, 60000);
    int n = 0;
    close_both();
    open_both(2 * MIB);
    for (qd_status st = QD_OK; st == QD_OK; n++) {
        snprintf(key, sizeof key, "k%d", n);
        st = qd_kv_put(kv, QD_STR("b"), qd_str_of(key), (qd_str){bytes, 60000}, QD_KV_ANY, NULL, &err);
    }
    free(bytes);
    assert_int_equal(err.code, QD_ELIMIT);
    const qd_kv_item removal = removal_of("k0");
    assert_status_ok(write_with(1, &removal, 1, &err), &err);
    assert_false(has("k0"));
    assert_int_equal(n_records(), 1);
}

static void test_open_log__two_names__are_two_logs(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_log *second = NULL, *first = notes;
    assert_status_ok(write_with(1, NULL, 0, &err), &err);
    assert_status_ok(qd_kv_open_log(kv, "more", 8 * MIB, &second, &err), &err);
    notes = second;
    assert_int_equal(n_records(), 0);
    notes = first;
    assert_int_equal(n_records(), 1);
    qd_log_close(second);
}

static void test_open_log__store_in_memory__has_none(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *memory = NULL;
    qd_log *log = NULL;
    assert_status_ok(qd_kv_memory_open(&memory, &err), &err);
    assert_failed_with(qd_kv_open_log(memory, "notes", MIB, &log, &err), &err, QD_EUNSUPPORTED,
                       "this store has no logs of its own (asked for 'notes')");
    assert_null(log);
    qd_kv_close(memory);
}

/* ---- beside those who change keys alone ---- */

#define THREADS 4
#define ROUNDS  50

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static uint64_t next_seq;

static void *change_beside(void *arg)
{
    int me = *(int *)arg;
    char key[32];
    qd_error err = QD_ERROR_INIT;
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(key, sizeof key, "%d/%d", me, i);
        const qd_kv_item change = put_of(key);
        if (me % 2) {
            assert_int_equal(qd_kv_change_many(kv, &change, 1, &err), QD_OK);
            continue;
        }
        qd_log_record record = {0, {QD_STR("note")}};
        qd_log_batch batch = {.records = &record, .n = 1, .changes = &change, .n_changes = 1};
        pthread_mutex_lock(&order);
        record.seq = next_seq++;
        assert_int_equal(qd_log_enqueue(notes, &batch, &err), QD_OK);
        pthread_mutex_unlock(&order);
        assert_int_equal(qd_log_wait(notes, &batch, &err), QD_OK);
    }
    return NULL;
}

static void count_told(void *arg, qd_str bucket, qd_str key, qd_str value, uint64_t revision)
{
    uint64_t *last = arg;
    (void)bucket, (void)key, (void)value;
    assert_int_equal(revision, *last + 1); /* in order, each once */
    *last = revision;
}

static void test_batch__beside_changes_of_keys__watchers_see_all_in_order(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    uint64_t last = 0;
    next_seq = 1;
    assert_int_equal(qd_kv_watch(kv, QD_STR("b"), count_told, &last, NULL), QD_OK);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, change_beside, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(last, THREADS * ROUNDS);
    assert_int_equal(n_records(), THREADS / 2 * ROUNDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_batch__with_changes__makes_both_and_keeps_them),
        TEST(test_batch__changes_that_it_cannot_take__are_refused_before_their_turn),
        TEST(test_batch__changes_that_do_not_fit__leave_neither_and_the_log_opens_again),
        TEST(test_batch__removal_in_a_full_store__is_made),
        TEST(test_open_log__two_names__are_two_logs),
        TEST(test_open_log__store_in_memory__has_none),
        TEST(test_batch__beside_changes_of_keys__watchers_see_all_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
