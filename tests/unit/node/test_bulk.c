/* SPDX-License-Identifier: Apache-2.0
 *
 * The answers of _bulk, member by member as OpenSearch has them. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "node/bulk.h"

/* Runs a body that is done, and gives the parsed answer with `took` taken out. */
static json_t *run(node_fixture *f, const char *body, const char *default_index, bool refresh)
{
    qd_bulk_request rq = {qd_str_of(body), qd_str_of(default_index), refresh};
    qd_buf buf;
    qd_json w;
    qd_error err = QD_ERROR_INIT;
    qd_buf_init(&buf, 64u << 20);
    qd_json_init(&w, &buf, false);
    assert_status_ok(qd_bulk_run(f->node, &rq, &w, &err), &err);
    json_t *answer = json_loadb(buf.p, buf.n, 0, NULL);
    assert_non_null(answer);
    assert_true(json_is_integer(json_object_get(answer, "took")));
    qd_buf_deinit(&buf);
    return answer;
}

static void assert_item(const json_t *answer, size_t i, const char *expected)
{
    char *got = json_dumps(json_array_get(json_object_get(answer, "items"), i), JSON_COMPACT);
    assert_string_equal(got, expected);
    free(got);
}

#define SHARDS "\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}"

static void test_bulk__every_outcome__has_opensearchs_shape(void **state)
{
    (void)state;
    node_fixture f;
    char expected[1024];
    fixture_init(&f);
    fixture_create(&f, "{\"mappings\":{\"properties\":{\"n\":{\"type\":\"integer\"}}}}");
    json_t *answer = run(&f,
                         "{\"index\":{\"_id\":\"1\"}}\n{\"n\":1}\n"
                         "{\"index\":{\"_id\":\"1\"}}\n{\"n\":2}\n"
                         "{\"create\":{\"_id\":\"1\"}}\n{\"n\":3}\n"
                         "{\"delete\":{\"_id\":\"1\"}}\n"
                         "{\"delete\":{\"_id\":\"9\"}}\n"
                         "{\"index\":{\"_id\":\"2\"}}\n{\"n\":\"x\"}\n"
                         "{\"index\":{\"_id\":\"3\"}}\n{\"n\":\n"
                         "{\"update\":{\"_id\":\"1\"}}\n{\"doc\":{}}\n"
                         "{\"delete\":{\"_index\":\"absent\",\"_id\":\"1\"}}\n"
                         "{\"index\":{\"_index\":\"Bad\",\"_id\":\"1\"}}\n{}\n",
                         "test", false);
    assert_true(json_is_true(json_object_get(answer, "errors")));
    assert_int_equal(json_array_size(json_object_get(answer, "items")), 10);
    assert_item(answer, 0,
                "{\"index\":{\"_index\":\"test\",\"_id\":\"1\",\"_version\":1,\"result\":\"created\"," SHARDS
                ",\"_seq_no\":0,\"_primary_term\":1,\"status\":201}}");
    assert_item(answer, 1,
                "{\"index\":{\"_index\":\"test\",\"_id\":\"1\",\"_version\":2,\"result\":\"updated\"," SHARDS
                ",\"_seq_no\":1,\"_primary_term\":1,\"status\":200}}");
    snprintf(expected, sizeof expected,
             "{\"create\":{\"_index\":\"test\",\"_id\":\"1\",\"status\":409,\"error\":{\"type\":\"version_conflict_"
             "engine_exception\",\"reason\":\"[1]: version "
             "conflict, document already exists (current version "
             "[2])\",\"index\":\"test\",\"shard\":\"0\",\"index_uuid\":\"%s\"}}}",
             qd_index_uuid(f.index));
    assert_item(answer, 2, expected);
    assert_item(answer, 3,
                "{\"delete\":{\"_index\":\"test\",\"_id\":\"1\",\"_version\":3,\"result\":\"deleted\"," SHARDS
                ",\"_seq_no\":2,\"_primary_term\":1,\"status\":200}}");
    assert_item(answer, 4,
                "{\"delete\":{\"_index\":\"test\",\"_id\":\"9\",\"_version\":1,\"result\":\"not_found\"," SHARDS
                ",\"_seq_no\":3,\"_primary_term\":1,\"status\":404}}");
    assert_item(answer, 5,
                "{\"index\":{\"_index\":\"test\",\"_id\":\"2\",\"status\":400,\"error\":{\"type\":\"mapper_parsing_"
                "exception\",\"reason\":\"failed to parse "
                "field [n] of type [integer] in document with id '2'. Preview of field's value: 'x': For input string: "
                "\\\"x\\\"\"}}}");
    const json_t *malformed =
        json_object_get(json_object_get(json_array_get(json_object_get(answer, "items"), 6), "index"), "error");
    assert_string_equal(json_string_value(json_object_get(malformed, "type")), "mapper_parsing_exception");
    assert_non_null(
        strstr(json_string_value(json_object_get(malformed, "reason")), "malformed JSON at line 1, column 5"));
    assert_item(answer, 7,
                "{\"update\":{\"_index\":\"test\",\"_id\":\"1\",\"status\":400,\"error\":{\"type\":\"illegal_argument_"
                "exception\",\"reason\":\"update is not "
                "supported yet\"}}}");
    assert_item(answer, 8,
                "{\"delete\":{\"_index\":\"absent\",\"_id\":\"1\",\"status\":404,\"error\":{\"type\":\"index_not_found_"
                "exception\",\"reason\":\"no such index "
                "[absent]\",\"index\":\"absent\",\"index_uuid\":\"_na_\"}}}");
    assert_item(answer, 9,
                "{\"index\":{\"_index\":\"Bad\",\"_id\":\"1\",\"status\":400,\"error\":{\"type\":\"invalid_index_name_"
                "exception\",\"reason\":\"Invalid index "
                "name [Bad], must be lowercase\"}}}");
    json_decref(answer);
    fixture_deinit(&f);
}

