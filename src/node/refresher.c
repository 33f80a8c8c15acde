/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread refreshes the indices whose interval has passed since something was written to them. With nothing to do it
 * sleeps until it is woken; an idle node costs nothing. */
#include <malloc.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "node/node_internal.h"

#define NS_PER_S      INT64_C(1000000000)
#define TRIM_AFTER_NS (30 * NS_PER_S)

/* The buffers of a writer that was let go are many and small: free, but not yet the system's. Giving them back holds
 * others up for some 10 ms, so it is done once for all that rest about the same time. Answers when it will be. */
static int64_t trim_memory(qd_refresher *r, bool has_rested)
{
    if (has_rested && r->trim_due_ns == INT64_MAX)
        r->trim_due_ns = qd_clock_mono_ns() + TRIM_AFTER_NS;
    if (r->trim_due_ns <= qd_clock_mono_ns()) {
        malloc_trim(0);
        r->trim_due_ns = INT64_MAX;
    }
    return r->trim_due_ns;
}

/* Refreshes what is due, and lets rest what has long not been written to; answers when the next index will be. */
static int64_t refresh_due(qd_node *n)
{
    qd_index **indices = NULL;
    size_t count = 0;
    int64_t next = INT64_MAX;
    bool has_rested = false;
    if (qd_node_all(n, &indices, &count, NULL) != QD_OK)
        return qd_clock_mono_ns() + NS_PER_S; /* no memory: try again a little later */
    for (size_t i = 0; i < count; i++) {
        qd_error err = QD_ERROR_INIT;
        int64_t due = qd_index_refresh_due_ns(indices[i]);
        if (due <= qd_clock_mono_ns()) {
            (void)qd_index_refresh(indices[i], &err); /* a failure is logged and kept by the index itself */
            due = qd_index_refresh_due_ns(indices[i]);
        }
        int64_t rest_due = qd_index_rest_due_ns(indices[i]);
        if (rest_due <= qd_clock_mono_ns()) {
            has_rested |= qd_index_rest(indices[i]);
            rest_due = qd_index_rest_due_ns(indices[i]);
        }
        due = rest_due < due ? rest_due : due;
        next = due < next ? due : next;
    }
    qd_node_release(indices, count);
    int64_t trim_due = trim_memory(&n->refresher, has_rested);
    return trim_due < next ? trim_due : next;
}

static void sleep_until(qd_refresher *r, int64_t due_ns)
{
    struct timespec until = {(time_t)(due_ns / NS_PER_S), (long)(due_ns % NS_PER_S)};
    pthread_mutex_lock(&r->mutex);
    int rc = 0;
    while (!r->has_news && !r->is_stopping && rc == 0)
        rc = due_ns == INT64_MAX ? pthread_cond_wait(&r->wake, &r->mutex)
                                 : pthread_cond_timedwait(&r->wake, &r->mutex, &until);
    r->has_news = false;
    pthread_mutex_unlock(&r->mutex);
}

static bool is_stopping(qd_refresher *r)
{
    pthread_mutex_lock(&r->mutex);
    bool stopping = r->is_stopping;
    pthread_mutex_unlock(&r->mutex);
    return stopping;
}

static void *run(void *arg)
{
    qd_node *n = arg;
    pthread_setname_np(pthread_self(), "refresh");
    while (!is_stopping(&n->refresher))
        sleep_until(&n->refresher, refresh_due(n));
    return NULL;
}

qd_status qd_refresher_start(qd_node *n, qd_error *err)
{
    qd_refresher *r = &n->refresher;
    sigset_t all, before;
    r->trim_due_ns = INT64_MAX;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals to the process are for the main thread */
    int rc = pthread_create(&r->thread, NULL, run, n);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return qd_fail(err, QD_ENOMEM, "cannot start the refresh thread: %s", strerror(rc));
    r->is_running = true;
    return QD_OK;
}

void qd_refresher_stop(qd_node *n)
{
    qd_refresher *r = &n->refresher;
    if (!r->is_running)
        return;
    pthread_mutex_lock(&r->mutex);
    r->is_stopping = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    r->is_running = false;
}

void qd_refresher_wake(qd_node *n)
{
    qd_refresher *r = &n->refresher;
    pthread_mutex_lock(&r->mutex);
    r->has_news = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
}
