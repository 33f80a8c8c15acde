/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct task {
    qd_task_fn *fn;
    void *arg;
} task;

/* One qd_pool_parallel in progress. It lives on its caller's stack and is on the pool's list, so that helping costs
 * neither memory nor a place in the queue. Its caller takes it off the list and waits for `helpers` to become 0;
 * a worker that is not yet helping can then no longer find it. */
typedef struct job {
    struct job *next;
    void (*fn)(void *arg, size_t i);
    void *arg;
    size_t n;
    atomic_size_t taken;
    unsigned helpers; /* under the pool's mutex */
    pthread_cond_t helper_left;
} job;

/* Idle workers are a stack: the one that worked last is woken first, its caches and its memory still warm. */
typedef struct worker {
    struct qd_pool *pool;
    pthread_t thread;
    pthread_cond_t wake;
    struct worker *next_idle;
    bool is_idle;
} worker;

struct qd_pool {
    pthread_mutex_t mutex;
    task *queue; /* a ring of `max_queued` */
    unsigned max_queued, first, queued;
    job *jobs;
    worker *idle_top;
    bool is_closing;
    unsigned thread_count, worker_count; /* threads that run; workers that are made */
    worker *workers;
    char name[12]; /* the kernel keeps 15 characters: name-NNN */
};

static void run_items(job *j)
{
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&j->taken, 1, memory_order_relaxed);
        if (i >= j->n)
            return;
        j->fn(j->arg, i);
    }
}

/* A job with items left, or NULL. Under the mutex. */
static job *find_job(const qd_pool *p)
{
    job *j = p->jobs;
    while (j && atomic_load_explicit(&j->taken, memory_order_relaxed) >= j->n)
        j = j->next;
    return j;
}

static void help(qd_pool *p, job *j)
{
    j->helpers++;
    pthread_mutex_unlock(&p->mutex);
    run_items(j);
    pthread_mutex_lock(&p->mutex);
    if (--j->helpers == 0)
        pthread_cond_signal(&j->helper_left);
}

/* Takes the worker that went idle last off the stack; NULL when all are busy. To be signalled by the caller. */
static worker *pop_idle(qd_pool *p)
{
    worker *w = p->idle_top;
    if (w) {
        p->idle_top = w->next_idle;
        w->is_idle = false;
    }
    return w;
}

static void go_idle(qd_pool *p, worker *w)
{
    w->next_idle = p->idle_top;
    p->idle_top = w;
    w->is_idle = true;
    while (w->is_idle)
        pthread_cond_wait(&w->wake, &p->mutex);
}

