/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/rating.h"

#include "cmocka_qd.h"

#define TIMEOUTS 1 /* among the kinds */

static const qd_rating_facts ROW = {.is_row_shape = true, .call_ms = 100, .memory_bytes = 16u << 20};
static const qd_rating_facts TYPED = {.call_ms = 100, .memory_bytes = 16u << 20};
static const qd_rating_facts BASELINE = {.code.tier = QD_TIER_BASELINE, .call_ms = 100};

/* 20,000 calls of 40 ns each, without a fault. */
static qd_stats_summary healthy(void)
{
    return (qd_stats_summary){.calls = 20000, .documents = 20000, .avg_ns = 40, .p50_ns = 38, .p99_ns = 90};
}

static void expect(const qd_stats_summary *s, const qd_rating_facts *facts, qd_rating rating, const char *advice)
{
    qd_verdict v;
    qd_rating_judge(s, facts, &v);
    assert_string_equal(qd_rating_name(v.rating), qd_rating_name(rating));
    assert_int_equal(v.n, advice ? 1 : 0);
    if (advice)
        assert_string_equal(v.advice[0], advice);
}

static void test_judge__fast_and_without_errors__is_excellent(void **state)
{
    qd_stats_summary s = healthy();
    (void)state;
    expect(&s, &TYPED, QD_RATING_EXCELLENT, NULL);
    expect(&s, NULL, QD_RATING_EXCELLENT, NULL);
}

static void test_judge__never_called__says_so(void **state)
{
    qd_stats_summary s = {0};
    (void)state;
    expect(&s, NULL, QD_RATING_EXCELLENT, "it was not called yet: there is nothing to rate");
}

