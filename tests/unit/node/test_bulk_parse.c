/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_qd.h"

#include <stdlib.h>

#include "node/bulk_parse.h"
#include "node/index.h"

typedef struct parsed {
    qd_arena *arena;
    qd_bulk_item *items;
    size_t n;
} parsed;

static parsed parse(const char *body)
{
    parsed p = {.arena = qd_arena_new(1 << 20)};
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_bulk_parse(qd_str_of(body), QD_STR("d"), p.arena, &p.items, &p.n, &err), &err);
    return p;
}

static void parsed_deinit(parsed *p)
{
    free(p->items);
    qd_arena_free(p->arena);
}

static void test_parse__usual_lines__give_items(void **state)
{
    (void)state;
    parsed p = parse("{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n"
                     "{ \"create\" : { \"_index\" : \"x\", \"_id\":\"2\" } } \r\n{}\r\n"
                     "{\"delete\":{\"_id\":\"3\"}}\n\n{\"index\":{}}\n {}\n"
                     "{\"update\":{\"_id\":\"4\"}}\n{\"doc\":{}}\n");
    static const struct { qd_bulk_action action; const char *index, *id, *source; } EXPECTED[] = {
        {QD_BULK_INDEX, "d", "1", "{\"a\":1}"}, {QD_BULK_CREATE, "x", "2", "{}"}, {QD_BULK_DELETE, "d", "3", ""},
        {QD_BULK_INDEX, "d", "", " {}"},        {QD_BULK_UPDATE, "d", "4", "{\"doc\":{}}"},
    };
    assert_int_equal(p.n, 5);
    for (size_t i = 0; i < p.n; i++) {
        assert_int_equal(p.items[i].action, EXPECTED[i].action);
        assert_str_equal(p.items[i].index, EXPECTED[i].index);
        assert_str_equal(p.items[i].id, EXPECTED[i].id);
        assert_str_equal(p.items[i].source, EXPECTED[i].source);
        assert_true(p.items[i].if_seq_no == QD_SEQ_ANY);
        assert_int_equal(p.items[i].refused != NULL, p.items[i].action == QD_BULK_UPDATE);
    }
    parsed_deinit(&p);
}

static void test_parse__every_other_line__goes_through_json(void **state)
{
    (void)state;
    parsed p = parse("{\"index\":{\"_id\":7,\"routing\":\"r\",\"if_seq_no\":3,\"if_primary_term\":1}}\n{}\n"
                     "{\"index\":{\"_id\":\"\\u00e4\\\"\",\"op_type\":\"create\",\"require_alias\":false}}\n{}\n"
                     "{\"index\":{\"_id\":\"\"}}\n{}\n"
                     "{\"delete\":{\"_id\":\"1\",\"version\":5,\"version_type\":\"external\"}}\n"
                     "{\"index\":{\"_id\":null,\"pipeline\":\"p\"}}\n{}\n"
                     "{\"index\":{\"_id\":\"1\",\"if_seq_no\":3}}\n{}\n");
    assert_int_equal(p.n, 6);
    assert_str_equal(p.items[0].id, "7");
    assert_int_equal(p.items[0].if_seq_no, 3);
    assert_int_equal(p.items[0].if_primary_term, 1);
    assert_null(p.items[0].refused);
    assert_str_equal(p.items[1].id, "ä\"");
    assert_int_equal(p.items[1].action, QD_BULK_CREATE);
    assert_string_equal(p.items[2].refused, "if _id is specified it must not be empty");
    assert_string_equal(p.items[3].refused,
                        "versions given from outside are not supported yet: use if_seq_no and if_primary_term");
    assert_string_equal(p.items[4].refused, "ingest pipelines are not supported yet");
    assert_string_equal(p.items[5].refused,
                        "Validation Failed: 1: if_seq_no and if_primary_term must be given together;");
    parsed_deinit(&p);
}

static void test_parse__bad_bodies__are_refused_whole(void **state)
{
    (void)state;
    static const struct { const char *body; qd_status code; const char *message;
    } CASES[] = {
        {"", QD_EPARSE, "request body is required"},
        {"\n\n", QD_EINVAL, "Validation Failed: 1: no requests added;"},
        {"{\"index\":{}}\n{}", QD_EINVAL, "The bulk request must be terminated by a newline [\\n]"},
        {"{\"index\":{}}\n{}\n[]\n", QD_EPARSE,
         "Malformed action/metadata line [3], expected START_OBJECT but found [an array]"},
        {"{}\n", QD_EPARSE, "Malformed action/metadata line [1], expected FIELD_NAME but found [END_OBJECT]"},
        {"{\"upsert\":{}}\n", QD_EPARSE,
         "Malformed action/metadata line [1], expected field [create], [delete], [index] or [update] but found "
         "[upsert]"},
        {"{\"index\":5}\n{}\n", QD_EPARSE,
         "Malformed action/metadata line [1], expected START_OBJECT but found [a number]"},
        {"{\"index\":{},\"create\":{}}\n{}\n", QD_EPARSE,
         "Malformed action/metadata line [1], expected END_OBJECT but found [FIELD_NAME]"},
        {"{\"index\":{\"_id\":{}}}\n{}\n", QD_EPARSE,
         "Malformed action/metadata line [1], expected a simple value for field [_id] but found [an object]"},
        {"{\"index\":{\"foo\":1}}\n{}\n", QD_EPARSE, "Action/metadata line [1] contains an unknown parameter [foo]"},
        {"{\"index\":{\"if_seq_no\":\"x\"}}\n{}\n", QD_EPARSE,
         "Malformed action/metadata line [1], expected a whole number for field [if_seq_no] but found [a string]"},
        {"{\"index\":{}}\n", QD_EPARSE,
         "Malformed bulk request: the action in line [1] needs a source in the next line, and there is none"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_arena *arena = qd_arena_new(1 << 20);
        qd_bulk_item *items = NULL;
        size_t n = 0;
        qd_error err = QD_ERROR_INIT;
        assert_failed_with(qd_bulk_parse(qd_str_of(CASES[i].body), QD_STR("d"), arena, &items, &n, &err), &err,
                           CASES[i].code, CASES[i].message);
        assert_null(items);
        qd_arena_free(arena);
    }
}

static void test_parse__malformed_json_in_line_3__names_it(void **state)
{
    (void)state;
    qd_arena *arena = qd_arena_new(1 << 20);
    qd_bulk_item *items = NULL;
    size_t n = 0;
    qd_error err = QD_ERROR_INIT;
    assert_int_equal(
        qd_bulk_parse(QD_STR("{\"index\":{}}\n{}\n{\"index\":{]}\n{}\n"), QD_STR("d"), arena, &items, &n, &err),
        QD_EPARSE);
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 11);
    assert_non_null(strstr(err.message, "Malformed action/metadata line [3]: malformed JSON"));
    assert_int_equal(qd_bulk_parse(QD_STR("{\"index\":{}}\n{}\n"), (qd_str){"", 0}, arena, &items, &n, &err),
                     QD_EINVAL);
    assert_string_equal(err.message, "Validation Failed: 1: index is missing;");
    qd_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__usual_lines__give_items),
        cmocka_unit_test(test_parse__every_other_line__goes_through_json),
        cmocka_unit_test(test_parse__bad_bodies__are_refused_whole),
        cmocka_unit_test(test_parse__malformed_json_in_line_3__names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
