/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions over many documents, against a model in C: several segments, deleted documents, values that are missing,
 * columns of all numeric types, whole blocks and parts of them. What is faster for many documents at once must give
 * what one document after the other would. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

#define DOCS     9000
#define MAX_HITS 20

static fixture f;

typedef struct doc {
    bool is_deleted, has_rating, is_open;
    int price;
    double rating, small;
    int64_t at;
} doc;

static doc docs[DOCS];

static const char MAPPING[] =
    "{\"properties\":{\"price\":{\"type\":\"integer\"},\"rating\":{\"type\":\"double\"},\"small\":{\"type\":\"float\"},"
    "\"open\":{\"type\":\"boolean\"},\"at\":{\"type\":\"date\"},\"half\":{\"type\":\"keyword\"},"
    "\"many\":{\"type\":\"long\"}}}";

#define P(name, type, more) "{\"name\":\"" name "\",\"type\":\"" type "\",\"from\":\"_source." name "\"" more "}"

static const struct {
    const char *name, *kind, *more, *params, *body;
} FUNCTIONS[] = {
    {"cheap", "filter", "", P("price", "f64", ""), "(param f64) (result i32) (f64.gt (local.get 0) (f64.const 500))"},
    {"typed", "filter", "",
     P("price", "i32", "") "," P("at", "i64", "") "," P("small", "f32", "") "," P("open", "bool", ""),
     "(param i32 i64 f32 i32) (result i32) (i32.and (local.get 3) (i32.and (i32.gt_s (local.get 0) (i32.const 100))"
     " (i32.and (i64.gt_s (local.get 1) (i64.const 1000000003000)) (f32.gt (local.get 2) (f32.const 0.25)))))"},
    {"rated", "filter", "", P("rating", "f64", ""), "(param f64) (result i32) (f64.gt (local.get 0) (f64.const 2))"},
    {"rated_or_5", "filter", "", P("rating", "f64", ",\"default\":5"),
     "(param f64) (result i32) (f64.gt (local.get 0) (f64.const 2))"},
    {"constant", "filter", ",\"deterministic\":true", "{\"name\":\"t\",\"type\":\"f64\",\"default\":1}",
     "(param f64) (result i32) (f64.gt (local.get 0) (f64.const 0.5))"},
    {"value", "score", "", P("price", "f64", ""), "(param f64) (result f64) (local.get 0)"},
    {"rating", "score", "", P("rating", "f64", ""), "(param f64) (result f64) (local.get 0)"},
    {"bounded", "score", ",\"max_score\":3", P("rating", "f64", ""),
     "(param f64) (result f64) (f64.min (f64.const 3) (local.get 0))"},
    {"nearly", "score", ",\"max_score\":999", P("price", "f64", ""), "(param f64) (result f64) (local.get 0)"},
    {"liar", "score", ",\"max_score\":600", P("price", "f64", ""), "(param f64) (result f64) (local.get 0)"},
    {"same", "score", "", "{\"name\":\"s\",\"type\":\"f64\",\"from\":\"_score\"}",
     "(param f64) (result f64) (local.get 0)"},
    {"never", "score", "", "", "(result f64) unreachable"},
    {"constant_trap", "filter", ",\"deterministic\":true", "", "(result i32) unreachable"},
};

static void add_functions(void)
{
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
        char manifest[1024], wat[1024];
        snprintf(manifest, sizeof manifest,
                 "{\"name\":\"%s\",\"function_name\":\"f\",\"kind\":\"%s\",\"abi\":\"typed\",\"parameters\":[%s]%s}",
                 FUNCTIONS[i].name, FUNCTIONS[i].kind, FUNCTIONS[i].params, FUNCTIONS[i].more);
        snprintf(wat, sizeof wat, "(module (func (export \"f\") %s))", FUNCTIONS[i].body);
        fixture_function(&f, manifest, wat);
    }
}

