/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "udf/audit_impl.h"

#define BLOCK 1024 /* entries read in one transaction */

typedef struct walk {
    qd_audit_report report;
    uint64_t next, last; /* the number that is expected; the last one to look at */
    uint64_t block_end;
    qd_audit_record before; /* the entry before, without its texts; seq 0: none */
    qd_status st;
    qd_error err;
} walk;

static bool is_wrong(walk *w, uint64_t seq, const char *reason)
{
    w->report.is_intact = false;
    w->report.bad_seq = seq;
    snprintf(w->report.reason, sizeof w->report.reason, "%s", reason);
    return false;
}

/* Does this entry follow from the one before? */
static bool check(walk *w, const qd_audit_record *r, uint64_t seq)
{
    char digest[QD_SHA256_HEX_SIZE];
    const qd_audit_record *before = &w->before;
    w->st = qd_audit_record_digest(r, digest, &w->err);
    if (w->st != QD_OK)
        return false;
    if (strcmp(digest, r->digest) != 0)
        return is_wrong(w, seq, "its digest is not that of its content: it was changed");
    if (before->seq && strcmp(r->prev, before->digest) != 0)
        return is_wrong(w, seq, "it does not name the digest of the entry before: one of the two was replaced");
    if (before->seq && (r->at_ms < before->at_ms || r->end_bytes != before->end_bytes + qd_audit_record_bytes(r)))
        return is_wrong(w, seq, "its time or its place does not follow from the entry before");
    return true;
}

static bool visit(void *arg, uint64_t seq, qd_str data)
{
    walk *w = arg;
    qd_audit_record r;
    if (seq >= w->block_end)
        return false;
    if (seq != w->next)
        return is_wrong(w, w->next, "it is missing");
    if (!qd_audit_record_decode(seq, data, &r))
        return is_wrong(w, seq, "it cannot be read: its bytes are no entry");
    if (!check(w, &r, seq))
        return false;
    w->before = r;
    w->next = seq + 1;
    w->report.entries++;
    snprintf(w->report.head, sizeof w->report.head, "%s", r.digest);
    return true;
}

/* When the oldest were trimmed since, the chain begins later. */
static qd_status follow_trim(walk *w, qd_log *log, qd_error *err)
{
    uint64_t first, last;
    qd_status st = qd_log_bounds(log, &first, &last, err);
    if (st == QD_OK && first != UINT64_MAX && first > w->next) {
        w->next = first;
        w->before.seq = 0;
    }
    return st;
}

static qd_status read_blocks(walk *w, qd_log *log, qd_error *err)
{
    qd_status st = QD_OK;
    while (st == QD_OK && w->report.is_intact && w->next <= w->last) {
        uint64_t next = w->next;
        st = follow_trim(w, log, err);
        w->block_end = w->last - w->next >= BLOCK ? w->next + BLOCK : w->last + 1;
        if (st == QD_OK)
            st = qd_log_read_from(log, w->next, visit, w, err);
        if (st == QD_OK && w->st != QD_OK) {
            st = w->st;
            if (err)
                *err = w->err;
        }
        if (st == QD_OK && w->report.is_intact && w->next == next)
            is_wrong(w, next, "it is missing");
    }
    return st;
}

qd_status qd_audit_verify(qd_audit *a, qd_audit_report *out, qd_error *err)
{
    walk w = {.report = {.is_intact = true}};
    uint64_t first, last;
    qd_log *log;
    qd_status st = qd_audit_begin_read(a, &log, err);
    if (st != QD_OK)
        return st;
    st = qd_log_bounds(log, &first, &last, err);
    if (st == QD_OK && last != UINT64_MAX) {
        w.next = first;
        w.last = last;
        st = read_blocks(&w, log, err);
        w.report.first_seq = first;
        w.report.last_seq = last;
    }
    qd_audit_end_read(a);
    if (st == QD_OK)
        *out = w.report;
    return st;
}

void qd_audit_report_write(const qd_audit_report *r, qd_json *w)
{
    qd_json_begin_object(w);
    qd_json_kv_bool(w, "intact", r->is_intact);
    qd_json_kv_i64(w, "entries", (int64_t)r->entries);
    qd_json_kv_i64(w, "first_seq", (int64_t)r->first_seq);
    qd_json_kv_i64(w, "last_seq", (int64_t)r->last_seq);
    qd_json_kv_z(w, "head", r->head);
    if (!r->is_intact) {
        qd_json_kv_i64(w, "bad_seq", (int64_t)r->bad_seq);
        qd_json_kv_z(w, "reason", r->reason);
    }
    qd_json_end_object(w);
}
