/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ticker.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

void qd_ticker_init(qd_ticker *t, const char *name, qd_ticker_work_fn *work, void *arg)
{
    pthread_condattr_t attr;
    *t = (qd_ticker){.work = work, .arg = arg, .name = name};
    pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
}

void qd_ticker_deinit(qd_ticker *t)
{
    pthread_mutex_destroy(&t->mutex);
    pthread_cond_destroy(&t->wake);
}

static void sleep_until(qd_ticker *t, int64_t due_ns)
{
    struct timespec until = {(time_t)(due_ns / NS_PER_S), (long)(due_ns % NS_PER_S)};
    pthread_mutex_lock(&t->mutex);
    int rc = 0;
    while (!t->has_news && !t->is_stopping && rc == 0)
        rc = due_ns == INT64_MAX ? pthread_cond_wait(&t->wake, &t->mutex)
                                 : pthread_cond_timedwait(&t->wake, &t->mutex, &until);
    t->has_news = false;
    pthread_mutex_unlock(&t->mutex);
}

bool qd_ticker_is_stopping(qd_ticker *t)
{
    pthread_mutex_lock(&t->mutex);
    bool is_stopping = t->is_stopping;
    pthread_mutex_unlock(&t->mutex);
    return is_stopping;
}

static void *run(void *arg)
{
    qd_ticker *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    while (!qd_ticker_is_stopping(t))
        sleep_until(t, t->work(t->arg));
    return NULL;
}

qd_status qd_ticker_start(qd_ticker *t, qd_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals to the process are for the main thread */
    int rc = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return qd_fail(err, QD_ENOMEM, "cannot start the %s thread: %s", t->name, strerror(rc));
    t->is_running = true;
    return QD_OK;
}

void qd_ticker_stop(qd_ticker *t)
{
    if (!t->is_running)
        return;
    pthread_mutex_lock(&t->mutex);
    t->is_stopping = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mutex);
    pthread_join(t->thread, NULL);
    t->is_running = false;
}

void qd_ticker_wake(qd_ticker *t)
{
    pthread_mutex_lock(&t->mutex);
    t->has_news = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mutex);
}