static uint32_t random_below(uint32_t n)
{
    static uint64_t state = 7;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

static void add_doc(int i)
{
    char id[16], source[256], rating[40] = "";
    doc *d = &docs[i];
    *d = (doc){
        .has_rating = random_below(3) > 0,
        .is_open = random_below(2),
        .price = (int)random_below(1000),
        .rating = random_below(400) / 100.0,
        .small = random_below(8) / 8.0,
        .at = 1000000000000 + random_below(10000),
    };
    if (d->has_rating)
        snprintf(rating, sizeof rating, ",\"rating\":%.2f", d->rating);
    snprintf(id, sizeof id, "%d", i);
    snprintf(source, sizeof source,
             "{\"price\":%d,\"small\":%.3f,\"open\":%s,\"at\":%lld,\"half\":\"%s\",\"many\":[%d,%d]%s}", d->price,
             d->small, d->is_open ? "true" : "false", (long long)d->at, i % 2 ? "odd" : "even", d->price,
             1000 - d->price, rating);
    fixture_add(&f, id, source);
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f, MAPPING);
    add_functions();
    for (int i = 0; i < DOCS; i++) {
        add_doc(i);
        if (i == 5000 || i == 5300)
            fixture_commit(&f);
    }
    fixture_commit(&f);
    for (int i = 5000; i < DOCS; i += 3) { /* none of the first segment */
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        fixture_delete(&f, id);
        docs[i].is_deleted = true;
    }
    fixture_commit(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

/* ---- the model ---- */

typedef struct expected {
    int id;
    double score;
} expected;

static int by_rank(const void *pa, const void *pb)
{
    const expected *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The score of a document; NAN: no match. */
typedef double model(const doc *d, int id);

/* Total and hits; `total` -1: not to be looked at. `by`: what the hits are ordered by, NULL for their scores. */
static void expect_model(const char *body, model *score, model *by, bool is_counted)
{
    static expected all[DOCS];
    size_t n = 0, used = 0;
    char hits[MAX_HITS * 48] = "";
    for (int i = 0; i < DOCS; i++) {
        if (docs[i].is_deleted || isnan(score(&docs[i], i)))
            continue;
        all[n++] = (expected){i, by ? by(&docs[i], i) : score(&docs[i], i)};
    }
    assert_true(n > 0);
    qsort(all, n, sizeof *all, by_rank);
    for (size_t i = 0; i < n && i < 10; i++) {
        int id = all[i].id;
        used += (size_t)snprintf(hits + used, sizeof hits - used, "%s%d", i ? " " : "", id);
        if (!by)
            used += (size_t)snprintf(hits + used, sizeof hits - used, ":%.7g", score(&docs[id], id));
    }
    fixture_expect(&f, body, is_counted ? (int64_t)n : -1, hits);
}

#define F(name)     "{\"wasm_udf\":{\"name\":\"" name "\"}}"
#define EXACT       "\"track_total_hits\":true,"
#define BOOL(inner) "{" EXACT "\"query\":{\"bool\":{" inner "}}}"

static double where(bool is_match, double score)
{
    return is_match ? score : NAN;
}

static double m_cheap(const doc *d, int id)
{
    (void)id;
    return where(d->price > 500, 0);
}
static double m_cheap_1(const doc *d, int id)
{
    (void)id;
    return where(d->price > 500, 1);
}
static double m_cheap_even(const doc *d, int id)
{
    return where(d->price > 500 && id % 2 == 0, 0);
}
static double m_typed(const doc *d, int id)
{
    (void)id;
    return where(d->is_open && d->price > 100 && d->at > 1000000003000 && d->small > 0.25, 0);
}
static double m_rated(const doc *d, int id)
{
    (void)id;
    return where(d->has_rating && d->rating > 2, 0);
}
static double m_rated_or_5(const doc *d, int id)
{
    (void)id;
    return where(!d->has_rating || d->rating > 2, 0);
}
static double m_not_rated(const doc *d, int id)
{
    (void)id;
    return where(!(d->has_rating && d->rating > 2) && d->price > 500, 0);
}
static double m_all_three(const doc *d, int id)
{
    return where(!isnan(m_typed(d, id)) && !isnan(m_rated(d, id)) && d->price > 500, 0);
}
static double m_sum(const doc *d, int id)
{
    (void)id;
    return where(d->has_rating && d->price > 500, d->price + d->rating);
}
static double m_sum_rated(const doc *d, int id)
{
    return isnan(m_rated_or_5(d, id)) ? NAN : m_sum(d, id);
}
static double m_should(const doc *d, int id)
{
    (void)id;
    bool rated = d->has_rating && d->rating > 2;
    return where(rated || d->price > 500, rated + (d->price > 500));
}
static double m_bounded(const doc *d, int id)
{
    (void)id;
    return where(d->has_rating, fmin(3, d->rating));
}
static double m_bounded_or_1(const doc *d, int id)
{
    (void)id;
    return d->has_rating ? fmin(3, d->rating) : 1;
}
static double m_constant(const doc *d, int id)
{
    (void)d, (void)id;
    return 0;
}
static double m_price(const doc *d, int id)
{
    (void)id;
    return d->price;
}
static double m_twice_price(const doc *d, int id)
{
    (void)id;
    return 2 * d->price;
}
static double m_less_price(const doc *d, int id)
{
    (void)id;
    return -d->price;
}
static double m_least_many(const doc *d, int id)
{
    (void)id;
    return -fmin(d->price, 1000 - d->price);
}
static double m_rating_missing_last(const doc *d, int id)
{
    (void)id;
    return d->has_rating ? d->rating : -1;
}

/* ---- tests ---- */

static void test_filters__of_all_types__match_as_the_model(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) { /* columns are unpacked once they were read a lot */
        expect_model(BOOL("\"filter\":[" F("cheap") "]"), m_cheap, NULL, true);
        expect_model(BOOL("\"filter\":[" F("typed") "]"), m_typed, NULL, true);
        expect_model(BOOL("\"filter\":[" F("rated") "]"), m_rated, NULL, true);
        expect_model(BOOL("\"filter\":[" F("rated_or_5") "]"), m_rated_or_5, NULL, true);
        expect_model("{" EXACT "\"query\":" F("cheap") "}", m_cheap_1, NULL, true);
        expect_model(BOOL("\"filter\":[{\"term\":{\"half\":\"even\"}}," F("cheap") "]"), m_cheap_even, NULL, true);
    }
}

static void test_bool__of_several_functions__narrows_and_adds(void **state)
{
    (void)state;
    expect_model(BOOL("\"filter\":[" F("typed") "," F("rated") "," F("cheap") "]"), m_all_three, NULL, true);
    expect_model(BOOL("\"filter\":[" F("cheap") "],\"must_not\":[" F("rated") "]"), m_not_rated, NULL, true);
    expect_model(BOOL("\"filter\":[" F("cheap") "],\"must\":[" F("value") "," F("rating") "]"), m_sum, NULL, true);
    expect_model(BOOL("\"should\":[" F("cheap") "," F("rated") "]"), m_should, NULL, true);
    expect_model(BOOL("\"must\":[" F("value") "," F("rating") "],\"filter\":[" F("cheap") "," F("rated_or_5") "," F(
                     "constant") "],\"must_not\":[{\"term\":{\"half\":\"neither\"}}]"),
                 m_sum_rated, NULL, true);
    fixture_expect(&f, BOOL("\"filter\":[" F("cheap") "],\"minimum_should_match\":1"), 0, "");
}

static void test_unscored__size_0_and_sorts__count_the_same(void **state)
{
    (void)state;
    expect_model("{" EXACT "\"sort\":[{\"price\":\"desc\"}],\"query\":{\"bool\":{\"filter\":" F("rated") "}}}", m_rated,
                 m_price, true);
    expect_model("{" EXACT "\"sort\":[{\"price\":\"asc\"}],\"query\":{\"bool\":{\"must\":[" F("value") "," F(
                     "rating") "],\"filter\":" F("cheap") "}}}",
                 m_sum, m_less_price, true);
    expect_model("{" EXACT "\"sort\":[{\"rating\":\"desc\"}],\"query\":" F("cheap") "}", m_cheap, m_rating_missing_last,
                 true);
    expect_model("{" EXACT "\"sort\":[{\"many\":\"asc\"}],\"query\":" F("cheap") "}", m_cheap, m_least_many, true);
    /* A function that reads scores below one that nobody scores: with scores or without, the same documents match. */
    json_t *scored =
        fixture_search(&f, "{" EXACT "\"query\":{\"script_score\":{\"query\":{\"bool\":{\"must\":" F(
                               "rating") "}},"
                                         "\"min_score\":2.5,\"script\":{\"lang\":\"wasm\",\"source\":\"same\"}}}}");
    json_t *unscored =
        fixture_search(&f, "{" EXACT "\"size\":0,\"query\":{\"script_score\":{\"query\":{\"bool\":{\"must\":" F(
                               "rating") "}},\"min_score\":2.5,\"script\":{\"lang\":\"wasm\",\"source\":\"same\"}}}}");
    int64_t total = json_integer_value(json_at(scored, "hits.total.value"));
    assert_in_range(total, 1, DOCS / 2);
    assert_int_equal(json_integer_value(json_at(unscored, "hits.total.value")), total);
    json_decref(scored);
    json_decref(unscored);
}

#define SCORED(fn, more)                                                                                               \
    "\"query\":{\"function_score\":{\"query\":{\"match_all\":{}},\"script_score\":{\"script\":{\"lang\":\"wasm\","     \
    "\"source\":\"" fn "\"}}" more "}}}"

static void test_function_score__nobody_reads_scores__asks_no_function(void **state)
{
    (void)state;
    const char *matching = "function 'never@1.0.0', document '0'";
    fixture_expect_error(&f, "{" EXACT SCORED("never", ""), QD_EUDF_FAILED, matching);
    fixture_expect(&f, "{" EXACT "\"size\":0," SCORED("never", ""), DOCS - 1334, "");
    fixture_expect(&f, "{\"size\":2," EXACT "\"sort\":[\"_doc\"]," SCORED("never", ""), DOCS - 1334, "0 1");
    /* min_score reads them */
    fixture_expect_error(&f, "{" EXACT "\"size\":0," SCORED("never", ",\"min_score\":1"), QD_EUDF_FAILED, matching);
}

static void test_max_score__reached__ends_with_the_first_hits(void **state)
{
    (void)state;
    static const char *const TOTALS[] = {"", EXACT, "\"track_total_hits\":false,", "\"track_total_hits\":100,"};
    for (size_t i = 0; i < sizeof TOTALS / sizeof *TOTALS; i++) {
        char body[512];
        snprintf(body, sizeof body, "{%s" SCORED("bounded", ",\"boost_mode\":\"replace\""), TOTALS[i]);
        expect_model(body, m_bounded_or_1, NULL, i < 2);
        snprintf(body, sizeof body,
                 "{%s\"query\":{\"script_score\":{\"query\":{\"match_all\":{}},\"script\":{\"lang\":\"wasm\","
                 "\"source\":\"bounded\"}}}}",
                 TOTALS[i]);
        expect_model(body, m_bounded, NULL, i < 2);
        /* Scores just below the bound must not end it: fewer documents than the page has reach it. */
        snprintf(body, sizeof body, "{%s\"query\":" F("nearly") "}", TOTALS[i]);
        expect_model(body, m_price, NULL, i == 1);
        snprintf(body, sizeof body,
                 "{%s\"query\":{\"script_score\":{\"query\":{\"match_all\":{}},\"boost\":2,\"script\":{\"lang\":"
                 "\"wasm\",\"source\":\"nearly\"}}}}",
                 TOTALS[i]);
        expect_model(body, m_twice_price, NULL, i == 1);
        snprintf(body, sizeof body,
                 "{%s" SCORED("nearly", ",\"weight\":2,\"boost_mode\":\"replace\",\"score_mode\":\"sum\""), TOTALS[i]);
        expect_model(body, m_twice_price, NULL, i == 1);
        snprintf(body, sizeof body, "{%s\"query\":{\"bool\":{\"filter\":" F("constant") "}}}", TOTALS[i]);
        expect_model(body, m_constant, NULL, i < 2);
    }
    json_t *answer = fixture_search(&f, "{\"track_total_hits\":100," SCORED("bounded", ",\"boost_mode\":\"replace\""));
    assert_int_equal(json_integer_value(json_at(answer, "hits.total.value")), 100);
    assert_string_equal(json_string_value(json_at(answer, "hits.total.relation")), "gte");
    json_decref(answer);
}

static void test_max_score__broken__is_an_error(void **state)
{
    (void)state;
    fixture_expect_error(&f, "{" EXACT SCORED("liar", ""), QD_EUDF_FAILED,
                         "; its manifest says that no score is greater than 600.0 ('max_score')");
    char body[512];
    snprintf(body, sizeof body,
             "{" EXACT "\"query\":{\"wasm_udf\":{\"name\":\"liar\",\"on_error\":\"default\",\"default\":700}}}");
    json_t *answer = fixture_search(&f, body);
    assert_float_equal(json_number_value(json_at(answer, "hits.max_score")), 700, 0);
    json_decref(answer);
}

static void test_deterministic__constants_alone__fails_with_the_first_document(void **state)
{
    (void)state;
    fixture_expect_error(&f, BOOL("\"filter\":[" F("constant_trap") "]"), QD_EUDF_FAILED,
                         "function 'constant_trap@1.0.0', document '0'");
    fixture_expect(&f, BOOL("\"filter\":[{\"wasm_udf\":{\"name\":\"constant_trap\",\"on_error\":\"skip\"}}]"), 0, "");
    fixture_expect(&f,
                   BOOL("\"must_not\":[{\"wasm_udf\":{\"name\":\"constant\",\"params\":{\"t\":0}}}],\"filter\":["
                        "{\"ids\":{\"values\":[\"3\",\"8001\"]}}]"),
                   2, "3:0 8001:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters__of_all_types__match_as_the_model),
        cmocka_unit_test(test_bool__of_several_functions__narrows_and_adds),
        cmocka_unit_test(test_unscored__size_0_and_sorts__count_the_same),
        cmocka_unit_test(test_function_score__nobody_reads_scores__asks_no_function),
        cmocka_unit_test(test_max_score__reached__ends_with_the_first_hits),
        cmocka_unit_test(test_max_score__broken__is_an_error),
        cmocka_unit_test(test_deterministic__constants_alone__fails_with_the_first_document),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
