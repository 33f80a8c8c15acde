/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static qd_status create(node_fixture *f, const char *name, const char *body, qd_error *err)
{
    json_t *json = body ? fixture_json(body) : NULL;
    qd_status st = qd_node_create_index(f->node, qd_str_of(name), json, err);
    json_decref(json);
    return st;
}

static int count_directories(node_fixture *f)
{
    char path[128];
    int n = 0;
    snprintf(path, sizeof path, "%s/indices", f->dir);
    DIR *dir = opendir(path);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        n += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static void test_create__bad_requests__are_refused_and_leave_nothing(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    assert_failed_with(create(&f, "Bad", NULL, &err), &err, QD_EINDEX_NAME,
                       "Invalid index name [Bad], must be lowercase");
    assert_failed_with(create(&f, "a", "{\"settings\":{\"x\":1}}", &err), &err, QD_EINVAL,
                       "unknown setting [index.x] please check that it is one of those that the documentation lists");
    assert_int_equal(create(&f, "a", "{\"mappings\":{\"properties\":{\"f\":{\"type\":\"ip\"}}}}", &err), QD_EMAPPING);
    assert_int_equal(create(&f, "a", "{\"mappings\":{\"_order\":[]}}", &err), QD_EMAPPING);
    assert_failed_with(create(&f, "a", "{\"mapping\":{}}", &err), &err, QD_EPARSE,
                       "create index: unknown member 'mapping'; expected only 'settings', 'mappings', 'aliases'");
    assert_failed_with(create(&f, "a", "{\"aliases\":{\"b\":{}}}", &err), &err, QD_EUNSUPPORTED,
                       "create index: 'aliases' are not supported yet");
    assert_failed_with(create(&f, "a", "[]", &err), &err, QD_EINVAL, "create index: expected an object, got an array");
    assert_int_equal(count_directories(&f), 0);
    qd_index *ix = NULL;
    assert_failed_with(qd_node_index(f.node, QD_STR("a"), &ix, &err), &err, QD_EINDEX_NOTFOUND, "no such index [a]");
    fixture_deinit(&f);
}

static void test_create__twice__is_refused(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    char message[128];
    fixture_init(&f);
    fixture_create(&f, NULL);
    snprintf(message, sizeof message, "index [test/%s] already exists", qd_index_uuid(f.index));
    assert_failed_with(create(&f, "test", NULL, &err), &err, QD_EINDEX_EXISTS, message);
    assert_int_equal(count_directories(&f), 1);
    f.options.max_indices = 1;
    fixture_reopen(&f);
    assert_failed_with(create(&f, "more", NULL, &err), &err, QD_ELIMIT,
                       "cannot create index [more]: there are 1, and no more are allowed; delete some");
    fixture_deinit(&f);
}

static void test_settings__are_shown_and_kept(void **state)
{
    (void)state;
    node_fixture f;
    qd_buf buf;
    qd_json w;
    char expected[512];
    fixture_init(&f);
    fixture_create(&f,
                   "{\"settings\":{\"index\":{\"number_of_shards\":2,\"refresh_interval\":\"30s\"}},\"aliases\":{}}");
    fixture_reopen(&f);
    assert_int_equal(qd_index_refresh_interval_ms(f.index), 30000);
    snprintf(expected, sizeof expected,
             "{\"index\":{\"number_of_shards\":\"2\",\"number_of_replicas\":\"0\",\"refresh_interval\":\"30s\","
             "\"creation_date\":\"%lld\",\"uuid\":\"%s\","
             "\"provided_name\":\"test\"}}",
             (long long)qd_index_created_ms(f.index), qd_index_uuid(f.index));
    qd_buf_init(&buf, 1 << 16);
    qd_json_init(&w, &buf, false);
    qd_index_settings_write(f.index, &w);
    assert_str_equal(qd_buf_str(&buf), expected);
    qd_buf_deinit(&buf);
    fixture_deinit(&f);
}

static void test_delete__files_go__with_the_last_reference(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    fixture_create(&f, NULL);
    fixture_put(&f, "1", "{\"a\":1}");
    fixture_refresh(&f);
    qd_searcher *s = qd_index_searcher(f.index);
    assert_status_ok(qd_node_delete_index(f.node, QD_STR("test"), &err), &err);
    assert_failed_with(qd_node_delete_index(f.node, QD_STR("test"), &err), &err, QD_EINDEX_NOTFOUND,
                       "no such index [test]");
    qd_op op = {.type = QD_OP_INDEX,
                .id = QD_STR("2"),
                .source = QD_STR("{}"),
                .if_seq_no = QD_SEQ_ANY,
                .if_primary_term = QD_SEQ_ANY};
    assert_failed_with(qd_index_write(f.index, &op, 1, &err), &err, QD_EINDEX_NOTFOUND, "no such index [test]");
    fixture_assert_source(&f, "1", "{\"a\":1}");
    qd_index *old = f.index;
    fixture_create(&f, NULL); /* the name is free at once */
    assert_int_equal(count_directories(&f), 2);
    qd_index_unref(old);
    assert_int_equal(count_directories(&f), 1);
    qd_found found;
    assert_status_ok(qd_searcher_find(s, QD_STR("1"), &found, &err), &err);
    assert_true(found.found); /* a query that runs keeps its files */
    qd_searcher_unref(s);
    fixture_assert_source(&f, "1", NULL);
    fixture_reopen(&f);
    assert_non_null(f.index);
    fixture_deinit(&f);
}

static void assert_resolves(node_fixture *f, const char *expression, const char *names)
{
    qd_index **indices = NULL;
    size_t count = 0;
    qd_error err = QD_ERROR_INIT;
    char got[128] = "";
    assert_status_ok(qd_node_resolve(f->node, qd_str_of(expression), &indices, &count, &err), &err);
    for (size_t i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? " " : "", qd_index_name(indices[i]));
    assert_string_equal(got, names);
    qd_node_release(indices, count);
}

static void test_resolve__names_lists_and_patterns(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    qd_index **indices = NULL;
    size_t count = 0;
    static const char *const NAMES[] = {"logs-2", "logs-1", "other"};
    fixture_init(&f);
    for (size_t i = 0; i < 3; i++)
        assert_status_ok(create(&f, NAMES[i], NULL, &err), &err);
    assert_resolves(&f, "other", "other");
    assert_resolves(&f, "other,logs-2", "other logs-2");
    assert_resolves(&f, "logs-*", "logs-1 logs-2");
    assert_resolves(&f, "logs-2,logs-*,*", "logs-2 logs-1 other");
    assert_resolves(&f, "_all", "logs-1 logs-2 other");
    assert_resolves(&f, "", "logs-1 logs-2 other");
    assert_resolves(&f, "none-*", "");
    assert_failed_with(qd_node_resolve(f.node, QD_STR("logs-*,none"), &indices, &count, &err), &err, QD_EINDEX_NOTFOUND,
                       "no such index [none]");
    qd_index *made = NULL;
    assert_status_ok(qd_node_index_or_create(f.node, QD_STR("made"), &made, &err), &err);
    qd_index_unref(made);
    assert_resolves(&f, "m*", "made");
    assert_int_equal(qd_node_index_or_create(f.node, QD_STR("No"), &made, &err), QD_EINDEX_NAME);
    fixture_deinit(&f);
}

static void test_open__directory_in_use__is_refused(void **state)
{
    (void)state;
    node_fixture f;
    qd_node *second = NULL;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    assert_int_equal(qd_node_open(&f.options, &second, &err), QD_EBUSY);
    assert_non_null(strstr(err.message, "is locked: another process uses this data directory"));
    qd_node_options none = QD_NODE_OPTIONS_INIT;
    assert_failed_with(qd_node_open(&none, &second, &err), &err, QD_EINVAL, "the data directory is not given");
    none.data_dir = "/proc/nowhere/here";
    assert_int_equal(qd_node_open(&none, &second, &err), QD_EIO);
    fixture_deinit(&f);
}

static void test_open__what_no_index_refers_to__is_removed(void **state)
{
    (void)state;
    node_fixture f;
    char path[160];
    fixture_init(&f);
    fixture_create(&f, NULL);
    snprintf(path, sizeof path, "%s/indices/abcdefghijklmnopqrstuv", f.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/indices/mine", f.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_reopen(&f);
    assert_int_equal(count_directories(&f), 2); /* the index, and what is not ours */
    assert_non_null(strstr(f.log, "no index refers to it"));
    fixture_deinit(&f);
}

static off_t reserved(node_fixture *f)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/reserve", f->dir);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* A limit on the size of files stands for a full disk. */
static void test_delete__disk_full__says_so_and_keeps_the_index(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    struct rlimit before, none;
    fixture_init(&f);
    fixture_create(&f, NULL);
    fixture_put(&f, "a", "{}");
    assert_int_equal(reserved(&f), 1 << 20);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    none = (struct rlimit){0, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    qd_status st = qd_node_delete_index(f.node, QD_STR("test"), &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(st, QD_EIO);
    assert_non_null(strstr(err.message, "/meta': cannot write"));
    fixture_assert_source(&f, "a", "{}");
    fixture_reopen(&f);
    fixture_assert_source(&f, "a", "{}");
    assert_status_ok(qd_node_delete_index(f.node, QD_STR("test"), &err), &err);
    assert_int_equal(reserved(&f), 1 << 20);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create__bad_requests__are_refused_and_leave_nothing),
        cmocka_unit_test(test_create__twice__is_refused),
        cmocka_unit_test(test_settings__are_shown_and_kept),
        cmocka_unit_test(test_delete__files_go__with_the_last_reference),
        cmocka_unit_test(test_delete__disk_full__says_so_and_keeps_the_index),
        cmocka_unit_test(test_resolve__names_lists_and_patterns),
        cmocka_unit_test(test_open__directory_in_use__is_refused),
        cmocka_unit_test(test_open__what_no_index_refers_to__is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
