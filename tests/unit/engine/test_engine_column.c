/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static qe_column *open_column_of(fixture *f, size_t segment, uint32_t field)
{
    qe_column *c = NULL;
    assert_qe_ok(qe_column_open(f->searcher, segment, field, &c, &f->err), &f->err);
    return c;
}

static qe_column *open_column(fixture *f, uint32_t field)
{
    return open_column_of(f, 0, field);
}

static void test_column__full__batch_of_first_values(void **state)
{
    fixture *f = *state;
    static uint32_t docs[1000];
    static double price[1000];
    static int64_t count[1000];
    static uint8_t valid[1000];
    bool all = false;
    for (int i = 0; i < 2000; i++)
        fixture_add(f, NULL, "a", i - 1000, i * 0.5);
    fixture_refresh(f);
    for (uint32_t i = 0; i < 1000; i++)
        docs[i] = i * 2 + 1;
    qe_column *prices = open_column(f, PRICE), *counts = open_column(f, COUNT);
    assert_int_equal(qe_column_kind(prices), QE_F64);
    assert_int_equal(qe_column_kind(counts), QE_I64);
    assert_true(qe_column_f64(prices, 1000, docs, price, valid, &all) && all && valid[999] == 1);
    assert_true(price[0] == 0.5 && price[999] == 999.5);
    assert_true(qe_column_i64(prices, 1000, docs, count, valid, NULL) && count[999] == 999);
    assert_true(qe_column_i64(counts, 1000, docs, count, valid, &all) && all && count[0] == -999);
    assert_true(qe_column_f64(counts, 1000, docs, price, valid, &all) && price[0] == -999);
    uint64_t ords[1];
    assert_false(qe_column_ords(counts, 1, docs, ords, valid, &all));
    const char *p = NULL;
    size_t n = 0;
    assert_qe_failed(qe_column_ord_str(counts, 0, &p, &n, &f->err), &f->err, QE_EINVAL,
                     "the column holds numbers, which have no ordinals");
    qe_column_free(prices);
    qe_column_free(counts);

    qe_column *seq_no = open_column(f, QE_FIELD_SEQ_NO), *version = open_column(f, QE_FIELD_VERSION);
    assert_true(qe_column_i64(seq_no, 1000, docs, count, valid, &all) && all && count[3] == 7);
    assert_true(qe_column_i64(version, 1000, docs, count, valid, &all) && all && count[3] == 1);
    qe_column_free(seq_no);
    qe_column_free(version);
}

static void add_values(fixture *f, size_t n, const int64_t *counts, const bool *flag, const char *tags)
{
    char id[2] = {(char)('a' + f->next_seq_no), 0};
    qe_doc *doc = qe_doc_new();
    for (size_t i = 0; i < n; i++)
        qe_doc_add_i64(doc, COUNT, counts[i]);
    if (flag)
        qe_doc_add_bool(doc, OK_, *flag);
    for (; tags && *tags; tags++)
        qe_doc_add_str(doc, TAG, tags, 1);
    fixture_add_doc(f, doc, id, "{}");
}

static void test_column__optional_and_multivalued__validity_and_all_values(void **state)
{
    fixture *f = *state;
    const uint32_t docs[] = {0, 1, 2, 3};
    int64_t out[4];
    double real[4];
    uint8_t valid[4];
    bool all = true;
    add_values(f, 2, (int64_t[]){30, 10}, NULL, "cab");
    add_values(f, 0, NULL, &(bool){true}, NULL);
    add_values(f, 1, (int64_t[]){INT64_MIN}, &(bool){false}, "b");
    add_values(f, 3, (int64_t[]){3, 1, 2}, NULL, "b");
    fixture_refresh(f);

    qe_column *count = open_column(f, COUNT);
    assert_true(qe_column_i64(count, 4, docs, out, valid, &all));
    assert_false(all);
    assert_memory_equal(valid, ((uint8_t[]){1, 0, 1, 1}), 4);
    assert_true(out[0] == 30 && out[1] == 0 && out[2] == INT64_MIN && out[3] == 3);
    assert_int_equal(qe_column_count(count, 3), 3);
    assert_int_equal(qe_column_count(count, 1), 0);
    assert_int_equal(qe_column_count(count, 4000), 0);
    int64_t v = 0;
    assert_true(qe_column_nth_i64(count, 3, 2, &v) && v == 2);
    assert_false(qe_column_nth_i64(count, 3, 3, &v));
    assert_true(qe_column_nth_f64(count, 0, 1, real) && real[0] == 10);
    qe_column_free(count);

    qe_column *ok = open_column(f, OK_);
    assert_int_equal(qe_column_kind(ok), QE_BOOL);
    assert_true(qe_column_f64(ok, 4, docs, real, valid, &all));
    assert_memory_equal(valid, ((uint8_t[]){0, 1, 1, 0}), 4);
    assert_true(real[1] == 1 && real[2] == 0);
    qe_column_free(ok);

    assert_null(open_column(f, WHEN));
    qe_column *none = NULL;
    assert_qe_failed(qe_column_open(f->searcher, 0, BODY, &none, &f->err), &f->err, QE_EINVAL,
                     "field 'body' has no column");
    assert_qe_failed(qe_column_open(f->searcher, 0, 50, &none, &f->err), &f->err, QE_EINVAL,
                     "field id 50: the index has only 6 fields");
}

