/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void assert_mapping(node_fixture *f, const char *expected)
{
    char *written = fixture_mapping(f);
    assert_string_equal(written, expected);
    free(written);
}

static void test_put_mapping__adds_fields__and_survives_reopening(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    fixture_create(&f, "{\"mappings\":{\"properties\":{\"z\":{\"type\":\"long\"}}}}");
    fixture_put(&f, "1", "{\"z\":1}");
    json_t *more = fixture_json("{\"properties\":{\"a\":{\"type\":\"keyword\"}}}");
    json_t *wrong = fixture_json("{\"properties\":{\"b\":{\"type\":\"long\"},\"z\":{\"type\":\"text\"}}}");
    json_t *order = fixture_json("{\"_order\":[]}");
    assert_status_ok(qd_index_put_mapping(f.index, more, &err), &err);
    assert_status_ok(qd_index_put_mapping(f.index, more, &err), &err);
    assert_failed_with(qd_index_put_mapping(f.index, wrong, &err), &err, QD_EMAPPING,
                       "mapper [z] cannot be changed from type [long] to [text]");
    assert_int_equal(qd_index_put_mapping(f.index, order, &err), QD_EMAPPING);
    fixture_put(&f, "2", "{\"z\":2,\"a\":\"x\"}");
    for (int pass = 0; pass < 2; pass++) {
        assert_mapping(&f, "{\"properties\":{\"a\":{\"type\":\"keyword\"},\"z\":{\"type\":\"long\"}}}");
        qd_mapping *m = qd_index_mapping(f.index);
        assert_int_equal(qd_mapping_find(m, QD_STR("z"))->id, 0);
        assert_int_equal(qd_mapping_find(m, QD_STR("a"))->id, 1);
        qd_mapping_unref(m);
        fixture_assert_source(&f, "1", "{\"z\":1}");
        fixture_assert_source(&f, "2", "{\"z\":2,\"a\":\"x\"}");
        fixture_reopen(&f);
    }
    assert_int_equal(fixture_live_docs(&f), 2);
    json_decref(more);
    json_decref(wrong);
    json_decref(order);
    fixture_deinit(&f);
}

static void test_write__new_fields_of_a_batch__are_one_growth(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    fixture_create(&f, NULL);
    static const char *const SOURCES[] = {
        "{\"a\":1}", "{\"a\":2.7,\"b\":\"x\"}", "{\"a\":\"no\"}", "{\"c\":{\"d\":true}}", "{\"c\":5}", "{\"e\":[1]}"};
    qd_op ops[6];
    for (size_t i = 0; i < 6; i++)
        ops[i] = (qd_op){.type = QD_OP_INDEX,
                         .source = qd_str_of(SOURCES[i]),
                         .if_seq_no = QD_SEQ_ANY,
                         .if_primary_term = QD_SEQ_ANY};
    assert_status_ok(qd_index_write(f.index, ops, 6, &err), &err);
    static const qd_status EXPECTED[] = {QD_OK, QD_OK, QD_EMAPPING, QD_OK, QD_EMAPPING, QD_OK};
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(qd_status_name(ops[i].status), qd_status_name(EXPECTED[i]));
    assert_mapping(&f, "{\"properties\":{\"a\":{\"type\":\"long\"},\"b\":{\"type\":\"text\",\"fields\":{\"keyword\":{"
                       "\"type\":\"keyword\",\"ignore_above\":256}}},"
                       "\"c\":{\"properties\":{\"d\":{\"type\":\"boolean\"}}},\"e\":{\"type\":\"long\"}}}");
    fixture_reopen(&f);
    assert_int_equal(fixture_live_docs(&f), 4);
    fixture_deinit(&f);
}

static void test_write__field_with_a_control_character__fails_alone_and_the_index_goes_on(void **state)
{
    (void)state;
    static const char *const SOURCES[] = {"{\"a\\nb\":1}", "{\"o\":{\"\\u007f\":\"x\"}}",
                                          "{\"c\\u0085d\":{\"e\":true}}"};
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    fixture_create(&f, NULL);
    for (size_t i = 0; i < sizeof SOURCES / sizeof *SOURCES; i++) {
        qd_op op = fixture_write(&f, QD_OP_INDEX, "bad", SOURCES[i]);
        assert_string_equal(qd_status_name(op.status), qd_status_name(QD_EMAPPING));
        assert_non_null(strstr(op.error.message, "control character"));
    }
    json_t *body =
        fixture_json("{\"properties\":{\"t\":{\"type\":\"text\",\"fields\":{\"x\\ty\":{\"type\":\"keyword\"}}}}}");
    assert_int_equal(qd_index_put_mapping(f.index, body, &err), QD_EMAPPING);
    json_decref(body);
    fixture_put(&f, "good", "{\"a\":1}");
    fixture_reopen(&f);
    fixture_assert_source(&f, "good", "{\"a\":1}");
    fixture_assert_source(&f, "bad", NULL);
    fixture_deinit(&f);
}

