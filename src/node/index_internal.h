/* SPDX-License-Identifier: Apache-2.0
 *
 * What an index is inside. Private to the node room. The files that share it: write.c (operations in), growth.c (the
 * mapping grows), refresh.c (commits and searchers), recovery.c (opening), get.c (realtime reads), index.c (the rest).
 *
 * Invariants. Sequence numbers are given under write_mutex and equal the records' numbers in the log. The log applies
 * them in order (write.c, on_durable) under apply_mutex, so `applied` is exact whenever apply_mutex is held, and a
 * commit's payload is what the commit contains. No record in the log is older than the mapping that is on disk:
 * growth.c commits first; so a replay meets every document with the mapping that it was checked against, or with one
 * that changed nothing for it. An index that failed (its log or its shard could not be written) stays searchable and
 * takes no more writes until heal.c has opened both again below it, which replays what the log has. While `failure` is
 * set nobody touches the shard but for its searcher. Lock order: node.table_lock, growth_mutex, write_mutex,
 * merge_mutex, apply_mutex, then the leaves: progress.mutex, mapping_mutex, the version map's, the log's. write_mutex
 * is held across I/O only while the mapping grows and while the index is opened again, when writers are refused before
 * they want it; apply_mutex while the shard commits; merge_mutex while segments are merged because someone asked. */
#ifndef QD_NODE_INDEX_INTERNAL_H
#define QD_NODE_INDEX_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "index/searcher.h"
#include "index/shard.h"
#include "node/definition.h"
#include "node/ids.h"
#include "node/index.h"
#include "node/node.h"
#include "node/versions.h"
#include "store/kv.h"
#include "store/log.h"

/* How far the log has been applied: what readers and refresh wait for. */
typedef struct qd_progress {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t applied;  /* the last sequence number in the shard's writer; -1: none */
    qd_error failure; /* code QD_OK while the index takes writes */
} qd_progress;

typedef struct qd_counters {
    atomic_uint_least64_t indexed, deleted, refreshes, searches, search_ns;
} qd_counters;

/* What an index asks of the node, so that this room's inner half does not know its outer one. */
typedef struct qd_index_host {
    qd_kv *kv;
    size_t writer_memory_bytes, max_log_bytes;
    /* Something was applied (`urgent`: too much is waiting), so that a refresh is due sooner or later. Threads: any. */
    void (*wants_refresh)(void *arg, bool urgent);
    /* The index takes no more writes. Threads: any. */
    void (*has_failed)(void *arg);
    void (*log)(void *arg, const char *line);
    void *arg;
} qd_index_host;

struct qd_index {
    atomic_uint refs;
    qd_index_host host;
    char *name, *dir;
    char uuid[QD_UUID_SIZE];
    int64_t created_ms;
    qd_settings settings;

    qd_shard *shard;
    qd_log *log;
    qd_versions *versions;

    pthread_mutex_t growth_mutex; /* one change of the mapping at a time */
    uint64_t revision;            /* of the definition in the kv; under growth_mutex */

    pthread_mutex_t write_mutex;
    int64_t next_seq_no; /* under write_mutex */
    bool is_deleted;     /* under write_mutex */

    pthread_mutex_t mapping_mutex; /* for the two below, held for a pointer's copy */
    qd_mapping *mapping;
    uint64_t mapping_generation;

    pthread_mutex_t merge_mutex; /* merges that were asked for; never beside opening again */

    pthread_mutex_t apply_mutex; /* the shard's writer */
    int64_t committed;           /* the last sequence number in a commit; under apply_mutex */
    uint64_t applied_bytes;      /* under apply_mutex */

