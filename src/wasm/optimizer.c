/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/optimizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "wasm/engine_impl.h"
#include "wasm/make.h"
#include "wasm/module_impl.h"

#define MAX_THREADS 64
#define NICENESS    10

/* Owned by the queue, then by the thread that works on it; `module` points to it meanwhile and back. */
struct qd_optimize_job {
    qd_wasm_module *module; /* NULL: dropped; under the mutex */
    const qd_wasm_backend *backend;
    qd_blob *bytes;
    qd_join *join; /* NULL: none */
    char hash[QD_SHA256_HEX_SIZE];
    qd_optimize_job *next;
};

struct qd_optimizer {
    qd_wasm_engine *engine;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t work, idle;
    qd_optimize_job *first, **last;
    uint32_t n_queued, n_busy;
    unsigned n_threads, n_started, n_alive;
    bool is_stopping, is_abandoned; /* abandoned: the last thread deletes the engine */
    pthread_t threads[MAX_THREADS];
};

static void job_free(qd_optimize_job *j)
{
    qd_blob_unref(j->bytes);
    qd_join_unref(j->join);
    free(j);
}

qd_optimizer *qd_optimizer_new(qd_wasm_engine *engine)
{
    pthread_condattr_t monotonic;
    unsigned threads = engine->options.compile_threads;
    qd_optimizer *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->engine = engine;
    o->n_threads = threads > MAX_THREADS ? MAX_THREADS : threads;
    o->last = &o->first;
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->work, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&o->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return o;
}

bool qd_optimizer_stop(qd_optimizer *o)
{
    int64_t until = qd_clock_mono_ns() + o->engine->options.stop_ms * INT64_C(1000000);
    const struct timespec at = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    pthread_t threads[MAX_THREADS]; /* once the mutex is let go, an abandoned optimizer may be gone */
    pthread_mutex_lock(&o->mutex);
    o->is_stopping = true;
    pthread_cond_broadcast(&o->work);
    while (o->n_alive > 0 && pthread_cond_timedwait(&o->idle, &o->mutex, &at) == 0) {
    }
    unsigned n = o->n_started;
    bool is_done = o->n_alive == 0;
    o->is_abandoned = !is_done;
    memcpy(threads, o->threads, n * sizeof *threads);
    for (unsigned i = 0; i < n && !is_done; i++)
        pthread_detach(threads[i]);
    pthread_mutex_unlock(&o->mutex);
    for (unsigned i = 0; i < n && is_done; i++)
        pthread_join(threads[i], NULL);
    return is_done;
}

void qd_optimizer_free(qd_optimizer *o)
{
    if (!o)
        return;
    for (qd_optimize_job *j = o->first, *next; j; j = next) {
        next = j->next;
        job_free(j);
    }
    pthread_cond_destroy(&o->work);
    pthread_cond_destroy(&o->idle);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}

/* ---- a job ------------------------------------------------------------------------------------------------------- */

/* Called with the mutex, so that what the log needs is still there: the module does not go meanwhile, nor its engine.
 */
static void tell_locked(const qd_optimizer *o, const qd_optimize_job *j, const qd_error *why)
{
    char line[512];
    const qd_wasm_engine_options *options = &o->engine->options;
    snprintf(line, sizeof line, "warning: the module with the hash %s was not optimized and goes on as it is: %.300s",
             j->hash, why->message);
    if (options->log)
        options->log(options->log_arg, line);
}

/* Better code has come, or (without `made`, for the reason `why`) will not: then the module serves on with what it has.
 * `made` is taken. */
static void finish_locked(const qd_optimizer *o, qd_optimize_job *j, qd_wasm_made *made, int64_t ns, qd_error *why)
{
    qd_wasm_module *m = j->module;
    qd_wasm_native *native = NULL;
    m->job = NULL;
    atomic_store_explicit(&m->is_optimizing, false, memory_order_relaxed);
    if (!made->wasm || qd_wasm_native_new(m, j->backend, made, &native, why) != QD_OK) {
        tell_locked(o, j, why);
        return;
    }
    qd_wasm_module_count_compiled(m, native->tier, ns);
    qd_wasm_module_swap(m, native);
}

static void work_on(qd_optimizer *o, qd_optimize_job *j)
{
    const qd_make_from from = {j->bytes, j->hash, j->join};
    qd_wasm_made made = {0};
    qe_code *code = NULL;
    qd_error why = QD_ERROR_INIT;
    int64_t start = qd_clock_mono_ns();
    (void)qd_make_compile(j->backend, &from, &made, &code, &why);
    int64_t ns = qd_clock_mono_ns() - start;
    pthread_mutex_lock(&o->mutex);
    if (j->module)
        finish_locked(o, j, &made, ns, &why);
    bool is_abandoned = o->is_abandoned; /* the process may be on its way out, or the directory another engine's */
    pthread_mutex_unlock(&o->mutex);
    if (code && !is_abandoned)
        qd_make_remember(j->backend, &from, &made, code);
    qd_made_drop(&made);
    qe_code_free(code);
    job_free(j);
}