static void test_column__strings__ordinals_in_order(void **state)
{
    fixture *f = *state;
    const uint32_t docs[] = {0, 1, 2};
    uint64_t ords[3];
    uint8_t valid[3];
    bool all = true;
    const char *p = NULL;
    size_t n = 0;
    add_values(f, 0, NULL, NULL, "z");
    add_values(f, 0, NULL, NULL, NULL);
    add_values(f, 0, NULL, NULL, "bz");
    fixture_refresh(f);
    qe_column *tag = open_column(f, TAG);
    assert_int_equal(qe_column_kind(tag), QE_KEYWORD);
    assert_true(qe_column_ords(tag, 3, docs, ords, valid, &all));
    assert_false(all);
    assert_memory_equal(valid, ((uint8_t[]){1, 0, 1}), 3);
    assert_true(ords[0] > ords[2]);
    assert_qe_ok(qe_column_ord_str(tag, ords[0], &p, &n, &f->err), &f->err);
    assert_true(n == 1 && *p == 'z');
    assert_int_equal(qe_column_count(tag, 2), 2);
    uint64_t ord = 9;
    assert_true(qe_column_nth_ord(tag, 2, 1, &ord) && ord == ords[0]);
    double d = 0;
    assert_false(qe_column_f64(tag, 3, docs, (double[3]){0}, valid, NULL));
    assert_false(qe_column_nth_f64(tag, 0, 0, &d));
    assert_qe_failed(qe_column_ord_str(tag, 2, &p, &n, &f->err), &f->err, QE_EINVAL,
                     "ordinal 2: the column has only 2");
    qe_column_free(tag);
}

#define MANY 6400

/* Each has a string of its own, in no order, and every fifth has none. */
static const char *tag_of(uint32_t doc, char text[32])
{
    snprintf(text, 32, "%x-\xc3\xa9-%u", doc * 2654435761u, doc);
    return doc % 5 == 3 ? NULL : text;
}

static void add_many(fixture *f)
{
    char text[32];
    for (uint32_t i = 0; i < MANY; i++)
        fixture_add(f, NULL, tag_of(i, text), 1, 1);
    fixture_refresh(f);
}

static void check_tags(fixture *f, qe_column *tag, const qe_strings *strings)
{
    static uint32_t docs[QE_BLOCK_DOCS];
    static uint64_t ords[QE_BLOCK_DOCS];
    static uint8_t valid[QE_BLOCK_DOCS];
    char text[32];
    for (uint32_t first = 0; first + QE_BLOCK_DOCS <= MANY; first += QE_BLOCK_DOCS) {
        for (uint32_t i = 0; i < QE_BLOCK_DOCS; i++)
            docs[i] = first + i;
        bool all = true;
        assert_true(qe_column_ords(tag, QE_BLOCK_DOCS, docs, ords, valid, &all) && !all);
        for (uint32_t i = 0; i < QE_BLOCK_DOCS; i++) {
            const char *expected = tag_of(docs[i], text), *p = NULL;
            size_t n = 0;
            assert_int_equal(valid[i], expected != NULL);
            if (!expected)
                continue;
            if (strings) {
                assert_true(ords[i] < strings->n);
                p = strings->bytes + strings->starts[ords[i]];
                n = strings->starts[ords[i] + 1] - strings->starts[ords[i]];
            } else if (i % 64 == 0) {
                assert_qe_ok(qe_column_ord_str(tag, ords[i], &p, &n, &f->err), &f->err);
            } else {
                continue;
            }
            assert_true(n == strlen(expected) && memcmp(p, expected, n) == 0);
        }
    }
}

static void test_column__all_strings__in_memory_once_enough_are_wanted(void **state)
{
    fixture *f = *state;
    qe_strings strings = {0}, again = {0};
    add_many(f);
    qe_column *tag = open_column(f, TAG), *count = open_column(f, COUNT), *other = open_column(f, TAG);
    assert_false(qe_column_strings(count, MANY, &strings));
    assert_false(qe_column_strings(tag, 1, &strings));
    assert_null(strings.bytes);
    assert_true(qe_column_strings(tag, MANY / 64, &strings));
    assert_int_equal(strings.n, MANY / 5 * 4);
    check_tags(f, tag, &strings);
    check_tags(f, tag, &strings); /* ordinals are unpacked by now */

    assert_true(qe_column_strings(other, 0, &again));
    assert_true(again.bytes == strings.bytes && again.starts == strings.starts && again.n == strings.n);
    const char *p = NULL;
    size_t n = 0;
    assert_qe_ok(qe_column_ord_str(other, 7, &p, &n, &f->err), &f->err);
    assert_ptr_equal(p, strings.bytes + strings.starts[7]);
    assert_qe_failed(qe_column_ord_str(other, strings.n, &p, &n, &f->err), &f->err, QE_EINVAL,
                     "ordinal 5120: the column has only 5120");
    assert_qe_failed(qe_column_ord_str(other, UINT64_MAX, &p, &n, &f->err), &f->err, QE_EINVAL,
                     "ordinal 18446744073709551615: the column has only 5120");

    /* The segment goes; what the handle sees stays. */
    qe_column_free(other);
    for (uint32_t i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%u", i);
        fixture_delete(f, id);
    }
    fixture_refresh(f);
    assert_int_equal(qe_searcher_segments(f->searcher), 0);
    check_tags(f, tag, &strings);
    qe_column_free(count);
    qe_column_free(tag);
}

