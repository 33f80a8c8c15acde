/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 10 };

/* The K best by score, then by order, as a heap would keep them. */
typedef struct top {
    size_t n, seen;
    float scores[K];
    uint64_t places[K];
    size_t segment;
} top;

static void top_add(top *t, uint64_t place, float score)
{
    size_t i = t->n < K ? t->n++ : K - 1;
    for (; i > 0 && t->scores[i - 1] < score; i--) {
        t->scores[i] = t->scores[i - 1];
        t->places[i] = t->places[i - 1];
    }
    t->scores[i] = score;
    t->places[i] = place;
}

static float offer(void *arg, uint32_t doc, float score)
{
    top *t = arg;
    t->seen++;
    /* The first document of a segment comes whatever was returned for the segment before. */
    if (t->n < K || score > t->scores[K - 1])
        top_add(t, (uint64_t)t->segment << 32 | doc, score);
    return t->n < K ? -FLT_MAX : t->scores[K - 1];
}

static void pruned(fixture *f, qe_query *query, top *t)
{
    qe_weight *weight = NULL;
    memset(t, 0, sizeof *t);
    assert_qe_ok(qe_weight_new(f->searcher, query, true, &weight, &f->err), &f->err);
    for (t->segment = 0; t->segment < qe_searcher_segments(f->searcher); t->segment++)
        assert_qe_ok(qe_weight_top(weight, t->segment, offer, t, &f->err), &f->err);
    qe_weight_free(weight);
}

static void exhaustive(fixture *f, qe_query *query, top *t)
{
    const hits *h = fixture_search(f, query, true);
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < h->n; i++) {
        uint64_t place = (uint64_t)h->segments[i] << 32 | h->docs[i];
        t->seen++;
        if (t->n < K || h->scores[i] > t->scores[K - 1])
            top_add(t, place, h->scores[i]);
    }
}

static uint32_t next_random(uint64_t *x)
{
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*x >> 33);
}

/* Texts of skewed words and lengths; every third document has no body, so that the field's averages differ from the
 * segment's. */
static void add_random(fixture *f, size_t n, uint64_t *seed)
{
    char text[1024];
    for (size_t i = 0; i < n; i++) {
        size_t words = 1 + next_random(seed) % 60, at = 0;
        for (size_t w = 0; w < words; w++) {
            uint32_t r = next_random(seed) % 1000;
            at += (size_t)snprintf(text + at, sizeof text - at, "w%u ", r * r / 20000);
        }
        fixture_add(f, i % 3 == 0 ? NULL : text, "a", 0, 0);
    }
}

static qe_query *any_of(fixture *f, const char *a, const char *b, qe_occur occur)
{
    const qe_occur occurs[] = {occur, occur};
    qe_query *const queries[] = {fixture_term(f, BODY, a), fixture_term(f, BODY, b)};
    return qe_query_bool(2, occurs, queries, 0);
}

static void assert_same_top(fixture *f, qe_query *a, qe_query *b, bool is_pruned)
{
    top fast, slow;
    pruned(f, a, &fast);
    exhaustive(f, b, &slow);
    assert_int_equal(fast.n, slow.n);
    for (size_t i = 0; i < fast.n; i++) {
        assert_true(fast.scores[i] == slow.scores[i]);
        if (fast.places[i] != slow.places[i])
            fail_msg("place %zu: %llx with %.9g, expected %llx with %.9g", i, (unsigned long long)fast.places[i],
                     fast.scores[i], (unsigned long long)slow.places[i], slow.scores[i]);
    }
    if (is_pruned)
        assert_true(fast.seen < slow.seen / 2);
}

static void test_top__random_texts__same_as_exhaustive(void **state)
{
    fixture *f = *state;
    uint64_t seed = 42;
    for (int round = 0; round < 3; round++) {
        add_random(f, round == 1 ? 300 : 8000, &seed);
        if (round == 2)
            for (int i = 0; i < 4000; i += 3) {
                char id[16];
                snprintf(id, sizeof id, "d%d", i * 2);
                fixture_delete(f, id);
            }
        fixture_refresh(f);
        assert_same_top(f, fixture_term(f, BODY, "w0"), fixture_term(f, BODY, "w0"), true);
        assert_same_top(f, any_of(f, "w0", "w49", QE_SHOULD), any_of(f, "w0", "w49", QE_SHOULD), round != 1);
        assert_same_top(f, any_of(f, "w0", "w1", QE_SHOULD), any_of(f, "w0", "w1", QE_SHOULD), false);
        assert_same_top(f, any_of(f, "w2", "w30", QE_SHOULD), any_of(f, "w2", "w30", QE_SHOULD), false);
        assert_same_top(f, any_of(f, "w0", "w3", QE_MUST), any_of(f, "w0", "w3", QE_MUST), false);
        assert_same_top(f, qe_query_boost(any_of(f, "w0", "w1", QE_SHOULD), 2),
                        qe_query_boost(any_of(f, "w0", "w1", QE_SHOULD), 2), false);
        assert_same_top(f, qe_query_all(), qe_query_all(), false);
        assert_same_top(f, fixture_term(f, TAG, "a"), fixture_term(f, TAG, "a"), false);
    }
}

static void test_top__no_scores__refused(void **state)
{
    fixture *f = *state;
    qe_weight *weight = NULL;
    top t = {0};
    fixture_add(f, "word", "a", 0, 0);
    fixture_refresh(f);
    assert_qe_ok(qe_weight_new(f->searcher, qe_query_all(), false, &weight, &f->err), &f->err);
    assert_qe_failed(qe_weight_top(weight, 0, offer, &t, &f->err), &f->err, QE_EINVAL,
                     "the weight was made without scores, so it has no top documents");
    qe_weight_free(weight);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_top__random_texts__same_as_exhaustive),
        test(test_top__no_scores__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
