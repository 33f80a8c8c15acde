/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_qd.h"

#include <stdio.h>
#include <stdlib.h>

#include "index/mapping.h"

static qd_mapping *mapping_of(const char *body)
{
    json_t *json = NULL;
    qd_mapping *m = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(body), &json, &err), &err);
    assert_status_ok(qd_mapping_new(json, 1000, &m, &err), &err);
    json_decref(json);
    return m;
}

static void assert_refused(const char *body, const char *message)
{
    json_t *json = NULL;
    qd_mapping *m = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(body), &json, &err), &err);
    assert_failed_with(qd_mapping_new(json, 1000, &m, &err), &err, QD_EMAPPING, message);
    assert_null(m);
    json_decref(json);
}

static void assert_written(const qd_mapping *m, bool with_order, const char *expected)
{
    qd_buf buf;
    qd_json w;
    qd_buf_init(&buf, 1 << 20);
    qd_json_init(&w, &buf, false);
    qd_mapping_write(m, &w, with_order);
    assert_str_equal(qd_buf_str(&buf), expected);
    qd_buf_deinit(&buf);
}

static const char EVERY_TYPE[] =
    "{\"properties\":{\"title\":{\"type\":\"text\",\"analyzer\":\"standard\",\"fields\":{\"keyword\":{\"type\":"
    "\"keyword\",\"ignore_above\":256}}},"
    "\"vendor\":{\"properties\":{\"name\":{\"type\":\"keyword\"},\"at\":{\"type\":\"geo_point\"}}},"
    "\"price\":{\"type\":\"integer\"},\"stock\":{\"type\":\"long\",\"index\":false},\"rating\":{\"type\":\"double\","
    "\"doc_values\":true},"
    "\"weight\":{\"type\":\"float\",\"store\":false},\"is_new\":{\"type\":\"boolean\"},"
    "\"added\":{\"type\":\"date\",\"format\":\"strict_date_optional_time||epoch_millis\"},\"dotted.path.x\":{\"type\":"
    "\"long\"}}}";

static void test_new__every_type__gives_ids_in_order(void **state)
{
    (void)state;
    qd_mapping *m = mapping_of(EVERY_TYPE);
    static const struct { const char *path; qd_field_type type; uint32_t id; } EXPECTED[] = {
        {"title", QD_FIELD_TEXT, 0},      {"title.keyword", QD_FIELD_KEYWORD, 1}, {"vendor.name", QD_FIELD_KEYWORD, 2},
        {"vendor.at", QD_FIELD_GEO_POINT, 3}, {"price", QD_FIELD_INTEGER, 5},     {"stock", QD_FIELD_LONG, 6},
        {"rating", QD_FIELD_DOUBLE, 7},   {"weight", QD_FIELD_FLOAT, 8},          {"is_new", QD_FIELD_BOOLEAN, 9},
        {"added", QD_FIELD_DATE, 10},     {"dotted.path.x", QD_FIELD_LONG, 11},
    };
    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++) {
        const qd_field *f = qd_mapping_find(m, qd_str_of(EXPECTED[i].path));
        assert_non_null(f);
        assert_int_equal(f->type, EXPECTED[i].type);
        assert_int_equal(f->id, EXPECTED[i].id);
    }
    assert_int_equal(m->n_ids, 12);
    assert_int_equal(m->n_fields, sizeof EXPECTED / sizeof *EXPECTED);
    const qd_field *title = qd_mapping_find(m, QD_STR("title"));
    assert_false(title->has_column);
    assert_ptr_equal(title->next_sub, qd_mapping_find(m, QD_STR("title.keyword")));
    assert_true(title->next_sub->is_sub_field);
    assert_int_equal(title->next_sub->ignore_above, 256);
    assert_false(qd_mapping_find(m, QD_STR("stock"))->indexed);
    assert_non_null(qd_map_get(m->objects, QD_STR("vendor")));
    assert_non_null(qd_map_get(m->objects, QD_STR("dotted.path")));
    assert_null(qd_mapping_find(m, QD_STR("vendor")));
    qd_mapping_unref(m);
}

static void test_write__every_type__sorted_and_nested(void **state)
{
    (void)state;
    qd_mapping *m = mapping_of(EVERY_TYPE);
    assert_written(
        m, false,
        "{\"properties\":{\"added\":{\"type\":\"date\"},"
        "\"dotted\":{\"properties\":{\"path\":{\"properties\":{\"x\":{\"type\":\"long\"}}}}},"
        "\"is_new\":{\"type\":\"boolean\"},\"price\":{\"type\":\"integer\"},\"rating\":{\"type\":\"double\"},"
        "\"stock\":{\"type\":\"long\",\"index\":false},"
        "\"title\":{\"type\":\"text\",\"fields\":{\"keyword\":{\"type\":\"keyword\",\"ignore_above\":256}}},"
        "\"vendor\":{\"properties\":{\"at\":{\"type\":\"geo_point\"},\"name\":{\"type\":\"keyword\"}}},"
        "\"weight\":{\"type\":\"float\"}}}");
    qd_mapping_unref(m);
}

