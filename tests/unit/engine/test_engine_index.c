/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_index_open__empty__no_documents_and_no_payload(void **state)
{
    fixture *f = *state;
    assert_true(qe_index_payload(f->index) == UINT64_MAX);
    fixture_refresh(f);
    assert_int_equal(qe_searcher_segments(f->searcher), 0);
    assert_int_equal(qe_searcher_live_docs(f->searcher), 0);
    fixture_expect(f, qe_query_all(), "");
}

static void test_index_create__exists__refused(void **state)
{
    fixture *f = *state;
    char message[256];
    snprintf(message, sizeof message, "directory %s holds an index already", f->dir);
    assert_qe_failed(qe_index_create(f->dir, strlen(f->dir), NULL, 0, &f->err), &f->err, QE_EINVAL, message);
}

static void test_index_open__twice__refused(void **state)
{
    fixture *f = *state;
    qe_index *second = NULL;
    assert_qe_failed(qe_index_open(f->dir, strlen(f->dir), NULL, &second, NULL, &f->err), &f->err, QE_EIO,
                     "the index is locked: it is open in this process or in another one; close it there first");
    assert_null(second);
}

static void test_index_create__bad_fields__refused(void **state)
{
    fixture *f = *state;
    char dir[96];
    snprintf(dir, sizeof dir, "%s/new", f->dir);
    const qe_field_def twice[] = {fixture_field("a", QE_TEXT), fixture_field("a", QE_I64)};
    assert_qe_failed(qe_index_create(dir, strlen(dir), twice, 2, &f->err), &f->err, QE_EINVAL,
                     "field 'a' is defined twice");
    const qe_field_def odd = fixture_field("a", (qe_kind)99);
    assert_qe_failed(qe_index_create(dir, strlen(dir), &odd, 1, &f->err), &f->err, QE_EINVAL,
                     "field 'a': unknown kind 99");
    const qe_field_def bad = fixture_field("\xff", QE_TEXT);
    assert_qe_failed(qe_index_create(dir, strlen(dir), &bad, 1, &f->err), &f->err, QE_EINVAL,
                     "a field name is not UTF-8: bad byte at offset 0");
}

static void test_index_add__wrong_values__refused(void **state)
{
    fixture *f = *state;
    qe_doc *doc = qe_doc_new();
    qe_doc_add_i64(doc, PRICE, 1);
    assert_qe_failed(qe_index_add(f->index, doc, "x", 1, 0, 1, "{}", 2, &f->err), &f->err, QE_EINVAL,
                     "field 'price' of kind F64 got a value of kind I64");
    doc = qe_doc_new();
    qe_doc_add_i64(doc, 99, 1);
    assert_qe_failed(qe_index_add(f->index, doc, "x", 1, 0, 1, "{}", 2, &f->err), &f->err, QE_EINVAL,
                     "field id 99: the index has only 6 fields");
    doc = qe_doc_new();
    qe_doc_add_str(doc, BODY, "\xc3\x28", 2);
    assert_qe_failed(qe_index_add(f->index, doc, "x", 1, 0, 1, "{}", 2, &f->err), &f->err, QE_EINVAL,
                     "field 'body': a value is not UTF-8");
    assert_qe_failed(qe_index_add(f->index, qe_doc_new(), "", 0, 0, 1, "{}", 2, &f->err), &f->err, QE_EINVAL,
                     "a document id has 0 bytes; it must have between 1 and 32766");
    fixture_add(f, "still works", NULL, 0, 0);
    fixture_refresh(f);
    fixture_expect(f, qe_query_all(), "d0 ");
}

static void test_index_commit__reopened__documents_and_payload_are_there(void **state)
{
    fixture *f = *state;
    fixture_add(f, "hello world", "a", 1, 1.5);
    fixture_refresh(f);
    fixture_add(f, "never committed", "b", 2, 2.5);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(qe_index_payload(f->index), 1);
    assert_qe_ok(qe_searcher_new(f->index, &f->searcher, &f->err), &f->err);
    fixture_expect(f, qe_query_all(), "d0 ");
    assert_true(qe_searcher_size_bytes(f->searcher) > 100);
}

