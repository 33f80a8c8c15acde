/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>
#include <string.h>

static void assert_near(double got, double expected)
{
    if (fabs(got - expected) > 1e-6 * fmax(1, fabs(expected)))
        fail_msg("expected %.9g, got %.9g", expected, got);
}

/* BM25 as Lucene 10 computes it. */
static double bm25(double docs, double freq_docs, double tf, double length, double average)
{
    double idf = log(1 + (docs - freq_docs + 0.5) / (freq_docs + 0.5));
    return idf * tf / (tf + 1.2 * (1 - 0.75 + 0.75 * length / average));
}

static void add_animals(fixture *f)
{
    fixture_add(f, "the quick brown fox", "fox", 1, 1.5);
    fixture_add(f, "the lazy dog", "dog", 2, -2.5);
    fixture_refresh(f);
    fixture_add(f, "the quick quick dog jumps over the lazy fox", "dog", -3, 0);
    fixture_add(f, NULL, "none", 4, 7);
    fixture_add(f, "fox", NULL, 5, 9);
    fixture_refresh(f);
}

static void test_term__text__score_is_bm25_of_the_field(void **state)
{
    fixture *f = *state;
    add_animals(f);
    /* Four documents have the field; 17 tokens in all. */
    const hits *h = fixture_search(f, fixture_term(f, BODY, "quick"), true);
    assert_int_equal(h->n, 2);
    assert_near(h->scores[0], bm25(4, 2, 1, 4, 17.0 / 4));
    assert_near(h->scores[1], bm25(4, 2, 2, 9, 17.0 / 4));
    h = fixture_search(f, qe_query_boost(fixture_term(f, BODY, "fox"), 3), true);
    assert_int_equal(h->n, 3);
    assert_near(h->scores[2], 3 * bm25(4, 3, 1, 1, 17.0 / 4));
    /* Deleted documents count until a merge drops them. */
    fixture_delete(f, "d0");
    fixture_refresh(f);
    h = fixture_search(f, fixture_term(f, BODY, "quick"), true);
    assert_int_equal(h->n, 1);
    assert_near(h->scores[0], bm25(4, 2, 2, 9, 17.0 / 4));
}

static void test_term__keyword__score_has_no_norms(void **state)
{
    fixture *f = *state;
    add_animals(f);
    const hits *h = fixture_search(f, fixture_term(f, TAG, "dog"), true);
    assert_int_equal(h->n, 2);
    assert_near(h->scores[0], bm25(4, 2, 1, 1, 1));
    assert_near(h->scores[0], log(1 + 2.5 / 2.5) / 2.2);
}

static void test_term__unknown_or_unfit__null_or_nothing(void **state)
{
    fixture *f = *state;
    add_animals(f);
    fixture_expect(f, fixture_term(f, BODY, "absent"), "");
    const qe_term number = {.kind = QE_I64, .i = 4}, truth = {.kind = QE_BOOL, .i = 1};
    assert_null(qe_query_term(f->searcher, BODY, &number));
    assert_null(qe_query_term(f->searcher, 99, &number));
    fixture_expect(f, qe_query_term(f->searcher, COUNT, &number), "d3 ");
    fixture_expect(f, qe_query_term(f->searcher, OK_, &truth), "");
}

static void test_terms_and_ids__several__constant_score(void **state)
{
    fixture *f = *state;
    add_animals(f);
    const qe_term tags[] = {{.kind = QE_KEYWORD, .s = "none", .n = 4}, {.kind = QE_KEYWORD, .s = "fox", .n = 3}};
    const hits *h = fixture_search(f, qe_query_terms(f->searcher, TAG, tags, 2), true);
    assert_int_equal(h->n, 2);
    assert_true(h->scores[0] == 1 && h->scores[1] == 1);
    const qe_term ids[] = {{.s = "d4", .n = 2}, {.s = "d1", .n = 2}, {.s = "zz", .n = 2}};
    fixture_expect(f, qe_query_ids(f->searcher, ids, 3), "d1 d4 ");
    fixture_expect(f, qe_query_ids(f->searcher, NULL, 0), "");
    h = fixture_search(f, qe_query_boost(qe_query_ids(f->searcher, ids, 1), 2.5F), true);
    assert_true(h->n == 1 && h->scores[0] == 2.5F);
}

