/* SPDX-License-Identifier: Apache-2.0
 *
 * The last things that one version of a function said: lines that it logged (info and above) and errors of its calls,
 * with time, level and document. A ring of 100 lines of at most 512 bytes each, 64 KiB in all, made at the first line.
 *
 * A function that logs for every document must not be slowed down by it or make others wait: a line is dropped and
 * counted when another thread is at the ring, and when there were more than 100 in the same second. */
#ifndef QD_UDF_RECENT_LOGS_H
#define QD_UDF_RECENT_LOGS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"

#define QD_RECENT_LOG_LINES      100
#define QD_RECENT_LOG_LINE_BYTES 512
#define QD_RECENT_LOG_ID_BYTES   128
#define QD_RECENT_LOG_BYTES      (64u << 10)

enum { QD_RECENT_DEBUG, QD_RECENT_INFO, QD_RECENT_WARN, QD_RECENT_ERROR };

typedef struct qd_recent_line {
    int64_t at_ms;
    int level;
    uint32_t message_n, document_n;
    bool has_document;
    char *text; /* message, then document */
} qd_recent_line;

typedef struct qd_recent_logs {
    atomic_uint_fast64_t dropped;
    atomic_int_fast64_t second; /* the one that `in_second` counts for */
    atomic_uint in_second;
    pthread_mutex_t mutex;
    qd_recent_line *lines; /* a ring; NULL: nothing was ever logged */
    size_t first, n, bytes;
    uint64_t added; /* lines ever: the number of the newest */
} qd_recent_logs;

void qd_recent_logs_init(qd_recent_logs *l);
void qd_recent_logs_deinit(qd_recent_logs *l);

/* To be asked before the work of finding out which document it is: is a line of this level kept now? Those below info
 * never are; those past 100 in a second are counted as dropped. Threads: any. */
bool qd_recent_logs_wants(qd_recent_logs *l, int level, int64_t now_ms);
/* Adds a line, cut to QD_RECENT_LOG_LINE_BYTES at a character's end. `document` NULL: none. Dropped, and counted, when
 * another thread is adding. Threads: any; never waits. */
void qd_recent_logs_add(qd_recent_logs *l, int64_t now_ms, int level, qd_str message, const qd_str *document);
/* {"version","logs":[{"seq","at","level","message","document"}],"dropped":n}, the newest last. `seq` counts lines from
 * 1 since the process began, for those who ask again. Threads: any. */
void qd_recent_logs_write_json(qd_recent_logs *l, const char *version, qd_json *w);
void qd_recent_logs_clear(qd_recent_logs *l);

#endif
