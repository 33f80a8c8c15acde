/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

/* A function under test: keeps documents whose number is a multiple of `keep`, and scores them by what it is told. */
typedef struct fn {
    uint32_t keep;
    bool sets_scores;
    size_t stop_at; /* stops once it has seen so many documents; 0: never */
    bool refuses;   /* open gives no state */
    size_t opened, closed, released, seen, blocks, largest;
    bool wants_scores;
    uint32_t deleted; /* a document that it must never see; UINT32_MAX: none */
} fn;

typedef struct fn_state {
    fn *f;
    size_t segment;
    int64_t last;
} fn_state;

static void *fn_open(void *arg, const qe_searcher *s, size_t segment, bool wants_scores)
{
    fn *f = arg;
    fn_state *state = NULL;

    assert_true(segment < qe_searcher_segments(s));
    f->wants_scores = wants_scores;
    if (f->refuses)
        return NULL;
    f->opened++;
    state = calloc(1, sizeof *state);
    *state = (fn_state){.f = f, .segment = segment, .last = -1};
    return state;
}

static size_t fn_block(void *arg, size_t n, uint32_t *docs, float *scores)
{
    fn_state *state = arg;
    fn *f = state->f;
    size_t kept = 0;

    assert_true(n >= 1 && n <= QE_BLOCK_DOCS);
    f->blocks++;
    if (n > f->largest)
        f->largest = n;
    for (size_t i = 0; i < n; i++) {
        assert_true((int64_t)docs[i] > state->last);
        assert_true(docs[i] != f->deleted);
        state->last = docs[i];
        f->seen++;
        if (docs[i] % f->keep)
            continue;
        docs[kept] = docs[i];
        scores[kept++] = f->sets_scores ? scores[i] * 2 + (float)docs[i] : scores[i];
    }
    return f->stop_at && f->seen >= f->stop_at ? QE_BLOCK_STOP : kept;
}

static void fn_close(void *arg)
{
    fn_state *state = arg;
    state->f->closed++;
    free(state);
}

static void fn_release(void *arg)
{
    fn *f = arg;
    f->released++;
}

static const qe_block_fns FNS = {.open = fn_open, .block = fn_block, .close = fn_close, .release = fn_release};

static qe_query *blocks(qe_query *inner, bool needs_scores, fn *f)
{
    if (f->keep == 0)
        f->keep = 1;
    if (f->deleted == 0)
        f->deleted = UINT32_MAX;
    return qe_query_blocks(inner, needs_scores, &FNS, f);
}

static void assert_settled(const fn *f)
{
    assert_int_equal(f->opened, f->closed);
    assert_int_equal(f->released, 1);
}

/* Every document has "word"; every third has "third"; document 10 is deleted. One segment. */
static void add_documents(fixture *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fixture_add(f, i % 3 ? "word" : "word third", "a", (int64_t)i, 0);
    fixture_refresh(f);
    fixture_delete(f, "d10");
    fixture_refresh(f);
}

static qe_query *all_of(size_t n, qe_query *const *queries)
{
    const qe_occur occurs[] = {QE_MUST, QE_MUST, QE_MUST};
    return qe_query_bool(n, occurs, queries, 0);
}

static void assert_docs(const hits *h, size_t n, uint32_t step, uint32_t without)
{
    size_t at = 0;
    for (uint32_t doc = 0; doc < n; doc += step) {
        if (doc == without)
            continue;
        assert_true(at < h->n && h->docs[at] == doc);
        at++;
    }
    assert_int_equal(h->n, at);
}

static void test_blocks__root__filters_and_scores(void **state)
{
    fixture *f = *state;
    fn u = {.keep = 2, .sets_scores = true, .deleted = 10};
    add_documents(f, 10000);
    const hits *h = fixture_search(f, blocks(qe_query_all(), true, &u), true);
    assert_docs(h, 10000, 2, 10);
    assert_true(h->scores[1] == 2 * 1 + 2);
    assert_true(u.wants_scores);
    assert_int_equal(u.largest, QE_BLOCK_DOCS);
    assert_settled(&u);
    fn plain = {.keep = 2, .deleted = 10};
    h = fixture_search(f, qe_query_boost(blocks(qe_query_boost(fixture_term(f, BODY, "word"), 5), false, &plain), 3),
                       true);
    assert_true(h->n == 4999 && h->scores[7] == 3);
    fn unscored = {.keep = 2};
    h = fixture_search(f, blocks(qe_query_all(), true, &unscored), false);
    assert_false(unscored.wants_scores);
    assert_docs(h, 10000, 2, 10);
    assert_settled(&unscored);
}