static void test_range__kinds_and_bounds__right_documents(void **state)
{
    fixture *f = *state;
    add_animals(f);
    const qe_bound two = {.inclusive = true, .i = 2, .f = 1.5, .s = "dog", .n = 3};
    const qe_bound above_two = {.inclusive = false, .i = 2, .f = 1.5, .s = "dog", .n = 3};
    const qe_bound four = {.inclusive = true, .i = 4, .f = 7, .s = "fox", .n = 3};
    fixture_expect(f, qe_query_range(f->searcher, COUNT, &two, &four), "d1 d3 ");
    fixture_expect(f, qe_query_range(f->searcher, COUNT, &above_two, NULL), "d3 d4 ");
    fixture_expect(f, qe_query_range(f->searcher, COUNT, NULL, &above_two), "d0 d2 ");
    fixture_expect(f, qe_query_range(f->searcher, PRICE, &two, &four), "d0 d3 ");
    fixture_expect(f, qe_query_range(f->searcher, PRICE, &above_two, &four), "d3 ");
    fixture_expect(f, qe_query_range(f->searcher, TAG, &two, &four), "d0 d1 d2 ");
    fixture_expect(f, qe_query_range(f->searcher, TAG, &above_two, NULL), "d0 d3 ");
    fixture_expect(f, qe_query_range(f->searcher, TAG, NULL, NULL), "d0 d1 d2 d3 ");
    fixture_expect(f, qe_query_range(f->searcher, WHEN, &two, NULL), "");
    assert_null(qe_query_range(f->searcher, BODY, &two, NULL));
    const hits *h = fixture_search(f, qe_query_range(f->searcher, COUNT, NULL, &four), true);
    assert_true(h->n == 4 && h->scores[0] == 1 && h->scores[3] == 1);
}

static void test_exists__kinds__right_documents(void **state)
{
    fixture *f = *state;
    add_animals(f);
    fixture_expect(f, qe_query_exists(f->searcher, BODY), "d0 d1 d2 d4 ");
    fixture_expect(f, qe_query_exists(f->searcher, TAG), "d0 d1 d2 d3 ");
    fixture_expect(f, qe_query_exists(f->searcher, COUNT), "d0 d1 d2 d3 d4 ");
    fixture_expect(f, qe_query_exists(f->searcher, OK_), "");
    const hits *h = fixture_search(f, qe_query_boost(qe_query_exists(f->searcher, COUNT), 4), true);
    assert_true(h->n == 5 && h->scores[2] == 4);
}

static qe_query *two(qe_occur a, qe_query *left, qe_occur b, qe_query *right, uint32_t minimum)
{
    const qe_occur occurs[] = {a, b};
    qe_query *const queries[] = {left, right};
    return qe_query_bool(2, occurs, queries, minimum);
}

static qe_query *one(qe_occur a, qe_query *query)
{
    return qe_query_bool(1, &a, &query, 0);
}

static void test_bool__occurs__match_and_score(void **state)
{
    fixture *f = *state;
    add_animals(f);
#define body(text) fixture_term(f, BODY, text)
    fixture_expect(f, two(QE_MUST, body("the"), QE_MUST, body("fox"), 0), "d0 d2 ");
    fixture_expect(f, two(QE_SHOULD, body("lazy"), QE_SHOULD, body("fox"), 0), "d0 d1 d2 d4 ");
    fixture_expect(f, two(QE_SHOULD, body("lazy"), QE_SHOULD, body("fox"), 1), "d0 d1 d2 d4 ");
    fixture_expect(f, two(QE_SHOULD, body("lazy"), QE_SHOULD, body("fox"), 2), "d2 ");
    fixture_expect(f, two(QE_SHOULD, body("lazy"), QE_SHOULD, body("fox"), 3), "");
    fixture_expect(f, two(QE_MUST, body("the"), QE_MUST_NOT, body("fox"), 0), "d1 ");
    fixture_expect(f, two(QE_FILTER, body("the"), QE_SHOULD, body("dog"), 0), "d0 d1 d2 ");
    fixture_expect(f, two(QE_FILTER, body("the"), QE_SHOULD, body("dog"), 1), "d1 d2 ");
    fixture_expect(f, one(QE_MUST_NOT, body("fox")), "d1 d3 ");
    fixture_expect(f, two(QE_FILTER, qe_query_all(), QE_MUST, body("lazy"), 0), "d1 d2 ");
    fixture_expect(f, two(QE_MUST_NOT, qe_query_all(), QE_MUST, body("lazy"), 0), "");

    const hits *h = fixture_search(f, two(QE_FILTER, body("the"), QE_SHOULD, body("dog"), 0), true);
    assert_int_equal(h->n, 3);
    assert_true(h->scores[0] == 0);
    assert_near(h->scores[1], bm25(4, 2, 1, 3, 17.0 / 4));
    h = fixture_search(f, two(QE_MUST, body("the"), QE_SHOULD, body("dog"), 0), true);
    assert_near(h->scores[1], bm25(4, 3, 1, 3, 17.0 / 4) + bm25(4, 2, 1, 3, 17.0 / 4));
    h = fixture_search(f, qe_query_boost(two(QE_SHOULD, body("lazy"), QE_SHOULD, body("dog"), 0), 2), true);
    assert_near(h->scores[0], 2 * (bm25(4, 2, 1, 3, 17.0 / 4) + bm25(4, 2, 1, 3, 17.0 / 4)));
    h = fixture_search(f, one(QE_FILTER, body("fox")), true);
    assert_true(h->n == 3 && h->scores[0] == 0);
    h = fixture_search(f, one(QE_MUST_NOT, body("fox")), true);
    assert_true(h->n == 2 && h->scores[0] == 0);
#undef body
}

