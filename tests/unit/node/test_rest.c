/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens beside writing: forced merges, and the rest of an index that nobody writes to. */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/index_internal.h"

static void put_and_refresh(node_fixture *f, int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        fixture_put(f, id, "{\"n\":1}");
        fixture_refresh(f);
    }
}

static size_t segments(node_fixture *f)
{
    qd_index_stats stats;
    qd_index_stats_get(f->index, &stats);
    return stats.segments;
}

static void test_rest__after_the_last_merge__shows_what_was_merged(void **state)
{
    (void)state;
    node_fixture f;
    fixture_init(&f);
    fixture_create(&f, NULL);
    assert_true(qd_index_rest_due_ns(f.index) == INT64_MAX);
    put_and_refresh(&f, 0, 8);
    assert_true(qd_index_rest_due_ns(f.index) < INT64_MAX);
    while (qd_index_rest_due_ns(f.index) < INT64_MAX) {
        qd_index_rest(f.index);
        usleep(1000);
    }
    assert_int_equal(segments(&f), 1); /* eight of a kind are merged */
    put_and_refresh(&f, 8, 9);
    fixture_put(&f, "uncommitted", "{\"n\":2}");
    qd_index_rest(f.index);
    fixture_reopen(&f);
    assert_int_equal(fixture_live_docs(&f), 10);
    fixture_assert_source(&f, "uncommitted", "{\"n\":2}");
    fixture_deinit(&f);
}

static void *merge_often(void *arg)
{
    node_fixture *f = arg;
    for (int i = 0; i < 10; i++) {
        qd_error err = QD_ERROR_INIT;
        if (qd_index_force_merge(f->index, 1, &err) != QD_OK) {
            fprintf(stderr, "%s\n", err.message);
            abort();
        }
    }
    return NULL;
}

static void test_force_merge__beside_writes__loses_nothing(void **state)
{
    (void)state;
    node_fixture f;
    pthread_t merger;
    fixture_init(&f);
    fixture_create(&f, NULL);
    put_and_refresh(&f, 0, 5);
    pthread_create(&merger, NULL, merge_often, &f);
    put_and_refresh(&f, 3, 30);
    fixture_put(&f, "grows", "{\"n\":1,\"new\":\"field\"}");
    put_and_refresh(&f, 20, 40);
    pthread_join(merger, NULL);
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_index_force_merge(f.index, 1, &err), &err);
    assert_int_equal(segments(&f), 1);
    assert_int_equal(fixture_live_docs(&f), 41);
    fixture_reopen(&f);
    assert_int_equal(fixture_live_docs(&f), 41);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rest__after_the_last_merge__shows_what_was_merged),
        cmocka_unit_test(test_force_merge__beside_writes__loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
