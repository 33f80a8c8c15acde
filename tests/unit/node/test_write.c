/* SPDX-License-Identifier: Apache-2.0
 *
 * Versions, sequence numbers, conflicts, realtime reads, visibility: each once before and once after a refresh, because
 * the one comes from the version map and the other from the searcher. */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void assert_written(qd_op op, int64_t seq_no, int64_t version, bool created, bool found)
{
    assert_status_ok(op.status, &op.error);
    assert_int_equal(op.seq_no, seq_no);
    assert_int_equal(op.version, version);
    assert_int_equal(op.created, created);
    assert_int_equal(op.found, found);
}

static void versions_and_sequence_numbers(bool refreshes)
{
    node_fixture f;
    fixture_init(&f);
    fixture_create(&f, NULL);
    static const struct { qd_op_type type; const char *id; int64_t version; bool created, found; } STEPS[] = {
        {QD_OP_INDEX, "a", 1, true, false},   {QD_OP_INDEX, "a", 2, false, true},   {QD_OP_CREATE, "b", 1, true, false},
        {QD_OP_DELETE, "a", 3, false, true},  {QD_OP_DELETE, "x", 1, false, false}, {QD_OP_INDEX, "b", 2, false, true},
    };
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        assert_written(fixture_write(&f, STEPS[i].type, STEPS[i].id, STEPS[i].type == QD_OP_DELETE ? "" : "{\"n\":1}"),
                       (int64_t)i, STEPS[i].version, STEPS[i].created, STEPS[i].found);
        if (refreshes)
            fixture_refresh(&f);
    }
    fixture_assert_source(&f, "a", NULL);
    fixture_assert_source(&f, "b", "{\"n\":1}");
    fixture_refresh(&f);
    assert_int_equal(fixture_live_docs(&f), 1);
    fixture_deinit(&f);
}

static void test_write__versions_and_sequence_numbers__follow_the_operations(void **state)
{
    (void)state;
    versions_and_sequence_numbers(false);
    versions_and_sequence_numbers(true);
}

static void test_write__deleted_and_indexed_again__goes_on_counting(void **state)
{
    (void)state;
    node_fixture f;
    fixture_init(&f);
    fixture_create(&f, NULL);
    fixture_put(&f, "a", "{}");
    assert_int_equal(fixture_write(&f, QD_OP_DELETE, "a", "").version, 2);
    assert_written(fixture_write(&f, QD_OP_CREATE, "a", "{}"), 2, 3, true, false);
    fixture_deinit(&f);
}

static qd_op write_if(node_fixture *f, qd_op_type type, const char *id, int64_t seq_no, int64_t term)
{
    qd_op op = {
        .type = type, .id = qd_str_of(id), .source = QD_STR("{}"), .if_seq_no = seq_no, .if_primary_term = term};
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_index_write(f->index, &op, 1, &err), &err);
    return op;
}

static void test_write__conflicts__are_refused_and_change_nothing(void **state)
{
    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        node_fixture f;
        fixture_init(&f);
        fixture_create(&f, NULL);
        fixture_put(&f, "a", "{\"v\":1}");
        fixture_put(&f, "a", "{\"v\":2}");
        if (pass == 1)
            fixture_refresh(&f);
        qd_op op = fixture_write(&f, QD_OP_CREATE, "a", "{}");
        assert_failed_with(op.status, &op.error, QD_ECONFLICT,
                           "[a]: version conflict, document already exists (current version [2])");
        op = write_if(&f, QD_OP_INDEX, "a", 0, 1);
        assert_failed_with(op.status, &op.error, QD_ECONFLICT,
                           "[a]: version conflict, required seqNo [0], primary term [1]. current document has seqNo "
                           "[1] and primary term [1]");
        op = write_if(&f, QD_OP_DELETE, "a", 1, 2);
        assert_failed_with(op.status, &op.error, QD_ECONFLICT,
                           "[a]: version conflict, required seqNo [1], primary term [2]. current document has seqNo "
                           "[1] and primary term [1]");
        op = write_if(&f, QD_OP_INDEX, "none", 1, 1);
        assert_failed_with(op.status, &op.error, QD_ECONFLICT,
                           "[none]: version conflict, required seqNo [1], primary term [1]. but no document was found");
        fixture_assert_source(&f, "a", "{\"v\":2}");
        assert_written(write_if(&f, QD_OP_INDEX, "a", 1, 1), 2, 3, false, true);
        fixture_deinit(&f);
    }
}

