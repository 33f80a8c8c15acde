/* SPDX-License-Identifier: Apache-2.0 */
#include "http/watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define WORK_PERIOD_NS       ((int64_t)50 * 1000 * 1000)
#define CONNECTION_PERIOD_NS ((int64_t)1000 * 1000 * 1000)
/* Looks at no work before the thread goes over to the longer period: busy servers never pay for waking it. */
#define IDLE_LOOKS   40
#define POLL_AT_ONCE 256
#define EVENTS       64
#define FIRST_SLOTS  256

struct qd_watch {
    pthread_mutex_t mutex;
    pthread_t thread;
    int epoll, wake;      /* wake: an eventfd of the epoll set */
    qd_watched **work_of; /* by socket: the request at work on it */
    size_t n_slots;
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

/* ---- ends of streams, as they come ------------------------------------------------------------------------------- */

static qd_watched **slot_of(qd_watch *w, int socket)
{
    return socket >= 0 && (size_t)socket < w->n_slots ? &w->work_of[socket] : NULL;
}

/* False when out of memory: the socket is then only polled. */
static bool make_slot(qd_watch *w, int socket)
{
    size_t n = w->n_slots ? w->n_slots : FIRST_SLOTS;
    if (socket < 0)
        return false;
    if ((size_t)socket < w->n_slots)
        return true;
    while (n <= (size_t)socket)
        n *= 2;
    qd_watched **grown = realloc(w->work_of, n * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + w->n_slots, 0, (n - w->n_slots) * sizeof *grown);
    w->work_of = grown;
    w->n_slots = n;
    return true;
}

/* Something happened to a socket when the event was read: it may be another connection's by now. */
static void look_at_socket(qd_watch *w, int socket)
{
    qd_watched **slot = slot_of(w, socket);
    struct pollfd fd = {.fd = socket, .events = POLLRDHUP};
    if (slot && *slot)
        look(&fd, slot, 1, cancel);
}

/* Until `until_ns`, or until somebody needs it earlier; looks at what ended meanwhile. Called and left with the mutex
 * held. */
static void sleep_until(qd_watch *w, int64_t until_ns)
{
    struct epoll_event events[EVENTS];
    int64_t left_ns = until_ns == INT64_MAX ? 0 : until_ns - qd_clock_mono_ns(), left_ms = left_ns / 1000000 + 1;
    int timeout = until_ns == INT64_MAX ? -1 : left_ns <= 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms;
    uint64_t count;
    w->sleeps_until_ns = until_ns;
    pthread_mutex_unlock(&w->mutex);
    int n = epoll_wait(w->epoll, events, EVENTS, timeout);
    pthread_mutex_lock(&w->mutex);
    w->sleeps_until_ns = 0;
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == w->wake)
            (void)!read(w->wake, &count, sizeof count);
        else
            look_at_socket(w, events[i].data.fd);
    }
}

static void *run(void *arg)
{
    qd_watch *w = arg;
    unsigned idle = 0;
    int64_t next_work_ns = 0;
    pthread_mutex_lock(&w->mutex);
    while (!w->is_closing) {
        int64_t now = qd_clock_mono_ns();
        if (now >= next_work_ns) {
            idle = is_empty(&w->work) ? idle + 1 : 0;
            look_at_all(&w->work, cancel);
            next_work_ns = now + WORK_PERIOD_NS;
        }
        if (now >= w->next_connections_ns) {
            look_at_all(&w->connections, close_dead);
            w->next_connections_ns = now + CONNECTION_PERIOD_NS;
        }
        if (idle > IDLE_LOOKS)
            sleep_until(w, is_empty(&w->connections) ? INT64_MAX : w->next_connections_ns);
        else
            sleep_until(w, next_work_ns);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

static void wake_up(qd_watch *w)
{
    const uint64_t one = 1;
    (void)!write(w->wake, &one, sizeof one);
}

static void free_parts(qd_watch *w)
{
    if (w->epoll >= 0)
        close(w->epoll);
    if (w->wake >= 0)
        close(w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w->work_of);
    free(w);
}

qd_status qd_watch_new(qd_watch **out, qd_error *err)
{
    qd_watch *w = calloc(1, sizeof *w);
    if (!w)
        return qd_fail_nomem(err);
    pthread_mutex_init(&w->mutex, NULL);
    w->work.next = w->work.previous = &w->work;
    w->connections.next = w->connections.previous = &w->connections;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = w->wake};
    if (w->epoll < 0 || w->wake < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &event) != 0 ||
        pthread_create(&w->thread, NULL, run, w) != 0) {
        free_parts(w);
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
    pthread_mutex_unlock(&w->mutex);
    wake_up(w);
    pthread_join(w->thread, NULL);
    free_parts(w);
}

/* `soon_ns`: by when the thread must look at it. */
static void add(qd_watch *w, qd_watched *head, qd_watched *item, int64_t soon_ns)
{
    item->next = head->next;
    item->previous = head;
    item->next->previous = item;
    head->next = item;
    if (w->sleeps_until_ns && w->sleeps_until_ns > qd_clock_mono_ns() + soon_ns)
        wake_up(w);
}

void qd_watch_add_work(qd_watch *w, qd_watched *item, int socket, volatile bool *canceled)
{
    pthread_mutex_lock(&w->mutex);
    item->socket = socket;
    item->canceled = canceled;
    if (slot_of(w, socket))
        *slot_of(w, socket) = item;
    add(w, &w->work, item, 2 * WORK_PERIOD_NS);
    pthread_mutex_unlock(&w->mutex);
}

void qd_watch_add_connection(qd_watch *w, qd_watched *item, int socket)
{
    pthread_mutex_lock(&w->mutex);
    item->socket = socket;
    /* Edge-triggered, for the end of the stream alone: data that comes wakes nobody. */
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.fd = socket};
    if (make_slot(w, socket))
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, socket, &event);
    add(w, &w->connections, item, 2 * CONNECTION_PERIOD_NS);
    pthread_mutex_unlock(&w->mutex);
}

void qd_watch_remove(qd_watch *w, qd_watched *item)
{
    pthread_mutex_lock(&w->mutex);
    if (item->next) {
        qd_watched **slot = slot_of(w, item->socket);
        if (!item->canceled)
            epoll_ctl(w->epoll, EPOLL_CTL_DEL, item->socket, NULL);
        else if (slot && *slot == item)
            *slot = NULL;
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
