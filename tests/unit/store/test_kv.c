/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "scratch_dir.h"
#include "store/kv.h"

#define MIB ((size_t)1 << 20)

static scratch_dir dir;
static bool is_in_memory; /* which backend the tests open */

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

static qd_kv *open_kv(size_t max_bytes)
{
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = NULL;
    if ((is_in_memory ? qd_kv_memory_open(&kv, &err) : qd_kv_lmdb_open(dir.path, max_bytes, &kv, &err)) != QD_OK)
        fail_msg("%s", err.message);
    return kv;
}

static qd_status put(qd_kv *kv, const char *bucket, const char *key, const char *value, uint64_t expected,
                     uint64_t *revision, qd_error *err)
{
    return qd_kv_put(kv, qd_str_of(bucket), qd_str_of(key), qd_str_of(value), expected, revision, err);
}

static void assert_value(qd_kv *kv, const char *bucket, const char *key, const char *value, uint64_t revision)
{
    qd_buf buf;
    uint64_t found = 0;
    qd_buf_init(&buf, MIB);
    assert_int_equal(qd_kv_get(kv, qd_str_of(bucket), qd_str_of(key), &buf, &found, NULL), QD_OK);
    assert_true(qd_str_is(qd_buf_str(&buf), value));
    if (revision)
        assert_int_equal(found, revision);
    qd_buf_deinit(&buf);
}

static void test_put__then_get__gives_value_and_revision(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    qd_buf buf;
    uint64_t first = 0, second = 0;
    qd_buf_init(&buf, MIB);
    assert_int_equal(qd_kv_get(kv, QD_STR("b"), QD_STR("k"), &buf, NULL, &err), QD_ENOTFOUND);
    assert_string_equal(err.message, "bucket 'b' has no key 'k'");
    assert_int_equal(put(kv, "b", "k", "one", QD_KV_ANY, &first, &err), QD_OK);
    assert_value(kv, "b", "k", "one", first);
    assert_int_equal(put(kv, "b", "empty", "", QD_KV_ANY, &second, &err), QD_OK);
    assert_true(second > first);
    assert_value(kv, "b", "empty", "", second);
    assert_value(kv, "b", "k", "one", first);
    assert_int_equal(put(kv, "other", "k", "x", QD_KV_ANY, &first, &err), QD_OK);
    assert_true(first > second);
    qd_kv_close(kv);
    qd_buf_deinit(&buf);
}

static void test_open__again__has_what_was_put(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    uint64_t first = 0, second = 0;
    assert_int_equal(put(kv, "b", "k", "one", QD_KV_ANY, &first, &err), QD_OK);
    qd_kv_close(kv);
    kv = open_kv(64 * MIB);
    assert_value(kv, "b", "k", "one", first);
    assert_int_equal(put(kv, "b", "l", "x", QD_KV_ANY, &second, &err), QD_OK);
    assert_true(second > first);
    qd_kv_close(kv);
}

static void test_put__other_revision_than_expected__conflicts(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    uint64_t r1 = 0, r2 = 0;
    assert_int_equal(put(kv, "b", "k", "one", 5, NULL, &err), QD_ECONFLICT);
    assert_int_equal(put(kv, "b", "k", "one", QD_KV_ABSENT, &r1, &err), QD_OK);
    assert_int_equal(put(kv, "b", "k", "two", QD_KV_ABSENT, NULL, &err), QD_ECONFLICT);
    assert_non_null(strstr(err.message, "key 'k' of bucket 'b' exists already"));
    assert_int_equal(put(kv, "b", "k", "two", r1, &r2, &err), QD_OK);
    assert_int_equal(put(kv, "b", "k", "three", r1, NULL, &err), QD_ECONFLICT);
    assert_non_null(strstr(err.message, "is at revision 2 (0: absent), expected 1"));
    assert_value(kv, "b", "k", "two", r2);
    assert_int_equal(qd_kv_remove(kv, QD_STR("b"), QD_STR("k"), r1, &err), QD_ECONFLICT);
    assert_int_equal(qd_kv_remove(kv, QD_STR("b"), QD_STR("k"), r2, &err), QD_OK);
    assert_int_equal(qd_kv_remove(kv, QD_STR("b"), QD_STR("k"), QD_KV_ANY, &err), QD_ENOTFOUND);
    assert_int_equal(put(kv, "b", "k", "again", QD_KV_ABSENT, &r1, &err), QD_OK);
    assert_true(r1 > r2);
    qd_kv_close(kv);
}

