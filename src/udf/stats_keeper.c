/* SPDX-License-Identifier: Apache-2.0 */
#include "udf/stats_keeper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/map.h"
#include "udf/stats_impl.h"

#define NS_PER_S INT64_C(1000000000)

struct qd_stats_keeper {
    qd_kv *kv;
    qd_stats_keeper_options options;
    pthread_mutex_t mutex;
    qd_map *objects; /* label -> qd_udf_stats, one reference each; under mutex */
    pthread_t thread;
    bool is_running;
    pthread_mutex_t sleep_mutex;
    pthread_cond_t wake;
    bool is_stopping; /* under sleep_mutex */
};

static void tell(const qd_stats_keeper *k, const char *what)
{
    char line[640];
    if (!k->options.log)
        return;
    snprintf(line, sizeof line, "warning: statistics are not stored: %s", what);
    k->options.log(k->options.log_arg, line);
}

/* ---- the thread ---- */

/* False when it is time to end. */
static bool sleep_for(qd_stats_keeper *k, int64_t ns)
{
    int64_t due = qd_clock_mono_ns() + ns;
    struct timespec until = {(time_t)(due / NS_PER_S), (long)(due % NS_PER_S)};
    int rc = 0;
    pthread_mutex_lock(&k->sleep_mutex);
    while (!k->is_stopping && rc == 0)
        rc = pthread_cond_timedwait(&k->wake, &k->sleep_mutex, &until);
    bool goes_on = !k->is_stopping;
    pthread_mutex_unlock(&k->sleep_mutex);
    return goes_on;
}

static void *run(void *arg)
{
    qd_stats_keeper *k = arg;
    pthread_setname_np(pthread_self(), "statistics");
    while (sleep_for(k, k->options.flush_interval_ms * 1000000)) {
        qd_error err = QD_ERROR_INIT;
        if (qd_stats_keeper_flush(k, &err) != QD_OK)
            tell(k, err.message);
    }
    return NULL;
}

static qd_status start(qd_stats_keeper *k, qd_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals to the process are for the main thread */
    int rc = pthread_create(&k->thread, NULL, run, k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return qd_fail(err, QD_ENOMEM, "cannot start the thread for statistics: %s", strerror(rc));
    k->is_running = true;
    return QD_OK;
}

static void stop(qd_stats_keeper *k)
{
    if (!k->is_running)
        return;
    pthread_mutex_lock(&k->sleep_mutex);
    k->is_stopping = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->sleep_mutex);
    pthread_join(k->thread, NULL);
    k->is_running = false;
}

/* ---- opening and closing ---- */

qd_status qd_stats_keeper_open(qd_kv *kv, const qd_stats_keeper_options *options, qd_stats_keeper **out, qd_error *err)
{
    pthread_condattr_t monotonic;
    qd_stats_keeper *k = calloc(1, sizeof *k);
    if (!k || !(k->objects = qd_map_new())) {
        free(k);
        return qd_fail_nomem(err);
    }
    k->kv = kv;
    k->options = *options;
    pthread_mutex_init(&k->mutex, NULL);
    pthread_mutex_init(&k->sleep_mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    qd_status st = k->options.flush_interval_ms > 0 ? start(k, err) : QD_OK;
    if (st == QD_OK)
        *out = QD_TAKE(k);
    qd_stats_keeper_close(k);
    return st;
}

/* Whoever still has a reference (there should be nobody) counts on without the store. */
static void let_go(void *object)
{
    qd_udf_stats *s = object;
    pthread_mutex_lock(&s->row_mutex);
    s->kv = NULL;
    pthread_mutex_unlock(&s->row_mutex);
    qd_udf_stats_unref(s);
}

void qd_stats_keeper_close(qd_stats_keeper *k)
{
    qd_error err = QD_ERROR_INIT;
    if (!k)
        return;
    stop(k);
    if (qd_stats_keeper_flush(k, &err) != QD_OK)
        tell(k, err.message);
    qd_map_free(k->objects, let_go);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->sleep_mutex);
    pthread_mutex_destroy(&k->mutex);
    free(k);
}

/* ---- objects ---- */

static qd_udf_stats *find(qd_stats_keeper *k, const char *label)
{
    pthread_mutex_lock(&k->mutex);
    qd_udf_stats *s = qd_map_get(k->objects, qd_str_of(label));
    qd_udf_stats_ref(s);
    pthread_mutex_unlock(&k->mutex);
    return s;
}