static void test_all_constant_dis_max__scores(void **state)
{
    fixture *f = *state;
    add_animals(f);
    const hits *h = fixture_search(f, qe_query_all(), true);
    assert_true(h->n == 5 && h->scores[4] == 1);
    h = fixture_search(f, qe_query_boost(qe_query_all(), 2), true);
    assert_true(h->n == 5 && h->scores[4] == 2);
    h = fixture_search(f, qe_query_constant(fixture_term(f, BODY, "fox"), 7), true);
    assert_true(h->n == 3 && h->scores[0] == 7);
    qe_query *const fields[] = {fixture_term(f, BODY, "dog"), fixture_term(f, TAG, "dog")};
    h = fixture_search(f, qe_query_dis_max(2, fields, 0.5F), true);
    assert_int_equal(h->n, 2);
    double body = bm25(4, 2, 1, 3, 17.0 / 4), tag = bm25(4, 2, 1, 1, 1);
    assert_near(h->scores[0], fmax(body, tag) + 0.5 * fmin(body, tag));
    h = fixture_search(f, qe_query_none(), true);
    assert_int_equal(h->n, 0);
}

static void test_constructors__null_child__null(void **state)
{
    fixture *f = *state;
    add_animals(f);
    assert_null(two(QE_MUST, fixture_term(f, BODY, "fox"), QE_MUST, NULL, 0));
    assert_null(qe_query_boost(NULL, 1));
    assert_null(qe_query_constant(NULL, 1));
    qe_weight *weight = NULL;
    assert_qe_failed(qe_weight_new(f->searcher, NULL, true, &weight, &f->err), &f->err, QE_EINVAL,
                     "no query was given");
}

static void test_run__callback_stops__search_ends(void **state)
{
    fixture *f = *state;
    qe_weight *weight = NULL;
    for (int i = 0; i < 10000; i++)
        fixture_add(f, "word", "a", i, i);
    fixture_refresh(f);
    assert_qe_ok(qe_weight_new(f->searcher, fixture_term(f, BODY, "word"), true, &weight, &f->err), &f->err);
    memset(f->hits, 0, sizeof *f->hits);
    f->hits->stop_after = 1;
    assert_qe_failed(qe_weight_run(weight, 0, fixture_collect, f->hits, &f->err), &f->err, QE_ESTOPPED,
                     "stopped by its callback");
    assert_int_equal(f->hits->n, QE_BLOCK_DOCS);
    f->hits->stop_after = 0;
    f->hits->n = 0;
    assert_qe_ok(qe_weight_run(weight, 0, fixture_collect, f->hits, &f->err), &f->err);
    assert_int_equal(f->hits->n, 10000);
    qe_weight_free(weight);
}

static void test_count__cheap_ones__known_without_a_pass(void **state)
{
    fixture *f = *state;
    qe_weight *weight = NULL;
    bool is_cheap = false;
    uint64_t count = 77;
    add_animals(f);
    assert_qe_ok(qe_weight_new(f->searcher, fixture_term(f, BODY, "the"), true, &weight, &f->err), &f->err);
    assert_qe_ok(qe_weight_count(weight, 0, true, &is_cheap, &count, &f->err), &f->err);
    assert_true(is_cheap && count == 2);
    qe_weight_free(weight);
    qe_query *both = two(QE_MUST, fixture_term(f, BODY, "the"), QE_MUST, fixture_term(f, BODY, "fox"), 0);
    assert_qe_ok(qe_weight_new(f->searcher, both, true, &weight, &f->err), &f->err);
    assert_qe_ok(qe_weight_count(weight, 0, true, &is_cheap, &count, &f->err), &f->err);
    assert_true(!is_cheap && count == 2);
    qe_weight_free(weight);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_term__text__score_is_bm25_of_the_field),
        test(test_term__keyword__score_has_no_norms),
        test(test_term__unknown_or_unfit__null_or_nothing),
        test(test_terms_and_ids__several__constant_score),
        test(test_range__kinds_and_bounds__right_documents),
        test(test_exists__kinds__right_documents),
        test(test_bool__occurs__match_and_score),
        test(test_all_constant_dis_max__scores),
        test(test_constructors__null_child__null),
        test(test_run__callback_stops__search_ends),
        test(test_count__cheap_ones__known_without_a_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