static void test_write__names_that_extend_each_other__stay_apart(void **state)
{
    (void)state;
    qd_mapping *m = mapping_of("{\"dynamic\":\"strict\",\"properties\":{\"a-b\":{\"type\":\"long\"},\"a\":{"
                               "\"properties\":{\"c\":{\"type\":\"long\"}}},"
                               "\"ab\":{\"type\":\"object\"},\"a b\":{\"type\":\"date\"}}}");
    assert_written(m, false,
                   "{\"dynamic\":\"strict\",\"properties\":{\"a\":{\"properties\":{\"c\":{\"type\":\"long\"}}},\"a "
                   "b\":{\"type\":\"date\"},"
                   "\"a-b\":{\"type\":\"long\"},\"ab\":{\"type\":\"object\"}}}");
    qd_mapping_unref(m);
    m = mapping_of("{}");
    assert_written(m, false, "{}");
    qd_mapping_unref(m);
}

static void test_order__written_and_read_back__keeps_ids(void **state)
{
    (void)state;
    json_t *more = NULL, *persisted = NULL;
    qd_error err = QD_ERROR_INIT;
    qd_mapping *m = mapping_of("{\"properties\":{\"z\":{\"type\":\"geo_point\"},\"b\":{\"type\":\"text\"}}}"),
               *grown = NULL, *back = NULL;
    qd_buf buf;
    qd_json w;
    assert_status_ok(qd_json_parse(QD_STR("{\"properties\":{\"a\":{\"type\":\"long\"},\"b\":{\"type\":\"text\","
                                          "\"fields\":{\"raw\":{\"type\":\"keyword\"}}}}}"),
                                   &more, &err),
                     &err);
    assert_status_ok(qd_mapping_merge(m, more, &grown, &err), &err);
    assert_ptr_not_equal(m, grown);
    qd_buf_init(&buf, 1 << 20);
    qd_json_init(&w, &buf, false);
    qd_mapping_write(grown, &w, true);
    assert_status_ok(qd_json_parse(qd_buf_str(&buf), &persisted, &err), &err);
    assert_status_ok(qd_mapping_new(persisted, 1000, &back, &err), &err);
    static const struct { const char *path; uint32_t id; } EXPECTED[] = {{"z", 0}, {"b", 2}, {"a", 3}, {"b.raw", 4}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(qd_mapping_find(grown, qd_str_of(EXPECTED[i].path))->id, EXPECTED[i].id);
        assert_int_equal(qd_mapping_find(back, qd_str_of(EXPECTED[i].path))->id, EXPECTED[i].id);
    }
    assert_ptr_equal(qd_mapping_find(back, QD_STR("b"))->next_sub, qd_mapping_find(back, QD_STR("b.raw")));
    assert_int_equal(back->n_ids, 5);
    qd_buf_deinit(&buf);
    json_decref(more);
    json_decref(persisted);
    qd_mapping_unref(m);
    qd_mapping_unref(grown);
    qd_mapping_unref(back);
}

static void assert_merge(const char *base, const char *body, const char *message)
{
    json_t *json = NULL;
    qd_error err = QD_ERROR_INIT;
    qd_mapping *m = mapping_of(base), *out = NULL;
    assert_status_ok(qd_json_parse(qd_str_of(body), &json, &err), &err);
    qd_status st = qd_mapping_merge(m, json, &out, &err);
    if (message) {
        assert_failed_with(st, &err, QD_EMAPPING, message);
        assert_null(out);
    } else {
        assert_status_ok(st, &err);
        assert_ptr_equal(out, m);
    }
    json_decref(json);
    qd_mapping_unref(out);
    qd_mapping_unref(m);
}

static void test_merge__nothing_new__gives_the_same(void **state)
{
    (void)state;
    assert_merge("{\"properties\":{\"a\":{\"type\":\"long\"},\"o\":{\"properties\":{\"x\":{\"type\":\"text\"}}}}}",
                 "{\"dynamic\":true,\"properties\":{\"o.x\":{\"type\":\"text\"},\"a\":{\"type\":\"long\"}}}", NULL);
}

static void test_merge__conflicts__are_refused_by_name(void **state)
{
    (void)state;
    const char *base =
        "{\"properties\":{\"a\":{\"type\":\"long\"},\"o\":{\"properties\":{\"x\":{\"type\":\"text\"}}}}}";
    assert_merge(base, "{\"properties\":{\"a\":{\"type\":\"text\"}}}",
                 "mapper [a] cannot be changed from type [long] to [text]");
    assert_merge(
        base, "{\"properties\":{\"a\":{\"type\":\"long\",\"index\":false}}}",
        "Mapper for [a] conflicts with existing mapper: Cannot update parameter [index] from [true] to [false]");
    assert_merge(base, "{\"properties\":{\"a.b\":{\"type\":\"long\"}}}",
                 "can't merge a non object mapping [a] with an object mapping");
    assert_merge(base, "{\"properties\":{\"o\":{\"type\":\"long\"}}}",
                 "can't merge an object mapping [o] with a non object mapping");
    assert_merge(base, "{\"_order\":[]}", "mapping: unknown member '_order'; expected only 'dynamic', 'properties'");
}

