/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct heard {
    char text[4096];
    size_t n;
    size_t events, stop_at;
} heard;

static bool hear(void *arg, qe_event event, const qe_json_value *v)
{
    static const char marks[] = "{}[]";
    heard *h = arg;
    char *to = h->text + h->n;
    size_t room = sizeof h->text - h->n;
    int n = 0;

    if (event <= QE_END_ARRAY)
        n = snprintf(to, room, "%c ", marks[event]);
    else if (event == QE_KEY)
        n = snprintf(to, room, "%.*s: ", (int)v->n, v->s);
    else if (event == QE_STRING)
        n = snprintf(to, room, "'%.*s' ", (int)v->n, v->s);
    else if (event == QE_NUMBER_I64)
        n = snprintf(to, room, "i%lld ", (long long)v->i);
    else if (event == QE_NUMBER_F64)
        n = snprintf(to, room, "f%.17g ", v->f);
    else
        n = snprintf(to, room, "%s ", event == QE_TRUE ? "true" : event == QE_FALSE ? "false" : "null");
    if ((size_t)n < room)
        h->n += (size_t)n;
    return ++h->events != h->stop_at;
}

static void expect_events(const char *json, const char *events)
{
    heard h = {0};
    qe_error err;
    assert_qe_ok(qe_json_read(json, strlen(json), 64, hear, &h, &err), &err);
    assert_string_equal(h.text, events);
}

static void expect_refused(const char *json, size_t len, uint32_t line, uint32_t column, const char *message)
{
    heard h = {0};
    qe_error err;
    assert_qe_failed(qe_json_read(json, len, 64, hear, &h, &err), &err, QE_ESYNTAX, message);
    if (err.line != line || err.column != column)
        fail_msg("%s: expected line %u column %u, got line %u column %u", json, line, column, err.line, err.column);
}

static void test_json__values__events_in_order(void **state)
{
    (void)state;
    expect_events(" {\"a\":[1,-2,2.5,true,false,null],\"a\":\"x\\n\\u00e9\\ud83d\\ude00\",\"\":{}} ",
                  "{ a: [ i1 i-2 f2.5 true false null ] a: 'x\n\xc3\xa9\xf0\x9f\x98\x80' : { } } ");
    expect_events("9223372036854775807", "i9223372036854775807 ");
    expect_events("-9223372036854775808", "i-9223372036854775808 ");
    expect_events("9223372036854775808", "f9.2233720368547758e+18 ");
    expect_events("123456789012345678901234567890", "f1.2345678901234568e+29 ");
    expect_events("1e2", "f100 ");
    expect_events("-0", "f-0 ");
    expect_events("\"plain\"", "'plain' ");
}

static void test_json__doubles__nearest(void **state)
{
    static const char *const numbers[] = {"0.1",
                                          "1.7976931348623157e308",
                                          "5e-324",
                                          "2.2250738585072011e-308",
                                          "9007199254740993.0",
                                          "0.30000000000000004",
                                          "6.02214076e23"};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "f%.17g ", strtod(numbers[i], NULL));
        expect_events(numbers[i], expected);
    }
}

static void test_json__malformed__line_and_column(void **state)
{
    (void)state;
    expect_refused("{\"a\":1,}", 8, 1, 8, "trailing comma");
    expect_refused("{\n  \"a\": tru }", 13, 2, 11, "expected ident");
    expect_refused("", 0, 1, 0, "EOF while parsing a value");
    expect_refused("[1", 2, 1, 2, "EOF while parsing a list");
    expect_refused("1 2", 3, 1, 3, "trailing characters");
    expect_refused("\"\xff\"", 3, 1, 2, "invalid unicode code point");
    expect_refused("\"a\nb\"", 5, 2, 0, "control character (\\u0000-\\u001F) found while parsing a string");
    expect_refused("01", 2, 1, 2, "invalid number");
    expect_refused("1e999", 5, 1, 5, "number out of range");
    expect_refused("\"\\ud800\"", 8, 1, 8, "unexpected end of hex escape");
    expect_refused("{1:2}", 5, 1, 2, "key must be a string");
    expect_refused("\0", 1, 1, 1, "expected value");
}

static void test_json__too_deep__refused(void **state)
{
    static char text[200001];
    heard h = {0};
    qe_error err;
    (void)state;
    memset(text, '[', 200000);
    assert_qe_failed(qe_json_read(text, 200000, 20, hear, &h, &err), &err, QE_ESYNTAX, "nested deeper than 20 levels");
    assert_int_equal(err.column, 21);
    memset(&h, 0, sizeof h);
    assert_int_equal(qe_json_read(text, 200000, UINT32_MAX, hear, &h, &err), QE_ESYNTAX);
    assert_int_equal(h.events, 127);
    memset(&h, 0, sizeof h);
    memcpy(text, "[[[1]]]", 7);
    assert_qe_ok(qe_json_read(text, 7, 3, hear, &h, &err), &err);
    assert_int_equal(qe_json_read(text, 7, 2, hear, &h, &err), QE_ESYNTAX);
}

static void test_json__callback_stops__stopped(void **state)
{
    heard h = {.stop_at = 3};
    qe_error err;
    (void)state;
    assert_qe_failed(qe_json_read("[1,2,3", 6, 20, hear, &h, &err), &err, QE_ESTOPPED, "stopped by its callback");
    assert_string_equal(h.text, "[ i1 i2 ");
}

/* Whatever bytes come, there is an answer. */
static void test_json__mutated__answers(void **state)
{
    static const char seed[] = "{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\n\"],\"b\":{\"c\":\"\xc3\xa9\"}}";
    uint64_t x = 7;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        char text[sizeof seed];
        heard h = {0};
        size_t len = sizeof seed - 1;
        memcpy(text, seed, sizeof seed);
        for (int flips = 0; flips < 1 + i % 4; flips++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            text[(x >> 33) % len] = (char)(x >> 20);
        }
        int code = qe_json_read(text, len - (x >> 50) % 8, 16, hear, &h, NULL);
        assert_true(code == QE_OK || code == QE_ESYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__values__events_in_order),    cmocka_unit_test(test_json__doubles__nearest),
        cmocka_unit_test(test_json__malformed__line_and_column), cmocka_unit_test(test_json__too_deep__refused),
        cmocka_unit_test(test_json__callback_stops__stopped),    cmocka_unit_test(test_json__mutated__answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