static void test_write__batch__sees_its_own_operations_in_order(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    fixture_create(&f, "{\"mappings\":{\"properties\":{\"n\":{\"type\":\"integer\"}}}}");
    qd_op ops[6];
    static const struct { qd_op_type type; const char *id, *source; } STEPS[] = {
        {QD_OP_INDEX, "a", "{\"n\":1}"},  {QD_OP_CREATE, "a", "{\"n\":2}"}, {QD_OP_INDEX, "b", "{\"n\":\"bad\"}"},
        {QD_OP_DELETE, "a", ""},          {QD_OP_INDEX, "", "{\"n\":3}"},   {QD_OP_INDEX, "c", "{\"n\":"},
    };
    for (size_t i = 0; i < 6; i++)
        ops[i] = (qd_op){.type = STEPS[i].type, .id = qd_str_of(STEPS[i].id), .source = qd_str_of(STEPS[i].source),
                         .if_seq_no = QD_SEQ_ANY, .if_primary_term = QD_SEQ_ANY};
    assert_status_ok(qd_index_write(f.index, ops, 6, &err), &err);
    assert_written(ops[0], 0, 1, true, false);
    assert_int_equal(ops[1].status, QD_ECONFLICT);
    assert_int_equal(ops[2].status, QD_EMAPPING);
    assert_string_equal(
        ops[2].error.message,
        "failed to parse field [n] of type [integer] in document with id 'b'. Preview of field's value: 'bad': "
        "For input string: \"bad\"");
    assert_written(ops[3], 1, 2, false, true);
    assert_written(ops[4], 2, 1, true, false);
    assert_int_equal(ops[4].result_id.n, 20);
    assert_int_equal(ops[5].status, QD_EPARSE);
    fixture_refresh(&f);
    assert_int_equal(fixture_live_docs(&f), 1);
    fixture_deinit(&f);
}

static void test_write__bad_operations__are_refused_each(void **state)
{
    (void)state;
    node_fixture f;
    char id[520];
    fixture_init(&f);
    fixture_create(&f, NULL);
    memset(id, 'i', 513);
    id[513] = '\0';
    qd_op op = fixture_write(&f, QD_OP_INDEX, id, "{}");
    assert_int_equal(op.status, QD_EINVAL);
    assert_non_null(strstr(op.error.message, "is too long, must be no longer than 512 bytes but was: 513"));
    op = fixture_write(&f, QD_OP_DELETE, "", "");
    assert_failed_with(op.status, &op.error, QD_EINVAL, "Validation Failed: 1: id is missing;");
    op = fixture_write(&f, QD_OP_INDEX, "\xC3", "{}");
    assert_failed_with(op.status, &op.error, QD_EINVAL, "a document's id must be UTF-8");
    op = fixture_write(&f, QD_OP_INDEX, "a", "");
    assert_int_equal(op.status, QD_EPARSE);
    op = fixture_write(&f, QD_OP_INDEX, "a", "[1]");
    assert_failed_with(op.status, &op.error, QD_EMAPPING, "failed to parse: a document must be a JSON object");
    fixture_deinit(&f);
}

static void test_get__before_and_after_refresh__is_realtime(void **state)
{
    (void)state;
    node_fixture f;
    int64_t version = 0;
    fixture_init(&f);
    fixture_create(&f, NULL);
    fixture_put(&f, "a", "{\"v\":1}");
    assert_int_equal(fixture_live_docs(&f), 0);
    fixture_assert_source(&f, "a", "{\"v\":1}");
    fixture_refresh(&f);
    assert_int_equal(fixture_live_docs(&f), 1);
    fixture_put(&f, "a", "{\"v\":2}");
    free(fixture_get(&f, "a", &version));
    assert_int_equal(version, 2);
    fixture_assert_source(&f, "a", "{\"v\":2}");
    fixture_refresh(&f);
    fixture_assert_source(&f, "a", "{\"v\":2}");
    fixture_write(&f, QD_OP_DELETE, "a", "");
    fixture_assert_source(&f, "a", NULL);
    fixture_refresh(&f);
    fixture_assert_source(&f, "a", NULL);
    fixture_deinit(&f);
}

