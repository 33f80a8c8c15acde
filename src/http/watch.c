/* SPDX-License-Identifier: Apache-2.0 */
#include "http/watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define PERIOD_NS ((int64_t)50 * 1000 * 1000)
/* Idle ticks before the thread sleeps until it is called: busy servers then never pay for waking it. */
#define IDLE_TICKS   40
#define POLL_AT_ONCE 256

struct qd_watch {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    qd_watched all; /* the ring's head */
    bool is_asleep, is_closing;
};

static void look(struct pollfd *fds, qd_watched **items, nfds_t n)
{
    if (n == 0 || poll(fds, n, 0) <= 0)
        return;
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
            __atomic_store_n(items[i]->canceled, true, __ATOMIC_RELAXED);
    }
}

/* Under the mutex: nothing that is looked at can be closed meanwhile. */
static void look_at_all(qd_watch *w)
{
    struct pollfd fds[POLL_AT_ONCE];
    qd_watched *items[POLL_AT_ONCE];
    nfds_t n = 0;
    for (qd_watched *i = w->all.next; i != &w->all; i = i->next) {
        items[n] = i;
        fds[n++] = (struct pollfd){.fd = i->socket, .events = POLLRDHUP};
        if (n == POLL_AT_ONCE) {
            look(fds, items, n);
            n = 0;
        }
    }
    look(fds, items, n);
}

static void wait_one_period(qd_watch *w)
{
    struct timespec until;
    int64_t at = qd_clock_mono_ns() + PERIOD_NS;
    until.tv_sec = (time_t)(at / 1000000000);
    until.tv_nsec = (long)(at % 1000000000);
    pthread_cond_timedwait(&w->wake, &w->mutex, &until);
}

static void *run(void *arg)
{
    qd_watch *w = arg;
    unsigned idle = 0;
    pthread_mutex_lock(&w->mutex);
    while (!w->is_closing) {
        idle = w->all.next == &w->all ? idle + 1 : 0;
        if (idle > IDLE_TICKS) {
            w->is_asleep = true;
            pthread_cond_wait(&w->wake, &w->mutex);
            w->is_asleep = false;
            idle = 0;
            continue;
        }
        wait_one_period(w);
        look_at_all(w);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

qd_status qd_watch_new(qd_watch **out, qd_error *err)
{
    qd_watch *w = calloc(1, sizeof *w);
    if (!w)
        return qd_fail_nomem(err);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->all.next = w->all.previous = &w->all;
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->mutex);
        free(w);
        return qd_fail(err, QD_ENOMEM, "http: cannot start the thread that watches for clients that went away");
    }
    *out = w;
    return QD_OK;
}

void qd_watch_free(qd_watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mutex);
    w->is_closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

void qd_watch_add(qd_watch *w, qd_watched *item, int socket, volatile bool *canceled)
{
    pthread_mutex_lock(&w->mutex);
    item->socket = socket;
    item->canceled = canceled;
    item->next = w->all.next;
    item->previous = &w->all;
    item->next->previous = item;
    w->all.next = item;
    if (w->is_asleep)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

void qd_watch_remove(qd_watch *w, qd_watched *item)
{
    pthread_mutex_lock(&w->mutex);
    if (item->next) {
        item->next->previous = item->previous;
        item->previous->next = item->next;
        item->next = item->previous = NULL;
    }
    pthread_mutex_unlock(&w->mutex);
}

void qd_watch_cancel_all(qd_watch *w)
{
    pthread_mutex_lock(&w->mutex);
    for (qd_watched *i = w->all.next; i != &w->all; i = i->next)
        __atomic_store_n(i->canceled, true, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&w->mutex);
}
