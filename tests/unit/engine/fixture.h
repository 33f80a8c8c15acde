/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the seam share: an index in a directory of its own, documents in one line, and matches gathered. */
#ifndef QD_TESTS_ENGINE_FIXTURE_H
#define QD_TESTS_ENGINE_FIXTURE_H

#include "cmocka_qd.h"

#include "engine.h"

/* The fields of every fixture's index, by their ids. */
enum { BODY, TAG, COUNT, PRICE, OK_, WHEN, FIXTURE_FIELDS };

#define MAX_HITS 200000

typedef struct hits {
    size_t n;
    size_t segment;
    size_t segments[MAX_HITS];
    uint32_t docs[MAX_HITS];
    float scores[MAX_HITS];
    bool has_scores;
    size_t stop_after; /* 0: never */
} hits;

typedef struct fixture {
    char dir[64];
    qe_index *index;
    qe_searcher *searcher;
    qe_error err;
    int64_t next_seq_no;
    hits *hits;
} fixture;

#define assert_qe_ok(call, err)                                                                                        \
    do {                                                                                                               \
        if ((call) != QE_OK)                                                                                           \
            fail_msg("%s", (err)->message);                                                                            \
    } while (0)

#define assert_qe_failed(call, err, expected_code, expected_message)                                                   \
    do {                                                                                                               \
        assert_int_equal(call, expected_code);                                                                         \
        assert_int_equal((err)->code, expected_code);                                                                  \
        assert_string_equal((err)->message, expected_message);                                                         \
    } while (0)

/* cmocka set-up and tear-down: *state is a fixture with an empty, open index. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_open(fixture *f);
void fixture_close(fixture *f);
qe_field_def fixture_field(const char *name, qe_kind kind);

/* Adds a document whose id is "d<seq_no>"; NULL leaves a field out. Returns its sequence number. */
int64_t fixture_add(fixture *f, const char *body, const char *tag, int64_t count, double price);
void fixture_add_doc(fixture *f, qe_doc *doc, const char *id, const char *source);
void fixture_delete(fixture *f, const char *id);
/* Commits and looks at what is there now. */
void fixture_refresh(fixture *f);

qe_query *fixture_term(fixture *f, uint32_t field, const char *text);
/* Runs a query (taken) over all segments. */
const hits *fixture_search(fixture *f, qe_query *query, bool wants_scores);
/* Asserts that the query's matches have these ids, in this order, each followed by a blank: "d0 d5 ". */
void fixture_expect(fixture *f, qe_query *query, const char *ids);
/* The id of a document, in a buffer that the next call overwrites. */
const char *fixture_id(fixture *f, size_t segment, uint32_t doc);

/* A qe_collect_fn whose argument is a hits. */
bool fixture_collect(void *arg, size_t n, const uint32_t *docs, const float *scores);

#endif
