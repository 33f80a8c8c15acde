/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that cannot be written, and what becomes of an index then. RLIMIT_FSIZE makes every write fail. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "node/node_internal.h"

static void allow_files(bool allowed)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = allowed ? limit.rlim_max : 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void begin(node_fixture *f)
{
    signal(SIGXFSZ, SIG_IGN);
    fixture_init(f);
    fixture_create(f, "{\"mappings\":{\"properties\":{\"n\":{\"type\":\"long\"}}}}");
    fixture_put(f, "searched", "{\"n\":1}");
    fixture_refresh(f);
    fixture_put(f, "logged", "{\"n\":2}");
}

static qd_status try_put(node_fixture *f, const char *id, const char *source, qd_error *err)
{
    qd_op op = {.type = QD_OP_INDEX,
                .id = qd_str_of(id),
                .source = qd_str_of(source),
                .if_seq_no = QD_SEQ_ANY,
                .if_primary_term = QD_SEQ_ANY};
    qd_status st = qd_index_write(f->index, &op, 1, err);
    return st == QD_OK ? op.status : st;
}

static void assert_fails(node_fixture *f, const char *id, const char *source)
{
    qd_error err = QD_ERROR_INIT;
    assert_int_equal(try_put(f, id, source, &err), QD_EINDEX_FAILED);
    assert_int_equal(err.code, QD_EINDEX_FAILED);
    assert_non_null(
        strstr(err.message, "index 'test' takes no writes until it has been opened again, which is tried by itself: "));
    assert_true(qd_index_has_failed(f->index));
}

/* By itself, whoever does it first: the healer works too. */
static void wait_until_healed(node_fixture *f)
{
    while (qd_index_has_failed(f->index))
        usleep(1000);
}

static void assert_searchable(node_fixture *f, const char *id)
{
    qd_searcher *s = qd_index_searcher(f->index);
    qd_found found;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_searcher_find(s, qd_str_of(id), &found, &err), &err);
    assert_true(found.found);
    qd_searcher_unref(s);
}

static void test_heal__log_cannot_be_written__refuses_then_goes_on(void **state)
{
    (void)state;
    node_fixture f;
    int64_t version;
    uint64_t replayed = 0;
    qd_error err = QD_ERROR_INIT;
    begin(&f);
    allow_files(false);
    assert_fails(&f, "refused", "{\"n\":3}");
    assert_fails(&f, "logged", "{\"n\":4}");
    assert_int_equal(qd_index_refresh(f.index, &err), QD_EINDEX_FAILED);
    assert_int_equal(qd_index_force_merge(f.index, 1, &err), QD_EINDEX_FAILED);
    /* What was searchable stays so. */
    assert_int_equal(fixture_live_docs(&f), 1);
    fixture_assert_source(&f, "searched", "{\"n\":1}");
    /* The log has a record to replay, for which the shard must be written. */
    assert_int_not_equal(qd_index_heal(f.index, &replayed, &err), QD_OK);
    assert_true(qd_index_has_failed(f.index));
    assert_int_equal(fixture_live_docs(&f), 1);
    assert_fails(&f, "refused", "{\"n\":3}");
    allow_files(true);
    wait_until_healed(&f);
    assert_int_equal(fixture_live_docs(&f), 2);
    assert_searchable(&f, "logged");
    fixture_assert_source(&f, "logged", "{\"n\":2}");
    assert_null(fixture_get(&f, "refused", NULL));
    /* Versions and numbers go on as if there had been nothing. */
    fixture_put(&f, "logged", "{\"n\":5}");
    qd_op op = fixture_write(&f, QD_OP_INDEX, "refused", "{\"n\":6}");
    assert_int_equal(op.seq_no, 3);
    assert_int_equal(op.version, 1);
    assert_true(op.created);
    char *source = fixture_get(&f, "logged", &version);
    assert_string_equal(source, "{\"n\":5}");
    assert_int_equal(version, 2);
    free(source);
    assert_true(atomic_load(&f.index->heal_attempts) > 0);
    fixture_refresh(&f);
    assert_int_equal(atomic_load(&f.index->heal_attempts), 0);
    assert_int_equal(fixture_live_docs(&f), 3);
    fixture_reopen(&f);
    assert_int_equal(fixture_live_docs(&f), 3);
    fixture_assert_source(&f, "logged", "{\"n\":5}");
    fixture_deinit(&f);
}

static void test_heal__commit_fails__keeps_what_is_logged(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    qd_node_health health;
    begin(&f);
    allow_files(false);
    assert_int_equal(qd_index_refresh(f.index, &err), QD_EINDEX_FAILED);
    assert_non_null(strstr(err.message, "which is tried by itself: cannot commit: "));
    assert_status_ok(qd_node_health_get(f.node, QD_STR("_all"), &health, &err), &err);
    assert_int_equal(health.failed, 1);
    assert_int_equal(health.unopened, 0);
    fixture_assert_source(&f, "logged", "{\"n\":2}"); /* realtime, from the log */
    assert_int_equal(fixture_live_docs(&f), 1);
    allow_files(true);
    wait_until_healed(&f);
    assert_searchable(&f, "logged");
    assert_int_equal(fixture_live_docs(&f), 2);
    assert_status_ok(qd_node_health_get(f.node, QD_STR("_all"), &health, &err), &err);
    assert_int_equal(health.failed, 0);
    fixture_put(&f, "next", "{\"n\":7}");
    fixture_refresh(&f);
    assert_int_equal(fixture_live_docs(&f), 3);
    fixture_deinit(&f);
}

