/* SPDX-License-Identifier: Apache-2.0
 *
 * The code of functions: loaded when first used, dropped when there is too much of it, never in use. */
#include <pthread.h>

#include "registry_fixture.h"

static qd_registry_counts counts(void)
{
    qd_registry_counts c;
    qd_registry_read_counts(registry, &c);
    return c;
}

static qd_udf *get(const char *name)
{
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    assert_status_ok(qd_registry_get(registry, qd_str_of(name), QD_STR(""), &u, &err), &err);
    return u;
}

static void add_many(int n)
{
    char name[16];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "f%d", i);
        add_version(name, "1.0.0", i);
    }
}

static uint64_t code_bytes(void)
{
    qd_wasm_counters c;
    qd_wasm_engine_read_counters(engine, &c);
    return c.code_bytes;
}

static void test_open__many_functions__loads_none_before_it_is_used(void **state)
{
    (void)state;
    add_many(20);
    assert_int_equal(counts().loaded, 20);
    assert_int_equal(counts().loads, 0);
    unsigned gets = atomic_load(&kv.gets);
    uint64_t before = code_bytes();
    reopen();
    assert_true(code_bytes() < before);
    assert_int_equal(atomic_load(&kv.gets), gets); /* one visit of the entries; no module, no manifest */
    assert_int_equal(counts().versions, 20);
    assert_int_equal(counts().loaded, 0);
    for (int i = 0; i < 3; i++)
        qd_udf_unref(get("f7"));
    assert_int_equal(counts().loaded, 1);
    assert_int_equal(counts().loads, 1);
}

typedef struct waiter {
    pthread_t thread;
    qd_udf *u;
} waiter;

static void *wait_for(void *arg)
{
    waiter *w = arg;
    return qd_registry_get(registry, QD_STR("f0"), QD_STR(""), &w->u, NULL) == QD_OK ? NULL : arg;
}

static void test_get__from_many_threads__loads_once(void **state)
{
    (void)state;
    enum { N = 8 };
    waiter waiters[N] = {0};
    add_many(1);
    reopen();
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for, &waiters[i]), 0);
    for (int i = 0; i < N; i++) {
        void *failed;
        pthread_join(waiters[i].thread, &failed);
        assert_null(failed);
        assert_ptr_equal(waiters[i].u, waiters[0].u);
    }
    for (int i = 0; i < N; i++)
        qd_udf_unref(waiters[i].u);
    assert_int_equal(counts().loads, 1);
}

static bool is_loaded(const char *name)
{
    uint64_t loads = counts().loads;
    qd_udf_unref(get(name));
    return counts().loads == loads;
}

static void test_get__too_much_code__drops_what_was_used_longest_ago(void **state)
{
    (void)state;
    add_many(32);
    uint64_t all = code_bytes();
    qd_registry_close(registry);
    registry = NULL;
    options.max_code_bytes = (size_t)all;
    open_registry();
    qd_udf *kept = get("f0"); /* in use all the time */
    for (int i = 1; counts().evictions == 0; i++) {
        char name[16];
        qd_udf_unref(get("f1")); /* used again and again */
        snprintf(name, sizeof name, "g%d", i);
        add_version(name, "1.0.0", 100 + i);
        assert_true(i < 50);
    }
    assert_true(is_loaded("f1"));
    assert_false(is_loaded("g1")); /* the one that was used longest ago */
    qd_udf *again = get("f0");
    assert_ptr_equal(again, kept);
    qd_udf_unref(again);
    qd_udf_unref(kept);
}

static void test_get__no_room_beside_what_is_in_use__is_refused(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    qd_udf *u = NULL;
    add_many(3);
    qd_registry_close(registry);
    options.max_code_bytes = (size_t)code_bytes() + 100;
    open_registry();
    assert_int_equal(qd_registry_get(registry, QD_STR("f0"), QD_STR(""), &u, &err), QD_EUDF_FULL);
    assert_non_null(strstr(err.message, "function 'f0@1.0.0' cannot be loaded: compiled code in use takes "));
    assert_int_equal(try_version("g", "1.0.0", 77, &err), QD_EUDF_FULL);
    assert_string_equal(label_of("g", ""), "no function 'g' is registered");
    qd_registry_close(registry);
    options.max_code_bytes = (size_t)512 << 20;
    open_registry();
    assert_string_equal(label_of("f0", ""), "f0@1.0.0"); /* it was not held against it */
}

