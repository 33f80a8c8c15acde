/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard in a directory of its own, with documents given as JSON. */
#ifndef QD_TEST_INDEX_FIXTURE_H
#define QD_TEST_INDEX_FIXTURE_H

#include "../cmocka_qd.h"

#include "index/searcher.h"
#include "index/shard.h"

typedef struct shard_fixture {
    char dir[64];
    qd_mapping *mapping;
    qd_shard *shard;
    int64_t next_seq_no;
} shard_fixture;

qd_mapping *fixture_mapping(const char *body);
void fixture_init(shard_fixture *f, const char *mapping);
void fixture_deinit(shard_fixture *f);
/* Closes and opens the shard again, with the mapping given or the one it has. */
void fixture_reopen(shard_fixture *f, qd_mapping *m);
/* The document gets the next sequence number; replaces one with the same id. */
void fixture_add(shard_fixture *f, const char *id, const char *source);
void fixture_commit(shard_fixture *f);

#endif
