/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "node/index_internal.h"
#include "node/record.h"

#define MAX_ATTEMPTS 1000 /* each one lost to a refresh in between */

typedef struct log_read {
    qd_get_result *out;
    qd_str id;
    qd_status st;
    qd_error *err;
} log_read;

static qd_status copy_source(qd_str source, qd_get_result *out, qd_error *err)
{
    out->source = qd_str_dup(source);
    if (!out->source)
        return qd_fail_nomem(err);
    out->source_len = source.n;
    out->found = true;
    return QD_OK;
}

static bool on_record(void *arg, uint64_t seq, qd_str data)
{
    log_read *r = arg;
    qd_record record;
    r->st = qd_record_read(seq, data, &record, r->err);
    /* The number of an operation that never became durable is given again once the index has been opened again. */
    if (r->st == QD_OK && !qd_str_eq(record.id, r->id))
        r->st = QD_ENOTFOUND;
    if (r->st != QD_OK)
        return false;
    r->out->seq_no = (int64_t)seq;
    r->out->version = record.version;
    r->st = copy_source(record.source, r->out, r->err);
    return false;
}

static qd_status get_searched(qd_index *ix, qd_str id, qd_get_result *out, qd_error *err)
{
    qd_searcher *s = qd_index_searcher(ix);
    qd_found found;
    qd_stored stored;
    qd_status st = qd_searcher_find(s, id, &found, err);
    if (st == QD_OK && found.found) {
        st = qd_searcher_stored(s, found.at, &stored, err);
        if (st == QD_OK) {
            out->seq_no = found.seq_no;
            out->version = found.version;
            st = copy_source(stored.source, out, err);
            qd_stored_free(&stored);
        }
    }
    qd_searcher_unref(s);
    return st;
}

static bool is_committed(qd_index *ix, int64_t seq_no)
{
    pthread_mutex_lock(&ix->apply_mutex);
    bool answer = seq_no <= ix->committed;
    pthread_mutex_unlock(&ix->apply_mutex);
    return answer;
}

qd_status qd_index_get(qd_index *ix, qd_str id, qd_get_result *out, qd_error *err)
{
    qd_get_result result = {0};
    for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        qd_version known;
        qd_status st;
        if (!qd_versions_get(ix->versions, id, &known)) {
            st = get_searched(ix, id, &result, err);
        } else if (known.is_deleted) {
            st = qd_index_wait_applied(ix, known.seq_no, err); /* not yet durable: not yet to be seen */
        } else {
            log_read r = {&result, id, QD_OK, err};
            st = qd_log_read_one(ix->log, (uint64_t)known.seq_no, on_record, &r, err);
            if (st == QD_OK)
                st = r.st;
            if (st == QD_ENOTFOUND) {
                /* Either not durable yet, or a refresh has covered and trimmed it since. */
                st = qd_index_wait_applied(ix, known.seq_no, err);
                if (st != QD_OK)
                    return st;
                if (!is_committed(ix, known.seq_no))
                    continue;
                st = get_searched(ix, id, &result, err);
            }
        }
        if (st == QD_OK)
            *out = result;
        return st == QD_EIO && qd_index_check_failure(ix, err) != QD_OK ? QD_EINDEX_FAILED : st;
    }
    return qd_fail(err, QD_EBUSY, "document '%.*s' of index '%s' changes faster than it can be read: try again",
                   QD_STR_FMT(id), ix->name);
}
