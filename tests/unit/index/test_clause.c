/* SPDX-License-Identifier: Apache-2.0
 *
 * Each clause against one shard: which documents it finds, and with which score where OpenSearch has one to compare
 * with. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "index/clause.h"

static shard_fixture fixture;
static qd_searcher *searcher;

static int setup(void **state)
{
    (void)state;
    fixture_init(
        &fixture,
        "{\"properties\":{\"t\":{\"type\":\"text\",\"fields\":{\"keyword\":{\"type\":\"keyword\"}}},\"k\":{\"type\":"
        "\"keyword\"},"
        "\"l\":{\"type\":\"long\"},\"i\":{\"type\":\"integer\"},\"d\":{\"type\":\"double\"},\"f\":{\"type\":\"float\"},"
        "\"b\":{\"type\":\"boolean\"},\"at\":{\"type\":\"date\"},\"loc\":{\"type\":\"geo_point\"},\"o\":{"
        "\"properties\":{\"x\":{\"type\":\"long\"},"
        "\"y\":{\"type\":\"keyword\"}}},\"column_only\":{\"type\":\"long\",\"index\":false},\"terms_only\":{\"type\":"
        "\"long\",\"doc_values\":false},"
        "\"neither\":{\"type\":\"keyword\",\"index\":false,\"doc_values\":false}}}");
    fixture_add(
        &fixture, "0",
        "{\"t\":\"Quick "
        "fox\",\"k\":\"apple\",\"l\":1,\"i\":10,\"d\":1.5,\"f\":0.1,\"b\":true,\"at\":\"2026-01-01\",\"o\":{\"x\":1}}");
    fixture_add(&fixture, "1",
                "{\"t\":\"quick quick "
                "dog\",\"k\":[\"banana\",\"5\"],\"l\":2,\"i\":-3,\"d\":2,\"f\":2.5,\"b\":false,\"at\":\"2026-01-01T12:"
                "30:00Z\"}");
    fixture_add(&fixture, "2",
                "{\"t\":\"lazy "
                "dog\",\"k\":\"cherry\",\"l\":9007199254740993,\"d\":-0.5,\"at\":\"2026-01-02\",\"o\":{\"y\":\"z\"},"
                "\"loc\":[1,2]}");
    fixture_add(&fixture, "3", "{\"column_only\":7,\"terms_only\":8,\"neither\":\"n\",\"k\":\"true\"}");
    fixture_commit(&fixture);
    searcher = qd_shard_searcher(fixture.shard);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qd_searcher_unref(searcher);
    fixture_deinit(&fixture);
    return 0;
}

typedef struct hits {
    char ids[32]; /* "0 2" */
    float scores[8];
    size_t n;
} hits;

static bool collect(void *arg, size_t n, const uint32_t *docs, const float *scores)
{
    hits *h = arg;
    for (size_t i = 0; i < n; i++) {
        snprintf(h->ids + strlen(h->ids), sizeof h->ids - strlen(h->ids), "%s%u", h->n ? " " : "", docs[i]);
        h->scores[h->n++] = scores ? scores[i] : 0;
    }
    return true;
}

static hits run(qd_clause *c)
{
    hits h = {0};
    qd_weight *w = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_weight_new(searcher, c, true, &w, &err), &err);
    for (size_t segment = 0; segment < qd_searcher_segments(searcher); segment++)
        assert_status_ok(qd_weight_run(w, segment, collect, &h, &err), &err);
    qd_weight_free(w);
    return h;
}

static json_t *json_of(const char *text)
{
    json_t *v = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(text), &v, &err), &err);
    return v;
}

static const qd_field *field(const char *path)
{
    return qd_mapping_find(searcher->mapping, qd_str_of(path));
}