static void test_write__fields_that_cannot_be_added__fail_alone(void **state)
{
    (void)state;
    node_fixture f;
    fixture_init(&f);
    fixture_create(&f, "{\"settings\":{\"mapping.total_fields.limit\":2}}");
    fixture_put(&f, "1", "{\"a\":1}");
    fixture_put(&f, "2", "{\"b\":1}");
    qd_op op = fixture_write(&f, QD_OP_INDEX, "3", "{\"c\":1}");
    assert_failed_with(op.status, &op.error, QD_EMAPPING, "Limit of total fields [2] has been exceeded");
    op = fixture_write(&f, QD_OP_INDEX, "4", "{\"a\":{\"x\":1}}");
    assert_int_equal(op.status, QD_EMAPPING);
    op = fixture_write(&f, QD_OP_INDEX, "5", "{\"a..b\":1}");
    assert_int_equal(op.status, QD_EMAPPING);
    fixture_put(&f, "1", "{\"a\":2,\"b\":3}");
    fixture_deinit(&f);
}

/* What a mapping ignored when a document was written must not stop the replay of that document after the mapping knows
 * better. */
static void test_growth__documents_of_before__are_not_replayed_against_it(void **state)
{
    (void)state;
    node_fixture f;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    fixture_create(&f, "{\"mappings\":{\"dynamic\":false}}");
    fixture_put(&f, "1", "{\"x\":\"not a number\"}");
    json_t *more = fixture_json("{\"properties\":{\"x\":{\"type\":\"long\"}}}");
    assert_status_ok(qd_index_put_mapping(f.index, more, &err), &err);
    qd_index_stats stats;
    qd_index_stats_get(f.index, &stats);
    assert_int_equal(stats.log_records, 0);
    qd_op op = fixture_write(&f, QD_OP_INDEX, "1", "{\"x\":\"not a number\"}");
    assert_int_equal(op.status, QD_EMAPPING);
    json_decref(more);
    fixture_deinit(&f);
}

#define THREADS 4
#define ROUNDS  12

typedef struct worker {
    node_fixture *f;
    int number;
} worker;

/* Half of the fields are everybody's, half are a thread's own. */
static void *write_new_fields(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < ROUNDS; i++) {
        qd_op ops[8];
        char sources[8][96];
        qd_error err = QD_ERROR_INIT;
        for (int k = 0; k < 8; k++) {
            snprintf(sources[k], sizeof sources[k], "{\"shared_%d\":%d,\"own\":{\"t%d_%d\":\"words %d\"}}", i, k,
                     w->number, i, k);
            ops[k] = (qd_op){.type = QD_OP_INDEX,
                             .source = qd_str_of(sources[k]),
                             .if_seq_no = QD_SEQ_ANY,
                             .if_primary_term = QD_SEQ_ANY};
        }
        if (qd_index_write(w->f->index, ops, 8, &err) != QD_OK)
            abort();
        for (int k = 0; k < 8; k++)
            if (ops[k].status != QD_OK)
                abort();
    }
    return NULL;
}

static void test_growth__many_threads__end_with_every_field(void **state)
{
    (void)state;
    node_fixture f;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    fixture_init(&f);
    fixture_create(&f, "{\"settings\":{\"refresh_interval\":\"20ms\"}}");
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){&f, i};
        pthread_create(&threads[i], NULL, write_new_fields, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int pass = 0; pass < 2; pass++) {
        qd_mapping *m = qd_index_mapping(f.index);
        assert_int_equal(m->n_fields, ROUNDS + 2 * THREADS * ROUNDS);
        qd_mapping_unref(m);
        fixture_refresh(&f);
        assert_int_equal(fixture_live_docs(&f), THREADS * ROUNDS * 8);
        fixture_reopen(&f);
    }
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_mapping__adds_fields__and_survives_reopening),
        cmocka_unit_test(test_write__new_fields_of_a_batch__are_one_growth),
        cmocka_unit_test(test_write__field_with_a_control_character__fails_alone_and_the_index_goes_on),
        cmocka_unit_test(test_write__fields_that_cannot_be_added__fail_alone),
        cmocka_unit_test(test_growth__documents_of_before__are_not_replayed_against_it),
        cmocka_unit_test(test_growth__many_threads__end_with_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
