/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/audit_record.h"

#include <assert.h>
#include <stdio.h>

#define FORMAT 1

/* Everything of a record that has a fixed size, in the machine's own byte order, as all that LMDB keeps. */
typedef struct head {
    uint64_t end_bytes;
    int64_t at_ms;
    char prev[QD_AUDIT_DIGEST_HEX], digest[QD_AUDIT_DIGEST_HEX];
    uint32_t count;
    uint16_t n[QD_AUDIT_TEXTS];
    uint8_t format, action, outcome, zero[5];
} head;
static_assert(sizeof(head) == 168, "no padding: these bytes are stored");

static const size_t MAX_TEXT[QD_AUDIT_TEXTS] = {
    [QD_AUDIT_ACTOR] = 128,  [QD_AUDIT_REMOTE] = 64, [QD_AUDIT_NAME] = 64,
    [QD_AUDIT_VERSION] = 64, [QD_AUDIT_HASH] = 64,   [QD_AUDIT_DETAIL] = 512};
static_assert(sizeof(head) + 128 + 64 + 64 + 64 + 64 + 512 <= QD_AUDIT_RECORD_MAX, "the longest record");

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const char *const ACTIONS[] = {
    [QD_AUDIT_ANY] = "any",
    [QD_AUDIT_REGISTER] = "register",
    [QD_AUDIT_ACTIVATE] = "activate",
    [QD_AUDIT_ROLLBACK] = "rollback",
    [QD_AUDIT_DELETE] = "delete",
    [QD_AUDIT_QUARANTINE] = "quarantine",
    [QD_AUDIT_REINSTATE] = "reinstate",
    [QD_AUDIT_CALL] = "call",
    [QD_AUDIT_REQUEST] = "request",
};
static const char *const OUTCOMES[] = {
    [0] = "any",
    [QD_AUDIT_OK] = "ok",
    [QD_AUDIT_DENIED] = "denied",
    [QD_AUDIT_LIMITED] = "limited",
    [QD_AUDIT_FAILED] = "failed",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

const char *qd_audit_action_name(qd_audit_action a)
{
    return (size_t)a < COUNT(ACTIONS) ? ACTIONS[a] : "unknown";
}

const char *qd_audit_outcome_name(qd_audit_outcome o)
{
    return (size_t)o < COUNT(OUTCOMES) ? OUTCOMES[o] : "unknown";
}

qd_status qd_audit_action_parse(qd_str name, qd_audit_action *out, qd_error *err)
{
    char names[256] = "";
    for (size_t i = 1; i < COUNT(ACTIONS); i++) {
        size_t n = strlen(names);
        if (qd_str_is(name, ACTIONS[i])) {
            *out = (qd_audit_action)i;
            return QD_OK;
        }
        snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", ACTIONS[i]);
    }
    return qd_fail_field(err, QD_EINVAL, "action", "action: expected one of %s, got '%.*s'", names, QD_STR_FMT(name));
}

qd_audit_outcome qd_audit_outcome_of(qd_status st)
{
    static const qd_status LIMITS[] = {QD_ELIMIT, QD_EBUSY,     QD_ETIMEOUT,     QD_ETOOLARGE,
                                       QD_ENOMEM, QD_EUDF_FULL, QD_EUDF_TIMEOUT, QD_EUDF_MEMORY};
    int http_status = qd_status_describe(st)->http_status;
    if (st == QD_OK)
        return QD_AUDIT_OK;
    if (http_status == 403)
        return QD_AUDIT_DENIED;
    for (size_t i = 0; i < COUNT(LIMITS); i++)
        if (st == LIMITS[i])
            return QD_AUDIT_LIMITED;
    return http_status == 429 ? QD_AUDIT_LIMITED : QD_AUDIT_FAILED;
}

/* ---- stored ------------------------------------------------------------------------------------------------------ */

/* At most `max` bytes, no half of a character at the end, and nothing from a zero byte on: many a reader of JSON takes
 * none, and one entry must not make a whole page unreadable. */
static qd_str cut(qd_str s, size_t max)
{
    const char *zero = s.n ? memchr(s.p, '\0', s.n) : NULL;
    if (zero)
        s.n = (size_t)(zero - s.p);
    if (s.n <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xC0) == 0x80)
        max--;
    return (qd_str){s.p, max};
}

void qd_audit_record_from(const qd_audit_entry *e, qd_audit_record *out)
{
    const qd_str texts[QD_AUDIT_TEXTS] = {
        [QD_AUDIT_ACTOR] = e->actor.n ? e->actor : QD_STR("anonymous"),
        [QD_AUDIT_REMOTE] = e->remote,
        [QD_AUDIT_NAME] = e->name,
        [QD_AUDIT_VERSION] = e->version,
        [QD_AUDIT_HASH] = e->hash,
        [QD_AUDIT_DETAIL] = e->detail,
    };
    *out = (qd_audit_record){.count = 1, .action = e->action, .outcome = e->outcome};
    for (size_t i = 0; i < QD_AUDIT_TEXTS; i++)
        out->text[i] = cut(texts[i], MAX_TEXT[i]);
}

