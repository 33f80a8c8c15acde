/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cmocka_qd.h"

static json_t *parse(const char *text)
{
    json_t *value = NULL;
    qd_error err = QD_ERROR_INIT;
    assert_status_ok(qd_json_parse(qd_str_of(text), &value, &err), &err);
    return value;
}

static void test_parse__whole_texts(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"{}", "[]", " {\"a\": 1}\n", "null", "\"x\"", "-1.5e3", "[{\"a\":[[]]}]"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        json_decref(parse(GOOD[i]));
}

static void test_parse__malformed__says_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *what;
    } BAD[] = {
        {"", 1, 1, "the text is empty"},
        {" \n ", 1, 1, "the text is empty"},
        {"{\"a\": 1,}", 1, 9, "string or '}' expected near '}'"},
        {"{\"a\": 1} x", 1, 10, "end of file expected near 'x'"},
        {"{\"a\" foo}", 1, 6, "':' expected near 'foo'"},
        {"{\n \"a\": nul\n}", 2, 7, "invalid token near 'nul'"},
        {"{\"a\": 1, \"a\": 2}", 1, 10, "duplicate object key near '\"a\"'"},
        {"[1, 2", 1, 6, "']' expected near end of file"},
        {"{\"\xC3\xA9\": }", 1, 7, "unexpected token near '}'"},
        {"'a'", 1, 1, "invalid token near '''"},
        {"[1e999]", 1, 2, "real number overflow near '1e999'"},
        {"[99999999999999999999]", 1, 2, "too big integer near '99999999999999999999'"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        json_t *value = NULL;
        qd_error err = QD_ERROR_INIT;
        char expected[200];
        snprintf(expected, sizeof expected, "malformed JSON at line %u, column %u: %s", BAD[i].line, BAD[i].column,
                 BAD[i].what);
        qd_status status = qd_json_parse(qd_str_of(BAD[i].text), &value, &err);
        assert_failed_with(status, &err, QD_EPARSE, expected);
        assert_int_equal(err.line, BAD[i].line);
        assert_int_equal(err.column, BAD[i].column);
        assert_null(value);
    }
}

static void test_parse__bad_utf8_and_nul__is_refused(void **state)
{
    (void)state;
    static const qd_str BAD[] = {
        {"\"\xFF\"", 3}, {"\"\xED\xA0\x80\"", 5}, {"\"\\ud800\"", 8}, {"\"\\u0000\"", 8}, {"{}\0", 3}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        json_t *value = NULL;
        qd_error err = QD_ERROR_INIT;
        assert_int_equal(qd_json_parse(BAD[i], &value, &err), QD_EPARSE);
        assert_int_equal(err.line, 1);
        assert_null(value);
    }
}

static void test_parse__depth__is_bounded(void **state)
{
    (void)state;
    enum { DEEP = 1000000 };
    char *text = malloc(DEEP + 1);
    memset(text, '[', DEEP);
    json_t *value = NULL;
    qd_error err = QD_ERROR_INIT;
    qd_status status = qd_json_parse((qd_str){text, DEEP}, &value, &err);
    assert_failed_with(status, &err, QD_EPARSE, "malformed JSON at line 1, column 129: nested deeper than 128 levels");
    memset(text + QD_JSON_MAX_DEPTH, ']', QD_JSON_MAX_DEPTH);
    assert_status_ok(qd_json_parse((qd_str){text, 2 * QD_JSON_MAX_DEPTH}, &value, &err), &err);
    json_decref(value);
    free(text);
    /* Brackets inside strings do not nest. */
    char brackets[400];
    memset(brackets, '[', sizeof brackets);
    memcpy(brackets, "[\"\\\"", 4);
    memcpy(brackets + 398, "\"]", 2);
    assert_status_ok(qd_json_parse((qd_str){brackets, 400}, &value, &err), &err);
    json_decref(value);
}

static void test_get__absent__leaves_the_output(void **state)
{
    (void)state;
    json_t *obj = parse("{}");
    qd_str s = QD_STR("kept");
    int64_t i = 5;
    double f = 5;
    bool b = true;
    assert_int_equal(qd_json_get_str(obj, "w", "k", QD_EINVAL, &s, NULL), QD_OK);
    assert_int_equal(qd_json_get_i64(obj, "w", "k", QD_EINVAL, &i, NULL), QD_OK);
    assert_int_equal(qd_json_get_f64(obj, "w", "k", QD_EINVAL, &f, NULL), QD_OK);
    assert_int_equal(qd_json_get_bool(obj, "w", "k", QD_EINVAL, &b, NULL), QD_OK);
    assert_str_equal(s, "kept");
    assert_true(i == 5 && f == 5 && b);
    json_decref(obj);
}

