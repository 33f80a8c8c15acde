/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard: one seam index on disk with its mapping, and the current searcher. It knows nothing of logs or versions: the
 * node's write path calls it under the index's write lock, one writer at a time; searchers are taken by any thread
 * without waiting. */
#ifndef QD_INDEX_SHARD_H
#define QD_INDEX_SHARD_H

#include "engine.h"
#include "index/mapping.h"

typedef struct qd_shard qd_shard;
typedef struct qd_searcher qd_searcher;

/* Creates the directory with the mapping's fields. */
qd_status qd_shard_create(const char *dir, const qd_mapping *m, qd_error *err);
/* `m` must describe at least the fields that are on disk; fields that the disk lacks (a crash between the two) are
 * added now. */
qd_status qd_shard_open(const char *dir, qd_mapping *m, size_t writer_memory_bytes, qd_shard **out, qd_error *err);
void qd_shard_close(qd_shard *s);
/* Closes the index below it and opens it again as of its last commit, after a failure. Searchers live on, and the
 * current one stays the current one until a commit or qd_shard_renew. After an error only searching is allowed until it
 * succeeds. Writer's lock held, and no merge under way. */
qd_status qd_shard_reopen(qd_shard *s, const char *dir, qd_mapping *m, size_t writer_memory_bytes, qd_error *err);

/* Grows the schema to `m` (a merge of the current mapping). Commits what was added, with `payload`. Writer's lock held,
 * exclusive. */
qd_status qd_shard_extend(qd_shard *s, qd_mapping *m, uint64_t payload, qd_error *err);
/* `doc` taken. Replaces any document with this id when `replaces`. */
qd_status qd_shard_add(qd_shard *s, qe_doc *doc, qd_str id, int64_t seq_no, int64_t version, qd_str source,
                       bool replaces, qd_error *err);
qd_status qd_shard_delete(qd_shard *s, qd_str id, qd_error *err);
/* Commits and swaps the searcher. `payload`: the last sequence number contained. */
qd_status qd_shard_commit(qd_shard *s, uint64_t payload, qd_error *err);
uint64_t qd_shard_payload(const qd_shard *s); /* UINT64_MAX: never committed */
/* Merges what is committed, beside writes: needs no lock and makes nobody wait. Then qd_shard_renew shows it. */
qd_status qd_shard_force_merge(qd_shard *s, uint32_t max_segments, qd_error *err);
/* Makes a searcher that sees the merges that are done the current one. Writer's lock held. */
qd_status qd_shard_renew(qd_shard *s, qd_error *err);
/* Lets go of what only writing needs, until something is written again. *is_resting false: not now, a merge runs.
 * Writer's lock held. */
qd_status qd_shard_rest(qd_shard *s, bool *is_resting, qd_error *err);

/* The current searcher with a reference (qd_searcher_unref); never NULL, never waits for the writer. Threads: any. */
qd_searcher *qd_shard_searcher(qd_shard *s);

#endif