static void test_judge__errors__by_their_share(void **state)
{
    static const struct {
        uint64_t errors;
        qd_rating rating;
        const char *advice;
    } CASES[] = {
        {1, QD_RATING_GOOD,
         "0.005 % of 20.0 thousand calls failed, most often with EXECUTION_FAILED: see last_error, and check for such "
         "documents first"},
        {20, QD_RATING_FAIR,
         "0.1 % of 20.0 thousand calls failed, most often with EXECUTION_FAILED: see last_error, and check for such "
         "documents first"},
        {1000, QD_RATING_POOR,
         "5 % of 20.0 thousand calls failed, most often with EXECUTION_FAILED: see last_error, and check for such "
         "documents first"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_stats_summary s = healthy();
        s.errors = s.errors_by_kind[0] = CASES[i].errors;
        expect(&s, &TYPED, CASES[i].rating, CASES[i].advice);
    }
}

static void test_judge__more_errors_than_calls__is_poor(void **state)
{
    qd_stats_summary s = {.errors = 50};
    s.errors_by_kind[4] = 50; /* no instance to be had */
    (void)state;
    expect(&s, NULL, QD_RATING_POOR,
           "100 % of 50 calls failed, most often with RATE_LIMITED: see last_error, and check for such documents "
           "first");
}

static void test_judge__timeouts__names_the_limit(void **state)
{
    qd_stats_summary s = healthy();
    qd_verdict v;
    (void)state;
    s.errors = s.errors_by_kind[TIMEOUTS] = 1;
    qd_rating_judge(&s, &TYPED, &v);
    assert_int_equal(v.rating, QD_RATING_FAIR);
    assert_int_equal(v.n, 2);
    assert_string_equal(v.advice[1], "1 call was stopped at the limit of 100 ms for one document: look for a loop "
                                     "whose end depends on the document, or raise limits.call_ms in the manifest");
    s.errors = s.errors_by_kind[TIMEOUTS] = 40;
    qd_rating_judge(&s, NULL, &v);
    assert_int_equal(v.rating, QD_RATING_POOR);
    assert_string_equal(v.advice[1], "40 calls were stopped at the limit: look for a loop whose end depends on the "
                                     "document, or raise limits.call_ms in the manifest");
}

static void test_judge__slow__by_the_average(void **state)
{
    qd_stats_summary s = healthy();
    (void)state;
    s.p50_ns = s.p99_ns = s.avg_ns = 2000;
    expect(&s, &TYPED, QD_RATING_GOOD, NULL);
    s.p50_ns = s.p99_ns = s.avg_ns = 20000;
    expect(&s, &TYPED, QD_RATING_FAIR,
           "slow per document: 20 us on average, so that 1.0 million documents take 20 s of one processor; let cheaper "
           "clauses of the query narrow the documents first, and move what does not depend on the document out of the "
           "call");
    s.p50_ns = s.p99_ns = s.avg_ns = 200000;
    expect(&s, &TYPED, QD_RATING_POOR,
           "slow per document: 200 us on average, so that 1.0 million documents take 200 s of one processor; let "
           "cheaper clauses of the query narrow the documents first, and move what does not depend on the document out "
           "of the call");
    s.calls = 50; /* too few to tell */
    expect(&s, &TYPED, QD_RATING_EXCELLENT, NULL);
}

static void test_judge__uneven__names_both_ends(void **state)
{
    qd_stats_summary s = healthy();
    (void)state;
    s.p99_ns = 50000;
    expect(&s, &TYPED, QD_RATING_GOOD,
           "uneven: one call in a hundred takes 50 us or more, the middle one 0.038 us; blocks of few documents pay "
           "for an instance each, and large documents for their size");
}

static void test_judge__row_shape_with_host_calls__points_to_typed(void **state)
{
    qd_stats_summary s = healthy();
    (void)state;
    s.host_calls = 3 * s.calls;
    s.avg_ns = 100;
    expect(&s, &ROW, QD_RATING_GOOD,
           "row shape with 3 host calls per document, some 75 ns of its 100 ns: declare the fields as parameters of a "
           "typed function, which gets them as arguments without any call, or read them through handles");
    expect(&s, &TYPED, QD_RATING_EXCELLENT, NULL);
    s.host_calls = 8 * s.calls;
    qd_verdict v;
    qd_rating_judge(&s, &ROW, &v);
    assert_int_equal(v.rating, QD_RATING_FAIR);
}

static void test_judge__string_copies__names_the_bytes(void **state)
{
    qd_stats_summary s = healthy();
    (void)state;
    s.string_bytes = 100 * s.calls;
    expect(&s, &TYPED, QD_RATING_GOOD,
           "copies 100 bytes of strings per document into the function's memory: read shorter fields, index what it "
           "looks for as a keyword or a number, or ask for it in the query instead");
    s.string_bytes = 2000 * s.calls;
    qd_verdict v;
    qd_rating_judge(&s, &TYPED, &v);
    assert_int_equal(v.rating, QD_RATING_FAIR);
}

static void test_judge__baseline_code_and_many_calls__says_so(void **state)
{
    qd_stats_summary s = healthy();
    (void)state;
    expect(&s, &BASELINE, QD_RATING_EXCELLENT, NULL);
    s.calls = 200000;
    expect(&s, &BASELINE, QD_RATING_GOOD,
           "200.0 thousand calls, and its code is still that of the baseline compiler: optimizing is queued, or failed "
           "(see its status)");
}

static void test_judge__everything_wrong__all_the_advice_and_the_worst_rating(void **state)
{
    qd_stats_summary s = {.calls = 1000000,
                          .avg_ns = 5e5,
                          .p50_ns = 100,
                          .p99_ns = 1e7,
                          .host_calls = 10000000,
                          .string_bytes = UINT64_C(5000000000),
                          .errors = 300000,
                          .errors_by_kind = {1, 2, 299997}};
    const qd_rating_facts facts = {
        .is_row_shape = true, .code.tier = QD_TIER_BASELINE, .call_ms = 100, .memory_bytes = 1 << 20};
    qd_verdict v;
    (void)state;
    qd_rating_judge(&s, &facts, &v);
    assert_int_equal(v.rating, QD_RATING_POOR);
    assert_int_equal(v.n, 8);
    assert_string_equal(v.advice[2], "299997 calls ran into the memory limit of 1024 KiB: free what a call allocates, "
                                     "or raise limits.memory_bytes in the manifest");
    for (size_t i = 0; i < v.n; i++)
        assert_true(strlen(v.advice[i]) + 1 < sizeof v.advice[i]); /* none was cut */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge__fast_and_without_errors__is_excellent),
        cmocka_unit_test(test_judge__never_called__says_so),
        cmocka_unit_test(test_judge__errors__by_their_share),
        cmocka_unit_test(test_judge__more_errors_than_calls__is_poor),
        cmocka_unit_test(test_judge__timeouts__names_the_limit),
        cmocka_unit_test(test_judge__slow__by_the_average),
        cmocka_unit_test(test_judge__uneven__names_both_ends),
        cmocka_unit_test(test_judge__row_shape_with_host_calls__points_to_typed),
        cmocka_unit_test(test_judge__string_copies__names_the_bytes),
        cmocka_unit_test(test_judge__baseline_code_and_many_calls__says_so),
        cmocka_unit_test(test_judge__everything_wrong__all_the_advice_and_the_worst_rating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
