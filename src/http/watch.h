/* SPDX-License-Identifier: Apache-2.0
 *
 * Notices clients that go away while their request is being worked on: libmicrohttpd does not look at suspended
 * connections, so one thread polls their sockets every 50 ms and sets the request's `canceled`. While nothing runs it
 * sleeps. Lock order: the watch's mutex is innermost; the only call under it is a poll(2) that does not wait. */
#ifndef QD_HTTP_WATCH_H
#define QD_HTTP_WATCH_H

#include "base/error.h"

#include <stdbool.h>

typedef struct qd_watch qd_watch;

/* Lives inside what it watches for; all zero before the first use. */
typedef struct qd_watched {
    struct qd_watched *next, *previous;
    int socket;
    volatile bool *canceled;
} qd_watched;

qd_status qd_watch_new(qd_watch **out, qd_error *err);
/* Nothing may be watched any more. */
void qd_watch_free(qd_watch *w);
/* `item` is kept until qd_watch_remove, the socket must stay open until then. Threads: any. */
void qd_watch_add(qd_watch *w, qd_watched *item, int socket, volatile bool *canceled);
/* Legal for an item that was never added. */
void qd_watch_remove(qd_watch *w, qd_watched *item);
/* Cancels all that is watched now. */
void qd_watch_cancel_all(qd_watch *w);

#endif
