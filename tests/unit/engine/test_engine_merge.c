/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every live document in turn has a greater _seq_no than the one before it. */
static size_t assert_in_order(fixture *f)
{
    const hits *h = fixture_search(f, qe_query_all(), false);
    long last = -1;

    for (size_t i = 0; i < h->n; i++) {
        long seq_no = strtol(fixture_id(f, h->segments[i], h->docs[i]) + 1, NULL, 10);
        assert_true(seq_no > last);
        last = seq_no;
    }
    return h->n;
}

static void test_merge__many_commits__order_is_kept(void **state)
{
    fixture *f = *state;
    /* Sizes that go up and down, so that levels mix. */
    for (int commit = 0; commit < 60; commit++) {
        for (int i = 0; i < 1 + (commit * 37) % 90; i++)
            fixture_add(f, "word", "a", i, i);
        if (commit % 7 == 3)
            fixture_delete(f, "d5");
        fixture_refresh(f);
        assert_in_order(f);
    }
    size_t n = (size_t)f->next_seq_no - 1;
    assert_int_equal(assert_in_order(f), n);
    /* Closing waits for what runs; another commit starts what is due then. */
    for (int i = 0; i < 3; i++) {
        fixture_close(f);
        fixture_open(f);
        fixture_refresh(f);
    }
    assert_true(qe_searcher_segments(f->searcher) < 20);
    assert_int_equal(assert_in_order(f), n);
}

static void test_merge__forced__one_segment_without_deleted(void **state)
{
    fixture *f = *state;
    for (int commit = 0; commit < 7; commit++) {
        for (int i = 0; i < 50; i++)
            fixture_add(f, "word", "a", i, i);
        fixture_refresh(f);
    }
    fixture_delete(f, "d3");
    fixture_refresh(f);
    assert_int_equal(qe_searcher_segments(f->searcher), 7);
    assert_qe_ok(qe_index_force_merge(f->index, 3, &f->err), &f->err);
    fixture_refresh(f);
    assert_int_equal(qe_searcher_segments(f->searcher), 3);
    assert_int_equal(assert_in_order(f), 349);
    assert_qe_ok(qe_index_force_merge(f->index, 1, &f->err), &f->err);
    fixture_refresh(f);
    assert_int_equal(qe_searcher_segments(f->searcher), 1);
    assert_int_equal(qe_segment_max_doc(f->searcher, 0), 349);
    assert_int_equal(assert_in_order(f), 349);
}

static void test_merge__mostly_deleted__segment_is_rewritten(void **state)
{
    fixture *f = *state;
    char id[16];
    for (int i = 0; i < 100; i++)
        fixture_add(f, "word", "a", i, i);
    fixture_refresh(f);
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "d%d", i);
        fixture_delete(f, id);
    }
    fixture_refresh(f);
    fixture_close(f);
    fixture_open(f);
    fixture_refresh(f);
    assert_int_equal(qe_segment_max_doc(f->searcher, 0), 40);
    assert_int_equal(assert_in_order(f), 40);
}

static void test_merge__all_deleted__nothing_left(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        fixture_add(f, "word", "a", i, i);
        fixture_refresh(f);
    }
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i);
        fixture_delete(f, id);
    }
    fixture_refresh(f);
    assert_int_equal(qe_searcher_live_docs(f->searcher), 0);
    assert_qe_ok(qe_index_force_merge(f->index, 1, &f->err), &f->err);
    fixture_add(f, "word", "a", 1, 1);
    fixture_refresh(f);
    assert_int_equal(assert_in_order(f), 1);
}

/* The first operation of a writer must not have the number of the last commit: a merge would take a deletion for done.
 */
static void test_merge__forced_with_a_deletion_uncommitted__deletes_it(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 12; i++) {
        fixture_add(f, "word", "a", i, i);
        if (i == 2)
            fixture_refresh(f);
    }
    fixture_refresh(f);
    fixture_delete(f, "d3");
    fixture_refresh(f);
    fixture_close(f);
    fixture_open(f);
    fixture_delete(f, "d4");
    assert_qe_ok(qe_index_force_merge(f->index, 1, &f->err), &f->err);
    fixture_refresh(f);
    fixture_expect(f, qe_query_all(), "d0 d1 d2 d5 d6 d7 d8 d9 d10 d11 ");
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_merge__many_commits__order_is_kept),
        test(test_merge__forced__one_segment_without_deleted),
        test(test_merge__mostly_deleted__segment_is_rewritten),
        test(test_merge__all_deleted__nothing_left),
        test(test_merge__forced_with_a_deletion_uncommitted__deletes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