static void test_new__bad_bodies__are_refused_by_name(void **state)
{
    (void)state;
    static const struct { const char *body, *message;
    } CASES[] = {
        {"[]", "mapping: expected an object, got an array"},
        {"{\"_source\":{}}", "mapping: unknown member '_source'; expected only 'dynamic', 'properties', '_order'"},
        {"{\"properties\":[]}", "[properties] of [_doc] must be an object, got an array"},
        {"{\"properties\":{\"a\":5}}", "Expected map for property [a] but got a number"},
        {"{\"properties\":{\"a\":{}}}", "No type specified for field [a]"},
        {"{\"properties\":{\"a\":{\"type\":\"nested\"}}}",
         "No handler for type [nested] declared on field [a]: expected text, keyword, long, integer, double, float, "
         "boolean, date, geo_point "
         "or object (nested and others are not supported yet)"},
        {"{\"properties\":{\"a\":{\"type\":\"text\",\"analyzer\":\"english\"}}}",
         "field [a]: the option 'analyzer' must be \"standard\": no other analyzer is supported yet"},
        {"{\"properties\":{\"a\":{\"type\":\"text\",\"norms\":false}}}",
         "unknown parameter [norms] on mapper [a] of type [text]: it is not supported; expected only 'type', 'index', "
         "'store', 'analyzer', "
         "'search_analyzer', 'fields'"},
        {"{\"properties\":{\"a\":{\"type\":\"long\",\"null_value\":1}}}",
         "unknown parameter [null_value] on mapper [a] of type [long]: it is not supported; expected only 'type', "
         "'index', 'doc_values', 'store'"},
        {"{\"properties\":{\"a\":{\"type\":\"long\",\"store\":true}}}",
         "field [a]: the option 'store' must be false: fields are not stored one by one, `_source` holds them all"},
        {"{\"properties\":{\"a\":{\"type\":\"date\",\"format\":\"yyyy\"}}}",
         "field [a]: the option 'format' must be \"strict_date_optional_time||epoch_millis\": no other format is "
         "supported yet"},
        {"{\"properties\":{\"a\":{\"type\":\"keyword\",\"ignore_above\":0}}}",
         "field [a]: the option 'ignore_above' must be a whole number of characters from 1 to 2147483647"},
        {"{\"properties\":{\"o\":{\"type\":\"object\",\"dynamic\":false}}}",
         "object field [o]: unknown member 'dynamic'; expected only 'type', 'properties'"},
        {"{\"properties\":{\"a\":{\"type\":\"text\",\"fields\":{\"n\":{\"type\":\"long\"}}}}}",
         "sub-field [a.n] of type [long]: only text and keyword sub-fields are supported yet"},
        {"{\"dynamic\":\"maybe\"}", "mapping: 'dynamic' must be true, false or \"strict\""},
        {"{\"properties\":{\"_id\":{\"type\":\"keyword\"}}}",
         "Field [_id] is a metadata field and cannot be added inside a document. Use the index API request "
         "parameters."},
        {"{\"properties\":{\"a..b\":{\"type\":\"long\"}}}",
         "object field starting or ending with a [.] makes object resolution ambiguous: [a..b]"},
        {"{\"properties\":{\"\":{\"type\":\"long\"}}}",
         "field name cannot be an empty string or only whitespace (in [])"},
        {"{\"properties\":{\"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u\":{\"type\":\"long\"}}}",
         "Limit of mapping depth [20] has been exceeded due to object field "
         "[a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u]"},
        {"{\"properties\":{\"a\":{\"type\":\"long\"}},\"_order\":[\"b\"]}",
         "mapping: '_order' names [b], which is not a field, or is named twice"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_refused(CASES[i].body, CASES[i].message);
}

static void test_new__more_fields_than_the_limit__is_refused(void **state)
{
    (void)state;
    json_t *properties = json_object();
    for (int i = 0; i < 11; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        json_object_set_new(properties, name, json_pack("{s:s}", "type", "long"));
    }
    json_t *body = json_pack("{s:o}", "properties", properties);
    qd_mapping *m = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_failed_with(qd_mapping_new(body, 10, &m, &err), &err, QD_EMAPPING,
                       "Limit of total fields [10] has been exceeded");
    json_decref(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new__every_type__gives_ids_in_order),
        cmocka_unit_test(test_write__every_type__sorted_and_nested),
        cmocka_unit_test(test_write__names_that_extend_each_other__stay_apart),
        cmocka_unit_test(test_order__written_and_read_back__keeps_ids),
        cmocka_unit_test(test_merge__nothing_new__gives_the_same),
        cmocka_unit_test(test_merge__conflicts__are_refused_by_name),
        cmocka_unit_test(test_new__bad_bodies__are_refused_by_name),
        cmocka_unit_test(test_new__more_fields_than_the_limit__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
