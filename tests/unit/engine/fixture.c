/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

qe_field_def fixture_field(const char *name, qe_kind kind)
{
    return (qe_field_def){.name = name, .name_len = strlen(name), .kind = kind, .indexed = true, .column = true};
}

int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const qe_field_def fields[FIXTURE_FIELDS] = {
        [BODY] = fixture_field("body", QE_TEXT),        [TAG] = fixture_field("tag.raw", QE_KEYWORD),
        [COUNT] = fixture_field("stats.count", QE_I64), [PRICE] = fixture_field("price", QE_F64),
        [OK_] = fixture_field("ok", QE_BOOL),           [WHEN] = fixture_field("when", QE_DATE),
    };

    f->hits = calloc(1, sizeof *f->hits);
    strcpy(f->dir, "/tmp/qd-engine-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_qe_ok(qe_index_create(f->dir, strlen(f->dir), fields, FIXTURE_FIELDS, &f->err), &f->err);
    fixture_open(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture *f = *state;
    char command[128];

    fixture_close(f);
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f->hits);
    free(f);
    return 0;
}

void fixture_open(fixture *f)
{
    const qe_index_options options = {.writer_memory_bytes = 32 << 20};
    size_t fields = 0;

    assert_qe_ok(qe_index_open(f->dir, strlen(f->dir), &options, &f->index, &fields, &f->err), &f->err);
    assert_true(fields >= FIXTURE_FIELDS);
}

void fixture_close(fixture *f)
{
    qe_searcher_free(f->searcher);
    f->searcher = NULL;
    qe_index_close(f->index);
    f->index = NULL;
}

void fixture_add_doc(fixture *f, qe_doc *doc, const char *id, const char *source)
{
    assert_qe_ok(qe_index_add(f->index, doc, id, strlen(id), f->next_seq_no++, 1, source, strlen(source), &f->err),
                 &f->err);
}

int64_t fixture_add(fixture *f, const char *body, const char *tag, int64_t count, double price)
{
    int64_t seq_no = f->next_seq_no;
    qe_doc *doc = qe_doc_new();
    char id[32], source[64];

    if (body)
        qe_doc_add_str(doc, BODY, body, strlen(body));
    if (tag)
        qe_doc_add_str(doc, TAG, tag, strlen(tag));
    qe_doc_add_i64(doc, COUNT, count);
    qe_doc_add_f64(doc, PRICE, price);
    snprintf(id, sizeof id, "d%lld", (long long)seq_no);
    snprintf(source, sizeof source, "{\"n\":%lld}", (long long)seq_no);
    fixture_add_doc(f, doc, id, source);
    return seq_no;
}

void fixture_delete(fixture *f, const char *id)
{
    assert_qe_ok(qe_index_delete(f->index, id, strlen(id), &f->err), &f->err);
}

void fixture_refresh(fixture *f)
{
    assert_qe_ok(qe_index_commit(f->index, (uint64_t)f->next_seq_no, &f->err), &f->err);
    qe_searcher_free(f->searcher);
    f->searcher = NULL;
    assert_qe_ok(qe_searcher_new(f->index, &f->searcher, &f->err), &f->err);
}

qe_query *fixture_term(fixture *f, uint32_t field, const char *text)
{
    const qe_term term = {.kind = field == BODY ? QE_TEXT : QE_KEYWORD, .s = text, .n = strlen(text)};
    return qe_query_term(f->searcher, field, &term);
}

bool fixture_collect(void *arg, size_t n, const uint32_t *docs, const float *scores)
{
    hits *h = arg;

    assert_true(n >= 1 && n <= QE_BLOCK_DOCS && h->n + n <= MAX_HITS);
    h->has_scores = scores != NULL;
    for (size_t i = 0; i < n; i++) {
        h->segments[h->n] = h->segment;
        h->docs[h->n] = docs[i];
        h->scores[h->n++] = scores ? scores[i] : 0;
    }
    return h->stop_after == 0 || h->n < h->stop_after;
}

const hits *fixture_search(fixture *f, qe_query *query, bool wants_scores)
{
    qe_weight *weight = NULL;

    memset(f->hits, 0, sizeof *f->hits);
    assert_non_null(query);
    assert_qe_ok(qe_weight_new(f->searcher, query, wants_scores, &weight, &f->err), &f->err);
    for (size_t i = 0; i < qe_searcher_segments(f->searcher); i++) {
        uint64_t counted = UINT64_MAX;
        size_t before = f->hits->n;
        f->hits->segment = i;
        assert_qe_ok(qe_weight_run(weight, i, fixture_collect, f->hits, &f->err), &f->err);
        assert_qe_ok(qe_weight_count(weight, i, false, NULL, &counted, &f->err), &f->err);
        assert_int_equal(counted, f->hits->n - before);
    }
    qe_weight_free(weight);
    return f->hits;
}

const char *fixture_id(fixture *f, size_t segment, uint32_t doc)
{
    static char id[64];
    qe_stored stored;

    assert_qe_ok(qe_segment_stored(f->searcher, segment, doc, &stored, &f->err), &f->err);
    assert_true(stored.id_len < sizeof id);
    memcpy(id, stored.id, stored.id_len);
    id[stored.id_len] = 0;
    qe_stored_free(&stored);
    return id;
}

void fixture_expect(fixture *f, qe_query *query, const char *ids)
{
    const hits *h = fixture_search(f, query, false);
    char got[4096];
    size_t n = 0;

    got[0] = 0;
    for (size_t i = 0; i < h->n; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s ", fixture_id(f, h->segments[i], h->docs[i]));
    assert_string_equal(got, ids);
}
