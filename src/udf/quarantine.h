/* SPDX-License-Identifier: Apache-2.0
 *
 * Quarantine: a version of a function because of which `failures` queries in a row failed within `window_ms` is refused
 * to queries until somebody reinstates it. Off by default. A query that succeeds ends the row; one that skipped or
 * defaulted its errors has succeeded. Failing means a trap, a bad result, a limit of time or memory of the function;
 * never wrong parameters, a client that went away, or the query's own timeout.
 *
 * A quarantine is stored in kv bucket "udf_quarantine" under name@version and survives a restart, also one with the
 * policy off; failures that did not reach the limit are forgotten.
 *
 * While nothing fails and nothing is quarantined each call here is a load of one number. Lock order: store_mutex (held
 * across the store: only when a quarantine begins or ends), then mutex, innermost. Threads: any. */
#ifndef QD_UDF_QUARANTINE_H
#define QD_UDF_QUARANTINE_H

#include "base/json.h"
#include "store/kv.h"

typedef struct qd_quarantine qd_quarantine;

#define QD_QUARANTINE_MAX_FAILURES 1000

typedef struct qd_quarantine_event {
    qd_str label; /* "name@version" */
    qd_str hash;  /* of its module */
    int64_t since_ms;
    uint32_t failures; /* in a row */
    const char *why;   /* the last error's message */
} qd_quarantine_event;

typedef struct qd_quarantine_options {
    uint32_t failures; /* 0: off; at most QD_QUARANTINE_MAX_FAILURES */
    int64_t window_ms; /* 60,000 */
    /* Told when a quarantine has begun, on the failing query's thread, without a lock; may be NULL. */
    void (*on_quarantine)(void *arg, const qd_quarantine_event *event);
    void *on_quarantine_arg;
    void (*log)(void *arg, const char *line); /* may be NULL */
    void *log_arg;
} qd_quarantine_options;
#define QD_QUARANTINE_OPTIONS_INIT {0, 60000, NULL, NULL, NULL, NULL}

/* Loads what is quarantined. `kv` kept until close. Errors: QD_EIO. */
qd_status qd_quarantine_open(qd_kv *kv, const qd_quarantine_options *options, qd_quarantine **out, qd_error *err);
void qd_quarantine_close(qd_quarantine *q);

/* At the start of a use in a query. Errors: QD_EUDF_QUARANTINED: which function, since when, why, how to lift it. NULL
 * is legal for `q` here and below: nothing is quarantined. */
qd_status qd_quarantine_check(qd_quarantine *q, const char *label, qd_error *err);
/* A query failed because of this version, of a module with this hash, with this error. */
void qd_quarantine_failed(qd_quarantine *q, const char *label, const char *hash, const qd_error *why);
/* A query with this version in it succeeded. */
void qd_quarantine_succeeded(qd_quarantine *q, const char *label);
/* Is a status a failure in this sense? */
bool qd_quarantine_is_failure(qd_status status);

/* Lifts it; durable on return. *was (may be NULL): it was quarantined. Errors: QD_EIO. */
qd_status qd_quarantine_reinstate(qd_quarantine *q, qd_str name, qd_str version, bool *was, qd_error *err);
bool qd_quarantine_is_on(qd_quarantine *q, const char *label);
size_t qd_quarantine_count(qd_quarantine *q);

#endif