static void test_heal__mapping_that_could_not_grow__grows_later(void **state)
{
    (void)state;
    node_fixture f;
    begin(&f);
    allow_files(false);
    assert_fails(&f, "new-field", "{\"n\":3,\"city\":\"Rome\"}");
    allow_files(true);
    wait_until_healed(&f);
    fixture_put(&f, "new-field", "{\"n\":3,\"city\":\"Rome\"}");
    char *mapping = fixture_mapping(&f);
    assert_non_null(strstr(mapping, "\"city\""));
    free(mapping);
    fixture_refresh(&f);
    fixture_reopen(&f);
    assert_int_equal(fixture_live_docs(&f), 3);
    fixture_assert_source(&f, "new-field", "{\"n\":3,\"city\":\"Rome\"}");
    fixture_deinit(&f);
}

static void test_heal__without_a_failure__does_nothing(void **state)
{
    (void)state;
    node_fixture f;
    uint64_t replayed = 7;
    qd_error err = QD_ERROR_INIT;
    begin(&f);
    assert_status_ok(qd_index_heal(f.index, &replayed, &err), &err);
    assert_int_equal(replayed, 0);
    assert_int_equal(fixture_live_docs(&f), 1);
    fixture_deinit(&f);
}

static void test_delete__of_a_failed_index__works(void **state)
{
    (void)state;
    node_fixture f;
    uint64_t replayed = 0;
    qd_error err = QD_ERROR_INIT;
    begin(&f);
    allow_files(false);
    assert_fails(&f, "refused", "{\"n\":3}");
    allow_files(true);
    assert_status_ok(qd_node_delete_index(f.node, QD_STR("test"), &err), &err);
    assert_int_equal(qd_index_heal(f.index, &replayed, &err), QD_EINDEX_NOTFOUND);
    fixture_deinit(&f);
}

/* The node is closed while the index has failed: the next start replays. */
static void test_close__of_a_failed_index__loses_nothing(void **state)
{
    (void)state;
    node_fixture f;
    begin(&f);
    allow_files(false);
    assert_fails(&f, "refused", "{\"n\":3}");
    fixture_close(&f);
    allow_files(true);
    fixture_reopen(&f);
    assert_int_equal(fixture_live_docs(&f), 2);
    fixture_assert_source(&f, "logged", "{\"n\":2}");
    fixture_deinit(&f);
}

static qd_status open_broken(node_fixture *f, uint64_t *replayed, qd_error *err)
{
    pthread_mutex_lock(&f->node->create_mutex);
    qd_status st = qd_node_open_broken(f->node, "test", replayed, err);
    pthread_mutex_unlock(&f->node->create_mutex);
    return st;
}

/* Long before the node's own first attempt. */
static void test_open__index_that_could_not_be_opened__is_tried_again(void **state)
{
    (void)state;
    node_fixture f;
    char data[160], aside[168];
    uint64_t replayed = 0;
    qd_error err = QD_ERROR_INIT;
    qd_node_health health;
    begin(&f);
    snprintf(data, sizeof data, "%s/indices/%s/data", f.dir, qd_index_uuid(f.index));
    snprintf(aside, sizeof aside, "%s.aside", data);
    /* What is not committed is in the log only. */
    allow_files(false);
    fixture_close(&f);
    allow_files(true);
    assert_int_equal(rename(data, aside), 0);
    fixture_reopen(&f);
    assert_int_equal(qd_node_index(f.node, QD_STR("test"), &f.index, &err), QD_EINDEX_FAILED);
    assert_status_ok(qd_node_health_get(f.node, QD_STR("_all"), &health, &err), &err);
    assert_int_equal(health.unopened, 1);
    assert_int_equal(open_broken(&f, &replayed, &err), QD_EIO);
    assert_non_null(strstr(err.message, "index 'test': "));
    assert_int_equal(qd_node_index(f.node, QD_STR("test"), &f.index, &err), QD_EINDEX_FAILED);
    assert_int_equal(rename(aside, data), 0);
    assert_status_ok(open_broken(&f, &replayed, &err), &err);
    assert_int_equal(replayed, 1);
    assert_status_ok(qd_node_index(f.node, QD_STR("test"), &f.index, &err), &err);
    assert_int_equal(fixture_live_docs(&f), 2);
    fixture_put(&f, "next", "{\"n\":8}");
    assert_status_ok(qd_node_health_get(f.node, QD_STR("_all"), &health, &err), &err);
    assert_int_equal(health.unopened, 0);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heal__log_cannot_be_written__refuses_then_goes_on),
        cmocka_unit_test(test_heal__commit_fails__keeps_what_is_logged),
        cmocka_unit_test(test_heal__mapping_that_could_not_grow__grows_later),
        cmocka_unit_test(test_heal__without_a_failure__does_nothing),
        cmocka_unit_test(test_delete__of_a_failed_index__works),
        cmocka_unit_test(test_close__of_a_failed_index__loses_nothing),
        cmocka_unit_test(test_open__index_that_could_not_be_opened__is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