static void test_index_delete__then_added_again__only_the_new_one(void **state)
{
    fixture *f = *state;
    fixture_add(f, "one", "a", 1, 1);
    fixture_add(f, "two", "a", 2, 2);
    fixture_refresh(f);
    fixture_delete(f, "d0");
    fixture_add_doc(f, qe_doc_new(), "d0", "{\"again\":true}");
    fixture_refresh(f);
    fixture_expect(f, qe_query_all(), "d1 d0 ");

    bool found = false;
    size_t segment = 0;
    uint32_t doc = 0;
    int64_t seq_no = 0, version = 0;
    assert_qe_ok(qe_searcher_find_id(f->searcher, "d0", 2, &found, &segment, &doc, &seq_no, &version, &f->err),
                 &f->err);
    assert_true(found);
    assert_int_equal(seq_no, 2);
    assert_int_equal(version, 1);
    qe_stored stored;
    assert_qe_ok(qe_segment_stored(f->searcher, segment, doc, &stored, &f->err), &f->err);
    assert_int_equal(stored.source_len, strlen("{\"again\":true}"));
    assert_memory_equal(stored.source, "{\"again\":true}", stored.source_len);
    qe_stored_free(&stored);

    assert_qe_ok(qe_searcher_find_id(f->searcher, "zz", 2, &found, NULL, NULL, NULL, NULL, &f->err), &f->err);
    assert_false(found);
    assert_int_equal(qe_segment_max_doc(f->searcher, 0), 2);
    assert_int_equal(qe_segment_live_docs(f->searcher, 0), 1);
}

static void test_segment_stored__out_of_range__refused(void **state)
{
    fixture *f = *state;
    qe_stored stored;
    fixture_add(f, "one", "a", 1, 1);
    fixture_refresh(f);
    assert_qe_failed(qe_segment_stored(f->searcher, 0, 1, &stored, &f->err), &f->err, QE_EINVAL,
                     "document 1: segment 0 has only 1");
    assert_qe_failed(qe_segment_stored(f->searcher, 7, 0, &stored, &f->err), &f->err, QE_EINVAL,
                     "segment 7: the searcher has only 1");
}

static void test_searcher__index_closed__still_answers(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 100; i++)
        fixture_add(f, "some words", "a", i, i);
    fixture_refresh(f);
    qe_index_close(f->index);
    f->index = NULL;
    assert_int_equal(fixture_search(f, fixture_term(f, BODY, "words"), true)->n, 100);
    assert_string_equal(fixture_id(f, 0, 99), "d99");
}

/* One of two readers: snapshots and searches until all is there. cmocka's checks work in the main thread only, so it
 * returns what went wrong, or NULL. */
static void *read_along(void *arg)
{
    static char failure[600];
    fixture *f = arg;
    const qe_term word = {.kind = QE_TEXT, .s = "word", .n = 4};
    hits *h = calloc(1, sizeof *h);
    uint64_t last = 0;
    int rc = QE_OK;

    while (rc == QE_OK && last < 3000) {
        qe_error err = {0};
        qe_searcher *s = NULL;
        qe_weight *w = NULL;
        h->n = 0;
        rc = qe_searcher_new(f->index, &s, &err);
        if (rc == QE_OK)
            rc = qe_weight_new(s, qe_query_term(s, BODY, &word), true, &w, &err);
        for (size_t i = 0; rc == QE_OK && i < qe_searcher_segments(s); i++)
            rc = qe_weight_run(w, i, fixture_collect, h, &err);
        if (rc != QE_OK) {
            snprintf(failure, sizeof failure, "%s", err.message);
        } else if (h->n != qe_searcher_live_docs(s) || h->n < last) {
            snprintf(failure, sizeof failure, "%zu hits after %llu", h->n, (unsigned long long)last);
            rc = QE_ECORRUPT;
        }
        last = h->n;
        qe_weight_free(w);
        qe_searcher_free(s);
    }
    free(h);
    return rc == QE_OK ? NULL : failure;
}

static void test_searcher__while_writing__sees_whole_commits(void **state)
{
    fixture *f = *state;
    pthread_t readers[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_along, f), 0);
    for (int commit = 0; commit < 30; commit++) {
        for (int i = 0; i < 100; i++)
            fixture_add(f, "word", "a", i, i);
        assert_qe_ok(qe_index_commit(f->index, (uint64_t)f->next_seq_no, &f->err), &f->err);
    }
    assert_qe_ok(qe_index_force_merge(f->index, 1, &f->err), &f->err);
    for (int i = 0; i < 2; i++) {
        void *failure = NULL;
        assert_int_equal(pthread_join(readers[i], &failure), 0);
        if (failure)
            fail_msg("%s", (char *)failure);
    }
}

static void test_handles__null__freed(void **state)
{
    (void)state;
    qe_index_close(NULL);
    qe_doc_free(NULL);
    qe_searcher_free(NULL);
    qe_query_free(NULL);
    qe_weight_free(NULL);
    qe_column_free(NULL);
    qe_wasm_info_free(NULL);
    qe_stored_free(NULL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_index_open__empty__no_documents_and_no_payload),
        test(test_index_create__exists__refused),
        test(test_index_open__twice__refused),
        test(test_index_create__bad_fields__refused),
        test(test_index_add__wrong_values__refused),
        test(test_index_commit__reopened__documents_and_payload_are_there),
        test(test_index_delete__then_added_again__only_the_new_one),
        test(test_segment_stored__out_of_range__refused),
        test(test_searcher__index_closed__still_answers),
        test(test_searcher__while_writing__sees_whole_commits),
        cmocka_unit_test(test_handles__null__freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
