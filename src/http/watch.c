/* SPDX-License-Identifier: Apache-2.0 */
#include "http/watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

#define WORK_PERIOD_NS       ((int64_t)50 * 1000 * 1000)
#define CONNECTION_PERIOD_NS ((int64_t)1000 * 1000 * 1000)
/* Looks at no work before the thread goes over to the longer period: busy servers never pay for waking it. */
#define IDLE_LOOKS   40
#define POLL_AT_ONCE 256

struct qd_watch {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    qd_watched work, connections; /* heads of rings */
    int64_t sleeps_until_ns;      /* 0: the thread is not waiting */
    int64_t next_connections_ns;
    bool is_closing;
};

typedef void found_fn(qd_watched *item, bool is_gone);

static bool is_empty(const qd_watched *head)
{
    return head->next == head;
}

static void look(struct pollfd *fds, qd_watched **items, nfds_t n, found_fn *found)
{
    if (n == 0 || poll(fds, n, 0) < 0)
        return;
    for (nfds_t i = 0; i < n; i++)
        found(items[i], fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

/* Under the mutex: nothing that is looked at can be closed meanwhile. */
static void look_at_all(qd_watched *head, found_fn *found)
{
    struct pollfd fds[POLL_AT_ONCE];
    qd_watched *items[POLL_AT_ONCE];
    nfds_t n = 0;
    for (qd_watched *i = head->next; i != head; i = i->next) {
        items[n] = i;
        fds[n++] = (struct pollfd){.fd = i->socket, .events = POLLRDHUP};
        if (n == POLL_AT_ONCE) {
            look(fds, items, n, found);
            n = 0;
        }
    }
    look(fds, items, n, found);
}

static void cancel(qd_watched *item, bool is_gone)
{
    if (is_gone)
        __atomic_store_n(item->canceled, true, __ATOMIC_RELAXED);
}

/* A client may close its sending side and still wait for its answer: those are busy. */
static void close_dead(qd_watched *item, bool is_gone)
{
    is_gone = is_gone && !atomic_load(&item->is_busy);
    if (is_gone && item->was_gone)
        shutdown(item->socket, SHUT_RDWR);
    item->was_gone = is_gone;
}

/* Until `until_ns`, or until somebody needs it earlier. */
static void sleep_until(qd_watch *w, int64_t until_ns)
{
    struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    w->sleeps_until_ns = until_ns;
    if (until_ns == INT64_MAX)
        pthread_cond_wait(&w->wake, &w->mutex);
    else
        pthread_cond_timedwait(&w->wake, &w->mutex, &until);
    w->sleeps_until_ns = 0;
}

static void *run(void *arg)
{
    qd_watch *w = arg;
    unsigned idle = 0;
    pthread_mutex_lock(&w->mutex);
    while (!w->is_closing) {
        int64_t now = qd_clock_mono_ns(), until = now + WORK_PERIOD_NS;
        idle = is_empty(&w->work) ? idle + 1 : 0;
        if (idle > IDLE_LOOKS)
            until = is_empty(&w->connections) ? INT64_MAX : w->next_connections_ns;
        sleep_until(w, until);
        look_at_all(&w->work, cancel);
        now = qd_clock_mono_ns();
        if (now >= w->next_connections_ns) {
            look_at_all(&w->connections, close_dead);
            w->next_connections_ns = now + CONNECTION_PERIOD_NS;
        }
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
    w->work.next = w->work.previous = &w->work;
    w->connections.next = w->connections.previous = &w->connections;
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->mutex);
        free(w);
        return qd_fail(err, QD_ENOMEM, "http: cannot start the thread that watches for clients that went away");
    }
    pthread_setname_np(w->thread, "http-watch");
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

/* `soon_ns`: by when the thread must look at it. */
static void add(qd_watch *w, qd_watched *head, qd_watched *item, int64_t soon_ns)
{
    item->next = head->next;
    item->previous = head;
    item->next->previous = item;
    head->next = item;
    if (w->sleeps_until_ns && w->sleeps_until_ns > qd_clock_mono_ns() + soon_ns)
        pthread_cond_signal(&w->wake);
}

void qd_watch_add_work(qd_watch *w, qd_watched *item, int socket, volatile bool *canceled)
{
    pthread_mutex_lock(&w->mutex);
    item->socket = socket;
    item->canceled = canceled;
    add(w, &w->work, item, 2 * WORK_PERIOD_NS);
    pthread_mutex_unlock(&w->mutex);
}

void qd_watch_add_connection(qd_watch *w, qd_watched *item, int socket)
{
    pthread_mutex_lock(&w->mutex);
    item->socket = socket;
    add(w, &w->connections, item, 2 * CONNECTION_PERIOD_NS);
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
    for (qd_watched *i = w->work.next; i != &w->work; i = i->next)
        __atomic_store_n(i->canceled, true, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&w->mutex);
}
