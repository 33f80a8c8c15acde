/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the audit log: audit.c keeps the chain and the log, audit_notes.c gathers what changes nothing, audit_list.c
 * and audit_verify.c read. */
#ifndef QD_UDF_AUDIT_IMPL_H
#define QD_UDF_AUDIT_IMPL_H

#include <pthread.h>

#include "store/log.h"
#include "udf/audit_record.h"

#define QD_AUDIT_NOTES 32 /* different ones at once; past that they only count */

/* Entries that change nothing, until they are written. The texts of entry and record are views into `bytes`. */
typedef struct qd_audit_notes {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t wake;   /* on the monotonic clock */
    pthread_t thread;
    bool is_running, is_stopping;
    struct qd_audit_note {
        uint64_t hash;
        uint32_t count;
        size_t n;
        char bytes[QD_AUDIT_RECORD_MAX];
    } items[QD_AUDIT_NOTES];
    size_t n;
    uint32_t others; /* those that found no room */
    int64_t next_ns; /* not written before */
    uint32_t window_ms;
} qd_audit_notes;

/* The chain's end. What the log holds is [first_seq, next_seq), from `start_bytes` to `end_bytes` of all ever written.
 */
typedef struct qd_audit_chain {
    uint64_t first_seq, next_seq, start_bytes, end_bytes;
    int64_t last_at_ms;
    char digest[QD_SHA256_HEX_SIZE];
} qd_audit_chain;

/* Opens the log: the kv's, but for tests. */
typedef qd_status qd_audit_opener(void *arg, size_t max_bytes, qd_log **out, qd_error *err);

struct qd_audit {
    qd_audit_options options;
    qd_audit_opener *open;
    void *open_arg;
    pthread_rwlock_t log_lock;   /* shared while the log is used, exclusive while it is opened again */
    qd_log *log;                 /* NULL: the last attempt to open it failed */
    pthread_mutex_t chain_mutex; /* guards the three below, and the order of what is enqueued */
    qd_audit_chain chain;
    bool is_broken; /* a write failed, and the log takes no more until it is opened again */
    bool is_trimming;
    qd_audit_notes notes;
};

qd_status qd_audit_open_with(qd_audit_opener *open, void *open_arg, const qd_audit_options *o, qd_audit **out,
                             qd_error *err);

/* Records, and the changes that they tell of. */
typedef struct qd_audit_batch {
    qd_audit_record *records;
    size_t n;
    const qd_kv_item *changes;
    size_t n_changes;
} qd_audit_batch;

/* Gives the records numbers, times, digests and their place in the chain, and makes them and the changes durable.
 * Errors: QD_EIO, QD_ELIMIT, QD_ENOMEM: nothing was done then. */
qd_status qd_audit_write(qd_audit *a, const qd_audit_batch *b, qd_error *err);

qd_status qd_audit_notes_init(qd_audit *a, qd_error *err);
/* Stops the thread; what is left is written. */
void qd_audit_notes_deinit(qd_audit *a);
void qd_audit_notes_add(qd_audit *a, const qd_audit_record *r);

/* The log for reading, with log_lock held (shared) until qd_audit_end_read. Errors: QD_EIO. */
qd_status qd_audit_begin_read(qd_audit *a, qd_log **log, qd_error *err);
void qd_audit_end_read(qd_audit *a);

#endif
