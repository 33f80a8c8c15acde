/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdio.h>

#include "cmocka_qd.h"

static void test_alloc__aligned_and_disjoint(void **state)
{
    (void)state;
    qd_arena *a = qd_arena_new((size_t)64 << 20);
    assert_non_null(a);
    unsigned char *last = NULL;
    for (size_t i = 0; i < 5000; i++) {
        size_t size = i * 7 % 3000;
        unsigned char *p = qd_arena_alloc(a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, (int)(i & 255), size);
        if (last && i * 7 % 3000 > 0)
            assert_ptr_not_equal(p, last);
        last = p;
    }
    qd_arena_free(a);
}

static void test_alloc__contents_survive_later_allocations(void **state)
{
    (void)state;
    qd_arena *a = qd_arena_new((size_t)16 << 20);
    char *kept[200];
    for (int i = 0; i < 200; i++) {
        kept[i] = qd_arena_printf(a, "value %d", i);
        assert_non_null(qd_arena_alloc(a, (size_t)(i * 97)));
    }
    for (int i = 0; i < 200; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "value %d", i);
        assert_string_equal(kept[i], expected);
    }
    qd_arena_free(a);
}

static void test_alloc__over_the_bound__is_refused(void **state)
{
    (void)state;
    qd_arena *a = qd_arena_new(1024);
    assert_null(qd_arena_alloc(a, 1025));
    assert_null(qd_arena_alloc(a, SIZE_MAX));
    assert_null(qd_arena_array(a, SIZE_MAX / 2, 3));
    assert_null(qd_arena_strndup(a, "x", SIZE_MAX));
    assert_non_null(qd_arena_alloc(a, 1000));
    assert_int_equal(qd_arena_used(a), 1008);
    assert_null(qd_arena_alloc(a, 17));
    assert_non_null(qd_arena_alloc(a, 0));
    assert_null(qd_arena_alloc(a, 0));
    qd_arena_free(a);
    qd_arena_free(NULL);
}

static void test_copies__terminated_and_zeroed(void **state)
{
    (void)state;
    qd_arena *a = qd_arena_new(1 << 20);
    assert_string_equal(qd_arena_strndup(a, "abcdef", 3), "abc");
    qd_str s = qd_arena_str(a, QD_STR("view"));
    assert_str_equal(s, "view");
    assert_int_equal(s.p[4], '\0');
    assert_str_equal(qd_arena_str(a, (qd_str){NULL, 0}), "");
    int *numbers = qd_arena_array(a, 100, sizeof *numbers);
    for (int i = 0; i < 100; i++)
        assert_int_equal(numbers[i], 0);
    struct pair {
        void *p;
        int n;
    } *pair = QD_NEW(a, struct pair);
    assert_null(pair->p);
    qd_arena_free(a);
    a = qd_arena_new(16);
    assert_null(qd_arena_str(a, QD_STR("longer than sixteen bytes")).p);
    assert_null(qd_arena_printf(a, "%s", "longer than sixteen bytes"));
    qd_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc__aligned_and_disjoint),
        cmocka_unit_test(test_alloc__contents_survive_later_allocations),
        cmocka_unit_test(test_alloc__over_the_bound__is_refused),
        cmocka_unit_test(test_copies__terminated_and_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
