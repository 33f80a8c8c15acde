/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "index/column.h"

static qd_found find(const qd_searcher *s, const char *id)
{
    qd_found found = {0};
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_searcher_find(s, qd_str_of(id), &found, &err), &err);
    return found;
}

static void test_add__then_commit__is_found_with_its_source(void **state)
{
    (void)state;
    shard_fixture f;
    qd_error err = QD_ERROR_INIT;
    qd_stored stored;
    fixture_init(&f, "{\"properties\":{\"n\":{\"type\":\"long\"}}}");
    assert_true(qd_shard_payload(f.shard) == UINT64_MAX);
    fixture_add(&f, "a", "{\"n\":1}");
    fixture_add(&f, "b", "{\"n\":2}");
    qd_searcher *before = qd_shard_searcher(f.shard);
    assert_int_equal(qd_searcher_live_docs(before), 0);
    fixture_commit(&f);
    qd_searcher *s = qd_shard_searcher(f.shard);
    assert_int_equal(qd_searcher_live_docs(s), 2);
    assert_int_equal(qd_searcher_live_docs(before), 0);
    assert_false(find(s, "c").found);
    qd_found b = find(s, "b");
    assert_true(b.found);
    assert_int_equal(b.seq_no, 1);
    assert_int_equal(b.version, 1);
    assert_status_ok(qd_searcher_stored(s, b.at, &stored, &err), &err);
    assert_str_equal(stored.id, "b");
    assert_str_equal(stored.source, "{\"n\":2}");
    qd_stored_free(&stored);
    assert_int_equal(qd_shard_payload(f.shard), 1);
    qd_searcher_unref(before);
    qd_searcher_unref(s);
    fixture_deinit(&f);
}

static void test_replace_and_delete__leave_one_or_none(void **state)
{
    (void)state;
    shard_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f, "{\"properties\":{\"n\":{\"type\":\"long\"}}}");
    fixture_add(&f, "a", "{\"n\":1}");
    fixture_add(&f, "a", "{\"n\":2}");
    fixture_add(&f, "b", "{\"n\":3}");
    fixture_commit(&f);
    fixture_add(&f, "a", "{\"n\":4}");
    assert_status_ok(qd_shard_delete(f.shard, QD_STR("b"), &err), &err);
    fixture_commit(&f);
    qd_searcher *s = qd_shard_searcher(f.shard);
    assert_int_equal(qd_searcher_live_docs(s), 1);
    assert_int_equal(find(s, "a").seq_no, 3);
    assert_false(find(s, "b").found);
    qd_searcher_unref(s);
    fixture_deinit(&f);
}

static void test_reopen__without_commit__forgets_what_was_added(void **state)
{
    (void)state;
    shard_fixture f;
    fixture_init(&f, "{}");
    fixture_add(&f, "a", "{}");
    fixture_commit(&f);
    fixture_add(&f, "b", "{}");
    qd_searcher *old = qd_shard_searcher(f.shard);
    fixture_reopen(&f, NULL);
    qd_searcher *s = qd_shard_searcher(f.shard);
    assert_int_equal(qd_searcher_live_docs(s), 1);
    assert_int_equal(qd_shard_payload(f.shard), 0);
    assert_true(find(old, "a").found); /* a searcher outlives its shard */
    qd_searcher_unref(s);
    qd_searcher_unref(old);
    fixture_deinit(&f);
}

static double first_price(const qd_searcher *s, const char *id)
{
    qd_found at = find(s, id);
    qd_column *c = NULL;
    qd_error err = QD_ERROR_INIT;
    double out = -1;
    uint8_t valid = 0;
    bool all = false;
    const qd_field *f = qd_mapping_find(s->mapping, QD_STR("price"));
    assert_status_ok(qd_column_open(s, at.at.segment, f->id, &c, &err), &err);
    if (c)
        assert_true(qd_column_f64(c, 1, &at.at.doc, &out, &valid, &all));
    qd_column_free(c);
    return valid ? out : -1;
}

static void test_extend__new_fields__work_beside_old_segments(void **state)
{
    (void)state;
    shard_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f, "{\"dynamic\":false,\"properties\":{\"title\":{\"type\":\"text\"}}}");
    fixture_add(&f, "a", "{\"title\":\"one\",\"price\":5}");
    fixture_commit(&f);
    qd_mapping *m = fixture_mapping("{\"dynamic\":false,\"properties\":{\"title\":{\"type\":\"text\"},\"price\":{"
                                    "\"type\":\"double\"},\"body\":{\"type\":\"text\"}}}");
    assert_status_ok(qd_shard_extend(f.shard, m, 0, &err), &err);
    qd_mapping_unref(f.mapping);
    f.mapping = m;
    fixture_add(&f, "b", "{\"title\":\"two\",\"price\":7.5,\"body\":\"text\"}");
    fixture_commit(&f);
    for (int pass = 0; pass < 3; pass++) {
        qd_searcher *s = qd_shard_searcher(f.shard);
        assert_int_equal(qd_searcher_live_docs(s), 2);
        assert_true(first_price(s, "a") == -1);
        assert_true(first_price(s, "b") == 7.5);
        qd_searcher_unref(s);
        if (pass == 0) {
            assert_status_ok(qd_shard_force_merge(f.shard, 1, &err), &err);
            assert_status_ok(qd_shard_renew(f.shard, &err), &err);
        } else {
            fixture_reopen(&f, NULL);
        }
    }
    fixture_deinit(&f);
}

