/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

enum { TITLE = FIXTURE_FIELDS, COLOUR, RANK };

static void extend(fixture *f)
{
    const qe_field_def fields[] = {fixture_field("title", QE_TEXT), fixture_field("colour", QE_KEYWORD),
                                   fixture_field("rank", QE_I64)};
    assert_qe_ok(qe_index_extend(f->index, fields, 3, (uint64_t)f->next_seq_no, &f->err), &f->err);
}

static void add_new(fixture *f, const char *id, const char *title, const char *colour, int64_t rank)
{
    qe_doc *doc = qe_doc_new();
    qe_doc_add_str(doc, BODY, "common", 6);
    qe_doc_add_str(doc, TITLE, title, strlen(title));
    qe_doc_add_str(doc, COLOUR, colour, strlen(colour));
    qe_doc_add_i64(doc, RANK, rank);
    fixture_add_doc(f, doc, id, "{}");
}

static qe_query *title(fixture *f, const char *text)
{
    const qe_term term = {.kind = QE_TEXT, .s = text, .n = strlen(text)};
    return qe_query_term(f->searcher, TITLE, &term);
}

static qe_query *colour(fixture *f, const char *text)
{
    const qe_term term = {.kind = QE_KEYWORD, .s = text, .n = strlen(text)};
    return qe_query_term(f->searcher, COLOUR, &term);
}

static void expect_everything(fixture *f)
{
    const qe_bound low = {.inclusive = true, .i = 5};
    fixture_expect(f, fixture_term(f, BODY, "common"), "d0 d1 n1 n2 ");
    fixture_expect(f, title(f, "fresh"), "n1 n2 ");
    fixture_expect(f, colour(f, "red"), "n1 ");
    fixture_expect(f, qe_query_exists(f->searcher, TITLE), "n1 n2 ");
    fixture_expect(f, qe_query_exists(f->searcher, COLOUR), "n1 n2 ");
    fixture_expect(f, qe_query_range(f->searcher, RANK, &low, NULL), "n2 ");
    fixture_expect(f, fixture_term(f, TAG, "a"), "d0 ");
}

static void test_extend__segments_exist__old_and_new_fields_work(void **state)
{
    fixture *f = *state;
    qe_searcher *before = NULL;

    fixture_add(f, "common old", "a", 1, 1);
    fixture_refresh(f);
    fixture_add(f, "common", "b", 2, 2); /* not committed yet */
    assert_qe_ok(qe_searcher_new(f->index, &before, &f->err), &f->err);
    extend(f);
    assert_int_equal(qe_index_payload(f->index), 2);
    fixture_refresh(f);
    fixture_expect(f, title(f, "fresh"), "");
    fixture_expect(f, qe_query_exists(f->searcher, TITLE), "");
    qe_column *none = NULL;
    assert_qe_ok(qe_column_open(f->searcher, 0, RANK, &none, &f->err), &f->err);
    assert_null(none);

    add_new(f, "n1", "fresh title", "red", 1);
    fixture_refresh(f);
    add_new(f, "n2", "fresh", "blue", 7);
    fixture_refresh(f);
    expect_everything(f);
    assert_qe_ok(qe_index_force_merge(f->index, 1, &f->err), &f->err);
    fixture_refresh(f);
    assert_int_equal(qe_searcher_segments(f->searcher), 1);
    expect_everything(f);
    fixture_close(f);
    fixture_open(f);
    fixture_refresh(f);
    expect_everything(f);

    /* The old snapshot is as it was. */
    assert_int_equal(qe_searcher_live_docs(before), 1);
    const qe_term term = {.kind = QE_TEXT, .s = "fresh", .n = 5};
    assert_null(qe_query_term(before, TITLE, &term));
    qe_searcher_free(before);
}

static void test_extend__again_and_again__all_merge(void **state)
{
    fixture *f = *state;
    char name[16];
    for (int i = 0; i < 12; i++) {
        const qe_field_def field = fixture_field(name, QE_TEXT);
        qe_field_def grown = field;
        snprintf(name, sizeof name, "t%d", i);
        grown.name_len = strlen(name);
        assert_qe_ok(qe_index_extend(f->index, &grown, 1, (uint64_t)f->next_seq_no, &f->err), &f->err);
        qe_doc *doc = qe_doc_new();
        qe_doc_add_str(doc, (uint32_t)(FIXTURE_FIELDS + i), "word", 4);
        fixture_add_doc(f, doc, name, "{}");
        fixture_refresh(f);
    }
    assert_qe_ok(qe_index_force_merge(f->index, 1, &f->err), &f->err);
    fixture_refresh(f);
    assert_int_equal(qe_searcher_segments(f->searcher), 1);
    for (int i = 0; i < 12; i++) {
        const qe_term term = {.kind = QE_TEXT, .s = "word", .n = 4};
        const hits *h = fixture_search(f, qe_query_term(f->searcher, (uint32_t)(FIXTURE_FIELDS + i), &term), true);
        assert_int_equal(h->n, 1);
        assert_int_equal(h->docs[0], i);
    }
}

/* Reads (buffer given) or writes the list of segments and fields. */
static size_t meta_json(fixture *f, char *read, const char *write, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/meta.json", f->dir);
    FILE *file = fopen(path, read ? "r" : "w");
    assert_non_null(file);
    n = read ? fread(read, 1, n, file) : fwrite(write, 1, n, file);
    assert_int_equal(fclose(file), 0);
    return n;
}

/* What a crash leaves behind that comes after the norms were widened, and before the schema grew. */
static void test_extend__interrupted__old_schema_works_and_grows_again(void **state)
{
    fixture *f = *state;
    static char meta[65536];
    fixture_add(f, "common old", "a", 1, 1);
    fixture_add(f, "common", "b", 1, 1);
    fixture_refresh(f);
    fixture_close(f);
    size_t n = meta_json(f, meta, NULL, sizeof meta);
    fixture_open(f);
    extend(f);
    fixture_close(f);
    meta_json(f, NULL, meta, n);

    fixture_open(f);
    fixture_refresh(f);
    fixture_expect(f, fixture_term(f, BODY, "common"), "d0 d1 ");
    const qe_term term = {.kind = QE_TEXT, .s = "fresh", .n = 5};
    assert_null(qe_query_term(f->searcher, TITLE, &term));
    extend(f);
    add_new(f, "n1", "fresh title", "red", 1);
    fixture_refresh(f);
    add_new(f, "n2", "fresh", "blue", 7);
    assert_qe_ok(qe_index_commit(f->index, 9, &f->err), &f->err);
    assert_qe_ok(qe_index_force_merge(f->index, 1, &f->err), &f->err);
    fixture_refresh(f);
    expect_everything(f);
}

static void test_extend__defined_already__refused_and_unchanged(void **state)
{
    fixture *f = *state;
    const qe_field_def field = fixture_field("tag.raw", QE_I64);
    fixture_add(f, "common", "a", 1, 1);
    assert_qe_failed(qe_index_extend(f->index, &field, 1, 0, &f->err), &f->err, QE_EINVAL,
                     "field 'tag.raw' is defined twice");
    fixture_refresh(f);
    fixture_expect(f, fixture_term(f, BODY, "common"), "d0 ");
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_extend__segments_exist__old_and_new_fields_work),
        test(test_extend__again_and_again__all_merge),
        test(test_extend__interrupted__old_schema_works_and_grows_again),
        test(test_extend__defined_already__refused_and_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
