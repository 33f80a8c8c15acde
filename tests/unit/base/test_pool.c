/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>

#include "cmocka_qd.h"

/* A task that says it has begun and then waits to be let go. */
typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_open;
    unsigned waiting;
} gate;

#define GATE_INIT                                                                                                      \
    {                                                                                                                  \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0                                                  \
    }

static void pass_gate(void *arg)
{
    gate *g = arg;
    pthread_mutex_lock(&g->mutex);
    g->waiting++;
    pthread_cond_broadcast(&g->changed);
    while (!g->is_open)
        pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

static void await_waiting(gate *g, unsigned n)
{
    pthread_mutex_lock(&g->mutex);
    while (g->waiting < n)
        pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

static void open_gate(gate *g)
{
    pthread_mutex_lock(&g->mutex);
    g->is_open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

static void add_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static qd_pool *new_pool(unsigned threads, unsigned max_queued)
{
    qd_pool *p = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_pool_new("test", threads, max_queued, &p, &err), &err);
    return p;
}

static void test_new__without_threads_or_queue__is_refused(void **state)
{
    (void)state;
    qd_pool *p = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_failed_with(qd_pool_new("search", 0, 5, &p, &err), &err, QD_EINVAL,
                       "pool 'search': expected at least one thread and one place in the queue, got 0 and 5");
    assert_failed_with(qd_pool_new("search", 5, 0, &p, &err), &err, QD_EINVAL,
                       "pool 'search': expected at least one thread and one place in the queue, got 5 and 0");
    assert_null(p);
    qd_pool_free(NULL);
}

static void test_submit__runs_all__also_what_is_queued_at_free(void **state)
{
    (void)state;
    qd_pool *p = new_pool(3, 1000);
    atomic_int count = 0;
    assert_int_equal(qd_pool_threads(p), 3);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(qd_pool_submit(p, add_one, &count), QD_OK);
    qd_pool_free(p);
    assert_int_equal(atomic_load(&count), 1000);
}

static void test_submit__past_the_bound__is_busy(void **state)
{
    (void)state;
    qd_pool *p = new_pool(1, 2);
    gate g = GATE_INIT;
    atomic_int count = 0;
    assert_int_equal(qd_pool_submit(p, pass_gate, &g), QD_OK);
    await_waiting(&g, 1);
    assert_int_equal(qd_pool_submit(p, add_one, &count), QD_OK);
    assert_int_equal(qd_pool_submit(p, add_one, &count), QD_OK);
    assert_int_equal(qd_pool_queued(p), 2);
    assert_int_equal(qd_pool_submit(p, add_one, &count), QD_EBUSY);
    open_gate(&g);
    qd_pool_free(p);
    assert_int_equal(atomic_load(&count), 2);
}

static atomic_int order_next;

static void note_order(void *arg)
{
    *(int *)arg = atomic_fetch_add(&order_next, 1);
}

static void test_submit__one_thread__is_first_in_first_out(void **state)
{
    (void)state;
    qd_pool *p = new_pool(1, 16);
    gate g = GATE_INIT;
    int order[10];
    atomic_store(&order_next, 0);
    qd_pool_submit(p, pass_gate, &g);
    await_waiting(&g, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(qd_pool_submit(p, note_order, &order[i]), QD_OK);
    open_gate(&g);
    qd_pool_free(p);
    for (int i = 0; i < 10; i++)
        assert_int_equal(order[i], i);
}

static void mark(void *arg, size_t i)
{
    ((int *)arg)[i]++;
}

static void test_parallel__each_index_once(void **state)
{
    (void)state;
    qd_pool *p = new_pool(4, 4);
    for (size_t n = 0; n < 50; n++) {
        int hits[50] = {0};
        qd_pool_parallel(n % 7 == 3 ? NULL : p, n, mark, hits);
        for (size_t i = 0; i < 50; i++)
            assert_int_equal(hits[i], i < n);
    }
    qd_pool_free(p);
}

static void meet(void *arg, size_t i)
{
    (void)i;
    pass_gate(arg);
}

static void open_when_two_wait(void *arg)
{
    await_waiting(arg, 2);
    open_gate(arg);
}

static void test_parallel__idle_workers_help(void **state)
{
    (void)state;
    qd_pool *p = new_pool(2, 4);
    gate g = GATE_INIT;
    /* Both items wait for each other: without a helper this would never end. */
    assert_int_equal(qd_pool_submit(p, open_when_two_wait, &g), QD_OK);
    qd_pool_parallel(p, 2, meet, &g);
    assert_int_equal(g.waiting, 2);
    qd_pool_free(p);
}

static void test_parallel__all_workers_busy__the_caller_does_it_alone(void **state)
{
    (void)state;
    qd_pool *p = new_pool(2, 2);
    gate g = GATE_INIT;
    for (int i = 0; i < 2; i++)
        assert_int_equal(qd_pool_submit(p, pass_gate, &g), QD_OK);
    await_waiting(&g, 2);
    int hits[8] = {0};
    qd_pool_parallel(p, 8, mark, hits);
    for (int i = 0; i < 8; i++)
        assert_int_equal(hits[i], 1);
    open_gate(&g);
    qd_pool_free(p);
}

typedef struct nest {
    qd_pool *pool;
    atomic_int leaves;
    unsigned levels;
} nest;

typedef struct level {
    nest *nest;
    unsigned depth;
} level;

static void descend(void *arg, size_t i)
{
    (void)i;
    level *l = arg;
    if (l->depth == l->nest->levels) {
        atomic_fetch_add(&l->nest->leaves, 1);
        return;
    }
    level below = {l->nest, l->depth + 1};
    qd_pool_parallel(l->nest->pool, 3, descend, &below);
}

static void descend_task(void *arg)
{
    level top = {arg, 0};
    qd_pool_parallel(((nest *)arg)->pool, 3, descend, &top);
}

static void test_parallel__nested_and_inside_tasks__ends(void **state)
{
    (void)state;
    nest n = {.levels = 3};
    n.pool = new_pool(2, 64);
    for (int i = 0; i < 40; i++)
        assert_int_equal(qd_pool_submit(n.pool, descend_task, &n), QD_OK);
    qd_pool_free(n.pool);
    assert_int_equal(atomic_load(&n.leaves), 40 * 81);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new__without_threads_or_queue__is_refused),
        cmocka_unit_test(test_submit__runs_all__also_what_is_queued_at_free),
        cmocka_unit_test(test_submit__past_the_bound__is_busy),
        cmocka_unit_test(test_submit__one_thread__is_first_in_first_out),
        cmocka_unit_test(test_parallel__each_index_once),
        cmocka_unit_test(test_parallel__idle_workers_help),
        cmocka_unit_test(test_parallel__all_workers_busy__the_caller_does_it_alone),
        cmocka_unit_test(test_parallel__nested_and_inside_tasks__ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