    qd_progress progress;
    atomic_uint_least64_t waiting_bytes; /* applied or on the way, and not in a commit */
    atomic_uint_least64_t waiting_ops;
    atomic_bool is_dirty, is_urgent; /* for the refresher */
    atomic_int_least64_t dirty_since_ns;
    atomic_int_least64_t rest_due_ns; /* INT64_MAX: it rests, or has something to commit first */
    atomic_bool remove_files;         /* when the last reference goes */
    atomic_uint heal_attempts;        /* since something was committed last */
    int64_t heal_due_ns;              /* the healer's own; 0: no failure seen */
    qd_counters counters;
};

/* ---- index.c ---- */

/* An index without shard and log yet: recovery.c fills it. Takes nothing; copies what it needs of the definition. */
qd_status qd_index_alloc(const qd_index_host *host, const char *name, const char *dir, qd_definition *taken,
                         qd_index **out, qd_error *err);
/* With a reference; `generation` may be NULL. */
qd_mapping *qd_index_current_mapping(qd_index *ix, uint64_t *generation);
void qd_index_set_mapping(qd_index *ix, qd_mapping *m);
/* No more writes: later ones get this error. The first failure stays. Returns its code. */
qd_status qd_index_fail(qd_index *ix, const qd_error *failure);
qd_status qd_index_check_failure(qd_index *ix, qd_error *err);
void qd_index_set_applied(qd_index *ix, int64_t seq_no);
int64_t qd_index_applied(qd_index *ix);
/* Waits until everything up to `seq_no` is applied. Errors: the index's failure. */
qd_status qd_index_wait_applied(qd_index *ix, int64_t seq_no, qd_error *err);

/* ---- recovery.c ---- */

/* Opens shard and log in `dir` and replays. `*replayed`: how many operations. */
qd_status qd_index_open(const qd_index_host *host, const char *name, const char *dir, qd_definition *taken,
                        qd_index **out, uint64_t *replayed, qd_error *err);
/* Makes the shard contain what the log has behind its last commit, and sets where the index goes on. Nobody writes.
 * `*replayed`: how many operations. */
qd_status qd_index_replay(qd_index *ix, uint64_t *replayed, qd_error *err);
/* Writers in progress finish; later ones get QD_EINDEX_NOTFOUND. The files go with the last reference. */
void qd_index_mark_deleted(qd_index *ix);

/* ---- refresh.c ---- */

/* Commits what is applied and renews the searcher; apply_mutex held. */
qd_status qd_index_commit_applied(qd_index *ix, qd_error *err);
/* Drops what a commit made superfluous; no lock held. */
void qd_index_trim_log(qd_index *ix, int64_t up_to);
/* When the refresher should refresh it, by the monotonic clock; INT64_MAX: not by itself. */
int64_t qd_index_refresh_due_ns(qd_index *ix);
/* Some time after the last commit the index rests: searches get to see what merges have made of it, and what only
 * writing needs is let go. */
int64_t qd_index_rest_due_ns(const qd_index *ix);
bool qd_index_rest(qd_index *ix); /* true: it rests now */
/* A commit was made: it will rest some time after this one. */
void qd_index_postpone_rest(qd_index *ix);
/* So much waits for a refresh that one is due at once. */
bool qd_index_has_much_waiting(qd_index *ix);
/* Whether so much more may wait: the log must hold it all. Whatever is alone may. write_mutex held. */
bool qd_index_has_room(qd_index *ix, uint64_t ops, uint64_t bytes);

/* ---- heal.c ---- */

/* Opens shard and log of an index that failed again and replays, in place; searches and realtime reads go on meanwhile.
 * Then it takes writes. Without a failure: nothing. Errors: QD_EINDEX_NOTFOUND (deleted), QD_EBUSY (a merge runs), why
 * it does not work yet. One thread at a time. */
qd_status qd_index_heal(qd_index *ix, uint64_t *replayed, qd_error *err);

/* ---- growth.c ---- */

/* Makes `m` (a merge of the current mapping, which it was made from under growth_mutex) the mapping: on disk, in the
 * shard, here. Held: growth_mutex. */
qd_status qd_index_grow(qd_index *ix, qd_mapping *m, qd_error *err);

#endif