static void test_column__strings_one_by_one__in_memory_after_a_while(void **state)
{
    fixture *f = *state;
    qe_strings strings = {0};
    add_many(f);
    qe_column *tag = open_column(f, TAG);
    check_tags(f, tag, NULL); /* not quite enough */
    assert_true(qe_column_strings(tag, 16, &strings));
    check_tags(f, tag, &strings);
    check_tags(f, tag, NULL);
    qe_column_free(tag);
}

enum { BIG = 65000, BIG_DOCS = 2400, UNINDEXED = FIXTURE_FIELDS, MOST_SEGMENTS = 64 };

/* The string of a document: long, and in the order of the documents. */
static void set_big(char *big, unsigned doc)
{
    memset(big, 'x', BIG);
    for (int i = 7; i >= 0; i--, doc /= 10)
        big[i] = (char)('0' + doc % 10);
}

static void add_big(fixture *f, char *big)
{
    qe_field_def field = fixture_field("big", QE_KEYWORD);
    field.indexed = false;
    assert_qe_ok(qe_index_extend(f->index, &field, 1, 0, &f->err), &f->err);
    for (unsigned i = 0; i < BIG_DOCS; i++) {
        char id[16];
        qe_doc *doc = qe_doc_new();
        set_big(big, i);
        qe_doc_add_str(doc, UNINDEXED, big, BIG);
        snprintf(id, sizeof id, "d%u", i);
        fixture_add_doc(f, doc, id, "{}");
    }
    fixture_refresh(f);
}

static unsigned first_seq_no(fixture *f, size_t segment)
{
    int64_t seq_no = -1;
    uint8_t valid = 0;
    qe_column *c = open_column_of(f, segment, QE_FIELD_SEQ_NO);
    assert_true(qe_column_i64(c, 1, &(uint32_t){0}, &seq_no, &valid, NULL) && valid);
    qe_column_free(c);
    return (unsigned)seq_no;
}

/* 150 MiB of strings, in segments of what the writer's memory holds: the last ones find no room in the 128 MiB. */
static void test_column__strings_over_the_limit__are_read_one_by_one(void **state)
{
    fixture *f = *state;
    qe_column *columns[MOST_SEGMENTS];
    size_t bytes = 0, refused = SIZE_MAX, n = 0;
    char *big = malloc(BIG);
    const char *p = NULL;
    assert_non_null(big);
    add_big(f, big);
    size_t segments = qe_searcher_segments(f->searcher);
    assert_in_range(segments, 2, MOST_SEGMENTS);
    for (size_t i = 0; i < segments; i++) {
        qe_strings strings = {0};
        columns[i] = open_column_of(f, i, UNINDEXED);
        if (qe_column_strings(columns[i], BIG_DOCS, &strings))
            bytes += strings.starts[strings.n];
        else
            refused = i;
    }
    assert_in_range(refused, 1, segments - 1);
    assert_in_range(bytes, 64 << 20, 128 << 20);
    unsigned first = first_seq_no(f, refused);
    set_big(big, first);
    assert_qe_ok(qe_column_ord_str(columns[refused], 0, &p, &n, &f->err), &f->err);
    assert_true(n == BIG && memcmp(p, big, n) == 0);

    /* There is room again when segments go with their last handles. */
    for (size_t i = 0; i < segments; i++)
        qe_column_free(columns[i]);
    for (unsigned i = 0; i < first; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%u", i);
        fixture_delete(f, id);
    }
    fixture_refresh(f);
    qe_strings strings = {0};
    qe_column *c = open_column(f, UNINDEXED);
    assert_true(qe_column_strings(c, BIG_DOCS, &strings) && memcmp(strings.bytes, big, BIG) == 0);
    qe_column_free(c);
    free(big);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_column__full__batch_of_first_values),
        test(test_column__optional_and_multivalued__validity_and_all_values),
        test(test_column__strings__ordinals_in_order),
        test(test_column__all_strings__in_memory_once_enough_are_wanted),
        test(test_column__strings_one_by_one__in_memory_after_a_while),
        test(test_column__strings_over_the_limit__are_read_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