static void test_get_many__one_unknown__gives_none(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    size_t failed = 99;
    qd_udf_want wants[] = {
        {.name = QD_STR("f0")}, {.name = QD_STR("f1@^1")}, {.name = QD_STR("f1"), .version = QD_STR("2")}};
    add_many(2);
    reopen();
    assert_failed_with(qd_registry_get_many(registry, wants, 3, &failed, &err), &err, QD_EUDF_NOTFOUND,
                       "function 'f1' has no version in the range '2'; it has 1.0.0");
    assert_int_equal(failed, 2);
    assert_null(wants[0].udf);
    assert_int_equal(counts().loaded, 0);
    wants[2].version = QD_STR("1");
    assert_status_ok(qd_registry_get_many(registry, wants, 3, &failed, &err), &err);
    assert_string_equal(wants[0].udf->label, "f0@1.0.0");
    assert_ptr_equal(wants[1].udf, wants[2].udf);
    for (int i = 0; i < 3; i++)
        qd_udf_unref(wants[i].udf);
}

static void count_udf(void *arg, const qd_udf *u)
{
    *(size_t *)arg += u->label[0] == 'f';
}

static void test_visit__bounded__calls_for_so_many(void **state)
{
    (void)state;
    qd_error err = QD_ERROR_INIT;
    size_t n = 0;
    add_many(5);
    assert_status_ok(qd_registry_visit(registry, 3, count_udf, &n, &err), &err);
    assert_int_equal(n, 3);
    n = 0;
    assert_status_ok(qd_registry_visit(registry, 30, count_udf, &n, &err), &err);
    assert_int_equal(n, 5);
}

/* ---- deployments while others look up ---- */

static atomic_bool is_over;
static atomic_uint n_failures, n_lookups;

/* A version's number is its patch, and what its module gives: both must be of the same version. */
static void *look_up(void *arg)
{
    (void)arg;
    while (!atomic_load(&is_over)) {
        qd_udf *u = NULL;
        qd_udf_want wants[] = {{.name = QD_STR("f")}, {.name = QD_STR("f"), .version = QD_STR("active")}};
        size_t failed;
        if (qd_registry_get(registry, QD_STR("f"), QD_STR("^1"), &u, NULL) != QD_OK ||
            !qd_str_is(u->manifest->name, "f"))
            atomic_fetch_add(&n_failures, 1);
        qd_udf_unref(u);
        if (qd_registry_get_many(registry, wants, 2, &failed, NULL) != QD_OK || wants[0].udf != wants[1].udf ||
            strncmp(wants[0].udf->label + 2, wants[0].udf->manifest->version.p, wants[0].udf->manifest->version.n) != 0)
            atomic_fetch_add(&n_failures, 1);
        qd_udf_unref(wants[0].udf);
        qd_udf_unref(wants[1].udf);
        atomic_fetch_add(&n_lookups, 2);
    }
    return NULL;
}

static void test_deploy_and_roll_back__while_eight_look_up__nobody_fails(void **state)
{
    (void)state;
    enum { READERS = 8, ROUNDS = 100 };
    pthread_t readers[READERS];
    char version[16];
    add_version("f", "1.0.0", 0);
    reopen();
    atomic_store(&is_over, false);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, look_up, NULL), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        qd_error err = QD_ERROR_INIT;
        snprintf(version, sizeof version, "1.0.%d", i);
        add_version("f", version, i);
        assert_status_ok(qd_registry_rollback(registry, QD_STR("f"), QD_STR(""), NULL, NULL, &err), &err);
        if (i > 1) {
            snprintf(version, sizeof version, "1.0.%d", i - 1);
            assert_status_ok(qd_registry_remove(registry, QD_STR("f"), qd_str_of(version), NULL, NULL, &err), &err);
        }
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&n_failures), 0);
    assert_true(atomic_load(&n_lookups) > 0);
    assert_string_equal(label_of("f", ""), "f@1.0.0");
    assert_int_equal(qd_registry_count(registry), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_open__many_functions__loads_none_before_it_is_used),
        TEST(test_get__from_many_threads__loads_once),
        TEST(test_get__too_much_code__drops_what_was_used_longest_ago),
        TEST(test_get__no_room_beside_what_is_in_use__is_refused),
        TEST(test_get_many__one_unknown__gives_none),
        TEST(test_visit__bounded__calls_for_so_many),
        TEST(test_deploy_and_roll_back__while_eight_look_up__nobody_fails),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
