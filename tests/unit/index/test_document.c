/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a document's values is seen through a shard: columns after a commit. Here: what is taken, what is
 * refused and how, and what a dynamic mapping is asked to add. */
#include "../cmocka_qd.h"

#include <stdio.h>
#include <stdlib.h>

#include "index/document.h"

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

static const char MAPPING[] = "{\"dynamic\":\"strict\",\"properties\":{\"t\":{\"type\":\"text\",\"fields\":{"
                              "\"keyword\":{\"type\":\"keyword\",\"ignore_above\":4}}},"
                              "\"k\":{\"type\":\"keyword\"},\"l\":{\"type\":\"long\"},\"i\":{\"type\":\"integer\"},"
                              "\"d\":{\"type\":\"double\"},\"f\":{\"type\":\"float\"},"
                              "\"b\":{\"type\":\"boolean\"},\"at\":{\"type\":\"date\"},\"loc\":{\"type\":\"geo_point\"}"
                              ",\"o\":{\"properties\":{\"x\":{\"type\":\"long\"}}}}}";

static void assert_taken(const char *source)
{
    qd_mapping *m = mapping_of(MAPPING);
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_document_parse_named(m, QD_STR("x"), qd_str_of(source), &doc, &additions, &err), &err);
    assert_non_null(doc);
    assert_null(additions);
    qe_doc_free(doc);
    qd_mapping_unref(m);
}

static void assert_refused(const char *source, qd_status code, const char *message)
{
    qd_mapping *m = mapping_of(MAPPING);
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_failed_with(qd_document_parse_named(m, QD_STR("x"), qd_str_of(source), &doc, &additions, &err), &err, code,
                       message);
    assert_null(doc);
    assert_null(additions);
    qd_mapping_unref(m);
}

static void test_parse__what_every_type_coerces__is_taken(void **state)
{
    (void)state;
    static const char *const GOOD[] = {
        "{}",
        " { \"t\" : \"hello\" } ",
        "{\"t\":[\"a\",null,5,1.5,true]}",
        "{\"k\":[[\"a\"],\"b\"],\"t\":\"abcdef\"}",
        "{\"l\":[12,\"12\",1.9,\"1.9\",1e3,\"\",-9223372036854775808,9223372036854775807]}",
        "{\"i\":[2147483647,-2147483648,\"7\"]}",
        "{\"d\":[1,1.5,\"2.5\",\"\"],\"f\":[0.1,\"3.4e38\",-1]}",
        "{\"b\":[true,false,\"true\",\"false\",\"\"]}",
        "{\"at\":[\"2026-11-21\",1763712000000,\"1763712000000\",2026,1.5e12]}",
        "{\"loc\":{\"lat\":1,\"lon\":\"2\"}}",
        "{\"loc\":[2,1]}",
        "{\"loc\":[2,1,100]}",
        "{\"loc\":\"1,2\"}",
        "{\"loc\":\"POINT (2 1)\"}",
        "{\"loc\":[[2,1],[4,3]]}",
        "{\"loc\":[{\"lat\":1,\"lon\":2},\"3,4\",[6,5]]}",
        "{\"loc\":null}",
        "{\"o\":{\"x\":1}}",
        "{\"o\":[{\"x\":1},{\"x\":[2,3]},null]}",
        "{\"o.x\":5}",
        "{\"unknown\":null}",
    };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        assert_taken(GOOD[i]);
}

#define FAILED(field, type, preview)                                                                                   \
    "failed to parse field [" field "] of type [" type                                                                 \
    "] in document with id 'x'. Preview of field's value: '" preview "': "
#define POINT_FORMS "expected {\"lat\", \"lon\"}, [lon, lat], \"lat,lon\" or \"POINT (lon lat)\""