static void test_get__right_type__is_read(void **state)
{
    (void)state;
    json_t *obj = parse("{\"s\":\"text\",\"i\":-7,\"f\":2.5,\"b\":true}");
    qd_str s = {NULL, 0};
    int64_t i = 0;
    double f = 0;
    bool b = false;
    assert_int_equal(qd_json_get_str(obj, "w", "s", QD_EINVAL, &s, NULL), QD_OK);
    assert_str_equal(s, "text");
    assert_int_equal(qd_json_get_i64(obj, "w", "i", QD_EINVAL, &i, NULL), QD_OK);
    assert_int_equal(i, -7);
    assert_int_equal(qd_json_get_f64(obj, "w", "f", QD_EINVAL, &f, NULL), QD_OK);
    assert_true(f == 2.5);
    assert_int_equal(qd_json_get_f64(obj, "w", "i", QD_EINVAL, &f, NULL), QD_OK);
    assert_true(f == -7);
    assert_int_equal(qd_json_get_bool(obj, "w", "b", QD_EINVAL, &b, NULL), QD_OK);
    assert_true(b);
    json_decref(obj);
}

static void test_get__wrong_type__names_what_was_there(void **state)
{
    (void)state;
    json_t *obj = parse("{\"s\":\"text\",\"i\":7,\"f\":2.5,\"b\":false,\"n\":null,\"o\":{},\"a\":[]}");
    qd_error err = QD_ERROR_INIT;
    qd_str s;
    int64_t i;
    double f;
    bool b;
    assert_failed_with(qd_json_get_str(obj, "match", "i", QD_EPARSE, &s, &err), &err, QD_EPARSE,
                       "match: 'i': expected a string, got the number 7");
    assert_string_equal(err.field, "i");
    assert_failed_with(qd_json_get_str(obj, NULL, "n", QD_EINVAL, &s, &err), &err, QD_EINVAL,
                       "'n': expected a string, got null");
    assert_failed_with(qd_json_get_i64(obj, "w", "f", QD_EINVAL, &i, &err), &err, QD_EINVAL,
                       "w: 'f': expected an integer, got the number 2.5");
    assert_failed_with(qd_json_get_f64(obj, "w", "s", QD_EINVAL, &f, &err), &err, QD_EINVAL,
                       "w: 's': expected a number, got the string \"text\"");
    assert_failed_with(qd_json_get_bool(obj, "w", "o", QD_EINVAL, &b, &err), &err, QD_EINVAL,
                       "w: 'o': expected true or false, got an object");
    assert_failed_with(qd_json_get_str(obj, "w", "b", QD_EINVAL, &s, &err), &err, QD_EINVAL,
                       "w: 'b': expected a string, got false");
    assert_failed_with(qd_json_get_str(obj, "w", "a", QD_EINVAL, &s, &err), &err, QD_EINVAL,
                       "w: 'a': expected a string, got an array");
    json_decref(obj);
}

static void test_only__unknown_member__is_named(void **state)
{
    (void)state;
    static const char *const ALLOWED[] = {"name", "version", NULL}, *const NONE[] = {NULL};
    json_t *obj = parse("{\"name\":1,\"nmae\":2}");
    qd_error err = QD_ERROR_INIT;
    assert_failed_with(qd_json_only(obj, "manifest", ALLOWED, QD_EUDF_PARAMS, &err), &err, QD_EUDF_PARAMS,
                       "manifest: unknown member 'nmae'; expected only 'name', 'version'");
    assert_string_equal(err.field, "nmae");
    json_object_del(obj, "nmae");
    assert_int_equal(qd_json_only(obj, "manifest", ALLOWED, QD_EUDF_PARAMS, &err), QD_OK);
    assert_failed_with(qd_json_only(obj, "", NONE, QD_EUDF_PARAMS, &err), &err, QD_EUDF_PARAMS,
                       "unknown member 'name'; expected none");
    json_decref(obj);
}

static void test_type_name__of_each(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {{"{}", "an object"},    {"[]", "an array"},  {"\"\"", "a string"},
                                           {"1", "a number"},      {"1.5", "a number"}, {"true", "a boolean"},
                                           {"false", "a boolean"}, {"null", "null"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        json_t *value = parse(CASES[i][0]);
        assert_string_equal(qd_json_type_name(value), CASES[i][1]);
        json_decref(value);
    }
    assert_string_equal(qd_json_type_name(NULL), "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__whole_texts),
        cmocka_unit_test(test_parse__malformed__says_where),
        cmocka_unit_test(test_parse__bad_utf8_and_nul__is_refused),
        cmocka_unit_test(test_parse__depth__is_bounded),
        cmocka_unit_test(test_get__absent__leaves_the_output),
        cmocka_unit_test(test_get__right_type__is_read),
        cmocka_unit_test(test_get__wrong_type__names_what_was_there),
        cmocka_unit_test(test_only__unknown_member__is_named),
        cmocka_unit_test(test_type_name__of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