static void read_name(const char *task, char name[32])
{
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task);
    FILE *in = fopen(path, "r");
    if (!in || !fgets(name, 32, in))
        name[0] = '\0'; /* it has ended meanwhile */
    if (in)
        fclose(in);
}

/* The engine gives its threads names; a sanitizer's own has that of the program. */
static size_t engine_threads(void)
{
    size_t n = 0;
    char own[32], name[32];
    snprintf(name, sizeof name, "%d", getpid());
    read_name(name, own);
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] == '.')
            continue;
        read_name(e->d_name, name);
        n += name[0] && strcmp(name, own) != 0;
    }
    closedir(dir);
    return n;
}

/* They take their names, and end, some time after they were started and let go; so do those of the tests before. */
static void wait_for_engine_threads(bool wanted)
{
    while ((engine_threads() > 0) != wanted)
        usleep(1000);
}

static void test_rest__lets_the_threads_go_until_the_next_write(void **state)
{
    (void)state;
    shard_fixture f;
    qd_error err = QD_ERROR_INIT;
    bool is_resting = false;
    fixture_init(&f, "{}");
    wait_for_engine_threads(false);
    for (int pass = 0; pass < 2; pass++) {
        fixture_add(&f, pass ? "b" : "a", "{}");
        wait_for_engine_threads(true);
        assert_status_ok(qd_shard_rest(f.shard, &is_resting, &err), &err);
        assert_false(is_resting); /* it would be lost */
        fixture_commit(&f);
        for (is_resting = false; !is_resting; usleep(1000))
            assert_status_ok(qd_shard_rest(f.shard, &is_resting, &err), &err);
        wait_for_engine_threads(false);
    }
    assert_status_ok(qd_shard_renew(f.shard, &err), &err);
    qd_searcher *s = qd_shard_searcher(f.shard);
    assert_int_equal(qd_searcher_live_docs(s), 2);
    qd_searcher_unref(s);
    fixture_deinit(&f);
}

static void test_open__mapping_ahead_of_the_disk__is_caught_up(void **state)
{
    (void)state;
    shard_fixture f;
    fixture_init(&f, "{\"properties\":{\"a\":{\"type\":\"long\"}}}");
    fixture_add(&f, "1", "{\"a\":1}");
    fixture_commit(&f);
    qd_mapping *m = fixture_mapping(
        "{\"properties\":{\"a\":{\"type\":\"long\"},\"loc\":{\"type\":\"geo_point\"},\"price\":{\"type\":\"float\"}}}");
    fixture_reopen(&f, m);
    fixture_add(&f, "2", "{\"a\":2,\"loc\":[2,1],\"price\":0.5}");
    fixture_commit(&f);
    qd_searcher *s = qd_shard_searcher(f.shard);
    assert_true(first_price(s, "2") == 0.5);
    assert_int_equal(qd_shard_payload(f.shard), 1);
    qd_searcher_unref(s);
    qd_mapping_unref(m);
    fixture_deinit(&f);
}

static void test_open__disk_ahead_of_the_mapping__is_refused(void **state)
{
    (void)state;
    shard_fixture f;
    qd_error err = QD_ERROR_INIT;
    qd_shard *other = NULL;
    fixture_init(&f, "{\"properties\":{\"a\":{\"type\":\"long\"},\"b\":{\"type\":\"long\"}}}");
    qd_shard_close(f.shard);
    f.shard = NULL;
    qd_mapping *m = fixture_mapping("{\"properties\":{\"a\":{\"type\":\"long\"}}}");
    assert_failed_with(qd_shard_open(f.dir, m, 32u << 20, &other, &err), &err, QD_EIO,
                       "cannot open the shard: it has 2 fields, its mapping only 1");
    qd_mapping_unref(m);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add__then_commit__is_found_with_its_source),
        cmocka_unit_test(test_replace_and_delete__leave_one_or_none),
        cmocka_unit_test(test_reopen__without_commit__forgets_what_was_added),
        cmocka_unit_test(test_extend__new_fields__work_beside_old_segments),
        cmocka_unit_test(test_rest__lets_the_threads_go_until_the_next_write),
        cmocka_unit_test(test_open__mapping_ahead_of_the_disk__is_caught_up),
        cmocka_unit_test(test_open__disk_ahead_of_the_mapping__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