static void test_parse__what_no_type_takes__is_refused_with_a_preview(void **state)
{
    (void)state;
    static const struct { const char *source, *message;
    } CASES[] = {
        {"{\"i\":\"abc\"}", FAILED("i", "integer", "abc") "For input string: \"abc\""},
        {"{\"i\":3000000000}",
         FAILED("i", "integer", "3000000000") "Value [3000000000] is out of range for an integer"},
        {"{\"l\":1e20}", FAILED("l", "long", "1e+20") "Value [1e+20] is out of range for a long"},
        {"{\"l\":true}", FAILED("l", "long", "true") "For input string: \"true\""},
        {"{\"l\":{\"a\":1}}", FAILED("l", "long", "") "expected a value, got an object"},
        {"{\"d\":\"x\"}", FAILED("d", "double", "x") "For input string: \"x\""},
        {"{\"f\":1e39}", FAILED("f", "float", "1e+39") "[float] supports only finite values"},
        {"{\"b\":1}", FAILED("b", "boolean", "1") "only [true] or [false] are allowed"},
        {"{\"b\":\"yes\"}", FAILED("b", "boolean", "yes") "only [true] or [false] are allowed"},
        {"{\"at\":\"soon\"}",
         FAILED("at", "date", "soon") "expected a date of the format [strict_date_optional_time||epoch_millis]"},
        {"{\"at\":true}",
         FAILED("at", "date", "true") "expected a date of the format [strict_date_optional_time||epoch_millis]"},
        {"{\"loc\":5}", FAILED("loc", "geo_point", "5") POINT_FORMS},
        {"{\"loc\":[5]}", FAILED("loc", "geo_point", "") "[geo_point] in array form needs [lon, lat]"},
        {"{\"loc\":[1,2,3,4]}", FAILED("loc", "geo_point", "4") POINT_FORMS},
        {"{\"loc\":[1,\"2,3\"]}", FAILED("loc", "geo_point", "2,3") POINT_FORMS},
        {"{\"loc\":[1,[2,3]]}", FAILED("loc", "geo_point", "") POINT_FORMS},
        {"{\"loc\":{\"lat\":1}}", FAILED("loc", "geo_point", "") POINT_FORMS},
        {"{\"loc\":{\"lat\":1,\"lon\":2,\"z\":3}}", FAILED("loc", "geo_point", "z") POINT_FORMS},
        {"{\"loc\":{\"lat\":91,\"lon\":2}}", FAILED("loc", "geo_point", "") "illegal latitude value [91]"},
        {"{\"loc\":\"1,200\"}", FAILED("loc", "geo_point", "") "illegal longitude value [200]"},
        {"{\"loc\":{\"lat\":{},\"lon\":2}}", FAILED("loc", "geo_point", "") POINT_FORMS},
        {"{\"o\":5}", "object mapping for [o] tried to parse field [o] as object, but found a concrete value"},
        {"{\"t.keyword\":\"a\"}",
         "field [t.keyword] is a sub-field: its values come from the field that it belongs to"},
        {"{\"new\":1}", "mapping set to strict, dynamic introduction of [new] within [_doc] is not allowed"},
        {"{\"o\":{\"y\":[]}}", "mapping set to strict, dynamic introduction of [y] within [o] is not allowed"},
        {"[]", "failed to parse: a document must be a JSON object"},
        {"5", "failed to parse: a document must be a JSON object"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_refused(CASES[i].source, QD_EMAPPING, CASES[i].message);
}

static void test_parse__keyword_too_long__is_refused(void **state)
{
    (void)state;
    char *source = malloc(40000);
    int n = sprintf(source, "{\"k\":\"");
    memset(source + n, 'a', 32767);
    strcpy(source + n + 32767, "\"}");
    assert_refused(source, QD_EMAPPING,
                   "Document contains at least one immense term in field=\"k\" (whose UTF8 encoding is longer than the "
                   "max length 32766), all "
                   "of which were skipped. It is 32767 bytes long; shorten it or set ignore_above.");
    free(source);
}

static void assert_malformed(const char *source, uint32_t line, uint32_t column)
{
    qd_mapping *m = mapping_of(MAPPING);
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_int_equal(qd_document_parse(m, qd_str_of(source), &doc, &additions, &err), QD_EPARSE);
    assert_int_equal(err.line, line);
    assert_int_equal(err.column, column);
    qd_mapping_unref(m);
}

/* A document of `n` values "x", each a text with a keyword beside it. */
static char *many_values(size_t n)
{
    char *source = malloc(16 + 4 * n), *p = source;
    p += sprintf(p, "{\"s\":[\"x\"");
    for (size_t i = 1; i < n; i++, p += 4)
        memcpy(p, ",\"x\"", 4);
    strcpy(p, "]}");
    return source;
}

static void test_parse__more_values_than_can_be_indexed__is_refused(void **state)
{
    (void)state;
    qd_mapping *m = mapping_of(
        "{\"properties\":{\"s\":{\"type\":\"text\",\"fields\":{\"k\":{\"type\":\"keyword\"}}}}}");
    for (size_t over = 0; over < 2; over++) {
        char *source = many_values(((size_t)2 << 20) + over);
        qe_doc *doc = NULL;
        json_t *additions = NULL;
        qd_error err = QD_ERROR_INIT;
        qd_status st = qd_document_parse(m, qd_str_of(source), &doc, &additions, &err);
        if (over)
            assert_failed_with(st, &err, QD_ETOOLARGE,
                               "the document has more than 4194304 values, sub-fields included");
        else
            assert_status_ok(st, &err);
        qe_doc_free(doc);
        free(source);
    }
    qd_mapping_unref(m);
}

static void test_parse__malformed_json__names_line_and_column(void **state)
{
    (void)state;
    assert_malformed("{\"l\":1,\n \"k\":}", 2, 6);
    char deep[200];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    qd_mapping *m = mapping_of("{}");
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    qd_error err = QD_ERROR_INIT;
    char source[260];
    snprintf(source, sizeof source, "{\"a\":%s", deep);
    assert_int_equal(qd_document_parse(m, qd_str_of(source), &doc, &additions, &err), QD_EPARSE);
    assert_int_equal(qd_document_parse(m, (qd_str){NULL, 0}, &doc, &additions, &err), QD_EPARSE);
    qd_mapping_unref(m);
}

static void assert_adds(const char *source, const char *expected)
{
    qd_mapping *m = mapping_of(
                   "{\"properties\":{\"l\":{\"type\":\"long\"},\"o\":{\"properties\":{\"x\":{\"type\":\"long\"}}}}}"),
               *grown = NULL;
    qe_doc *doc = NULL;
    json_t *additions = NULL, *want = json_loads(expected, 0, NULL);
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_document_parse(m, qd_str_of(source), &doc, &additions, &err), &err);
    assert_null(doc);
    char *got = json_dumps(additions, JSON_COMPACT);
    if (!json_equal(additions, want))
        fail_msg("got %s", got);
    free(got);
    assert_status_ok(qd_mapping_merge(m, additions, &grown, &err), &err);
    json_decref(additions);
    additions = NULL;
    assert_status_ok(qd_document_parse(grown, qd_str_of(source), &doc, &additions, &err), &err);
    assert_non_null(doc);
    qe_doc_free(doc);
    json_decref(want);
    qd_mapping_unref(m);
    qd_mapping_unref(grown);
}

#define STRING_FIELD "{\"type\":\"text\",\"fields\":{\"keyword\":{\"type\":\"keyword\",\"ignore_above\":256}}}"

static void test_parse__unmapped_fields__ask_for_additions(void **state)
{
    (void)state;
    assert_adds("{\"l\":1,\"n\":5,\"r\":1.5,\"s\":\"words\",\"b\":true,\"day\":\"2026-11-21\",\"num\":\"17\"}",
                "{\"properties\":{\"n\":{\"type\":\"long\"},\"r\":{\"type\":\"float\"},\"s\":" STRING_FIELD
                ",\"b\":{\"type\":\"boolean\"},"
                "\"day\":{\"type\":\"date\"},\"num\":" STRING_FIELD "}}");
    assert_adds(
        "{\"o\":{\"y\":{\"z\":[1,2.5]}},\"list\":[{\"a\":1},{\"a\":2,\"b\":false}],\"empty\":{}}",
        "{\"properties\":{\"o.y\":{\"type\":\"object\"},\"o.y.z\":{\"type\":\"long\"},\"list\":{\"type\":\"object\"},"
        "\"list.a\":{\"type\":\"long\"},\"list.b\":{\"type\":\"boolean\"},\"empty\":{\"type\":\"object\"}}}");
    assert_adds("{\"a.b\":1,\"none\":null,\"nothing\":[]}", "{\"properties\":{\"a.b\":{\"type\":\"long\"}}}");
}

static void test_parse__names_that_cannot_be_mapped__are_refused(void **state)
{
    (void)state;
    qd_mapping *m = mapping_of("{}");
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_int_equal(qd_document_parse(m, QD_STR("{\"a\\u0000b\":1}"), &doc, &additions, &err), QD_EMAPPING);
    assert_non_null(strstr(err.message, "contains a null character"));
    assert_null(additions);
    char source[1200] = "{\"";
    memset(source + 2, 'n', 1100);
    strcpy(source + 1102, "\":1}");
    assert_int_equal(qd_document_parse(m, qd_str_of(source), &doc, &additions, &err), QD_EMAPPING);
    assert_non_null(strstr(err.message, "is too long"));
    qd_mapping_unref(m);
}

static void test_parse__dynamic_false__ignores_what_is_unmapped(void **state)
{
    (void)state;
    qd_mapping *m = mapping_of("{\"dynamic\":false,\"properties\":{\"l\":{\"type\":\"long\"}}}");
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(
        qd_document_parse(m,
                          QD_STR("{\"u\":{\"l\":\"x\",\"v\":[{\"w\":[1]}]},\"w\":[[1],{\"l\":\"x\"}],\"x\":1,\"l\":2}"),
                          &doc, &additions, &err),
        &err);
    assert_non_null(doc);
    assert_null(additions);
    qe_doc_free(doc);
    qd_mapping_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__what_every_type_coerces__is_taken),
        cmocka_unit_test(test_parse__what_no_type_takes__is_refused_with_a_preview),
        cmocka_unit_test(test_parse__keyword_too_long__is_refused),
        cmocka_unit_test(test_parse__more_values_than_can_be_indexed__is_refused),
        cmocka_unit_test(test_parse__malformed_json__names_line_and_column),
        cmocka_unit_test(test_parse__unmapped_fields__ask_for_additions),
        cmocka_unit_test(test_parse__names_that_cannot_be_mapped__are_refused),
        cmocka_unit_test(test_parse__dynamic_false__ignores_what_is_unmapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
