/* SPDX-License-Identifier: Apache-2.0 */
#include "http/rate_limit.h"

#include "cmocka_qd.h"

#define SECOND_NS ((int64_t)1000000000)
#define START_NS  (1000 * SECOND_NS)

static qd_remote ipv4(uint8_t last)
{
    return (qd_remote){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, last}};
}

static qd_rate_limiter *limiter(uint32_t registers, uint32_t queries)
{
    qd_rate_limits limits = {0};
    limits.most[QD_RATE_REGISTER] = registers;
    limits.most[QD_RATE_QUERY] = queries;
    qd_rate_limiter *l = qd_rate_limiter_new(&limits);
    assert_non_null(l);
    return l;
}

static void test_take__limit_reached__refused_until_a_call_has_come_back(void **state)
{
    (void)state;
    qd_rate_limiter *l = limiter(10, 0);
    qd_remote a = ipv4(1);
    for (uint32_t i = 0; i < 10; i++) {
        qd_rate_answer r = qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS);
        assert_true(r.is_limited && !r.is_refused);
        assert_int_equal(r.limit, 10);
        assert_int_equal(r.remaining, 9 - i);
        assert_int_equal(r.reset_s, 6 * (i + 1));
        assert_int_equal(r.retry_after_s, 0);
    }
    qd_rate_answer r = qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS);
    assert_true(r.is_refused);
    assert_int_equal(r.remaining, 0);
    assert_int_equal(r.retry_after_s, 6);
    assert_int_equal(r.reset_s, 60);
    /* Refused calls took nothing; a call comes back each six seconds, and not a moment earlier. */
    r = qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS + 6 * SECOND_NS - 1);
    assert_true(r.is_refused);
    assert_int_equal(r.retry_after_s, 1);
    assert_false(qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS + 6 * SECOND_NS).is_refused);
    assert_true(qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS + 6 * SECOND_NS).is_refused);
    /* Never more than the limit, however long nothing came. */
    r = qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS + 86400 * SECOND_NS);
    assert_int_equal(r.remaining, 9);
    qd_rate_limiter_free(l);
}

static void test_take__clients_and_classes__have_buckets_of_their_own(void **state)
{
    (void)state;
    qd_rate_limiter *l = limiter(1, 1);
    qd_remote a = ipv4(1), b = ipv4(2);
    assert_false(qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS).is_refused);
    assert_true(qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS).is_refused);
    assert_false(qd_rate_limiter_take(l, QD_RATE_REGISTER, &b, START_NS).is_refused);
    assert_false(qd_rate_limiter_take(l, QD_RATE_QUERY, &a, START_NS).is_refused);
    assert_true(qd_rate_limiter_take(l, QD_RATE_QUERY, &a, START_NS).is_refused);
    assert_false(qd_rate_limiter_take(l, QD_RATE_QUERY, &a, START_NS + SECOND_NS).is_refused);
    qd_rate_limiter_free(l);
}

static void test_take__ipv6__a_client_is_its_network(void **state)
{
    (void)state;
    qd_rate_limiter *l = limiter(1, 0);
    qd_remote a = {{0x20, 1, 0xD, 0xB8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}}, same = a, other = a;
    same.bytes[15] = 2;
    other.bytes[7] = 2;
    assert_false(qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS).is_refused);
    assert_true(qd_rate_limiter_take(l, QD_RATE_REGISTER, &same, START_NS).is_refused);
    assert_false(qd_rate_limiter_take(l, QD_RATE_REGISTER, &other, START_NS).is_refused);
    qd_rate_limiter_free(l);
}

static void test_take__no_limit__says_so(void **state)
{
    (void)state;
    qd_rate_limiter *l = limiter(0, 5);
    qd_remote a = ipv4(1);
    for (int i = 0; i < 100; i++) {
        qd_rate_answer r = qd_rate_limiter_take(l, QD_RATE_REGISTER, &a, START_NS);
        assert_false(r.is_limited || r.is_refused);
        assert_false(qd_rate_limiter_take(l, QD_RATE_NONE, &a, START_NS).is_limited);
    }
    qd_rate_limiter_free(l);
}

static void test_take__thousand_a_second__all_of_them_and_not_one_more(void **state)
{
    (void)state;
    qd_rate_limiter *l = limiter(0, 1000);
    qd_remote a = ipv4(1);
    unsigned let_through = 0;
    /* Five seconds of 4,000 calls a second: the full bucket, and what comes back in that time. */
    for (int64_t i = 0; i < 20000; i++)
        let_through += !qd_rate_limiter_take(l, QD_RATE_QUERY, &a, START_NS + i * SECOND_NS / 4000).is_refused;
    assert_in_range(let_through, 1000 + 4998, 1000 + 5000);
    qd_rate_limiter_free(l);
}

/* More clients than the table has room for. */
static void test_take__many_clients__all_are_served(void **state)
{
    (void)state;
    qd_rate_limiter *l = limiter(2, 0);
    for (uint32_t i = 0; i < 100000; i++) {
        qd_remote r = ipv4((uint8_t)i);
        r.bytes[13] = (uint8_t)(i >> 8);
        r.bytes[12] = (uint8_t)(i >> 16);
        assert_false(qd_rate_limiter_take(l, QD_RATE_REGISTER, &r, START_NS + i).is_refused);
    }
    qd_rate_limiter_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take__limit_reached__refused_until_a_call_has_come_back),
        cmocka_unit_test(test_take__clients_and_classes__have_buckets_of_their_own),
        cmocka_unit_test(test_take__ipv6__a_client_is_its_network),
        cmocka_unit_test(test_take__no_limit__says_so),
        cmocka_unit_test(test_take__thousand_a_second__all_of_them_and_not_one_more),
        cmocka_unit_test(test_take__many_clients__all_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
