/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/clock.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <wasmtime.h>

#define LINGER_TICKS 100
#define NICENESS     (-10)

static void sleep_one_tick(struct timespec *next)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    next->tv_nsec += QD_EPOCH_TICK_NS;
    if (next->tv_nsec >= 1000000000) {
        next->tv_nsec -= 1000000000;
        next->tv_sec++;
    }
    /* After a long sleep, or when the machine stood still, ticks that were missed are not made up for. */
    if (next->tv_sec < now.tv_sec || (next->tv_sec == now.tv_sec && next->tv_nsec < now.tv_nsec)) {
        *next = now;
        return;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR) {
    }
}

/* Returns false when the clock is to stop. Who enters raises `running` before it reads `is_asleep`, and we set
 * `is_asleep` before we read `running`, all sequentially consistent: one of the two sees the other. */
static bool sleep_until_needed(qd_epoch_clock *c)
{
    pthread_mutex_lock(&c->mutex);
    atomic_store(&c->is_asleep, true);
    while (!c->is_stopping && atomic_load(&c->running) == 0)
        pthread_cond_wait(&c->wake, &c->mutex);
    atomic_store(&c->is_asleep, false);
    bool go_on = !c->is_stopping;
    pthread_mutex_unlock(&c->mutex);
    return go_on;
}

/* It works for a microsecond per tick, and deadlines are as late as it is when others keep the processors busy. Ahead
 * of all ordinary threads it is late by microseconds, with a better niceness by some ticks; where the process may do
 * neither, by as long as it waits for its turn. */
static void take_precedence(void)
{
    const struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest) != 0)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
}

static void *tick(void *arg)
{
    qd_epoch_clock *c = arg;
    struct timespec next;
    take_precedence();
    clock_gettime(CLOCK_MONOTONIC, &next);
    unsigned idle = LINGER_TICKS;
    for (;;) {
        if (idle >= LINGER_TICKS) {
            if (!sleep_until_needed(c))
                return NULL;
            idle = 0;
        }
        sleep_one_tick(&next);
        for (size_t i = 0; i < c->n_engines; i++)
            wasmtime_engine_increment_epoch(c->engines[i]);
        idle = atomic_load_explicit(&c->running, memory_order_relaxed) ? 0 : idle + 1;
    }
}

qd_status qd_epoch_clock_start(qd_epoch_clock *c, wasm_engine_t *const *engines, size_t n, qd_error *err)
{
    memcpy(c->engines, engines, n * sizeof *engines);
    c->n_engines = n;
    c->is_stopping = false;
    atomic_init(&c->running, 0);
    atomic_init(&c->is_asleep, false);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->wake, NULL);
    int rc = pthread_create(&c->thread, NULL, tick, c);
    if (rc != 0) {
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->mutex);
        return qd_fail(err, QD_EINTERNAL, "the epoch clock's thread could not be started: %s", strerror(rc));
    }
    pthread_setname_np(c->thread, "qd-epoch");
    return QD_OK;
}

void qd_epoch_clock_stop(qd_epoch_clock *c)
{
    pthread_mutex_lock(&c->mutex);
    c->is_stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->mutex);
}

void qd_epoch_clock_enter(qd_epoch_clock *c)
{
    atomic_fetch_add(&c->running, 1);
    if (!atomic_load(&c->is_asleep))
        return;
    pthread_mutex_lock(&c->mutex);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
}

void qd_epoch_clock_leave(qd_epoch_clock *c)
{
    atomic_fetch_sub_explicit(&c->running, 1, memory_order_release);
}
