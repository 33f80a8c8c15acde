/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the query room: a shard and a registry in a scratch directory, documents from JSON text, functions from
 * wat text, and answers as JSON trees. */
#ifndef QD_TEST_QUERY_FIXTURE_H
#define QD_TEST_QUERY_FIXTURE_H

#include "cmocka_qd.h"
#include "index/searcher.h"
#include "index/shard.h"
#include "query/search.h"

typedef struct fixture {
    char dir[64];
    qd_wasm_engine *engine;
    qd_kv *kv;
    qd_registry *registry;
    qd_mapping *mapping;
    qd_shard *shard;
    int64_t seq_no;
    qd_searcher *searcher; /* set by fixture_commit */
} fixture;

/* `mapping`: the "properties" form. */
void fixture_open(fixture *f, const char *mapping);
void fixture_close(fixture *f);
/* Fails the test when the document does not fit. */
void fixture_add(fixture *f, const char *id, const char *source);
void fixture_delete(fixture *f, const char *id);
/* Ends a segment and shows it. */
void fixture_commit(fixture *f);
/* Registers a function; `manifest` without "version" is 1.0.0. */
void fixture_function(fixture *f, const char *manifest, const char *wat);

/* The answer; owned by caller (json_decref). Fails the test when the search fails. */
json_t *fixture_search(fixture *f, const char *body);
/* With more than the body; `rq` as fixture_request made it. */
qd_search_request fixture_request(fixture *f, qd_search_target *target, const char *body);
json_t *fixture_run(const qd_search_request *rq);
/* The search must fail. */
qd_status fixture_search_error(fixture *f, const char *body, qd_error *err);

/* Searches and checks "id:score id:score …" (score "-" for null, none given: unchecked) and the total ("" for any). */
void fixture_expect(fixture *f, const char *body, int64_t total, const char *hits);
/* Checks that the search fails with a code and a message that has `part`. */
void fixture_expect_error(fixture *f, const char *body, qd_status code, const char *part);

/* Into a tree: "hits.hits[0]._source.name"; NULL when it is not there. */
const json_t *json_at(const json_t *v, const char *path);

#endif
