/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <math.h>
#include <stdlib.h>

#include "cmocka_qd.h"

#define N 20000

static uint64_t values[N];

/* xorshift64*: the same numbers in every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static int cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t exact(double percent)
{
    size_t rank = (size_t)ceil(percent / 100 * N);
    return values[rank < 1 ? 0 : rank - 1];
}

static void fill_evenly(uint64_t *seed)
{
    for (size_t i = 0; i < N; i++)
        values[i] = next_random(seed) % 100000000;
}

/* Evenly over the orders of magnitude, up to the greatest value. */
static void fill_by_magnitude(uint64_t *seed)
{
    for (size_t i = 0; i < N; i++)
        values[i] = next_random(seed) >> (14 + next_random(seed) % 50);
}

static void fill_small(uint64_t *seed)
{
    for (size_t i = 0; i < N; i++)
        values[i] = next_random(seed) % 128;
}

static void fill_with_tail(uint64_t *seed)
{
    for (size_t i = 0; i < N; i++)
        values[i] = 3000 + next_random(seed) % 50 + (i % 500 == 0 ? 900000000 : 0);
}

static void test_percentile__against_sorted_values__within_one_in_128(void **state)
{
    static void (*const FILLS[])(uint64_t *) = {fill_evenly, fill_by_magnitude, fill_small, fill_with_tail};
    static const double PERCENTS[] = {0, 0.01, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100};
    uint64_t seed = 42;
    (void)state;
    for (size_t f = 0; f < sizeof FILLS / sizeof *FILLS; f++) {
        qd_histogram h;
        qd_histogram_init(&h);
        FILLS[f](&seed);
        for (size_t i = 0; i < N; i++)
            assert_true(qd_histogram_record(&h, values[i], 1));
        qsort(values, N, sizeof *values, cmp);
        assert_int_equal(h.count, N);
        assert_int_equal(h.min, values[0]);
        assert_int_equal(h.max, values[N - 1]);
        for (size_t p = 0; p < sizeof PERCENTS / sizeof *PERCENTS; p++) {
            double got = (double)qd_histogram_percentile(&h, PERCENTS[p]), want = (double)exact(PERCENTS[p]);
            if (fabs(got - want) > want / 128)
                fail_msg("fill %zu, p%g: expected %.0f, got %.0f", f, PERCENTS[p], want, got);
            if (want < 128 && got != want)
                fail_msg("fill %zu, p%g: expected exactly %.0f, got %.0f", f, PERCENTS[p], want, got);
        }
        qd_histogram_deinit(&h);
    }
}

static void test_percentile__empty__is_zero(void **state)
{
    qd_histogram h = {0};
    (void)state;
    assert_int_equal(qd_histogram_percentile(&h, 50), 0);
    assert_int_equal(qd_histogram_count_to(&h, 1000), 0);
    assert_int_equal(qd_histogram_bytes(&h), 0);
}

static void test_record__with_count__is_that_many_values(void **state)
{
    qd_histogram h = {0};
    (void)state;
    assert_true(qd_histogram_record(&h, 10, 9900));
    assert_true(qd_histogram_record(&h, 20, 99));
    assert_true(qd_histogram_record(&h, 30, 1));
    assert_true(qd_histogram_record(&h, 1, 0));
    assert_int_equal(h.count, 10000);
    assert_int_equal(h.min, 10);
    assert_int_equal(qd_histogram_percentile(&h, 99), 10);
    assert_int_equal(qd_histogram_percentile(&h, 99.01), 20);
    assert_int_equal(qd_histogram_percentile(&h, 99.99), 20);
    assert_int_equal(qd_histogram_percentile(&h, 100), 30);
    qd_histogram_deinit(&h);
}

static void test_record__past_the_greatest_value__counts_as_it(void **state)
{
    qd_histogram h = {0};
    (void)state;
    assert_true(qd_histogram_record(&h, UINT64_MAX, 2));
    assert_true(qd_histogram_record(&h, QD_HISTOGRAM_MAX, 1));
    assert_int_equal(h.max, QD_HISTOGRAM_MAX);
    assert_int_equal(h.min, QD_HISTOGRAM_MAX);
    assert_int_equal(qd_histogram_percentile(&h, 50), QD_HISTOGRAM_MAX);
    qd_histogram_deinit(&h);
}