static void test_blocks__chained__each_sees_survivors(void **state)
{
    fixture *f = *state;
    fn inner = {.keep = 2, .sets_scores = true, .deleted = 10}, outer = {.keep = 3, .sets_scores = true, .deleted = 10};
    add_documents(f, 9000);
    const hits *h = fixture_search(f, blocks(blocks(qe_query_all(), true, &inner), true, &outer), true);
    assert_docs(h, 9000, 6, 10);
    assert_true(h->scores[1] == 2 * (2 * 1 + 6) + 6);
    /* Each ran twice: for the search and for the count. */
    assert_int_equal(inner.seen, 2 * 8999);
    assert_int_equal(outer.seen, 2 * 4499);
    assert_settled(&inner);
    assert_settled(&outer);
}

static void test_blocks__in_conjunctions__same_documents(void **state)
{
    fixture *f = *state;
    add_documents(f, 9000);
    for (uint32_t keep = 1; keep <= 5; keep++) {
        fn u = {.keep = keep, .deleted = 10}, v = {.keep = 2, .deleted = 10}, w = {.keep = keep, .sets_scores = true};
        qe_query *const left[] = {blocks(fixture_term(f, BODY, "word"), false, &u), fixture_term(f, BODY, "third")};
        assert_docs(fixture_search(f, all_of(2, left), true), 9000, keep % 3 ? keep * 3 : keep, 10);
        qe_query *const both[] = {blocks(qe_query_all(), false, &v), blocks(qe_query_all(), true, &w),
                                  fixture_term(f, BODY, "word")};
        assert_docs(fixture_search(f, all_of(3, both), true), 9000, keep % 2 ? keep * 2 : keep, 10);
        assert_settled(&u);
        assert_settled(&v);
        assert_settled(&w);
    }
}

static void test_blocks__selective_neighbour__few_are_computed(void **state)
{
    fixture *f = *state;
    fn u = {.keep = 1};
    for (int i = 0; i < 50000; i++)
        fixture_add(f, i % 10000 == 17 ? "word rare" : "word", "a", i, 0);
    fixture_refresh(f);
    qe_query *const queries[] = {blocks(fixture_term(f, BODY, "word"), true, &u), fixture_term(f, BODY, "rare")};
    const hits *h = fixture_search(f, all_of(2, queries), true);
    assert_int_equal(h->n, 5);
    assert_int_equal(h->docs[4], 40017);
    assert_true(u.seen < 2000);
}

static void test_blocks__under_should_and_must_not__same_documents(void **state)
{
    fixture *f = *state;
    fn u = {.keep = 2}, v = {.keep = 2};
    add_documents(f, 900);
    const qe_occur without[] = {QE_MUST, QE_MUST_NOT}, any[] = {QE_SHOULD, QE_SHOULD};
    qe_query *const odd[] = {qe_query_all(), blocks(qe_query_all(), false, &u)};
    const hits *h = fixture_search(f, qe_query_bool(2, without, odd, 0), true);
    assert_int_equal(h->n, 450);
    assert_int_equal(h->docs[449], 899);
    qe_query *const either[] = {blocks(qe_query_all(), false, &v), fixture_term(f, BODY, "third")};
    h = fixture_search(f, qe_query_bool(2, any, either, 0), true);
    assert_int_equal(h->n, 599);
    assert_settled(&u);
    assert_settled(&v);
}

static void test_blocks__filter_in_dis_max_and_constant__same_documents(void **state)
{
    fixture *f = *state;
    fn u = {.keep = 2}, v = {.keep = 4, .sets_scores = true};
    add_documents(f, 900);
    assert_docs(fixture_search(f, qe_query_constant(blocks(qe_query_all(), true, &u), 9), true), 900, 2, 10);
    assert_true(f->hits->scores[3] == 9);
    qe_query *const queries[] = {blocks(qe_query_all(), true, &v), qe_query_none()};
    assert_docs(fixture_search(f, qe_query_dis_max(2, queries, 0), true), 900, 4, UINT32_MAX);
    assert_true(f->hits->scores[3] == 2 + 12);
}