static void test_refresh__by_interval__happens_by_itself(void **state)
{
    (void)state;
    node_fixture f;
    fixture_init(&f);
    fixture_create(&f, "{\"settings\":{\"refresh_interval\":\"50ms\"}}");
    fixture_put(&f, "a", "{}");
    qd_index_stats stats;
    for (stats.log_records = 1; stats.log_records > 0; usleep(1000)) /* trimming it is the last step */
        qd_index_stats_get(f.index, &stats);
    assert_int_equal(stats.refresh_total, 1);
    assert_int_equal(fixture_live_docs(&f), 1);
    fixture_deinit(&f);
}

/* What waits for a refresh is bounded even where refreshing is turned off. */
static void test_refresh__much_waiting__is_forced(void **state)
{
    (void)state;
    node_fixture f;
    qd_index_stats stats;
    size_t n = (size_t)1 << 20;
    fixture_init(&f);
    f.options.max_log_bytes = (size_t)16 << 20; /* an eighth of it is much */
    fixture_reopen(&f);
    fixture_create(&f, "{\"mappings\":{\"dynamic\":false}}");
    char *source = malloc(n + 16);
    int start = sprintf(source, "{\"x\":\"");
    memset(source + start, 'x', n);
    strcpy(source + (size_t)start + n, "\"}");
    for (int i = 0; i < 32; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        fixture_put(&f, id, source);
    }
    qd_index_stats_get(f.index, &stats);
    assert_true(stats.refresh_total >= 4);
    qd_op op = {.type = QD_OP_INDEX,
                .source = {source, (size_t)5 << 20},
                .if_seq_no = QD_SEQ_ANY,
                .if_primary_term = QD_SEQ_ANY};
    qd_error err = QD_ERROR_INIT;
    assert_int_equal(qd_index_write(f.index, &op, 1, &err),
                     QD_ETOOLARGE); /* its length is looked at before its bytes */
    free(source);
    fixture_deinit(&f);
}

static void test_stats__count_what_was_done(void **state)
{
    (void)state;
    node_fixture f;
    qd_index_stats stats;
    fixture_init(&f);
    fixture_create(&f, NULL);
    qd_index_stats_get(f.index, &stats);
    assert_int_equal(stats.max_seq_no, -1);
    fixture_put(&f, "a", "{}");
    fixture_put(&f, "b", "{}");
    fixture_write(&f, QD_OP_DELETE, "a", "");
    qd_index_count_search(f.index, 500);
    qd_index_stats_get(f.index, &stats);
    assert_int_equal(stats.docs, 0);
    assert_int_equal(stats.indexed_total, 2);
    assert_int_equal(stats.deleted_total, 1);
    assert_int_equal(stats.log_records, 3);
    assert_int_equal(stats.max_seq_no, 2);
    assert_int_equal(stats.search_total, 1);
    assert_int_equal(stats.search_ns, 500);
    fixture_refresh(&f);
    qd_index_stats_get(f.index, &stats);
    assert_int_equal(stats.docs, 1);
    assert_int_equal(stats.log_records, 0);
    assert_true(stats.size_bytes > 0);
    fixture_deinit(&f);
}

/* ---- many threads ---- */

#define THREADS 4
#define ROUNDS  50

typedef struct worker {
    node_fixture *f;
    int number;
    atomic_bool *stop;
    int succeeded;
} worker;

/* Every thread counts the same document up with if_seq_no: what succeeds must be seen by the next read. */
static void *count_up(void *arg)
{
    worker *w = arg;
    for (int done = 0; done < ROUNDS;) {
        qd_get_result got = {0};
        qd_error err = QD_ERROR_INIT;
        char source[64];
        if (qd_index_get(w->f->index, QD_STR("counter"), &got, &err) != QD_OK || !got.found)
            abort();
        int value = atoi(got.source + strlen("{\"n\":"));
        snprintf(source, sizeof source, "{\"n\":%d}", value + 1);
        free(got.source);
        qd_op op = {.type = QD_OP_INDEX,
                    .id = QD_STR("counter"),
                    .source = qd_str_of(source),
                    .if_seq_no = got.seq_no,
                    .if_primary_term = 1};
        if (qd_index_write(w->f->index, &op, 1, &err) != QD_OK)
            abort();
        done += op.status == QD_OK;
    }
    return NULL;
}

