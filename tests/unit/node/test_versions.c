/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_qd.h"

#include <stdio.h>

#include "node/versions.h"

static void test_put__then_prune__keeps_what_is_newer(void **state)
{
    (void)state;
    qd_versions *v = qd_versions_new();
    qd_version out;
    char id[16];
    for (int64_t i = 0; i < 5000; i++) {
        snprintf(id, sizeof id, "doc-%d", (int)(i % 4000));
        assert_true(qd_versions_put(v, qd_str_of(id), (qd_version){i, 1 + i / 4000, i % 7 == 0}));
    }
    assert_int_equal(qd_versions_count(v), 4000);
    assert_true(qd_versions_get(v, QD_STR("doc-0"), &out));
    assert_int_equal(out.seq_no, 4000);
    assert_int_equal(out.version, 2);
    assert_true(qd_versions_prune(v, 3999));
    assert_int_equal(qd_versions_count(v), 1000);
    assert_true(qd_versions_get(v, QD_STR("doc-999"), &out));
    assert_int_equal(out.seq_no, 4999);
    assert_false(qd_versions_get(v, QD_STR("doc-1000"), &out));
    assert_true(qd_versions_prune(v, INT64_MAX));
    assert_int_equal(qd_versions_count(v), 0);
    assert_false(qd_versions_get(v, QD_STR("doc-999"), &out));
    qd_versions_free(v);
    qd_versions_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put__then_prune__keeps_what_is_newer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