static void run_until_stopped(fixture *f, qe_query *query)
{
    qe_weight *weight = NULL;
    memset(f->hits, 0, sizeof *f->hits);
    assert_qe_ok(qe_weight_new(f->searcher, query, true, &weight, &f->err), &f->err);
    for (int i = 0; i < 2; i++) /* once stopped, always stopped */
        assert_qe_failed(qe_weight_run(weight, 0, fixture_collect, f->hits, &f->err), &f->err, QE_ESTOPPED,
                         "stopped by its callback");
    qe_weight_free(weight);
}

static void test_blocks__stop_and_refusal__search_ends(void **state)
{
    fixture *f = *state;
    add_documents(f, 9000);
    for (int nested = 0; nested < 3; nested++) {
        fn u = {.stop_at = 3000}, refusing = {.refuses = true}, outer = {.keep = 1};
        qe_query *a = blocks(qe_query_all(), false, &u), *b = blocks(qe_query_all(), false, &refusing);
        if (nested == 1) {
            qe_query *const with_a[] = {a, fixture_term(f, BODY, "word")};
            qe_query *const with_b[] = {b, fixture_term(f, BODY, "word")};
            a = all_of(2, with_a);
            b = all_of(2, with_b);
        } else if (nested == 2) {
            a = blocks(a, true, &outer);
        }
        run_until_stopped(f, a);
        assert_settled(&u);
        assert_true(u.seen <= 3000 + QE_BLOCK_DOCS);
        run_until_stopped(f, b);
        assert_int_equal(refusing.opened, 0);
        assert_int_equal(refusing.released, 1);
        assert_int_equal(outer.opened, outer.closed);
    }
}

static void test_blocks__collector_stops__states_are_closed(void **state)
{
    fixture *f = *state;
    fn u = {.keep = 1};
    qe_weight *weight = NULL;
    add_documents(f, 9000);
    memset(f->hits, 0, sizeof *f->hits);
    f->hits->stop_after = 1;
    assert_qe_ok(qe_weight_new(f->searcher, blocks(qe_query_all(), false, &u), true, &weight, &f->err), &f->err);
    assert_qe_failed(qe_weight_run(weight, 0, fixture_collect, f->hits, &f->err), &f->err, QE_ESTOPPED,
                     "stopped by its callback");
    qe_weight_free(weight);
    assert_settled(&u);
    assert_int_equal(u.seen, QE_BLOCK_DOCS);
}

static void test_blocks__never_run_or_failed__released(void **state)
{
    fixture *f = *state;
    fn u = {0}, v = {0};
    add_documents(f, 10);
    qe_query_free(blocks(qe_query_all(), false, &u));
    assert_int_equal(u.released, 1);
    assert_null(blocks(NULL, false, &v));
    assert_int_equal(v.released, 1);
}

static float best(void *arg, uint32_t doc, float score)
{
    float *b = arg;
    (void)doc;
    if (score > *b)
        *b = score;
    return *b;
}

static void test_blocks__top__scores_of_the_function(void **state)
{
    fixture *f = *state;
    fn u = {.keep = 1, .sets_scores = true};
    qe_weight *weight = NULL;
    float got = 0;
    add_documents(f, 9000);
    assert_qe_ok(qe_weight_new(f->searcher, blocks(qe_query_all(), true, &u), true, &weight, &f->err), &f->err);
    assert_qe_ok(qe_weight_top(weight, 0, best, &got, &f->err), &f->err);
    assert_true(got == 2 + 8999);
    qe_weight_free(weight);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_blocks__root__filters_and_scores),
        test(test_blocks__chained__each_sees_survivors),
        test(test_blocks__in_conjunctions__same_documents),
        test(test_blocks__selective_neighbour__few_are_computed),
        test(test_blocks__under_should_and_must_not__same_documents),
        test(test_blocks__filter_in_dis_max_and_constant__same_documents),
        test(test_blocks__stop_and_refusal__search_ends),
        test(test_blocks__collector_stops__states_are_closed),
        test(test_blocks__never_run_or_failed__released),
        test(test_blocks__top__scores_of_the_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
