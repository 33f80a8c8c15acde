/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

typedef struct tokens {
    char text[8192];
    size_t n;
    uint32_t next, last_start, last_end;
} tokens;

static void take(void *arg, const char *token, size_t len, uint32_t position, uint32_t start, uint32_t end)
{
    tokens *t = arg;
    assert_int_equal(position, t->next++);
    assert_true(start < end);
    t->last_start = start;
    t->last_end = end;
    t->n += (size_t)snprintf(t->text + t->n, sizeof t->text - t->n, "%.*s|", (int)len, token);
}

/* The words as OpenSearch's "standard" analyzer finds them. */
static void expect(const char *text, const char *words)
{
    tokens t = {0};
    qe_analyze_standard(text, strlen(text), take, &t);
    assert_string_equal(t.text, words);
}

static void test_standard__ascii__uax29(void **state)
{
    (void)state;
    expect("", "");
    expect("  ... !? __ --", "");
    expect("The 2 QUICK Brown-Foxes jumped over the lazy dog's bone.",
           "the|2|quick|brown|foxes|jumped|over|the|lazy|dog's|bone|");
    expect("foo_bar _baz_ a_1", "foo_bar|_baz_|a_1|");
    expect("3.14 1,000,000.5 1;2 a,b a;b 1:2", "3.14|1,000,000.5|1;2|a|b|a|b|1|2|");
    expect("www.example.com a.1 1.a a:b a::b x: :y", "www.example.com|a|1|1|a|a:b|a|b|x|y|");
    expect("o'neil 'quoted' 5'6 it''s", "o'neil|quoted|5'6|it|s|");
    expect("user@example.com #tag C++ a+b 50%", "user|example.com|tag|c|a|b|50|");
    expect("a.", "a|");
    expect(".a", "a|");
}

static void test_standard__other_scripts__uax29(void **state)
{
    (void)state;
    expect("Caf\u00e9 CR\u00c8ME br\u00fbl\u00e9e", "caf\u00e9|cr\u00e8me|br\u00fbl\u00e9e|");
    expect("\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!",
           "\u043f\u0440\u0438\u0432\u0435\u0442|\u043c\u0438\u0440|");
    expect("\u6211\u662f\u4e2d\u56fd\u4eba", "\u6211|\u662f|\u4e2d|\u56fd|\u4eba|");
    expect("\u3072\u3089\u30ab\u30bf\u30ab\u30ca", "\u3072|\u3089|\u30ab\u30bf\u30ab\u30ca|");
    expect("\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4", "\uc548\ub155\ud558\uc138\uc694|\uc138\uacc4|");
    expect("\u0e01\u0e32\u0e23\u0e17\u0e35\u0e48 \u0e44\u0e14\u0e49",
           "\u0e01\u0e32\u0e23\u0e17\u0e35\u0e48|\u0e44\u0e14\u0e49|");
    expect("\u00e9:\u00e9 a:\u00e9 \u00e9: b", "\u00e9:\u00e9|a:\u00e9|\u00e9|b|");
    expect("na\u00efve.caf\u00e9 d\u2019or \u00e91.5", "na\u00efve.caf\u00e9|d\u2019or|\u00e91.5|");
    expect("x\u00b2 \u00bd \u2014 \u20ac5", "x|5|");
    expect("e\u0301a \u0130X", "e\u0301a|ix|");
    expect("\u0661\u0662\u0663", "\u0661\u0662\u0663|");
}

static void test_standard__emoji__words(void **state)
{
    (void)state;
    expect("hi \U0001f600 there\U0001f44d\U0001f3fd", "hi|\U0001f600|there|\U0001f44d\U0001f3fd|");
    expect("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467|");
    expect("\U0001f1e9\U0001f1ea 1\ufe0f\u20e3 #\ufe0f\u20e3", "\U0001f1e9\U0001f1ea|1\ufe0f\u20e3|#\ufe0f\u20e3|");
}

static void test_standard__long_word__cut_at_255(void **state)
{
    char text[1100];
    tokens t = {0};
    (void)state;
    memset(text, 'A', 600);
    text[600] = 0;
    qe_analyze_standard(text, 600, take, &t);
    assert_int_equal(t.next, 3);
    assert_int_equal(t.n, 603);
    assert_int_equal(t.last_start, 510);
    assert_int_equal(t.last_end, 600);
    memset(&t, 0, sizeof t);
    for (int i = 0; i < 300; i++)
        memcpy(text + 2 * i, "\u00e9", 2);
    qe_analyze_standard(text, 600, take, &t);
    assert_int_equal(t.next, 2);
    assert_int_equal(t.last_start, 510);
}

static void test_standard__not_utf8__what_comes_before(void **state)
{
    tokens t = {0};
    (void)state;
    qe_analyze_standard("ab cd\xff ef", 9, take, &t);
    assert_string_equal(t.text, "ab|cd|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard__ascii__uax29),
        cmocka_unit_test(test_standard__other_scripts__uax29),
        cmocka_unit_test(test_standard__emoji__words),
        cmocka_unit_test(test_standard__long_word__cut_at_255),
        cmocka_unit_test(test_standard__not_utf8__what_comes_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