qd_status qd_stats_keeper_get(qd_stats_keeper *k, qd_str name, qd_str version, qd_udf_stats **out, qd_error *err)
{
    qd_udf_stats *made = qd_udf_stats_new(name, version);
    if (!made)
        return qd_fail_nomem(err);
    qd_udf_stats *found = find(k, made->label);
    if (!found) {
        made->kv = k->kv;
        made->is_loaded = false;
        qd_status st = qd_stats_row_peek(made, err);
        if (st != QD_OK) {
            qd_udf_stats_unref(made);
            return st;
        }
        /* Another thread may have been here meanwhile. */
        pthread_mutex_lock(&k->mutex);
        found = qd_map_get(k->objects, qd_str_of(made->label));
        bool is_put = !found && qd_map_put(k->objects, qd_str_of(made->label), made, NULL);
        qd_udf_stats_ref(found ? found : is_put ? made : NULL);
        pthread_mutex_unlock(&k->mutex);
        if (!found && !is_put) {
            qd_udf_stats_unref(made);
            return qd_fail_nomem(err);
        }
        if (is_put) {
            *out = made;
            return QD_OK;
        }
    }
    qd_udf_stats_unref(made);
    *out = found;
    return QD_OK;
}

qd_status qd_stats_keeper_remove(qd_stats_keeper *k, qd_str name, qd_str version, qd_error *err)
{
    qd_udf_stats *s = NULL;
    qd_status st = qd_stats_keeper_get(k, name, version, &s, err);
    if (st == QD_OK)
        st = qd_stats_row_remove(s, err);
    if (st == QD_OK) {
        pthread_mutex_lock(&k->mutex);
        qd_udf_stats *kept = qd_map_get(k->objects, qd_str_of(s->label));
        if (kept == s)
            (void)qd_map_remove(k->objects, qd_str_of(s->label));
        pthread_mutex_unlock(&k->mutex);
        if (kept == s)
            qd_udf_stats_unref(kept);
    }
    qd_udf_stats_unref(s);
    return st;
}

/* All objects that `wanted` says, with references; owned by caller (qd_stats_keeper_release). NULL when out of memory.
 */
static qd_udf_stats **collect(qd_stats_keeper *k, bool (*wanted)(const qd_udf_stats *s), size_t *n)
{
    size_t i = 0;
    qd_str label;
    void *object;
    *n = 0;
    pthread_mutex_lock(&k->mutex);
    qd_udf_stats **list = malloc((qd_map_count(k->objects) + 1) * sizeof *list);
    while (list && qd_map_next(k->objects, &i, &label, &object)) {
        if (!wanted(object))
            continue;
        qd_udf_stats_ref(object);
        list[(*n)++] = object;
    }
    pthread_mutex_unlock(&k->mutex);
    return list;
}

void qd_stats_keeper_release(qd_udf_stats **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        qd_udf_stats_unref(list[i]);
    free(list);
}

static bool is_dirty(const qd_udf_stats *s)
{
    return atomic_load_explicit((atomic_bool *)&s->is_dirty, memory_order_relaxed);
}

qd_status qd_stats_keeper_flush(qd_stats_keeper *k, qd_error *err)
{
    size_t n = 0;
    qd_status first = QD_OK;
    qd_udf_stats **list = collect(k, is_dirty, &n);
    if (!list)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        qd_status st = qd_stats_row_flush(list[i], first == QD_OK ? err : NULL);
        first = first == QD_OK ? st : first;
    }
    qd_stats_keeper_release(list, n);
    return first;
}

static bool was_used(const qd_udf_stats *s)
{
    return qd_udf_stats_last_used_ms(s) > 0;
}

/* Copied out before sorting: a time that changes under qsort's hands would lead it astray. */
typedef struct used {
    qd_udf_stats *s;
    int64_t at_ms;
} used;

static int newest_first(const void *a, const void *b)
{
    const used *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms > y->at_ms ? -1 : 1;
    return strcmp(x->s->label, y->s->label);
}

qd_status qd_stats_keeper_recent(qd_stats_keeper *k, size_t most, qd_udf_stats ***out, size_t *n, size_t *left_out,
                                 qd_error *err)
{
    size_t count = 0;
    qd_udf_stats **list = collect(k, was_used, &count);
    used *order = list ? malloc((count + 1) * sizeof *order) : NULL;
    if (!order) {
        if (list)
            qd_stats_keeper_release(list, count);
        return qd_fail_nomem(err);
    }
    for (size_t i = 0; i < count; i++)
        order[i] = (used){list[i], qd_udf_stats_last_used_ms(list[i])};
    qsort(order, count, sizeof *order, newest_first);
    size_t kept = count < most ? count : most;
    for (size_t i = 0; i < count; i++) {
        list[i] = order[i].s;
        if (i >= kept)
            qd_udf_stats_unref(list[i]);
    }
    free(order);
    *out = list;
    *n = kept;
    *left_out = count - kept;
    return QD_OK;
}
