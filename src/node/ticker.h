/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that works when something is due or when it is woken, and sleeps else: an idle node costs nothing. */
#ifndef QD_NODE_TICKER_H
#define QD_NODE_TICKER_H

#include <pthread.h>

#include "base/error.h"

/* Does what is due; answers when the next will be, by the monotonic clock; INT64_MAX: not by itself. */
typedef int64_t qd_ticker_work_fn(void *arg);

typedef struct qd_ticker {
    qd_ticker_work_fn *work;
    void *arg;
    const char *name; /* static; at most 15 bytes */
    pthread_t thread;
    bool is_running;
    pthread_mutex_t mutex; /* a leaf */
    pthread_cond_t wake;
    bool has_news, is_stopping;
} qd_ticker;

void qd_ticker_init(qd_ticker *t, const char *name, qd_ticker_work_fn *work, void *arg);
/* It must have been stopped. */
void qd_ticker_deinit(qd_ticker *t);
/* Works at once. Errors: QD_ENOMEM. */
qd_status qd_ticker_start(qd_ticker *t, qd_error *err);
/* Waits for work under way. Legal when it was not started. */
void qd_ticker_stop(qd_ticker *t);
/* Something may be due. Threads: any. */
void qd_ticker_wake(qd_ticker *t);
bool qd_ticker_is_stopping(qd_ticker *t);

#endif