static void *refresh_often(void *arg)
{
    worker *w = arg;
    while (!atomic_load(w->stop)) {
        if (qd_index_refresh(w->f->index, NULL) != QD_OK)
            abort();
        usleep(2000);
    }
    return NULL;
}

static void test_write__many_threads_and_refreshes__lose_no_update(void **state)
{
    (void)state;
    node_fixture f;
    atomic_bool stop = false;
    pthread_t threads[THREADS], refresher;
    worker workers[THREADS];
    char expected[32];
    fixture_init(&f);
    fixture_create(&f, NULL);
    fixture_put(&f, "counter", "{\"n\":0}");
    worker r = {&f, 0, &stop, 0};
    pthread_create(&refresher, NULL, refresh_often, &r);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){&f, i, &stop, 0};
        pthread_create(&threads[i], NULL, count_up, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&stop, true);
    pthread_join(refresher, NULL);
    snprintf(expected, sizeof expected, "{\"n\":%d}", THREADS * ROUNDS);
    fixture_assert_source(&f, "counter", expected);
    int64_t version = 0;
    free(fixture_get(&f, "counter", &version));
    assert_int_equal(version, THREADS * ROUNDS + 1);
    fixture_refresh(&f);
    assert_int_equal(fixture_live_docs(&f), 1);
    fixture_deinit(&f);
}

/* ---- a log that is small for what is written ---- */

#define LARGE_BYTES  ((size_t)3500 << 10)
#define LARGE_ROUNDS 4
#define WRITERS      12

static void *write_large(void *arg)
{
    worker *w = arg;
    char *source = malloc(LARGE_BYTES);
    memset(source, 'x', LARGE_BYTES);
    memcpy(source, "{\"s\":\"", 6);
    memcpy(source + LARGE_BYTES - 2, "\"}", 2);
    for (int i = 0; i < LARGE_ROUNDS; i++) {
        qd_op op = {.type = QD_OP_INDEX,
                    .source = {source, LARGE_BYTES},
                    .if_seq_no = QD_SEQ_ANY,
                    .if_primary_term = QD_SEQ_ANY};
        qd_error err = QD_ERROR_INIT;
        w->succeeded += qd_index_write(w->f->index, &op, 1, &err) == QD_OK && op.status == QD_OK;
    }
    free(source);
    return NULL;
}

static void test_write__more_at_once_than_the_log_holds__waits_for_room(void **state)
{
    (void)state;
    node_fixture f;
    pthread_t threads[WRITERS];
    worker workers[WRITERS];
    fixture_init(&f);
    f.options.max_log_bytes = (size_t)16 << 20;
    fixture_reopen(&f);
    fixture_create(&f, "{\"mappings\":{\"dynamic\":false}}");
    for (int i = 0; i < WRITERS; i++) {
        workers[i] = (worker){&f, i, NULL, 0};
        pthread_create(&threads[i], NULL, write_large, &workers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].succeeded, LARGE_ROUNDS);
    }
    assert_string_equal(f.log, "");
    fixture_refresh(&f);
    assert_int_equal(fixture_live_docs(&f), WRITERS * LARGE_ROUNDS);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write__versions_and_sequence_numbers__follow_the_operations),
        cmocka_unit_test(test_write__deleted_and_indexed_again__goes_on_counting),
        cmocka_unit_test(test_write__conflicts__are_refused_and_change_nothing),
        cmocka_unit_test(test_write__batch__sees_its_own_operations_in_order),
        cmocka_unit_test(test_write__bad_operations__are_refused_each),
        cmocka_unit_test(test_get__before_and_after_refresh__is_realtime),
        cmocka_unit_test(test_refresh__by_interval__happens_by_itself),
        cmocka_unit_test(test_refresh__much_waiting__is_forced),
        cmocka_unit_test(test_stats__count_what_was_done),
        cmocka_unit_test(test_write__many_threads_and_refreshes__lose_no_update),
        cmocka_unit_test(test_write__more_at_once_than_the_log_holds__waits_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