static void test_bulk__several_indices_and_refresh__answer_in_order(void **state)
{
    (void)state;
    node_fixture f;
    fixture_init(&f);
    json_t *answer = run(&f,
                         "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"x\":1}\n{\"index\":{\"_index\":\"b\",\"_"
                         "id\":\"1\"}}\n{\"x\":1}\n"
                         "{\"index\":{\"_index\":\"a\"}}\n{\"x\":2}\n",
                         "", true);
    assert_true(json_is_false(json_object_get(answer, "errors")));
    assert_item(answer, 1,
                "{\"index\":{\"_index\":\"b\",\"_id\":\"1\",\"_version\":1,\"result\":\"created\",\"forced_refresh\":"
                "true," SHARDS ",\"_seq_no\":0,\"_primary_term\":1,\"status\":201}}");
    const json_t *third = json_object_get(json_array_get(json_object_get(answer, "items"), 2), "index");
    assert_int_equal(json_integer_value(json_object_get(third, "_seq_no")), 1);
    assert_int_equal(json_string_length(json_object_get(third, "_id")), 20);
    static const struct { const char *name; uint64_t docs; } EXPECTED[] = {{"a", 2}, {"b", 1}};
    for (size_t i = 0; i < 2; i++) {
        qd_index_stats stats;
        qd_error err = QD_ERROR_INIT;
        assert_status_ok(qd_node_index(f.node, qd_str_of(EXPECTED[i].name), &f.index, &err), &err);
        qd_index_stats_get(f.index, &stats);
        assert_int_equal(stats.docs, EXPECTED[i].docs);
        qd_index_unref(f.index);
    }
    f.index = NULL;
    json_decref(answer);
    fixture_deinit(&f);
}

static void test_bulk__more_items_than_a_chunk__all_run(void **state)
{
    (void)state;
    node_fixture f;
    qd_buf body;
    fixture_init(&f);
    fixture_create(&f, NULL);
    qd_buf_init(&body, 64u << 20);
    for (int i = 0; i < 20000; i++)
        qd_buf_addf(&body, "{\"index\":{\"_id\":\"%d\"}}\n{\"n\":%d}\n", i % 15000, i);
    qd_buf_add_char(&body, '\0');
    json_t *answer = run(&f, body.p, "test", true);
    assert_true(json_is_false(json_object_get(answer, "errors")));
    const json_t *items = json_object_get(answer, "items");
    assert_int_equal(json_array_size(items), 20000);
    for (size_t i = 0; i < 20000; i += 777) {
        const json_t *item = json_object_get(json_array_get(items, i), "index");
        assert_int_equal(json_integer_value(json_object_get(item, "_seq_no")), i);
        assert_int_equal(json_integer_value(json_object_get(item, "_version")), i < 15000 ? 1 : 2);
    }
    assert_int_equal(fixture_live_docs(&f), 15000);
    qd_buf_deinit(&body);
    json_decref(answer);
    fixture_deinit(&f);
}

static void test_bulk__malformed_action__does_nothing(void **state)
{
    (void)state;
    node_fixture f;
    qd_buf buf;
    qd_json w;
    qd_error err = QD_ERROR_INIT;
    fixture_init(&f);
    fixture_create(&f, NULL);
    qd_bulk_request rq = {QD_STR("{\"index\":{\"_id\":\"1\"}}\n{}\nnonsense\n{}\n"), QD_STR("test"), false};
    qd_buf_init(&buf, 1 << 20);
    qd_json_init(&w, &buf, false);
    assert_int_equal(qd_bulk_run(f.node, &rq, &w, &err), QD_EPARSE);
    assert_int_equal(err.line, 3);
    assert_int_equal(buf.n, 0);
    fixture_assert_source(&f, "1", NULL);
    qd_buf_deinit(&buf);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk__every_outcome__has_opensearchs_shape),
        cmocka_unit_test(test_bulk__several_indices_and_refresh__answer_in_order),
        cmocka_unit_test(test_bulk__more_items_than_a_chunk__all_run),
        cmocka_unit_test(test_bulk__malformed_action__does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
