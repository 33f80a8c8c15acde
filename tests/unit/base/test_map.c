/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmocka_qd.h"

static qd_str key_of(int i)
{
    static char text[16];
    return (qd_str){text, (size_t)snprintf(text, sizeof text, "key%d", i)};
}

static void test_put_get_remove__replace_gives_the_old(void **state)
{
    (void)state;
    qd_map *m = qd_map_new();
    int a, b;
    void *old = &a;
    assert_null(qd_map_get(m, QD_STR("x")));
    assert_null(qd_map_remove(m, QD_STR("x")));
    assert_true(qd_map_put(m, QD_STR("x"), &a, &old));
    assert_null(old);
    assert_true(qd_map_put(m, QD_STR("x"), &b, &old));
    assert_ptr_equal(old, &a);
    assert_int_equal(qd_map_count(m), 1);
    assert_true(qd_map_put(m, QD_STR(""), &a, NULL));
    assert_ptr_equal(qd_map_get(m, (qd_str){NULL, 0}), &a);
    assert_ptr_equal(qd_map_remove(m, QD_STR("x")), &b);
    assert_null(qd_map_get(m, QD_STR("x")));
    qd_map_free(m, NULL);
    qd_map_free(NULL, NULL);
}

static void test_keys__are_copied_and_may_hold_nul(void **state)
{
    (void)state;
    qd_map *m = qd_map_new();
    int a, b;
    char key[3] = {'a', '\0', 'b'};
    assert_true(qd_map_put(m, (qd_str){key, 3}, &a, NULL));
    assert_true(qd_map_put(m, (qd_str){key, 1}, &b, NULL));
    key[0] = 'z';
    assert_ptr_equal(qd_map_get(m, (qd_str){"a\0b", 3}), &a);
    assert_ptr_equal(qd_map_get(m, QD_STR("a")), &b);
    qd_map_free(m, NULL);
}

static void test_many__insert_and_remove_in_any_order__against_a_plain_array(void **state)
{
    (void)state;
    enum { N = 3000 };
    static int values[N];
    static bool is_in[N];
    size_t count = 0;
    qd_map *m = qd_map_new();
    unsigned random = 12345;
    for (int step = 0; step < 60000; step++) {
        random = random * 1103515245u + 12345u;
        int i = (int)(random >> 8) % N;
        if (random & 64) {
            assert_true(qd_map_put(m, key_of(i), &values[i], NULL));
            count += !is_in[i];
            is_in[i] = true;
        } else {
            assert_ptr_equal(qd_map_remove(m, key_of(i)), is_in[i] ? &values[i] : NULL);
            count -= is_in[i];
            is_in[i] = false;
        }
        assert_int_equal(qd_map_count(m), count);
    }
    for (int i = 0; i < N; i++)
        assert_ptr_equal(qd_map_get(m, key_of(i)), is_in[i] ? &values[i] : NULL);
    size_t at = 0, met = 0;
    qd_str key;
    void *value;
    while (qd_map_next(m, &at, &key, &value)) {
        assert_true(qd_str_eq(key, key_of((int)((int *)value - values))));
        met++;
    }
    assert_int_equal(met, count);
    qd_map_free(m, NULL);
}

static void test_clear_and_free__free_the_values(void **state)
{
    (void)state;
    qd_map *m = qd_map_new();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50; i++)
            assert_true(qd_map_put(m, key_of(i), malloc(1), NULL));
        if (round == 0) {
            qd_map_clear(m, free);
            assert_int_equal(qd_map_count(m), 0);
            assert_null(qd_map_get(m, key_of(1)));
        }
    }
    qd_map_free(m, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove__replace_gives_the_old),
        cmocka_unit_test(test_keys__are_copied_and_may_hold_nul),
        cmocka_unit_test(test_many__insert_and_remove_in_any_order__against_a_plain_array),
        cmocka_unit_test(test_clear_and_free__free_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
