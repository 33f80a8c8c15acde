/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdlib.h>

#include "cmocka_qd.h"

static void test_append__all_kinds(void **state)
{
    (void)state;
    qd_buf b;
    qd_buf_init(&b, SIZE_MAX);
    assert_str_equal(qd_buf_str(&b), "");
    qd_buf_add(&b, "ab", 2);
    qd_buf_add(&b, NULL, 0);
    qd_buf_add_str(&b, QD_STR("cd"));
    qd_buf_add_z(&b, "ef");
    qd_buf_add_char(&b, 'g');
    qd_buf_addf(&b, "%d-%s", 7, "x");
    assert_str_equal(qd_buf_str(&b), "abcdefg7-x");
    qd_buf_clear(&b);
    qd_buf_addf(&b, "%0600d", 1);
    assert_int_equal(b.n, 600);
    assert_int_equal(b.p[599], '1');
    qd_buf_deinit(&b);
}

static void test_append__over_max__latches_and_changes_nothing(void **state)
{
    (void)state;
    qd_buf b;
    qd_buf_init(&b, 4);
    qd_buf_add_z(&b, "abc");
    qd_buf_add_z(&b, "de");
    assert_true(b.failed);
    qd_buf_add_char(&b, 'd');
    assert_str_equal(qd_buf_str(&b), "abc");
    assert_false(qd_buf_reserve(&b, 0));
    qd_buf_clear(&b);
    qd_buf_addf(&b, "%s", "four");
    assert_false(b.failed);
    assert_str_equal(qd_buf_str(&b), "four");
    assert_false(qd_buf_reserve(&b, SIZE_MAX));
    assert_null(qd_buf_take(&b, NULL));
    assert_int_equal(b.n, 0);
    qd_buf_deinit(&b);
}

static void test_take__hands_over_terminated(void **state)
{
    (void)state;
    qd_buf b;
    size_t n = 0;
    qd_buf_init(&b, 3);
    qd_buf_add_z(&b, "abc");
    char *p = qd_buf_take(&b, &n);
    assert_string_equal(p, "abc");
    assert_int_equal(n, 3);
    free(p);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.max, 3);
    p = qd_buf_take(&b, &n);
    assert_string_equal(p, "");
    assert_int_equal(n, 0);
    free(p);
    qd_buf_deinit(&b);
}

static void test_growth__many_small_appends(void **state)
{
    (void)state;
    qd_buf b;
    qd_buf_init(&b, 1000000);
    for (int i = 0; i < 200000; i++)
        qd_buf_add_char(&b, (char)('a' + i % 26));
    assert_false(b.failed);
    assert_int_equal(b.n, 200000);
    assert_true(b.cap <= b.max);
    assert_int_equal(b.p[27], 'b');
    qd_buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append__all_kinds),
        cmocka_unit_test(test_append__over_max__latches_and_changes_nothing),
        cmocka_unit_test(test_take__hands_over_terminated),
        cmocka_unit_test(test_growth__many_small_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