/* The next job of a module that is still there; NULL: none for now. */
static qd_optimize_job *take_locked(qd_optimizer *o)
{
    qd_optimize_job *j = o->first;
    if (!j)
        return NULL;
    o->first = j->next;
    if (!o->first)
        o->last = &o->first;
    o->n_queued--;
    return j;
}

static void *work(void *arg)
{
    qd_optimizer *o = arg;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    if (o->engine->cache)
        qd_native_cache_scan(o->engine->cache);
    pthread_mutex_lock(&o->mutex);
    while (!o->is_stopping) {
        qd_optimize_job *j = take_locked(o);
        if (!j) {
            if (o->n_busy == 0)
                pthread_cond_broadcast(&o->idle);
            pthread_cond_wait(&o->work, &o->mutex);
            continue;
        }
        o->n_busy++;
        pthread_mutex_unlock(&o->mutex);
        work_on(o, j);
        pthread_mutex_lock(&o->mutex);
        o->n_busy--;
    }
    o->n_alive--;
    bool is_last = o->is_abandoned && o->n_alive == 0;
    pthread_cond_broadcast(&o->idle);
    pthread_mutex_unlock(&o->mutex);
    if (is_last)
        qd_wasm_engine_delete(o->engine);
    return NULL;
}

/* ---- for modules ------------------------------------------------------------------------------------------------- */

/* True when there is a thread to work. */
static bool start_threads_locked(qd_optimizer *o)
{
    while (o->n_started < o->n_threads && o->n_started <= o->n_queued + o->n_busy) {
        if (pthread_create(&o->threads[o->n_started], NULL, work, o) != 0)
            break;
        pthread_setname_np(o->threads[o->n_started], "qd-optimize");
        o->n_started++;
        o->n_alive++;
    }
    return o->n_started > 0;
}

bool qd_optimizer_has_room(qd_optimizer *o)
{
    pthread_mutex_lock(&o->mutex);
    bool has_room = o->n_queued < o->engine->options.compile_queue;
    pthread_mutex_unlock(&o->mutex);
    return has_room;
}

bool qd_optimizer_submit(qd_optimizer *o, qd_wasm_module *m)
{
    qd_optimize_job *j = calloc(1, sizeof *j);
    if (!j)
        return false;
    *j = (qd_optimize_job){.module = m,
                           .backend = &m->engine->backends[m->best],
                           .bytes = qd_blob_ref(m->bytes),
                           .join = qd_join_ref(m->join)};
    memcpy(j->hash, m->hash, sizeof j->hash);
    pthread_mutex_lock(&o->mutex);
    bool is_taken = o->n_queued < o->engine->options.compile_queue && !o->is_stopping && start_threads_locked(o);
    if (is_taken) {
        m->job = j;
        atomic_store_explicit(&m->is_optimizing, true, memory_order_relaxed);
        *o->last = j;
        o->last = &j->next;
        o->n_queued++;
        pthread_cond_signal(&o->work);
    }
    pthread_mutex_unlock(&o->mutex);
    if (!is_taken)
        job_free(j);
    return is_taken;
}

/* A job in the queue goes as well: a link from it to its predecessor would cost more than a walk over at most
 * compile_queue, which only dropping a module that was registered a moment ago takes. */
static void remove_locked(qd_optimizer *o, qd_optimize_job *j)
{
    for (qd_optimize_job **at = &o->first; *at; at = &(*at)->next) {
        if (*at != j)
            continue;
        *at = j->next;
        if (!*at)
            o->last = at;
        o->n_queued--;
        job_free(j);
        return;
    }
}

void qd_optimizer_forget(qd_optimizer *o, qd_wasm_module *m)
{
    pthread_mutex_lock(&o->mutex);
    qd_optimize_job *j = m->job;
    if (j) {
        m->job = NULL;
        j->module = NULL;
        remove_locked(o, j);
    }
    pthread_mutex_unlock(&o->mutex);
}

void qd_optimizer_drain(qd_optimizer *o)
{
    pthread_mutex_lock(&o->mutex);
    while (o->n_queued + o->n_busy > 0)
        pthread_cond_wait(&o->idle, &o->mutex);
    pthread_mutex_unlock(&o->mutex);
}

uint32_t qd_optimizer_queued(qd_optimizer *o)
{
    pthread_mutex_lock(&o->mutex);
    uint32_t n = o->n_queued + o->n_busy;
    pthread_mutex_unlock(&o->mutex);
    return n;
}
