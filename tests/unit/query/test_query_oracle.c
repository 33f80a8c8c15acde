/* SPDX-License-Identifier: Apache-2.0
 *
 * Our answers against OpenSearch's: the same documents, the same searches, functions in wasm here and in Painless
 * there. oracle.json was written by bench/oracle.py from a running OpenSearch. Scores may differ in the last bits of a
 * float. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fixture.h"

static fixture f;
static json_t *oracle;

static void read_oracle(void)
{
    json_error_t error;
    oracle = json_load_file(QD_TEST_SOURCE_DIR "/unit/query/oracle.json", 0, &error);
    if (!oracle)
        fail_msg("oracle.json: %s", error.text);
}

static int setup(void **state)
{
    (void)state;
    read_oracle();
    char *mapping = json_dumps(json_object_get(oracle, "mapping"), 0);
    fixture_open(&f, mapping);
    free(mapping);
    size_t i;
    json_t *v;
    json_array_foreach (json_object_get(oracle, "functions"), i, v) {
        char *manifest = json_dumps(json_object_get(v, "manifest"), 0);
        fixture_function(&f, manifest, json_string_value(json_object_get(v, "wat")));
        free(manifest);
    }
    size_t batch = 0, left = (size_t)json_integer_value(json_array_get(json_object_get(oracle, "batches"), 0));
    json_array_foreach (json_object_get(oracle, "docs"), i, v) {
        fixture_add(&f, json_string_value(json_array_get(v, 0)), json_string_value(json_array_get(v, 1)));
        if (--left == 0) {
            fixture_commit(&f);
            left = (size_t)json_integer_value(json_array_get(json_object_get(oracle, "batches"), ++batch));
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    json_decref(oracle);
    return 0;
}

static bool is_same(const json_t *a, const json_t *b)
{
    if (!json_is_number(a) || !json_is_number(b))
        return (!a && !b) || json_equal((json_t *)a, (json_t *)b);
    double x = json_number_value(a), y = json_number_value(b);
    return fabs(x - y) <= 2e-6 * fmax(fabs(x), fabs(y));
}

static bool is_same_hit(const json_t *expected, const json_t *hit)
{
    const json_t *sort = json_array_get(expected, 2), *got = json_object_get(hit, "sort");
    if (!is_same(json_array_get(expected, 0), json_object_get(hit, "_id")) ||
        !is_same(json_array_get(expected, 1), json_object_get(hit, "_score")) ||
        json_array_size(sort) != json_array_size(got))
        return false;
    for (size_t i = 0; i < json_array_size(sort); i++)
        if (!is_same(json_array_get(sort, i), json_array_get(got, i)))
            return false;
    return true;
}

static int report(const json_t *body, const char *what, const json_t *expected, const json_t *got)
{
    char *shown[3] = {json_dumps(body, 0), json_dumps(expected, JSON_ENCODE_ANY),
                      got ? json_dumps(got, JSON_ENCODE_ANY) : NULL};
    print_error("%s\n  %s: expected %.400s\n  got %.400s\n", shown[0], what, shown[1], shown[2] ? shown[2] : "nothing");
    for (size_t i = 0; i < 3; i++)
        free(shown[i]);
    return 1;
}

static int check_refused(const json_t *body, const json_t *expected, qd_status st, const qd_error *err)
{
    const qd_status_info *info = qd_status_describe(st);
    const char *type = json_string_value(json_object_get(expected, "type"));
    bool must_be_same = strcmp(type, "parsing_exception") == 0;
    if (info->http_status == json_integer_value(json_object_get(expected, "status")) &&
        (!must_be_same || strcmp(type, info->search_type) == 0))
        return 0;
    json_t *got = json_pack("{s:s,s:s}", "type", info->search_type, "reason", err->message);
    int bad = report(body, "refusal", expected, got);
    json_decref(got);
    return bad;
}

static int check_answer(const json_t *body, const json_t *expected, const json_t *answer)
{
    const json_t *hits = json_object_get(answer, "hits"), *list = json_object_get(hits, "hits");
    const json_t *wanted = json_object_get(expected, "hits"), *total = json_object_get(expected, "total");
    if (json_is_null(total) ? json_object_get(hits, "total") != NULL : !is_same(total, json_object_get(hits, "total")))
        return report(body, "total", total, json_object_get(hits, "total"));
    if (!is_same(json_object_get(expected, "max_score"), json_object_get(hits, "max_score")))
        return report(body, "max_score", json_object_get(expected, "max_score"), json_object_get(hits, "max_score"));
    if (json_array_size(wanted) != json_array_size(list))
        return report(body, "number of hits", wanted, list);
    for (size_t i = 0; i < json_array_size(wanted); i++)
        if (!is_same_hit(json_array_get(wanted, i), json_array_get(list, i)))
            return report(body, "hit", json_array_get(wanted, i), json_array_get(list, i));
    return 0;
}

static int check_case(const json_t *one)
{
    const json_t *body = json_object_get(one, "body"), *expected = json_object_get(one, "expected");
    char *text = json_dumps(body, 0);
    qd_search_target target;
    qd_search_request rq = fixture_request(&f, &target, text);
    qd_error err = QD_ERROR_INIT;
    qd_buf out;
    qd_json w;
    int bad;
    qd_buf_init(&out, (size_t)64 << 20);
    qd_json_init(&w, &out, false);
    qd_status st = qd_search_run(&rq, &w, &err);
    if (json_object_get(expected, "type")) {
        bad = check_refused(body, expected, st, &err);
    } else if (st != QD_OK) {
        json_t *got = json_string(err.message);
        bad = report(body, "error", expected, got);
        json_decref(got);
    } else {
        json_t *answer = NULL;
        assert_status_ok(qd_json_parse(qd_buf_str(&out), &answer, &err), &err);
        bad = check_answer(body, expected, answer);
        json_decref(answer);
    }
    qd_buf_deinit(&out);
    free(text);
    return bad;
}

static void test_search__cases_of_the_oracle__same_answers(void **state)
{
    (void)state;
    int bad = 0;
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(oracle, "cases"), i, one)
        bad += check_case(one);
    if (bad > 0)
        fail_msg("%d of %zu answers differ", bad, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_search__cases_of_the_oracle__same_answers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
