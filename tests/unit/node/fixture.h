/* SPDX-License-Identifier: Apache-2.0
 *
 * A node in a directory of its own, and short words for what tests do with it. */
#ifndef QD_TEST_NODE_FIXTURE_H
#define QD_TEST_NODE_FIXTURE_H

#include "../cmocka_qd.h"

#include "base/json.h"
#include "index/searcher.h"
#include "node/node.h"

typedef struct node_fixture {
    char dir[64];
    qd_node_options options; /* change, then fixture_reopen */
    qd_node *node;
    qd_index *index; /* "test", made by fixture_create */
    char log[4096];  /* the node's lines */
} node_fixture;

/* Opens a node that refreshes nothing by itself. */
void fixture_init(node_fixture *f);
/* The same over the directory of another, which has no node open; takes its index "test". */
void fixture_attach(node_fixture *f, const char *dir);
void fixture_deinit(node_fixture *f);
void fixture_close(node_fixture *f);
void fixture_open(node_fixture *f);
/* Takes the index "test" again when there is one. */
void fixture_reopen(node_fixture *f);
/* Creates the index "test". `body` may be NULL. */
void fixture_create(node_fixture *f, const char *body);

json_t *fixture_json(const char *text);
/* One operation; the outcome is in what comes back. */
qd_op fixture_write(node_fixture *f, qd_op_type type, const char *id, const char *source);
/* It must work. */
void fixture_put(node_fixture *f, const char *id, const char *source);
/* The source of a document, or NULL; owned by caller (free). */
char *fixture_get(node_fixture *f, const char *id, int64_t *version);
void fixture_assert_source(node_fixture *f, const char *id, const char *expected);
void fixture_refresh(node_fixture *f);
uint64_t fixture_live_docs(node_fixture *f);
char *fixture_mapping(node_fixture *f);

#endif
