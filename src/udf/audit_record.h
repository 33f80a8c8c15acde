/* SPDX-License-Identifier: Apache-2.0
 *
 * One entry of the audit log as it is stored: a fixed head, then its texts one after the other. Sizes are kept as a
 * running sum, so that the log's size, and what to trim of it, are known from single records. */
#ifndef QD_UDF_AUDIT_RECORD_H
#define QD_UDF_AUDIT_RECORD_H

#include "base/hash.h"
#include "udf/audit.h"

enum qd_audit_text {
    QD_AUDIT_ACTOR,
    QD_AUDIT_REMOTE,
    QD_AUDIT_NAME,
    QD_AUDIT_VERSION,
    QD_AUDIT_HASH,
    QD_AUDIT_DETAIL,
    QD_AUDIT_TEXTS
};

#define QD_AUDIT_DIGEST_HEX 64

typedef struct qd_audit_record {
    uint64_t seq; /* the log's key */
    int64_t at_ms;
    uint64_t end_bytes; /* of all records ever written, with this one */
    uint32_t count;
    qd_audit_action action;
    qd_audit_outcome outcome;
    qd_str text[QD_AUDIT_TEXTS];
    char prev[QD_SHA256_HEX_SIZE], digest[QD_SHA256_HEX_SIZE];
} qd_audit_record;

/* The longest that is stored: small enough that LMDB keeps it inside a page. */
#define QD_AUDIT_RECORD_MAX 1200

/* Action, outcome and texts of an entry, cut at their bounds; views into it. */
void qd_audit_record_from(const qd_audit_entry *e, qd_audit_record *out);
size_t qd_audit_record_bytes(const qd_audit_record *r);
/* The digest that follows from everything else. Errors: QD_ENOMEM, QD_EINTERNAL. */
qd_status qd_audit_record_digest(const qd_audit_record *r, char out[QD_SHA256_HEX_SIZE], qd_error *err);
/* Writes qd_audit_record_bytes bytes. */
void qd_audit_record_encode(const qd_audit_record *r, char *out);
/* False when the bytes cannot be a record. Texts are views into `data`. */
bool qd_audit_record_decode(uint64_t seq, qd_str data, qd_audit_record *out);
/* Writes it as an object of the answer; "damaged" when the digest is not the one it should be. */
void qd_audit_record_write(const qd_audit_record *r, qd_json *w);

#endif