static void test_put__bad_names__are_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    assert_int_equal(qd_kv_put(kv, QD_STR(""), QD_STR("k"), QD_STR("v"), QD_KV_ANY, NULL, &err), QD_EINVAL);
    assert_int_equal(qd_kv_put(kv, QD_STR("a\0b"), QD_STR("k"), QD_STR("v"), QD_KV_ANY, NULL, &err), QD_EINVAL);
    qd_kv_close(kv);
}

static void test_put__long_key__is_bounded(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    char longest[600];
    memset(longest, 'k', sizeof longest);
    assert_int_equal(qd_kv_put(kv, QD_STR("b"), (qd_str){longest, 509}, QD_STR("v"), QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(qd_kv_put(kv, QD_STR("b"), (qd_str){longest, 510}, QD_STR("v"), QD_KV_ANY, NULL, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "has 510 bytes; both together may have 510"));
    qd_kv_close(kv);
}

typedef struct keys {
    char text[256];
    int stop_after;
} keys;

static bool collect(void *arg, qd_str key, qd_str value, uint64_t revision)
{
    keys *k = arg;
    size_t n = strlen(k->text);
    (void)revision;
    snprintf(k->text + n, sizeof k->text - n, "%.*s=%.*s;", QD_STR_FMT(key), QD_STR_FMT(value));
    return --k->stop_after != 0;
}

static void test_visit__prefix__gives_keys_of_the_bucket_in_order(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    keys k = {0};
    assert_int_equal(put(kv, "b", "x/2", "two", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(put(kv, "b", "x/1", "one", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(put(kv, "b", "y/1", "why", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(put(kv, "bb", "x/3", "other", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(qd_kv_visit(kv, QD_STR("b"), QD_STR("x/"), collect, &k, &err), QD_OK);
    assert_string_equal(k.text, "x/1=one;x/2=two;");
    k = (keys){0};
    assert_int_equal(qd_kv_visit(kv, QD_STR("b"), QD_STR(""), collect, &k, &err), QD_OK);
    assert_string_equal(k.text, "x/1=one;x/2=two;y/1=why;");
    k = (keys){.stop_after = 1};
    assert_int_equal(qd_kv_visit(kv, QD_STR("b"), QD_STR(""), collect, &k, &err), QD_OK);
    assert_string_equal(k.text, "x/1=one;");
    k = (keys){0};
    assert_int_equal(qd_kv_visit(kv, QD_STR("nothing"), QD_STR(""), collect, &k, &err), QD_OK);
    assert_string_equal(k.text, "");
    qd_kv_close(kv);
}

static void note_change(void *arg, qd_str bucket, qd_str key, qd_str value, uint64_t revision)
{
    keys *k = arg;
    size_t n = strlen(k->text);
    snprintf(k->text + n, sizeof k->text - n, "%.*s/%.*s=%.*s@%llu;", QD_STR_FMT(bucket), QD_STR_FMT(key),
             QD_STR_FMT(value.p ? value : QD_STR("(gone)")), (unsigned long long)revision);
}

static void test_watch__changes__are_told_in_order(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    keys k = {0};
    assert_int_equal(qd_kv_watch(kv, QD_STR("b"), note_change, &k, &err), QD_OK);
    assert_int_equal(put(kv, "b", "k", "one", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(put(kv, "b", "k", "no", QD_KV_ABSENT, NULL, &err), QD_ECONFLICT);
    assert_int_equal(put(kv, "c", "k", "other", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(put(kv, "b", "k", "", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(qd_kv_remove(kv, QD_STR("b"), QD_STR("k"), QD_KV_ANY, &err), QD_OK);
    assert_string_equal(k.text, "b/k=one@1;b/k=@3;b/k=(gone)@4;");
    qd_kv_close(kv);
}

static void test_put__keep__leaves_what_is_there(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    keys k = {0};
    uint64_t first = 0, again = 0;
    assert_int_equal(qd_kv_watch(kv, QD_STR("b"), note_change, &k, &err), QD_OK);
    assert_int_equal(put(kv, "b", "k", "one", QD_KV_KEEP, &first, &err), QD_OK);
    assert_int_equal(put(kv, "b", "k", "two", QD_KV_KEEP, &again, &err), QD_OK);
    assert_value(kv, "b", "k", "one", first);
    assert_int_equal(again, first);
    assert_string_equal(k.text, "b/k=one@1;");
    qd_kv_close(kv);
}

static void test_change_many__in_order__each_as_a_put(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    keys k = {0};
    assert_int_equal(put(kv, "b", "there", "old", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(qd_kv_watch(kv, QD_STR("b"), note_change, &k, &err), QD_OK);
    const qd_kv_item items[] = {
        {QD_STR("b"), QD_STR("x"), QD_STR("one"), QD_KV_ABSENT, false},
        {QD_STR("b"), QD_STR("there"), QD_STR("new"), 1, false},
        {QD_STR("b"), QD_STR("there"), QD_STR("no"), QD_KV_KEEP, false},
        {QD_STR("c"), QD_STR("x"), {NULL, 0}, QD_KV_ANY, false},
        {QD_STR("b"), QD_STR("x"), QD_STR("two"), 2, false},
    };
    assert_int_equal(qd_kv_change_many(kv, items, sizeof items / sizeof *items, &err), QD_OK);
    assert_value(kv, "b", "x", "two", 5);
    assert_value(kv, "b", "there", "new", 3);
    assert_value(kv, "c", "x", "", 4);
    assert_string_equal(k.text, "b/x=one@2;b/there=new@3;b/x=two@5;");
    assert_int_equal(qd_kv_change_many(kv, items, 0, &err), QD_OK);
    qd_kv_close(kv);
}

static void test_change_many__removals__take_what_is_there(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    keys k = {0};
    assert_int_equal(put(kv, "b", "there", "old", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(qd_kv_watch(kv, QD_STR("b"), note_change, &k, &err), QD_OK);
    const qd_kv_item items[] = {
        {QD_STR("b"), QD_STR("there"), {NULL, 0}, QD_KV_ANY, true},
        {QD_STR("b"), QD_STR("never"), {NULL, 0}, QD_KV_ANY, true},
        {QD_STR("b"), QD_STR("x"), QD_STR("one"), QD_KV_ANY, false},
        {QD_STR("b"), QD_STR("there"), {NULL, 0}, QD_KV_ANY, true},
    };
    assert_int_equal(qd_kv_change_many(kv, items, sizeof items / sizeof *items, &err), QD_OK);
    assert_string_equal(k.text, "b/there=(gone)@2;b/x=one@3;");
    keys left = {0};
    assert_int_equal(qd_kv_visit(kv, QD_STR("b"), QD_STR(""), collect, &left, &err), QD_OK);
    assert_string_equal(left.text, "x=one;");
    qd_kv_close(kv);
}

static void test_change_many__one_is_refused__none_after_it_is_there(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    keys k = {0};
    const qd_kv_item conflict[] = {{QD_STR("b"), QD_STR("x"), QD_STR("one"), QD_KV_ANY, false},
                                   {QD_STR("b"), QD_STR("y"), QD_STR("two"), 7, false},
                                   {QD_STR("b"), QD_STR("z"), QD_STR("three"), QD_KV_ANY, false}};
    const qd_kv_item bad_name[] = {{QD_STR("b"), QD_STR("x"), QD_STR("one"), QD_KV_ANY, false},
                                   {QD_STR(""), QD_STR("y"), QD_STR("two"), QD_KV_ANY, false},
                                   {QD_STR("b"), QD_STR("z"), QD_STR("three"), QD_KV_ANY, false}};
    assert_int_equal(qd_kv_change_many(kv, conflict, 3, &err), QD_ECONFLICT);
    assert_string_equal(err.message, "key 'y' of bucket 'b' is at revision 0 (0: absent), expected 7");
    assert_int_equal(qd_kv_change_many(kv, bad_name, 3, &err), QD_EINVAL);
    assert_non_null(strstr(err.message, "a bucket's name is one byte or more"));
    assert_int_equal(qd_kv_visit(kv, QD_STR("b"), QD_STR(""), collect, &k, &err), QD_OK);
    assert_true(!strcmp(k.text, "") || !strcmp(k.text, "x=one;"));
    qd_kv_close(kv);
}

/* Together they need a map that is grown in the middle of them. */
static void test_change_many__more_than_the_map_holds__grows_it_or_leaves_nothing(void **state)
{
    (void)state;
    enum { N = 10 };
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(160 * MIB);
    char *bytes = calloc(1, 10 * MIB);
    char names[2 * N][8];
    qd_kv_item items[2 * N];
    qd_buf buf;
    qd_buf_init(&buf, 16 * MIB);
    for (int i = 0; i < 2 * N; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        items[i] = (qd_kv_item){QD_STR("b"), qd_str_of(names[i]), {bytes, 10 * MIB}, QD_KV_ABSENT, false};
    }
    assert_int_equal(qd_kv_change_many(kv, items, N, &err), QD_OK);
    assert_int_equal(qd_kv_get(kv, QD_STR("b"), QD_STR("9"), &buf, NULL, &err), QD_OK);
    assert_int_equal(buf.n, 10 * MIB);
    assert_int_equal(qd_kv_change_many(kv, items + N, N, &err), QD_ELIMIT);
    assert_int_equal(qd_kv_get(kv, QD_STR("b"), QD_STR("10"), &buf, NULL, &err), QD_ENOTFOUND);
    qd_buf_deinit(&buf);
    qd_kv_close(kv);
    free(bytes);
}

static void test_put__past_max_bytes__is_refused_and_removing_helps(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(MIB);
    qd_str value = {calloc(1, 200000), 200000};
    char key[16];
    int n = 0;
    qd_status st = QD_OK;
    for (; st == QD_OK && n < 20; n++) {
        snprintf(key, sizeof key, "%d", n);
        st = qd_kv_put(kv, QD_STR("b"), qd_str_of(key), value, QD_KV_ANY, NULL, &err);
    }
    assert_int_equal(st, QD_ELIMIT);
    assert_non_null(strstr(err.message, "its limit of 1048576 bytes is reached"));
    assert_int_equal(qd_kv_remove(kv, QD_STR("b"), QD_STR("0"), QD_KV_ANY, &err), QD_OK);
    assert_int_equal(put(kv, "b", "small", "v", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(qd_kv_put(kv, QD_STR("b"), QD_STR("big"), value, QD_KV_ANY, NULL, &err), QD_OK);
    qd_kv_close(kv);
    free((void *)value.p);
}

static void test_get__value_larger_than_buffer__says_so(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_kv *kv = open_kv(64 * MIB);
    qd_buf buf;
    qd_buf_init(&buf, 4);
    assert_int_equal(put(kv, "b", "k", "hello", QD_KV_ANY, NULL, &err), QD_OK);
    assert_int_equal(qd_kv_get(kv, QD_STR("b"), QD_STR("k"), &buf, NULL, &err), QD_ELIMIT);
    assert_non_null(strstr(err.message, "its value of 5 bytes is larger than the reader takes"));
    qd_buf_deinit(&buf);
    qd_kv_close(kv);
}

/* ---- many threads count together, each step a compare-and-set ---- */

enum { THREADS = 4, STEPS = 50 };

static void *count_up(void *arg)
{
    qd_kv *kv = arg;
    qd_buf buf;
    qd_buf_init(&buf, 100);
    for (int i = 0; i < STEPS;) {
        uint64_t revision = 0;
        int64_t n = 0;
        char text[24];
        qd_buf_clear(&buf);
        qd_status st = qd_kv_get(kv, QD_STR("b"), QD_STR("n"), &buf, &revision, NULL);
        if (st == QD_OK)
            (void)qd_str_to_i64(qd_buf_str(&buf), &n);
        snprintf(text, sizeof text, "%lld", (long long)n + 1);
        st = put(kv, "b", "n", text, revision, NULL, NULL);
        if (st == QD_OK)
            i++;
        else if (st != QD_ECONFLICT)
            break;
    }
    qd_buf_deinit(&buf);
    return NULL;
}

static void test_put__compare_and_set_by_many_threads__loses_nothing(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    char expected[24];
    qd_kv *kv = open_kv(64 * MIB);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_up, kv);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    snprintf(expected, sizeof expected, "%d", THREADS * STEPS);
    assert_value(kv, "b", "n", expected, 0);
    qd_kv_close(kv);
}

static int use_memory(void **state)
{
    (void)state;
    is_in_memory = true;
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CONTRACT                                                                                                       \
    TEST(test_put__then_get__gives_value_and_revision), TEST(test_put__other_revision_than_expected__conflicts),       \
        TEST(test_put__bad_names__are_refused), TEST(test_visit__prefix__gives_keys_of_the_bucket_in_order),           \
        TEST(test_watch__changes__are_told_in_order), TEST(test_get__value_larger_than_buffer__says_so),               \
        TEST(test_put__compare_and_set_by_many_threads__loses_nothing), TEST(test_put__keep__leaves_what_is_there),    \
        TEST(test_change_many__in_order__each_as_a_put), TEST(test_change_many__removals__take_what_is_there),         \
        TEST(test_change_many__one_is_refused__none_after_it_is_there)
    const struct CMUnitTest lmdb[] = {
        CONTRACT,
        TEST(test_open__again__has_what_was_put),
        TEST(test_put__long_key__is_bounded),
        TEST(test_put__past_max_bytes__is_refused_and_removing_helps),
        TEST(test_change_many__more_than_the_map_holds__grows_it_or_leaves_nothing),
    };
    const struct CMUnitTest memory[] = {CONTRACT};
    int failed = cmocka_run_group_tests(lmdb, NULL, NULL);
    return failed + cmocka_run_group_tests(memory, use_memory, NULL);
}