static void test_term__each_type__finds_its_values(void **state)
{
    (void)state;
    static const struct { const char *path, *value, *ids; } CASES[] = {
        {"k", "\"apple\"", "0"},   {"k", "5", "1"},            {"k", "true", "3"},           {"k", "\"none\"", ""},
        {"t", "\"quick\"", "0 1"}, {"t", "\"Quick\"", ""},     {"t.keyword", "\"lazy dog\"", "2"},
        {"l", "1", "0"},           {"l", "\"2\"", "1"},        {"l", "1.5", ""},             {"l", "1e30", ""},
        {"l", "9007199254740993", "2"}, {"l", "9007199254740992", ""}, {"l", "\"1.0\"", "0"},
        {"i", "-3", "1"},          {"i", "3000000000", ""},    {"d", "1.5", "0"},            {"d", "\"2\"", "1"},
        {"f", "0.1", "0"},         {"f", "0.10000000149011612", "0"}, {"b", "true", "0"},    {"b", "\"false\"", "1"},
        {"at", "\"2026-01-01\"", "0 1"}, {"at", "\"2026-01-01T12:30\"", "1"}, {"at", "1767225600000", "0"},
        {"column_only", "7", "3"}, {"column_only", "8", ""},   {"terms_only", "8", "3"},     {"unmapped", "1", ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_clause *c = NULL;
        qd_error err = QD_ERROR_INIT;
        json_t *v = json_of(CASES[i].value);
        assert_status_ok(qd_clause_term(searcher, field(CASES[i].path), v, &c, &err), &err);
        hits h = run(c);
        if (strcmp(h.ids, CASES[i].ids) != 0)
            fail_msg("%s = %s: expected [%s], got [%s]", CASES[i].path, CASES[i].value, CASES[i].ids, h.ids);
        json_decref(v);
    }
}

static float score_of(const char *path, const char *value)
{
    qd_clause *c = NULL;
    qd_error err = QD_ERROR_INIT;
    json_t *v = json_of(value);
    assert_status_ok(qd_clause_term(searcher, field(path), v, &c, &err), &err);
    hits h = run(c);
    json_decref(v);
    assert_int_not_equal(h.n, 0);
    return h.scores[0];
}

static void test_term__scores__are_those_of_opensearch(void **state)
{
    (void)state;
    assert_true(score_of("k", "\"apple\"") == 1.0f);
    assert_true(score_of("l", "1") == 1.0f);
    assert_true(score_of("d", "1.5") == 1.0f);
    /* A boolean is a term without norms: idf = ln(1 + (2 - 1 + 0.5) / (1 + 0.5)), tf 1 / (1 + 1.2). */
    assert_true(fabsf(score_of("b", "true") - (float)(log(2.0) / 2.2)) < 1e-6f);
}

static void test_term__what_the_type_cannot_be__is_an_error(void **state)
{
    (void)state;
    static const struct { const char *path, *value, *message;
    } CASES[] = {
        {"l", "\"abc\"",
         "failed to create query on field [l] of type [long]: For input string: \"abc\": expected a number"},
        {"l", "true",
         "failed to create query on field [l] of type [long]: For input string: \"true\": expected a number"},
        {"k", "{}",
         "failed to create query on field [k] of type [keyword]: expected a string, a number or a boolean, got an "
         "object"},
        {"b", "\"yes\"",
         "failed to create query on field [b] of type [boolean]: For input string: \"yes\": expected [true] or "
         "[false]"},
        {"at", "\"soon\"",
         "failed to create query on field [at] of type [date]: For input string: \"soon\": expected a date of the "
         "format "
         "[strict_date_optional_time||epoch_millis]"},
        {"at", "\"now-1d\"",
         "failed to create query on field [at] of type [date]: date math is not supported yet: give a date, "
         "milliseconds or \"now\""},
        {"loc", "\"1,2\"",
         "failed to create query on field [loc] of type [geo_point]: Geometry fields do not support exact searching, "
         "use dedicated "
         "geometry queries instead"},
        {"neither", "\"n\"",
         "failed to create query on field [neither] of type [keyword]: Cannot search on it since it is not indexed"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_clause *c = NULL;
        qd_error err = QD_ERROR_INIT;
        json_t *v = json_of(CASES[i].value);
        assert_failed_with(qd_clause_term(searcher, field(CASES[i].path), v, &c, &err), &err, QD_EQUERY,
                           CASES[i].message);
        assert_null(c);
        json_decref(v);
    }
}

static void test_terms__any_of_the_values(void **state)
{
    (void)state;
    static const struct { const char *path, *values, *ids; } CASES[] = {
        {"k", "[\"apple\",\"cherry\",\"x\"]", "0 2"}, {"l", "[1,1.5,2]", "0 1"}, {"d", "[-0.5,2]", "1 2"},
        {"at", "[\"2026-01-02\",\"2020\"]", "2"},     {"t", "[\"fox\",\"lazy\"]", "0 2"}, {"b", "[true,false]", "0 1"},
        {"k", "[]", ""},                              {"l", "[1.5]", ""},        {"unmapped", "[1]", ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_clause *c = NULL;
        qd_error err = QD_ERROR_INIT;
        json_t *v = json_of(CASES[i].values);
        assert_status_ok(qd_clause_terms(searcher, field(CASES[i].path), v, &c, &err), &err);
        hits h = run(c);
        if (strcmp(h.ids, CASES[i].ids) != 0)
            fail_msg("%s in %s: expected [%s], got [%s]", CASES[i].path, CASES[i].values, CASES[i].ids, h.ids);
        for (size_t k = 0; k < h.n; k++)
            assert_true(h.scores[k] == 1.0f);
        json_decref(v);
    }
}

static void test_ids__finds_each_and_no_other(void **state)
{
    (void)state;
    qd_clause *c = NULL;
    qd_error err = QD_ERROR_INIT;
    json_t *v = json_of("[\"2\",0,\"9\"]"), *bad = json_of("[true]");
    assert_status_ok(qd_clause_ids(searcher, v, &c, &err), &err);
    assert_string_equal(run(c).ids, "0 2");
    assert_failed_with(qd_clause_ids(searcher, bad, &c, &err), &err, QD_EQUERY,
                       "[ids] query: expected strings in 'values', got a boolean");
    json_decref(v);
    json_decref(bad);
}

static void assert_range(const char *path, const char *lower, bool lower_inclusive, const char *upper,
                         bool upper_inclusive, const char *ids)
{
    qd_clause *c = NULL;
    qd_error err = QD_ERROR_INIT;
    json_t *low = lower ? json_of(lower) : NULL, *high = upper ? json_of(upper) : NULL;
    qd_range_bounds b = {low, high, lower_inclusive, upper_inclusive};
    assert_status_ok(qd_clause_range(searcher, field(path), &b, &c, &err), &err);
    hits h = run(c);
    if (strcmp(h.ids, ids) != 0)
        fail_msg("%s in %s%s, %s%s: expected [%s], got [%s]", path, lower_inclusive ? "[" : "(", lower ? lower : "*",
                 upper ? upper : "*", upper_inclusive ? "]" : ")", ids, h.ids);
    json_decref(low);
    json_decref(high);
}

static void test_range__bounds_are_exact(void **state)
{
    (void)state;
    assert_range("l", "1", true, "2", true, "0 1");
    assert_range("l", "1", false, "2", false, "");
    assert_range("l", "0.5", false, "1.5", false, "0");
    assert_range("l", "1.5", true, NULL, true, "1 2");
    assert_range("l", NULL, true, "-0.5", true, "");
    assert_range("l", "9007199254740992", false, NULL, true, "2");
    assert_range("l", NULL, true, "9007199254740992", true, "0 1");
    assert_range("l", "1e300", true, NULL, true, "");
    assert_range("l", NULL, true, "1e300", true, "0 1 2");
    assert_range("i", "-3000000000", true, "9", true, "1");
    assert_range("d", "-0.5", false, "2", false, "0");
    assert_range("f", "0.1", true, "0.1", true, "0");
    assert_range("f", "0.1", false, NULL, true, "1");
    assert_range("k", "\"b\"", true, "\"cherry\"", false, "1");
    assert_range("k", "\"b\"", true, "\"cherry\"", true, "1 2");
    assert_range("at", "\"2026-01-01\"", true, "\"2026-01-01\"", true, "0 1");
    assert_range("at", "\"2026-01-01\"", false, NULL, true, "2");
    assert_range("at", "\"2026-01-01\"", true, "\"2026-01-02\"", false, "0 1");
    assert_range("at", NULL, true, "\"now\"", true, "0 1 2");
    assert_range("l", NULL, true, NULL, true, "0 1 2");
    assert_range("unmapped", "1", true, NULL, true, "");
}

static void test_range__where_it_cannot_be__is_an_error(void **state)
{
    (void)state;
    static const struct { const char *path, *message;
    } CASES[] = {
        {"t", "failed to create query on field [t] of type [text]: ranges are not supported on this type; on text, use "
              "a keyword sub-field"},
        {"b", "failed to create query on field [b] of type [boolean]: ranges are not supported on this type; on text, "
              "use a keyword sub-field"},
        {"terms_only", "failed to create query on field [terms_only] of type [long]: ranges need doc_values, which "
                       "this field was mapped without"},
    };
    json_t *v = json_of("1");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_clause *c = NULL;
        qd_error err = QD_ERROR_INIT;
        qd_range_bounds b = {.lower = v};
        assert_failed_with(qd_clause_range(searcher, field(CASES[i].path), &b, &c, &err), &err, QD_EQUERY,
                           CASES[i].message);
    }
    json_decref(v);
}

static void test_exists__fields_and_objects(void **state)
{
    (void)state;
    static const struct { const char *path, *ids;
    } CASES[] = {
        {"l", "0 1 2"}, {"t", "0 1 2"}, {"k", "0 1 2 3"}, {"loc", "2"},
        {"o", "0 2"},   {"o.y", "2"},   {"unmapped", ""}, {"t.keyword", "0 1 2"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        qd_clause *c = NULL;
        qd_error err = QD_ERROR_INIT;
        assert_status_ok(qd_clause_exists(searcher, qd_str_of(CASES[i].path), &c, &err), &err);
        hits h = run(c);
        if (strcmp(h.ids, CASES[i].ids) != 0)
            fail_msg("exists %s: expected [%s], got [%s]", CASES[i].path, CASES[i].ids, h.ids);
    }
}

static void test_token__scores_by_bm25(void **state)
{
    (void)state;
    hits h = run(qd_clause_token(searcher, field("t"), QD_STR("quick")));
    assert_string_equal(h.ids, "0 1");
    /* Three documents have the field, two the word; lengths 2, 3, 2: average 7/3. */
    double idf = log(1 + (3 - 2 + 0.5) / (2 + 0.5)), average = 7.0 / 3;
    assert_true(fabs(h.scores[0] - idf * 1 / (1 + 1.2 * (0.25 + 0.75 * 2 / average))) < 1e-6);
    assert_true(fabs(h.scores[1] - idf * 2 / (2 + 1.2 * (0.25 + 0.75 * 3 / average))) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_term__each_type__finds_its_values),
        cmocka_unit_test(test_term__scores__are_those_of_opensearch),
        cmocka_unit_test(test_term__what_the_type_cannot_be__is_an_error),
        cmocka_unit_test(test_terms__any_of_the_values),
        cmocka_unit_test(test_ids__finds_each_and_no_other),
        cmocka_unit_test(test_range__bounds_are_exact),
        cmocka_unit_test(test_range__where_it_cannot_be__is_an_error),
        cmocka_unit_test(test_exists__fields_and_objects),
        cmocka_unit_test(test_token__scores_by_bm25),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
