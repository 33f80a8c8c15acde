/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an index: the shard as of its last commit, then what the log has after that. */
#include <stdio.h>
#include <stdlib.h>

#include "index/document.h"
#include "node/index_internal.h"
#include "node/record.h"

typedef struct replay {
    qd_index *ix;
    uint64_t next; /* the sequence number that must come */
    uint64_t count;
    qd_status st;
    qd_error *err;
} replay;

static qd_status replay_document(replay *r, uint64_t seq, const qd_record *record)
{
    qe_doc *doc = NULL;
    json_t *additions = NULL;
    qd_status st = qd_document_parse_named(r->ix->mapping, record->id, record->source, &doc, &additions, r->err);
    if (st == QD_OK && !doc) {
        json_decref(additions);
        st = qd_fail(r->err, QD_EIO, "it has fields that the mapping lacks");
    }
    if (st == QD_OK)
        return qd_shard_add(r->ix->shard, doc, record->id, (int64_t)seq, record->version, record->source,
                            record->replaces, r->err);
    qd_error_prefix(r->err, "record %llu of the op log does not fit the mapping: ", (unsigned long long)seq);
    return st == QD_ENOMEM ? st : QD_EIO;
}

static bool on_record(void *arg, uint64_t seq, qd_str data)
{
    replay *r = arg;
    qd_record record;
    if (seq != r->next) {
        r->st = qd_fail(r->err, QD_EIO, "the op log continues with record %llu, expected %llu", (unsigned long long)seq,
                        (unsigned long long)r->next);
        return false;
    }
    r->st = qd_record_read(seq, data, &record, r->err);
    if (r->st == QD_OK && !record.is_delete)
        r->st = replay_document(r, seq, &record);
    else if (r->st == QD_OK && record.replaces)
        r->st = qd_shard_delete(r->ix->shard, record.id, r->err);
    r->next++;
    r->count++;
    return r->st == QD_OK;
}

/* A process that died while it committed leaves files that no commit knows. Tantivy names a file of deletions after the
 * segment and a count of operations, so replaying the same operations would meet its own leftovers. An empty commit
 * makes it clear them away. */
static qd_status clear_leftovers(qd_index *ix, uint64_t first, qd_error *err)
{
    uint64_t lowest, highest;
    qd_status st = qd_log_bounds(ix->log, &lowest, &highest, err);
    bool has_records = st == QD_OK && highest != UINT64_MAX && highest >= first;
    return has_records ? qd_shard_commit(ix->shard, first - 1, err) : st;
}

/* A commit follows at once, so that what was acked before is searchable before the first query. */
qd_status qd_index_replay(qd_index *ix, uint64_t *replayed, qd_error *err)
{
    uint64_t first = qd_shard_payload(ix->shard) + 1; /* never committed is UINT64_MAX: 0 */
    replay r = {ix, first, 0, QD_OK, err};
    qd_status st = clear_leftovers(ix, first, err);
    if (st == QD_OK)
        st = qd_log_read_from(ix->log, first, on_record, &r, err);
    if (st == QD_OK)
        st = r.st;
    if (st != QD_OK)
        return st;
    ix->next_seq_no = (int64_t)r.next;
    ix->committed = (int64_t)r.next - 1;
    qd_index_set_applied(ix, ix->committed);
    *replayed = r.count;
    if (r.count == 0)
        return QD_OK;
    st = qd_shard_commit(ix->shard, r.next - 1, err);
    if (st == QD_OK)
        qd_index_trim_log(ix, ix->committed);
    qd_index_postpone_rest(ix);
    return st;
}

static qd_status open_parts(qd_index *ix, uint64_t *replayed, qd_error *err)
{
    char *data = NULL, *log = NULL;
    qd_status st = QD_OK;
    if (asprintf(&data, "%s/data", ix->dir) < 0 || asprintf(&log, "%s/log", ix->dir) < 0)
        st = qd_fail_nomem(err);
    if (st == QD_OK)
        st = qd_shard_open(data, ix->mapping, ix->host.writer_memory_bytes, &ix->shard, err);
    if (st == QD_OK)
        st = qd_log_lmdb_open(log, ix->host.max_log_bytes, &ix->log, err);
    if (st == QD_OK)
        st = qd_index_replay(ix, replayed, err);
    free(data);
    free(log);
    return st;
}

qd_status qd_index_open(const qd_index_host *host, const char *name, const char *dir, qd_definition *taken,
                        qd_index **out, uint64_t *replayed, qd_error *err)
{
    qd_index *ix = NULL;
    qd_status st = qd_index_alloc(host, name, dir, taken, &ix, err);
    if (st == QD_OK)
        st = open_parts(ix, replayed, err);
    if (st == QD_OK)
        *out = QD_TAKE(ix);
    else
        qd_error_prefix(err, "index '%s': ", name);
    qd_index_unref(ix);
    return st;
}