/* Every edge of every bucket: none may lie outside of the groups, or further than 1/128 from the bucket's middle. */
static void test_next__at_every_power_of_two__gives_a_middle_that_is_near(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 50; bit++) {
        for (int off = -1; off <= 1; off++) {
            qd_histogram h = {0};
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)off, middle, count;
            size_t bucket = 0;
            assert_true(qd_histogram_record(&h, value, 7));
            assert_true(qd_histogram_next(&h, &bucket, &middle, &count));
            assert_int_equal(count, 7);
            assert_true(middle >= value ? (middle - value) * 128 <= value : (value - middle) * 128 <= value);
            size_t again = bucket;
            assert_false(qd_histogram_next(&h, &again, &middle, &count));
            /* Stored and read back it falls into the same bucket. */
            assert_true(qd_histogram_record(&h, middle, 1));
            bucket = 0;
            assert_true(qd_histogram_next(&h, &bucket, &middle, &count));
            assert_int_equal(count, 8);
            qd_histogram_deinit(&h);
        }
    }
}

static void test_merge__of_two__is_as_one_that_saw_both(void **state)
{
    qd_histogram both = {0}, a = {0}, b = {0};
    uint64_t seed = 7;
    (void)state;
    fill_by_magnitude(&seed);
    for (size_t i = 0; i < N; i++) {
        assert_true(qd_histogram_record(&both, values[i], i % 5 + 1));
        assert_true(qd_histogram_record(i % 3 ? &a : &b, values[i], i % 5 + 1));
    }
    assert_true(qd_histogram_merge(&a, &b));
    assert_int_equal(a.count, both.count);
    assert_int_equal(a.min, both.min);
    assert_int_equal(a.max, both.max);
    size_t i = 0, k = 0;
    uint64_t middle_a, count_a, middle_b, count_b;
    while (qd_histogram_next(&both, &i, &middle_b, &count_b)) {
        assert_true(qd_histogram_next(&a, &k, &middle_a, &count_a));
        assert_int_equal(middle_a, middle_b);
        assert_int_equal(count_a, count_b);
    }
    assert_false(qd_histogram_next(&a, &k, &middle_a, &count_a));
    qd_histogram_deinit(&both);
    qd_histogram_deinit(&a);
    qd_histogram_deinit(&b);
}

static void test_merge__with_empty__changes_nothing(void **state)
{
    qd_histogram a = {0}, empty = {0};
    (void)state;
    assert_true(qd_histogram_record(&a, 500, 3));
    assert_true(qd_histogram_merge(&a, &empty));
    assert_int_equal(a.min, 500);
    assert_true(qd_histogram_merge(&empty, &a));
    assert_int_equal(empty.min, 500);
    assert_int_equal(empty.max, 500);
    assert_int_equal(empty.count, 3);
    qd_histogram_deinit(&a);
    qd_histogram_deinit(&empty);
}

static void test_count_to__between_values__counts_those_below(void **state)
{
    qd_histogram h = {0};
    uint64_t last = 0;
    (void)state;
    assert_true(qd_histogram_record(&h, 1000, 5));
    assert_true(qd_histogram_record(&h, 50000, 3));
    assert_true(qd_histogram_record(&h, 9000000, 1));
    assert_int_equal(qd_histogram_count_to(&h, 999), 0);
    assert_int_equal(qd_histogram_count_to(&h, 1100), 5);
    assert_int_equal(qd_histogram_count_to(&h, 49000), 5);
    assert_int_equal(qd_histogram_count_to(&h, 51000), 8);
    assert_int_equal(qd_histogram_count_to(&h, 9000000), 9);
    for (uint64_t v = 1; v < 20000000; v += 997) {
        uint64_t n = qd_histogram_count_to(&h, v);
        assert_true(n >= last);
        last = n;
    }
    qd_histogram_deinit(&h);
}

static void test_clear__keeps_memory__and_nothing_else(void **state)
{
    qd_histogram h = {0};
    uint64_t middle, count;
    size_t bucket = 0;
    (void)state;
    assert_true(qd_histogram_record(&h, 123456, 5));
    size_t bytes = qd_histogram_bytes(&h);
    assert_int_equal(bytes, 512);
    qd_histogram_clear(&h);
    assert_int_equal(h.count, 0);
    assert_false(qd_histogram_next(&h, &bucket, &middle, &count));
    assert_int_equal(qd_histogram_bytes(&h), bytes);
    qd_histogram_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentile__against_sorted_values__within_one_in_128),
        cmocka_unit_test(test_percentile__empty__is_zero),
        cmocka_unit_test(test_record__with_count__is_that_many_values),
        cmocka_unit_test(test_record__past_the_greatest_value__counts_as_it),
        cmocka_unit_test(test_next__at_every_power_of_two__gives_a_middle_that_is_near),
        cmocka_unit_test(test_merge__of_two__is_as_one_that_saw_both),
        cmocka_unit_test(test_merge__with_empty__changes_nothing),
        cmocka_unit_test(test_count_to__between_values__counts_those_below),
        cmocka_unit_test(test_clear__keeps_memory__and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
