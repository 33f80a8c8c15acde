/* SPDX-License-Identifier: Apache-2.0
 *
 * Notices clients that go away where libmicrohttpd does not. One thread, asleep while there are no connections:
 *  - work: libmicrohttpd does not look at suspended connections. An epoll set of this thread's own has every connection
 *    from its start to its end, for the end of its stream alone, so that a request costs no system call; when the end
 *    comes while a request is at work, `canceled` of it is set within the millisecond. A client that ended its stream
 *    before the work began has perhaps only said that nothing more will come: it gets 50 to 100 ms, by a poll of the
 *    sockets at work every 50 ms.
 *  - connections: libmicrohttpd's edge-triggered epoll misses an end of stream that arrives together with the last
 *    bytes of an unfinished request, and would keep the connection until it times out. All sockets are polled every
 *    second; one whose client has been gone for two looks, with no request at work, is shut down, which
 *    libmicrohttpd notices.
 * Lock order: the watch's mutex is innermost; the only calls under it are poll(2) without waiting, epoll_ctl(2) and
 * shutdown(2). */
#ifndef QD_HTTP_WATCH_H
#define QD_HTTP_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

typedef struct qd_watch qd_watch;

/* Lives inside what it watches for; all zero before the first use. */
typedef struct qd_watched {
    struct qd_watched *next, *previous;
    int socket;
    volatile bool *canceled; /* work */
    atomic_bool is_busy;     /* connections: a whole request is there and its answer not sent yet; set by the owner */
    bool was_gone;           /* connections: at the last look */
} qd_watched;

qd_status qd_watch_new(qd_watch **out, qd_error *err);
/* Nothing may be watched any more. */
void qd_watch_free(qd_watch *w);
/* `item` is kept until qd_watch_remove, the socket must stay open until then. Threads: any. */
void qd_watch_add_work(qd_watch *w, qd_watched *item, int socket, volatile bool *canceled);
void qd_watch_add_connection(qd_watch *w, qd_watched *item, int socket);
/* Legal for an item that was never added. */
void qd_watch_remove(qd_watch *w, qd_watched *item);
/* Cancels all work that is watched now. */
void qd_watch_cancel_all(qd_watch *w);

#endif
