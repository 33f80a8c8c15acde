/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log: who changed which function, from where, when, with which hash, and what was refused. Append-only,
 * each entry chained to the one before by its digest, bounded in size: the oldest go first, and the chain then begins
 * at the first that is left, which still names the digest before it.
 *
 * It lives in a log (store/log.h), not among the kv's keys: entries are read by sequence number from either end and
 * forgotten thousands at a time, which kv can only do key by key. The log is part of the kv that holds what it tells
 * of, so that a change and its entry are one commit (qd_audit_commit): there is no change without its entry and no
 * entry without its change, whenever the process ends.
 *
 * An entry with the outcome "ok" records a change: it is durable when qd_audit_commit or qd_audit_append returns, so
 * call them before the change is acknowledged. All other outcomes change nothing and may come as a flood: they are
 * handed to a thread that writes at most once a second (less often while a flood lasts), like ones as a single entry
 * with a count, so that neither the disk nor the caller suffers. A crash loses those of the last moment.
 *
 * In JSON an entry is {"action","actor","at","count","detail","hash","name","outcome","remote","seq","version","prev",
 * "digest"}; `digest` is the SHA-256, in hex, of `prev`, a line feed, and the entry without prev and digest as compact
 * JSON with sorted keys. `prev` is the digest of the entry before; the first ever has 64 zeros. `at` never runs
 * backwards. Whoever can write to the data directory can make a new chain: keep a digest elsewhere to notice that.
 * Threads: any. Locks: `log_lock` (shared; exclusive only to reopen), then `chain_mutex`; `notes_mutex` alone. */
#ifndef QD_UDF_AUDIT_H
#define QD_UDF_AUDIT_H

#include "base/clock.h"
#include "base/json.h"
#include "store/kv.h"

typedef struct qd_audit qd_audit;

/* Stored as numbers, so they are never reused. QD_AUDIT_ANY is for filters only. */
typedef enum qd_audit_action {
    QD_AUDIT_ANY = 0,
    QD_AUDIT_REGISTER = 1,
    QD_AUDIT_ACTIVATE = 2,
    QD_AUDIT_ROLLBACK = 3,
    QD_AUDIT_DELETE = 4,
    QD_AUDIT_QUARANTINE = 5,
    QD_AUDIT_REINSTATE = 6,
    QD_AUDIT_CALL = 7,    /* a function that ran, in a query or a test: its limits */
    QD_AUDIT_REQUEST = 8, /* any other request: its limits and permissions */
} qd_audit_action;

typedef enum qd_audit_outcome {
    QD_AUDIT_OK = 1,
    QD_AUDIT_DENIED = 2,  /* a permission or a signature */
    QD_AUDIT_LIMITED = 3, /* a limit: rate, time, memory, size, room */
    QD_AUDIT_FAILED = 4,  /* anything else */
} qd_audit_outcome;

/* Borrowed texts; each is cut at its bound and at a zero byte, and what is not UTF-8 gets U+FFFD. */
typedef struct qd_audit_entry {
    qd_audit_action action;
    qd_audit_outcome outcome;
    qd_str actor;  /* 128 bytes; empty: "anonymous", until there is authentication */
    qd_str remote; /* 64; the socket's address */
    qd_str name, version;
    qd_str hash;   /* of the module */
    qd_str detail; /* 512: a sentence, such as an error's message; or "" */
} qd_audit_entry;

typedef struct qd_audit_options {
    size_t max_bytes;   /* of entries; at least QD_AUDIT_MIN_BYTES */
    uint32_t window_ms; /* between two writes of what changes nothing */
    int64_t (*wall_ms)(void);
    void (*log)(void *arg, const char *line); /* is told when entries were lost; may be NULL */
    void *log_arg;
} qd_audit_options;
#define QD_AUDIT_MIN_BYTES (64u << 10)
/* clang-format off */
#define QD_AUDIT_OPTIONS_INIT {64u << 20, 1000, qd_clock_wall_ms, NULL, NULL}
/* clang-format on */

/* Opens (creating) the log of that kv, which is kept until close. Errors: QD_EINVAL (options), QD_EIO. */
qd_status qd_audit_open(qd_kv *kv, const qd_audit_options *o, qd_audit **out, qd_error *err);
/* Writes what is gathered, then closes. NULL is legal. */
void qd_audit_close(qd_audit *a);

/* Outcome "ok": durable on return; errors: QD_EIO, QD_ENOMEM. Others: gathered, never fails. `a` NULL: nothing. */
qd_status qd_audit_append(qd_audit *a, const qd_audit_entry *e, qd_error *err);
/* Makes changes of the kv's keys (log.h says which can be made so; borrowed) and records them, with the outcome "ok":
 * both are durable on return, or neither was done. Errors: as qd_audit_append, QD_ELIMIT (the store is full). */
qd_status qd_audit_commit(qd_audit *a, const qd_audit_entry *e, const qd_kv_item *changes, size_t n, qd_error *err);
/* Which outcome a request that failed with this status has. */
qd_audit_outcome qd_audit_outcome_of(qd_status st);
/* Writes what is gathered now. Errors: QD_EIO, QD_ENOMEM. */
qd_status qd_audit_flush(qd_audit *a, qd_error *err);

const char *qd_audit_action_name(qd_audit_action a);   /* "register" */
const char *qd_audit_outcome_name(qd_audit_outcome o); /* "denied" */
/* Errors: QD_EINVAL with the field "action", naming those that there are. */
qd_status qd_audit_action_parse(qd_str name, qd_audit_action *out, qd_error *err);

#define QD_AUDIT_MAX_SIZE 1000
typedef struct qd_audit_filter {
    qd_str udf; /* NAME or NAME@VERSION; empty: any */
    qd_audit_action action;
    qd_str actor;               /* empty: any */
    int64_t since_ms, until_ms; /* inclusive; INT64_MIN and INT64_MAX: any */
    uint32_t page, size;        /* from 1; 1 to QD_AUDIT_MAX_SIZE */
} qd_audit_filter;
/* clang-format off */
#define QD_AUDIT_FILTER_INIT {{NULL, 0}, QD_AUDIT_ANY, {NULL, 0}, INT64_MIN, INT64_MAX, 1, 20}
/* clang-format on */

/* Writes the answer of GET /api/v1/audit: {"entries":[…newest first…],"total","page","size"}. An entry that does not
 * fit its digest has one more member, "damaged": true. Work: times are found by bisection; without udf, action and
 * actor the page is read by its numbers; with one, each entry between the times is looked at once, in place, so
 * max_bytes bounds it (0.3 us each, some 60 ms for a full log of the default). Errors: QD_EINVAL (page, size), QD_EIO.
 */
qd_status qd_audit_list(qd_audit *a, const qd_audit_filter *f, qd_json *w, qd_error *err);

typedef struct qd_audit_report {
    bool is_intact;
    uint64_t entries, first_seq, last_seq; /* those that were looked at */
    char head[65];                         /* digest of the last one that is right; "" when there is none */
    uint64_t bad_seq;                      /* the first that is wrong, */
    char reason[160];                      /* and why */
} qd_audit_report;

/* Reads the whole chain. QD_OK says that it was read, not that it is intact. Errors: QD_EIO. */
qd_status qd_audit_verify(qd_audit *a, qd_audit_report *out, qd_error *err);
/* Writes the answer of GET /api/v1/audit/_verify: {"intact","entries","first_seq","last_seq","head"} and, when it is
 * not, "bad_seq" and "reason". */
void qd_audit_report_write(const qd_audit_report *r, qd_json *w);

#endif