static void *run(void *arg)
{
    worker *w = arg;
    qd_pool *p = w->pool;
    pthread_mutex_lock(&p->mutex);
    for (;;) {
        job *j = NULL;
        if (p->queued > 0) {
            task t = p->queue[p->first];
            p->first = (p->first + 1) % p->max_queued;
            p->queued--;
            pthread_mutex_unlock(&p->mutex);
            t.fn(t.arg);
            pthread_mutex_lock(&p->mutex);
        } else if ((j = find_job(p)) != NULL) {
            help(p, j);
        } else if (p->is_closing) {
            break;
        } else {
            go_idle(p, w);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Signals to the process are for the main thread. Those that a thread raises itself stay open: Wasmtime turns some
 * of them into traps, and a profiler needs its own. */
static void block_process_signals(sigset_t *before)
{
    static const int OPEN[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGPROF};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof OPEN / sizeof *OPEN; i++)
        sigdelset(&blocked, OPEN[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

static qd_status start_threads(qd_pool *p, unsigned threads, qd_error *err)
{
    sigset_t before;
    int failed = 0;
    block_process_signals(&before);
    for (unsigned i = 0; i < threads && !failed; i++) {
        failed = pthread_create(&p->workers[i].thread, NULL, run, &p->workers[i]);
        if (failed)
            break;
        p->thread_count++;
        char name[16];
        snprintf(name, sizeof name, "%s-%u", p->name, i % 1000);
        pthread_setname_np(p->workers[i].thread, name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        return QD_OK;
    return qd_fail(err, QD_ENOMEM, "pool '%s': could start only %u of %u threads: %s", p->name, p->thread_count,
                   threads, strerror(failed));
}

qd_status qd_pool_new(const char *name, unsigned threads, unsigned max_queued, qd_pool **out, qd_error *err)
{
    if (threads == 0 || max_queued == 0)
        return qd_fail(err, QD_EINVAL,
                       "pool '%s': expected at least one thread and one place in the queue, got %u and %u", name,
                       threads, max_queued);
    qd_pool *p = calloc(1, sizeof *p);
    if (!p)
        return qd_fail_nomem(err);
    pthread_mutex_init(&p->mutex, NULL);
    snprintf(p->name, sizeof p->name, "%s", name);
    p->max_queued = max_queued;
    p->queue = calloc(max_queued, sizeof *p->queue);
    p->workers = calloc(threads, sizeof *p->workers);
    for (unsigned i = 0; p->workers && i < threads; i++) {
        p->workers[i].pool = p;
        pthread_cond_init(&p->workers[i].wake, NULL);
        p->worker_count++;
    }
    qd_status status = p->queue && p->workers ? start_threads(p, threads, err) : qd_fail_nomem(err);
    if (status != QD_OK) {
        qd_pool_free(p);
        return status;
    }
    *out = p;
    return QD_OK;
}

void qd_pool_free(qd_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    p->is_closing = true;
    for (worker *w; (w = pop_idle(p)) != NULL;)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < p->thread_count; i++)
        pthread_join(p->workers[i].thread, NULL);
    for (unsigned i = 0; i < p->worker_count; i++)
        pthread_cond_destroy(&p->workers[i].wake);
    pthread_mutex_destroy(&p->mutex);
    free(p->workers);
    free(p->queue);
    free(p);
}

qd_status qd_pool_submit(qd_pool *p, qd_task_fn *fn, void *arg)
{
    worker *w = NULL;
    pthread_mutex_lock(&p->mutex);
    bool has_room = !p->is_closing && p->queued < p->max_queued;
    if (has_room) {
        p->queue[(p->first + p->queued) % p->max_queued] = (task){fn, arg};
        p->queued++;
        w = pop_idle(p);
    }
    pthread_mutex_unlock(&p->mutex);
    /* Without the mutex: the woken worker would only wait for it. */
    if (w)
        pthread_cond_signal(&w->wake);
    return has_room ? QD_OK : QD_EBUSY;
}

unsigned qd_pool_threads(const qd_pool *p)
{
    return p->thread_count;
}

unsigned qd_pool_queued(const qd_pool *p)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&p->mutex;
    pthread_mutex_lock(mutex);
    unsigned queued = p->queued;
    pthread_mutex_unlock(mutex);
    return queued;
}

static void publish(qd_pool *p, job *j)
{
    pthread_mutex_lock(&p->mutex);
    j->next = p->jobs;
    p->jobs = j;
    worker *w;
    for (size_t i = 1; i < j->n && (w = pop_idle(p)) != NULL; i++)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&p->mutex);
}

static void withdraw(qd_pool *p, job *j)
{
    pthread_mutex_lock(&p->mutex);
    job **at = &p->jobs;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    while (j->helpers > 0)
        pthread_cond_wait(&j->helper_left, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

void qd_pool_parallel(qd_pool *p, size_t n, void (*fn)(void *arg, size_t i), void *arg)
{
    if (!p || n < 2) {
        for (size_t i = 0; i < n; i++)
            fn(arg, i);
        return;
    }
    job j = {.fn = fn, .arg = arg, .n = n};
    atomic_init(&j.taken, 0);
    pthread_cond_init(&j.helper_left, NULL);
    publish(p, &j);
    run_items(&j);
    withdraw(p, &j);
    pthread_cond_destroy(&j.helper_left);
}