size_t qd_audit_record_bytes(const qd_audit_record *r)
{
    size_t n = sizeof(head);
    for (size_t i = 0; i < QD_AUDIT_TEXTS; i++)
        n += r->text[i].n;
    return n;
}

void qd_audit_record_encode(const qd_audit_record *r, char *out)
{
    head h = {.end_bytes = r->end_bytes,
              .at_ms = r->at_ms,
              .count = r->count,
              .format = FORMAT,
              .action = (uint8_t)r->action,
              .outcome = (uint8_t)r->outcome};
    char *p = out + sizeof h;
    memcpy(h.prev, r->prev, sizeof h.prev);
    memcpy(h.digest, r->digest, sizeof h.digest);
    for (size_t i = 0; i < QD_AUDIT_TEXTS; i++) {
        h.n[i] = (uint16_t)r->text[i].n;
        if (r->text[i].n)
            memcpy(p, r->text[i].p, r->text[i].n);
        p += r->text[i].n;
    }
    memcpy(out, &h, sizeof h);
}

bool qd_audit_record_decode(uint64_t seq, qd_str data, qd_audit_record *out)
{
    head h;
    if (data.n < sizeof h)
        return false;
    memcpy(&h, data.p, sizeof h);
    if (h.format != FORMAT || h.action == 0 || h.action >= COUNT(ACTIONS) || h.outcome == 0 ||
        h.outcome >= COUNT(OUTCOMES))
        return false;
    qd_audit_record r = {.seq = seq,
                         .at_ms = h.at_ms,
                         .end_bytes = h.end_bytes,
                         .count = h.count,
                         .action = (qd_audit_action)h.action,
                         .outcome = (qd_audit_outcome)h.outcome};
    size_t at = sizeof h;
    for (size_t i = 0; i < QD_AUDIT_TEXTS; i++) {
        if (h.n[i] > MAX_TEXT[i] || h.n[i] > data.n - at || memchr(data.p + at, '\0', h.n[i]))
            return false;
        r.text[i] = (qd_str){data.p + at, h.n[i]};
        at += h.n[i];
    }
    if (at != data.n)
        return false;
    memcpy(r.prev, h.prev, sizeof h.prev);
    memcpy(r.digest, h.digest, sizeof h.digest);
    *out = r;
    return true;
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static void write_text(qd_json *w, const char *key, qd_str text)
{
    qd_json_key(w, key);
    qd_json_str(w, text);
}

/* What the digest covers, in the order of the keys. */
static void write_members(const qd_audit_record *r, qd_json *w)
{
    char at[QD_ISO8601_SIZE];
    qd_json_kv_z(w, "action", qd_audit_action_name(r->action));
    write_text(w, "actor", r->text[QD_AUDIT_ACTOR]);
    qd_json_kv_z(w, "at", qd_clock_iso8601(r->at_ms, at));
    qd_json_kv_i64(w, "count", r->count);
    write_text(w, "detail", r->text[QD_AUDIT_DETAIL]);
    write_text(w, "hash", r->text[QD_AUDIT_HASH]);
    write_text(w, "name", r->text[QD_AUDIT_NAME]);
    qd_json_kv_z(w, "outcome", qd_audit_outcome_name(r->outcome));
    write_text(w, "remote", r->text[QD_AUDIT_REMOTE]);
    qd_json_kv_i64(w, "seq", (int64_t)r->seq);
    write_text(w, "version", r->text[QD_AUDIT_VERSION]);
}

qd_status qd_audit_record_digest(const qd_audit_record *r, char out[QD_SHA256_HEX_SIZE], qd_error *err)
{
    qd_buf text;
    qd_json w;
    qd_buf_init(&text, 16 << 10); /* six times the texts, if all of them are control characters */
    qd_json_init(&w, &text, false);
    qd_buf_addf(&text, "%s\n", r->prev);
    qd_json_begin_object(&w);
    write_members(r, &w);
    qd_json_end_object(&w);
    qd_status st = QD_OK;
    if (text.failed)
        st = qd_fail_nomem(err);
    else if (!qd_hash_sha256_hex(text.p, text.n, out))
        st = qd_fail(err, QD_EINTERNAL, "the digest of an audit entry could not be computed");
    qd_buf_deinit(&text);
    return st;
}

void qd_audit_record_write(const qd_audit_record *r, qd_json *w)
{
    char digest[QD_SHA256_HEX_SIZE];
    qd_json_begin_object(w);
    write_members(r, w);
    qd_json_kv_z(w, "prev", r->prev);
    qd_json_kv_z(w, "digest", r->digest);
    if (qd_audit_record_digest(r, digest, NULL) != QD_OK)
        w->out->failed = true; /* nobody knows whether it is damaged */
    else if (strcmp(digest, r->digest) != 0)
        qd_json_kv_bool(w, "damaged", true);
    qd_json_end_object(w);
}
